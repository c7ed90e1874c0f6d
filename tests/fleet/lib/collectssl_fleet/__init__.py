# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of hosts in namespaces of one machine, for tests and rehearsals; ../README.md tells how to use it."""

from __future__ import annotations

from ._certificates import SERVER_NAME, Initial
from ._errors import CannotRun, FleetError
from ._fleet import Fleet
from ._host import Host
from ._plan import Endpoint
from ._prober import Observation, Prober
from ._trap import Call, Trap

__all__ = [
    "SERVER_NAME",
    "Call",
    "CannotRun",
    "Endpoint",
    "Fleet",
    "FleetError",
    "Host",
    "Initial",
    "Observation",
    "Prober",
    "Trap",
]
