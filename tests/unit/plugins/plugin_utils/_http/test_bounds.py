# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no server and no proxy can do: hold a call beyond its deadline, or have more read than its answer is worth."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import threading
import time
import tracemalloc
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError, TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import session
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import hold, within
from ansible_collections.certfleet.collectssl.tests.support.https_server import (
    Proxy,
    Reply,
    Server,
    answer,
    drip,
    send,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.support.listener import Listener
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    PENDING,
    asker,
    asker_of,
)

_MEBIBYTE = 1024 * 1024
# What both ends of a connection on loopback may hold between them, and as much as is read of any answer at most.
_ON_THE_WAY = 32 * _MEBIBYTE
_PIECE = b"0123456789abcdef" * 4096


class _Pouring:
    """Sends pieces for as long as somebody takes them, 512 MiB at most, and counts."""

    def __init__(self, head: bytes, piece: bytes, most: int = 512 * _MEBIBYTE) -> None:
        self._head, self._piece, self._most = head, piece, most
        self.sent = 0
        self.over = threading.Event()

    def __call__(self, connection: socket.socket) -> bool:
        with contextlib.suppress(OSError):
            connection.sendall(self._head)
            while self.sent < self._most:
                connection.sendall(self._piece)
                self.sent += len(self._piece)
        self.over.set()
        return False


def _head(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", ""]).encode()


_HEADERS = b"X-More: " + b"x" * 1000 + b"\r\n"
_BOMB = gzip.compress(b"\0" * _MEBIBYTE)
_POURED: dict[str, tuple[bytes, bytes]] = {
    **{
        f"{kind} with status {status}": (_head(status, "Location: https://elsewhere.example/", header), piece)
        for status in (200, 206, 301, 302, 307, 308, 400, 403, 429, 500, 503)
        for kind, header, piece in (
            ("a length", f"Content-Length: {1 << 40}", _PIECE),
            ("no length", "Connection: close", _PIECE),
            ("chunks", "Transfer-Encoding: chunked", b"10000\r\n" + _PIECE + b"\r\n"),
        )
    },
    "a head": (b"HTTP/1.1 200 OK\r\n", _HEADERS),
    "a header": (b"HTTP/1.1 200 OK\r\nX-More: ", _PIECE),
    "a status line": (b"HTTP/1.1 200 ", _PIECE),
    "early hints": (b"", _head(103, "Link: </x>")),
    "continue": (b"", _head(100)),
    "trailers": (_head(200, "Transfer-Encoding: chunked") + b"0\r\n", _HEADERS),
    "an extension of a chunk": (_head(200, "Transfer-Encoding: chunked") + b"5;x=", _PIECE),
    "a chunk without end": (_head(200, "Transfer-Encoding: chunked") + b"f" * 15 + b"\r\n", _PIECE),
    "a chunk of negative size": (_head(200, "Transfer-Encoding: chunked") + b"-1\r\n", _PIECE),
    "tiny chunks": (_head(200, "Transfer-Encoding: chunked"), b"1;" + b"x" * 1000 + b"\r\n0\r\n"),
}


_LONG_HEADS = ("early hints", "continue")


@pytest.mark.parametrize("poured", _POURED)
def test_however_much_comes_little_is_read_and_kept(identity: Identity, poured: str) -> None:
    pouring = _Pouring(*_POURED[poured])
    with Server(identity.context(), pouring) as server:
        tracemalloc.start()
        try:
            asked = asker_of(server, identity, seconds=60)
            with pytest.raises(CollectError) as caught:
                asked.ask()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # The client has hung up: it is no end of its own that the server came to.
        assert pouring.over.wait(60)
    assert "no whole answer" not in str(caught.value)
    if poured in _LONG_HEADS:
        assert "Its head is longer than 65536 octets, and was not read further." in str(caught.value)
    (octets,) = re.findall(r", ([0-9]+) bytes, ", asked.details[0])
    # Of a page that is no answer no more than its beginning is read.
    assert int(octets) <= (256 * 1024 if "with status" in poured and "200" not in poured else 5 * _MEBIBYTE)
    assert pouring.sent < _ON_THE_WAY, pouring.sent
    assert peak < 4 * session.MAX_BODY


@pytest.mark.parametrize("status", [200, 302, 403, 500])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_nothing_is_unpacked(identity: Identity, status: int, encoding: str) -> None:
    # 512 MiB of zeros.
    page = answer(_BOMB * 512, status, f"Content-Encoding: {encoding}", "Location: https://elsewhere.example/")
    with Server(identity.context(), send(page, keep=False)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(CollectError, match=rf"{status}"):
                asker_of(server, identity, seconds=60).ask()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 * session.MAX_BODY


def test_a_chunk_of_negative_size_is_not_read_to_the_end(identity: Identity) -> None:
    pouring = _Pouring(*_POURED["a chunk of negative size"])
    with (
        Server(identity.context(), pouring) as server,
        pytest.raises(TransportError, match=r"what came is damaged, or no HTTP"),
    ):
        asker_of(server, identity).ask()


@pytest.mark.parametrize("poured", ["trailers", "tiny chunks"])
def test_what_stands_between_and_behind_chunks_counts_too(identity: Identity, poured: str) -> None:
    with (
        Server(identity.context(), _Pouring(*_POURED[poured])) as server,
        pytest.raises(CollectError, match=r"It is longer than 5242880 octets, and was not read further"),
    ):
        asker_of(server, identity, seconds=60).ask()


@pytest.mark.parametrize("size", [b"-5", b"-1", b"-0x10", b"zz", b"", b"\xff\xfe", b"9" * 5000])
def test_a_chunk_of_no_size_is_a_sentence(identity: Identity, size: bytes) -> None:
    reply = send(_head(200, "Transfer-Encoding: chunked") + size + b"\r\nerrorCode=0\r\n0\r\n\r\n", keep=False)
    with Server(identity.context(), reply) as server, pytest.raises(TransportError, match=r"could not be asked"):
        asker_of(server, identity).ask()


@pytest.mark.parametrize("location", ["https://[", "//[::1", "http://a]b/", "https://\u202eevil\x1b[31m.example/", ""])
def test_a_redirect_to_what_is_no_address_is_a_sentence(identity: Identity, location: str) -> None:
    with (
        Server(identity.context(), answer("", 302, f"Location: {location}")) as server,
        pytest.raises(TransportError, match=r"with a redirect \(HTTP status 302\) to ") as caught,
    ):
        asker_of(server, identity).ask()
    assert "\x1b" not in str(caught.value)


def test_what_nobody_expects_is_a_sentence_too_with_its_trace_for_who_looks_closely(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unheard(Exception):
        pass

    def send_nothing(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
        raise Unheard("\x1b[31mred")

    monkeypatch.setattr(session.Adapter, "send", send_nothing)
    asked = asker("https://localhost:1/", identity.ca_pem)
    with pytest.raises(TransportError, match=r"what came is damaged, or no HTTP \(Unheard\), in 1 try"):
        asked.ask()
    trace = "".join(asked.details)
    assert "Unheard: \\x1b[31mred" in trace
    assert "\x1b" not in trace


# --- one deadline


class _Dripping(Listener):
    """Passes on what a server says, one octet at a time; what it is told goes on at once."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._to = port

    def serve(self, connection: socket.socket, number: int) -> None:
        """As Listener has it."""
        del number
        with contextlib.suppress(OSError), connection, socket.create_connection(("127.0.0.1", self._to)) as onward:
            threading.Thread(target=self._pass_on, args=(connection, onward), daemon=True).start()
            while True:
                data = onward.recv(65536)
                if not data:
                    return
                drip(data, interval=0.02)(connection)

    @staticmethod
    def _pass_on(source: socket.socket, onward: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    return
                onward.sendall(data)


def _refused(call: t.Callable[[], t.Any]) -> None:
    begun = time.monotonic()
    with pytest.raises(TransportError, match=r"no whole answer within 1 s"):
        call()
    # Each of these would take minutes, were it each wait that has a second.
    assert time.monotonic() - begun < 60


def test_a_tls_handshake_that_drips_is_over_at_the_deadline(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server, _Dripping(server.port) as dripping:
        _refused(lambda: asker(f"https://localhost:{dripping.port}/", identity.ca_pem, seconds=1).ask())
    assert not server.calls


_DRIPPED: dict[str, Reply] = {
    "status line": drip(b"HTTP/1.1 200 " + b"x" * 10000),
    "headers": drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500),
    "chunk line": drip(_head(200, "Transfer-Encoding: chunked") + b"1;" + b"x" * 10000),
    "trailers": drip(_head(200, "Transfer-Encoding: chunked") + b"0\r\n" + b"X-Slow: yes\r\n" * 500),
    "body of a refusal": drip(_head(403, "Content-Length: 10000") + b"x" * 10000),
}


@pytest.mark.parametrize("dripped", _DRIPPED)
def test_whatever_drips_is_over_at_the_deadline(identity: Identity, dripped: str) -> None:
    with Server(identity.context(), _DRIPPED[dripped]) as server:
        _refused(lambda: asker_of(server, identity, seconds=1).ask())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_drips_before_and_after_connecting_is_over_at_the_deadline(
    identity: Identity, scheme: str
) -> None:
    context = identity.context() if scheme == "https" else None
    slow = drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500)
    with Server(identity.context(), PENDING) as server, Proxy(slow, context=context) as proxy:
        address = f"{scheme}://localhost:{proxy.port}"
        _refused(lambda: asker_of(server, identity, proxy=address, seconds=1).ask())
    with (
        Server(identity.context(), PENDING) as server,
        Proxy(context=context) as proxy,
        _Dripping(proxy.port) as dripping,
    ):
        address = f"{scheme}://localhost:{dripping.port}"
        _refused(lambda: asker_of(server, identity, proxy=address, seconds=1).ask())
    assert not server.calls


def test_who_drips_is_hung_up_on(identity: Identity) -> None:
    hung_up = threading.Event()

    def reply(connection: socket.socket) -> bool:
        try:
            drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500)(connection)
        except OSError:
            hung_up.set()
        return False

    with Server(identity.context(), reply) as server:
        _refused(lambda: asker_of(server, identity, seconds=1).ask())
        assert hung_up.wait(120)
    assert not session._adapters


def test_a_resolver_that_hangs_is_left_and_nothing_is_sent_once_it_is_back(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    back, tried = threading.Event(), threading.Event()
    resolve, new_connection = socket.getaddrinfo, session._Connection._new_conn

    def hang(*args: t.Any, **kwargs: t.Any) -> t.Any:
        back.wait(60)
        return resolve(*args, **kwargs)

    def try_to_connect(self: t.Any) -> t.Any:
        try:
            return new_connection(self)
        finally:
            tried.set()

    monkeypatch.setattr(session._Connection, "_new_conn", try_to_connect)
    with Server(identity.context(), PENDING) as server:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", hang)
            _refused(lambda: asker_of(server, identity, seconds=1).ask())
            back.set()
            assert tried.wait(120)
        # The next call goes over connections of its own.
        assert asker_of(server, identity).ask().state == "pending"
    assert len(server.calls) == 1


def test_nobody_who_is_hung_up_on_gets_hold_of_a_line() -> None:
    goes_on, refused = threading.Event(), threading.Event()
    abandoned: list[bool] = []

    def call() -> None:
        goes_on.wait(120)
        with socket.socket() as sock:
            try:
                hold(sock.fileno())
            except TimeoutError:
                refused.set()

    with pytest.raises(TimeoutError):
        within(0.01, call, lambda: abandoned.append(True))
    goes_on.set()
    assert refused.wait(120)
    assert abandoned == [True]


def test_a_call_that_ends_in_time_leaves_its_line_open_and_no_thread() -> None:
    ours, theirs = socket.socketpair()
    called: list[threading.Thread] = []
    with ours, theirs:

        def call() -> int:
            called.append(threading.current_thread())
            hold(ours.fileno())
            return 7

        assert within(600, call, lambda: None) == 7
        ours.sendall(b"a")
        assert theirs.recv(1) == b"a"
    # Its own thread, not how many there are: those of other tests' servers end when they come to it.
    assert not called[0].is_alive()
    with pytest.raises(ValueError, match="x"):
        within(600, lambda: int("x"), lambda: None)
