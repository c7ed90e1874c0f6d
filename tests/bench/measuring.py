# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs: seconds on the clock, seconds of the processors, memory.

Other work on the machine makes all of them worse. So what is compared is run in turns, and what counts is the ratio
within a turn; the seconds of the processors, which other work hardly touches, stand beside those on the clock.
"""

from __future__ import annotations

import os
import pathlib
import statistics
import subprocess
import time
import typing as t

_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(t.NamedTuple):
    """What a command cost. ``processors`` is in seconds, of whatever it set to work on this machine."""

    seconds: float
    processors: float
    memory: int
    """Of the largest of its processes, in KiB."""


def run(
    command: t.Sequence[str], folder: pathlib.Path, environment: t.Mapping[str, str], log: pathlib.Path
) -> tuple[int, Cost]:
    """Run a command; the code it ended with, and what it cost.

    :arg folder: whatever runs with its path among its arguments works for the command as well, with its children.
    :arg log: takes what it prints.
    """
    before = _helpers(folder)
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _pid, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    processors = used.ru_utime + used.ru_stime + _helpers(folder) - before
    return process.returncode, Cost(seconds, processors, used.ru_maxrss)


def _helpers(folder: pathlib.Path) -> float:
    """Seconds of processors that servers and the like have used, with all children that ended."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            ours = os.fsencode(folder) in (entry / "cmdline").read_bytes()
        except OSError:
            continue
        found[int(entry.name)] = (int(fields[1]), sum(map(int, fields[11:15])), ours)
    return sum(ticks for pid, (_parent, ticks, _ours) in found.items() if _is_helper(pid, found)) / _TICKS


def _is_helper(pid: int, processes: t.Mapping[int, tuple[int, int, bool]]) -> bool:
    while pid in processes:
        parent, _ticks, ours = processes[pid]
        if ours:
            return True
        pid = parent
    return False


class Spread(t.NamedTuple):
    """A median, and the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: t.Sequence[float]) -> Spread:
        """From what was measured, once or more."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


class Ratio(t.NamedTuple):
    """What something costs, in what something else does: on the clock, and of the processors."""

    seconds: Spread
    processors: Spread


def ratio(costs: t.Sequence[Cost], to: t.Sequence[Cost], less: t.Sequence[Cost]) -> Ratio:
    """The ratio, turn by turn, of what is left of two costs when a third is taken off both."""

    def of(kind: str) -> Spread:
        values = zip(*([getattr(cost, kind) for cost in some] for some in (costs, to, less)), strict=False)
        return Spread.of([(one - off) / (other - off) for one, other, off in values])

    return Ratio(of("seconds"), of("processors"))
