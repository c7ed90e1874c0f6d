# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record and the locks of one controller, as files.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError


class LocalStore:
    """Files in the run's own temporary folder (record, one flight) and in the user's (one call at a time).

    Locks are advisory and the kernel's: they go with the process that holds them, however it ends.
    """

    def __init__(self, run_folder: str, user_folder: str) -> None:
        self._run_folder = os.path.join(run_folder, "collectssl")
        self._user_folder = os.path.join(user_folder, "collectssl")

    def flight(self, key: str) -> t.ContextManager[None]:
        """Held by the one worker of this run that asks about an order, while it asks."""
        return self._locked(self._run_folder, f"{key}.lock")

    def turn(self, account: str) -> t.ContextManager[None]:
        """Held for one call of an account, by whichever run of this user on this controller makes it."""
        return self._locked(self._user_folder, f"{account}.lock")

    def read(self, key: str) -> list[dict[str, t.Any]]:
        """What was recorded under a key, newest last."""
        with self._explaining(self._run_folder):
            try:
                with open(os.path.join(self._run_folder, f"{key}.json"), encoding="utf-8") as stream:
                    return t.cast("list[dict[str, t.Any]]", json.load(stream))
            except FileNotFoundError:
                return []

    def write(self, key: str, records: list[dict[str, t.Any]]) -> None:
        """Replace what is recorded under a key, in one step, so that a reader needs no lock."""
        with self._explaining(self._run_folder):
            os.makedirs(self._run_folder, mode=0o700, exist_ok=True)
            descriptor, path = tempfile.mkstemp(dir=self._run_folder, prefix=".record-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    json.dump(records, stream)
                os.replace(path, os.path.join(self._run_folder, f"{key}.json"))
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                raise

    def first(self, name: str) -> bool:
        """Whether nobody of this run came here before under that name."""
        with self._explaining(self._run_folder):
            os.makedirs(self._run_folder, mode=0o700, exist_ok=True)
            try:
                os.close(os.open(os.path.join(self._run_folder, f"{name}.said"), os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                return False
        return True

    @contextlib.contextmanager
    def _locked(self, folder: str, name: str) -> t.Iterator[None]:
        with self._explaining(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            descriptor = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with self._explaining(folder):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _setting(self, folder: str) -> str:
        return "ANSIBLE_LOCAL_TEMP" if folder == self._run_folder else "ANSIBLE_HOME"

    @contextlib.contextmanager
    def _explaining(self, folder: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise CollectError(
                f"The folder {folder} on the controller cannot be used for locks and records: "
                f"{(exc.strerror or str(exc)).lower()}. Make room there or make it writable, or point "
                f"{self._setting(folder)} elsewhere."
            ) from exc
