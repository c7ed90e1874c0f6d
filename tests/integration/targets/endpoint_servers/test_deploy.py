# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments to real servers whose endpoints take more to look at: two kinds of keys, a proxy, a demanding one."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.key_types import ASKING
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, real_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder, Identity
from ansible_collections.certfleet.collectssl.tests.support.lab import DEPLOY, Lab
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from ansible_collections.certfleet.collectssl.tests.support.runs import Result

_NAME = "site.example.com"
_LIFE = [*({"state": "issued", "seconds": 10**6} for _number in range(3)), {"state": "issued"}]

_COUNTING = """\
#!/bin/sh
echo run >>{log}
exec {python} "$@"
"""

Endpoint = dict[str, t.Any]


class _Host:
    """A host with a server and what it serves: certificates of one name, each for a key of its own.

    Files that nobody trusts are there from the start, as a server starts with none missing. ``keys`` has the kind of
    key for each certificate.
    """

    def __init__(self, lab: Lab, keys: t.Mapping[str, str]) -> None:
        self.lab = lab
        self.folder = lab.host_folder("web")
        self.tls = self.folder / "tls"
        self.authority = AuthorityFolder(lab.folder / "clients", "Clients CA")
        self.orders: dict[str, str] = {}
        self.certificates: dict[str, dict[str, t.Any]] = {}
        self.services: dict[str, t.Any] = {}
        self._runs = files.write(self.folder / "runs", "")
        counting = _COUNTING.format(log=self._runs, python=sys.executable)
        self._python = files.write(self.folder / "python", counting, 0o755)
        for name, kind in keys.items():
            first = self.authority.issue(name, _NAME, kind=kind, self_signed=True)
            files.write(self.tls / f"{name}.key", first.key.read_bytes(), 0o600)
            files.write(self.tls / f"{name}.pem", first.certificate.read_bytes())
            files.write(self.tls / f"{name}.both", first.key.read_bytes() + first.certificate.read_bytes(), 0o600)
            self.orders[name] = lab.order(names=[_NAME], key=first.key.read_text(), life=_LIFE)

    def has(self, name: str, role: str, service: str, **endpoint: t.Any) -> None:
        """Let a certificate have a file of a role, a service and an endpoint."""
        suffix = "both" if role == "combined_path" else "pem"
        self.certificates[name] = {
            "name": name,
            "order_number": self.orders[name],
            "privatekey_path": f"{self.tls}/{name}.key",
            role: f"{self.tls}/{name}.{suffix}",
            "services": [service],
            "endpoints": [{"server_name": _NAME, **endpoint}],
        }

    def deploy(self) -> Result:
        """Deploy all certificates."""
        task = {
            "name": "deploy",
            DEPLOY: {
                "certificates": list(self.certificates.values()),
                "services": self.services,
                # A reload is over later than its command, on a busy machine more so; who is right is not waited for.
                "probe_retries": 120,
                "probe_delay": 1,
                "probe_timeout": 60,
            },
        }
        run = self.lab.play({"web": {"ansible_python_interpreter": str(self._python)}}, [task]).must_be_civil()
        result = run.one("deploy")
        assert result.data.get("rolled_back") == [], run.shown
        return result

    def renew(self, *names: str) -> None:
        """Have the orders of some certificates bring another one."""
        for name in names:
            self.lab.simulator.advance(self.orders[name])

    def module_runs(self) -> int:
        """How many modules were run since this was last asked."""
        count = len(self._runs.read_text().splitlines())
        self._runs.write_text("")
        return count

    def installed(self, name: str) -> str:
        """The fingerprint of the certificate in its file."""
        given = self.certificates[name]
        text = pathlib.Path(given.get("fullchain_path") or given["combined_path"]).read_text()
        return certificates.fingerprint(certificates.certificates(text[text.index("-----BEGIN CERT") :])[0])


def _assert_serves(port: int, kind: str, fingerprint: str, *options: str) -> None:
    """A port serves this for a kind of key, by OpenSSL's own client; for a moment yet, an old process may answer."""
    words = ["-connect", f"127.0.0.1:{port}", "-servername", _NAME, "-sigalgs", ASKING[kind].signatures, *options]
    deadline = time.monotonic() + 60
    while True:
        (shown,) = certificates.certificates(_first(openssl("s_client", *words).decode()))
        if certificates.fingerprint(shown) == fingerprint:
            return
        assert time.monotonic() < deadline, (port, kind)


def _first(text: str) -> str:
    end = "-----END CERTIFICATE-----"
    return text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end)] + end + "\n"


def _states(result: Result) -> dict[str, str]:
    return {one["name"]: one["state"] for one in result.data["certificates"]}


def _messages(result: Result) -> dict[str, str]:
    return {one["name"]: one["msg"] for one in result.data["certificates"]}


def _changed(result: Result) -> list[str]:
    return [one["name"] for one in result.data["certificates"] if one["changed"]]


def _require(kind: type[real_servers.Web]) -> None:
    """Skip where this machine has no such server."""
    missing = kind(pathlib.Path(), "", [1]).missing
    if missing is not None:
        pytest.skip(missing)


# --- Two kinds of keys on one port -----------------------------------------------------------------------------------


@pytest.fixture(name="two_kinds")
def fixture_two_kinds(lab: Lab) -> t.Iterator[tuple[_Host, dict[str, int]]]:
    """nginx with an RSA and an ECDSA certificate on each of two ports, one of which speaks TLS 1.3 alone."""
    _require(real_servers.Nginx)
    ports = {"all": real_servers.free_port(), "new": real_servers.free_port()}
    protocols = {"all": "TLSv1.2 TLSv1.3", "new": "TLSv1.3"}
    host = _Host(lab, {f"{kind}-{site}": kind for site in ports for kind in ("rsa", "ecdsa")})
    blocks = []
    for site, port in ports.items():
        pairs = [
            f"ssl_certificate {host.tls}/{kind}-{site}.pem; ssl_certificate_key {host.tls}/{kind}-{site}.key;"
            for kind in ("rsa", "ecdsa")
        ]
        listen = f"listen 127.0.0.1:{port} ssl; ssl_protocols {protocols[site]};"
        blocks.append(" ".join(["server {", listen, *pairs, "return 200; }"]))
        for kind in ("rsa", "ecdsa"):
            host.has(f"{kind}-{site}", "fullchain_path", "web", port=port)
    with real_servers.Nginx(host.folder / "nginx", "\n".join(blocks), list(ports.values()), by_caller=True) as nginx:
        host.services = {"web": {"command": nginx.reload}}
        yield host, ports


def test_two_kinds_of_keys_on_one_port(two_kinds: tuple[_Host, dict[str, int]]) -> None:
    """First deploy, nothing to do, renewal of all, and of one alone: each is in service, and none is taken back."""
    host, ports = two_kinds
    names = list(host.certificates)

    def in_service(*changed: str) -> Result:
        result = host.deploy()
        assert _states(result) == dict.fromkeys(names, "in_service"), _messages(result)
        assert sorted(_changed(result)) == sorted(changed)
        assert [seen["serves"] for seen in result.data["endpoints"]] == [True] * len(names), result.data["endpoints"]
        for name in names:
            kind, site = name.split("-")
            _assert_serves(ports[site], kind, host.installed(name))
        return result

    in_service(*names)
    assert host.module_runs() == 1
    assert not in_service().changed
    # What was proven of private keys is believed of root alone.
    assert host.module_runs() == (0 if os.geteuid() == 0 else 1)

    before = {name: host.installed(name) for name in names}
    host.renew(*names)
    in_service(*names)
    assert all(host.installed(name) != before[name] for name in names)

    before = {name: host.installed(name) for name in names}
    alone = ("rsa-new", "ecdsa-all")
    host.renew(*alone)
    in_service(*alone)
    assert [name for name in names if host.installed(name) != before[name]] == [name for name in names if name in alone]
    assert not in_service().changed


# --- The PROXY protocol ----------------------------------------------------------------------------------------------


def _nginx(host: _Host, port: int) -> str:
    pair = f"ssl_certificate {host.tls}/site.pem; ssl_certificate_key {host.tls}/site.key;"
    return f"server {{ listen 127.0.0.1:{port} ssl proxy_protocol; {pair} return 200; }}"


def _haproxy(host: _Host, port: int) -> str:
    return f"frontend site\n    bind 127.0.0.1:{port} accept-proxy ssl crt {host.tls}/site.both"


@pytest.mark.parametrize(
    ("kind", "sites", "role"),
    [(real_servers.Nginx, _nginx, "fullchain_path"), (real_servers.HAProxy, _haproxy, "combined_path")],
)
def test_proxy_protocol(
    kind: type[real_servers.Web], sites: t.Callable[[_Host, int], str], role: str, lab: Lab
) -> None:
    """First deploy, nothing to do, renewal; and who does not say that it takes the protocol sees nothing."""
    _require(kind)
    host, port = _Host(lab, {"site": "ecdsa"}), real_servers.free_port()
    trusting = {"ca_path": str(lab.simulator.authority("root"))}
    host.has("site", role, "web", port=port, proxy_protocol=True, **trusting)
    with kind(host.folder / "server", sites(host, port), [port], by_caller=True) as server:
        host.services = {"web": {"command": server.reload}}
        for is_new in (True, False, True):
            result = host.deploy()
            assert (_states(result), result.changed) == ({"site": "in_service"}, is_new), _messages(result)
            (seen,) = result.data["endpoints"]
            assert (seen["serves"], seen["fingerprint_sha256"]) == (True, host.installed("site"))
            if not is_new:
                # While a server reloads, old and new processes take turns, and with them who is trusted.
                assert seen["verified"] is True, seen["verify_error"]
                host.renew("site")


# --- A client certificate --------------------------------------------------------------------------------------------


def _demanding_haproxy(host: _Host, ports: t.Mapping[str, int]) -> str:
    how = f"ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 ca-file {host.authority.path} verify required"
    return "\n".join(
        f"frontend {name}\n    bind 127.0.0.1:{port} ssl crt {host.tls}/{name}.both {how}"
        for name, port in ports.items()
    )


def _demanding_apache(host: _Host, ports: t.Mapping[str, int]) -> str:
    lines = []
    for name, port in ports.items():
        lines += [
            f"Listen 127.0.0.1:{port}",
            f"<VirtualHost 127.0.0.1:{port}>",
            *("SSLEngine on", "SSLProtocol TLSv1.2"),
            *(f"SSLCertificateFile {host.tls}/{name}.pem", f"SSLCertificateKeyFile {host.tls}/{name}.key"),
            *(f"SSLCACertificateFile {host.authority.path}", "SSLVerifyClient require"),
            "</VirtualHost>",
        ]
    return "\n".join(lines)


def _shown(client: Identity) -> Endpoint:
    return {"client_certificate": str(client.certificate), "client_key": str(client.key)}


@pytest.mark.parametrize(
    ("kind", "sites", "role"),
    [
        (real_servers.HAProxy, _demanding_haproxy, "combined_path"),
        (real_servers.Apache, _demanding_apache, "fullchain_path"),
    ],
)
def test_a_required_client_certificate(
    kind: type[real_servers.Web], sites: t.Callable[[_Host, t.Mapping[str, int]], str], role: str, lab: Lab
) -> None:
    """One that is not given, or is refused, is a doubt that takes nothing back; one that is given ends it."""
    _require(kind)
    names = ("known", "shy", "stranger")
    host = _Host(lab, dict.fromkeys(names, "ecdsa"))
    ports = {name: real_servers.free_port() for name in names}
    client = host.authority.issue("client", "client.example.com")
    stranger = AuthorityFolder(lab.folder / "strangers", "Strangers CA").issue("client", "client.example.com")
    shown = {"known": _shown(client), "shy": {}, "stranger": _shown(stranger)}
    for name in names:
        host.has(name, role, "web", port=ports[name], **shown[name])

    with kind(host.folder / "server", sites(host, ports), list(ports.values()), by_caller=True) as server:
        host.services = {"web": {"command": server.reload}}
        for _turn in ("first", "renewal"):
            before = {name: host.installed(name) for name in names}
            result = host.deploy()
            assert _states(result) == {"known": "in_service", "shy": "unproven", "stranger": "unproven"}
            assert result.status == "failed"
            said = _messages(result)
            assert "could not be looked at: " in said["shy"]
            assert "the server demands a client certificate (" in said["shy"]
            assert "Give one as client_certificate and client_key." in said["shy"]
            assert "the server refused the client certificate that it was shown (" in said["stranger"]
            for name in names:
                assert host.installed(name) != before[name], name
                assert said[name].count("nothing is known against them") == (name != "known"), said[name]
            client_words = ("-cert", str(client.certificate), "-key", str(client.key))
            for name in names:
                _assert_serves(ports[name], "ecdsa", host.installed(name), *client_words)
            host.renew(*names)

        for name in ("shy", "stranger"):
            host.has(name, role, "web", port=ports[name], **_shown(client))
        result = host.deploy()
        assert (result.status, _states(result)) == ("ok", dict.fromkeys(names, "in_service")), _messages(result)
