# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the orders and endpoints of a fleet, as rows for people, the most urgent first.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import math
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso, moment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import outstanding

Facts = t.Mapping[str, t.Any]

LEVELS = ("bad", "warn", "wait", "good")
"""How urgent a row is, the most urgent first."""

# A validity of many years, as of a device's own certificate, would press all others together.
_LEAST_BEFORE, _LEAST_AFTER = 30, 90
_MOST_BEFORE, _MOST_AFTER = 400, 800
# States of a certificate of which the host may not have said what is installed.
_TROUBLED = ("refused", "failed")
_UNSETTLED = {
    "awaiting_payment": "awaits payment",
    "rejected": "was rejected",
    "revoked": "was revoked",
    "error": "not known",
}


class Span(t.NamedTuple):
    """A validity; either end may be unknown."""

    begin: datetime.datetime | None
    end: datetime.datetime | None

    @classmethod
    def of(cls, facts: Facts) -> Span:
        """The span that ``not_before`` and ``not_after`` of an order or a certificate tell."""
        begin, end = facts.get("not_before"), facts.get("not_after")
        return cls(moment(str(begin)) if begin else None, moment(str(end)) if end else None)

    def days_left(self, now: datetime.datetime) -> int | None:
        """Whole days, negative once it is over."""
        return None if self.end is None else (self.end - now).days


class Finding(t.NamedTuple):
    """What is wrong with a row, as one of ``LEVELS``, as a kind to count and in words."""

    level: str
    kind: str
    words: str


class Row:
    """An order or an endpoint: what is wrong with it, how urgent that is, and its validity."""

    def __init__(self, span: Span, now: datetime.datetime, warn_days: int, **facts: t.Any) -> None:
        self.span = span
        self.days = span.days_left(now)
        self.facts = facts
        self._findings: list[Finding] = []
        self._look_at_the_clock(now, warn_days)
        self._validity = self.level

    def _look_at_the_clock(self, now: datetime.datetime, warn_days: int) -> None:
        if self.days is None or self.span.end is None:
            return
        if self.days < 0:
            self.note("bad", "expired", f"expired {_days((now - self.span.end).days)} ago")
        elif self.span.begin is not None and self.span.begin > now:
            self.note("bad", "not_yet_valid", f"not valid before {_text(self.span.begin)}")
        elif self.days <= warn_days:
            self.note("warn", "expiring", f"expires in {_days(self.days)}")

    def note(self, level: str, kind: str, words: str) -> None:
        """Add a finding."""
        self._findings.append(Finding(level, kind, words))

    @property
    def kinds(self) -> set[str]:
        """What kinds of findings there are."""
        return {finding.kind for finding in self._findings}

    @property
    def level(self) -> str:
        """The most urgent of its findings."""
        return min((finding.level for finding in self._findings), key=LEVELS.index, default="good")

    def urgency(self) -> tuple[t.Any, ...]:
        """What rows are sorted by."""
        days = math.inf if self.days is None else self.days
        return LEVELS.index(self.level), days, [str(value) for value in self.facts["sorted_by"]]

    def as_dict(self, axis: Axis) -> dict[str, t.Any]:
        """The row for a template."""
        ordered = sorted(self._findings, key=lambda finding: LEVELS.index(finding.level))
        return {
            **{name: value for name, value in self.facts.items() if name != "sorted_by"},
            "level": self.level,
            "findings": [finding._asdict() for finding in ordered],
            "not_before": _text(self.span.begin),
            "not_after": _text(self.span.end),
            "days_remaining": self.days,
            "validity": self._validity,
            "line": axis.line(self.span),
        }


class Axis:
    """The time line that all rows share."""

    def __init__(self, spans: t.Iterable[Span], now: datetime.datetime) -> None:
        ends = [end for span in spans for end in span if end is not None]
        before = max([(now - end).days + 1 for end in ends] + [_LEAST_BEFORE])
        after = max([(end - now).days + 1 for end in ends] + [_LEAST_AFTER])
        self.begin = now - datetime.timedelta(days=min(before, _MOST_BEFORE))
        self.end = now + datetime.timedelta(days=min(after, _MOST_AFTER))
        self.today = self._percent(now)

    def _percent(self, when: datetime.datetime) -> float:
        share = (when - self.begin) / (self.end - self.begin)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def line(self, span: Span) -> dict[str, float] | None:
        """Where the span begins and how long it is, in percent of the axis; None if its end is not known."""
        if span.end is None:
            return None
        left = 0.0 if span.begin is None else self._percent(span.begin)
        return {"left": left, "width": round(self._percent(span.end) - left, 2)}


def fleet_report(
    hosts: t.Iterable[Facts], now: datetime.datetime, warn_days: int, asked: Facts | None = None
) -> dict[str, t.Any]:
    """The report on ``hosts`` at the time ``now``; what ends within ``warn_days`` is about to expire.

    A host is a dictionary with ``host`` (name) and ``result`` (of ``collectssl_deploy`` in check mode, or of a task
    that was skipped). ``asked`` has further orders: ``order_numbers``, as they were given, and ``result`` (of
    ``collectssl_order_info``). See the filter ``fleet_report`` for what is returned.
    """
    hosts = list(hosts)
    orders = sorted(_order_rows(hosts, asked or {}, now, warn_days), key=Row.urgency)
    endpoints = sorted((row for host in hosts for row in _endpoint_rows(host, now, warn_days)), key=Row.urgency)
    axis = Axis((row.span for row in [*orders, *endpoints]), now)
    kinds = sorted({kind for row in [*orders, *endpoints] for kind in row.kinds})
    return {
        "now": _text(now),
        "warn_days": warn_days,
        "axis": {"begin": _text(axis.begin), "end": _text(axis.end), "today": axis.today},
        "orders": [row.as_dict(axis) for row in orders],
        "endpoints": [row.as_dict(axis) for row in endpoints],
        "counts": {kind: {"orders": _count(orders, kind), "endpoints": _count(endpoints, kind)} for kind in kinds},
    }


def _count(rows: t.Iterable[Row], kind: str) -> int:
    return sum(kind in row.kinds for row in rows)


def _order_rows(hosts: t.Sequence[Facts], asked: Facts, now: datetime.datetime, warn_days: int) -> t.Iterator[Row]:
    answers: dict[tuple[str, str], Facts] = {}
    users: dict[tuple[str, str], list[dict[str, str]]] = {}

    def take(order: Facts, key: tuple[str, str]) -> None:
        # One host may have been the one that could ask.
        if key not in answers or answers[key]["state"] == "error":
            answers[key] = order

    for host in hosts:
        for certificate in host["result"].get("certificates", []):
            key = _key(certificate["order"] or {})
            # That of a collection code has no name.
            if key is not None:
                take(certificate["order"], key)
                users.setdefault(key, []).append({"host": host["host"], "certificate": certificate["name"]})
    numbers = [str(number) for number in listed(asked.get("order_numbers") or [])]
    told = asked.get("result") or {}
    for number, order in zip(numbers, told.get("orders") or [_unanswered(told) for _number in numbers], strict=True):
        take(order, ("order_number", number))
    for key, order in answers.items():
        yield _order_row(key, order, users.get(key, []), now, warn_days)


def _key(order: Facts) -> tuple[str, str] | None:
    """Which order it is: its identifier and what that is called."""
    return next(((option, str(order[option])) for option in IDENTIFIERS if order.get(option) is not None), None)


def _order_row(
    key: tuple[str, str], order: Facts, users: list[dict[str, str]], now: datetime.datetime, warn_days: int
) -> Row:
    state = order["state"]
    identifier, number = key
    row = Row(
        Span.of(order) if state == "issued" else Span(None, None),
        now,
        warn_days,
        sorted_by=[number],
        identifier=identifier,
        number=number,
        name=order.get("fqdn") or next((user["certificate"] for user in users), None),
        state=state,
        message=_message(order["status"]),
        waits_for=outstanding(dict(order)) if state == "pending" else "",
        domains=[one for one in order.get("mdc_domains", []) if one["status"] != "validated"],
        users=users,
    )
    if state == "pending":
        row.note("wait", "pending", "pending")
    elif state != "issued":
        row.note("bad", "unsettled", _UNSETTLED.get(state, str(state)))
    return row


def _message(status: Facts) -> str:
    parts = [status.get("message"), f"status {status['code']}" if status.get("code") is not None else None]
    return ", ".join(str(part).rstrip(".! ") for part in parts if part)


def _unanswered(result: Facts) -> Facts:
    return {"state": "error", "status": {"message": result.get("msg", "Nobody asked about it.")}}


def _endpoint_rows(host: Facts, now: datetime.datetime, warn_days: int) -> t.Iterator[Row]:
    certificates = {certificate["name"]: certificate for certificate in host["result"].get("certificates", [])}
    for seen in host["result"].get("endpoints", []):
        certificate = certificates[seen["certificate"]]
        served, installed = seen["served"] or {}, certificate["installed"] or {}
        row = Row(
            Span.of(served),
            now,
            warn_days,
            sorted_by=[host["host"], seen["host"], seen["port"]],
            host=host["host"],
            address=seen["host"],
            port=seen["port"],
            starttls=seen["starttls"],
            server_name=seen["server_name"],
            connect_from=seen["connect_from"],
            certificate=seen["certificate"],
            served=seen["fingerprint_sha256"],
            installed=installed.get("fingerprint_sha256"),
            names=_names(served),
            issuer=served.get("issuer"),
        )
        _judge(row, seen, certificate, bool(host["result"].get("unreachable")))
        yield row


def _names(facts: Facts) -> list[str]:
    alternatives = [name[4:] if name.startswith("DNS:") else name for name in facts.get("subject_alt_names", [])]
    return alternatives or [name for name in [facts.get("subject")] if name]


def _judge(row: Row, seen: Facts, certificate: Facts, unreachable: bool) -> None:
    installed = row.facts["installed"]
    if seen["served"] is None:
        fault = seen["reason"] or "There is no answer."
        row.note("bad", "unanswered", f"the host could not be reached: {fault}" if unreachable else fault)
        if unreachable:
            return
    if unreachable:
        row.note("warn", "unknown", "the installed file could not be read, since the host could not be reached")
    elif installed is None and certificate["state"] in _TROUBLED:
        row.note("warn", "unknown", f"what is installed is not known: {certificate['msg']}")
    elif installed is None:
        row.note("warn", "not_installed", "no certificate is installed")
    elif seen["served"] is not None and installed != seen["fingerprint_sha256"]:
        row.note("bad", "differs", "serves another certificate than the one that is installed")
    if seen["verified"] is False and "expired" not in row.kinds:
        row.note("warn", "untrusted", f"not trusted: {seen['verify_error'] or 'no reason was given'}")


def _text(when: datetime.datetime | None) -> str | None:
    return None if when is None else iso(when)


def _days(number: int) -> str:
    return {0: "less than a day", 1: "1 day"}.get(number, f"{number} days")
