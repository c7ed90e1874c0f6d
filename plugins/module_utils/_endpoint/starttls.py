# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in clear before TLS starts: STARTTLS for SMTP (RFC 3207) and IMAP (RFC 9051), STLS for POP3 (RFC 2595).

A server answers the request to start TLS, and is silent then. Whatever follows that answer in clear did not come from
the TLS session it would be taken for, so it ends the dialogue.
This module util is private to the collection. It can have breaking changes at any time.
"""

import re
import socket
from typing import Callable, Dict, List

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.deadline import Deadline
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import quoted

#: All a server may say before TLS starts; far more than any does.
_BYTES = 64 * 1024
_SMTP_LINE = re.compile(r"(?P<code>[2-5][0-9]{2})(?:(?P<more>[- ])(?P<text>.*))?\Z")

#: What ends the session politely, once TLS has started.
GOODBYE = {"smtp": b"QUIT\r\n", "imap": b"a2 LOGOUT\r\n", "pop3": b"QUIT\r\n"}


def start_tls(sock: socket.socket, protocol: str, deadline: Deadline) -> None:
    """Bring a fresh connection to the point where the TLS handshake begins.

    :arg protocol: ``smtp``, ``imap`` or ``pop3``.
    :raises EndpointError: with a sentence about the dialogue that does not name the endpoint.
    """
    dialogue = _Dialogue(sock, deadline)
    _PROTOCOLS[protocol](dialogue)
    dialogue.end()


class _Dialogue:
    """Lines to and from a server, bounded in bytes and in time."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._buffer = b""
        self._received = 0
        #: What is being waited for, as a noun, for messages.
        self.step = "greeting"

    def say(self, line: str, step: str) -> None:
        """Send a line; what comes next is the answer called ``step``."""
        self.step = step
        try:
            self._sock.settimeout(self._deadline.left())
            self._sock.sendall(line.encode("ascii") + b"\r\n")
        except OSError as exc:
            raise self._broken(exc) from exc

    def literal(self) -> str:
        """This end of the connection, as RFC 5321 (section 4.1.3) has a client call itself that has no name."""
        address = self._sock.getsockname()[0].partition("%")[0]
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def line(self) -> str:
        """The next line, without its end."""
        while b"\n" not in self._buffer:
            try:
                self._sock.settimeout(self._deadline.left())
                data = self._sock.recv(4096)
            except OSError as exc:
                raise self._broken(exc) from exc
            if not data:
                raise EndpointError(f"the server closed the connection {self._instead()}")
            self._received += len(data)
            self._buffer += data
            if self._received > _BYTES:
                raise EndpointError(f"the server sent more than {_BYTES // 1024} KiB {self._instead()}")
        line, _end, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def end(self) -> None:
        """Check that the server is silent now, as it has to be until the handshake."""
        if self._buffer:
            raise EndpointError(
                f"the server sent {len(self._buffer)} bytes in clear after its answer to STARTTLS; "
                "something on the way may have put them there"
            )

    def refused(self, line: str) -> EndpointError:
        """The server answered this step with a no."""
        return EndpointError(f"the server answered with {quoted(line)} {self._instead()}")

    def garbled(self, line: str) -> EndpointError:
        """The server answered this step with something that is not of the protocol."""
        return EndpointError(f"the server sent {quoted(line)} {self._instead()}, which is not of this protocol")

    def _instead(self) -> str:
        return f"in place of its {self.step}"

    def _broken(self, exc: OSError) -> EndpointError:
        if isinstance(exc, (socket.timeout, TimeoutError)):
            return EndpointError(
                f"the server's {self.step} did not come within the timeout of {self._deadline.seconds:g} seconds"
            )
        return EndpointError(f"the connection broke {self._instead()} ({exc.strerror or exc})")


def _smtp(dialogue: _Dialogue) -> None:
    _smtp_reply(dialogue, "220")
    dialogue.say(f"EHLO {dialogue.literal()}", "answer to EHLO")
    extensions = [line.split(" ")[0].upper() for line in _smtp_reply(dialogue, "250")]
    if "STARTTLS" not in extensions[1:]:
        raise EndpointError("the server does not offer STARTTLS")
    dialogue.say("STARTTLS", "answer to STARTTLS")
    _smtp_reply(dialogue, "220")


def _smtp_reply(dialogue: _Dialogue, expected: str) -> List[str]:
    """The texts of a reply, which has one line or more; every line but the last has a hyphen after its code."""
    texts = []
    while True:
        line = dialogue.line()
        match = _SMTP_LINE.match(line)
        if not match:
            raise dialogue.garbled(line)
        if match.group("code") != expected:
            raise dialogue.refused(line)
        texts.append(match.group("text") or "")
        if match.group("more") != "-":
            return texts


def _imap(dialogue: _Dialogue) -> None:
    greeting = dialogue.line()
    if greeting[:2] != "* ":
        raise dialogue.garbled(greeting)
    if greeting.upper().split(" ")[1] != "OK":
        raise dialogue.refused(greeting)
    dialogue.say("a1 STARTTLS", "answer to STARTTLS")
    while True:
        line = dialogue.line()
        # A server may tell other things before it answers.
        if line[:2] == "* ":
            continue
        if line[:3] != "a1 ":
            raise dialogue.garbled(line)
        if line.upper().split(" ")[1] != "OK":
            raise dialogue.refused(line)
        return


def _pop3(dialogue: _Dialogue) -> None:
    _pop3_answer(dialogue)
    dialogue.say("STLS", "answer to STLS")
    _pop3_answer(dialogue)


def _pop3_answer(dialogue: _Dialogue) -> None:
    line = dialogue.line()
    word = line.split(" ")[0].upper()
    if word == "-ERR":
        raise dialogue.refused(line)
    if word != "+OK":
        raise dialogue.garbled(line)


_PROTOCOLS: Dict[str, Callable[[_Dialogue], None]] = {"smtp": _smtp, "imap": _imap, "pop3": _pop3}
