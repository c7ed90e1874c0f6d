# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the turn of an account: who has it, what is said meanwhile, and when it is given up.

Who takes a turn signs the file of the lock anew, so that those who wait can name the process, and see that one turn
follows another. Only this user can write there, and still nothing is shown that is not a number and a name of a host.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import secrets
import time
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError

# Seconds of waiting until something is said, and from then on.
_FIRST_WORD = 5.0
_NEXT_WORD = 60.0
_LOOK = 1.0

_SIGNATURE = re.compile(rb"([0-9]{1,10}) ([A-Za-z0-9._-]{1,64}) [0-9a-f]{32}\n")
_LONGEST = 256


@dataclasses.dataclass(frozen=True)
class Patience:
    """How a turn is waited for.

    :arg limit: how long one and the same turn of somebody else may last (seconds). Many turns in a row may take any
        time.
    :arg what: what cannot be done without the turn, as the begin of a sentence, such as ``X could not be asked``.
    :arg say: takes a line for the user.
    :arg clock: seconds, which never go back.
    """

    limit: float
    what: str
    say: t.Callable[[str], None]
    clock: t.Callable[[], float] = time.monotonic


class Memory(t.Protocol):
    """What the workers of a run tell each other of a wait."""

    def first(self, name: str) -> bool:
        """Whether nobody of this run came here before under that name."""

    def came_before(self, name: str) -> bool:
        """Whether somebody of this run did, if nobody comes now."""


class Queue:
    """One wait for the turn of an account."""

    def __init__(self, memory: Memory, account: str, patience: Patience | None) -> None:
        self._memory = memory
        self._account = account
        self._patience = patience
        self._begun: float | None = None
        self._seen = self._speak = 0.0
        self._holder = b""
        self._since = 0.0

    def look(self, descriptor: int) -> None:
        """Look who has the turn, by the file of its lock; say so now and then.

        :raises TransportError: where the same turn has lasted too long, as this worker or another of its run saw it.
        """
        if self._patience is None:
            return
        now = self._patience.clock()
        if self._begun is None:
            self._begun, self._speak = now, now + _FIRST_WORD
        elif now < self._seen + _LOOK:
            return
        self._seen = now
        holder = _holder(descriptor)
        if holder != self._holder:
            self._holder, self._since = holder, now
        given_up = f"{self._account}-{hashlib.sha256(holder).hexdigest()[:32]}-given-up"
        lasted = now - self._since
        if lasted >= self._patience.limit:
            self._memory.first(given_up)
        elif not self._memory.came_before(given_up):
            self._say(now, self._patience)
            return
        raise TransportError(
            f"{self._patience.what}: calls for an account are made one at a time, and {_named(holder)} has had the "
            f"turn for {self._patience.limit:.0f} s, longer than a call with all its retries takes. If it hangs, "
            "end it, and run again: the turn goes with the process."
        )

    def _say(self, now: float, patience: Patience) -> None:
        # One line a minute for the whole run, however many of its workers wait.
        if now >= self._speak and self._memory.first(f"{self._account}-waits-{now // _NEXT_WORD:.0f}"):
            self._speak = now + _NEXT_WORD
            patience.say(
                f"collectssl: calls for an account are made one at a time, and {_named(self._holder)} has "
                f"the turn; waited {now - (self._begun or 0.0):.0f} s"
            )


def sign(descriptor: int) -> None:
    """Say in the file of a lock who holds it now."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", os.uname().nodename)[:64] or "-"
    # It is for others to read, and no reason to make no call.
    with contextlib.suppress(OSError):
        # Changed too where there is no room for a word.
        os.utime(descriptor)
        text = f"{os.getpid()} {host} {secrets.token_hex(16)}\n".encode("ascii")
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))


def _holder(descriptor: int) -> bytes:
    """What tells one turn from the next."""
    return b"%d " % os.fstat(descriptor).st_mtime_ns + os.pread(descriptor, _LONGEST, 0)


def _named(holder: bytes) -> str:
    """The process that has a turn, for a sentence."""
    match = _SIGNATURE.fullmatch(holder.partition(b" ")[2])
    return (
        f"process {int(match[1])} on {match[2].decode('ascii')}" if match else "a process that did not say its number"
    )
