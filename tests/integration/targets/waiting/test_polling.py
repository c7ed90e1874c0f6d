# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that poll by themselves (until, retries, delay): each attempt is answered anew, by one call for all hosts."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    COLLECTION_CODE,
    IDENTIFIERS,
    _provider_spec,
    _waiting_spec,
)
from ansible_collections.certfleet.collectssl.tests.support import files, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import DEPLOY, INFO, LOOKUP, MODULE, Lab

_DOMAINS = [{"name": "a.example.com", "status": "VALIDATED"}, {"name": "b.example.com", "status": "NOTVALIDATED"}]
_PENDING = {"state": "pending", "details": {"csrStatus": 1, "ovCallbackStatus": 2}, "domains": _DOMAINS}
_WAITS_FOR = "dcv 1/2, ov callback in progress"
_ISSUED = {"state": "issued"}
_BEING_ISSUED = "The certificate is currently being issued"
_CHAIN = ("issuing", "cross")
_PARTS = ("order", "certificate", "chain", "root", "fullchain")


def _polling(name: str, until: str | None = None, retries: int | None = 2, delay: int = 1) -> dict[str, t.Any]:
    said = {"register": "collected", "until": until, "retries": retries, "delay": delay}
    return {"name": name, **{keyword: value for keyword, value in said.items() if value is not None}}


def _info(name: str, number: str, **keywords: t.Any) -> dict[str, t.Any]:
    return {**_polling(name, "collected.orders[0].state == 'issued'"), INFO: {"order_number": number}, **keywords}


def _install(name: str, number: str, *, until: str | None = None, **keywords: t.Any) -> dict[str, t.Any]:
    options = {"order_number": number, "path": f"{{{{ dir }}}}/{number}.pem"}
    return {**_polling(name, until), MODULE: {**options, **keywords.pop("options", {})}, **keywords}


def _once(name: str, number: str) -> dict[str, t.Any]:
    return {"name": name, MODULE: {"order_number": number, "path": "{{ dir }}/first.pem"}, "register": "first"}


def _codes(lab: Lab, number: str) -> list[int]:
    return [call["code"] for call in lab.simulator.calls(number)]


@pytest.mark.parametrize("forks", [5, 20])
def test_twenty_hosts_that_poll_three_times_cost_three_calls(lab: Lab, forks: int) -> None:
    """Whichever task polls, and whether or not the order is issued in time, with and without a pause between."""
    soon = [{**_PENDING, "calls": 2}, _ISSUED]
    numbers = {name: lab.order(life=soon) for name in ("until", "retries alone", "no pause")}
    numbers["in vain"] = lab.order(life=[_PENDING])
    tasks = [
        _install("until", numbers["until"], until="collected.issued", options={"allow_pending": True}),
        _install("retries alone", numbers["retries alone"]),
        _info("no pause", numbers["no pause"], delay=0),
        _info("in vain", numbers["in vain"], ignore_errors=True),
    ]
    run = lab.play(lab.fleet("web", 20), tasks, forks=forks).must_succeed()

    codes = {"until": [0, 0, 2], "retries alone": [0, 0, 2], "no pause": [0, 0, 1], "in vain": [0, 0, 0]}
    for name, number in numbers.items():
        assert len(run.of(name)) == 20, run.shown
        assert {result.status for result in run.of(name)} == {"failed" if name == "in vain" else "ok"}, run.shown
        assert _codes(lab, number) == codes[name], name
    assert all(result.data["issued"] for result in run.of("until") + run.of("retries alone"))
    assert lab.simulator.peak() == 1


def test_a_poll_for_a_reissue_is_answered_anew(lab: Lab) -> None:
    """An order that is issued already is asked about again, and what a status tells of it makes the chain stale."""
    number = lab.order(life=[{"state": "issued", "calls": 1}, {**_PENDING, "calls": 1}, _ISSUED])
    status, vain = lab.order(life=[{"state": "issued", "calls": 2}, _ISSUED]), lab.order()
    old = "first.certificate.serial_number"
    another = f"collected.certificate.serial_number | default({old}) != {old}"
    tasks = [
        _once("first", number),
        _install("second", number, until=another),
        _info("status", status, until="collected.attempts > 2"),
        _once("third", vain),
        _install("in vain", vain, until=another, ignore_errors=True),
    ]
    run = lab.play(lab.fleet("web", 6), tasks, forks=3).must_succeed()

    # The first attempt takes what the run knows.
    assert _codes(lab, number) == [2, 0, 2]
    assert {len(run.of(name)) for name in ("first", "second")} == {6}
    assert len({result.data["certificate"]["serial_number"] for result in run.of("second")}) == 1
    assert all(result.changed for result in run.of("second")[:3]), run.shown
    # A host that comes late to its second attempt is told what others were told in their third.
    assert max(result.data["attempts"] for result in run.of("second")) == 3, run.shown
    assert len({(lab.host_folder(f"web0{host}") / f"{number}.pem").read_bytes() for host in range(1, 7)}) == 1
    assert _codes(lab, status) == [1, 1, 1]
    assert _codes(lab, vain) == [2, 2, 2]
    for result in run.of("in vain"):
        assert result.status == "failed"
        assert "serial number" in result.message
        assert "valid until" in result.message


def test_every_way_of_polling_asks_each_time(lab: Lab) -> None:
    """One after another, in a loop, delegated, once for all, in a block, after a wait of its own; and what does not."""
    never = [_PENDING]
    names = ("one", "loop a", "loop b", "delegated", "once", "block", "waits", "refused", "no retries", "lookup")
    numbers = {name: lab.order(life=never) for name in names}
    numbers["refused"] = lab.order(account=simulator.OTHER_LOGIN)
    loop = {
        **_polling("loop", "collected.orders[0].state == 'issued'", retries=1, delay=0),
        INFO: {"order_number": "{{ item }}"},
        "loop": [numbers["loop a"], numbers["loop b"], numbers["loop a"]],
    }
    order = f"lookup('{LOOKUP}', '{numbers['lookup']}', part='order', poll_interval=1)"
    tasks = [
        _info("first", numbers["one"], delay=0),
        _info("second", numbers["one"], delay=0),
        loop,
        _info("delegated", numbers["delegated"], delay=0, delegate_to="web02"),
        _info("once", numbers["once"], delay=0, run_once=True),
        {"block": [_info("block", numbers["block"], delay=0)], "ignore_errors": True},
        _install("waits", numbers["waits"], retries=1, options={"wait_timeout": 6, "poll_interval": 3}),
        _install("refused", numbers["refused"], delay=0),
        _info("no retries", numbers["no retries"], retries=0),
        {
            **_polling("lookup", f"{order}.state == 'issued'"),
            "ansible.builtin.debug": {"msg": "ansible-core reads the arguments of a task once, and until each time"},
        },
    ]
    run = lab.play(lab.fleet("web", 2), [{**task, "ignore_errors": True} for task in tasks]).must_succeed()

    assert {result.status for result in run.results if result.task != "no retries"} == {"failed"}, run.shown
    calls = {name: len(lab.simulator.calls(number)) for name, number in numbers.items()}
    assert calls == {
        # The first attempt of the second task takes what the first one was told last.
        "one": 3 + 2,
        # The second time the item comes, too.
        "loop a": 2 + 1,
        "loop b": 2,
        "delegated": 3,
        "once": 3,
        "block": 3,
        # Each of both attempts waits, and asks at its beginning, in the middle, and at its end.
        "waits": 6,
        "refused": 3,
        "no retries": 1,
        "lookup": 3,
    }
    assert lab.simulator.peak() == 1


@pytest.mark.parametrize("play", [{"strategy": "free"}, {"serial": 4}])
def test_a_task_that_is_included_polls_once_for_all(lab: Lab, tmp_path: pathlib.Path, play: dict[str, t.Any]) -> None:
    """Though ansible-core loads it anew for each batch, and for each host; and so does one with items in a loop."""
    numbers = {name: lab.order(life=[_PENDING]) for name in ("include", "nested", "loop")}
    loop = {**_info("loop", numbers["loop"]), INFO: {"order_number": "{{ item }}"}, "loop": [numbers["loop"]] * 2}
    polls = {"include": _info("include", numbers["include"]), "nested": _info("nested", numbers["nested"])}
    for name, task in polls.items():
        files.write(tmp_path / f"{name}.yml", yaml.safe_dump([{**task, "ignore_errors": True}]))
    outer = [{"ansible.builtin.include_tasks": str(tmp_path / "nested.yml")}]
    files.write(tmp_path / "outer.yml", yaml.safe_dump(outer))
    tasks: list[dict[str, t.Any]] = [
        {"ansible.builtin.include_tasks": str(tmp_path / file)} for file in ("include.yml", "outer.yml")
    ]
    run = lab.play(lab.fleet("web", 12), [*tasks, {**loop, "ignore_errors": True}], play=play, forks=5).must_succeed()

    assert {name: len(run.of(name)) for name in numbers} == dict.fromkeys(numbers, 12), run.shown
    calls = {name: len(lab.simulator.calls(number)) for name, number in numbers.items()}
    assert calls == {"include": 3, "nested": 3, "loop": 3 + 2}


def test_what_is_not_issued_is_said(lab: Lab) -> None:
    """The last line of a loop that ends in vain names the cause, and a pending order that is allowed is shown once."""
    pending, being_issued = lab.order(life=[_PENDING]), lab.order(life=[{"state": "being_issued"}])
    unpaid, issued = lab.order(life=[{"state": "awaiting_payment"}]), lab.order()
    tasks = [
        _info("info", pending, delay=0),
        _install("allowed", pending, until="collected.issued", delay=0, options={"allow_pending": True}),
        {"name": "once more", MODULE: {"order_number": pending, "path": "{{ dir }}/x.pem", "allow_pending": True}},
        {"name": "being", MODULE: {"order_number": being_issued, "path": "{{ dir }}/x.pem", "allow_pending": True}},
        _info("unpaid", unpaid, retries=1, delay=0),
        _info("issued", issued, until="false", retries=1, delay=0),
        {
            **_polling("many", "false", retries=1, delay=0),
            INFO: {"order_numbers": [issued, pending, unpaid, issued]},
        },
        {**_info("failed_when", issued), "failed_when": "true", "retries": 0},
    ]
    run = lab.play(lab.fleet("web", 3), [{**task, "ignore_errors": True} for task in tasks]).must_succeed()

    waits = f"Order number {pending} is pending ({_WAITS_FOR})."
    messages = {
        "info": waits,
        "allowed": (
            f"Order number {pending} is still being processed. It waits for: {_WAITS_FOR}. Run again later, or wait "
            "longer with wait_timeout. No file on the target was touched."
        ),
        "unpaid": f"Order number {unpaid} awaits payment (Still awaiting payment).",
        "issued": f"Order number {issued} is issued.",
        "many": f"2 of 4 orders are issued. {waits} Order number {unpaid} awaits payment (Still awaiting payment).",
        "failed_when": f"Order number {issued} is issued.",
    }
    for name, message in messages.items():
        assert {(result.status, result.message) for result in run.of(name)} == {("failed", message)}, run.shown
    for name in ("once more", "being"):
        assert {result.status for result in run.of(name)} == {"ok"}
        assert all("is still being processed" in result.message for result in run.of(name))
    assert "nknown error" not in run.output
    lines = [line for line in run.output.splitlines() if line.startswith("collectssl: ")]
    assert lines == [
        f"collectssl: order number {pending} is pending ({_WAITS_FOR}); nothing is installed for now",
        f"collectssl: order number {being_issued} is pending ({_BEING_ISSUED}); nothing is installed for now",
    ]


def test_each_call_is_told_at_vvv(lab: Lab) -> None:
    """One line a call: address, order, HTTP status, status code, bytes, seconds; never a secret."""
    number, broken = lab.order(life=[_PENDING]), lab.order(life=[_PENDING])
    lab.simulator.control("faults", {"fault": "http_502", "order_number": broken, "calls": 1})
    tasks = [
        {**_info("info", number), "retries": 0},
        {
            "name": "broken",
            "ansible.builtin.debug": {"msg": f"{{{{ lookup('{LOOKUP}', '{broken}', part='order') }}}}"},
        },
    ]
    hosts = lab.fleet("web", 2)
    run = lab.play(hosts, [{**task, "ignore_errors": True} for task in tasks], "-vvv").must_succeed()
    url = lab.simulator.url()
    line = re.compile(
        rf"collectssl: POST {re.escape(url)} about order number (\d+): "
        r"HTTP status (\d+), ([^,]+), (\d+) bytes, \d+\.\d\d s$"
    )
    told = [match.groups() for match in map(line.search, run.output.splitlines()) if match]
    assert [(order, status, code) for order, status, code, _bytes in told] == [
        (number, "200", "status code 0"),
        (broken, "502", "no answer of the interface"),
        (broken, "200", "status code 0"),
    ], run.shown
    assert int(told[0][3]) > 50
    assert simulator.PASSWORD not in run.output
    assert "collectssl: POST" not in lab.play(hosts, [tasks[0]], "-vv").output


def test_a_failed_module_run_shows_its_message(lab: Lab) -> None:
    """Not the certificate and the order, unless somebody looks closely."""
    number = lab.order()
    task = {
        "name": "install",
        MODULE: {"order_number": number, "path": "{{ dir }}/cert.pem", "validate": "false"},
        "register": "failed",
        "ignore_errors": True,
    }
    shown = {"name": "registered", "ansible.builtin.debug": {"msg": "{{ failed.msg }}"}}
    details = ("fingerprint_sha256", "mdc_domains", "subject_alt_names")
    hosts = lab.fleet("web", 1)
    quiet = lab.play(hosts, [task, shown]).must_succeed()
    (line,) = (line for line in quiet.output.splitlines() if line.startswith("fatal: "))
    message = quiet.one("install").message
    assert message[:40] in line
    assert len(line) < len(message) + 300
    assert not any(detail in quiet.output for detail in details)
    assert quiet.one("registered").data["msg"] == message
    loud = lab.play(hosts, [task], "-v").must_succeed()
    assert all(detail in loud.output for detail in details)
    censored = lab.play(hosts, [{**task, "no_log": True}], "-v").must_succeed()
    assert not any(detail in censored.output for detail in details)


def _every_default(lab: Lab) -> dict[str, t.Any]:
    """A value for every shared option that names no order and is no rival of another."""
    return {
        "product": "ssl",
        "api_url": lab.simulator.url(),
        "login_name": simulator.LOGIN,
        "login_password": simulator.PASSWORD,
        "response_type": "pkcs7",
        "response_encoding": "binary",
        "response_format": "lines",
        "validate_certs": True,
        "ca_path": lab.simulator.ca_path,
        "proxy": "none",
        "request_timeout": 20,
        "retries": 1,
        "wait_timeout": 1,
        "poll_interval": 1,
    }


def test_no_default_for_the_group_breaks_a_member(lab: Lab) -> None:
    """Every shared option set, and every form, for the modules as module_defaults, for the lookup as variables."""
    every = _every_default(lab)
    of_options = {name for name in _provider_spec().argument_spec if name not in (*IDENTIFIERS, COLLECTION_CODE)}
    assert set(every) == of_options | set(_waiting_spec().argument_spec)
    forms: list[dict[str, t.Any]] = [{}, *({"response_type": kind} for kind in ("pkcs7", "netscape", "zip"))]
    forms += [{"response_type": "zip", "response_encoding": "binary"}, {"wait_timeout": 1, "poll_interval": 1}]
    plays, orders = [], {}
    for number_of_case, defaults in enumerate([every, *forms]):
        # An order each, since what a run knows hides how it was asked.
        pending = lab.order(life=[_PENDING])
        for member in ("info", *_PARTS, "install", "deploy"):
            orders[f"{member} {number_of_case}"] = lab.order()
        tasks = [
            {
                "name": f"{part} {number_of_case}",
                "ansible.builtin.debug": {
                    "msg": f"{{{{ lookup('{LOOKUP}', '{orders[f'{part} {number_of_case}']}', part='{part}') }}}}"
                },
                "vars": {f"collectssl_{name}": value for name, value in defaults.items()},
            }
            for part in _PARTS
        ]
        tasks += [
            {
                "name": f"info {number_of_case}",
                INFO: {"order_numbers": [orders[f"info {number_of_case}"], pending]},
            },
            {
                "name": f"install {number_of_case}",
                MODULE: {"order_number": orders[f"install {number_of_case}"], "path": "{{ dir }}/cert.pem"},
            },
            {
                "name": f"deploy {number_of_case}",
                DEPLOY: {
                    "certificates": [
                        {
                            "name": "deployed",
                            "order_number": orders[f"deploy {number_of_case}"],
                            "path": "{{ dir }}/deployed.pem",
                        }
                    ]
                },
            },
        ]
        plays.append({"module_defaults": {"group/certfleet.collectssl.collectssl": defaults}, "tasks": tasks})
    run = lab.plays(lab.fleet("web", 1), plays).must_succeed()

    assert {result.task for result in run.results} == set(orders)
    for result in run.results:
        member, _space, case = result.task.partition(" ")
        assert result.status == "ok", run.shown
        (call,) = lab.simulator.calls(orders[result.task])
        whole = (every, *forms)[int(case)].get("response_type", "individual") != "individual"
        alone = {"info": 0, "order": 0, "certificate": 2, "chain": 3, "root": 3}.get(member, 1)
        assert simulator.query_type(call) == (1 if whole and alone else alone), result.task
        if member == "info":
            assert [order["state"] for order in result.data["orders"]] == ["issued", "pending"]
        elif member in ("certificate", "chain", "root", "fullchain"):
            blocks = {"certificate": 1, "root": 1, "chain": len(_CHAIN), "fullchain": len(_CHAIN) + 1}[member]
            assert result.data["msg"].count("BEGIN CERTIFICATE") == blocks, result.task
