# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers with several certificates, behind a proxy, or for clients with a certificate alone."""

from __future__ import annotations

import os
import pathlib
import socket
import ssl
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _commands
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError
from ansible_collections.certfleet.collectssl.tests.support import openssl, tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    authority,
    failure,
    good,
    look,
    trusted,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder, Identity

# Which certificate


@pytest.fixture(scope="module", name="rsa")
def fixture_rsa() -> Identity:
    return authority().issue("kind-rsa", "127.0.0.1", "localhost", "www.example.com", kind="rsa")


def _beside(identity: Identity) -> tuple[str, ...]:
    """Options of a server for a second certificate."""
    return "-dcert", str(identity.certificate), "-dkey", str(identity.key)


_VERSIONS = pytest.mark.parametrize("version", [(), ("-tls1_2",), ("-tls1_3",)], ids=["both", "1.2", "1.3"])


@_VERSIONS
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@pytest.mark.parametrize("first", ["rsa", "ecdsa"])
def test_each_of_two(rsa: Identity, version: tuple[str, ...], kind: str, first: str) -> None:
    """Whichever a usual client is served, and whatever is spoken."""
    both = {"rsa": rsa, "ecdsa": good()}
    second = both["ecdsa" if first == "rsa" else "rsa"]
    with tls_servers.s_server(both[first], *_beside(second), *version) as port:
        result = look(port, key_type=kind, ca_path=trusted(), server_name="www.example.com")
    assert result["fingerprint_sha256"] == both[kind].fingerprint()
    assert (result["key_type"], result["verified"], result["verify_error"]) == (kind, True, None)
    if "-tls1_3" in version:
        assert result["protocol"] == "TLSv1.3"


@_VERSIONS
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_only_one_is_of_another_kind(rsa: Identity, version: tuple[str, ...], kind: str) -> None:
    """That is a failure, and says what is there; it is known, and not undetermined."""
    only, other, words = (
        (good(), "an ECDSA key", "an RSA key") if kind == "rsa" else (rsa, "an RSA key", "an ECDSA key")
    )
    with tls_servers.s_server(only, *version) as port, pytest.raises(EndpointError) as caught:
        look(port, key_type=kind, ca_path=trusted())
    assert str(caught.value) == (
        f"127.0.0.1 port {port} serves no certificate with {words}, but one with {other}. Give the server both, or ask "
        "for that."
    )
    assert not caught.value.undetermined
    assert caught.value.shown is not None
    assert caught.value.shown["fingerprint_sha256"] == only.fingerprint()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_only_one_is_of_that_kind(rsa: Identity, kind: str) -> None:
    """One connection is enough."""
    identity = rsa if kind == "rsa" else good()
    with tls_servers.Server(tls_servers.tls(identity)) as server:
        assert look(server.port, key_type=kind, ca_path=trusted())["verified"]
    assert server.faults == []


def test_a_key_that_can_not_be_asked_for() -> None:
    """It is told of, and not by name."""
    identity = authority().issue("kind-ed25519", "127.0.0.1", kind="ed25519")
    with tls_servers.s_server(identity) as port:
        assert look(port, ca_path=trusted())["key_type"] is None
        assert "no certificate with an RSA key, but one with another kind of key" in failure(port, key_type="rsa")


@_VERSIONS
@pytest.mark.parametrize("fault", ["name", "expired", "unknown"])
def test_trust_is_told_of_the_one_that_is_asked_for(
    rsa: Identity, version: tuple[str, ...], fault: str, tmp_path: pathlib.Path
) -> None:
    """In the same words, whoever looks."""
    names = ["127.0.0.1"]
    other = AuthorityFolder(tmp_path, "Other Root") if fault == "unknown" else authority()
    identity = other.issue(f"{fault}-rsa", *names, kind="rsa", days=(-9, -1) if fault == "expired" else (-1, 30))
    name = {"server_name": "absent.example.com"} if fault == "name" else {}
    with tls_servers.s_server(identity, *version) as port:
        alone = look(port, ca_path=trusted(), **name)
    with tls_servers.s_server(good(), *_beside(identity), *version) as port:
        result = look(port, key_type="rsa", ca_path=trusted(), **name)
    assert result["fingerprint_sha256"] == identity.fingerprint()
    assert (result["verified"], result["verify_error"]) == (False, alone["verify_error"])


@pytest.mark.parametrize("store", ["file", "folder"])
def test_openssl_trusts_whom_it_is_told_to(rsa: Identity, store: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "root.pem"
    path.write_text(pathlib.Path(trusted()).read_text(encoding="ascii"), encoding="ascii")
    if store == "folder":
        tls_servers.rehash(tmp_path)
    with tls_servers.s_server(good(), *_beside(rsa), "-tls1_3") as port:
        result = look(port, key_type="rsa", ca_path=str(path if store == "file" else tmp_path))
        assert result["verified"]
        assert result["cipher"].startswith("TLS_")


def _undetermined(port: int, **options: t.Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        look(port, ca_path=trusted(), **options)
    assert caught.value.undetermined
    assert str(caught.value).isprintable()
    return caught.value


def test_nobody_can_ask(rsa: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """With TLS 1.3 alone, and without openssl, it is not known, and what was seen is told."""
    fingerprint = good().fingerprint()
    with tls_servers.s_server(good(), *_beside(rsa), "-tls1_3") as port:
        monkeypatch.setattr(_commands, "_PATH", "")
        monkeypatch.setenv("PATH", str(tmp_path))
        error = _undetermined(port, key_type="rsa")
        # Which it serves otherwise needs no question.
        assert look(port, key_type="ecdsa", ca_path=trusted())["verified"]
    assert "speaks TLS 1.3 alone" in str(error)
    assert "it is undetermined which one it has" in str(error)
    assert error.shown is not None
    assert error.shown["fingerprint_sha256"] == fingerprint


def test_an_openssl_that_can_not_ask(rsa: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """One that does not know the options is as good as none."""
    program = tmp_path / "openssl"
    program.write_text("#!/bin/sh\necho 'unknown option -sigalgs' >&2\nexit 1\n", encoding="ascii")
    program.chmod(0o755)
    with tls_servers.s_server(good(), *_beside(rsa), "-tls1_3") as port:
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        assert "it is undetermined which one it has" in str(_undetermined(port, key_type="rsa"))


def test_without_openssl_ciphers_tell(rsa: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """Where TLS 1.2 is spoken, it is known that there is none."""
    fingerprint = rsa.fingerprint()
    with tls_servers.s_server(good(), *_beside(rsa)) as both, tls_servers.s_server(good()) as one:
        monkeypatch.setattr(_commands, "_PATH", "")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert look(both, key_type="rsa", ca_path=trusted())["fingerprint_sha256"] == fingerprint
        assert "serves no certificate with an RSA key" in failure(one, key_type="rsa")


def test_a_server_that_stalls_with_openssl() -> None:
    """The timeout is for everything together, whoever looks."""
    seen: list[int] = []

    def serve(connection: tls_servers.Connection) -> None:
        seen.append(1)
        context = good().context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # A usual look, one by ciphers that a server of TLS 1.3 refuses twice, and then openssl.
        if len(seen) <= 3:
            connection.secure(good(), context)
        connection.wait()

    with tls_servers.Server(serve) as server:
        message = failure(server.port, key_type="rsa", timeout=3)
    assert message == (
        f"The TLS handshake with 127.0.0.1 port {server.port} was not over within the timeout of 3 seconds. Check what "
        "holds it up, or give it a longer timeout."
    )
    assert len(seen) == 4


# Behind a proxy


def _proxied(behaviour: tls_servers.Behaviour) -> tls_servers.Behaviour:
    """A server that takes connections of a proxy alone."""

    def serve(connection: tls_servers.Connection) -> None:
        if connection.line().startswith("PROXY "):
            behaviour(connection)

    return serve


@pytest.mark.parametrize("protocol", [None, *tls_servers.IN_LINES])
def test_a_server_behind_a_proxy(protocol: str | None) -> None:
    """What a proxy says comes before anything else, on each connection, with the addresses that the server sees."""
    behaviour = tls_servers.IN_LINES[protocol](good()) if protocol else tls_servers.tls(good())
    peers: list[tuple[t.Any, ...]] = []

    def serve(connection: tls_servers.Connection) -> None:
        peers.append(connection.sock.getpeername())
        _proxied(behaviour)(connection)

    with tls_servers.Server(serve) as server:
        assert look(server.port, proxy_protocol=True, starttls=protocol, ca_path=trusted())["verified"]
    assert server.said[0] == f"PROXY TCP4 127.0.0.1 127.0.0.1 {peers[0][1]} {server.port}"


def test_a_server_behind_a_proxy_over_ipv6() -> None:
    try:
        server = tls_servers.Server(_proxied(tls_servers.tls(authority().issue("proxied-six", "::1"))), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    with server:
        assert look(server.port, "::1", proxy_protocol=True, ca_path=trusted())["verified"]
    assert server.said[0].startswith("PROXY TCP6 ::1 ::1 ")


def test_a_proxy_that_is_not_announced() -> None:
    """Such a server hangs up, and the message says what it may want."""
    with tls_servers.Server(_proxied(tls_servers.tls(good()))) as server:
        assert "want the PROXY protocol before it (proxy_protocol)." in failure(server.port)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_proxy_and_a_kind_of_key(rsa: Identity, kind: str) -> None:
    """openssl has no words for a proxy, and needs none: the connection that it is given is past that."""

    def serve(connection: tls_servers.Connection) -> None:
        context = good().context()
        context.load_cert_chain(rsa.certificate, rsa.key)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        connection.secure(good(), context)
        connection.wait()

    with tls_servers.Server(_proxied(serve)) as server:
        result = look(server.port, key_type=kind, proxy_protocol=True, ca_path=trusted())
    assert result["fingerprint_sha256"] == (rsa if kind == "rsa" else good()).fingerprint()


# With a client certificate


def _demanding(*options: str) -> tuple[str, ...]:
    return "-Verify", "1", "-verify_return_error", "-CAfile", trusted(), *options


@pytest.fixture(scope="module", name="client")
def fixture_client() -> Identity:
    return authority().issue("client", "client.example.com")


def _presented(client: Identity) -> dict[str, str]:
    return {"client_certificate": str(client.certificate), "client_key": str(client.key)}


@_VERSIONS
def test_a_client_certificate(client: Identity, version: tuple[str, ...]) -> None:
    with tls_servers.s_server(good(), *_demanding(*version)) as port:
        assert look(port, ca_path=trusted(), **_presented(client))["verified"]


def test_a_client_certificate_is_demanded() -> None:
    """TLS 1.3 shows the server's before that matters, TLS 1.2 does not: then nothing is known of it."""
    with tls_servers.s_server(good(), *_demanding()) as port:
        assert look(port, ca_path=trusted())["verified"]
    with tls_servers.s_server(good(), *_demanding("-tls1_2")) as port:
        error = _undetermined(port)
    assert error.shown is None
    assert str(error) == (
        f"The TLS handshake with 127.0.0.1 port {port} failed: the server demands a client certificate (sslv3 alert "
        "handshake failure), and none is given. Give one as client_certificate and client_key. Without one it can't be "
        "told what it serves."
    )


def test_a_client_certificate_that_is_refused(tmp_path: pathlib.Path) -> None:
    stranger = AuthorityFolder(tmp_path, "Other Root").issue("stranger", "client.example.com")
    with tls_servers.s_server(good(), *_demanding("-tls1_2")) as port:
        error = _undetermined(port, **_presented(stranger))
    assert "the server refused the client certificate that it was shown (tlsv1 alert unknown ca)" in str(error)


def test_a_client_certificate_in_one_file(client: Identity, tmp_path: pathlib.Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(client.key.read_bytes() + client.certificate.read_bytes())
    with tls_servers.s_server(good(), *_demanding("-tls1_2")) as port:
        assert look(port, ca_path=trusted(), client_certificate=str(both))["verified"]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@_VERSIONS
def test_a_client_certificate_and_a_kind_of_key(
    rsa: Identity, client: Identity, kind: str, version: tuple[str, ...]
) -> None:
    with tls_servers.s_server(good(), *_beside(rsa), *_demanding(*version)) as port:
        result = look(port, key_type=kind, ca_path=trusted(), **_presented(client))
    assert result["fingerprint_sha256"] == (rsa if kind == "rsa" else good()).fingerprint()


def test_files_that_are_no_client_certificate(client: Identity, tmp_path: pathlib.Path) -> None:
    """Before anything is sent; and nothing asks for a passphrase."""
    absent, other = str(tmp_path / "absent.pem"), authority().issue("other-client", "client.example.com")
    locked = tmp_path / "locked.key"
    openssl.openssl("pkey", "-in", client.key, "-out", locked, "-aes256", "-passout", "pass:secret")
    certificate = str(client.certificate)
    for files, words in (
        ({"client_certificate": absent}, f"client_certificate {absent} cannot be used: No such file or directory."),
        (
            {"client_certificate": certificate, "client_key": absent},
            f"client_key {absent} cannot be used: No such file",
        ),
        ({"client_certificate": certificate}, f"client_certificate {certificate} cannot be used: they have to be"),
        (
            {"client_certificate": certificate, "client_key": str(other.key)},
            "a certificate and its private key, in PEM",
        ),
        ({"client_certificate": certificate, "client_key": str(locked)}, "the key must have no passphrase."),
        ({"client_certificate": str(tmp_path)}, f"client_certificate {tmp_path} cannot be used: Is a directory."),
    ):
        with socket.create_server(("127.0.0.1", 0)) as server:
            assert words in failure(server.getsockname()[1], **files)
