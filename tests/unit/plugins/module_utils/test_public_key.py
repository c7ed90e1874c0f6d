# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key of a certificate, as a host finds it without any library."""

from __future__ import annotations

import hashlib
import warnings

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import public_key, tlsa_of
from ansible_collections.certfleet.collectssl.tests.support import authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

_KINDS = ("ecdsa", "rsa", "ed25519")
_CERTIFICATES = [der for kind in _KINDS for der in authority.chain(kind).served]
_LEAF = authority.chain().leaf


def _spki(der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(der).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("der", _CERTIFICATES)
def test_it_is_the_one_that_the_library_has(der: bytes) -> None:
    assert public_key(der) == _spki(der)
    assert tlsa_of(der) == "3 1 1 " + hashlib.sha256(_spki(der)).hexdigest()


def _element(tag: int, *contents: bytes, header: bytes | None = None) -> bytes:
    content = b"".join(contents)
    if header is None:
        size = len(content)
        header = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
        if 0x80 <= size < 0x100:
            header = b"\x81" + bytes([size])
    return bytes([tag]) + header + content


_EMPTY = _element(0x30)
_NUMBER, _BITS, _KEY = b"\x02\x01\x01", b"\x03\x02\x00\x01", _element(0x30, _EMPTY, b"\x03\x02\x00\x01")


def _made(*tbs: bytes, rest: tuple[bytes, ...] = (_EMPTY, _BITS)) -> bytes:
    return _element(0x30, _element(0x30, *tbs), *rest)


def test_one_of_the_first_version_has_no_version() -> None:
    assert public_key(_made(_NUMBER, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _KEY)) == _KEY
    assert public_key(_made(b"\xa0\x00", _NUMBER, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _KEY, _EMPTY)) == _KEY


_FIELDS = (_NUMBER, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _KEY)


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x00",
        b"\x30\x85\x00\x00\x00\x00\x00",
        b"junk",
        _LEAF + b"\x00",
        _LEAF + _LEAF,
        b"\x31" + _LEAF[1:],
        _made(),
        _made(*_FIELDS[:5]),
        _made(*_FIELDS[1:]),
        _made(b"\xa0\x00", b"\xa0\x00", *_FIELDS),
        _made(*_FIELDS[:5], _EMPTY),
        _made(*_FIELDS[:5], _element(0x30, _EMPTY)),
        _made(*_FIELDS[:5], _element(0x30, _BITS, _EMPTY)),
        _made(*_FIELDS[:5], _element(0x30, _EMPTY, _BITS, _BITS)),
        _made(*_FIELDS[:5], b"\x31" + _KEY[1:]),
        _made(*_FIELDS, rest=(_EMPTY,)),
        _made(*_FIELDS, rest=(_BITS, _EMPTY)),
        _made(*_FIELDS, rest=(_EMPTY, _BITS, _BITS)),
        _made(*_FIELDS, b"\x1f\x01\x00"),
        _made(*_FIELDS, b"\x04"),
        _made(*_FIELDS, b"\x04\x02\x00"),
        # What stands there is right, and its length in a form that DER does not allow.
        _made(*_FIELDS[:5], _element(0x30, _EMPTY, _BITS, header=b"\x81\x06")),
        _made(*_FIELDS, _element(0x04, b"x" * 0x80, header=b"\x82\x00\x80")),
        _made(*_FIELDS, _element(0x04, header=b"\x80")),
    ],
)
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it|its|an) "):
        public_key(der)


def test_the_longest_length_that_is_said_in_one_octet_and_the_shortest_in_two() -> None:
    for size, header in ((0x7F, b"\x7f"), (0x80, b"\x81\x80"), (0xFF, b"\x81\xff"), (0x100, b"\x82\x01\x00")):
        assert public_key(_made(*_FIELDS, _element(0x04, b"x" * size, header=header))) == _KEY


def test_it_is_cut_off_anywhere() -> None:
    for der in _CERTIFICATES:
        for size in range(len(der)):
            with pytest.raises(ValueError, match=r"cut off|DER allows|not one"):
                public_key(der[:size])


def _read_by_library(der: bytes) -> bytes | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # What the library raises differs from version to version.
        try:
            return _spki(der)
        except Exception:
            return None


@given(st.sampled_from(_CERTIFICATES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_damage_gives_a_key_that_is_there_or_a_value_error(der: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(der)
    for at, octet in changes:
        damaged[at % len(damaged)] = octet
    try:
        found = public_key(bytes(damaged))
    except ValueError:
        # Nothing that a client could take for a certificate with a key.
        assert _read_by_library(bytes(damaged)) is None
        return
    assert found in bytes(damaged)
    assert _read_by_library(bytes(damaged)) in (None, found)


@given(st.binary(max_size=200))
def test_any_bytes_give_bytes_or_a_value_error(data: bytes) -> None:
    for tried in (data, _element(0x30, _element(0x30, data), _EMPTY, _BITS), _made(*_FIELDS[:5], data)):
        try:
            assert public_key(tried) in tried
        except ValueError:
            continue
