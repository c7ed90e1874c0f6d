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
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_BIT_STRING = 0x03

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


def _split(data: bytes) -> list[tuple[int, bytes]]:
    """Return the elements that follow each other in DER, as tags and values."""
    found = []
    while data:
        tag, length, start = data[0], data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        found.append((tag, data[start : start + length]))
        data = data[start + length :]
    return found


def _joined(elements: t.Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(_tlv(tag, value) for tag, value in elements)


def with_start(certificate: bytes, start: bytes, sign: t.Callable[[bytes], bytes]) -> bytes:
    """Return a DER certificate whose validity begins at a GeneralizedTime, signed anew.

    That of a library does not write a year in which nobody had certificates.
    """
    to_sign, algorithm, _signature = _split(_split(certificate)[0][1])
    parts = _split(to_sign[1])
    # The one sequence whose elements are times; serial number, algorithm and names are none.
    place = next(
        at
        for at, (tag, value) in enumerate(parts)
        if tag == _SEQUENCE and _split(value)[0][0] in (_UTC_TIME, _GENERALIZED_TIME)
    )
    parts[place] = (_SEQUENCE, _joined([(_GENERALIZED_TIME, start), _split(parts[place][1])[1]]))
    signed = _tlv(_SEQUENCE, _joined(parts))
    return _tlv(_SEQUENCE, signed, _tlv(*algorithm), _tlv(_BIT_STRING, b"\x00", sign(signed)))


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
