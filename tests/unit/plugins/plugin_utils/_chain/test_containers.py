# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZIP archives, PKCS#7 structures and Netscape sequences: good ones as openssl and zip make them, and every bad one."""

from __future__ import annotations

import io
import pathlib
import random
import shutil
import struct
import subprocess
import time
import typing as t
import warnings
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import structure_length
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.containers import unpack
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _archive, _asn1
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    chain,
    ders_of,
    pem_of,
)
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl

_DERS = chain().served


def _zip(entries: t.Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in entries:
            archive.writestr(name, content)
    return output.getvalue()


def _files() -> list[tuple[str, bytes]]:
    names = ("AAACertificateServices.crt", "Upper.crt", "Lower.crt", "STAR_example_com.crt")
    return [(name, pem_of(der).encode("ascii")) for name, der in zip(names, _DERS, strict=True)]


# --- openssl and zip as the second opinion -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
@pytest.mark.parametrize("order", ["root first", "leaf first", "scrambled"])
def test_pkcs7_by_openssl(kind: str, order: str, tmp_path: pathlib.Path) -> None:
    ders = list(chain(kind).served)
    if order == "leaf first":
        ders.reverse()
    elif order == "scrambled":
        ders = [ders[2], ders[0], ders[3], ders[1]]
    (tmp_path / "chain.pem").write_text(pem_of(*ders))
    data = openssl("crl2pkcs7", "-nocrl", "-certfile", tmp_path / "chain.pem", "-outform", "DER")
    assert structure_length(data) == len(data)
    assert unpack("pkcs7", data) == ders
    assert ders_of(openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=data).decode("ascii")) == ders


@pytest.mark.parametrize("leaf_first", [False, True])
def test_pkcs7_of_the_simulator_is_read_as_openssl_reads_it(leaf_first: bool) -> None:
    ders = list(_DERS[::-1] if leaf_first else _DERS)
    data = _asn1.pkcs7(ders)
    printed = openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=data).decode("ascii")
    with warnings.catch_warnings():
        # The library has an opinion on the order in a SET; users must not see it with every certificate.
        warnings.simplefilter("error")
        assert unpack("pkcs7", data) == ders_of(printed) == ders


def test_pkcs7_of_indefinite_length_by_openssl(tmp_path: pathlib.Path) -> None:
    (tmp_path / "leaf.pem").write_text(pem_of(_DERS[3]))
    (tmp_path / "others.pem").write_text(pem_of(*_DERS[:3]))
    key = chain_key(tmp_path)
    data = openssl(
        *("cms", "-sign", "-binary", "-nodetach", "-stream", "-outform", "DER"),
        *("-signer", key.with_suffix(".pem"), "-inkey", key, "-certfile", tmp_path / "others.pem"),
        stdin=b"anything",
    )
    assert data[:2] == b"\x30\x80"
    assert structure_length(data + b"more") == len(data)
    assert set(_DERS[:3]) < set(unpack("pkcs7", data))


def chain_key(folder: pathlib.Path) -> pathlib.Path:
    """A key with a certificate beside it, by openssl."""
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=signer"),
        *("-keyout", folder / "signer.key", "-out", folder / "signer.pem"),
    )
    return folder / "signer.key"


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_netscape_sequence_by_openssl(kind: str, tmp_path: pathlib.Path) -> None:
    ders = list(chain(kind).served)
    (tmp_path / "chain.pem").write_text(pem_of(*ders))
    armoured = openssl("nseq", "-toseq", "-in", tmp_path / "chain.pem").decode("ascii")
    assert armoured.startswith("-----BEGIN CERTIFICATE-----")
    data = openssl("base64", "-d", stdin="\n".join(armoured.splitlines()[1:-1]).encode("ascii") + b"\n")
    assert structure_length(data) == len(data)
    assert unpack("netscape", data) == ders
    assert ders_of(openssl("nseq", stdin=armoured.encode("ascii")).decode("ascii")) == ders
    assert data == _asn1.netscape_sequence(ders)


def test_zip_by_zip(tmp_path: pathlib.Path) -> None:
    program = shutil.which("zip")
    if program is None:
        pytest.skip("the zip program is not installed")
    for name, content in _files():
        (tmp_path / name).write_bytes(content)
    names = [name for name, _content in _files()]
    subprocess.run([program, "-q", "chain.zip", *names], cwd=tmp_path, check=True, timeout=60)
    data = (tmp_path / "chain.zip").read_bytes()
    assert structure_length(data) == len(data)
    assert unpack("zip", data) == list(_DERS)


# --- ZIP: what is fine ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_certificates(method: int) -> None:
    assert unpack("zip", _zip(_files(), method)) == list(_DERS)


@pytest.mark.parametrize("convert", [lambda pem, der: pem.replace(b"\n", b"\r\n"), lambda pem, der: der])
def test_files_with_other_line_ends_or_der(convert: t.Callable[[bytes, bytes], bytes]) -> None:
    entries = [(name, convert(content, der)) for (name, content), der in zip(_files(), _DERS, strict=True)]
    assert unpack("zip", _zip(entries)) == list(_DERS)


def test_several_certificates_in_one_file() -> None:
    assert unpack("zip", _zip([("all.ca-bundle", pem_of(*_DERS).encode("ascii"))])) == list(_DERS)


def test_files_of_another_kind_are_passed_over() -> None:
    others = [
        *(("README.txt", b"0 is where this text begins\n"), ("folder/", b""), ("nested.zip", _zip(_files()))),
        *(("order.key", openssl("genpkey", "-algorithm", "ed25519")), ("empty.txt", b"")),
    ]
    assert unpack("zip", _zip([*others, *_files()])) == list(_DERS)
    assert unpack("zip", _zip(others)) == []


def test_names_that_climb_are_but_names(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert unpack("zip", _archive.climbing_names(_DERS)) == list(_DERS)
    assert not list(tmp_path.iterdir())


def test_two_files_of_one_name() -> None:
    assert unpack("zip", _zip([("a.crt", _files()[0][1]), ("a.crt", _files()[1][1])])) == list(_DERS[:2])


# --- ZIP: what is not ----------------------------------------------------------------------------------------------


def _entry_sizes_changed(data: bytes, size: int) -> bytes:
    """The archive with another unpacked size in its central directory."""
    at = data.rfind(b"PK\x01\x02")
    return data[: at + 24] + struct.pack("<I", size) + data[at + 28 :]


def _encrypted(data: bytes) -> bytes:
    damaged = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := damaged.find(signature, at + 1)) >= 0:
            damaged[at + offset] |= 1
    return bytes(damaged)


_BAD_ZIPS: dict[str, bytes] = {
    "bomb": _archive.bomb(_DERS, 50),
    "small bomb": _zip([("a.crt", b"0" * 900_000)]),
    "many small bombs": _zip([(f"{number}.txt", random.Random(number).randbytes(40_000)) for number in range(32)]),  # noqa: S311
    "too many entries": _archive.many_entries(_DERS, 33),
    "encrypted": _encrypted(_zip(_files())),
    "bzip2": _zip(_files(), zipfile.ZIP_BZIP2),
    "lzma": _zip(_files(), zipfile.ZIP_LZMA),
    "states too little": _entry_sizes_changed(_zip(_files()), 10),
    "states too much": _entry_sizes_changed(_zip(_files()), 2**31),
    "empty certificate file": _zip([*_files(), ("empty.crt", b"")]),
    "no certificate in certificate file": _zip([*_files(), ("page.CER", b"<html>")]),
    "torn certificate": _zip([*_files()[:3], ("leaf.crt", _files()[3][1][:-30])]),
    "torn second certificate": _zip([("all.txt", b"".join(content for _name, content in _files())[:-30])]),
    "torn DER": _zip([*_files()[:3], ("leaf.crt", _DERS[3][:-1])]),
    "cut": _zip(_files())[:-30],
    "wrong checksum": _zip(_files(), zipfile.ZIP_STORED).replace(b"MII", b"MIJ", 1),
    "no archive": b"PK\x03\x04" + b"\x00" * 100,
    "nothing": b"",
    "text": b"<html></html>",
}


@pytest.mark.parametrize("name", _BAD_ZIPS)
def test_a_bad_zip_is_refused_at_once(name: str) -> None:
    begin = time.process_time()
    with pytest.raises(ChainError, match=r"ZIP archive"):
        unpack("zip", _BAD_ZIPS[name])
    assert time.process_time() - begin < 1


def test_the_most_that_is_read() -> None:
    content = pem_of(_DERS[0]).encode("ascii")
    assert unpack("zip", _zip((f"{number}.crt", content) for number in range(32))) == [_DERS[0]] * 32


# --- ASN.1: what is not --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pkcs7", "netscape"])
@pytest.mark.parametrize(
    "data", [b"", b"0", b"0\x80", b"0\x00", b"0\x03\x06\x01\x00", b"\xff" * 100, _DERS[0], b"0\x84\xff\xff\xff\xff"]
)
def test_structures_that_are_none(kind: str, data: bytes) -> None:
    with pytest.raises(ChainError, match="cannot be read"):
        unpack(kind, data)


def test_structures_of_the_other_kind() -> None:
    with pytest.raises(ChainError, match=r"PKCS#7 structure cannot be read"):
        unpack("pkcs7", _asn1.netscape_sequence(_DERS))
    with pytest.raises(ChainError, match="Netscape certificate sequence cannot be read"):
        unpack("netscape", _asn1.pkcs7(_DERS))


@pytest.mark.parametrize("kind", ["pkcs7", "netscape"])
def test_structures_cut_anywhere(kind: str) -> None:
    data = {"pkcs7": _asn1.pkcs7, "netscape": _asn1.netscape_sequence}[kind](_DERS)
    for size in range(len(data)):
        with pytest.raises(ChainError):
            unpack(kind, data[:size])


def test_an_empty_netscape_sequence() -> None:
    assert unpack("netscape", _asn1.netscape_sequence(())) == []


def _element(tag: int, content: bytes) -> bytes:
    assert len(content) < 0x80
    return bytes((tag, len(content))) + content


_NETSCAPE_TYPE = _element(0x06, b"\x60\x86\x48\x01\x86\xf8\x42\x02\x05")
_NO_CERTIFICATES = _element(0xA0, _element(0x30, b""))


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (_NETSCAPE_TYPE + _NO_CERTIFICATES, None),
        (_NETSCAPE_TYPE, "it is not a type and what belongs to it"),
        (_NO_CERTIFICATES + _NETSCAPE_TYPE, "it is not a type and what belongs to it"),
        (_NETSCAPE_TYPE + _NO_CERTIFICATES * 2, "it is not a type and what belongs to it"),
        (_NETSCAPE_TYPE + _element(0xA1, _element(0x30, b"")), "it is not a type and what belongs to it"),
        (_NETSCAPE_TYPE + _element(0x30, b""), "it is not a type and what belongs to it"),
        (_NETSCAPE_TYPE + _element(0xA0, _element(0x31, b"")), "it is not a SEQUENCE"),
        (_NETSCAPE_TYPE + _element(0xA0, _element(0x30, b"") * 2), "it is not a SEQUENCE"),
        (_element(0x06, b"\x2a\x03") + _NO_CERTIFICATES, "its type is 1.2.3"),
        (_element(0x06, b"") + _NO_CERTIFICATES, "an object identifier is cut off"),
    ],
)
def test_what_a_netscape_sequence_is(parts: bytes, why: str | None) -> None:
    data = _element(0x30, parts)
    if why is None:
        assert unpack("netscape", data) == []
        return
    with pytest.raises(ChainError) as caught:
        unpack("netscape", data)
    assert str(caught.value) == f"The Netscape certificate sequence cannot be read: {why}"
    with pytest.raises(ChainError):
        unpack("netscape", data + b"\x00")


def test_a_certificate_of_an_unknown_version_in_pkcs7() -> None:
    data = _asn1.pkcs7(list(_DERS))
    version_3 = b"\xa0\x03\x02\x01\x02"
    assert version_3 in data
    with pytest.raises(ChainError, match="cannot be read"):
        unpack("pkcs7", data.replace(version_3, b"\xa0\x03\x02\x01\x06"))
