# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of both text formats share: the fields of an answer, and how each field's value is read.

Every function here raises ``ProtocolError`` or nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import datetime
import re
import struct

from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import blocks, decode_base64, dearmour

#: Names of the status details, in the order of section 2.2.7, with the variable of section 3.2 in lower case.
DETAILS = {
    "csr": "csrstatus",
    "dcv": "dcvstatus",
    "ov_callback": "ovcallbackstatus",
    "organization_validation": "organizationvalidationstatus",
    "free_dv_upgrade": "freedvupstatus",
    "ev_click_through": "evclickthroughstatus",
    "brand_validation": "brandvalstatus",
}

_DETAIL_MEANINGS = {-1: "not_required", 0: "not_completed", 1: "completed", 2: "in_progress"}
_DETAIL = re.compile(r"^\s*(-?[0-9]{1,4})\s*(?:[-\u2010-\u2015]\s*\S.*)?\Z")
_MDC_STATUSES = {"VALIDATED": "validated", "NOTVALIDATED": "not_validated", "AWAITINGBRAND": "awaiting_brand"}
_INTEGER = re.compile(r"^\s*([+-]?[0-9]{1,18})\s*\Z")
_ZIP_START = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_SIZE = 22
_SEQUENCE = 0x30
_OID = 0x06
_ISO = "%Y-%m-%dT%H:%M:%SZ"


class Fields:
    """The fields of an answer while it is read; the order of ``certificates`` is that in which they came."""

    def __init__(self, status_code: int, container: Optional[Tuple[str, bytes]] = None) -> None:
        self.status_code = status_code
        self.message = None  # type: Optional[str]
        self.error_item = None  # type: Optional[str]
        self.not_before = None  # type: Optional[str]
        self.not_after = None  # type: Optional[str]
        self.fqdn = None  # type: Optional[str]
        self.certificate_status = None  # type: Optional[str]
        self.validation_status = None  # type: Optional[str]
        self.caa_status = None  # type: Optional[str]
        self.mdc_domains = {}  # type: Dict[str, str]
        self.details = {}  # type: Dict[str, Optional[str]]
        self.extra = {}  # type: Dict[str, Any]
        self.certificates = []  # type: List[bytes]
        self.container = container

    def add_detail(self, name: str, value: str) -> None:
        """Keep a status detail under its name; a value without a known meaning goes to ``extra`` as it came."""
        match = _DETAIL.match(value)
        meaning = _DETAIL_MEANINGS.get(int(match.group(1))) if match else None
        self.details[name] = meaning
        if meaning is None:
            self.extra[DETAILS[name]] = value


def excerpt(text: str, size: int = 200) -> str:
    """The beginning of a text on one line, for an error message."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: size * 4]).split())
    return line if len(line) <= size else line[:size] + " …"


def integer(text: str) -> Optional[int]:
    """A whole number of up to 18 digits, or None."""
    match = _INTEGER.match(text)
    return int(match.group(1)) if match else None


def is_detail(line: str) -> bool:
    """Whether a line is a status detail: a whole number, perhaps with its meaning behind a dash."""
    return bool(_DETAIL.match(line))


def mdc_domains(text: str) -> Optional[Dict[str, str]]:
    """Domain names with their validation status, from ``a.com VALIDATED, b.com NOTVALIDATED``; None for another text."""
    domains = {}
    for part in text.split(","):
        words = part.split()
        if not words:
            continue
        status = "".join(words[1:]).upper()
        if not status or not re.match(r"^[^\s.]\S*\.[^\s.]\S*\Z", words[0]):
            return None
        if status not in _MDC_STATUSES and not re.match(r"^[A-Z_-]+\Z", " ".join(words[1:])):
            return None
        domains[words[0]] = _MDC_STATUSES.get(status, status.lower())
    return domains or None


def iso_from_timestamp(name: str, text: str) -> str:
    """ISO 8601 in UTC from seconds since the start of 1970."""
    seconds = integer(text)
    try:
        if seconds is None:
            raise ValueError("not a number")
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).strftime(_ISO)
    except (ValueError, OverflowError):
        raise ProtocolError(
            "The answer's {0} is not a timestamp in seconds: {1}".format(name, excerpt(text, 40))
        ) from None


def iso_from_day(name: str, text: str, time: str) -> str:
    """ISO 8601 in UTC from ``DD/MM/YYYY`` and the time of day that section 2.2.2 fixes for it."""
    try:
        return datetime.datetime.strptime(text + " " + time, "%d/%m/%Y %H:%M:%S").strftime(_ISO)
    except ValueError:
        raise ProtocolError("The answer's {0} is not a day: {1}".format(name, excerpt(text, 40))) from None


def add_certificates(fields: Fields, name: str, text: str, container_type: Optional[str]) -> None:
    """Add what a field or a part of the answer carries: PEM blocks, or bare base64 of one structure.

    :arg container_type: what the structure is where it is not a certificate.
    """
    armoured = blocks(text, "CERTIFICATE") + blocks(text, "PKCS7") + blocks(text, "CMS")
    for packed in armoured or [text]:
        data = dearmour(packed) if armoured else decode_base64(packed)
        if data is None:
            raise ProtocolError("The base64 of the answer's {0} is broken: was the answer cut off?".format(name))
        if "-----BEGIN" in text and text.count("-----BEGIN") != len(armoured):
            raise ProtocolError("The answer ends in the middle of the {0}: it was cut off.".format(name))
        if is_certificate(data):
            fields.certificates.append(data)
        elif container_type is None:
            raise ProtocolError("The answer's {0} is not a whole certificate: was the answer cut off?".format(name))
        else:
            length = structure_length(data)
            if length is not None and length != len(data):
                raise ProtocolError("The answer's {0} is cut off.".format(name))
            fields.container = (container_type, data)


def is_certificate(data: bytes) -> bool:
    """Whether DER could be a certificate: one whole SEQUENCE that begins with another, not with an identifier."""
    header = _der_header(data)
    return header is not None and sum(header) == len(data) and data[header[0] : header[0] + 1] == b"\x30"


def binary_container(body: bytes) -> Optional[Tuple[str, bytes]]:
    """The bare ZIP archive or PKCS#7 structure that an answer consists of; None where it is text.

    The text answer ``0`` begins with the byte of a DER SEQUENCE, so that byte alone tells nothing.
    """
    if body.startswith(_ZIP_START):
        return ("zip", body)
    header = _der_header(body)
    if header is not None and body[header[0] : header[0] + 1] == b"\x06":
        if sum(header) > len(body):
            raise ProtocolError("The answer's PKCS#7 structure is cut off.")
        return ("pkcs7", body[: sum(header)])
    if body[:2] == b"\x30\x80" and body[2:3] == b"\x06":
        return ("pkcs7", body)
    return None


def structure_length(data: bytes) -> Optional[int]:
    """How many bytes of ``data`` the ZIP archive or DER structure at its start takes.

    More than there are where it is cut off; None where that cannot be told (a BER structure of indefinite length).
    """
    if data.startswith(_ZIP_START):
        return _zip_length(data)
    header = _der_header(data)
    return None if header is None else sum(header)


def _zip_length(data: bytes) -> int:
    at = data.find(_ZIP_END)
    while at >= 0 and at + _ZIP_END_SIZE <= len(data):
        size, offset, comment = struct.unpack("<IIH", data[at + 12 : at + _ZIP_END_SIZE])
        # The signature may stand inside a file; only at the true end does the central directory end where it stands.
        if size + offset == at:
            return at + _ZIP_END_SIZE + int(comment)
        at = data.find(_ZIP_END, at + 1)
    return len(data) + 1


def _der_header(data: bytes) -> Optional[Tuple[int, int]]:
    """The sizes of header and content of the SEQUENCE at the start of ``data``; None for anything else."""
    if len(data) < 2 or data[0] != _SEQUENCE:
        return None
    first = data[1]
    if first < 0x80:
        return (2, first)
    count = first & 0x7F
    if not 1 <= count <= 4 or len(data) < 2 + count:
        return None
    return (2 + count, int.from_bytes(data[2 : 2 + count], "big"))
