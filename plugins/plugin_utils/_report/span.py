# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long something is valid.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import typing as t


class Span(t.NamedTuple):
    """A validity; either end may be unknown."""

    begin: datetime.datetime | None = None
    end: datetime.datetime | None = None

    def days_left(self, now: datetime.datetime) -> int | None:
        """Whole days, negative once it is over."""
        return None if self.end is None else (self.end - now).days
