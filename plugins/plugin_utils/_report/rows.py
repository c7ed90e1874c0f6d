# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of a report: an order, a certificate, an endpoint or a host, with what is wrong with it.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import math
import typing as t

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso, moment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.axis import Axis
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.span import Span
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import KINDS, LEVELS, counted

Facts = t.Mapping[str, t.Any]

#: What stands for the kind of a row with which nothing is wrong.
GOOD = "good"

_URGENCY = list(LEVELS)


class Clock(t.NamedTuple):
    """The time that a report is about, and within how many days what ends is about to expire."""

    now: datetime.datetime
    warn_days: int


class Finding(t.NamedTuple):
    """What is wrong with a row: a kind of ``_states.KINDS``, in words, and why, less what is this row's alone."""

    kind: str
    words: str
    cause: str

    @property
    def level(self) -> str:
        """How urgent it is."""
        return KINDS[self.kind].level


class Row:
    """Something that is reported on, what is wrong with it, how urgent that is, and its validity.

    :arg good: what it is where nothing is wrong with it.
    :arg sorted_by: what it is sorted by among those that are as urgent.
    :arg facts: what it is.
    """

    def __init__(
        self, span: Span, clock: Clock, good: str, sorted_by: t.Sequence[str], judged: bool = True, **facts: t.Any
    ) -> None:
        self.span = span
        self.days = span.days_left(clock.now)
        self.good = good
        self.facts = facts
        self._sorted_by = sorted_by
        self._findings: list[Finding] = []
        if judged:
            self._look_at_the_clock(clock)
        self._validity = self.level

    def _look_at_the_clock(self, clock: Clock) -> None:
        if self.days is None or self.span.end is None:
            return
        if self.days < 0:
            self.note("expired", f"expired {_days((clock.now - self.span.end).days)} ago")
        elif self.span.begin is not None and self.span.begin > clock.now:
            self.note("not_yet_valid", f"not valid before {iso(self.span.begin)}")
        elif self.days <= clock.warn_days:
            self.note("expiring", f"expires in {_days(self.days)}")

    def note(self, kind: str, words: str = "", cause: str = "") -> None:
        """Add a finding; its words are those for its kind where there is no more to say."""
        self._findings.append(Finding(kind, words or KINDS[kind].title, cause))

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with it, the most urgent first."""
        return sorted(self._findings, key=lambda finding: _URGENCY.index(finding.level))

    @property
    def kinds(self) -> list[str]:
        """What kinds of findings there are, the most urgent first."""
        return list(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def level(self) -> str:
        """The most urgent of its findings."""
        return next((finding.level for finding in self.findings), GOOD)

    def urgency(self) -> tuple[t.Any, ...]:
        """What rows are sorted by."""
        days = math.inf if self.days is None else self.days
        return _URGENCY.index(self.level), days, list(self._sorted_by)

    def as_dict(self, axis: Axis) -> dict[str, t.Any]:
        """The row as plain data."""
        findings = [(finding.level, finding.kind, finding.words) for finding in self.findings]
        return {
            **self.facts,
            "level": self.level,
            "findings": [
                {"level": level, "mark": LEVELS[level], "kind": kind, "words": words}
                for level, kind, words in findings or [(GOOD, GOOD, self.good)]
            ],
            "kinds": self.kinds or [GOOD],
            "not_before": text_of(self.span.begin),
            "not_after": text_of(self.span.end),
            "days_remaining": self.days,
            "remaining": f"{counted(self.days, 'day')} left" if self.days is not None and self.days >= 0 else "",
            "validity": self._validity,
            "line": axis.line(self.span),
        }


def text_of(when: datetime.datetime | None) -> str | None:
    """An instant as users see it."""
    return None if when is None else iso(when)


def span_of(facts: Facts) -> Span:
    """The span that ``not_before`` and ``not_after`` of an order or a certificate tell."""
    begin, end = facts.get("not_before"), facts.get("not_after")
    return Span(moment(str(begin)) if begin else None, moment(str(end)) if end else None)


def _days(number: int) -> str:
    return counted(number, "day") if number else "less than a day"
