# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of each session, and the table at the end of `make test`."""

from __future__ import annotations

import collections
import json
import pathlib
import re
import sys
import typing as t

import plan
import slowest
import tried

TAIL = 60
"""How many lines of a failed session's log are shown."""

SANITY_SKIP = re.compile(r"^WARNING: (Skipping .*)$", re.MULTILINE)
"""How ansible-test says that it left a sanity test out."""


class SessionResult(t.NamedTuple):
    """What became of one session."""

    session: str
    passed: int
    failed: tuple[str, ...]
    """Which tests, and why; a session that does not count its tests is one."""
    skipped: tuple[str, ...]
    """Why, once for each test or session that did not run."""
    seconds: float | None
    detail: str
    tests: tuple[slowest.TimedTest, ...] = ()
    """How long each of its tests took, where they are recorded."""
    record: tried.Record = tried.Record()
    """What its tests tried."""

    @classmethod
    def not_run(cls, session: str, reason: str) -> SessionResult:
        """Return the result of a session that this machine can't run."""
        return cls(session, 0, (), (f"{session}: {reason}",), None, reason)

    @classmethod
    def of(
        cls, job: plan.Job, status: int | None, seconds: float, log: pathlib.Path, results: pathlib.Path
    ) -> SessionResult:
        """Return the result of a session that ended with ``status`` (None: it was ended after too long a time)."""
        lines = _recorded(results)
        records = [line for line in lines if "test" in line]
        passed, failed, reasons = _counted(records)
        record = tried.Record.of(lines)
        failed += record.mistakes
        whole = f"{job.session} as a whole, see {log}"
        detail = "took too long" if status is None else ""
        if job.counts_tests:
            if status == 0 and not failed and not passed and job.optional and reasons:
                return cls.not_run(job.session, reasons[0].removeprefix("Skipped: "))
            if status == 0 and not failed and not passed:
                failed, detail = [whole], "no test ran"
        else:
            passed = int(status == 0)
            reasons = sorted(set(SANITY_SKIP.findall(log.read_text(encoding="utf-8", errors="replace"))))
        if status != 0 and not failed:
            failed = [whole]
        skipped = tuple(f"{job.session}: {why}" for why in reasons)
        tests = tuple(slowest.TimedTest(job.session, _name(record), record["seconds"]) for record in records)
        return cls(job.session, passed, tuple(failed), skipped, seconds, detail, tests, record)

    @property
    def word(self) -> str:
        """The result in a word or two."""
        if self.seconds is None:
            return "not run"
        return "failed" if self.failed else "passed"

    def line(self) -> str:
        """Return it as one line of the table."""
        seconds = "" if self.seconds is None else f"{self.seconds:.0f} s"
        counts = f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"
        more = f" ({self.detail})" if self.detail else ""
        return f"{self.session:<18} {self.word:<8} {seconds:>7}  {counts}{more}"

    def report(self, logs: pathlib.Path) -> str:
        """Return the end of the session's log, for a session that failed."""
        log = logs / f"{self.session}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "".join(f"    | {line}\n" for line in lines[-TAIL:]) + f"    the whole log: {log}\n"


def _recorded(results: pathlib.Path) -> list[dict[str, t.Any]]:
    """Return what the pytest plugin ``collectssl_results`` wrote down."""
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def _name(record: dict[str, t.Any]) -> str:
    """Return the test's node id; ansible-test runs its targets from folders with names that nobody knows."""
    return str(record["test"]).rpartition("/targets/")[2]


def _counted(records: list[dict[str, t.Any]]) -> tuple[int, list[str], list[str]]:
    """Return how many tests passed, which ones failed, and why the others were skipped."""
    by_outcome: dict[str, list[dict[str, t.Any]]] = collections.defaultdict(list)
    for record in records:
        by_outcome[record["outcome"]].append(record)
    failed = [f"{_name(record)}: {record['reason']}".removesuffix(": ") for record in by_outcome["failed"]]
    return len(by_outcome["passed"]), failed, [record["reason"] for record in by_outcome["skipped"]]


def show(results: list[SessionResult], missing: list[str], output: pathlib.Path) -> int:
    """Print the tables, the slowest tests, what did not run, what failed and the final count; return the exit status.

    The whole of what is shown in short goes into the folder ``output``.
    """
    write = sys.stdout.write
    write("\n")
    for result in results:
        write(result.line() + "\n")
    write(slowest.block([test for result in results for test in result.tests]))
    record = tried.Record.joined(result.record for result in results)
    if record.cells:
        matrix = output / tried.MATRIX
        matrix.write_text(record.whole_matrix(), encoding="utf-8")
        write(record.short_matrix(matrix))
    write(record.table())
    skipped = [why for result in results for why in result.skipped] + missing
    for why, times in collections.Counter(skipped).items():
        write(f"not run: {why}" + (f" ({times} times)" if times > 1 else "") + "\n")
    for result in results:
        for test in result.failed:
            write(f"failed: {result.session}: {test}\n")
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failed) for result in results)
    write(f"\n{passed} passed, {failed} failed, {len(skipped)} skipped\n")
    return 0 if passed and not failed else 1
