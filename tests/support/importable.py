# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the collection importable by its name, for everything that tests it or helps with that.

Tests, fleet, demonstration and sessions all say ``ansible_collections.certfleet.collectssl.tests.support``, so that a
file has one name whoever imports it. ansible-test's plugin for pytest sees to that name itself. Anywhere else the
checkout may have any name and stand anywhere, so the packages above it are made up here. Whatever is started first runs
this file by its path: ``tests/conftest.py`` for all that pytest runs, and each program for itself.
"""

from __future__ import annotations

import pathlib
import sys
import types

_PARTS = ("ansible_collections", "certfleet", "collectssl")

for _depth in range(1, len(_PARTS) + 1):
    _module = types.ModuleType(".".join(_PARTS[:_depth]))
    _module.__path__ = [str(pathlib.Path(__file__).resolve().parents[2])] if _depth == len(_PARTS) else []
    sys.modules[_module.__name__] = _module
    if _depth > 1:
        setattr(sys.modules[".".join(_PARTS[: _depth - 1])], _PARTS[_depth - 1], _module)
