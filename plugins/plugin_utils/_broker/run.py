# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the run that this process works for still goes on, and sleep that ends with it.

What kills ``ansible-playbook`` outright (``SIGKILL``, want of memory) leaves its workers alive, in every series of
ansible-core: each is a fork that ``multiprocessing`` made. Nobody reads what they find out, and nobody expects them to
act any more. This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import typing as t

# How long nobody looks (seconds).
_LOOK = 0.5


class Run:
    """The run of Ansible that this process is a worker of; or the process itself, where that is the run.

    A worker knows the process that made it from before it was made, and the kernel gives an orphan another parent as
    soon as its own ends: the first process of the container, or whichever process takes orphans in. That one was there
    before, so its number is never the old one, and who gets that later makes no difference.
    """

    def __init__(self) -> None:
        parent = multiprocessing.parent_process()
        self._parent = None if parent is None else parent.pid

    @property
    def is_gone(self) -> bool:
        """Whether nobody is there any more for whom this process works."""
        return self._parent is not None and os.getppid() != self._parent

    def must_go_on(self) -> None:
        """End this process where its run is gone."""
        if self.is_gone:
            leave()

    def sleep(self, seconds: float) -> None:
        """Sleep, looking now and then whether the run goes on, and a last time at the end."""
        end = time.monotonic() + seconds
        while True:
            self.must_go_on()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _LOOK))


def leave() -> t.NoReturn:
    """End this process at once; the kernel takes back its locks.

    An exception would be told to the main process over a queue that nobody reads, which may be full: the worker would
    stand there for good. Nothing here has to be put in order by a process that ends.
    """
    os._exit(1)
