# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What versions of the interface behind the specification tell, in both formats, and what nobody knows yet."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, MODULE, Lab

_LATER = {
    "maStatus": 2,
    "evAssumedName": 0,
    "evPhysicalExistence": -1,
    "evOperationalExistence": None,
    "evSignerApproverRequester": 1,
    "evSignerSecondApproval": 2,
}
_TOLD = {
    "ma": "in_progress",
    "ev_assumed_name": "not_completed",
    "ev_physical_existence": "not_required",
    "ev_operational_existence": None,
    "ev_signer_approver_requester": "completed",
    "ev_signer_second_approval": "in_progress",
}
_STRANGERS = [
    *(["status", "certificateDuration=365"], ["validity", "Term of one year"], ["certificates", "x: y"]),
    *(["certificate_status", "Renewal: 2027"], ["domains", "?"], ["details", "{}"], ["caa", "the end."]),
]
_FIELDS = {"certificateDuration": "365", "productTermEndDate": "1800000000"}


def _ask(lab: Lab, *numbers: str, **options: t.Any) -> list[dict[str, t.Any]]:
    task = {"name": "ask", INFO: {"order_numbers": list(numbers), **options}}
    orders: list[dict[str, t.Any]] = lab.play({"web01": {}}, [task]).must_succeed().one("ask").data["orders"]
    return orders


def test_what_later_versions_tell(lab: Lab) -> None:
    """Six details more, lists of domains without commas, a number for the CAA check, and what is new to us."""
    style = {"domain_separator": "\n", "extra_lines": _STRANGERS, "extra_fields": _FIELDS}
    pending = {
        "state": "pending",
        "details": {"csrStatus": 1, "dcvStatus": 2, **_LATER},
        "domains": [
            {"name": "a.example.com", "status": "VALIDATED"},
            {"name": "b.example.com", "status": "NOTVALIDATED"},
            {"name": "intranet", "status": "AWAITINGBRAND"},
        ],
        "caa_status": "42",
    }
    plain = lab.order(life=[pending], style={"domain_separator": " "})
    strange = lab.order(life=[pending], style=style)
    issued = {"state": "issued", "fqdn": "intranet", "caa_status": "Authorized"}
    one_label, strange_one = lab.order(life=[issued]), lab.order(life=[issued], style=style)
    found = {
        form: _ask(lab, plain, strange, one_label, strange_one, response_format=form)
        for form in ("urlencoded", "lines")
    }
    unnamed = [line for part, line in _STRANGERS]
    for form, (first, second, third, fourth) in found.items():
        assert first["status"] == {"code": 0, "name": "being_processed", "message": None}, form
        assert first["details"].items() >= _TOLD.items(), form
        assert first["details"]["csr"] == "completed"
        assert [domain["status"] for domain in first["mdc_domains"]] == ["validated", "not_validated", "awaiting_brand"]
        assert (first["certificate_status"], first["validation_status"], first["caa_status"]) == (
            *("Awaiting Validation", "Awaiting Legal Documents"),
            "42",
        ), form
        assert (third["fqdn"], third["certificate_status"], third["validation_status"]) == (
            *("intranet", "Issued"),
            "Complete",
        ), form
        # Nothing of this is another with lines between; what nobody knows is kept.
        assert [first["extra"], third["extra"]] == [{}, {}], form
        extra = _FIELDS if form == "urlencoded" else {"unnamed_lines": unnamed}
        assert second == {**first, "order_number": strange, "extra": extra}, form
        assert fourth == {**third, "order_number": strange_one, "extra": extra}, form

    run = lab.playbook({}, "order_status", order_status_orders=plain).must_succeed()
    waits = "dcv 1/3, ma in progress, ev assumed name not completed, ev signer second approval in progress"
    assert run.one("Show them").data["msg"][1].endswith(waits)


def test_unknown_lines_before_the_certificates_stop_no_installation(lab: Lab) -> None:
    """Each form of the lines format: the same file as without them, and the lines in the result."""
    strangers = [[part, f"{part}=unknown"] for part in ("status", "validity", "fqdn", "certificates", "caa")]
    clean, strange = lab.order(), lab.order(style={"extra_lines": strangers})
    kinds = ("individual", "pkcs7", "netscape", "zip")
    tasks = [
        {
            "name": f"{name} {kind}",
            MODULE: {
                "order_number": number,
                "response_type": kind,
                "response_format": "lines",
                "fullchain_path": f"{{{{ dir }}}}/{name}-{kind}.pem",
                # An account by another spelling is asked anew.
                "api_url": lab.simulator.url().replace("localhost", host),
            },
        }
        for kind, host in zip(kinds, ("localhost", "LOCALHOST", "Localhost", "localHost"), strict=True)
        for name, number in (("clean", clean), ("strange", strange))
    ]
    run = lab.play({"web01": {}}, tasks).must_succeed()
    folder = lab.host_folder("web01")
    for kind in kinds:
        held = {name: (folder / f"{name}-{kind}.pem").read_text() for name in ("clean", "strange")}
        assert certificates.common_names(held["clean"])[1:] == certificates.common_names(held["strange"])[1:]
        assert certificates.common_names(held["strange"])[0] == f"www{strange}.example.com"
        order = run.one(f"strange {kind}").data["order"]
        assert order["extra"] == {"unnamed_lines": [line for _part, line in strangers]}
        assert (order["fqdn"], order["certificate_status"]) == (f"www{strange}.example.com", "Issued")


def test_statuses_with_many_causes(lab: Lab) -> None:
    """-16 and -91 are told with what may be behind them; a status that is not listed keeps the provider's words."""
    causes = (
        "login_name and login_password (or collection_code)",
        *("not locked", "password not expired", "this controller's address", "the order is one of this account"),
    )
    codes = {
        -16: ("Permission denied!", causes),
        -91: ("Permission denied by context!", causes),
        -90: ("Something that nobody heard of", ("Ask the provider.",)),
    }
    numbers = {
        code: lab.order(life=[{"state": "error", "code": code, "message": said}]) for code, (said, _c) in codes.items()
    }
    for form in ("urlencoded", "lines"):
        tasks = [
            {"name": str(code), INFO: {"order_number": number, "response_format": form}, "ignore_errors": True}
            for code, number in numbers.items()
        ]
        run = lab.play({"web01": {}}, tasks).must_succeed()
        for code, (said, words) in codes.items():
            result = run.one(str(code))
            assert result.status == "failed"
            assert result.data["orders"][0]["status"]["message"] == said
            assert f"with status {code}. The provider says: {said.rstrip('!')}. " in result.message
            assert all(word in result.message for word in words), result.message
