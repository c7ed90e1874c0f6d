# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of this user alone, with files of this user alone in it: judged each time, before anything is believed.

Everything is reached through a descriptor of the folder, so that what was judged is what is used; no link is followed,
and nothing that is opened here can make this process wait.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotOursError(Exception):
    """Others can change what is there; the text is the end of a sentence: what is wrong, and what to do."""


@contextlib.contextmanager
def folder(path: str) -> t.Iterator[Folder]:
    """The folder, made where it is not there.

    :raises NotOursError: where others have a say in it.
    :raises OSError: where it cannot be used.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.path.islink(path):
        raise NotOursError("it is a link. Put a folder in its place")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise NotOursError(f"it belongs to the user number {status.st_uid}, and this is {os.geteuid()}. Remove it")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise NotOursError(
                f"others than its owner may enter it (mode {mode:04o}). Remove it, to have it made anew with mode 0700"
            )
        yield Folder(descriptor)
    finally:
        os.close(descriptor)


class Folder:
    """Files of a folder that was judged, by their names."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a plain file of this user alone; one that is made has mode 0600.

        :raises NotOursError: where it is anything else.
        """
        try:
            descriptor = os.open(name, flags | _FLAGS, 0o600, dir_fd=self._descriptor)
        except OSError as exc:
            if exc.errno not in (errno.ELOOP, errno.ENXIO):
                raise
            raise self._foreign(name) from exc
        status = os.fstat(descriptor)
        # None, where another file took its place since it was opened.
        plain = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
        if plain and status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            return descriptor
        os.close(descriptor)
        raise self._foreign(name)

    @staticmethod
    def _foreign(name: str) -> NotOursError:
        return NotOursError(f"{name} in it is no plain file of this user alone. Remove that")

    def read(self, name: str, most: int) -> bytes:
        """A file up to a size (octets); one that is larger is read no further."""
        with os.fdopen(self.open(name, os.O_RDONLY), "rb") as stream:
            # Room is made for as much as is asked for, before there is anything to put into it.
            return stream.read(min(most, os.fstat(stream.fileno()).st_size))

    def replace(self, name: str, content: bytes) -> None:
        """Put a file in the place of whatever has the name, in one step."""
        new = f".record-{secrets.token_hex(16)}"
        descriptor = self.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            try:
                self._rename(new, name)
            except IsADirectoryError:
                # Out of the way: whatever is in it is nothing of ours.
                self._rename(name, f".foreign-{secrets.token_hex(16)}")
                self._rename(new, name)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=self._descriptor)
            raise

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def make(self, name: str) -> bool:
        """Make an empty file, and say whether nothing had that name before."""
        try:
            os.close(self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def holds(self, name: str, descriptor: int) -> bool:
        """Whether that name still is the file behind a descriptor."""
        try:
            found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(descriptor))

    def has(self, name: str) -> bool:
        """Whether anything has that name."""
        try:
            os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True
