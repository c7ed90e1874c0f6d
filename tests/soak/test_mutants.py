# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small changes to the code that everything is trusted to, a sample of them as large as the time allows.

Of a hundred that are tried, the tests beside the code are to kill at least 95. What survives has its reason in
``mutation/survivors.toml``. First the tests run as they are, to see which of them run which line; that time is not
counted.

Two tools were looked at: mutmut 3 leaves out what stands outside functions and what is decorated, and takes away no
statement and no operand; cosmic-ray runs all tests from their start for every mutant.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.mutation import table
from ansible_collections.certfleet.collectssl.tests.soak.soaking import CORES, Soak
from ansible_collections.certfleet.collectssl.tests.support import places

_LEAST = 95
_TRIAL = "ansible_collections.certfleet.collectssl.tests.soak.mutation.trial"


@pytest.mark.parametrize("package", subjects.MUTATED)
def test_mutants(package: str, soak: Soak, tmp_path: pathlib.Path, record_property: t.Callable[..., None]) -> None:
    report = tmp_path / "report"
    command = [sys.executable, "-m", "pytest", "-p", "ansible_pytest_collections", "-p", _TRIAL, "-q", "-s"]
    command += ["-p", "no:cacheprovider", f"--mutants-of={package}", f"--mutants-seconds={soak.seconds}"]
    command += [f"--mutants-seed={soak.seed}", f"--mutants-workers={CORES}", f"--mutants-report={report}"]
    run = subprocess.run(
        [*command, *subjects.MUTATED[package]],
        cwd=places.COLLECTION,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert report.exists(), run.stdout
    found = table.findings(package, report)
    soak.counts.update({"tried": found.tried, "killed": found.killed})
    soak.counts.update({"survived for a reason": len(found.known), "survived": len(found.unknown)})
    soak.mutants.append(found)
    record_property("tried", f"mutant: {package}: {found.tried}")
    assert not found.faults, "\n".join(found.faults)
    assert found.tried, run.stdout
    assert not found.unknown or found.rate >= _LEAST, f"{found.rate:.1f} of 100 killed; these survived:\n" + "\n".join(
        f"{file}: {where}:\n    {before}\n    {after}" for file, where, before, after in found.unknown
    )
