# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers by hand: what the wire is known or feared to carry, and what each of it means."""

from __future__ import annotations

import base64
import copy
import pickle
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import (
    CALL_LIMIT_REACHED,
    CollectResponse,
    order_not_asked,
    parse,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _asn1
from ansible_collections.certfleet.collectssl.tests.support import authority

_DERS = authority.chain().served
_PEM = "".join(armour(der) for der in _DERS)
_LEAF = armour(_DERS[-1])


def _request(*show: str, **changes: t.Any) -> CollectRequest:
    return CollectRequest("order_number", "1234567", show=show, **changes)


def _parse(text: str, *show: str, **changes: t.Any) -> CollectResponse:
    return parse(text.encode("utf-8"), None, _request(*show, **changes))


def _field(data: bytes) -> str:
    return urllib.parse.quote_plus(base64.b64encode(data).decode("ascii"))


# --- status --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ["0", "0\n", "0\r\n", "\n0\n\n", " 0 \n", "\ufeff0", "errorCode=0", "errorCode=0&\r\n"]
)
def test_a_bare_status(body: str) -> None:
    response = _parse(body, *SHOW)
    assert (response.state, response.status_name, response.message) == ("pending", "being_processed", "")
    assert response.caa_status is None
    assert not response.extra


@pytest.mark.parametrize(
    ("code", "state", "name"),
    [
        (1, "issued", "certificates_available"),
        (0, "pending", "being_processed"),
        (-1, "error", "not_https"),
        (-16, "error", "permission_denied"),
        (-20, "rejected", "rejected"),
        (-21, "revoked", "revoked"),
        (-22, "awaiting_payment", "awaiting_payment"),
        (-26, "pending", "unlisted"),
        (CALL_LIMIT_REACHED, "error", "unlisted"),
        (-90, "error", "unlisted"),
        (3, "error", "unlisted"),
        (500, "error", "unlisted"),
        (-999999, "error", "unlisted"),
    ],
)
def test_status_codes(code: int, state: str, name: str) -> None:
    message = "Something" if code not in (0, 1) else ""
    for text in (f"{code}\n{message}\n", f"errorCode={code}&errorMessage={message}"):
        response = _parse(text, query_type=0)
        assert (response.status_code, response.state, response.status_name) == (code, state, name)
        assert response.message == message


def test_a_revoked_certificate_that_is_still_handed_out_is_revoked() -> None:
    assert _parse(f"2\n{_PEM}Revoked\nComplete\n", "ext_status").state == "revoked"
    assert (
        _parse(f"errorCode=2&certificateStatus=Revoked&certificate={_field(_DERS[-1])}", "ext_status").state
        == "revoked"
    )


def test_error_item() -> None:
    response = _parse("errorCode=-4&errorItem=orderNumber&errorMessage=The+value+of+the+%27orderNumber%27+argument")
    assert response.error_item == "orderNumber"
    assert response.message == "The value of the 'orderNumber' argument"


@pytest.mark.parametrize(
    ("text", "show", "message", "certificate_status"),
    [
        ("-20", (), "", None),
        ("-20\n", ("ext_status",), "", None),
        ("-20\n\nThe request was rejected", (), "The request was rejected", None),
        ("-20\nThe request was rejected\nRevoked\nComplete\n", ("ext_status",), "The request was rejected", "Revoked"),
        ("-20\n\nRejected\nComplete\n", ("ext_status",), "", "Rejected"),
        ("-20\nRevoked\nComplete\n", ("ext_status",), "", "Revoked"),
        ("-20\nRejected\n1\n1\n1\n1\n-1\n-1\n", ("status_details",), "Rejected", None),
        ("-20\n1\n1\n1\n1\n-1\n-1\n", ("status_details",), "", None),
        ("-20\n\n1\n1\n1\n1\n-1\n-1\n", ("status_details",), "", None),
        ("-20\n\nAuthorized", (), "", None),
    ],
)
def test_messages_and_missing_messages(
    text: str, show: tuple[str, ...], message: str, certificate_status: str | None
) -> None:
    response = _parse(text, *show)
    assert (response.message, response.certificate_status) == (message, certificate_status)
    if "status_details" in show:
        assert dict(response.details)["csr"] == "completed"


# --- what is no answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"<html><body>Down for maintenance</body></html>", "is an HTML page"),
        (b"\n<!DOCTYPE html>\n<HTML>", "is an HTML page"),
        (b"502\n<html><body>Bad Gateway</body></html>", "is an HTML page"),
        (b"500\r\n\r\n<!DOCTYPE html><html>", "is an HTML page"),
        (b'<html><a href="/x?a=b&errorCode=0&c=d">here</a></html>', "is an HTML page"),
        (b"Internal Server Error", "neither a status line nor an errorCode. *Internal|neither"),
        (b'{"errorCode": 0}', "neither"),
        (b"2 = Certificates Attached\n", "neither"),
        (b"-\n", "neither"),
        (b"1e3\n", "neither"),
        (b"12345678\n", "neither"),
        ("\u0662\n".encode(), "neither"),
        (b"\xff\xfe2\x00\n\x00", "neither"),
        (b"errorMessage=Nothing", "neither"),
        (b"errorcode", "neither"),
        (b"errorCode=", "not a status"),
        (b"errorCode=two", "not a status"),
        (b"errorCode=0x2", "not a status"),
        (b"errorCode=10000000", "not a status"),
        (b"errorCode=0&errorCode=2", "not a status"),
        (b"\x30\x82\x05\x00\x06\x09", "neither"),
        (b"PK\x03\x04", "neither"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        parse(body, None, _request(*SHOW))


def test_the_excerpt_is_short_and_on_one_line() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse(b"Oops\n\x1b[31m\x00\t" + b"x" * 10000, "text/html\r\n" + "y" * 1000, _request())
    message = str(caught.value)
    assert "Oops" in message
    assert "text/html" in message
    assert len(message) < 500
    assert message.isprintable()


# --- format 0: validity, name, certificates ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["www.example.com", "*.example.com", "192.0.2.1", "2001:db8::1", "mail", "MAIL", None])
@pytest.mark.parametrize("validity", ["14/05/2003 13/05/2004", "14/05/2003  13/05/2004", None])
@pytest.mark.parametrize("blanks", [0, 2])
def test_validity_and_name_may_be_missing(name: str | None, validity: str | None, blanks: int) -> None:
    pkcs7 = "\n".join(base64.encodebytes(_asn1.pkcs7(_DERS)).decode("ascii").split())
    for text, changes in ((_PEM, {}), (pkcs7, {"response_type": "pkcs7"})):
        before = [line for line in (validity, name) if line]
        body = "\n".join(["2", *before, *[""] * blanks, text.rstrip("\n"), *[""] * blanks, "Issued", "Complete"])
        response = _parse(body, "validity_period", "fqdn", "ext_status", **changes)
        assert response.fqdn == name
        assert response.not_before == ("2003-05-14T00:00:00Z" if validity else None)
        assert response.not_after == ("2004-05-13T23:59:59Z" if validity else None)
        assert (response.certificate_status, response.validation_status) == ("Issued", "Complete")
        assert len(response.certificates) == (4 if not changes else 0)
        assert not response.extra


@pytest.mark.parametrize("day", ["31/02/2003 13/05/2004", "14/13/2003 13/05/2004", "14/05/2003 00/05/2004"])
def test_days_that_are_none(day: str) -> None:
    with pytest.raises(ProtocolError, match="is not a day"):
        _parse(f"2\n{day}\n{_PEM}", "validity_period")


def test_a_status_is_not_taken_for_a_name() -> None:
    response = _parse("1\nIssued\nComplete\n", "fqdn", "ext_status", query_type=0)
    assert (response.fqdn, response.certificate_status, response.validation_status) == (None, "Issued", "Complete")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_certificates(count: int) -> None:
    response = _parse("2\n" + "".join(armour(der) for der in _DERS[-count:]))
    assert response.certificates == _DERS[-count:]


def test_status_1_with_certificates_gives_them_all_the_same() -> None:
    assert _parse("1\n" + _PEM).certificates == _DERS
    assert _parse("2\n" + _PEM, query_type=0).certificates == _DERS


def test_status_1_to_a_query_for_certificates() -> None:
    response = _parse("1\n")
    assert (response.state, response.certificates, response.container) == ("issued", (), None)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "14/05/2003 13/05/2004\nwww.example.com\n",
        "Issued\nComplete\n",
        _PEM.replace("-----END CERTIFICATE-----", "", 1),
        _PEM + "-----BEGIN CERTIFICATE-----\nMIIB\n",
        _PEM + "-----BEG",
        _PEM + "-",
        _PEM.replace("MII", "M?I", 1),
        "-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
        "-----BEGIN PKCS7-----\n" + base64.b64encode(_asn1.pkcs7(_DERS)).decode("ascii") + "\n-----END PKCS7-----\n",
    ],
)
def test_certificates_that_are_missing_torn_or_none(rest: str) -> None:
    with pytest.raises(ProtocolError):
        _parse("2\n" + rest, *SHOW)


@pytest.mark.parametrize("response_type", ["pkcs7", "netscape"])
@pytest.mark.parametrize(
    "tail", [[], ["Complete"], ["Issued", "Complete"], ["Issued", "Complete", "Empty"], ["Timeout"]]
)
@pytest.mark.parametrize("size", range(3))
def test_a_bare_structure_ends_where_it_says(response_type: str, tail: list[str], size: int) -> None:
    """Whether its base64 ends in none, one or two signs of padding; status lines can be good base64 themselves."""
    make = {"pkcs7": _asn1.pkcs7, "netscape": _asn1.netscape_sequence}[response_type]
    structures = (
        make((*_DERS[:count], b"\x04" + bytes((more,)) + b"x" * more)) for count in (3, 4) for more in range(6)
    )
    data = next(data for data in structures if len(data) % 3 == size)
    text = base64.b64encode(data).decode("ascii")
    for width in (64, 76, len(text)):
        lines = [text[at : at + width] for at in range(0, len(text), width)]
        response = _parse("\n".join(["2", *lines, *tail]), "ext_status", response_type=response_type)
        assert response.container == (response_type, data)
        said = [response.certificate_status, response.validation_status, response.caa_status]
        assert [status for status in said if status] == tail


@pytest.mark.parametrize("label", ["PKCS7", "CMS", "PKCS #7 SIGNED DATA", "CERTIFICATE"])
def test_armour_of_any_label(label: str) -> None:
    data = _asn1.pkcs7(_DERS)
    assert _parse("2\n" + armour(data, label), response_type="pkcs7").container == ("pkcs7", data)


def test_two_structures_are_one_too_many() -> None:
    both = armour(_asn1.pkcs7(_DERS), "PKCS7") + armour(_asn1.pkcs7(_DERS[1:]), "PKCS7")
    with pytest.raises(ProtocolError, match="more than one structure"):
        _parse("2\n" + both, response_type="pkcs7")


def test_certificates_one_by_one_where_a_structure_was_asked_for() -> None:
    assert _parse("2\n" + _PEM, response_type="pkcs7").certificates == _DERS


# --- format 0: what follows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("blanks", [0, 1, 3])
def test_the_status_line_without_the_validation_line(blanks: int) -> None:
    response = _parse("2\n" + _PEM + "\n" * blanks + "Issued\n", "ext_status")
    assert (response.certificate_status, response.validation_status, response.caa_status) == ("Issued", None, None)
    response = _parse("2\n" + _PEM + "\n" * blanks + "Issued\nAuthorized\n", "ext_status")
    assert (response.certificate_status, response.validation_status, response.caa_status) == (
        "Issued",
        None,
        "Authorized",
    )
    response = _parse("0\nComplete\n", "ext_status")
    assert (response.certificate_status, response.validation_status) == (None, "Complete")


def test_more_lines_than_anything_explains_are_kept() -> None:
    response = _parse("0\nAwaiting Validation\nComplete\nfoo\nbar\nTimeout\n", "ext_status")
    assert response.order(_request())["extra"] == {"unnamed_lines": ["foo", "bar"]}
    assert response.caa_status == "Timeout"
    assert dict(_parse("0\nBeing processed by Sectigo\n").extra) == {"unnamed_lines": ("Being processed by Sectigo",)}


@pytest.mark.parametrize("status", ["authorized", "ERROR", "Error '12'", "Error 12", "Awaiting Completion", "EMPTY"])
def test_caa_is_the_last_line(status: str) -> None:
    response = _parse(f"0\na.example VALIDATED\n1\n1\n1\n1\n-1\n-1\n-1\n{status}\n", *SHOW)
    assert response.caa_status == status
    assert response.certificate_status is None


_SEVEN = ["completed", "in_progress", "not_completed", "not_required", "not_required", "completed", "in_progress"]
_SIX = ["in_progress", "not_completed", "completed", "not_required", "in_progress", "not_completed"]
_NONE = [None] * 6


@pytest.mark.parametrize(
    "lines",
    [
        ["1", "2", "0", "-1", "-1", "1", "2"],
        [
            "1 - completed",
            "2 - in-progress",
            "0 - not-completed",
            "-1 - not-required",
            "-1 \u2013 not applicable",
            "1",
            "2",
        ],
        ["1-completed", "2-in-progress", "0 — not-completed", "-1-not-required", "-1—not applicable", "1 -", "2 -in"],
    ],
)
def test_seven_details(lines: list[str]) -> None:
    assert [value for _name, value in _parse("\n".join(["0", *lines]), "status_details").details] == _SEVEN + _NONE
    lines = [*lines, "2", "0 - not-completed", "1", "-1", "2", "0"]
    assert [value for _name, value in _parse("\n".join(["0", *lines]), "status_details").details] == _SEVEN + _SIX


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        (["1", "2", "0", "-1", "-1", "1"], [*_SEVEN[:6], None, *_NONE]),
        (["1", "2", "0", "-1", "-1", "", "2"], [*_SEVEN[:5], None, "in_progress", *_NONE]),
        (["1", "", "0", "-1", "-1", "1", ""], ["completed", None, *_SEVEN[2:6], None, *_NONE]),
        (["", "2", "0", "-1", "-1", "1", "2"], [None, *_SEVEN[1:], *_NONE]),
        (["1", "", "", "2", "", "", "0", "-1", "", "", "-1", "", "1", "", "2"], [*_SEVEN, *_NONE]),
        (["9", "2", "0", "-1", "-1", "1", "2"], [None, *_SEVEN[1:], *_NONE]),
        ([], [None] * 7 + _NONE),
        (["1", "2", "0", "-1", "-1", "", "2", "2"], [*_SEVEN[:5], None, "in_progress", "in_progress", *_NONE[1:]]),
        (["1", "2", "0", "-1", "-1", "1", "2", "", "", "", "", "2"], [*_SEVEN, *_NONE[:4], "in_progress", None]),
        (["", *["2", "0", "-1", "-1", "1", "2", "2", "0", "1", "-1", "2", "0"]], [None, *_SEVEN[1:], *_SIX]),
    ],
)
@pytest.mark.parametrize("tail", [[], ["Authorized"], ["", "a.example VALIDATED", "Authorized"]])
def test_details_that_are_missing_or_empty(lines: list[str], values: list[str | None], tail: list[str]) -> None:
    response = _parse("\n".join(["0", "Awaiting Validation", "Complete", *lines, *tail]), *SHOW)
    assert [value for _name, value in response.details] == values
    assert (response.certificate_status, response.validation_status) == ("Awaiting Validation", "Complete")
    assert response.caa_status == (tail[-1] if tail else None)
    assert dict(response.extra) == ({"csrStatus": "9"} if lines[:1] == ["9"] else {})


def test_more_numbers_than_details_are_kept() -> None:
    response = _parse("0\n" + "1\n" * 15, "status_details")
    assert [value for _name, value in response.details] == ["completed"] * 13
    assert response.caa_status is None
    assert dict(response.extra) == {"unnamed_lines": ("1", "1")}


def test_details_that_nobody_asked_for_are_kept_as_they_came() -> None:
    response = _parse("0\n1\n2\n")
    assert dict(response.extra) == {"unnamed_lines": ("1", "2")}


@pytest.mark.parametrize(
    ("line", "domains"),
    [
        ("a.example VALIDATED", [("a.example", "validated")]),
        ("a.example VALIDATED, b.example NOTVALIDATED,", [("a.example", "validated"), ("b.example", "not_validated")]),
        ("*.a.example AWAITINGBRAND", [("*.a.example", "awaiting_brand")]),
        (
            "localhost VALIDATED,2001:db8::1 NOT VALIDATED",
            [("localhost", "validated"), ("2001:db8::1", "not_validated")],
        ),
        ("a.example REVALIDATING", [("a.example", "revalidating")]),
    ],
)
def test_domain_lists(line: str, domains: list[tuple[str, str]]) -> None:
    assert list(_parse(f"0\n{line}\n", "mdc_domain_details").mdc_domains) == domains
    quoted = urllib.parse.quote_plus(line)
    for value in (quoted, urllib.parse.quote_plus(quoted)):
        response = _parse(f"errorCode=0&MDCDOMAINDETAILS={value}", "mdc_domain_details")
        assert list(response.mdc_domains) == domains
        assert not response.extra


def test_the_second_list_of_domains_has_the_last_word_wherever_it_stands() -> None:
    old, new = "a.example+NOTVALIDATED", "a.example+AWAITINGBRAND"
    for text in (
        f"errorCode=0&mdcDomainDetails={old}&mdcDomainDetails2={new}",
        f"errorCode=0&mdcDomainDetails2={new}&mdcDomainDetails={old}",
        f"0\n{old}\n{new}\n".replace("+", " "),
    ):
        assert _parse(text, *SHOW).mdc_domains == (("a.example", "awaiting_brand"),)


def test_a_domain_list_that_cannot_be_read_is_kept() -> None:
    assert dict(_parse("errorCode=0&mdcDomainDetails=what%3F").extra) == {"mdcDomainDetails": "what?"}


# --- format 1 ------------------------------------------------------------------------------------------------------


def test_names_in_any_case_and_fields_that_are_empty() -> None:
    text = (
        "ERRORCODE=2&notbefore=1052870400&NotAfter=&fqdn=&certificateStatus=Issued&VALIDATIONSTATUS=&caastatus="
        f"&ovCallbackStatus=1&brandValStatus=&evClickThroughStatus=&cacertificate={_field(_DERS[0])}"
        f"&CACertificate={_field(_DERS[1])}&certificate={_field(_DERS[3])}&"
    )
    response = _parse(text, *SHOW)
    assert response.certificates == (_DERS[0], _DERS[1], _DERS[3])
    assert (response.not_before, response.not_after) == ("2003-05-14T00:00:00Z", None)
    assert (response.fqdn, response.validation_status, response.caa_status) == (None, None, None)
    assert dict(response.details)["ov_callback"] == "completed"
    assert not response.extra


def test_unknown_names_are_handed_on() -> None:
    text = "errorCode=0&maStatus=1&evAssumedName=A+%26+B&certificateDuration=&x=1&X=2&x=1&%C3%BC=%FF"
    order = _parse(text).order(_request())
    # A detail with a value that is none is told as it came, too.
    assert (order["details"]["ma"], order["details"]["ev_assumed_name"]) == ("completed", None)
    assert order["extra"] == {
        "evAssumedName": "A & B",
        "certificateDuration": "",
        "x": ["1", "2", "1"],
        "ü": "\ufffd",
    }


@pytest.mark.parametrize("value", ["soon", "1e9", "99999999999999999", "-99999999999999999", "1.5"])
def test_timestamps_that_are_none(value: str) -> None:
    with pytest.raises(ProtocolError, match="notAfter is not a timestamp"):
        _parse(f"errorCode=2&notAfter={value}", "validity_period")


def test_pem_inside_of_fields() -> None:
    leaf, authorities = (urllib.parse.quote_plus(text) for text in (_LEAF, _PEM.replace(_LEAF, "")))
    response = _parse(f"errorCode=2&caCertificate={authorities}&certificate={leaf}")
    assert response.certificates == _DERS


@pytest.mark.parametrize(
    "text",
    [
        f"errorCode=2&caCertificate={_field(_DERS[0])[:-8]}",
        f"errorCode=2&caCertificate={_field(_DERS[0])}&certificate",
        f"errorCode=2&caCertificate={_field(_DERS[0])}&certificate=",
        f"errorCode=2&caCertificate={_field(_DERS[0])}&caCertif",
        f"errorCode=2&caCertificate={_field(_DERS[0])}%2",
        f"errorCode=2&certificate={_field(_asn1.pkcs7(_DERS))}",
        f"errorCode=2&pkcs7={_field(_asn1.pkcs7(_DERS)[:-3])}",
        f"errorCode=2&pkcs7={_field(_asn1.pkcs7(_DERS) + b'more')}",
        f"errorCode=2&pkcs7={_field(_asn1.pkcs7(_DERS))}&zipFile={_field(b'PK')}",
        f"errorCode=2&pkcs7={_field(_asn1.pkcs7(_DERS))}&pkcs7={_field(_asn1.pkcs7(_DERS[1:]))}",
        "errorCode=2&zipFile=AAAA",
        "errorCode=2&certificate=%2B%2B",
        f"errorCode=2&certificate={urllib.parse.quote_plus(_LEAF)[:-40]}",
    ],
)
def test_fields_that_are_torn_or_none(text: str) -> None:
    with pytest.raises(ProtocolError):
        _parse(text)


def test_the_same_structure_twice_is_one() -> None:
    value = _field(_asn1.pkcs7(_DERS))
    assert _parse(f"errorCode=2&pkcs7={value}&pkcs7={value}").container == ("pkcs7", _asn1.pkcs7(_DERS))


def test_a_format_that_was_not_asked_for_is_read_too() -> None:
    assert _parse("0\n", response_format="urlencoded").state == "pending"
    assert _parse("errorCode=0", response_format="lines").state == "pending"


# --- binary --------------------------------------------------------------------------------------------------------


def _binary(body: bytes, kind: str = "pkcs7") -> CollectResponse:
    return parse(body, None, _request(response_type=kind, response_encoding="binary"))


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n"])
def test_a_bare_pkcs7(tail: bytes) -> None:
    response = _binary(_asn1.pkcs7(_DERS) + tail)
    assert (response.state, response.status_code) == ("issued", 2)
    assert response.container == ("pkcs7", _asn1.pkcs7(_DERS))


def test_a_pkcs7_of_indefinite_length() -> None:
    inner = _asn1.pkcs7(_DERS)[4:]
    data = b"\x30\x80" + inner + b"\x00\x00"
    assert _binary(data + b"\n").container == ("pkcs7", data)
    for size in range(3, len(data)):
        with pytest.raises(ProtocolError):
            _binary(data[:size])


@pytest.mark.parametrize("text", [b"0", b"0\n", b"0\r\n\r\n", b"0\n0\n", b"errorCode=0&certificateStatus=Issued"])
def test_text_where_a_structure_was_asked_for(text: bytes) -> None:
    """The first byte of the text answer ``0`` is that of a DER SEQUENCE."""
    for kind in ("pkcs7", "zip"):
        assert _binary(text, kind).state == "pending"


# --- a value -------------------------------------------------------------------------------------------------------


def test_a_response_is_a_value() -> None:
    text = f"2\n{_PEM}Issued\nComplete\n1\n2\n"
    response = _parse(text, *SHOW)
    assert response == _parse(text, *SHOW)
    assert len({response, _parse(text, *SHOW), _parse(f"2\n{_PEM}", *SHOW)}) == 2
    for made in (copy.copy(response), copy.deepcopy(response), pickle.loads(pickle.dumps(response))):  # noqa: S301
        assert made == response
    with pytest.raises(AttributeError):
        response.fqdn = "other.example.com"  # type: ignore[misc]


# --- orders --------------------------------------------------------------------------------------------------------


def test_the_order_dictionary() -> None:
    request = CollectRequest("certificate_id", "42", show=SHOW, query_type=0)
    body = (
        "errorCode=0&certificateStatus=Awaiting+Validation&validationStatus=Complete&csrStatus=1&dcvStatus=2"
        "&mdcDomainDetails2=a.example+VALIDATED%2C+b.example+AWAITINGBRAND&caaStatus=Empty&MASTATUS=2&evAssumedName=0"
        "&evPhysicalExistence=-1&evOperationalExistence=&evSignerApproverRequester=1&evSignerSecondApproval=2"
        "&productTermEndDate=1800000000"
    )
    assert parse(body.encode("ascii"), None, request).order(request) == {
        "certificate_id": "42",
        "state": "pending",
        "status": {"code": 0, "name": "being_processed", "message": None},
        "fqdn": None,
        "not_before": None,
        "not_after": None,
        "certificate_status": "Awaiting Validation",
        "validation_status": "Complete",
        "caa_status": "Empty",
        "mdc_domains": [
            {"name": "a.example", "status": "validated"},
            {"name": "b.example", "status": "awaiting_brand"},
        ],
        "details": {
            "csr": "completed",
            "dcv": "in_progress",
            "ov_callback": None,
            "organization_validation": None,
            "free_dv_upgrade": None,
            "ev_click_through": None,
            "brand_validation": None,
            "ma": "in_progress",
            "ev_assumed_name": "not_completed",
            "ev_physical_existence": "not_required",
            "ev_operational_existence": None,
            "ev_signer_approver_requester": "completed",
            "ev_signer_second_approval": "in_progress",
        },
        "extra": {"productTermEndDate": "1800000000"},
    }


def test_an_order_that_could_not_be_asked_has_the_same_keys() -> None:
    request = _request()
    order = order_not_asked(request, "No network.")
    assert order.keys() == _parse("0").order(request).keys()
    assert order["order_number"] == "1234567"
    assert order["state"] == "error"
    assert order["status"] == {"code": None, "name": "not_asked", "message": "No network."}
    assert order["details"].keys() == _parse("0").order(request)["details"].keys()
