# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that users hand in: where blocks begin and end, which line is named, and how much is read."""

from __future__ import annotations

import base64
import datetime
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import (
    certificate,
    content,
    loose_pem,
    reading,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle, moment
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _asn1
from ansible_collections.certfleet.collectssl.tests.support import authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes

_CHAIN = authority.chain()
_DERS = _CHAIN.served
_LEAF = _DERS[-1]
_PEM = armour(_LEAF)
_NOW = authority.NOW


def _blocks(text: str) -> list[tuple[str, int]]:
    return [(block.label, block.line) for block in loose_pem.blocks(text)]


def _refused(text: str) -> str:
    with pytest.raises(ChainError) as caught:
        loose_pem.blocks(text)
    return str(caught.value)


# --- blocks -------------------------------------------------------------------------------------------------------


def test_each_block_is_told_with_the_line_that_it_begins_in() -> None:
    lines = _PEM.count("\n")
    assert _blocks(_PEM) == [("CERTIFICATE", 1)]
    assert _blocks("\n" + _PEM) == [("CERTIFICATE", 2)]
    assert _blocks("a\nb\n" + _PEM + "c\n" + _PEM + _PEM) == [
        ("CERTIFICATE", 3),
        ("CERTIFICATE", 4 + lines),
        ("CERTIFICATE", 4 + 2 * lines),
    ]
    (block,) = loose_pem.blocks("x\n" + _PEM)
    assert base64.b64decode(block.body) == _LEAF


@pytest.mark.parametrize("before", ["", " ", "\t", "- ", "  - ", "-", "a\n", "a\n  "])
def test_what_may_stand_before_a_block_in_its_line(before: str) -> None:
    assert [label for label, _line in _blocks(before + _PEM)] == ["CERTIFICATE"]


def test_a_block_that_a_sentence_goes_before_is_one_where_its_base64_is_whole() -> None:
    assert _blocks("see: " + _PEM) == [("CERTIFICATE", 1)]
    short = "see: -----BEGIN X-----\nAAAA\n-----END X----- and so on"
    assert _blocks(short) == [("X", 1)]
    assert _blocks(short.replace("AAAA", "words").replace("\n-----END", " -----END")) == []
    assert _blocks(_PEM.rstrip("\n") + _PEM) == [("CERTIFICATE", 1), ("CERTIFICATE", _PEM.count("\n"))]


@pytest.mark.parametrize("body", ["A" * 15, "all that is between them"])
def test_boundaries_that_a_sentence_speaks_of_are_no_block(body: str) -> None:
    assert _blocks(f"-----BEGIN X-----{body}-----END X-----") == []


@pytest.mark.parametrize("body", ["A" * 16, "\n", "words\nin lines\n"])
def test_boundaries_with_something_between_them_are_a_block(body: str) -> None:
    assert _blocks(f"-----BEGIN X-----{body}-----END X-----") == [("X", 1)]


@pytest.mark.parametrize(("size", "is_label"), [(1, True), (64, True), (65, False)])
def test_a_label_has_64_characters_at_most(size: int, is_label: bool) -> None:
    label = "X" * size
    text = f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n"
    if is_label:
        assert _blocks(text) == [(label, 1)]
    else:
        assert "the boundary in line 1 was cut off, or is damaged" in _refused(text)


def test_a_block_without_an_end_is_named_with_its_line() -> None:
    said = _refused("a\n-----BEGIN X-----\nAAAA\n")
    assert said.startswith("content holds a broken PEM block: X, which begins in line 2, has no end of its own.")
    assert "in line 3," in _refused("a\n\n-----BEGIN X-----\nAAAA\n-----END Y-----\n")
    assert "in line 1," in _refused("-----BEGIN X-----\nAAAA\n" + _PEM)
    # What a sentence quotes, and what begins a text that PGP has signed, has none.
    assert _blocks("of -----BEGIN X----- and so on") == []
    assert _blocks("-----BEGIN PGP SIGNED MESSAGE-----\n" + _PEM) == [("CERTIFICATE", 2)]


def test_a_block_without_a_beginning_is_named_with_its_line() -> None:
    said = _refused("a\n-----END X-----\n")
    assert said == "content holds a broken PEM block: X, which ends in line 2, has no beginning of its own."
    assert "line 3, has no beginning" in _refused("a\nb\n  -----END X-----\n")
    assert _blocks("of -----END X----- and so on") == []


@pytest.mark.parametrize(
    ("before", "is_end"),
    [
        ("A" * 40, True),
        ("A" * 39, False),
        ("A" * 40 + "\nAA==", True),
        ("A" * 40 + "\n AAA \n", True),
        ("A" * 40 + " . ", False),
        ("!" + "A" * 199, True),
        ("A" * 40 + " " * 160, True),
        ("A" * 40 + " " * 161, False),
    ],
)
def test_base64_before_an_end_was_a_block(before: str, is_end: bool) -> None:
    text = f"see: {before}-----END X-----"
    if is_end:
        assert "has no beginning of its own" in _refused(text)
    else:
        assert _blocks(text) == []


@pytest.mark.parametrize(
    "begun",
    [
        *("-----BEGIN", "-----BEGIN ", "-----BEGIN CERT", "-----END", "-----END CERTIFICATE---", "  -----BEGIN X"),
        *("-----B", "-----BE", "-----BEG", "-----BEGI", "-----E", "-----EN", "- -----BEGIN", "-----EN \n"),
    ],
)
def test_a_boundary_that_was_cut_off_is_seen(begun: str) -> None:
    assert "the boundary in line 1 was cut off, or is damaged" in _refused(begun)
    assert f"the boundary in line {1 + _PEM.count(chr(10))} was cut off" in _refused(_PEM + begun)


@pytest.mark.parametrize("begun", ["-----BEGIN", "-----END CERT"])
def test_a_boundary_that_is_damaged_is_seen_between_blocks_and_in_them(begun: str) -> None:
    assert "the boundary in line 2 was cut off" in _refused("a\n" + begun + "\n" + _PEM)
    first, rest = _PEM.split("\n", 1)
    assert "the boundary in line 2 was cut off" in _refused(f"{first}\n{begun}\n{rest}")
    assert "the boundary in line 4 was cut off" in _refused(f"x\n\n{first}\n{begun}\n{rest}")


@pytest.mark.parametrize(
    "text", ["-----", "-----\nB", "-----X", "-----BEGINNING", "a -----BEGIN", "--- -----B x", "-----B\nx"]
)
def test_dashes_that_begin_no_boundary(text: str) -> None:
    assert _blocks(text) == []
    assert _blocks(_PEM + text) == [("CERTIFICATE", 1)]


@pytest.mark.parametrize("end", ["\\n", "\\\\n", " \\n", "\\r\\n", "\\r"])
def test_ends_of_lines_that_are_written_out_are_named(end: str) -> None:
    assert "the two characters \\n where its lines should end" in _refused(_PEM.replace("\n", end))


# --- how much is read ---------------------------------------------------------------------------------------------


def test_a_mebibyte_of_text_is_read_and_not_a_character_more() -> None:
    text = _PEM + " " * (1024 * 1024 - len(_PEM))
    assert content.certificates(text) == [_LEAF]
    with pytest.raises(ChainError, match="content is 1048577 characters long; no chain takes more than 1048576"):
        content.certificates(text + " ")


def test_two_layers_of_base64_are_read_and_not_three() -> None:
    text = _PEM
    for _layer in range(2):
        text = base64.b64encode(text.encode()).decode()
        assert content.certificates(text) == [_LEAF]
    with pytest.raises(ChainError, match="content is"):
        content.certificates(base64.b64encode(text.encode()).decode())


@pytest.mark.parametrize("wrapped", [1, 2])
def test_der_in_base64_is_read(wrapped: int) -> None:
    for data, ders in ((_LEAF, [_LEAF]), (_asn1.pkcs7(_DERS), None)):
        text = base64.b64encode(data).decode()
        for _layer in range(wrapped - 1):
            text = base64.b64encode(text.encode()).decode()
        assert sorted(content.certificates(text)) == sorted(ders or _DERS)


@pytest.mark.parametrize("behind", [b"", b"\n", b"\r\n\x00 "])
def test_what_may_stand_behind_der(behind: bytes) -> None:
    assert content.certificates(base64.b64encode(_LEAF + behind).decode()) == [_LEAF]
    with pytest.raises(ChainError, match=f"with {len(behind) + 1} bytes of something else behind it"):
        content.certificates(base64.b64encode(_LEAF + behind + b"x").decode())
    with pytest.raises(ChainError, match=f"was cut off: {len(_LEAF) - 1} bytes are there"):
        content.certificates(base64.b64encode(_LEAF[:-1]).decode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_files_of_other_encodings_are_read(encoding: str) -> None:
    text = ("# grüße\n" if encoding != "utf-8-sig" else "") + _PEM
    data = text.encode(encoding)
    if encoding in ("utf-16-le", "utf-16-be"):
        data = (b"\xff\xfe" if encoding.endswith("le") else b"\xfe\xff") + data
    assert content.certificates(base64.b64encode(data).decode()) == [_LEAF]
    if encoding.startswith("utf-16"):
        # Half a character at the end costs none of what is before it.
        assert content.certificates(base64.b64encode(data + b"\x00").decode()) == [_LEAF]


@pytest.mark.parametrize("character", ["\ufeff", "\u200b", "\u200c", "\u200d", "\u2060"])
def test_characters_that_nobody_sees_are_passed_over(character: str) -> None:
    assert content.certificates(
        character + character.join(_PEM.split("\n", 2)[:1]) + "\n" + _PEM.split("\n", 1)[1]
    ) == [_LEAF]
    packed = base64.b64encode(_LEAF).decode()
    assert content.certificates(packed[:40] + character + packed[40:]) == [_LEAF]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_base64_that_lost_characters_is_said_to_be_cut_off(cut: int) -> None:
    for data in (_LEAF, _asn1.pkcs7(_DERS), _PEM.encode()):
        packed = base64.b64encode(data).decode().rstrip("=")
        with pytest.raises(ChainError, match="content is base64 that was cut off, or has lost characters"):
            content.certificates(packed[: len(packed) // 4 * 4 - cut])
    with pytest.raises(ChainError, match="neither PEM"):
        content.certificates("TUlJTUlJ" * 4 + "A" * cut)


def test_blocks_of_other_kinds_are_passed_over() -> None:
    key = authority.private_pem(authority.new_key())
    assert content.certificates(key + _PEM + key) == [_LEAF]
    assert content.certificates(_PEM.replace("CERTIFICATE", "X509 CERTIFICATE")) == [_LEAF]
    for label in ("PKCS7", "CMS", "PKCS #7 SIGNED DATA"):
        assert sorted(content.certificates(armour(_asn1.pkcs7(_DERS), label))) == sorted(_DERS)
    with pytest.raises(ChainError, match="content holds no certificates, only a private key"):
        content.certificates(key)
    with pytest.raises(ChainError, match="content holds a TRUSTED CERTIFICATE, in line 2"):
        content.certificates("\n" + _PEM.replace("CERTIFICATE", "TRUSTED CERTIFICATE"))


def test_a_block_whose_base64_is_damaged_is_named_with_its_line() -> None:
    with pytest.raises(ChainError, match=r"the base64 of CERTIFICATE, which begins in line 3, is damaged\.$"):
        content.certificates("\n\n" + _PEM.replace("MII", "M!I", 1))
    with pytest.raises(ChainError, match="Its lines are joined by commas, as a lookup does with a list of lines"):
        content.certificates(_PEM.rstrip("\n").replace("\n", ","))


def test_carriers_of_certificates_are_counted_one_by_one() -> None:
    # Two of them are no fewer than none.
    assert content.certificates(_PEM + armour(_DERS[0])) == [_LEAF, _DERS[0]]
    key = authority.private_pem(authority.new_key())
    assert content.certificates(_PEM + key + armour(_DERS[0])) == [_LEAF, _DERS[0]]


def test_a_container_of_nothing_is_said_to_be_empty() -> None:
    with pytest.raises(ChainError, match="content is a structure for certificates, and there is none in it"):
        content.certificates(armour(_asn1.pkcs7([]), "PKCS7"))


# --- chains -------------------------------------------------------------------------------------------------------


def test_thirty_two_certificates_are_read_and_not_one_more() -> None:
    top = authority.root()
    others = [authority.root(f"Root {number}").der for number in range(31)]
    with pytest.raises(ChainError, match="does not link up"):
        reading.bundle_of_content("".join(map(armour, [top.subordinate("CA").leaf(), *others])), _NOW)
    with pytest.raises(ChainError, match=r"33 certificates came, more than any chain has \(32 are read\)"):
        reading.bundle_of_content("".join(map(armour, [top.leaf(), top.der, *others])), _NOW)
    # The same one again is no other.
    twice = "".join(map(armour, reversed(_DERS))) * 20
    assert reading.bundle_of_content(twice, _NOW).certificate == _PEM


def test_the_first_certificate_of_a_text_is_described_whatever_it_is_for() -> None:
    for der in _DERS:
        described = reading.first_of_pem("# text\n" + armour(der) + _PEM, _NOW)
        assert described["fingerprint_sha256"] == reading.first_of_pem(armour(der), _NOW)["fingerprint_sha256"]
        assert described["chain"] == []
    assert reading.first_of_pem(_PEM, _NOW)["subject"] == "CN=www.example.com"
    for text in ("", "nothing", _PEM[:-20]):
        with pytest.raises(ChainError, match="there is no whole certificate in PEM form"):
            reading.first_of_pem(text, _NOW)


def test_a_text_for_a_diff_shows_certificates_in_words_and_all_else_as_it_is() -> None:
    described = reading.describe_pem("# one\n" + _PEM + "# two\n")
    assert described.startswith("# one\nsubject: CN=www.example.com\nserial number: ")
    assert "valid: 2026-05-01T00:00:00Z to 2026-11-01T23:59:59Z\nSHA-256 fingerprint: " in described
    assert described.endswith("\n# two\n")
    assert "BEGIN" not in described
    damaged = reading.describe_pem(armour(b"junk"))
    assert "a certificate that cannot be read" in damaged


def test_a_chain_without_its_leaf_is_text_too() -> None:
    bundle = Bundle(None, (_PEM,), None, None)
    assert bundle.full_chain() == _PEM
    assert bundle.described(_NOW) is None
    with pytest.raises(ChainError, match="The root certificate is asked for, and the chain came without one"):
        bundle.full_chain(include_root=True)
    assert Bundle(_PEM, (), "root", None).full_chain(include_root=True) == _PEM + "root"
    assert Bundle(_PEM, ("b",), "root", None).full_chain() == _PEM + "b"


def _valid(begin: str, end: str) -> Bundle:
    return Bundle(_PEM, (), None, {"subject": "CN=a", "not_before": begin, "not_after": end})


def test_validity_is_judged_to_the_second() -> None:
    begin, end = "2026-06-15T12:00:00Z", "2026-06-25T12:00:00Z"
    bundle, second = _valid(begin, end), datetime.timedelta(seconds=1)
    bundle.check_validity(moment(begin), 10)
    bundle.check_validity(moment(end), 0)
    with pytest.raises(ChainError, match=f"CN=a is not valid before {begin}"):
        bundle.check_validity(moment(begin) - second, 0)
    with pytest.raises(ChainError, match=f"CN=a expired at {end}"):
        bundle.check_validity(moment(end) + second, 0)
    with pytest.raises(ChainError, match=f"expires at {end}, in 9 days; min_validity_days asks for 10"):
        bundle.check_validity(moment(begin) + second, 10)


def _named(*names: str, common_name: str | None = None, unread: int = 0) -> Bundle:
    return Bundle(
        _PEM,
        (),
        None,
        {
            "subject": "CN=a",
            "subject_alt_names": names,
            "common_name": common_name,
            "unread_names": unread,
            "server_fault": None,
        },
    )


@pytest.mark.parametrize(
    ("given", "wanted", "covers"),
    [
        ("DNS:www.example.com", "www.example.com", True),
        ("DNS:www.example.com", " WWW.Example.com ", True),
        ("DNS:*.example.com", "www.example.com", True),
        ("DNS:*.example.com", "*.example.com", True),
        ("DNS:*.example.com", "a.www.example.com", False),
        ("DNS:*.example.com", "example.com", False),
        ("DNS:*.example.com", "https://www.example.com", False),
        ("DNS:*.example.com", "jane@www.example.com", False),
        ("DNS:*.com", "example.com", False),
        ("DNS:*.example.com", "a_b.example.com", True),
        ("DNS:www.example.com", "*.example.com", False),
        ("DNS:192.0.2.1", "192.0.2.1", False),
        ("IP:192.0.2.1", "192.0.2.1", True),
        ("IP:192.0.2.1", "www.example.com", False),
        ("IP:2001:db8::1", "2001:db8:0::1", True),
        ("email:A@example.com", "a@Example.com", True),
        ("email:a@example.com", "b@example.com", False),
        ("URI:www.example.com", "www.example.com", False),
    ],
)
def test_which_names_cover_which(given: str, wanted: str, covers: bool) -> None:
    bundle = _named("DNS:other.example", given)
    if covers:
        bundle.check_names([wanted])
    else:
        with pytest.raises(ChainError, match="does not cover"):
            bundle.check_names([wanted])


def test_names_that_cannot_be_read_are_counted_in_what_is_said() -> None:
    with pytest.raises(ChainError, match="it covers no name at all, and 2 of its alternative names cannot be read"):
        _named(unread=2).check_names(["a"])
    with pytest.raises(ChainError, match="does not cover a of expected_names; it covers DNS:b"):
        _named("DNS:b").check_names(["a"])


# --- ways through a pool ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [-1, 0, 1])
def test_an_authority_is_valid_to_the_second(second: int) -> None:
    begin, end = _NOW, _NOW + authority.DAY
    top = authority.root()
    middle = top.subordinate("CA", validity=(begin, end))
    text = "".join(map(armour, (middle.leaf(), middle.der, top.der)))
    step = datetime.timedelta(seconds=second)
    for now, refused in ((begin + step, second < 0), (end + step, second > 0)):
        if refused:
            said = "expired at 2026-06-16T12:00:00Z" if second > 0 else "is not valid before 2026-06-15T12:00:00Z"
            with pytest.raises(ChainError, match=f"The certificate authority CN=CA of the chain {said}"):
                reading.bundle_of_content(text, now)
        else:
            assert len(reading.bundle_of_content(text, now).intermediates) == 1


def test_two_certificates_that_do_not_link_up_are_no_chain() -> None:
    top = authority.root()
    text = "".join(map(armour, (top.leaf(), authority.root("Other").der)))
    with pytest.raises(ChainError, match="which did not come; sent instead: CN=Other"):
        reading.bundle_of_content(text, _NOW)
    # One alone is a chain, as far as it came.
    assert reading.bundle_of_content(armour(top.leaf()), _NOW).intermediates == ()


@pytest.mark.parametrize(
    "read",
    [
        lambda: reading.bundle_of_content(_PEM, _NOW),
        lambda: reading.describe_pem("no certificate"),
        lambda: reading.first_of_pem(_PEM, _NOW),
        certificate.require_cryptography,
    ],
)
def test_nothing_is_read_without_the_library(read: t.Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "_VERSION", "3.4")
    with pytest.raises(CollectError, match="cryptography"):
        read()


# --- facts --------------------------------------------------------------------------------------------------------


def test_the_last_common_name_is_the_most_specific() -> None:
    key = authority.new_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, value) for value in ("first", "last")])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_NOW)
        .not_valid_after(_NOW)
        .sign(key, hashes.SHA256())
    )
    assert certificate.facts(cert, ())["common_name"] == "last"


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        *((f"1.2.840.113549.1.1.{number}", "RSA") for number in (1, 4, 5, 10, 11, 12, 13)),
        *((f"2.16.840.1.101.3.4.3.{number}", "RSA") for number in (13, 14, 15, 16)),
        *((f"1.2.840.10045.4.{number}", "EC") for number in ("1", "3.2", "3.3", "3.4")),
        *((f"2.16.840.1.101.3.4.3.{number}", "EC") for number in (9, 10, 11, 12)),
        ("1.3.101.112", "Ed25519"),
        ("1.3.101.113", "Ed448"),
        *((f"2.16.840.1.101.3.4.3.{number}", None) for number in (1, 8, 17, 130)),
        ("1.3.101.1121", None),
        ("1.2.840.113549.1.1", None),
        ("1.2.840.10045.41", None),
    ],
)
def test_which_key_makes_which_signature(identifier: str, kind: str | None) -> None:
    assert certificate._kind(identifier, certificate._SIGNED_BY) == kind


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [
        ("1.2.840.113549.1.1.1", "RSA"),
        ("1.2.840.113549.1.1.10", "RSA"),
        ("1.2.840.10045.2.1", "EC"),
        ("1.3.101.112", "Ed25519"),
        ("1.3.101.113", "Ed448"),
        ("1.2.840.10040.4.1", None),
        ("1.2.840.10045.2.11", None),
    ],
)
def test_which_kind_a_public_key_is(identifier: str, kind: str | None) -> None:
    assert certificate._kind(identifier, certificate._KEYS) == kind
