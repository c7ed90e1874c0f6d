# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that connects to the fleet's endpoints in a loop and keeps what it saw."""

from __future__ import annotations

import collections
import json
import pathlib
import subprocess
import time
import typing as t

from ._errors import FleetError
from ._plan import Endpoint


class Observation(t.NamedTuple):
    """One connection: outcome is ok, connect, starttls, handshake or unverified."""

    time: float
    host: str
    port: int
    outcome: str
    fingerprint: str | None
    detail: str


class Prober:
    """The client's record, while it runs and afterwards."""

    def __init__(self, endpoints: t.Sequence[Endpoint], record: pathlib.Path, process: subprocess.Popen[str]) -> None:
        self.endpoints = list(endpoints)
        self._record = record
        self._process = process
        self._read = 0
        self._seen: list[Observation] = []

    def observations(self) -> list[Observation]:
        """Everything seen so far, in the order in which the connections ended."""
        with self._record.open("rb") as record:
            record.seek(self._read)
            data = record.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        self._seen += [Observation(**json.loads(line)) for line in whole.splitlines()]
        return list(self._seen)

    def failures(self) -> list[Observation]:
        """The connections that did not end as they should."""
        return [seen for seen in self.observations() if seen.outcome != "ok"]

    def fingerprints(self, host: str, port: int | None = None) -> list[str]:
        """What a host served, in order of time, repetitions left out."""
        mine = sorted(seen for seen in self.observations() if seen.host == host and port in (None, seen.port))
        served = [seen.fingerprint for seen in mine if seen.fingerprint]
        return [value for index, value in enumerate(served) if index == 0 or value != served[index - 1]]

    def wait_for(self, count: int = 1, timeout: float = 60.0) -> None:
        """Wait until every endpoint was asked so many more times; raises FleetError."""
        before = self._counts()
        end = time.monotonic() + timeout
        while True:
            now = self._counts()
            # The first connection that ends may have begun before this call.
            late = [e for e in self.endpoints if now[e.host, e.port] - before[e.host, e.port] < count + 1]
            if not late:
                return
            if self._process.poll() is not None or time.monotonic() > end:
                raise FleetError(f"The prober did not get round: {', '.join(f'{e.host}:{e.port}' for e in late)}.")
            time.sleep(0.05)

    def _counts(self) -> collections.Counter[tuple[str, int]]:
        return collections.Counter((seen.host, seen.port) for seen in self.observations())

    def stop(self) -> None:
        """End the client after the connections that are under way."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
