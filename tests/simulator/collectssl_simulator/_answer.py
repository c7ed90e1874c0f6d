# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be told to a client (Answer), and how the wire may vary while telling it (Style): plain values."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

#: Names of the status details in the order of section 2.2.7, spelt as in section 3.2.
FIRST_DETAIL_NAMES = (
    "csrStatus",
    "dcvStatus",
    "ovCallBackStatus",
    "organizationValidationStatus",
    "freeDVUPStatus",
    "evClickThroughStatus",
    "brandValStatus",
)
#: Those that version 1.22 of the interface adds, behind the others.
LATER_DETAIL_NAMES = (
    "maStatus",
    "evAssumedName",
    "evPhysicalExistence",
    "evOperationalExistence",
    "evSignerApproverRequester",
    "evSignerSecondApproval",
)
DETAIL_NAMES = FIRST_DETAIL_NAMES + LATER_DETAIL_NAMES

#: Texts of the status codes that sections 2.1 lists, and of those that the wire is known to carry besides.
MESSAGES: t.Mapping[int, str] = {
    -1: "Request was not made over https!",
    -2: "Unrecognised argument!",
    -14: "An unknown error occurred!",
    -16: "Permission denied!",
    -17: "Request used GET rather than POST!",
    -20: "The certificate request has been rejected!",
    -21: "The certificate has been revoked!",
    -22: "Still awaiting payment!",
    -26: "The certificate is currently being issued!",
    -42: "The call limit has been reached!",
    -91: "Permission denied by context!",
}


@dataclasses.dataclass(frozen=True)
class Domain:
    """One domain of a multi-domain order; status is VALIDATED, NOTVALIDATED or AWAITINGBRAND."""

    name: str
    status: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """Everything the service knows at the time of a call; rendering shows what the call asked for.

    code is the status code. For an order that is ready give 1 or 2: rendering itself answers 1 to queryType 0
    and 2 to the others. certificates are DER, in the order in which they are to be served (root first and leaf last
    when all is well); leaf is the index of the end-entity certificate among them, or None when it is not there.
    validity is a pair of aware UTC times. details maps names of DETAIL_NAMES to -1, 0, 1, 2, or None for "not told";
    where it has none of LATER_DETAIL_NAMES, the service is one of before version 1.22, which knows none of them.
    archive_name is the stem of the leaf's file in a ZIP archive; None derives it from the certificate.
    archive replaces the ZIP archive that would be made (it serves the faults that need a wrong one).
    """

    code: int
    message: str | None = None
    error_item: str | None = None
    validity: tuple[datetime.datetime, datetime.datetime] | None = None
    fqdn: str | None = None
    certificates: tuple[bytes, ...] = ()
    leaf: int | None = -1
    certificate_status: str | None = None
    validation_status: str | None = None
    domains: tuple[Domain, ...] = ()
    details: t.Mapping[str, int | None] | None = None
    caa_status: str | None = None
    archive_name: str | None = None
    archive: bytes | None = None


def error(code: int, item: str | None = None, message: str | None = None) -> Answer:
    """Return the answer for a negative status code; item is the argument at fault (codes -2, -3 and -4)."""
    if message is None:
        if code == -3:
            message = f"The '{item}' argument is missing!"
        elif code == -4:
            message = f"The value of the '{item}' argument is invalid!"
        else:
            message = MESSAGES.get(code, f"Error {code}")
    return Answer(code=code, message=message, error_item=item)


_CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "newline": ("\n", "\r\n"),
    "detail_style": ("bare", "meaning"),
    "field_case": ("spec", "lower", "upper"),
    "absent": ("omit", "empty"),
    "binary_fallback": ("lines", "as_asked"),
}
_NEWLINE_NAMES = {"lf": "\n", "crlf": "\r\n"}


#: The parts of an answer in the lines format, in their order (sections 2.1 to 2.2.9).
PARTS = (
    *("status", "message", "validity", "fqdn", "certificates", "certificate_status", "validation_status"),
    *("domains", "details", "domains2", "caa"),
)


class StyleError(ValueError):
    """A style has an unknown field or a value that the field does not take; the text is one sentence."""


@dataclasses.dataclass(frozen=True)
class Style:
    r"""How the wire varies without changing what is said; every default is the most common case.

    newline: "\n" or "\r\n" ("lf" and "crlf" in an orders file), in the lines format.
    final_newline: whether the last line of the lines format has a line end.
    blank_lines: empty lines after the last certificate (lines format).
    leading_blank_lines: empty lines before the first certificate (lines format).
    base64_width: columns of base64 in the lines format; 0 puts it on one line.
    pkcs7_armour, netscape_armour: whether base64 in the lines format wears BEGIN and END lines.
    pkcs7_leaf_first: whether a PKCS#7 carries its certificates in reverse.
    detail_style: "bare" (2) or "meaning" (2 - in-progress) for the status details in the lines format.
    detail_dash: what stands between value and meaning, without the blanks around it.
    domain_separator: what stands between two domains.
    extra_lines: pairs of a part (one of PARTS) and a line to add behind it, in the lines format.
    double_encode_domains: whether the domain lists of the url-encoded format are encoded once more.
    field_case: names of the url-encoded format as specified, in lower case or in upper case.
    ov_callback_name: the specification spells this name in two ways.
    absent: whether a field without a value is left out of the url-encoded format or comes empty.
    armour_in_fields: whether certificates of the url-encoded format are PEM instead of bare base64.
    trailing_ampersand: whether the url-encoded format ends in "&".
    extra_fields: pairs of names and values to add to the url-encoded format.
    status_on_error: whether ext-status lines and status details also follow a negative status code, as
    sections 2.2.5 and 2.2.7, which know no condition on the code, have it.
    binary_fallback: format of the text that answers a binary request when there is nothing binary to send.
    binary_content_type: content type of binary bodies when the call asked for none.
    """

    newline: str = "\n"
    final_newline: bool = True
    blank_lines: int = 0
    leading_blank_lines: int = 0
    base64_width: int = 64
    pkcs7_armour: bool = False
    netscape_armour: bool = True
    pkcs7_leaf_first: bool = False
    detail_style: str = "bare"
    detail_dash: str = "-"
    domain_separator: str = ", "
    extra_lines: tuple[tuple[str, str], ...] = ()
    double_encode_domains: bool = False
    field_case: str = "spec"
    ov_callback_name: str = "ovCallBackStatus"
    absent: str = "omit"
    armour_in_fields: bool = False
    trailing_ampersand: bool = False
    extra_fields: tuple[tuple[str, str], ...] = ()
    status_on_error: bool = True
    binary_fallback: str = "lines"
    binary_content_type: str = "application/octet-stream"

    def changed(self, values: t.Mapping[str, t.Any]) -> Style:
        """Return this style with fields replaced from a mapping as read from YAML or JSON; raises StyleError."""
        known = {field.name: field for field in dataclasses.fields(self)}
        clean: dict[str, t.Any] = {}
        for name, value in values.items():
            if name not in known:
                raise StyleError(f"style has no field '{name}'; it has {', '.join(sorted(known))}")
            clean[name] = _style_value(name, value, getattr(Style(), name))
        return dataclasses.replace(self, **clean)


def _style_value(name: str, value: t.Any, default: t.Any) -> t.Any:
    if name in ("extra_fields", "extra_lines"):
        pairs = value.items() if isinstance(value, t.Mapping) else value
        try:
            named = tuple((str(key), str(item)) for key, item in pairs)
        except (TypeError, ValueError):
            raise StyleError(f"style field '{name}' must map names to values") from None
        if name == "extra_lines" and not {part for part, _line in named} <= set(PARTS):
            raise StyleError(f"style field 'extra_lines' must name parts: {', '.join(PARTS)}")
        return named
    if name == "newline":
        value = _NEWLINE_NAMES.get(value, value) if isinstance(value, str) else value
    if isinstance(default, bool) != isinstance(value, bool) or not isinstance(value, type(default)):
        raise StyleError(f"style field '{name}' must be a {_KIND_NAMES[type(default)]}, not {value!r}")
    if isinstance(default, int) and value < 0:
        raise StyleError(f"style field '{name}' must not be negative")
    if name in _CHOICES and value not in _CHOICES[name]:
        allowed = "lf, crlf" if name == "newline" else ", ".join(_CHOICES[name])
        raise StyleError(f"style field '{name}' must be one of {allowed}, not {value!r}")
    return value


_KIND_NAMES: t.Mapping[type, str] = {bool: "boolean", int: "number", str: "string"}


#: The style of a service that does everything in the most common way.
PLAIN = Style()
