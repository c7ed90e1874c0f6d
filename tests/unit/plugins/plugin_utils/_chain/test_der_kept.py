# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER octet by octet: what is read, and what is refused because it is not what RFC 5280 describes."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import der, unusable
from ansible_collections.certfleet.collectssl.tests.support import authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, *parts)


_OID = _tlv(0x06, b"\x2a\x03")


# --- elements -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_elements_of_every_length(size: int) -> None:
    content = bytes(size)
    first, second = der.elements(_tlv(0x04, content) + _tlv(0x05))
    assert (first.tag, first.content, first.whole) == (0x04, content, _tlv(0x04, content))
    assert (second.tag, second.content, second.whole) == (0x05, b"", b"\x05\x00")


def test_nothing_has_no_elements() -> None:
    assert der.elements(b"") == []
    assert der.sequence(b"\x30\x00") == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x30", "cut off, or of an unknown kind"),
        (b"\x1f\x01\x00", "cut off, or of an unknown kind"),
        (b"\x3f\x00", "cut off, or of an unknown kind"),
        (b"\xff\x00", "cut off, or of an unknown kind"),
        (b"\x30\x80\x00\x00", "no length that DER allows"),
        (b"\x04\x85\x00\x00\x00\x00\x00", "no length that DER allows"),
        (b"\x04\xff\x00", "no length that DER allows"),
        (b"\x04\x01", "an element is cut off"),
        (b"\x04\x81", "an element is cut off"),
        (b"\x04\x84\x00\x00\x00", "an element is cut off"),
        (b"\x04\x81\x02x", "an element is cut off"),
        (b"\x05\x00\x04\x02x", "an element is cut off"),
    ],
)
def test_what_is_no_element(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        der.elements(data)


@pytest.mark.parametrize("data", [b"", b"\x31\x00", b"\x30\x00\x30\x00", b"\x30\x00\x00\x00", b"\x04\x00"])
def test_what_is_not_one_sequence(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a SEQUENCE"):
        der.sequence(data)


# --- object identifiers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dotted",
    [
        "0.0",
        "0.39",
        "1.0",
        "1.39",
        "2.0",
        "2.39",
        "2.40",
        "2.47",
        "2.48",
        "2.999.3",
        "1.2.840.113549.1.1.11",
        "2.5.29.19",
        *("1.3.127", "1.3.128", "1.3.16383", "1.3.16384", "2.16.840.1.101.3.4.3.17"),
    ],
)
def test_object_identifiers_are_written_as_the_library_writes_them(dotted: str) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), b"") if dotted.count(".") > 1 else None
    numbers = [int(part) for part in dotted.split(".")]
    octets = b""
    for number in (40 * numbers[0] + numbers[1], *numbers[2:]):
        part = [number & 0x7F]
        while number := number >> 7:
            part.append(0x80 | number & 0x7F)
        octets += bytes(reversed(part))
    assert der.dotted(octets) == dotted
    assert extension is None or extension.oid.dotted_string == dotted


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x2a\x86", b"\x2a\x03\xff"])
def test_an_object_identifier_that_is_cut_off(octets: bytes) -> None:
    with pytest.raises(ValueError, match="an object identifier is cut off"):
        der.dotted(octets)


def test_the_algorithm_stands_first_or_in_what_stands_first() -> None:
    assert der.algorithm_identifier(_sequence(_OID)) == "1.2.3"
    assert der.algorithm_identifier(_sequence(_OID, b"\x05\x00")) == "1.2.3"
    assert der.algorithm_identifier(_sequence(_sequence(_OID), b"\x03\x01\x00")) == "1.2.3"
    for data in (_sequence(), _sequence(b"\x05\x00"), _sequence(_sequence()), _sequence(b"\x05\x00", _OID)):
        with pytest.raises(ValueError, match="does not begin with what it has to"):
            der.algorithm_identifier(data)


# --- extensions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "is_ca"),
    [
        (b"\x30\x00", False),
        (b"\x30\x03\x01\x01\xff", True),
        (b"\x30\x03\x01\x01\x01", True),
        (b"\x30\x03\x01\x01\x00", False),
        (b"\x30\x06\x01\x01\xff\x02\x01\x00", True),
        (b"\x30\x03\x02\x01\x00", False),
    ],
)
def test_whether_basic_constraints_make_an_authority(value: bytes, is_ca: bool) -> None:
    assert der.is_ca(value) is is_ca


@pytest.mark.parametrize(
    "value",
    [
        b"\x30\x02\x01\x00",
        b"\x30\x04\x01\x02\xff\xff",
        b"\x30\x06\x02\x01\x00\x01\x01\xff",
        b"\x30\x06\x01\x01\xff\x01\x01\xff",
        b"\x30\x09\x01\x01\xff\x02\x01\x00\x02\x01\x00",
        b"\x30\x05\x01\x01\xff\x05\x00",
        b"\x30\x02\x05\x00",
        b"\x30\x04\x05\x00\x02\x00",
    ],
)
def test_basic_constraints_that_are_none(value: bytes) -> None:
    with pytest.raises(ValueError, match="not what RFC 5280 describes"):
        der.is_ca(value)


def test_alternative_names_of_every_kind() -> None:
    entries = [
        _tlv(0x81, b"a@example.com"),
        _tlv(0x82, b"www.example.com"),
        _tlv(0x86, b"https://www.example.com"),
        _tlv(0x87, bytes((192, 0, 2, 1))),
        _tlv(0x87, bytes(15) + b"\x01"),
        # Other kinds are passed over: otherName, x400Address, directoryName, ediPartyName, registeredID.
        *(_tlv(tag) for tag in (0xA0, 0xA3, 0xA4, 0xA5, 0x88)),
    ]
    assert der.general_names(_sequence(*entries)) == (
        ["email:a@example.com", "DNS:www.example.com", "URI:https://www.example.com", "IP:192.0.2.1", "IP:::1"],
        0,
    )


@pytest.mark.parametrize(
    "entry", [_tlv(0x82, b"\xff"), _tlv(0x87, bytes(5)), _tlv(0x89), _tlv(0x02, b"\x00"), _tlv(0x8A), _tlv(0xC2, b"a")]
)
def test_a_name_that_cannot_be_read_is_counted_and_hides_no_other(entry: bytes) -> None:
    assert der.general_names(_sequence(entry, _tlv(0x82, b"a"), entry)) == (["DNS:a"], 2)


def _certificate(*extensions: bytes, version: bool = True, serial: bytes = b"\x02\x01\x2a") -> bytes:
    name = _sequence(_tlv(0x31, _sequence(_tlv(0x06, b"\x55\x04\x03"), _tlv(0x0C, b"www"))))
    parts = [serial, _sequence(_OID), name, _sequence(), name, _sequence(_sequence(_OID))]
    if version:
        parts.insert(0, _tlv(0xA0, b"\x02\x01\x02"))
    if extensions:
        parts += [_tlv(0x81, b"\x00"), _tlv(0xA3, _sequence(*extensions))]
    return _sequence(*parts)


def test_the_fields_of_a_certificate() -> None:
    extension = _sequence(_OID, b"\x01\x01\xff", _tlv(0x04, b"value"))
    for version in (True, False):
        found = der.fields(_certificate(extension, _sequence(_OID[:-1] + b"\x04", _tlv(0x04)), version=version))
        assert (found.serial_number, found.signature_algorithm) == (42, _sequence(_OID))
        assert found.issuer == found.subject
        assert found.public_key == _sequence(_sequence(_OID))
        assert found.extensions == ((b"\x2a\x03", b"value"), (b"\x2a\x04", b""))
        assert (found.extension(b"\x2a\x03"), found.extension(b"\x2a\x05")) == (b"value", None)
    assert der.fields(_certificate()).extensions == ()
    assert der.fields(_certificate(serial=b"\x02\x01\xff")).serial_number == -1


def test_an_extension_that_is_there_twice_is_asked_for_in_vain() -> None:
    extension = _sequence(_OID, _tlv(0x04, b"value"))
    found = der.fields(_certificate(extension, extension))
    with pytest.raises(ValueError, match="it is there more than once"):
        found.extension(b"\x2a\x03")
    assert found.extension(b"\x2a\x04") is None


@pytest.mark.parametrize(
    "extension",
    [
        _sequence(),
        _sequence(_OID),
        _sequence(_tlv(0x04)),
        _sequence(_OID, b"\x05\x00"),
        _sequence(b"\x05\x00", _tlv(0x04)),
        _sequence(_tlv(0x04), _tlv(0x04)),
    ],
)
def test_an_extension_that_is_none(extension: bytes) -> None:
    with pytest.raises(ValueError, match="an extension is not what RFC 5280 describes"):
        der.fields(_certificate(extension))


def test_a_serial_number_is_a_number() -> None:
    with pytest.raises(ValueError, match="it is no number"):
        der.fields(_certificate(serial=b"\x04\x01\x2a"))
    with pytest.raises(ValueError, match="fields are missing"):
        der.fields(_sequence(*[b"\x05\x00"] * 5))
    with pytest.raises(ValueError, match="fields are missing"):
        der.fields(_sequence(_tlv(0xA0), *[b"\x05\x00"] * 5))


def test_name_and_number_of_what_nobody_else_can_read() -> None:
    def named(*names: bytes) -> bytes:
        kinds = {b"C": b"\x55\x04\x06"}
        relative = [
            _tlv(0x31, _sequence(_tlv(0x06, kinds.get(name, b"\x55\x04\x03")), _tlv(0x0C, name))) for name in names
        ]
        subject = _sequence(*relative)
        signed = _sequence(b"\x02\x01\x07", _sequence(_OID), _sequence(), _sequence(), subject, _sequence())
        return _sequence(signed, _sequence(_OID), b"\x03\x01\x00")

    assert der.subject_and_serial(named(b"one", b"C", b"two", b"C")) == ("two", 7)
    assert der.subject_and_serial(named(b"C")) == ("", 7)
    assert der.subject_and_serial(named()) == ("", 7)
    assert der.subject_and_serial(named(b"\xff")) == ("\ufffd", 7)
    for data in (_sequence(), _sequence(b"\x05\x00"), b"", b"junk"):
        with pytest.raises(ValueError, match=r"it |an "):
            der.subject_and_serial(data)


# --- what is taken for a certificate ------------------------------------------------------------------------------


def _key_forms() -> dict[bytes, str | None]:
    key = authority.new_key("rsa")
    private, public = serialization.PrivateFormat, serialization.PublicFormat
    none, form = serialization.NoEncryption(), serialization.Encoding.DER
    return {
        key.private_bytes(form, private.PKCS8, none): "a private key",
        key.private_bytes(form, private.TraditionalOpenSSL, none): "a private key",
        key.private_bytes(form, private.PKCS8, serialization.BestAvailableEncryption(b"x")): "a private key",
        authority.new_key().private_bytes(form, private.TraditionalOpenSSL, none): "a private key",
        key.public_key().public_bytes(form, public.SubjectPublicKeyInfo): "a public key",
        key.public_key().public_bytes(form, public.PKCS1): "a public key",
        authority.chain().served[-1]: None,
    }


@pytest.mark.parametrize(("data", "what"), _key_forms().items(), ids=range(7))
def test_what_a_key_is_in_each_form(data: bytes, what: str | None) -> None:
    assert unusable.kind(data) == what


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (_sequence(b"\x02\x01\x03", _sequence()), "a PKCS#12 structure"),
        (_sequence(b"\x02\x01\x03", b"\x04\x00"), None),
        (_sequence(b"\x02\x01\x03"), None),
        (_sequence(b"\x02\x01\x02", _sequence()), None),
        (_sequence(b"\x02\x01\x00", b"\x02\x01\x00"), "a public key"),
        (_sequence(b"\x02\x01\x00", b"\x02\x01\x00", b"\x02\x01\x00"), "a private key"),
        (_sequence(b"\x02\x01\x01", b"\x04\x00"), "a private key"),
        (_sequence(b"\x02\x01\x00"), "a private key"),
        (_sequence(b"\x02\x02\x00\x00"), None),
        (_sequence(_sequence(_OID), b"\x04\x00"), "a private key"),
        (_sequence(_sequence(_OID), b"\x03\x01\x00"), "a public key"),
        (_sequence(_sequence(_OID), b"\x02\x01\x00"), None),
        (_sequence(_sequence(_OID), b"\x03\x01\x00", b"\x04\x00"), "a private key"),
        (_sequence(_sequence(b"\x02\x01\x00", _sequence(), _sequence(), b"\xa0\x00")), "a certificate request"),
        (_sequence(_sequence(b"\x02\x01\x00", _sequence(), _sequence())), None),
        (_sequence(_sequence(b"\x02\x01\x00", _sequence(), _sequence(), b"\xa1\x00")), None),
        (_sequence(_sequence(b"\x02\x01\x00", _sequence(), b"\xa0\x00")), None),
        (_sequence(_sequence(b"\x02\x01\x00", b"\x05\x00", _sequence(), b"\xa0\x00")), None),
        (_sequence(_sequence(b"\x05\x00", _sequence(), _sequence(), b"\xa0\x00")), None),
        (_sequence(_sequence(_sequence(), _tlv(0x17, b"x"))), "a revocation list"),
        (_sequence(_sequence(_sequence(), _tlv(0x18, b"x"))), "a revocation list"),
        (_sequence(_sequence(_sequence(), _tlv(0x16, b"x"))), None),
        (_sequence(b"\x05\x00"), None),
        (_sequence(), None),
        (b"junk", None),
        (b"", None),
    ],
)
def test_what_a_structure_is(data: bytes, what: str | None) -> None:
    assert unusable.kind(data) == what


@pytest.mark.parametrize(
    ("label", "what"),
    [
        ("PRIVATE KEY", "a private key. A key belongs on the target"),
        ("RSA PRIVATE KEY", "a private key. A key belongs on the target"),
        ("NEW CERTIFICATE REQUEST", "a certificate request. Give the certificate that the authority issued"),
        ("PUBLIC KEY", "a public key."),
        ("X509 CRL", "a revocation list."),
        ("DH PARAMETERS", "parameters for keys."),
        ("TRUSTED CERTIFICATE", "a TRUSTED CERTIFICATE. Make an ordinary certificate of it"),
        ("CRL OF MINE", "a block CRL OF MINE."),
    ],
)
def test_blocks_that_hold_no_certificate_are_named(label: str, what: str) -> None:
    assert unusable.labels([label, label]).startswith(f"content holds no certificates, only {what}")
    assert unusable.labels(["PRIVATE KEY", "NEW CERTIFICATE REQUEST"]) == (
        "content holds no certificates, only a private key and a certificate request. A key belongs on the target "
        "(privatekey_path), and not in here. Give the certificate that the authority issued for it."
    )
    assert unusable.labels(["CMS", label]).startswith("content holds no certificates, only a block CMS and ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("<html>", "a page of HTML or XML"),
        ("$ANSIBLE_VAULT;1.1", "still encrypted with ansible-vault"),
        ("{'content': 1}", "the text of a dictionary"),
        ("\u2014BEGIN CERTIFICATE", "not hyphens"),
        ("\u2013---- BEGIN CERTIFICATE", "not hyphens"),
        ("\u2212-BEGIN X", "not hyphens"),
        ("# -----BEGIN CERTIFICATE-----", "no boundary stands at the beginning of a line"),
        ("BEGIN", "neither PEM"),
        ("a\x00b", "a binary file that was read as text"),
        ("a\x08b", "a binary file that was read as text"),
        ("a\x0eb", "a binary file that was read as text"),
        ("a\x1fb", "a binary file that was read as text"),
        ("\ufffd", "a binary file that was read as text"),
        ("a\udcffb", "a binary file that was read as text"),
        ("a\tb\x0bc", "neither PEM"),
        ("/etc/ssl/www", "the path of a file"),
        ("~/www", "the path of a file"),
        ("www.pem", "the path of a file"),
        ("./www.crt", "the path of a file"),
        ("../www.cer", "the path of a file"),
        ("C:\\www.pfx", "the path of a file"),
        ("a.p7b", "the path of a file"),
        ("a.p7c", "the path of a file"),
        ("a.der", "the path of a file"),
        ("a.p12", "the path of a file"),
        ("a.zip", "the path of a file"),
        ("a.txt", "the path of a file"),
        ("a b.pem", "neither PEM"),
        ("www.pem.bak", "neither PEM"),
        ("www", "neither PEM"),
        ("/" + "a" * 1000, "the path of a file"),
        ("/" + "a" * 1001, "neither PEM"),
        ("a" * 1000 + ".pem", "the path of a file"),
        ("TUlJ\\nTUlJ", "base64 with the two characters"),
        ("TUlJ\\\\rTUlJ", "base64 with the two characters"),
        ("TUlJ\\tTUlJ", "neither PEM"),
        ("TUlJ TUlJ", "neither PEM"),
        ("TUlJ\\nTUlJ!", "neither PEM"),
    ],
)
def test_texts_that_hold_no_certificate_are_told_apart(text: str, what: str) -> None:
    said = unusable.text(text)
    assert what in said
    assert said.startswith("content holds no certificates")


def test_data_that_holds_no_certificate_is_named() -> None:
    assert "it is a ZIP archive in base64. Unpack it" in unusable.data(b"PK\x03\x04")
    assert "it is a private key in base64. A key belongs" in unusable.data(_sequence(b"\x02\x01\x00"))
    assert "it is base64 of something that is neither PEM" in unusable.data(b"junk")
    assert "in line 7: OpenSSL's own form" in unusable.trusted(7)
    assert "openssl x509 -in FILE" in unusable.trusted(7)
