# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options to a connection: names, addresses, and the time they take."""

from __future__ import annotations

import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import endpoint_of
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    at_most,
    authority,
    failure,
    good,
    look,
    trusted,
)


def _endpoint(**options: t.Any) -> t.Any:
    defaults = {"port": 443, "server_name": None, "starttls": None, "timeout": 10, "ca_path": None}
    return endpoint_of({**defaults, **options})


@pytest.mark.parametrize(
    ("host", "server_name", "expected"),
    [
        ("www.example.com", None, ("www.example.com", "www.example.com")),
        ("www.example.com.", None, ("www.example.com.", "www.example.com")),
        ("_srv.example.com", None, ("_srv.example.com", "_srv.example.com")),
        ("[2001:db8::1]", None, ("2001:db8::1", "2001:db8::1")),
        ("fe80::1%eth0", None, ("fe80::1%eth0", "fe80::1")),
        ("192.0.2.1", "www.example.com", ("192.0.2.1", "www.example.com")),
        ("localhost", "[2001:db8::1]", ("localhost", "2001:db8::1")),
        ("[2001:DB8:0::1]", None, ("2001:DB8:0::1", "2001:db8::1")),
        ("Bücher.example.", None, ("Bücher.example.", "xn--bcher-kva.example")),
        ("localhost", "straße.example", ("localhost", "xn--strae-oqa.example")),
    ],
)
def test_names(host: str, server_name: str | None, expected: tuple[str, str]) -> None:
    """What is connected to, and what the certificate has to be for."""
    endpoint = _endpoint(host=host, server_name=server_name)
    assert (endpoint.host, endpoint.identity) == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        ".example.com",
        "a..b",
        "https://www.example.com",
        "www.example.com/path",
        "www.example.com:443",
        "user@example.com",
        "two words",
        "line\nbreak",
        "nul\0",
        "x" * 64 + ".example.com",
        "x." * 130 + "example",
        "[::1",
    ],
)
@pytest.mark.parametrize("option", ["host", "server_name"])
def test_what_is_no_name(option: str, name: str) -> None:
    """The option is named, before anything is asked of a resolver."""
    options: dict[str, t.Any] = {"host": "127.0.0.1", option: name}
    message = failure(**options)
    assert message == f"{option} must be a host name or an IP address, not {name!r}."


def test_numbers() -> None:
    """Out of range."""
    assert failure(port=0) == "port must be between 1 and 65535, not 0."
    assert failure(port=65536) == "port must be between 1 and 65535, not 65536."
    assert failure(timeout=0) == "timeout must be 1 second or more."


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nobody_listens() -> None:
    """A refused connection is not retried."""
    port = _free_port()
    assert failure(port) == (
        f"127.0.0.1 port {port} could not be connected to: 127.0.0.1 (connection refused). Check that the service "
        "runs, listens there, and that no firewall is in between."
    )


def test_a_name_that_does_not_resolve() -> None:
    """Names below .invalid never do (RFC 2606)."""
    message = failure(host="absent.invalid")
    assert message.startswith("absent.invalid could not be resolved (")
    assert message.endswith("). Check host, and the resolver of the machine that connects.")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[dict[str, t.Any]]:
    """A resolver that knows the names in this dictionary: to (family, address) pairs, or to a time it takes."""
    known: dict[str, t.Any] = {}
    real = socket.getaddrinfo
    over = threading.Event()

    def getaddrinfo(host: str, port: int, **options: t.Any) -> list[t.Any]:
        if host not in known:
            return real(host, port, **options)
        if isinstance(known[host], float):
            over.wait(known[host])
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield known
    over.set()


def test_a_resolver_that_takes_its_time(resolver: dict[str, t.Any]) -> None:
    """No resolver can be told how long it may take."""
    resolver["slow.example.com"] = 30.0
    with at_most(1):
        message = failure(host="slow.example.com", timeout=1)
    assert message.startswith("The name resolution for slow.example.com port 443 was not over within the timeout of 1 ")


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("Straße.example", "xn--strae-oqa.example"),
        ("b\u00fccher\u3002Example.", "xn--bcher-kva.Example."),
        ("WWW.example.com", "WWW.example.com"),
    ],
)
def test_the_name_that_is_resolved(resolver: dict[str, t.Any], host: str, asked: str) -> None:
    """It is the one that the certificate has to be for, whatever Python makes of a name that is not ASCII."""
    with tls_servers.Server(tls_servers.tls(good()), "127.0.0.1") as server:
        resolver[asked] = [(socket.AF_INET, "127.0.0.1")]
        assert look(server.port, host)["fingerprint_sha256"]


def test_the_zone_of_an_address_keeps_its_letters(resolver: dict[str, t.Any]) -> None:
    resolver["fe80::1%Eth0"] = [(socket.AF_INET, "127.0.0.1")]
    with tls_servers.Server(tls_servers.tls(good()), "127.0.0.1") as server:
        assert look(server.port, "fe80::1%Eth0")["fingerprint_sha256"]


def test_several_addresses(resolver: dict[str, t.Any]) -> None:
    """They are tried in order, and all connections go to the first that answered."""
    with tls_servers.Server(tls_servers.tls(good()), "127.0.0.2") as server:
        resolver["www.example.com"] = [
            (socket.AF_INET6, "::1"),
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET, "127.0.0.2"),
            (socket.AF_INET, "127.0.0.2"),
        ]
        assert look(server.port, "www.example.com", ca_path=trusted())["verified"]
        assert server.connections == 1
        result = look(server.port, "www.example.com")
        assert (server.connections, result["verified"]) == (4, False)
    message = failure(server.port, "www.example.com")
    assert message.count("refused") == 3
    for address in ("::1 (", "127.0.0.1 (", "127.0.0.2 ("):
        assert address in message


def test_an_address_that_does_not_answer_leaves_time_for_the_next(resolver: dict[str, t.Any]) -> None:
    """A listener whose queue is full drops what comes, as a firewall does."""
    with socket.socket() as full, tls_servers.Server(tls_servers.tls(good()), "127.0.0.2") as server:
        full.bind(("127.0.0.1", server.port))
        full.listen(0)
        queued = [socket.socket() for _place in range(3)]
        for place in queued:
            place.setblocking(False)
            place.connect_ex(full.getsockname())
        time.sleep(0.1)
        resolver["www.example.com"] = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")]
        with at_most(2):
            assert look(server.port, "www.example.com", ca_path=trusted(), timeout=4)["verified"]
        with at_most(1):
            message = failure(server.port, timeout=1)
        for place in queued:
            place.close()
    assert "could not be connected to: 127.0.0.1 (no answer within the timeout). Check that" in message


def test_the_address_is_told_where_it_says_more(resolver: dict[str, t.Any]) -> None:
    """In a message about a server that was reached by a name."""
    with tls_servers.Server(lambda connection: connection.send("hello\n")) as server:
        resolver["www.example.com"] = [(socket.AF_INET, "127.0.0.1")]
        assert f"www.example.com port {server.port} (address 127.0.0.1)" in failure(server.port, "www.example.com")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(host: str) -> None:
    """A literal, with and without brackets, against OpenSSL's own server."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    identity = authority().issue("v6", "::1")
    with tls_servers.s_server(identity, host="::1") as port:
        result = look(port, host, ca_path=trusted())
        assert result["verified"]
        assert result["fingerprint_sha256"] == identity.fingerprint()
        wrong = look(port, host, ca_path=trusted(), server_name="2001:db8::1")
    assert wrong["verify_error"] == "IP address mismatch, certificate is not valid for '2001:db8::1'"
