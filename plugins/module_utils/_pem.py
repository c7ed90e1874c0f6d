# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text: finding the blocks of a label, armouring DER.

This module util is private to the collection. It can have breaking changes at any time.
"""

import base64
import binascii
import re
import textwrap

from typing import List, Optional

CERTIFICATE = "CERTIFICATE"
_LABEL = r"(?P<label>[A-Z0-9 #]+?)"
# A block may carry header lines of its own (RFC 1421 encrypted keys), so anything but another boundary may stand inside.
_BLOCK = re.compile(r"-----BEGIN " + _LABEL + r"-----(?P<body>(?:(?!-----).)*)-----END (?P=label)-----", re.DOTALL)


def armour(der: bytes, label: str = CERTIFICATE) -> str:
    """One PEM block of 64 columns, ending in a line feed."""
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, "\n".join(lines))


def dearmour(block: str) -> Optional[bytes]:
    """The DER inside one PEM block, or None where its base64 is broken."""
    match = _BLOCK.search(block)
    if not match:
        return None
    return decode_base64(match.group("body"))


def decode_base64(text: str) -> Optional[bytes]:
    """Strict base64 of ``text``, white space aside; None where it is broken or empty."""
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed.encode("ascii"), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def blocks(text: str, label_ending: str = CERTIFICATE) -> List[str]:
    """Every PEM block of ``text`` whose label is, or ends in, ``label_ending``, in order, each ending in a line feed.

    ``PRIVATE KEY`` thus finds ``RSA PRIVATE KEY`` and ``ENCRYPTED PRIVATE KEY`` too.
    """
    found = []
    for match in _BLOCK.finditer(text):
        label = match.group("label")
        if label == label_ending or label.endswith(" " + label_ending):
            found.append(match.group(0).replace("\r\n", "\n") + "\n")
    return found
