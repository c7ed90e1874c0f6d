# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is rendered parses back to what was rendered: the whole product of what an answer may say, and how."""

from __future__ import annotations

import datetime
import string
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import printable
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest, show_everything
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import (
    Answer,
    Domain,
    Style,
)
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ALL_DETAIL_OPTIONS,
    DETAIL_OPTIONS,
    ISSUED,
    OTHER_CODES,
    answer_for,
    expected,
    kinds,
    observed,
    rendered,
    shapes,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

_KNOWN_NAMES = {
    *("errorcode", "errormessage", "erroritem", "notbefore", "notafter", "fqdn", "zipfile", "pkcs7"),
    *("netscapecertificatesequence", "cacertificate", "certificate", "certificatestatus", "validationstatus"),
    *("mdcdomaindetails", "mdcdomaindetails2", "caastatus"),
    *(name.lower() for name in ALL_DETAIL_OPTIONS.values()),
}
_CERTIFICATE_STATUSES = ("Awaiting Validation", "Issued", "Revoked", "NO STATUS", "Being Replaced", "Expired")
_VALIDATION_STATUSES = (
    "Complete",
    "Awaiting Legal Documents",
    "Awaiting Document Translation",
    "Awaiting private WHOIS entry release",
    "Awaiting Brand Validation",
    "Something New",
)
_CAA_STATUSES = (
    "Authorized",
    "Not Authorized",
    "Unrecognized Critical Tag",
    "Empty",
    "Malformed Response",
    "Timeout",
    "ERROR",
    "Awaiting Completion",
    "Error '42'",
    "Error 7",
    "42",
    "65535",
)

# What nobody sees is written out by the parser, so it does not come back as it was sent.
_any_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=40).map(printable)
# As on one line, and neither a number nor a status, which a message never is.
_messages = _any_text.map(lambda text: " ".join(text.split())).map(lambda text: f"The {text}!" if text else "")
_labels = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
_domain_names = st.one_of(
    st.lists(_labels, min_size=2, max_size=5).map(".".join),
    st.lists(_labels, min_size=2, max_size=4).map(lambda labels: ".".join(["*", *labels])),
    st.sampled_from(["192.0.2.7", "2001:db8::7", "xn--bcher-kva.example", "WWW.EXAMPLE.COM", "münchen.example"]),
)
_days = st.dates(datetime.date(1971, 1, 1), datetime.date(2199, 12, 31))
_domains = st.lists(
    st.builds(Domain, _domain_names, st.sampled_from(["VALIDATED", "NOTVALIDATED", "AWAITINGBRAND"])),
    max_size=4,
    unique_by=lambda domain: domain.name,
)
_extra_names = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=20).filter(
    lambda name: name.lower() not in _KNOWN_NAMES
)
_extra_fields = st.lists(
    st.tuples(_extra_names, _any_text.map(str.strip)), max_size=3, unique_by=lambda pair: pair[0].lower()
)
_styles = st.builds(
    Style,
    newline=st.sampled_from(["\n", "\r\n"]),
    final_newline=st.booleans(),
    blank_lines=st.integers(0, 3),
    leading_blank_lines=st.integers(0, 2),
    base64_width=st.sampled_from([0, 48, 64, 76]),
    pkcs7_armour=st.booleans(),
    netscape_armour=st.booleans(),
    pkcs7_leaf_first=st.booleans(),
    detail_style=st.sampled_from(["bare", "meaning"]),
    detail_dash=st.sampled_from(["-", "\u2013", "\u2014"]),
    domain_separator=st.sampled_from([", ", ",", " , ", ",  ", " ", "\n", ",\n", " \n"]),
    double_encode_domains=st.booleans(),
    field_case=st.sampled_from(["spec", "lower", "upper"]),
    ov_callback_name=st.sampled_from(["ovCallBackStatus", "ovCallbackStatus"]),
    absent=st.sampled_from(["omit", "empty"]),
    armour_in_fields=st.booleans(),
    trailing_ampersand=st.booleans(),
    extra_fields=_extra_fields.map(tuple),
    status_on_error=st.booleans(),
    binary_fallback=st.sampled_from(["lines", "as_asked"]),
)


@st.composite
def _requests(draw: st.DrawFn) -> CollectRequest:
    product = draw(st.sampled_from(["ssl", "ccc"]))
    response_type, encoding, query_type = draw(st.sampled_from(shapes(product)))
    kind = draw(st.sampled_from(kinds(product)))
    return CollectRequest(
        kind,
        "" if kind == "collection_code" else "1234567",
        product=product,
        query_type=query_type,
        response_type=response_type,
        response_encoding=encoding,
        response_format=draw(st.sampled_from(["lines", "urlencoded"])),
        show=draw(st.sets(st.sampled_from(sorted(show_everything(product))))),
    )


@st.composite
def _details(draw: st.DrawFn) -> dict[str, int | None] | None:
    names = draw(st.sampled_from([(), (*DETAIL_OPTIONS.values(),), (*ALL_DETAIL_OPTIONS.values(),)]))
    values = {name: draw(st.sampled_from([-1, 0, 1, 2, None])) for name in names}
    # Behind certificates an empty first line cannot be told from the empty lines that end them.
    return {**values, "csrStatus": draw(st.sampled_from([-1, 0, 1, 2]))} if names else None


@st.composite
def _answers(draw: st.DrawFn) -> Answer:
    code = draw(st.sampled_from([ISSUED, ISSUED, 0, *OTHER_CODES]))
    certificate_status = draw(st.sampled_from([None, *_CERTIFICATE_STATUSES]))
    changes: dict[str, t.Any] = {
        "certificate_status": certificate_status,
        "validation_status": draw(st.sampled_from([None, *_VALIDATION_STATUSES])) if certificate_status else None,
        "caa_status": draw(st.sampled_from([None, *_CAA_STATUSES])),
        "domains": tuple(draw(_domains)),
        "details": draw(_details()),
    }
    if code < 0:
        changes["message"] = draw(_messages)
    if code > 0:
        changes["fqdn"] = draw(st.none() | _domain_names)
        begin, end = draw(_days), draw(_days)
        changes["validity"] = draw(
            st.sampled_from(
                [
                    None,
                    (
                        datetime.datetime(begin.year, begin.month, begin.day, tzinfo=datetime.timezone.utc),
                        datetime.datetime(end.year, end.month, end.day, 23, 59, 59, tzinfo=datetime.timezone.utc),
                    ),
                ]
            )
        )
    return answer_for(code, **changes)


def _as_cased(extra: dict[str, str], style: Style) -> dict[str, str]:
    changes: dict[str, t.Callable[[str], str]] = {"spec": str, "lower": str.lower, "upper": str.upper}
    return {changes[style.field_case](name): value for name, value in extra.items()}


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=_answers(), request=_requests(), style=_styles)
def test_what_is_rendered_parses_back(answer: Answer, request: CollectRequest, style: Style) -> None:
    content_type, body = rendered(answer, request, style)
    wanted = expected(answer, request, style)
    wanted["extra"] = _as_cased(wanted["extra"], style)
    assert observed(parse(body, content_type, request)) == wanted


@settings(max_examples=100, deadline=None)
@given(answer=_answers(), request=_requests(), style=_styles, content_type=st.none() | _any_text)
def test_neither_content_type_nor_byte_order_mark_nor_leading_blank_lines_matter(
    answer: Answer, request: CollectRequest, style: Style, content_type: str | None
) -> None:
    _content_type, body = rendered(answer, request, style)
    whole = parse(body, None, request)
    assert parse(body, content_type, request) == whole
    if whole.container is None:
        assert parse(b"\xef\xbb\xbf" + body, content_type, request) == whole
        assert parse(b"\r\n\n  \n" + body, content_type, request) == whole
