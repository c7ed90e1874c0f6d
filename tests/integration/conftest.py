# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the integration tests. A target's aliases have ansible-test copy this file with the target."""

from __future__ import annotations

from ansible_collections.certfleet.collectssl.tests.support.fixtures import lab, session_lab

__all__ = ["lab", "session_lab"]
