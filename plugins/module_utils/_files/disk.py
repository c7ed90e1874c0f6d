# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation does to file systems: each call either has its whole effect or raises ``OSError``.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import errno
import os
import stat
import tempfile
import time
from typing import Iterable, Iterator, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: No certificate file comes near this size; a destination that does is known to differ without reading all of it.
READ_LIMIT = 1 << 20

# A file system without hard links, a file of somebody else (fs.protected_hardlinks), another file system, an immutable
# file: in all of these a copy still can be made.
_NO_LINK = (errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

# What replacing a file by rename says where only writing into it works: a bind-mounted file, and some network and
# container file systems.
_NO_REPLACE = (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV, errno.ETXTBSY)

# A file system that cannot flush a directory has nothing to flush.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF)

_ADVICE = {
    errno.ENOSPC: " Make some room there and run again.",
    errno.EDQUOT: " Make some room there and run again.",
    errno.EPERM: " Does this user own the file, and is it not immutable (see lsattr)?",
}

_EXTENDED = ("system.posix_acl_access", "security.selinux")


class Protection(NamedTuple):
    """Who may do what with a file: permission bits, owner, group, and ACL, SELinux label and user attributes."""

    mode: int
    uid: int
    gid: int
    extended: Tuple[Tuple[str, bytes], ...]


def protection(path: str) -> Protection:
    """The protection of an existing file."""
    status = os.stat(path)
    extended = []
    try:
        for name in os.listxattr(path):
            if name in _EXTENDED or name.startswith("user."):
                extended.append((name, os.getxattr(path, name)))
    except (AttributeError, OSError):
        pass  # no extended attributes on this platform or file system
    return Protection(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, tuple(extended))


def protect(path: str, wanted: Protection) -> None:
    """Give ``path`` a protection, as far as this user may: one who is not root cannot give files away."""
    status = os.stat(path)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        try:
            os.chown(path, wanted.uid, wanted.gid)
        except OSError as exc:
            if exc.errno != errno.EPERM:
                raise
    os.chmod(path, wanted.mode)
    for name, value in wanted.extended:
        try:
            os.setxattr(path, name, value)
        except OSError as exc:
            if exc.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise


def inode(path: str) -> Optional[int]:
    """The inode number of ``path`` itself, or None where there is none."""
    try:
        return os.lstat(path).st_ino
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def read(path: str) -> Optional[bytes]:
    """What a file holds (of one that is too large to be ours, the beginning), or None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(READ_LIMIT)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def create(path: str, data: bytes) -> None:
    """Write a file that must not exist yet, readable by this user alone, and flush it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        # A umask may take rights away from the owner, too.
        os.chmod(path, 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def scratch(directory: str, data: bytes) -> Iterator[str]:
    """A file for the time of this context, for those who take files only; its path."""
    descriptor, path = tempfile.mkstemp(dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        yield path
    finally:
        remove(path)


def duplicate(source: str, target: str, link: bool = True) -> None:
    """Give what ``source`` holds, with its protection, a second name that must not exist yet.

    A hard link where that is possible and ``link`` allows it, which keeps the very same file; else a copy.
    """
    if link:
        try:
            os.link(source, target)
            return
        except OSError as exc:
            if exc.errno not in _NO_LINK:
                raise
    with open(source, "rb") as file:
        create(target, file.read())
    protect(target, protection(source))


def backup_name(path: str) -> str:
    """A name for a backup of ``path``, of the form ansible-core gives them."""
    return "{}.{}.{}".format(path, os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S~"))


def replace(source: str, target: str, in_place: bool = False) -> None:
    """Let ``target`` be what ``source`` is; afterwards there is no ``source``.

    ``in_place`` allows to write into ``target`` where it cannot be replaced in one step.
    """
    try:
        os.rename(source, target)
    except OSError as exc:
        if not in_place or exc.errno not in _NO_REPLACE:
            raise
        _overwrite(source, target)
    # Renaming one name of a file to another name of the same file leaves both.
    remove(source)


def _overwrite(source: str, target: str) -> None:
    with open(source, "rb") as file:
        data = file.read()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    protect(target, protection(source))


def remove(*paths: str) -> None:
    """Unlink what is there of ``paths``."""
    for path in paths:
        try:
            os.unlink(path)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise


def sync_file(path: str) -> None:
    """Flush what has been done to a file that is closed."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as exc:
        if exc.errno == errno.EACCES:
            return  # of a mode that keeps even its owner out
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directories(paths: Iterable[str]) -> None:
    """Flush the names in these directories, so that what comes later cannot reach the disk first."""
    for path in sorted(set(paths)):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as exc:
            if exc.errno == errno.EACCES:
                continue  # a directory this user may write but not read cannot be opened, hence not flushed
            raise
        try:
            os.fsync(descriptor)
        except OSError as exc:
            if exc.errno not in _NO_SYNC:
                raise
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Let an ``OSError`` be an ``InstallError`` that says what was being done: ``what`` is a clause with its file."""
    try:
        yield
    except OSError as exc:
        advice = _ADVICE.get(exc.errno or 0, "")
        raise InstallError(f"{what}: {exc.strerror or exc}.{advice}") from exc
