# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the real servers, from both sides: by STARTTLS, by the PROXY protocol, by a kind of key, as some client."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import real_servers, tls_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder, Identity
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab

MODULE = "certfleet.collectssl.tls_endpoint_info"

_OPTIONS = (
    "port",
    "server_name",
    "starttls",
    "key_type",
    "proxy_protocol",
    "client_certificate",
    "client_key",
    "ca_path",
)
_NAME = "site.example.com"

Case = dict[str, t.Any]
Told = dict[str, t.Any]


def _looks(lab: Lab, cases: t.Mapping[str, Case], from_target: t.Container[str]) -> dict[str, Told]:
    """What is told of each case, by its name, in one run; of some the target tells, too, and tells the same."""
    tasks = [
        {
            "name": side,
            MODULE: {
                "host": "127.0.0.1",
                "connect_from": side,
                **{name: f"{{{{ its.{name} | default(omit) }}}}" for name in _OPTIONS},
                # A busy machine may take its time, and no case is to fail for that.
                "timeout": 60,
            },
            "ignore_errors": True,
            "when": f"'{side}' in sides",
        }
        for side in ("controller", "target")
    ]
    hosts = {name: f"case{number:02}" for number, name in enumerate(cases)}
    # A look from the target costs a module run.
    sides = {name: ["controller", *(["target"] if name in from_target else [])] for name in cases}
    variables = {hosts[name]: {"its": case, "sides": sides[name]} for name, case in cases.items()}
    run = lab.play(variables, tasks, forks=6).must_succeed().must_not_warn()
    told = {name: _facts(run.one("controller", host).data) for name, host in hosts.items()}
    for name, host in hosts.items():
        if name in from_target:
            assert _facts(run.one("target", host).data) == told[name], name
    return told


def _facts(result: Told) -> Told:
    """What a task returned, less what Ansible itself adds."""
    names = ("fingerprint_sha256", "key_type", "protocol", "verified", "verify_error", "msg", "undetermined")
    return {name: result[name] for name in names if result.get(name) is not None}


def _assert_good(told: Told, identity: Identity) -> None:
    """It was told of this certificate, and it is trusted."""
    assert "msg" not in told, told["msg"]
    assert told["fingerprint_sha256"] == identity.fingerprint()
    assert told["key_type"] == ("rsa" if identity.key.stem == "rsa" else "ecdsa")
    assert told["verified"] is True, told["verify_error"]


@pytest.fixture(scope="module", name="folder")
def fixture_folder() -> t.Iterator[pathlib.Path]:
    """A folder for servers and their authority."""
    with real_servers.folder() as folder:
        yield folder


@pytest.fixture(scope="module", name="authority")
def fixture_authority(folder: pathlib.Path) -> AuthorityFolder:
    """A private authority."""
    return AuthorityFolder(folder / "authority", "Private CA")


# --- STARTTLS --------------------------------------------------------------------------------------------------------

_STARTTLS: dict[str, type[real_servers.Server]] = {
    "ldap": real_servers.Slapd,
    "mysql": real_servers.MariaDB,
    "postgres": real_servers.PostgreSQL,
    "ftp": real_servers.Vsftpd,
    "sieve": real_servers.Dovecot,
}

#: What a server without TLS says to a request for it; and what is said of a mail server in its place.
_WITHOUT_TLS = {
    "ldap": 'the server answered with "result code ',
    "mysql": "the server does not offer STARTTLS",
    "postgres": "the server does not offer STARTTLS",
    "ftp": 'the server answered with "530 ',
    "sieve": "the server does not offer STARTTLS",
}
_OF_A_MAIL_SERVER = {
    "ldap": 'the server sent "22" in place of its answer to STARTTLS, which is not of this protocol',
    "mysql": 'the server sent "220-" in place of its greeting, which is not of this protocol',
    "postgres": 'the server sent "2" in place of its answer to the request for TLS, which is not of this protocol',
    "ftp": 'the server answered with "500 5.5.2 Error" in place of its answer to AUTH TLS',
    "sieve": 'the server sent "220-mail.example.com ESMTP" in place of its greeting, which is not of this protocol',
}
_CALLED = {"ldap": "LDAP", "mysql": "MySQL", "postgres": "PostgreSQL", "ftp": "FTP", "sieve": "ManageSieve"}


class _Starting(t.NamedTuple):
    """What was told of the servers in which TLS starts later, those with TLS and those without."""

    servers: dict[str, real_servers.Server]
    told: dict[str, Told]

    def of(self, case: str) -> Told:
        """What was told of a case, if this machine has the server for it."""
        missing = self.servers[case.split()[0]].missing
        if missing is not None:
            pytest.skip(missing)
        return self.told[case]


@pytest.fixture(scope="module", name="starting")
def fixture_starting(session_lab: Lab, folder: pathlib.Path, authority: AuthorityFolder) -> _Starting:
    """All servers at once, and one run for all looks."""
    identities = {name: authority.issue(name, "127.0.0.1") for name in _STARTTLS}
    secure = {name: kind(folder / name, identities[name]) for name, kind in _STARTTLS.items()}
    plain = {name: kind(folder / f"{name}-plain") for name, kind in _STARTTLS.items()}
    with (
        real_servers.running([*secure.values(), *plain.values()]),
        tls_servers.Server(tls_servers.smtp(identities["ldap"])) as mail,
    ):
        cases: dict[str, Case] = {}
        for name, server in secure.items():
            if server.missing is None:
                trusting = {"starttls": name, "ca_path": str(authority.path)}
                cases[name] = {"port": server.port, **trusting}
                cases[f"{name} unknown"] = {"port": server.port, "starttls": name}
                cases[f"{name} without"] = {"port": plain[name].port, **trusting}
                cases[f"{name} elsewhere"] = {"port": mail.port, **trusting}
        return _Starting(secure, _looks(session_lab, cases, from_target=_STARTTLS) if cases else {})


@pytest.mark.parametrize("protocol", _STARTTLS)
def test_starttls(starting: _Starting, protocol: str) -> None:
    """The certificate is seen, and trusted for its authority alone."""
    told, unknown = starting.of(protocol), starting.of(f"{protocol} unknown")
    identity = starting.servers[protocol].identity
    assert identity is not None
    _assert_good(told, identity)
    assert unknown["fingerprint_sha256"] == identity.fingerprint()
    assert (unknown["verified"], unknown["verify_error"]) == (False, "unable to get local issuer certificate")


@pytest.mark.parametrize("protocol", _STARTTLS)
@pytest.mark.parametrize(("where", "words"), [("without", _WITHOUT_TLS), ("elsewhere", _OF_A_MAIL_SERVER)])
def test_no_starttls(starting: _Starting, protocol: str, where: str, words: dict[str, str]) -> None:
    """One sentence says what came in place of TLS, and another what to do; that is the server's, and no doubt."""
    told = starting.of(f"{protocol} {where}")
    called = _CALLED[protocol]
    assert f"by STARTTLS for {called}: {words[protocol]}" in told["msg"]
    assert f". Check that the port speaks {called} and offers STARTTLS; " in told["msg"]
    assert told["undetermined"] is False


# --- Servers of the web ----------------------------------------------------------------------------------------------

#: One of each kind: what is asked of openssl, what only Python tells, and failures.
_FROM_TARGET = (
    "nginx both, rsa",
    "nginx both 1.3, rsa, folder",
    "nginx demanding 1.3, rsa",
    "nginx rsa 1.3, ecdsa",
    "haproxy proxied, told",
    "haproxy demanding, one file",
    "haproxy demanding, not given",
    "apache demanding, wrong",
)


class _Web:
    """nginx, HAProxy and Apache with all that is looked at, and what was told of it."""

    def __init__(self, folder: pathlib.Path, authority: AuthorityFolder) -> None:
        self.rsa, self.ecdsa = (authority.issue(kind, _NAME, "127.0.0.1", kind=kind) for kind in ("rsa", "ecdsa"))
        self.client = authority.issue("client", "client.example.com")
        self.stranger = AuthorityFolder(folder / "stranger", "Another CA").issue("client", "client.example.com")
        self.in_one_file = authority.folder / "client-with-key.pem"
        self.in_one_file.write_bytes(self.client.certificate.read_bytes() + self.client.key.read_bytes())
        self.both = authority.folder / "both"
        self.both.mkdir()
        for one in (self.rsa, self.ecdsa):
            combined = one.certificate.read_bytes() + one.key.read_bytes()
            (self.both / one.certificate.name).write_bytes(combined)
        self.hashed = authority.folder / "hashed"
        self.hashed.mkdir()
        (self.hashed / "root.pem").write_bytes(authority.path.read_bytes())
        tls_servers.rehash(self.hashed)
        self.ca = str(authority.path)
        self.ports: dict[str, int] = {}
        self.servers: dict[str, real_servers.Server] = {
            "nginx": self._nginx(folder / "nginx"),
            "haproxy": self._haproxy(folder / "haproxy"),
            "apache": self._apache(folder / "apache"),
        }
        self.told: dict[str, Told] = {}

    def port(self, site: str) -> int:
        """That of a site; the word before the blank says whose it is."""
        return self.ports.setdefault(site, real_servers.free_port())

    def _of(self, server: str) -> list[int]:
        return [port for site, port in self.ports.items() if site.startswith(f"{server} ")]

    def _nginx(self, where: pathlib.Path) -> real_servers.Server:
        def site(name: str, how: str, identities: t.Sequence[Identity], *more: str) -> str:
            pairs = [f"ssl_certificate {one.certificate}; ssl_certificate_key {one.key};" for one in identities]
            listen = f"listen 127.0.0.1:{self.port(f'nginx {name}')} ssl{how};"
            return " ".join(["server {", listen, *pairs, *more, "return 200; }"])

        both = (self.rsa, self.ecdsa)
        demanding = f"ssl_verify_client on; ssl_client_certificate {self.ca};"
        sites = [
            site("both", "", both, "ssl_protocols TLSv1.2 TLSv1.3;"),
            site("both 1.2", "", both, "ssl_protocols TLSv1.2;"),
            site("both 1.3", "", both, "ssl_protocols TLSv1.3;"),
            site("ecdsa", "", [self.ecdsa], "ssl_protocols TLSv1.2 TLSv1.3;"),
            site("rsa 1.3", "", [self.rsa], "ssl_protocols TLSv1.3;"),
            site("proxied", " proxy_protocol", both, "ssl_protocols TLSv1.3;"),
            site("demanding", "", [self.ecdsa], "ssl_protocols TLSv1.2;", demanding),
            site("demanding 1.3", "", both, "ssl_protocols TLSv1.3;", demanding),
        ]
        return real_servers.Nginx(where, "\n".join(sites), self._of("nginx"))

    def _haproxy(self, where: pathlib.Path) -> real_servers.Server:
        rsa, ecdsa = (self.both / one.certificate.name for one in (self.rsa, self.ecdsa))

        def site(name: str, how: str) -> str:
            port = self.port(f"haproxy {name}")
            return f"frontend {name}\n    bind 127.0.0.1:{port} ssl {how}\n    http-request return status 200"

        demanding = f"ca-file {self.ca} verify required"
        sites = [
            site("both", f"crt {rsa} crt {ecdsa}"),
            site("proxied", f"crt {ecdsa} accept-proxy"),
            site("demanding", f"crt {ecdsa} ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2 {demanding}"),
            site("demanding-1.3", f"crt {ecdsa} ssl-min-ver TLSv1.3 {demanding}"),
        ]
        return real_servers.HAProxy(where, "\n".join(sites), self._of("haproxy"))

    def _apache(self, where: pathlib.Path) -> real_servers.Server:
        def site(name: str, *more: str) -> str:
            port = self.port(f"apache {name}")
            pair = [f"SSLCertificateFile {self.ecdsa.certificate}", f"SSLCertificateKeyFile {self.ecdsa.key}"]
            begin = [f"Listen 127.0.0.1:{port}", f"<VirtualHost 127.0.0.1:{port}>", "SSLEngine on"]
            return "\n".join([*begin, *pair, *more, "</VirtualHost>"])

        demanding = (f"SSLCACertificateFile {self.ca}", "SSLVerifyClient require")
        sites = [
            site("demanding", "SSLProtocol TLSv1.2", *demanding),
            site("demanding 1.3", "SSLProtocol TLSv1.3", *demanding),
        ]
        return real_servers.Apache(where, "\n".join(sites), self._of("apache"))

    def cases(self) -> dict[str, Case]:
        """All looks, by a name that begins with that of the site."""
        shown = {"client_certificate": str(self.client.certificate), "client_key": str(self.client.key)}
        wrong = {"client_certificate": str(self.stranger.certificate), "client_key": str(self.stranger.key)}
        found: dict[str, Case] = {}
        for site in self.ports:
            if "both" in site:
                found |= {f"{site}, {kind}": {"key_type": kind} for kind in ("rsa", "ecdsa")}
                found[f"{site}, any"] = {}
            elif "proxied" in site:
                found |= {f"{site}, told": {"proxy_protocol": True}, f"{site}, untold": {}}
            elif "demanding" in site:
                found |= {f"{site}, given": shown, f"{site}, not given": {}, f"{site}, wrong": wrong}
        found["nginx proxied, rsa"] = {"proxy_protocol": True, "key_type": "rsa"}
        found["nginx demanding 1.3, rsa"] = {**shown, "key_type": "rsa"}
        found["haproxy demanding, one file"] = {"client_certificate": str(self.in_one_file)}
        found["nginx ecdsa, rsa"] = {"key_type": "rsa"}
        found["nginx rsa 1.3, ecdsa"] = {"key_type": "ecdsa"}
        found["nginx both 1.3, rsa, folder"] = {"key_type": "rsa", "ca_path": str(self.hashed)}
        found["nginx ecdsa, folder"] = {"ca_path": str(self.hashed)}
        found["nginx both 1.3, rsa, another CA"] = {"key_type": "rsa", "ca_path": str(self.stranger.ca_pem)}
        found["nginx both 1.3, rsa, another name"] = {"key_type": "rsa", "server_name": "www.example.com"}
        usual = {"server_name": _NAME, "ca_path": self.ca}
        return {name: {"port": self.port(name.split(", ")[0]), **usual, **case} for name, case in found.items()}

    def of(self, case: str) -> Told:
        """What was told of a case, if this machine has the server for it."""
        missing = self.servers[case.split()[0]].missing
        if missing is not None:
            pytest.skip(missing)
        return self.told[case]


@pytest.fixture(scope="module", name="web")
def fixture_web(session_lab: Lab, folder: pathlib.Path, authority: AuthorityFolder) -> _Web:
    """All servers at once, and one run for all looks."""
    web = _Web(folder, authority)
    with real_servers.running(web.servers.values()):
        here = {name for name, server in web.servers.items() if server.missing is None}
        cases = {name: case for name, case in web.cases().items() if name.split()[0] in here}
        web.told = _looks(session_lab, cases, _FROM_TARGET) if cases else {}
    return web


@pytest.mark.parametrize(
    ("site", "rsa", "ecdsa"),
    [
        # That of the two which a usual client is served is found by TLS 1.3.
        ("nginx both", "TLSv1.2", "TLSv1.3"),
        ("nginx both 1.2", "TLSv1.2", "TLSv1.2"),
        ("nginx both 1.3", "TLSv1.3", "TLSv1.3"),
        ("haproxy both", "TLSv1.2", "TLSv1.3"),
    ],
)
def test_two_kinds_of_keys(web: _Web, site: str, rsa: str, ecdsa: str) -> None:
    """Both certificates of a port are seen, each by its kind of key, whatever version of TLS is spoken."""
    _assert_good(web.of(f"{site}, rsa"), web.rsa)
    _assert_good(web.of(f"{site}, ecdsa"), web.ecdsa)
    assert web.of(f"{site}, any") == web.of(f"{site}, ecdsa")
    assert [web.of(f"{site}, {kind}")["protocol"] for kind in ("rsa", "ecdsa")] == [rsa, ecdsa]


def test_one_kind_of_key(web: _Web) -> None:
    """Who has no certificate with such a key is known to have none, also where TLS 1.3 alone is spoken."""
    for case, kind, other in (("ecdsa, rsa", "an RSA", "an ECDSA"), ("rsa 1.3, ecdsa", "an ECDSA", "an RSA")):
        told = web.of(f"nginx {case}")
        assert f"serves no certificate with {kind} key, but one with {other} key. " in told["msg"]
        assert told["undetermined"] is False


@pytest.mark.parametrize("site", ["nginx proxied", "haproxy proxied"])
def test_proxy_protocol(web: _Web, site: str) -> None:
    """With it, the certificate is seen; without, the message has the word for it."""
    _assert_good(web.of(f"{site}, told"), web.ecdsa)
    told = web.of(f"{site}, untold")
    assert "the server closed the connection in the middle of it" in told["msg"]
    assert "or want the PROXY protocol before it (proxy_protocol)." in told["msg"]


def test_openssl_after_the_proxy_protocol_and_as_a_client(web: _Web) -> None:
    """What is said before TLS, and a client certificate, go with a look by openssl too."""
    _assert_good(web.of("nginx proxied, rsa"), web.rsa)
    _assert_good(web.of("nginx demanding 1.3, rsa"), web.rsa)
    assert web.of("nginx proxied, rsa")["protocol"] == "TLSv1.3"


@pytest.mark.parametrize("site", ["haproxy demanding", "apache demanding"])
def test_a_client_certificate_that_ends_the_handshake(web: _Web, site: str) -> None:
    """In TLS 1.2 nothing is seen without one, or with a wrong one: a doubt, and the message says whose."""
    _assert_good(web.of(f"{site}, given"), web.ecdsa)
    told = web.of(f"{site}, not given")
    assert told["undetermined"] is True
    assert "the server demands a client certificate (" in told["msg"]
    assert ", and none is given. Give one as client_certificate and client_key. " in told["msg"]
    told = web.of(f"{site}, wrong")
    assert told["undetermined"] is True
    assert "the server refused the client certificate that it was shown (" in told["msg"]
    assert "Check client_certificate and client_key against whom the server trusts. " in told["msg"]


@pytest.mark.parametrize(
    "site", ["nginx demanding", "nginx demanding 1.3", "haproxy demanding-1.3", "apache demanding 1.3"]
)
@pytest.mark.parametrize("how", ["given", "not given", "wrong"])
def test_a_client_certificate_that_ends_no_handshake(web: _Web, site: str, how: str) -> None:
    """nginx says what it has against a client in HTTP, and TLS 1.3 once the certificate was shown."""
    _assert_good(web.of(f"{site}, {how}"), web.ecdsa)


def test_a_client_certificate_with_its_key_in_one_file(web: _Web) -> None:
    """No client_key then."""
    _assert_good(web.of("haproxy demanding, one file"), web.ecdsa)


def test_trust(web: _Web) -> None:
    """A private authority in a file or a folder, in place of the system's; also where openssl looks."""
    _assert_good(web.of("nginx ecdsa, folder"), web.ecdsa)
    _assert_good(web.of("nginx both 1.3, rsa, folder"), web.rsa)
    for case, error in (
        ("another CA", "unable to get local issuer certificate"),
        ("another name", "hostname mismatch, certificate is not valid for 'www.example.com'"),
    ):
        told = web.of(f"nginx both 1.3, rsa, {case}")
        assert told["fingerprint_sha256"] == web.rsa.fingerprint()
        assert (told["verified"], told["verify_error"]) == (False, error)
