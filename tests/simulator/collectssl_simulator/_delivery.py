# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a reply on the wire, properly in one write, or as one of the faults of kind "line" has it."""

from __future__ import annotations

import select
import socket
import struct
import threading
import typing as t

from ._faults import Fault

_BLOCK = 1 << 14


class Delivery:
    """One reply on its way over one connection.

    head is everything before the body, with or without a Content-Length for it: make_head(length) makes one.
    end is called just before the last octets leave, stop tells that the simulator shuts down.
    """

    def __init__(
        self,
        connection: socket.socket,
        make_head: t.Callable[[int | None], bytes],
        end: t.Callable[[], None],
        stop: threading.Event,
    ) -> None:
        self._connection = connection
        self._make_head = make_head
        self._end = end
        self._stop = stop
        #: How many octets went out so far, before TLS.
        self.octets = 0

    def send(self, body: bytes, fault: Fault | None) -> bool:
        """Send a reply; return whether the connection can be used again. Raises OSError when the client is gone."""
        if fault is not None:
            return _FAULTY[fault.name](self, body, fault.parameters)
        self._end()
        self._put(self._make_head(len(body)) + body)
        return True

    def _put(self, data: bytes) -> None:
        # In pieces, since of what is sent when the client goes away nobody says how much it took.
        for start in range(0, len(data), _BLOCK):
            piece = data[start : start + _BLOCK]
            self._connection.sendall(piece)
            self.octets += len(piece)

    def _reset_now(self) -> bool:
        self._end()
        # Lingering for no time makes the kernel send RST; closing below the file objects makes it do so at once.
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self._connection.detach())
        return False

    def _reset(self, _body: bytes, _parameters: t.Mapping[str, t.Any]) -> bool:
        return self._reset_now()

    def _reset_in_body(self, body: bytes, _parameters: t.Mapping[str, t.Any]) -> bool:
        self._put(self._make_head(len(body) + 1) + body[: len(body) // 2])
        self._stop.wait(0.05)
        return self._reset_now()

    def _stall(self, _body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        left = parameters["seconds"]
        while not self._stop.is_set() and (left is None or left > 0):
            if self._client_left(0.25):
                break
            left = None if left is None else left - 0.25
        self._end()
        return False

    def _client_left(self, seconds: float) -> bool:
        readable, _writable, _failed = select.select([self._connection], [], [], seconds)
        # Whatever a client sends while it waits for an answer is a farewell: a close_notify, a FIN or a RST.
        return bool(readable)

    def _drip(self, body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        step = max(1, parameters["octets"])
        data = self._make_head(len(body)) + body
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        for piece in pieces[:-1]:
            self._put(piece)
            if self._stop.wait(parameters["interval"]):
                break
        self._end()
        self._put(pieces[-1])
        return True

    def _truncate(self, body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        self._end()
        self._put(self._make_head(max(1, len(body))) + _kept(body, parameters))
        return False

    def _truncate_body(self, body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        self._end()
        kept = _kept(body, parameters)
        self._put(self._make_head(len(kept)) + kept)
        return True

    def _endless(self, _body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        start = str(parameters["start"]).encode("utf-8")
        return self._without_end(self._make_head(None) + start, b"x" * 63 + b"\n")

    def _endless_headers(self, _body: bytes, _parameters: t.Mapping[str, t.Any]) -> bool:
        head = self._make_head(None)
        return self._without_end(head[: head.rindex(b"\r\n")], b"X-More: " + b"x" * 54 + b"\r\n")

    def _endless_continue(self, _body: bytes, _parameters: t.Mapping[str, t.Any]) -> bool:
        return self._without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n")

    def _without_end(self, start: bytes, line: bytes) -> bool:
        block = line * (_BLOCK // len(line))
        try:
            self._put(start)
            while not self._stop.is_set():
                self._put(block)
        finally:
            self._end()
        return False

    def _bad_chunk(self, body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        half = len(body) // 2
        size = str(parameters["size"]).encode("utf-8")
        self._end()
        self._put(self._head_with(b"Transfer-Encoding: chunked"))
        for stated, piece in ((b"%x" % half, body[:half]), (size, body[half:])):
            self._put(stated + b"\r\n" + piece + b"\r\n")
        self._put(b"0\r\n\r\n")
        return False

    def _bad_length(self, body: bytes, parameters: t.Mapping[str, t.Any]) -> bool:
        self._end()
        self._put(self._head_with(b"Content-Length: " + str(parameters["length"]).encode("utf-8")) + body)
        return False

    def _head_with(self, header: bytes) -> bytes:
        return self._make_head(None).removesuffix(b"\r\n") + header + b"\r\n\r\n"

    def _not_http(self, _body: bytes, _parameters: t.Mapping[str, t.Any]) -> bool:
        self._end()
        self._put(b"\x00\x15220 mail.example.com ESMTP\r\n" * 4)
        return False


def _kept(body: bytes, parameters: t.Mapping[str, t.Any]) -> bytes:
    keep = parameters["keep"]
    length = int(len(body) * keep) if keep <= 1 else int(keep)
    return body[: min(length, max(0, len(body) - 1))]


_FAULTY: t.Mapping[str, t.Callable[[Delivery, bytes, t.Mapping[str, t.Any]], bool]] = {
    "reset": Delivery._reset,
    "reset_in_body": Delivery._reset_in_body,
    "stall": Delivery._stall,
    "drip": Delivery._drip,
    "truncate": Delivery._truncate,
    "truncate_body": Delivery._truncate_body,
    "endless": Delivery._endless,
    "endless_headers": Delivery._endless_headers,
    "endless_continue": Delivery._endless_continue,
    "bad_chunk": Delivery._bad_chunk,
    "bad_length": Delivery._bad_length,
    "not_http": Delivery._not_http,
}
