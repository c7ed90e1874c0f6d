# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this, what that user may do, and how a refusal is told. Looking changes nothing.

This module util is private to the collection. It can have breaking changes at any time.
"""

import errno
import grp
import os
import pwd
import stat
from typing import Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

_REFUSALS = (errno.EACCES, errno.EPERM)

#: Whether somebody may make a hard link to a file of another user, on Linux.
_PROTECTED_LINKS = "/proc/sys/fs/protected_hardlinks"

_ADVICE = {
    errno.ENOSPC: " Make some room there and run again.",
    errno.EDQUOT: " Make some room there and run again.",
    errno.EAGAIN: " Another program keeps it from being opened (a lease); end that program and run again.",
    errno.EFBIG: " Remove it, or name another file.",
    errno.EPERM: " Does this user own the file, and is it not immutable (see lsattr)?",
    errno.EBUSY: " Is it bind-mounted by itself? Then give in_place: true, which writes into it.",
}


def is_root() -> bool:
    """Whether files can be given away, and nothing is forbidden."""
    return os.geteuid() == 0


def user_named(uid: int) -> str:
    """The name of a user, or the number where there is no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_named(gid: int) -> str:
    """The name of a group, or the number where there is no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user() -> str:
    """Who runs this, for a message: ``the user www-data``."""
    return "the user " + user_named(os.geteuid())


def uid_of(owner: Optional[str]) -> Optional[int]:
    """The user that an option names, by name or by number; None where it names none, or nobody known."""
    if owner is None:
        return None
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError:
        return None


def gid_of(group: Optional[str]) -> Optional[int]:
    """The group that an option names, by name or by number; None where it names none, or none known."""
    if group is None:
        return None
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def group_is_of_one(gid: int, uid: int) -> bool:
    """Whether a group is the own group of a user: called like the user, and no other user's, first group or other."""
    try:
        group, name = grp.getgrgid(gid), pwd.getpwuid(uid).pw_name
    except KeyError:
        return False
    return (
        group.gr_name == name
        and not set(group.gr_mem) - {name}
        and not any(one.pw_gid == gid and one.pw_uid != uid for one in pwd.getpwall())
    )


def may_own(uid: int) -> bool:
    """Whether a file that this user makes can belong to ``uid``."""
    return is_root() or uid == os.geteuid()


def require_meant(subject: str, path: str, present: int, meant: Optional[int], settled: bool) -> None:
    """Raise ``InstallError`` where a private key would go to whoever put a file of his own where it is to be.

    ``present`` is the owner of the file that is at ``path``, ``meant`` the one who is to have the key, as far as that
    is said, and ``settled`` says that nobody else could have put the file there. ``subject`` begins the message.
    """
    if settled or present in (0, os.geteuid(), meant):
        return
    raise InstallError(
        f"{subject}: {path} belongs to the user {user_named(present)} and lies where others could have put it, so no "
        "private key is written to it: whoever made it would get to read the key. Remove it, or, if that user is to "
        f"have the key, give owner: {user_named(present)}."
    )


def is_member(gid: int) -> bool:
    """Whether this user may act for the group ``gid``."""
    return is_root() or gid == os.getegid() or gid in os.getgroups()


def may_group(gid: int, directory: str) -> bool:
    """Whether a file that this user makes in ``directory`` can belong to the group ``gid``."""
    if is_member(gid):
        return True
    try:
        status = os.stat(directory)
    except OSError:
        return False
    return bool(status.st_mode & stat.S_ISGID) and status.st_gid == gid


def may_link(path: str) -> bool:
    """Whether this user may make a hard link to a file; which file systems know hard links is not looked at."""
    status = os.stat(path)
    if may_own(status.st_uid):
        return True
    try:
        with open(_PROTECTED_LINKS, "rb") as file:
            if file.read().strip() == b"0":
                return True
    except OSError:
        return True  # no such rule on this system
    privileged = stat.S_ISUID | (stat.S_ISGID if status.st_mode & stat.S_IXGRP else 0)
    return not status.st_mode & privileged and os.access(path, os.R_OK | os.W_OK)


def sticks(path: str) -> bool:
    """Whether the sticky bit of its folder keeps this user from replacing or removing a file."""
    folder = os.stat(os.path.dirname(path))
    owners = (folder.st_uid, os.lstat(path).st_uid)
    return bool(folder.st_mode & stat.S_ISVTX) and not is_root() and os.geteuid() not in owners


def remedy() -> str:
    """What a user who is refused something can do, as a sentence after a space; nothing is left for root."""
    return "" if is_root() else " Run the task with become, or as a user who may."


def cause(exc: OSError) -> str:
    """Why the system refused something; of a missing permission, who it is that lacks it."""
    words = exc.strerror or "the system gives no reason"
    return f"{words} for {user()}" if exc.errno in _REFUSALS else words


def advice(exc: OSError) -> str:
    """What can be done about it, as sentences after a space, or nothing."""
    told = _ADVICE.get(exc.errno or 0, "")
    return told + remedy() if exc.errno in _REFUSALS else told


def is_read_only(path: str) -> bool:
    """Whether what ``path`` is on is mounted so that nobody writes there."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def require_writable(subject: str, directory: str) -> None:
    """Raise ``InstallError`` where this user may not make files in a directory; ``subject`` begins the message."""
    if os.access(directory, os.W_OK | os.X_OK):
        return
    reason = " Its file system is mounted read-only." if is_read_only(directory) else remedy()
    raise InstallError(f"{subject}: {user()} may not write in the directory {directory}.{reason}")
