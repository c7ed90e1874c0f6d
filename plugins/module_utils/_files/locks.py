# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advisory locks on directories: one transaction at a time, and no plan made from a half-changed state.

The kernel releases them when their holder ends, however it ends.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import errno
import fcntl
import os
import time
from typing import Iterable, Iterator, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: Seconds to wait for another run, whose validation command may take its time, before giving up.
PATIENCE = 300.0

_PAUSE = 0.05

# Some network file systems do not lock directories. Not to install at all would be worse there.
_NO_LOCK = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def locked(directories: Iterable[str], exclusive: bool) -> Iterator[None]:
    """Hold a lock on every directory that exists and can be read.

    Shared by those who look, exclusive for the one who changes. Raises ``InstallError`` when another run does not
    come to its end within ``PATIENCE``.
    """
    descriptors: List[int] = []
    try:
        for directory in _in_order(directories):
            descriptor = _open(directory)
            if descriptor is not None:
                descriptors.append(descriptor)
                _acquire(descriptor, directory, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _in_order(directories: Iterable[str]) -> List[str]:
    # By inode, so that every run locks in the same order and no run waits for itself at a directory of two names.
    identities = {}
    for directory in directories:
        try:
            status = os.stat(directory)
        except OSError:
            continue  # the plan says what is wrong with it
        identities[(status.st_dev, status.st_ino)] = directory
    return [directory for dummy, directory in sorted(identities.items())]


def _open(directory: str) -> Optional[int]:
    try:
        return os.open(directory, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError as exc:
        if exc.errno in (errno.EACCES, errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def _acquire(descriptor: int, directory: str, kind: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except OSError as exc:
            if exc.errno in _NO_LOCK:
                return
            if exc.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise
        if time.monotonic() > deadline:
            raise InstallError(
                f"{directory}: another run has been installing files there for more than {PATIENCE:.0f} seconds. "
                "Nothing was changed; wait for that run, or end it, and run again.",
                settled=True,
            )
        time.sleep(_PAUSE)
