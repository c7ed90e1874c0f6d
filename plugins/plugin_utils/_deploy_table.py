# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy came to as a table for people: a line for each certificate of each host.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed

Result = t.Mapping[str, t.Any]

TITLES = ("host", "certificate", "before", "now", "until", "services", "proof")

# As wide as a column gets (characters).
_WIDEST = 60

_NOTHING = "-"

# States that no endpoint was looked at for, in words.
_PROOFS = {
    "installed": "not looked at",
    "pending": "order pending",
    "not_collected": "NOT COLLECTED",
    "refused": "REFUSED",
    "unproven": "NOT PROVEN",
    "rolled_back": "ROLLED BACK",
    "failed": "FAILED",
    "absent": "removed",
}


def table(results: t.Iterable[tuple[str, Result | None]]) -> list[str]:
    """Aligned lines, the titles first; none where there is no row.

    :arg results: the name of each host, and what the task returned there, None where nothing is known.
    """
    found = [row for host, result in results for row in rows(host, result)]
    if not found:
        return []
    cells = [TITLES, *([excerpt(cell, _WIDEST) or _NOTHING for cell in row] for row in found)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(TITLES))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def rows(host: str, result: Result | None) -> list[tuple[str, ...]]:
    """The cells of a host, a row for each certificate."""
    certificates = (result or {}).get("certificates") or []
    if not certificates:
        # It was not reached, or an option was wrong, so that nothing is known of any certificate.
        said = str((result or {}).get("msg") or "nothing is known of it")
        return [(host, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, said)]
    return [_row(host, one, t.cast("Result", result)) for one in certificates]


def sentences(result: Result) -> list[str]:
    """A line for each certificate that is not as it is wanted."""
    return [
        f"{one['name']}: {excerpt(str(one['msg']), 1000)}"
        for one in result.get("certificates") or []
        if one["state"] not in ("in_service", "installed", "absent")
    ]


def _row(host: str, one: Result, result: Result) -> tuple[str, ...]:
    before, now = one.get("before"), one.get("installed")
    until = str(now["not_after"])[:10] if now else _NOTHING
    actions = {str(service["name"]): str(service["action"]) for service in result.get("services") or []}
    services = [
        f"{name} {actions[name].replace('_', ' ')}" if name in actions else str(name)
        for name in one.get("services") or []
    ]
    return (host, str(one["name"]), _short(before), _short(now), until, listed(services), _proof(one, result))


def _short(certificate: Result | None) -> str:
    """Enough of a fingerprint for people to tell two certificates apart."""
    return str(certificate["fingerprint_sha256"])[:11] if certificate else _NOTHING


def _proof(one: Result, result: Result) -> str:
    state = str(one["state"])
    places = [
        f"{seen['host']}:{seen['port']}"
        for seen in result.get("endpoints") or []
        if seen["certificate"] == one["name"] and seen["serves"]
    ]
    if state == "in_service":
        return f"seen at {listed(places, size=40)}" if places else "in service"
    words = _PROOFS.get(state, state)
    return f"{words}; the old one is seen at {listed(places, size=30)}" if places and state == "rolled_back" else words
