# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of chains: each is judged as ``openssl verify`` judges it, and where it is not, the reason stands there."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import pathlib
import re
import subprocess
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import constraints, reading, rules, stand_ins
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    FUTURE,
    LONG,
    NOW,
    PAST,
    der_of,
    distinguished_name,
    new_key,
    pem_of,
    root,
    self_signed,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

_Extension = tuple[x509.ExtensionType, bool]

_DNS, _URI, _MAIL, _ADDRESS = x509.DNSName, x509.UniformResourceIdentifier, x509.RFC822Name, x509.IPAddress
_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
_EMAIL, _CODE = ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CODE_SIGNING
_ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
_KEYS = [ec.generate_private_key(ec.SECP256R1()) for _number in range(4)]
_COMMON_NAMES = ("leaf.example.com", "Lower", "Upper", "Root")
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _usage(*which: str) -> _Extension:
    return x509.KeyUsage(*(usage in which for usage in _USAGES)), True


def _names(*names: x509.GeneralName) -> _Extension:
    return x509.SubjectAlternativeName(names), False


def _with(name: x509.GeneralName) -> _Extension:
    return _names(_DNS("www.example.com"), name)


def _only(*names: x509.GeneralName) -> _Extension:
    return x509.NameConstraints(list(names), None), True


def _never(*names: x509.GeneralName) -> _Extension:
    return x509.NameConstraints(None, list(names)), True


def _purposes(*purposes: x509.ObjectIdentifier) -> _Extension:
    return x509.ExtendedKeyUsage(purposes), False


def _raw(dotted: str, value: bytes, critical: bool = True) -> _Extension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value), critical


def _length(number: int | None) -> _Extension:
    return x509.BasicConstraints(ca=True, path_length=number), True


_INHIBIT = _raw("2.5.29.54", b"\x02\x01\x05")
_POLICIES = (x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)]), True)
_LISTS = (x509.CRLDistributionPoints([x509.DistributionPoint([_URI("http://x.example/")], None, None, None)]), True)
_ADDRESSES = x509.AuthorityInformationAccess(
    [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _URI("http://x.example/"))]
)


def _host(text: str) -> x509.GeneralName:
    return _ADDRESS(ipaddress.ip_address(text))


def _net(text: str) -> x509.GeneralName:
    return _ADDRESS(ipaddress.ip_network(text))


def _directory(common_name: str) -> x509.GeneralName:
    return x509.DirectoryName(distinguished_name(common_name))


class _Given(t.NamedTuple):
    """Extensions of leaf, two authorities and a root, in place of the usual ones."""

    leaf: t.Sequence[_Extension] = ()
    lower: t.Sequence[_Extension] = ()
    upper: t.Sequence[_Extension] = ()
    root: t.Sequence[_Extension] = ()


def _made(given: _Given) -> list[bytes]:
    """The DER of four certificates, none with an identifier of a key, be it its own (SKI) or its issuer's (AKI)."""
    ders = []
    for number in range(4):
        issuer = min(number + 1, 3)
        usual: list[tuple[x509.ExtensionType, bool]] = [_names(_DNS("www.example.com"))]
        if number:
            usual = [_usage("key_cert_sign", "crl_sign"), _length(None)]
        kept = {one[0].oid: one for one in usual}
        kept.update({one[0].oid: one for one in given[number]})
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
        ders.append(der_of(builder.sign(_KEYS[issuer], hashes.SHA256())))
    return ders


def _openssl_takes(
    ders: t.Sequence[bytes],
    folder: pathlib.Path,
    *options: str,
    at: datetime.datetime = NOW,
    purpose: str = "sslserver",
) -> bool:
    """Whether it verifies the first one, by way of the others, up to the last."""
    for name, part in (("leaf", ders[:1]), ("rest", ders[1:-1]), ("root", ders[-1:])):
        (folder / f"{name}.pem").write_text(pem_of(*part))
    untrusted = ("-untrusted", folder / "rest.pem") if len(ders) > 2 else ()
    result = subprocess.run(
        [
            *("openssl", "verify", "-purpose", purpose, *options, "-attime", str(int(at.timestamp())), "-no-CApath"),
            *("-CAfile", folder / "root.pem", *untrusted, folder / "leaf.pem"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return result.returncode == 0


def _answered(ders: t.Iterable[bytes], product: str = "ssl", query_type: int = QUERY_ALL) -> Bundle:
    request = CollectRequest("order_number", "1", query_type=query_type, product=product)
    fields = (f"caCertificate={urllib.parse.quote_plus(base64.b64encode(der).decode('ascii'))}" for der in ders)
    return reading.bundle_of_answer(
        parse("&".join(["errorCode=2", *fields]).encode("ascii"), None, request), request, NOW
    )


def _said(ders: t.Iterable[bytes]) -> str:
    """What came of it, in words."""
    try:
        bundle = _answered(ders)
    except ChainError as error:
        return str(error)
    return f"{len(bundle.intermediates)} and {'a' if bundle.root else 'no'} root"


def _refused(ders: t.Iterable[bytes], said: str, product: str = "ssl", query_type: int = QUERY_ALL) -> str:
    with pytest.raises(ChainError, match=said) as caught:
        _answered(ders, product, query_type)
    assert str(caught.value).endswith(".")
    return str(caught.value)


# --- as openssl has it ----------------------------------------------------------------------------------------------

_EXAMPLE = _DNS("example.com")
_LINKS = "https://a.example.com/x"
_JANE = _with(_MAIL("jane@example.com"))
_TAKEN = {
    "usage: signatures": _Given([_usage("digital_signature")]),
    "usage: keys of RSA": _Given([_usage("key_encipherment", "data_encipherment")]),
    "usage: an agreement": _Given([_usage("key_agreement", "encipher_only")]),
    "usage: of several kinds": _Given([_usage("digital_signature", "content_commitment", "key_cert_sign")]),
    "purposes: several": _Given([_purposes(_CLIENT, _SERVER)], [_purposes(_SERVER, _ANY)]),
    "host below a dot": _Given([_names(_DNS("a.example.com"))], [_only(_DNS(".example.com"))]),
    "host far below a dot": _Given([_names(_DNS("c.b.a.example.com"))], [_only(_DNS(".Example.com"))]),
    "host above an excluded dot": _Given([_names(_EXAMPLE)], [_never(_DNS(".example.com"))]),
    "host beside an excluded dot": _Given([_names(_DNS("wexample.com"))], [_never(_DNS(".example.com"))]),
    "host of another case": _Given([_names(_DNS("A.EXAMPLE.com"))], [_only(_DNS("exAmple.COM"))]),
    "any host": _Given([], [_only(_DNS(""))]),
    "one of several": _Given([], [_only(_DNS("example.org"), _EXAMPLE)]),
    "one of several with dots": _Given([], [_only(_DNS(".example.org"), _EXAMPLE)]),
    "wildcard beside an excluded host": _Given([_names(_DNS("*.example.com"))], [_never(_DNS("www.example.com"))]),
    "wildcard below a dot": _Given([_names(_DNS("*.example.com"))], [_only(_DNS(".example.com"))]),
    "no name of a host": _Given([_with(_DNS("foo bar.example.com"))], [_only(_EXAMPLE)]),
    "no name of an excluded host": _Given([_with(_DNS("foo bar.example.com"))], [_never(_DNS("bar.example.com"))]),
    "hyphens at the edges": _Given([_with(_DNS("a-.-b.example.com"))], [_only(_EXAMPLE)]),
    "low lines": _Given([_with(_DNS("a_b.example.com"))], [_only(_EXAMPLE)]),
    "low lines of another case": _Given([_with(_DNS("A_b.EXAMPLE.com"))], [_only(_EXAMPLE)]),
    "low lines in a constraint": _Given([_names(_DNS("a.b_c.example.com"))], [_only(_DNS("b_c.example.com"))]),
    "labels of 63": _Given([_with(_DNS(f"{'a' * 63}.example.com"))], [_only(_EXAMPLE)]),
    "labels of 64": _Given([_with(_DNS(f"{'a' * 64}.example.com"))], [_only(_EXAMPLE)]),
    "names of 253": _Given([_with(_DNS("a." * 121 + _EXAMPLE.value))], [_only(_EXAMPLE)]),
    "names of 255": _Given([_with(_DNS("a." * 122 + _EXAMPLE.value))], [_only(_EXAMPLE)]),
    "address of version 6": _Given([_names(_host("2001:db8::1"))], [_only(_net("2001:db8::/32"))]),
    "no address at all": _Given([], [_never(_net("0.0.0.0/0"), _net("::/0"))]),
    "hosts and addresses": _Given(
        [_names(_DNS("www.example.com"), _host("192.0.2.1"), _EXAMPLE)],
        [_only(_EXAMPLE, _net("192.0.2.0/24"))],
        [_never(_DNS("example.org"), _net("198.51.100.0/24"))],
    ),
    "an address beside constraints with dots": _Given(
        [_with(_host("192.0.2.1"))], [_only(_DNS(".example.com"), _net("192.0.2.0/24"))]
    ),
    "URI": _Given([_with(_URI(_LINKS))], [_only(_URI("A.example.com"))]),
    "URI below a dot": _Given([_with(_URI("https://b.a.example.com:8443/x"))], [_only(_URI(".a.example.com"))]),
    "URI above an excluded dot": _Given([_with(_URI(_LINKS))], [_never(_URI(".a.example.com"))]),
    "URI below an excluded host": _Given([_with(_URI(_LINKS))], [_never(_URI("example.com"))]),
    "mail at a host": _Given([_JANE], [_only(_MAIL("example.com"))]),
    "mail of one": _Given([_with(_MAIL("jane@EXAMPLE.com"))], [_only(_MAIL("jane@example.COM"))]),
    "mail below a dot": _Given([_with(_MAIL("jane@a.example.com"))], [_only(_MAIL(".example.com"))]),
    "mail of another": _Given([_JANE], [_never(_MAIL("Jane@example.com"))]),
    "mail at a host below an excluded one": _Given([_with(_MAIL("j@a.example.com"))], [_never(_MAIL("example.com"))]),
    "subjects with blanks": _Given([], [], [_only(_directory("Lower "), _directory("LEAF.example.com"))]),
    "OCSP needs no check": _Given([_raw("1.3.6.1.5.5.7.48.1.5", b"\x05\x00")]),
    "critical constraints of policies": _Given([], [_raw("2.5.29.36", b"\x30\x03\x80\x01\x05"), _INHIBIT]),
    "critical mappings": _Given([], [_raw("2.5.29.33", b"\x30\x0c\x30\x0a\x06\x03\x2a\x03\x04\x06\x03\x2a\x03\x05")]),
    "critical policies": _Given([_POLICIES], [_POLICIES], [_POLICIES]),
    "critical addresses of lists": _Given([_LISTS]),
    "critical type of Netscape": _Given([_raw("2.16.840.1.113730.1.1", b"\x03\x02\x06\x40")]),
    "critical purposes": _Given([(x509.ExtendedKeyUsage([_SERVER]), True), _usage("digital_signature")]),
    "critical names": _Given([(x509.SubjectAlternativeName([_DNS("www.example.com")]), True)]),
    "addresses of RFC 3779": _Given(
        [], [], [], [_raw("1.3.6.1.5.5.7.1.7", b"\x30\x08\x30\x06\x04\x02\x00\x01\x05\x00")]
    ),
    "numbers of RFC 3779": _Given([], [], [], [_raw("1.3.6.1.5.5.7.1.8", b"\x30\x04\xa0\x02\x05\x00")]),
    "an unknown extension that is not critical": _Given([_raw("1.2.3.4.5", b"\x05\x00", False)]),
    "the longest paths": _Given([], [_length(0)], [_length(1)], [_length(2)]),
    "a path length beyond all": _Given([], [], [_length(200)]),
    "as long as the chain": _Given([], [_length(3)], [_length(3)], [_length(3)]),
}


@pytest.mark.parametrize("case", _TAKEN)
def test_openssl_takes(case: str, tmp_path: pathlib.Path) -> None:
    assert _openssl_takes(_made(_TAKEN[case]), tmp_path)


def test_taken_as_by_openssl() -> None:
    assert {case: _said(_made(given)) for case, given in _TAKEN.items()} == dict.fromkeys(_TAKEN, "2 and a root")


_FOR_OTHERS = "The certificate CN=leaf.example.com is for other purposes than servers: its "
_REFUSED = {
    "usage: nothing": (_Given([_usage("content_commitment", "data_encipherment")]), _FOR_OTHERS + "key usage has none"),
    "usage: certificates": (_Given([_usage("key_cert_sign", "crl_sign")]), _FOR_OTHERS + "key usage has none"),
    "purposes: any": (_Given([_purposes(_ANY)]), _FOR_OTHERS + "extended"),
    "purposes of the root": (_Given(root=[_purposes(_EMAIL)]), "authority CN=Root is for other purposes"),
    "host above a dot": (_Given([_names(_EXAMPLE)], [_only(_DNS(".example.com"))]), "exclude example.com of"),
    "host beside a dot": (
        _Given([_names(_DNS("wexample.com"))], [_only(_DNS(".example.com"))]),
        "exclude wexample.com",
    ),
    "host beside a host": (_Given([_names(_DNS("wexample.com"))], [_only(_EXAMPLE)]), "exclude wexample.com"),
    "host below an excluded dot": (_Given([], [_never(_DNS(".Example.com"))]), "exclude www.example.com of"),
    "wildcard above a host": (
        _Given([_names(_DNS("*.example.com"))], [_only(_DNS("www.example.com"))]),
        r"exclude \*\.example\.com of",
    ),
    "one name among many": (
        _Given(
            [_names(*(_DNS(f"{at}.example.com") for at in range(9)), _DNS("a.example.org"), _DNS("b.example.org"))],
            [_only(_EXAMPLE)],
        ),
        r"exclude a\.example\.org of CN=leaf",
    ),
    "the first of two names": (
        _Given([_names(_DNS("a.example.org"), _DNS("b.example.org"))], [_only(_EXAMPLE)]),
        r"exclude a\.example\.org of CN=leaf",
    ),
    "the second of two names": (
        _Given([_names(_DNS("a.example.com"), _DNS("b.example.org"))], [_only(_EXAMPLE)]),
        r"exclude b\.example\.org of CN=leaf",
    ),
    "an address among names": (
        _Given([_with(_host("192.0.2.1"))], [_only(_EXAMPLE, _net("192.0.3.0/24"))]),
        r"exclude 192\.0\.2\.1 of",
    ),
    "an address beside constraints with dots": (
        _Given([_with(_host("192.0.2.1"))], [_only(_DNS(".example.com"), _net("192.0.3.0/24"))]),
        r"exclude 192\.0\.2\.1 of",
    ),
    "no name of a host": (_Given([_with(_DNS("foo bar.example.org"))], [_only(_EXAMPLE)]), "exclude foo bar"),
    "an empty name": (_Given([_with(_DNS(""))], [_only(_EXAMPLE)]), "exclude  of"),
    "a dot at the end": (
        _Given([_with(_DNS("www.example.com."))], [_only(_EXAMPLE)]),
        r"exclude www\.example\.com\. of",
    ),
    "hyphens": (_Given([_with(_DNS("b.a-.example.com"))], [_never(_DNS("a-.example.com"))]), "exclude b.a-.example"),
    "low lines": (_Given([_with(_DNS("a.b_c.example.com"))], [_never(_DNS("B_c.example.com"))]), "exclude a.b_c"),
    "address of the other version": (_Given([_with(_host("192.0.2.1"))], [_only(_net("2001:db8::/32"))]), "192.0.2.1"),
    "all addresses": (_Given([_names(_host("2001:db8::1"))], [_never(_net("::/0"))]), "exclude 2001:db8::1"),
    "URI of another host": (_Given([_with(_URI(_LINKS))], [_only(_URI("b.example.com"))]), f"exclude {_LINKS}"),
    "URI below a host": (_Given([_with(_URI(_LINKS))], [_only(_URI("example.com"))]), f"exclude {_LINKS}"),
    "URI above a dot": (_Given([_with(_URI(_LINKS))], [_only(_URI(".a.example.com"))]), f"exclude {_LINKS}"),
    "URI that is excluded": (
        _Given([_with(_URI("https://A.example.com"))], [_never(_URI("a.Example.com"))]),
        "exclude https",
    ),
    "URI without a host": (_Given([_with(_URI("urn:x:y"))], [_only(_URI("a.example.com"))]), "exclude urn:x:y of"),
    "URI without a host, of none": (
        _Given([_with(_URI("urn:x:y"))], [_never(_URI("a.example.com"))]),
        "exclude urn:x:y",
    ),
    "URI that is damaged": (
        _Given([_with(_URI("https://[x/"))], [_only(_URI("a.example.com"))]),
        r"exclude https://\[x/ of",
    ),
    "mail at another host": (_Given([_JANE], [_only(_MAIL("example.org"))]), "exclude jane@example.com"),
    "mail below a host": (
        _Given([_with(_MAIL("j@a.example.com"))], [_only(_MAIL("example.com"))]),
        "exclude j@a.example",
    ),
    "mail above a dot": (_Given([_JANE], [_only(_MAIL(".example.com"))]), "exclude jane@example.com"),
    "mail of another": (_Given([_JANE], [_only(_MAIL("Jane@example.com"))]), "exclude jane@example.com"),
    "mail of one elsewhere": (_Given([_JANE], [_only(_MAIL("jane@example.org"))]), "exclude jane@example"),
    "mail that is excluded": (
        _Given([_with(_MAIL("j@EXAMPLE.com"))], [_never(_MAIL("j@example.COM"))]),
        "exclude j@EX",
    ),
    "mail at an excluded host": (
        _Given([_with(_MAIL("j@EXAMPLE.com"))], [_never(_MAIL("example.COM"))]),
        "exclude j@EX",
    ),
    "subject of an authority": (
        _Given(upper=[_never(_directory("Lower"))]),
        "CN=Upper exclude the subject CN=Lower of",
    ),
    "a precertificate": (
        _Given([_raw("1.3.6.1.4.1.11129.2.4.3", b"\x05\x00")]),
        "1.3.6.1.4.1.11129.2.4.3, which clients",
    ),
    "what is of revocation lists": (
        _Given([_raw("2.5.29.28", b"\x30\x00")]),
        r"critical extension 2\.5\.29\.28, which",
    ),
    "two unknown ones": (
        _Given([_raw("1.2.3.4.5", b"\x05\x00"), _raw("1.2.3.4.6", b"\x05\x00")]),
        r"critical extension 1\.2\.3\.4\.5, 1\.2\.3\.4\.6, which",
    ),
    "one authority too many": (_Given(root=[_length(1)]), "path length of CN=Root is exceeded: it allows 1"),
    "two authorities too many": (_Given(root=[_length(0)]), "path length of CN=Root is exceeded: it allows 0"),
    "an authority that only signs lists": (_Given(lower=[_usage("crl_sign")]), "CN=Lower of the chain may not sign"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_openssl_refuses(case: str, tmp_path: pathlib.Path) -> None:
    assert not _openssl_takes(_made(_REFUSED[case][0]), tmp_path)


def test_refused_as_by_openssl() -> None:
    found = {case: _said(_made(given)) for case, (given, _words) in _REFUSED.items()}
    assert [(case, said) for case, said in found.items() if not re.search(_REFUSED[case][1], said)] == []
    assert all(said.endswith(".") for said in found.values())


# What some clients take and openssl does not, or the other way round, by whether it is taken here.
_OTHERWISE = {
    "any purpose of an authority, which is what RFC 5280 says that it is": (_Given([], [_purposes(_ANY)]), True),
    "critical identifiers and addresses, which other clients know": (
        _Given(
            [
                (x509.SubjectKeyIdentifier(b"a"), True),
                (x509.AuthorityKeyIdentifier(b"a", None, None), True),
                (_ADDRESSES, True),
            ]
        ),
        True,
    ),
    "a URI with a user, whom openssl takes for a part of the host": (
        _Given([_with(_URI("https://me@a.example.com/"))], [_never(_URI("a.example.com"))]),
        False,
    ),
}


@pytest.mark.parametrize("case", _OTHERWISE)
def test_otherwise_than_openssl(case: str, tmp_path: pathlib.Path) -> None:
    given, is_taken = _OTHERWISE[case]
    ders = _made(given)
    assert _openssl_takes(ders, tmp_path) is not is_taken
    if is_taken:
        assert _answered(ders).root
    else:
        _refused(ders, "exclude https://me@a.example.com/ of")


def test_what_strict_clients_ask_beyond_that_is_no_rule(tmp_path: pathlib.Path) -> None:
    """As to identifiers of keys (AKI, SKI): whoever has them passes there, too, and whoever has none passes here."""
    top = root()
    lower = top.subordinate("CA")
    whole = [lower.leaf(), lower.der, top.der]
    assert _openssl_takes(whole, tmp_path, "-x509_strict")
    assert _answered(whole).root
    ders = _made(_Given())
    assert not _openssl_takes(ders, tmp_path, "-x509_strict")
    assert _answered(ders).root


def test_a_path_length_that_no_library_holds() -> None:
    """Its numbers have eight octets, and one may be added."""
    length = b"\x30\x0e\x01\x01\xff\x02\x09\x00" + b"\xff" * 8
    old = root("Root", extensions=[x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), length)])
    new = old.subordinate("Root")
    assert _answered([new.leaf(), new.der, old.der]).root


def test_a_constraint_that_is_no_domain() -> None:
    for limit in ("..example.com", "example.com.", "a b", "."):
        _refused(
            _made(_Given([], [_never(_DNS(limit))])), "The name constraint .* of CN=Lower cannot be checked: it is no"
        )


def test_a_new_key_of_a_root_is_not_bound_by_what_the_old_one_excludes(tmp_path: pathlib.Path) -> None:
    excluded = x509.NameConstraints(None, [_directory("Root")])
    # Nor is it counted.
    old = root("Root", extensions=[excluded, x509.BasicConstraints(ca=True, path_length=0)])
    new = old.subordinate("Root")
    ders = [new.leaf(), new.der, old.der]
    assert _openssl_takes(ders, tmp_path)
    assert _answered(ders).intermediates == (pem_of(new.der),)
    # At the end of a chain it is.
    old = root("Root", extensions=[x509.NameConstraints(None, [_directory("Root")])])
    ders = [old.leaf("Root"), old.der]
    assert not _openssl_takes(ders, tmp_path)
    with pytest.raises(ChainError):
        _answered(ders)


def test_a_certificate_without_a_subject_has_none_that_is_excluded(tmp_path: pathlib.Path) -> None:
    top = root("Root", extensions=[x509.NameConstraints([_directory("another")], None)])
    ders = [top.leaf(None), top.der]
    assert _openssl_takes(ders, tmp_path)
    assert _answered(ders).root


def test_as_many_comparisons_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names of the leaf and one of each authority below: each with each constraint of those above it."""
    two = _never(_DNS("a.invalid"), _net("192.0.2.0/24"))
    three = x509.NameConstraints([_DNS("example.com")], [_DNS("a.invalid"), _net("192.0.2.0/24")]), True
    ders = _made(_Given([], [two], [three]))
    monkeypatch.setattr(constraints, "_MAX_COMPARED", 2 * 2 + 2 * 3 + 3)
    assert _answered(ders).root
    monkeypatch.setattr(constraints, "_MAX_COMPARED", 2 * 2 + 2 * 3 + 2)
    _refused(ders, "chain of CN=Upper has more names and name constraints than any chain")


def test_thousands_of_names_are_few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    verifies = stand_ins.verifies

    def counted(steps: t.Sequence[stand_ins.StandIn]) -> bool:
        asked.append(len(steps[0].names))
        return verifies(steps)

    monkeypatch.setattr(stand_ins, "verifies", counted)
    names = _names(*(_DNS(f"{number}.example.com") for number in range(3000)), _DNS("a.example.org"))
    _refused(_made(_Given([names], [_only(_EXAMPLE)])), "exclude a.example.org of")
    questions = [number for number in asked if number > 0]
    assert questions[0] == 3001
    assert len(questions) <= 14


# --- what it is for -------------------------------------------------------------------------------------------------

_FOR_PEOPLE = {
    "clients": (_CLIENT, "sslclient", _usage("digital_signature")),
    "mail": (_EMAIL, "smimesign", _usage("digital_signature", "content_commitment")),
    "code": (_CODE, "any", _usage("digital_signature")),
}


@pytest.mark.parametrize("case", _FOR_PEOPLE)
def test_chains_of_collectccc(case: str, tmp_path: pathlib.Path) -> None:
    """Of no server, so that their purposes are nobody's concern; the other rules are those of every chain."""
    purpose, openssls, usage = _FOR_PEOPLE[case]
    leaf = [_names(_MAIL("jane@example.com")), (x509.ExtendedKeyUsage([purpose]), True), usage]
    mail = [_only(_MAIL("example.com"))] if case == "mail" else []
    ders = _made(_Given(leaf, [_purposes(purpose), _length(0), *mail], [_purposes(purpose, _CLIENT)]))
    assert _openssl_takes(ders, tmp_path, purpose=openssls)
    assert not _openssl_takes(ders, tmp_path)
    bundle = _answered(ders, "ccc")
    bundle.check_names(["jane@example.com"])
    assert (len(bundle.intermediates), bool(bundle.root)) == (2, True)
    _refused(ders, "is for other purposes than servers: its extended key usage is without serverAuth")
    _refused(_made(_Given(leaf, [_purposes(purpose)], [_length(0)])), "path length of CN=Upper is exceeded", "ccc")
    _refused(_made(_Given(leaf, [_only(_MAIL("example.org"))])), "CN=Lower exclude jane@example.com", "ccc")


def test_a_certificate_for_mail_without_names_of_mail() -> None:
    """As S/MIME was once: the address stands in the subject, and is constrained there."""
    top = root()
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "Jane"),
            x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, "jane@example.com"),
        ]
    )
    for limit, said in (("example.com", None), ("example.org", r"CN=CA exclude jane@example\.com of CN=Jane,")):
        lower = top.subordinate("CA", extensions=[x509.NameConstraints([_MAIL(limit)], None)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(distinguished_name("CA"))
            .public_key(_KEYS[0].public_key())
            .serial_number(7)
            .not_valid_before(LONG[0])
            .not_valid_after(LONG[1])
        )
        for names in ((), (_MAIL("jane@example.com"),)):
            if names:
                builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            ders = [der_of(builder.sign(lower.key, hashes.SHA256())), lower.der, top.der]
            if said is None:
                assert _answered(ders, "ccc").root
            else:
                _refused(ders, "CN=CA exclude jane@example.com of ", "ccc")


def test_what_authorities_are_for_is_judged_without_a_leaf() -> None:
    for given, said in (
        (_Given(lower=[_purposes(_EMAIL)]), "The certificate authority CN=Lower is for other purposes"),
        (_Given(upper=[_length(0)]), "path length of CN=Upper is exceeded: it allows 0"),
        (_Given(root=[_usage("crl_sign")]), "authority CN=Root of the chain may not sign"),
        (_Given(upper=[_raw("1.2.3.4.5", b"")]), "The certificate CN=Upper has the critical extension 1.2.3.4.5"),
        (_Given(upper=[_never(_directory("Lower"))]), "CN=Upper exclude the subject CN=Lower of CN=Lower"),
    ):
        _refused(_made(given)[1:], said, query_type=QUERY_CHAIN)
    bundle = _answered(_made(_Given(root=[_length(2)], upper=[_length(1)], lower=[_length(0)]))[1:], "ssl", QUERY_CHAIN)
    assert (bundle.certificate, len(bundle.intermediates), bool(bundle.root)) == (None, 2, True)


def test_a_leaf_alone_is_judged() -> None:
    leaf = _made(_Given([_purposes(_CLIENT)]))[:1]
    _refused(leaf, "is for other purposes", query_type=QUERY_CERTIFICATE)
    _refused(_made(_Given([_raw("1.2.3.4.5", b"")]))[:1], "critical extension", query_type=QUERY_CERTIFICATE)
    assert _answered(leaf, "ccc", QUERY_CERTIFICATE).intermediates == ()


def test_an_extension_that_is_there_twice() -> None:
    """Of two usages a client reads one, and nobody knows which."""
    ders = _made(_Given(lower=[_usage("key_cert_sign"), _raw("2.5.29.16", b"\x30\x00", False)]))
    twice = ders[1].replace(b"\x06\x03\x55\x1d\x10", b"\x06\x03\x55\x1d\x0f")
    signed = x509.load_der_x509_certificate(twice).tbs_certificate_bytes
    signature = _KEYS[2].sign(signed, ec.ECDSA(hashes.SHA256()))
    rest = bytes.fromhex("300a06082a8648ce3d040302") + bytes((0x03, len(signature) + 1, 0)) + signature
    ders[1] = b"\x30\x82" + (len(signed) + len(rest)).to_bytes(2, "big") + signed + rest
    _refused(ders, "2.5.29.15 of the certificate CN=Lower cannot be read: it is there more than once")


@pytest.mark.parametrize("has_leaf", [True, False])
def test_what_the_verifier_refuses_for_no_rule_that_is_known_is_not_installed(
    has_leaf: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later version of it may know more rules."""
    verifies = stand_ins.verifies
    monkeypatch.setattr(
        stand_ins, "verifies", lambda steps: steps[0].names == () and len(steps) < 4 and verifies(steps)
    )
    ders = _made(_Given())
    monkeypatch.setattr(rules, "_Chain", _Patient)
    name = "leaf.example.com" if has_leaf else "Lower"
    said = f"cryptography refuses the chain of CN={name} for a reason that is not known here, so it is not"
    _refused(ders if has_leaf else ders[1:], said, query_type=QUERY_ALL if has_leaf else QUERY_CHAIN)


class _Patient(rules._Chain):
    """Finds none of the rules broken, one by one."""

    def _too_long(self) -> None:
        return None


def test_which_certificate_has_another_purpose_is_asked_from_below() -> None:
    both = _Given([_purposes(_CLIENT)], [_purposes(_EMAIL)], [_purposes(_EMAIL)])
    _refused(
        _made(both), "^The certificate CN=leaf.example.com is for other purposes .* Order a certificate for servers"
    )
    both = _Given([], [_purposes(_EMAIL)], [_purposes(_EMAIL)])
    _refused(_made(both), "^The certificate authority CN=Lower is for other purposes .* Ask the provider")


# --- keys -----------------------------------------------------------------------------------------------------------


def _signed(
    name: str, key: t.Any, issuer: str, issuer_key: t.Any, *, authority: bool, pss: bool = False
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(name))
        .issuer_name(distinguished_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(LONG[0])
        .not_valid_after(LONG[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([_DNS("www.example.com")]), critical=False)
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA384()
    if pss:
        salted = padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.DIGEST_LENGTH)
        return builder.sign(issuer_key, algorithm, rsa_padding=salted)
    return builder.sign(issuer_key, algorithm)


_KINDS: dict[str, t.Callable[[], t.Any]] = {
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA-2048": lambda: new_key("rsa"),
    "RSA-4096 with PSS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
    "Ed25519": lambda: new_key("ed25519"),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_keys_of_every_kind(kind: str, tmp_path: pathlib.Path) -> None:
    """A private root, and an authority below it, which sign with such keys."""
    top, middle, pss = _KINDS[kind](), _KEYS[1], kind.endswith("PSS")
    ders = [
        der_of(_signed("leaf", _KEYS[0], "CA", middle, authority=False)),
        der_of(_signed("CA", middle, "Private Root", top, authority=True, pss=pss)),
        der_of(_signed("Private Root", top, "Private Root", top, authority=True, pss=pss)),
    ]
    assert _openssl_takes(ders, tmp_path)
    assert _answered(ders).root == pem_of(ders[2])
    leaf = der_of(_signed("leaf", top, "CA", middle, authority=False))
    assert _answered([leaf, *ders[1:]]).certificate == pem_of(leaf)


# --- an expired top -------------------------------------------------------------------------------------------------


class _Crossed(t.NamedTuple):
    """A root that an older one certifies, too, and authorities below it; all in the order of a chain."""

    leaf: bytes
    lower: bytes
    cross: bytes
    old: bytes
    new: bytes


def _crossed(cross: t.Any = PAST, old: t.Any = PAST) -> _Crossed:
    old_root, new_root = root("Old Root", validity=old), root("New Root")
    crossed = old_root.subordinate("New Root", validity=cross, key=new_root.key)
    lower = new_root.subordinate("CA")
    return _Crossed(lower.leaf(), lower.der, crossed.der, old_root.der, new_root.der)


@pytest.mark.parametrize("sent", ["leaf lower cross", "leaf lower cross old", "cross old leaf lower"])
def test_an_expired_cross_signed_top_is_left_out(sent: str, tmp_path: pathlib.Path) -> None:
    """What it certified is a root in the trust stores of clients, to whom the rest is a whole chain."""
    made = _crossed()
    bundle = _answered(getattr(made, name) for name in sent.split())
    assert (bundle.certificate, bundle.intermediates, bundle.root) == (pem_of(made.leaf), (pem_of(made.lower),), None)
    assert _openssl_takes([made.leaf, made.lower, made.new], tmp_path)
    assert not _openssl_takes([made.leaf, made.lower, made.cross, made.old], tmp_path)
    with pytest.raises(ChainError, match="the chain came without one"):
        bundle.require_root()


def test_strangers_keep_no_expired_top() -> None:
    made = _crossed()
    bundle = _answered([made.leaf, root("Foreign").der, made.lower, made.cross])
    assert bundle.intermediates == (pem_of(made.lower),)


def test_an_expired_top_is_left_out_of_the_chain_alone() -> None:
    made = _crossed()
    bundle = _answered([made.cross, made.lower, made.old], query_type=QUERY_CHAIN)
    assert (bundle.intermediates, bundle.root) == ((pem_of(made.lower),), None)


def test_another_way_is_better_than_a_shorter_one() -> None:
    made = _crossed()
    bundle = _answered([made.leaf, made.lower, made.cross, made.old, made.new])
    assert (bundle.intermediates, bundle.root) == ((pem_of(made.lower),), pem_of(made.new))


def test_an_expired_authority_that_is_no_cross_signed_top_is_refused() -> None:
    made = _crossed(old=LONG)
    # The root above is valid: what expired is a link of the chain, and not its end.
    _refused([made.leaf, made.lower, made.cross, made.old], "authority CN=New Root of the chain expired")
    # Nobody knows an authority whose own certificate is the only one.
    top = root("Old Root", validity=PAST)
    lower = top.subordinate("CA")
    _refused([lower.leaf(), lower.der, top.der], "authority CN=Old Root of the chain expired")
    # Nothing but the leaf would be left.
    only = top.subordinate("CA", validity=PAST)
    _refused([only.leaf(), only.der, top.der], "authority CN=CA of the chain expired")
    _refused([only.leaf(), only.der], "authority CN=CA of the chain expired")
    # What is not valid yet will be.
    made = _crossed(cross=FUTURE, old=LONG)
    _refused([made.leaf, made.lower, made.cross], "authority CN=New Root of the chain is not valid before")


def test_an_expired_top_whose_root_came_is_judged_with_that_root() -> None:
    old, new = root("Old Root", validity=PAST), root("New Root", validity=PAST)
    crossed = old.subordinate("New Root", validity=PAST, key=new.key)
    lower = new.subordinate("CA")
    _refused([lower.leaf(), lower.der, crossed.der, old.der, new.der], "authority CN=.* Root of the chain expired")
    made = root("New Root", key=new.key, extensions=[x509.BasicConstraints(ca=True, path_length=0)])
    _refused([lower.leaf(), lower.der, crossed.der, made.der], "path length of CN=New Root is exceeded")


def test_an_expired_top_that_is_forged_is_not_left_out() -> None:
    made = _crossed()
    impostor = root("Old Root", validity=PAST)
    _refused([made.leaf, made.lower, made.cross, impostor.der], "signature of CN=New Root does not verify")


def test_a_chain_of_which_all_expired() -> None:
    top = root(validity=PAST)
    lower = top.subordinate("CA", validity=PAST)
    _refused([lower.leaf(validity=PAST), lower.der], "authority CN=CA of the chain expired")
    _refused(
        [lower.der, top.subordinate("CA", validity=PAST, key=lower.key).der], "CN=CA of the chain", "ssl", QUERY_CHAIN
    )


def test_an_expired_top_is_left_out_where_another_way_breaks_a_rule() -> None:
    old, other, new = root("Old Root", validity=PAST), root("Other Root"), root("New Root")
    crossed = old.subordinate("New Root", validity=PAST, key=new.key)
    too_short = other.subordinate("New Root", key=new.key, extensions=[x509.BasicConstraints(ca=True, path_length=0)])
    lower = new.subordinate("CA")
    ders = [lower.leaf(), lower.der, crossed.der, too_short.der, other.der]
    for stranger in ((), (root("Foreign").der,)):
        bundle = _answered([*ders, *stranger])
        assert (bundle.intermediates, bundle.root) == ((pem_of(lower.der),), None)


def test_what_expires_this_second_has_not_expired() -> None:
    made = _crossed(cross=(LONG[0], NOW), old=LONG)
    assert _answered([made.leaf, made.lower, made.cross]).intermediates == (pem_of(made.lower), pem_of(made.cross))


def test_a_rule_that_is_broken_below_an_expired_top_is_named() -> None:
    new, old = root("New Root"), root("Old Root", validity=PAST)
    crossed = old.subordinate("New Root", validity=PAST, key=new.key)
    lower = new.subordinate("CA", extensions=[x509.ExtendedKeyUsage([_EMAIL])])
    _refused([lower.leaf(), lower.der, crossed.der], "authority CN=CA is for other purposes")


# --- only authorities -----------------------------------------------------------------------------------------------


def test_the_chain_alone_is_one_of_authorities() -> None:
    """A root alone is the whole chain of what it issued itself; a placeholder is none."""
    top = root()
    assert _answered([top.der], query_type=QUERY_CHAIN) == Bundle(None, (), pem_of(top.der), None)
    placeholder = der_of(self_signed("localhost", _KEYS[0]))
    said = "^Only certificates of authorities were asked for, and others came: CN=localhost "
    _refused([placeholder], said, query_type=QUERY_CHAIN)
    lower = top.subordinate("CA")
    _refused([lower.leaf(), lower.der, top.der], "others came: CN=www.example.com ", query_type=QUERY_CHAIN)


def test_an_issuer_that_came_and_may_not_issue() -> None:
    ders = _made(_Given(lower=[(x509.BasicConstraints(ca=False, path_length=None), True)]))
    said = _refused(
        ders, "CN=leaf.example.com was issued by CN=Lower, which came and is no certificate authority; sent"
    )
    assert "forged" not in said
    _refused(
        [ders[0], ders[2]], "CN=leaf.example.com was issued by CN=Lower, which did not come; sent instead: CN=Upper"
    )
