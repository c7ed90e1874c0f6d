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


def _given(path: str, module: str) -> dict[str, str]:
    """What the one task with this module is given."""
    tasks = _tasks(yaml.safe_load((_ROOT / path).read_text(encoding="utf-8")))
    (given,) = (task[module] for task in tasks if module in task)
    return dict(given)


def _wanted(option: str) -> str:
    prefix = "collectssl_deploy" if option in {*_OWN, "command_timeout"} else "collectssl"
    return f"{{{{ {prefix}_{option} | default(omit) }}}}"


def test_the_role_hands_on_every_option() -> None:
    given = _given("roles/collectssl_deploy/tasks/main.yml", _DEPLOY)
    assert given.pop("certificates") == "{{ collectssl_deploy_certificates }}"
    options = set(deploy_spec(merged=False).argument_spec) - {*IDENTIFIERS, "certificates"}
    assert given == {option: _wanted(option) for option in options}


def test_the_report_asks_as_the_role_does() -> None:
    of_role = _given("roles/collectssl_deploy/tasks/main.yml", _DEPLOY)
    given = _given("playbooks/report.yml", _DEPLOY)
    assert (given.pop("certificates"), given.pop("wait_timeout")) == (
        "{{ collectssl_deploy_certificates | default([]) }}",
        0,
    )
    # It waits for nothing, neither an order nor an endpoint.
    left_out = {"certificates", "probe_retries", "probe_delay", *_WAITING}
    assert given == {option: value for option, value in of_role.items() if option not in left_out}
    given = _given("playbooks/report.yml", _INFO)
    assert given.pop("order_numbers") == "{{ report_orders }}"
    options = set(order_info_spec().argument_spec) - {*IDENTIFIERS, *IDENTIFIER_LISTS, *_WAITING}
    assert given == {option: _wanted(option) for option in options}


def test_the_role_names_its_variables() -> None:
    specs = yaml.safe_load((_ROOT / "roles/collectssl_deploy/meta/argument_specs.yml").read_text(encoding="utf-8"))
    given = _given("roles/collectssl_deploy/tasks/main.yml", _DEPLOY)
    named = specs["argument_specs"]["main"]["options"]
    assert {value.split()[1] for value in given.values()} == set(named)
    spec = deploy_spec(merged=False).argument_spec
    for option, value in given.items():
        described = named[value.split()[1]]
        assert described["type"] == spec[option]["type"]
        assert described.get("no_log", False) == spec[option].get("no_log", False)
        assert f"O({_DEPLOY}#module:{option})" in described["description"]


@pytest.mark.parametrize("path", sorted(path.name for path in (_ROOT / "playbooks").glob("*.yml")))
def test_no_task_takes_its_options_from_a_template(path: str) -> None:
    """Of such ones ansible-core says that they are not safe."""
    for task in _tasks(yaml.safe_load((_ROOT / "playbooks" / path).read_text(encoding="utf-8"))):
        assert not [name for name, given in task.items() if "." in name and str(given).startswith("{{")]
