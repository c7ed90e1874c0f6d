# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions are tested: the one place that says so.

Every session name, every interpreter that is looked for and every line "not run" of the summary comes from here.
"""

from __future__ import annotations

import typing as t


class Core(t.NamedTuple):
    """An ansible-core series with the Python that runs it."""

    series: str
    python: str
    sanity: bool
    """Whether its sanity tests can pass: those of 2.16 demand Python 2 boilerplate that newer series forbid."""

    @property
    def requirement(self) -> str:
        """What pip installs for it."""
        return f"ansible-core ~= {self.series}.0"


CORES = (
    Core("2.16", "3.11", sanity=False),
    Core("2.19", "3.11", sanity=True),
    Core("2.21", "3.13", sanity=True),
)

FLEET = CORES[1]
"""What the controller of the fleet runs; that older and newer series do the same is for the integration tests."""

APART_FROM_CORE = (
    "tests/unit/simulator",
    "tests/unit/plugins/module_utils/test_pem.py",
    "tests/unit/plugins/module_utils/test_request.py",
    "tests/unit/plugins/module_utils/test_response_*.py",
    "tests/unit/plugins/plugin_utils/test_bundle.py",
    "tests/unit/plugins/plugin_utils/test_chain.py",
    "tests/unit/plugins/plugin_utils/test_client*.py",
    "tests/unit/plugins/plugin_utils/test_containers.py",
)
"""Unit tests in which ansible-core has no part: once a Python is enough."""


def left_to_others(core: Core) -> tuple[str, ...]:
    """Which unit tests a newer series runs with the same Python."""
    newer = CORES[CORES.index(core) + 1 :]
    return APART_FROM_CORE if any(other.python == core.python for other in newer) else ()


TARGET_PYTHONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
"""What a managed host may run."""
