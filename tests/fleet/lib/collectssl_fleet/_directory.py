# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a fleet: what is kept there, and how it is taken away again."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import tempfile
import typing as t

from . import _cgroups, _processes
from ._errors import CannotRun, FleetError
from ._places import SHELL
from ._plan import Plan, plan

DEFAULT = pathlib.Path("/run/collectssl-fleet")
PREFIX = f"{DEFAULT.name}-"
_STATE = "fleet.json"

_LONGEST = 70
"""ssh's control sockets are in the directory, and the kernel takes 107 characters for the path of a socket."""


class State(t.NamedTuple):
    """What has to be known to take up a running fleet."""

    hosts: int
    releases: list[str]
    missing: dict[str, str]
    no_systemd: str | None

    def plans(self) -> list[Plan]:
        """The hosts."""
        return plan(self.hosts, self.releases, systemd=self.no_systemd is None)


def claim(directory: pathlib.Path | None) -> pathlib.Path:
    """Return an empty directory for a new fleet: the given one, or a temporary one.

    What a fleet that is no more left there is removed. Raises FleetError where a fleet is up there, and CannotRun where
    the directory can't be used.
    """
    if directory is None:
        return pathlib.Path(tempfile.mkdtemp(prefix=PREFIX))
    directory = directory.resolve()
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", str(directory)) or len(str(directory)) > _LONGEST:
        raise CannotRun(f"{directory} can't hold a fleet: take a path of at most {_LONGEST} plain characters.")
    if _processes.of(directory):
        raise FleetError(f"There is a fleet in {directory} already.")
    if (directory / _STATE).exists():
        _remove(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise CannotRun(f"{directory} holds something else than a fleet.")
    return directory


def write_state(directory: pathlib.Path, state: State) -> None:
    """Keep the state; from then on the directory counts as a fleet's."""
    (directory / _STATE).write_text(json.dumps(state._asdict(), indent=2) + "\n", encoding="utf-8")


def read_state(directory: pathlib.Path) -> State:
    """Return the state; raises FleetError where there is none."""
    try:
        return State(**json.loads((directory / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise FleetError(f"There is no fleet in {directory}.") from None


def end(directory: pathlib.Path) -> bool:
    """End the fleet of a directory, whatever is left of it, and remove the directory; False if there was nothing."""
    processes = _processes.of(directory)
    # A keeper whose owner is gone may be removing it at this moment.
    ours = bool(processes) or (directory / _STATE).exists()
    # The keeper goes first: the kernel ends everything in its process namespace with it.
    for _name, pid in sorted(processes.items(), key=lambda item: item[0] != _processes.KEEPER):
        _processes.kill(pid)
        if not _processes.wait_gone(pid):
            raise FleetError(f"Process {pid} of the fleet in {directory} does not end.")
    if ours:
        _remove(directory)
    return ours


def removal(directory: pathlib.Path) -> list[str]:
    """The command line that removes the directory of a fleet that has ended, and its control groups."""
    script = str(SHELL / "remove-fleet.sh")
    return ["unshare", "--mount", "sh", script, str(directory), _STATE, _cgroups.name(directory)]


def _remove(directory: pathlib.Path) -> None:
    done = subprocess.run(removal(directory), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise FleetError(f"The fleet in {directory} can't be removed: {done.stderr.strip()}.")


def everywhere() -> list[pathlib.Path]:
    """The directories of all fleets that run on this machine, and of those left behind under a usual name."""
    running = [pathlib.Path(process.directory) for process in _processes.marked()]
    places = (pathlib.Path(tempfile.gettempdir()), DEFAULT.parent)
    left = [path.parent for place in places for path in place.glob(f"{DEFAULT.name}*/{_STATE}")]
    return sorted({*running, *left})
