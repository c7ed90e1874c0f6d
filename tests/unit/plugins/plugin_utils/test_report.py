# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of orders and endpoints, how urgent that is, and where the bars of its time line are."""

from __future__ import annotations

import datetime
import functools
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.filter.fleet_report import FilterModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import first_of_pem
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone.utc)
_TEXT = "2026-06-01T12:00:00Z"


def report(*hosts: dict[str, t.Any], warn_days: int = 30, **more: t.Any) -> dict[str, t.Any]:
    make = FilterModule().filters()["fleet_report"]
    value: dict[str, t.Any] = make(list(hosts), warn_days=warn_days, now=_TEXT, **more)
    return value


def host(
    name: str = "web1", certificates: t.Sequence[dict[str, t.Any]] = (), endpoints: t.Any = (), **more: t.Any
) -> dict[str, t.Any]:
    return {"host": name, "result": {"certificates": list(certificates), "endpoints": list(endpoints), **more}}


def of_order(name: str = "www", **order: t.Any) -> dict[str, t.Any]:
    """A certificate of an order."""
    return {"name": name, "state": "installed", "msg": "", "installed": None, "order": order or None}


def asked(**answers: str) -> dict[str, t.Any]:
    """What was asked about further orders, by what the provider answered about each."""
    numbers = [name.lstrip("_") for name in answers]
    requests = [CollectRequest("order_number", number) for number in numbers]
    orders = [
        {
            "order_number": request.identifier,
            **parse(answer.encode("ascii"), None, request).order(request),
        }
        for request, answer in zip(requests, answers.values(), strict=True)
    ]
    return {"order_numbers": numbers, "result": {"orders": orders}}


def issued(days: float) -> dict[str, t.Any]:
    """An order of which the provider tells how long the certificate is valid."""
    return {
        "state": "issued",
        "status": {"code": 1, "message": None},
        "fqdn": "www.example.com",
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": (_NOW + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mdc_domains": [],
        "details": {},
    }


@functools.cache
def certificate(begin: int, end: int, names: tuple[str, ...] = ("www.example.com",)) -> str:
    """A certificate that is valid for these days from now, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOW + datetime.timedelta(days=begin))
        .not_valid_after(_NOW + datetime.timedelta(days=end))
    )
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode("ascii")


def endpoint(pem: str | None, installed: str | None = "aa", **more: t.Any) -> dict[str, t.Any]:
    """A host with one endpoint; what it serves has the fingerprint aa."""
    seen = {
        "certificate": "www",
        "host": "192.0.2.1",
        "port": 443,
        "server_name": None,
        "starttls": None,
        "connect_from": "target",
        "served": first_of_pem(pem, _NOW) if pem else None,
        "reason": "",
        "fingerprint_sha256": "aa" if pem else None,
        "verified": True if pem else None,
        "verify_error": None,
    }
    there = {**of_order(), "installed": installed and {"fingerprint_sha256": installed}}
    there.update({key: more.pop(key) for key in ("state", "msg") if key in more})
    is_down: dict[str, t.Any] = {"unreachable": True} if more.pop("unreachable", False) else {}
    return host(certificates=[there], endpoints=[{**seen, **more}], **is_down)


def words(row: dict[str, t.Any]) -> list[str]:
    return [finding["words"] for finding in row["findings"]]


def test_nothing() -> None:
    """A fleet without certificates is a report without rows."""
    empty = report()
    assert (empty["orders"], empty["endpoints"], empty["counts"]) == ([], [], {})
    assert empty["axis"] == {"begin": "2026-05-02T12:00:00Z", "end": "2026-08-30T12:00:00Z", "today": 25.0}
    assert empty["now"] == _TEXT
    assert report({"host": "web1", "result": {"skipped": True}}) == empty


@pytest.mark.parametrize(
    ("days", "level", "said"),
    [
        (-40.0, "bad", ["expired 40 days ago"]),
        (-1.5, "bad", ["expired 1 day ago"]),
        (-0.1, "bad", ["expired less than a day ago"]),
        (0.1, "warn", ["expires in less than a day"]),
        (1.5, "warn", ["expires in 1 day"]),
        (30.5, "warn", ["expires in 30 days"]),
        (31.0, "good", []),
    ],
)
def test_expiry(days: float, level: str, said: list[str]) -> None:
    """The days that are left decide, for an order as for an endpoint."""
    (row,) = report(host(certificates=[of_order(order_number="1", **issued(days))]))["orders"]
    assert (row["level"], row["validity"], words(row)) == (level, level, said)


def test_order_states() -> None:
    """Each state has its words and its urgency, and what is pending says on what."""
    answers = asked(
        _1="errorCode=0&csrStatus=1&dcvStatus=0&ovCallbackStatus=2",
        _2="errorCode=-20&errorMessage=The+certificate+request+has+been+rejected!",
        _3="errorCode=-21&errorMessage=revoked",
        _4="errorCode=-22&errorMessage=unpaid",
        _5="errorCode=-16&errorMessage=Permission+denied!",
    )
    rows = {row["number"]: row for row in report(asked=answers)["orders"]}
    assert {number: row["level"] for number, row in rows.items()} == {
        "1": "wait",
        **dict.fromkeys(("2", "3", "4", "5"), "bad"),
    }
    assert [words(rows[number]) for number in "12345"] == [
        ["pending"],
        ["was rejected"],
        ["was revoked"],
        ["awaits payment"],
        ["not known"],
    ]
    assert rows["1"]["waits_for"] == "dcv not completed, ov callback in progress"
    assert rows["5"]["message"] == "Permission denied, status -16"
    assert rows["2"]["line"] is None


@pytest.mark.parametrize("value", ["1, 2 ,", ["1", "2"], ("1", 2)])
def test_orders_as_they_were_asked_for(value: t.Any) -> None:
    """A text with commas names the same orders as a list, whether they could be asked or not."""
    for answer in ({"orders": [issued(100), issued(5)]}, {"msg": "no network"}, None):
        rows = report(asked={"order_numbers": value, "result": answer})["orders"]
        assert sorted(row["number"] for row in rows) == ["1", "2"]


def test_order_of_many_hosts() -> None:
    """An order is one row, whoever asked; an answer beats none, and the row names who uses it."""
    failed: dict[str, t.Any] = {
        "state": "error",
        "status": {"code": None, "name": "not_asked", "message": "no network"},
    }
    made = report(
        host("web1", [of_order(order_number="1", **failed), of_order("two", order_number="2", **failed)]),
        host("web2", [of_order(order_number=1, **issued(100)), of_order("own")]),
        host("web3", [of_order("code", **issued(100))]),
    )
    rows = {row["number"]: row for row in made["orders"]}
    assert rows.keys() == {"1", "2"}
    assert rows["1"]["state"] == "issued"
    assert rows["1"]["users"] == [{"host": "web1", "certificate": "www"}, {"host": "web2", "certificate": "www"}]
    assert (rows["2"]["message"], rows["2"]["level"]) == ("no network", "bad")
    assert made["counts"] == {"unsettled": {"orders": 1, "endpoints": 0}}


def test_identifiers_are_told_apart() -> None:
    """An order number and a certificate ID of the same digits are two orders."""
    by_number = {"order_numbers": ["7"], "result": {"orders": [issued(100)]}}
    rows = report(host(certificates=[of_order(certificate_id="7", **issued(100))]), asked=by_number)["orders"]
    assert {(row["identifier"], len(row["users"])) for row in rows} == {("order_number", 0), ("certificate_id", 1)}


_GOOD = certificate(-10, 200)
_ENDPOINTS: dict[str, tuple[dict[str, t.Any], str, list[str]]] = {
    "in order": (endpoint(_GOOD), "good", []),
    "expired": (endpoint(certificate(-100, -2), verified=False, verify_error="x"), "bad", ["expired 2 days ago"]),
    "future": (endpoint(certificate(2, 90)), "bad", ["not valid before 2026-06-03T12:00:00Z"]),
    "expiring": (endpoint(certificate(-10, 5)), "warn", ["expires in 5 days"]),
    "another": (
        endpoint(_GOOD, "bb"),
        "bad",
        ["serves another certificate than the one that is installed"],
    ),
    "not installed": (endpoint(_GOOD, None), "warn", ["no certificate is installed"]),
    "not to be read": (
        endpoint(_GOOD, None, state="refused", msg="no rights"),
        "warn",
        ["what is installed is not known: no rights"],
    ),
    "untrusted": (endpoint(_GOOD, verified=False, verify_error="self-signed"), "warn", ["not trusted: self-signed"]),
    "silent": (endpoint(None, reason="refused"), "bad", ["refused"]),
    "mute": (endpoint(None), "bad", ["There is no answer."]),
    "down": (
        endpoint(None, None, unreachable=True, reason="no route"),
        "bad",
        ["the host could not be reached: no route"],
    ),
    "down, and seen": (
        endpoint(_GOOD, None, unreachable=True),
        "warn",
        ["the installed file could not be read, since the host could not be reached"],
    ),
    "unreadable": (
        endpoint(None, fingerprint_sha256="aa", reason="there is no whole certificate in PEM form."),
        "bad",
        ["there is no whole certificate in PEM form."],
    ),
}


@pytest.mark.parametrize("case", _ENDPOINTS)
def test_endpoint(case: str) -> None:
    """What is wrong with an endpoint, and how urgent that is."""
    seen, level, said = _ENDPOINTS[case]
    made = report(seen)
    (row,) = made["endpoints"]
    assert (row["level"], words(row)) == (level, said)
    assert set(made["counts"]) == {finding["kind"] for finding in row["findings"]}


def test_names_of_an_endpoint() -> None:
    """The names of the certificate that is served, or its subject where it has none."""
    (named,) = report(endpoint(_GOOD))["endpoints"]
    assert named["names"] == ["www.example.com"]
    (bare,) = report(endpoint(certificate(-10, 200, ())))["endpoints"]
    assert bare["names"] == ["CN=somebody"]


def test_urgent_ones_first() -> None:
    """First how bad it is, then how few days are left, then the host."""
    days = {"a": 200, "b": 5, "c": 12, "d": -3, "e": 200}
    hosts = [{**endpoint(certificate(-100, end)), "host": name} for name, end in days.items()]
    rows = report(*hosts)["endpoints"]
    assert [row["host"] for row in rows] == ["d", "b", "c", "a", "e"]


def test_time_line() -> None:
    """Every bar lies on the same axis: past ones end before today, running ones cross it; extremes are cut off."""
    spans = {"past": (-300, -10), "running": (-30, 60), "future": (20, 90), "endless": (-5000, 20000)}
    hosts = [{**endpoint(certificate(*span)), "host": name} for name, span in spans.items()]
    made = report(*hosts)
    today = made["axis"]["today"]
    lines = {row["host"]: row["line"] for row in made["endpoints"]}
    ends = {name: line["left"] + line["width"] for name, line in lines.items()}
    assert lines["past"]["left"] < ends["past"] < today
    assert lines["running"]["left"] < today < ends["running"]
    assert today < lines["future"]["left"] < ends["future"]
    assert (lines["endless"]["left"], round(ends["endless"], 2)) == (0.0, 100.0)
    assert made["axis"]["begin"] == "2025-04-27T12:00:00Z"
    assert all(0 <= line["left"] <= 100 and line["width"] >= 0 for line in lines.values())


@pytest.mark.parametrize("given", [[{"host": "web1"}], [1], "text", None])
def test_something_else(given: t.Any) -> None:
    """What no playbook returns is refused with a sentence."""
    with pytest.raises(AnsibleFilterError, match=r"fleet_report: this is not what the playbook's tasks return: .*\."):
        FilterModule().filters()["fleet_report"](given)
