# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds of a call to the octet, the socket that is hung up on, and what calls travel over."""

from __future__ import annotations

import base64
import http.client
import os
import queue
import socket
import ssl
import threading
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import session
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import (
    Line,
    Meter,
    TooMuch,
    hold,
    within,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from urllib3.connection import HTTPSConnection


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def pair() -> t.Iterator[tuple[socket.socket, socket.socket]]:
    """Our end and theirs; nothing waits at either for more than some seconds."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(20)
        theirs.settimeout(20)
        yield ours, theirs


# --- the line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hang_up", [True, False])
def test_a_line_that_is_over_is_hung_up_on_or_left_and_gives_its_sockets_back(
    pair: tuple[socket.socket, socket.socket], hang_up: bool
) -> None:
    ours, theirs = pair
    before, line = _descriptors(), Line()
    # One that was never connected cannot be hung up on, and stands in the way of no other.
    with socket.socket() as unconnected:
        line.hold(unconnected.fileno())
        line.hold(ours.fileno())
        line.end(hang_up=hang_up)
    assert _descriptors() == before
    if hang_up:
        assert theirs.recv(1) == b""
        with pytest.raises(OSError, match=r"Broken pipe"):
            ours.sendall(b"a")
    else:
        ours.sendall(b"a")
        assert theirs.recv(1) == b"a"


@pytest.mark.parametrize("hang_up", [True, False])
def test_nothing_is_held_once_a_line_is_over(pair: tuple[socket.socket, socket.socket], hang_up: bool) -> None:
    line, before = Line(), _descriptors()
    line.end(hang_up=hang_up)
    with pytest.raises(TimeoutError, match=r"^timed out$"):
        line.hold(pair[0].fileno())
    assert _descriptors() == before


def test_who_makes_no_call_holds_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    before = _descriptors()
    hold(pair[0].fileno())
    assert _descriptors() == before


def test_a_call_is_made_by_a_thread_that_no_end_of_the_process_waits_for() -> None:
    made: list[tuple[str, bool]] = []

    def call() -> int:
        thread = threading.current_thread()
        made.append((thread.name, thread.daemon))
        return 7

    assert within(20, call, lambda: pytest.fail("it was in time")) == 7
    assert made == [("collectssl call", True)]


def test_a_call_may_take_so_many_seconds_and_is_hung_up_on_then(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    held, over, order, given = threading.Event(), threading.Event(), list[str](), list[t.Any]()

    class Queue(queue.SimpleQueue):  # type: ignore[type-arg]
        def get(self, block: bool = True, timeout: float | None = None) -> t.NoReturn:
            given.append((block, timeout))
            assert held.wait(20)
            raise queue.Empty

    def call() -> None:
        hold(ours.fileno())
        held.set()
        order.append("they hear nothing" if theirs.recv(1) == b"" else "they hear something")
        over.set()

    monkeypatch.setattr(queue, "SimpleQueue", Queue)
    with pytest.raises(TimeoutError, match=r"^timed out$") as caught:
        within(7.5, call, lambda: order.append("abandoned"))
    assert over.wait(20)
    assert given == [(True, 7.5)]
    assert sorted(order) == ["abandoned", "they hear nothing"]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


class _EndError(BaseException):
    """Whatever a thread may raise."""


def test_whatever_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    error = _EndError()

    def call() -> t.NoReturn:
        raise error

    with pytest.raises(_EndError) as caught:
        within(20, call, lambda: pytest.fail("it was in time"))
    assert caught.value is error


# --- the meter ----------------------------------------------------------------------------------------------------


def test_as_many_octets_come_as_were_allowed_and_no_more(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"0123456789abcdefghij")
    meter = Meter(ours, 10, "Its head")
    assert meter.readable()
    buffer = bytearray(7)
    assert (meter.readinto(buffer), bytes(buffer)) == (7, b"0123456")
    assert (meter.readinto(buffer), bytes(buffer)) == (3, b"7893456")
    for _time in range(2):
        with pytest.raises(TooMuch, match=r"^Its head is longer than 10 octets, and was not read further\.$"):
            meter.readinto(buffer)
    meter.allow(2, "It")
    assert (meter.readinto(buffer), bytes(buffer[:2])) == (2, b"ab")
    with pytest.raises(TooMuch, match=r"^It is longer than 2 octets"):
        meter.readinto(buffer)
    meter.allow(100, "It")
    assert meter.readinto(bytearray(100)) == 8
    theirs.close()
    assert meter.readinto(bytearray(100)) == 0
    meter.close()
    assert meter.closed
    assert meter._raw.closed


def test_where_nothing_is_there_yet_nothing_counts(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    meter = Meter(ours, 1, "It")
    ours.setblocking(False)
    assert meter.readinto(bytearray(5)) is None
    theirs.sendall(b"ab")
    assert meter.readinto(bytearray(5)) == 1
    meter.close()


# --- the response -------------------------------------------------------------------------------------------------


class _Meters(Meter):
    allowed: t.ClassVar[list[tuple[int, str]]] = []

    def allow(self, octets: int, what: str) -> None:
        """As the meter has it."""
        self.allowed.append((octets, what))
        super().allow(octets, what)


def _response(pair: tuple[socket.socket, socket.socket], said: bytes) -> t.Any:
    ours, theirs = pair
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    return session._Response(ours, method="POST")


def test_a_head_and_a_body_have_bounds_of_their_own(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Meters, "allowed", [])
    monkeypatch.setattr(session, "Meter", _Meters)
    response = _response(pair, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
    assert _Meters.allowed == [(65_536, "Its head")]
    response.begin()
    assert _Meters.allowed == [(65_536, "Its head"), (5_242_880, "It")]
    # A second begin, as urllib3 may ask for one, reads nothing.
    response.begin()
    assert response.read() == b"ab"
    assert len(_Meters.allowed) == 2
    response.close()


def test_only_the_headers_that_are_looked_at_are_kept(pair: tuple[socket.socket, socket.socket]) -> None:
    kept = [
        *("Content-Type: a/b", "Content-Encoding: c", "Content-Length: 0", "Connection: close", "Location: d"),
        *("Retry-After: 1", "Retry-After: 2"),
    ]
    head = "\r\n".join(["HTTP/1.1 200 OK", *kept[:3], "Set-Cookie: x", "X-Odd: \u00fc", *kept[3:], "", ""])
    response = _response(pair, head.encode())
    response.begin()
    assert [f"{name}: {value}" for name, value in response.headers.items()] == kept
    assert response.msg is response.headers
    response.close()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 3 + b"HTTP/1.1 404 No\r\n\r\n", 404),
        (b"HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 101),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 No\r\n\r\n", 200),
    ],
)
def test_what_is_said_before_an_answer_is_passed_over(
    pair: tuple[socket.socket, socket.socket], said: bytes, status: int
) -> None:
    response = _response(pair, said)
    response.begin()
    assert response.status == status
    response.close()


@pytest.mark.parametrize(("size", "read"), [(b"0", b""), (b"1", b"a"), (b"-1", None)])
def test_a_chunk_has_a_size_that_is_not_below_nothing(
    pair: tuple[socket.socket, socket.socket], size: bytes, read: bytes | None
) -> None:
    response = _response(pair, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\na\r\n0\r\n\r\n")
    response.begin()
    if read is None:
        with pytest.raises(http.client.HTTPException, match="a chunk of negative size"):
            response.read()
    else:
        assert response.read() == read
    response.close()


def _connection() -> t.Any:
    return session._Connection("provider.example.com")


def test_a_socket_that_comes_too_late_is_closed_at_once(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair

    def refuse(descriptor: int) -> t.NoReturn:
        assert descriptor == ours.fileno()
        raise TimeoutError

    monkeypatch.setattr(HTTPSConnection, "_new_conn", lambda _self: ours)
    monkeypatch.setattr(session, "hold", refuse)
    with pytest.raises(TimeoutError):
        _connection()._new_conn()
    assert ours.fileno() == -1
    assert theirs.recv(1) == b""


def test_each_socket_of_a_call_is_held_a_new_one_and_one_that_is_left(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _theirs = pair
    done: list[t.Any] = []
    monkeypatch.setattr(HTTPSConnection, "_new_conn", lambda _self: ours)
    monkeypatch.setattr(HTTPSConnection, "request", lambda _self, *given, **named: done.append((given, named)))
    monkeypatch.setattr(session, "hold", done.append)
    connection = _connection()
    assert connection._new_conn() is ours
    assert done == [ours.fileno()]
    connection.request("POST", "/", body=b"a")
    assert done[1:] == [(("POST", "/"), {"body": b"a"})]
    connection.sock = ours
    connection.request("GET", "/a")
    assert done[2:] == [ours.fileno(), (("GET", "/a"), {})]
    connection.sock = None


# --- adapters and trust -------------------------------------------------------------------------------------------


def test_adapters_are_kept_for_each_trust_until_they_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    trusting, verifying = session.adapter_for(False), session.adapter_for(True)
    assert session.adapter_for(False) is trusting
    assert session.adapter_for(True) is verifying
    assert trusting is not verifying
    session.forget(trusting)
    assert session.adapter_for(True) is verifying
    assert session.adapter_for(False) is not trusting
    session.forget(trusting)
    assert len(session._adapters) == 2
    # In a fork nothing of the parent's is left, and what is its own stays.
    monkeypatch.setattr(os, "getpid", lambda: -1)
    own = session.adapter_for(False)
    assert list(session._adapters) == [(-1, False)]
    other = session.adapter_for(True)
    assert list(session._adapters.values()) == [own, other]


@pytest.mark.parametrize(("verify", "checked"), [(True, True), (False, False)])
def test_tls_is_1_2_or_newer_and_checked_unless_switched_off(verify: bool, checked: bool) -> None:
    context = session._context(verify)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname is checked
    assert context.verify_mode == (ssl.CERT_REQUIRED if checked else ssl.CERT_NONE)


def test_a_file_and_a_folder_are_trusted_alone(identity: Identity, tmp_path: t.Any) -> None:
    context = session._context(str(identity.ca_pem))
    assert context.cert_store_stats()["x509"] == 1
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    # What is in a folder is read once it is needed.
    assert session._context(str(tmp_path)).cert_store_stats()["x509"] == 0


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("place", ["cafile", "capath", None])
def test_only_where_the_system_has_no_store_that_of_requests_is_taken(
    monkeypatch: pytest.MonkeyPatch, identity: Identity, place: str | None, verify: bool
) -> None:
    known: dict[str, t.Any] = {"cafile": None, "capath": None, **({place: "x"} if place else {})}
    paths = ssl.get_default_verify_paths()._replace(**known)
    loaded: list[t.Any] = []

    class Context(ssl.SSLContext):
        def load_verify_locations(self, *arguments: t.Any, **named: t.Any) -> None:
            loaded.append((arguments, named))

    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    # As an older Python, or one that was built so, makes it.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    monkeypatch.setattr(ssl, "create_default_context", lambda **_named: context)
    monkeypatch.setattr(session, "DEFAULT_CA_BUNDLE_PATH", str(identity.ca_pem))
    assert session._context(verify) is context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert loaded == ([((str(identity.ca_pem),), {})] if verify and place is None else [])


def test_a_ca_path_that_cannot_be_read_is_told_with_the_systems_words(tmp_path: t.Any) -> None:
    with pytest.raises(OptionError) as caught:
        session._context(str(tmp_path / "missing.pem"))
    assert str(caught.value) == f"ca_path {tmp_path}/missing.pem cannot be used: no such file or directory."


def test_pools_are_of_our_own_kind_with_our_own_trust() -> None:
    context = session._context(False)
    adapter = session.Adapter(context)
    for manager in (adapter.poolmanager, adapter.proxy_manager_for("http://proxy.example.com:3128")):
        assert manager.pool_classes_by_scheme == {"https": session._Pool}
        assert manager.connection_pool_kw["ssl_context"] is context
    secure = adapter.proxy_manager_for("https://proxy.example.com:3128")
    assert t.cast("t.Any", secure.proxy_config).ssl_context is context
    adapter.close()


@pytest.mark.parametrize(
    ("proxy", "pair"),
    [
        ("http://proxy", None),
        ("http://:word@proxy", None),
        ("http://me@proxy", "me:"),
        ("http://me:word@proxy", "me:word"),
        ("http://m%40:%E2%82%AC%2541@proxy", "m@:\u20ac%41"),
    ],
)
def test_a_proxy_is_sent_the_user_and_the_password_of_its_address(proxy: str, pair: str | None) -> None:
    headers = session.Adapter(session._context(False)).proxy_headers(proxy)
    encoded = base64.b64encode((pair or "").encode()).decode()
    assert headers == ({} if pair is None else {"Proxy-Authorization": f"Basic {encoded}"})


@pytest.mark.parametrize(("verify", "wanted"), [(True, "CERT_REQUIRED"), (False, "CERT_NONE")])
def test_nothing_is_added_to_the_trust_of_the_context(verify: bool, wanted: str) -> None:
    class Pool:
        cert_reqs = ""

    pool = Pool()
    session.Adapter(session._context(False)).cert_verify(pool, "https://x", verify, None)
    assert vars(pool) == {"cert_reqs": wanted}
