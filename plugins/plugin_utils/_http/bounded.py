# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds of a call that no server can stretch: one deadline for all of it, and a meter for what comes.

The libraries give each wait a time of its own (each address of a name, each piece of a TLS handshake, each read), and
none at all to the resolver. So a call runs in a thread of its own, and who waits for it hangs up at the deadline,
wherever it is by then.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import socket
import threading
import typing as t

_T = t.TypeVar("_T")

_here = threading.local()


class TooMuch(Exception):
    """More came than is read; the message is a sentence."""


class Line:
    """What a call talks over, so that somebody else can hang up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over = False
        self._held: list[socket.socket] = []

    def hold(self, descriptor: int) -> None:
        """Take note of a socket of the call, under a descriptor of our own: that of the call may close meanwhile.

        :raises TimeoutError: where the call is over. Nothing must be sent then.
        """
        with self._lock:
            if self._over:
                raise TimeoutError("timed out")
            self._held.append(socket.socket(fileno=os.dup(descriptor)))

    def end(self, *, hang_up: bool) -> None:
        """The call is over; ``hang_up`` ends what it still does, at whatever wait that is."""
        with self._lock:
            self._over = True
            for held in self._held:
                with contextlib.suppress(OSError), held:
                    if hang_up:
                        held.shutdown(socket.SHUT_RDWR)


def hold(descriptor: int) -> None:
    """As ``Line.hold``, for the call that this thread makes, if it makes one."""
    line: Line | None = getattr(_here, "line", None)
    if line is not None:
        line.hold(descriptor)


def within(seconds: float, call: t.Callable[[], _T], abandoned: t.Callable[[], None]) -> _T:
    """What a call returns or raises.

    :arg abandoned: called where nobody waited for its end, and it may still be at it.
    :raises TimeoutError: where it is not over within so many seconds. Then it is hung up on, and sends nothing more.
    """
    line = Line()
    results: queue.SimpleQueue[tuple[t.Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        _here.line = line
        try:
            results.put((call(), None))
        except BaseException as exc:  # raised where it is waited for
            results.put((None, exc))

    # No end of the process waits for one that is stuck in the resolver.
    thread = threading.Thread(target=run, name="collectssl call", daemon=True)
    thread.start()
    finished = False
    try:
        result, error = results.get(timeout=seconds)
        finished = True
    except queue.Empty:
        raise TimeoutError("timed out") from None
    finally:
        line.end(hang_up=not finished)
        if not finished:
            abandoned()
    thread.join()
    if error is not None:
        raise error
    return t.cast("_T", result)


class Meter(io.RawIOBase):
    """Reads a socket, and no more of it than was allowed: no head, chunk or trailer is so long that it gets by."""

    def __init__(self, sock: socket.socket, octets: int, what: str) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self.allow(octets, what)

    def allow(self, octets: int, what: str) -> None:
        """How many octets may come from now on; ``what`` is longer if more do, as the beginning of a sentence."""
        self._left = self._allowed = octets
        self._what = what

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        if self._left <= 0:
            raise TooMuch(f"{self._what} is longer than {self._allowed} octets, and was not read further.")
        count = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
