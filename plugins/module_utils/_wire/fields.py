# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of an answer, and how the value of each is read, whichever text format it came in.

What reads a value raises ``ProtocolError`` where there is a rule for it that the value breaks, and nothing else.
This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
import datetime
import re
from typing import Dict, Iterable, List, Mapping, Optional, Tuple, Union

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import dearmour, decode_base64, whole_blocks
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, integer
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import (
    is_certificate,
    structure_length,
)

#: Names of the status details, in the order of section 2.2.7, with the variable of section 3.2; the last six came with
#: version 1.22 of the interface.
DETAILS = {
    "csr": "csrStatus",
    "dcv": "dcvStatus",
    "ov_callback": "ovCallBackStatus",
    "organization_validation": "organizationValidationStatus",
    "free_dv_upgrade": "freeDVUPStatus",
    "ev_click_through": "evClickThroughStatus",
    "brand_validation": "brandValStatus",
    "ma": "maStatus",
    "ev_assumed_name": "evAssumedName",
    "ev_physical_existence": "evPhysicalExistence",
    "ev_operational_existence": "evOperationalExistence",
    "ev_signer_approver_requester": "evSignerApproverRequester",
    "ev_signer_second_approval": "evSignerSecondApproval",
}

#: How many of them an answer may hold: those of version 1.18, or all.
DETAIL_COUNTS = (7, len(DETAILS))

_DETAIL_MEANINGS = {-1: "not_required", 0: "not_completed", 1: "completed", 2: "in_progress"}
# A date has dashes too, and no letter behind the first.
_DETAIL = re.compile(r"^\s*(-?[0-9]{1,4})\s*(?:[-\u2010-\u2015]\s*(?:[A-Za-z].*)?)?\Z")
_MDC_STATUSES = {
    "VALIDATED": "validated",
    "NOTVALIDATED": "not_validated",
    "NOT VALIDATED": "not_validated",
    "AWAITINGBRAND": "awaiting_brand",
    "AWAITING BRAND": "awaiting_brand",
}
# What stands before a value, in lines of later versions; an address of IPv6 has more colons.
_LABEL = re.compile(r"^[^:=]*[:=]\Z")
_UPPER_CASE = re.compile(r"^[A-Z][A-Z_-]*\Z")
_CUT_OFF = "was the answer cut off?"

#: The value of a field that this collection does not know, or its values where it came more than once.
Extra = Union[str, Tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Fields:
    """What an answer says, field by field; what it does not tell is empty or None.

    ``not_before`` and ``not_after`` are ISO 8601 in UTC. ``mdc_domains`` holds pairs of a name and ``validated``,
    ``not_validated`` or ``awaiting_brand``; ``details`` one pair for each of ``DETAILS``; ``extra`` pairs of a name and
    what came under it. ``certificates`` holds the DER of certificates that came one by one, in the order they came;
    ``container`` is ``("zip" | "pkcs7" | "netscape", bytes)`` where they came as one structure.
    """

    status_code: int
    message: str = ""
    error_item: Optional[str] = None
    not_before: Optional[str] = None
    not_after: Optional[str] = None
    fqdn: Optional[str] = None
    certificate_status: Optional[str] = None
    validation_status: Optional[str] = None
    caa_status: Optional[str] = None
    mdc_domains: Tuple[Tuple[str, str], ...] = ()
    details: Tuple[Tuple[str, Optional[str]], ...] = tuple((name, None) for name in DETAILS)
    extra: Tuple[Tuple[str, Extra], ...] = ()
    certificates: Tuple[bytes, ...] = ()
    container: Optional[Tuple[str, bytes]] = None


def with_domains(fields: Fields, domains: Mapping[str, str]) -> Fields:
    """The fields with more domain names and their status, each once, with the status that came last."""
    return dataclasses.replace(fields, mdc_domains=tuple({**dict(fields.mdc_domains), **domains}.items()))


def with_details(fields: Fields, values: Mapping[str, str]) -> Fields:
    """The fields with status details, under their names; a value without a known meaning goes to ``extra`` too."""
    meanings = {name: _meaning(value) for name, value in values.items()}
    strange = {DETAILS[name]: value for name, value in values.items() if value and meanings[name] is None}
    told = dataclasses.replace(fields, details=tuple({**dict(fields.details), **meanings}.items()))
    return with_extra(told, strange)


def with_extra(fields: Fields, values: Mapping[str, Extra]) -> Fields:
    """The fields with more of what this collection does not know, under the names that it came with."""
    return dataclasses.replace(fields, extra=tuple({**dict(fields.extra), **values}.items()))


def with_certificates(fields: Fields, name: str, texts: Iterable[str], container_type: Optional[str]) -> Fields:
    """The fields with what the field or part called ``name`` carries: PEM blocks, or bare base64 of one structure.

    :arg container_type: what the structure is where it is not a certificate.
    """
    certificates, container = list(fields.certificates), fields.container
    for data in (data for text in texts for data in _decoded(name, text)):
        if is_certificate(data):
            certificates.append(data)
        elif container_type is None:
            raise ProtocolError(f"The answer's {name} is not a whole certificate: {_CUT_OFF}")
        elif structure_length(data) != len(data):
            raise ProtocolError(f"The answer's {name} is not one whole {container_type} structure: {_CUT_OFF}")
        elif container not in (None, (container_type, data)):
            raise ProtocolError("The answer carries more than one structure of certificates.")
        else:
            container = (container_type, data)
    return dataclasses.replace(fields, certificates=tuple(certificates), container=container)


def _decoded(name: str, text: str) -> List[bytes]:
    armoured = whole_blocks(text)
    if armoured is None:
        raise ProtocolError(f"The answer's {name} end in the middle: {_CUT_OFF}")
    decoded = [dearmour(block) for dummy, block in armoured] or [decode_base64(text)]
    if None in decoded:
        raise ProtocolError(f"The base64 of the answer's {name} is broken: {_CUT_OFF}")
    return [data for data in decoded if data]


def is_detail(line: str) -> bool:
    """Whether a line is a status detail: a whole number, perhaps with its meaning behind a dash."""
    return bool(_DETAIL.match(line))


def has_meaning(line: str) -> bool:
    """Whether a line is a status detail with one of the values that section 2.2.7 knows."""
    return _meaning(line) is not None


def _meaning(value: str) -> Optional[str]:
    match = _DETAIL.match(value)
    return _DETAIL_MEANINGS.get(int(match.group(1))) if match else None


def mdc_domains(text: str) -> Optional[Dict[str, str]]:
    """Domain names with their status, from ``a.com VALIDATED, b.com NOTVALIDATED``; None for any other text.

    The commas may be missing, and line feeds may stand in their place: a status word tells where a pair ends.
    """
    domains = {}
    for part in text.split(","):
        # The next word stands at the end, where it is taken from.
        words = part.split()[::-1]
        while words:
            name = words.pop()
            status = _taken_status(words)
            # A word that is new to us still looks like the known ones, and then the name must look like one as well.
            if not status or _LABEL.match(name) or (status not in _MDC_STATUSES and "." not in name.strip(".")):
                return None
            domains[name] = _MDC_STATUSES.get(status, status.lower())
    return domains or None


def begins_with_domain_status(text: str) -> bool:
    """Whether a text begins with a status that the specification knows for a domain."""
    return _taken_status(text.replace(",", " ").split()[:2][::-1]) in _MDC_STATUSES


def _taken_status(words: List[str]) -> str:
    """The status of a domain at the end of ``words``, the last one first, taken away; empty where there is none."""
    for count in (2, 1):
        known = " ".join(words[-count:][::-1]).upper()
        if known in _MDC_STATUSES:
            del words[-count:]
            return known
    status = []
    while words and _UPPER_CASE.match(words[-1]):
        status.append(words.pop())
    return " ".join(status)


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
