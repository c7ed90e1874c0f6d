# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder ``.collectssl`` beside destinations: what a transaction keeps there, and the lock that it is.

It is of this user alone (0700), so nobody else can open it, and a lock on it can be held by nobody else. It is there
for as long as a transaction takes, or until the next run where one was interrupted. No name in it can be guessed, but
for the journal's; none has an ending that programs look for which read whole folders, and none is shown to git.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from typing import Dict, Iterable, Iterator, List, Mapping, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Place, in_folder, unique
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

NAME = ".collectssl"

#: The one name in it that is known. A transaction that may stay open while others come and go adds a random one to it.
JOURNAL = "journal"

#: How long one transaction may take before another one gives up waiting for it, in seconds.
PATIENCE = 300.0

_PAUSE = 0.05
_IGNORE = ".gitignore"

# What runs leave there: the names that are known, random ones, and those that NFS gives to what is removed while
# it is open.
_OF_RUNS = re.compile(r"(?:journal(?:-[0-9a-f]{32})?|\.gitignore|[0-9a-f]{32}|\.nfs[0-9a-f]+)\Z")

# File systems without advisory locks: there one run at a time is up to the user.
_NO_LOCK = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

_OPEN = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


class HiddenFolder(Folder):
    """The open hidden folder of ``beside``."""

    def __init__(self, descriptor: int, beside: Folder) -> None:
        Folder.__init__(self, descriptor, os.path.join(beside.path, NAME), beside)
        self.beside = beside

    @property
    def journal(self) -> Place:
        """Where the journal is of a transaction that is alone here."""
        return in_folder(self, JOURNAL)

    def journals(self) -> List[str]:
        """The names of the journals, and of notes on those that are elsewhere."""
        return [name for name in self.names() if _is_journal(name)]

    def new_name(self) -> str:
        """A name that is not in use and that nobody can guess."""
        return os.urandom(16).hex()

    def leftovers(self, but: Iterable[str] = ()) -> List[Place]:
        """What runs left in it, less these names."""
        kept = {_IGNORE, *but}
        # The journals first: without what it speaks of one would be believed all the same.
        names = sorted(self.names(), key=lambda name: not _is_journal(name))
        return [in_folder(self, name) for name in names if name not in kept]

    def is_still_there(self) -> bool:
        """Whether the name still leads to this folder."""
        status = self.beside.status(NAME)
        return status is not None and (status.st_dev, status.st_ino) == self.key

    def clear(self, but: Iterable[str] = ()) -> None:
        """Remove the files in it, less these names; raises ``OSError``."""
        disk.remove(*self.leftovers(but))

    def vanish(self) -> None:
        """Remove the folder if nothing is kept in it; whoever holds it may still use the descriptor."""
        if self.leftovers():
            return
        disk.remove(in_folder(self, _IGNORE))
        with contextlib.suppress(OSError):
            os.rmdir(NAME, dir_fd=self.beside.descriptor)


def _is_journal(name: str) -> bool:
    return name.startswith(JOURNAL)


def look(folder: Folder) -> Optional[str]:
    """Whose the hidden folder in a folder is: None where there is none, "" this user's, else why it is not."""
    try:
        status = folder.status(NAME)
    except OSError as exc:
        if exc.errno == errno.EACCES:
            return None  # nobody can have left anything for a user who may not look
        raise
    if status is None:
        return None
    return disk.distrust(status, stat.S_ISDIR) or ""


def open_existing(folder: Folder) -> Optional[HiddenFolder]:
    """The hidden folder of this user beside the files of a folder, None where there is none.

    Raises ``InstallError`` for one that somebody else could have made.
    """
    reason = look(folder)
    if reason is None:
        return None
    if reason:
        raise _foreign(folder, reason)
    try:
        descriptor = os.open(NAME, _OPEN, dir_fd=folder.descriptor)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise _foreign(folder, "it cannot be opened") from exc
    status = os.fstat(descriptor)
    reason = disk.distrust(status, stat.S_ISDIR)
    if reason:
        os.close(descriptor)
        raise _foreign(folder, reason)
    if not stat.S_IMODE(status.st_mode) & stat.S_IXUSR:
        # What the folder adds to everything in it may take rights away from the owner, too.
        os.fchmod(descriptor, 0o700)
    hidden = HiddenFolder(descriptor, folder)
    try:
        # Whoever owns the folder around it can give its name to another one of this user's, to have that emptied.
        strange = [name for name in hidden.names() if _OF_RUNS.match(name) is None]
    except BaseException:
        os.close(descriptor)
        raise
    if strange:
        os.close(descriptor)
        raise _foreign(folder, f"no run leaves {excerpt(strange[0])} there")
    return hidden


def _foreign(folder: Folder, reason: str) -> InstallError:
    return InstallError(
        f"The folder {os.path.join(folder.path, NAME)} says that another run is under way or was interrupted there, "
        f"but it cannot be acted upon: {reason}. Nothing was changed. Run again as the user of that run, or compare "
        "the files by hand and remove that folder.",
        settled=True,
    )


def _made(folder: Folder) -> HiddenFolder:
    while True:
        # The mode is to be this one at once, whatever the umask takes away.
        umask = os.umask(0o077)
        try:
            os.mkdir(NAME, 0o700, dir_fd=folder.descriptor)
        except FileExistsError:
            pass
        finally:
            os.umask(umask)
        hidden = open_existing(folder)
        if hidden is not None:
            return hidden


@contextlib.contextmanager
def locked(
    folders: Iterable[Folder], exclusive: bool, subjects: Optional[Mapping[object, str]] = None
) -> Iterator[Dict[object, HiddenFolder]]:
    """Hold the hidden folder of each of these folders; by the folder's key.

    ``subjects`` has, by that key too, what is to be installed in a folder, for messages.

    Exclusive for the one who changes, which makes those that are missing, and removes what is empty in the end. Shared
    by those who look, who get those that are there. Raises ``InstallError`` when another run does not come to its end
    within ``PATIENCE``, and for a hidden folder that somebody else could have made.
    """
    held: Dict[object, HiddenFolder] = {}
    try:
        # In the same order for every run, so that no two wait for each other.
        for folder in unique(folders):
            subject, name = (subjects or {}).get(folder.key, folder.path), os.path.join(folder.path, NAME)
            with doing(f"{subject}: the folder {name} could not be {'made' if exclusive else 'opened'}"):
                hidden = _acquired(folder, exclusive)
                if hidden is not None:
                    held[folder.key] = hidden
                    if exclusive and hidden.status(_IGNORE) is None:
                        os.close(disk.create(in_folder(hidden, _IGNORE), b"*\n"))
        yield held
    finally:
        for hidden in held.values():
            if exclusive:
                with contextlib.suppress(OSError):
                    hidden.vanish()
            os.close(hidden.descriptor)


def _acquired(folder: Folder, exclusive: bool) -> Optional[HiddenFolder]:
    deadline = time.monotonic() + PATIENCE
    while True:
        hidden = _made(folder) if exclusive else open_existing(folder)
        if hidden is None:
            return None
        try:
            _wait(hidden, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, deadline)
            # Whoever held it before has removed it in the end, so it locks nothing any more.
            if hidden.is_still_there():
                return hidden
            # Somebody who keeps moving it away must not keep this run busy for ever.
            _require_patience(hidden, deadline)
        except BaseException:
            os.close(hidden.descriptor)
            raise
        os.close(hidden.descriptor)


def _wait(hidden: HiddenFolder, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(hidden.descriptor, kind | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno in _NO_LOCK:
                return
            if exc.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise
        _require_patience(hidden, deadline)
        time.sleep(_PAUSE)


def _require_patience(hidden: HiddenFolder, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise InstallError(
            f"{hidden.beside.path}: another run has been installing files there for more than {PATIENCE:.0f} "
            "seconds. Nothing was changed; wait for that run, or end it, and run again.",
            settled=True,
        )
