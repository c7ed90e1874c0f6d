# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities, certificates and what faults make of them, judged by openssl."""

from __future__ import annotations

import datetime
import io
import pathlib
import subprocess
import typing as t
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _faults, _pki
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._certificates import (
    Issued,
    Issuer,
    Served,
    validity_of,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._orders import Terms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

UTC = datetime.timezone.utc
TERMS = Terms(names=("www.example.com", "192.0.2.1", "2001:db8::1", "*.example.com"))


@pytest.fixture(scope="module")
def issued(issuer: Issuer) -> Issued:
    return issuer.issue("C1", TERMS, 1, 1)


def pem(*certificates: bytes | x509.Certificate) -> bytes:
    loaded = (x509.load_der_x509_certificate(item) if isinstance(item, bytes) else item for item in certificates)
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in loaded)


def verdict(tmp_path: pathlib.Path, root: bytes, chain: t.Sequence[bytes], leaf: bytes, *options: str) -> str:
    """Return what openssl says of a chain: "OK" or its errors."""
    (tmp_path / "root.pem").write_bytes(pem(root))
    (tmp_path / "chain.pem").write_bytes(pem(*chain) or pem(root))
    (tmp_path / "leaf.pem").write_bytes(pem(leaf))
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-x509_strict",
            "-no-CApath",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "chain.pem",
            *options,
            "leaf.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "OK" if done.returncode == 0 else done.stdout + done.stderr


def serve(issuer: Issuer, issued: Issued, name: str, **parameters: t.Any) -> Served:
    return issuer.serve(issued, _faults.make(name, parameters))


@pytest.mark.parametrize("kind", sorted(_pki.CHAINS))
def test_every_kind_of_chain_verifies(issuer: Issuer, tmp_path: pathlib.Path, kind: str) -> None:
    issued = issuer.issue("C2", Terms(names=("www.example.com",), chain=kind), 1, 1)
    served = issuer.serve(issued, None)
    assert served.leaf == len(served.certificates) - 1
    certificates = [x509.load_der_x509_certificate(der) for der in served.certificates]
    assert len(certificates) == len(_pki.CHAINS[kind]) + 1
    anchor = "foreign_root" if kind == "foreign" else "root"
    anchors = {anchor, "cross_root"} if kind in ("cross_root", "both") else {anchor}
    for name in sorted(anchors):
        root = issuer.pki[name].certificate.public_bytes(Encoding.DER)
        # A path builder that meets a self-signed certificate stops there, trusted or not: it gets the others alone.
        intermediates = [
            der
            for der, certificate in zip(served.certificates[:-1], certificates[:-1], strict=True)
            if certificate.subject != certificate.issuer
        ]
        if (name, kind) == ("root", "cross_root"):
            intermediates.append(issuer.pki["cross"].certificate.public_bytes(Encoding.DER))
        assert verdict(tmp_path, root, intermediates, served.certificates[-1], "-purpose", "sslserver") == "OK"


def test_one_subject_and_key_have_two_certificates(issuer: Issuer) -> None:
    cross, cross_root = issuer.pki["cross"].certificate, issuer.pki["cross_root"].certificate
    assert cross.subject == cross_root.subject == cross_root.issuer
    assert cross.public_key() == cross_root.public_key()
    assert cross.issuer == issuer.pki["root"].certificate.subject


def test_authorities_are_taken_up_again(issuer: Issuer) -> None:
    again = _pki.Pki(issuer.pki.directory)
    assert again["issuing"].certificate == issuer.pki["issuing"].certificate
    for path in issuer.pki.directory.glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_leaf_is_for_its_names(issued: Issued, tmp_path: pathlib.Path, issuer: Issuer) -> None:
    leaf = issued.leaf
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.com", "*.example.com"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    assert leaf.subject.rfc4514_string() == "CN=www.example.com"
    served = issuer.serve(issued, None)
    root, *chain, end = served.certificates
    for option, value in (("-verify_hostname", "shop.example.com"), ("-verify_ip", "2001:db8::1")):
        assert verdict(tmp_path, root, chain, end, option, value) == "OK"


def test_a_name_too_long_for_a_common_name(issuer: Issuer, tmp_path: pathlib.Path) -> None:
    name = ".".join(["a" * 40, "b" * 40, "example"])
    served = issuer.serve(issuer.issue("C3", Terms(names=(name,)), 1, 1), None)
    root, *chain, end = served.certificates
    assert verdict(tmp_path, root, chain, end, "-verify_hostname", name) == "OK"


def test_validity_is_whole_days() -> None:
    now = datetime.datetime(2026, 5, 14, 15, 16, 17, tzinfo=UTC)
    start, end = validity_of(Terms(names=("a",), valid_days=365), now)
    assert (start, end) == (
        datetime.datetime(2026, 5, 14, tzinfo=UTC),
        datetime.datetime(2027, 5, 13, 23, 59, 59, tzinfo=UTC),
    )
    past = datetime.datetime(2025, 1, 31, 23, 59, 59, tzinfo=UTC)
    start, end = validity_of(Terms(names=("a",), not_after=past), now)
    assert start < end == past


@pytest.mark.parametrize("key_type", _pki.KEY_TYPES)
def test_keys_of_orders_are_made_once(issuer: Issuer, key_type: str) -> None:
    terms = Terms(names=("a.example",), key_type=key_type)
    first = issuer.issue(f"../{key_type}", terms, 1, 1)
    assert issuer.issue(f"../{key_type}", terms, 1, 1).leaf == first.leaf
    reissued = issuer.issue(f"../{key_type}", terms, 2, 1)
    assert reissued.leaf.public_key() == first.leaf.public_key()
    assert reissued.leaf.serial_number != first.leaf.serial_number
    assert issuer.issue(f"../{key_type}", terms, 2, 2).leaf.public_key() != first.leaf.public_key()


def test_an_issuer_remembers_over_a_restart(issuer: Issuer, issued: Issued) -> None:
    again = Issuer(_pki.Pki(issuer.pki.directory), issuer.pki.directory.parent)
    assert again.issue("C1", TERMS, 1, 1).leaf == issued.leaf


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("foreign_root", "self-signed certificate in certificate chain"),
        ("foreign_intermediate", "unable to get"),
        ("missing_intermediate", "unable to get"),
        ("broken_signature_leaf", "signature failure"),
        ("broken_signature_intermediate", "signature failure"),
        ("expired_leaf", "certificate has expired"),
        ("expired_intermediate", "certificate has expired"),
        ("not_yet_valid_leaf", "not yet valid"),
        ("wrong_names", "ostname mismatch"),
        ("wrong_key", "OK"),
        ("scrambled_chain", "OK"),
        ("leaf_first", "OK"),
        ("duplicate_certificates", "OK"),
        ("extra_certificates", "OK"),
    ],
)
def test_faults_are_what_they_say(
    issuer: Issuer, issued: Issued, tmp_path: pathlib.Path, fault: str, word: str
) -> None:
    served = serve(issuer, issued, fault)
    assert served.leaf is not None
    leaf = served.certificates[served.leaf]
    others = [der for index, der in enumerate(served.certificates) if index != served.leaf]
    root = issuer.pki["root"].certificate.public_bytes(Encoding.DER)
    said = verdict(tmp_path, root, others, leaf, "-verify_hostname", "www.example.com")
    assert word in said
    same_key = x509.load_der_x509_certificate(leaf).public_key() == issued.leaf.public_key()
    assert same_key == (fault != "wrong_key")
    assert serve(issuer, issued, fault).certificates == served.certificates


def test_orders_of_certificates(issuer: Issuer, issued: Issued) -> None:
    right = issuer.serve(issued, None).certificates
    assert serve(issuer, issued, "leaf_first").certificates == right[::-1]
    scrambled = serve(issuer, issued, "scrambled_chain")
    assert sorted(scrambled.certificates) == sorted(right)
    assert scrambled.leaf not in (0, len(right) - 1)
    assert scrambled.certificates not in (right, right[::-1])
    assert serve(issuer, issued, "no_leaf").certificates == right[:-1]
    assert len(serve(issuer, issued, "duplicate_certificates").certificates) == 2 * len(right)
    assert len(serve(issuer, issued, "extra_certificates").certificates) == len(right) + 2
    assert len(serve(issuer, issued, "extra_certificates", leaf=True).certificates) == len(right) + 3


@pytest.mark.parametrize("kind", sorted(_pki.CHAINS))
def test_scrambling_moves_the_leaf_of_every_kind(issuer: Issuer, kind: str) -> None:
    issued = issuer.issue("C4", Terms(names=("www.example.com",), chain=kind), 1, 1)
    right = issuer.serve(issued, None).certificates
    scrambled = serve(issuer, issued, "scrambled_chain")
    assert scrambled.leaf is not None
    assert scrambled.certificates != right
    assert scrambled.certificates[scrambled.leaf] == right[-1]


def test_foreign_chains_are_consistent(issuer: Issuer, issued: Issued, tmp_path: pathlib.Path) -> None:
    root, *chain, leaf = serve(issuer, issued, "foreign_root").certificates
    assert verdict(tmp_path, root, chain, leaf) == "OK"


def test_bad_archives(issuer: Issuer, issued: Issued) -> None:
    def archive(name: str, **parameters: t.Any) -> zipfile.ZipFile:
        data = serve(issuer, issued, name, **parameters).archive
        assert data is not None
        return zipfile.ZipFile(io.BytesIO(data))

    with archive("zip_bomb", megabytes=20) as bomb:
        largest = max(bomb.infolist(), key=lambda entry: entry.file_size)
        assert largest.file_size == 20 << 20
        assert largest.compress_size * 500 < largest.file_size
    with archive("zip_many_entries", entries=1000) as many:
        assert len(many.namelist()) == 1004
    with archive("zip_climbing_names") as climbing:
        assert all(name.startswith("../../") for name in climbing.namelist())
