# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call for an order, whatever way of running tasks a playbook uses."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab

HOSTS = 3


def _install(name: str, number: str, **keywords: t.Any) -> dict[str, t.Any]:
    return {"name": name, MODULE: {"order_number": number, "path": f"{{{{ dir }}}}/{number}.pem"}, **keywords}


def test_strategies_loops_and_delegation(lab: Lab) -> None:
    """Every play here has an order of its own (the loop has three), and each of them costs one call."""
    hosts = lab.fleet("web", HOSTS)
    free, rolling, once, delegated, throttled = (lab.order() for _name in range(5))
    looped = [lab.order() for _item in range(3)]
    loop_task = {
        "name": "loop",
        MODULE: {"order_number": "{{ item }}", "path": "{{ dir }}/{{ item }}.pem"},
        "loop": looped,
    }
    folder = lab.host_folder("web02")
    plays: list[dict[str, t.Any]] = [
        {"strategy": "free", "tasks": [_install("free", free)]},
        {"serial": 2, "tasks": [_install("serial", rolling)]},
        {"tasks": [loop_task]},
        {"tasks": [_install("run once", once, run_once=True)]},
        {
            "tasks": [
                {
                    "name": "delegate",
                    MODULE: {"order_number": delegated, "path": f"{folder}/for-{{{{ inventory_hostname }}}}.pem"},
                    "delegate_to": "web02",
                }
            ]
        },
        {"tasks": [_install("throttle", throttled, throttle=1)]},
    ]
    run = lab.plays(hosts, plays).must_succeed()

    for task in ("free", "serial", "loop", "delegate", "throttle"):
        assert sorted(result.host for result in run.of(task)) == sorted(hosts), run.shown
        assert all(result.changed for result in run.of(task)), run.shown
    assert [len(result.items) for result in run.of("loop")] == [3] * HOSTS
    assert len([path for path in folder.iterdir() if path.name.startswith("for-")]) == HOSTS
    assert len(list((lab.folder / "hosts").glob(f"*/{once}.pem"))) == 1
    for number in (free, rolling, once, delegated, throttled, *looped):
        assert len(lab.simulator.calls(number)) == 1, number
    assert lab.simulator.peak() == 1


def test_several_tasks_and_lookups_share_an_answer(lab: Lab) -> None:
    """What a run holds is not asked for again, by whichever door; credentials are from module_defaults or variables."""
    number = lab.order()
    hosts = lab.fleet("web", 3, number=number)
    settings = {
        "api_url": lab.simulator.url(),
        "ca_path": lab.simulator.ca_path,
        "login_name": simulator.LOGIN,
        "login_password": simulator.PASSWORD,
    }
    part = f"lookup('{LOOKUP}', number, part='%s')"
    tasks = [
        {"name": "install", MODULE: {"order_number": "{{ number }}", "path": "{{ dir }}/cert.pem"}},
        {"name": "again", MODULE: {"order_number": "{{ number }}", "chain_path": "{{ dir }}/chain.pem"}},
        {"name": "info", INFO: {"order_number": "{{ number }}"}},
        {
            "name": "look up",
            "ansible.builtin.debug": {
                "msg": {name: "{{ " + part % name + " }}" for name in ("fullchain", "chain", "order")}
            },
        },
    ]
    run = lab.play(
        {
            name: {**host, **{f"collectssl_{option}": value for option, value in settings.items()}}
            for name, host in hosts.items()
        },
        tasks,
        play={"module_defaults": {"group/certfleet.collectssl.collectssl": settings}},
        # None of these is in the environment, so that it must be the defaults and the variables that serve.
        environment=dict.fromkeys(
            ("COLLECTSSL_API_URL", "COLLECTSSL_CA_PATH", "COLLECTSSL_LOGIN_NAME", "COLLECTSSL_LOGIN_PASSWORD"), ""
        ),
    ).must_succeed()

    assert [call["code"] for call in lab.simulator.calls(number)] == [2], run.shown
    for host in hosts:
        looked_up = run.one("look up", host).data["msg"]
        assert looked_up["fullchain"].endswith(looked_up["chain"])
        assert (lab.host_folder(host) / "chain.pem").read_text() == looked_up["chain"]
        assert looked_up["order"]["state"] == "issued"
        (order,) = run.one("info", host).data["orders"]
        assert order == looked_up["order"]


def test_until_asks_again(lab: Lab) -> None:
    """A pending outcome ages out after poll_interval, so that until and retries see the order become issued."""
    number = lab.order(life=[{"state": "pending", "calls": 2}, {"state": "issued"}])
    hosts = lab.fleet("web", 3)
    task = {
        "name": "until",
        MODULE: {"order_number": number, "path": "{{ dir }}/cert.pem", "allow_pending": True, "poll_interval": 1},
        "register": "collected",
        "until": "collected.issued",
        "retries": 30,
        "delay": 1,
    }
    run = lab.play(hosts, [task]).must_succeed()

    assert all(result.data["issued"] and result.data["attempts"] > 1 for result in run.of("until")), run.shown
    assert [call["code"] for call in lab.simulator.calls(number)] == [0, 0, 2]
    assert lab.simulator.peak() == 1


def test_ad_hoc(lab: Lab) -> None:
    """One line for ten hosts, with credentials from the environment: one call."""
    number = lab.order()
    hosts = lab.fleet("web", 10)
    run = lab.ad_hoc(hosts, MODULE, f"order_number={number} path={{{{ dir }}}}/cert.pem").must_succeed()
    assert len(run.results) == 10
    assert all(result.changed for result in run.results)
    assert len(lab.simulator.calls(number)) == 1

    lab.simulator.reset()
    status = lab.ad_hoc(hosts, INFO, f"order_number={number}", "--one-line").must_succeed()
    lines = [line for line in status.output.splitlines() if line.startswith("web")]
    assert len(lines) == 10, status.output
    assert all(" SUCCESS " in line and '"state": "issued"' in line for line in lines)
    assert len(lab.simulator.calls(number)) == 1
