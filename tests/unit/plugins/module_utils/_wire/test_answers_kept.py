# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer says comes out as it was said: its fields, its order dictionary, and where it ends."""

from __future__ import annotations

import base64
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire import fields
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import (
    CALL_LIMIT_REACHED,
    STATUS_NAMES,
    CollectResponse,
    order_not_asked,
    parse,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _asn1
from ansible_collections.certfleet.collectssl.tests.support import authority

_DERS = authority.chain().served
_LEAF = _DERS[-1]
_PKCS7 = _asn1.pkcs7(_DERS)


def _request(*show: str, **changes: t.Any) -> CollectRequest:
    return CollectRequest("order_number", "1234567", show=show, **changes)


def _parse(text: str, *show: str, **changes: t.Any) -> CollectResponse:
    return parse(text.encode("utf-8"), None, _request(*show, **changes))


def _field(data: bytes) -> str:
    return urllib.parse.quote_plus(base64.b64encode(data).decode("ascii"))


# --- the order that users see --------------------------------------------------------------------------------------


def test_what_the_error_is_about_is_told_with_what_is_unknown() -> None:
    order = _parse("errorCode=-4&errorItem=orderNumber&errorMessage=Bad&x=1").order(_request())
    assert order["extra"] == {"errorItem": "orderNumber", "x": "1"}
    assert order["status"] == {"code": -4, "name": "invalid_argument", "message": "Bad"}
    assert _parse("errorCode=-4&errorItem=&errorMessage=Bad").order(_request())["extra"] == {}


def test_an_order_that_was_not_asked_tells_why_and_nothing_else() -> None:
    request = _request()
    order = order_not_asked(request, "No network.")
    assert order.pop("status") == {"code": None, "name": "not_asked", "message": "No network."}
    assert order.pop("state") == "error"
    assert order.pop("order_number") == "1234567"
    assert order.pop("details") == dict.fromkeys(fields.DETAILS)
    assert (order.pop("mdc_domains"), order.pop("extra")) == ([], {})
    assert set(order.values()) == {None}


@pytest.mark.parametrize("status", ["Revoked", "REVOKED", "revoked"])
def test_only_a_certificate_that_is_issued_is_revoked_by_its_status_line(status: str) -> None:
    assert CollectResponse(2, certificate_status=status).state == "revoked"
    assert CollectResponse(1, certificate_status=status).state == "revoked"
    assert CollectResponse(0, certificate_status=status).state == "pending"
    assert CollectResponse(-20, certificate_status=status).state == "rejected"
    assert CollectResponse(-4, certificate_status=status).state == "error"
    assert CollectResponse(2, certificate_status="Issued").state == "issued"
    assert CollectResponse(2).state == "issued"


def test_names_of_the_status_codes_of_section_2_1() -> None:
    assert STATUS_NAMES == {
        2: "certificates_attached",
        1: "certificates_available",
        0: "being_processed",
        -1: "not_https",
        -2: "unrecognised_argument",
        -3: "missing_argument",
        -4: "invalid_argument",
        -14: "unknown_error",
        -16: "permission_denied",
        -17: "not_post",
        -20: "rejected",
        -21: "revoked",
        -22: "awaiting_payment",
    }
    assert CollectResponse(-99).status_name == "unlisted"
    # Of later documentation.
    assert CALL_LIMIT_REACHED == -42


def test_a_record_of_a_request_is_the_same_whatever_order_was_given() -> None:
    for show in (SHOW, reversed(SHOW), sorted(SHOW)):
        record = CollectRequest("order_number", "1", show=list(show)).as_record()
        assert record["show"] == sorted(SHOW)


def test_a_code_that_names_its_order_is_not_told() -> None:
    request = CollectRequest("collection_code", "", product="ccc")
    assert "collection_code" not in _parse("0").order(request)
    assert "" not in _parse("0").order(request)


# --- what is no answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "sentence"),
    [
        (b"", None, "The answer is empty; it is not one of the CollectSSL interface."),
        (b" \r\n", "text/html", "The answer is empty (content type text/html); it is not one of"),
        (
            b"<HTML><p>Login",
            None,
            "The answer is an HTML page; it is not one of the CollectSSL interface. It begins: <HTML",
        ),
        (b"hello", "text/plain", "has neither a status line nor an errorCode (content type text/plain); it is not"),
        (b"x" * 2000 + b"<html>", None, "The answer has neither a status line nor an errorCode;"),
        (b"x" * 1996 + b"<html>", None, "The answer has neither a status line nor an errorCode;"),
        (b"x" * 1995 + b"<html>", None, "The answer is an HTML page;"),
        (b"a=" + b"x" * 5000, "t" * 100, "(content type " + "t" * 40),
    ],
)
def test_what_is_no_answer_says_what_it_looks_like(body: bytes, content_type: str | None, sentence: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse(body, content_type, _request())
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_byte_order_mark_is_no_part_of_an_answer() -> None:
    assert parse(b"\xef\xbb\xbf0\n", None, _request()).state == "pending"
    assert parse(b"\xef\xbb\xbferrorCode=0", None, _request()).state == "pending"


# --- bare structures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"", b"\n", b"<html>"])
def test_a_bare_pkcs7_ends_where_it_says(tail: bytes) -> None:
    request = _request(response_type="pkcs7", response_encoding="binary")
    assert parse(_PKCS7 + tail, None, request).container == ("pkcs7", _PKCS7)
    with pytest.raises(ProtocolError, match=r"PKCS#7 structure is cut off"):
        parse(_PKCS7[:-1], None, request)


def test_a_bare_zip_is_handed_on_whole() -> None:
    """What the archive says of itself is for whoever unpacks it."""
    request = _request(response_type="zip", response_encoding="binary")
    response = parse(b"PK\x03\x04anything", None, request)
    assert (response.container, response.status_code) == (("zip", b"PK\x03\x04anything"), 2)


@pytest.mark.parametrize("body", [b"PK\x03\x04anything", _PKCS7])
def test_a_bare_structure_that_was_not_asked_for_is_no_answer(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="not one of the CollectSSL interface"):
        parse(body, None, _request())


# --- format 1 ------------------------------------------------------------------------------------------------------


def test_blanks_around_names_and_values_are_no_part_of_them() -> None:
    response = _parse(" errorCode = 0 & fqdn =+www.example.com+&+x+=+1+& ")
    assert (response.fqdn, dict(response.extra)) == ("www.example.com", {"x": "1"})
    assert _parse(" & &errorCode=0& ").state == "pending"


@pytest.mark.parametrize(
    "text",
    [
        "<a href='?x=1&errorCode=0'>",
        "{errorCode=0",
        "error code=1&errorCode=0",
        "errorCode=0&<b>=1",
        "errorCode=0&x y=1",
        "é=1&errorCode=0",
        "hello world&errorCode=0",
        "&hello world&errorCode=0",
    ],
)
def test_names_that_url_encoding_cannot_leave_are_no_answer(text: str) -> None:
    with pytest.raises(ProtocolError, match="neither a status line nor an errorCode"):
        _parse(text)


def test_an_ampersand_in_a_text_that_is_not_encoded_costs_no_more_than_its_rest() -> None:
    response = _parse("errorCode=-3&errorMessage=This & that is missing&x=1")
    assert response.message == "This"
    assert dict(response.extra) == {"x": "1"}


@pytest.mark.parametrize("name", ["a-b", "a.b", "a_b", "a~b", "a*b", "%41b", "a%5B%5D", "a[0]", "a+b"])
def test_names_that_url_encoding_leaves(name: str) -> None:
    assert dict(_parse(f"errorCode=0&{name}=1").extra) == {urllib.parse.unquote_plus(name): "1"}


@pytest.mark.parametrize("value", ["", "x", "1.0", "1000000", "-1000000", "0&errorCode=1", "--1"])
def test_a_status_that_is_none(value: str) -> None:
    with pytest.raises(ProtocolError, match="errorCode is not a status"):
        _parse(f"errorCode={value}")


@pytest.mark.parametrize("value", [999999, -999999])
def test_a_status_has_six_digits(value: int) -> None:
    assert _parse(f"errorCode={value}").status_code == value


def test_the_same_status_twice_is_one() -> None:
    assert _parse("errorCode=0&ERRORCODE=0").status_code == 0


@pytest.mark.parametrize("name", ["certificate", "caCertificate", "CACERTIFICATE", "%43ertificate"])
def test_an_answer_that_ends_with_a_certificate_of_nothing_was_cut_off(name: str) -> None:
    with pytest.raises(ProtocolError, match="ends in the middle"):
        _parse(f"errorCode=2&certificate={_field(_LEAF)}&{name}=")
    with pytest.raises(ProtocolError, match="ends in the middle"):
        _parse(f"errorCode=2&certificate={_field(_LEAF)}&+{name}+= \r\n")
    # One that ends with another field is whole.
    assert _parse(f"errorCode=2&certificate={_field(_LEAF)}&{name}=&x=").certificates == (_LEAF,)
    assert _parse(f"errorCode=0&{name}=").certificates == ()


def test_an_answer_that_ends_in_a_name_was_cut_off_where_something_is_issued() -> None:
    with pytest.raises(ProtocolError, match="ends in the middle of certifi: it was cut off"):
        _parse(f"errorCode=2&certificate={_field(_LEAF)}&certifi")
    with pytest.raises(ProtocolError, match="ends in the middle of certifi: it was cut off"):
        _parse("errorCode=1&certifi", query_type=0)
    assert _parse("errorCode=0&certifi").state == "pending"


def test_the_first_value_of_a_field_that_comes_twice_is_taken() -> None:
    text = "errorCode=0&fqdn=a.example&fqdn=b.example&notAfter=1&notAfter=2&csrStatus=1&csrStatus=2"
    response = _parse(text + "&caaStatus=&caaStatus=Empty")
    assert (response.fqdn, response.not_after) == ("a.example", "1970-01-01T00:00:01Z")
    assert dict(response.details)["csr"] == "completed"
    assert response.caa_status == "Empty"


@pytest.mark.parametrize(
    ("name", "kind"), [("zipFile", "zip"), ("netscapeCertificateSequence", "netscape"), ("pkcs7", "pkcs7")]
)
def test_a_structure_is_called_by_the_field_that_it_came_in(name: str, kind: str) -> None:
    for spelled in (name, name.upper(), name.lower()):
        assert _parse(f"errorCode=2&{spelled}={_field(_PKCS7)}").container == (kind, _PKCS7)


def test_a_field_that_is_torn_is_named_as_it_was_spelled() -> None:
    with pytest.raises(
        ProtocolError, match="The answer's CaCertificate is not a whole certificate: was the answer cut"
    ):
        _parse(f"errorCode=2&CaCertificate={_field(_LEAF[:-1])}&x=1")
    with pytest.raises(ProtocolError, match="The answer's PKCS7 is not one whole pkcs7 structure: was the answer cut"):
        _parse(f"errorCode=2&PKCS7={_field(_PKCS7[:-1])}&x=1")
    with pytest.raises(ProtocolError, match="The base64 of the answer's certificate is broken: was the answer cut"):
        _parse("errorCode=2&certificate=A&x=1")
    with pytest.raises(ProtocolError, match="The answer's NotAfter is not a timestamp in seconds: soon"):
        _parse("errorCode=2&NotAfter=soon")


def test_several_lists_of_domains_are_one() -> None:
    text = "errorCode=0&mdcDomainDetails=a.example+VALIDATED&mdcDomainDetails=b.example+VALIDATED&mdcDomainDetails=%3F"
    response = _parse(text)
    assert dict(response.mdc_domains) == {"a.example": "validated", "b.example": "validated"}
    assert dict(response.extra) == {"mdcDomainDetails": "?"}


def test_a_list_of_domains_that_is_encoded_once_is_not_decoded_twice() -> None:
    # A plus is no part of a name, and so it shows.
    assert dict(_parse("errorCode=0&mdcDomainDetails=a%2Bb.example+VALIDATED").mdc_domains) == {
        "a+b.example": "validated"
    }
    assert dict(_parse("errorCode=0&mdcDomainDetails=a.example%2BVALIDATED").mdc_domains) == {"a.example": "validated"}


# --- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "instant"),
    [
        ("0", "1970-01-01T00:00:00Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ("951782400", "2000-02-29T00:00:00Z"),
        ("1083801599", "2004-05-05T23:59:59Z"),
        ("253402300799", "9999-12-31T23:59:59Z"),
    ],
)
def test_seconds_since_1970_are_an_instant(seconds: str, instant: str) -> None:
    assert fields.iso_from_timestamp("notAfter", seconds) == instant


@pytest.mark.parametrize("text", ["253402300800", "-62135596801", "", "1.0", "0x1"])
def test_seconds_that_are_no_instant(text: str) -> None:
    with pytest.raises(ProtocolError, match="The answer's notAfter is not a timestamp in seconds: "):
        fields.iso_from_timestamp("notAfter", text)


def test_a_day_is_written_as_section_2_2_2_has_it() -> None:
    assert fields.iso_from_day("validity period", "29/02/2004", "23:59:59") == "2004-02-29T23:59:59Z"
    for text in ("30/02/2004", "2004/02/01", "02/13/2004", "29/02/2004 x"):
        with pytest.raises(ProtocolError, match="The answer's validity period is not a day: "):
            fields.iso_from_day("validity period", text, "00:00:00")


@pytest.mark.parametrize(
    ("line", "is_one", "means"),
    [
        ("1", True, True),
        ("-1", True, True),
        (" 2 ", True, True),
        ("0 - not-completed", True, True),
        ("1\u2010completed", True, True),
        ("1 \u2015", True, True),
        ("9999", True, False),
        ("3 - for three years", True, False),
        ("-2", True, False),
        ("10000", False, False),
        ("1 completed", False, False),
        ("1 - 2", False, False),
        ("2004-05-05", False, False),
        ("+1", False, False),
        ("x1", False, False),
        ("", False, False),
        ("-", False, False),
    ],
)
def test_a_status_detail_is_a_number_perhaps_with_its_meaning(line: str, is_one: bool, means: bool) -> None:
    assert fields.is_detail(line) is is_one
    assert fields.has_meaning(line) is means


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("a.example VALIDATED", {"a.example": "validated"}),
        ("a.example validated", {"a.example": "validated"}),
        ("a NOT VALIDATED", {"a": "not_validated"}),
        ("a AWAITING BRAND", {"a": "awaiting_brand"}),
        ("a NOT VALIDATED MAIL VALIDATED", {"a": "not_validated", "MAIL": "validated"}),
        ("a.example AWAITING SOMETHING", {"a.example": "awaiting something"}),
        ("a.example X-RAY_ED", {"a.example": "x-ray_ed"}),
        ("a.example VALIDATED a.example NOTVALIDATED", {"a.example": "not_validated"}),
        ("a REVALIDATING", None),
        ("a. REVALIDATING", None),
        (".a REVALIDATING", None),
        ("a.example Revalidating", None),
        ("a.example 1", None),
        ("a.example -", None),
        ("a.example VALIDATED x", None),
        ("VALIDATED", None),
        ("Mail: VALIDATED", None),
        ("Mail= VALIDATED", None),
        ("2001:db8:: VALIDATED", {"2001:db8::": "validated"}),
        ("", None),
        (",,", None),
    ],
)
def test_a_list_of_domains_has_a_status_for_each(text: str, domains: dict[str, str] | None) -> None:
    assert fields.mdc_domains(text) == domains


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("VALIDATED", True),
        ("NOT VALIDATED, b.example", True),
        ("awaiting brand", True),
        ("VALIDATED,b.example VALIDATED", True),
        (",VALIDATED", True),
        ("REVALIDATING", False),
        ("b.example VALIDATED", False),
        ("NOT", False),
        ("", False),
    ],
)
def test_whether_a_line_goes_on_with_the_status_of_a_domain(text: str, begins: bool) -> None:
    assert fields.begins_with_domain_status(text) is begins


def test_details_are_known_by_their_names() -> None:
    told = fields.with_details(fields.Fields(0), {"csr": "1", "dcv": "9", "ma": ""})
    assert dict(told.details) == {**dict.fromkeys(fields.DETAILS), "csr": "completed"}
    # What is no value of a detail is told as it came; what is empty says nothing.
    assert dict(told.extra) == {"dcvStatus": "9"}
    again = fields.with_details(told, {"ov_callback": "2"})
    assert (dict(again.details)["csr"], dict(again.details)["ov_callback"]) == ("completed", "in_progress")
    assert dict(again.extra) == {"dcvStatus": "9"}


def test_structures_and_certificates_are_told_apart_by_what_they_are() -> None:
    pem = armour(_LEAF)
    told = fields.with_certificates(fields.Fields(2), "certificate", [pem, base64.b64encode(_DERS[0]).decode()], None)
    assert (told.certificates, told.container) == ((_LEAF, _DERS[0]), None)
    with pytest.raises(ProtocolError, match="is not a whole certificate"):
        fields.with_certificates(told, "certificate", [base64.b64encode(_PKCS7).decode()], None)
    both = fields.with_certificates(told, "certificates", [armour(_PKCS7, "PKCS7")], "pkcs7")
    assert (both.certificates, both.container) == ((_LEAF, _DERS[0]), ("pkcs7", _PKCS7))
    with pytest.raises(ProtocolError, match="more than one structure"):
        fields.with_certificates(both, "certificates", [armour(_PKCS7, "PKCS7")], "netscape")
    with pytest.raises(ProtocolError, match="The answer's certificates end in the middle: was the answer cut off"):
        fields.with_certificates(told, "certificates", [pem[:-10]], None)
