# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the fleet can't do something."""

from __future__ import annotations


class CannotRun(Exception):
    """This machine can't run a fleet; the text is one sentence that says why."""


class FleetError(Exception):
    """Something in the fleet failed that should not have; the text says what."""
