# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulator of the service as a process of its own, and its control interface."""

from __future__ import annotations

import contextlib
import http.client
import json
import pathlib
import ssl
import subprocess
import sys
import typing as t
import urllib.parse

import yaml

from . import places

#: Every character of it has a form of its own in some encoding that a password goes through.
PASSWORD = "pä+ss & w%rd=ü \"q'"
LOGIN = "fleet@example.com"
OTHER_LOGIN = "somebody-else@example.com"
COLLECTION_CODE = "collect+me & mine"

_ACCOUNTS = [
    {"login_name": LOGIN, "login_password": PASSWORD, "collection_codes": [COLLECTION_CODE]},
    {"login_name": OTHER_LOGIN, "login_password": "nobody asks with this"},
    {"login_name": "blunt", "login_password": PASSWORD, "bad_credentials": -3, "foreign_order": -4},
]
_START_SECONDS = 30


class Simulator:
    """A running simulator in a folder of its own; a context manager."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: dict[str, t.Any] = {}

    def __enter__(self) -> Simulator:
        self.directory.mkdir(parents=True)
        orders = self.directory / "orders.yml"
        orders.write_text(yaml.safe_dump({"accounts": _ACCOUNTS, "orders": []}, allow_unicode=True), encoding="utf-8")
        # Without bytecode, so that the checkout stays as it is.
        command = [sys.executable, "-B", str(places.SIMULATOR)]
        self._log = (self.directory / "output.log").open("wb")
        self._process = subprocess.Popen(
            [*command, "--orders", str(orders), "--directory", str(self.directory), "--http-port", "0"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        waited = subprocess.run(
            [*command, "control", str(self.directory), "wait", "--seconds", str(_START_SECONDS)],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS + 30,
            check=False,
        )
        if waited.returncode != 0:
            log = (self.directory / "output.log").read_text(encoding="utf-8")
            self.__exit__()
            raise RuntimeError(f"The simulator did not start.\n{waited.stderr}\n{log}")
        self._ready = json.loads(waited.stdout)
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()

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

    def control(self, name: str, value: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask GET /control/NAME, or POST it with a value."""
        url = urllib.parse.urlsplit(self._ready["control_url"])
        connection = http.client.HTTPSConnection(
            str(url.hostname), url.port, timeout=30, context=ssl.create_default_context(cafile=self.ca_path)
        )
        with contextlib.closing(connection):
            method = "GET" if value is None else "POST"
            body = None if value is None else json.dumps(value)
            connection.request(method, f"{url.path}/{name}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, t.Any] = json.loads(response.read())
        assert response.status == 200, answer
        return answer

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
