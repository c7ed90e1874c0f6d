# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of several orders on one host, looked at from both sides, with a service of OpenSSL's own servers."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support.lab import DEPLOY, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run
from ansible_collections.certfleet.collectssl.tests.support.web_service import LAYOUT, SERVICES, WebService

_NAMES = ("one", "two")
_LIFE = [*({"state": "issued", "seconds": 10**6} for _number in range(3)), {"state": "issued"}]


class WebHost:
    """A host with a service, and the certificates of it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.host_folder("web")
        self.orders = {name: lab.order(names=[f"{name}.example.com"], life=_LIFE) for name in _NAMES}
        self.service = WebService(self.folder, _NAMES)
        self.service.make_keys()
        self.certificates: list[dict[str, t.Any]] = [
            {
                "name": name,
                "layout": "web",
                "order_number": self.orders[name],
                "expected_names": [f"{name}.example.com"],
                "endpoints": [
                    {"port": self.service.ports[name], "connect_from": "target" if name == "one" else "controller"}
                ],
            }
            for name in _NAMES
        ]

    def run(self, *more: dict[str, t.Any], arguments: t.Sequence[str] = (), **options: t.Any) -> Run:
        """Deploy; other tasks may follow."""
        task = {
            "name": "deploy",
            DEPLOY: {
                "certificates": self.certificates,
                "layouts": {"web": LAYOUT},
                "services": SERVICES,
                # The command for a reload comes back when the service is up.
                "probe_retries": 1,
                "probe_delay": 1,
                **options,
            },
            "register": "deployed",
        }
        return self.lab.play({"web": {}}, [task, *more], *arguments)


@pytest.fixture
def web(lab: Lab) -> t.Iterator[WebHost]:
    host = WebHost(lab)
    yield host
    host.service.end()


def _states(run: Run) -> dict[str, str]:
    return {one["name"]: one["state"] for one in run.one("deploy").data["certificates"]}


def test_from_the_first_deploy_to_a_service_that_is_deaf(web: WebHost) -> None:
    """All of it: check mode, the first one, nothing to do, a reissue that is not served, and a bad order beside it."""
    foreseen = web.run(arguments=["--check"]).must_succeed()
    assert _states(foreseen) == {"one": "in_service", "two": "in_service"}
    assert (foreseen.one("deploy").changed, web.service.reloads) == (True, 0)
    assert not (web.folder / "tls" / "one.pem").exists()

    table = {"name": "table", "ansible.builtin.debug": {"msg": "{{ given | certfleet.collectssl.deploy_table }}"}}
    given = "{{ [{'host': inventory_hostname, 'result': deployed}, {'host': 'lost'}] }}"
    first = web.run({**table, "vars": {"given": given}}).must_succeed()
    assert _states(first) == {"one": "in_service", "two": "in_service"}
    result = first.one("deploy").data
    assert (result["changed"], web.service.reloads) == (True, 1)
    assert result["services"] == [{"name": "web", "action": "command"}]
    assert [(seen["certificate"], seen["connect_from"], seen["serves"]) for seen in result["endpoints"]] == [
        ("one", "target", True),
        ("two", "controller", True),
    ]
    assert all(one["installed"] == one["certificate"] and one["before"] is None for one in result["certificates"])
    title, *rows = first.one("table").data["msg"]
    assert title.split() == ["host", "certificate", "before", "now", "until", "services", "proof"]
    assert [re.split(r"  +", row)[:2] for row in rows] == [["web", "one"], ["web", "two"], ["lost", "-"]]
    assert rows[1].endswith(f"web command  seen at 127.0.0.1:{web.certificates[1]['endpoints'][0]['port']}")

    second = web.run().must_succeed()
    assert (second.one("deploy").changed, web.service.reloads) == (False, 1)
    assert _states(second) == {"one": "in_service", "two": "in_service"}

    before = {name: (web.folder / "tls" / f"{name}.pem").read_text() for name in _NAMES}
    for name in _NAMES:
        web.lab.simulator.advance(web.orders[name])
    (web.folder / "deaf").touch()
    bad = web.lab.order(life=[{"state": "revoked"}])
    web.certificates.append({"name": "bad", "order_number": bad, "path": "{{ dir }}/tls/bad.pem"})
    third = web.run().must_fail()
    assert _states(third) == {"one": "rolled_back", "two": "rolled_back", "bad": "not_collected"}
    assert {name: (web.folder / "tls" / f"{name}.pem").read_text() for name in _NAMES} == before
    result = third.one("deploy").data
    assert (result["stops_rollout"], sorted(result["rolled_back"])) == (True, ["one", "two"])
    assert f"bad: The certificate of order number {bad} was revoked." in third.shown
    assert "BEGIN CERTIFICATE" not in third.shown


def test_what_comes_late_is_brought_in_by_one_more_run(web: WebHost) -> None:
    late = web.lab.order(names=["two.example.com"], life=[{"state": "pending", "calls": 1}, {"state": "issued"}])
    web.certificates[1]["order_number"] = late
    result = web.run(wait_timeout=60, poll_interval=1).must_succeed().one("deploy").data
    assert [one["state"] for one in result["certificates"]] == ["in_service", "in_service"]
    assert result["certificates"][1]["order"]["order_number"] == late
