# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes an authority, names in subjects, and what is said where a library says nothing."""

from __future__ import annotations

import types

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import bundle, certificate, constraints, der
from ansible_collections.certfleet.collectssl.tests.support import authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.name import _ASN1Type

_NAME = x509.NameOID


def _root(*extensions: x509.ExtensionType) -> x509.Certificate:
    key = authority.new_key()
    name = authority.distinguished_name("Root")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(authority.LONG[0])
        .not_valid_after(authority.LONG[1])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def test_a_root_of_version_3_says_that_it_is_one() -> None:
    silent = _root()
    assert silent.version is x509.Version.v3
    assert certificate.is_self_signed(silent)
    assert not certificate.is_authority(silent)
    assert certificate.is_authority(_root(x509.BasicConstraints(ca=True, path_length=None)))
    assert not certificate.is_authority(_root(x509.BasicConstraints(ca=False, path_length=None)))


@pytest.mark.parametrize(
    ("error", "words"), [(ValueError(), "ValueError"), (KeyError(". "), "'. '"), (ValueError("a."), "a")]
)
def test_a_library_without_words(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_data: bytes) -> None:
        raise error

    monkeypatch.setattr(x509, "load_der_x509_certificate", fail)
    with pytest.raises(
        ChainError, match=rf"^A certificate of 4 bytes cannot be read by cryptography [0-9.]+: {words}\. Is"
    ):
        certificate.load(b"abcd")


def _directory(*parts: tuple[x509.ObjectIdentifier, str]) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(kind, value) for kind, value in parts]))


@pytest.mark.parametrize(
    ("limit", "excludes"),
    [
        ([], True),
        ([(_NAME.COUNTRY_NAME, "DE")], True),
        ([(_NAME.COUNTRY_NAME, "DE"), (_NAME.ORGANIZATION_NAME, "an  EXAMPLE")], True),
        ([(_NAME.COUNTRY_NAME, "DE"), (_NAME.ORGANIZATION_NAME, "An Example"), (_NAME.COMMON_NAME, "www")], True),
        ([(_NAME.COUNTRY_NAME, "DE"), (_NAME.COMMON_NAME, "www")], False),
        ([(_NAME.ORGANIZATION_NAME, "An Example")], False),
        ([(_NAME.COUNTRY_NAME, "FR")], False),
        ([(_NAME.COUNTRY_NAME, "DE"), (_NAME.ORGANIZATIONAL_UNIT_NAME, "An Example")], False),
    ],
)
def test_a_subject_is_constrained_from_its_beginning(
    limit: list[tuple[x509.ObjectIdentifier, str]], excludes: bool
) -> None:
    parts = [(_NAME.COUNTRY_NAME, "DE"), (_NAME.ORGANIZATION_NAME, "An Example"), (_NAME.COMMON_NAME, "www")]
    top = authority.root()
    lower = top.subordinate("CA", extensions=[x509.NameConstraints(None, [_directory(*limit)])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(_directory(*parts).value)
        .issuer_name(authority.distinguished_name("CA"))
        .public_key(top.key.public_key())
        .serial_number(7)
        .not_valid_before(authority.LONG[0])
        .not_valid_after(authority.LONG[1])
    )
    leaf = builder.sign(lower.key, hashes.SHA256())
    said = constraints.fault(leaf, [lower.certificate, top.certificate])
    if excludes:
        assert said is not None
        assert "The name constraints of CN=CA exclude the subject CN=www,O=An Example,C=DE of CN=www," in said
    else:
        assert said is None


def test_mail_in_a_subject_counts_where_no_other_is_named() -> None:
    """As RFC 5280, section 4.2.1.10, has it."""
    top = authority.root()
    lower = top.subordinate("CA", extensions=[x509.NameConstraints([x509.RFC822Name("example.com")], None)])
    parts = [x509.NameAttribute(_NAME.EMAIL_ADDRESS, "jane@example.org")]
    for names, is_taken in (
        ([x509.RFC822Name("jane@example.com")], True),
        ([x509.DNSName("www.example.com")], False),
        ([x509.DNSName("www.example.com"), x509.RFC822Name("jane@example.com")], True),
        ([], False),
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(parts))
            .issuer_name(authority.distinguished_name("CA"))
            .public_key(top.key.public_key())
            .serial_number(7)
            .not_valid_before(authority.LONG[0])
            .not_valid_after(authority.LONG[1])
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        said = constraints.fault(builder.sign(lower.key, hashes.SHA256()), [lower.certificate, top.certificate])
        assert (said is None) is is_taken
        assert said is None or "exclude jane@example.org of" in said


@pytest.mark.parametrize("value", ["j\u00fcrgen@example.org", ""])
def test_mail_that_is_no_text_of_mail_is_in_no_constraint(value: str) -> None:
    top = authority.root()
    lower = top.subordinate("CA", extensions=[x509.NameConstraints([x509.RFC822Name("example.com")], None)])
    part = x509.NameAttribute(_NAME.EMAIL_ADDRESS, value, _ASN1Type.UTF8String, _validate=False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([part]))
        .issuer_name(authority.distinguished_name("CA"))
        .public_key(top.key.public_key())
        .serial_number(7)
        .not_valid_before(authority.LONG[0])
        .not_valid_after(authority.LONG[1])
    )
    assert constraints.fault(builder.sign(lower.key, hashes.SHA256()), [lower.certificate, top.certificate]) is None


def test_a_part_of_a_subject_that_is_no_text_is_compared() -> None:
    def named(octets: bytes) -> x509.Name:
        unique = x509.NameAttribute(_NAME.X500_UNIQUE_IDENTIFIER, octets, _ASN1Type.BitString)
        return x509.Name([unique, x509.NameAttribute(_NAME.COMMON_NAME, "www")])

    top = authority.root()
    limits = x509.NameConstraints(None, [x509.DirectoryName(named(b"\0ab"))])
    lower = top.subordinate("CA", extensions=[limits])
    for octets, is_taken in ((b"\0ab", False), (b"\0cd", True)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(octets))
            .issuer_name(authority.distinguished_name("CA"))
            .public_key(top.key.public_key())
            .serial_number(7)
            .not_valid_before(authority.LONG[0])
            .not_valid_after(authority.LONG[1])
        )
        said = constraints.fault(builder.sign(lower.key, hashes.SHA256()), [lower.certificate, top.certificate])
        assert (said is None) is is_taken


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, len(content))) + content


@pytest.mark.parametrize(
    ("between", "is_critical"),
    [
        ((b"\x01\x01\xff",), True),
        ((b"\x01\x01\x01",), True),
        ((b"\x01\x01\x00",), False),
        ((), False),
        ((b"\x02\x01\xff",), False),
    ],
)
@pytest.mark.parametrize("value", [b"", b"\x00", b"\x01\x01\xff"])
def test_an_extension_is_critical_where_it_says_so(between: tuple[bytes, ...], is_critical: bool, value: bytes) -> None:
    extension = _tlv(0x30, b"\x06\x02\x2a\x03", *between, _tlv(0x04, value))
    empty = b"\x30\x00"
    tbs = _tlv(0x30, b"\x02\x01\x2a", *[empty] * 5, _tlv(0xA3, _tlv(0x30, extension)))
    found = der.fields(tbs)
    assert found.extensions == ((b"\x2a\x03", value),)
    assert found.critical == (frozenset([b"\x2a\x03"]) if is_critical else frozenset())


def test_what_is_no_address_covers_no_name() -> None:
    """As in a record that somebody else wrote."""
    facts = {"subject": "CN=x", "subject_alt_names": ["IP:junk"], "unread_names": 0, "server_fault": None}
    with pytest.raises(ChainError, match="does not cover www"):
        bundle.Bundle(None, (), None, facts).check_names(["www.example.com"])


def test_lengths_and_tags_at_their_bounds() -> None:
    """All in one, as each other test reads elements, too."""
    for data in (b"\x30\x80\x00\x00", b"\x04\x85\x00\x00\x00\x00\x00", b"\x04\x80"):
        with pytest.raises(ValueError, match="no length that DER allows"):
            der.elements(data)
    for data in (b"\x04\x81", b"\x04\x84\x00\x00\x00", b"\x1f\x01\x00", b"\x04\x01"):
        with pytest.raises(ValueError, match="cut off"):
            der.elements(data)
    # Text in two octets a letter, as names of old have it; its tag is the last that one octet holds.
    assert der.elements(b"\x1e\x02\x00a\x9e\x00") == [
        der.Element(0x1E, b"\x00a", b"\x1e\x02\x00a"),
        der.Element(0x9E, b"", b"\x9e\x00"),
    ]


# As RFC 8017, RFC 9881 and RFC 9215 name them, and GM/T 0006.
_SIGNATURES = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.156.10197.1.501": "SM2 with SM3",
    "1.2.643.7.1.1.3.2": "GOST R 34.10-2012",
    "1.2.643.7.1.1.3.3": "GOST R 34.10-2012",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}


def _identifier(dotted: str) -> bytes:
    first, second, *others = (int(number) for number in dotted.split("."))
    octets = bytearray([40 * first + second])
    for number in others:
        part = [number & 0x7F]
        while number := number >> 7:
            part.insert(0, 0x80 | number & 0x7F)
        octets += bytes(part)
    return _tlv(0x30, _tlv(0x06, bytes(octets)))


def test_algorithms_that_people_have_a_name_for() -> None:
    assert certificate._ALGORITHMS == _SIGNATURES


@pytest.mark.parametrize("dotted", [*_SIGNATURES, "1.2.3.4"])
def test_an_algorithm_that_no_library_checks_has_its_name(dotted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = f"{_SIGNATURES[dotted]}, {dotted}" if dotted in _SIGNATURES else dotted
    found = types.SimpleNamespace(signature_algorithm=_identifier(dotted))
    monkeypatch.setattr(certificate, "_fields", lambda _cert: found)
    said = certificate._unsupported(_root(), ValueError("odd."))
    assert said.endswith(f" says: odd (signature algorithm {named})")
