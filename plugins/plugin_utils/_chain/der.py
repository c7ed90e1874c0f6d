# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a certificate as they stand in its DER (RFC 5280, section 4.1), and the two extensions that are needed.

``cryptography`` reads all extensions of a certificate or none: one that it cannot read hides all others. Here each
stands by itself, and nobody looks into those that nothing needs.
Every function raises ``ValueError`` for what it cannot read.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import functools
import ipaddress
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import element_sizes

BOOLEAN = 0x01
INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
_VERSION = 0xA0
_EXTENSIONS = 0xA3
_HIGH_TAG = 0x1F

BASIC_CONSTRAINTS = b"\x55\x1d\x13"
SUBJECT_ALT_NAME = b"\x55\x1d\x11"
_COMMON_NAME = b"\x55\x04\x03"

# GeneralName (RFC 5280, section 4.2.1.6).
_EMAIL, _DNS, _URI, _IP = 0x81, 0x82, 0x86, 0x87
_TEXTS = {_EMAIL: "email", _DNS: "DNS", _URI: "URI"}
_GENERAL_NAMES = range(9)


class Element(t.NamedTuple):
    """One element of ASN.1: its tag, what is in it, and all of it."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list[Element]:
        """The elements that a constructed one is made of."""
        return elements(self.content)


class Fields(t.NamedTuple):
    """Fields of a certificate, all but the first octet by octet; ``extensions`` pairs identifiers with values."""

    serial_number: int
    signature_algorithm: bytes
    issuer: bytes
    subject: bytes
    public_key: bytes
    extensions: tuple[tuple[bytes, bytes], ...]
    critical: frozenset[bytes] = frozenset()

    def extension(self, identifier: bytes) -> bytes | None:
        """The value of an extension, None where there is none."""
        values = [value for found, value in self.extensions if found == identifier]
        if len(values) > 1:
            raise ValueError("it is there more than once")
        return values[0] if values else None


def elements(data: bytes) -> list[Element]:
    """The elements that follow each other in ``data``."""
    found = []
    at = 0
    while at < len(data):
        begin, end = _extent(data, at)
        found.append(Element(data[at], data[begin:end], data[at:end]))
        at = end
    return found


def sequence(data: bytes) -> list[Element]:
    """The parts of the one SEQUENCE that ``data`` is."""
    found = elements(data)
    if len(found) != 1 or found[0].tag != SEQUENCE:
        raise ValueError("it is not a SEQUENCE")
    return found[0].parts()


@functools.lru_cache(maxsize=256)  # they are asked for dozens of times for each certificate of a chain
def fields(tbs_certificate: bytes) -> Fields:
    """The fields of the signed part of a certificate."""
    parts = sequence(tbs_certificate)
    if parts and parts[0].tag == _VERSION:
        parts = parts[1:]
    if len(parts) < 6:
        raise ValueError("fields are missing")
    serial, algorithm, issuer, _validity, subject, public_key = parts[:6]
    extensions = [one for part in parts[6:] if part.tag == _EXTENSIONS for one in sequence(part.content)]
    return Fields(
        serial_number=_integer(serial),
        signature_algorithm=algorithm.whole,
        issuer=issuer.whole,
        subject=subject.whole,
        public_key=public_key.whole,
        extensions=tuple(_extension(one.parts()) for one in extensions),
        critical=frozenset(_extension(one.parts())[0] for one in extensions if _is_critical(one.parts())),
    )


def subject_and_serial(certificate: bytes) -> tuple[str, int]:
    """The common name, or an empty text, and the serial number, of a certificate that nobody else can read."""
    found = fields(_first(sequence(certificate), SEQUENCE).whole)
    attributes = [attribute.parts() for relative in sequence(found.subject) for attribute in relative.parts()]
    common_names = [value.content for kind, value in attributes if kind.content == _COMMON_NAME]
    text = common_names[-1].decode("utf-8", "replace") if common_names else ""
    return text, found.serial_number


def algorithm_identifier(data: bytes) -> str:
    """The object identifier that an AlgorithmIdentifier, or the public key that begins with one, begins with."""
    parts = sequence(data)
    if parts and parts[0].tag == SEQUENCE:
        parts = parts[0].parts()
    return dotted(_first(parts, OBJECT_IDENTIFIER).content)


def dotted(identifier: bytes) -> str:
    """An object identifier as numbers."""
    numbers = [0]
    for octet in identifier:
        numbers[-1] = numbers[-1] << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(0)
    if not identifier or identifier[-1] >= 0x80:
        raise ValueError("an object identifier is cut off")
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:-1]))


def path_length(basic_constraints: bytes) -> int | None:
    """How many authorities may stand below the subject, as the value of the extension says; None for any number."""
    numbers = [_integer(part) for part in sequence(basic_constraints) if part.tag == INTEGER]
    if numbers and numbers[0] < 0:
        raise ValueError("its path length is negative")
    return numbers[0] if numbers else None


def is_ca(basic_constraints: bytes) -> bool:
    """Whether the value of the extension says that the subject is an authority.

    DER leaves out what is false; authorities that write it are understood by every client.
    """
    parts = sequence(basic_constraints)
    said = parts[0].content if parts and parts[0].tag == BOOLEAN else b"\x00"
    rest = parts[1:] if parts and parts[0].tag == BOOLEAN else parts
    if len(said) != 1 or [part.tag for part in rest] not in ([], [INTEGER]):
        raise ValueError("it is not what RFC 5280 describes")
    return said != b"\x00"


def general_names(subject_alt_name: bytes) -> tuple[list[str], int]:
    """The names in the value of the extension, each with its kind in front; and how many cannot be read.

    Names of kinds that no TLS client looks for are passed over.
    """
    names: list[str] = []
    unread = 0
    for entry in sequence(subject_alt_name):
        try:
            names.extend(_general_name(entry))
        except ValueError:
            unread += 1
    return names, unread


def _first(parts: list[Element], tag: int) -> Element:
    if not parts or parts[0].tag != tag:
        raise ValueError("it does not begin with what it has to")
    return parts[0]


def _integer(element: Element) -> int:
    if element.tag != INTEGER:
        raise ValueError("it is no number")
    return int.from_bytes(element.content, "big", signed=True)


def _general_name(entry: Element) -> list[str]:
    if entry.tag in _TEXTS:
        return [f"{_TEXTS[entry.tag]}:{entry.content.decode('utf-8')}"]
    if entry.tag == _IP:
        return [f"IP:{ipaddress.ip_address(entry.content)}"]
    if entry.tag & 0xDF not in (0x80 | number for number in _GENERAL_NAMES):
        raise ValueError("it is no kind of name")
    return []


def _extension(parts: list[Element]) -> tuple[bytes, bytes]:
    if len(parts) < 2 or parts[0].tag != OBJECT_IDENTIFIER or parts[-1].tag != OCTET_STRING:
        raise ValueError("an extension is not what RFC 5280 describes")
    return parts[0].content, parts[-1].content


def _is_critical(parts: list[Element]) -> bool:
    return len(parts) == 3 and parts[1].tag == BOOLEAN and parts[1].content != b"\x00"


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at a place begins and ends."""
    if at + 2 > len(data) or data[at] & _HIGH_TAG == _HIGH_TAG:
        raise ValueError("an element is cut off, or of an unknown kind")
    sizes = element_sizes(data, at)
    if sizes is None and not 1 <= data[at + 1] & 0x7F <= 4:
        raise ValueError("an element has no length that DER allows")
    if sizes is None or at + sum(sizes) > len(data):
        raise ValueError("an element is cut off")
    header, length = sizes
    return at + header, at + header + length
