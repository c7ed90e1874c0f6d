# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a report by what is wrong with them, so that of a thousand a person sees at once what there is to do.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.rows import GOOD, Row
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import KINDS, LEVELS, counted

# How many rows with which nothing is wrong stand in the open.
_OPEN = 10

_URGENCY = list(LEVELS)


def groups(rows: t.Sequence[Row], noun: str, good: str, warn_days: int) -> list[dict[str, t.Any]]:
    """The rows in groups with the same most urgent finding for the same reason, the most urgent groups first.

    :arg noun: what one of the rows is.
    :arg good: what those are with which nothing is wrong.
    :returns: groups as plain data; ``rows`` are numbers into what was given.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        first = next(iter(row.findings), None)
        found.setdefault((first.kind, first.cause) if first else (GOOD, ""), []).append(number)
    made = [_group(key, numbers, rows, noun, (good, warn_days)) for key, numbers in found.items()]
    order = list(KINDS)
    return sorted(
        made,
        key=lambda group: (
            _URGENCY.index(group["level"]),
            order.index(group["kind"]) if group["kind"] in order else len(order),
            -len(group["rows"]),
            group["title"],
        ),
    )


def _group(
    key: tuple[str, str], numbers: list[int], rows: t.Sequence[Row], noun: str, said: tuple[str, int]
) -> dict[str, t.Any]:
    kind, cause = key
    good, warn_days = said
    level = KINDS[kind].level if kind in KINDS else GOOD
    named = title(kind, warn_days) if kind in KINDS else good
    hosts = {str(rows[number].facts["host"]) for number in numbers if "host" in rows[number].facts}
    return {
        "level": level,
        "mark": LEVELS[level],
        "kind": kind,
        "title": f"{named}: {cause}" if cause else named,
        "counted": counted(len(numbers), noun) + (f" on {counted(len(hosts), 'host')}" if hosts else ""),
        "is_folded": level == GOOD and len(numbers) > _OPEN,
        "is_dated": any(rows[number].span.end is not None for number in numbers),
        "rows": numbers,
    }


def title(kind: str, warn_days: int) -> str:
    """What a kind of finding is called."""
    return f"expires within {counted(warn_days, 'day')}" if kind == "expiring" else KINDS[kind].title
