# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that somebody made up: what cannot be read is refused in words, and bounds hold to the byte."""

from __future__ import annotations

import datetime
import io
import struct
import typing as t
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import bundle, containers, reading
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _asn1
from ansible_collections.certfleet.collectssl.tests.support import authority

_DERS = authority.chain().served
_LEAF = _DERS[-1]
_ROOM = 1024 * 1024


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


# --- what no library expects --------------------------------------------------------------------------------------


def _directory(data: bytes) -> tuple[int, int]:
    return data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")


def _with_zip64(data: bytes, offset: int) -> bytes:
    """An archive whose one file begins at an offset in 64 bits."""
    begin, end = _directory(data)
    extra = struct.pack("<HHQ", 1, 8, offset)
    entry = bytearray(data[begin:end])
    entry[42:46] = b"\xff" * 4
    entry[30:32] = struct.pack("<H", len(extra))
    last = bytearray(data[end:])
    last[12:16] = struct.pack("<I", len(entry) + len(extra))
    return data[:begin] + bytes(entry) + extra + bytes(last)


def _without_a_name(data: bytes) -> bytes:
    begin, end = _directory(data)
    entry = bytearray(data[begin:end])
    (size,) = struct.unpack("<H", entry[28:30])
    entry[28:30] = b"\x00\x00"
    del entry[46 : 46 + size]
    local = bytearray(data[:begin])
    local[26:28] = b"\x00\x00"
    del local[30 : 30 + size]
    last = bytearray(data[end:])
    last[12:20] = struct.pack("<II", len(entry), len(local))
    return bytes(local + entry + last)


@pytest.mark.parametrize("offset", [2**63, 2**64 - 1, 2**63 - 1, 2**40])
def test_a_file_that_begins_far_outside_of_the_archive(offset: int) -> None:
    with pytest.raises(ChainError, match=r"^The ZIP archive cannot be read: \S"):
        containers.unpack("zip", _with_zip64(_zip({"www.crt": _LEAF}), offset))


def test_a_file_without_a_name_is_refused_or_read() -> None:
    try:
        assert containers.unpack("zip", _without_a_name(_zip({"www.crt": _LEAF}))) == [_LEAF]
    except ChainError as error:
        assert str(error).startswith("The ZIP archive cannot be read: ")  # noqa: PT017


@pytest.mark.parametrize(("kind", "named"), [("zip", "ZIP archive"), ("pkcs7", "PKCS#7 structure")])
@pytest.mark.parametrize("data", [b"", b"\x00", b"junk", b"\x30\x80", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_container_is_refused_by_its_kind(kind: str, named: str, data: bytes) -> None:
    try:
        assert containers.unpack(kind, data) == []
    except ChainError as error:
        assert str(error).startswith(f"The {named} cannot be read: ")  # noqa: PT017
        assert error.__cause__ is not None  # noqa: PT017


@pytest.mark.parametrize("data", [b"", b"junk", b"\x30\x80", _asn1.pkcs7(_DERS)])
def test_what_is_no_netscape_sequence_is_refused_by_its_kind(data: bytes) -> None:
    with pytest.raises(ChainError, match=r"^The Netscape certificate sequence cannot be read: \S"):
        containers.unpack("netscape", data)


@pytest.mark.parametrize("error", [OverflowError("too\nlarge\x1b[31m"), KeyError("x"), RuntimeError(), MemoryError()])
def test_whatever_a_library_raises_is_told_in_words(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_args: t.Any, **_options: t.Any) -> t.NoReturn:
        raise error

    monkeypatch.setattr(zipfile, "ZipFile", broken)
    with pytest.raises(ChainError) as caught:
        containers.unpack("zip", b"anything")
    assert str(caught.value).isprintable()
    assert str(caught.value).rpartition(": ")[2]
    assert caught.value.__cause__ is error


# --- bounds of a ZIP archive --------------------------------------------------------------------------------------


def test_thirty_two_files_are_read_and_folders_are_none() -> None:
    files = {f"{number}.txt": b"nothing" for number in range(31)}
    folders = {f"folder{number}/": b"" for number in range(40)}
    assert containers.unpack("zip", _zip({**folders, **files, "www.crt": _LEAF})) == [_LEAF]
    with pytest.raises(ChainError, match=r"^The ZIP archive has 33 entries; 32 at most are read"):
        containers.unpack("zip", _zip({**files, "www.crt": _LEAF, "more.txt": b""}))


def test_a_mebibyte_is_read_and_not_a_byte_more() -> None:
    # All files together have that room, not each of them.
    files = {"a.txt": b"a" * (_ROOM - len(_LEAF)), "www.crt": _LEAF}
    assert containers.unpack("zip", _zip(files)) == [_LEAF]
    for more in ({"b.txt": b"b"}, {"b.txt": b"b" * _ROOM}):
        with pytest.raises(ChainError, match="unpacks to more than any chain takes; it was not unpacked further"):
            containers.unpack("zip", _zip({**files, **more}))


@pytest.mark.parametrize(("copies", "refused"), [(10, False), (3000, True)])
def test_what_unpacks_to_a_hundred_times_its_size_is_refused(copies: int, refused: bool) -> None:
    data = _zip({"a.txt": b"a" * 100 * copies, "www.crt": _LEAF}, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("a.txt")
        assert (info.file_size > 100 * info.compress_size) is refused
    if refused:
        with pytest.raises(ChainError, match="unpacks to more than any chain takes"):
            containers.unpack("zip", data)
    else:
        assert containers.unpack("zip", data) == [_LEAF]


def test_the_ratio_is_a_hundred_to_the_byte() -> None:
    """Of one file whose deflated size is known, so that the largest that is read can be made."""

    def packed(size: int) -> tuple[bytes, int]:
        data = _zip({"a.txt": b"a" * size}, zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return data, archive.getinfo("a.txt").compress_size

    largest = max(size for size in range(1, 5000) if size <= 100 * packed(size)[1])
    for size in range(largest - 2, largest + 3):
        data, compressed = packed(size)
        if size <= 100 * compressed:
            assert containers.unpack("zip", data) == []
        else:
            with pytest.raises(ChainError, match="unpacks to more"):
                containers.unpack("zip", data)


def test_an_empty_file_is_no_bomb() -> None:
    assert containers.unpack("zip", _zip({"a.txt": b"", "www.crt": _LEAF})) == [_LEAF]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_deflate_alone_is_read(method: int) -> None:
    with pytest.raises(ChainError, match=f"uses compression method {method}; deflate alone is read"):
        containers.unpack("zip", _zip({"www.crt": _LEAF}, method))


def test_a_file_that_is_shorter_than_it_says_is_cut_off() -> None:
    data = bytearray(_zip({"www.crt": _LEAF}))
    begin, _end = _directory(bytes(data))
    (size,) = struct.unpack("<I", data[begin + 24 : begin + 28])
    data[begin + 24 : begin + 28] = struct.pack("<I", size + 1)
    with pytest.raises(ChainError, match=r"cut off|cannot be read"):
        containers.unpack("zip", bytes(data))


@pytest.mark.parametrize("suffix", [".crt", ".cer", ".pem", ".der", ".CRT"])
def test_a_file_that_is_called_a_certificate_holds_one(suffix: str) -> None:
    with pytest.raises(ChainError, match=f"The file www{suffix} of the ZIP archive holds no whole certificate"):
        containers.unpack("zip", _zip({f"www{suffix}": b"nothing"}))
    assert containers.unpack("zip", _zip({f"www{suffix}.txt": b"nothing"})) == []
    both = armour(_LEAF) + armour(_DERS[0])
    assert containers.unpack("zip", _zip({f"www{suffix}": both.encode()})) == [_LEAF, _DERS[0]]


def test_a_certificate_that_is_torn_is_none_whatever_its_file_is_called() -> None:
    with pytest.raises(ChainError, match=r"The file readme.txt of the ZIP archive holds no whole certificate"):
        containers.unpack("zip", _zip({"readme.txt": armour(_LEAF)[:-20].encode()}))


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [1, 950, 999, 1000, 2026, 9999])
def test_an_instant_of_any_year_is_read_as_it_was_written(year: int) -> None:
    at = datetime.datetime(year, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)
    assert bundle.iso(at) == f"{year:04}-02-03T04:05:06Z"
    assert bundle.moment(bundle.iso(at)) == at


def test_a_certificate_of_the_year_950_is_described() -> None:
    """A general time that is damaged in one octet; what the chain is worth is another question."""
    der = authority.root("Root").leaf(validity=(datetime.datetime(2051, 1, 1), datetime.datetime(2052, 1, 1)))  # noqa: DTZ001
    old = der.replace(b"20510101000000Z", b"09500101000000Z").replace(b"20520101000000Z", b"09510101000000Z")
    assert old != der
    described = reading.bundle_of_content(armour(old), authority.NOW).described(authority.NOW)
    assert described is not None
    assert (described["not_before"], described["not_after"]) == ("0950-01-01T00:00:00Z", "0951-01-01T00:00:00Z")
    assert described["days_remaining"] < 0
