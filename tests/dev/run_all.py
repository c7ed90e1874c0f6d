# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the test sessions, two at a time, and tell at the end what passed, what failed and what could not run.

    run_all.py [TAG or SESSION ...]

Without arguments everything runs. Every session writes a log of its own under ``tests/output/logs``. The last line is
``N passed, N failed, N skipped``: each unit and integration test counts as one, and so does each other session; what
could not run counts as skipped and is named. The exit status is 0 only when nothing failed and something passed.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time

import matrix
import plan
import programs
import summary
import tree

runpy.run_path(str(tree.CHECKOUT / "tests/support/importable.py"))

from ansible_collections.certfleet.collectssl.tests.support import interpreters  # noqa: E402 - see above

WORKERS = 2
SECONDS = 2700
"""After how long a session is ended: for one that hangs, as a slow machine may need twice the usual time."""
LOGS = tree.CHECKOUT / "tests/output/logs"


class Runner:
    """Takes jobs from a list with a few threads, and keeps apart what must not run at one time."""

    def __init__(self, jobs: list[plan.Job], pythons: dict[str, pathlib.Path]) -> None:
        self.waiting = list(jobs)
        self.total = len(jobs)
        self.pythons = pythons
        self.busy: set[str] = set()
        self.changed = threading.Condition()
        self.results: list[summary.SessionResult] = []
        self.processes: set[subprocess.Popen[bytes]] = set()

    def run(self) -> list[summary.SessionResult]:
        """Run every job and return the results in the order of the plan."""
        order = [job.session for job in self.waiting]
        # Daemons, so that an interrupt of the main thread ends the program without waiting for them.
        threads = [threading.Thread(target=self._work, daemon=True) for _number in range(WORKERS)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        finally:
            self._end()
        return sorted(self.results, key=lambda result: order.index(result.session))

    def _end(self) -> None:
        """End what still runs; only an interrupt leaves anything."""
        with self.changed:
            self.waiting.clear()
            for process in self.processes:
                _kill(process)

    def _next(self) -> plan.Job | None:
        """Take the first job that may run now, wait where there is none yet, and return None when all are taken."""
        with self.changed:
            while self.waiting:
                for job in self.waiting:
                    if job.alone_in not in self.busy:
                        self.waiting.remove(job)
                        if job.alone_in:
                            self.busy.add(job.alone_in)
                        return job
                self.changed.wait()
        return None

    def _work(self) -> None:
        while job := self._next():
            result = self._run(job)
            with self.changed:
                self.busy.discard(job.alone_in or "")
                self.results.append(result)
                sys.stdout.write(f"[{len(self.results):2}/{self.total}] {result.line()}\n")
                if result.failed:
                    sys.stdout.write(result.report(LOGS))
                sys.stdout.flush()
                self.changed.notify_all()

    def _run(self, job: plan.Job) -> summary.SessionResult:
        if job.python and job.python not in self.pythons:
            return summary.SessionResult.not_run(job.session, f"this machine has no Python {job.python}")
        log = LOGS / f"{job.session}.log"
        results = LOGS / f"{job.session}.jsonl"
        started = time.monotonic()
        status = self._nox(job.session, log, results)
        return summary.SessionResult.of(job, status, time.monotonic() - started, log, results)

    def _nox(self, session: str, log: pathlib.Path, results: pathlib.Path) -> int | None:
        """Run one session; return its exit status, or None when it took too long and was ended."""
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(open(log, "wb"))
            stack.enter_context(self.changed)
            process = subprocess.Popen(
                [sys.executable, "-m", "nox", "--non-interactive", "--session", session],
                cwd=tree.CHECKOUT,
                env={**os.environ, "COLLECTSSL_TEST_RESULTS": str(results), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.processes.add(process)
        try:
            return process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _kill(process)
            process.wait()
            with self.changed:
                self.processes.discard(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a session with whatever its tests left running; there is no such group where nothing was left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _choose(words: list[str]) -> list[plan.Job]:
    jobs = plan.jobs()
    known = {word for job in jobs for word in (job.session, *job.tags)}
    unknown = [word for word in words if word not in known]
    if unknown:
        sys.exit(f"no session or tag is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [job for job in jobs if not words or {job.session, *job.tags} & set(words)]


def main() -> int:
    """Run what the command line asks for and print the summary."""
    # The sessions are process groups of their own, so a signal to this one has to be passed on: see Runner.run.
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(128 + signal.SIGTERM))
    # Ignored in the background of a shell, and then by every test that waits for what an interrupt does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    jobs = _choose(sys.argv[1:])
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    pythons = interpreters.link(tree.CHECKOUT / ".nox/pythons", matrix.TARGET_PYTHONS)
    results = Runner(jobs, pythons).run()
    missing = programs.missing({tag for job in jobs for tag in job.tags})
    if any(job.counts_tests for job in jobs):
        missing += [
            f"tests of hosts with Python {v}: this machine has none" for v in matrix.TARGET_PYTHONS if v not in pythons
        ]
    return summary.show(results, missing, LOGS.parent)


if __name__ == "__main__":
    sys.exit(main())
