# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest plugin: append the outcome of every test to the file that ``COLLECTSSL_TEST_RESULTS`` names.

The runner counts from that file, because one session may start pytest many times, through ansible-test or not.
Each line is a JSON object: ``{"test": node id, "outcome": passed | failed | skipped, "reason": str, "seconds": …}``,
with the lists ``tried`` and ``matrix`` where the test recorded something so named; ``tests/dev/tried.py`` reads these.
A line without ``test`` has what the session says of itself: the versions that it ran.
"""

from __future__ import annotations

import collections
import json
import os
import typing as t

import collectssl_versions

if t.TYPE_CHECKING:  # pragma: no cover
    import pytest

_SHOWN = 500
"""How many characters of an exception are kept."""

_KEPT = ("tried", "matrix")
"""The properties of a test that are written down."""


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        said = f"{os.path.basename(crash.path)}, line {crash.lineno}: {crash.message}"
    else:
        # Of a file that could not be imported, and of a fixture that there is not, the end says why.
        said = str(report.longrepr or "")[-_SHOWN:]
    return " ".join(said.split())[:_SHOWN]


class Recorder:
    """Writes down what pytest reports, a test at a time."""

    def __init__(self, results: str) -> None:
        # As it was at the beginning: a test may take away what is in the environment.
        self._results = results
        # By test, for those that are not over.
        self._seconds: dict[str, float] = collections.defaultdict(float)
        self._lines: dict[str, list[dict[str, t.Any]]] = collections.defaultdict(list)

    def pytest_sessionstart(self) -> None:
        """Write down which libraries there are, and begin to notice programs."""
        collectssl_versions.listen()
        self._append({"tried": collectssl_versions.libraries()})

    def pytest_sessionfinish(self) -> None:
        """Write down which programs the tests started."""
        programs = collectssl_versions.programs()
        if programs:
            self._append({"tried": programs})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the call, and set-up or tear-down only where it isn't the ordinary pass."""
        self._seconds[report.nodeid] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self._add(report)
        if report.when == "teardown":
            # By now, it has recorded all that it will; where the tear-down failed, its line is the last one.
            for name, value in report.user_properties:
                if name in _KEPT and self._lines[report.nodeid]:
                    self._lines[report.nodeid][-1].setdefault(name, []).append(str(value))
            self._write(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that could not be imported, or that skipped itself, as one test."""
        if report.outcome != "passed":
            self._add(report)
            self._write(report.nodeid)

    def pytest_unconfigure(self) -> None:
        """Write what is known of tests that never came to their end."""
        for test in list(self._lines):
            self._write(test)

    def _add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        self._lines[report.nodeid].append(
            {"test": report.nodeid, "outcome": report.outcome, "reason": _reason(report), "seconds": 0.0}
        )

    def _write(self, test: str) -> None:
        """Write the lines of a test; the first one has all of its time."""
        lines = self._lines.pop(test, [])
        seconds = self._seconds.pop(test, 0.0)
        if lines:
            lines[0]["seconds"] = round(seconds, 3)
        for line in lines:
            self._append(line)

    def _append(self, line: dict[str, t.Any]) -> None:
        # One write of one short line in append mode: several processes may share the file.
        with open(self._results, "a", encoding="utf-8") as results:
            results.write(json.dumps(line) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, in the process that reports alone."""
    results = os.environ.get("COLLECTSSL_TEST_RESULTS")
    if results and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(results), "collectssl-recorder")
