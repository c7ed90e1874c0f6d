# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in format 1, URL-encoded names and values (section 3 of the specification).

This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
import re
from typing import Any, Dict, List, Optional
from urllib.parse import unquote_plus

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, integer
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.fields import (
    DETAILS,
    Extra,
    Fields,
    iso_from_timestamp,
    mdc_domains,
    with_certificates,
    with_details,
    with_domains,
    with_extra,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest

_TEXTS = {
    "errormessage": "message",
    "erroritem": "error_item",
    "fqdn": "fqdn",
    "certificatestatus": "certificate_status",
    "validationstatus": "validation_status",
    "caastatus": "caa_status",
}
_TIMES = {"notbefore": "not_before", "notafter": "not_after"}
_CERTIFICATES = ("cacertificate", "certificate")
_CONTAINERS = {"zipfile": "zip", "netscapecertificatesequence": "netscape", "pkcs7": "pkcs7"}
_DOMAINS = ("mdcdomaindetails", "mdcdomaindetails2")
_DETAIL_NAMES = {variable.lower(): name for name, variable in DETAILS.items()}
_ERROR_CODE = "errorcode"
_MAX_CODE = 999999
# What URL-encoding leaves of a name. A page of HTML with a link in it holds more.
_NAME = re.compile(r"^[A-Za-z0-9_.~*+%\[\]-]+\Z")


def read(text: str, dummy_request: CollectRequest) -> Optional[Fields]:
    """The fields of an answer in format 1; None where there is no ``errorCode``.

    Names are read in any case, since the specification itself spells one in two ways.
    """
    pairs = [pair.strip() for pair in text.split("&") if pair.strip()]
    names = [pair.partition("=")[0].strip() for at, pair in enumerate(pairs) if at == 0 or "=" in pair]
    if not all(_NAME.match(name) for name in names):
        return None
    spelled: Dict[str, str] = {}
    values: Dict[str, List[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals:
            key = unquote_plus(name).strip().lower()
            spelled.setdefault(key, unquote_plus(name).strip())
            values.setdefault(key, []).append(unquote_plus(value).strip())
    if _ERROR_CODE not in values:
        return None
    fields = Fields(_status_code(values.pop(_ERROR_CODE)))
    if fields.status_code > 0:
        _check_end(pairs[-1])
    unknown: Dict[str, Extra] = {}
    # The second list of domains knows a status more than the first, so it has the last word.
    for key in sorted(values, key=lambda key: key == _DOMAINS[-1]):
        given = [value for value in values[key] if value]
        told = _with_field(fields, key, spelled[key], given)
        if told is None:
            unknown[spelled[key]] = given[0] if len(given) == 1 else tuple(given) or ""
        else:
            fields = told
    return with_extra(fields, unknown)


def _status_code(given: List[str]) -> int:
    codes = {integer(value) for value in given}
    code = codes.pop()
    if codes or code is None or abs(code) > _MAX_CODE:
        raise ProtocolError("The answer's errorCode is not a status: {}".format(excerpt(", ".join(given), 40)))
    return code


def _check_end(pair: str) -> None:
    # Such an end costs the chain a certificate without leaving another trace.
    name, equals, value = pair.partition("=")
    if not equals or (not value and unquote_plus(name).strip().lower() in _CERTIFICATES):
        raise ProtocolError(f"The answer ends in the middle of {excerpt(name, 40)}: it was cut off.")


def _with_field(fields: Fields, key: str, spelled: str, values: List[str]) -> Optional[Fields]:
    """The fields with those values of one of them that are not empty; None where its name is unknown."""
    if key in _CERTIFICATES:
        return with_certificates(fields, spelled, values, None)
    if key in _CONTAINERS:
        return with_certificates(fields, spelled, values, _CONTAINERS[key])
    if key in _DOMAINS:
        return _with_domain_lists(fields, spelled, values)
    if key in _TEXTS:
        return _with_text(fields, _TEXTS[key], values[0]) if values else fields
    if key in _TIMES:
        return _with_text(fields, _TIMES[key], iso_from_timestamp(spelled, values[0])) if values else fields
    if key in _DETAIL_NAMES:
        return with_details(fields, {_DETAIL_NAMES[key]: values[0]}) if values else fields
    return None


def _with_text(fields: Fields, name: str, value: str) -> Fields:
    told: Dict[str, Any] = {name: value}
    return dataclasses.replace(fields, **told)


def _with_domain_lists(fields: Fields, spelled: str, values: List[str]) -> Fields:
    domains: Dict[str, str] = {}
    unread: Dict[str, Extra] = {}
    for value in values:
        found = mdc_domains(_decode_again(value))
        if found is None:
            unread[spelled] = value
        domains.update(found or {})
    return with_extra(with_domains(fields, domains), unread)


def _decode_again(value: str) -> str:
    # This one field may be encoded once more than the rest; the blank between name and status shows that it was not.
    return value if " " in value else unquote_plus(value)
