# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains: every order, every stranger, every broken link, with openssl as the second opinion on what comes out."""

from __future__ import annotations

import base64
import datetime
import itertools
import pathlib
import random
import subprocess
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import tlsa_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import (
    bundle_of_answer,
    bundle_of_content,
    describe_pem,
    first_of_pem,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _archive, _asn1
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    DAY,
    FUTURE,
    LONG,
    NOW,
    PAST,
    Authority,
    broken,
    chain,
    ders_of,
    new_key,
    pem_of,
    root,
)
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from cryptography import x509
from cryptography.hazmat.primitives import serialization


def _field(name: str, data: bytes) -> str:
    return f"{name}={urllib.parse.quote_plus(base64.b64encode(data).decode('ascii'))}"


def _answer(ders: t.Iterable[bytes], query_type: int = QUERY_ALL) -> tuple[CollectResponse, CollectRequest]:
    request = CollectRequest("order_number", "1", query_type=query_type)
    body = "&".join(["errorCode=2", *(_field("caCertificate", der) for der in ders)])
    return parse(body.encode("ascii"), None, request), request


def _bundle(ders: t.Iterable[bytes], query_type: int = QUERY_ALL, now: datetime.datetime = NOW) -> Bundle:
    return bundle_of_answer(*_answer(ders, query_type), now)


def _der(bundle: Bundle) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Certificate, intermediates and root in DER."""
    return ders_of(bundle.certificate or ""), ders_of("".join(bundle.intermediates)), ders_of(bundle.root or "")


def _refused(ders: t.Iterable[bytes], said: str, query_type: int = QUERY_ALL) -> str:
    with pytest.raises(ChainError, match=said) as caught:
        _bundle(ders, query_type)
    return str(caught.value)


def _verified_by_openssl(bundle: Bundle, folder: pathlib.Path) -> bool:
    assert bundle.certificate is not None
    (folder / "root.pem").write_text(bundle.require_root())
    (folder / "leaf.pem").write_text(bundle.certificate)
    (folder / "rest.pem").write_text("".join(bundle.intermediates))
    arguments: list[str | pathlib.Path] = ["-untrusted", folder / "rest.pem"] if bundle.intermediates else []
    said = openssl(
        *("verify", "-attime", str(int(NOW.timestamp())), "-show_chain", "-no-CApath", "-no-CAstore"),
        *("-CAfile", folder / "root.pem", *arguments, folder / "leaf.pem"),
    ).decode("utf-8")
    # As many steps as the chain has: nothing that openssl would not need.
    assert said.count("depth=") == len(bundle.intermediates) + 2, said
    return ": OK" in said


# --- one ordinary chain --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order(kind: str, order: tuple[int, ...]) -> None:
    ordinary = chain(kind)
    bundle = _bundle(ordinary.served[at] for at in order)
    assert _der(bundle) == ([ordinary.leaf], [ordinary.lower.der, ordinary.upper.der], [ordinary.root.der])


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_openssl_verifies_what_comes_out(kind: str, tmp_path: pathlib.Path) -> None:
    assert _verified_by_openssl(_bundle(chain(kind).served), tmp_path)


def test_keys_of_every_kind_in_one_chain(tmp_path: pathlib.Path) -> None:
    top = root(kind="rsa")
    middle = top.subordinate("Middle", "ed25519")
    bottom = middle.subordinate("Bottom", "ecdsa")
    bundle = _bundle([bottom.leaf(kind="rsa"), top.der, bottom.der, middle.der])
    assert _verified_by_openssl(bundle, tmp_path)


@pytest.mark.parametrize("response_type", ["individual", "pkcs7", "netscape", "zip"])
@pytest.mark.parametrize("encoding", ["base64", "binary"])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_every_structure_gives_the_same_chain(response_type: str, encoding: str, order: tuple[int, ...]) -> None:
    if encoding == "binary" and response_type not in ("zip", "pkcs7"):
        encoding = "base64"
    request = CollectRequest("order_number", "1", response_type=response_type, response_encoding=encoding)
    ders = [chain().served[at] for at in order]
    if response_type == "individual":
        body = "&".join(["errorCode=2", *(_field("caCertificate", der) for der in ders)]).encode("ascii")
    else:
        make: t.Callable[[list[bytes]], bytes] = {
            "pkcs7": _asn1.pkcs7,
            "netscape": _asn1.netscape_sequence,
            "zip": lambda ders: _archive.make(ders, None, None),
        }[response_type]
        name = {"pkcs7": "pkcs7", "netscape": "netscapeCertificateSequence", "zip": "zipFile"}[response_type]
        body = make(ders) if encoding == "binary" else f"errorCode=2&{_field(name, make(ders))}".encode("ascii")
    assert bundle_of_answer(parse(body, None, request), request, NOW) == _bundle(chain().served)


def test_duplicates_are_dropped() -> None:
    assert _bundle(chain().served * 3) == _bundle(chain().served)


def test_without_root() -> None:
    bundle = _bundle(chain().served[1:])
    assert _der(bundle) == ([chain().leaf], [chain().lower.der, chain().upper.der], [])
    with pytest.raises(ChainError, match="root_path"):
        bundle.require_root()


def test_a_leaf_directly_under_the_root(tmp_path: pathlib.Path) -> None:
    top = root()
    bundle = _bundle([top.der, top.leaf()])
    assert bundle.intermediates == ()
    assert _verified_by_openssl(bundle, tmp_path)


def test_full_chain() -> None:
    bundle = _bundle(chain().served)
    assert ders_of(bundle.full_chain()) == list(chain().server_order)
    assert ders_of(bundle.full_chain(include_root=True)) == [*chain().server_order, chain().root.der]
    assert all(block.startswith("-----BEGIN") and block.endswith("-----\n") for block in bundle.intermediates)


# --- query types 2 and 3 -------------------------------------------------------------------------------------------


def test_the_certificate_alone() -> None:
    bundle = _bundle([chain().leaf], QUERY_CERTIFICATE)
    assert _der(bundle) == ([chain().leaf], [], [])
    assert bundle.facts is not None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_chain_alone(order: tuple[int, ...]) -> None:
    bundle = _bundle((chain().served[at] for at in order), QUERY_CHAIN)
    assert _der(bundle) == ([], [chain().lower.der, chain().upper.der], [chain().root.der])
    assert bundle.facts is None
    assert bundle.described(NOW) is None


def test_the_chain_alone_in_its_shortest_forms() -> None:
    assert _der(_bundle([chain().root.der], QUERY_CHAIN)) == ([], [], [chain().root.der])
    assert _der(_bundle([chain().lower.der, chain().upper.der], QUERY_CHAIN))[1] == [
        chain().lower.der,
        chain().upper.der,
    ]


def test_the_chain_alone_with_a_link_missing() -> None:
    _refused([chain().root.der, chain().lower.der], "does not link up", QUERY_CHAIN)


def test_the_chain_alone_with_two_ends() -> None:
    other = chain().upper.subordinate("Other CA")
    _refused([*chain().served[:3], other.der], "not one chain", QUERY_CHAIN)
    _refused([chain().root.der, root("Foreign Root").der], "not one chain", QUERY_CHAIN)


def test_the_chain_alone_with_an_expired_issuer() -> None:
    upper = chain().upper
    _refused([chain().root.der, upper.der, upper.subordinate("Old", validity=PAST).der], "Old.* expired", QUERY_CHAIN)


# --- what does not belong ------------------------------------------------------------------------------------------


def test_unrelated_authorities_are_dropped() -> None:
    foreign = root("Foreign Root")
    bundle = _bundle([foreign.der, *chain().served, foreign.subordinate("Foreign CA").der])
    assert bundle == _bundle(chain().served)


def test_two_end_entity_certificates() -> None:
    said = _refused([*chain().served, chain().lower.leaf("other.example.com")], "2 end-entity certificates")
    assert "CN=other.example.com" in said
    assert "CN=www.example.com" in said


def test_no_end_entity_certificate() -> None:
    _refused(chain().served[:3], "No end-entity certificate")


def test_nothing_at_all() -> None:
    with pytest.raises(ChainError, match="sent none"):
        bundle_of_answer(parse(b"1\n", None, CollectRequest("order_number", "1")), _answer([])[1], NOW)


def test_the_leaf_alone_where_its_chain_was_asked_for() -> None:
    _refused([chain().leaf], "nothing else came")


@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_link(missing: int) -> None:
    said = _refused((der for at, der in enumerate(chain().served) if at != missing), "does not link up")
    assert "which did not come" in said


def test_a_foreign_root() -> None:
    _refused([root("Foreign Root").der, *chain().served[1:]], "issued by CN=Root, which did not come.*CN=Foreign Root")


def test_a_foreign_root_of_the_same_name() -> None:
    _refused([root("Root").der, *chain().served[1:]], "signature of CN=Upper CA does not verify.*issuer CN=Root")


def test_a_foreign_intermediate_of_the_same_name() -> None:
    impostor = root().subordinate("Lower CA")
    _refused([*chain().served[:2], impostor.der, chain().leaf], "signature of CN=www.example.com does not verify")
    bundle = _bundle([*chain().served[:2], impostor.der, chain().lower.der, chain().leaf])
    assert bundle == _bundle(chain().served)


def test_an_impostor_off_the_way_does_no_harm() -> None:
    """A second way up leads to a forged root; the first one is sound."""
    top, cross_root = root("Root"), root("Old Root")
    lower = top.subordinate("CA")
    cross = cross_root.subordinate("Root", key=top.key)
    ders = [lower.leaf(), lower.der, top.der, cross.der, root("Old Root").der]
    assert _der(_bundle(ders)) == ([ders[0]], [lower.der], [top.der])


def test_a_leaf_that_issued_a_certificate_is_no_authority() -> None:
    key = new_key()
    fake = Authority("www.example.com", key, chain().lower.certify("www.example.com", key.public_key()))
    _refused([*chain().served[:3], fake.der, fake.leaf("victim.example.com")], "does not link up")


# --- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_broken_signature(kind: str, at: int) -> None:
    ders = list(chain(kind).served)
    ders[at] = broken(ders[at])
    name = ("Root", "Upper CA", "Lower CA", "www.example.com")[at]
    _refused(ders, f"The signature of CN={name} does not verify .* damaged or forged")


def test_a_broken_signature_of_the_root_itself() -> None:
    _refused([broken(chain("rsa").root.der), *chain("rsa").served[1:]], "The signature of CN=Root does not verify")


def test_a_changed_certificate() -> None:
    _refused([*chain().served[:3], chain().leaf.replace(b"www.example.com", b"www.exbmple.com")], "does not verify")


def _root_by_openssl(folder: pathlib.Path, *arguments: str | pathlib.Path) -> Authority:
    key = chain("rsa").root.key
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    (folder / "root.key").write_bytes(pem)
    openssl(
        "req", "-new", "-key", folder / "root.key", "-subj", "/CN=Old Root", *arguments, "-out", folder / "root.pem"
    )
    if "-x509" not in arguments:
        (folder / "root.csr").write_bytes((folder / "root.pem").read_bytes())
        signing = ("-signkey", folder / "root.key", "-days", "3650", "-out", folder / "root.pem")
        openssl("x509", "-req", "-in", folder / "root.csr", *signing)
    return Authority("Old Root", key, x509.load_pem_x509_certificate((folder / "root.pem").read_bytes()))


@pytest.mark.parametrize("digest", ["-md5", "-sha1"])
def test_an_old_root_whose_own_signature_nobody_checks_any_more(digest: str, tmp_path: pathlib.Path) -> None:
    """Roots signed with SHA-1 stand above most chains of today; libraries stop to verify such signatures."""
    top = _root_by_openssl(tmp_path, "-x509", "-days", "3650", digest)
    now = top.certificate.not_valid_before_utc + DAY
    leaf = top.leaf()
    assert _der(_bundle([top.der, leaf], now=now)) == ([leaf], [], [top.der])


def test_a_retired_signature_below_the_root_is_refused(tmp_path: pathlib.Path) -> None:
    top = _root_by_openssl(tmp_path, "-x509", "-days", "3650")
    openssl("req", "-new", "-key", tmp_path / "root.key", "-subj", "/CN=x", "-out", tmp_path / "leaf.csr")
    openssl(
        *("x509", "-req", "-md5", "-in", tmp_path / "leaf.csr", "-CA", tmp_path / "root.pem"),
        *("-CAkey", tmp_path / "root.key", "-CAcreateserial", "-out", tmp_path / "leaf.pem"),
    )
    leaf = ders_of((tmp_path / "leaf.pem").read_text())[0]
    now = x509.load_der_x509_certificate(leaf).not_valid_before_utc + DAY / 2
    with pytest.raises(ChainError, match=r"signature of CN=x cannot be checked .*md5WithRSAEncryption"):
        _bundle([top.der, leaf], now=now)


def test_a_root_of_version_1(tmp_path: pathlib.Path) -> None:
    top = _root_by_openssl(tmp_path)
    assert top.certificate.version is x509.Version.v1
    now = top.certificate.not_valid_before_utc + DAY
    leaf = top.leaf()
    assert _der(_bundle([leaf, top.der], now=now)) == ([leaf], [], [top.der])


# --- authorities that are certified more than once ------------------------------------------------------------------


class _Twins(t.NamedTuple):
    """A root that an older root certifies too, and an authority under it."""

    old: Authority
    new: Authority
    cross: Authority
    lower: Authority
    leaf: bytes


def _twins(cross_validity: t.Any = LONG, new_validity: t.Any = LONG, old_validity: t.Any = LONG) -> _Twins:
    old = root("Old Root", validity=old_validity)
    new = root("New Root", validity=new_validity)
    cross = old.subordinate("New Root", validity=cross_validity, key=new.key)
    lower = new.subordinate("CA")
    return _Twins(old, new, cross, lower, lower.leaf())


def _scrambled(*ders: bytes) -> t.Iterator[list[bytes]]:
    for order in itertools.permutations(ders):
        yield list(order)


def test_the_longest_way_to_a_root_is_taken(tmp_path: pathlib.Path) -> None:
    old, new, cross, lower, leaf = _twins()
    for ders in _scrambled(old.der, new.der, cross.der, lower.der, leaf):
        assert _der(_bundle(ders)) == ([leaf], [lower.der, cross.der], [old.der])
    assert _verified_by_openssl(_bundle([old.der, new.der, cross.der, lower.der, leaf]), tmp_path)


def test_an_expired_cross_certificate_is_avoided() -> None:
    old, new, cross, lower, leaf = _twins(cross_validity=PAST)
    for ders in _scrambled(old.der, new.der, cross.der, lower.der, leaf):
        assert _der(_bundle(ders)) == ([leaf], [lower.der], [new.der])


def test_an_expired_old_root_is_avoided() -> None:
    old, new, cross, lower, leaf = _twins(old_validity=PAST)
    for ders in _scrambled(old.der, new.der, cross.der, lower.der, leaf):
        assert _der(_bundle(ders)) == ([leaf], [lower.der], [new.der])


def test_a_cross_certificate_that_is_not_valid_yet_is_avoided() -> None:
    old, new, cross, lower, leaf = _twins(cross_validity=FUTURE)
    assert _der(_bundle([old.der, new.der, cross.der, lower.der, leaf])) == ([leaf], [lower.der], [new.der])


def test_twins_without_the_old_root() -> None:
    _old, new, cross, lower, leaf = _twins()
    for ders in _scrambled(new.der, cross.der, lower.der, leaf):
        assert _der(_bundle(ders)) == ([leaf], [lower.der], [new.der])


def test_twins_of_which_the_root_expired() -> None:
    """The way over the cross-certificate is sound, though its root did not come."""
    _old, new, cross, lower, leaf = _twins(new_validity=PAST)
    assert _der(_bundle([new.der, cross.der, lower.der, leaf])) == ([leaf], [lower.der, cross.der], [])


def test_the_chain_alone_with_twins() -> None:
    old, new, cross, lower, _leaf = _twins()
    for ders in _scrambled(old.der, new.der, cross.der, lower.der):
        assert _der(_bundle(ders, QUERY_CHAIN)) == ([], [lower.der, cross.der], [old.der])
    for ders in _scrambled(old.der, new.der, cross.der):
        assert _der(_bundle(ders, QUERY_CHAIN)) == ([], [cross.der], [old.der])


def test_authorities_that_certify_each_other() -> None:
    """Neither is a root, and a way that went round in circles would have no end."""
    one, two = root("One"), root("Two")
    one_by_two = two.subordinate("One", key=one.key)
    two_by_one = one.subordinate("Two", key=two.key)
    leaf = one.leaf()
    assert _der(_bundle([leaf, one_by_two.der, two_by_one.der])) == ([leaf], [one_by_two.der, two_by_one.der], [])


def test_many_certificates_of_one_authority_are_searched_in_bounded_time() -> None:
    """Twenty certificates of one name and key, each of which verifies with the key of every other."""
    top = root("Same")
    ders = [top.der, *(top.subordinate("Same", key=top.key).der for _count in range(20))]
    begin = time.process_time()
    bundle = _bundle([*ders, top.leaf()])
    assert time.process_time() - begin < 5
    assert bundle.root is not None
    assert bundle.intermediates == ()


def test_authorities_of_one_name_that_all_certify_each_other_are_searched_in_bounded_time() -> None:
    """Distinct keys under one name: the signatures alone tell who issued whom, and no name makes a root."""
    keys = [new_key() for _count in range(6)]
    tops = [root("Same", key=key) for key in keys]
    ders = [tops[one].subordinate("Same", key=keys[two]).der for one, two in itertools.permutations(range(6), 2)]
    leaf = tops[0].leaf()
    random.Random(7).shuffle(ders)  # noqa: S311
    begin = time.process_time()
    with_root, without_root = _bundle([*ders, tops[3].der, leaf]), _bundle([*ders, leaf])
    assert time.process_time() - begin < 20
    assert ders_of(with_root.root or "") == [tops[3].der]
    assert (len(with_root.intermediates), len(without_root.intermediates)) == (5, 6)
    assert without_root.root is None


def test_a_new_key_of_a_root_that_the_old_key_certified() -> None:
    """The certificate between them bears the root's name twice and is no root (RFC 4210, new with old)."""
    old = root("Root")
    new = old.subordinate("Root")
    lower = new.subordinate("CA")
    leaf = lower.leaf()
    for ders in _scrambled(old.der, new.der, lower.der, leaf):
        assert _der(_bundle(ders)) == ([leaf], [lower.der, new.der], [old.der])
    # Without the old one nothing tells it from a root whose signature is damaged.
    _refused([new.der, lower.der, leaf], "The signature of CN=Root does not verify")
    assert _der(_bundle([old.der, new.der], QUERY_CHAIN)) == ([], [new.der], [old.der])


def test_a_web_of_authorities_is_refused_in_bounded_time() -> None:
    """Layers of three certificates each, every one of which was issued by all of the next layer: 3^9 ways up."""
    certificates = []
    names = [f"Layer {depth}" for depth in range(10)]
    keys = [new_key() for _name in names]
    for depth in range(9):
        above = Authority(names[depth + 1], keys[depth + 1], root(names[depth + 1], key=keys[depth + 1]).certificate)
        certificates += [above.subordinate(names[depth], key=keys[depth]).der for _count in range(3)]
    lowest = Authority(names[0], keys[0], root(names[0], key=keys[0]).certificate)
    begin = time.process_time()
    _refused([*certificates, lowest.leaf()], "too many ways")
    assert time.process_time() - begin < 10


def test_more_certificates_than_any_chain_has() -> None:
    top = root()
    others = [top.subordinate(f"CA {number}").der for number in range(32)]
    begin = time.process_time()
    _refused([top.der, *others, top.leaf()], "34 certificates came")
    assert time.process_time() - begin < 5


# --- validity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("validity", "said"), [(PAST, "expired at"), (FUTURE, "is not valid before")])
def test_an_authority_that_is_not_valid_now(validity: t.Any, said: str) -> None:
    top = root()
    middle = top.subordinate("Middle CA", validity=validity)
    lower = middle.subordinate("Lower CA")
    _refused(
        [top.der, middle.der, lower.der, lower.leaf()], f"certificate authority CN=Middle CA of the chain {said} 2026"
    )


def test_an_expired_root() -> None:
    top = root(validity=PAST)
    _refused([top.der, top.leaf()], "certificate authority CN=Root of the chain expired")


def test_the_validity_of_the_leaf_is_for_the_bundle_to_check() -> None:
    lower = chain().lower
    for validity, said in ((PAST, "expired at 2026"), (FUTURE, "is not valid before 2026")):
        bundle = _bundle([*chain().served[:3], lower.leaf(validity=validity)])
        with pytest.raises(ChainError, match=said):
            bundle.check_validity(NOW, 0)


# --- what cannot be read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "der",
    [
        b"\x30\x02\x30\x00",
        b"\x30\x04\x30\x02\x02\x00",
        chain().leaf.replace(b"\x06\x03\x55\x1d\x13", b"\x06\x03\x55\x1d\x11"),
    ],
)
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(ChainError):
        _bundle([*chain().served[:3], der])


# --- what a user hands in --------------------------------------------------------------------------------------------


def test_pem_in_any_order_with_other_text() -> None:
    text = "# our chain\n" + "\n# next\n".join(pem_of(der) for der in chain().served)
    assert bundle_of_content(text, NOW) == _bundle(chain().served)
    assert bundle_of_content(text.replace("\n", "\r\n"), NOW) == _bundle(chain().served)


def test_pem_with_a_private_key_in_it() -> None:
    key = openssl("genpkey", "-algorithm", "ed25519").decode("ascii")
    bundle = bundle_of_content(key + pem_of(*chain().served), NOW)
    assert bundle == _bundle(chain().served)
    assert "PRIVATE" not in repr(bundle)


def test_pem_of_one_certificate() -> None:
    assert _der(bundle_of_content(pem_of(chain().leaf), NOW)) == ([chain().leaf], [], [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pem_of(*chain().served[:3]), "No end-entity"),
        (pem_of(chain().root.der, chain().leaf), "does not link up"),
    ],
)
def test_pem_that_is_no_chain(content: str, said: str) -> None:
    with pytest.raises(ChainError, match=said):
        bundle_of_content(content, NOW)


def test_pem_cut_anywhere_is_never_a_shorter_chain_in_silence() -> None:
    """Leaf first, as files on servers are: what a cut at the end of a block leaves is a chain without a root.

    So does a cut within the dashes behind it, which are no boundary yet.
    """
    text = pem_of(*chain().server_order, chain().root.der)
    ends = {at + 25 for at in range(len(text)) if text.startswith("-----END CERTIFICATE-----", at)}
    for size in range(len(text)):
        try:
            bundle_of_content(text[:size], NOW)
        except ChainError:
            continue
        assert ends.intersection(range(size - 6, size + 1)), size


# --- facts ---------------------------------------------------------------------------------------------------------


def test_facts_are_those_that_openssl_prints() -> None:
    bundle = _bundle(chain().served)
    assert bundle.facts is not None
    printed = openssl(
        *("x509", "-inform", "DER", "-noout", "-serial", "-fingerprint", "-sha256", "-dates", "-subject", "-issuer"),
        stdin=chain().leaf,
    ).decode("ascii")
    facts = dict(line.split("=", 1) for line in printed.splitlines())
    assert int(facts["serial"], 16) == int(bundle.facts["serial_number"])
    assert facts["sha256 Fingerprint"].lower() == bundle.facts["fingerprint_sha256"]
    assert facts["subject"].replace(" ", "") == bundle.facts["subject"] == "CN=www.example.com"
    assert facts["issuer"].replace(" ", "") == bundle.facts["issuer"].replace(" ", "") == "CN=LowerCA"
    assert facts["notAfter"] == "Nov  1 23:59:59 2026 GMT"
    assert bundle.facts["not_after"] == "2026-11-01T23:59:59Z"
    assert bundle.facts["not_before"] == "2026-05-01T00:00:00Z"
    assert bundle.facts["subject_alt_names"] == ["DNS:www.example.com", "IP:192.0.2.1"]
    assert bundle.facts["chain"] == ["CN=Lower CA", "CN=Upper CA"]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_the_digest_of_the_public_key_is_that_of_openssl(kind: str) -> None:
    der = chain(kind).leaf
    public = openssl("x509", "-inform", "DER", "-noout", "-pubkey", stdin=der)
    whole = openssl("pkey", "-pubin", "-outform", "DER", stdin=public)
    digest = subprocess.run(["sha256sum"], input=whole, capture_output=True, check=True).stdout.decode().split()[0]
    for facts in (_bundle(chain(kind).served).facts, first_of_pem(pem_of(der), NOW)):
        assert facts is not None
        assert (facts["public_key_sha256"], facts["tlsa"]) == (digest, f"3 1 1 {digest}")
    assert tlsa_of(der) == f"3 1 1 {digest}"


def test_a_description_for_a_diff() -> None:
    text = describe_pem("# x\n" + pem_of(*chain().served[2:]))
    assert text.startswith("# x\nsubject: ")
    assert text.count("SHA-256 fingerprint: ") == 2
    assert "subject: CN=www.example.com\n" in text
    assert "valid: 2026-05-01T00:00:00Z to 2026-11-01T23:59:59Z\n" in text
    assert "MII" not in text
    assert describe_pem("") == ""
    assert "cannot be read" in describe_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
