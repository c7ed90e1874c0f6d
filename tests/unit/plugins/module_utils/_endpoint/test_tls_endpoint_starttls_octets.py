# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STARTTLS in octets: LDAP, MySQL and PostgreSQL, with servers that say what a test tells them."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import failure, good, look, trusted

_LDAP_REQUEST = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
#: As Active Directory writes lengths, with four octets each.
_LDAP_LONG = bytes.fromhex("308400000010020101788400000007 0a010004000400")
_LDAP_SHORT = bytes.fromhex("300c02010178070a010004000400")


def _greeting(capabilities: int = 0xFFFF, version: bytes = b"10.11.6-MariaDB", protocol: int = 10) -> bytes:
    """Of a MySQL server: version, number of the connection, salt, and what it can."""
    payload = bytes((protocol,)) + version + b"\0" + bytes(4) + b"saltsalt\0" + capabilities.to_bytes(2, "little")
    payload += bytes((33,)) + bytes(2) + bytes(2) + bytes((21,)) + bytes(10) + b"saltsaltsalt\0"
    return len(payload).to_bytes(3, "little") + b"\0" + payload


_POSTGRES_REQUEST = bytes.fromhex("00000008 04d2162f")
_MYSQL_REQUEST = bytes.fromhex("20000001 008a0000 00000001 21") + bytes(23)


class _Script(t.NamedTuple):
    """What a server says at once, what it has to hear, and what it says then."""

    says: bytes
    hears: bytes
    answers: bytes


_SCRIPTS = {
    "ldap": _Script(b"", _LDAP_REQUEST, _LDAP_SHORT),
    "ldap, long": _Script(b"", _LDAP_REQUEST, _LDAP_LONG),
    "mysql": _Script(_greeting(), _MYSQL_REQUEST, b""),
    "postgres": _Script(b"", _POSTGRES_REQUEST, b"S"),
}


def _heard(connection: tls_servers.Connection, number: int) -> bytes:
    data = b""
    while len(data) < number:
        more = connection.sock.recv(number - len(data))
        if not more:
            break
        data += more
    return data


def _serving(script: _Script, heard: list[bytes], extra: bytes = b"") -> tls_servers.Behaviour:
    def serve(connection: tls_servers.Connection) -> None:
        connection.send(script.says)
        heard.append(_heard(connection, len(script.hears)))
        connection.send(script.answers + extra)
        with contextlib.suppress(OSError):
            connection.secure(good())
            heard.append(_heard(connection, 7))

    return serve


@pytest.mark.parametrize("name", _SCRIPTS)
def test_servers(name: str) -> None:
    """Octet by octet; and what ends a session of LDAP politely."""
    heard: list[bytes] = []
    with tls_servers.Server(_serving(_SCRIPTS[name], heard)) as server:
        result = look(server.port, starttls=name.partition(",")[0], ca_path=trusted())
    assert result["fingerprint_sha256"] == good().fingerprint()
    assert result["verified"]
    assert heard == [_SCRIPTS[name].hears, bytes.fromhex("30050201024200") if "ldap" in name else b""]


@pytest.mark.parametrize("name", ["ldap", "postgres"])
def test_what_is_sent_in_clear_before_tls_is_refused(name: str) -> None:
    """As with protocols of lines (CVE-2021-23214 was of this kind)."""
    with tls_servers.Server(_serving(_SCRIPTS[name], [], b"Z")) as server:
        message = failure(server.port, starttls=name)
    assert "the server sent 1 bytes in clear after its answer to STARTTLS" in message


def _answering(protocol: str, answer: bytes) -> tls_servers.Behaviour:
    def serve(connection: tls_servers.Connection) -> None:
        if protocol != "mysql":
            _heard(connection, len(_SCRIPTS[protocol].hears))
        connection.send(answer)
        connection.wait()

    return serve


_GARBLED = "which is not of this protocol"


@pytest.mark.parametrize(
    ("protocol", "answer", "words"),
    [
        # protocolError, with a text and without; unavailable, on an unsolicited notice of disconnection.
        ("ldap", "3010 020101 780b 0a0102 0400 0404 6e6f6e65", 'with "result code 2: none" in place of its'),
        ("ldap", "300c 020101 7807 0a0135 0400 0400", 'with "result code 53" in place of its answer to STARTTLS'),
        ("ldap", "300c 020100 7807 0a0134 0400 0400", 'with "result code 52" in place of its answer to STARTTLS'),
        ("ldap", "300c 020100 7807 0a0100 0400 0400", 'with "result code 0" in place of its answer to STARTTLS'),
        ("ldap", "300c 020101 6507 0a0100 0400 0400", _GARBLED),
        ("ldap", "300c 020101 7807 020100 0400 0400", _GARBLED),
        ("ldap", "3008 020101 7803 0a0100", _GARBLED),
        ("ldap", "300c 020101 7809 0a0100 0400 0400", _GARBLED),
        ("ldap", "3003 020101", _GARBLED),
        ("ldap", "3001 02", _GARBLED),
        ("ldap", "3080 0000", _GARBLED),
        ("ldap", "485454502f312e31", _GARBLED),
        ("ldap", "3084 7fffffff", _GARBLED),
        ("mysql", "16000000 ff 6a04 486f737420697320626c6f636b656421212121", 'answered with "Host is blocked!!!!"'),
        ("mysql", "05000000 0931302e30", _GARBLED),
        ("mysql", "05000000 0a31302e30", _GARBLED),
        ("mysql", "06000000 0a31302e3000", _GARBLED),
        ("mysql", "00000000", _GARBLED),
        ("mysql", "ffffff00", _GARBLED),
        ("postgres", "4e", "the server does not offer STARTTLS"),
        ("postgres", "45", 'answered with "an error" in place of its answer to the request for TLS'),
        ("postgres", "48", _GARBLED),
    ],
)
def test_a_server_that_refuses(protocol: str, answer: str, words: str) -> None:
    """In its own words where it has some."""
    with tls_servers.Server(_answering(protocol, bytes.fromhex(answer))) as server:
        message = failure(server.port, starttls=protocol)
    called = {"ldap": "LDAP", "mysql": "MySQL", "postgres": "PostgreSQL"}[protocol]
    assert message.startswith(f"No TLS with 127.0.0.1 port {server.port} by STARTTLS for {called}: the server ")
    assert words in message


def test_a_database_without_tls() -> None:
    with tls_servers.Server(_answering("mysql", _greeting(0xFFFF & ~0x0800))) as server:
        assert "the server does not offer STARTTLS" in failure(server.port, starttls="mysql")


@pytest.mark.parametrize(
    ("protocol", "octets"), [("ldap", 0), ("ldap", 1), ("ldap", 3), ("mysql", 0), ("mysql", 3), ("postgres", 0)]
)
def test_a_server_that_hangs_up(protocol: str, octets: int) -> None:
    """Before it has said a thing, or in the middle of it."""

    def serve(connection: tls_servers.Connection) -> None:
        if protocol != "mysql":
            _heard(connection, len(_SCRIPTS[protocol].hears))
        connection.send((_greeting() if protocol == "mysql" else _LDAP_SHORT)[:octets])

    with tls_servers.Server(serve) as server:
        message = failure(server.port, starttls=protocol)
    assert "the server closed the connection in place of its " in message


def test_a_database_that_answers_like_a_mail_server() -> None:
    """Whatever it says is shown, without what would do harm to a terminal."""
    with tls_servers.Server(_answering("postgres", b"220 \x1b[31mhello\r\n")) as server:
        assert f'the server sent "2" in place of its answer to the request for TLS, {_GARBLED}' in failure(
            server.port, starttls="postgres"
        )
