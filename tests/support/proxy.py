# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that takes CONNECT alone, and remembers what it was asked."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import threading
import typing as t


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        request = self.rfile.readline().decode("latin-1").split()
        headers: dict[str, str] = {}
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self.server.seen.append(" ".join(request[:2]))
        if request[0] != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
        elif self.server.credentials and headers.get("proxy-authorization") != self.server.credentials:
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        else:
            host, _colon, port = request[1].rpartition(":")
            with socket.create_connection((host, int(port))) as target:
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(target, self.connection), daemon=True)
                back.start()
                _pump(self.connection, target)
                back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Proxy(socketserver.ThreadingTCPServer):
    """A running proxy; a context manager. seen holds what it was asked, such as "CONNECT localhost:443"."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, user: str | None = None, password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.seen: list[str] = []
        self.credentials = ""
        if user is not None:
            pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            self.credentials = f"Basic {pair}"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        self.shutdown()
        self.server_close()
