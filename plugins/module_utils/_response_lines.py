# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in format 0, lines in an order that the request decides (section 2 of the specification).

A line's place depends on what was asked and on what the service had to say, so each is told by its shape where its
place leaves it open. This module util is private to the collection. It can have breaking changes at any time.
"""

import re

from typing import List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import decode_base64
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._response_fields import (
    DETAILS,
    Fields,
    add_certificates,
    integer,
    is_detail,
    iso_from_day,
    mdc_domains,
    structure_length,
)

#: Where lines that nothing explains are kept.
UNNAMED = "unnamed_lines"

_CAA = re.compile(
    r"^(authorized|not authorized|unrecognized critical tag|empty|malformed response|timeout|error|awaiting completion"
    r"|error '?[^']*'?)\Z",
    re.IGNORECASE,
)
_VALIDITY = re.compile(r"^([0-9]{2}/[0-9]{2}/[0-9]{4})\s+([0-9]{2}/[0-9]{2}/[0-9]{4})\Z")
# A line of base64 holds neither a full stop nor a colon, and a status line no host name.
_FQDN = re.compile(r"^[^\s,]*[^\s,.:][.:][^\s,]+\Z")
_BASE64 = re.compile(r"^[A-Za-z0-9+/]+={0,2}\Z")
_STATUS = re.compile(r"^[+-]?[0-9]{1,6}\Z")


def read(text: str, request: CollectRequest) -> Optional[Fields]:
    """The fields of an answer in format 0; None where the first line is not a status code."""
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    if not lines or not _STATUS.match(lines[0]):
        return None
    fields = Fields(integer(lines[0]) or 0)
    rest = lines[1:]
    if fields.status_code < 0 and rest:
        fields.message = rest.pop(0)
    if fields.status_code > 0:
        rest = _read_certificate_lines(fields, rest, request)
    _read_status_lines(fields, rest, request)
    return fields


def _read_certificate_lines(fields: Fields, lines: List[str], request: CollectRequest) -> List[str]:
    """Validity, domain name and certificates (2.2.2 to 2.2.4); what is left over."""
    if lines:
        validity = _VALIDITY.match(lines[0])
        if validity:
            fields.not_before = iso_from_day("validity period", validity.group(1), "00:00:00")
            fields.not_after = iso_from_day("validity period", validity.group(2), "23:59:59")
            lines = lines[1:]
    if lines and "fqdn" in request.show and _FQDN.match(lines[0]):
        fields.fqdn = lines[0]
        lines = lines[1:]
    if fields.status_code != 2 or request.query_type == QUERY_STATUS:
        return lines
    container = None if request.response_type == "individual" else request.response_type
    if lines and lines[0].startswith("-----BEGIN "):
        end = 1 + max([at for at, line in enumerate(lines) if line.startswith("-----END ")] or [len(lines) - 1])
    elif container:
        end = _bare_structure(lines)
    else:
        raise ProtocolError("The answer says that certificates are attached, and there are none.")
    add_certificates(fields, "certificates", "\n".join(lines[:end]) + "\n", container)
    return lines[end:]


def _bare_structure(lines: List[str]) -> int:
    """How many lines the bare base64 at their start takes.

    A status line such as ``Complete`` is good base64 too, so the length that the structure states decides.
    """
    end = 0
    while end < len(lines) and _BASE64.match(lines[end]):
        end += 1
        if lines[end - 1].endswith("="):
            break
    packed = "".join(lines[:end])
    data = decode_base64(packed[: len(packed) // 4 * 4] if not packed.endswith("=") else packed)
    length = structure_length(data) if data else None
    if data is None or (length is not None and length > len(data)):
        raise ProtocolError("The answer ends in the middle of the certificates, or holds none: was it cut off?")
    if length is None:
        return end
    size = 0
    for count, line in enumerate(lines[:end], 1):
        size += len(line)
        if size >= (length + 2) // 3 * 4:
            return count
    return end


def _read_status_lines(fields: Fields, lines: List[str], request: CollectRequest) -> None:
    """The lines behind the certificates, or behind the status alone (2.2.5 to 2.2.9)."""
    names = list(DETAILS) if "status_details" in request.show else []
    words = []
    for line in lines:
        domains = mdc_domains(line)
        if domains:
            fields.mdc_domains.update(domains)
        elif names and is_detail(line):
            fields.add_detail(names.pop(0), line)
        else:
            words.append(line)
    # Left out by the service when it is empty, and always the last line.
    if words and words[-1] == lines[-1] and _CAA.match(words[-1]):
        fields.caa_status = words.pop()
    if "ext_status" in request.show and words:
        fields.certificate_status = words.pop(0)
        if words:
            fields.validation_status = words.pop(0)
    if words:
        fields.extra[UNNAMED] = words
