# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forty hosts and twenty forks on one order cost one call, whatever its outcome."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.support import files, simulator
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

HOSTS = 40
FORKS = 20
#: Enough of them for a second run, as each costs a process there too.
AGAIN = 8


def _task(name: str, **options: t.Any) -> dict[str, t.Any]:
    return {"name": name, MODULE: {"fullchain_path": "{{ dir }}/fullchain.pem", **options}}


def _outcomes(run: Run, task: str, status: str, hosts: int = HOSTS) -> None:
    results = run.of(task)
    assert len(results) == hosts, run.shown
    assert {result.status for result in results} == {status}, run.shown


def test_forty_hosts_are_served_by_one_call(lab: Lab) -> None:
    """An issued order: one call installs it everywhere, and the next run changes nothing."""
    number = lab.order()
    hosts = lab.fleet("web", HOSTS)
    task = _task("install", order_number=number, privatekey_path="{{ dir }}/key.pem", path="{{ dir }}/cert.pem")

    first = lab.play(hosts, [task], forks=FORKS).must_succeed()
    _outcomes(first, "install", "ok")
    assert all(result.changed for result in first.results)
    assert len(lab.simulator.calls()) == 1
    assert lab.simulator.peak() == 1
    assert len({(lab.host_folder(host) / "fullchain.pem").read_bytes() for host in hosts}) == 1
    installed = files.snapshot(lab.folder / "hosts")

    lab.simulator.reset()
    second = lab.play(dict(list(hosts.items())[:AGAIN]), [task], forks=FORKS).must_succeed()
    _outcomes(second, "install", "ok", AGAIN)
    assert not any(result.changed for result in second.results)
    # A new run asks anew, since the same order may have been reissued.
    assert len(lab.simulator.calls()) == 1
    assert files.snapshot(lab.folder / "hosts") == installed


def test_forty_hosts_share_a_failure(lab: Lab) -> None:
    """Pending, refused and wrong password: each is asked once, and every host says the same."""
    pending = lab.order(life=[{"state": "pending"}])
    foreign = lab.order(account=simulator.OTHER_LOGIN)
    issued = lab.order()
    hosts = lab.fleet("web", HOSTS)
    before = files.snapshot(lab.folder / "hosts")
    run = lab.play(
        hosts,
        [
            {**_task("pending", order_number=pending), "ignore_errors": True},
            {**_task("foreign", order_number=foreign), "ignore_errors": True},
            {
                **_task("wrong password", order_number=issued, login_name=simulator.LOGIN, login_password="wrong"),
                "ignore_errors": True,
            },
        ],
        forks=FORKS,
    ).must_succeed()

    for task, words in (
        ("pending", "still being processed"),
        ("foreign", f"The provider refused order number {foreign} with status -16"),
        ("wrong password", f"The provider refused order number {issued} with status -16"),
    ):
        _outcomes(run, task, "failed")
        messages = {result.message for result in run.of(task)}
        assert len(messages) == 1, messages
        (message,) = messages
        assert words in message
    assert [len(lab.simulator.calls(number)) for number in (pending, foreign, issued)] == [1, 1, 1]
    assert len(lab.simulator.calls()) == 3
    assert lab.simulator.peak() == 1
    assert files.snapshot(lab.folder / "hosts") == before
