# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which calls go through a proxy: by the task's environment, by option, by the controller's environment, or not."""

from __future__ import annotations

import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.tests.support import simulator
from ansible_collections.certfleet.collectssl.tests.support.https_server import Proxy
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, Lab

_NOWHERE = "http://127.0.0.1:1"
_SECRET = "s&cr@t/of the proxy"


def test_proxies(lab: Lab) -> None:
    """Every way of naming a proxy has an order of its own; what the proxy did not see went directly, or failed."""
    with Proxy() as proxy, Proxy(user="me", password=_SECRET) as closed:
        address = f"http://{proxy.address}"
        userinfo = f"me:{urllib.parse.quote(_SECRET, safe='')}@"
        through: dict[str, dict[str, t.Any]] = {
            "environment": {"environment": {"https_proxy": address}},
            "upper case": {"environment": {"HTTPS_PROXY": proxy.address}},
            "all": {"environment": {"all_proxy": address}},
            "option": {"proxy": address},
            "option wins": {"proxy": address, "environment": {"https_proxy": _NOWHERE}},
            "another no_proxy": {"environment": {"https_proxy": address, "no_proxy": "example.com"}},
        }
        direct: dict[str, dict[str, t.Any]] = {
            "no_proxy": {"environment": {"https_proxy": _NOWHERE, "no_proxy": "localhost,127.0.0.1"}},
            "http alone": {"environment": {"http_proxy": _NOWHERE}},
            "none": {"proxy": "none", "environment": {"https_proxy": _NOWHERE}},
            "nothing": {},
        }
        failing: dict[str, dict[str, t.Any]] = {
            "nowhere": {"environment": {"https_proxy": _NOWHERE}},
            "refused": {"proxy": f"http://me:wrong-{urllib.parse.quote(_SECRET, safe='')}@{closed.address}"},
        }
        authenticated = {"authenticated": {"environment": {"https_proxy": f"http://{userinfo}{closed.address}"}}}
        cases = {**through, **direct, **failing, **authenticated}
        numbers = {name: lab.order() for name in cases}
        tasks = []
        for name, case in cases.items():
            options = {"order_number": numbers[name], "retries": 0}
            if "proxy" in case:
                options["proxy"] = case["proxy"]
            tasks.append(
                {"name": name, INFO: options, "environment": case.get("environment", {}), "ignore_errors": True}
            )
        run = lab.play({"web01": {}}, tasks).must_succeed()
        port = urllib.parse.urlsplit(lab.simulator.url()).port
        assert proxy.seen == [f"CONNECT localhost:{port}"] * len(through)
        # Once without the right password, once with it.
        assert len(closed.seen) == 2
    for name in cases:
        result = run.one(name)
        assert result.status == ("failed" if name in failing else "ok"), run.shown
        assert len(lab.simulator.calls(numbers[name])) == (0 if name in failing else 1), name
    for name in failing:
        assert "proxy" in run.one(name).message, run.one(name).message
    for form in (_SECRET, urllib.parse.quote(_SECRET, safe=""), urllib.parse.quote(_SECRET)):
        assert all(form not in str(result.data) for result in run.results if result.task != "authenticated")


def test_the_environment_of_the_controller(lab: Lab) -> None:
    """It counts for the lookup as for the action; the task's own goes on top; COLLECTSSL_PROXY is the option's."""
    looked_up, played, direct, named = (lab.order() for _order in range(4))
    lookup = f"lookup('{LOOKUP}', '{looked_up}', part='order').state"
    with Proxy() as proxy:
        run = lab.play(
            {"web01": {}},
            [
                {"name": "look up", "ansible.builtin.debug": {"msg": f"{{{{ {lookup} }}}}"}},
                {"name": "play", INFO: {"order_number": played}},
                {"name": "direct", INFO: {"order_number": direct}, "environment": {"no_proxy": "localhost"}},
            ],
            environment={"https_proxy": f"http://{proxy.address}"},
        ).must_succeed()
        assert len(proxy.seen) == 2
        assert run.one("look up").data["msg"] == "issued"
        lab.play(
            {"web01": {}},
            [
                {
                    "name": "named",
                    INFO: {"order_number": named, "login_name": simulator.LOGIN, "login_password": simulator.PASSWORD},
                }
            ],
            environment={"COLLECTSSL_PROXY": f"http://{proxy.address}", "https_proxy": _NOWHERE},
        ).must_succeed()
        assert len(proxy.seen) == 3
    assert [len(lab.simulator.calls(number)) for number in (looked_up, played, direct, named)] == [1, 1, 1, 1]
