# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every measurement has: its sizes, hosts, and rows in the table."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.bench import measuring, results
from ansible_collections.certfleet.collectssl.tests.bench.fleets import Contender
from ansible_collections.certfleet.collectssl.tests.support import fixtures

session_lab = fixtures.session_lab
lab = fixtures.lab

_ROWS = "rows of the bench"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much, and where the table goes."""
    parser.addoption("--turns", type=int, default=3)
    parser.addoption("--hosts", type=int, default=20)
    parser.addoption(
        "--many", type=int, default=1000, help="hosts of the largest fleet, and orders of the longest list"
    )
    parser.addoption("--commit", default="not told")
    parser.addoption("--command", default="make bench")
    parser.addoption("--results", type=pathlib.Path, help="the file for the table")


class Bench:
    """The means of one test."""

    def __init__(self, config: pytest.Config) -> None:
        self.turns: int = config.getoption("--turns")
        self.hosts: int = config.getoption("--hosts")
        self.many: int = config.getoption("--many")
        self.rows: list[results.Row] = []

    def take_turns(
        self,
        contenders: t.Sequence[Contender],
        before: t.Mapping[str, t.Callable[[], object]] | None = None,
        rarely: t.Sequence[str] = (),
    ) -> None:
        """Run all of them, so often, one after the other, each turn beginning with another.

        :arg before: what has to be done before a run of one, by its name.
        :arg rarely: names of those that are too slow to be run more than once.
        """
        for turn in range(self.turns):
            begin = turn % len(contenders)
            for contender in [*contenders[begin:], *contenders[:begin]]:
                if contender.name in rarely and turn >= 1:
                    continue
                (before or {}).get(contender.name, _nothing)()
                contender.run()

    def compare(
        self, what: str, one: Contender, to: Contender, less: Contender, bound: float | None
    ) -> measuring.Ratio:
        """Note the ratio of two of those that took turns, and the start-up of Ansible taken off both."""
        found = measuring.ratio(one.costs, to.costs, less.costs)
        self.note(what, f"{found.seconds}; processors {found.processors}", found.seconds.median, bound)
        return found

    def note(self, what: str, found: str, value: float = 0, bound: float | None = None) -> None:
        """Note a row."""
        self.rows.append(results.Row(what, found, value, bound))


def _nothing() -> None:
    pass


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> t.Iterator[Bench]:
    """The means of a measurement."""
    value = Bench(request.config)
    yield value
    request.node.user_properties.append((_ROWS, value.rows))


class _Table:
    """Collects the rows, prints them, and writes the file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._rows: list[results.Row] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test noted."""
        if report.when == "teardown":
            self._rows += t.cast("list[results.Row]", dict(report.user_properties).get(_ROWS, []))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table, and write the file if there is to be one."""
        terminalreporter.write("\n" + results.table(self._rows))
        path = self._config.getoption("--results")
        if path and self._rows:
            commit, command = self._config.getoption("--commit"), self._config.getoption("--command")
            path.write_text(results.document(self._rows, commit, command), encoding="utf-8")
            terminalreporter.write(f"\nwritten to {path}\n")


def pytest_configure(config: pytest.Config) -> None:
    """Make the table."""
    config.pluginmanager.register(_Table(config), "collectssl-bench-table")
