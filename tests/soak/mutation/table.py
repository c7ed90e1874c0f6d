# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mutants survive for a reason, and what a report of trials says."""

from __future__ import annotations

import ast
import dataclasses
import json
import pathlib
import typing as t

import tomllib  # type: ignore[import-not-found]
from ansible_collections.certfleet.collectssl.tests.soak.mutation import operators
from ansible_collections.certfleet.collectssl.tests.support import places

Key = tuple[str, str, str, str]

_SURVIVORS = pathlib.Path(__file__).with_name("survivors.toml")


def reasons(package: str) -> dict[Key, str]:
    """By mutant of a package, why it survives."""
    listed = tomllib.loads(_SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    found = {(one["file"], one["where"], one["before"], one["after"]): one["reason"] for one in listed}
    return {key: reason for key, reason in found.items() if key[0].startswith(f"{package}/")}


def all_mutants(package: str) -> set[Key]:
    """Every mutant of a package."""
    found: set[Key] = set()
    for path in sorted((places.COLLECTION / package).glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(places.COLLECTION).as_posix()
        found.update(mutant.key for mutant in operators.mutants(file, tree))
    return found


@dataclasses.dataclass
class Findings:
    """What was found in trying the mutants of a package."""

    package: str
    tests: int
    killed: int
    known: dict[Key, str]
    """Survivors with a reason."""
    unknown: list[Key]
    """Survivors without one."""
    stale: list[Key]
    """What has a reason to survive, and did not, or is not there."""
    faults: list[str]
    """What kept mutants from being tried, and tests that fail without one."""

    @property
    def tried(self) -> int:
        """How many mutants were tried."""
        return self.killed + len(self.known) + len(self.unknown)

    @property
    def rate(self) -> float:
        """How many of 100 were killed."""
        return 100 * self.killed / max(self.tried, 1)


def findings(package: str, report: pathlib.Path) -> Findings:
    """Read the report of a run."""
    facts: list[dict[str, t.Any]] = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    tried = [(t.cast(Key, tuple(fact["key"])), fact) for fact in facts if "key" in fact]
    killed = [key for key, fact in tried if fact["outcome"] == "killed"]
    survived = [key for key, fact in tried if fact["outcome"] == "survived"]
    why = reasons(package)
    faults = [fact["how"] for _key, fact in tried if fact["outcome"] == "not tried"]
    faults += [f"{fact[_ALONE]} fails without a mutant: {fact['how']}" for fact in facts if _ALONE in fact]
    return Findings(
        package,
        next((fact["tests"] for fact in facts if "mutants" in fact), 0),
        len(killed),
        {key: why[key] for key in survived if key in why},
        [key for key in survived if key not in why],
        # A statement may stand twice in a function, and one of the two be killed.
        sorted({*why}.difference(survived).intersection(killed) | {*why}.difference(all_mutants(package))),
        faults,
    )


_ALONE = "failed without a mutant"
