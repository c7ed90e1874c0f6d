# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of orders, the filter that is its edge, and its words, which are those of the table of a deploy."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.filter.order_table import FilterModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import engine
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _states
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment import collecting

_NAME = "a-rather-long-name-of-a-department." * 3 + "example.com"


def _order(number: str | None, answer: str) -> dict[str, t.Any]:
    request = CollectRequest("order_number", number or "0")
    order = parse(answer.encode("ascii"), None, request).order(request)
    # That of a collection code has no number.
    return {name: value for name, value in order.items() if number or name != "order_number"}


def _filter(value: t.Any) -> list[str]:
    return list(FilterModule().filters()["order_table"](value))


def test_a_line_for_each_order_with_nothing_cut_off() -> None:
    lines = _filter(
        [
            _order("1", f"errorCode=1&fqdn={_NAME}&notAfter=1803081599"),
            _order("123456789012345678", "errorCode=0&csrStatus=1&dcvStatus=2&ovCallbackStatus=0"),
            _order("3", "errorCode=-22&errorMessage=Pay++it+first"),
            _order("4", "errorCode=-16&errorMessage=Permission+denied!"),
            _order(None, "errorCode=-21&errorMessage=revoked"),
        ]
    )
    head, *rows = lines
    columns = [head.index(title) for title in ("STATE", "NAME", "VALID UNTIL", "WAITS FOR")]
    cells = [[line[a:b].strip() for a, b in zip([0, *columns], [*columns, None], strict=True)] for line in rows]
    assert [row[0] for row in cells] == ["1", "123456789012345678", "3", "4", "-"]
    assert [row[1] for row in cells] == ["issued", "pending", "awaiting payment", "not known", "revoked"]
    assert [row[2] for row in cells] == [_NAME, *"----"]
    assert [row[4] for row in cells] == [
        "-",
        "dcv in progress, ov callback not completed",
        "Pay it first",
        "Permission denied!",
        "revoked",
    ]


def test_no_orders_make_no_table() -> None:
    assert _filter([]) == []


@pytest.mark.parametrize("given", [None, 7, ["12345678"], [{"state": "issued"}]])
def test_something_else(given: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="order_table needs a list of orders"):
        _filter(given)


def test_every_state_has_its_words() -> None:
    ends = {value for name, value in vars(engine).items() if name.isupper() and isinstance(value, str)}
    states = {state for state in ends if state.replace("_", "").isalpha()} & set(_states.CERTIFICATES)
    named = {engine.IN_SERVICE, engine.INSTALLED, engine.ABSENT, engine.REFUSED, engine.UNPROVEN, engine.ROLLED_BACK}
    assert states >= named | {engine.FAILED}
    assert {collecting.PENDING, collecting.NOT_COLLECTED, collecting.REFUSED} <= set(_states.CERTIFICATES)
    assert (
        _states.of_certificate("of_a_later_version") == _states.of_order("of_a_later_version") == "of a later version"
    )
    assert [state for state in _states.CERTIFICATES if _states.is_wrong(state)] == [
        state for state in _states.CERTIFICATES if state in _states.KINDS and _states.KINDS[state].level == "bad"
    ]


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 endpoints"), (1, "1 endpoint"), (2, "2 endpoints"), (1000, "1,000 endpoints")]
)
def test_numbers(number: int, said: str) -> None:
    assert _states.counted(number, "endpoint") == said
