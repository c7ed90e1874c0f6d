# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time, the processor cores and the counts of a soak."""

from __future__ import annotations

import collections
import concurrent.futures
import multiprocessing
import multiprocessing.synchronize
import os
import random
import tempfile
import time
import traceback
import typing as t

from ansible_collections.certfleet.collectssl.tests.soak.mutation.table import Findings

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
_MEMORY = "/dev/shm"


class Share:
    """What one of the processes has that do the work of a soak."""

    def __init__(self, number: int, seed: int, until: float) -> None:
        self.number = number
        """From 0 to CORES - 1."""
        self.seed = seed
        self.rng = random.Random(f"{seed}/{number}")  # noqa: S311
        self.counts: collections.Counter[str] = collections.Counter()
        """What was tried, by kind."""
        self._until = until

    def going_on(self) -> bool:
        """Whether there is time left, and no other process has failed."""
        return time.monotonic() < self._until and not _failed.is_set()


class Soak:
    """The means of one test."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.seconds = seconds
        self.seed = seed
        self.counts: collections.Counter[str] = collections.Counter()
        self.mutants: list[Findings] = []
        """What was found in trying mutants."""

    def spread(self, work: t.Callable[[Share], None]) -> None:
        """Have ``work`` done by a process for each core, until the time is over or one of them fails.

        ``work`` has a name that can be imported, or is a ``functools.partial`` of such a function.
        """
        context = multiprocessing.get_context("fork")
        failed = context.Event()
        until = time.monotonic() + self.seconds
        problems = []
        with concurrent.futures.ProcessPoolExecutor(CORES, context, _enter, (failed,)) as pool:
            parts = [pool.submit(_work, work, number, self.seed, until) for number in range(CORES)]
            for part in concurrent.futures.as_completed(parts):
                counts, failure = part.result()
                self.counts.update(counts)
                if failure:
                    failed.set()
                    problems.append(failure)
        if problems:
            raise AssertionError(f"seed {self.seed}:\n" + "\n".join(problems))


_failed: multiprocessing.synchronize.Event


def _enter(failed: multiprocessing.synchronize.Event) -> None:
    global _failed
    _failed = failed
    # Thousands of flushes to a disk take minutes, and prove no more.
    if os.access(_MEMORY, os.W_OK):
        tempfile.tempdir = _MEMORY


def _work(
    work: t.Callable[[Share], None], number: int, seed: int, until: float
) -> tuple[collections.Counter[str], str | None]:
    """Do the work; what was counted, and what went wrong, as text, which comes through a pipe whatever it is about."""
    share = Share(number, seed, until)
    try:
        work(share)
    except Exception as exc:
        return share.counts, "".join(traceback.format_exception(exc))
    return share.counts, None
