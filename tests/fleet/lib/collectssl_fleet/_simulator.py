# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator of the service, in the controller namespace."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import typing as t

import yaml

from ._errors import FleetError
from ._places import SIMULATOR

if t.TYPE_CHECKING:
    from ._fleet import Fleet

# The control interface listens in the controller namespace, so it is asked from there.
_ASK = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from collectssl_simulator._client import ask
value = json.loads(sys.argv[5])
print(json.dumps(ask(pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4], value)))
"""
_READING = ("status", "calls", "faults")


class Simulator:
    """A running simulator."""

    def __init__(self, fleet: Fleet, directory: pathlib.Path, account: t.Mapping[str, t.Any]) -> None:
        self.directory = directory
        self._fleet = fleet
        self._account = account

    @property
    def ready(self) -> dict[str, t.Any]:
        """What simulator.json says: addresses and paths."""
        return t.cast("dict[str, t.Any]", json.loads((self.directory / "simulator.json").read_text(encoding="utf-8")))

    @property
    def environment(self) -> dict[str, str]:
        """What a run needs to ask it: address, trust anchor, and the first account's credentials."""
        return {
            "COLLECTSSL_API_URL": self.ready["api_url_ssl"],
            "COLLECTSSL_CA_PATH": self.ready["ca_path"],
            "COLLECTSSL_LOGIN_NAME": str(self._account["login_name"]),
            "COLLECTSSL_LOGIN_PASSWORD": str(self._account["login_password"]),
        }

    @property
    def root(self) -> str:
        """The root that its certificates chain to, as PEM text."""
        return (self.directory / "pki" / "root.pem").read_text(encoding="ascii")

    def control(self, name: str, **value: t.Any) -> dict[str, t.Any]:
        """Ask its control interface: status, calls and faults are read where no value is given; all else is posted."""
        method = "GET" if name in _READING and not value else "POST"
        body = json.dumps(value) if method == "POST" else "null"
        command = [sys.executable, "-B", "-c", _ASK, str(SIMULATOR), str(self.directory), method, name, body]
        done = self._fleet.run_in_controller(command, timeout=60)
        if done.returncode != 0:
            raise FleetError(f"The simulator did not take {name}: {done.stderr.strip()}")
        return t.cast("dict[str, t.Any]", json.loads(done.stdout))

    def calls(self) -> list[dict[str, t.Any]]:
        """The calls since the last reset, oldest first."""
        return t.cast("list[dict[str, t.Any]]", self.control("calls")["calls"])

    def peak(self) -> int:
        """The highest number of calls in flight at a time since the last reset."""
        return int(self.control("status")["peak_in_flight"])


@contextlib.contextmanager
def running(fleet: Fleet, orders: t.Mapping[str, t.Any]) -> t.Iterator[Simulator]:
    """See Fleet.simulator()."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="simulator-", dir=fleet.directory))
    file = directory / "orders.yml"
    file.write_text(yaml.safe_dump(dict(orders), allow_unicode=True), encoding="utf-8")
    program = [sys.executable, "-B", str(SIMULATOR)]
    with (directory / "output.log").open("wb") as log:
        process = fleet.popen_in_controller(
            [*program, "--orders", str(file), "--directory", str(directory)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        waited = fleet.run_in_controller([*program, "control", str(directory), "wait", "--seconds", "30"], timeout=60)
        if waited.returncode != 0:
            output = (directory / "output.log").read_text(encoding="utf-8", errors="replace")
            raise FleetError(f"The simulator did not start: {waited.stderr.strip()} {output.strip()}")
        yield Simulator(fleet, directory, orders["accounts"][0])
    finally:
        fleet.kill_tree(process)
