# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an answer to the octets on the wire (sections 2 and 3 of the specification): pure, no server needed."""

from __future__ import annotations

import base64
import typing as t
import urllib.parse

from . import _archive, _asn1
from ._answer import DETAIL_NAMES, FIRST_DETAIL_NAMES, LATER_DETAIL_NAMES, PARTS, PLAIN, Answer, Domain, Style
from ._arguments import Arguments

FORM_TYPE = "application/x-www-form-urlencoded"
TEXT_TYPE = "text/plain"

_ZIP, _NETSCAPE, _PKCS7, _INDIVIDUAL = 0, 1, 2, 3
_MEANINGS = {0: "not-completed", 1: "completed", 2: "in-progress"}
_NOT_APPLICABLE = ("freeDVUPStatus", "evClickThroughStatus", "brandValStatus", *LATER_DETAIL_NAMES)


def render(answer: Answer, arguments: Arguments, style: Style = PLAIN) -> tuple[str, bytes]:
    """Return (content type, body) of an answer to a call with these arguments, in this style.

    An answer with a positive code becomes status 1 (queryType 0) or 2 (queryType 1 to 3). With responseEncoding 1 an
    order that is ready is answered by the bare binary structure, anything else by text.
    """
    code = status_code(answer, arguments)
    if arguments.response_encoding == 1 and code == 2:
        return arguments.response_mime_type or style.binary_content_type, _container(answer, arguments, style)
    if _is_form(arguments, style):
        return FORM_TYPE, _form(answer, arguments, style, code)
    content_type = (arguments.response_mime_type or TEXT_TYPE) if code > 0 else TEXT_TYPE
    return content_type, _lines(answer, arguments, style, code)


def status_code(answer: Answer, arguments: Arguments) -> int:
    """Return the status code that goes on the wire."""
    if answer.code > 0:
        return 1 if arguments.query_type == 0 else 2
    return answer.code


def _is_form(arguments: Arguments, style: Style) -> bool:
    # Section 1 calls responseFormat relevant only when responseEncoding is 0.
    if arguments.response_encoding == 1 and style.binary_fallback == "lines":
        return False
    return arguments.response_format == 1


def _split(answer: Answer, query_type: int) -> tuple[list[bytes], bytes | None]:
    """Return the CA certificates and the leaf that a query type asks for."""
    leaf = None
    authorities = list(answer.certificates)
    if answer.leaf is not None and authorities:
        leaf = authorities.pop(answer.leaf)
    return (authorities if query_type in (1, 3) else []), (leaf if query_type in (1, 2) else None)


def _served(answer: Answer, query_type: int) -> list[bytes]:
    """Return the certificates that a query type asks for, in the order served."""
    if query_type == 1:
        return list(answer.certificates)
    authorities, leaf = _split(answer, query_type)
    return authorities if leaf is None else [*authorities, leaf]


def _container(answer: Answer, arguments: Arguments, style: Style) -> bytes:
    certificates = _served(answer, arguments.query_type)
    if arguments.response_type == _ZIP:
        if answer.archive is not None:
            return answer.archive
        return _archive.make(certificates, answer.leaf, answer.archive_name)
    if arguments.response_type == _NETSCAPE:
        return _asn1.netscape_sequence(certificates)
    return _asn1.pkcs7(certificates[::-1] if style.pkcs7_leaf_first else certificates)


def _base64_lines(data: bytes, width: int) -> list[str]:
    text = base64.b64encode(data).decode("ascii")
    step = width or len(text)
    return [text[start : start + step] for start in range(0, len(text), step)]


def _armoured(data: bytes, label: str, width: int) -> list[str]:
    return [f"-----BEGIN {label}-----", *_base64_lines(data, width), f"-----END {label}-----"]


def _data_lines(answer: Answer, arguments: Arguments, style: Style) -> list[str]:
    """Return the certificates of the lines format."""
    width = style.base64_width
    if arguments.response_type == _INDIVIDUAL:
        blocks = (_armoured(der, "CERTIFICATE", width) for der in _served(answer, arguments.query_type))
        return [line for block in blocks for line in block]
    data = _container(answer, arguments, style)
    if arguments.response_type == _PKCS7 and style.pkcs7_armour:
        return _armoured(data, "PKCS7", width)
    if arguments.response_type == _NETSCAPE and style.netscape_armour:
        return _armoured(data, "CERTIFICATE", width)
    return _base64_lines(data, width)


def _domain_list(domains: t.Iterable[Domain], style: Style, with_brand: bool) -> str:
    # The older list has no word for a domain that waits for its brand: to it the domain is simply not validated yet.
    return style.domain_separator.join(
        f"{domain.name} {domain.status if with_brand or domain.status != 'AWAITINGBRAND' else 'NOTVALIDATED'}"
        for domain in domains
    )


def _detail_line(name: str, value: int | None, style: Style) -> str:
    if value is None:
        return ""
    if style.detail_style == "bare":
        return str(value)
    meaning = _MEANINGS.get(value, "not applicable" if name in _NOT_APPLICABLE else "not-required")
    return f"{value} {style.detail_dash} {meaning}"


def _details(answer: Answer) -> list[tuple[str, int | None]]:
    details = answer.details or {}
    names = DETAIL_NAMES if any(name in details for name in LATER_DETAIL_NAMES) else FIRST_DETAIL_NAMES
    return [(name, details.get(name)) for name in names]


def _caa_status(answer: Answer, arguments: Arguments) -> str | None:
    # It came with version 1.18, long after CollectCCC went its own way.
    return answer.caa_status if arguments.product == "ssl" else None


def _parts(answer: Answer, arguments: Arguments, style: Style, code: int) -> dict[str, list[str]]:
    """Return the lines of each of PARTS that there is."""
    parts: dict[str, list[str]] = {"status": [str(code)]}
    if code < 0:
        parts["message"] = [answer.message or ""]
    if code > 0 and arguments.show_validity_period and answer.validity is not None:
        parts["validity"] = [" ".join(moment.strftime("%d/%m/%Y") for moment in answer.validity)]
    if code > 0 and arguments.show_fqdn and answer.fqdn is not None:
        parts["fqdn"] = [answer.fqdn]
    if code == 2:
        blanks_before, blanks_behind = [""] * style.leading_blank_lines, [""] * style.blank_lines
        parts["certificates"] = [*blanks_before, *_data_lines(answer, arguments, style), *blanks_behind]
    with_status = code >= 0 or style.status_on_error
    if arguments.show_ext_status and with_status:
        for part in ("certificate_status", "validation_status"):
            if getattr(answer, part) is not None:
                parts[part] = [getattr(answer, part)]
    if code == 0 and arguments.show_mdc_domain_details and answer.domains:
        parts["domains"] = _domain_list(answer.domains, style, with_brand=False).split("\n")
    if arguments.show_status_details and answer.details is not None and with_status:
        parts["details"] = [_detail_line(name, value, style) for name, value in _details(answer)]
    if code == 0 and arguments.show_mdc_domain_details2 and answer.domains:
        parts["domains2"] = _domain_list(answer.domains, style, with_brand=True).split("\n")
    caa_status = _caa_status(answer, arguments)
    if caa_status:
        parts["caa"] = [caa_status]
    return parts


def _lines(answer: Answer, arguments: Arguments, style: Style, code: int) -> bytes:
    parts = _parts(answer, arguments, style, code)
    lines: list[str] = []
    for part in PARTS:
        lines += parts.get(part, [])
        lines += [line for behind, line in style.extra_lines if behind == part]
    text = style.newline.join(lines) + (style.newline if style.final_newline else "")
    return text.encode("utf-8")


def _form(answer: Answer, arguments: Arguments, style: Style, code: int) -> bytes:
    fields: list[tuple[str, str | None]] = [("errorCode", str(code))]
    if code < 0:
        fields.append(("errorMessage", answer.message or ""))
        if answer.error_item is not None:
            fields.append(("errorItem", answer.error_item))
    if code > 0:
        fields += _validity_fields(answer, arguments)
    if code == 2:
        fields += _data_fields(answer, arguments, style)
    fields += _status_fields(answer, arguments, style, code)
    fields += style.extra_fields
    pairs = []
    for name, value in fields:
        if value is None and style.absent == "omit":
            continue
        pairs.append(f"{_cased(name, style)}={urllib.parse.quote_plus(value or '')}")
    return ("&".join(pairs) + ("&" if style.trailing_ampersand else "")).encode("ascii")


def _cased(name: str, style: Style) -> str:
    if style.field_case == "spec":
        return urllib.parse.quote_plus(name)
    return urllib.parse.quote_plus(name.lower() if style.field_case == "lower" else name.upper())


def _validity_fields(answer: Answer, arguments: Arguments) -> list[tuple[str, str | None]]:
    fields: list[tuple[str, str | None]] = []
    if arguments.show_validity_period:
        moments: t.Sequence[t.Any] = answer.validity or (None, None)
        for name, moment in zip(("notBefore", "notAfter"), moments):
            fields.append((name, None if moment is None else str(int(moment.timestamp()))))
    if arguments.show_fqdn:
        fields.append(("fqdn", answer.fqdn))
    return fields


def _data_fields(answer: Answer, arguments: Arguments, style: Style) -> list[tuple[str, str | None]]:
    if arguments.response_type != _INDIVIDUAL:
        name = {_ZIP: "zipFile", _NETSCAPE: "netscapeCertificateSequence", _PKCS7: "pkcs7"}[arguments.response_type]
        label = {_NETSCAPE: "CERTIFICATE", _PKCS7: "PKCS7"}.get(arguments.response_type)
        return [(name, _field_value(_container(answer, arguments, style), label, style))]
    authorities, leaf = _split(answer, arguments.query_type)
    fields: list[tuple[str, str | None]] = []
    for der in authorities:
        fields.append(("caCertificate", _field_value(der, "CERTIFICATE", style)))
    if leaf is not None:
        fields.append(("certificate", _field_value(leaf, "CERTIFICATE", style)))
    return fields


def _field_value(data: bytes, label: str | None, style: Style) -> str:
    if style.armour_in_fields and label is not None:
        return "\n".join(_armoured(data, label, style.base64_width)) + "\n"
    return base64.b64encode(data).decode("ascii")


def _status_fields(answer: Answer, arguments: Arguments, style: Style, code: int) -> list[tuple[str, str | None]]:
    fields: list[tuple[str, str | None]] = []
    with_status = code >= 0 or style.status_on_error
    if arguments.show_ext_status and with_status:
        known = answer.certificate_status is not None or answer.validation_status is not None
        if known:
            fields.append(("certificateStatus", answer.certificate_status))
            fields.append(("validationStatus", answer.validation_status))
    for name, wanted, with_brand in (
        ("mdcDomainDetails", arguments.show_mdc_domain_details, False),
        ("mdcDomainDetails2", arguments.show_mdc_domain_details2, True),
    ):
        if code == 0 and wanted and answer.domains:
            listed = _domain_list(answer.domains, style, with_brand)
            fields.append((name, urllib.parse.quote_plus(listed) if style.double_encode_domains else listed))
    if arguments.show_status_details and answer.details is not None and with_status:
        for name, value in _details(answer):
            shown = style.ov_callback_name if name == "ovCallBackStatus" else name
            fields.append((shown, None if value is None else str(value)))
    caa_status = _caa_status(answer, arguments)
    if caa_status:
        fields.append(("caaStatus", caa_status))
    return fields
