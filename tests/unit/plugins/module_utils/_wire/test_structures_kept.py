# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lengths of structures at their bounds, octet by octet."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import (
    element_sizes,
    is_certificate,
    is_pkcs7,
    structure_length,
)

_END = b"\x00\x00"


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (b"\x30\x00", (2, 0)),
        (b"\x30\x7e", (2, 126)),
        (b"\x30\x7f", (2, 127)),
        (b"\x30\x80", None),
        (b"\x30\x80" + bytes(8), None),
        (b"\x30\x81\x80", (3, 128)),
        (b"\x30\x81\x01", (3, 1)),
        (b"\x30\x81", None),
        (b"\x30\x82\x01\x00", (4, 256)),
        (b"\x30\x82\x01", None),
        (b"\x30\x83\x01\x00\x00", (5, 65536)),
        (b"\x30\x84\x01\x00\x00\x02", (6, 16777218)),
        (b"\x30\x84\x01\x00\x00", None),
        (b"\x30\x85\x00\x00\x00\x00\x01", None),
        (b"\x30\x85" + bytes(9), None),
        (b"\x30\xff" + bytes(200), None),
        (b"\x30", None),
        (b"", None),
    ],
)
def test_the_length_of_an_element(data: bytes, sizes: tuple[int, int] | None) -> None:
    """X.690, 8.1.3: one octet up to 127, else as many as the first one says, of which four are read."""
    assert element_sizes(data, 0) == sizes
    assert element_sizes(b"\x04\x01x" + data, 3) == sizes
    # What follows is no part of it.
    assert sizes is None or element_sizes(data + b"\xff\xff", 0) == sizes


def test_the_contents_of_an_element_need_not_be_there() -> None:
    assert structure_length(b"\x30\x7f") == 129
    assert structure_length(b"\x30\x81\x80") == 131
    assert structure_length(b"\x30\x84\x00\x00\x00\x01\x05") == 7


@pytest.mark.parametrize("primitive", [b"\x04", b"\x01", b"\x13", b"\x80", b"\x1f"])
def test_what_is_not_constructed_has_no_indefinite_length(primitive: bytes) -> None:
    """X.690, 8.1.3.2. Its contents would have no end."""
    data = b"\x30\x80" + primitive + b"\x80" + _END + _END
    assert structure_length(data) == len(data) + 1


@pytest.mark.parametrize("constructed", [b"\x30", b"\x24", b"\x31", b"\xa0", b"\x7f"])
def test_what_is_constructed_may_have_an_indefinite_length(constructed: bytes) -> None:
    data = b"\x30\x80" + constructed + b"\x80" + _END + _END
    assert structure_length(data) == len(data)
    assert structure_length(data + b"more") == len(data)
    assert (structure_length(data[:-1]) or 0) > len(data) - 1


def test_the_tag_alone_tells_what_begins() -> None:
    inner = b"\x06\x01\x2a"
    assert is_pkcs7(b"\x30\x03" + inner)
    assert is_pkcs7(b"\x30\x80" + inner + _END)
    assert is_pkcs7(b"\x30\x81\x03" + inner)
    assert not is_pkcs7(b"\x30\x06\x02\x01\x05" + inner)
    # The header of a definite length is not read past as if it were one of an indefinite length.
    assert not is_pkcs7(b"\x30\x82\x06\x00" + bytes(5))
    assert not is_pkcs7(b"\x30\x80\x02" + inner)
    assert is_certificate(b"\x30\x02\x30\x00")
    assert not is_certificate(b"\x30\x02\x31\x00")
    assert not is_certificate(b"\x31\x02\x30\x00")
    assert not is_certificate(b"")


def _end_of_zip(size: int, offset: int, comment: bytes = b"", stated: int | None = None) -> bytes:
    length = len(comment) if stated is None else stated
    return b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, size, offset, length) + comment


@pytest.mark.parametrize("between", [b"", b"P", b"PK\x05", b"PK\x05\x06", b"xPK\x05\x06x"])
def test_the_end_of_a_zip_is_where_its_directory_ends(between: bytes) -> None:
    start = b"PK\x03\x04" + b"local" + between
    end = _end_of_zip(len(start) - 4, 4)
    assert structure_length(start + end) == len(start) + 22
    assert structure_length(start + end + b"more") == len(start) + 22
    assert structure_length(start + _end_of_zip(len(start) - 4, 4, stated=300)) == len(start) + 22 + 300
    for size, offset in ((len(start) - 4, 5), (len(start) - 5, 4), (0, 0)):
        data = start + _end_of_zip(size, offset)
        assert structure_length(data) == len(data) + 1, (size, offset)
    for cut in range(1, 22):
        data = (start + end)[:-cut]
        assert structure_length(data) == len(data) + 1, cut


def test_the_end_that_a_zip_begins_with_is_none() -> None:
    # An archive of nothing has no first file.
    assert structure_length(_end_of_zip(0, 0)) is None
