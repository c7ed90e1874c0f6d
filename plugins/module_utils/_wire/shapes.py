# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line of an answer in format 0 looks like, where its place does not tell what it is.

Every function here takes any line without blanks around it, and raises nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import re
from typing import Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import is_base64

#: How much a line looks like a domain name, the most first; see ``name_rank``.
NAME, ODD_NAME, LABEL, CAPITAL_LABEL = range(4)

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
    r"|error '[^']*'|error -?[0-9a-z]+)\Z",
    re.IGNORECASE,
)
_CAA_NUMBER = re.compile(r"^-?[0-9]{1,6}\Z")
_VALIDITY = re.compile(r"^([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})\s+([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})\Z")
_MAX_NAME = 255
# All that is not ASCII counts as a letter: what Unicode says of it grows with each version of Python.
_DOMAIN_NAME = re.compile(r"^(?:[A-Za-z0-9_*\u0080-\U0010ffff-]+\.)*[A-Za-z0-9_*\u0080-\U0010ffff-]+\.?\Z")
_LETTER = re.compile(r"[A-Za-z\u0080-\U0010ffff]")
_CAPITAL = re.compile(r"[A-Z]")
_DIGITS = re.compile(r"^[0-9]+\Z")
_IPV4 = re.compile(r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_IPV6 = re.compile(r"^(?=.*::|(?:[^:]*:){6,7}[^:]*\Z)[0-9A-Fa-f:]+(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?\Z")
_WORDING = re.compile(r"^(?![A-Za-z0-9_]+:)[A-Za-z\u0080-\U0010ffff][^=<>{}\[\]\"\\|]*\Z")
_MAX_WORDING = 120
# How base64 of a ZIP archive, and of a SEQUENCE longer than 127 bytes, begins.
_STRUCTURE_STARTS = ("UEsDB", "MI")
# No encoder writes shorter lines but the last; what is shorter and good base64 is a word.
_SHORTEST_FIRST_LINE = 32


def validity(line: str) -> Optional[Tuple[str, str]]:
    """The two days of a validity line (2.2.2), as ``DD/MM/YYYY``."""
    match = _VALIDITY.match(line)
    return (match.group(1), match.group(2)) if match else None


def name_rank(line: str) -> Optional[int]:
    """How much a line looks like a domain name (2.2.3), or None where it does not.

    ``NAME``, one with a full stop, or an IP address; ``ODD_NAME``, where only digits stand behind the last full stop;
    ``LABEL``, without a full stop, in lower case; ``CAPITAL_LABEL``, which may as well be a status in one word.
    """
    if len(line) > _MAX_NAME:
        return None
    if _IPV4.match(line) or _IPV6.match(line):
        return NAME
    if not _DOMAIN_NAME.match(line) or len(line.split()) > 1:
        return None
    labels = line.rstrip(".").split(".")
    if len(labels) > 1:
        return ODD_NAME if _DIGITS.match(labels[-1]) else NAME
    if not _LETTER.search(line):
        return None
    return CAPITAL_LABEL if _CAPITAL.search(line) else LABEL


def is_certificate_status(line: str) -> bool:
    """Whether a line is one of the certificate statuses that section 2.2.5 lists."""
    return line.lower() in _CERTIFICATE_STATUSES


def is_validation_status(line: str) -> bool:
    """Whether a line is one of the validation statuses that section 2.2.5 lists."""
    return line.lower() in _VALIDATION_STATUSES


def may_be_status(line: str) -> bool:
    """Whether a line may be a status of section 2.2.5 that the section does not list: a few words.

    What holds an equals sign, begins with a digit, or with a name and a colon, or ends as a sentence does, is none.
    """
    return len(line) <= _MAX_WORDING and bool(_WORDING.match(line)) and not line.endswith((".", ";"))


def is_caa_status(line: str) -> bool:
    """Whether a line is a CAA status in words (2.2.9)."""
    return bool(_CAA.match(line))


def is_caa_number(line: str) -> bool:
    """Whether a line may be a CAA status that is a number alone."""
    return bool(_CAA_NUMBER.match(line))


def is_caa(line: str) -> bool:
    """Whether a line may be a CAA status of either kind."""
    return is_caa_status(line) or is_caa_number(line)


def begins_structure(line: str) -> Optional[bool]:
    """Whether bare base64 of a ZIP archive, a PKCS#7 or a Netscape sequence begins here; None where it can't be told.

    A word such as ``MIXED`` is good base64 too.
    """
    if not line.startswith(_STRUCTURE_STARTS) or not is_base64(line):
        return False
    return True if len(line) >= _SHORTEST_FIRST_LINE else None
