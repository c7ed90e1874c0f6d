# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients ask of a chain beyond signatures, with ``openssl verify -purpose sslserver`` as the second opinion."""

from __future__ import annotations

import base64
import io
import ipaddress
import pathlib
import struct
import subprocess
import typing as t
import urllib.parse
import zipfile

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import (
    building,
    constraints,
    containers,
    reading,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle, iso, moment
from ansible_collections.certfleet.collectssl.tests.support.authority import LONG, NOW, distinguished_name, pem_of, root
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

_UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True)
_NO_SIGNING = (x509.KeyUsage(True, False, False, False, False, False, True, False, False), True)
_SIGNING = (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
_POLICIES = (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), True)
_WWW = (x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), False)
_WILD = (x509.SubjectAlternativeName([x509.DNSName("*.example.com")]), False)
_IP = (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]), False)


def _purposes(*purposes: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage(purposes), False


def _only(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints(list(names), None), True


def _never(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints(None, list(names)), True


def _net(text: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_network(text))


def _directory(common_name: str) -> x509.GeneralName:
    return x509.DirectoryName(distinguished_name(common_name))


def _length(number: int) -> tuple[x509.ExtensionType, bool]:
    return x509.BasicConstraints(ca=True, path_length=number), True


_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
_EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
_KEYS = [ec.generate_private_key(ec.SECP256R1()) for _number in range(4)]
_COMMON_NAMES = ("leaf.example.com", "Lower", "Upper", "Root")


def _made(*given: tuple[tuple[x509.ExtensionType, bool], ...]) -> list[bytes]:
    """Leaf, two authorities and a root, each with the given extensions in place of the usual ones."""
    ders = []
    for number in range(4):
        issuer = min(number + 1, 3)
        usual: list[tuple[x509.ExtensionType, bool]] = [_WWW] if number == 0 else [_SIGNING]
        if number:
            usual.append((x509.BasicConstraints(ca=True, path_length=None), True))
        kept: dict[x509.ObjectIdentifier, tuple[x509.ExtensionType, bool]] = {one[0].oid: one for one in usual}
        kept.update({one[0].oid: one for one in (given[number] if number < len(given) else ())})
        builder = (
            x509.CertificateBuilder()
            .subject_name(distinguished_name(_COMMON_NAMES[number]))
            .issuer_name(distinguished_name(_COMMON_NAMES[issuer]))
            .public_key(_KEYS[number].public_key())
            .serial_number(number + 1)
            .not_valid_before(LONG[0])
            .not_valid_after(LONG[1])
        )
        for extension, critical in kept.values():
            builder = builder.add_extension(extension, critical)
        ders.append(builder.sign(_KEYS[issuer], hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return ders


def _openssl_takes(ders: list[bytes], folder: pathlib.Path) -> bool:
    for name, part in (("leaf", ders[:1]), ("rest", ders[1:-1]), ("root", ders[-1:])):
        (folder / f"{name}.pem").write_text(pem_of(*part))
    result = subprocess.run(
        [
            *("openssl", "verify", "-purpose", "sslserver", "-attime", str(int(NOW.timestamp())), "-no-CApath"),
            *("-CAfile", folder / "root.pem", "-untrusted", folder / "rest.pem", folder / "leaf.pem"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return result.returncode == 0


def _response(ders: t.Iterable[bytes], request: CollectRequest) -> CollectResponse:
    fields = (f"caCertificate={urllib.parse.quote_plus(base64.b64encode(der).decode('ascii'))}" for der in ders)
    return parse("&".join(["errorCode=2", *fields]).encode("ascii"), None, request)


def _answered(ders: t.Iterable[bytes], product: str = "ssl") -> Bundle:
    request = CollectRequest("order_number", "1", product=product)
    return reading.bundle_of_answer(_response(ders, request), request, NOW)


_Given = tuple[tuple[tuple[x509.ExtensionType, bool], ...], ...]
_BROKEN: dict[str, tuple[_Given, str]] = {
    "path length of the root": (((), (), (), (_length(1),)), "path length of CN=Root is exceeded"),
    "path length of an authority": (((), (), (_length(0),)), "path length of CN=Upper is exceeded"),
    "no keyCertSign": (((), (_NO_SIGNING,)), "CN=Lower of the chain may not sign"),
    "no keyCertSign above": (((), (), (_NO_SIGNING,)), "CN=Upper of the chain may not sign"),
    "no keyCertSign of the root": (((), (), (), (_NO_SIGNING,)), "CN=Root of the chain may not sign"),
    "excluded name": (((), (_never(x509.DNSName("example.com")),)), "CN=Lower exclude www.example.com of"),
    "excluded wildcard": (((_WILD,), (_never(x509.DNSName("example.com")),)), r"CN=Lower exclude \*.example.com"),
    "not permitted name": (((), (), (_only(x509.DNSName("example.org")),)), "CN=Upper exclude www.example.com"),
    "not permitted name by the root, not critical": (
        ((), (), (), ((x509.NameConstraints([x509.DNSName("example.org")], None), False),)),
        "CN=Root exclude www.example.com",
    ),
    "all names excluded": (((), (_never(x509.DNSName("")),)), "CN=Lower exclude www"),
    "excluded address": (((_IP,), (_never(_net("192.0.2.0/24")),)), "CN=Lower exclude 192.0.2.1"),
    "not permitted address": (((_IP,), (_only(_net("198.51.100.0/24")),)), "CN=Lower exclude 192.0.2.1"),
    "excluded subject": (((), (_never(_directory("LEAF.example.com")),)), "exclude the subject CN=leaf.example.com"),
    "not permitted subject": (((), (_only(_directory("another")),)), "exclude the subject CN=leaf.example.com"),
    "unknown in the leaf": (((_UNKNOWN,),), r"CN=leaf.example.com has the critical extension 1\.2\.3\.4\.5"),
    "unknown in an authority": (((), (), (_UNKNOWN,)), "CN=Upper has the critical extension"),
    "unknown in the root": (((), (), (), (_UNKNOWN,)), "CN=Root has the critical extension"),
    "a leaf for clients": (((_purposes(_CLIENT),),), "The certificate CN=leaf.example.com is for other purposes"),
    "an authority for mail": (((), (_purposes(_EMAIL),)), "authority CN=Lower is for other purposes"),
    "an upper authority for mail": (((), (), (_purposes(_EMAIL),)), "authority CN=Upper is for other purposes"),
}


@pytest.mark.parametrize("case", _BROKEN)
def test_a_broken_rule_is_named_with_its_certificate(case: str, tmp_path: pathlib.Path) -> None:
    given, said = _BROKEN[case]
    ders = _made(*given)
    assert not _openssl_takes(ders, tmp_path)
    with pytest.raises(ChainError, match=said) as caught:
        _answered(ders)
    assert "RFC 5280, section " in str(caught.value)
    assert str(caught.value).endswith(".")


_KEPT: dict[str, _Given] = {
    "nothing but what is needed": (),
    "path lengths that are kept": ((), (_length(0),), (_length(1),), (_length(2),)),
    "permitted name": ((), (_only(x509.DNSName("example.com")),), (_only(x509.DNSName("com")),)),
    "permitted wildcard": ((_WILD,), (_only(x509.DNSName("example.com")),)),
    "permitted with a dot": ((), (_only(x509.DNSName(".example.com")),)),
    "names of another kind": ((), (_only(_net("192.0.2.0/24")),)),
    "permitted address": ((_IP,), (_only(_net("192.0.2.0/24")),)),
    "excluded elsewhere": ((), (_never(x509.DNSName("ample.com"), x509.DNSName("w.example.com")),)),
    "permitted subject": ((), (_only(_directory("leaf.Example.com")),)),
    "critical policies": ((_POLICIES,), (_POLICIES,), (_POLICIES,)),
    "purposes": ((_purposes(_SERVER, _CLIENT),), (_purposes(_CLIENT, _SERVER),), (_purposes(_SERVER),)),
}


@pytest.mark.parametrize("case", _KEPT)
def test_a_chain_that_keeps_the_rules_passes(case: str, tmp_path: pathlib.Path) -> None:
    ders = _made(*_KEPT[case])
    assert _openssl_takes(ders, tmp_path)
    bundle = _answered(ders)
    assert len(bundle.intermediates) == 2
    assert bundle.root


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa"])
def test_the_public_webs_taste_in_keys_is_no_rule(kind: str) -> None:
    top = root(kind=kind)
    assert _answered([top.leaf(kind=kind), top.der]).root


def test_a_name_in_the_subject_alone_is_none_of_a_server() -> None:
    top = root()
    ders = [top.leaf(names=()), top.der]
    with pytest.raises(ChainError, match="covers no name at all: it has no subject alternative"):
        _answered(ders)
    bundle = reading.bundle_of_content(pem_of(*ders), NOW)
    bundle.check_names([])
    with pytest.raises(ChainError, match="covers no name at all: it has no subject alternative"):
        bundle.check_names(["www.example.com"])


def test_a_certificate_of_a_person_is_for_no_server() -> None:
    names = (x509.SubjectAlternativeName([x509.RFC822Name("jane@example.com")]), False)
    ders = _made((names, _purposes(_EMAIL)), (_purposes(_EMAIL, _CLIENT),))
    bundle = _answered(ders, "ccc")
    bundle.check_names(["jane@example.com"])
    with pytest.raises(ChainError, match="is for other purposes than servers"):
        bundle.check_names(["www.example.com"])
    top = root()
    assert _answered([top.leaf("Jane", names=()), top.der], "ccc").root


def test_mail_addresses_are_constrained() -> None:
    names = (x509.SubjectAlternativeName([x509.RFC822Name("jane@example.com")]), False)
    for limit in ("example.com", "jane@example.com"):
        assert _answered(_made((names,), (_only(x509.RFC822Name(limit)),)), "ccc").root
    for limit in (".example.com", "example.org", "joe@example.com"):
        with pytest.raises(ChainError, match=r"exclude jane@example\.com"):
            _answered(_made((names,), (_only(x509.RFC822Name(limit)),)), "ccc")


def test_of_two_ways_the_one_that_breaks_no_rule_is_taken() -> None:
    top, other = root("Root"), root("Other root")
    lower = top.subordinate("Lower")
    upper = x509.BasicConstraints(ca=True, path_length=0)
    crossed = other.subordinate("Root", key=top.key, extensions=[upper])
    bundle = _answered([lower.leaf(), lower.der, crossed.der, other.der, top.der])
    assert bundle.root == pem_of(top.der)


def test_a_lone_self_signed_certificate_answers_no_order() -> None:
    for query_type in (1, 2):
        request = CollectRequest("order_number", "1", query_type=query_type)
        response = _response([root().der], request)
        with pytest.raises(ChainError, match="is self-signed"):
            reading.bundle_of_answer(response, request, NOW)


def test_a_bomb_of_constraints_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constraints, "_MAX_COMPARED", 3)
    with pytest.raises(ChainError, match="more names and name constraints than any chain"):
        _answered(_made((), (_never(*(x509.DNSName(f"{number}.invalid") for number in range(4))),)))


def test_what_cannot_be_checked_is_not_called_false() -> None:
    names = (x509.SubjectAlternativeName([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))]), False)
    limit = _only(x509.RegisteredID(x509.ObjectIdentifier("1.2")))
    with pytest.raises(ChainError, match="cannot be checked"):
        _answered(_made((names,), (limit,)), "ccc")


# --- odd octets -----------------------------------------------------------------------------------------------------


def _zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.crt", pem_of(*_made()))
    return made.getvalue()


def test_a_zip_entry_without_a_name() -> None:
    whole = _zip()
    at = whole.index(b"PK\x01\x02")
    # The name has five octets: as many of a comment, which nothing needs, take their place.
    odd = whole[:at] + whole[at : at + 28] + struct.pack("<HHH", 0, 0, 5) + whole[at + 34 :]
    with pytest.raises(ChainError):
        containers.unpack("zip", odd)


def test_a_zip64_offset_beyond_every_file() -> None:
    whole = _zip()
    at, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    extra = struct.pack("<HHQ", 1, 8, 1 << 63)
    entry = whole[at : at + 30] + struct.pack("<H", len(extra)) + whole[at + 32 : at + 42] + b"\xff" * 4
    entry += whole[at + 46 : end] + extra
    tail = whole[end : end + 12] + struct.pack("<I", len(entry)) + whole[end + 16 :]
    with pytest.raises(ChainError, match="ZIP archive cannot be read"):
        containers.unpack("zip", whole[:at] + entry + tail)


def test_a_year_of_three_digits() -> None:
    old = NOW.replace(year=950)
    assert iso(old) == "0950-06-15T12:00:00Z"
    assert moment(iso(old)) == old


def test_whatever_is_raised_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(building, "best_path", fail)
    with pytest.raises(ChainError, match="cannot be read: 'odd'"):
        _answered(_made())
