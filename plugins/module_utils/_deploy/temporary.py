# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A temporary folder for as long as some work takes, which outlives the module that was sent for it.

What it is for are files with private keys, for a moment each. So what a run left that was killed just then is removed
by the next one.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from typing import Iterator, Optional

_PREFIX = "ansible-certfleet-"

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def folder() -> Iterator[str]:
    """The path of a folder of this user's alone, which is gone at the end; raises ``OSError``."""
    _sweep()
    descriptor = None
    while descriptor is None:
        path = tempfile.mkdtemp(prefix=_PREFIX)
        # Another run may have taken it for one that was left, before it was held.
        descriptor = _held(path, must_lock=False)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _sweep() -> None:
    """Remove what runs left that were killed; those that are under way hold theirs."""
    above = tempfile.gettempdir()
    with contextlib.suppress(OSError):
        for name in os.listdir(above):
            if name.startswith(_PREFIX):
                _remove(os.path.join(above, name))


def _remove(path: str) -> None:
    # Of somebody else's nothing is known but the name.
    with contextlib.suppress(OSError):
        if os.lstat(path).st_uid != os.geteuid():
            return
        descriptor = _held(path, must_lock=True)
        if descriptor is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _held(path: str, must_lock: bool) -> Optional[int]:
    """A descriptor that holds the folder, None where somebody else does, or has removed it; raises ``OSError``.

    There are file systems without locks: ``must_lock`` says whether that is an error.
    """
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        if must_lock:
            os.close(descriptor)
            raise
    if os.path.isdir(path):
        return descriptor
    os.close(descriptor)
    return None
