# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STARTTLS in lines: with small real servers, and with such that misbehave at every step."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
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

_SAID = {
    "smtp": ["EHLO [127.0.0.1]", "STARTTLS", "QUIT"],
    "imap": ["a1 STARTTLS", "a2 LOGOUT"],
    "pop3": ["STLS", "QUIT"],
    "ftp": ["AUTH TLS", "QUIT"],
    "sieve": ["STARTTLS", "LOGOUT"],
}
_GREETINGS = {
    "smtp": "220 ready\r\n",
    "imap": "* OK ready\r\n",
    "pop3": "+OK ready\r\n",
    "ftp": "220 ready\r\n",
    "sieve": '"STARTTLS"\r\nOK ready\r\n',
}
_ANSWERS = {
    "smtp": "220 go ahead\r\n",
    "imap": "a1 OK go ahead\r\n",
    "pop3": "+OK go ahead\r\n",
    "ftp": "234 go ahead\r\n",
    "sieve": "OK go ahead\r\n",
}
#: What messages call the step that follows the request for TLS.
_STEPS = {"pop3": "answer to STLS", "ftp": "answer to AUTH TLS"}
_CALLED = {"sieve": "ManageSieve"}
_IMPLICIT = {"smtp": 465, "imap": 993, "pop3": 995, "ftp": 990}
_PROTOCOLS = sorted(_SAID)
#: Seconds; enough for a busy machine to get through what comes before the wait.
_TIMEOUT = 2


def _dialogue(protocol: str, connection: tls_servers.Connection) -> None:
    """Everything up to the request to start TLS."""
    connection.send(_GREETINGS[protocol])
    connection.line()
    if protocol == "smtp":
        connection.send("250-here\r\n250 STARTTLS\r\n")
        connection.line()


def _scripted(*answers: str | bytes) -> tls_servers.Behaviour:
    """A greeting, and an answer to each line; then silence."""

    def serve(connection: tls_servers.Connection) -> None:
        connection.send(answers[0])
        for answer in answers[1:]:
            connection.line()
            connection.send(answer)
        connection.wait()

    return serve


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_servers(protocol: str) -> None:
    """The dialogue is the shortest there is, it ends politely, and the certificate is the one that is served."""
    with tls_servers.Server(tls_servers.IN_LINES[protocol](good())) as server:
        result = look(server.port, starttls=protocol, ca_path=trusted())
    assert result["verified"]
    assert result["fingerprint_sha256"] == good().fingerprint()
    assert server.said == _SAID[protocol]
    assert server.faults == []


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_trust_is_reported_after_starttls_too(protocol: str) -> None:
    """Three connections, each with a dialogue of its own."""
    expired = authority().issue("expired-mail", "127.0.0.1", days=(-9, -1))
    with tls_servers.Server(tls_servers.IN_LINES[protocol](expired)) as server:
        result = look(server.port, starttls=protocol, ca_path=trusted())
    assert (result["verified"], result["verify_error"]) == (False, "certificate has expired")
    assert result["fingerprint_sha256"] == expired.fingerprint()
    # The goodbye travels over TLS, and only one of the three gets there.
    assert server.said == [*_SAID[protocol][:-1], *_SAID[protocol], *_SAID[protocol][:-1]]


def test_ehlo_over_ipv6() -> None:
    """The address of this end, in the form that RFC 5321 gives it."""
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        server = tls_servers.Server(tls_servers.smtp(authority().issue("six", "::1")), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    with server:
        assert look(server.port, "::1", starttls="smtp", ca_path=trusted())["verified"]
    assert server.said[0] == "EHLO [IPv6:::1]"


@pytest.mark.parametrize(
    ("protocol", "answers", "words"),
    [
        ("smtp", ["554 no\r\n"], 'answered with "554 no" in place of its greeting'),
        ("smtp", ["220-hello\r\n421 busy\r\n"], 'answered with "421 busy" in place of its greeting'),
        ("smtp", ["220 hello\r\n", "550 go away\r\n"], 'answered with "550 go away" in place of its answer to EHLO'),
        ("smtp", ["220 hello\r\n", "250-here\r\n250 SIZE\r\n"], "the server does not offer STARTTLS"),
        # The first line of an answer to EHLO is the server's name.
        ("smtp", ["220 hello\r\n", "250 STARTTLS\r\n"], "the server does not offer STARTTLS"),
        (
            "smtp",
            ["220 hello\r\n", "250-here\r\n250-starttls\r\n250 SIZE\r\n", "454 TLS not available\r\n"],
            'answered with "454 TLS not available" in place of its answer to STARTTLS',
        ),
        ("imap", ["* BYE overloaded\r\n"], 'answered with "* BYE overloaded" in place of its greeting'),
        ("imap", ["* PREAUTH hello\r\n"], 'answered with "* PREAUTH hello" in place of its greeting'),
        ("imap", ["* OK hi\r\n", "a1 NO not now\r\n"], 'with "a1 NO not now" in place of its answer to STARTTLS'),
        ("imap", ["* OK hi\r\n", "* X\r\na1 BAD what\r\n"], 'with "a1 BAD what" in place of its answer to STARTTLS'),
        ("imap", ["* OK hi\r\n", "a2 OK go\r\n"], 'sent "a2 OK go" in place of its answer to STARTTLS, which is not'),
        ("pop3", ["-ERR busy\r\n"], 'answered with "-ERR busy" in place of its greeting'),
        ("pop3", ["+OK hi\r\n", "-ERR what\r\n"], 'answered with "-ERR what" in place of its answer to STLS'),
        ("ftp", ["421 busy\r\n"], 'answered with "421 busy" in place of its greeting'),
        ("ftp", ["220-hi\r\n 220 not yet\r\n2200\r\n220\r\n", "530 log in\r\n"], 'with "530 log in" in place of its'),
        ("ftp", ["220 hi\r\n", "500 what\r\n"], 'answered with "500 what" in place of its answer to AUTH TLS'),
        ("sieve", ['BYE "busy"\r\n'], 'answered with "BYE "busy"" in place of its greeting'),
        ("sieve", ['"IMPLEMENTATION" "x"\r\n"SASL" "STARTTLS"\r\nOK\r\n'], "the server does not offer STARTTLS"),
        ("sieve", ['"x" {11+}\r\n"STARTTLS"\r\nOK\r\n'], "the server does not offer STARTTLS"),
        ("sieve", ['"STARTTLS"\r\nOK\r\n', "NO (TRYLATER)\r\n"], 'with "NO (TRYLATER)" in place of its answer to'),
        ("sieve", ['"STARTTLS"\r\nOK\r\n', "* OK\r\n"], 'sent "* OK" in place of its answer to STARTTLS, which is'),
    ],
)
def test_a_server_that_refuses(protocol: str, answers: list[str], words: str) -> None:
    """Its own words are in the message, with the step."""
    with tls_servers.Server(_scripted(*answers)) as server, at_most(0.5):
        message = failure(server.port, starttls=protocol)
    name = _CALLED.get(protocol, protocol.upper())
    assert message.startswith(f"No TLS with 127.0.0.1 port {server.port} by STARTTLS for {name}: the server ")
    assert words in message
    assert f". Check that the port speaks {name} and offers STARTTLS; one that speaks TLS from the start" in message


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46\n",
        b"\xff\x00\x1b[31m\n",
        b"*\n",
        b"220\x00",
    ],
)
def test_garbage(protocol: str, garbage: bytes) -> None:
    """At any step, whatever it is; and nothing unprintable reaches the message."""
    with tls_servers.Server(_scripted(garbage + b"\r\n")) as server:
        failure(server.port, starttls=protocol, timeout=1)

    def serve(connection: tls_servers.Connection) -> None:
        _dialogue(protocol, connection)
        connection.send(garbage + b"\r\n")
        connection.wait()

    with tls_servers.Server(serve) as server:
        step = _STEPS.get(protocol, "answer to STARTTLS")
        assert f"in place of its {step}" in failure(server.port, starttls=protocol, timeout=3)


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize("piece", ["x" * 4096, "220-x\r\n" * 500, "* OK x\r\n" * 500])
def test_a_greeting_without_end(protocol: str, piece: str) -> None:
    """Neither a line nor the number of lines may grow without bound."""

    def serve(connection: tls_servers.Connection) -> None:
        if protocol == "imap" and piece[0] == "*":
            connection.send("* OK ready\r\n")
            connection.line()
        with contextlib.suppress(OSError):
            while True:
                connection.send(piece)

    with tls_servers.Server(serve) as server, at_most(0.5):
        message = failure(server.port, starttls=protocol)
    if piece[0] == "x" or (protocol, piece[0]) in (("smtp", "2"), ("ftp", "2"), ("imap", "*")):
        assert "the server sent more than 64 KiB in place of its" in message
    else:
        assert ", which is not of this protocol" in message


_STOPS = [(0, "stall"), (1, "stall"), (2, "stall"), (0, "close"), (1, "close"), (2, "close"), (2, "drip")]


def _stopping(protocol: str, steps: int, fault: str) -> tls_servers.Behaviour:
    """A server that does so many steps of the dialogue, and then what the fault says."""
    script = {
        "smtp": ["220 hi\r\n", "250-here\r\n250 STARTTLS\r\n"],
        "imap": ["* OK hi\r\n", "* CAPABILITY IMAP4rev1\r\n"],
        "pop3": ["+OK hi\r\n", "+"],
        "ftp": ["220-hi\r\n220 there\r\n", "234-x\r\n"],
        "sieve": ['"STARTTLS"\r\nOK\r\n', '"X"\r\n'],
    }[protocol][:steps]

    def serve(connection: tls_servers.Connection) -> None:
        for number, answer in enumerate(script):
            connection.send(answer)
            if number == 0 or protocol == "smtp":
                connection.line()
        if fault == "stall":
            connection.wait()
        while fault == "drip":
            connection.send("2")
            time.sleep(0.1)

    return serve


@pytest.fixture(scope="module")
def told() -> dict[t.Any, str]:
    """What the probe says of each server that keeps it waiting; all of them at one time, as each takes the timeout."""
    servers: dict[t.Any, tls_servers.Behaviour] = {
        (protocol, *stop): _stopping(protocol, *stop) for protocol in _PROTOCOLS for stop in _STOPS
    }
    servers.update({protocol: tls_servers.tls(good()) for protocol in _PROTOCOLS})

    def look_at(case: t.Any) -> str:
        protocol = case if isinstance(case, str) else case[0]
        with tls_servers.Server(servers[case]) as server, at_most(_TIMEOUT):
            return failure(server.port, starttls=protocol, timeout=_TIMEOUT)

    with concurrent.futures.ThreadPoolExecutor(len(servers)) as looks:
        return dict(zip(servers, looks.map(look_at, servers), strict=True))


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize(("steps", "fault"), _STOPS)
def test_a_server_that_stops(told: dict[t.Any, str], protocol: str, steps: int, fault: str) -> None:
    """Before its greeting, before its answers; at once or in the middle of a line that never ends."""
    message = told[protocol, steps, fault]
    asked = _STEPS.get(protocol, "answer to STARTTLS")
    step = ["greeting", "answer to EHLO" if protocol == "smtp" else asked, asked][steps]
    if fault == "close":
        assert f"the server closed the connection in place of its {step}" in message
    else:
        assert f"the server's {step}" in message
        assert f"did not come within the timeout of {_TIMEOUT} seconds" in message


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_starttls_on_a_port_that_speaks_tls_from_the_start(told: dict[t.Any, str], protocol: str) -> None:
    """The server waits too; the message says what to do."""
    message = told[protocol]
    assert f"the server's greeting did not come within the timeout of {_TIMEOUT} seconds" in message
    such = f", such as {_IMPLICIT[protocol]}," if protocol in _IMPLICIT else ""
    assert message.endswith(f"one that speaks TLS from the start{such} is probed without starttls.")


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_what_is_sent_in_clear_before_tls_is_refused(protocol: str) -> None:
    """Responses injected behind the answer to STARTTLS must never count as part of the TLS session (CVE-2011-0411)."""

    def serve(connection: tls_servers.Connection) -> None:
        _dialogue(protocol, connection)
        connection.send(_ANSWERS[protocol] + "250 injected\r\n")
        with contextlib.suppress(OSError):
            connection.secure(good())

    with tls_servers.Server(serve) as server:
        message = failure(server.port, starttls=protocol, ca_path=trusted())
    assert "the server sent 14 bytes in clear after its answer to STARTTLS; something on the way" in message


@pytest.mark.parametrize("protocol", _PROTOCOLS)
def test_what_is_sent_in_clear_a_little_later_is_no_tls(protocol: str) -> None:
    """Where it comes too late to be seen before the handshake, it breaks that."""

    def serve(connection: tls_servers.Connection) -> None:
        _dialogue(protocol, connection)
        connection.send(_ANSWERS[protocol])
        connection.sock.recv(1)
        connection.send("250 injected\r\n")
        with contextlib.suppress(OSError):
            connection.secure(good())

    with tls_servers.Server(serve) as server:
        message = failure(server.port, starttls=protocol, ca_path=trusted())
    assert "failed: the server did not answer with TLS. Check the service on this port." in message


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize("parting", ["reset", "silence", "flood"])
def test_a_goodbye_that_is_not_answered(protocol: str, parting: str) -> None:
    """The certificate was seen, and nothing else matters."""
    over = threading.Event()

    def serve(connection: tls_servers.Connection) -> None:
        _dialogue(protocol, connection)
        connection.send(_ANSWERS[protocol])
        connection.secure(good())
        connection.line()
        if parting == "reset":
            return
        with contextlib.suppress(OSError):
            while parting == "flood":
                connection.send(b"x" * 16384)
        over.wait(20)

    with tls_servers.Server(serve) as server:
        with at_most(0.5):
            assert look(server.port, starttls=protocol, ca_path=trusted())["verified"]
        over.set()
    assert server.said == _SAID[protocol]
