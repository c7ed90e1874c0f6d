# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server and a proxy on loopback that do what a test tells them, octet by octet, and record what comes."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import typing as t
import urllib.parse

Reply = t.Callable[[socket.socket], bool]


class Call(t.NamedTuple):
    """One call that a server was sent: over which of its connections, the head with small names, the body."""

    connection: int
    request_line: str
    headers: dict[str, str]
    body: bytes

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the form, decoded."""
        return dict(urllib.parse.parse_qsl(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


def answer(body: bytes | str, status: int = 200, *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer."""
    data = body.encode("utf-8") if isinstance(body, str) else body
    stated = len(data) if length is None else length
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {stated}", *headers]
    return "\r\n".join([*head, "", ""]).encode("utf-8") + data


def send(data: bytes, keep: bool = True) -> Reply:
    """Send something; then take the next call of the connection, or close it."""

    def reply(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return reply


def drip(data: bytes, interval: float = 0.05, octets: int = 1) -> Reply:
    """Send something slowly, for as long as somebody listens."""

    def reply(connection: socket.socket) -> bool:
        for at in range(0, len(data), octets):
            connection.sendall(data[at : at + octets])
            if threading.Event().wait(interval):
                break
        return False

    return reply


def endless(head: bytes, piece: bytes) -> Reply:
    """Send without end, for as long as somebody listens."""
    # Nobody ever hangs up on nothing.
    assert piece

    def reply(connection: socket.socket) -> bool:
        connection.sendall(head)
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(piece)
        return False

    return reply


def stall(seconds: float, head: bytes = b"") -> Reply:
    """Say nothing, or nothing more than ``head``."""

    def reply(connection: socket.socket) -> bool:
        connection.sendall(head)
        connection.settimeout(seconds)
        with contextlib.suppress(OSError):
            connection.recv(1)
        return False

    return reply


def reset(connection: socket.socket) -> bool:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # As a plain socket, so that TLS says no goodbye.
    socket.socket.close(connection)
    return False


class Server:
    """Answers each call with the next reply, the last one for good."""

    def __init__(self, context: ssl.SSLContext | None, *replies: Reply | bytes) -> None:
        self._context = context
        self._replies = [send(reply) if isinstance(reply, bytes) else reply for reply in replies]
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port: int = self._listener.getsockname()[1]
        self.calls: list[Call] = []
        self.connections = 0
        self.handshake_errors: list[str] = []

    def __enter__(self) -> Server:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        # Unlike close(), this wakes up accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self.port}/products/download/CollectSSL"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        plain.settimeout(20)
        with contextlib.suppress(OSError), plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            except ssl.SSLError as exc:
                self.handshake_errors.append(str(exc.reason))
                return
            with connection:
                if self._context is None and connection.recv(1, socket.MSG_PEEK) == b"\x16":
                    # The beginning of TLS, spoken at a port for plain HTTP.
                    self._replies[0](connection)
                    return
                while self._answer(connection, number):
                    pass

    def _answer(self, connection: socket.socket, number: int) -> bool:
        call = read_call(connection, number)
        if call is None:
            return False
        with self._lock:
            self.calls.append(call)
            reply = self._replies[min(len(self.calls), len(self._replies)) - 1]
        return reply(connection)


def read_call(connection: socket.socket, number: int) -> Call | None:
    """The next call of a connection; None at its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _blank, body = data.partition(b"\r\n\r\n")
    request_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return Call(number, request_line, headers, body)


class Proxy(Server):
    """Connects to whatever CONNECT names, on this machine; or refuses with the answer that it is given."""

    def __init__(self, refusal: bytes | None = None, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context, self._connect if refusal is None else send(refusal, keep=False))

    def _connect(self, connection: socket.socket) -> bool:
        port = int(self.calls[-1].request_line.split()[1].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                # What TLS holds already decrypted, select does not see.
                held = isinstance(connection, ssl.SSLSocket) and connection.pending()
                ready = [connection] if held else select.select([connection, onward], [], [], 20)[0]
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return False
                    (onward if source is connection else connection).sendall(data)
                if not ready:
                    return False
