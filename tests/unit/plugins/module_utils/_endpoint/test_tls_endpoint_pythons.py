# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe on every Python that a target may have: the same answers as here, from the same code."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint import probe
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.endpoints import (
    authority,
    good,
    look,
    trusted,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.support.interpreters import to_try
from ansible_collections.certfleet.collectssl.tests.support.pythons import MINORS

Options = dict[str, t.Any]
#: What each probe returns, or the message that it fails with, by name.
Answers = dict[str, t.Any]

_PYTHONS = to_try(f"3.{minor}" for minor in MINORS) or {"this": sys.executable}
_ROOT = pathlib.Path(probe.__file__).parents[3]

# Makes up the packages above the collection, as no such Python has an ansible-core.
_SCRIPT = """
import concurrent.futures, json, sys, types, warnings
warnings.simplefilter("error")
name = "ansible_collections.certfleet.collectssl"
parts = name.split(".")
for depth in range(1, len(parts) + 1):
    package = types.ModuleType(".".join(parts[:depth]))
    package.__path__ = [sys.argv[1]] if depth == len(parts) else []
    sys.modules[package.__name__] = package
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import endpoint_of, probe

defaults = {"port": 443, "server_name": None, "starttls": None, "timeout": 30, "ca_path": None}

def look(options):
    try:
        return probe(endpoint_of(dict(defaults, **options)))
    except CollectError as exc:
        return str(exc)

# At one time, as some of them wait for the timeout.
with concurrent.futures.ThreadPoolExecutor(4) as looks:
    print(json.dumps(list(looks.map(look, json.loads(sys.argv[2])))))
"""


def _hang_up(connection: tls_servers.Connection) -> None:
    connection.sock.recv(4096)


def _banner(connection: tls_servers.Connection) -> None:
    connection.send("220 hello\r\n")
    connection.wait()


class _Cases(t.NamedTuple):
    """Every probe by name, and what some of them have to find."""

    probes: dict[str, Options]
    same: list[str]
    expired: Identity
    old: Identity


#: Behaviour, protocol of STARTTLS, what the message has to say.
_FAILURES: dict[str, tuple[tls_servers.Behaviour, str | None, str]] = {
    "hang up": (_hang_up, None, "the server closed the connection in the middle of it"),
    "banner": (_banner, None, "the server did not answer with TLS"),
    "silence": (tls_servers.Connection.wait, None, "was not over within the timeout of 2 seconds"),
    "no greeting": (
        tls_servers.Connection.wait,
        "imap",
        "the server's greeting did not come within the timeout of 2 seconds",
    ),
}


@pytest.fixture(scope="module")
def cases() -> t.Iterator[_Cases]:
    """The servers of all probes, for all Pythons."""
    ca = {"ca_path": trusted()}
    expired = authority().issue("expired-there", "localhost", days=(-9, -1))
    old = authority().issue("old-there", "127.0.0.1", kind="rsa")
    with contextlib.ExitStack() as stack:

        def serve(behaviour: tls_servers.Behaviour) -> int:
            return stack.enter_context(tls_servers.Server(behaviour)).port

        port = serve(tls_servers.tls(good()))
        probes: dict[str, Options] = {
            "address": {"host": "127.0.0.1", "port": port, **ca},
            "name": {"host": "localhost", "port": port, **ca},
            "other name": {"host": "localhost", "port": port, **ca, "server_name": "absent.example.com"},
            "other address": {"host": "localhost", "port": port, **ca, "server_name": "192.0.2.1"},
            "absent": {"host": "absent.invalid"},
            "no name": {"host": "no name"},
            "no store": {"host": "127.0.0.1", "ca_path": "/does/not/exist"},
        }
        for protocol, mail in tls_servers.IN_LINES.items():
            probes[protocol] = {"host": "localhost", "port": serve(mail(good())), **ca, "starttls": protocol}
        same = list(probes)
        probes["expired"] = {"host": "localhost", "port": serve(tls_servers.tls(expired)), **ca}
        port = stack.enter_context(tls_servers.s_server(old, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0"))
        probes["old"] = {"host": "127.0.0.1", "port": port, **ca}
        for name, (behaviour, starttls, _words) in _FAILURES.items():
            probes[name] = {"host": "127.0.0.1", "port": serve(behaviour), "timeout": 2, "starttls": starttls}
        yield _Cases(probes, same, expired, old)


def _answers(python: str, probes: dict[str, Options]) -> Answers:
    # Without bytecode, so that the checkout stays as it is.
    command = [python, "-B", "-c", _SCRIPT, str(_ROOT), json.dumps(list(probes.values()))]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return dict(zip(probes, json.loads(run.stdout), strict=True))


@pytest.fixture(scope="module")
def everywhere(cases: _Cases) -> dict[str, concurrent.futures.Future[Answers]]:
    """What each Python answers to all probes, of one process a Python; they mostly wait, so several at a time."""
    with concurrent.futures.ThreadPoolExecutor(3) as pythons:
        return {version: pythons.submit(_answers, path, cases.probes) for version, path in _PYTHONS.items()}


@pytest.fixture(params=list(_PYTHONS))
def there(request: pytest.FixtureRequest, everywhere: dict[str, concurrent.futures.Future[Answers]]) -> Answers:
    """What another Python answers."""
    return everywhere[request.param].result()


def _here(options: Options) -> t.Any:
    try:
        return look(**options)
    except CollectError as exc:
        return str(exc)


@pytest.fixture(scope="module")
def here(cases: _Cases) -> Answers:
    """What this Python answers."""
    return {name: _here(cases.probes[name]) for name in cases.same}


def test_the_same_on_every_python(there: Answers, here: Answers) -> None:
    """Trusted or not, by name or address, with and without STARTTLS, and when there is nothing to see."""
    assert {name: there[name] for name in here} == here


def test_trust_on_every_python(there: Answers, cases: _Cases) -> None:
    """Python 3.6 does not tell why, but the certificate is there all the same."""
    result = there["expired"]
    assert result["fingerprint_sha256"] == cases.expired.fingerprint()
    assert result["verified"] is False
    assert result["verify_error"] in (
        "certificate has expired",
        "certificate verify failed; Python 3.6 does not tell why",
    )


@pytest.mark.parametrize("failing", _FAILURES)
def test_failed_handshakes_on_every_python(there: Answers, failing: str) -> None:
    """Each Python has its own exceptions for these."""
    assert _FAILURES[failing][2] in there[failing]


def test_an_old_server_on_every_python(there: Answers, cases: _Cases) -> None:
    """As far as their OpenSSL goes back, they look at what they would not trust."""
    result = there["old"]
    assert result["protocol"] == "TLSv1"
    assert result["fingerprint_sha256"] == cases.old.fingerprint()
    assert result["verified"] is False
    assert result["verify_error"].startswith(
        "not checked, as a TLS handshake with the usual settings of this host failed"
    )
