# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations leave records on the machine that they run on; those of these tests leave none there."""

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records


@pytest.fixture(autouse=True)
def no_records(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    """What a test counts and watches is a transaction; where records are kept is a folder of its own."""
    if "records" in request.node.path.name:
        monkeypatch.setattr(records, "FOLDER", str(tmp_path / "lib" / "certfleet" / "proven"))
    else:
        monkeypatch.setattr(records, "leave", lambda *dummy: None)
