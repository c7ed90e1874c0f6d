# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every unit test needs: the collection on the import path.

``ansible-test`` puts it there itself. Under plain pytest the checkout may have any name and stand anywhere, so the
packages above it are made up.
"""

from __future__ import annotations

import importlib
import pathlib
import sys
import types

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def _make_importable() -> None:
    name = "ansible_collections.certfleet.collectssl"
    try:
        importlib.import_module(name + ".plugins.module_utils._errors")
    except ImportError:
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            module = types.ModuleType(".".join(parts[:depth]))
            module.__path__ = [str(_ROOT)] if depth == len(parts) else []
            sys.modules[module.__name__] = module
            if depth > 1:
                setattr(sys.modules[".".join(parts[: depth - 1])], parts[depth - 1], module)


_make_importable()
