# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers in format 0, lines in an order that the request decides (section 2 of the specification).

A line's place depends on what was asked and on what the service had to say, so each is told by its shape where its
place leaves it open. This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
import re
from typing import Dict, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import decode_base64, is_base64, is_torn
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import integer
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.fields import (
    DETAILS,
    Fields,
    is_detail,
    iso_from_day,
    mdc_domains,
    with_certificates,
    with_details,
    with_domains,
    with_extra,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import structure_length

#: Where lines that nothing explains are kept.
UNNAMED = "unnamed_lines"

_CERTIFICATE_STATUSES = ("awaiting validation", "issued", "revoked", "no status")
_VALIDATION_STATUSES = (
    "complete",
    "awaiting legal documents",
    "awaiting document translation",
    "awaiting private whois entry release",
    "awaiting brand validation",
)
_CAA = re.compile(
    r"^(authorized|not authorized|unrecognized critical tag|empty|malformed response|timeout|error|awaiting completion"
    r"|error '?[^']*'?)\Z",
    re.IGNORECASE,
)
_VALIDITY = re.compile(r"^([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})\s+([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})\Z")
_STATUS = re.compile(r"^[+-]?[0-9]{1,6}\Z")
_MAX_NAME = 255
# How base64 of a ZIP archive, and of a SEQUENCE longer than 127 bytes, begins.
_STRUCTURE_STARTS = ("UEsDB", "MI")


def read(text: str, request: CollectRequest) -> Optional[Fields]:
    """The fields of an answer in format 0; None where the first line is not a status code."""
    lines = _without_leading_blanks([line.strip() for line in text.split("\n")])
    if not lines or not _STATUS.match(lines[0]):
        return None
    fields = Fields(integer(lines[0]) or 0)
    rest = lines[1:]
    if _without_leading_blanks(rest)[:1] and _without_leading_blanks(rest)[0].startswith("<"):
        return None
    if fields.status_code < 0:
        fields, rest = _with_message(fields, rest, request)
    elif fields.status_code > 0:
        fields, rest = _with_certificate_lines(fields, rest, request)
        if fields.status_code not in (1, 2):
            fields, rest = _with_message(fields, rest, request)
    return _with_status_lines(fields, rest, request)


def _without_leading_blanks(lines: List[str]) -> List[str]:
    start = next((at for at, line in enumerate(lines) if line), len(lines))
    return lines[start:]


def _with_message(fields: Fields, lines: List[str], request: CollectRequest) -> Tuple[Fields, List[str]]:
    """With the error message (2.2.1), unless in its place stands a line that was asked for; and what is left over."""
    filled = _without_leading_blanks(lines)
    asked_for_more = "ext_status" in request.show or "status_details" in request.show
    if not filled or (not lines[0] and (asked_for_more or _CAA.match(filled[0]))):
        return fields, lines[1:]
    if "status_details" in request.show and is_detail(filled[0]):
        return fields, filled
    if "ext_status" in request.show and filled[0].lower() in _CERTIFICATE_STATUSES:
        return fields, filled
    return dataclasses.replace(fields, message=filled[0]), filled[1:]


def _with_certificate_lines(fields: Fields, lines: List[str], request: CollectRequest) -> Tuple[Fields, List[str]]:
    """With validity, domain name and certificates (2.2.2 to 2.2.4); and what is left over."""
    lines = _without_leading_blanks(lines)
    validity = _VALIDITY.match(lines[0]) if lines else None
    if validity:
        fields = dataclasses.replace(
            fields,
            not_before=iso_from_day("validity period", validity.group(1), "00:00:00"),
            not_after=iso_from_day("validity period", validity.group(2), "23:59:59"),
        )
        lines = _without_leading_blanks(lines[1:])
    container = None if request.response_type == "individual" else request.response_type
    if "fqdn" in request.show and _is_domain_name(lines, container):
        fields = dataclasses.replace(fields, fqdn=lines[0])
        lines = _without_leading_blanks(lines[1:])
    armoured = bool(lines) and lines[0].startswith("-----BEGIN ")
    if not armoured and (fields.status_code != 2 or request.query_type == QUERY_STATUS):
        return fields, lines
    if armoured:
        end = 1 + max([at for at, line in enumerate(lines) if line.startswith("-----END ")] or [len(lines) - 1])
    elif container:
        end = _bare_structure(lines)
    else:
        raise ProtocolError("The answer says that certificates are attached, and there are none.")
    fields = with_certificates(fields, "certificates", ["\n".join(lines[:end]) + "\n"], container)
    # None of the lines that may follow looks like a boundary, so the beginning of one is a certificate cut off.
    if is_torn("\n".join(lines[end:])):
        raise ProtocolError("The answer ends in the middle of the certificates: it was cut off.")
    return fields, _without_leading_blanks(lines[end:])


def _is_domain_name(lines: List[str], container: Optional[str]) -> bool:
    if not lines or len(lines[0]) > _MAX_NAME or lines[0].startswith("-") or any(char in ", \t" for char in lines[0]):
        return False
    # A line of base64 holds neither a full stop nor a colon, and a status in one word no full stop.
    if "." in lines[0].strip(".") or ":" in lines[0].strip(":"):
        return True
    # A name without a full stop is told by the certificates that follow it.
    following = _without_leading_blanks(lines[1:])
    return (
        bool(following) and not lines[0].startswith(_STRUCTURE_STARTS) and _begins_certificates(following[0], container)
    )


def _begins_certificates(line: str, container: Optional[str]) -> bool:
    return line.startswith("-----BEGIN ") or bool(container and line.startswith(_STRUCTURE_STARTS) and is_base64(line))


def _bare_structure(lines: List[str]) -> int:
    """How many lines the bare base64 at their start takes.

    A status line such as ``Complete`` is good base64 too, so the length that the structure states decides.
    """
    end = 0
    while end < len(lines) and is_base64(lines[end]):
        end += 1
        if lines[end - 1].endswith("="):
            break
    packed = "".join(lines[:end])
    data = decode_base64(packed if packed.endswith("=") else packed[: len(packed) // 4 * 4])
    length = structure_length(data) if data else None
    if data is None or length is None or length > len(data):
        raise ProtocolError("The answer ends in the middle of the certificates, or holds none: was it cut off?")
    size = 0
    for count, line in enumerate(lines[:end], 1):
        size += len(line)
        if size >= (length + 2) // 3 * 4:
            return count
    return end


def _with_status_lines(fields: Fields, lines: List[str], request: CollectRequest) -> Fields:
    """With the lines behind the certificates, or behind the status alone (2.2.5 to 2.2.9)."""
    if "status_details" in request.show:
        fields, lines = _with_detail_lines(fields, lines)
    domains: Dict[str, str] = {}
    words = []
    for line in lines:
        found = mdc_domains(line)
        if found:
            domains.update(found)
        elif line:
            words.append(line)
    return _with_words(with_domains(fields, domains), words, "ext_status" in request.show)


def _with_detail_lines(fields: Fields, lines: List[str]) -> Tuple[Fields, List[str]]:
    """With the status details (2.2.7), a run of numbers; and what is left over.

    A detail that has no value may come as an empty line, and the last ones may be missing. The place of a number tells
    its name, so an empty line among the details counts, unless there are too many for that.
    """
    start = next((at for at, line in enumerate(lines) if is_detail(line)), len(lines))
    end = start
    for at in range(start, len(lines)):
        if is_detail(lines[at]):
            end = at + 1
        elif lines[at]:
            break
    run = lines[start:end]
    if len(run) > len(DETAILS):
        run = [line for line in run if line]
    before = 0
    while before < start and not lines[start - 1 - before]:
        before += 1
    if before + len(run) <= len(DETAILS):
        run = [""] * before + run
    return with_details(fields, dict(zip(DETAILS, run))), lines[:start] + run[len(DETAILS) :] + lines[end:]


def _with_words(fields: Fields, words: List[str], ext_status: bool) -> Fields:
    # Left out by the service when it is empty, and always the last line.
    if words and _CAA.match(words[-1]):
        fields = dataclasses.replace(fields, caa_status=words.pop())
    if ext_status and words:
        if len(words) > 1 or words[0].lower() not in _VALIDATION_STATUSES:
            fields = dataclasses.replace(fields, certificate_status=words.pop(0))
        if words:
            fields = dataclasses.replace(fields, validation_status=words.pop(0))
    return with_extra(fields, {UNNAMED: tuple(words)} if words else {})
