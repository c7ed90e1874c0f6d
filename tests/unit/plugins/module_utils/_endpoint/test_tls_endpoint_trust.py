# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is served, and whether it is trusted: against servers that serve what is wrong in every way."""

from __future__ import annotations

import pathlib
import shutil
import ssl
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    authority,
    failure,
    good,
    look,
    trusted,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder, Identity


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_everything_is_told(kind: str, version: str) -> None:
    """Fingerprint and certificate are those of OpenSSL's own program, and nothing was wrong."""
    identity = authority().issue(f"told-{kind}", "127.0.0.1", kind=kind)
    cipher = {"TLSv1.2": f"ECDHE-{kind.upper()}-AES256-GCM-SHA384", "TLSv1.3": "TLS_AES_128_GCM_SHA256"}[version]
    options = {
        "TLSv1.2": ("-tls1_2", "-cipher", cipher),
        "TLSv1.3": ("-tls1_3", "-ciphersuites", cipher),
    }[version]
    with tls_servers.s_server(identity, *options) as port:
        result = look(port, ca_path=trusted())
    assert result == {
        "fingerprint_sha256": identity.fingerprint(),
        "certificate": identity.certificate.read_text(),
        "key_type": kind,
        "protocol": version,
        "cipher": cipher,
        "verified": True,
        "verify_error": None,
    }


def _wrong() -> dict[str, tuple[Identity, str]]:
    issue = authority().issue
    return {
        "expired": (issue("expired", "127.0.0.1", days=(-9, -1)), "certificate has expired"),
        "early": (issue("early", "127.0.0.1", days=(1, 9)), "certificate is not yet valid"),
        "self-signed": (
            issue("self-signed", "127.0.0.1", common_name="self", self_signed=True),
            "self-signed certificate",
        ),
        "address": (
            issue("address", "192.0.2.1", "www.example.com"),
            "IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        "common name": (
            issue("common-name", common_name="127.0.0.1"),
            "IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        "weak": (issue("weak", "127.0.0.1", kind="rsa-weak"), "EE certificate key too weak"),
    }


@pytest.mark.parametrize("fault", ["expired", "early", "self-signed", "address", "common name", "weak"])
def test_a_certificate_that_is_not_trusted_is_returned_all_the_same(fault: str) -> None:
    """Three connections, and a result in which the reason stands."""
    identity, reason = _wrong()[fault]
    # OpenSSL refuses to serve a weak key by itself.
    with tls_servers.s_server(identity, "-cipher", "DEFAULT@SECLEVEL=0") as port:
        result = look(port, ca_path=trusted())
    assert (result["verified"], result["verify_error"]) == (False, reason)
    assert result["fingerprint_sha256"] == identity.fingerprint()
    assert ssl.PEM_cert_to_DER_cert(result["certificate"]) == ssl.PEM_cert_to_DER_cert(identity.certificate.read_text())
    assert result["protocol"] == "TLSv1.3"


def test_trust_stores(tmp_path: pathlib.Path) -> None:
    """The system's, a file, and a prepared folder."""
    hashed = tmp_path / "hashed"
    hashed.mkdir()
    shutil.copy(trusted(), hashed / "root.pem")
    tls_servers.rehash(hashed)
    other = AuthorityFolder(tmp_path / "other", "Other Root")
    with tls_servers.Server(tls_servers.tls(good())) as server:
        by_system = look(server.port)
        assert server.connections == 3
        by_folder = look(server.port, ca_path=str(hashed))
        assert server.connections == 4
        by_other = look(server.port, ca_path=str(other.path))
    assert by_folder["verified"]
    for result in (by_system, by_other):
        assert not result["verified"]
        assert result["verify_error"] == "unable to get local issuer certificate"
        assert result["fingerprint_sha256"] == by_folder["fingerprint_sha256"] == good().fingerprint()


def test_trust_stores_that_cannot_be_used(tmp_path: pathlib.Path) -> None:
    """Each is a failure before any connection, as everything would be untrusted."""
    empty, folder = tmp_path / "empty.pem", tmp_path / "folder"
    empty.write_text("nothing\n")
    folder.mkdir()
    shutil.copy(trusted(), folder / "root.pem")
    with tls_servers.Server(tls_servers.tls(good())) as server:
        messages = [failure(server.port, ca_path=str(path)) for path in (empty, folder, tmp_path / "absent")]
        assert server.connections == 0
    assert messages == [
        f"ca_path {empty} cannot be used: there is no PEM certificate in it.",
        f"The folder {folder} in ca_path is not prepared; run openssl rehash on it.",
        f"ca_path {tmp_path}/absent cannot be used: No such file or directory.",
    ]


def test_the_server_chooses_by_name() -> None:
    """SNI carries server_name, and host without one; an address is never sent."""
    default = authority().issue("default", "127.0.0.1", "other.example.com")
    named = authority().issue("named", "named.example.com")
    options = ("-servername", "named.example.com", "-cert2", str(named.certificate), "-key2", str(named.key))
    with tls_servers.s_server(default, *options) as port:
        by_address = look(port, ca_path=trusted())
        by_name = look(port, ca_path=trusted(), server_name="named.example.com")
        with_dot = look(port, ca_path=trusted(), server_name="named.example.com.")
        by_other = look(port, ca_path=trusted(), server_name="absent.example.com")
    assert by_address["verified"]
    assert by_address["fingerprint_sha256"] == default.fingerprint()
    assert by_name["verified"]
    assert by_name["fingerprint_sha256"] == named.fingerprint()
    assert with_dot == by_name
    assert by_other["fingerprint_sha256"] == default.fingerprint()
    assert by_other["verify_error"] == "hostname mismatch, certificate is not valid for 'absent.example.com'"


@pytest.mark.parametrize(
    ("host", "server_name", "expected"),
    [
        ("127.0.0.1", None, None),
        ("localhost", None, "localhost"),
        ("127.0.0.1", "www.example.com", "www.example.com"),
        ("localhost", "127.0.0.1", None),
        ("localhost", "bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_name_that_is_sent(host: str, server_name: str | None, expected: str | None) -> None:
    """In every handshake, that without trust included."""
    names: list[str | None] = []

    def serve(connection: tls_servers.Connection) -> None:
        context = good().context()
        context.sni_callback = lambda _tls, name, _context: names.append(name)
        connection.sock = context.wrap_socket(connection.sock, server_side=True)
        connection.wait()

    with tls_servers.Server(serve) as server:
        look(server.port, host, server_name=server_name)
    assert names == [expected] * 3


class _Sequence:
    """A server that serves another certificate on each connection, and then the last one for ever."""

    def __init__(self, *identities: Identity) -> None:
        self._identities = list(identities)

    def __call__(self, connection: tls_servers.Connection) -> None:
        identity = self._identities.pop(0) if len(self._identities) > 1 else self._identities[0]
        tls_servers.tls(identity)(connection)


def test_a_server_that_is_reloaded_meanwhile() -> None:
    """What is said of trust is said of the certificate that is returned."""
    wrong = _wrong()
    expired, early = wrong["expired"][0], wrong["early"][0]

    def told(*identities: Identity) -> tuple[str, t.Any, int]:
        with tls_servers.Server(_Sequence(*identities)) as server:
            result = look(server.port, ca_path=trusted())
        return result["fingerprint_sha256"], result["verify_error"], server.connections

    # The first connection still met the old one.
    assert told(expired, good()) == (good().fingerprint(), None, 3)
    assert told(expired, expired, good()) == (good().fingerprint(), None, 3)
    assert told(early, expired) == (expired.fingerprint(), "certificate has expired", 5)
    assert told(early, early, expired) == (expired.fingerprint(), "certificate has expired", 5)
    # One that changes all the time ends too.
    flapping = (expired, expired, early, early) * 3
    assert told(*flapping)[2] == 7


def test_a_server_that_goes_away_after_the_certificate_was_seen() -> None:
    """What was to be told is told."""
    expired, reason = _wrong()["expired"]
    server: tls_servers.Server

    def serve(connection: tls_servers.Connection) -> None:
        if server.connections == 2:
            server.refuse()
        tls_servers.tls(expired)(connection)

    server = tls_servers.Server(serve)
    with server:
        result = look(server.port, ca_path=trusted())
    assert result["fingerprint_sha256"] == expired.fingerprint()
    assert result["verify_error"] == reason


def test_a_large_chain_and_no_chain_make_no_difference(tmp_path: pathlib.Path) -> None:
    """Only the end-entity certificate is returned."""
    chain = tmp_path / "chain.pem"
    chain.write_text(good().certificate.read_text() + 20 * authority().path.read_text())
    with tls_servers.s_server(good()._replace(certificate=chain), "-cert_chain", str(chain)) as port:
        assert look(port, ca_path=trusted())["certificate"] == good().certificate.read_text()
