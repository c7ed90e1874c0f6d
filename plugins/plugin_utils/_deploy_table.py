# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy came to as a table for people: a line for each certificate of each host.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import HELD, is_wrong, of_certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._table import NOTHING, aligned

Result = t.Mapping[str, t.Any]

TITLES = ("host", "certificate", "before", "now", "until", "services", "proof")

# As wide as a column gets (characters).
_WIDEST = 60


def table(results: t.Iterable[tuple[str, Result | None]]) -> list[str]:
    """Aligned lines, the titles first; none where there is no row.

    :arg results: the name of each host, and what the task returned there, None where nothing is known.
    """
    return aligned(TITLES, [row for host, result in results for row in rows(host, result)], _WIDEST)


def rows(host: str, result: Result | None) -> list[tuple[str, ...]]:
    """The cells of a host, a row for each certificate."""
    certificates = (result or {}).get("certificates") or []
    if not certificates:
        # It was not reached, or an option was wrong, so that nothing is known of any certificate.
        said = str((result or {}).get("msg") or "nothing is known of it")
        return [(host, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, said)]
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
    until = str(now["not_after"])[:10] if now else NOTHING
    actions = {str(service["name"]): str(service["action"]) for service in result.get("services") or []}
    services = [
        f"{name} {actions[name].replace('_', ' ')}" if name in actions else str(name)
        for name in one.get("services") or []
    ]
    return (host, str(one["name"]), _short(before), _short(now), until, listed(services), _proof(one, result))


def _short(certificate: Result | None) -> str:
    """Enough of a fingerprint for people to tell two certificates apart."""
    return str(certificate["fingerprint_sha256"])[:11] if certificate else NOTHING


def _proof(one: Result, result: Result) -> str:
    state = str(one["state"])
    places = [
        f"{seen['host']}:{seen['port']}"
        for seen in result.get("endpoints") or []
        if seen["certificate"] == one["name"] and seen["serves"]
    ]
    words = of_certificate(state).upper() if is_wrong(state) else of_certificate(state)
    if places and state == "in_service":
        words = f"seen at {listed(places, size=40)}"
    elif places and state == "rolled_back":
        words += f"; the old one is seen at {listed(places, size=30)}"
    return f"{words}; {HELD}" if one.get("held") else words
