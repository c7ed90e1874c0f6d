# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the orders and endpoints of a fleet, put together for people and programs.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.axis import Axis
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.causes import groups, title
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.hosts import is_lost, seen_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.orders import order_rows
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.rows import GOOD, Clock, Facts, Row
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import (
    CERTIFICATES,
    IN_SERVICE,
    KINDS,
    LEVELS,
    ORDERS,
    counted,
)

# What rows are, by the name of their list.
_NOUNS = {"hosts": "host", "orders": "order", "certificates": "certificate", "endpoints": "endpoint"}

# What is counted at the head of a page, and of which rows: of a host that is down, its endpoints say nothing new.
_TILES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("not valid", ("expired", "not_yet_valid")),
    ("expire", ("expiring",)),
    ("pending", ("pending",)),
    ("need a hand at the provider", ("awaiting_payment", "rejected", "revoked", "error")),
    ("not served as installed", ("differs", "not_installed")),
    ("do not answer", ("unreachable", "unanswered")),
    ("not in place", ("not_collected", "refused", "failed", "rolled_back", "unproven")),
    ("held from a run that did not end", ("held",)),
)

_Rows = dict[str, list[Row]]


def fleet_report(
    hosts: t.Iterable[Facts], now: datetime.datetime, warn_days: int, asked: Facts | None = None
) -> dict[str, t.Any]:
    """The report on ``hosts`` at the time ``now``; what ends within ``warn_days`` is about to expire.

    A host is a dictionary with ``host`` (name) and ``result`` (of ``collectssl_deploy`` in check mode, or of a task
    that was skipped). ``asked`` has further orders: ``order_numbers``, as they were given, and ``result`` (of
    ``collectssl_order_info``). See the filter ``fleet_report`` for what is returned.
    """
    clock = Clock(now, warn_days)
    everybody = list(hosts)
    known = [host for host in everybody if not is_lost(host)]
    rows = _rows(known, asked or {}, clock)
    everything = [row for some in rows.values() for row in some]
    axis = Axis((row.span for row in everything), now)
    is_dated = any(row.span.end is not None for row in everything)
    found = _groups(rows, warn_days)
    return {
        "now": iso(now),
        "warn_days": warn_days,
        "scope": _scope(rows, len(known)),
        "axis": axis.as_dict() if is_dated else None,
        **{name: [row.as_dict(axis) for row in some] for name, some in rows.items()},
        "lost": [
            {"host": host["host"], "message": excerpt(str(host["result"].get("msg") or "The run says why."), 500)}
            for host in everybody
            if is_lost(host)
        ],
        "counts": _counts(rows),
        "tiles": [_tile(rows, said, kinds, warn_days) for said, kinds in _TILES],
        "states": _states(rows, warn_days),
        "causes": _causes(found),
        "groups": found,
    }


def _rows(hosts: t.Sequence[Facts], asked: Facts, clock: Clock) -> _Rows:
    seen = [seen_of(host, clock) for host in hosts]
    found = {
        "hosts": [one.unreachable for one in seen if one.unreachable is not None],
        "orders": order_rows(hosts, asked, clock),
        "certificates": [row for one in seen for row in one.certificates],
        "endpoints": [row for one in seen for row in one.endpoints],
    }
    return {name: sorted(rows, key=Row.urgency) for name, rows in found.items()}


def _scope(rows: _Rows, hosts: int) -> str:
    orders, endpoints = (counted(len(rows[name]), _NOUNS[name]) for name in ("orders", "endpoints"))
    return f"{orders}, and {endpoints} on {counted(hosts, 'host')}"


def _counts(rows: _Rows) -> dict[str, dict[str, int]]:
    kinds = sorted({kind for some in rows.values() for row in some for kind in row.kinds})
    return {kind: {name: _count(some, kind) for name, some in rows.items()} for kind in kinds}


def _count(rows: t.Iterable[Row], *kinds: str) -> int:
    return sum(not set(kinds).isdisjoint(row.kinds) for row in rows)


def _tile(rows: _Rows, said: str, kinds: tuple[str, ...], warn_days: int) -> dict[str, t.Any]:
    # What a host that is down adds to the kinds of its endpoints is theirs.
    counts = {
        name: _count(some, *(kind for kind in kinds if (kind == "unreachable") == (name == "hosts")))
        for name, some in rows.items()
    }
    number = sum(counts.values())
    return {
        "level": KINDS[kinds[0]].level if number else GOOD,
        "number": f"{number:,}",
        "title": f"{said} within {counted(warn_days, 'day')}" if kinds == ("expiring",) else said,
        "counted": ", ".join(counted(count, _NOUNS[name]) for name, count in counts.items() if count) or "none",
    }


def _states(rows: _Rows, warn_days: int) -> list[dict[str, str]]:
    """What there is to choose from: each kind of finding that somebody has, the most urgent first."""
    shown = [row for name, some in rows.items() for row in some if name != "certificates" or _has_a_place(row)]
    present = {kind for row in shown for kind in row.kinds or [GOOD]}
    kinds = [{"kind": kind, "title": title(kind, warn_days)} for kind in KINDS if kind in present]
    return kinds + [{"kind": GOOD, "title": "nothing found"}] * (GOOD in present)


def _groups(rows: _Rows, warn_days: int) -> dict[str, list[dict[str, t.Any]]]:
    """The rows of each list by cause, as numbers into it."""
    down = {row.facts["host"] for row in rows["hosts"]}
    endpoints, certificates = rows["endpoints"], rows["certificates"]
    found = {
        "hosts": [
            {**group, "counted": _with_endpoints(group, rows, down)}
            for group in _some(rows["hosts"], lambda row: True, "host", "", warn_days)
        ],
        # Those of a host that is down stand with it.
        "endpoints": _some(endpoints, lambda row: row.facts["host"] not in down, "endpoint", IN_SERVICE, warn_days),
        "certificates": _some(certificates, _has_a_place, "certificate", CERTIFICATES["installed"], warn_days),
        "orders": _some(rows["orders"], lambda row: True, "order", ORDERS["issued"], warn_days),
    }
    return {
        name: [{"id": f"{name}-{number}", **group} for number, group in enumerate(some, 1)]
        for name, some in found.items()
    }


def _causes(found: t.Mapping[str, t.Sequence[Facts]]) -> list[dict[str, t.Any]]:
    """What a page says first: all groups with which something is wrong, the most urgent first."""
    wrong = [group for some in found.values() for group in some if group["level"] != GOOD]
    names = ("id", "level", "mark", "title", "counted")
    return [
        {name: group[name] for name in names}
        for group in sorted(wrong, key=lambda group: list(LEVELS).index(group["level"]))
    ]


def _with_endpoints(group: Facts, rows: _Rows, down: t.Container[t.Any]) -> str:
    theirs = sum(row.facts["host"] in down for row in rows["endpoints"])
    return f"{group['counted'].partition(' on ')[0]} with {counted(theirs, 'endpoint')}"


def _some(
    rows: t.Sequence[Row], chosen: t.Callable[[Row], bool], noun: str, good: str, warn_days: int
) -> list[dict[str, t.Any]]:
    numbers = [number for number, row in enumerate(rows) if chosen(row)]
    found = groups([rows[number] for number in numbers], noun, good, warn_days)
    return [{**group, "rows": [numbers[number] for number in group["rows"]]} for group in found]


def _has_a_place(row: Row) -> bool:
    """Whether a certificate is shown by itself: what its endpoints say of it stands with these, or with its host."""
    return bool(row.findings) or (row.facts["is_known"] and not row.facts["endpoints"])
