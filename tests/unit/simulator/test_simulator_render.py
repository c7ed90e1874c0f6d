# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering: sections 2 and 3 cell by cell, with openssl as the second opinion on containers."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import io
import itertools
import typing as t
import urllib.parse
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import (
    Answer,
    Arguments,
    Domain,
    Style,
    render,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import StyleError, error
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._certificates import Issuer
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._orders import Terms
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl

from .support import pem_blocks

UTC = datetime.timezone.utc
DETAILS = {
    "csrStatus": 1,
    "dcvStatus": 2,
    "ovCallBackStatus": 0,
    "organizationValidationStatus": -1,
    "freeDVUPStatus": -1,
    "evClickThroughStatus": None,
    "brandValStatus": 2,
}
DOMAINS = (Domain("a.example", "VALIDATED"), Domain("b.example", "NOTVALIDATED"), Domain("c.example", "AWAITINGBRAND"))
EVERYTHING: dict[str, t.Any] = {
    "show_validity_period": True,
    "show_fqdn": True,
    "show_ext_status": True,
    "show_mdc_domain_details": True,
    "show_mdc_domain_details2": True,
    "show_status_details": True,
}


@pytest.fixture(scope="module")
def issued(issuer: Issuer) -> Answer:
    served = issuer.serve(issuer.issue("R1", Terms(names=("www.example.com",)), 1, 1), None)
    return Answer(
        code=2,
        validity=(datetime.datetime(2003, 5, 14, tzinfo=UTC), datetime.datetime(2004, 5, 13, 23, 59, 59, tzinfo=UTC)),
        fqdn="www.example.com",
        certificates=served.certificates,
        leaf=served.leaf,
        certificate_status="Issued",
        validation_status="Complete",
        domains=DOMAINS,
        details=DETAILS,
        caa_status="Authorized",
    )


@pytest.fixture(scope="module")
def pending(issued: Answer) -> Answer:
    return dataclasses.replace(issued, code=0, certificate_status="Awaiting Validation", caa_status=None)


def text(answer: Answer, style: Style | None = None, **arguments: t.Any) -> str:
    content_type, body = render(answer, Arguments(**arguments), style or Style())
    assert content_type == "text/plain"
    return body.decode("utf-8")


def form(answer: Answer, style: Style | None = None, **arguments: t.Any) -> dict[str, list[str]]:
    content_type, body = render(answer, Arguments(response_format=1, **arguments), style or Style())
    assert content_type == "application/x-www-form-urlencoded"
    return urllib.parse.parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


def test_lines_of_an_issued_order_in_the_order_of_section_2(issued: Answer) -> None:
    lines = text(issued, query_type=2, **EVERYTHING).splitlines()
    assert lines[:3] == ["2", "14/05/2003 13/05/2004", "www.example.com"]
    assert lines[3] == "-----BEGIN CERTIFICATE-----"
    end = lines.index("-----END CERTIFICATE-----")
    assert all(len(line) == 64 for line in lines[4 : end - 1])
    assert lines[end + 1 :] == ["Issued", "Complete", "1", "2", "0", "-1", "-1", "", "2", "Authorized"]


def test_lines_of_a_pending_order(pending: Answer) -> None:
    assert text(pending, **EVERYTHING).splitlines() == [
        "0",
        "Awaiting Validation",
        "Complete",
        "a.example VALIDATED, b.example NOTVALIDATED, c.example NOTVALIDATED",
        *["1", "2", "0", "-1", "-1", "", "2"],
        "a.example VALIDATED, b.example NOTVALIDATED, c.example AWAITINGBRAND",
    ]
    assert text(pending) == "0\n"
    assert text(pending, Style(final_newline=False)) == "0"


@pytest.mark.parametrize("flags", list(itertools.product((False, True), repeat=6)))
@pytest.mark.parametrize("query_type", [0, 1, 2, 3])
def test_each_flag_adds_its_own_part_and_no_other(issued: Answer, query_type: int, flags: tuple[bool, ...]) -> None:
    shown: dict[str, t.Any] = dict(zip(EVERYTHING, flags, strict=True))
    lines = text(issued, query_type=query_type, **shown).splitlines()
    assert lines[0] == ("1" if query_type == 0 else "2")
    assert ("14/05/2003 13/05/2004" in lines) == shown["show_validity_period"]
    assert ("www.example.com" in lines) == shown["show_fqdn"]
    assert ("Complete" in lines) == shown["show_ext_status"]
    assert not any("VALIDATED" in line for line in lines)
    assert (lines.count("-1") == 2) == shown["show_status_details"]
    assert lines[-1] == "Authorized"
    assert lines.count("-----BEGIN CERTIFICATE-----") == {0: 0, 1: 4, 2: 1, 3: 3}[query_type]
    fields = form(issued, query_type=query_type, **shown)
    names = {"errorCode", "caaStatus"}
    names |= {"notBefore", "notAfter"} if shown["show_validity_period"] else set()
    names |= {"fqdn"} if shown["show_fqdn"] else set()
    names |= {"certificateStatus", "validationStatus"} if shown["show_ext_status"] else set()
    names |= set(DETAILS) - {"evClickThroughStatus"} if shown["show_status_details"] else set()
    names |= {"certificate"} if query_type in (1, 2) else set()
    names |= {"caCertificate"} if query_type in (1, 3) else set()
    assert set(fields) == names
    assert len(fields.get("caCertificate", [])) == (3 if query_type in (1, 3) else 0)


def test_certificates_come_root_first_and_link_up(issued: Answer) -> None:
    blocks = pem_blocks(text(issued).encode("ascii"))
    assert tuple(blocks) == issued.certificates
    subjects, issuers = [], []
    for block in blocks:
        shown = openssl("x509", "-inform", "DER", "-noout", "-subject", "-issuer", stdin=block).decode().splitlines()
        subjects.append(shown[0].partition("=")[2])
        issuers.append(shown[1].partition("=")[2])
    assert issuers == [subjects[0], *subjects[:-1]]
    assert "www.example.com" in subjects[-1]


def test_fields_of_the_urlencoded_format(issued: Answer, pending: Answer) -> None:
    fields = form(issued, **EVERYTHING)
    assert fields["notBefore"] == ["1052870400"]
    assert fields["notAfter"] == ["1084492799"]
    chain = [base64.b64decode(value, validate=True) for value in fields["caCertificate"] + fields["certificate"]]
    assert tuple(chain) == issued.certificates
    waiting = form(pending, **EVERYTHING)
    assert waiting["errorCode"] == ["0"]
    assert waiting["mdcDomainDetails"] == ["a.example VALIDATED, b.example NOTVALIDATED, c.example NOTVALIDATED"]
    assert waiting["mdcDomainDetails2"] == ["a.example VALIDATED, b.example NOTVALIDATED, c.example AWAITINGBRAND"]
    assert not {"notBefore", "fqdn", "certificate", "caCertificate", "errorMessage", "caaStatus"} & set(waiting)
    _type, body = render(pending, Arguments(response_format=1, show_ext_status=True))
    assert b"Awaiting+Validation" in body


@pytest.mark.parametrize(
    ("answer", "code", "message", "item"),
    [
        (error(-2, "what"), "-2", "Unrecognised argument!", ["what"]),
        (error(-3, "queryType"), "-3", "The 'queryType' argument is missing!", ["queryType"]),
        (error(-4, "queryType"), "-4", "The value of the 'queryType' argument is invalid!", ["queryType"]),
        (error(-16), "-16", "Permission denied!", None),
        (error(-20), "-20", "The certificate request has been rejected!", None),
        (error(-91, message="Ünknown & strange"), "-91", "Ünknown & strange", None),
        (error(-90), "-90", "Error -90", None),
    ],
)
def test_errors_in_both_formats(answer: Answer, code: str, message: str, item: list[str] | None) -> None:
    assert text(answer).splitlines() == [code, message]
    fields = form(answer)
    assert (fields["errorCode"], fields["errorMessage"], fields.get("errorItem")) == ([code], [message], item)


def test_a_revoked_order_may_tell_its_ext_status(issued: Answer) -> None:
    answer = dataclasses.replace(issued, code=-21, message="gone", certificate_status="Revoked")
    assert text(answer, show_ext_status=True).splitlines() == ["-21", "gone", "Revoked", "Complete", "Authorized"]
    quiet = Style(status_on_error=False)
    assert text(answer, quiet, show_ext_status=True).splitlines() == ["-21", "gone", "Authorized"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("armour", [False, True])
def test_pkcs7_is_what_openssl_reads(issued: Answer, binary: bool, armour: bool) -> None:
    if binary:
        content_type, der = render(issued, Arguments(response_type=2, response_encoding=1))
        assert content_type == "application/octet-stream"
    else:
        body = text(issued, Style(pkcs7_armour=armour), response_type=2)
        assert body.startswith("2\n")
        lines = body.splitlines()[1:-1]
        assert (lines[0] == "-----BEGIN PKCS7-----") == armour
        der = base64.b64decode("".join(line for line in lines if not line.startswith("-----")), validate=True)
    shown = openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=der)
    assert tuple(pem_blocks(shown)) == issued.certificates


def test_pkcs7_may_carry_the_leaf_first(issued: Answer) -> None:
    style = Style(pkcs7_leaf_first=True)
    _type, der = render(issued, Arguments(response_type=2, response_encoding=1), style)
    assert tuple(pem_blocks(openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=der))) == issued.certificates[::-1]


def test_a_netscape_sequence_is_what_openssl_reads_and_writes(issued: Answer) -> None:
    value = form(issued, response_type=1)["netscapeCertificateSequence"][0]
    der = base64.b64decode(value, validate=True)
    armoured = text(issued, response_type=1).partition("\n")[2]
    assert armoured.startswith("-----BEGIN CERTIFICATE-----\n")
    pem = armoured[: armoured.index("-----END CERTIFICATE-----") + 26].encode("ascii")
    assert pem_blocks(pem) == [der]
    shown = openssl("nseq", stdin=pem)
    assert tuple(pem_blocks(shown)) == issued.certificates
    again = openssl("nseq", "-toseq", stdin=shown)
    assert pem_blocks(again) == [der]
    bare = text(issued, Style(netscape_armour=False, base64_width=0), response_type=1).splitlines()[1]
    assert base64.b64decode(bare, validate=True) == der


@pytest.mark.parametrize("way", ["binary", "lines", "form"])
def test_a_zip_archive_has_an_entry_a_certificate(issued: Answer, way: str) -> None:
    if way == "binary":
        _type, data = render(issued, Arguments(response_type=0, response_encoding=1))
    elif way == "lines":
        data = base64.b64decode("".join(text(issued, response_type=0).splitlines()[1:-1]), validate=True)
    else:
        data = base64.b64decode(form(issued, response_type=0)["zipFile"][0], validate=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "SimulatedLegacyRoot.crt",
            "SimulatedServerRootX2.crt",
            "SimulatedDVServerCAX21.crt",
            "www_example_com.crt",
        ]
        contents = [pem_blocks(archive.read(name)) for name in archive.namelist()]
    assert contents == [[der] for der in issued.certificates]


def test_zip_names_of_wildcards_multi_domain_orders_and_duplicates(issuer: Issuer) -> None:
    chain = issuer.serve(issuer.issue("R2", Terms(names=("*.example.com",)), 1, 1), None).certificates
    arguments = Arguments(response_type=0, response_encoding=1)

    def names(answer: Answer) -> list[str]:
        with zipfile.ZipFile(io.BytesIO(render(answer, arguments)[1])) as archive:
            return archive.namelist()

    assert names(Answer(2, certificates=chain))[-1] == "STAR_example_com.crt"
    assert names(Answer(2, certificates=chain, archive_name="4711"))[-1] == "4711.crt"
    assert names(Answer(2, certificates=(chain[0], chain[0], chain[-1])))[:2] == [
        "SimulatedLegacyRoot.crt",
        "SimulatedLegacyRoot_2.crt",
    ]


@pytest.mark.parametrize("code", [0, -20, -26])
@pytest.mark.parametrize("response_type", [0, 2])
def test_a_binary_call_that_is_not_ready_is_answered_in_text(pending: Answer, response_type: int, code: int) -> None:
    answer = error(code) if code else dataclasses.replace(pending)
    arguments = Arguments(response_type=response_type, response_encoding=1, response_format=1)
    content_type, body = render(answer, arguments)
    assert content_type == "text/plain"
    assert body.splitlines()[0] == str(code).encode("ascii")
    content_type, body = render(answer, arguments, Style(binary_fallback="as_asked"))
    assert content_type == "application/x-www-form-urlencoded"
    assert body.startswith(b"errorCode=" + str(code).encode("ascii"))


def test_the_mime_type_asked_for_is_for_good_answers_in_lines_or_binary(issued: Answer, pending: Answer) -> None:
    asked = Arguments(response_mime_type="application/x-own")
    assert render(issued, asked)[0] == "application/x-own"
    assert render(pending, asked)[0] == "text/plain"
    assert render(error(-16), asked)[0] == "text/plain"
    assert render(issued, dataclasses.replace(asked, response_format=1))[0] == "application/x-www-form-urlencoded"
    binary = dataclasses.replace(asked, response_type=2, response_encoding=1)
    assert render(issued, binary)[0] == "application/x-own"


def test_line_ends_and_blank_lines(issued: Answer) -> None:
    plain = text(issued, query_type=2, show_ext_status=True)
    crlf = text(issued, Style(newline="\r\n"), query_type=2, show_ext_status=True)
    assert crlf == plain.replace("\n", "\r\n")
    spaced = text(issued, Style(blank_lines=3), query_type=2, show_ext_status=True)
    assert spaced.replace("\n\n\n\nIssued", "\nIssued") == plain
    assert spaced != plain


def test_meanings_behind_a_dash(issued: Answer) -> None:
    style = Style(detail_style="meaning", detail_dash="\u2013")
    lines = text(issued, style, query_type=0, show_status_details=True).splitlines()
    assert lines[1:8] == [
        "1 \u2013 completed",
        "2 \u2013 in-progress",
        "0 \u2013 not-completed",
        "-1 \u2013 not-required",
        "-1 \u2013 not applicable",
        "",
        "2 \u2013 in-progress",
    ]


def test_variations_of_the_urlencoded_format(issued: Answer, pending: Answer) -> None:
    twice = form(pending, Style(double_encode_domains=True), show_mdc_domain_details=True)["mdcDomainDetails"][0]
    assert " " not in twice
    assert urllib.parse.unquote_plus(twice).startswith("a.example VALIDATED, ")
    lower = form(issued, Style(field_case="lower"))
    assert set(lower) == {"errorcode", "cacertificate", "certificate", "caastatus"}
    named = form(issued, Style(ov_callback_name="ovCallbackStatus", absent="empty"), show_status_details=True)
    assert named["ovCallbackStatus"] == ["0"]
    assert named["evClickThroughStatus"] == [""]
    extra = form(issued, Style(extra_fields=(("maStatus", "a b"),)))
    assert extra["maStatus"] == ["a b"]
    armoured = form(issued, Style(armour_in_fields=True))["certificate"][0]
    assert pem_blocks(armoured.encode("ascii")) == [issued.certificates[-1]]
    _type, body = render(issued, Arguments(response_format=1), Style(trailing_ampersand=True))
    assert body.endswith(b"&")
    without = dataclasses.replace(issued, fqdn=None)
    assert "fqdn" not in form(without, show_fqdn=True)
    assert form(without, Style(absent="empty"), show_fqdn=True)["fqdn"] == [""]


def test_where_the_leaf_is_decides_what_it_is_called(issued: Answer) -> None:
    turned = dataclasses.replace(issued, certificates=issued.certificates[::-1], leaf=0)
    fields = form(turned)
    assert base64.b64decode(fields["certificate"][0]) == issued.certificates[-1]
    assert pem_blocks(text(turned).encode("ascii"))[0] == issued.certificates[-1]
    headless = dataclasses.replace(issued, certificates=issued.certificates[:-1], leaf=None)
    assert "certificate" not in form(headless)
    assert text(headless, query_type=2) == "2\nAuthorized\n"


def test_a_service_of_version_1_22_tells_six_details_more(pending: Answer) -> None:
    later = {"maStatus": 2, "evAssumedName": 0, "evSignerSecondApproval": None}
    answer = dataclasses.replace(pending, details={**DETAILS, **later}, domains=())
    assert text(answer, show_status_details=True) == "0\n1\n2\n0\n-1\n-1\n\n2\n2\n0\n\n\n\n\n"
    assert {"maStatus", "evAssumedName"} < set(form(answer, show_status_details=True))
    assert "evSignerSecondApproval" not in form(answer, show_status_details=True)


def test_lines_that_nobody_knows_stand_behind_any_part(issued: Answer) -> None:
    style = Style(
        extra_lines=(("status", "a=1"), ("status", "b=2"), ("certificates", "c"), ("domains", "d"), ("caa", "e"))
    )
    lines = text(issued, style, query_type=2, show_fqdn=True, show_ext_status=True).splitlines()
    assert lines[:4] == ["2", "a=1", "b=2", "www.example.com"]
    assert lines[-6:] == ["c", "Issued", "Complete", "d", "Authorized", "e"]


def test_collectccc_knows_no_caa_status(issued: Answer) -> None:
    assert text(issued, product="ccc", query_type=0) == "1\n"


def test_styles_from_files() -> None:
    assert Style().changed({"newline": "crlf", "extra_fields": {"a": 1}}) == Style(
        newline="\r\n", extra_fields=(("a", "1"),)
    )
    for wrong in (
        {"newline": "cr"},
        {"base64_width": -1},
        {"base64_width": True},
        {"nothing": 1},
        {"absent": 1},
        {"extra_lines": 7},
    ):
        with pytest.raises(StyleError):
            Style().changed(wrong)
