# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of the catalogue as a client meets it."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import http.client
import io
import socket
import time
import typing as t
import urllib.parse
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _faults
from cryptography import x509

from .support import GOOD, PASSWORD, Caller, pem_blocks

_FORM = "application/x-www-form-urlencoded"
Start = t.Callable[..., Caller]
_LOST = (OSError, http.client.HTTPException)


@pytest.fixture
def caller(start: Start) -> Caller:
    """A caller of a simulator with one order that is issued and one that is pending."""
    return start([{"order_number": "1"}, {"order_number": "2", "life": [{"state": "pending"}]}])


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [
        ("http_429", 429, b"Too Many Requests"),
        ("http_500", 500, b"Internal Server Error"),
        ("http_502", 502, b"Bad Gateway"),
        ("http_503", 503, b"Service Unavailable"),
        ("http_504", 504, b"Gateway Timeout"),
        ("plain_error", 500, b"Internal Server Error"),
        ("html_page", 200, b"maintenance"),
        ("empty_body", 200, b""),
        ("redirect", 302, b""),
        ("page", 403, b"0"),
    ],
)
def test_responses_that_are_no_answer(caller: Caller, fault: str, status: int, word: bytes) -> None:
    caller.fault(fault, calls=2)
    for _unused in (1, 2):
        answered = caller.call()
        assert answered.status == status
        assert word in answered.body
        assert fault == "page" or not answered.body[:1].isdigit()
        assert answered.headers.get("Retry-After") == ("1" if status in (429, 503) else None)
    assert caller.call().lines[0] == "2"
    records = caller.control("GET", "calls")["calls"]
    assert [record["fault"] for record in records] == [fault, fault, None]
    assert [record["http_status"] for record in records] == [status, status, 200]
    assert [record["code"] for record in records] == [None, None, 2]


def test_parameters_of_faults(caller: Caller) -> None:
    caller.fault("http_503", calls=1, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert caller.call().headers["Retry-After"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    caller.fault("http_503", calls=1, retry_after=None)
    assert "Retry-After" not in caller.call().headers
    caller.fault("redirect", calls=1, location="https://example.com/", status=307)
    answered = caller.call()
    assert (answered.status, answered.headers["Location"]) == (307, "https://example.com/")
    caller.fault("code", calls=1, code=-90, message="own words")
    assert caller.call().lines == ["-90", "own words"]
    caller.fault("wrong_names", calls=1, names=["a.invalid"])
    assert pem_blocks(caller.call().body)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"fault": "gremlins"}, "gremlins"),
        ({}, "fault"),
        ({"fault": "reset", "calls": 0}, "calls"),
        ({"fault": "reset", "calls": True}, "calls"),
        ({"fault": "reset", "order_number": "9"}, "9"),
        ({"fault": "reset", "speed": 1}, "speed"),
        ({"fault": "drip", "octets": "many"}, "octets"),
        ({"fault": "drip", "octets": 1.5}, "octets"),
        ({"fault": "zip_bomb", "megabytes": None}, "megabytes"),
        ({"fault": "wrong_names", "names": []}, "names"),
    ],
)
def test_wrong_faults_are_refused_in_a_sentence(caller: Caller, value: dict[str, t.Any], word: str) -> None:
    answer = caller.control("POST", "faults", value)
    assert word in answer["error"]
    assert answer["error"].endswith(".")
    assert caller.control("GET", "status")["faults"] == []


@pytest.mark.parametrize(("fault", "code"), [("call_limit", "-42"), ("unknown_error", "-14")])
def test_status_codes(caller: Caller, fault: str, code: str) -> None:
    caller.fault(fault, calls=2)
    assert caller.call().lines[0] == code
    assert caller.call(responseFormat="1").fields["errorCode"] == [code]
    assert caller.call().lines[0] == "2"


def test_a_fault_may_be_for_one_order_and_last(caller: Caller) -> None:
    caller.fault("call_limit", order_number="2")
    assert [caller.call(orderNumber=number).lines[0] for number in "1221"] == ["2", "-42", "-42", "2"]
    assert caller.control("POST", "faults", {"clear": True}) == {"faults": []}
    assert caller.call(orderNumber="2").lines[0] == "0"


def test_a_fault_in_certificates_waits_for_certificates(caller: Caller) -> None:
    caller.fault("leaf_first", calls=1)
    caller.fault("zip_many_entries", calls=1, entries=50)
    assert caller.call(orderNumber="2").lines[0] == "0"
    assert caller.call(queryType="0").lines[0] == "1"
    assert len(caller.control("GET", "status")["faults"]) == 2
    right = caller.call(loginPassword="wrong").lines[0]
    assert right == "-16"
    caller.fault("leaf_first", calls=1)
    turned = pem_blocks(caller.call().body)
    caller.control("POST", "faults", {"clear": True})
    assert turned == pem_blocks(caller.call().body)[::-1]


def test_connections_that_break(caller: Caller) -> None:
    for fault in ("reset", "reset_in_body", "truncate"):
        caller.fault(fault, calls=1)
        with pytest.raises(_LOST) as caught:
            caller.call()
        if fault == "reset":
            assert isinstance(caught.value, ConnectionResetError)
        assert caller.call().lines[0] == "2"


def test_truncated_bodies(caller: Caller) -> None:
    whole = caller.call().body
    caller.fault("truncate_body", calls=1, keep=0.25)
    answered = caller.call()
    assert answered.body == whole[: len(whole) // 4]
    assert answered.headers["Content-Length"] == str(len(answered.body))
    caller.fault("truncate_body", calls=1, keep=100)
    assert caller.call().body == whole[:100]


def test_a_stalled_call_is_never_answered_and_leaves_with_its_client(caller: Caller) -> None:
    caller.fault("stall", calls=1)
    began = time.monotonic()
    with pytest.raises(socket.timeout):
        caller.call(timeout=0.8)
    assert time.monotonic() - began >= 0.7
    for _unused in range(40):
        if caller.control("GET", "status")["in_flight"] == 0:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the stalled call is still in flight")
    assert caller.control("GET", "calls")["calls"][0]["fault"] == "stall"


def test_a_slow_drip_is_whole_in_the_end(caller: Caller) -> None:
    whole = caller.call().body
    caller.fault("drip", calls=1, octets=600, interval=0.05)
    began = time.monotonic()
    assert caller.call().body == whole
    assert time.monotonic() - began > 0.05 * (len(whole) // 600)


def test_an_endless_body_has_no_end(caller: Caller) -> None:
    caller.fault("endless", calls=1)
    url = caller.ready["api_url_ssl"]
    connection = caller.connection(url)
    connection.request("POST", "/products/download/CollectSSL", "loginName=x")
    response = connection.getresponse()
    assert response.msg["Content-Length"] is None
    assert len(response.read(20 << 20)) == 20 << 20
    response.close()
    connection.close()
    assert caller.call().lines[0] == "2"


def test_the_right_answer_under_a_wrong_type(caller: Caller) -> None:
    caller.fault("wrong_content_type", calls=1)
    answered = caller.call()
    assert answered.headers["Content-Type"] == "image/png"
    assert answered.lines[0] == "2"


@pytest.mark.parametrize("status", [206, 403, 500, 599])
def test_the_right_answer_under_a_wrong_status(caller: Caller, status: int) -> None:
    whole = caller.call().body
    caller.fault("wrong_status", calls=1, status=status)
    answered = caller.call()
    assert (answered.status, answered.body) == (status, whole)


def test_a_page_of_ones_own(caller: Caller) -> None:
    caller.fault("page", calls=1, status=520, body="größer", content_type="text/x-own")
    answered = caller.call()
    assert (answered.status, answered.body) == (520, "größer".encode())
    assert answered.headers["Content-Type"] == "text/x-own"


def test_redirects_with_a_body(caller: Caller) -> None:
    caller.fault("redirect", calls=1, megabytes=2)
    answered = caller.call()
    assert (answered.status, len(answered.body)) == (302, 2 << 20)
    caller.fault("redirect", calls=1, megabytes=2, packed=True, location="https://[")
    answered = caller.call()
    assert (answered.headers["Content-Encoding"], answered.headers["Location"]) == ("gzip", "https://[")
    assert gzip.decompress(answered.body) == bytes(2 << 20)


def test_packed_answers(caller: Caller) -> None:
    whole = caller.call().body
    caller.fault("gzip", calls=1)
    answered = caller.call()
    assert answered.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answered.body) == whole
    caller.fault("gzip_broken", calls=1)
    answered = caller.call()
    assert (answered.headers["Content-Encoding"], answered.body) == ("gzip", whole)
    caller.fault("gzip_bomb", calls=1, megabytes=3, status=500)
    answered = caller.call()
    assert answered.status == 500
    assert len(answered.body) < 10_000
    assert gzip.decompress(answered.body) == bytes(3 << 20)


def _raw(caller: Caller, octets: int = 1 << 20) -> bytes:
    """What comes over the wire for a good call, up to so many octets, or to the end of the connection."""
    url = urllib.parse.urlsplit(caller.ready["api_url_ssl"])
    body = urllib.parse.urlencode(GOOD).encode("ascii")
    head = f"POST {url.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {_FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    data = b""
    with (
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=20) as plain,
        caller.context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(head.encode("ascii") + body)
        with contextlib.suppress(OSError):
            while len(data) < octets:
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                data += piece
    return data


def test_heads_and_interim_answers_without_end(caller: Caller) -> None:
    caller.fault("endless_headers", calls=1)
    data = _raw(caller)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.count(b"\r\nX-More: ") > 10_000
    assert b"\r\n\r\n" not in data
    caller.fault("endless_continue", calls=1)
    data = _raw(caller)
    assert data.count(b"HTTP/1.1 100 Continue\r\n\r\n") > 10_000
    assert caller.call().lines[0] == "2"


def test_chunks_and_lengths_that_are_none(caller: Caller) -> None:
    whole = caller.call().body
    half = len(whole) // 2
    for size in ("-1", "many"):
        caller.fault("bad_chunk", calls=1, size=size)
        head, _blank, body = _raw(caller).partition(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        chunks = b"%x\r\n%s\r\n%s\r\n%s\r\n0\r\n\r\n" % (half, whole[:half], size.encode(), whole[half:])
        assert body == chunks
    caller.fault("bad_length", calls=1)
    head, _blank, body = _raw(caller).partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: -1" in head
    assert body == whole


def test_octets_that_are_no_http(caller: Caller) -> None:
    caller.fault("not_http", calls=1)
    with pytest.raises(http.client.BadStatusLine):
        caller.call()
    assert caller.call().lines[0] == "2"


def test_how_many_octets_went_out_is_on_record(caller: Caller) -> None:
    whole = len(_raw(caller, 1))
    caller.fault("endless", calls=1)
    _raw(caller, 5 << 20)
    deadline = time.monotonic() + 20
    while caller.control("GET", "status")["in_flight"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first, second = (call["octets"] for call in caller.control("GET", "calls")["calls"])
    assert first >= whole > 100
    assert 5 << 20 <= second < 64 << 20


def test_a_leaf_of_the_year_950(caller: Caller) -> None:
    caller.fault("ancient_leaf", calls=1)
    leaf = x509.load_der_x509_certificate(pem_blocks(caller.call().body)[-1])
    issuer = x509.load_der_x509_certificate(pem_blocks(caller.call().body)[-2])
    assert leaf.not_valid_before_utc.year == 950
    # Everything else is in order.
    leaf.verify_directly_issued_by(issuer)
    assert leaf.not_valid_after_utc > datetime.datetime.now(datetime.timezone.utc)


def test_a_page_that_shows_the_password(caller: Caller) -> None:
    caller.fault("html_echo", calls=1)
    body = caller.call().body.decode("utf-8")
    assert PASSWORD in body
    assert "+ &amp; % = space ü" in body
    assert "%2B+%26+%25+%3D+space+%C3%BC" in body


def test_styles_as_faults(caller: Caller) -> None:
    whole = caller.call().body
    caller.fault("crlf", calls=1)
    assert caller.call().body == whole.replace(b"\n", b"\r\n")
    caller.fault("no_final_newline", calls=1)
    assert caller.call().body == whole[:-1]


@pytest.mark.parametrize("encoding", ["0", "1"])
@pytest.mark.parametrize(
    "fault", ["zip_bomb", "zip_many_entries", "zip_climbing_names", "zip_nameless", "zip_far_away"]
)
def test_archives(caller: Caller, fault: str, encoding: str) -> None:
    parameters = {"zip_bomb": {"megabytes": 8}, "zip_many_entries": {"entries": 99}}.get(fault, {})
    caller.fault(fault, calls=1, **parameters)
    assert caller.call().lines[0] == "2"
    body = caller.call(responseType="0", responseEncoding=encoding).body
    data = body if encoding == "1" else base64.b64decode(b"".join(body.splitlines()[1:]), validate=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    if fault == "zip_bomb":
        assert max(entry.file_size for entry in entries) == 8 << 20
    elif fault == "zip_many_entries":
        assert len(entries) == 103
    elif fault == "zip_nameless":
        assert [entry.filename for entry in entries].count("") == 1
    elif fault == "zip_far_away":
        assert [entry.header_offset for entry in entries].count(1 << 63) == 1
    else:
        assert entries[0].filename.startswith("../")


@pytest.mark.parametrize("name", sorted(name for name, entry in _faults.CATALOGUE.items() if entry.kind == "chain"))
@pytest.mark.parametrize("response_type", ["1", "2", "3"])
def test_faults_in_chains_reach_every_response_type(caller: Caller, name: str, response_type: str) -> None:
    right = caller.call(responseType=response_type).body
    caller.fault(name, calls=1)
    wrong = caller.call(responseType=response_type).body
    assert wrong.startswith(b"2\n")
    assert wrong != right
    assert caller.call(responseType=response_type).body == right


def test_a_phase_may_have_a_fault_that_counts_as_its_calls(start: Start) -> None:
    life = [
        {"state": "pending", "calls": 2, "fault": "http_502"},
        {"state": "issued", "calls": 1, "fault": {"name": "code", "code": -42}},
        {"state": "issued", "calls": 1, "fault": "no_leaf"},
        {"state": "issued"},
    ]
    caller = start([{"order_number": "1", "life": life}])
    assert [caller.call().status for _unused in (1, 2)] == [502, 502]
    assert caller.call().lines[0] == "-42"
    assert [len(pem_blocks(caller.call().body)) for _unused in (1, 2)] == [3, 4]


def test_a_posted_fault_that_stands_for_the_answer_leaves_the_life_alone(start: Start) -> None:
    caller = start([{"order_number": "1", "life": [{"state": "pending", "calls": 1}, {"state": "issued"}]}])
    caller.fault("http_502", calls=3)
    assert [caller.call().status for _unused in range(3)] == [502, 502, 502]
    assert [caller.call().lines[0] for _unused in (1, 2)] == ["0", "2"]


def test_the_catalogue_is_told(caller: Caller) -> None:
    catalogue = caller.control("GET", "faults")["catalogue"]
    assert set(catalogue) == set(_faults.CATALOGUE)
    assert catalogue["drip"]["parameters"] == {"octets": 16, "interval": 0.2}
    assert {entry.kind for entry in _faults.CATALOGUE.values()} == set(_faults.KINDS)
