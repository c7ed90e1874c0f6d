# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on when whoever asked for it is gone.

A connection that is cut, a controller that is killed and a terminal that closes end the module that was sent, by a
signal, or by a write that nobody reads. What has begun to change a host must come to one of its two ends all the same.
So it is done by a process of a session of its own, which needs nothing from outside, and whose parent only waits for
what it has to say.
This module util is private to the collection. It can have breaking changes at any time.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any, Callable, Dict, List

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Killed(Exception):
    """The work came to no end of its own."""


def detached(work: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    """What ``work`` returns, JSON alone, done by a process that outlives this one.

    Whatever it imports has to be there already, since what was sent is removed when this process ends. Raises
    ``InstallError`` as ``work`` does, and ``Killed`` where something killed the process; any other exception of it
    comes out as ``RuntimeError`` with its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(work, writing)
    os.close(writing)
    try:
        data = _everything(reading)
    finally:
        os.close(reading)
    os.waitpid(child, 0)
    try:
        outcome = json.loads(data.decode("ascii"))
    except ValueError:
        # There is nothing, or the beginning of it.
        raise Killed("The process that worked on this host was killed.") from None
    return _told(outcome)


def _live(work: Callable[[], Dict[str, Any]], writing: int) -> None:
    """The life of the process that does the work; it does not return."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        # Not ignored: what is ignored stays so in every daemon that the work starts.
        for number in _ENDING:
            signal.signal(number, _go_on)
        _write(writing, json.dumps(_outcome(work)).encode("ascii"))
    finally:
        # Nothing of the process that this one was copied from is to be cleaned up, or told, twice.
        os._exit(0)


def _go_on(dummy: int, also_dummy: Any) -> None:
    """A signal that would end a process which may not end yet."""


def _outcome(work: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    try:
        return {"result": work()}
    except InstallError as exc:
        return {"message": str(exc), "details": exc.details, "settled": exc.settled}
    except BaseException:
        return {"traceback": traceback.format_exc()}


def _told(outcome: Dict[str, Any]) -> Dict[str, Any]:
    if "result" in outcome:
        result: Dict[str, Any] = outcome["result"]
        return result
    if "message" in outcome:
        raise InstallError(outcome["message"], outcome["details"], outcome["settled"])
    raise RuntimeError(outcome["traceback"])


def _write(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass  # nobody is left to be told


def _everything(descriptor: int) -> bytes:
    parts: List[bytes] = []
    while True:
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
