# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in lines of a version of the interface that is still to come: lines that nobody knows, at any place.

Whatever is known is read as without them, and they are kept in their order. Some lines can't be told from what is
known, and are none of those tried here:

* a line between a negative status and its message, which is whatever stands there;
* a few words where a status (2.2.5) stands that the specification does not list, or where one is missing that was asked
  for; with both statuses listed, words are tried, too;
* a word, or a name with a full stop, where a domain name was asked for and stands behind it or is missing;
* a number (but see below), two days, a list of domains, a CAA status in words, part of a certificate.
"""

from __future__ import annotations

import dataclasses
import string
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    SHOW,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import (
    PARTS,
    Answer,
    Domain,
    Style,
)
from ansible_collections.certfleet.collectssl.tests.support import authority
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ALL_DETAIL_OPTIONS,
    DETAIL_OPTIONS,
    ISSUED,
    OTHER_CODES,
    answer_for,
    expected,
    observed,
    rendered,
    shapes,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

_CERTIFICATE_STATUSES = ("Awaiting Validation", "Issued", "Revoked", "NO STATUS")
_VALIDATION_STATUSES = (
    *("Complete", "Awaiting Legal Documents", "Awaiting Document Translation"),
    *("Awaiting private WHOIS entry release", "Awaiting Brand Validation"),
)
_CAA_STATUSES = (None, "Authorized", "Not Authorized", "Empty", "ERROR", "Error '42'", "42", "-30")

_letters = st.text(string.ascii_letters, min_size=1, max_size=12)
_values = st.text(string.ascii_letters + string.digits + " .,:/-_+", max_size=30)
#: What looks like nothing that is known, whatever stands around it.
_odd_lines = st.one_of(
    st.builds("{}={}".format, _letters, _values),
    st.builds("{}: {}".format, _letters, _values),
    st.builds('{{"{}": {}}}'.format, _letters, st.integers()),
    st.builds("{} days".format, st.integers(0, 9999)),
    st.builds("{} {} {}.".format, _letters, _letters, _letters),
    st.datetimes().map(lambda when: when.strftime("%Y-%m-%d %H:%M:%S")),
    st.sampled_from(
        ["***", "_", "?", "a=b&c=d", "Término: 1 año", "mailto:admin@example.com", "#", "100%", "A: VALIDATED"]
    ),
).map(str.strip)
#: What might be a status, were both statuses not there.
_wordy_lines = st.sampled_from(["Term of one year", "Renewal possible", "Übergang läuft", "Second approval", "n/a yet"])
_domain_names = st.sampled_from(
    ["www.example.com", "*.example.com", "intranet", "mail-1", "192.0.2.7", "2001:db8::7", "bücher.example"]
)


@st.composite
def _questions(draw: st.DrawFn) -> CollectRequest:
    product = draw(st.sampled_from(["ssl", "ssl", "ssl", "ccc"]))
    response_type, encoding, query_type = draw(
        st.sampled_from([shape for shape in shapes(product) if shape[1] == "base64"])
    )
    return CollectRequest(
        "order_number",
        "1234567",
        product=product,
        query_type=query_type,
        response_type=response_type,
        response_encoding=encoding,
        response_format="lines",
        show=draw(st.sets(st.sampled_from(sorted(show_everything(product))))),
    )


@st.composite
def _answers(draw: st.DrawFn) -> Answer:
    code = draw(st.sampled_from([ISSUED, ISSUED, ISSUED, 0, 0, *OTHER_CODES]))
    names = draw(st.sampled_from([(), (*DETAIL_OPTIONS.values(),), (*ALL_DETAIL_OPTIONS.values(),)]))
    changes: dict[str, t.Any] = {
        "certificate_status": draw(st.sampled_from(_CERTIFICATE_STATUSES)),
        "validation_status": draw(st.sampled_from(_VALIDATION_STATUSES)),
        "caa_status": draw(st.sampled_from(_CAA_STATUSES)),
        "domains": tuple(
            Domain(name, draw(st.sampled_from(["VALIDATED", "NOTVALIDATED", "AWAITINGBRAND"])))
            for name in draw(st.lists(_domain_names, max_size=3, unique=True))
        ),
        "details": {name: draw(st.sampled_from([-1, 0, 1, 2])) for name in names} or None,
    }
    if code < 0:
        changes["message"] = draw(st.sampled_from(["Permission denied!", "Still awaiting payment!", "No."]))
    if code > 0:
        changes["fqdn"] = draw(_domain_names)
        changes["validity"] = draw(st.sampled_from([None, authority.LEAF_VALIDITY]))
    return answer_for(code, **changes)


@st.composite
def _with_strangers(draw: st.DrawFn, request: CollectRequest, answer: Answer) -> tuple[tuple[str, str], ...]:
    told = request.product == "ssl" and "ext_status" in request.show
    lines = st.one_of(_odd_lines, _wordy_lines) if told else _odd_lines
    places = PARTS if answer.code >= 0 else PARTS[PARTS.index("message") :]
    pairs = draw(st.lists(st.tuples(st.sampled_from(places), lines), max_size=5))
    # The line behind a status that is not listed and is positive is its message, too.
    return tuple(sorted(pairs, key=lambda pair: PARTS.index(pair[0])))


_styles = st.builds(
    Style,
    newline=st.sampled_from(["\n", "\r\n"]),
    final_newline=st.booleans(),
    blank_lines=st.integers(0, 2),
    leading_blank_lines=st.integers(0, 2),
    base64_width=st.sampled_from([0, 64, 76]),
    pkcs7_armour=st.booleans(),
    netscape_armour=st.booleans(),
    detail_style=st.sampled_from(["bare", "meaning"]),
    domain_separator=st.sampled_from([", ", ",", " ", "\n"]),
)


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), request=_questions(), answer=_answers(), style=_styles)
def test_unknown_lines_at_every_place_are_kept_and_shift_nothing(
    data: st.DataObject, request: CollectRequest, answer: Answer, style: Style
) -> None:
    strangers = data.draw(_with_strangers(request, answer))
    _content_type, body = rendered(answer, request, dataclasses.replace(style, extra_lines=strangers))
    wanted = expected(answer, request, style)
    wanted["extra"] = {"unnamed_lines": tuple(line for _part, line in strangers)} if strangers else {}
    assert observed(parse(body, None, request)) == wanted, body.decode("utf-8")


@settings(max_examples=150, deadline=None)
@given(strangers=st.lists(st.tuples(st.integers(0, 4), _odd_lines), min_size=1, max_size=4))
def test_unknown_lines_between_certificates_are_kept_too(strangers: list[tuple[int, str]]) -> None:
    ders = authority.chain().served
    blocks = [armour(der) for der in ders]
    behind = {place: [line for at, line in strangers if at == place] for place in range(len(blocks) + 1)}
    lines = ["2", *behind[0]]
    for place, block in enumerate(blocks, 1):
        lines += [block.rstrip("\n"), *behind[place]]
    response = parse("\n".join(lines).encode(), None, CollectRequest("order_number", "1"))
    assert response.certificates == ders
    kept = [line for place in sorted(behind) for line in behind[place]]
    assert dict(response.extra) == {"unnamed_lines": tuple(kept)}


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.sampled_from(["-1", "0", "1", "2"]), min_size=13, max_size=13),
    count=st.sampled_from([7, 13]),
    place=st.integers(0, 13),
    line=_odd_lines,
)
def test_an_unknown_line_among_the_details_is_none_of_them(
    values: list[str], count: int, place: int, line: str
) -> None:
    values = values[:count]
    assume(place <= count)
    request = CollectRequest("order_number", "1", response_format="lines", show=["status_details"], query_type=0)
    body = "\n".join(["0", *values[:place], line, *values[place:]]).encode()
    response = parse(body, None, request)
    assert response.details == parse("\n".join(["0", *values]).encode(), None, request).details
    assert dict(response.extra) == {"unnamed_lines": (line,)}


# By hand, with what can't be drawn.

_PEM = "".join(armour(der) for der in authority.chain().served)


def _parse(text: str, *show: str, **changes: t.Any) -> CollectResponse:
    return parse(text.encode(), None, CollectRequest("order_number", "1", show=show or SHOW, **changes))


def test_a_line_before_the_certificates_is_no_sign_that_there_are_none() -> None:
    """So it was said of an answer that the first later version of the interface may give."""
    response = _parse(f"2\n365\n14/05/2003 13/05/2004\nwww.example.com\nDV\n{_PEM}Issued\nComplete\nEmpty\n")
    assert len(response.certificates) == 4
    assert (response.fqdn, response.not_after) == ("www.example.com", "2004-05-13T23:59:59Z")
    assert (response.certificate_status, response.validation_status, response.caa_status) == (
        *("Issued", "Complete"),
        "Empty",
    )
    assert dict(response.extra) == {"unnamed_lines": ("365", "DV")}


@pytest.mark.parametrize("name", ["intranet", "INTRANET", "Mail-1", "www.example.com", "v1.22", "host.", "例え"])
@pytest.mark.parametrize("validity", [[], ["14/05/2003 13/05/2004"]])
@pytest.mark.parametrize("status", [["Issued", "Complete"], ["Issued"], ["Issued", "Something new"]])
def test_a_name_of_one_label_without_certificates_behind_it(name: str, validity: list[str], status: list[str]) -> None:
    response = _parse("\n".join(["1", *validity, name, *status, "1", "1", "-1", "-1", "-1", "-1", "1"]), query_type=0)
    assert (response.fqdn, response.certificate_status) == (name, status[0])
    assert response.validation_status == ([*status, None][1])
    assert dict(response.details)["csr"] == "completed"
    assert not response.extra


@pytest.mark.parametrize("status", ["Expired", "Replaced"])
def test_a_status_in_one_word_that_is_not_listed_is_no_name(status: str) -> None:
    for lines in ([status], [status, "Complete"], [status, "Something New"]):
        response = _parse("\n".join(["1", *lines]), "fqdn", "ext_status", query_type=0)
        assert (response.fqdn, response.certificate_status) == (None, status)
    assert _parse(f"1\n{status}\n", "fqdn", query_type=0).fqdn == status


@pytest.mark.parametrize(
    ("lines", "certificate", "validation", "unnamed"),
    [
        (["Error in the making.", "Issued", "Complete"], "Issued", "Complete", ["Error in the making."]),
        (["term=1", "Issued", "Complete"], "Issued", "Complete", ["term=1"]),
        (["One year", "Issued", "Complete"], "Issued", "Complete", ["One year"]),
        (["Issued", "One year", "Complete"], "Issued", "Complete", ["One year"]),
        (["Issued", "Complete", "One year"], "Issued", "Complete", ["One year"]),
        (["One year", "Being Replaced", "Complete"], "Being Replaced", "Complete", ["One year"]),
        (["Issued", "term=1", "In the works"], "Issued", "In the works", ["term=1"]),
        (
            ["term=1", "Being Replaced", "2 years", "In the works"],
            "Being Replaced",
            "In the works",
            ["term=1", "2 years"],
        ),
        (["term=1", "2 years"], None, None, ["term=1", "2 years"]),
        (["Issued", "Awaiting DCV: e-mail"], "Issued", "Awaiting DCV: e-mail", []),
    ],
)
def test_which_words_are_statuses(
    lines: list[str], certificate: str | None, validation: str | None, unnamed: list[str]
) -> None:
    for tail in ([], ["1"] * 7, ["1"] * 13, ["a.example VALIDATED"], ["1"] * 7 + ["Timeout"]):
        response = _parse("\n".join(["0", *lines, *tail]))
        assert (response.certificate_status, response.validation_status) == (certificate, validation)
        assert list(dict(response.extra).get("unnamed_lines", ())) == unnamed
        assert response.caa_status == ("Timeout" if "Timeout" in tail else None)


def test_words_behind_the_details_are_no_statuses() -> None:
    response = _parse("\n".join(["0", *["1"] * 7, "Something new"]))
    assert (response.certificate_status, dict(response.extra)) == (None, {"unnamed_lines": ("Something new",)})


@pytest.mark.parametrize(
    ("numbers", "details", "caa"),
    [
        ([], 0, "42"),
        (["1"] * 7, 7, "42"),
        (["1"] * 13, 13, "42"),
        (["1"] * 13, 13, "1"),
        (["1"] * 3, 3, "-30"),
        (["1 - completed"] * 7, 7, "65535"),
    ],
)
@pytest.mark.parametrize("behind", [[], ["flag=1"]])
def test_a_caa_status_that_is_a_number(numbers: list[str], details: int, caa: str, behind: list[str]) -> None:
    response = _parse("\n".join(["0", "Issued", "Complete", *numbers, caa, *behind]))
    assert [value for _name, value in response.details].count("completed") == details
    assert (response.caa_status, response.validation_status) == (caa, "Complete")
    assert len(response.extra) == len(behind)
    if not numbers:
        return
    # Behind the second list of domains a number is nothing else.
    response = _parse("\n".join(["0", "Issued", *numbers, "a.example VALIDATED", "1", *behind]))
    assert (response.caa_status, response.certificate_status) == ("1", "Issued")
    assert [value for _name, value in response.details].count("completed") == details


def test_a_number_before_the_details_is_none_of_them() -> None:
    response = _parse("\n".join(["0", "365", "1", "1", "0", "-1", "-1", "-1", "1", "Timeout"]))
    assert dict(response.details)["csr"] == "completed"
    assert dict(response.details)["ov_callback"] == "not_completed"
    assert (response.caa_status, dict(response.extra)) == ("Timeout", {"unnamed_lines": ("365",)})


@pytest.mark.parametrize(
    "lines",
    [
        ["a.example VALIDATED, b.example NOTVALIDATED c.example AWAITINGBRAND"],
        ["a.example VALIDATED b.example NOTVALIDATED c.example AWAITINGBRAND"],
        ["a.example VALIDATED, b.example NOTVALIDATED", "c.example AWAITINGBRAND"],
        ["a.example VALIDATED,", "b.example NOTVALIDATED,", "c.example AWAITINGBRAND"],
        ["a.example VALIDATED", ", b.example NOT VALIDATED c.example AWAITING BRAND"],
        ["a.example VALIDATED, b.example", "NOTVALIDATED, c.example AWAITINGBRAND"],
        ["a.example validated b.example NotValidated", "c.example", "AWAITINGBRAND"],
    ],
)
@pytest.mark.parametrize("tail", [[], ["1"] * 7, ["Authorized"]])
def test_lists_of_domains_without_commas_and_over_lines(lines: list[str], tail: list[str]) -> None:
    domains = [("a.example", "validated"), ("b.example", "not_validated"), ("c.example", "awaiting_brand")]
    response = _parse("\n".join(["0", "Awaiting Validation", "Complete", *lines, *tail]))
    assert list(response.mdc_domains) == domains
    assert not response.extra
    assert (response.certificate_status, response.validation_status) == ("Awaiting Validation", "Complete")
    value = "%0A".join(lines).replace(" ", "+").replace(",", "%2C")
    assert list(_parse(f"errorCode=0&mdcDomainDetails2={value}").mdc_domains) == domains


@pytest.mark.parametrize("word", ["REVALIDATING", "PENDING REVIEW"])
def test_a_word_for_a_domain_that_is_new_ends_a_pair_too(word: str) -> None:
    response = _parse(f"0\na.example {word} B.EXAMPLE VALIDATED mail VALIDATED\n")
    assert dict(response.mdc_domains) == {"a.example": word.lower(), "B.EXAMPLE": "validated", "mail": "validated"}


@pytest.mark.parametrize("text", ["a.example", "a.example VALIDATED b.example", "see www.example.com for more", ","])
def test_what_is_no_list_of_domains(text: str) -> None:
    response = _parse(f"0\n{text}\nERROR\n", "mdc_domain_details")
    assert (response.mdc_domains, response.caa_status) == ((), "ERROR")
    assert dict(response.extra) == {"unnamed_lines": (text,)}


def test_a_word_that_is_good_base64_before_a_structure() -> None:
    for text, kind in (("MIXED", "pkcs7"), ("MICROSOFT", "netscape")):
        request = CollectRequest("order_number", "1", response_type=kind, response_format="lines", show=["fqdn"])
        style = Style(pkcs7_armour=False, netscape_armour=False)
        whole = parse(rendered(answer_for(ISSUED, fqdn=text), request, style)[1], None, request)
        assert whole.container is not None
        assert whole.fqdn == text


@pytest.mark.parametrize("stranger", ["A=", "AB=", "AB==", "ABC=", "A", "AB", "ABC", "ABCD", "A=b", "Complete"])
@pytest.mark.parametrize("kind", ["pkcs7", "netscape"])
@pytest.mark.parametrize("served", [2, 3, 4])
def test_a_line_behind_a_structure_that_might_be_more_of_it(stranger: str, kind: str, served: int) -> None:
    """Whatever the structure's length leaves to fill up."""
    request = CollectRequest("order_number", "1", response_type=kind, response_format="lines")
    answer = answer_for(ISSUED, certificates=authority.chain().served[:served])
    style = Style(pkcs7_armour=False, netscape_armour=False, base64_width=64)
    whole = parse(rendered(answer, request, style)[1], None, request)
    more = dataclasses.replace(style, extra_lines=(("certificates", stranger),))
    with_stranger = parse(rendered(answer, request, more)[1], None, request)
    assert with_stranger.container == whole.container
    assert dict(with_stranger.extra) == {"unnamed_lines": (stranger,)}


@pytest.mark.parametrize("stranger", ["99", "365", "3 - for three years"])
@pytest.mark.parametrize("details", [7, 13])
@pytest.mark.parametrize("caa", [[], ["Authorized"], ["3"]])
def test_a_number_that_is_no_value_of_a_detail(stranger: str, details: int, caa: list[str]) -> None:
    """Wherever it stands before the last detail, where no certificates tell the parts apart."""
    lines = ["27/11/2026 24/02/2027", "www.example.com", "Issued", "Complete", *["2", "1", "0", "-1"] * 4]
    lines = [*lines[: 4 + details], *caa]
    whole = _parse("\n".join(["1", *lines]), *SHOW)
    assert (whole.fqdn, whole.caa_status) == ("www.example.com", caa[0] if caa else None)
    for at in range(4 + details):
        shifted = _parse("\n".join(["1", *lines[:at], stranger, *lines[at:]]), *SHOW)
        assert dict(shifted.extra) == {"unnamed_lines": (stranger,)}, at
        assert dataclasses.replace(shifted, extra=whole.extra) == whole, at


@pytest.mark.parametrize("cut", ["-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERT"])
def test_certificates_without_their_beginning_are_no_unknown_lines(cut: str) -> None:
    with pytest.raises(ProtocolError, match="in the middle of the certificates"):
        _parse("2\n" + _PEM.replace(cut, "", 1))


@pytest.mark.parametrize("code", [-90, -91, -1234, 3, 500])
@pytest.mark.parametrize("show", [("ext_status",), tuple(SHOW), ("fqdn",)])
def test_a_status_that_is_not_listed_keeps_its_message(code: int, show: tuple[str, ...]) -> None:
    for message in ("Something is wrong", "Wait", "maintenance"):
        response = _parse(f"{code}\n{message}\nflag=1\n", *show)
        assert (response.status_name, response.state, response.message) == ("unlisted", "error", message)
        assert dict(response.extra) == {"unnamed_lines": ("flag=1",)}
