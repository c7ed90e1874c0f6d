# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the fleet's processes on this machine by what their command lines say.

Nothing depends on a file with process numbers, so whatever was killed, and however, what is left can be found. The
keeper and the first process of each host have the command line `PROGRAM SCRIPT MARK DIRECTORY NAME ...`, and are the
first of their process namespaces. With systemd, an option stands in place of the script.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
import typing as t

MARK = "certfleet-collectssl-fleet"
KEEPER = "keeper"


class Marked(t.NamedTuple):
    """A process that carries the mark."""

    directory: str
    name: str
    pid: int


def command_line(pid: int) -> list[str]:
    """The arguments of a process; empty where there is none, or where it is a zombie."""
    try:
        data = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return data.decode("utf-8", "surrogateescape").split("\0")[:-1]


def pids() -> list[int]:
    """Every process that can be seen from here."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def marked() -> list[Marked]:
    """All processes with the mark, of any fleet on this machine."""
    found = []
    for pid in pids():
        words = command_line(pid)
        # A child looks like its parent until it runs a program of its own.
        if len(words) >= 5 and words[2] == MARK and _is_first(pid):
            found.append(Marked(words[3], words[4], pid))
    return found


def _is_first(pid: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(line.split()[-1] == "1" for line in status.splitlines() if line.startswith("NSpid:"))


def of(directory: pathlib.Path) -> dict[str, int]:
    """The keeper and the hosts of a fleet, by name."""
    return {process.name: process.pid for process in marked() if process.directory == str(directory)}


def parents() -> dict[int, int]:
    """The parent of each process."""
    found = {}
    for pid in pids():
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # The name stands in brackets and may hold anything; what follows the last bracket is regular.
        found[pid] = int(text.rpartition(")")[2].split()[1])
    return found


def descendants(pid: int) -> list[int]:
    """The process and everything that comes from it, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent in parents().items():
        children.setdefault(parent, []).append(child)
    family = [pid]
    for member in family:
        family.extend(children.get(member, []))
    return family


def same_space(pid: int) -> list[int]:
    """The processes in the process namespace of a process."""
    mine = _space(pid)
    return [other for other in pids() if mine and _space(other) == mine]


def _space(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def kill(pid: int) -> None:
    """SIGKILL, where there still is such a process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_gone(pid: int, seconds: float = 15.0) -> bool:
    """Wait until a process is no more than a zombie; False if it is still there after so long."""
    end = time.monotonic() + seconds
    while command_line(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
