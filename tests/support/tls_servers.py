# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS servers on loopback: OpenSSL's own, small mail servers with STARTTLS, and such that do what a test tells them."""

from __future__ import annotations

import contextlib
import pathlib
import re
import selectors
import shutil
import socket
import ssl
import subprocess
import typing as t

from .identity import Identity
from .listener import SECONDS, Listener
from .openssl import openssl


def rehash(folder: pathlib.Path) -> None:
    """Prepare a folder of certificates for OpenSSL."""
    openssl("rehash", folder)


@contextlib.contextmanager
def s_server(identity: Identity, *options: str, host: str = "127.0.0.1") -> t.Iterator[int]:
    """OpenSSL's test server with further options; yields its port."""
    program = shutil.which("openssl")
    assert program, "openssl is needed on PATH."
    address = f"[{host}]" if ":" in host else host
    certificate = ["-cert", str(identity.certificate), "-key", str(identity.key)]
    process = subprocess.Popen(
        [program, "s_server", "-accept", f"{address}:0", *certificate, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield _port_of(process)
    finally:
        process.kill()
        process.communicate()


def _port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    text = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(SECONDS):
            data = process.stdout.read1(4096)  # type: ignore[attr-defined]
            text += data
            found = re.search(rb"^ACCEPT .*:([0-9]+)\s*$", text, re.MULTILINE)
            if found:
                return int(found.group(1))
            if not data:
                break
    raise RuntimeError(f"openssl s_server did not start: {text.decode(errors='replace')}")


class Connection:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket, said: list[str]) -> None:
        self.sock = sock
        self.said = said

    def send(self, data: str | bytes) -> None:
        """Send something, whatever line ends it has."""
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def line(self) -> str:
        """The next line of the client, which is also recorded; empty at its end."""
        line = b""
        while not line.endswith(b"\n"):
            octet = self.sock.recv(1)
            if not octet:
                break
            line += octet
        text = line.decode("ascii", "replace").rstrip("\r\n")
        if text:
            self.said.append(text)
        return text

    def wait(self) -> None:
        """Say nothing until the client gives up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(4096):
                pass

    def secure(self, identity: Identity, context: ssl.SSLContext | None = None) -> None:
        """Start TLS, in a context of one's own if there is to be more than the certificate."""
        self.sock = (context or identity.context()).wrap_socket(self.sock, server_side=True)


Behaviour = t.Callable[[Connection], None]


class Server(Listener):
    """Treats every connection as ``behaviour`` does, and is over when all of them are.

    ``said`` holds every line of every client, ``faults`` what went wrong.
    """

    def __init__(self, behaviour: Behaviour, host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.behaviour = behaviour
        self.said: list[str] = []
        self.faults: list[Exception] = []

    def __exit__(self, *_exc: object) -> None:
        self.refuse()
        for thread in self._threads:
            thread.join(SECONDS)
        super().__exit__()

    def serve(self, connection: socket.socket, number: int) -> None:
        """As Listener has it."""
        served = Connection(connection, self.said)
        try:
            self.behaviour(served)
        except OSError as exc:
            self.faults.append(exc)
        finally:
            served.sock.close()


def tls(identity: Identity) -> Behaviour:
    """A server that speaks TLS from the start, and then waits."""

    def serve(connection: Connection) -> None:
        connection.secure(identity)
        connection.wait()

    return serve


def smtp(identity: Identity) -> Behaviour:
    """An SMTP server with a greeting and an answer to EHLO of several lines."""

    def serve(connection: Connection) -> None:
        connection.send("220-mail.example.com ESMTP\r\n220 at your service\r\n")
        secure = False
        while True:
            command = connection.line().upper()
            if command.startswith("EHLO ["):
                extensions = "" if secure else "250-STARTTLS\r\n"
                connection.send(f"250-mail.example.com\r\n250-SIZE 1000\r\n{extensions}250 8BITMIME\r\n")
            elif command == "STARTTLS" and not secure:
                connection.send("220 2.0.0 Ready to start TLS\r\n")
                connection.secure(identity)
                secure = True
            elif command == "QUIT":
                connection.send("221 2.0.0 Bye\r\n")
                return
            elif not command:
                return
            else:
                connection.send("500 5.5.2 Error\r\n")

    return serve


def imap(identity: Identity) -> Behaviour:
    """An IMAP server that tells its capabilities before it answers."""

    def serve(connection: Connection) -> None:
        connection.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready.\r\n")
        while True:
            tag, _blank, command = connection.line().partition(" ")
            if command.upper() == "STARTTLS":
                connection.send(f"* CAPABILITY IMAP4rev1\r\n{tag} OK Begin TLS negotiation now.\r\n")
                connection.secure(identity)
            elif command.upper() == "LOGOUT":
                connection.send(f"* BYE Logging out\r\n{tag} OK Logout completed.\r\n")
                return
            elif not command:
                return
            else:
                connection.send(f"{tag} BAD Unknown command\r\n")

    return serve


def pop3(identity: Identity) -> Behaviour:
    """A POP3 server."""

    def serve(connection: Connection) -> None:
        connection.send("+OK ready.\r\n")
        while True:
            command = connection.line().upper()
            if command == "STLS":
                connection.send("+OK Begin TLS negotiation now.\r\n")
                connection.secure(identity)
            elif command == "QUIT":
                connection.send("+OK Logging out\r\n")
                return
            elif not command:
                return
            else:
                connection.send("-ERR Unknown command.\r\n")

    return serve


def ftp(identity: Identity) -> Behaviour:
    """An FTP server with a greeting of several lines, one of which looks like the last."""

    def serve(connection: Connection) -> None:
        connection.send("220-ready\r\n 220 said the server\r\n220 for you.\r\n")
        while True:
            command = connection.line().upper()
            if command == "AUTH TLS":
                connection.send("234 Proceed with negotiation.\r\n")
                connection.secure(identity)
            elif command == "QUIT":
                connection.send("221 Goodbye.\r\n")
                return
            elif not command:
                return
            else:
                connection.send("530 Please login with USER and PASS.\r\n")

    return serve


def sieve(identity: Identity) -> Behaviour:
    """A ManageSieve server that tells its capabilities, one of them as a literal, before TLS and after."""
    capabilities = '"IMPLEMENTATION" {13}\r\nOK a "server"\r\n"SIEVE" "fileinto"\r\n'

    def serve(connection: Connection) -> None:
        connection.send(f'{capabilities}"STARTTLS"\r\nOK "ready."\r\n')
        while True:
            command = connection.line().upper()
            if command == "STARTTLS":
                connection.send('OK "Begin TLS negotiation now."\r\n')
                connection.secure(identity)
                connection.send(f'{capabilities}OK "ready."\r\n')
            elif command == "LOGOUT":
                connection.send('OK "Logout completed."\r\n')
                return
            elif not command:
                return
            else:
                connection.send('NO "Unknown command."\r\n')

    return serve


#: Small servers in which TLS starts after some lines in clear.
IN_LINES: dict[str, t.Callable[[Identity], Behaviour]] = {
    "smtp": smtp,
    "imap": imap,
    "pop3": pop3,
    "ftp": ftp,
    "sieve": sieve,
}
