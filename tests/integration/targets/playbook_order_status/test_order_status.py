# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook order_status: its table, its data, and what it says where it cannot ask."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

_LONG = "a-rather-long-name-of-a-department." * 2 + "example.com"


def _table(run: Run) -> list[str]:
    (shown,) = run.of("Show them")
    return list(shown.data["msg"])


def _run(lab: Lab, *arguments: str, environment: dict[str, str] | None = None, **variables: t.Any) -> Run:
    return lab.playbook({}, "order_status", *arguments, environment=environment, **variables)


def test_table(lab: Lab, tmp_path: pathlib.Path) -> None:
    """One line an order, with columns as wide as they have to be; the same as data; one call an order."""
    pending = {
        "state": "pending",
        "details": {"csrStatus": 1, "dcvStatus": 2, "ovCallbackStatus": 0},
        "domains": [
            {"name": "a.example.com", "status": "VALIDATED"},
            {"name": "b.example.com", "status": "NOTVALIDATED"},
        ],
    }
    numbers = [
        lab.order(names=[_LONG]),
        lab.order(number="123456789012345678", life=[pending]),
        lab.order(life=[{"state": "rejected"}]),
    ]
    file = tmp_path / "states.json"
    given = {"order_status_orders": ",".join(numbers), "order_status_file": "states.json"}
    run = _run(lab, environment={"PWD": str(tmp_path), "ANSIBLE_SHOW_CUSTOM_STATS": "true"}, **given).must_succeed()
    run.must_not_warn()
    head, *lines = _table(run)
    assert head.split("  ")[0] == "ORDER"
    columns = [head.index(word) for word in ("STATE", "NAME", "VALID UNTIL", "WAITS FOR")]
    cells = [[line[a:b].strip() for a, b in zip([0, *columns], [*columns, None], strict=True)] for line in lines]
    assert [row[0] for row in cells] == numbers
    assert [row[1] for row in cells] == ["issued", "pending", "rejected"]
    assert [row[2] for row in cells] == [_LONG, "-", "-"]
    assert cells[0][3].endswith("Z")
    assert [row[4] for row in cells] == [
        "-",
        "dcv 1/2, ov callback not completed",
        "The certificate request has been rejected!",
    ]
    assert all(line in run.output for line in lines)
    states = json.loads(file.read_text(encoding="utf-8"))
    assert [order["order_number"] for order in states] == numbers
    assert states[1]["mdc_domains"][1] == {"name": "b.example.com", "status": "not_validated"}
    assert "CUSTOM STATS" in run.output
    assert [len(lab.simulator.calls(number)) for number in numbers] == [1, 1, 1]
    assert lab.simulator.peak() == 1


@pytest.mark.parametrize(
    ("variable", "field"),
    [("order_status_certificate_ids", "certificate_id"), ("order_status_base_order_numbers", "base_order_number")],
)
def test_other_identifiers(lab: Lab, variable: str, field: str) -> None:
    """By the ID of a certificate or a base order number, in check mode as well."""
    identifier = "500" + lab.order()
    lab.order(**{field: identifier})
    given: dict[str, t.Any] = {variable: [int(identifier)]}
    run = _run(lab, "--check", **given).must_succeed()
    run.must_not_warn()
    _head, line = _table(run)
    assert line.startswith(f"{identifier}  issued ")


_MISTAKES: dict[str, dict[str, t.Any]] = {
    "none": {},
    "an empty one": {"order_status_orders": []},
    "two": {"order_status_orders": "1", "order_status_certificate_ids": "2"},
}


@pytest.mark.parametrize("number", [5349, [5349]])
def test_a_number_is_told_as_it_was_given(lab: Lab, number: t.Any) -> None:
    """What YAML made of 0012345 comes to the module as that, alone or in a list."""
    (result,) = _run(lab, order_status_orders=number).must_fail().of("Ask for the orders")
    assert "quotes" in result.message
    assert lab.simulator.calls() == []


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_which_orders(lab: Lab, mistake: str) -> None:
    """None or two ways to say which orders are refused before anything is asked."""
    run = _run(lab, **_MISTAKES[mistake]).must_fail()
    assert "Say which orders, by one of order_status_orders" in " ".join(run.output.split())
    assert lab.simulator.calls() == []


def test_wrong_password(lab: Lab) -> None:
    """The run fails with the reason, and shows no secret."""
    number = lab.order()
    secret = "surely a wrong password"
    run = _run(lab, "-vvv", order_status_orders=[number], order_status_login_password=secret).must_fail()
    (result,) = run.of("Ask for the orders")
    assert "-16" in result.message
    assert secret not in run.output.replace(f'"order_status_login_password": "{secret}"', "")
