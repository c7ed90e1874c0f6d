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

OLDEST, NEWEST = CORES[0], CORES[-1]

OLDEST_LIBRARIES = Core("2.16", "3.10", sanity=False)
"""The oldest controller that will do, with the libraries in ``requirements/oldest.txt``.

All other sessions have the newest libraries that there were when their environments were made.
"""

UNITS_OF_LIBRARIES = (
    "tests/unit/plugins/action",
    "tests/unit/plugins/lookup",
    "tests/unit/plugins/plugin_utils/_broker",
    "tests/unit/plugins/plugin_utils/_chain",
    "tests/unit/plugins/plugin_utils/_http",
    "tests/unit/plugins/plugin_utils/test_library.py",
)
TARGETS_OF_LIBRARIES = ("answers/test_forms.py", "proxies")
"""Unit tests and integration targets in which these libraries have a part, of the latter as many as show it."""

UNITS_APART_FROM_CORE = (
    "tests/unit/dev",
    "tests/unit/simulator",
    "tests/unit/test_imports.py",
    "tests/unit/plugins/module_utils/test_pem.py",
    "tests/unit/plugins/module_utils/test_text.py",
    "tests/unit/plugins/module_utils/_wire",
    "tests/unit/plugins/module_utils/_endpoint",
    "tests/unit/plugins/module_utils/_deploy/test_detached.py",
    "tests/unit/plugins/module_utils/_deploy/test_engine.py",
    "tests/unit/plugins/module_utils/_deploy/test_looks.py",
    "tests/unit/plugins/module_utils/_deploy/test_services.py",
    "tests/unit/plugins/module_utils/_deploy/test_temporary.py",
    "tests/unit/plugins/module_utils/_deploy/test_units.py",
    "tests/unit/plugins/plugin_utils/_chain",
    "tests/unit/plugins/plugin_utils/_http",
    "tests/unit/plugins/plugin_utils/test_outcome.py",
)
"""Unit tests in which ansible-core has hardly a part, so that once is enough: they have a session of their own.

It runs on the newest Python, with the newest series. An older Python proves nothing more: those of managed hosts are
started by the tests themselves, and what only a controller runs is run on its oldest by the integration tests.
"""

UNITS_ON_SOME_CORES = {
    **dict.fromkeys(UNITS_APART_FROM_CORE, ()),
    # Faults are over, and said in words, before ansible-core hears of them.
    "tests/unit/plugins/test_fault_matrix.py": (NEWEST,),
    # Thousands of modules, each killed at another call; what there is of ansible-core in them hardly changes.
    "tests/unit/plugins/module_utils/_install/test_install_killed.py": (OLDEST, NEWEST),
    "tests/unit/plugins/module_utils/_deploy/test_deploy.py": (OLDEST, NEWEST),
    # Hundreds of installations under attack, and as little of ansible-core.
    "tests/unit/plugins/module_utils/_install/test_attacks_*.py": (OLDEST, NEWEST),
}
"""Unit tests that the session of not every ansible-core has to run, and those whose do."""

TARGETS_ON_SOME_CORES = {
    # What providers and proxies do to an answer is over before ansible-core hears of it.
    "answers": (NEWEST,),
    "proxies": (NEWEST,),
    # What other users do to files has little to do with ansible-core, but for its helpers for attributes.
    "attacks": (OLDEST, NEWEST),
    # The oldest series takes every Python of TARGET_PYTHONS on a managed host, newer ones drop some.
    "target_pythons": (OLDEST,),
    # What is sent to a host is decided before ansible-core sends it.
    "costs": (NEWEST,),
    # Which command a look is, and what its answer means, has nothing to do with ansible-core.
    "quick_look": (OLDEST, NEWEST),
    # What real servers show, and how they take new files, has nothing to do with it either.
    "endpoint_servers": (OLDEST, NEWEST),
    # With the series in between, the fleet runs them.
    "collectssl_deploy": (OLDEST, NEWEST),
    "playbook_deploy": (OLDEST, NEWEST),
    "playbook_report": (OLDEST, NEWEST),
    "role_collectssl_deploy": (OLDEST, NEWEST),
    "tls_endpoint_info": (OLDEST, NEWEST),
    # Since 2.19, workers have their progress shown by the process that started them.
    "waiting": (OLDEST, NEWEST),
}
"""Integration targets that not every version of ansible-core has to run, and those that do."""


def units_left_to_others(core: Core) -> tuple[str, ...]:
    """Which unit tests other series run."""
    return tuple(pattern for pattern, cores in UNITS_ON_SOME_CORES.items() if core not in cores)


def targets_left_to_others(core: Core) -> tuple[str, ...]:
    """Which integration targets other series run."""
    return tuple(target for target, cores in TARGETS_ON_SOME_CORES.items() if core not in cores)


TARGET_PYTHONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
"""What a managed host may run."""
