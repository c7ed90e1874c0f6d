# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 tests/simulator: Python puts this folder on sys.path, so that the package beside this file is found."""

from __future__ import annotations

import sys

from collectssl_simulator._cli import main

sys.exit(main())
