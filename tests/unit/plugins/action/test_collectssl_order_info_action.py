# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that asks for the status of one order or of many."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_order_info import ActionModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import order_info_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError, TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Waiting
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated
from ansible_collections.certfleet.collectssl.tests.support.broker import PENDING, Answers
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, action_of, run

pytestmark = pytest.mark.usefixtures("run_folder")

DOWN = TransportError("The network is down.")
UNKNOWN_ORDER = "errorCode=-4&errorItem=orderNumber&errorMessage=The+value+of+the+'orderNumber'+argument+is+invalid!"
WRONG_PASSWORD = "errorCode=-4&errorItem=loginPassword"
DENIED = "errorCode=-16&errorMessage=Permission+denied!"


def info(answers: Answers, *numbers: str, **options: t.Any) -> dict[str, t.Any]:
    answers.requests.clear()
    return run(ActionModule, {**ACCOUNT, "order_numbers": list(numbers), **options})


def test_orders_come_in_the_order_asked_and_every_state_is_data(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = {"3": PENDING, "1": "errorCode=-20", "4": "errorCode=-21", "2": "errorCode=-22", "6": DENIED, "7": DOWN}
    answers = Answers(monkeypatch, t.cast("dict[str, t.Any]", replies))
    result = info(answers, "3", "1", "4", "2", "5", "6", "7", "8")
    assert set(result) == {"changed", "orders", "msg"}
    assert result["changed"] is False
    assert result["msg"] == (
        "2 of 8 orders are issued. Order number 3 is pending. Order number 1 was rejected. Order number 4 was revoked. "
        "Order number 2 awaits payment. Order number 6 was refused with status -16 (Permission denied). 1 more is not "
        "issued."
    )
    states = [(order["order_number"], order["state"]) for order in result["orders"]]
    assert states == [
        *(("3", "pending"), ("1", "rejected"), ("4", "revoked"), ("2", "awaiting_payment"), ("5", "issued")),
        *(("6", "error"), ("7", "error"), ("8", "issued")),
    ]
    assert result["orders"][6]["status"]["message"] == "The network is down."
    assert [request.query_type for request in answers.requests] == [0] * 8
    assert len(answers.requests[0].show) == 6


@pytest.mark.parametrize("kind", ["order_number", "certificate_id", "base_order_number"])
def test_one_order_may_be_named_each_way(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    answers = Answers(monkeypatch)
    result = run(ActionModule, {**ACCOUNT, kind: "12"})
    assert [order[kind] for order in result["orders"]] == ["12"]
    assert answers.requests[0].identifier_kind == kind


@pytest.mark.parametrize("reply", ["errorCode=-20", "errorCode=-21", "errorCode=-22", PENDING])
def test_a_single_order_that_is_not_issued_is_no_failure(monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    assert "failed" not in info(Answers(monkeypatch, {"1": reply}), "1")


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (DOWN, "No order could be asked. The network is down."),
        (ProtocolError("It is an HTML page."), "No order could be asked. It is an HTML page."),
        (DENIED, "No order could be asked. The provider refused order number 1 with status -16. The provider says: "),
        (UNKNOWN_ORDER, "No order could be asked. The provider refused order number 1 with status -4. "),
    ],
)
def test_the_task_fails_where_no_order_could_be_asked(
    monkeypatch: pytest.MonkeyPatch, reply: t.Any, sentence: str
) -> None:
    result = info(Answers(monkeypatch, {"1": reply, "2": reply}), "1", "2")
    assert set(result) == {"changed", "failed", "msg", "orders"}
    assert result["failed"]
    assert result["msg"].startswith(sentence)
    assert [order["state"] for order in result["orders"]] == ["error", "error"]


@pytest.mark.parametrize(("reply", "calls"), [(DOWN, 2), (DENIED, 2), (WRONG_PASSWORD, 1), (UNKNOWN_ORDER, 6)])
def test_an_account_that_is_refused_is_not_tried_again_and_again(
    monkeypatch: pytest.MonkeyPatch, reply: t.Any, calls: int
) -> None:
    answers = Answers(monkeypatch, dict.fromkeys("123456", reply))
    result = info(answers, *"123456")
    assert len(answers.requests) == calls
    assert len(result["orders"]) == 6
    assert result["failed"]
    for order in result["orders"][calls:]:
        assert order["state"] == "error"
        assert order["status"]["message"].startswith("Not asked, since no order could be asked before. ")


def test_a_list_that_begins_with_unknown_orders_is_asked_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, dict.fromkeys("123", UNKNOWN_ORDER))
    result = info(answers, *"1234")
    assert [order["state"] for order in result["orders"]] == ["error", "error", "error", "issued"]
    assert "failed" not in result


def test_an_answer_keeps_the_questions_going_whatever_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, dict.fromkeys("2345", DENIED))
    assert "failed" not in info(answers, *"123456")
    assert len(answers.requests) == 6


def test_an_order_named_twice_is_asked_once_and_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch)
    assert len(info(answers, "1", "1")["orders"]) == 2
    assert len(answers.requests) == 1


def test_no_orders_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert info(Answers(monkeypatch)) == {"changed": False, "orders": [], "msg": "No order is named."}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"order_number": "1"}, "Give only one of order_number, "),
        ({"order_numbers": ["1", "\n"]}, "Element 2 of order_numbers is empty."),
        ({"poll_interval": 0}, "poll_interval must be a whole number from 1 to "),
        ({"wait_timeout": "long"}, "wait_timeout must be a whole number, not 'long'."),
    ],
)
def test_a_wrong_option_is_told_before_any_call(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, t.Any], sentence: str
) -> None:
    answers = Answers(monkeypatch)
    result = info(answers, "1", **options)
    assert result["failed"]
    assert result["msg"].startswith(sentence)
    assert not answers.requests


def test_each_attempt_of_a_task_that_polls_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, {"1": PENDING})
    args = {**ACCOUNT, "order_numbers": ["1", "1", "2"]}
    first = action_of(ActionModule, args, retries=2)
    for attempt in (1, 2, 3):
        # As ansible-core does it: another action for the same task.
        action = first if attempt == 1 else action_of(ActionModule, args)
        action._task = first._task
        result = action.run(task_vars={})
        assert result["msg"] == "1 of 3 orders are issued. Order number 1 is pending. Order number 1 is pending."
        assert len(answers.requests) == 2 * attempt
    run(ActionModule, args)
    assert len(answers.requests) == 6


def test_a_task_that_opens_two_doors_makes_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, {"1": PENDING})
    action = action_of(ActionModule, {**ACCOUNT, "order_number": "1"}, retries=2)
    for attempt in (1, 2):
        action.run(task_vars={})
        options = validated({**ACCOUNT, "order_number": "1"}, order_info_spec())
        assert action.broker(options).collect(answers.requests[0], Waiting(0, 300)).pending
        assert len(answers.requests) == attempt
