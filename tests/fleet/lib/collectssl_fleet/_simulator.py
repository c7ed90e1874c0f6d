# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator of the service, in the controller namespace."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import places
from ansible_collections.certfleet.collectssl.tests.support.simulator import Surroundings

from ._errors import FleetError

if t.TYPE_CHECKING:
    from ._fleet import Fleet


class ControllerNamespace(Surroundings):
    """Where the hosts are told to look for it; from outside nothing that listens there can be reached."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def start(self, command: t.Sequence[str], output: t.BinaryIO) -> subprocess.Popen[t.Any]:
        """As Surroundings has it."""
        return self._fleet.popen_in_controller(command, stdout=output, stderr=subprocess.STDOUT)

    def run(self, command: t.Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """As Surroundings has it."""
        return self._fleet.run_in_controller(command, timeout=timeout)

    def end(self, process: subprocess.Popen[t.Any]) -> None:
        """As Surroundings has it."""
        self._fleet.kill_tree(process)

    def ask(self, directory: pathlib.Path, name: str, value: t.Mapping[str, t.Any] | None) -> t.Any:
        """As Surroundings has it, but for the error: raises FleetError."""
        words = [name] if value is None else [name, json.dumps(value)]
        command = [sys.executable, "-B", str(places.SIMULATOR), "control", str(directory), "ask", *words]
        done = self.run(command, 60)
        if done.returncode != 0:
            raise FleetError(f"The simulator did not take {name}: {done.stderr.strip()}")
        return json.loads(done.stdout)
