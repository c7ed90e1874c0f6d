# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time line of a report: where validities lie on it, and its months.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.span import Span

# A validity of many years, as of a device's own certificate, would press all others together.
_LEAST_BEFORE, _LEAST_AFTER = 30, 90
_MOST_BEFORE, _MOST_AFTER = 400, 800

# How far apart the names of months are, and how far they keep from the end, in percent, so that all can be read.
_APART, _LAST = 40, 60


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

    def as_dict(self) -> dict[str, t.Any]:
        """The axis as plain data; a month without a name on it has none to keep the others readable."""
        months: list[dict[str, t.Any]] = []
        named = -float(_APART)
        for month in self._months():
            left = self._percent(month)
            is_named = named + _APART <= left <= _LAST
            named = left if is_named else named
            months.append({"left": left, "name": iso(month)[:7] if is_named else ""})
        return {"begin": iso(self.begin), "end": iso(self.end), "today": self.today, "months": months}

    def _months(self) -> t.Iterator[datetime.datetime]:
        """The beginnings of all months on it."""
        year, month = self.begin.year, self.begin.month
        while True:
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
            first = datetime.datetime(year, month, 1, tzinfo=datetime.timezone.utc)
            if first > self.end:
                return
            yield first
