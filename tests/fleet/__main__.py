# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 tests/fleet"""

from __future__ import annotations

import pathlib
import runpy
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 10):  # noqa: UP036 - whoever calls it with an older one wants a sentence
        sys.exit("The fleet needs Python 3.10 or newer.")
    runpy.run_path(str(pathlib.Path(__file__).resolve().parents[1] / "support" / "importable.py"))
    try:
        from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet._cli import main
    except ModuleNotFoundError as exc:
        sys.exit(f"The fleet needs the Python package {exc.name}; use an environment that has it, or `make fleet`.")
    sys.exit(main())
