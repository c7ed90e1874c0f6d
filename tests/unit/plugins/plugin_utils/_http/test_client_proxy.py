# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls through real proxies, plain and TLS, that connect, refuse, fail and are not there."""

from __future__ import annotations

import base64
import pathlib
import socket
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError
from ansible_collections.certfleet.collectssl.tests.support.https_server import (
    Proxy,
    Server,
    drip,
    send,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    PENDING,
    asker_of,
    shown,
)

PROXY_PASSWORD = "pr\u00f6xy:@/ \u20ac%41"


def address(proxy: Server, scheme: str = "http") -> str:
    return f"{scheme}://someone:{urllib.parse.quote(PROXY_PASSWORD, safe='')}@localhost:{proxy.port}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_call_goes_through_a_proxy_with_its_credentials(identity: Identity, scheme: str) -> None:
    context = identity.context() if scheme == "https" else None
    with Server(identity.context(), PENDING) as server, Proxy(context=context) as proxy:
        for _number in range(2):
            assert asker_of(server, identity, proxy=address(proxy, scheme)).ask().state == "pending"
    assert [call.request_line.split()[:2] for call in proxy.calls] == [["CONNECT", f"localhost:{server.port}"]]
    pair = base64.b64decode(proxy.calls[0].headers["proxy-authorization"].removeprefix("Basic ")).decode("utf-8")
    assert pair == f"someone:{PROXY_PASSWORD}"
    assert "proxy-authorization" not in server.calls[0].headers
    assert proxy.connections == server.connections == 1


def test_a_proxy_without_credentials_is_sent_none(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server, Proxy() as proxy:
        asker_of(server, identity, proxy=f"http://localhost:{proxy.port}").ask()
    assert "proxy-authorization" not in proxy.calls[0].headers


@pytest.mark.parametrize(
    ("status", "reason", "hint", "tries"),
    [
        (407, "wants other credentials (HTTP status 407)", "Check the user and the password in proxy.", 1),
        (403, "did not connect (HTTP status 403)", "Check proxy.", 1),
        (502, "did not connect (HTTP status 502), in 3 tries", "Check proxy.", 3),
    ],
)
def test_a_proxy_that_refuses_is_told_by_its_name_alone(
    identity: Identity, status: int, reason: str, hint: str, tries: int
) -> None:
    # It says who was refused, password and all.
    refusal = f"HTTP/1.1 {status} Not {PROXY_PASSWORD}\r\nContent-Length: 0\r\n\r\n".encode()
    with Server(identity.context(), PENDING) as server, Proxy(refusal) as proxy:
        asked = asker_of(server, identity, proxy=address(proxy), retries=2)
        with pytest.raises(TransportError) as caught:
            asked.ask()
    assert str(caught.value) == (
        f"localhost:{server.port} could not be asked about order number 12 + & % = \u00fc: the proxy "
        f"localhost:{proxy.port} {reason}. {hint}"
    )
    assert (len(proxy.calls), server.connections) == (tries, 0)
    for form in (PROXY_PASSWORD, urllib.parse.quote(PROXY_PASSWORD, safe=""), "%E2%82%AC", "\u20ac"):
        assert form not in shown(caught.value)


def test_a_proxy_that_is_not_there_is_told_apart_from_the_provider(identity: Identity) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Server(identity.context(), PENDING) as server:
        for host, reason in (("localhost", "connection refused"), ("proxy.invalid", "the name could not be resolved")):
            with pytest.raises(TransportError) as caught:
                asker_of(server, identity, proxy=f"http://u:s3cret-word@{host}:{port}").ask()
            assert f": the way through the proxy {host}:{port} failed: {reason}, in 1 try. Check " in str(caught.value)
            assert "s3cret-word" not in shown(caught.value)


def test_a_proxy_that_dawdles_is_bounded_in_time(identity: Identity) -> None:
    slow = drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500)
    with (
        Server(identity.context(), PENDING) as server,
        Proxy(slow) as proxy,
        pytest.raises(TransportError, match="no whole answer within 1 s"),
    ):
        asker_of(server, identity, proxy=address(proxy), seconds=1).ask()


def test_a_proxy_with_an_untrusted_certificate_gets_no_credentials(identity: Identity, tmp_path: pathlib.Path) -> None:
    other = Identity.make(tmp_path)
    with Server(identity.context(), PENDING) as server, Proxy(context=other.context()) as proxy:
        asked = asker_of(server, identity, proxy=address(proxy, "https"), retries=2)
        with pytest.raises(TransportError, match="the TLS certificate is not trusted"):
            asked.ask()
    assert not proxy.calls
    assert not asked.pauses


def test_a_provider_that_fails_behind_a_proxy_is_told_too(identity: Identity) -> None:
    with Server(identity.context(), send(b"", keep=False)) as server, Proxy() as proxy:
        asked = asker_of(server, identity, proxy=address(proxy))
        with pytest.raises(TransportError, match="the connection was closed without an answer") as caught:
            asked.ask()
    assert "someone" not in shown(caught.value)
