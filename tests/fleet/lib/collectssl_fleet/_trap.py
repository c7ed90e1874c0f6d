# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trap for modules on a host: the point, exact to one call of the kernel, where one is killed or held."""

from __future__ import annotations

import time
import typing as t

from ._errors import FleetError
from ._places import FILES, shell

if t.TYPE_CHECKING:
    from ._host import Host

_FOLDER = "/run/collectssl-trap"
_LET_GO = shell("let-go")
_PROGRAM = "/etc/collectssl-trap.py"
_HOOK = "/usr/lib/python3/dist-packages/collectssl-trap.pth"
_HOOK_LINE = (
    f'import os; os.path.exists("{_FOLDER}/plan") and exec(open("{_PROGRAM}").read(), {{"__name__": "trap"}})\n'
)


class Call(t.NamedTuple):
    """A call that changes a directory: its name in Python's os module, and the path that comes or goes."""

    operation: str
    path: str


class Trap:
    """Counts the calls that change directories below folders, over all modules that a host runs one after another."""

    def __init__(self, host: Host, *folders: str) -> None:
        self.host = host
        self._folders = folders

    def record(self) -> None:
        """From here on note all calls, and do nothing else."""
        self._arm(0, "record")

    def kill_before(self, point: int | str) -> None:
        """SIGKILL to the module that is about to make the call of this number (from 1), or to change this path."""
        self._arm(point, "kill")

    def hold_before(self, point: int | str) -> None:
        """The module that is about to make the call of this number (from 1), or to change this path, is held."""
        self._arm(point, "hold")

    def calls(self) -> list[Call]:
        """The calls so far."""
        text = self.host.run(["cat", f"{_FOLDER}/calls"], check=False).stdout
        return [Call(*line.split(" ", 1)) for line in text.splitlines()]

    @property
    def reached(self) -> bool:
        """Whether a module has come to the point."""
        return self.host.run(["test", "-s", f"{_FOLDER}/reached"], check=False).returncode == 0

    def wait_until_reached(self, timeout: float = 120) -> None:
        """Return when a module has come to the point; raises FleetError when none did in time."""
        until = time.monotonic() + timeout
        while not self.reached:
            if time.monotonic() > until:
                raise FleetError(f"{self.host.name}: no module came to the point; there were {self.calls()}")
            time.sleep(0.2)

    def let_go(self) -> None:
        """Let the held module go on, and wait for its end."""
        self.host.run(["sh", "-c", _LET_GO, "sh", _FOLDER])

    def kill_held(self) -> None:
        """SIGKILL to the held module."""
        self.host.run(["sh", "-c", f"kill -9 $(cat {_FOLDER}/reached)"])

    def disarm(self) -> None:
        """Leave the modules alone again."""
        self.host.run(["rm", "-rf", _FOLDER])

    def _arm(self, point: int | str, action: str) -> None:
        self.disarm()
        self.host.write(_PROGRAM, (FILES / "trap.py").read_text(encoding="utf-8"))
        self.host.write(_HOOK, _HOOK_LINE)
        self.host.run(["mkdir", _FOLDER])
        self.host.write(f"{_FOLDER}/plan", "\n".join([str(point), action, *self._folders]))
