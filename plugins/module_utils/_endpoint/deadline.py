# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point in time by which several steps together have to be done.

This module util is private to the collection. It can have breaking changes at any time.
"""

import time


class Deadline:
    """So many seconds from now, however many steps they are spent on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, share: int = 1) -> float:
        """The seconds left, or an equal share of them; never zero, which sockets take for "do not wait at all".

        :raises TimeoutError: if there are none left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left / share
