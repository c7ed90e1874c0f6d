# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a file is: an open folder and a name in it. Found once, so that nobody can lead a later step elsewhere.

A path is walked folder by folder, on descriptors. A symbolic link on it, the last name included, is followed only where
nobody but root and the user who runs this could have put it there: it belongs to one of the two, so does every folder
on the way to it, and nobody else may write in the folder that it is in, nor in those above, but for folders with the
sticky bit, whose contents only their owners move. Any other link is refused. What is no link is entered, whosever it
is: files are installed for others, too.
This module util is private to the collection. It can have breaking changes at any time.
"""

import errno
import os
import stat
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import (
    advice,
    cause,
    group_is_of_one,
    user,
    user_named,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

#: As many links as the kernel follows.
_MOST_LINKS = 40

# To be entered a folder need not be readable, where the system can open it for that alone.
_ENTER = (
    getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
)

_NOTHING = (errno.ENOENT, errno.ENOTDIR)


def only_ours(status: os.stat_result) -> bool:
    """Whether nobody but root and the user who runs this may write in a folder."""
    if status.st_uid not in (0, os.geteuid()):
        return False
    mode = status.st_mode
    if mode & stat.S_IWOTH:
        return False
    return not mode & stat.S_IWGRP or group_is_of_one(status.st_gid, status.st_uid)


def _is_listed(descriptor: int) -> bool:
    """Whether a folder may have an access control list: then the group's bits are its mask, for whomever it names."""
    try:
        readable = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=descriptor)
    except OSError:
        return True
    try:
        return "system.posix_acl_access" in os.listxattr(readable)
    except (AttributeError, OSError):
        return False  # neither this platform nor this file system has any
    finally:
        os.close(readable)


class Folder:
    """An open folder. ``path`` is how it was reached, without symbolic links; for messages, and for other programs.

    ``only_ours`` says whether nobody but root and this user may write in it; ``settled`` that the same is true of the
    whole way to it, so that a link in it can be believed.
    """

    def __init__(self, descriptor: int, path: str, above: Optional["Folder"]) -> None:
        self.descriptor = descriptor
        self.path = path
        self.above = above
        status = os.fstat(descriptor)
        self.inode = status.st_ino
        self.key = (status.st_dev, status.st_ino)
        self.only_ours = only_ours(status) and not (status.st_mode & stat.S_IWGRP and _is_listed(descriptor))
        owned = status.st_uid in (0, os.geteuid())
        sticky = bool(status.st_mode & stat.S_ISVTX)
        #: Whether a folder in it stays where it is.
        self.leads: bool = owned and (self.only_ours or sticky) and (above is None or above.leads)

    @property
    def settled(self) -> bool:
        """Whether nobody else could have put a link into it."""
        return self.leads and self.only_ours

    def status(self, name: str) -> Optional[os.stat_result]:
        """What is known of the file of a name itself, a link not followed; None where there is none."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError as exc:
            if exc.errno in _NOTHING:
                return None
            raise

    def names(self) -> List[str]:
        """What is in the folder."""
        with_list = os.open(".", os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | os.O_CLOEXEC, dir_fd=self.descriptor)
        try:
            return sorted(os.listdir(with_list))
        finally:
            os.close(with_list)

    def changed_at(self) -> int:
        """When a name in it last came or went (nanoseconds)."""
        return os.fstat(self.descriptor).st_mtime_ns


class Place(NamedTuple):
    """A name in an open folder; ``folder`` is None where the folder is not there (yet)."""

    folder: Optional[Folder]
    name: str
    path: str

    @property
    def there(self) -> Folder:
        """The folder, for who knows that it is there."""
        if self.folder is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        return self.folder

    def status(self) -> Optional[os.stat_result]:
        """What is known of the file itself; None where there is none."""
        return None if self.folder is None else self.folder.status(self.name)

    @property
    def exists(self) -> bool:
        """Whether there is anything of that name."""
        return self.status() is not None


def in_folder(folder: Folder, name: str) -> Place:
    """The place of a name in a folder."""
    return Place(folder, name, os.path.join(folder.path, name))


class Places:
    """The folders that one run has opened; they are closed at the end of this context."""

    def __init__(self) -> None:
        self._opened: List[int] = []
        self._folders: Dict[Tuple[str, Tuple[int, int]], Folder] = {}

    def __enter__(self) -> "Places":
        return self

    def __exit__(self, *dummy: Any) -> None:
        for descriptor in self._opened:
            os.close(descriptor)
        del self._opened[:]
        self._folders.clear()

    def find(self, subject: str, path: str) -> Place:
        """The place that an absolute path leads to.

        Raises ``InstallError`` for a link that somebody else could have made, for a folder that this user may not
        enter, for a path that is no path, and for one that names a folder; ``subject`` begins the message.
        """
        require_path(subject, path)
        try:
            return _Walk(self, subject, path).place()
        except OSError as exc:
            raise InstallError(f"{subject}: {path} could not be looked at: {cause(exc)}.{advice(exc)}") from exc

    def folder(self, subject: str, path: str) -> Optional[Folder]:
        """The folder that an absolute path leads to, None where there is none; raises as ``find`` does."""
        require_path(subject, path)
        try:
            return _Walk(self, subject, path, to_folder=True).folder()
        except OSError as exc:
            raise InstallError(f"{subject}: {path} could not be looked at: {cause(exc)}.{advice(exc)}") from exc

    def open(self, above: Optional[Folder], name: str) -> Folder:
        """Enter a folder; raises ``OSError`` for what is none."""
        descriptor = os.open(name, _ENTER, dir_fd=None if above is None else above.descriptor)
        path = name if above is None else os.path.join(above.path, name)
        folder = Folder(descriptor, path, above)
        known = self._folders.setdefault((path, folder.key), folder)
        if known is not folder:
            os.close(descriptor)
        else:
            self._opened.append(descriptor)
        return known

    def keep(self, descriptor: int) -> None:
        """Close a descriptor with the others."""
        self._opened.append(descriptor)


def require_path(subject: str, path: str) -> None:
    """Raise ``InstallError`` for a text that can be the path of no file, or that would be told wrongly."""
    if not os.path.isabs(path):
        raise InstallError(f"{subject}: {excerpt(path)} is a relative path; give an absolute one.")
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in path):
        raise InstallError(
            f"{subject}: {excerpt(path)} has a control character in it, so it is not the path of a file."
        )


class _Walk:
    def __init__(self, places: Places, subject: str, path: str, to_folder: bool = False) -> None:
        self._places = places
        self._subject = subject
        self._path = path
        self._way: List[Folder] = [places.open(None, os.path.sep)]
        self._rest = path.split(os.path.sep)
        self._links = 0
        # Whether the last name is to be entered as those before it.
        self._to_folder = to_folder

    def place(self) -> Place:
        place = self._end()
        if place is None:
            raise InstallError(f"{self._subject}: {self._path} is a directory; name a file in it.")
        return place

    def folder(self) -> Optional[Folder]:
        return self._way[-1] if self._end() is None else None

    def _end(self) -> Optional[Place]:
        """The place of the last name; None where every name is that of a folder, and has been entered."""
        while self._rest:
            name = self._rest.pop(0)
            if name in ("", os.path.curdir):
                continue
            if name == os.path.pardir:
                if len(self._way) > 1:
                    self._way.pop()
                continue
            place = self._step(name)
            if place is not None:
                return place
        return None

    def _step(self, name: str) -> Optional[Place]:
        folder = self._way[-1]
        try:
            status = folder.status(name)
        except OSError as exc:
            if exc.errno == errno.EACCES:
                raise self._closed(folder) from exc
            raise
        if status is None:
            return self._missing(folder, name)
        if stat.S_ISLNK(status.st_mode):
            self._follow(folder, name, status)
            return None
        if not self._further():
            if self._path.endswith(os.path.sep) or stat.S_ISDIR(status.st_mode):
                raise InstallError(f"{self._subject}: {self._path} is a directory; name a file in it.")
            return in_folder(folder, name)
        if not stat.S_ISDIR(status.st_mode):
            return self._missing(folder, name)
        try:
            self._way.append(self._places.open(folder, name))
        except OSError as exc:
            if exc.errno == errno.EACCES:
                raise self._closed(os.path.join(folder.path, name)) from exc
            raise
        return None

    def _further(self) -> bool:
        return self._to_folder or any(name not in ("", os.path.curdir) for name in self._rest)

    def _missing(self, folder: Folder, name: str) -> Place:
        rest = [part for part in self._rest if part not in ("", os.path.curdir)]
        if os.path.pardir in rest and not self._to_folder:
            raise InstallError(
                f"{self._subject}: {self._path} leads back out of {os.path.join(folder.path, name)}, which is not a "
                "folder that is there; give the path without it."
            )
        if self._to_folder:
            return Place(None, name, self._path)
        if not rest and not self._path.endswith(os.path.sep):
            return in_folder(folder, name)
        if not rest:
            raise InstallError(f"{self._subject}: {self._path} is a directory; name a file in it.")
        path = os.path.normpath(os.path.join(folder.path, name, *rest))
        return Place(None, os.path.basename(path), path)

    def _follow(self, folder: Folder, name: str, status: os.stat_result) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._judge(folder, name, status)
        target = os.readlink(name, dir_fd=folder.descriptor)
        if os.path.isabs(target):
            del self._way[1:]
        self._rest[:0] = target.split(os.path.sep)

    def _judge(self, folder: Folder, name: str, status: os.stat_result) -> None:
        link = os.path.join(folder.path, name)
        if status.st_uid not in (0, os.geteuid()):
            whose = f"belongs to the user {user_named(status.st_uid)}"
        elif not folder.settled:
            whose = f"belongs to the user {user_named(status.st_uid)} and lies where others could have put it"
        else:
            return
        raise InstallError(
            f"{self._subject}: {link} is a symbolic link that {whose}, so it is not followed: whoever made it would "
            f"say where {user()} writes. Name the file itself, or let the link and the folders on the way to it belong "
            "to root or to that user, and be writable for nobody else."
        )

    def _closed(self, folder: Any) -> InstallError:
        path = folder.path if isinstance(folder, Folder) else folder
        return InstallError(
            f"{self._subject}: the folder {path} cannot be entered by {user()}, so {self._path} is out of reach. "
            "Run the task with become, or as a user who may enter it."
        )


def unique(folders: Iterable[Folder]) -> List[Folder]:
    """These folders without those that are the same, in an order that is the same for every run."""
    return [folder for dummy, folder in sorted({folder.key: folder for folder in folders}.items())]
