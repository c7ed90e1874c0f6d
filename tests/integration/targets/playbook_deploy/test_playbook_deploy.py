# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook deploy: what stops it, what does not and is told at its end, and the table of each batch."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

Facts = dict[str, t.Any]

_REFUSED = "sh -c 'echo not like this >&2; exit 3'"


class _Fleet:
    """Hosts with a certificate each, all of one order."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.order = lab.order(names=["www.example.com"])
        self.hosts: dict[str, Facts] = {}

    def add(self, name: str, *more: Facts, **options: t.Any) -> None:
        """A host with the certificate of the fleet, and more of them."""
        files.write(self.lab.host_folder(name) / "www.key", certificates.shared_key(), 0o600)
        certificate = {
            "name": "www",
            "order_number": self.order,
            "fullchain_path": "{{ dir }}/www.pem",
            "privatekey_path": "{{ dir }}/www.key",
            **options,
        }
        self.hosts[name] = {"collectssl_deploy_certificates": [certificate, *more]}

    def run(self, *serial: t.Any, arguments: t.Sequence[str] = ()) -> Run:
        """Run the playbook, in such batches; whatever becomes of it, nothing of a certificate or a key is shown."""
        run = self.lab.playbook(self.hosts, "deploy", *arguments, collectssl_deploy_serial=list(serial)).must_be_civil()
        assert "-----BEGIN" not in run.output
        return run

    def has(self, host: str, name: str = "www") -> bool:
        """Whether the certificate is there."""
        return (self.lab.host_folder(host) / f"{name}.pem").exists()


@pytest.fixture
def fleet(lab: Lab) -> _Fleet:
    return _Fleet(lab)


def _tables(run: Run) -> list[list[list[str]]]:
    """The cells of each table, less the titles."""
    tables = []
    for result in run.of("Show what became of this batch"):
        title, *rows = result.data["msg"]
        assert title.split() == ["host", "certificate", "before", "now", "until", "services", "proof"]
        assert all(row in run.output for row in rows)
        tables.append([re.split(r"  +", row) for row in rows])
    return tables


def _said_at_the_end(run: Run) -> dict[str, str]:
    return {result.host: result.message for result in run.of("Say what is wrong") if result.status == "failed"}


def test_all_is_well(fleet: _Fleet) -> None:
    """A table a batch with what is new, nothing for the next run to do, and no word against the playbook."""
    for name in ("web1", "web2", "web3"):
        fleet.add(name)
    fleet.run(1, "100%", arguments=["--check"]).must_succeed().must_not_warn()
    assert not fleet.has("web1")

    first = fleet.run(1, "100%").must_succeed().must_not_warn()
    canary, rest = _tables(first)
    assert [row[:3] for row in canary] == [["web1", "www", "-"]]
    assert [row[:3] for row in rest] == [["web2", "www", "-"], ["web3", "www", "-"]]
    now, until = canary[0][3:5]
    assert re.fullmatch(r"([0-9a-f]{2}:){3}[0-9a-f]{2}", now)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", until)
    assert canary[0][5:] == ["-", "not looked at"]
    assert first.output.count("Changed: www") == 3

    second = fleet.run(1, "100%").must_succeed().must_not_warn()
    assert [result.task for result in second.results if result.changed] == []
    assert [row[2:4] for table in _tables(second) for row in table] == [[now, now]] * 3
    # Two runs and a rehearsal of them, each of which asks once.
    assert len(fleet.lab.simulator.calls()) == 3


def test_what_stops_nobody_and_what_does(fleet: _Fleet) -> None:
    """Whole batches that fail without a change leave the next to its work; one that had to go back does not."""
    revoked = fleet.lab.order(life=[{"state": "revoked"}])
    bad = {"name": "bad", "order_number": revoked, "fullchain_path": "{{ dir }}/bad.pem"}
    fleet.add("web1", bad)
    fleet.add("web2", layout="ngnix")
    fleet.add("web3", validate=_REFUSED)
    fleet.add("web4")
    run = fleet.run(1).must_fail()

    assert [fleet.has(f"web{number}") for number in range(1, 5)] == [True, False, False, False]
    assert "Stopped before web4, which is as it was: web3 failed or could not be reached." in run.output
    assert fleet.lab.host_folder("web4").joinpath("www.key").exists()
    said = _said_at_the_end(run)
    assert set(said) == {"web1", "web2", "web3"}
    assert f"bad: The certificate of order number {revoked} was revoked." in said["web1"]
    assert "There is no layout ngnix. Is nginx meant?" in said["web2"]
    assert "www: validate: the command sh failed with exit status 3: not like this." in said["web3"]
    # A good certificate beside a bad one is told of.
    assert run.output.count("Changed: www") == 1

    first, second, third = _tables(run)
    assert [(row[1], row[-1]) for row in first] == [("www", "not looked at"), ("bad", "NOT COLLECTED")]
    assert second[0][:2] == ["web2", "-"]
    assert [(row[1], row[-1]) for row in third] == [("www", "ROLLED BACK")]
    # What a failure shows comes before what ansible-core shows of it: the table, and a sentence for each certificate.
    shown = run.output.index(f"\nbad: The certificate of order number {revoked} was revoked.")
    assert run.output.index("\nhost  certificate") < shown < run.output.index("fatal: [web1]")

    for host in ("web1", "web2", "web3"):
        fleet.add(host)
    fleet.run(1).must_succeed().must_not_warn()
    assert fleet.has("web4")


def test_a_host_that_is_lost_stops_it(fleet: _Fleet) -> None:
    """The batch ends what it began, with the lost host in its table, and no other begins."""
    for name in ("web1", "web2", "web3"):
        fleet.add(name)
    fleet.hosts["web1"].update(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    run = fleet.run(2)
    assert run.returncode == 4, run.shown
    assert [fleet.has(name) for name in fleet.hosts] == [False, True, False]
    assert "Stopped before web3, which is as it was: web1 failed or could not be reached." in run.output
    (table,) = _tables(run)
    assert [(row[0], row[-1]) for row in table] == [("web1", "FAILED"), ("web2", "not looked at")]
