# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it is that was handed in as certificates and is none: the sentences that name it, without showing it.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import is_zip
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import der

_NONE = "content holds no certificates"

_PRIVATE_KEY = "a private key"
_REQUEST = "a certificate request"
_PKCS12 = "a PKCS#12 structure"

_HINTS = {
    _PRIVATE_KEY: "A key belongs on the target (privatekey_path), and not in here.",
    _REQUEST: "Give the certificate that the authority issued for it.",
    _PKCS12: "Take the certificates out of it: openssl pkcs12 -in FILE -nokeys.",
    "a TRUSTED CERTIFICATE": "Make an ordinary certificate of it: openssl x509 -in FILE.",
    "a ZIP archive": "Unpack it, and give the certificates in it.",
}
_LABELS = (
    ("PRIVATE KEY", _PRIVATE_KEY),
    ("CERTIFICATE REQUEST", _REQUEST),
    ("TRUSTED CERTIFICATE", "a TRUSTED CERTIFICATE"),
    ("PUBLIC KEY", "a public key"),
    ("CRL", "a revocation list"),
    ("PARAMETERS", "parameters for keys"),
)
_BIT_STRING = 0x03
_TIMES = (0x17, 0x18)
_PATH = re.compile(
    r"(?:[~/]|[A-Za-z]:\\|\.{1,2}/)?[^\s<>{}]{1,1000}\.(?:pem|crt|cer|p7b|p7c|der|pfx|p12|zip|txt)\Z|[~/][^\s]{0,1000}\Z"
)
# What no text holds, or stands for an octet that was none.
_BINARY = re.compile("[\x00-\x08\x0e-\x1f\ufffd\ud800-\udfff]")
# Hyphens may be left among them: a word processor makes one long dash of two.
_DASHES = re.compile("[\u2010-\u2015\u2212]-{0,4} ?BEGIN [A-Z0-9 ]+")


def labels(found: t.Iterable[str]) -> str:
    """What a text is whose PEM blocks have these labels, none of which is one of certificates."""
    kinds = list(dict.fromkeys(_of_label(label) for label in found))
    return f"{_NONE}, only {listed(kinds, ' and ')}.{_hint(kinds)}"


def trusted(line: int) -> str:
    """What is said of OpenSSL's own form of a certificate, which begins in a line."""
    return (
        f"content holds a TRUSTED CERTIFICATE, in line {line}: OpenSSL's own form, with the settings of a trust store "
        f"behind the certificate, which servers do not read.{_hint(['a TRUSTED CERTIFICATE'])}"
    )


def text(given: str) -> str:
    """What a text is that holds no PEM block and is no base64 of anything known."""
    stripped = given.strip()
    if not stripped:
        return f"{_NONE}: it is empty."
    if stripped.startswith("<"):
        return f"{_NONE}: it is a page of HTML or XML. Was an error page saved in place of the certificates?"
    if stripped.startswith("$ANSIBLE_VAULT"):
        return f"{_NONE}: it is still encrypted with ansible-vault."
    if stripped.startswith("{"):
        return (
            f"{_NONE}: it is the text of a dictionary. Give the value in it that holds them, such as the content of "
            "what slurp returned."
        )
    if "BEGIN" in stripped and _DASHES.search(stripped):
        return (
            f"{_NONE} in PEM form: the dashes of its boundaries are not hyphens, as word processors make them. Copy "
            "the certificates from their source again."
        )
    if "-----BEGIN " in stripped:
        return f"{_NONE} in PEM form: no boundary stands at the beginning of a line. Are they quoted, or commented out?"
    if _BINARY.search(stripped):
        return (
            f"{_NONE}: it is a binary file that was read as text, which damages it. Read it as base64: with slurp, on "
            "the controller with delegate_to: localhost."
        )
    if _PATH.match(stripped):
        return (
            f"{_NONE}: it looks like the path of a file. Give what is in the file, with "
            "lookup('ansible.builtin.file', ...) for one on the controller and slurp for one on the target."
        )
    if re.fullmatch(r"(?:\\+[nr]|[A-Za-z0-9+/=\s])+", stripped) and "\\" in stripped:
        return rf"{_NONE}: it looks like base64 with the two characters \n where its lines should end."
    return f"{_NONE}: it is neither PEM, nor PKCS#7 or a certificate in base64."


def data(given: bytes) -> str:
    """What octets are that came as base64 and are neither text nor a certificate nor PKCS#7."""
    what = "a ZIP archive" if is_zip(given) else kind(given)
    if what is not None:
        return f"{_NONE}: it is {what} in base64.{_hint([what])}"
    return f"{_NONE}: it is base64 of something that is neither PEM, nor PKCS#7, nor a certificate."


def kind(given: bytes) -> str | None:
    """What a structure of DER is, where it is one that people take for a certificate."""
    try:
        parts = der.sequence(given)
        tags = [part.tag for part in parts]
        if tags[:1] == [der.INTEGER]:
            return _beginning_with_a_number(parts)
        if tags[:1] == [der.SEQUENCE]:
            return _beginning_with_a_structure(parts)
    except ValueError:
        pass
    return None


def _beginning_with_a_number(parts: list[der.Element]) -> str | None:
    tags = [part.tag for part in parts]
    if tags == [der.INTEGER, der.INTEGER]:
        return "a public key"
    if parts[0].content == b"\x03" and tags[1:2] == [der.SEQUENCE]:
        return _PKCS12
    return _PRIVATE_KEY if parts[0].content in (b"\x00", b"\x01") else None


def _beginning_with_a_structure(parts: list[der.Element]) -> str | None:
    tags = [part.tag for part in parts]
    inner = [part.tag for part in parts[0].parts()]
    if inner[:1] == [der.OBJECT_IDENTIFIER]:
        return {der.OCTET_STRING: _PRIVATE_KEY, _BIT_STRING: "a public key"}.get(tags[-1])
    if any(tag in _TIMES for tag in inner):
        return "a revocation list"
    if inner[:3] == [der.INTEGER, der.SEQUENCE, der.SEQUENCE] and 0xA0 in inner[3:4]:
        return _REQUEST
    return None


def _of_label(label: str) -> str:
    for ending, what in _LABELS:
        if label.endswith(ending):
            return what
    return f"a block {excerpt(label, 40)}"


def _hint(kinds: t.Iterable[str]) -> str:
    return "".join(f" {_HINTS[what]}" for what in kinds if what in _HINTS)
