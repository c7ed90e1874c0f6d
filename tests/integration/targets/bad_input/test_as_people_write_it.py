# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people write, and YAML, vaults and habits make of it: taken where it is meant, and named where it may not be."""

from __future__ import annotations

import pathlib
import stat
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files, simulator
from ansible_collections.certfleet.collectssl.tests.support.https_server import Proxy
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab, Task
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

#: 0012345 without quotes.
_OCTAL = 5349
_QUOTES = 'Write it in quotes, such as "0012345".'
_NOTHING = "Nothing was changed."
_UNTOUCHED = "No file on the target was touched."


def _said(run: Run, name: str) -> str:
    """What a task said that failed, in one line; how core wraps what a lookup says is its own affair."""
    result = run.one(name)
    assert result.status == "failed", f"{name} was taken"
    return " ".join(result.message.split()).rpartition("failed: ")[2]


def _play(lab: Lab, tasks: dict[str, Task], hosts: dict[str, t.Any] | None = None, **more: t.Any) -> Run:
    named = [{"name": name, "ignore_errors": True, **task} for name, task in tasks.items()]
    return lab.play(hosts or {"web01": {}}, named, **more).must_succeed()


def _lookup(arguments: str) -> Task:
    return {"ansible.builtin.debug": {"msg": f"{{{{ lookup('{LOOKUP}', {arguments}) }}}}"}}


def test_numbers_that_yaml_changes(lab: Lab) -> None:
    """Each is refused before a call, with a sentence about quotes; what is text or long enough is asked about."""
    long, text = lab.order("12345678"), lab.order("0012345")
    certificate = {"path": "{{ dir }}/cert.pem"}
    number = f"is the number {_OCTAL}, which YAML may have made of something else: "
    refused: dict[str, tuple[Task, str, str]] = {
        "a task": ({MODULE: {**certificate, "order_number": _OCTAL}}, f"order_number {number}", _UNTOUCHED),
        "a variable": ({MODULE: {**certificate, "order_number": "{{ octal }}"}}, f"order_number {number}", _UNTOUCHED),
        "info": ({INFO: {"order_number": _OCTAL}}, f"order_number {number}", _NOTHING),
        "a list": ({INFO: {"order_numbers": [long, _OCTAL]}}, f"Element 2 of order_numbers {number}", _NOTHING),
        "a list of one": ({INFO: {"order_numbers": _OCTAL}}, f"order_numbers {number}", _NOTHING),
        "a fraction": ({INFO: {"order_number": 12345678.5}}, "order_number is the number 12345678.5, ", _NOTHING),
        "a truth value": ({INFO: {"order_numbers": [True]}}, "Element 1 of order_numbers is the truth value", _NOTHING),
        "a negative one": ({INFO: {"order_number": -12345678}}, "order_number is the number -12345678, ", _NOTHING),
        "a term": (_lookup(f"{_OCTAL}, part='order'"), f"Term 1 of the lookup {number}", _NOTHING),
        "a term of a variable": (_lookup("'12345678', octal"), f"Term 2 of the lookup {number}", _NOTHING),
        "a term that is true": (_lookup("true"), "Term 1 of the lookup is the truth value true, ", _NOTHING),
    }
    shapes: dict[str, tuple[Task, str]] = {
        "a dictionary": ({INFO: {"order_numbers": [{"number": "1"}]}}, "Element 1 of order_numbers must be text. "),
        "text of a list": (
            {INFO: {"order_numbers": "['12345678', 0012345]"}},
            "order_numbers is the text of a list, brackets and all. Give the list itself, or what is in it. ",
        ),
        "an empty element": ({INFO: {"order_numbers": [long, " "]}}, "Element 2 of order_numbers is empty. "),
        "a term that is a dictionary": (_lookup("{'number': '1'}"), "Term 1 of the lookup must be text. "),
        "an ID that is a fraction": (
            {INFO: {"certificate_ids": [5, 6.5]}},
            "Element 2 of certificate_ids must be a whole",
        ),
    }
    taken: dict[str, Task] = {
        "long": {INFO: {"order_number": int(long)}},
        "text": {INFO: {"order_number": text}},
        "both": {INFO: {"order_numbers": f" {long},{text} ,"}},
        "terms": _lookup(f"{int(long)}, '{text}', part='order'"),
    }
    tasks = {name: task for name, (task, *_said_of_it) in (refused | shapes).items()}
    run = _play(lab, tasks, {"web01": {"octal": _OCTAL}})
    assert lab.simulator.calls() == []
    for name, (_task, begin, end) in refused.items():
        said = _said(run, name)
        assert said.startswith(begin), said
        assert f"{_QUOTES} {end}" in said, said
    for name, (_task, begin) in shapes.items():
        assert _said(run, name).startswith(begin), _said(run, name)

    run = _play(lab, taken)
    assert {name: run.one(name).status for name in taken} == dict.fromkeys(taken, "ok")
    assert [order["order_number"] for order in run.one("both").data["orders"]] == [long, text]
    assert {simulator.named_order(call) for call in lab.simulator.calls()} == {long, text}


def test_numbers_on_the_command_line(lab: Lab) -> None:
    """What stands behind NAME= is text, so that the number is the one that was typed."""
    number = lab.order("0012345")
    asked = lab.ad_hoc({"web01": {}}, INFO, f"order_number={number}").must_succeed()
    assert asked.results[0].data["orders"][0]["state"] == "issued"
    json = lab.ad_hoc({"web01": {}}, INFO, f'{{"order_number": {_OCTAL}}}')
    assert _QUOTES in json.results[0].message
    assert {simulator.named_order(call) for call in lab.simulator.calls()} == {number}


def test_numbers_in_the_variables_of_playbooks(lab: Lab, tmp_path: pathlib.Path) -> None:
    """The same rule, and the same text with commas, whichever playbook takes it."""
    numbers = [lab.order("12345678"), lab.order("0012345"), lab.order("87654321")]
    page = tmp_path / "page.html"
    lab.playbook({"web": {}}, "report", report_orders=", ".join(numbers) + ",", report_file=str(page)).must_succeed()
    assert [number in page.read_text(encoding="utf-8") for number in numbers] == [True] * 3
    assert [simulator.named_order(call) for call in lab.simulator.calls()] == numbers
    for given, shown in ((numbers, numbers), (int(numbers[0]), numbers[:1])):
        status = lab.playbook({}, "order_status", order_status_orders=given).must_succeed()
        _head, *lines = status.one("Show them").data["msg"]
        assert [line.split()[0] for line in lines] == shown
    lab.simulator.reset()

    for wrong in ([numbers[0], _OCTAL], True):
        refused = lab.playbook({}, "order_status", order_status_orders=wrong).must_fail()
        assert f"{_QUOTES} {_NOTHING}" in refused.one("Ask for the orders").message
    certificate = {"name": "one", "order_number": _OCTAL, "fullchain_path": "/nowhere/one.pem"}
    hosts = {"web": {"collectssl_deploy_certificates": [certificate]}, "other": {}}
    run = lab.playbook(hosts, "report", report_orders=12.5, report_file=str(page)).must_be_civil()
    told = page.read_text(encoding="utf-8")
    assert "order_numbers is the number 12.5, which YAML" in told
    assert "the run says why: web" in " ".join(told.split())
    assert f"Certificate one: order_number is the number {_OCTAL}, which YAML may have made of" in " ".join(
        run.output.split()
    )
    assert lab.simulator.calls() == []


def test_secrets_with_more_than_one_sees(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Named where they are refused, in a word that tells nothing of them; never taken off."""
    with_end = lab.order()
    secret, name = simulator.PASSWORD, simulator.LOGIN
    file = files.write(tmp_path / "password", f"{secret}\r\n")
    feed = "The value given for login_password ends in a line feed, which was sent along"
    cases: dict[str, tuple[dict[str, t.Any], str]] = {
        "an option": ({"login_name": name, "login_password": f"{secret}\n"}, feed),
        "a file": (
            {"login_name": name, "login_password": f"{{{{ lookup('ansible.builtin.file', '{file}', rstrip=false) }}}}"},
            "The value given for login_password ends in a carriage return and a line feed, which was sent along",
        ),
        "a name": (
            {"login_name": f" {name}", "login_password": secret},
            "The value given for login_name begins with a space",
        ),
        "a plain one": ({"login_name": name, "login_password": f"{secret}x"}, ""),
    }
    run = _play(lab, {case: {INFO: {"order_number": with_end, **options}} for case, (options, _words) in cases.items()})
    for case, (_options, words) in cases.items():
        said = _said(run, case)
        assert words in said, said
        assert ("which was sent along" in said) == bool(words), said
        assert said.endswith(_NOTHING)
        assert secret not in said
    surrounded = _play(
        lab,
        {
            "install": {MODULE: {"order_number": with_end, "path": "{{ dir }}/cert.pem"}},
            "look up": _lookup(f"'{with_end}'"),
        },
        environment={"COLLECTSSL_LOGIN_PASSWORD": f"{secret}\n"},
    )
    assert feed in _said(surrounded, "install")
    assert _said(surrounded, "install").endswith(_UNTOUCHED)
    assert f"{feed}: " in _said(surrounded, "look up")
    sent = [
        call["arguments"]["loginPassword"] for call in lab.simulator.calls() if "loginPassword" in call["arguments"]
    ]
    assert not any(value == secret for value in sent)


_NAMES = ["xn--bcher-kva.example", "*.xn--strae-oqa.example", "2001:db8::7", "192.0.2.7"]


def test_names_as_endpoints_take_them(lab: Lab) -> None:
    """With brackets, in any form of an address, as people read international names; and returned with their kinds."""
    number = lab.order(names=_NAMES)
    covered = [
        "Bücher.Example.",
        "bu\u0308cher\u3002example",
        "www.Straße.example",
        "[2001:DB8:0::7]",
        "2001:db8::7%eth0",
    ]
    covered += ["192.0.2.7.", "*.straße.example"]
    missing = ["[2001:db8::8]", "www.bücher.example", "[bücher.example]", "2001:db8::/32"]
    tasks: dict[str, Task] = {
        name: {MODULE: {"order_number": number, "path": f"{{{{ dir }}}}/{place}.pem", "expected_names": [name]}}
        for place, name in enumerate((*covered, *missing))
    }
    hosts = lab.fleet("web", 1)
    run = _play(lab, tasks, hosts)
    for name in covered:
        assert run.one(name).status == "ok", f"{name}: {run.one(name).message}"
    for name in missing:
        assert f"does not cover {name} of expected_names; it covers DNS:xn--bcher-kva.example, " in _said(run, name)
    names = run.one(covered[0]).data["certificate"]["subject_alt_names"]
    assert names == [f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in _NAMES]


def test_habits(lab: Lab) -> None:
    """A command that waits for a path, two slips of the hand, an address with nothing there: refused with a reason."""
    number = lab.order()
    hosts = lab.fleet("web", 1)
    before = files.snapshot(lab.folder / "hosts")
    address = urllib.parse.urlsplit(lab.simulator.url())
    nowhere = address._replace(path="/products/collect").geturl()
    mine = {"order_number": number, "path": "{{ dir }}/cert.pem"}
    cases: dict[str, tuple[Task, str]] = {
        "validate": (
            {MODULE: {**mine, "validate": "openssl x509 -in %s -noout"}},
            "validate holds %s, for which ansible.builtin.copy puts the path of a file that is not in place yet. ",
        ),
        "two slips": (
            {MODULE: {**mine, "fullchain_paht": "/x", "privatekey-path": "/y"}},
            (
                "There is no option fullchain_paht and no option privatekey-path. Is fullchain_path meant by "
                "fullchain_paht? Is privatekey_path meant by privatekey-path? "
            ),
        ),
        "no mode": (
            {MODULE: {**mine, "mode": [644]}},
            'mode must be permissions such as "0644" or "u=rw,g=r,o=r", in quotes. ',
        ),
        "text of a list": (
            {MODULE: {**mine, "expected_names": "['www.example.com']"}},
            "expected_names must be a list, or text with commas between its parts. ",
        ),
        "a dictionary among names": (
            {MODULE: {**mine, "expected_names": ["www.example.com", {"name": "www.example.com"}]}},
            "Element 2 of expected_names must be text. ",
        ),
        "ages": (
            {MODULE: {**mine, "min_validity_days": 10**10}},
            "min_validity_days must be at most 36525. ",
        ),
        "nothing there": (
            {MODULE: {**mine, "api_url": nowhere}},
            f"What localhost:{address.port} sent about order number",
        ),
    }
    run = _play(lab, {name: task for name, (task, _begin) in cases.items()}, hosts)
    for name, (_task, begin) in cases.items():
        assert _said(run, name).startswith(begin), _said(run, name)
        assert _said(run, name).endswith(_UNTOUCHED)
    assert "Check api_url: the interface is not at this address." in _said(run, "nothing there")
    assert files.snapshot(lab.folder / "hosts") == before
    assert lab.simulator.calls(number) == []


@pytest.mark.parametrize("check", [False, True])
def test_a_mode_that_yaml_made_decimal(lab: Lab, check: bool) -> None:
    """It is set, since it may be meant, and warned about; what is octal for YAML or stands in quotes is not."""
    number = lab.order()
    hosts = lab.fleet("web", 1)
    modes: dict[str, tuple[t.Any, int]] = {"decimal": (644, 0o1204), "octal": (0o640, 0o640), "text": ("0640", 0o640)}
    tasks: dict[str, Task] = {
        name: {MODULE: {"order_number": number, "path": f"{{{{ dir }}}}/{name}.pem", "mode": mode}}
        for name, (mode, _bits) in modes.items()
    }
    run = lab.play(hosts, [{"name": name, **task} for name, task in tasks.items()], *["--check"] * check).must_succeed()
    for name, (_mode, bits) in modes.items():
        warned = [str(warning) for warning in run.one(name).data.get("warnings", [])]
        assert ("mode is the number 644, which is 1204 in octal." in str(warned)) == (name == "decimal"), warned
        if not check:
            assert stat.S_IMODE((lab.host_folder("web01") / f"{name}.pem").stat().st_mode) == bits
    assert 'write mode: "0644"' in " ".join(run.output.split())


def test_no_proxy_with_networks(lab: Lab) -> None:
    """For an address in api_url; the simulator's certificate is for its address, too."""
    address = urllib.parse.urlsplit(lab.simulator.url())
    url = address._replace(netloc=f"127.0.0.1:{address.port}").geturl()
    cases = {
        "127.0.0.0/8": True,
        "10.0.0.0/8, 127.1.1.1/8": True,
        f"127.0.0.1:{address.port}": True,
        "10.0.0.0/8,::1/128,localhost": False,
        "127.0.0.1:1": False,
    }
    numbers = {no_proxy: lab.order() for no_proxy in cases}
    with Proxy() as proxy:
        surroundings = {"https_proxy": f"http://{proxy.address}"}
        run = lab.play(
            {"web01": {}},
            [
                {
                    "name": no_proxy,
                    INFO: {"order_number": numbers[no_proxy], "api_url": url},
                    "environment": {**surroundings, "no_proxy": no_proxy},
                }
                for no_proxy in cases
            ],
        ).must_succeed()
        assert len(proxy.seen) == list(cases.values()).count(False)
    assert {run.one(no_proxy).data["orders"][0]["state"] for no_proxy in cases} == {"issued"}
