# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a report: their certificates, their endpoints, and those that could not be reached.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.rows import (
    Clock,
    Facts,
    Row,
    span_of,
    text_of,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.span import Span
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import (
    HELD,
    IN_SERVICE,
    KINDS,
    counted,
    is_wrong,
    of_certificate,
)

# States of a certificate of which the host may not have said what is installed.
_TROUBLED = ("refused", "failed")
_PENDING = "pending"
_UNPROVEN = "unproven"
_FAILED = "failed"

# Addresses in what a look says, which differ from host to host where the reason is the same.
_ADDRESS = re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])")
_REACHED = re.compile(r" \(address [^)]*\)")
# A sentence ends there, and what follows is advice.
_ADVICE = re.compile(r"\. [A-Z].*", re.DOTALL)

# As much as a cell says of a message (characters).
_SAID = 500


class Seen(t.NamedTuple):
    """What is known of a host: its certificates, its endpoints, and itself where it could not be reached."""

    certificates: list[Row]
    endpoints: list[Row]
    unreachable: Row | None


def is_lost(host: Facts) -> bool:
    """Whether it is not even known what a host is to have, since its task failed."""
    result = host["result"]
    return bool(result.get("failed")) and not result.get("certificates") and not result.get("unreachable")


def seen_of(host: Facts, clock: Clock) -> Seen:
    """The rows of a host."""
    result = host["result"]
    unreachable = bool(result.get("unreachable"))
    certificates = {one["name"]: one for one in result.get("certificates", [])}
    endpoints = [
        _endpoint_row(host["host"], seen, certificates[seen["certificate"]], clock, unreachable)
        for seen in result.get("endpoints", [])
    ]
    rows = [
        _certificate_row(
            host["host"],
            one,
            [row for row in endpoints if row.facts["certificate"] == one["name"]],
            clock,
            (one["name"] in (result.get("rolled_back") or []), unreachable),
        )
        for one in certificates.values()
    ]
    return Seen(rows, endpoints, _host_row(host, rows, endpoints, clock) if unreachable else None)


def _host_row(host: Facts, certificates: t.Sequence[Row], endpoints: t.Sequence[Row], clock: Clock) -> Row:
    why = excerpt(str(host["result"].get("msg") or "nothing is known of why"), _SAID)
    row = Row(
        Span(),
        clock,
        "",
        [host["host"]],
        host=host["host"],
        where=host["host"],
        endpoints=len(endpoints),
        counted=counted(len(endpoints), "endpoint"),
        seen=[
            *(_seen_there(one) for one in endpoints),
            *(f"{one.facts['certificate']}: no endpoint" for one in certificates if not one.facts["endpoints"]),
        ],
    )
    row.note("unreachable", f"{KINDS['unreachable'].title}: {why}")
    for kind in dict.fromkeys(kind for one in endpoints for kind in one.kinds if kind != "unreachable"):
        count = sum(kind in one.kinds for one in endpoints)
        row.note(kind, f"{KINDS[kind].title} at {counted(count, 'endpoint')}")
    return row


def _seen_there(row: Row) -> str:
    """What is known of an endpoint of a host that could not be reached, in words."""
    facts, end = row.facts, text_of(row.span.end)
    until = f", valid until {end[:10]}" if end else ""
    shows = f"serves {facts['names_said']}{until}" if facts["served"] else "no answer"
    return f"{facts['where']} ({facts['certificate']}): {shows}"


# --- certificates ----------------------------------------------------------------------------------------------------


def _certificate_row(host: str, one: Facts, endpoints: t.Sequence[Row], clock: Clock, came: tuple[bool, bool]) -> Row:
    """``came`` says whether it was rolled back, and whether its host could not be reached."""
    was_rolled_back, unreachable = came
    installed = one["installed"] or {}
    state = "rolled_back" if was_rolled_back else str(one["state"])
    message = excerpt(str(one.get("msg") or ""), _SAID)
    row = Row(
        span_of(installed),
        clock,
        of_certificate(state),
        [host, str(one["name"])],
        # Where it is seen in service, the row of that endpoint says how long it is valid.
        judged=not any(row.facts["serves"] for row in endpoints),
        host=host,
        certificate=one["name"],
        where=f"{host}: {one['name']}",
        state=state,
        held=bool(one.get("held")),
        message=message,
        installed=installed.get("fingerprint_sha256"),
        names=_names(installed),
        issuer=installed.get("issuer"),
        endpoints=len(endpoints),
        is_known=not unreachable,
    )
    if row.facts["held"]:
        row.note("held", f"{HELD}, from a run that did not come to its end")
    # Of what could not be reached, and of what endpoints show, there are other rows.
    if is_wrong(state) and not (state == _FAILED and unreachable) and not (state == _UNPROVEN and endpoints):
        row.note(state, f"{of_certificate(state)}: {message}" if message else "", message)
    return row


# --- endpoints -------------------------------------------------------------------------------------------------------


def _endpoint_row(host: str, seen: Facts, certificate: Facts, clock: Clock, unreachable: bool) -> Row:
    served, installed = seen["served"] or {}, certificate["installed"] or {}
    names = _names(served)
    row = Row(
        span_of(served),
        clock,
        IN_SERVICE,
        [host, str(seen["host"]), f"{seen['port']:5}"],
        host=host,
        address=seen["host"],
        port=seen["port"],
        starttls=seen["starttls"],
        server_name=seen["server_name"],
        connect_from=seen["connect_from"],
        where=_where(seen),
        certificate=certificate["name"],
        serves=_serves(seen, installed),
        served=seen["fingerprint_sha256"],
        installed=installed.get("fingerprint_sha256"),
        names=names,
        names_said=_named(names),
        issuer=served.get("issuer"),
    )
    _judge(row, seen, certificate, unreachable)
    row.facts["compared"] = _compared(row)
    return row


def _serves(seen: Facts, installed: Facts) -> bool | None:
    """Whether it serves what it has to as things are.

    In check mode that may be a certificate which is only to be installed; that the installed one is seen is no fault.
    """
    shown = seen["fingerprint_sha256"]
    is_installed = shown is not None and shown == installed.get("fingerprint_sha256")
    return True if seen["serves"] is False and is_installed else t.cast("bool | None", seen["serves"])


def _where(seen: Facts) -> str:
    by = f", STARTTLS for {str(seen['starttls']).upper()}" if seen["starttls"] else ""
    name = f", asked for {seen['server_name']}" if seen["server_name"] else ""
    return f"{seen['host']} port {seen['port']}{by}{name}"


def _names(facts: Facts) -> list[str]:
    alternatives = [name[4:] if name.startswith("DNS:") else name for name in facts.get("subject_alt_names", [])]
    return alternatives or [name for name in [facts.get("subject")] if name]


def _named(names: t.Sequence[str]) -> str:
    return listed(names, size=80) if names else "nobody named"


def _judge(row: Row, seen: Facts, certificate: Facts, unreachable: bool) -> None:
    if unreachable:
        # It is its host's row that says so; what is seen from the controller all the same is judged as anywhere.
        row.note("unreachable", "the host could not be reached, so the installed file could not be read")
        _judge_trust(row, seen)
        return
    reason = str(seen["reason"] or "")
    if seen["serves"] is None:
        why = reason or "why is not known"
        row.note("undetermined", f"undetermined whether it serves it: {why}", _general(why, seen))
    elif seen["served"] is None:
        why = reason or "There is no answer."
        row.note("unanswered", why, _general(why, seen))
    _judge_installed(row, seen, certificate, reason)
    _judge_trust(row, seen)


def _judge_installed(row: Row, seen: Facts, certificate: Facts, reason: str) -> None:
    installed = row.facts["installed"]
    if installed is None and certificate["state"] in _TROUBLED:
        why = excerpt(str(certificate["msg"]), _SAID)
        row.note("unknown", f"{KINDS['unknown'].title}: {why}", _general(why, seen))
    elif installed is None and _PENDING in (certificate["state"], (certificate["order"] or {}).get("state")):
        row.note("awaited")
    elif installed is None:
        row.note("not_installed")
    elif seen["served"] is not None and _differs(row, certificate):
        row.note("differs", f"{KINDS['differs'].title}{f': {reason}' if reason else ''}")


def _differs(row: Row, certificate: Facts) -> bool:
    """Whether an endpoint serves another certificate than the one that is installed."""
    wanted = (certificate.get("certificate") or {}).get("fingerprint_sha256")
    # That it serves the one that is wanted is well, but not where the files are still, or again, those of another one.
    is_ahead = row.facts["serves"] is True and row.facts["served"] == wanted != row.facts["installed"]
    return row.facts["serves"] is False or is_ahead


def _judge_trust(row: Row, seen: Facts) -> None:
    if seen["verified"] is False and "expired" not in row.kinds:
        why = str(seen["verify_error"] or "no reason was given")
        row.note("untrusted", f"{KINDS['untrusted'].title}: {why}", _general(why, seen))


def _compared(row: Row) -> str:
    """How what is installed goes with what is served, in words."""
    served, installed = row.facts["served"], row.facts["installed"]
    if installed is None:
        return "none" if {"not_installed", "awaited"} & set(row.kinds) else "not known"
    if installed == served or (row.facts["serves"] and "differs" not in row.kinds):
        return "the same"
    return "another one" if served else ""


def _general(why: str, seen: Facts) -> str:
    """A reason less what is one endpoint's alone, by which hosts with the same one are put together."""
    text = _REACHED.sub("", why)
    text = text.replace(f"{seen['host']} port {seen['port']}", "the endpoint")
    for name in (seen["server_name"], seen["host"]):
        if name:
            text = text.replace(f"'{name}'", "its name")
    text = _ADDRESS.sub("its address", _ADVICE.sub("", text).rstrip("."))
    return text[:1].lower() + text[1:] if text.startswith("The ") else text
