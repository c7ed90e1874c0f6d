# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders over their lives, and who may ask for what, over real TLS."""

from __future__ import annotations

import base64
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._book import _Live
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._orders import Order, Phase
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from .support import PASSWORD, Answered, Caller, pem_blocks

Start = t.Callable[..., Caller]


def leaf_of(answered: Answered) -> x509.Certificate:
    return x509.load_der_x509_certificate(pem_blocks(answered.body)[-1])


def codes(caller: Caller, count: int, **arguments: t.Any) -> list[str]:
    return [caller.call(queryType="0", **arguments).lines[0] for _unused in range(count)]


def state(caller: Caller, order_number: str = "1") -> dict[str, t.Any]:
    orders = caller.control("GET", "status")["orders"]
    return next(order for order in orders if order["order_number"] == order_number)


def test_a_life_counted_in_calls(start: Start) -> None:
    life = [
        {"state": "awaiting_payment", "calls": 1},
        {"state": "pending", "calls": 2},
        {"state": "being_issued", "calls": 1},
        {"state": "issued", "calls": 2},
        {"state": "error", "code": -91, "message": "strange", "calls": 1},
        {"state": "revoked"},
    ]
    caller = start([{"order_number": "1", "life": life}])
    assert codes(caller, 10) == ["-22", "0", "0", "-26", "1", "1", "-91", "-21", "-21", "-21"]
    assert state(caller)["calls"] == 10
    assert state(caller)["state"] == "revoked"


def test_a_life_counted_in_seconds_begins_with_the_first_call(start: Start) -> None:
    caller = start([{"order_number": "1", "life": [{"state": "pending", "seconds": 0.5}, {"state": "issued"}]}])
    time.sleep(0.6)
    assert codes(caller, 1) == ["0"]
    time.sleep(0.6)
    assert codes(caller, 1) == ["1"]


def test_the_clock_of_a_life() -> None:
    phases = (Phase("pending", seconds=10), Phase("rejected", seconds=10), Phase("pending", calls=1), Phase("issued"))
    live = _Live(Order("1", "owner", "ssl", phases))
    met = []
    for now in (100, 109.9, 110, 119.9, 500, 501, 502):
        live.let_time_pass(now)
        live.count(now)
        met.append(live.position)
    assert met == [0, 0, 1, 1, 2, 3, 3]
    assert (live.calls, live.calls_in_phase) == (7, 2)
    skipping = _Live(Order("1", "owner", "ssl", phases))
    skipping.count(0)
    skipping.let_time_pass(25)
    assert skipping.position == 2


def test_progress_over_the_phases_of_a_pending_order(start: Start) -> None:
    def phase(status: str, dcv: int) -> dict[str, t.Any]:
        domains = [{"name": "a.example", "status": "VALIDATED"}, {"name": "b.example", "status": status}]
        return {"state": "pending", "calls": 1, "domains": domains, "details": {"dcvStatus": dcv}}

    life = [phase("NOTVALIDATED", 2), phase("VALIDATED", 1), {"state": "issued"}]
    caller = start([{"order_number": "1", "life": life}])
    seen = []
    for _unused in (1, 2):
        fields = caller.call(responseFormat="1", showMDCDomainDetails="Y", showStatusDetails="Y").fields
        seen.append((fields["mdcDomainDetails"][0], fields["dcvStatus"][0]))
    assert seen == [
        ("a.example VALIDATED, b.example NOTVALIDATED", "2"),
        ("a.example VALIDATED, b.example VALIDATED", "1"),
    ]


def test_a_reissue_is_another_certificate_for_the_same_order(start: Start) -> None:
    life = [
        {"state": "issued", "calls": 2},
        {"state": "issued", "calls": 1},
        {"state": "issued", "calls": 1, "reissue": False, "chain": "both"},
        {"state": "issued", "key": "generate", "names": ["new.example.com"]},
    ]
    caller = start([{"order_number": "1", "life": life}])
    answers = [caller.call() for _unused in range(5)]
    leaves = [leaf_of(answered) for answered in answers]
    assert leaves[0] == leaves[1]
    assert leaves[1].serial_number != leaves[2].serial_number
    assert leaves[1].public_key() == leaves[2].public_key()
    assert leaves[2] == leaves[3]
    assert [len(pem_blocks(answered.body)) for answered in answers] == [4, 4, 4, 5, 5]
    assert leaves[3].public_key() != leaves[4].public_key()
    assert leaves[4].subject.rfc4514_string() == "CN=new.example.com"


def test_advance_and_restart(start: Start) -> None:
    caller = start([{"order_number": "1", "life": [{"state": "pending", "calls": 9}, {"state": "issued"}]}])
    assert codes(caller, 1) == ["0"]
    assert caller.control("POST", "advance", {"order_number": "1"}) == {"order_number": "1", "state": "issued"}
    assert codes(caller, 1) == ["1"]
    assert "last phase" in caller.control("POST", "advance", {"order_number": "1"})["error"]
    assert "no order '9'" in caller.control("POST", "advance", {"order_number": 9})["error"]
    caller.control("POST", "reset", {})
    assert (state(caller)["calls"], state(caller)["state"]) == (0, "issued")
    caller.control("POST", "reset", {"restart_lives": True})
    assert (state(caller)["calls"], state(caller)["state"]) == (0, "pending")


def test_three_names_for_one_order(start: Start) -> None:
    orders = [
        {"order_number": "1", "certificate_id": 11, "base_order_number": 5},
        {"order_number": "2", "certificate_id": 12, "base_order_number": 5, "names": ["two.example.com"]},
    ]
    caller = start(orders)
    first, second = leaf_of(caller.call()), leaf_of(caller.call(orderNumber="2"))
    assert first != second
    assert leaf_of(caller.call(orderNumber=None, certificateID="11")) == first
    assert leaf_of(caller.call(orderNumber=None, baseOrderNumber="5")) == second


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loginPassword": "wrong"}, ["-16", "Permission denied!"]),
        ({"loginPassword": PASSWORD.upper()}, ["-16", "Permission denied!"]),
        ({"loginName": "Owner"}, ["-16", "Permission denied!"]),
        ({"loginName": "other", "loginPassword": "x"}, ["-4", "The value of the 'loginPassword' argument is invalid!"]),
        ({"loginName": "third", "loginPassword": "x"}, ["-3", "The 'loginPassword' argument is missing!"]),
        ({"loginName": "third", "loginPassword": "third password"}, ["-16", "Permission denied!"]),
        (
            {"loginName": "other", "loginPassword": "other password"},
            ["-4", "The value of the 'orderNumber' argument is invalid!"],
        ),
        ({"orderNumber": "nine"}, ["-4", "The value of the 'orderNumber' argument is invalid!"]),
        (
            {"orderNumber": None, "baseOrderNumber": "9"},
            ["-4", "The value of the 'baseOrderNumber' argument is invalid!"],
        ),
        ({"collectionCode": "wrong"}, ["-2", "Unrecognised argument!"]),
        ({"responseMimeType": "text/plain"}, ["-2", "Unrecognised argument!"]),
        ({"queryType": None}, ["-3", "The 'queryType' argument is missing!"]),
    ],
)
def test_refusals(start: Start, changes: dict[str, t.Any], expected: list[str]) -> None:
    caller = start([{"order_number": "1"}])
    assert caller.call(**changes).lines == expected
    fields = caller.call(responseFormat="1", **changes).fields
    assert (fields["errorCode"] + fields["errorMessage"]) == expected
    item = ["collectionCode" if "collectionCode" in changes else "responseMimeType"]
    assert fields.get("errorItem", []) == (item if expected[0] == "-2" else expected[1].split("'")[1:2])
    assert state(caller)["calls"] == 0


CODE: dict[str, t.Any] = {
    "loginName": None,
    "loginPassword": None,
    "orderNumber": None,
    "collectionCode": "code & code",
}


def test_a_collection_code_stands_for_account_and_order(start: Start) -> None:
    caller = start(
        [
            {"order_number": "1", "product": "ccc", "collection_code": "code & code"},
            {"order_number": "2", "product": "ccc", "collection_code": "another code", "account": "other"},
            {"order_number": "3"},
        ]
    )
    by_number = leaf_of(caller.call("ccc"))
    assert leaf_of(caller.call("ccc", **CODE)) == by_number
    call = caller.control("GET", "calls")["calls"][-1]
    assert (call["account"], call["order_number"]) == ("owner", "1")
    other = caller.call("ccc", **{**CODE, "collectionCode": "another code"})
    assert leaf_of(other) != by_number
    assert caller.control("GET", "calls")["calls"][-1]["account"] == "other"
    assert caller.call("ccc", **{**CODE, "collectionCode": "no such code"}).lines == ["-16", "Permission denied!"]
    assert caller.call("ssl", **CODE).lines[0] == "-2"


def test_a_collection_code_goes_alone(start: Start) -> None:
    caller = start([{"order_number": "1", "product": "ccc", "collection_code": "code & code"}])
    for name in ("loginName", "loginPassword", "orderNumber"):
        said = caller.call("ccc", **{**CODE, name: "1"}).lines
        assert said == ["-4", f"The value of the '{name}' argument is invalid!"]
    assert caller.call("ccc", **CODE, responseMimeType="application/x-own").headers["Content-Type"] == (
        "application/x-own"
    )


def test_collectccc_answers_in_lines_and_tells_the_validity_alone(start: Start) -> None:
    life = [{"state": "pending", "caa_status": "Empty", "calls": 1}, {"state": "issued", "caa_status": "Authorized"}]
    caller = start(
        [
            {
                "order_number": "1",
                "product": "ccc",
                "names": ["jane@example.com"],
                "not_before": "2026-01-02",
                "life": life,
            }
        ]
    )
    assert caller.call("ccc", showValidityPeriod="Y").lines == ["0"]
    answered = caller.call("ccc", showValidityPeriod="Y", queryType="2")
    assert answered.lines[1] == "02/01/2026 01/04/2026"
    assert answered.lines[-1] == "-----END CERTIFICATE-----"
    leaf = leaf_of(answered)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["jane@example.com"]
    uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(uses) == {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_products_have_orders_of_their_own(start: Start) -> None:
    caller = start([{"order_number": "1"}, {"order_number": "2", "product": "ccc"}])
    assert caller.call().lines[0] == "2"
    assert caller.call("ccc").lines[0] == "-4"
    assert caller.call("ccc", orderNumber="2").lines[0] == "2"
    assert caller.call("ccc", orderNumber="2", responseType="0").lines[1].count("'responseType'") == 1
    assert caller.call("ccc", orderNumber="2", showFQDN="Y").lines == ["-2", "Unrecognised argument!"]


def test_orders_are_added_and_replaced_at_run_time(start: Start) -> None:
    caller = start([{"order_number": "1"}])
    first = leaf_of(caller.call())
    order = {"order_number": "1", "account": "new", "names": ["other.example.com"]}
    accounts = [{"login_name": "new", "login_password": "p"}]
    assert caller.control("POST", "orders", {"orders": [order], "accounts": accounts}) == {"orders": ["1"]}
    assert caller.call().lines[0] == "-16"
    assert leaf_of(caller.call(loginName="new", loginPassword="p")) != first
    wrong = caller.control("POST", "orders", {"orders": [{**order, "account": "nobody"}]})
    assert wrong["error"].startswith("Order '1': 'account' nobody")
    assert leaf_of(caller.call(loginName="new", loginPassword="p")) != first


def test_style_in_an_orders_file(start: Start) -> None:
    life = [{"state": "issued", "calls": 1}, {"state": "issued", "style": {"newline": "crlf"}}]
    caller = start([{"order_number": "1", "style": {"blank_lines": 2, "base64_width": 76}, "life": life}])
    first, second = (caller.call(showExtStatus="Y").body for _unused in (1, 2))
    assert b"-----\n\n\nIssued" in first
    assert b"-----\r\n\r\n\r\nIssued" in second
    assert max(map(len, first.splitlines())) == 76


def test_validity_and_name_told_are_those_of_the_certificate(start: Start) -> None:
    caller = start([{"order_number": "1", "not_before": "2026-01-02", "not_after": "2046-01-01"}])
    answered = caller.call(showValidityPeriod="Y", showFQDN="Y", responseFormat="1")
    leaf = x509.load_der_x509_certificate(base64.b64decode(answered.fields["certificate"][0]))
    assert answered.fields["fqdn"] == ["www.example.com"]
    assert answered.fields["notBefore"] == ["1767312000"]
    assert leaf.subject.rfc4514_string() == "CN=www.example.com"
    assert caller.call(showValidityPeriod="Y").lines[1] == "02/01/2026 01/01/2046"
