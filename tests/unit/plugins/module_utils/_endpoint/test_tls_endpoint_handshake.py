# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that do not get through a handshake, and old ones that only do with some patience."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    at_most,
    authority,
    failure,
    good,
    look,
    trusted,
)

#: Makes close() reset the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_an_old_server_is_shown_but_not_verified(version: str) -> None:
    """What a usual client refuses is looked at all the same."""
    identity = authority().issue("old", "127.0.0.1", kind="rsa")
    with tls_servers.s_server(identity, f"-{version}", "-cipher", "DEFAULT@SECLEVEL=0") as port:
        result = look(port, ca_path=trusted())
    assert result["fingerprint_sha256"] == identity.fingerprint()
    assert result["protocol"] == {"tls1": "TLSv1", "tls1_1": "TLSv1.1"}[version]
    assert result["verified"] is False
    assert result["verify_error"] == (
        "not checked, as a TLS handshake with the usual settings of this host failed: the server and this host's "
        f"{ssl.OPENSSL_VERSION} have no version of TLS in common"
    )


def test_no_common_version() -> None:
    """A server that wants a version that nobody has."""

    def serve(connection: tls_servers.Connection) -> None:
        connection.sock.recv(4096)
        # A fatal alert, protocol_version.
        connection.send(b"\x15\x03\x01\x00\x02\x02\x46")

    with tls_servers.Server(serve) as server:
        message = failure(server.port)
    assert f"The TLS handshake with 127.0.0.1 port {server.port} failed: the server and this host's OpenSSL" in message
    assert message.endswith("Enable TLS 1.2 or newer on the server.")


def _plain_http(connection: tls_servers.Connection) -> None:
    connection.sock.recv(4096)
    connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def _banner(connection: tls_servers.Connection) -> None:
    connection.send("220 mail.example.com ESMTP\r\n")
    connection.wait()


def _endless(connection: tls_servers.Connection) -> None:
    while True:
        connection.send(b"x" * 65536)


@pytest.mark.parametrize("behaviour", [_plain_http, _banner, _endless])
def test_no_tls_at_all(behaviour: tls_servers.Behaviour) -> None:
    """The message says so, and what to look at."""
    with tls_servers.Server(behaviour) as server, at_most(1):
        message = failure(server.port)
    assert "failed: the server did not answer with TLS. Check the port" in message
    assert "set starttls" in message


def _close(connection: tls_servers.Connection) -> None:
    connection.sock.recv(4096)


def _close_at_once(_connection: tls_servers.Connection) -> None:
    pass


def _reset(connection: tls_servers.Connection) -> None:
    connection.sock.recv(1)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def _close_in_the_middle(connection: tls_servers.Connection) -> None:
    connection.sock.recv(4096)
    connection.send(b"\x16\x03\x03\x00\x7a\x02\x00")


@pytest.mark.parametrize("behaviour", [_close, _close_at_once, _reset, _close_in_the_middle])
def test_a_server_that_hangs_up(behaviour: tls_servers.Behaviour) -> None:
    """Nothing is known but that."""
    with tls_servers.Server(behaviour) as server, at_most(1):
        message = failure(server.port)
    assert "failed: the server closed the connection in the middle of it. See the server's log" in message


def _silent(connection: tls_servers.Connection) -> None:
    connection.wait()


def _drip(connection: tls_servers.Connection) -> None:
    # The head of a long record, and then an octet now and again.
    connection.send(b"\x16\x03\x03\x40\x00")
    with contextlib.suppress(OSError):
        while True:
            connection.send(b"\x02")
            time.sleep(0.1)


@pytest.mark.parametrize("behaviour", [_silent, _drip])
def test_a_handshake_that_does_not_end(behaviour: tls_servers.Behaviour) -> None:
    """The timeout is for everything together."""
    with tls_servers.Server(behaviour) as server, at_most(1):
        message = failure(server.port, timeout=1)
    assert message == (
        f"The TLS handshake with 127.0.0.1 port {server.port} was not over within the timeout of 1 seconds. Check what "
        "holds it up, or give it a longer timeout."
    )


def test_a_name_the_server_does_not_know() -> None:
    """Some servers refuse such a name rather than serving a certificate for another."""

    def serve(connection: tls_servers.Connection) -> None:
        context = good().context()
        context.sni_callback = lambda *_name: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.sock = context.wrap_socket(connection.sock, server_side=True)

    with tls_servers.Server(serve) as server:
        message = failure(server.port, server_name="absent.example.com")
    assert "failed: the server knows no absent.example.com. Check server_name" in message


def test_no_certificate_at_all() -> None:
    """An anonymous key exchange is not offered, not even for a look."""
    with tls_servers.s_server(good(), "-nocert", "-tls1_2", "-cipher", "ALL:aNULL@SECLEVEL=0") as port:
        assert "failed: the server refused it" in failure(port)


@pytest.mark.parametrize("parting", ["silent", "talking", "reset"])
def test_the_end_of_a_connection_changes_nothing(parting: str) -> None:
    """A server that does not close, that talks on and on, or that resets."""
    over = threading.Event()

    def serve(connection: tls_servers.Connection) -> None:
        connection.secure(good())
        if parting == "reset":
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        else:
            with contextlib.suppress(OSError):
                while parting == "talking":
                    connection.send(b"x" * 16384)
            over.wait(20)

    with tls_servers.Server(serve) as server:
        with at_most(0.5):
            result: dict[str, t.Any] = look(server.port, ca_path=trusted())
        over.set()
        assert result["verified"]
