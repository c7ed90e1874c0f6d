# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be checked is not called false, and is named with the certificate it is in; what nothing needs is let be.

The certificates are signed with their oddities in them, so that nothing else is wrong with them.
"""

from __future__ import annotations

import random
import typing as t
import warnings

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_content, describe_pem
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    NOW,
    Authority,
    broken,
    chain,
    der_of,
    ders_of,
    new_key,
    root,
    unreadable,
)
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

_NAME_CONSTRAINTS = "2.5.29.30"
_ALTERNATIVE_NAMES = "2.5.29.17"
_BASIC_CONSTRAINTS = "2.5.29.19"
#: SCT list, policies, CRL points, AIA, key identifiers.
_UNNEEDED = (
    *("1.3.6.1.4.1.11129.2.4.2", "2.5.29.32", "2.5.29.31"),
    *("1.3.6.1.5.5.7.1.1", "2.5.29.35", "2.5.29.14"),
)


def _armoured(*ders: bytes) -> str:
    return "".join(armour(der) for der in ders)


def _bundle(*ders: bytes) -> Bundle:
    return bundle_of_content(_armoured(*ders), NOW)


def _refused(*ders: bytes) -> str:
    with pytest.raises(ChainError) as caught:
        _bundle(*ders)
    said = str(caught.value)
    assert said.endswith((".", "?"))
    assert "\n" not in said
    return said


def _value(*entries: bytes) -> bytes:
    content = b"".join(entries)
    assert len(content) < 128
    return bytes((0x30, len(content))) + content


def test_what_a_subject_holds_does_nothing_to_a_terminal() -> None:
    leaf = root().certify("red\x1b[31m\nsubject: CN=www", new_key().public_key())
    described = describe_pem(_armoured(der_of(leaf)))
    assert described.startswith("subject: CN=red\\x1b[31m\\x0asubject: CN=www\nserial number: ")
    assert "\x1b" not in described


# --- extensions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", _UNNEEDED)
@pytest.mark.parametrize("value", [b"junk", b"\x30\x03\x02\x01", b""])
def test_an_extension_that_nothing_needs_condemns_no_chain(identifier: str, value: bytes) -> None:
    odd = [unreadable(identifier, value)]
    top = root(extensions=odd)
    middle = top.subordinate("Middle", extensions=odd)
    leaf = middle.leaf(extensions=odd)
    with pytest.raises((ValueError, UnsupportedAlgorithm)):
        x509.load_der_x509_certificate(leaf).extensions  # noqa: B018 - the library reads all or none
    bundle = _bundle(leaf, middle.der, top.der)
    bundle.check_names(["www.example.com"])
    assert (len(bundle.intermediates), ders_of(bundle.root or "")) == (1, [top.der])
    assert "CN=www.example.com" in describe_pem(_armoured(leaf))


@pytest.mark.parametrize("identifier", [_NAME_CONSTRAINTS, "2.5.29.15"])
@pytest.mark.parametrize("value", [b"junk", b"\x30\x03\x02\x01", b""])
def test_a_limit_that_cannot_be_read_is_named(identifier: str, value: bytes) -> None:
    odd = [unreadable(identifier, value)]
    top = root()
    middle = top.subordinate("Middle", extensions=odd)
    said = _refused(middle.leaf(), middle.der, top.der)
    assert f"The extension {identifier} of the certificate CN=Middle cannot be read" in said
    # Constraints limit nothing at the end of a chain.
    bundle = _bundle(top.leaf(extensions=odd), top.der)
    bundle.check_names(["www.example.com"] if identifier == _NAME_CONSTRAINTS else [])


@pytest.mark.parametrize("identifier", ["2.5.29.15", "2.5.29.37"])
def test_a_purpose_that_cannot_be_read_is_needed_of_servers_alone(identifier: str) -> None:
    top = root()
    bundle = _bundle(top.leaf(extensions=[unreadable(identifier)]), top.der)
    bundle.check_names([])
    with pytest.raises(ChainError, match=rf"{identifier} of the certificate CN=www.example.com cannot be read"):
        bundle.check_names(["www.example.com"])


def test_alternative_names_of_authorities_are_not_needed() -> None:
    odd = [unreadable(_ALTERNATIVE_NAMES)]
    top = root(extensions=odd)
    middle = top.subordinate("Middle", extensions=odd)
    _bundle(middle.leaf(), middle.der, top.der).check_names(["www.example.com"])


def test_an_extension_that_is_there_twice_and_not_needed() -> None:
    top = root()
    odd = _signed_twice(top, "1.2.3.4", "1.2.3.5")
    with pytest.raises(x509.DuplicateExtension):
        x509.load_der_x509_certificate(odd).extensions  # noqa: B018
    _bundle(odd, top.der).check_names(["www.example.com"])


@pytest.mark.parametrize("name", [_ALTERNATIVE_NAMES, _BASIC_CONSTRAINTS])
def test_an_extension_that_is_there_twice_and_needed(name: str) -> None:
    top = root()
    other = name[:-2] + "99"
    said = _refused(_signed_twice(top, name, other), top.der)
    assert f"({name}) of the certificate CN=www.example.com cannot be read: it is there more than once." in said
    assert "forged" not in said


def _signed_twice(issuer: Authority, identifier: str, other: str) -> bytes:
    """An end-entity certificate with an extension twice, in a signature that is right."""
    extensions = [unreadable(identifier, b"\x30\x00"), unreadable(other, b"\x30\x00")]
    return _changed(issuer, issuer.leaf(extensions=extensions), _identifier(other), _identifier(identifier))


def _changed(issuer: Authority, der: bytes, old: bytes, new: bytes) -> bytes:
    """A certificate with other octets in what is signed, signed anew."""
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    assert signed.count(old) == 1
    assert len(old) == len(new)
    signed = signed.replace(old, new)
    signature = issuer.key.sign(signed, ec.ECDSA(hashes.SHA256()))
    rest = bytes.fromhex("300a" + _ECDSA_SHA256) + bytes((0x03, len(signature) + 1, 0)) + signature
    return b"\x30\x82" + (len(signed) + len(rest)).to_bytes(2, "big") + signed + rest


def _identifier(dotted: str) -> bytes:
    first, second, *others = (int(number) for number in dotted.split("."))
    content = bytes((40 * first + second, *others))
    return bytes((6, len(content))) + content


@pytest.mark.parametrize("at", ["root", "middle", "leaf"])
@pytest.mark.parametrize("value", [b"junk", b"", b"\x01\x01\xff", _value(b"\x04\x00"), _value(b"\x01\x02\xff\xff")])
def test_basic_constraints_are_needed_and_named(at: str, value: bytes) -> None:
    odd = [unreadable(_BASIC_CONSTRAINTS, value)]
    top = root(extensions=odd if at == "root" else [])
    middle = top.subordinate("Middle", extensions=odd if at == "middle" else [])
    leaf = middle.leaf(extensions=odd if at == "leaf" else [])
    name = {"root": "Root", "middle": "Middle", "leaf": "www.example.com"}[at]
    said = _refused(leaf, middle.der, top.der)
    assert said.startswith(f"The extension basicConstraints (2.5.29.19) of the certificate CN={name} cannot be read: ")
    assert "forged" not in said


def test_an_unreadable_namesake_of_the_issuer_does_no_harm() -> None:
    top = root()
    good = top.subordinate("CA")
    odd = root().subordinate("CA", extensions=[unreadable(_BASIC_CONSTRAINTS)])
    assert _bundle(good.leaf(), odd.der, good.der, top.der).root is not None


@pytest.mark.parametrize("value", ["3003010100", "3006010100020100", "3003020100", "3000"])
def test_basic_constraints_that_say_no_in_more_words_than_der_allows(value: str) -> None:
    top = root()
    leaf = top.leaf(extensions=[unreadable(_BASIC_CONSTRAINTS, bytes.fromhex(value))])
    assert _bundle(leaf, top.der).root is not None
    assert openssl("x509", "-inform", "DER", "-noout", "-ext", "basicConstraints", stdin=leaf).count(b"CA:FALSE") == 1


_DNS = b"\x82\x0fwww.example.com"


@pytest.mark.parametrize(
    ("entries", "unread"),
    [
        ([_DNS, b"\xa3\x02\x30\x00"], 0),
        ([b"\xa5\x02\x81\x00", _DNS], 0),
        ([b"\xa0\x0c\x06\x03\x2a\x03\x04\xa0\x05\x0c\x03abc", _DNS], 0),
        ([_DNS, b"\x87\x05\x01\x02\x03\x04\x05"], 1),
        ([b"\x82\x02\xfcx", _DNS], 1),
        ([b"\x82\x02\xfcx", _DNS, b"\x87\x00", b"\x0c\x00"], 3),
    ],
)
def test_a_name_that_cannot_be_read_hides_no_other(entries: list[bytes], unread: int) -> None:
    top = root()
    bundle = _bundle(top.leaf(extensions=[unreadable(_ALTERNATIVE_NAMES, _value(*entries))]), top.der)
    bundle.check_names(["www.example.com"])
    described = bundle.described(NOW)
    assert described is not None
    assert described["subject_alt_names"] == ["DNS:www.example.com"]
    assert "unread_names" not in described
    with pytest.raises(ChainError, match=r"does not cover a\.example of expected_names") as caught:
        bundle.check_names(["a.example"])
    assert ("cannot be read" in str(caught.value)) == bool(unread)
    if unread:
        assert f"{unread} of its alternative names cannot be read." in str(caught.value)


def test_the_common_name_does_not_stand_in_for_names_that_cannot_be_read() -> None:
    top = root()
    bundle = _bundle(top.leaf(extensions=[unreadable(_ALTERNATIVE_NAMES, _value(b"\x82\x02\xfcx"))]), top.der)
    with pytest.raises(ChainError, match=r"covers no name at all, and 1 of its alternative names cannot be read"):
        bundle.check_names(["www.example.com"])


@pytest.mark.parametrize("value", [b"junk", _DNS, b"", b"\x30\x03\x82\x05a"])
def test_alternative_names_that_are_none_are_named(value: bytes) -> None:
    top = root()
    said = _refused(top.leaf(extensions=[unreadable(_ALTERNATIVE_NAMES, value)]), top.der)
    assert said.startswith("The extension subjectAltName (2.5.29.17) of the certificate CN=www.example.com cannot be ")
    assert "forged" not in said


def test_a_message_shows_no_control_characters_of_a_name() -> None:
    top = root()
    value = _value(b"\x82\x09a\x1b[31m\nb\x07")
    bundle = _bundle(top.leaf(extensions=[unreadable(_ALTERNATIVE_NAMES, value)]), top.der)
    with pytest.raises(ChainError) as caught:
        bundle.check_names(["www.example.com"])
    assert str(caught.value).isprintable()


# --- signatures ------------------------------------------------------------------------------------------------------

_RSA_SHA256 = "06092a864886f70d01010b"
_ECDSA_SHA256 = "06082a8648ce3d040302"
_UNSUPPORTED = {
    "md5WithRSAEncryption, 1.2.840.113549.1.1.4": ("rsa", "06092a864886f70d010104"),
    "sha1WithRSAEncryption, 1.2.840.113549.1.1.5": ("rsa", "06092a864886f70d010105"),
    "1.2.840.113549.1.1.127": ("rsa", "06092a864886f70d01017f"),
    "SM2 with SM3, 1.2.156.10197.1.501": ("ecdsa", "06082a811ccf55018375"),
    "GOST R 34.10-2012, 1.2.643.7.1.1.3.2": ("ecdsa", "06082a85030701010302"),
    "1.2.840.10045.4.3.127": ("ecdsa", "06082a8648ce3d04037f"),
}


def _with_algorithm(der: bytes, kind: str, identifier: str) -> bytes:
    return der.replace(bytes.fromhex(_RSA_SHA256 if kind == "rsa" else _ECDSA_SHA256), bytes.fromhex(identifier))


@pytest.mark.parametrize("algorithm", _UNSUPPORTED)
@pytest.mark.parametrize(
    ("at", "name", "issuer"), [(3, "www.example.com", "Lower CA"), (2, "Lower CA", "Upper CA"), (1, "Upper CA", "Root")]
)
def test_an_unsupported_algorithm_is_not_called_forgery(algorithm: str, at: int, name: str, issuer: str) -> None:
    kind, identifier = _UNSUPPORTED[algorithm]
    ders = list(chain(kind).served)
    ders[at] = _with_algorithm(ders[at], kind, identifier)
    said = _refused(*ders)
    assert said.startswith(f"The signature of CN={name} cannot be checked with the key of its issuer CN={issuer}: ")
    assert f"(signature algorithm {algorithm})" in said
    assert "forged" not in said
    assert "damaged" not in said


@pytest.mark.parametrize("algorithm", _UNSUPPORTED)
def test_a_root_is_trusted_for_standing_in_a_store(algorithm: str) -> None:
    kind, identifier = _UNSUPPORTED[algorithm]
    ders = list(chain(kind).served)
    ders[0] = _with_algorithm(ders[0], kind, identifier)
    assert ders_of(_bundle(*ders).root or "") == [ders[0]]


@pytest.mark.parametrize("length", [padding.PSS.MAX_LENGTH, 20, 0])
def test_pss_with_ordinary_parameters_is_checked(length: t.Any) -> None:
    key = new_key("rsa")
    top = root(key=key)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pss")]))
        .issuer_name(top.certificate.subject)
        .public_key(new_key().public_key())
        .serial_number(3)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key, hashes.SHA256(), rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), length))
    )
    assert certificate.signature(made, top.certificate) == certificate.Verdict(valid=True)
    spoilt = x509.load_der_x509_certificate(broken(der_of(made)))
    assert certificate.signature(spoilt, top.certificate) == certificate.Verdict(valid=False)


def test_parameters_that_the_library_cannot_read_are_named_with_the_certificate() -> None:
    ders = list(chain("rsa").served)
    ders[2] = _with_algorithm(ders[2], "rsa", "06092a864886f70d01010a")
    said = _refused(*ders)
    assert said.startswith("The certificate CN=Lower CA (serial number ")
    assert "cannot be read by cryptography" in said
    assert "forged" not in said


def test_an_issuer_whose_key_cannot_be_read() -> None:
    ders = list(chain().served)
    curve = (bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d"))
    ders[2] = ders[2].replace(*curve)
    said = _refused(*ders)
    assert said.startswith("The signature of CN=www.example.com cannot be checked with the key of its issuer CN=Lower")
    assert "1.2.156.10197.1.301" in said


@pytest.mark.parametrize("kinds", [("rsa", "ecdsa"), ("ecdsa", "rsa"), ("ed25519", "ecdsa"), ("rsa", "ed25519")])
def test_a_key_of_another_kind_made_no_such_signature(kinds: tuple[str, str]) -> None:
    """The library raises here too, and yet this is a finding."""
    said = _refused(root("Lower CA", kinds[0]).der, chain(kinds[1]).leaf)
    assert "does not verify with the key of its issuer CN=Lower CA: the chain is damaged or forged." in said


def test_an_algorithm_that_is_not_the_one_that_was_signed() -> None:
    der = chain().leaf
    at = der.rfind(bytes.fromhex(_ECDSA_SHA256))
    changed = der[:at] + bytes.fromhex("06082a8648ce3d040303") + der[at + 10 :]
    assert "the chain is damaged or forged" in _refused(*chain().served[:3], changed)


def test_of_two_namesakes_the_one_that_can_be_checked_counts() -> None:
    """A namesake with a key that nobody can read says nothing against the real issuer."""
    curve = (bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a811ccf5501822d"))
    namesake = root().subordinate("Lower CA").der.replace(*curve)
    assert _bundle(*chain().served, namesake) == _bundle(*chain().served)
    # And where the real one is missing, nobody is called a forger.
    assert "cannot be checked" in _refused(namesake, root("Lower CA").der, chain().leaf)


# --- other parts -----------------------------------------------------------------------------------------------------


def test_a_negative_serial_number_is_no_fault_and_no_noise() -> None:
    top = root()
    leaf = top.leaf()
    number = _serial_number(leaf)
    octets = number.to_bytes(number.bit_length() // 8 + 1, "big")
    der = _changed(
        top, leaf, b"\x02" + bytes((len(octets),)) + octets, b"\x02" + bytes((len(octets), 0x80)) + octets[1:]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bundle = _bundle(der, top.der)
    assert bundle.facts is not None
    assert int(bundle.facts["serial_number"]) < 0


def _serial_number(der: bytes) -> int:
    return x509.load_der_x509_certificate(der).serial_number


def test_a_subject_that_cannot_be_read_is_named_by_its_number() -> None:
    top = root()
    leaf = top.leaf()
    said = _refused(_changed(top, leaf, b"\x0c\x0fwww.example.com", b"\x0c\x0f\xff" + b"ww.example.com"), top.der)
    name = f"(unreadable subject, serial number {_serial_number(leaf)})"
    assert said.startswith(f"The subject of the certificate {name} cannot be read: ")


@pytest.mark.parametrize("der", [b"\x30\x00", b"\x30\x02\x30\x00", b"\x30\x05\x30\x03\x02\x01\x05", b"\x31\x00", b"x"])
def test_what_is_no_certificate_is_told_by_its_size(der: bytes) -> None:
    with pytest.raises(ChainError, match=f"A certificate of {len(der)} bytes cannot be read by cryptography"):
        certificate.load(der)


# --- what is told apart, and what is cut -----------------------------------------------------------------------------


def test_two_leaves_of_one_name_are_told_apart() -> None:
    lower = chain().lower
    leaves = [lower.leaf() for _count in range(2)]
    said = _refused(*chain().served[:3], *leaves)
    assert said.startswith("2 end-entity certificates came, where one is expected: CN=www.example.com (serial number ")
    for leaf in leaves:
        assert str(x509.load_der_x509_certificate(leaf).serial_number) in said
    assert said.count("valid from 2026-05-01T00:00:00Z to 2026-11-01T23:59:59Z") == 2


def test_many_leaves_are_cut_with_a_count() -> None:
    said = _refused(*chain().served[:3], *(chain().lower.leaf() for _count in range(25)))
    assert said.startswith("25 end-entity certificates came")
    shown = said.count("serial number")
    assert 1 <= shown < 25
    assert said.endswith(f" and {25 - shown} more.")
    assert len(said) < 800


def test_many_authorities_are_cut_with_a_count() -> None:
    top = root()
    names = [f"Authority of Department {number} of the Example Organisation" for number in range(28)]
    said = _refused(top.der, *(top.subordinate(name).der for name in names))
    assert said.startswith("No end-entity certificate came, only those of certificate authorities: CN=Root; CN=")
    assert said.endswith(" more.")
    assert len(said) < 800


def test_two_hundred_and_fifty_names_are_cut_with_a_count() -> None:
    names = [x509.DNSName(f"host{number:03}.example.com") for number in range(250)]
    bundle = _bundle(chain().lower.leaf(names=names))
    wanted = [f"www{number:03}.example.org" for number in range(250)]
    with pytest.raises(ChainError) as caught:
        bundle.check_names(wanted)
    said = str(caught.value)
    assert "does not cover www000.example.org, www001.example.org, " in said
    assert "it covers DNS:host000.example.com, " in said
    assert said.count(" more") == 2
    assert len(said) < 400
    # One that is missing among many is named.
    with pytest.raises(ChainError, match=r"does not cover www249\.example\.org of expected_names; it covers .* more\."):
        bundle.check_names(["host001.example.com", wanted[249]])


# --- damage of any kind ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_is_refused_with_a_sentence(
    seed: int, record_property: t.Callable[[str, object], None]
) -> None:
    """Octets changed, left out or doubled in one certificate of a chain; a root may lose its own signature."""
    rng = random.Random(seed)  # noqa: S311
    outcomes = set()
    record_property("tried", "hostile body: a certificate damaged anywhere: 300")
    for _count in range(300):
        ders = list(chain(rng.choice(("ecdsa", "rsa"))).served)
        at = rng.randrange(4)
        damaged = bytearray(ders[at])
        for _place in range(rng.choice((1, 1, 1, 2, 5))):
            place = rng.randrange(len(damaged))
            damaged[place : place + rng.choice((1, 1, 1, 0, 2))] = rng.randbytes(rng.choice((1, 1, 1, 0, 2)))
        if damaged == ders[at]:
            continue
        ders[at] = bytes(damaged)
        try:
            bundle = _bundle(*ders)
        except ChainError as error:
            assert str(error).isprintable()  # noqa: PT017 - most are refused, and not all
            assert str(error).endswith((".", "?"))  # noqa: PT017
            outcomes.add(tuple(str(error).split()[:2]))
        else:
            assert at == 0, ders[at].hex()
            assert ders_of(bundle.certificate or "") == [ders[3]]
    assert len(outcomes) > 2


def test_a_signature_that_does_not_end_with_an_octet_is_refused() -> None:
    """Clients do so; the library does not look."""
    # Where the bit that would not count is set, the library refuses the certificate.
    der = next(leaf for leaf in (chain().lower.leaf() for _count in range(200)) if leaf[-1] % 2 == 0)
    signature = certificate.load(der).signature
    at = len(der) - len(signature) - 1
    changed = der[:at] + b"\x01" + der[at + 1 :]
    assert certificate.load(changed).signature == signature
    assert "the chain is damaged or forged" in _refused(*chain().served[:3], changed)
