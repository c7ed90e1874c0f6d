# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every soak has: its share of the time, a seed, and a row in the table."""

from __future__ import annotations

import pathlib
import time
import typing as t

import hypothesis
import pytest
from ansible_collections.certfleet.collectssl.tests.soak import results
from ansible_collections.certfleet.collectssl.tests.soak.mutation.table import Findings
from ansible_collections.certfleet.collectssl.tests.soak.soaking import Soak

# In a CI system, Hypothesis tries the same examples each time.
hypothesis.settings.load_profile("default")

_COUNTED = "counted by the soak"
_MUTANTS = "mutants of the soak"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long, and where the table goes."""
    parser.addoption("--minutes", type=float, default=1.0, help="for each soak")
    parser.addoption("--seed", type=int, default=time.time_ns() % 1_000_000_007)
    parser.addoption("--commit", default="not told")
    parser.addoption("--corpus", type=pathlib.Path, help="the file for what a guided fuzz found out")
    parser.addoption("--results", type=pathlib.Path, help="the file for the table")


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> t.Iterator[Soak]:
    """The means of a soak."""
    value = Soak(60 * request.config.getoption("--minutes"), request.config.getoption("--seed"))
    yield value
    # What is still here when the test is over is found in its report.
    request.node.user_properties.append((_COUNTED, dict(value.counts)))
    request.node.user_properties.append((_MUTANTS, value.mutants))


class _Table:
    """Collects the rows, prints them, and writes the file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._found: list[results.Found] = []
        self._mutants: list[Findings] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put together what the three parts of a test say."""
        test = report.nodeid
        self._seconds[test] = self._seconds.get(test, 0) + report.duration
        if self._outcomes.get(test, "passed") == "passed":
            self._outcomes[test] = report.outcome
        if report.when == "teardown":
            name = test.rpartition("::")[2].removeprefix("test_").replace("_", " ").replace("[", ": ").rstrip("]")
            counts = dict(report.user_properties).get(_COUNTED, {})
            self._mutants += t.cast("list[Findings]", dict(report.user_properties).get(_MUTANTS, []))
            seed = self._config.getoption("--seed")
            self._found.append(
                results.Found(name, self._outcomes[test], self._seconds[test], seed, t.cast(dict[str, int], counts))
            )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, and write the file if there is to be one."""
        terminalreporter.write("\n" + results.table(self._found))
        terminalreporter.write(results.mutants(self._mutants))
        path = self._config.getoption("--results")
        if path and self._found:
            minutes, commit = self._config.getoption("--minutes"), self._config.getoption("--commit")
            path.write_text(results.document(self._found, self._mutants, commit, minutes), encoding="utf-8")
            terminalreporter.write(f"\nwritten to {path}\n")


def pytest_configure(config: pytest.Config) -> None:
    """Make the table."""
    config.pluginmanager.register(_Table(config), "collectssl-soak-table")
