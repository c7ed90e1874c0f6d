# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users hand in as content: every form that is taken, with anything around it, and a sentence for every other."""

from __future__ import annotations

import base64
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.content import certificates
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_content
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _archive, _asn1
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    NOW,
    chain,
    der_of,
    new_key,
    pem_of,
    private_pem,
    public_pem,
    root,
    self_signed,
)
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

_DERS = list(chain().served)
_BLOCKS = [pem_of(der) for der in _DERS]
_PEM = "".join(_BLOCKS)
_LEAF = chain().leaf
_KEY = private_pem(new_key())


def _base64(data: bytes | str) -> str:
    return base64.b64encode(data.encode("utf-8") if isinstance(data, str) else data).decode("ascii")


def _in_lines(data: bytes) -> str:
    return base64.encodebytes(data).decode("ascii")


def _openssl(*arguments: str, given: str = _PEM) -> bytes:
    return openssl(*arguments, stdin=given.encode("ascii"))


_PKCS7 = _openssl("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", "-outform", "DER")
_PKCS7_PEM = _openssl("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin").decode("ascii")
_REQUEST = _openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", given=_KEY).decode("ascii")
_TRUSTED = _openssl("x509", "-trustout", "-addtrust", "serverAuth", given=_BLOCKS[3]).decode("ascii")
_PKCS12 = _openssl("pkcs12", "-export", "-nokeys", "-passout", "pass:x")


def _s_client() -> str:
    """As ``openssl s_client -showcerts`` prints it."""
    shown = "".join(f" {number} s:CN = x\n   i:CN = y\n{block}" for number, block in enumerate(_BLOCKS))
    return (
        f"CONNECTED(00000003)\n---\nCertificate chain\n{shown}---\nServer certificate\n{_BLOCKS[3]}subject=CN = x\n\n"
        "issuer=CN = y\n\n---\nNo client certificate CA names sent\nPeer signing digest: SHA256\n---\n"
    )


def _signed_mail() -> str:
    escaped = "\n".join("- " + line if line.startswith("-") else line for line in _PEM.splitlines())
    return (
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{escaped}\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n"
    )


# --- what is taken ---------------------------------------------------------------------------------------------------

_TAKEN = {
    "plain": _PEM,
    "CRLF": _PEM.replace("\n", "\r\n"),
    "CR": _PEM.replace("\n", "\r"),
    "no line feed at the end": _PEM.strip(),
    "a byte order mark": "\ufeff" + _PEM,
    "a byte order mark before each": "".join("\ufeff" + block for block in _BLOCKS),
    "s_client": _s_client(),
    "s_client cut behind its marks": _s_client()[:-1],
    "a mail": f"-----Original Message-----\nFrom: x\n\n{_PEM}-- \nJohn Doe\n----------\nExample\n",
    "a mail that ends in its mark": _PEM + "--",
    "rules of any length": "".join("-" * size + "\n" + _BLOCKS[size % 4] for size in range(1, 12)) + "-" * 5,
    "a rule of five at the end": _PEM + "-----\n",
    "scissors": "----- snip -----\n" + _PEM + "----- snap -----",
    "a YAML document": "---\n" + _PEM + "...\n---\n",
    "a YAML list": "".join("- " + block for block in _BLOCKS),
    "openssl x509 -text": "".join(_openssl("x509", "-text", given=block).decode("ascii") for block in _BLOCKS),
    "bags": "".join(f"Bag Attributes\n    localKeyID: 01 \nsubject=CN = {b[30:40]}\n{b}" for b in _BLOCKS),
    "comments": f"# our chain -- 2026\n{_PEM}# the end ---",
    "a commented block": "\n".join("# " + line for line in _BLOCKS[0].splitlines()) + "\n" + _PEM,
    "a sentence about boundaries": f"From -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, all of it:\n{_PEM}",
    "a line that is such a sentence": f"-----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- are marks.\n{_PEM}",
    "an indented block": "\n".join("    " + line for line in _PEM.splitlines()),
    "lines with blanks at their ends": _PEM.replace("\n", " \t\n"),
    "no-break spaces": _PEM.replace("\n", "\u00a0\n"),
    "folded": " ".join(_PEM.splitlines()),
    "files joined without line feeds": "".join(block.strip() for block in _BLOCKS),
    "in a page": f"<pre>{_PEM}</pre>",
    "in quotes": f'"{_PEM}"',
    "a text signed with PGP": _signed_mail(),
    "with a private key": _KEY + _PEM,
    "with an encrypted private key": private_pem(new_key(), "x") + _PEM,
    "with parameters": _PEM + "-----BEGIN DH PARAMETERS-----\nMEYCQQ==\n-----END DH PARAMETERS-----\n",
    "with parameters of X9.42": "-----BEGIN X9.42 DH PARAMETERS-----\nMAA=\n-----END X9.42 DH PARAMETERS-----\n" + _PEM,
    "with a block that nobody knows": _PEM + "-----BEGIN acme, v1.0-----\nMAA=\n-----END acme, v1.0-----\n",
    "with a request": _REQUEST + _PEM,
    "an old label": _PEM.replace(" CERTIFICATE", " X509 CERTIFICATE"),
    "umlauts": f"# für Käthe\n{_PEM}",
    "twice": _PEM + _PEM,
    "PKCS#7 in PEM": _PKCS7_PEM,
    "PKCS#7 under the label of a certificate": _PKCS7_PEM.replace("PKCS7", "CERTIFICATE"),
    "PKCS#7 under the label CMS": _PKCS7_PEM.replace("PKCS7", "CMS"),
    "PKCS#7 under an old label": _PKCS7_PEM.replace("PKCS7", "PKCS #7 SIGNED DATA"),
    "PKCS#7 with text around it": f"---\nsubject=x\n{_PKCS7_PEM}-- \nme",
    "the certificate in PEM, the others as PKCS#7": _BLOCKS[3] + _PKCS7_PEM,
    "PKCS#7 in base64": _base64(_PKCS7),
    "PKCS#7 in base64, in lines": _in_lines(_PKCS7),
    "PKCS#7 in base64, in lines of Windows": _in_lines(_PKCS7).replace("\n", "\r\n"),
    "slurp of PEM": _base64(_PEM),
    "slurp of PEM of Windows": _base64(b"\xef\xbb\xbf" + _PEM.replace("\n", "\r\n").encode("ascii")),
    "slurp of PEM in UTF-16": _base64(_PEM.encode("utf-16")),
    "slurp of PEM with a comment in Latin-1": _base64("# f\u00fcr\n".encode("latin-1") + _PEM.encode("ascii")),
    "slurp of PEM, in lines": _in_lines(_PEM.encode("ascii")),
    "slurp of several files, joined": "".join(_base64("#" * size + "\n" + block) for size, block in enumerate(_BLOCKS)),
    "slurp of several files, in lines": "\n".join(_base64(block + "\n" * size) for size, block in enumerate(_BLOCKS)),
    "slurp of s_client": _base64(_s_client()),
    "slurp of PKCS#7 in PEM": _base64(_PKCS7_PEM),
    "slurp of PKCS#7 in DER": _base64(_PKCS7),
    "slurp of PKCS#7 in base64, as Windows writes it": _base64(_in_lines(_PKCS7).replace("\n", "\r\n")),
}


@pytest.mark.parametrize("name", _TAKEN)
def test_what_is_taken(name: str) -> None:
    assert bundle_of_content(_TAKEN[name], NOW) == bundle_of_content(_PEM, NOW)


@pytest.mark.parametrize(
    "data", [_LEAF, _LEAF + b"\r\n", _in_lines(_LEAF).encode("ascii"), pem_of(_LEAF).encode("ascii")]
)
def test_one_certificate_as_slurp_reads_its_file(data: bytes) -> None:
    assert certificates(_base64(data)) == [_LEAF]


def test_a_netscape_sequence_under_the_label_of_a_certificate() -> None:
    text = _openssl("nseq", "-toseq").decode("ascii")
    assert certificates(text) == _DERS


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text("- \tabcBEGIN/+=:#>\u00fc\n", max_size=60).filter(
            lambda text: "-----B" not in text and "-----E" not in text
        ),
        min_size=5,
        max_size=5,
    )
)
def test_no_text_around_blocks_makes_a_difference(around: list[str]) -> None:
    text = "".join(f"{between}\n{block}" for between, block in zip(around, _BLOCKS, strict=False)) + around[4]
    assert certificates(text) == _DERS


@given(st.text("-BEGIN CERTIFICATE\nEND MII=\\n", max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_other_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ChainError) as caught:
        certificates(text)
    assert str(caught.value).endswith((".", "?"))


# --- what is not -----------------------------------------------------------------------------------------------------

_DER_KEY = serialization.load_pem_private_key(_KEY.encode("ascii"), None)


def _key_der(layout: serialization.PrivateFormat, protection: serialization.KeySerializationEncryption) -> bytes:
    return _DER_KEY.private_bytes(serialization.Encoding.DER, layout, protection)


_OPEN = serialization.NoEncryption()
_PKCS8, _OLD = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
_LITERAL = _PEM.replace("\n", r"\n")
_TWO_CHARACTERS = r"the two characters \n where its lines should end"
_PLACEHOLDER = ("CN=localhost (serial number ", "is self-signed: a placeholder, or a root")

_NOT_TAKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    r"\n as two characters": (_LITERAL, (_TWO_CHARACTERS, r""""{{ TEXT | replace('\\n', '\n') }}".""")),
    r"\r\n as four characters": (_PEM.replace("\n", r"\r\n"), (_TWO_CHARACTERS,)),
    r"\\n as three characters": (_PEM.replace("\n", r"\\n"), (_TWO_CHARACTERS,)),
    "JSON": ('{"chain": "' + _LITERAL + '"}', (_TWO_CHARACTERS,)),
    r"\n in a file that slurp read": (_base64(_LITERAL), (_TWO_CHARACTERS,)),
    r"\n in PKCS#7": (_PKCS7_PEM.replace("\n", r"\n"), (_TWO_CHARACTERS,)),
    r"\n in base64": (_in_lines(_PKCS7).replace("\n", r"\n"), (_TWO_CHARACTERS,)),
    "a trusted certificate": (_TRUSTED, ("TRUSTED CERTIFICATE, in line 1", "openssl x509 -in FILE.")),
    "a trusted certificate among others": (_PEM + _TRUSTED, ("TRUSTED CERTIFICATE, in line 45",)),
    "a placeholder": (pem_of(der_of(self_signed("localhost", new_key()))), _PLACEHOLDER),
    "a placeholder that is an authority": (pem_of(root("localhost").der), _PLACEHOLDER),
    "a placeholder in base64": (_base64(der_of(self_signed("localhost", new_key()))), _PLACEHOLDER),
    "a placeholder with a root": (pem_of(der_of(self_signed("localhost", new_key())), _DERS[0]), _PLACEHOLDER),
    "nothing": ("", ("holds no certificates: it is empty.",)),
    "blanks": (" \r\n\t\n", ("holds no certificates: it is empty.",)),
    "a word": ("changeme", ("holds no certificates",)),
    "a sentence": ("To be filled in later, please!", ("neither PEM, nor PKCS#7 or a certificate in base64.",)),
    "a page": ("<!DOCTYPE html><html><title>Log in</title>", ("a page of HTML or XML",)),
    "a page in base64": (_base64("<html>\u00fc</html>"), ("a page of HTML or XML",)),
    "a path": ("/etc/ssl/certs/www.example.com.pem", ("the path of a file", "ansible.builtin.file", "slurp")),
    "a relative path": ("files/chain.p7b", ("the path of a file",)),
    "what slurp returned": ("{'content': 'LS0tLS1C', 'encoding': 'base64'}", ("a dictionary", "slurp")),
    "a vault": ("$ANSIBLE_VAULT;1.1;AES256\n6633\n", ("encrypted with ansible-vault",)),
    "DER as lookup reads a file": (_PKCS7.decode("utf-8", "surrogateescape"), ("binary file", "slurp")),
    "DER with what was no text replaced": (_PKCS7.decode("utf-8", "replace"), ("binary file", "slurp")),
    "dashes of a word processor": (_PEM.replace("-----", "\u2014" * 3), ("not hyphens",)),
    "dashes of a word processor, some of them": (_PEM.replace("-----", "\u2014\u2014-"), ("not hyphens",)),
    "a quoted mail": ("\n".join("> " + line for line in _PEM.splitlines()), ("quoted, or commented out?",)),
    "all commented out": ("\n".join("# " + line for line in _PEM.splitlines()), ("quoted, or commented out?",)),
    "lines joined by commas": (",".join(_PEM.splitlines()), ("broken PEM block", "joined by commas")),
    "a private key": (_KEY, ("only a private key.", "privatekey_path")),
    "an encrypted private key": (private_pem(new_key(), "x"), ("only a private key.",)),
    "a private key that slurp read": (_base64(_KEY), ("only a private key.",)),
    "a private key under another label": (_KEY.replace("PRIVATE KEY", "CERTIFICATE"), ("a private key in base64",)),
    "a private key in DER": (_base64(_key_der(_PKCS8, _OPEN)), ("a private key in base64",)),
    "an old private key in DER": (_base64(_key_der(_OLD, _OPEN)), ("a private key in base64",)),
    "an encrypted private key in DER": (
        _base64(_key_der(_PKCS8, serialization.BestAvailableEncryption(b"x"))),
        ("a private key in base64",),
    ),
    "a request": (_REQUEST, ("only a certificate request.", "that the authority issued")),
    "a request under another label": (_REQUEST.replace(" REQUEST", ""), ("a certificate request in base64",)),
    "a request and its key": (_REQUEST + _KEY, ("only a certificate request and a private key.",)),
    "a public key": (public_pem(new_key()), ("only a public key.",)),
    "a revocation list": (
        "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n",
        ("only a revocation list.",),
    ),
    "PKCS#12": (_base64(_PKCS12), ("a PKCS#12 structure in base64", "openssl pkcs12 -in FILE -nokeys")),
    "a ZIP archive": (_base64(_archive.make(_DERS, None, None)), ("a ZIP archive in base64", "Unpack it")),
    "a picture": (_base64(b"\x89PNG\r\n\x1a\n" + bytes(40)), ("base64 of something that is neither",)),
    "any octets": (_base64(bytes(range(256))), ("base64 of something that is neither",)),
    "PKCS#7 without certificates": (_base64(_asn1.pkcs7([])), ("there is none in it",)),
    "base64 cut off": (_base64(_PKCS7)[:-4], ("was cut off: 16", "bytes are there")),
    "base64 cut off at no multiple of four": (_base64(_PKCS7)[:-5], ("base64 that was cut off", "no multiple of 4")),
    "PEM in base64, cut off": (_base64(_PEM)[:-60], ("broken PEM block", "CERTIFICATE, which begins in line 34")),
    "two in DER": (_base64(_LEAF + _DERS[2]), ("bytes of something else behind it", "PEM, or as PKCS#7")),
    "cut off": (_PEM[:-40], ("broken PEM block", "begins in line 34, has no end")),
    "cut off in a boundary": (_PEM + "-----BEGIN CERT", ("broken PEM block", "the boundary in line 45 was cut off")),
    "cut off in the word of a boundary": (_PEM + "-----BE\n", ("broken PEM block", "line 45")),
    "cut off at its first letter": (_PEM + "-----B", ("broken PEM block", "line 45")),
    "cut off at the beginning": (_PEM[30:], ("broken PEM block", "ends in line 10, has no beginning")),
    "cut off and joined": (_BLOCKS[0][:-40] + _BLOCKS[1] + _BLOCKS[3], ("broken PEM block", "line 1, has no end")),
    "a private key that is cut off": (_KEY[:-20] + _PEM, ("broken PEM block", "PRIVATE KEY, which begins in line 1")),
    "PKCS#7 cut off in PEM": (_PKCS7_PEM[:600] + _PKCS7_PEM[-22:], ("broken PEM block", "base64 of PKCS7")),
    "a damaged boundary": (_PEM.replace("-----END", "----END", 1), ("broken PEM block", "line 1, has no end")),
    "a damaged label": (_PEM.replace("END CERTIF", "END CERT1F", 1), ("broken PEM block", "line 1, has no end")),
    "a damaged beginning": (_PEM.replace("BEGIN", "BEGJN", 1), ("broken PEM block", "has no beginning")),
    "a damaged beginning, folded": (
        " ".join(_PEM.replace("BEGIN", "BEGJN", 1).splitlines()),
        ("broken PEM block", "has no beginning"),
    ),
    "damaged base64": (_PEM.replace("MII", "M?I", 1), ("broken PEM block", "CERTIFICATE, which begins in line 1")),
    "damaged base64 in quotes": ('"' + _PEM.replace("MII", "M?I", 1), ("broken PEM block",)),
    "nothing in a block": (
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ("broken PEM block", "CERTIFICATE, which begins in line 1"),
    ),
    "an ellipsis": (
        "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n",
        ("broken PEM block", "CERTIFICATE, which begins in line 1"),
    ),
    "no certificate in a block": (
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ("A certificate of 3 bytes cannot be read",),
    ),
    "several chains": (_PEM + pem_of(chain().lower.leaf()), ("2 end-entity certificates came",)),
}


@pytest.mark.parametrize("name", _NOT_TAKEN)
def test_what_is_not_taken_is_named(name: str) -> None:
    text, words = _NOT_TAKEN[name]
    with pytest.raises(ChainError) as caught:
        bundle_of_content(text, NOW)
    said = str(caught.value)
    for word in words:
        assert word in said
    assert said.endswith((".", "?"))
    assert said.isprintable()
    assert len(said) < 400


def test_no_message_shows_what_was_given() -> None:
    """Lines of base64 may be those of a key."""
    given_lines = {line for text, _words in _NOT_TAKEN.values() for line in text.split() if len(line) > 20}
    for text, _words in _NOT_TAKEN.values():
        with pytest.raises(ChainError) as caught:
            bundle_of_content(text, NOW)
        assert not [line for line in given_lines if line in str(caught.value)]


@pytest.mark.parametrize("text", [_PEM, _PKCS7_PEM, _s_client(), _KEY + _PEM], ids=["PEM", "PKCS7", "s_client", "key"])
def test_a_block_that_is_cut_anywhere_is_seen(text: str, record_property: t.Callable[[str, object], None]) -> None:
    """But for a cut within its first dashes: then it has not begun."""
    begin = text.index("-----BEGIN") + 6
    end = text.index("-----END", begin)
    sizes = (*range(begin, begin + 70), *range(begin + 70, end, 7), *range(end, text.index("\n", end)))
    record_property("tried", f"hostile body: handed in and cut within a block: {2 * len(sizes)}")
    for size in sizes:
        with pytest.raises(ChainError):
            certificates(text[:size])
        with pytest.raises(ChainError):
            certificates(text[:size] + "\n" + _PEM)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN CERTIFICATE-----\n" * 37_000,
        "-----END CERTIFICATE-----\n" * 40_000,
        "x -----BEGIN A----- y -----END A----- " * 27_000,
        "-----BEGIN A-----\n-----END A-----\n" * 29_000,
        "- -----BEGIN " + "A" * 1_000_000,
        "-" * 1_040_000,
        "\\n" * 520_000,
        "A" * 1_040_001,
        " \n" * 520_000,
        "\u2014 BEGIN " * 120_000,
        "a." * 520_000,
    ],
)
def test_text_of_any_kind_is_judged_at_once(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(ChainError):
        certificates(text)
    assert time.process_time() - begin < 3


def test_more_than_any_chain_takes() -> None:
    with pytest.raises(ChainError, match="content is 1048577 characters long; no chain takes more than 1048576"):
        certificates("A" * (1024 * 1024 + 1))
