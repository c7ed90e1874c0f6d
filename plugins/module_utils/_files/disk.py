# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation does to file systems: each call either has its whole effect or raises ``OSError``.

Files are named by a ``Place``, a name in an open folder, and what is done to one is done to its descriptor. No open
follows a link, none waits for whoever is at the other end of a pipe, and none gives anything but a regular file.
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
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause, user_named
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Place, unique

#: No certificate file comes near this size; a destination that does is known to differ without reading all of it.
READ_LIMIT = 1 << 20

#: Nor anything like this, beyond which no copy of a file is made (bytes): a file of somebody else may say that it holds
#: more than there is memory, or room, without taking any.
COPY_LIMIT = 64 << 20

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

_DESCRIPTORS = "/proc/self/fd"

# A pipe is not waited for, nor a link followed: what comes of it is judged on the descriptor.
_GUARDED = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class Protection(NamedTuple):
    """Who may do what with a file: permission bits, owner, group, and ACL, SELinux label and user attributes."""

    mode: int
    uid: int
    gid: int
    extended: Tuple[Tuple[str, bytes], ...]

    @property
    def acl(self) -> Tuple[Tuple[str, bytes], ...]:
        """The access control list alone."""
        return tuple(pair for pair in self.extended if pair[0] == _ACL)

    def closed_as(self, other: "Protection") -> "Protection":
        """As this, but no wider for group and others, and by list, than ``other`` is; owner and group stay its own."""
        mode = self.mode & other.mode
        if self.acl == other.acl:
            return self._replace(mode=mode)
        # Lists are not weighed against each other. The group's bits are the most that a list allows anybody, so without
        # it they would be the group's.
        extended = tuple(pair for pair in self.extended if pair[0] != _ACL)
        return self._replace(mode=mode & ~stat.S_IRWXG, extended=extended)

    def within(self, other: "Protection") -> "Protection":
        """As this, but open to nobody whom a file under ``other`` is not open to."""
        return self.closed_as(other)._replace(uid=other.uid, gid=other.gid)


@contextlib.contextmanager
def opened(place: Place, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A descriptor of the regular file at a place, for the time of this context. Raises ``OSError`` for any other."""
    descriptor = os.open(place.name, flags | _GUARDED, dir_fd=place.there.descriptor)
    try:
        require_regular(os.fstat(descriptor), place.path)
        yield descriptor
    finally:
        os.close(descriptor)


def require_regular(status: os.stat_result, path: str) -> None:
    """Raise ``OSError`` for what is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "It is not a regular file", path)


def by_name(descriptor: int) -> Optional[str]:
    """A path by which others in this process open the file of a descriptor; None where the system has none."""
    path = f"{_DESCRIPTORS}/{descriptor}"
    return path if os.path.exists(path) else None


def protection_of(descriptor: int, whole: bool = False) -> Protection:
    """The protection of an open file; ``whole`` adds what is of its content, for a copy of it."""
    status = os.fstat(descriptor)
    names = sorted(name for name in _attributes_of(descriptor) if whole or _is_kept(name))
    extended = tuple((name, os.getxattr(descriptor, name)) for name in names if name not in _OF_CONTENT)
    return Protection(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, extended)


def protection(place: Place) -> Protection:
    """The protection of an existing file."""
    try:
        with opened(place) as descriptor:
            return protection_of(descriptor)
    except PermissionError:
        # Not to be read by this user, who may replace it nevertheless; what there is beside the bits is not known.
        status = place.status()
        if status is None:
            raise
        require_regular(status, place.path)
        return Protection(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, ())


def _is_kept(name: str) -> bool:
    return name in (_ACL, LABEL) or name.startswith("user.")


def _attributes_of(descriptor: int) -> List[str]:
    try:
        return os.listxattr(descriptor)
    except AttributeError:
        return []  # this platform has none
    except OSError as exc:
        if exc.errno in _NO_ATTRIBUTES:
            return []
        raise


def protect(descriptor: int, wanted: Protection) -> None:
    """Give an open file a protection, all of it: what the folder it was made in added to it goes.

    Raises ``OSError`` for what this user may not give it, and touches nothing that is right already.
    """
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        with _of("its owner and group"):
            os.fchown(descriptor, wanted.uid, wanted.gid)
    extended = dict(wanted.extended)
    if _ACL not in extended:
        unlist(descriptor)
    set_mode(descriptor, wanted.mode)
    for name, value in extended.items():
        if name not in _attributes_of(descriptor) or os.getxattr(descriptor, name) != value:
            with _of({_ACL: "its access control list", LABEL: "its SELinux label"}.get(name, name)):
                os.setxattr(descriptor, name, value)
    if _mode(descriptor) != wanted.mode:
        raise OSError(errno.EPERM, f"{os.strerror(errno.EPERM)} (its mode {wanted.mode:04o})")


def unlist(descriptor: int) -> None:
    """Take its access control list from an open file."""
    if _ACL in _attributes_of(descriptor):
        with _of("its access control list"):
            os.removexattr(descriptor, _ACL)


def _mode(descriptor: int) -> int:
    return stat.S_IMODE(os.fstat(descriptor).st_mode)


def set_mode(descriptor: int, mode: int) -> None:
    """Give an open file permission bits, unless it has them."""
    if _mode(descriptor) != mode:
        os.fchmod(descriptor, mode)


@contextlib.contextmanager
def _of(what: str) -> Iterator[None]:
    """Let a refusal say what it was that could not be given to a file."""
    try:
        yield
    except OSError as exc:
        raise OSError(exc.errno, f"{exc.strerror} ({what})", exc.filename) from exc


def inode(place: Place) -> Optional[int]:
    """The inode number of what is at a place itself, or None where there is nothing."""
    try:
        status = place.status()
    except OSError as exc:
        if exc.errno in _NOTHING:
            return None
        raise
    return None if status is None else status.st_ino


def read(place: Place, limit: Optional[int] = READ_LIMIT) -> Optional[bytes]:
    """What a file holds (of one that is too large to be ours, the beginning), or None where there is none."""
    try:
        with opened(place) as descriptor:
            return read_from(descriptor, limit)
    except OSError as exc:
        if exc.errno in _NOTHING:
            return None
        raise


def read_from(descriptor: int, limit: Optional[int] = READ_LIMIT) -> bytes:
    """What an open file holds, from its beginning; raises ``OSError`` where all of it is asked for and is too much."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        data = file.read(COPY_LIMIT + 1 if limit is None else limit)
    if limit is None and len(data) > COPY_LIMIT:
        raise OSError(errno.EFBIG, f"It is larger than {COPY_LIMIT >> 20} MiB, so no copy of it is made")
    return data


def create(place: Place, data: bytes) -> int:
    """Write a file that must not exist yet, readable by this user alone; its descriptor, not flushed yet."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _GUARDED
    descriptor = os.open(place.name, flags, 0o600, dir_fd=place.there.descriptor)
    try:
        # A umask may take rights away from the owner, too.
        set_mode(descriptor, 0o600)
        _write(descriptor, data)
    except BaseException:
        os.close(descriptor)
        remove(place)
        raise
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)


def write_new(place: Place, data: bytes) -> None:
    """Write a file that must not exist yet, readable by this user alone, and flush it."""
    descriptor = create(place, data)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def scratch(directory: str, data: bytes) -> Iterator[str]:
    """A file for the time of this context, for those who take files only; its path. The folder is this user's alone."""
    descriptor, path = tempfile.mkstemp(dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def link(source: Place, target: Place) -> bool:
    """Give a regular file a second name that must not exist yet; whether that can be done."""
    try:
        os.link(
            source.name,
            target.name,
            src_dir_fd=source.there.descriptor,
            dst_dir_fd=target.there.descriptor,
            follow_symlinks=False,
        )
    except OSError as exc:
        if exc.errno not in _NO_LINK:
            raise
        return False
    status = target.status()
    if status is not None and not stat.S_ISREG(status.st_mode):
        remove(target)
        require_regular(status, source.path)
    return True


def duplicate(source: Place, target: Place, by_link: bool = True) -> None:
    """Give what ``source`` holds, with its protection, a second name that must not exist yet.

    A hard link where that is possible and ``by_link`` allows it, which keeps the very same file; else a copy, as
    ``copy`` makes it.
    """
    if not by_link or not link(source, target):
        copy(source, target)


def copy(
    source: Place,
    target: Place,
    faithful: bool = True,
    change: Optional[Callable[[Protection], Protection]] = None,
    expected: Optional[int] = None,
) -> None:
    """Write what ``source`` holds into a file that must not exist yet, and flush it.

    Its protection is that of ``source``, or what ``change`` makes of that. One that this user cannot give is an
    ``OSError``, or, if it need not be ``faithful``, the copy is of this user. Raises ``OSError`` where ``source`` has
    another inode than the ``expected``.
    """
    with opened(source) as origin:
        if expected not in (None, os.fstat(origin).st_ino):
            raise OSError(errno.ESTALE, "It was replaced by somebody else", source.path)
        descriptor = create(target, read_from(origin, None))
        try:
            wanted = protection_of(origin, whole=True)
            if change is not None:
                wanted = change(wanted)
            _protect_copy(descriptor, wanted, faithful)
            os.fsync(descriptor)
        except BaseException:
            remove(target)
            raise
        finally:
            os.close(descriptor)


def _protect_copy(descriptor: int, wanted: Protection, faithful: bool) -> None:
    try:
        protect(descriptor, wanted)
    except OSError as exc:
        if faithful or exc.errno not in _NOT_GIVEN:
            raise
        own = os.fstat(descriptor)
        with contextlib.suppress(OSError):
            protect(descriptor, wanted._replace(uid=own.st_uid, gid=own.st_gid))
        set_mode(descriptor, wanted.mode)


def copy_for_itself(source: Place, target: Place) -> None:
    """Write what ``source`` holds into a file that must not exist yet: as protected as ``source``, or for this user."""
    try:
        copy(source, target)
    except OSError as exc:
        if exc.errno not in _NOT_GIVEN:
            raise
        write_new(target, read(source, None) or b"")


def backup_name(path: str) -> str:
    """A name for a backup of ``path``, of the form ansible-core gives them."""
    return "{}.{}.{}".format(path, os.getpid(), time.strftime("%Y-%m-%d@%H:%M:%S~"))


def rename(source: Place, target: Place) -> None:
    """Let ``target`` be what ``source`` is; afterwards there is no ``source``."""
    os.rename(source.name, target.name, src_dir_fd=source.there.descriptor, dst_dir_fd=target.there.descriptor)
    # Renaming one name of a file to another name of the same file leaves both.
    remove(source)


def replace(source: Place, target: Place, in_place: bool = False) -> None:
    """As ``rename``; ``in_place`` allows to write into ``target`` where it cannot be replaced in one step."""
    try:
        rename(source, target)
    except OSError as exc:
        if not in_place or exc.errno not in _NO_REPLACE:
            raise
        wanted = protection(source)
        overwrite(source, target, lambda descriptor: protect(descriptor, wanted))
        remove(source)


def overwrite(source: Place, target: Place, settle: Callable[[int], None], expected: Optional[int] = None) -> None:
    """Write what ``source`` holds into the file ``target``, which stays the same file, and has the inode ``expected``.

    ``settle`` gives its descriptor the protection; before anything is written, so that no new key is ever read by those
    whom the old one was open to. Raises ``OSError`` for a file that has names in other folders, too, where somebody
    else could have given it this one.
    """
    data = read(source, None) or b""
    with opened(target, os.O_WRONLY) as descriptor:
        status = os.fstat(descriptor)
        if expected not in (None, status.st_ino):
            raise OSError(errno.ESTALE, "It was replaced by somebody else", target.path)
        require_one_name(status, target)
        settle(descriptor)
        mode = _mode(descriptor)
        if not _holds(target, descriptor, data):
            _write(descriptor, data)
            # Not before: where there is no room for more, there is room for what was there.
            os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
        # Some bits of a mode do not outlive a write.
        set_mode(descriptor, mode)


def require_one_name(status: os.stat_result, place: Place) -> None:
    """Raise ``OSError`` where a file that is to be written into might be another one that somebody else linked here."""
    if status.st_nlink > 1 and not place.there.settled:
        raise OSError(errno.EMLINK, "It has other names as well, and others could have given it this one", place.path)


def _holds(place: Place, written: int, data: bytes) -> bool:
    try:
        with opened(place) as descriptor:
            if os.fstat(descriptor).st_ino != os.fstat(written).st_ino:
                return False
            return read_from(descriptor, len(data) + 1) == data
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


def remove(*places: Place) -> None:
    """Unlink what is there of these places."""
    for place in places:
        try:
            os.unlink(place.name, dir_fd=place.there.descriptor)
        except OSError as exc:
            if exc.errno not in _NOTHING:
                raise


def sync_file(place: Place) -> None:
    """Flush what has been done to a file that is closed."""
    try:
        with opened(place) as descriptor:
            os.fsync(descriptor)
    except OSError as exc:
        if exc.errno != errno.EACCES:
            raise  # else of a mode that keeps even its owner out


def sync_folders(folders: Iterable[Folder]) -> None:
    """Flush the names in these folders, so that what comes later cannot reach the disk first."""
    for folder in unique(folders):
        try:
            # A descriptor that is good for entering alone can't be flushed.
            descriptor = os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder.descriptor)
        except OSError as exc:
            if exc.errno in (errno.EACCES, errno.ENOENT):
                continue  # a directory this user may write but not read cannot be opened, hence not flushed
            raise
        try:
            os.fsync(descriptor)
        except OSError as exc:
            if exc.errno not in _NO_SYNC:
                raise
        finally:
            os.close(descriptor)


def distrust(status: os.stat_result, is_kind: Callable[[int], bool]) -> Optional[str]:
    """Why what a run left cannot be believed, as a clause; None where only this user could have made it."""
    if status.st_uid != os.geteuid():
        return f"it belongs to the user {user_named(status.st_uid)}"
    if not is_kind(status.st_mode):
        return "it is not what a run leaves there"
    if stat.S_IMODE(status.st_mode) & 0o077:
        return "others may have written it"
    if stat.S_ISREG(status.st_mode) and status.st_nlink != 1:
        return "it has another name as well"
    return None


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Let an ``OSError`` be an ``InstallError`` that says what was being done: ``what`` is a clause with its file."""
    try:
        yield
    except OSError as exc:
        raise InstallError(f"{what}: {cause(exc)}.{advice(exc)}") from exc
