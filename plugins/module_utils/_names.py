# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names and IP addresses as people write them, in the one form in which they can be compared.

Every function here takes any text and raises nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import ipaddress
import re
import unicodedata
from typing import List, Optional, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# What input methods write in place of a dot (RFC 3490, section 3.1).
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_ASCII = re.compile(r"[\x00-\x7f]*\Z")
_KEPT_SINCE_2008 = "\u00df\u03c2\u200c\u200d"


def unbracketed(text: str) -> str:
    """A text without the brackets that an IPv6 address wears in a URL."""
    return text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text


def address(text: str) -> Optional[Address]:
    """The IP address that is meant, or None.

    It may stand in brackets and end in a dot; a zone is left out, since it says which way to an address, and is no part
    of what a certificate or a network is for.
    """
    bare = unbracketed(text.strip()).partition("%")[0]
    try:
        return ipaddress.ip_address(bare[:-1] if bare[-1:] == "." else bare)
    except ValueError:
        return None


def ascii_name(name: str) -> str:
    """A host name as resolvers take it: ``xn--`` for labels that are not ASCII, all else as it is."""
    return ".".join(_ascii_label(label) for label in _DOTS.sub(".", name).split("."))


def labels(name: str) -> List[str]:
    """The labels of a host name as in ``ascii_name``, in small letters; a dot at its end adds none."""
    parts = ascii_name(name).lower().split(".")
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def identity(host: str) -> str:
    """Whom a certificate has to be for, and what is sent as SNI: an address in its usual form, or a name in ASCII."""
    found = address(host)
    return ".".join(labels(host)) if found is None else str(found)


def _ascii_label(label: str) -> str:
    if _ASCII.match(label):
        return label
    # Sign by sign: all at once, what a sigma becomes hangs on the signs beside it.
    small = "".join(char.lower() for char in label)
    try:
        # The codec knows IDNA of 2003 alone, which spells these characters away; names of today keep them.
        if any(char in _KEPT_SINCE_2008 for char in small):
            return "xn--" + unicodedata.normalize("NFKC", small).encode("punycode").decode("ascii")
        return small.encode("idna").decode("ascii")
    except UnicodeError:
        return label
