# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endpoints serve, asked by a TLS client that shares nothing with the collection's.

A program of its own, with the standard library alone, since the fleet runs it in the controller namespace.

    probe.py ready    end with status 0 once every target answers, or with 1 and the reason after job.seconds
    probe.py probe    connect to every target in a loop, one JSON object a line, until standard input ends

The job is the first line of standard input, in JSON: targets ([host, port, kind] each, kind being smtp, ssh or null),
server_name, trust (PEM text; empty verifies nothing), interval and seconds.
"""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import sys
import threading
import time
import typing as t

TIMEOUT = 5.0


class _Refused(Exception):
    """A probe did not come to its end; outcome says how far it got."""

    def __init__(self, outcome: str, reason: object) -> None:
        super().__init__(str(reason) or type(reason).__name__)
        self.outcome = outcome


def _context(trust: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust:
        context.load_verify_locations(cadata=trust)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _starttls(connection: socket.socket) -> None:
    with connection.makefile("rwb", buffering=0) as stream:
        for line in (b"", b"EHLO client.fleet.test\r\n", b"STARTTLS\r\n"):
            if line:
                stream.write(line)
            while True:
                answer = stream.readline(2048)
                if not answer.startswith(b"2"):
                    text = answer.decode("ascii", "replace").strip()
                    raise _Refused("starttls", text or "the connection was closed")
                if answer[3:4] != b"-":
                    break


def _fingerprint(host: str, port: int, starttls: str | None, server_name: str, context: ssl.SSLContext) -> str:
    """Connect once and return the fingerprint of the certificate; raises _Refused or SSLCertVerificationError."""
    try:
        connection = socket.create_connection((host, port), TIMEOUT)
    except OSError as exc:
        raise _Refused("connect", exc) from None
    with connection:
        if starttls:
            try:
                _starttls(connection)
            except OSError as exc:
                raise _Refused("starttls", exc) from None
        try:
            with context.wrap_socket(connection, server_hostname=server_name) as secure:
                digest = hashlib.sha256(secure.getpeercert(binary_form=True) or b"").digest()
                if starttls:
                    secure.sendall(b"QUIT\r\n")
        except ssl.SSLCertVerificationError:
            raise
        except OSError as exc:
            raise _Refused("handshake", exc) from None
    return digest.hex(":")


class Prober:
    """Asks endpoints for their certificate."""

    def __init__(self, server_name: str, trust: str) -> None:
        self.server_name = server_name
        self.context, self.lenient = _context(trust), _context("")

    def probe(self, host: str, port: int, starttls: str | None) -> dict[str, t.Any]:
        """Connect once and return what came of it."""
        seen: dict[str, t.Any] = {"time": time.time(), "host": host, "port": port, "fingerprint": None, "detail": ""}
        try:
            try:
                seen["fingerprint"] = _fingerprint(host, port, starttls, self.server_name, self.context)
                seen["outcome"] = "ok"
            except ssl.SSLCertVerificationError as exc:
                seen["detail"] = exc.verify_message
                seen["fingerprint"] = _fingerprint(host, port, starttls, self.server_name, self.lenient)
                seen["outcome"] = "unverified"
        except _Refused as exc:
            seen["outcome"], seen["detail"] = exc.outcome, str(exc)
        return seen


def _ssh_answers(host: str, port: int) -> str:
    """Return why sshd does not answer; empty where it does."""
    try:
        with socket.create_connection((host, port), TIMEOUT) as connection:
            return "" if connection.recv(64).startswith(b"SSH-") else "sshd is silent"
    except OSError as exc:
        return str(exc)


def _ready(job: dict[str, t.Any], prober: Prober) -> int:
    end = time.monotonic() + job["seconds"]
    waiting = [tuple(target) for target in job["targets"]]
    while waiting:
        reasons = {}
        for target in waiting:
            host, port, kind = target
            reason = _ssh_answers(host, port) if kind == "ssh" else prober.probe(host, port, kind)
            if isinstance(reason, dict):
                reason = "" if reason["outcome"] in ("ok", "unverified") else reason["detail"]
            if reason:
                reasons[target] = reason
        waiting = list(reasons)
        if waiting and time.monotonic() > end:
            print("; ".join(f"{host} port {port}: {reasons[host, port, kind]}" for host, port, kind in waiting))
            return 1
        time.sleep(0.05 if waiting else 0)
    return 0


def _loop(job: dict[str, t.Any], prober: Prober, target: t.Sequence[t.Any], stop: threading.Event) -> None:
    while not stop.is_set():
        line = json.dumps(prober.probe(*target)) + "\n"
        # One write a line: several threads share the stream.
        sys.stdout.write(line)
        sys.stdout.flush()
        stop.wait(job["interval"])


def main() -> int:
    """Do the job on standard input."""
    job = json.loads(sys.stdin.readline())
    prober = Prober(job["server_name"], job["trust"])
    if sys.argv[1] == "ready":
        return _ready(job, prober)
    stop = threading.Event()
    threads = [threading.Thread(target=_loop, args=(job, prober, target, stop)) for target in job["targets"]]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
