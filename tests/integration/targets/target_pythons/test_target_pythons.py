# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module runs on every Python that the running ansible-core takes on a target, with the standard library alone."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab, Task
from ansible_collections.certfleet.collectssl.tests.support.pythons import MINORS, interpreters, why_not
from ansible_collections.certfleet.collectssl.tests.support.runs import Result


class _Tried(t.NamedTuple):
    folder: pathlib.Path
    results: dict[str, Result]
    calls: int


@pytest.fixture(scope="module")
def tried(session_lab: Lab) -> dict[int, _Tried]:
    """Every Python that can be tried, as a host of one fleet: installs, repairs, refuses, rolls back."""
    lab = session_lab
    number = lab.order()
    rejected = lab.order(key=certificates.make_key("rsa"))
    minors = {f"python3{minor}": minor for minor in MINORS if why_not(minor) is None}
    for host in minors:
        files.write(lab.host_folder(host) / "key.pem", certificates.make_key(), 0o600)
        files.write(lab.host_folder(host) / "pending.pem", certificates.shared_key(), 0o600)
    options = {
        "order_number": number,
        "path": "{{ dir }}/cert.pem",
        "chain_path": "{{ dir }}/chain.pem",
        "combined_path": "{{ dir }}/combined.pem",
        "privatekey_path": "{{ dir }}/key.pem",
        "pending_privatekey_path": "{{ dir }}/pending.pem",
        "validate": "openssl x509 -noout -in {{ dir }}/cert.pem",
        "mode": "0640",
        "backup": True,
    }
    tasks: list[Task] = [
        {"name": "install", MODULE: options},
        {"name": "again", MODULE: options},
        {"name": "wrong key", MODULE: {**options, "order_number": rejected}, "ignore_errors": True},
        {"name": "drift", MODULE: {**options, "mode": "0600"}, "check_mode": True, "diff": True},
        {"name": "roll back", MODULE: {**options, "mode": "0600", "validate": "false"}, "ignore_errors": True},
        {"name": "in the end", MODULE: options},
    ]
    hosts = {host: {"ansible_python_interpreter": interpreters()[minor]} for host, minor in minors.items()}
    run = lab.play(hosts, tasks).must_be_civil()
    calls = len(lab.simulator.calls(number))
    return {minor: _Tried(lab.host_folder(host), run.by_task(host), calls) for host, minor in minors.items()}


@pytest.mark.parametrize("minor", MINORS, ids=lambda minor: f"3.{minor}")
def test_target_python(tried: dict[int, _Tried], minor: int) -> None:
    """All that the module does on a target, done by this Python."""
    reason = why_not(minor)
    if reason is not None:
        pytest.skip(f"Python 3.{minor} on a target was not tried: {reason}")
    folder, results, calls = tried[minor]
    assert results["install"].status == "ok", results["install"]
    assert results["install"].files() == dict.fromkeys(("certificate", "chain", "combined", "privatekey"), True)
    assert not results["again"].changed
    assert "does not belong" in results["wrong key"].message
    assert results["drift"].files() == dict.fromkeys(("certificate", "chain", "combined"), True)
    assert results["roll back"].status == "failed"
    assert results["roll back"].data["rc"] == 1
    assert results["in the end"].status == "ok"
    assert not results["in the end"].changed
    held = [(folder / name).read_text() for name in ("key.pem", "cert.pem", "chain.pem")]
    assert held[0] == certificates.shared_key()
    assert (folder / "combined.pem").read_text() == "".join(held)
    assert not (folder / "pending.pem").exists()
    assert calls == 1


def test_some_python_was_there() -> None:
    """Without any, nothing above would have run."""
    assert [minor for minor in MINORS if why_not(minor) is None]
