# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables of the role may be misspelled, and which are somebody's own."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.variables import doubts_about_variables

_ROOT = pathlib.Path(__file__).parents[4]


def _meant(**variables: t.Any) -> dict[str, str]:
    said = " ".join(doubts_about_variables(variables))
    return dict(re.findall(r"has no variable (\S+)\. Is (\S+) meant\?", said))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("collectssl_deploy_certificate", "collectssl_deploy_certificates"),
        ("collectssl_deploy_cerificates", "collectssl_deploy_certificates"),
        ("collectssl_deploy_layout", "collectssl_deploy_layouts"),
        ("collectssl_deploy_service", "collectssl_deploy_services"),
        ("collectssl_deploy_probe_retry", "collectssl_deploy_probe_retries"),
        ("collectssl_deploy_Probe_Delay", "collectssl_deploy_probe_delay"),
        ("collectssl_login_nam", "collectssl_login_name"),
        ("collectssl_loginpassword", "collectssl_login_password"),
        ("collectssl_wait_time", "collectssl_wait_timeout"),
        # In the other of the two name spaces.
        ("collectssl_deploy_login_name", "collectssl_login_name"),
        ("collectssl_layouts", "collectssl_deploy_layouts"),
    ],
)
def test_a_slip_of_the_pen(name: str, meant: str) -> None:
    """It is said as long as the right one is not set; the role's default of no certificates is none."""
    others: dict[str, list[t.Any]] = {"collectssl_deploy_certificates": []}
    assert _meant(**others, **{name: "anything"}) == {name: meant}
    assert _meant(**{name: "anything", meant: "set"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        "collectssl",
        "collectssl_accounts",
        "collectssl_deploy_certificates_common",
        "collectssl_deploy_certificates_of_group",
        "collectssl_deploy_directory",
        "collectssl_deploy_enabled",
        "collectssl_deploy_port",
        "collectssl_deploy_probe_port",
        "collectssl_deploy_results",
        "collectssl_deploy_user",
        "collectssl_login_name_of_prod",
        "collectssl_orders",
        "collectssl_password",
        "collectssl_prod_login_name",
        "collectssl_response_time",
        "deploy_certificates",
        "login_nam",
    ],
)
def test_somebodys_own(name: str) -> None:
    """What is no variable of the role, and does not look like one, is left alone."""
    assert doubts_about_variables({name: "anything"}) == []


def test_no_variable_of_the_collection_is_doubted() -> None:
    """Neither those that are given nor those that the role and its playbook make."""
    read = [*(_ROOT / "roles").rglob("*.yml"), *(_ROOT / "playbooks").glob("*.yml")]
    names = {name for path in read for name in re.findall(r"\bcollectssl_\w+", path.read_text(encoding="utf-8"))}
    assert len(names) > 20
    for name in names:
        assert doubts_about_variables({name: "anything"}) == []
