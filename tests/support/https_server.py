# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server and a proxy on loopback that do what a test tells them, octet by octet, and record what comes."""

from __future__ import annotations

import base64
import contextlib
import functools
import select
import socket
import ssl
import struct
import threading
import typing as t
import urllib.parse

from .listener import SECONDS, Listener

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


class Server(Listener):
    """Answers each call with the next reply, the last one for good."""

    def __init__(self, context: ssl.SSLContext | None, *replies: Reply | bytes) -> None:
        super().__init__()
        self._context = context
        self._replies = [send(reply) if isinstance(reply, bytes) else reply for reply in replies]
        self._lock = threading.Lock()
        self.calls: list[Call] = []
        self.handshake_errors: list[str] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self.port}/products/download/CollectSSL"

    def serve(self, connection: socket.socket, number: int) -> None:
        """As Listener has it."""
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                spoken = self._context.wrap_socket(connection, server_side=True) if self._context else connection
            except ssl.SSLError as exc:
                self.handshake_errors.append(str(exc.reason))
                return
            with spoken:
                if self._context is None and spoken.recv(1, socket.MSG_PEEK) == b"\x16":
                    # The beginning of TLS, spoken at a port for plain HTTP.
                    self._replies[0](spoken)
                    return
                while self._answer(spoken, number):
                    pass

    def _answer(self, connection: socket.socket, number: int) -> bool:
        call = read_call(connection, number)
        if call is None:
            return False
        with self._lock:
            self.calls.append(call)
            reply = self._reply_to(call)
        return reply(connection)

    def _reply_to(self, _call: Call) -> Reply:
        return self._replies[min(len(self.calls), len(self._replies)) - 1]


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
    """Connects to whatever CONNECT names, on this machine; or refuses with the answer that it is given.

    With a user, it refuses everybody else.
    """

    def __init__(
        self,
        refusal: Reply | bytes | None = None,
        context: ssl.SSLContext | None = None,
        user: str | None = None,
        password: str = "",
    ) -> None:
        super().__init__(context, refusal if callable(refusal) else send(refusal or b"", keep=False))
        self._refuses = refusal is not None
        self._credentials = user and "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def seen(self) -> list[str]:
        """What it was asked, such as "CONNECT localhost:443"."""
        return [" ".join(call.request_line.split()[:2]) for call in self.calls]

    def _reply_to(self, call: Call) -> Reply:
        if self._refuses:
            return super()._reply_to(call)
        method, target = call.request_line.split()[:2]
        if method != "CONNECT":
            return send(answer("", 405), keep=False)
        if self._credentials and call.headers.get("proxy-authorization") != self._credentials:
            return send(answer("", 407), keep=False)
        return functools.partial(_connect, int(target.rpartition(":")[2]))


def _connect(port: int, connection: socket.socket) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as onward:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while True:
            # What TLS holds already decrypted, select does not see.
            held = isinstance(connection, ssl.SSLSocket) and connection.pending()
            ready = [connection] if held else select.select([connection, onward], [], [], SECONDS)[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return False
                (onward if source is connection else connection).sendall(data)
            if not ready:
                return False
