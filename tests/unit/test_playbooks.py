# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role and the playbooks hand on: every option there is, each by one variable, and the same from both."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    IDENTIFIER_LISTS,
    IDENTIFIERS,
    deploy_spec,
    order_info_spec,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.variables import (
    FROM_VARIABLES,
    given_by_variables,
)

_ROOT = pathlib.Path(__file__).parents[2]
_DEPLOY = "certfleet.collectssl.collectssl_deploy"
_INFO = "certfleet.collectssl.collectssl_order_info"
_OWN = {"certificates", "layouts", "services", "probe_from", "probe_timeout", "probe_retries", "probe_delay"}
_WAITING = {"wait_timeout", "poll_interval"}


def _tasks(of: t.Any) -> t.Iterator[dict[str, t.Any]]:
    for one in of:
        yield one
        for part in ("tasks", "block", "rescue", "always"):
            yield from _tasks(one.get(part) or [])


def _given(path: str, module: str) -> dict[str, t.Any]:
    """What the one task with this module is given."""
    tasks = _tasks(yaml.safe_load((_ROOT / path).read_text(encoding="utf-8")))
    (given,) = (task[module] for task in tasks if module in task)
    return dict(given)


def _wanted(option: str) -> str:
    return f"{{{{ {_variable(option)} | default(omit) }}}}"


def _variable(option: str) -> str:
    return f"collectssl_deploy_{option}" if option in {*_OWN, "command_timeout"} else f"collectssl_{option}"


def _options() -> set[str]:
    """Those that the role has: all but what names an order."""
    return set(deploy_spec(merged=False).argument_spec) - {*IDENTIFIERS, FROM_VARIABLES}


def test_the_role_hands_on_every_option() -> None:
    given = _given("roles/collectssl_deploy/tasks/main.yml", _DEPLOY)
    assert given == {"certificates": "{{ collectssl_deploy_certificates }}", FROM_VARIABLES: True}
    others = _options() - {"certificates"}
    seen = {_variable(option): option for option in [*others, *IDENTIFIERS]}
    assert given_by_variables({**seen, "of_somebody": 1}) == {option: option for option in others}


def test_the_report_asks_as_the_role_does() -> None:
    given = _given("playbooks/report.yml", _DEPLOY)
    assert (given.pop("certificates"), given.pop("wait_timeout")) == (
        "{{ collectssl_deploy_certificates | default([]) }}",
        0,
    )
    # It waits for nothing, neither an order nor an endpoint.
    left_out = {"certificates", "probe_retries", "probe_delay", *_WAITING}
    assert given == {option: _wanted(option) for option in _options() - left_out}
    given = _given("playbooks/report.yml", _INFO)
    assert given.pop("order_numbers") == "{{ report_orders }}"
    options = set(order_info_spec().argument_spec) - {*IDENTIFIERS, *IDENTIFIER_LISTS, *_WAITING}
    assert given == {option: _wanted(option) for option in options}


def test_the_role_names_its_variables() -> None:
    specs = yaml.safe_load((_ROOT / "roles/collectssl_deploy/meta/argument_specs.yml").read_text(encoding="utf-8"))
    named = specs["argument_specs"]["main"]["options"]
    assert {_variable(option) for option in _options()} == set(named)
    spec = deploy_spec(merged=False).argument_spec
    for option in _options():
        described = named[_variable(option)]
        assert described["type"] == spec[option]["type"]
        assert described.get("no_log", False) == spec[option].get("no_log", False)
        assert f"O({_DEPLOY}#module:{option})" in str(described["description"])


@pytest.mark.parametrize("path", sorted(path.name for path in (_ROOT / "playbooks").glob("*.yml")))
def test_no_task_takes_its_options_from_a_template(path: str) -> None:
    """Of such ones ansible-core says that they are not safe."""
    for task in _tasks(yaml.safe_load((_ROOT / "playbooks" / path).read_text(encoding="utf-8"))):
        assert not [name for name, given in task.items() if "." in name and str(given).startswith("{{")]
