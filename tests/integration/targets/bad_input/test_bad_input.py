# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wrong option gets a sentence that names it and its rule, before any call, and changes nothing."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, files, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Result

Options = dict[str, t.Any]
#: Words that a message must hold; it need not hold them in this order.
Words = tuple[str, ...]


def _judge(result: Result, words: Words) -> None:
    assert result.status == "failed", f"{result.task} was taken"
    assert not result.changed
    # How core wraps what a lookup says is its own affair.
    said = result.message.rpartition("failed: ")[2].strip()
    for word in words:
        assert word in said, f"{result.task}: {said}"
    assert said.endswith((".", "?")), f"{result.task}: {said}"
    assert "\n" not in said
    assert len(said) < 400, f"{result.task}: {said}"


def _cert(**options: t.Any) -> Options:
    return {"order_number": "1", "path": "{{ dir }}/cert.pem", **options}


#: What the controller finds by itself.
_WRONG: dict[str, tuple[Options, Words]] = {
    "two identifiers": (_cert(certificate_id=5), ("order_number", "certificate_id", "not both")),
    "an order and content": (_cert(content="x"), ("order_number", "content")),
    "no identifier": ({"path": "{{ dir }}/cert.pem"}, ("order_number", "certificate_id", "base_order_number")),
    "letters in a certificate id": (
        {"certificate_id": "12a4", "path": "{{ dir }}/cert.pem"},
        ("certificate_id", "whole number"),
    ),
    "too long a certificate id": (
        {"certificate_id": "1" * 17, "path": "{{ dir }}/cert.pem"},
        ("certificate_id", "16 digits"),
    ),
    "letters in a base order number": (
        {"base_order_number": "x1", "path": "{{ dir }}/cert.pem"},
        ("base_order_number", "whole number"),
    ),
    "an empty order number": (_cert(order_number=" "), ("order_number", "empty")),
    "too long an order number": (_cert(order_number="1" * 129), ("order_number", "128")),
    "binary and individual": (_cert(response_encoding="binary"), ("response_encoding", "response_type")),
    "binary and netscape": (
        _cert(response_encoding="binary", response_type="netscape"),
        ("response_encoding", "zip", "pkcs7"),
    ),
    "zip of collect ccc": (_cert(response_type="zip", product="ccc"), ("response_type", "zip", "product")),
    "an unknown response type": (_cert(response_type="pkcs12"), ("response_type", "individual", "pkcs7")),
    "an unknown product": (_cert(product="smime"), ("product", "ssl", "ccc")),
    "no path at all": ({"order_number": "1"}, ("path", "fullchain_path", "combined_path")),
    "a relative path": (_cert(path="cert.pem"), ("path", "absolute")),
    "two names for one file": (_cert(chain_path="{{ dir }}/cert.pem"), ("path", "chain_path", "same file")),
    "combined without key": (_cert(combined_path="{{ dir }}/combined.pem"), ("combined_path", "privatekey_path")),
    "pending key without key": (
        _cert(pending_privatekey_path="{{ dir }}/pending.pem"),
        ("pending_privatekey_path", "privatekey_path"),
    ),
    "an http url": (_cert(api_url="http://localhost/products"), ("api_url", "https://")),
    "a user in the url": (_cert(api_url="https://me@localhost/"), ("api_url", "user")),
    "no url": (_cert(api_url="https://"), ("api_url", "host")),
    "a trust store that is not there": (_cert(ca_path="/nowhere/at/all.pem"), ("ca_path", "/nowhere/at/all.pem")),
    "a trust store that is none": (_cert(ca_path="{{ dir }}/key.pem"), ("ca_path", "key.pem")),
    "a proxy that is none": (_cert(proxy="socks5://localhost:1"), ("proxy", "http")),
    "a typo": (_cert(fullchain_paht="{{ dir }}/full.pem"), ("fullchain_paht", "fullchain_path")),
    "a negative wait": (_cert(wait_timeout=-1), ("wait_timeout", "from 0")),
    "no poll interval": (_cert(poll_interval=0), ("poll_interval", "from 1")),
    "a wait that is no number": (_cert(wait_timeout="an hour"), ("wait_timeout",)),
    "no time for an answer": (_cert(request_timeout=0), ("request_timeout", "from 1")),
    "negative retries": (_cert(retries=-1), ("retries", "from 0")),
    "negative days": (_cert(min_validity_days=-1), ("min_validity_days", "0 or more")),
    "an empty command": (_cert(validate=" "), ("validate", "empty")),
    "an unfinished quote": (_cert(validate="openssl 'x509"), ("validate",)),
    "account and code": (
        _cert(login_name="a", login_password="b", collection_code="c"),
        ("login_name", "collection_code"),
    ),
    "a password without a name": (_cert(login_password="b", login_name=""), ("login_name",)),
    "too long a name": (_cert(login_name="n" * 65, login_password="b"), ("login_name", "64")),
    "too long a password": (_cert(login_name="n", login_password="b" * 129), ("login_password", "128")),
}
_WRONG_INFO: dict[str, tuple[Options, Words]] = {
    "info: no identifier": ({}, ("order_number", "order_numbers")),
    "info: one and many": ({"order_number": "1", "order_numbers": ["2"]}, ("order_number", "order_numbers")),
    "info: letters among the ids": ({"certificate_ids": ["12", "x"]}, ("certificate_id", "whole number")),
    "info: a form that there is not": ({"order_number": "1", "response_type": "p7b"}, ("response_type", "pkcs7")),
    "info: no interval": ({"order_number": "1", "poll_interval": 0}, ("poll_interval", "from 1")),
}
_WRONG_LOOKUPS: dict[str, tuple[str, Words]] = {
    "lookup: no order": ("", ("order_number",)),
    "lookup: two kinds of identifiers": ("'1', certificate_id='5'", ("certificate_id",)),
    "lookup: an unknown part": ("'1', part='leaf'", ("part", "certificate")),
    "lookup: a binary certificate": ("'1', part='certificate', response_encoding='binary'", ("response_encoding",)),
    "lookup: a typo": ("'1', prat='chain'", ("prat",)),
    "lookup: an http url": ("'1', api_url='http://localhost/'", ("api_url", "https://")),
}


def test_the_controller_refuses_before_a_call(lab: Lab) -> None:
    """All of them in one run, and the simulator hears of none."""
    hosts = lab.fleet("web", 1)
    before = files.snapshot(lab.folder / "hosts")
    tasks = [{"name": name, MODULE: options} for name, (options, _words) in _WRONG.items()]
    tasks += [{"name": name, INFO: options} for name, (options, _words) in _WRONG_INFO.items()]
    tasks += [
        {"name": name, "ansible.builtin.debug": {"msg": f"{{{{ lookup('{LOOKUP}', {arguments}) }}}}"}}
        for name, (arguments, _words) in _WRONG_LOOKUPS.items()
    ]
    run = lab.play(hosts, [{**task, "ignore_errors": True} for task in tasks]).must_succeed()

    assert lab.simulator.calls() == []
    assert files.snapshot(lab.folder / "hosts") == before
    found = run.by_task("web01")
    problems = []
    for name, words in [
        *((name, words) for name, (_options, words) in (_WRONG | _WRONG_INFO).items()),
        *((name, words) for name, (_arguments, words) in _WRONG_LOOKUPS.items()),
    ]:
        try:
            _judge(found[name], words)
        except AssertionError as problem:
            problems.append(str(problem).splitlines()[0])
    assert not problems, "\n".join(problems)


def test_missing_credentials(lab: Lab) -> None:
    """Without an account anywhere the message says where to put one; half an account is none."""
    hosts = lab.fleet("web", 1)
    tasks = [
        {"name": "none", MODULE: _cert()},
        {"name": "half", MODULE: _cert(login_name="somebody")},
        {"name": "info", INFO: {"order_number": "1"}},
    ]
    run = lab.play(
        hosts,
        [{**task, "ignore_errors": True} for task in tasks],
        environment={"COLLECTSSL_LOGIN_NAME": "", "COLLECTSSL_LOGIN_PASSWORD": ""},
    ).must_succeed()
    for name in ("none", "info"):
        _judge(run.one(name), ("login_name", "login_password", "COLLECTSSL_LOGIN_PASSWORD", "collection_code"))
    _judge(run.one("half"), ("login_name", "login_password"))
    assert lab.simulator.calls() == []


def test_half_an_account_from_the_environment(lab: Lab) -> None:
    """The name from the environment goes with a password from the task."""

    number = lab.order()
    run = lab.play(
        {"web01": {}},
        [{"name": "ask", INFO: {"order_number": number, "login_password": simulator.PASSWORD}}],
        environment={"COLLECTSSL_LOGIN_PASSWORD": ""},
    ).must_succeed()
    assert run.one("ask").data["orders"][0]["state"] == "issued"


def test_the_target_refuses_and_changes_nothing(lab: Lab) -> None:
    """What only the target can know: a host for each, with the rest of the options right."""
    number = lab.order()
    encrypted = certificates.make_key(passphrase="right horse")
    mine = {"order_number": number, "privatekey_path": "{{ dir }}/key.pem", "path": "{{ dir }}/cert.pem"}
    cases: dict[str, tuple[Options, Words]] = {
        "directory": ({**mine, "path": "{{ dir }}/folder"}, ("path", "folder", "directory")),
        "no-directory": ({**mine, "chain_path": "{{ dir }}/none/chain.pem"}, ("chain_path", "none", "does not exist")),
        "no-key": ({**mine, "privatekey_path": "{{ dir }}/none.pem"}, ("privatekey_path", "none.pem")),
        "not-a-key": (
            {**mine, "privatekey_path": "{{ dir }}/text.pem"},
            ("privatekey_path", "text.pem", "private key"),
        ),
        "key-is-a-folder": (
            {**mine, "privatekey_path": "{{ dir }}/folder"},
            ("privatekey_path", "folder", "directory"),
        ),
        "no-passphrase": (
            {**mine, "privatekey_path": "{{ dir }}/encrypted.pem"},
            ("encrypted.pem", "encrypted", "privatekey_passphrase"),
        ),
        "wrong-passphrase": (
            {**mine, "privatekey_path": "{{ dir }}/encrypted.pem", "privatekey_passphrase": "wrong horse"},
            ("privatekey_passphrase", "encrypted.pem"),
        ),
        "other-type": (
            {**mine, "privatekey_path": "{{ dir }}/rsa.pem"},
            ("privatekey_path", "rsa.pem", "does not belong"),
        ),
        "no-such-owner": ({**mine, "owner": "nobody-of-this-name"}, ("nobody-of-this-name",)),
        "no-such-mode": ({**mine, "mode": "u=everything"}, ("mode",)),
        "one-file-by-link": ({**mine, "fullchain_path": "{{ dir }}/link.pem"}, ("fullchain_path", "path")),
        # Modes do not stop root; the kernel does.
        "unwritable": (
            ({**mine, "path": "/proc/cert.pem"}, ("/proc/cert.pem",))
            if os.geteuid() == 0
            else ({**mine, "path": "{{ dir }}/locked/cert.pem"}, ("path", "locked", "may not write"))
        ),
    }
    for host in cases:
        folder = lab.host_folder(host)
        files.write(folder / "key.pem", certificates.shared_key(), 0o600)
        files.write(folder / "encrypted.pem", encrypted, 0o600)
        files.write(folder / "rsa.pem", certificates.shared_key("rsa"), 0o600)
        files.write(folder / "text.pem", "no key at all\n", 0o600)
        files.write(folder / "cert.pem", "of before\n")
        (folder / "folder").mkdir()
        (folder / "locked").mkdir(0o555)
        (folder / "link.pem").symlink_to("cert.pem")
    before = files.snapshot(lab.folder / "hosts")
    tasks = [
        {"name": host, MODULE: options, "when": f"inventory_hostname == '{host}'", "ignore_errors": True}
        for host, (options, _words) in cases.items()
    ]
    run = lab.play({host: {} for host in cases}, tasks, play={"strategy": "free"}).must_succeed()

    assert files.snapshot(lab.folder / "hosts") == before
    problems = []
    for host, (_options, words) in cases.items():
        try:
            _judge(run.one(host, host), words)
        except AssertionError as problem:
            problems.append(str(problem).splitlines()[0])
    assert not problems, "\n".join(problems)
    assert "horse" not in run.output
    # The chain of the order was asked for once, and is right.
    assert [call["code"] for call in lab.simulator.calls()] == [2]


def test_async_is_refused(lab: Lab) -> None:
    """The action works on the controller, so there is nothing that could go on in the background."""
    task = {"name": "install", MODULE: _cert(), "async": 30, "poll": 1, "ignore_errors": True}
    # It is ansible-core that refuses, in words of its own; those of 2.16 are not civil.
    run = lab.play({"web01": {}}, [task])
    assert run.returncode == 0, run.shown
    assert run.one("install").status == "failed"
    assert "async" in run.one("install").message
    assert lab.simulator.calls() == []
