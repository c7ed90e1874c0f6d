# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record and the locks of one controller, as files.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.folder import Folder, NotOursError, folder
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience, Queue, sign

# Seconds between two looks at a lock that somebody holds.
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1

# Of a file of records (octets); the answers in it are bounded, and few.
_LARGEST = 64 * 1024 * 1024

# What the seals of records say; another one for records that this code would misread.
_FORMAT = b"collectssl 1\0"


class LocalStore:
    """Files in the run's own temporary folder (record, one flight) and in the user's (one call at a time).

    Locks are advisory and the kernel's: they go with the process that holds them, however it ends. No other user can
    take one, since only this user can open their files; where others have a say in a folder, it is refused.

    :arg pause: sleeps while a lock is waited for; it ends a process whose run is gone.
    """

    def __init__(self, run_folder: str, user_folder: str, pause: t.Callable[[float], None] | None = None) -> None:
        self._run_folder = os.path.join(run_folder, "collectssl")
        self._user_folder = os.path.join(user_folder, "collectssl")
        self._pause = pause or Run().sleep

    def flight(self, key: str) -> t.ContextManager[None]:
        """Held by the one worker of this run that asks about an order, while it asks.

        Waited for without a word or an end: who holds it is a worker of the same run, which does not end before that
        worker does, and has bounds of its own for its turn and for each call.
        """
        return self._holding(self._run_folder, f"{key}.lock", lambda _descriptor: None, lambda _descriptor: None)

    def turn(self, account: str, patience: Patience | None = None) -> t.ContextManager[None]:
        """Held for one call of an account, by whichever run of this user on this controller makes it.

        :raises TransportError: where it is given up, for this whole run: see ``Patience``.
        """
        return self._holding(self._user_folder, f"{account}.lock", Queue(self, account, patience).look, sign)

    def read(self, key: str) -> list[dict[str, t.Any]]:
        """What was recorded under a key, newest last; what is not as it was written counts as not recorded."""
        with self._inside(self._run_folder) as inside:
            try:
                records = json.loads(inside.read(f"{key}.json", _LARGEST))
                return [record for record in records if self._seal(record) == record.pop("seal")]
            # Whatever stands there: what cannot be read was never recorded.
            except Exception:
                return []

    def write(self, key: str, records: list[dict[str, t.Any]]) -> None:
        """Replace what is recorded under a key, in one step, so that a reader needs no lock."""
        sealed = [{**record, "seal": self._seal(record)} for record in records]
        with self._inside(self._run_folder) as inside:
            inside.replace(f"{key}.json", json.dumps(sealed).encode("ascii"))

    def _seal(self, record: dict[str, t.Any]) -> str:
        """A digest of a record: what bears it was written by this code, in this run, and is whole."""
        text = json.dumps({name: value for name, value in record.items() if name != "seal"}, sort_keys=True)
        return hmac.new(os.fsencode(self._run_folder), _FORMAT + text.encode("ascii"), hashlib.sha256).hexdigest()

    def first(self, name: str) -> bool:
        """Whether nobody of this run came here before under that name."""
        with self._inside(self._run_folder) as inside:
            return inside.make(f"{name}.said")

    def came_before(self, name: str) -> bool:
        """Whether somebody of this run did, if nobody comes now."""
        with self._inside(self._run_folder) as inside:
            return inside.has(f"{name}.said")

    @contextlib.contextmanager
    def _holding(
        self, path: str, name: str, meanwhile: t.Callable[[int], None], then: t.Callable[[int], None]
    ) -> t.Iterator[None]:
        descriptor = self._locked(path, name, meanwhile)
        try:
            then(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _locked(self, path: str, name: str, meanwhile: t.Callable[[int], None]) -> int:
        """A descriptor that holds a lock until it is closed.

        :arg meanwhile: called with the descriptor of the lock at each look at which somebody else holds it.
        """
        with self._inside(path) as inside:
            while True:
                descriptor = inside.open(name, os.O_RDWR | os.O_CREAT)
                try:
                    self._wait(descriptor, meanwhile)
                    if inside.holds(name, descriptor):
                        return descriptor
                except BaseException:
                    os.close(descriptor)
                    raise
                # Somebody removed the file, and the next one made another: that has the lock.
                os.close(descriptor)

    def _wait(self, descriptor: int, meanwhile: t.Callable[[int], None]) -> None:
        pause = _FIRST_PAUSE
        while True:
            # Never a call that blocks, which could neither speak, nor give up, nor end with its run.
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                meanwhile(descriptor)
                self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    def _setting(self, path: str) -> str:
        return "ANSIBLE_LOCAL_TEMP" if path == self._run_folder else "ANSIBLE_HOME"

    @contextlib.contextmanager
    def _inside(self, path: str) -> t.Iterator[Folder]:
        try:
            with folder(path) as inside:
                yield inside
        except NotOursError as exc:
            raise CollectError(
                f"The folder {path} on the controller is not used for locks and records: {exc}, or point "
                f"{self._setting(path)} to a folder of this user alone."
            ) from exc
        except OSError as exc:
            raise CollectError(
                f"The folder {path} on the controller cannot be used for locks and records: "
                f"{(exc.strerror or str(exc)).lower()}. Make room there or make it writable, or point "
                f"{self._setting(path)} elsewhere."
            ) from exc
