# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outcome says, in every state, and that it survives being recorded."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import order_not_asked, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Failure, Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import outstanding, standing, summary

ORDER = CollectRequest("order_number", "ABC-1")
CERTIFICATE = CollectRequest("certificate_id", "77")
BY_CODE = CollectRequest("collection_code", "", product="ccc")


def outcome(answer: str, request: CollectRequest = ORDER, **changes: t.Any) -> Outcome:
    order = parse(answer.encode("ascii"), None, request).order(request)
    return Outcome(request, 1000.0, None, "route", order)._replace(**changes)


SENTENCES = {
    "errorCode=0": "Order number ABC-1 is still being processed. Run again later, or wait longer with wait_timeout.",
    "errorCode=-26&errorMessage=Certificate+is+currently+being+issued!": (
        "Order number ABC-1 is still being processed. The provider says: Certificate is currently being issued. Run "
        "again later, or wait longer with wait_timeout."
    ),
    "errorCode=0&csrStatus=1&dcvStatus=2&brandValStatus=0&validationStatus=Awaiting+Legal+Documents": (
        "Order number ABC-1 is still being processed. It waits for: dcv in progress, brand validation not completed. "
        "Run again later, or wait longer with wait_timeout."
    ),
    "errorCode=-20&errorMessage=The+certificate+request+has+been+rejected!": (
        "Order number ABC-1 was rejected. The provider says: The certificate request has been rejected. No waiting "
        "mends this: place a new order."
    ),
    "errorCode=-21": (
        "The certificate of order number ABC-1 was revoked. Replace it at the provider, or place a new order."
    ),
    "errorCode=-22&errorMessage=Still+awaiting+payment!": (
        "Order number ABC-1 still awaits payment. The provider says: Still awaiting payment. No waiting mends this: "
        "pay it at the provider."
    ),
    "errorCode=-16&errorMessage=Permission+denied!": (
        "The provider refused order number ABC-1 with status -16. The provider says: Permission denied. Check "
        "login_name and login_password (or collection_code), that the account is not locked and its password not "
        "expired, that it may be used from this controller's address, and that the order is one of this account."
    ),
    "errorCode=-91&errorMessage=Permission+denied+by+context": (
        "The provider refused order number ABC-1 with status -91. The provider says: Permission denied by context. "
        "Check that the order is one of this account, that login_name and login_password (or collection_code) are "
        "right, that the account is not locked and its password not expired, and that it may be used from this "
        "controller's address."
    ),
    "errorCode=-90": "The provider refused order number ABC-1 with status -90. Ask the provider.",
}


@pytest.mark.parametrize(
    ("answer", "doubted"),
    [
        ("errorCode=-16&errorMessage=Permission+denied!", True),
        ("errorCode=-3&errorMessage=The+'loginPassword'+argument+is+missing!", True),
        ("errorCode=-4&errorMessage=The+value+of+the+'loginName'+argument+is+invalid!", True),
        ("errorCode=-4&errorItem=collectionCode", True),
        ("errorCode=-4&errorItem=orderNumber", False),
        ("errorCode=-14", False),
        ("errorCode=-91", False),
        ("errorCode=-20", False),
        ("errorCode=0", False),
    ],
)
def test_credentials_are_doubted_where_they_are_refused(answer: str, doubted: bool) -> None:
    refused = outcome(answer, doubts="The value given for login_password ends in a line feed.")
    assert refused.reason() == outcome(answer).reason() + f" {refused.doubts}" * doubted
    assert Outcome.from_record(json.loads(json.dumps(refused.as_record()))) == refused


@pytest.mark.parametrize("answer", SENTENCES)
def test_each_state_is_said_in_whole_sentences(answer: str) -> None:
    assert outcome(answer).reason() == SENTENCES[answer]


@pytest.mark.parametrize("code", [0, 1, -1, -2, -3, -4, -14, -16, -17, -20, -21, -22, -23, -26, -42, -91, 7])
@pytest.mark.parametrize("request_", [ORDER, CERTIFICATE, BY_CODE], ids=["order", "certificate", "code"])
@pytest.mark.parametrize("message", ["", "Something is wrong", "Something is wrong!", "Something is wrong. ", " "])
def test_every_code_makes_sentences_that_end_in_what_to_do(code: int, request_: CollectRequest, message: str) -> None:
    said = outcome(f"errorCode={code}&errorMessage={message.replace(' ', '+')}", request_).reason()
    assert request_.label().lower() in said.lower()
    assert re.fullmatch(r"(?:[A-Z][^.!]*(?:: [^.!]*)?\. )*[A-Z][^.!]*\.", said), said
    assert not re.search(r"\s\s|\.\.|!|None| \.", said), said
    assert ("Something is wrong" in said) == bool(message.strip())
    last = said.rstrip(".").rsplit(". ", 1)[-1]
    assert re.match(r"(Run|Check|Ask|Replace|No waiting mends this: )", last), said


def test_an_order_that_was_not_asked_says_why() -> None:
    refused = outcome("errorCode=0", order=order_not_asked(ORDER, "The network is down."))
    assert refused.reason() == "The network is down."


@pytest.mark.parametrize(
    ("answer", "credentials", "order"),
    [
        ("errorCode=-4&errorMessage=The+value+of+the+'loginPassword'+argument+is+invalid!", True, False),
        ("errorCode=-3&errorItem=loginName", True, False),
        ("errorCode=-3&errorItem=COLLECTIONCODE", True, False),
        ("errorCode=-4&errorItem=orderNumber", False, True),
        ("errorCode=-4&errorMessage=The+value+of+the+'baseOrderNumber'+argument+is+invalid!", False, True),
        ("errorCode=-4&errorItem=certificateID", False, True),
        ("errorCode=-4&errorItem=responseType", False, False),
        ("errorCode=-16&errorMessage=loginName", False, False),
        ("errorCode=0", False, False),
    ],
)
def test_who_is_at_fault_is_read_from_what_the_provider_names(answer: str, credentials: bool, order: bool) -> None:
    found = outcome(answer)
    assert (found.refused_credentials, found.refused_order) == (credentials, order)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("errorCode=0", ""),
        ("errorCode=0&validationStatus=Awaiting+Brand+Validation", "Awaiting Brand Validation"),
        ("errorCode=0&dcvStatus=0&ovCallBackStatus=2", "dcv not completed, ov callback in progress"),
        ("errorCode=0&dcvStatus=1&csrStatus=-1", ""),
        ("errorCode=0&validationStatus=Complete", ""),
        ("errorCode=0&dcvStatus=2&mdcDomainDetails=a.com+VALIDATED%2Cb.com+NOTVALIDATED", "dcv 1/2"),
    ],
)
def test_what_is_outstanding_is_told_from_the_most_exact_source(answer: str, expected: str) -> None:
    assert outstanding(outcome(answer).order) == expected


@pytest.mark.parametrize(
    "error", [None, Failure(_errors.TransportError, "Down."), Failure(_errors.ChainError, "Broken.")]
)
@pytest.mark.parametrize("bundle", [None, Bundle("c", ("i", "j"), "r", {"subject": "s"}), Bundle(None, (), None, None)])
def test_a_record_makes_the_same_outcome_again(bundle: Bundle | None, error: Failure | None) -> None:
    request = CollectRequest("order_number", "1", query_type=QUERY_STATUS, show=["fqdn", "ext_status"])
    made = outcome("errorCode=1&x=1&x=2", request, bundle=bundle, error=error, waiting_since=5.0)
    again = Outcome.from_record(json.loads(json.dumps(made.as_record())))
    assert again == made
    assert again.request.__class__ is CollectRequest
    assert again.bundle.__class__ is bundle.__class__


def test_an_issued_order_without_its_certificate_is_an_error_that_says_so() -> None:
    with pytest.raises(
        _errors.CollectError, match=r"^Order number ABC-1 is issued, and its certificate was not asked for"
    ):
        outcome("errorCode=1").require_issued()


STANDING = {
    "errorCode=0": "order number ABC-1 is pending",
    "errorCode=0&ovCallBackStatus=2": "order number ABC-1 is pending (ov callback in progress)",
    "errorCode=-26&errorMessage=Being+issued!": "order number ABC-1 is pending (Being issued)",
    "errorCode=-26&errorMessage=Being+issued!&dcvStatus=0": "order number ABC-1 is pending (dcv not completed)",
    "errorCode=1&errorMessage=Yes": "order number ABC-1 is issued",
    "errorCode=-20&errorMessage=No.": "order number ABC-1 was rejected (No)",
    "errorCode=-21": "order number ABC-1 was revoked",
    "errorCode=-22": "order number ABC-1 awaits payment",
    "errorCode=-91&errorMessage=a%1b[31m%0ab": "order number ABC-1 was refused with status -91 (a\\x1b[31m\\x0ab)",
}


@pytest.mark.parametrize("answer", STANDING)
def test_where_an_order_stands_is_said_on_one_line(answer: str) -> None:
    found = outcome(answer)
    assert standing(found.request, found.order) == STANDING[answer]
    issued = "1 is issued" in STANDING[answer]
    assert summary([(found.request, found.order)]) == f"O{STANDING[answer][1:]}."
    assert summary([(found.request, found.order)] * 2) == (
        "2 of 2 orders are issued." if issued else f"O{STANDING[answer][1:]}. O{STANDING[answer][1:]}."
    )


def test_an_order_that_was_not_asked_stands_with_its_reason() -> None:
    order = order_not_asked(CERTIFICATE, "The network is down.")
    assert standing(CERTIFICATE, order) == "certificate ID 77 could not be asked (The network is down)"


def test_a_summary_of_many_orders_names_a_few() -> None:
    pending, issued = outcome("errorCode=0").order, outcome("errorCode=1").order
    orders = [(CollectRequest("order_number", str(number)), pending) for number in range(250)]
    said = summary([*orders, (ORDER, issued)])
    assert said.startswith("1 of 251 orders are issued. Order number 0 is pending. ")
    assert said.endswith(" Order number 4 is pending. 245 more are not issued.")
