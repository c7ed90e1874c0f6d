# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says of orders, certificates and endpoints, how urgent that is, and by what it puts them together."""

from __future__ import annotations

import datetime
import functools
import itertools
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
    return {"name": name, "state": "installed", "msg": "", "installed": None, "order": order or None, "held": False}


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
    """A host with one endpoint; what it serves has the fingerprint aa, and it is to serve what is installed."""
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
        "serves": pem is not None and installed == "aa",
    }
    there = {**of_order(), "installed": installed and {"fingerprint_sha256": installed}}
    there.update({key: more.pop(key) for key in ("state", "msg", "held", "order") if key in more})
    is_down: dict[str, t.Any] = {"unreachable": True} if more.pop("unreachable", False) else {}
    return host(certificates=[there], endpoints=[{**seen, **more}], **is_down)


def words(row: dict[str, t.Any]) -> list[str]:
    """What is wrong with a row."""
    return [finding["words"] for finding in row["findings"] if finding["level"] != "good"]


def named(host: dict[str, t.Any], name: str) -> dict[str, t.Any]:
    """The same host under another name."""
    return {**host, "host": name}


def titles(made: dict[str, t.Any], rows: str) -> dict[str, str]:
    """The groups of rows, and how many there are of each."""
    return {group["title"]: group["counted"] for group in made["groups"][rows]}


def test_nothing() -> None:
    """A fleet without certificates is a report without rows."""
    empty = report()
    assert (empty["orders"], empty["certificates"], empty["endpoints"], empty["counts"]) == ([], [], [], {})
    assert (empty["axis"], empty["causes"], empty["states"]) == (None, [], [])
    assert empty["now"] == _TEXT
    assert empty["scope"] == "0 orders, and 0 endpoints on 0 hosts"
    assert {(tile["number"], tile["level"], tile["counted"]) for tile in empty["tiles"]} == {("0", "good", "none")}
    assert report({"host": "web1", "result": {"skipped": True}}) == {
        **empty,
        "scope": "0 orders, and 0 endpoints on 1 host",
    }


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
        ["rejected"],
        ["revoked"],
        ["awaiting payment"],
        ["not known"],
    ]
    assert rows["1"]["waits_for"] == "dcv not completed, ov callback in progress"
    assert rows["2"]["waits_for"] == "The certificate request has been rejected, status -20"
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
    assert made["counts"] == {"error": {"hosts": 0, "orders": 1, "certificates": 0, "endpoints": 0}}


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
    "undetermined": (
        endpoint(None, serves=None, reason="192.0.2.1 port 443 wants a client certificate."),
        "doubt",
        ["undetermined whether it serves it: 192.0.2.1 port 443 wants a client certificate."],
    ),
    "of another name": (
        endpoint(_GOOD, "bb", serves=None, reason="it shows another name"),
        "doubt",
        [
            "undetermined whether it serves it: it shows another name",
        ],
    ),
    "one of several": (endpoint(_GOOD, "bb", serves=True), "good", []),
    "not of its kind": (
        endpoint(_GOOD, "bb", reason="it has no ECDSA key"),
        "bad",
        ["serves another certificate than the one that is installed: it has no ECDSA key"],
    ),
    "to be renewed": (endpoint(_GOOD, "aa", serves=False), "good", []),
    "awaited, and unproven": (
        endpoint(_GOOD, None, state="unproven", order={"state": "pending", "status": {}}),
        "wait",
        ["no certificate is installed yet"],
    ),
    "awaited": (endpoint(_GOOD, None, state="pending"), "wait", ["no certificate is installed yet"]),
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
    assert row["findings"][0]["words"] == (said or ["in service"])[0]
    assert row["serves"] is {"doubt": None, "good": True}.get(level, row["serves"])
    assert [kind for kind, count in made["counts"].items() if count["endpoints"]] == sorted(
        set(row["kinds"]) - {"good"}
    )


def test_an_endpoint_that_is_ahead_of_the_files() -> None:
    """It serves the certificate that is wanted, while an older one is installed, which the next reload would serve."""
    seen = endpoint(_GOOD, "bb", serves=True)
    seen["result"]["certificates"][0]["certificate"] = {"fingerprint_sha256": "aa"}
    (row,) = report(seen)["endpoints"]
    assert words(row) == ["serves another certificate than the one that is installed"]
    assert row["compared"] == "another one"


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
    axis = made["axis"]
    today = axis["today"]
    lines = {row["host"]: row["line"] for row in made["endpoints"]}
    ends = {name: line["left"] + line["width"] for name, line in lines.items()}
    assert lines["past"]["left"] < ends["past"] < today
    assert lines["running"]["left"] < today < ends["running"]
    assert today < lines["future"]["left"] < ends["future"]
    assert (lines["endless"]["left"], round(ends["endless"], 2)) == (0.0, 100.0)
    assert axis["begin"] == "2025-04-27T12:00:00Z"
    assert all(0 <= line["left"] <= 100 and line["width"] >= 0 for line in lines.values())


def test_months() -> None:
    """Each beginning of a month is on the axis; those that have names keep their distance, and there are some."""
    for end in (10, 60, 200, 400, 900):
        axis = report(endpoint(certificate(-10, end)))["axis"]
        months = axis["months"]
        named_ones = [month for month in months if month["name"]]
        assert named_ones, end
        assert len(months) >= 3
        lefts = [month["left"] for month in months]
        assert lefts == sorted(set(lefts))
        places = [month["left"] for month in named_ones]
        assert all(later - earlier >= 40 for earlier, later in itertools.pairwise(places))
        assert max(places) <= 60
    assert [month["name"] for month in report(endpoint(certificate(-10, 10)))["axis"]["months"] if month["name"]] == [
        "2026-06"
    ]


def test_no_line_without_a_date() -> None:
    """What has no end has no bar, and a group without any has no column for it."""
    made = report(named(endpoint(_GOOD), "web1"), named(endpoint(None, reason="refused"), "web2"))
    assert [row["line"] is None for row in made["endpoints"]] == [True, False]
    assert [group["is_dated"] for group in made["groups"]["endpoints"]] == [False, True]


# --- put together ----------------------------------------------------------------------------------------------------


def down(name: str, endpoints: int, pem: str | None = None) -> dict[str, t.Any]:
    """A host that could not be reached, with so many endpoints."""
    one = endpoint(pem, None, state="failed", msg="no route", reason="no route", serves=False)["result"]
    seen = [{**one["endpoints"][0], "port": 443 + number} for number in range(endpoints)]
    return {"host": name, "result": {**one, "endpoints": seen, "unreachable": True, "msg": "No route to host"}}


def test_an_unreachable_host_is_one_row() -> None:
    """It says how many endpoints it has, and what is seen of them all the same; hosts that are down are one group."""
    made = report(down("web1", 4), down("web2", 1, _GOOD), down("web3", 0), named(endpoint(_GOOD), "web4"))
    assert made["hosts"][2]["seen"] == ["www: no endpoint"]
    assert [row["host"] for row in made["hosts"]] == ["web1", "web2", "web3"]
    assert [row["counted"] for row in made["hosts"]] == ["4 endpoints", "1 endpoint", "0 endpoints"]
    assert words(made["hosts"][0]) == ["host not reached: No route to host"]
    assert made["hosts"][0]["seen"][0] == "192.0.2.1 port 443 (www): no answer"
    assert made["hosts"][1]["seen"] == ["192.0.2.1 port 443 (www): serves www.example.com, valid until 2026-12-18"]
    assert titles(made, "hosts") == {"host not reached": "3 hosts with 5 endpoints"}
    assert titles(made, "endpoints") == {"in service": "1 endpoint on 1 host"}
    assert titles(made, "certificates") == {}
    assert made["scope"] == "0 orders, and 6 endpoints on 4 hosts"
    (tile,) = (tile for tile in made["tiles"] if tile["title"] == "do not answer")
    assert (tile["number"], tile["counted"], tile["level"]) == ("3", "3 hosts", "bad")


def test_what_is_seen_of_a_host_that_is_down() -> None:
    """An endpoint of it that serves something expired is counted as that, at the host's row too."""
    made = report(down("web1", 2, certificate(-100, -2)))
    (row,) = made["hosts"]
    assert words(row) == ["host not reached: No route to host", "expired at 2 endpoints"]
    assert made["counts"]["expired"] == {"hosts": 1, "orders": 0, "certificates": 0, "endpoints": 2}
    (tile,) = (tile for tile in made["tiles"] if tile["title"] == "not valid")
    assert (tile["number"], tile["counted"]) == ("2", "2 endpoints")


def test_hosts_with_the_same_cause_are_one_group() -> None:
    """The address of a host, and advice, are no part of the cause; another reason is another group."""
    refused = "{} port 443 could not be connected to: {} (Connection refused). Check that it runs."
    hosts = [
        named(endpoint(None, host=address, reason=refused.format(address, address)), f"web{number}")
        for number, address in enumerate(("192.0.2.1", "192.0.2.2", "2001:db8::7"))
    ]
    other = named(endpoint(None, reason="The TLS handshake with 192.0.2.1 port 443 failed: it hung up. Look."), "web9")
    named_wrong = [
        named(
            endpoint(_GOOD, verified=False, server_name=name, verify_error=f"not valid for '{name}'"),
            f"mail-{name}",
        )
        for name in ("a.example.com", "b.example.com")
    ]
    made = report(*hosts, other, *named_wrong)
    assert titles(made, "endpoints") == {
        "no answer: the endpoint could not be connected to: its address (Connection refused)": "3 endpoints on 3 hosts",
        "no answer: the TLS handshake with the endpoint failed: it hung up": "1 endpoint on 1 host",
        "not trusted: not valid for its name": "2 endpoints on 2 hosts",
    }
    assert [cause["level"] for cause in made["causes"]] == ["bad", "bad", "warn"]
    rows = [made["endpoints"][number]["host"] for number in made["groups"]["endpoints"][0]["rows"]]
    assert sorted(rows) == ["web0", "web1", "web2"]


def test_what_is_in_order_is_folded_where_it_is_much() -> None:
    """A few stand in the open, many are folded; what is wrong never is, and numbers are written for people."""
    for count, is_folded in ((10, False), (1000, True)):
        made = report(*(named(endpoint(_GOOD), f"web{number}") for number in range(count)), endpoint(None))
        good, bad = made["groups"]["endpoints"][::-1]
        assert (good["is_folded"], bad["is_folded"]) == (is_folded, False)
    assert good["counted"] == "1,000 endpoints on 1,000 hosts"
    assert made["scope"] == "0 orders, and 1,001 endpoints on 1,001 hosts"
    placed = [number for group in made["groups"]["endpoints"] for number in group["rows"]]
    assert sorted(placed) == list(range(1001))


def test_what_is_held_is_shown() -> None:
    """From a run that did not end, be the endpoint as it may."""
    made = report(endpoint(_GOOD, held=True))
    (row,) = made["certificates"]
    assert (row["held"], words(row)) == (True, ["old files held, from a run that did not come to its end"])
    assert titles(made, "certificates") == {"old files held": "1 certificate on 1 host"}
    assert titles(made, "endpoints") == {"in service": "1 endpoint on 1 host"}


@pytest.mark.parametrize("state", ["not_collected", "refused", "failed", "rolled_back", "unproven"])
def test_states_of_certificates(state: str) -> None:
    """What is not as it is wanted is shown with its message, though no endpoint tells of it."""
    one = {**of_order(), "state": state, "msg": "It was so."}
    (row,) = report(host(certificates=[one]))["certificates"]
    assert (row["state"], row["level"]) == (state, "bad")
    assert words(row) == [f"{state.replace('_', ' ').replace('unproven', 'not proven')}: It was so."]
    (by_name,) = report(host(certificates=[of_order()], rolled_back=["www"]))["certificates"]
    assert by_name["state"] == "rolled_back"


def test_certificates_that_nobody_looks_at() -> None:
    """How long they are valid is told of what is installed; where an endpoint shows it, there."""
    dates = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2026-06-04T00:00:00Z", "fingerprint_sha256": "aa"}
    made = report(host(certificates=[{**of_order(), "installed": dates}]))
    (row,) = made["certificates"]
    assert (words(row), row["remaining"]) == (["expires in 2 days"], "2 days left")
    assert titles(made, "certificates") == {"expires within 30 days": "1 certificate on 1 host"}
    seen = endpoint(_GOOD)
    seen["result"]["certificates"][0]["installed"] = dates
    assert titles(report(seen), "certificates") == {}
    silent = endpoint(None)
    silent["result"]["certificates"][0]["installed"] = dates
    assert titles(report(silent), "certificates") == {"expires within 30 days": "1 certificate on 1 host"}


def test_what_there_is_to_choose_from() -> None:
    """Each kind that a row of the page has, and no other."""
    made = report(endpoint(_GOOD), named(down("x", 1), "web2"), host("web3", [of_order(order_number="1", **issued(5))]))
    assert [one["kind"] for one in made["states"]] == ["expiring", "unreachable", "good"]


def test_hosts_that_are_lost() -> None:
    """A host whose task failed is named with why, and is none of the others; one with results is not lost."""
    made = report(
        {"host": "web1", "result": {"failed": True, "msg": "An option is wrong."}},
        host("web2", [of_order()], failed=True),
        {"host": "web3", "result": {"unreachable": True, "failed": True}},
    )
    assert made["lost"] == [{"host": "web1", "message": "An option is wrong."}]
    assert made["scope"] == "0 orders, and 0 endpoints on 2 hosts"


@pytest.mark.parametrize("given", [[{"host": "web1"}], [1], "text", None])
def test_something_else(given: t.Any) -> None:
    """What no playbook returns is refused with a sentence."""
    with pytest.raises(AnsibleFilterError, match=r"fleet_report: this is not what the playbook's tasks return: .*\."):
        FilterModule().filters()["fleet_report"](given)
