# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals that would end a process in the middle of something that has to be undone first.

This module util is private to the collection. It can have breaking changes at any time.
"""

import signal
from typing import Any, Dict, Optional

_ENDING = (signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the process to end."""


class Interrupts:
    """While this context is entered, SIGTERM and SIGHUP raise ``Interrupted``, as SIGINT raises its own exception.

    Whatever the surroundings have ignored or handle themselves is left alone. Outside the main thread nothing is done.
    ``around`` is the context that this one is entered in: what is held here is held there, too, to its end.
    """

    def __init__(self, around: Optional["Interrupts"] = None) -> None:
        self._before: Dict[int, Any] = {}
        self._around = around

    def __enter__(self) -> "Interrupts":
        for number in _ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:
                self._set(number, _interrupt)
        return self

    def hold(self) -> None:
        """From here to the end of the context none of these signals has an effect: what runs now must be finished."""
        if self._around is not None:
            self._around.hold()
        for number in (*_ENDING, signal.SIGINT):
            if signal.getsignal(number) not in (None, signal.SIG_IGN):
                # Not ignored: what is ignored stays so in whatever is started meanwhile, daemons too.
                self._set(number, _go_on)

    def __exit__(self, *dummy: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _set(self, number: int, handler: Any) -> None:
        try:
            previous = signal.signal(number, handler)
        except ValueError:
            return
        self._before.setdefault(number, previous)


def _go_on(dummy: int, also_dummy: Any) -> None:
    """A signal that would end a process which may not end yet."""


def _interrupt(number: int, dummy: Any) -> None:
    raise Interrupted(f"The run was ended by {signal.Signals(number).name}.")
