# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 over TLS (and, if asked for, without): connections, keep-alive and the two kinds of path."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import socket
import socketserver
import ssl
import sys
import threading
import typing as t
import urllib.parse

from . import _control
from ._delivery import Delivery
from ._pages import HTML_TYPE, status_page
from ._records import Call
from ._service import Reply, Request, Service

API_PATHS = {"/products/download/CollectSSL": "ssl", "/products/download/CollectCCC": "ccc"}
CONTROL_PATH = "/control"
_MAX_CALL = 1 << 16
_MAX_CONTROL = 1 << 24
_MAX_DISCARDED = 1 << 26


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A listening socket whose connections each have a thread. context None speaks plain HTTP."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        service: Service,
        base: pathlib.Path,
        stop: threading.Event,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.context = context
        self.service = service
        self.base = base
        self.stop = stop
        self.log: t.Callable[[str], None] | None = None
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that HTTPServer does here and that nothing needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name = "localhost"
        self.server_port = self.server_address[1]

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds up nobody else."""
        request.settimeout(30)
        connection = request
        if self.context is not None:
            try:
                connection = self.context.wrap_socket(request, server_side=True)
            except (OSError, ValueError):
                return
        with self._connections_lock:
            self._connections.add(connection)
        try:
            _Handler(connection, client_address, self)
        finally:
            with self._connections_lock:
                self._connections.discard(connection)
            _close(connection)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Keep quiet about clients that leave; anything else is a defect and is shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """Close every connection that is still open."""
        with self._connections_lock:
            for connection in self._connections:
                _close(connection)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "CollectSSL-simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 300
    server: Server

    def do_GET(self) -> None:
        self._dispatch()

    def do_POST(self) -> None:
        self._dispatch()

    def do_PUT(self) -> None:
        self._dispatch()

    def do_DELETE(self) -> None:
        self._dispatch()

    def do_HEAD(self) -> None:
        self.close_connection = True
        self._send(Reply(405, HTML_TYPE, b""))

    def log_message(self, *_args: t.Any) -> None:
        """Stay silent: the record of calls says more, and says it without secrets."""

    def _dispatch(self) -> None:
        path, _mark, query = self.path.partition("#")[0].partition("?")
        path = urllib.parse.urlsplit(path).path
        if path in API_PATHS:
            self._call(API_PATHS[path], query)
        elif path.startswith(CONTROL_PATH + "/") and self.server.context is not None:
            self._control(path[len(CONTROL_PATH) + 1 :])
        else:
            self.close_connection = True
            self._send(Reply(404, HTML_TYPE, status_page(404)))

    def _body(self, limit: int) -> bytes | None:
        """Return the body of the request, or None after a reply that says what is wrong with its length."""
        text = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not text.isdigit():
            status = 411
        elif int(text) > limit:
            status = 413
            # A client that is still sending when the connection closes sees a reset instead of this reply.
            self._discard(min(int(text), _MAX_DISCARDED))
        else:
            body = self.rfile.read(int(text))
            if len(body) == int(text):
                return body
            raise ConnectionError("the client left in the middle of its request")
        self.close_connection = True
        self._send(Reply(status, HTML_TYPE, status_page(status)))
        return None

    def _discard(self, length: int) -> None:
        while length > 0:
            piece = self.rfile.read(min(length, _MAX_CALL))
            if not piece:
                return
            length -= len(piece)

    def _call(self, product: str, query: str) -> None:
        service = self.server.service
        call = service.records.begin()
        call.product = product
        try:
            body = self._body(_MAX_CALL)
            if body is None:
                return
            if self.command not in ("GET", "POST"):
                self._send(Reply(405, HTML_TYPE, status_page(405), (("Allow", "POST"),)))
                return
            # The octets of an address reach us as Latin-1.
            request = Request(
                self.command,
                product,
                body,
                self.headers.get("Content-Type", ""),
                self.server.context is not None,
                query.encode("latin-1", "replace"),
            )
            if service.delay:
                self.server.stop.wait(service.delay)
            reply = service.reply(call, request)
            service.records.note(call)
            if self.server.log is not None:
                self.server.log(_log_line(call.as_plain()))
            self._send(reply, lambda: service.records.end(call), call)
        except OSError:
            self.close_connection = True
        finally:
            service.records.note(call)
            service.records.end(call)

    def _control(self, name: str) -> None:
        body = self._body(_MAX_CONTROL)
        if body is None:
            return
        status = 200
        try:
            value = json.loads(body) if body else {}
            result = _control.handle(self.server.service, self.server.base, self.command, name, value)
        except _control.ControlError as exc:
            status, result = exc.status, {"error": str(exc)}
        except ValueError as exc:
            status, result = 400, {"error": f"The body is not JSON: {exc}."}
        self._send(Reply(status, "application/json", json.dumps(result, indent=2).encode("utf-8") + b"\n"))

    def _send(self, reply: Reply, end: t.Callable[[], None] = lambda: None, call: Call | None = None) -> None:
        delivery = Delivery(self.connection, lambda length: self._head(reply, length), end, self.server.stop)
        try:
            if not delivery.send(reply.body, reply.delivery):
                self.close_connection = True
        except OSError:
            self.close_connection = True
        finally:
            if call is not None:
                call.octets = delivery.octets

    def _head(self, reply: Reply, length: int | None) -> bytes:
        phrase = self.responses.get(reply.status, ("",))[0]
        headers = [
            ("Server", self.server_version),
            ("Date", self.date_time_string()),
            ("Content-Type", reply.content_type),
            *reply.headers,
        ]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        if length is None or self.close_connection:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")


def _log_line(call: t.Mapping[str, t.Any]) -> str:
    outcome = "no answer" if call["code"] is None else f"status {call['code']}"
    fault = f", fault {call['fault']}" if call["fault"] else ""
    return (
        f"{call['time']} call {call['number']}: Collect{call['product'].upper()} order {call['order_number']}"
        f" for {call['account'] or 'nobody'}: HTTP {call['http_status']}, {outcome}{fault};"
        f" in flight {call['in_flight']}"
    )
