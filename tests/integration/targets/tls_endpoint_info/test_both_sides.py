# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and the action in real runs: the same result from both sides, and in check mode."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import tls_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab

MODULE = "certfleet.collectssl.tls_endpoint_info"


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> AuthorityFolder:
    """A private authority."""
    return AuthorityFolder(tmp_path)


def _look(name: str, **options: t.Any) -> dict[str, t.Any]:
    environment = options.pop("environment", {})
    return {"name": name, MODULE: {"host": "127.0.0.1", **options}, "ignore_errors": True, "environment": environment}


def _facts(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a task returned, less what Ansible itself adds."""
    names = ("fingerprint_sha256", "certificate", "protocol", "cipher", "verified", "verify_error", "msg", "changed")
    return {name: result[name] for name in names if name in result}


def test_both_sides_tell_the_same(lab: Lab, authority: AuthorityFolder) -> None:
    """Good, expired, by another name, behind STARTTLS, and failures; from the target and from the controller."""
    good, expired = authority.issue("good", "127.0.0.1"), authority.issue("old", "127.0.0.1", days=(-9, -1))
    ca = {"ca_path": str(authority.path)}
    with (
        tls_servers.s_server(good) as port,
        tls_servers.Server(tls_servers.tls(expired)) as stale,
        tls_servers.Server(tls_servers.smtp(good)) as mail,
        tls_servers.Server(tls_servers.Connection.wait) as silent,
    ):
        cases: dict[str, dict[str, t.Any]] = {
            "good": {"port": port, **ca},
            "unknown": {"port": port},
            "other name": {"port": port, "server_name": "www.example.com", **ca},
            "expired": {"port": stale.port, **ca},
            "mail": {"port": mail.port, "starttls": "smtp", **ca},
            "silent": {"port": silent.port, "timeout": 1},
            "no tls": {"port": mail.port},
            "wrong option": {"port": 70000},
        }
        tasks = [
            _look(f"{name} {side}", connect_from=side, **options)
            for name, options in cases.items()
            for side in ("target", "controller")
        ]
        run = lab.play({"host": {}}, tasks)
        checked = lab.play({"host": {}}, tasks, "--check", "--diff")
    for each in (run, checked):
        each.must_succeed()
        for name in cases:
            target, controller = (each.one(f"{name} {side}").data for side in ("target", "controller"))
            assert _facts(target) == _facts(controller) == _facts(run.one(f"{name} target").data)
            assert not target["changed"]
    assert {name: run.one(f"{name} target").data.get("verify_error") for name in cases} == {
        "good": None,
        "unknown": "unable to get local issuer certificate",
        "other name": "hostname mismatch, certificate is not valid for 'www.example.com'",
        "expired": "certificate has expired",
        "mail": None,
        "silent": None,
        "no tls": None,
        "wrong option": None,
    }
    assert run.one("good target").data["fingerprint_sha256"] == good.fingerprint()
    assert run.one("expired controller").data["fingerprint_sha256"] == expired.fingerprint()
    failed = {result.task: result.message for result in run.results if result.status == "failed"}
    assert sorted(failed) == sorted(
        f"{name} {side}" for name in ("silent", "no tls", "wrong option") for side in ("target", "controller")
    )
    assert "was not over within the timeout of 1 seconds" in failed["silent target"]
    assert "did not answer with TLS" in failed["no tls controller"]


def test_the_controller_needs_no_target(lab: Lab, authority: AuthorityFolder) -> None:
    """From the controller nothing reaches the host: not its connection, its Python, its become, or the environment."""
    good = authority.issue("good", "127.0.0.1")
    nowhere = {
        "ansible_connection": "ssh",
        "ansible_host": "192.0.2.1",
        "ansible_become": True,
        "ansible_python_interpreter": "/does/not/exist",
    }
    environment = {"https_proxy": "http://192.0.2.1:1", "SSL_CERT_FILE": str(authority.path)}
    with tls_servers.s_server(good) as port:
        run = lab.play(
            {"host": nowhere}, [_look("look", port=port, connect_from="controller", environment=environment)]
        ).must_succeed()
    result = run.one("look").data
    assert result["fingerprint_sha256"] == good.fingerprint()
    assert result["verified"] is False


def test_a_home_folder_is_that_of_the_machine_that_connects(lab: Lab, authority: AuthorityFolder) -> None:
    """A tilde in ca_path."""
    good = authority.issue("good", "127.0.0.1")
    home = {"HOME": str(authority.folder)}
    with tls_servers.s_server(good) as port:
        run = lab.play(
            {"host": {}},
            [
                _look("target", port=port, ca_path="~/root.pem", environment=home),
                _look("controller", port=port, ca_path="~/root.pem", environment=home, connect_from="controller"),
            ],
        ).must_succeed()
    assert run.one("target").data["verified"]
    # The controller has another home, without such a file.
    assert run.one("controller").message.endswith("root.pem cannot be used: No such file or directory.")


def test_it_is_no_part_of_the_action_group(lab: Lab, authority: AuthorityFolder) -> None:
    """Defaults for the provider, such as another ca_path, are not for this module."""
    good = authority.issue("good", "127.0.0.1")
    defaults = {"group/certfleet.collectssl.collectssl": {"login_name": "fleet", "ca_path": "/does/not/exist"}}
    with tls_servers.s_server(good) as port:
        run = lab.play(
            {"host": {}}, [_look("look", port=port, connect_from="controller")], play={"module_defaults": defaults}
        ).must_succeed()
    assert run.one("look").data["fingerprint_sha256"] == good.fingerprint()


def test_ad_hoc(lab: Lab, authority: AuthorityFolder) -> None:
    """On the command line, and no async."""
    good = authority.issue("good", "127.0.0.1")
    with tls_servers.s_server(good) as port:
        run = lab.ad_hoc({"host": {}}, MODULE, f"host=127.0.0.1 port={port} ca_path={authority.path}").must_succeed()
        asynchronous = lab.ad_hoc({"host": {}}, MODULE, f"host=127.0.0.1 port={port}", "-B", "10")
    assert run.results[0].data["verified"]
    assert asynchronous.returncode == 2
    assert "async" in asynchronous.results[0].message
