# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of the checkout are that a fleet needs."""

from __future__ import annotations

import functools
import pathlib

PACKAGE = pathlib.Path(__file__).resolve().parent
FLEET = PACKAGE.parents[1]
FILES = FLEET / "files"
"""What hosts have on their disks."""
SHELL = FLEET / "shell"
"""What builds the fleet, and what changes a host."""


@functools.cache
def shell(name: str) -> str:
    """A script as text: a host sees no file of this machine."""
    return (SHELL / f"{name}.sh").read_text(encoding="utf-8")
