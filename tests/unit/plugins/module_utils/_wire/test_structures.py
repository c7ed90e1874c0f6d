# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where structures end: made by hand, octet by octet, or by the library where that has no choice."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import (
    is_certificate,
    is_pkcs7,
    is_zip,
    structure_length,
)

_END = b"\x00\x00"
_IDENTIFIER = b"\x06\x03\x2a\x03\x04"
#: A SEQUENCE of 5 bytes, one of 300 with a length of two bytes, and one of 0 with one that is longer than it need be.
_SHORT = b"\x30\x05" + _IDENTIFIER
_LONG = b"\x30\x82\x01\x2c" + b"\x04\x82\x01\x28" + b"x" * 296
_PADDED = b"\x30\x84\x00\x00\x00\x00"
#: Ends of contents inside of contents, among them what only looks like such an end.
_INDEFINITE = b"".join(
    (
        *(b"\x30\x80", _IDENTIFIER, b"\xa0\x80", b"\x24\x80"),
        *(b"\x04\x04", _END, _END),
        *(_END, _LONG, _END, b"\x31\x00", _END),
    )
)


def _zip(*contents: bytes, comment: bytes = b"") -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.comment = comment
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.crt", content)
    return output.getvalue()


_STRUCTURES = {
    "SEQUENCE": _SHORT,
    "long SEQUENCE": _LONG,
    "SEQUENCE with a long length": _PADDED,
    "SEQUENCE of nothing": b"\x30\x00",
    "SEQUENCE of indefinite length": _INDEFINITE,
    "SEQUENCE of indefinite length of nothing": b"\x30\x80" + _END,
    "ZIP": _zip(b"one", b"two"),
    "ZIP with a comment": _zip(b"one", comment=b"made by hand"),
    "ZIP with the signature of its end inside": _zip(b"PK\x05\x06" + bytes(40), b"PK\x05\x06"),
    "ZIP in a ZIP": _zip(_zip(b"inner"), b"outer"),
}


@pytest.mark.parametrize("data", _STRUCTURES.values(), ids=_STRUCTURES)
@pytest.mark.parametrize("more", [b"", b"\n", b"more", _END, b"\x30\x00"])
def test_a_structure_ends_where_it_says(data: bytes, more: bytes) -> None:
    assert structure_length(data + more) == len(data)


@pytest.mark.parametrize("data", _STRUCTURES.values(), ids=_STRUCTURES)
def test_a_structure_that_is_cut_off_is_longer_than_what_there_is(data: bytes) -> None:
    for size in range(len(data)):
        length = structure_length(data[:size])
        # Of the first bytes alone nobody can tell what they begin.
        assert size < 6 if length is None else length > size


def test_a_zip_that_ends_in_its_comment_says_so() -> None:
    data = _zip(b"one", comment=b"made by hand")
    assert structure_length(data[:-1]) == len(data)


@pytest.mark.parametrize("comment", [b"PK\x05\x06", b"PK\x05\x06" + bytes(30)])
def test_the_signature_inside_of_a_comment_ends_nothing(comment: bytes) -> None:
    data = _zip(b"one", comment=comment)
    assert structure_length(data) == len(data)


@pytest.mark.parametrize(
    "data", [b"", b"0", b"0\n", b"0\r\n\r\n", b"PK", b"PK\x05\x06", b"\x31\x00", b"-----BEGIN", b"MII"]
)
def test_what_is_no_structure_has_no_length(data: bytes) -> None:
    # A text that begins with 0 may well look like a SEQUENCE that is longer than it.
    length = structure_length(data)
    assert length is None or (data[:1] == b"0" and length > len(data))
    assert not is_certificate(data)
    assert not is_pkcs7(data)
    assert not is_zip(data)


@pytest.mark.parametrize("length", [b"\x85\x00\x00\x00\x00\x01", b"\xff" + b"\x00" * 127, b"\x82\x01", b"\x84\x00\x00"])
def test_lengths_that_nothing_has(length: bytes) -> None:
    assert structure_length(b"\x30" + length) is None


@pytest.mark.parametrize(
    "inside", [b"\x04\x80x", b"\x04\x85\x00\x00\x00\x00\x00", b"\x04\x84\xff\xff\xff\xff", b"\xa0\x80", b""]
)
def test_contents_of_indefinite_length_that_have_no_end(inside: bytes) -> None:
    data = b"\x30\x80" + inside + (_END if inside else b"")
    assert structure_length(data) == len(data) + 1


def test_what_begins_like_a_certificate_and_what_like_a_pkcs7() -> None:
    certificate = b"\x30\x07" + _SHORT
    assert is_certificate(certificate)
    assert not is_certificate(certificate + b"\n")
    assert not is_certificate(certificate[:-1])
    assert not is_certificate(_SHORT)
    assert not is_certificate(b"\x30\x00")
    assert not is_certificate(b"\x30\x80" + _SHORT + _END)
    for data in (_SHORT, _INDEFINITE):
        assert is_pkcs7(data)
        assert is_pkcs7(data[:-1])
    assert not is_pkcs7(certificate)
    assert not is_pkcs7(b"\x30\x80" + _SHORT + _END)
    assert not is_pkcs7(_IDENTIFIER)
    assert is_zip(_STRUCTURES["ZIP"][:4])


def test_any_bytes_are_measured() -> None:
    rng = random.Random(20260616)  # noqa: S311
    structures = [*_STRUCTURES.values()]
    for _count in range(5000):
        data = bytearray(rng.choice(structures))
        for _octet in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.choice((0, 0x30, 0x80, 0x84, 0xFF, rng.randrange(256)))
        length = structure_length(bytes(data))
        assert length is None or length >= 2
        assert not is_certificate(bytes(data)) or length == len(data)
