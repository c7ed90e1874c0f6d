# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two DER containers that carry certificates, written by hand.

They are built here octet by octet, not by a library, because libraries sort the certificates of a PKCS#7
(it is a SET), while services put them in any order they like, and clients have to cope with that.
"""

from __future__ import annotations

import typing as t

_SEQUENCE = 0x30
_SET = 0x31
_INTEGER = 0x02
_CONTEXT_0 = 0xA0

_OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_NETSCAPE_CERTIFICATE_SEQUENCE = bytes.fromhex("06096086480186f8420205")


def _tlv(tag: int, *contents: bytes) -> bytes:
    value = b"".join(contents)
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + value


def pkcs7(certificates: t.Sequence[bytes]) -> bytes:
    """Return a degenerate PKCS#7 SignedData (certificates only, no signer) with DER certificates in the given order."""
    signed_data = _tlv(
        _SEQUENCE,
        _tlv(_INTEGER, b"\x01"),
        _tlv(_SET),
        _tlv(_SEQUENCE, _OID_DATA),
        _tlv(_CONTEXT_0, *certificates),
        _tlv(_SET),
    )
    return _tlv(_SEQUENCE, _OID_SIGNED_DATA, _tlv(_CONTEXT_0, signed_data))


def netscape_sequence(certificates: t.Sequence[bytes]) -> bytes:
    """Return a Netscape certificate sequence (OID 2.16.840.1.113730.2.5) with DER certificates in the given order."""
    return _tlv(
        _SEQUENCE,
        _OID_NETSCAPE_CERTIFICATE_SEQUENCE,
        _tlv(_CONTEXT_0, _tlv(_SEQUENCE, *certificates)),
    )
