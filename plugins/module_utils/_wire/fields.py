# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the readers of both text formats share: the fields of an answer, and how each field's value is read.

Every function here raises ``ProtocolError`` or nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import datetime
import re
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import dearmour, decode_base64, whole_blocks
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, integer
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import (
    is_certificate,
    structure_length,
)

#: Names of the status details, in the order of section 2.2.7, with the variable of section 3.2.
DETAILS = {
    "csr": "csrStatus",
    "dcv": "dcvStatus",
    "ov_callback": "ovCallBackStatus",
    "organization_validation": "organizationValidationStatus",
    "free_dv_upgrade": "freeDVUPStatus",
    "ev_click_through": "evClickThroughStatus",
    "brand_validation": "brandValStatus",
}

_DETAIL_MEANINGS = {-1: "not_required", 0: "not_completed", 1: "completed", 2: "in_progress"}
_DETAIL = re.compile(r"^\s*(-?[0-9]{1,4})\s*(?:[-\u2010-\u2015].*)?\Z")
_MDC_STATUSES = {
    "VALIDATED": "validated",
    "NOTVALIDATED": "not_validated",
    "NOT VALIDATED": "not_validated",
    "AWAITINGBRAND": "awaiting_brand",
    "AWAITING BRAND": "awaiting_brand",
}
_UPPER_CASE = re.compile(r"^[A-Z][A-Z _-]*\Z")
_CUT_OFF = "was the answer cut off?"


class Fields:
    """The fields of an answer while it is read; the order of ``certificates`` is that in which they came."""

    def __init__(self, status_code: int, container: Optional[Tuple[str, bytes]] = None) -> None:
        self.status_code = status_code
        self.message: Optional[str] = None
        self.error_item: Optional[str] = None
        self.not_before: Optional[str] = None
        self.not_after: Optional[str] = None
        self.fqdn: Optional[str] = None
        self.certificate_status: Optional[str] = None
        self.validation_status: Optional[str] = None
        self.caa_status: Optional[str] = None
        self.mdc_domains: Dict[str, str] = {}
        self.details: Dict[str, Optional[str]] = {}
        self.extra: Dict[str, Any] = {}
        self.certificates: List[bytes] = []
        self.container = container

    def add_detail(self, name: str, value: str) -> None:
        """Keep a status detail under its name; a value without a known meaning goes to ``extra`` as it came."""
        match = _DETAIL.match(value)
        meaning = _DETAIL_MEANINGS.get(int(match.group(1))) if match else None
        self.details[name] = meaning
        if meaning is None and value:
            self.extra[DETAILS[name]] = value


def is_detail(line: str) -> bool:
    """Whether a line is a status detail: a whole number, perhaps with its meaning behind a dash."""
    return bool(_DETAIL.match(line))


def mdc_domains(text: str) -> Optional[Dict[str, str]]:
    """Domain names with their status, from ``a.com VALIDATED, b.com NOTVALIDATED``; None for any other text."""
    domains = {}
    for part in text.split(","):
        words = part.split()
        if not words:
            continue
        name, status = words[0], " ".join(words[1:])
        known = _MDC_STATUSES.get(status.upper())
        # A word that is new to us still looks like the known ones, and then the name must look like one as well.
        if known is None and not (_UPPER_CASE.match(status) and "." in name.strip(".")):
            return None
        domains[name] = known or status.lower()
    return domains or None


def iso_from_timestamp(name: str, text: str) -> str:
    """ISO 8601 in UTC from seconds since the start of 1970."""
    seconds = integer(text)
    try:
        if seconds is None:
            raise ValueError("not a number")
        return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat() + "Z"  # noqa: DTZ001
    except (ValueError, OverflowError):
        raise ProtocolError(f"The answer's {name} is not a timestamp in seconds: {excerpt(text, 40)}") from None


def iso_from_day(name: str, text: str, time: str) -> str:
    """ISO 8601 in UTC from ``DD/MM/YYYY`` and the time of day that section 2.2.2 fixes for it."""
    try:
        return datetime.datetime.strptime(text + " " + time, "%d/%m/%Y %H:%M:%S").isoformat() + "Z"  # noqa: DTZ007
    except ValueError:
        raise ProtocolError(f"The answer's {name} is not a day: {excerpt(text, 40)}") from None


def add_certificates(fields: Fields, name: str, text: str, container_type: Optional[str]) -> None:
    """Add what a field or a part of the answer carries: PEM blocks, or bare base64 of one structure.

    :arg container_type: what the structure is where it is not a certificate.
    """
    for data in _decoded(name, text):
        if is_certificate(data):
            fields.certificates.append(data)
        elif container_type is None:
            raise ProtocolError(f"The answer's {name} is not a whole certificate: {_CUT_OFF}")
        elif structure_length(data) != len(data):
            raise ProtocolError(f"The answer's {name} is not one whole {container_type} structure: {_CUT_OFF}")
        elif fields.container not in (None, (container_type, data)):
            raise ProtocolError("The answer carries more than one structure of certificates.")
        else:
            fields.container = (container_type, data)


def _decoded(name: str, text: str) -> List[bytes]:
    armoured = whole_blocks(text)
    if armoured is None:
        raise ProtocolError(f"The answer's {name} end in the middle: {_CUT_OFF}")
    decoded = [dearmour(block) for dummy, block in armoured] or [decode_base64(text)]
    if None in decoded:
        raise ProtocolError(f"The base64 of the answer's {name} is broken: {_CUT_OFF}")
    return [data for data in decoded if data]
