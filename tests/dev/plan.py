# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order `make test` runs the sessions, and what may not run side by side.

Which sessions there are, with which Python and in which group, noxfile.py says alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import tree

# The first time on a machine, the root file systems of the fleet's hosts are made. One worker has the fleet and all
# that is not integration tests to do meanwhile, which is about as much.
GROUPS = ("fleet", "integration", "sanity", "units", "lint")
"""The parts of `make test`, the long ones first, so that no worker is left with one of them at the end."""

ALONE = ("integration", "sanity")
"""Groups of which no two sessions run at one time.

Integration tests watch what happens at one time, and share the processors badly with their like. The sanity tests of
all series make their environments in one folder of the home.
"""

LONG = ("galaxy-import", "ansible-lint", "docs-check", "typing")
"""Sessions that go before the others of their group, the longest first."""


class Job(t.NamedTuple):
    """One nox session."""

    session: str
    python: str | None
    """The interpreter that it can't do without; None where the one that runs nox will do."""
    tags: tuple[str, ...]

    @property
    def group(self) -> str:
        """Which part of `make test` it is."""
        groups = [tag for tag in self.tags if tag in GROUPS]
        if len(groups) != 1:
            # It would never run when parts are run one by one, and nobody would see.
            sys.exit(f"noxfile.py has to give the session {self.session} one tag of {', '.join(GROUPS)}")
        return groups[0]

    @property
    def counts_tests(self) -> bool:
        """Whether pytest records each test; other jobs count as one."""
        return "pytest" in self.tags

    @property
    def optional(self) -> bool:
        """Whether all of its tests may be skipped, each saying why this machine can't run it."""
        return self.group == "fleet"

    @property
    def alone_in(self) -> str | None:
        """No two jobs with the same word here run at one time."""
        return self.group if self.group in ALONE else None


def _rank(job: Job) -> tuple[int, int]:
    return GROUPS.index(job.group), LONG.index(job.session) if job.session in LONG else len(LONG)


def jobs() -> list[Job]:
    """Return all jobs in the order in which they start; of two that are alike, the one with the newest versions."""
    nox = [sys.executable, "-m", "nox", "--list", "--json"]
    listed = json.loads(subprocess.run(nox, cwd=tree.CHECKOUT, stdout=subprocess.PIPE, check=True).stdout)
    found = [Job(entry["session"], entry["python"] or None, tuple(entry["tags"])) for entry in listed]
    found.reverse()
    return sorted(found, key=_rank)
