# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a pending order: seen live, shared by all hosts, ended by what no waiting mends."""

from __future__ import annotations

import re
import time

from ansible_collections.certfleet.collectssl.tests.support import files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

_PENDING = {
    "state": "pending",
    "details": {"csrStatus": 1, "dcvStatus": 2, "ovCallbackStatus": 2},
    "domains": [
        {"name": "a.example.com", "status": "VALIDATED"},
        {"name": "b.example.com", "status": "NOTVALIDATED"},
        {"name": "c.example.com", "status": "AWAITINGBRAND"},
    ],
}
WAIT = 5
_PROGRESS = re.compile(
    r"order number (?P<order>\S+) is pending \((?P<outstanding>[^)]*)\); "
    r"waited (?P<waited>\d+) s, (?P<left>\d+) s left, next poll in (?P<next>\d+) s"
)


def test_progress_is_seen_while_waiting(lab: Lab) -> None:
    """The order is issued only once two lines of progress were read, so a run that kept them back would never end."""
    number = lab.order(life=[{**_PENDING, "calls": 10**6}, {"state": "issued"}])
    task = {
        "name": "wait",
        MODULE: {
            "order_number": number,
            "fullchain_path": "{{ dir }}/fullchain.pem",
            "wait_timeout": 100,
            "poll_interval": 1,
        },
    }
    seen: list[re.Match[str]] = []
    with lab.started(lab.fleet("web", 5), [{"tasks": [task]}]) as process:
        for line in process.lines():
            progress = _PROGRESS.search(line)
            if progress:
                seen.append(progress)
            if progress and len(seen) == 2:
                lab.simulator.advance(number)
        run = process.finished().must_succeed()

    assert len(seen) >= 2
    for progress in seen:
        assert progress["order"] == number
        assert "dcv 1/3" in progress["outstanding"]
        assert "ov callback in progress" in progress["outstanding"]
        assert progress["next"] == "1"
        assert int(progress["waited"]) + int(progress["left"]) == 100
    assert int(seen[0]["waited"]) < int(seen[1]["waited"])
    assert all(result.data["issued"] and result.changed for result in run.of("wait"))
    codes = [call["code"] for call in lab.simulator.calls(number)]
    # One line a poll, whatever the number of hosts.
    assert codes == [0] * len(seen) + [2]
    assert lab.simulator.peak() == 1


def test_forty_hosts_wait_in_vain_together(lab: Lab) -> None:
    """All of them give up at the end of one wait; the second twenty come when it is over, and do not begin another."""
    number = lab.order(life=[_PENDING])
    hosts = lab.fleet("web", 40)
    before = files.snapshot(lab.folder / "hosts")
    task = {
        "name": "wait",
        MODULE: {"order_number": number, "path": "{{ dir }}/cert.pem", "wait_timeout": WAIT, "poll_interval": 60},
    }
    began = time.monotonic()
    run = lab.play(hosts, [task], forks=20).must_fail()
    took = time.monotonic() - began

    results = run.of("wait")
    assert len(results) == 40
    for result in results:
        assert result.status == "failed"
        assert f"Order number {number} is still being processed" in result.message
        assert result.data["order"]["state"] == "pending"
    # One poll at the beginning, one at the end.
    assert [call["code"] for call in lab.simulator.calls(number)] == [0, 0], run.shown
    assert lab.simulator.peak() == 1
    # Forty waits in a row would take ten times as long.
    assert WAIT <= took < 20 * WAIT
    assert files.snapshot(lab.folder / "hosts") == before


def _end_of_wait(run: Run, task: str, state: str, word: str) -> None:
    result = run.one(task)
    assert result.status == "failed", run.shown
    assert word in result.message
    assert "waiting mends" in result.message or word == "revoked"
    assert result.data["order"]["state"] == state


def test_what_no_waiting_mends_ends_a_wait(lab: Lab) -> None:
    """Each of these would wait for an hour, and no poll would come before half of it."""
    cases = {
        "rejected": ("rejected", "rejected"),
        "revoked": ("revoked", "revoked"),
        "awaiting_payment": ("awaiting_payment", "payment"),
    }
    numbers = {state: lab.order(life=[{"state": state}]) for state in cases}
    run = lab.play(
        lab.fleet("web", 1),
        [
            {
                "name": state,
                MODULE: {
                    "order_number": number,
                    "path": "{{ dir }}/cert.pem",
                    "wait_timeout": 3600,
                    "poll_interval": 1800,
                },
                "ignore_errors": True,
            }
            for state, number in numbers.items()
        ],
    ).must_succeed()
    for state, (found, word) in cases.items():
        _end_of_wait(run, state, found, word)
        assert len(lab.simulator.calls(numbers[state])) == 1


def test_pending_may_be_allowed(lab: Lab) -> None:
    """With allow_pending nothing fails, nothing is touched, and the result says what the order waits for."""
    number = lab.order(life=[_PENDING])
    being_issued = lab.order(life=[{"state": "being_issued"}])
    hosts = lab.fleet("web", 2)
    for host in hosts:
        files.write(lab.host_folder(host) / "cert.pem", "of yesterday\n", 0o640)
    before = files.snapshot(lab.folder / "hosts")
    tasks = [
        {
            "name": name,
            MODULE: {
                "order_number": order,
                "path": "{{ dir }}/cert.pem",
                "chain_path": "{{ dir }}/chain.pem",
                "allow_pending": True,
            },
        }
        for name, order in (("pending", number), ("being issued", being_issued))
    ]
    run = lab.play(hosts, tasks).must_succeed()
    for result in run.results:
        assert result.data["issued"] is False
        assert not result.changed
        assert result.data["files"] == []
        assert result.data["certificate"] is None
        assert result.data["order"]["state"] == "pending"
    order = run.one("pending", "web01").data["order"]
    assert order["details"]["ov_callback"] == "in_progress"
    assert [domain["status"] for domain in order["mdc_domains"]] == ["validated", "not_validated", "awaiting_brand"]
    assert run.one("being issued", "web01").data["order"]["status"]["code"] == -26
    assert files.snapshot(lab.folder / "hosts") == before
