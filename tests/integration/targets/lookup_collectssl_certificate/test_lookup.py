# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup gives each part of an order, and asks for no more than that part needs."""

from __future__ import annotations

import pathlib
import subprocess
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import LOOKUP, MODULE, Lab

_PARTS = {"fullchain": 1, "certificate": 2, "chain": 3, "root": 3, "order": 0}


def _show(name: str, expression: str) -> dict[str, t.Any]:
    return {"name": name, "ansible.builtin.debug": {"msg": "{{ " + expression + " }}"}}


def _look_up(number: str, **options: str) -> str:
    given = "".join(f", {name}={value!r}" for name, value in options.items())
    return f"lookup('{LOOKUP}', '{number}'{given})"


def test_each_part_asks_for_itself_alone(lab: Lab, tmp_path: pathlib.Path) -> None:
    """A fresh order for every part: its query type, and PEM that openssl verifies."""
    numbers = {part: lab.order() for part in _PARTS}
    tasks = [_show(part, _look_up(number, part=part)) for part, number in numbers.items()]
    run = lab.play(lab.fleet("web", 1), tasks).must_succeed()
    found = {part: run.one(part).data["msg"] for part in _PARTS}

    for part, number in numbers.items():
        (call,) = lab.simulator.calls(number)
        assert simulator.query_type(call) == _PARTS[part], part
    assert certificates.common_names(found["certificate"]) == [f"www{numbers['certificate']}.example.com"]
    assert certificates.common_names(found["chain"]) == ["Simulated DV Server CA X21", "Simulated Server Root X2"]
    assert certificates.common_names(found["root"]) == ["Simulated Legacy Root"]
    assert certificates.common_names(found["fullchain"]) == [
        f"www{numbers['fullchain']}.example.com",
        "Simulated DV Server CA X21",
        "Simulated Server Root X2",
    ]
    assert found["order"]["order_number"] == numbers["order"]
    assert found["order"]["state"] == "issued"
    for name in ("certificate", "chain", "root"):
        (tmp_path / name).write_text(found[name], encoding="ascii")
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", tmp_path / "root", "-untrusted", tmp_path / "chain", tmp_path / "certificate"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr


def test_what_the_run_holds_serves_every_part(lab: Lab) -> None:
    """After a whole answer no part costs a call; a status tells no certificate, so that is asked for."""
    number = lab.order()
    tasks = [
        _show(part, _look_up(number, part=part))
        for part in ("order", "fullchain", "root", "chain", "certificate", "order")
    ]
    run = lab.play(lab.fleet("web", 1), tasks).must_succeed()
    assert [simulator.query_type(call) for call in lab.simulator.calls(number)] == [0, 1], run.shown
    assert run.one("certificate").data["msg"] + run.one("chain").data["msg"] == run.one("fullchain").data["msg"]


def test_terms_identifiers_and_sources_of_options(lab: Lab) -> None:
    """Many terms, the other identifiers, a collection code from the ini file, and options from variables."""
    first, second = lab.order(), lab.order()
    by_id = lab.order(certificate_id=90210)
    by_base = lab.order(base_order_number=4711)
    ccc = lab.order(product="ccc", names=["jane@example.com"], collection_code=simulator.COLLECTION_CODE)
    configuration = lab.folder / "with a section.cfg"
    configuration.write_text(
        f"[defaults]\nnocolor = true\n[collectssl]\nlogin_name = {simulator.LOGIN}\nlogin_password = "
        f"{simulator.PASSWORD}\napi_url = {lab.simulator.url()}\nca_path = {lab.simulator.ca_path}\n",
        encoding="utf-8",
    )
    to_ccc = {"product": "ccc", "api_url": lab.simulator.url("ccc"), "part": "certificate"}
    by_code = ", ".join(f"{name}='{value}'" for name, value in to_ccc.items())
    run = lab.play(
        {"web01": {"collectssl_response_format": "lines"}},
        [
            _show("query", f"query('{LOOKUP}', '{first}', '{second}', part='certificate')"),
            _show("certificate id", f"lookup('{LOOKUP}', certificate_id='90210', part='certificate')"),
            _show("base order", f"lookup('{LOOKUP}', base_order_number='4711', part='order')"),
            _show("collect ccc", _look_up(ccc, **to_ccc)),
            {
                **_show("by code", f"lookup('{LOOKUP}', {by_code})"),
                "vars": {"collectssl_collection_code": simulator.COLLECTION_CODE},
            },
        ],
        environment={
            "ANSIBLE_CONFIG": str(configuration),
            **dict.fromkeys(
                ("COLLECTSSL_API_URL", "COLLECTSSL_CA_PATH", "COLLECTSSL_LOGIN_NAME", "COLLECTSSL_LOGIN_PASSWORD"), ""
            ),
        },
    ).must_succeed()
    assert [certificates.common_names(pem) for pem in run.one("query").data["msg"]] == [
        [f"www{first}.example.com"],
        [f"www{second}.example.com"],
    ]
    assert certificates.common_names(run.one("certificate id").data["msg"]) == [f"www{by_id}.example.com"]
    base = run.one("base order").data["msg"]
    assert (base["base_order_number"], base["fqdn"]) == ("4711", f"www{by_base}.example.com")
    assert certificates.common_names(run.one("collect ccc").data["msg"]) == ["jane@example.com"]
    assert run.one("by code").data["msg"] == run.one("collect ccc").data["msg"]
    *calls, with_number, with_code = lab.simulator.calls()
    assert {call["arguments"]["responseFormat"] for call in calls} == {"0"}
    assert not {"responseFormat", "collectionCode"} & set(with_number["argument_names"])
    assert "collectionCode" in with_code["argument_names"]
    assert not {"loginName", "loginPassword", "orderNumber"} & set(with_code["argument_names"])


def test_what_is_not_issued_is_a_failed_lookup(lab: Lab) -> None:
    """The reason in one sentence; the order itself can be looked up in any state."""
    pending = lab.order(life=[{"state": "pending"}])
    rejected = lab.order(life=[{"state": "rejected"}])
    no_root = lab.order(chain="no_root")
    tasks = [
        _show("pending", _look_up(pending)),
        _show("pending order", _look_up(pending, part="order")),
        _show("rejected", _look_up(rejected)),
        _show("no root", _look_up(no_root, part="root")),
        _show("unknown", _look_up("no such order", part="order")),
        _show("tolerated", _look_up(rejected, errors="ignore") + " is none"),
    ]
    run = lab.play(lab.fleet("web", 1), [{**task, "ignore_errors": True} for task in tasks]).must_succeed()
    for task, words in (
        ("pending", "still being processed"),
        ("rejected", "was rejected"),
        ("no root", "without one"),
        ("unknown", "The provider refused order number no such order with status -4"),
    ):
        assert run.one(task).status == "failed"
        assert words in run.one(task).message, run.shown
    assert run.one("pending order").data["msg"]["state"] == "pending"
    assert run.one("tolerated").status == "ok"
    # Pending is asked once as a status and once for its chain; a rejection is remembered.
    assert len(lab.simulator.calls(rejected)) == 1


def test_lookup_and_module_agree(lab: Lab) -> None:
    """The file that the module installs is what the lookup gives, byte for byte, at the cost of one call."""
    number = lab.order(key_type="rsa")
    run = lab.play(
        lab.fleet("web", 1),
        [
            _show("look up", _look_up(number)),
            {"name": "install", MODULE: {"order_number": number, "fullchain_path": "{{ dir }}/fullchain.pem"}},
        ],
    ).must_succeed()
    assert (lab.host_folder("web01") / "fullchain.pem").read_text() == run.one("look up").data["msg"]
    assert len(lab.simulator.calls(number)) == 1
