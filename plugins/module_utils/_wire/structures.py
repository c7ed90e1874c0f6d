# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring structures by their outermost bytes: a ZIP archive, a SEQUENCE of ASN.1 in DER or BER.

Only what tells where a structure ends is read, so that one is whole here may still make it none that can be unpacked.
Every function here takes any bytes and raises nothing; lengths and sizes are in bytes.
This module util is private to the collection. It can have breaking changes at any time.
"""

import struct
from typing import Optional, Tuple

_ZIP_START = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_ZIP_END_SIZE = 22
_SEQUENCE = b"\x30"
_OBJECT_IDENTIFIER = b"\x06"
_INDEFINITE_SEQUENCE = b"\x30\x80"
_CONSTRUCTED = 0x20


def is_zip(data: bytes) -> bool:
    """Whether a ZIP archive begins here, whole or not."""
    return data.startswith(_ZIP_START)


def is_pkcs7(data: bytes) -> bool:
    """Whether a PKCS#7 structure begins here, whole or not: a SEQUENCE that begins with an object identifier.

    A text that begins with ``0`` begins with the byte of a SEQUENCE, so that byte alone tells nothing.
    """
    if data.startswith(_INDEFINITE_SEQUENCE):
        at = len(_INDEFINITE_SEQUENCE)
    else:
        sizes = _sequence_sizes(data)
        if sizes is None:
            return False
        at = sizes[0]
    return data[at : at + 1] == _OBJECT_IDENTIFIER


def is_certificate(data: bytes) -> bool:
    """Whether DER could be a certificate: one whole SEQUENCE that begins with another, not with an identifier."""
    sizes = _sequence_sizes(data)
    return sizes is not None and sum(sizes) == len(data) and data[sizes[0] : sizes[0] + 1] == _SEQUENCE


def structure_length(data: bytes) -> Optional[int]:
    """How many bytes of ``data`` the ZIP archive or the DER or BER SEQUENCE at its start takes.

    More than there are where it is cut off or damaged; None where it is neither.
    """
    if is_zip(data):
        return _zip_length(data)
    if data.startswith(_INDEFINITE_SEQUENCE):
        return _indefinite_length(data)
    sizes = _sequence_sizes(data)
    return None if sizes is None else sum(sizes)


def _zip_length(data: bytes) -> int:
    at = data.find(_ZIP_END)
    while at >= 0 and at + _ZIP_END_SIZE <= len(data):
        size, offset, comment = struct.unpack("<IIH", data[at + 12 : at + _ZIP_END_SIZE])
        # The signature may stand inside a file; only at the true end does the central directory end where it stands.
        if size + offset == at:
            return at + _ZIP_END_SIZE + int(comment)
        at = data.find(_ZIP_END, at + 1)
    return len(data) + 1


def _indefinite_length(data: bytes) -> int:
    """The length of a BER structure that ends where its contents do, with the contents' own ends counted."""
    at = 0
    open_structures = 0
    while at + 2 <= len(data):
        if data[at : at + 2] == b"\x00\x00":
            open_structures -= 1
            at += 2
        elif data[at + 1] == 0x80 and data[at] & _CONSTRUCTED:
            open_structures += 1
            at += 2
        else:
            sizes = element_sizes(data, at)
            if sizes is None:
                break
            at += sum(sizes)
        if open_structures == 0:
            return at
    return len(data) + 1


def _sequence_sizes(data: bytes) -> Optional[Tuple[int, int]]:
    """The sizes of header and content of the SEQUENCE at the start of ``data``; None for anything else."""
    return element_sizes(data, 0) if data.startswith(_SEQUENCE) else None


def element_sizes(data: bytes, at: int) -> Optional[Tuple[int, int]]:
    """The sizes of header and content of the element at a place, where its length is a definite one."""
    if at + 2 > len(data):
        return None
    first = data[at + 1]
    if first < 0x80:
        return (2, first)
    count = first & 0x7F
    if not 1 <= count <= 4 or at + 2 + count > len(data):
        return None
    return (2 + count, int.from_bytes(data[at + 2 : at + 2 + count], "big"))
