# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CollectCCC, which has a list of arguments of its own, and hands out certificates of persons and clients."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, LOOKUP, MODULE, Lab

_CODES = ("0123456789abcdef", "fedcba9876543210", "pending+code& 16", "rejected+code %1")
_NO_ACCOUNT = {"COLLECTSSL_LOGIN_NAME": "", "COLLECTSSL_LOGIN_PASSWORD": ""}
#: All that the page of CollectCCC lists, and that this collection sends.
_BY_NUMBER = ["loginName", "loginPassword", "orderNumber", "queryType", "responseType", "responseEncoding"]
_BY_CODE = ["collectionCode", "queryType", "responseType", "responseEncoding"]


def _orders(lab: Lab) -> str:
    """Orders of persons, each with a code; the number of the first."""
    first = lab.order(product="ccc", names=["jane@example.com", "Jane.Doe@example.com"], collection_code=_CODES[0])
    lab.order(product="ccc", names=["john@example.com"], collection_code=_CODES[1], account=simulator.OTHER_LOGIN)
    lab.order(product="ccc", names=["a@example.com"], collection_code=_CODES[2], life=[{"state": "pending"}])
    lab.order(product="ccc", names=["b@example.com"], collection_code=_CODES[3], life=[{"state": "rejected"}])
    return first


def test_what_is_asked_and_what_comes_of_it(lab: Lab) -> None:
    """By number and by code, in every form; two codes are two orders; defaults of the group do no harm."""
    first = _orders(lab)
    install = {"fullchain_path": "{{ dir }}/NAME.pem", "expected_names": ["jane@example.com", "JANE.doe@example.com"]}
    tasks: dict[str, dict[str, t.Any]] = {
        "number": {MODULE: {**install, "order_number": int(first)}},
        "code": {MODULE: {**install, "collection_code": _CODES[0]}},
        "another code": {MODULE: {**install, "collection_code": _CODES[1], "expected_names": ["john@example.com"]}},
        "pkcs7": {MODULE: {**install, "order_number": first, "response_type": "pkcs7"}},
        "status": {INFO: {"order_number": first}},
        "status by code": {INFO: {"collection_code": _CODES[0]}},
        "pending": {INFO: {"collection_code": _CODES[2]}},
        "look up": {
            "ansible.builtin.set_fact": {
                "looked_up": f"{{{{ lookup('{LOOKUP}', product='ccc', api_url=ccc, collection_code='{_CODES[1]}') }}}}",
            }
        },
    }
    for name, task in tasks.items():
        if MODULE in task:
            task[MODULE]["fullchain_path"] = task[MODULE]["fullchain_path"].replace("NAME", name)
    defaults = {"product": "ccc", "api_url": "{{ ccc }}", "response_format": "urlencoded"}
    run = lab.play(
        {"web01": {"ccc": lab.simulator.url("ccc")}},
        [{"name": name, **task} for name, task in tasks.items()],
        play={"module_defaults": {"group/certfleet.collectssl.collectssl": defaults}},
    ).must_succeed()

    folder = lab.host_folder("web01")
    held = {name: (folder / f"{name}.pem").read_text() for name, task in tasks.items() if MODULE in task}
    assert held["number"] == held["code"] == held["pkcs7"]
    assert certificates.common_names(held["code"])[0] == "jane@example.com"
    assert certificates.common_names(held["another code"])[0] == "john@example.com"
    assert run.one("look up").data["ansible_facts"]["looked_up"].strip() == held["another code"].strip()
    names = run.one("number").data["certificate"]["subject_alt_names"]
    assert names == ["email:jane@example.com", "email:Jane.Doe@example.com"]

    (by_number,), (by_code,) = run.one("status").data["orders"], run.one("status by code").data["orders"]
    assert by_number["order_number"] == first
    # A code is a secret, and its order has no other name.
    assert by_code == {name: value for name, value in by_number.items() if name != "order_number"}
    assert (by_number["state"], by_number["fqdn"], by_number["extra"]) == ("issued", None, {})
    assert by_number["not_after"] is not None
    (pending,) = run.one("pending").data["orders"]
    assert (pending["state"], pending["status"]["message"]) == ("pending", None)

    calls = lab.simulator.calls()
    for call in calls:
        assert call["code"] in (0, 1, 2), call
        expected = _BY_CODE if "collectionCode" in call["argument_names"] else _BY_NUMBER
        assert call["argument_names"] == [*expected, "showValidityPeriod"]
    # One order asked about by its number, and three by their codes: each once, for all tasks that want it.
    assert len(calls) == 4
    assert all(code not in run.output for code in _CODES)


def test_what_is_refused(lab: Lab) -> None:
    """Each in a sentence, before any call where a rule is broken; and what the provider refuses."""
    first = _orders(lab)
    to_ccc = {"product": "ccc", "api_url": lab.simulator.url("ccc")}
    path = {"path": "{{ dir }}/cert.pem"}
    rows: dict[str, tuple[dict[str, t.Any], str]] = {
        "a code with product ssl": (
            {MODULE: {**path, "collection_code": _CODES[0]}},
            (
                "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) is for "
                "product ccc alone, and this asks with product ssl. Give login_name and login_password in its place, "
                "or product: ccc. No file on the target was touched."
            ),
        ),
        "a code with an order": (
            {MODULE: {**path, **to_ccc, "collection_code": _CODES[0], "order_number": first}},
            (
                "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) "
                "names the order by itself, and order_number is given beside it. Leave out order_number, or give "
                "login_name and login_password in place of the code. No file on the target was touched."
            ),
        ),
        "a code with orders": (
            {INFO: {**to_ccc, "collection_code": _CODES[0], "order_numbers": [first]}},
            (
                "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) "
                "names the order by itself, and order_numbers is given beside it. Leave out order_numbers, or give "
                "login_name and login_password in place of the code. Nothing was changed."
            ),
        ),
        "too long a code": (
            {INFO: {**to_ccc, "collection_code": _CODES[0] + "\n"}},
            (
                "collection_code is longer than the 16 characters that CollectCCC takes. It begins or ends with white "
                "space: is that meant? Nothing was changed."
            ),
        ),
        "a certificate id": (
            {INFO: {**to_ccc, "certificate_id": 12345678}},
            (
                "certificate_id is for product ssl alone: CollectCCC is asked by order_number, or by a collection_code "
                "alone. Nothing was changed."
            ),
        ),
        "letters": (
            {INFO: {**to_ccc, "order_number": "WX-1"}},
            "order_number must be a whole number for product ccc, not 'WX-1'. Nothing was changed.",
        ),
        "nothing": (
            {MODULE: {**path, **to_ccc}},
            "Give one of order_number, collection_code, content; none is given. No file on the target was touched.",
        ),
        "a code nobody has": (
            {MODULE: {**path, **to_ccc, "collection_code": "no such code"}},
            (
                "The provider refused the order of the collection code with status -16. The provider says: Permission "
                "denied. Check login_name and login_password (or collection_code), that the account is not locked and "
                "its password not expired, that it may be used from this controller's address, and that the order is "
                "one of this account. No file on the target was touched."
            ),
        ),
        "pending": (
            {MODULE: {**path, **to_ccc, "collection_code": _CODES[2]}},
            (
                "The order of the collection code is still being processed. Run again later, or wait longer with "
                "wait_timeout. No file on the target was touched."
            ),
        ),
        "rejected": (
            {MODULE: {**path, **to_ccc, "collection_code": _CODES[3]}},
            (
                "The order of the collection code was rejected. The provider says: The certificate request has been "
                "rejected. No waiting mends this: place a new order. No file on the target was touched."
            ),
        ),
        "another name": (
            {MODULE: {**path, **to_ccc, "collection_code": _CODES[0], "expected_names": ["john@example.com"]}},
            (
                "The certificate CN=jane@example.com does not cover john@example.com of expected_names; it covers "
                "email:jane@example.com, email:Jane.Doe@example.com. No file on the target was touched."
            ),
        ),
    }
    run = lab.play(
        {"web01": {}}, [{"name": name, **task, "ignore_errors": True} for name, (task, _said) in rows.items()]
    ).must_succeed()
    for name, (_task, said) in rows.items():
        assert (run.one(name).status, run.one(name).message) == ("failed", said), name
    assert len(lab.simulator.calls()) == 4
    assert not (lab.host_folder("web01") / "cert.pem").exists()


def test_a_code_of_the_environment_and_the_playbook(lab: Lab) -> None:
    """It asks where a task names neither account nor order, and the playbook shows the order without a number."""
    _orders(lab)
    environment = {
        **_NO_ACCOUNT,
        "COLLECTSSL_API_URL": lab.simulator.url("ccc"),
        "COLLECTSSL_COLLECTION_CODE": _CODES[1],
    }
    task = {"name": "install", MODULE: {"path": "{{ dir }}/john.pem", "product": "ccc"}}
    lab.play(lab.fleet("host", 3), [task], environment=environment).must_succeed()
    held = (lab.host_folder("host03") / "john.pem").read_text()
    assert certificates.common_names(held) == ["john@example.com"]
    assert len(lab.simulator.calls()) == 1
    run = lab.playbook({}, "order_status", environment=environment, order_status_product="ccc").must_succeed()
    _head, line = run.one("Show them").data["msg"]
    assert line.split()[:3] == ["-", "issued", "-"]
    task = {"name": "ask", INFO: {"order_number": "1"}}
    refused = lab.play({"web01": {}}, [task], environment=environment).must_fail()
    assert "is for product ccc alone" in refused.one("ask").message
