# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the controller's side."""

from __future__ import annotations

from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils.fixture_support import (
    alone,
    identity,
    run_folder,
)

__all__ = ("alone", "identity", "run_folder")
