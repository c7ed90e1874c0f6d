# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator of the service as a process of its own, and the client of its control interface."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import yaml
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _client

from . import places

#: Every character of it has a form of its own in some encoding that a password goes through.
PASSWORD = "pä+ss & w%rd=ü \"q'"
LOGIN = "fleet@example.com"
OTHER_LOGIN = "somebody-else@example.com"
COLLECTION_CODE = "collect+me& mine"

ACCOUNTS: list[dict[str, t.Any]] = [
    {"login_name": LOGIN, "login_password": PASSWORD},
    {"login_name": OTHER_LOGIN, "login_password": "nobody asks with this"},
    {"login_name": "blunt", "login_password": PASSWORD, "bad_credentials": -3, "foreign_order": -4},
]
_START_SECONDS = 30


# Without bytecode, so that the checkout stays as it is.
_PROGRAM = [sys.executable, "-B", str(places.SIMULATOR)]


class Surroundings:
    """Where the simulator runs, and how one gets there: on this machine, among the processes of this one.

    A network namespace is another such place. What listens there has to be asked from there.
    """

    def start(self, command: t.Sequence[str], output: t.BinaryIO) -> subprocess.Popen[t.Any]:
        """Start a process that writes into a file."""
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def run(self, command: t.Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    def end(self, process: subprocess.Popen[t.Any]) -> None:
        """End what start() started."""
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, directory: pathlib.Path, name: str, value: t.Mapping[str, t.Any] | None) -> t.Any:
        """What the control interface of a simulator answers; raises the simulator's ClientError."""
        return _client.ask(directory, "GET" if value is None else "POST", name, value)


class SimulatorProcess:
    """A running simulator in a folder of its own; a context manager.

    orders is the content of an orders file.
    """

    def __init__(
        self, directory: pathlib.Path, orders: t.Mapping[str, t.Any], surroundings: Surroundings | None = None
    ) -> None:
        self.directory = directory
        self._orders = dict(orders)
        self._surroundings = surroundings or Surroundings()
        self._process: subprocess.Popen[t.Any] | None = None
        self._ready: dict[str, t.Any] = {}

    def __enter__(self) -> SimulatorProcess:
        self.directory.mkdir(parents=True, exist_ok=True)
        orders, log = self.directory / "orders.yml", self.directory / "output.log"
        orders.write_text(yaml.safe_dump(self._orders, allow_unicode=True), encoding="utf-8")
        options = ["--orders", str(orders), "--directory", str(self.directory), "--http-port", "0"]
        with log.open("wb") as output:
            self._process = self._surroundings.start([*_PROGRAM, *options], output)
        try:
            wait = ["control", str(self.directory), "wait", "--seconds", str(_START_SECONDS)]
            waited = self._surroundings.run([*_PROGRAM, *wait], _START_SECONDS + 30)
            if waited.returncode != 0:
                said = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"The simulator did not start.\n{waited.stderr}\n{said}")
        except BaseException:
            self.__exit__()
            raise
        self._ready = json.loads(waited.stdout)
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        if self._process is not None:
            self._surroundings.end(self._process)

    def url(self, product: str = "ssl", scheme: str = "https") -> str:
        """Where a product is asked for."""
        suffix = "" if scheme == "https" else "_http"
        return str(self._ready[f"api_url_{product}{suffix}"])

    @property
    def ca_path(self) -> str:
        """The trust anchor of its TLS."""
        return str(self._ready["ca_path"])

    def authority(self, name: str) -> pathlib.Path:
        """The PEM file of an authority: root, cross, issuing, foreign_root, …"""
        return self.directory / "pki" / f"{name}.pem"

    @property
    def root(self) -> str:
        """The root that its certificates chain to, as PEM text."""
        return self.authority("root").read_text(encoding="ascii")

    @property
    def environment(self) -> dict[str, str]:
        """What a run needs to ask it: address, trust anchor, and the first account's credentials."""
        account = self._orders["accounts"][0]
        return {
            "COLLECTSSL_API_URL": self.url(),
            "COLLECTSSL_CA_PATH": self.ca_path,
            "COLLECTSSL_LOGIN_NAME": str(account["login_name"]),
            "COLLECTSSL_LOGIN_PASSWORD": str(account["login_password"]),
        }

    def control(self, name: str, value: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask GET /control/NAME, or POST it with a value."""
        return t.cast("dict[str, t.Any]", self._surroundings.ask(self.directory, name, value))

    def place(self, order: dict[str, t.Any]) -> None:
        """Add or replace an order."""
        self.control("orders", {"orders": [order]})

    def advance(self, order_number: str) -> None:
        """Move an order to the next phase of its life."""
        self.control("advance", {"order_number": order_number})

    def calls(self, order_number: str | None = None) -> list[dict[str, t.Any]]:
        """The calls since the last reset, oldest first: all of them, or those that name an order."""
        calls: list[dict[str, t.Any]] = self.control("calls")["calls"]
        return [call for call in calls if order_number is None or named_order(call) == order_number]

    def peak(self) -> int:
        """The highest number of calls in flight at a time since the last reset."""
        return int(self.control("status")["peak_in_flight"])

    def reset(self) -> None:
        """Forget the calls, faults and delay; orders stay where they are in their lives."""
        self.control("reset", {"clear_faults": True})


def named_order(call: dict[str, t.Any]) -> str | None:
    """The order number that a call named, whatever came of it."""
    return next((value for name, value in call["arguments"].items() if name.lower() == "ordernumber"), None)


def query_type(call: dict[str, t.Any]) -> int:
    """The queryType of a call."""
    return int(next(value for name, value in call["arguments"].items() if name.lower() == "querytype"))
