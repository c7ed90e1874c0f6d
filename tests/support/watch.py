# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run lets others see while it goes on: command lines, and files that are gone when it ends."""

from __future__ import annotations

import os
import pathlib
import threading
import typing as t

from .search import found_below, found_in


class Watch:
    """Samples in a thread until the end of the context; a context manager.

    command_lines holds every one that was seen of any process of this machine; hits the places where the secret was.
    """

    def __init__(self, secret: str, folders: t.Sequence[pathlib.Path]) -> None:
        self._secret = secret
        self._folders = folders
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.command_lines: set[bytes] = set()
        self.hits: set[str] = set()
        self.files: set[str] = set()
        self.rounds = 0
        self.error: BaseException | None = None

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        self._end.set()
        self._thread.join(30)

    def _sample(self) -> None:
        try:
            while not self._end.is_set():
                self._look_at_processes()
                self._look_at_files()
                self.rounds += 1
                self._end.wait(0.02)
        except BaseException as error:
            self.error = error

    def _look_at_processes(self) -> None:
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                line = pathlib.Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            if line not in self.command_lines:
                self.command_lines.add(line)
                self.hits.update(f"a command line: {form}" for form in found_in(line, self._secret))

    def _look_at_files(self) -> None:
        for folder in self._folders:
            self.hits.update(found_below(folder, self._secret, growing=True))
            for _parent, _folders, names in os.walk(folder):
                self.files.update(names)
