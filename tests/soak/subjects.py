# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the soaks take from the rest of the tree; when something moves there, this is the file to change."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_answer
from ansible_collections.certfleet.collectssl.tests.support.attackers import points_of
from ansible_collections.certfleet.collectssl.tests.support.authority import NOW
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    calls_of,
    killed_at,
)
from ansible_collections.certfleet.collectssl.tests.support.response_damage import damaged, samples, seeds
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install import (
    attacked,
    test_attacks_between_calls,
    test_install_killed,
    test_install_property,
)
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._wire import test_response_property

__all__ = [
    "ATTACKS",
    "INSTALLATIONS",
    "MUTATED",
    "NOW",
    "PROPERTIES",
    "SITUATIONS",
    "Bundle",
    "ChainError",
    "CollectRequest",
    "CollectResponse",
    "ProtocolError",
    "SmallHost",
    "attack_at",
    "bundle_of_answer",
    "calls_of",
    "damaged",
    "killed_at",
    "parse",
    "points_of",
    "prepare_attack",
    "pretend_file_system",
    "private_keys",
    "samples",
    "scene",
    "seeds",
    "the_next_run_repairs",
]

ATTACKS = test_attacks_between_calls.ATTACKS
SITUATIONS = test_attacks_between_calls.SITUATIONS
"""What another user does, and what root does meanwhile."""

attack_at = test_attacks_between_calls.attack_at
prepare_attack = test_attacks_between_calls.prepare
scene = attacked.scene

INSTALLATIONS = test_install_killed._CASES
"""What is installed, and on which kind of file system."""

pretend_file_system = test_install_killed._pretend
private_keys = test_install_killed._keys
the_next_run_repairs = test_install_killed._the_next_run_repairs

PROPERTIES: dict[str, t.Any] = {
    test.__name__.removeprefix("test_"): test
    for test in (
        test_install_property.test_check_mode_is_exact,
        test_response_property.test_what_is_rendered_parses_back,
        test_response_property.test_neither_content_type_nor_byte_order_mark_nor_leading_blank_lines_matter,
    )
}
"""Tests of Hypothesis that have more to find the longer they run."""

_UNITS = "tests/unit/plugins"

_TOO_LONG = (
    "test_deploy.py::test_a_host_that_dies_ends_as_an_undisturbed_one_in_the_next_run",
    "test_deploy.py::test_work_that_is_killed_is_ended_in_the_same_run",
    "test_deploy.py::test_a_removal_that_is_killed_is_told_as_what_came_of_it",
    "test_deploy.py::test_the_work_goes_on_when_whoever_asked_for_it_is_gone",
    "test_detached.py::test_it_goes_on_when_the_one_that_waits_is_killed",
)

MUTATED = {
    "plugins/module_utils/_files": [
        f"{_UNITS}/module_utils/_files",
        f"{_UNITS}/module_utils/_install",
    ],
    "plugins/module_utils/_wire": [
        f"{_UNITS}/module_utils/_wire",
        # What is made up anew each time kills by chance.
        f"--deselect={_UNITS}/module_utils/_wire/test_response_fuzz.py",
    ],
    "plugins/plugin_utils/_chain": [f"{_UNITS}/plugin_utils/_chain"],
    "plugins/plugin_utils/_http": [f"{_UNITS}/plugin_utils/_http"],
    "plugins/plugin_utils/_broker": [f"{_UNITS}/plugin_utils/_broker"],
    "plugins/module_utils/_deploy": [
        f"{_UNITS}/module_utils/_deploy",
        # These die at each call in turn, or wait for another process, which is too long for every mutant.
        f"--ignore={_UNITS}/module_utils/_deploy/test_attacks_on_held.py",
        *(f"--deselect={_UNITS}/module_utils/_deploy/{test}" for test in _TOO_LONG),
    ],
}
"""Packages whose mutants are tried, with the tests that are to kill them."""
