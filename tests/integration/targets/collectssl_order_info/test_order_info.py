# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of orders as data, one call an order over one connection."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Result

_DETAILS = {
    "csrStatus": 1,
    "dcvStatus": 2,
    "ovCallbackStatus": 0,
    "organizationValidationStatus": 2,
    "freeDVUPStatus": -1,
    "evClickThroughStatus": None,
    "brandValStatus": 2,
}


def _ask(lab: Lab, tasks: dict[str, dict[str, t.Any]], **keywords: t.Any) -> dict[str, Result]:
    run = lab.play(
        {"web01": {}},
        [{"name": name, INFO: options, "ignore_errors": True} for name, options in tasks.items()],
        **keywords,
    ).must_succeed()
    return run.by_task("web01")


def test_every_state_is_data(lab: Lab) -> None:
    """Issued, pending, unpaid, rejected, revoked and refused orders, in the order asked, and no failure."""
    lives: dict[str, dict[str, t.Any]] = {
        "issued": {"state": "issued"},
        "pending": {
            "state": "pending",
            "details": _DETAILS,
            "validation_status": "Awaiting Brand Validation",
            "caa_status": "Not Authorized",
            "domains": [
                {"name": "a.example.com", "status": "VALIDATED"},
                {"name": "b.example.com", "status": "AWAITINGBRAND"},
            ],
        },
        "awaiting_payment": {"state": "awaiting_payment"},
        "rejected": {"state": "rejected"},
        "revoked": {"state": "revoked"},
        "error": {"state": "error", "code": -77, "message": "Something nobody heard of!"},
    }
    numbers = {state: lab.order(life=[phase]) for state, phase in lives.items()}
    foreign = lab.order(account=simulator.OTHER_LOGIN)
    asked = [*numbers.values(), foreign]
    found = _ask(
        lab,
        {
            "urlencoded": {"order_numbers": asked},
            "lines": {"order_numbers": asked, "response_format": "lines", "login_name": simulator.LOGIN.upper()},
        },
    )
    result = found["urlencoded"]
    assert result.status == "ok"
    assert not result.changed
    orders = dict(zip([*lives, "foreign"], result.data["orders"], strict=True))
    assert [order["order_number"] for order in result.data["orders"]] == asked
    assert {state: orders[state]["state"] for state in lives} == {state: state for state in lives}
    assert orders["foreign"]["state"] == "error"
    assert orders["foreign"]["status"]["name"] == "permission_denied"
    assert orders["error"]["status"] == {"code": -77, "name": "unlisted", "message": "Something nobody heard of!"}
    assert orders["issued"]["status"]["name"] == "certificates_available"
    assert orders["issued"]["fqdn"] == f"www{numbers['issued']}.example.com"
    assert orders["issued"]["not_before"].endswith("T00:00:00Z")
    assert orders["issued"]["not_after"].endswith("T23:59:59Z")
    pending = orders["pending"]
    assert {name: pending["details"][name] for name in (*pending["details"],)[:7]} == {
        "csr": "completed",
        "dcv": "in_progress",
        "ov_callback": "not_completed",
        "organization_validation": "in_progress",
        "free_dv_upgrade": "not_required",
        "ev_click_through": None,
        "brand_validation": "in_progress",
    }
    assert pending["validation_status"] == "Awaiting Brand Validation"
    assert pending["caa_status"] == "Not Authorized"
    assert pending["mdc_domains"] == [
        {"name": "a.example.com", "status": "validated"},
        {"name": "b.example.com", "status": "awaiting_brand"},
    ]
    # Names of accounts are case-sensitive: asked as somebody else, nothing can be told, and asking on is of no use.
    assert found["lines"].status == "failed"

    calls = [call for call in lab.simulator.calls() if call["account"] == simulator.LOGIN]
    assert [call["order_number"] for call in calls] == asked
    assert {simulator.query_type(call) for call in calls} == {0}
    assert lab.simulator.peak() == 1
    for name in (
        "showValidityPeriod",
        "showFQDN",
        "showExtStatus",
        "showMDCDomainDetails",
        "showMDCDomainDetails2",
        "showStatusDetails",
    ):
        assert all(call["arguments"][name] == "Y" for call in calls), name


def test_identifiers_formats_and_products(lab: Lab) -> None:
    """Every identifier, alone and as a list, format 0, and CollectCCC, which is not asked for a domain name."""
    life = [{"state": "issued", "caa_status": "Authorized"}]
    plain = lab.order(certificate_id=12345678, base_order_number=555, life=life)
    other = lab.order(certificate_id=87654321, base_order_number=556, life=life)
    ccc = lab.order(product="ccc", names=["jane@example.com"])
    ccc_options = {"product": "ccc", "api_url": lab.simulator.url("ccc")}
    found = _ask(
        lab,
        {
            "order": {"order_number": plain},
            "lines": {"order_number": plain, "response_format": "lines"},
            "certificate": {"certificate_id": 12345678},
            "base": {"base_order_number": 555},
            "certificates": {"certificate_ids": [87654321, 12345678]},
            "bases": {"base_order_numbers": ["556", "555"]},
            "ccc": {"order_number": ccc, **ccc_options},
        },
    )
    orders = {name: result.data["orders"] for name, result in found.items()}
    assert [order["fqdn"] for order in orders["certificates"]] == [f"www{other}.example.com", f"www{plain}.example.com"]
    assert [order["fqdn"] for order in orders["bases"]] == [f"www{other}.example.com", f"www{plain}.example.com"]
    assert orders["certificate"][0]["certificate_id"] == "12345678"
    assert orders["base"][0]["base_order_number"] == "555"
    assert orders["order"][0]["caa_status"] == "Authorized"
    assert orders["ccc"][0]["state"] == "issued"
    assert orders["ccc"][0]["fqdn"] is None
    (ccc_call,) = lab.simulator.calls(ccc)
    assert [name for name in ccc_call["argument_names"] if name.startswith("show")] == ["showValidityPeriod"]
    assert orders["ccc"][0]["not_after"] is not None


def test_both_formats_tell_the_same(lab: Lab) -> None:
    """Two runs, since within one the second format would be served by the answer in the first."""
    number = lab.order(
        names=["a.example.com", "b.example.com"],
        life=[{"state": "pending", "details": {"csrStatus": 1, "dcvStatus": 0, "ovCallbackStatus": 2}}],
    )
    orders = []
    for response_format in ("urlencoded", "lines"):
        result = _ask(lab, {"ask": {"order_number": number, "response_format": response_format}})["ask"]
        orders.append({name: value for name, value in result.data["orders"][0].items() if name != "extra"})
    assert orders[0] == orders[1]
    assert [call["arguments"]["responseFormat"] for call in lab.simulator.calls(number)] == ["1", "0"]


def test_it_fails_only_when_nothing_could_be_asked(lab: Lab) -> None:
    """One unusable answer is that order's own; credentials that are refused by name are not tried again and again."""
    good = lab.order()
    broken = lab.order(life=[{"state": "issued", "fault": "html_page"}])
    blunt = [lab.order(account="blunt") for _number in range(3)]
    found = _ask(
        lab,
        {
            "mixed": {"order_numbers": [broken, good]},
            "alone": {"order_number": broken},
            "wrong password": {"order_numbers": blunt, "login_name": "blunt", "login_password": "wrong"},
            "unreachable": {"order_numbers": [good, broken], "api_url": "https://localhost:1/nobody", "retries": 0},
        },
    )
    assert found["mixed"].status == "ok"
    assert [order["state"] for order in found["mixed"].data["orders"]] == ["error", "issued"]
    assert "HTML" in found["mixed"].data["orders"][0]["status"]["message"]
    for name in ("alone", "wrong password", "unreachable"):
        assert found[name].status == "failed", found[name]
        assert found[name].message.startswith("No order could be asked.")
    assert {order["state"] for order in found["wrong password"].data["orders"]} == {"error"}
    assert len(found["wrong password"].data["orders"]) == 3
    assert [len(lab.simulator.calls(number)) for number in blunt] == [1, 0, 0]
    assert "connection refused" in found["unreachable"].message
