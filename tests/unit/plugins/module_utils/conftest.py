# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tests of the target's side keep their files."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.records import FOLDER


@pytest.fixture(scope="session", autouse=True)
def no_records_left() -> t.Iterator[None]:
    """What root's runs write down of private keys lies outside of their folders, and goes once these are gone."""
    yield
    for record in pathlib.Path(FOLDER).glob("*"):
        with contextlib.suppress(OSError):
            lines = record.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            if not any(os.path.lexists(line.partition("  ")[2]) for line in lines):
                record.unlink()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A folder in memory where there is one: thousands of flushes to a disk take minutes, and prove no more.

    A test that is marked ``on_disk`` needs what only file systems on disks have.
    """
    memory = pathlib.Path("/dev/shm")
    if request.node.get_closest_marker("on_disk") or not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield pathlib.Path(folder)
