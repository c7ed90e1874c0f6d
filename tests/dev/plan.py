# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `make test` runs, in which order, and what may not run side by side."""

from __future__ import annotations

import typing as t

import matrix


class Job(t.NamedTuple):
    """One nox session."""

    session: str
    group: str
    """Which of `make lint`, `make units`, `make sanity`, `make integration` runs it; `fleet` is a session alone."""
    python: str | None = None
    """The interpreter that it can't do without; None where the one that runs nox will do."""
    alone_in: str | None = None
    """No two jobs with the same word here run at one time."""
    counts_tests: bool = False
    """Whether pytest records each test; other jobs count as one."""
    optional: bool = False
    """Whether all of its tests may be skipped, each saying why this machine can't run it."""


def jobs() -> list[Job]:
    """Return all jobs, the long ones first, so that no worker is left with one of them at the end."""
    # Integration tests watch what happens at one time, and share the processors badly with their like.
    # The sanity tests of all series make their environments in one folder of the home.
    integration = [
        Job(f"integration-{core.series}", "integration", core.python, "integration", counts_tests=True)
        for core in reversed(matrix.CORES)
    ]
    sanity = [Job(f"sanity-{core.series}", "sanity", core.python, "sanity") for core in matrix.CORES if core.sanity]
    units = [Job(f"units-{core.series}", "units", core.python, counts_tests=True) for core in reversed(matrix.CORES)]
    sessions = (
        "galaxy-import",
        "ansible-lint",
        "docs-check",
        "typing",
        "style",
        "yamllint",
        "extra-checks",
        "license-check",
    )
    # The first time on a machine, the root file systems of the fleet's hosts are made. One worker has the fleet and all
    # that is not integration tests to do meanwhile, which is about as much.
    fleet = Job("fleet", "fleet", matrix.FLEET.python, counts_tests=True, optional=True)
    return [fleet, *integration, *sanity, *units, *(Job(name, "lint") for name in sessions)]
