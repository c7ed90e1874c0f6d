# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a task: each certificate with its state and cause, and the sentences that people read.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import (
    ABSENT,
    FAILED,
    IN_SERVICE,
    INSTALLED,
    REFUSED,
    ROLLED_BACK,
    UNPROVEN,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import certificates as ders_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import fingerprint, key_type
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import Certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.collecting import PENDING, Collected
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.runs import GOOD, Runs

Result = dict[str, t.Any]

# What becomes of a certificate of which the controller has nothing to install, where the host has nothing worse to say.
_WORSE = (UNPROVEN, FAILED, ROLLED_BACK)

# How many certificates that are as they are wanted a message names.
_NAMED = 3

# For a state that is well, by whether something changed, and for check mode what a real run would change.
_WORDS = {
    IN_SERVICE: ("is in service", "was brought into service", "would be brought into service"),
    INSTALLED: ("is installed", "was installed", "would be installed"),
    ABSENT: ("is not there", "was removed", "would be removed"),
}
_PLURAL = {IN_SERVICE: "in service", INSTALLED: "installed", ABSENT: "absent"}


def composed(
    certificates: t.Sequence[Certificate],
    collected: t.Mapping[str, Collected],
    runs: Runs,
    now: datetime.datetime,
    check_mode: bool = False,
) -> Result:
    """The result of the task.

    :arg collected: what came of each certificate on this controller, by name.
    :arg now: with a time zone.
    """
    told = [_told(one, collected[one.name], runs, now, check_mode) for one in certificates]
    wrong = [one for one in told if one["state"] not in GOOD and not _may_wait(one, certificates)]
    result: Result = {
        "changed": runs.changed,
        "certificates": told,
        "services": runs.services,
        "endpoints": _seen(runs.endpoints, told, now),
        "rolled_back": runs.rolled_back,
        "changed_certificates": [one["name"] for one in told if _is_new(one)],
        "stops_rollout": not check_mode and _stops(told, runs),
        "msg": _message(told, wrong, runs, check_mode),
        **runs.others,
    }
    if runs.unreachable:
        result.update(unreachable=True)
    elif wrong or runs.broken:
        result.update(failed=True, **runs.details)
    if wrong or runs.broken:
        # What is shown of a task that failed is for people.
        for one in told:
            one.pop("content", None)
    return result


def fingerprint_of(pem: str | None) -> str | None:
    """The fingerprint of the first certificate in a text; None where there is none."""
    der = _first(pem)
    return None if der is None else fingerprint(der)


def key_type_of(pem: str | None) -> str | None:
    """Of what kind the public key of the first certificate in a text is; None where it can't be told."""
    der = _first(pem)
    return None if der is None else key_type(der)


def _first(pem: str | None) -> bytes | None:
    ders = ders_of(pem) if pem else None
    return ders[0] if ders else None


def _is_new(told: Result) -> bool:
    """Whether whoever reads the files of a certificate finds others than before, be it by a run that was killed."""
    if not told["changed"] or told["state"] == ROLLED_BACK:
        return False
    prints = [one and one["fingerprint_sha256"] for one in (told["before"], told["installed"])]
    return prints[0] != prints[1] or any(file["changed"] for file in told["files"])


def _may_wait(told: Result, certificates: t.Sequence[Certificate]) -> bool:
    return told["state"] == PENDING and any(
        one.name == told["name"] and one.options["allow_pending"] for one in certificates
    )


def _told(one: Certificate, came: Collected, runs: Runs, now: datetime.datetime, check_mode: bool) -> Result:
    found = runs.of(one.name)
    described = came.bundle.described(now) if came.bundle else None
    state, said = found["state"], [found["msg"]]
    if came.state:
        # A host that refuses has something against more than the certificate, which it was not sent.
        is_worse = state in _WORSE or (state == REFUSED and came.state == PENDING)
        if not is_worse or one.name in runs.lost:
            state = came.state
        said.insert(0, came.reason if found["installed"] is None else f"{came.reason} What is installed stays.")
    told: Result = {
        "name": one.name,
        "state": state,
        "order": came.order,
        "certificate": described,
        "installed": _described(found["installed"], described, now),
        "before": _described(found["before"], described, now),
        "changed": bool(found["changed"]),
        "files": found["files"],
        "pending_tlsa": found.get("pending_tlsa"),
        "held": bool(found.get("held")),
        "services": one.services,
        "msg": "",
    }
    if not came.state and one.name in runs.lost:
        said.append("What was to bring it in failed as a whole.")
    known = f"It {_standing(told, check_mode)}." if state in GOOD else "Why is not known."
    told["msg"] = " ".join(part for part in said if part) or known
    if one.options["return_content"]:
        told["content"] = came.bundle.full_chain(one.options["include_root"]) if came.bundle else None
    return told


def _described(pem: str | None, known: Result | None, now: datetime.datetime) -> Result | None:
    """The ``certificate`` dictionary of what a host has."""
    if not pem:
        return None
    # Nearly always it is the one that came, of which all is known; reading another takes a library that loads slowly.
    if known is not None and fingerprint_of(pem) == known["fingerprint_sha256"]:
        return known
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import first_of_pem

    try:
        return first_of_pem(pem, now)
    except ChainError:
        return None


def _seen(endpoints: t.Iterable[Result], told: t.Sequence[Result], now: datetime.datetime) -> list[Result]:
    """What endpoints showed, each with the ``certificate`` dictionary of what it served."""
    facts = [one[which] for one in told for which in ("before", "installed", "certificate") if one[which]]
    known = {one["fingerprint_sha256"]: one for one in facts}
    found = []
    for seen in endpoints:
        served, reason = known.get(seen["fingerprint_sha256"]), seen["reason"]
        if served is None and seen["served"]:
            from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import first_of_pem

            try:
                served = first_of_pem(seen["served"], now)
            except ChainError as error:
                reason = reason or str(error)
        found.append({**seen, "served": served, "reason": reason})
    return found


def _standing(told: Result, check_mode: bool) -> str:
    """How a certificate stands that is as it is wanted: ``is in service, valid until 2026-12-17T23:59:59Z``."""
    is_so, was_made, would_be = _WORDS[told["state"]]
    words = is_so if not told["changed"] else would_be if check_mode else was_made
    return words if told["state"] == ABSENT else f"{words}, valid until {told['certificate']['not_after']}"


def _stops(told: t.Sequence[Result], runs: Runs) -> bool:
    """Whether this run changed something that it could not prove in service, or had to take back."""
    return (
        runs.unknown_end
        or bool(runs.rolled_back)
        or any(one["changed"] and one["state"] in (UNPROVEN, FAILED, ROLLED_BACK) for one in told)
    )


def _message(told: t.Sequence[Result], wrong: t.Sequence[Result], runs: Runs, check_mode: bool) -> str:
    sentences = [runs.broken] if runs.broken else []
    sentences += [
        f"{one['name']}: {one['msg']}" for one in wrong if one["name"] not in runs.lost or one["state"] != FAILED
    ]
    waiting = [one for one in told if one not in wrong and one["state"] not in GOOD]
    sentences += [f"{one['name']}: {one['msg']}" for one in waiting]
    good = [one for one in told if one["state"] in GOOD]
    if len(good) <= _NAMED:
        sentences += [f"{one['name']} {_standing(one, check_mode)}." for one in good]
    else:
        counts = {state: sum(one["state"] == state for one in good) for state in _PLURAL}
        parts = [f"{count} {_PLURAL[state]}" for state, count in counts.items() if count]
        changed = sum(one["changed"] for one in good)
        changes = f"; {changed} of them {'would change' if check_mode else 'changed'}" if changed else ""
        sentences.append(f"Of {len(told)} certificates, {', '.join(parts)}{changes}.")
    return " ".join(sentences)
