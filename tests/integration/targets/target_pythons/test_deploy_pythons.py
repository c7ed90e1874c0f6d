# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine on every Python that the running ansible-core takes on a target, with the standard library alone."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, installation
from ansible_collections.certfleet.collectssl.tests.support.lab import DEPLOY, Lab, Task
from ansible_collections.certfleet.collectssl.tests.support.pythons import MINORS, interpreters, why_not
from ansible_collections.certfleet.collectssl.tests.support.reloadable import ReloadableService
from ansible_collections.certfleet.collectssl.tests.support.runs import Result


class _Tried(t.NamedTuple):
    folder: pathlib.Path
    results: dict[str, Result]
    served: str | None


@pytest.fixture(scope="module")
def tried(session_lab: Lab) -> t.Iterator[dict[int, _Tried]]:
    """Every Python that can be tried, as a host of one fleet: goes into service, refuses, goes back."""
    lab = session_lab
    minors = {f"deploy3{minor}": minor for minor in MINORS if why_not(minor) is None}
    service = ReloadableService(lab.host_folder("tls"), sorted(minors))
    for host in minors:
        files.write(service.conf / f"{host}.pem", installation.bundle("ec-first", with_root=False))
        files.write(service.conf / f"{host}.key", installation.key_pem("ec-first").decode("ascii"), 0o600)
        files.write(service.conf / f"{host}.next", certificates.shared_key(), 0o600)
    with service:
        certificate = {
            "name": "site",
            "order_number": lab.order(),
            "fullchain_path": f"{service.conf}/{{{{ inventory_hostname }}}}.pem",
            "privatekey_path": f"{service.conf}/{{{{ inventory_hostname }}}}.key",
            "pending_privatekey_path": f"{service.conf}/{{{{ inventory_hostname }}}}.next",
            "services": ["tls-of-this-test"],
            "validate": "true",
            "endpoints": [{"port": "{{ port }}"}],
            "run_after": ["/bin/sh -c 'env > {{ dir }}/heard'"],
        }
        options = {
            "certificates": [certificate],
            "services": {"tls-of-this-test": {"command": str(service.command)}},
            "probe_retries": 2,
            "probe_delay": 1,
        }

        def changed(**more: t.Any) -> dict[str, t.Any]:
            return {**options, "certificates": [{**certificate, **more}]}

        tasks: list[Task] = [
            {"name": "foresee", DEPLOY: options, "check_mode": True},
            {"name": "deploy", DEPLOY: options},
            {"name": "again", DEPLOY: options},
            {
                "name": "refused",
                DEPLOY: changed(mode="0600", run_before=["false"]),
                "ignore_errors": True,
            },
            {"name": "roll back", DEPLOY: changed(mode="0600", validate="false"), "ignore_errors": True},
        ]
        hosts = {
            host: {"ansible_python_interpreter": interpreters()[minor], "port": service.ports[host]}
            for host, minor in minors.items()
        }
        run = lab.play(hosts, tasks).must_be_civil()
        yield {
            minor: _Tried(lab.host_folder(host), run.by_task(host), service.shown(host))
            for host, minor in minors.items()
        }


@pytest.mark.parametrize("minor", MINORS, ids=lambda minor: f"3.{minor}")
def test_target_python(tried: dict[int, _Tried], minor: int) -> None:
    """All that the engine does on a target, done by this Python."""
    reason = why_not(minor)
    if reason is not None:
        pytest.skip(f"Python 3.{minor} on a target was not tried: {reason}")
    folder, results, served = tried[minor]

    def one(task: str) -> dict[str, t.Any]:
        found: dict[str, t.Any] = results[task].data["certificates"][0]
        return found

    assert [one(task)["state"] for task in ("foresee", "deploy", "again")] == ["in_service"] * 3, results
    assert [results[task].changed for task in ("foresee", "deploy", "again")] == [True, True, False]
    assert (one("refused")["state"], one("roll back")["state"]) == ("refused", "rolled_back")
    installed = one("deploy")["certificate"]
    assert one("roll back")["installed"]["fingerprint_sha256"] == installed["fingerprint_sha256"]
    heard = dict(line.split("=", 1) for line in (folder / "heard").read_text().splitlines() if "=" in line)
    assert (heard["CERTFLEET_TLSA"], heard["CERTFLEET_NAME"]) == (installed["tlsa"], "site")
    assert heard["CERTFLEET_TLSA_BEFORE"] not in ("", installed["tlsa"])
    assert served is not None
    assert results["deploy"].data["services"] == [{"name": "tls-of-this-test", "action": "command"}]
