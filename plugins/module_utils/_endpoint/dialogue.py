# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in clear on a connection before TLS starts: lines and octets, bounded in number and in time.

A server answers the request to start TLS, and is silent then. Whatever follows that answer in clear did not come from
the TLS session it would be taken for, so it ends the dialogue.
This module util is private to the collection. It can have breaking changes at any time.
"""

import socket

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.deadline import Deadline
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import quoted

#: All a server may say before TLS starts; far more than any does.
MOST = 64 * 1024

NOT_OFFERED = "the server does not offer STARTTLS"


class Dialogue:
    """Lines and octets to and from a server, over a fresh connection.

    Whatever does not go as it should raises ``EndpointError`` with a sentence that does not name the endpoint.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = b""
        self._received = 0
        #: What is being waited for, as a noun, for messages.
        self.step = "greeting"

    def say(self, line: str, step: str) -> None:
        """Send a line; what comes next is the answer called ``step``."""
        self.send(line.encode("ascii") + b"\r\n", step)

    def send(self, octets: bytes, step: str) -> None:
        """Send octets; what comes next is the answer called ``step``."""
        self.step = step
        try:
            self._sock.settimeout(self._deadline.left())
            self._sock.sendall(octets)
        except OSError as exc:
            raise self._broken(exc) from exc

    def literal(self) -> str:
        """This end of the connection, as RFC 5321 (section 4.1.3) has a client call itself that has no name."""
        address = self._sock.getsockname()[0].partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def line(self) -> str:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            self._receive()
        line, _end, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def octets(self, number: int) -> bytes:
        """The next so many octets."""
        if number > MOST:
            raise self._too_much()
        while len(self._buffer) < number:
            self._receive()
        found, self._buffer = self._buffer[:number], self._buffer[number:]
        return found

    def _receive(self) -> None:
        try:
            self._sock.settimeout(self._deadline.left())
            data = self._sock.recv(4096)
        except OSError as exc:
            raise self._broken(exc) from exc
        if not data:
            raise EndpointError(f"the server closed the connection {self._instead()}")
        self._received += len(data)
        self._buffer += data
        if self._received > MOST:
            raise self._too_much()

    def end(self) -> None:
        """Check that the server is silent now, as it has to be until the handshake."""
        if self._buffer:
            raise EndpointError(
                f"the server sent {len(self._buffer)} bytes in clear after its answer to STARTTLS; "
                "something on the way may have put them there"
            )

    def refused(self, said: str) -> EndpointError:
        """The server answered this step with a no."""
        return EndpointError(f"the server answered with {quoted(said)} {self._instead()}")

    def garbled(self, said: str) -> EndpointError:
        """The server answered this step with something that is not of the protocol."""
        return EndpointError(f"the server sent {quoted(said)} {self._instead()}, which is not of this protocol")

    def _too_much(self) -> EndpointError:
        return EndpointError(f"the server sent more than {MOST // 1024} KiB {self._instead()}")

    def _instead(self) -> str:
        return f"in place of its {self.step}"

    def _broken(self, exc: OSError) -> EndpointError:
        if isinstance(exc, (socket.timeout, TimeoutError)):
            return EndpointError(
                f"the server's {self.step} did not come within the timeout of {self._deadline.seconds:g} seconds"
            )
        return EndpointError(f"the connection broke {self._instead()} ({exc.strerror or exc})")
