# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation does to file systems: each call either has its whole effect or raises ``OSError``.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import errno
import os
import re
import stat
import tempfile
import time
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause

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

# What the system says of a name under which there can be no file.
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)

#: The extended attribute that is a file's SELinux label.
LABEL = "security.selinux"

_ACL = "system.posix_acl_access"

# Of what a file holds, not of who may do what with it: the kernel makes them anew.
_OF_CONTENT = ("security.ima", "security.evm")

_NO_ATTRIBUTES = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

# This user, or this file system, cannot give a file such a protection.
_NOT_GIVEN = (errno.EPERM, errno.EACCES, *_NO_ATTRIBUTES)

_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class Protection(NamedTuple):
    """Who may do what with a file: permission bits, owner, group, and ACL, SELinux label and user attributes."""

    mode: int
    uid: int
    gid: int
    extended: Tuple[Tuple[str, bytes], ...]


def protection(path: str, whole: bool = False) -> Protection:
    """The protection of an existing file; ``whole`` adds what is of its content, for a copy of it."""
    status = os.stat(path)
    names = sorted(name for name in _attributes_of(path) if whole or _is_kept(name))
    extended = tuple((name, os.getxattr(path, name)) for name in names if name not in _OF_CONTENT)
    return Protection(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, extended)


def _is_kept(name: str) -> bool:
    return name in (_ACL, LABEL) or name.startswith("user.")


def _attributes_of(path: str) -> List[str]:
    try:
        return os.listxattr(path)
    except AttributeError:
        return []  # this platform has none
    except OSError as exc:
        if exc.errno in _NO_ATTRIBUTES:
            return []
        raise


def protect(path: str, wanted: Protection) -> None:
    """Give ``path`` a protection, all of it: what the folder it was made in added to it goes.

    Raises ``OSError`` for what this user may not give it, and touches nothing that is right already.
    """
    status = os.stat(path)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        with _of("its owner and group"):
            os.chown(path, wanted.uid, wanted.gid)
    extended = dict(wanted.extended)
    if _ACL not in extended and _ACL in _attributes_of(path):
        with _of("its access control list"):
            os.removexattr(path, _ACL)
    _set_mode(path, wanted.mode)
    for name, value in extended.items():
        if name not in _attributes_of(path) or os.getxattr(path, name) != value:
            with _of({_ACL: "its access control list", LABEL: "its SELinux label"}.get(name, name)):
                os.setxattr(path, name, value)
    if _mode(path) != wanted.mode:
        raise OSError(errno.EPERM, f"{os.strerror(errno.EPERM)} (its mode {wanted.mode:04o})", path)


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def _set_mode(path: str, mode: int) -> None:
    if _mode(path) != mode:
        os.chmod(path, mode)


@contextlib.contextmanager
def _of(what: str) -> Iterator[None]:
    """Let a refusal say what it was that could not be given to a file."""
    try:
        yield
    except OSError as exc:
        raise OSError(exc.errno, f"{exc.strerror} ({what})", exc.filename) from exc


def inode(path: str) -> Optional[int]:
    """The inode number of ``path`` itself, or None where there is none."""
    try:
        return os.lstat(path).st_ino
    except OSError as exc:
        if exc.errno in _NOTHING:
            return None
        raise


def read(path: str) -> Optional[bytes]:
    """What a file holds (of one that is too large to be ours, the beginning), or None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(READ_LIMIT)
    except OSError as exc:
        if exc.errno in _NOTHING:
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


def duplicate(source: str, target: str, link: bool = True, faithful: bool = True) -> None:
    """Give what ``source`` holds, with its protection, a second name that must not exist yet.

    A hard link where that is possible and ``link`` allows it, which keeps the very same file; else a copy. A copy that
    this user cannot give the same protection is an ``OSError``, or, if it need not be ``faithful``, of this user.
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
    wanted = protection(source, whole=True)
    try:
        protect(target, wanted)
    except OSError as exc:
        if faithful or exc.errno not in _NOT_GIVEN:
            remove(target)
            raise
        own = os.stat(target)
        with contextlib.suppress(OSError):
            protect(target, wanted._replace(uid=own.st_uid, gid=own.st_gid))
        _set_mode(target, wanted.mode)


def copy_for_itself(source: str, target: str) -> None:
    """Write what ``source`` holds into a file that must not exist yet: as protected as ``source``, or for this user."""
    try:
        duplicate(source, target, link=False)
    except OSError as exc:
        if exc.errno not in _NOT_GIVEN:
            raise
        with open(source, "rb") as file:
            create(target, file.read())


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
        wanted = protection(source)
        overwrite(source, target, lambda: protect(target, wanted))
    # Renaming one name of a file to another name of the same file leaves both.
    remove(source)


def overwrite(source: str, target: str, settle: Callable[[], None]) -> None:
    """Write what ``source`` holds into the file ``target``, which stays the same file.

    ``settle`` gives it its protection; before anything is written, so that no new key is ever read by those whom the
    old one was open to.
    """
    with open(source, "rb") as file:
        data = file.read()
    with os.fdopen(os.open(target, os.O_WRONLY), "wb") as file:
        settle()
        mode = _mode(target)
        if not _holds(target, data):
            file.write(data)
            # Not before: where there is no room for more, there is room for what was there.
            file.truncate()
            file.flush()
        os.fsync(file.fileno())
    # Some bits of a mode do not outlive a write.
    _set_mode(target, mode)


def _holds(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except OSError as exc:
        if exc.errno == errno.EACCES:
            return False  # may be written, not read
        raise


def is_mounted(path: str) -> bool:
    """Whether something is mounted at this very path, as far as the system tells."""
    try:
        with open(_MOUNTS, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    points = (line.split(b" ")[4] for line in lines if line.count(b" ") > 4)
    return os.fsencode(path) in (_ESCAPED.sub(lambda found: bytes([int(found.group(1), 8)]), one) for one in points)


def can_be_named(path: str) -> bool:
    """Whether a name is short enough for the file system."""
    try:
        os.lstat(path)
    except OSError as exc:
        return exc.errno != errno.ENAMETOOLONG
    return True


def remove(*paths: str) -> None:
    """Unlink what is there of ``paths``."""
    for path in paths:
        try:
            os.unlink(path)
        except OSError as exc:
            if exc.errno not in _NOTHING:
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
        raise InstallError(f"{what}: {cause(exc)}.{advice(exc)}") from exc
