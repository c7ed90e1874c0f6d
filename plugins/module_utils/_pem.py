# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text: finding the blocks of a label, armouring DER; the fingerprint of DER, and the public key in it.

This module util is private to the collection. It can have breaking changes at any time.
"""

import base64
import binascii
import hashlib
import re
from typing import Callable, List, Match, Optional, Tuple

CERTIFICATE = "CERTIFICATE"
_COLUMNS = 64
_LABEL = r"(?P<label>[A-Z0-9 #]+?)"
# A block may carry header lines of its own (RFC 1421 encrypted keys), so all but another boundary may stand inside.
_BLOCK = re.compile(r"-----BEGIN " + _LABEL + r"-----(?P<body>(?:(?!-----).)*)-----END (?P=label)-----", re.DOTALL)
# As RFC 7468 has labels, and OpenSSL has "X9.42 DH PARAMETERS": any printable characters.
_ANY_BLOCK = re.compile(
    r"-----BEGIN (?P<label>(?:(?!-----)[ -~])+)-----(?P<body>(?:(?!-----).)*)-----END (?P=label)-----", re.DOTALL
)
_BOUNDARY = re.compile(r"-----(?:BEGIN|END)")
_BASE64 = re.compile(r"^[A-Za-z0-9+/]+={0,2}\Z")
# The end of a text that was cut off within the first word of a boundary.
_CUT_BOUNDARY = re.compile(r"^[ \t]*-{1,5}(?:B|BE|BEG|BEGI)?\s*\Z", re.MULTILINE)

# Tags of DER, as the parts of a certificate have them (RFC 5280, section 4.1).
_INTEGER, _BIT_STRING, _OBJECT_IDENTIFIER, _SEQUENCE, _VERSION = 0x02, 0x03, 0x06, 0x30, 0xA0
_BEFORE_KEY = [_INTEGER, _SEQUENCE, _SEQUENCE, _SEQUENCE, _SEQUENCE]
# What names a kind of public key (RFC 3279, section 2.3): rsaEncryption, ecPublicKey.
_KEY_TYPES = {b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01": "rsa", b"\x2a\x86\x48\xce\x3d\x02\x01": "ecdsa"}


def armour(der: bytes, label: str = CERTIFICATE) -> str:
    """One PEM block of 64 columns, ending in a line feed."""
    packed = base64.b64encode(der).decode("ascii")
    lines = [packed[start : start + _COLUMNS] for start in range(0, len(packed), _COLUMNS)]
    return "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format(label, "\n".join(lines))


def fingerprint(der: bytes) -> str:
    """The SHA-256 fingerprint of a certificate, in lower-case hexadecimal with colons."""
    digest = hashlib.sha256(der).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def tlsa(public_key_sha256: str) -> str:
    """A TLSA record (RFC 6698) that names a public key by its digest: certificate usage 3, selector 1, matching 1."""
    return f"3 1 1 {public_key_sha256}"


def tlsa_of(der: bytes) -> str:
    """The TLSA record of a certificate; raises ``ValueError`` as ``public_key`` does."""
    return tlsa(hashlib.sha256(public_key(der)).hexdigest())


def public_key(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, octet by octet; raises ``ValueError`` for what is no certificate.

    Only where the parts stand is looked at, and not what is in those before and behind the key.
    """
    certificate = _only(der)
    if [tag for tag, dummy, dummy in certificate] != [_SEQUENCE, _SEQUENCE, _BIT_STRING]:
        raise ValueError("it does not have the three parts of a certificate")
    parts = _parts(certificate[0][1])
    if parts and parts[0][0] == _VERSION:
        parts = parts[1:]
    before = len(_BEFORE_KEY)
    if [tag for tag, dummy, dummy in parts[: before + 1]] != [*_BEFORE_KEY, _SEQUENCE]:
        raise ValueError("it does not have the fields of a certificate")
    key = parts[before]
    if [tag for tag, dummy, dummy in _parts(key[1])] != [_SEQUENCE, _BIT_STRING]:
        raise ValueError("its public key is not an algorithm and a key")
    return key[2]


def key_type(der: bytes) -> Optional[str]:
    """Of what kind the public key of a certificate is: ``rsa``, ``ecdsa``, or None for any other."""
    try:
        algorithm = _parts(_only(public_key(der))[0][1])[0]
    except (IndexError, ValueError):
        return None
    return _KEY_TYPES.get(algorithm[1]) if algorithm[0] == _OBJECT_IDENTIFIER else None


_Part = Tuple[int, bytes, bytes]


def _only(data: bytes) -> List[_Part]:
    """The parts of the one SEQUENCE that ``data`` is."""
    found = _parts(data)
    if len(found) != 1 or found[0][0] != _SEQUENCE:
        raise ValueError("it is not one SEQUENCE")
    return _parts(found[0][1])


def _parts(data: bytes) -> List[_Part]:
    """Tag, content and whole of each element of DER in ``data``, one behind the other, to its end."""
    found = []
    at = 0
    while at < len(data):
        begin, end = _extent(data, at)
        found.append((data[at], data[begin:end], data[at:end]))
        at = end
    return found


def _extent(data: bytes, at: int) -> Tuple[int, int]:
    """Where the content of the element at a place begins and ends; its length is in the one form that DER allows."""
    if data[at] & 0x1F == 0x1F:
        raise ValueError("an element is of a kind that no certificate has")
    octets = data[at + 1 : at + 2]
    begin, length = at + 2, octets[0] if octets else 0
    if length >= 0x80:
        octets = data[begin : begin + length - 0x80]
        if len(octets) != length - 0x80 or not octets or octets[0] == 0:
            raise ValueError("an element has no length that DER allows")
        begin, length = begin + len(octets), int.from_bytes(octets, "big")
        if length < 0x80:
            raise ValueError("an element has no length that DER allows")
    if not octets or begin + length > len(data):
        raise ValueError("an element is cut off")
    return begin, begin + length


def dearmour(block: str) -> Optional[bytes]:
    """The DER inside one PEM block, or None where its base64 is broken."""
    match = _BLOCK.search(block)
    if not match:
        return None
    return decode_base64(match.group("body"))


def decode_base64(text: str) -> Optional[bytes]:
    """Strict base64 of ``text``, white space aside; None where it is broken or empty."""
    packed = "".join(text.split())
    # How strict the library is depends on the version of Python.
    if len(packed) % 4 or not is_base64(packed):
        return None
    try:
        return base64.b64decode(packed.encode("ascii"), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def is_base64(text: str) -> bool:
    """Whether text could be base64 in one line, or a line of it; how long it is does not matter."""
    return bool(_BASE64.match(text))


def blocks(text: str, label_ending: str = CERTIFICATE) -> List[str]:
    """Every PEM block of ``text`` whose label is, or ends in, ``label_ending``, in order, each ending in a line feed.

    ``PRIVATE KEY`` thus finds ``RSA PRIVATE KEY`` and ``ENCRYPTED PRIVATE KEY`` too.
    """
    return [_in_lines(match) for match in _BLOCK.finditer(text) if _has_label(match, label_ending)]


def replaced(text: str, replacement: Callable[[str], str]) -> str:
    """The text, with something else in place of each PEM block of a certificate, the line feed behind it included.

    :arg replacement: what stands in place of a block, which it is given as ``blocks`` has it.
    """
    parts: List[str] = []
    at = 0
    # Once over the text, however many blocks it holds.
    for match in _BLOCK.finditer(text):
        if _has_label(match, CERTIFICATE):
            parts += [text[at : match.start()], replacement(_in_lines(match))]
            at = match.end()
            at += 2 if text.startswith("\r\n", at) else int(text.startswith("\n", at))
    return "".join(parts) + text[at:]


def _has_label(match: Match[str], ending: str) -> bool:
    label = match.group("label")
    return label == ending or label.endswith(" " + ending)


def _in_lines(match: Match[str]) -> str:
    return match.group(0).replace("\r\n", "\n") + "\n"


def every_block(text: str) -> List[Tuple[str, str]]:
    """Label and text of every whole PEM block, in order, each ending in a line feed; torn ones are passed over.

    Unlike the others here it finds blocks of any label.
    """
    return [(match.group("label"), match.group(0).replace("\r\n", "\n") + "\n") for match in _ANY_BLOCK.finditer(text)]


def whole_blocks(text: str) -> Optional[List[Tuple[str, str]]]:
    """Label and text of every PEM block, in order; None where one is torn: cut off, or without one of its boundaries.

    Unlike ``blocks`` it never passes over a part of the text that was a block once.
    """
    found = []
    at = 0
    for match in _BLOCK.finditer(text):
        if _BOUNDARY.search(text[at : match.start()]):
            return None
        found.append((match.group("label"), match.group(0)))
        at = match.end()
    return None if is_torn(text[at:]) else found


def is_torn(text: str) -> bool:
    """Whether text without a whole PEM block holds, or ends in, a part of one."""
    return bool(_BOUNDARY.search(text) or _CUT_BOUNDARY.search(text))


def certificates(text: str) -> Optional[List[bytes]]:
    """The DER of every certificate in PEM text, in order; None where any block is torn, or a certificate broken."""
    found = whole_blocks(text)
    if found is None:
        return None
    ders = [dearmour(block) for label, block in found if label == CERTIFICATE or label.endswith(" " + CERTIFICATE)]
    return None if None in ders else [der for der in ders if der]
