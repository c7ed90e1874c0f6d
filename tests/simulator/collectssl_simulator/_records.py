# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of calls, and how many of them were in flight at a time."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import threading
import time
import typing as t


@dataclasses.dataclass
class Call:
    """One call from the moment its headers were read to the moment its answer is on the way (monotonic seconds)."""

    number: int
    began: float
    in_flight: int
    time: str
    product: str = ""
    account: str = ""
    order_number: str | None = None
    arguments: t.Sequence[tuple[str, str]] = ()
    code: int | None = None
    http_status: int | None = None
    fault: str | None = None
    ended: float | None = None
    octets: int = 0
    noted: bool = False

    def as_plain(self) -> dict[str, t.Any]:
        """Return the call as plain values; arguments keep their order and hold no secret."""
        return {
            "number": self.number,
            "time": self.time,
            "product": self.product,
            "account": self.account,
            "order_number": self.order_number,
            "argument_names": [name for name, _value in self.arguments],
            "arguments": dict(self.arguments),
            "code": self.code,
            "http_status": self.http_status,
            "fault": self.fault,
            "in_flight": self.in_flight,
            "octets": self.octets,
        }


def peak(calls: t.Iterable[Call]) -> int:
    """Return the highest number of these calls that were in flight at one time.

    It is computed from when calls began and ended, because whose call it is is known only once its body is read.
    """
    moments: list[tuple[float, int]] = []
    for call in calls:
        moments.append((call.began, 1))
        if call.ended is not None:
            moments.append((call.ended, -1))
    highest = current = 0
    for _moment, step in sorted(moments):
        current += step
        highest = max(highest, current)
    return highest


class Records:
    """All calls since the last reset. Thread-safe. Every call becomes a line of the file before it is answered."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._in_flight: set[int] = set()
        self._next = 1
        path.touch()

    def begin(self) -> Call:
        """Note that the headers of a call were read."""
        moment = datetime.datetime.now(datetime.timezone.utc)
        with self._lock:
            self._in_flight.add(self._next)
            call = Call(
                number=self._next,
                began=time.monotonic(),
                in_flight=len(self._in_flight),
                time=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            )
            self._next += 1
            self._calls.append(call)
        return call

    def note(self, call: Call) -> None:
        """Write a call down, before its answer is sent, so that whoever has the answer finds the record too."""
        with self._lock:
            if call.noted:
                return
            call.noted = True
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(call.as_plain(), ensure_ascii=False) + "\n")

    def end(self, call: Call) -> None:
        """Note that a call is answered. Done just before the last octets leave: the client may call again at once."""
        with self._lock:
            if call.ended is None:
                call.ended = time.monotonic()
                self._in_flight.discard(call.number)

    def reset(self) -> None:
        """Forget the calls that ended and empty the file; calls in flight stay."""
        with self._lock:
            self._calls = [call for call in self._calls if call.ended is None]
            self._path.write_text("", encoding="utf-8")

    def listed(self) -> list[dict[str, t.Any]]:
        """Return the calls as plain values, oldest first; those not answered yet have no code."""
        with self._lock:
            return [call.as_plain() for call in self._calls]

    def summary(self) -> dict[str, t.Any]:
        """Return the number of calls, those in flight and their peak, overall and for each account."""
        with self._lock:
            calls = [dataclasses.replace(call) for call in self._calls]
        accounts: dict[str, list[Call]] = {}
        for call in calls:
            accounts.setdefault(call.account, []).append(call)
        return {
            "calls": len(calls),
            "in_flight": sum(call.ended is None for call in calls),
            "peak_in_flight": peak(calls),
            "accounts": {
                name: {"calls": len(own), "peak_in_flight": peak(own)} for name, own in sorted(accounts.items())
            },
        }
