# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines a test runs, also in processes that it forks."""

from __future__ import annotations

import contextlib
import mmap
import sys
import types
import typing as t

_MONITORING: t.Any = vars(sys)["monitoring"]
_MOST_LINES = 1 << 12


class Touched:
    """Counts the lines of some files that are run; shared memory has them, so that a forked process adds to it."""

    def __init__(self, paths: t.Iterable[str], codes: t.Iterable[types.CodeType]) -> None:
        self._begins = {path: number * _MOST_LINES for number, path in enumerate(sorted(paths))}
        self._size = len(self._begins) * _MOST_LINES
        self._memory = mmap.mmap(-1, max(self._size, 1))
        self._codes = list(codes)

    @contextlib.contextmanager
    def watching(self) -> t.Iterator[None]:
        """Watch while the context is entered."""
        monitoring = _MONITORING
        tool = monitoring.COVERAGE_ID
        monitoring.use_tool_id(tool, "collectssl")
        monitoring.register_callback(tool, monitoring.events.LINE, self._line)
        for code in self._codes:
            monitoring.set_local_events(tool, code, monitoring.events.LINE)
        yield
        for code in self._codes:
            monitoring.set_local_events(tool, code, 0)
        monitoring.register_callback(tool, monitoring.events.LINE, None)
        monitoring.free_tool_id(tool)

    def begin(self) -> None:
        """Forget what was run so far."""
        self._memory[: self._size] = bytes(self._size)
        _MONITORING.restart_events()

    def lines(self) -> frozenset[tuple[str, int]]:
        """The lines that were run, with the paths of their files."""
        found = []
        for path, begin in self._begins.items():
            part = self._memory[begin : begin + _MOST_LINES]
            at = part.find(1)
            while at >= 0:
                found.append((path, at))
                at = part.find(1, at + 1)
        return frozenset(found)

    def _line(self, code: types.CodeType, line: int) -> t.Any:
        self._memory[self._begins[code.co_filename] + line] = 1
        return _MONITORING.DISABLE
