# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that variables of a host give, in place of a template for each."""

from __future__ import annotations

import pathlib
import typing as t

import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIERS, deploy_spec, lookup_spec
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.variables import (
    given_by_variables,
    without_omitted,
)

_ROLE = pathlib.Path(__file__).resolve().parents[5] / "roles" / "collectssl_deploy"


def _read() -> dict[str, str]:
    """Each option that a variable gives, with that variable."""
    names = [f"{prefix}{name}" for prefix in ("collectssl_", "collectssl_deploy_") for name in _options()]
    return {option: str(name) for option, name in given_by_variables({name: name for name in names}).items()}


def _options() -> set[str]:
    return {*deploy_spec(merged=False).argument_spec, *lookup_spec().argument_spec}


def test_the_role_documents_the_variables_that_are_read() -> None:
    documented = yaml.safe_load((_ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    names = documented["argument_specs"]["main"]["options"]
    assert set(names) == {*_read().values(), "collectssl_deploy_certificates"}


def test_every_option_has_its_variable_in_one_name_space() -> None:
    """Those that reach the provider where the lookup has them; none names an order."""
    shared = {option for option, name in _read().items() if name == f"collectssl_{option}"}
    assert shared == set(lookup_spec().argument_spec) - {*IDENTIFIERS, "part"}
    own = {option for option, name in _read().items() if name == f"collectssl_deploy_{option}"}
    not_given = {*IDENTIFIERS, "certificates", "from_variables"}
    assert own == set(deploy_spec(merged=False).argument_spec) - shared - not_given


def test_what_a_host_has_is_given_as_it_spells_it() -> None:
    layouts = {"web": {"mode": "{{ mode }}"}}
    task_vars: dict[str, t.Any] = {"collectssl_deploy_layouts": layouts, "collectssl_retries": None, "retries": 5}
    assert given_by_variables(task_vars) == {"layouts": layouts, "retries": None}


def test_what_is_omitted_is_left_out() -> None:
    token = "__omit_place_holder__1"
    given = {"ca_path": token, "layouts": {"web": {"owner": token, "services": ["web", token]}}, "retries": 3}
    assert without_omitted(given, token) == {"layouts": {"web": {"services": ["web"]}}, "retries": 3}
