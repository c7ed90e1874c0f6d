# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test needs: the collection under its name."""

from __future__ import annotations

import importlib
import pathlib
import runpy

try:
    importlib.import_module("ansible_collections.certfleet.collectssl.tests.support")
except ImportError:
    runpy.run_path(str(pathlib.Path(__file__).resolve().parent / "support" / "importable.py"))
