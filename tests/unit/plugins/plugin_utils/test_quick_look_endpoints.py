# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the quick look sees of endpoints, with real servers; the probe is the second opinion."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import dearmour, key_type
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    LONGEST,
    Endpoint,
    File,
    Look,
    UnfitError,
    endpoint_of,
)
from ansible_collections.certfleet.collectssl.tests.support import endpoints, tls_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")


def _pem(identity: Identity) -> str:
    return identity.certificate.read_text(encoding="ascii")


def _answer(look: Look, **settings: t.Any) -> str:
    return subprocess.run(["sh", "-c", look.command], capture_output=True, text=True, check=True, **settings).stdout


def _serves(identity: Identity, port: int, timeout: int = 10, **options: t.Any) -> bool:
    """What the quick look says of an endpoint; whatever it calls the same, the probe does."""
    options = {"host": "127.0.0.1", "port": port, **options}
    look = Look([], [endpoint_of(options, _pem(identity))], timeout=timeout)
    same = look.says_same(_answer(look))
    kind = key_type(dearmour(_pem(identity)) or b"")
    try:
        seen = endpoints.look(**{"ca_path": endpoints.trusted(), "key_type": kind, **options}, timeout=timeout)[
            "fingerprint_sha256"
        ]
    except CollectError:
        seen = None
    assert same is (seen == identity.fingerprint())
    return same


@pytest.fixture(scope="module")
def other() -> Identity:
    return endpoints.authority().issue("other", "127.0.0.1", "other.example.com", kind="rsa")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_what_is_served_and_what_is_not(version: str, other: Identity) -> None:
    with tls_servers.s_server(endpoints.good(), version) as port:
        assert _serves(endpoints.good(), port)
        assert not _serves(other, port)


def test_each_name_has_its_own(other: Identity) -> None:
    second = ("-servername", "other.example.com", "-cert2", str(other.certificate), "-key2", str(other.key))
    with tls_servers.s_server(endpoints.good(), *second) as port:
        assert _serves(endpoints.good(), port)
        assert _serves(endpoints.good(), port, server_name="www.example.com")
        assert _serves(other, port, server_name="OTHER.example.com.")
        assert not _serves(other, port, server_name="www.example.com")
        # The name of the host is asked for, where there is no other.
        assert _serves(endpoints.good(), port, host="localhost")


def test_a_server_that_wants_a_certificate_shows_its_own() -> None:
    with tls_servers.s_server(endpoints.good(), "-Verify", "1", "-tls1_3") as port:
        assert _serves(endpoints.good(), port)


def test_an_address_of_version_six() -> None:
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(tls_servers.s_server(endpoints.good(), host="::1"))
        except RuntimeError:
            pytest.skip("this machine has no ::1")
        assert _serves(endpoints.good(), port, host="::1")
        assert _serves(endpoints.good(), port, host="[::1]")


@pytest.mark.parametrize("version", [(), ("-tls1_2",), ("-tls1_3",)])
@pytest.mark.parametrize("first", ["rsa", "ecdsa"])
def test_a_server_with_two_certificates(version: tuple[str, ...], first: str, other: Identity) -> None:
    """Each is seen, whichever a usual client is served."""
    one, two = (other, endpoints.good()) if first == "rsa" else (endpoints.good(), other)
    second = ("-dcert", str(two.certificate), "-dkey", str(two.key))
    with tls_servers.s_server(one, *second, *version) as port:
        assert _serves(one, port)
        assert _serves(two, port)
        stranger = endpoints.authority().issue("stranger", "127.0.0.1", kind="rsa")
        assert not _serves(stranger, port)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("presents", [True, False])
def test_a_server_for_clients_with_a_certificate(version: str, presents: bool) -> None:
    """Without one, TLS 1.2 ends before the handshake is over, though openssl has seen a certificate by then."""
    demands = ("-Verify", "1", "-verify_return_error", "-CAfile", endpoints.trusted(), version)
    client = endpoints.authority().issue("client", "client.example.com")
    given: dict[str, t.Any] = (
        {"client_certificate": str(client.certificate), "client_key": str(client.key)} if presents else {}
    )
    with tls_servers.s_server(endpoints.good(), *demands) as port:
        assert _serves(endpoints.good(), port, **given) == (presents or version == "-tls1_3")


def test_a_file_that_is_not_there(tmp_path: pathlib.Path) -> None:
    """What the probe can't look with, is not the same."""
    with tls_servers.s_server(endpoints.good()) as port:
        assert _serves(endpoints.good(), port, ca_path=endpoints.trusted())
        assert not _serves(endpoints.good(), port, ca_path=str(tmp_path / "absent"))
        assert not _serves(endpoints.good(), port, client_certificate=str(tmp_path / "absent"))


@pytest.mark.parametrize("protocol", tls_servers.IN_LINES)
def test_starttls(protocol: str, other: Identity) -> None:
    behaviour = tls_servers.IN_LINES[protocol]
    with tls_servers.Server(behaviour(endpoints.good())) as server:
        assert _serves(endpoints.good(), server.port, starttls=protocol)
        assert not _serves(other, server.port, starttls=protocol)


def test_a_server_that_is_silent_or_gone_serves_nothing() -> None:
    with tls_servers.Server(lambda connection: connection.wait()) as server:
        assert not _serves(endpoints.good(), server.port, timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert not _serves(endpoints.good(), port)


def _shows(text: str) -> tls_servers.Behaviour:
    """A server that sends this once TLS has started."""

    def serve(connection: tls_servers.Connection) -> None:
        connection.secure(endpoints.good())
        connection.send(text)
        connection.wait()

    return serve


def test_what_a_server_says_is_not_what_it_serves(other: Identity) -> None:
    with tls_servers.Server(_shows(_pem(other) * 3)) as server:
        assert _serves(endpoints.good(), server.port)
        assert not _serves(other, server.port)


def test_many_side_by_side(other: Identity) -> None:
    """More than are looked at at a time, in one command; one that is wrong is found, wherever it stands."""
    with tls_servers.Server(tls_servers.tls(endpoints.good())) as server:
        right = endpoint_of({"host": "127.0.0.1", "port": server.port}, _pem(endpoints.good()))
        wrong = right._replace(certificate=_pem(other))
        all_right = Look([], [right] * 35)
        text = _answer(all_right)
        assert all_right.says_same(text)
        assert server.connections == 35
        for number in (0, 15, 16, 34):
            look = Look([], [right] * number + [wrong] + [right] * (34 - number))
            assert not look.says_same(_answer(look))
        # No answer stands for another one, and none comes twice.
        lines = text.splitlines()
        first, last = (next(at for at, line in enumerate(lines) if f" {number} " in line) for number in (0, 34))
        for at, put in ((first, []), (last, [lines[first]]), (first, [lines[first]] * 2)):
            changed = [*lines[:at], *put, *lines[at + 1 :]]
            assert not all_right.says_same("\n".join([*changed, ""]))


def test_one_that_stalls_costs_its_own_time_alone() -> None:
    """Those beside it are looked at meanwhile, and none behind it: it is known by then that not all is well."""
    good = endpoints.good()
    with tls_servers.Server(tls_servers.tls(good)) as server, tls_servers.Server(lambda one: one.wait()) as stalls:
        right, stalled = (
            endpoint_of({"host": "127.0.0.1", "port": port}, _pem(good)) for port in (server.port, stalls.port)
        )
        look = Look([], [stalled, *[right] * 33, stalled], timeout=1)
        assert not look.says_same(_answer(look))
        assert (server.connections, stalls.connections) == (15, 1)


def test_files_and_endpoints_in_one_command(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text(_pem(endpoints.good()))
    with tls_servers.s_server(endpoints.good()) as port:
        look = Look(
            [File(str(path), path.read_bytes())],
            [endpoint_of({"host": "127.0.0.1", "port": port}, path.read_text())] * 2,
        )
        assert look.says_same(_answer(look))
        assert look.says_same(_answer(look).replace("\n", "\r\n"))
        path.write_text("other")
        assert not look.says_same(_answer(look))


@pytest.mark.parametrize("missing", ["openssl", "sed", "timeout", "sha256sum"])
def test_a_host_without_a_tool_says_nothing(missing: str, tmp_path: pathlib.Path) -> None:
    for tool in ("sh", "id", "stat", "openssl", "sed", "timeout", "sha256sum"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    with tls_servers.s_server(endpoints.good()) as port:
        look = Look([], [endpoint_of({"host": "127.0.0.1", "port": port}, _pem(endpoints.good()))])
        surroundings = {"PATH": str(tmp_path)}
        assert look.says_same(_answer(look, env=surroundings))
        (tmp_path / missing).unlink()
        assert not look.says_same(_answer(look, env=surroundings))


@pytest.mark.parametrize(
    ("options", "address", "name"),
    [
        ({"host": "www.example.com"}, "www.example.com:443", "www.example.com"),
        ({"host": "www.example.com", "server_name": "192.0.2.1"}, "www.example.com:443", None),
        ({"host": "192.0.2.1", "server_name": "bücher.example"}, "192.0.2.1:443", "xn--bcher-kva.example"),
        ({"host": "bücher.example"}, "xn--bcher-kva.example:443", "xn--bcher-kva.example"),
        ({"host": "2001:db8::1", "server_name": "x"}, "[2001:db8::1]:443", "x"),
        ({"host": "[2001:DB8:0::1]", "connect_from": "target", "ca_path": None}, "[2001:db8::1]:443", None),
    ],
)
def test_endpoints_in_words(options: dict[str, t.Any], address: str, name: str | None) -> None:
    assert endpoint_of({"port": 443, **options}, "") == Endpoint(address, name, None, "")


@pytest.mark.parametrize(
    "options",
    [
        {"ca_path": "~/ca.pem"},
        {"ca_path": "/etc/ssl/$(id)"},
        {"proxy_protocol": True},
        {"client_certificate": "client.pem"},
        {"client_certificate": "/x", "client_key": "/y z"},
        {"key_type": "rsa"},
        {"connect_from": "controller"},
        {"starttls": "xmpp"},
        {"host": "fe80::1%eth0"},
        {"host": "a b"},
        {"host": "$(id)"},
        {"host": "a;id"},
        {"host": "-x"},
        {"host": "127.1"},
        {"host": "0x7f.1"},
        {"server_name": "a b"},
        {"server_name": "a`id`"},
        {"server_name": "-tls1"},
    ],
)
def test_endpoints_that_it_has_no_words_for(options: dict[str, t.Any]) -> None:
    with pytest.raises(UnfitError):
        endpoint_of({"host": "127.0.0.1", "port": 443, **options}, "")


def test_fifty_endpoints_take_little_room() -> None:
    options = {"host": "127.0.0.1", "port": 8443, "server_name": "www000.shop.example.com"}
    one, fifty = (Look([], [endpoint_of(options, "")] * count).command for count in (1, 50))
    assert len(fifty) - len(one) < LONGEST / 6
