# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control groups of hosts with systemd, which does not start without one. They outlive their processes."""

from __future__ import annotations

import pathlib

from . import _requirements
from ._places import shell
from ._processes import MARK

_TRIAL = shell("try-control-groups")


def name(directory: pathlib.Path) -> str:
    """The group that a fleet has those of its hosts in."""
    return MARK + str(directory).replace("/", "_")


def why_not() -> str | None:
    """Why this machine can't have a host with systemd; None if it can."""
    return _requirements.refusal(["unshare", "--mount", "sh", "-c", _TRIAL, "sh", f"{MARK}-trial"])
