# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the integration tests. A target's conftest.py imports them."""

from __future__ import annotations

import pathlib
import shutil
import tempfile
import typing as t

import pytest

from .lab import Lab
from .simulator import ACCOUNTS, SimulatorProcess


@pytest.fixture(scope="session")
def session_lab() -> t.Iterator[Lab]:
    """A laboratory for all tests of a target; it is gone when they are over."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="collectssl-"))
    try:
        with SimulatorProcess(folder / "simulator", {"accounts": ACCOUNTS, "orders": []}) as simulator:
            lab = Lab(folder, simulator)
            yield lab
            lab.forget_proofs()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def lab(session_lab: Lab) -> Lab:
    """The laboratory, with no call on record, no fault posted and no host."""
    session_lab.simulator.reset()
    shutil.rmtree(session_lab.folder / "hosts", ignore_errors=True)
    return session_lab
