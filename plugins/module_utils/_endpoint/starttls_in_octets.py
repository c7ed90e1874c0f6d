# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STARTTLS in protocols of octets: LDAP (RFC 4511, section 4.14), MySQL and MariaDB, PostgreSQL.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.dialogue import (
    MOST,
    NOT_OFFERED,
    Dialogue,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError

# LDAP: tags of BER, and the messages.
_INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE, _EXTENDED_RESPONSE = 0x02, 0x04, 0x0A, 0x30, 0x78
_LDAP_STARTTLS = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _LDAP_STARTTLS
LDAP_UNBIND = b"\x30\x05\x02\x01\x02\x42\x00"

# MySQL: capabilities, and where they stand behind the server's version in its greeting.
_PROTOCOL_41, _SSL, _SECURE_CONNECTION = 0x0200, 0x0800, 0x8000
_CAPABILITIES_AT = 4 + 8 + 1
_MYSQL_VERSION, _MYSQL_ERROR = 10, 0xFF
_MYSQL_LARGEST, _UTF8 = 1 << 24, 33

# PostgreSQL: length and code of a request for TLS.
_POSTGRES_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def ldap(dialogue: Dialogue) -> None:
    """The extended operation that starts TLS; a server says nothing before."""
    dialogue.send(_LDAP_REQUEST, "answer to STARTTLS")
    head = dialogue.octets(2)
    tag, length = head
    if tag != _SEQUENCE or length == 0x80:
        raise dialogue.garbled(_shown(head))
    if length > 0x80:
        # Some servers write each length with four octets.
        octets = dialogue.octets(length - 0x80)
        head, length = head + octets, int.from_bytes(octets, "big")
    message = _announced(dialogue, head, length)
    try:
        (_tag, number), (operation, result) = _elements(message)[:2]
        (code_tag, code), (_name_tag, _name), (_text_tag, text) = _elements(result)[:3]
    except (IndexError, ValueError) as exc:
        raise dialogue.garbled(_shown(message)) from exc
    if operation != _EXTENDED_RESPONSE or code_tag != _ENUMERATED:
        raise dialogue.garbled(_shown(message))
    # What was not asked for, number 0, tells that the server ends the connection (RFC 4511, section 4.4).
    if any(code) or number != b"\x01":
        said = f"result code {int.from_bytes(code, 'big')}"
        raise dialogue.refused(f"{said}: {text.decode('utf-8', 'replace')}" if text else said)


def _elements(data: bytes) -> Tuple[Tuple[int, bytes], ...]:
    """Tag and content of each element of BER in ``data``; raises ``ValueError`` or ``IndexError`` for what is none."""
    found = []
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            octets = length - 0x80
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        if at + length > len(data):
            raise ValueError("an element is cut off")
        found.append((tag, data[at : at + length]))
        at += length
    return tuple(found)


def mysql(dialogue: Dialogue) -> None:
    """The server's greeting, and a request for TLS in place of a login."""
    header = dialogue.octets(4)
    greeting = _announced(dialogue, header, int.from_bytes(header[:3], "little"))
    if greeting[:1] == bytes((_MYSQL_ERROR,)):
        raise dialogue.refused(greeting[3:].decode("utf-8", "replace"))
    _version, end, rest = greeting[1:].partition(b"\0")
    capabilities = rest[_CAPABILITIES_AT : _CAPABILITIES_AT + 2]
    if greeting[:1] != bytes((_MYSQL_VERSION,)) or not end or len(capabilities) != 2:
        raise dialogue.garbled(_shown(header + greeting))
    if not int.from_bytes(capabilities, "little") & _SSL:
        raise EndpointError(NOT_OFFERED)
    request = (
        (_PROTOCOL_41 | _SSL | _SECURE_CONNECTION).to_bytes(4, "little")
        + _MYSQL_LARGEST.to_bytes(4, "little")
        + bytes((_UTF8,))
        + bytes(23)
    )
    # A server that agrees says nothing.
    dialogue.send(len(request).to_bytes(3, "little") + bytes((header[3] + 1 & 0xFF,)) + request, "TLS handshake")


def postgres(dialogue: Dialogue) -> None:
    """The request for TLS, which is answered with one letter."""
    dialogue.send(_POSTGRES_REQUEST, "answer to the request for TLS")
    letter = dialogue.octets(1)
    if letter == b"N":
        raise EndpointError(NOT_OFFERED)
    if letter == b"E":
        raise dialogue.refused("an error")
    if letter != b"S":
        raise dialogue.garbled(_shown(letter))


def _announced(dialogue: Dialogue, head: bytes, length: int) -> bytes:
    """So many octets as a head says; what takes the words of another protocol for a number makes a large one of it."""
    if length > MOST:
        raise dialogue.garbled(_shown(head))
    return dialogue.octets(length)


def _shown(octets: bytes) -> str:
    """Octets that may be of any protocol, for people; one that speaks lines is told by them."""
    return octets[:80].decode("latin-1")
