# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe on every Python that a target may have: the same answers as here, from the same code."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _tls_endpoint
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils.tls_endpoint_support import (
    authority,
    good,
    look,
    tls_servers,
    trusted,
)

Options = dict[str, t.Any]
#: Takes the options of several probes; returns what each returns, or the message it fails with.
There = t.Callable[..., list[t.Any]]

#: The interpreters of this machine as 3.6=/path,3.8=/path, where the runner has looked for them.
_PYTHONS = dict(
    item.split("=", 1) for item in (os.environ.get("COLLECTSSL_TEST_PYTHONS") or f"this={sys.executable}").split(",")
)
_ROOT = pathlib.Path(_tls_endpoint.__file__).parents[2]

# Makes up the packages above the collection, as no such Python has an ansible-core.
_SCRIPT = """
import json, sys, types, warnings
warnings.simplefilter("error")
name = "ansible_collections.certfleet.collectssl"
parts = name.split(".")
for depth in range(1, len(parts) + 1):
    package = types.ModuleType(".".join(parts[:depth]))
    package.__path__ = [sys.argv[1]] if depth == len(parts) else []
    sys.modules[package.__name__] = package
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._tls_endpoint import endpoint_of, probe

defaults = {"port": 443, "server_name": None, "starttls": None, "timeout": 10, "ca_path": None}
results = []
for options in json.loads(sys.argv[2]):
    try:
        results.append(probe(endpoint_of(dict(defaults, **options))))
    except CollectError as exc:
        results.append(str(exc))
print(json.dumps(results))
"""


@pytest.fixture(params=list(_PYTHONS))
def there(request: pytest.FixtureRequest) -> There:
    """The probe under another Python."""
    python = _PYTHONS[request.param]

    def probe(*probes: Options) -> list[t.Any]:
        # Without bytecode, so that the checkout stays as it is.
        command = [python, "-B", "-c", _SCRIPT, str(_ROOT), json.dumps(probes)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stderr) == (0, ""), run.stderr
        return list(json.loads(run.stdout))

    return probe


def _here(options: Options) -> t.Any:
    try:
        return look(**options)
    except CollectError as exc:
        return str(exc)


def test_the_same_on_every_python(there: There) -> None:
    """Trusted or not, by name or address, with and without STARTTLS, and when there is nothing to see."""
    ca = {"ca_path": trusted()}
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(tls_servers.Server(tls_servers.tls(good()))).port
        probes: list[Options] = [
            {"host": "127.0.0.1", "port": port, **ca},
            {"host": "localhost", "port": port, **ca},
            {"host": "localhost", "port": port, **ca, "server_name": "absent.example.com"},
            {"host": "localhost", "port": port, **ca, "server_name": "192.0.2.1"},
            {"host": "absent.invalid"},
            {"host": "no name"},
            {"host": "127.0.0.1", "ca_path": "/does/not/exist"},
        ]
        for protocol, mail in tls_servers.MAIL.items():
            port = stack.enter_context(tls_servers.Server(mail(good()))).port
            probes.append({"host": "localhost", "port": port, **ca, "starttls": protocol})
        assert there(*probes) == [_here(options) for options in probes]


def test_trust_on_every_python(there: There) -> None:
    """Python 3.6 does not tell why, but the certificate is there all the same."""
    expired = authority().issue("expired-there", "localhost", days=(-9, -1))
    with tls_servers.Server(tls_servers.tls(expired)) as server:
        (result,) = there({"host": "localhost", "port": server.port, "ca_path": trusted()})
    assert result["fingerprint_sha256"] == expired.fingerprint()
    assert result["verified"] is False
    assert result["verify_error"] in (
        "certificate has expired",
        "certificate verify failed; Python 3.6 does not tell why",
    )


def test_failed_handshakes_on_every_python(there: There) -> None:
    """Each Python has its own exceptions for these."""

    def hang_up(connection: tls_servers.Connection) -> None:
        connection.sock.recv(4096)

    def banner(connection: tls_servers.Connection) -> None:
        connection.send("220 hello\r\n")
        connection.wait()

    cases: tuple[tuple[tls_servers.Behaviour, str | None, str], ...] = (
        (hang_up, None, "the server closed the connection in the middle of it"),
        (banner, None, "the server did not answer with TLS"),
        (tls_servers.Connection.wait, None, "was not over within the timeout of 1 seconds"),
        (tls_servers.Connection.wait, "imap", "the server's greeting did not come within the timeout of 1 seconds"),
    )
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(tls_servers.Server(behaviour)).port for behaviour, _starttls, _words in cases]
        probes = [
            {"host": "127.0.0.1", "port": port, "timeout": 1, "starttls": case[1]}
            for port, case in zip(ports, cases, strict=True)
        ]
        for message, (_behaviour, _starttls, words) in zip(there(*probes), cases, strict=True):
            assert words in message


def test_an_old_server_on_every_python(there: There) -> None:
    """As far as their OpenSSL goes back, they look at what they would not trust."""
    identity = authority().issue("old-there", "127.0.0.1", kind="rsa")
    with tls_servers.s_server(identity, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0") as port:
        (result,) = there({"host": "127.0.0.1", "port": port, "ca_path": trusted()})
    assert result["protocol"] == "TLSv1"
    assert result["fingerprint_sha256"] == identity.fingerprint()
    assert result["verified"] is False
    assert result["verify_error"].startswith(
        "not checked, as a TLS handshake with the usual settings of this host failed"
    )
