# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed outright: its workers live on, find that out, and neither ask again nor install anything."""

from __future__ import annotations

import os
import pathlib
import signal
import sys
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files
from ansible_collections.certfleet.collectssl.tests.support.lab import LOOKUP, MODULE, Lab, Process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads processes from /proc")

#: So long that a worker which does not look whether its run goes on outlives the test.
_LONG = 600
_SECONDS = 120
_LIFE = [{"state": "pending", "calls": 10**6}, {"state": "issued"}]
_HOSTS = 3


def _children(pid: int) -> set[int]:
    listed = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return {int(word) for word in listed.split()}


def _goes_on(pid: int) -> bool:
    """Whether a process is there and has not ended; who takes orphans in may never ask what became of them."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def _until(holds: t.Callable[[], t.Any], what: str) -> None:
    end = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def _kill_run(process: Process) -> set[int]:
    """Kill the main process of a run and nothing else, and name its workers."""
    (main,) = _children(process.popen.pid)
    workers = _children(main)
    assert workers
    os.kill(main, signal.SIGKILL)
    assert any(_goes_on(worker) for worker in workers)
    return workers


def _end_of(workers: set[int]) -> None:
    _until(lambda: not any(_goes_on(worker) for worker in workers), "workers outlive their run")


@pytest.mark.parametrize("door", ["module", "lookup"])
def test_who_waits_for_an_order_ends_with_the_run(lab: Lab, door: str) -> None:
    """The order is issued after the run's end, and nobody asks for it any more."""
    number = lab.order(life=_LIFE)
    waiting = {"wait_timeout": _LONG, "poll_interval": 1}
    given = ", ".join(f"{name}={value}" for name, value in waiting.items())
    tasks: dict[str, dict[str, t.Any]] = {
        "module": {MODULE: {"order_number": number, "path": "{{ dir }}/cert.pem", **waiting}},
        "lookup": {
            "ansible.builtin.copy": {
                "content": f"{{{{ lookup('{LOOKUP}', '{number}', {given}) }}}}",
                "dest": "{{ dir }}/cert.pem",
            }
        },
    }
    hosts = lab.fleet("web", _HOSTS)
    before = files.snapshot(lab.folder / "hosts")
    with lab.started(hosts, [{"tasks": [tasks[door]]}]) as process:
        _until(lambda: len(lab.simulator.calls(number)) > 1, "no second call")
        workers = _kill_run(process)
        assert len(workers) == _HOSTS
        asked = len(lab.simulator.calls(number))
        lab.simulator.advance(number)
        _end_of(workers)
    # One may have been under way.
    assert len(lab.simulator.calls(number)) <= asked + 1
    assert files.snapshot(lab.folder / "hosts") == before


def test_what_comes_after_the_end_of_a_run_is_not_installed(lab: Lab) -> None:
    """The run is killed while the provider answers: the certificate comes, and nobody is told to install it."""
    number, other = lab.order(), lab.order()
    task = {MODULE: {"order_number": "{{ number }}", "path": "{{ dir }}/cert.pem"}}
    hosts = {**lab.fleet("web", 2, number=number), **lab.fleet("mail", 1, number=other)}
    before = files.snapshot(lab.folder / "hosts")
    lab.simulator.control("delay", {"seconds": 4})
    with lab.started(hosts, [{"tasks": [task]}]) as process:
        _until(lambda: lab.simulator.control("status")["in_flight"], "no call")
        # The others wait for the call of their order, and for the turn of the account.
        (main,) = _children(process.popen.pid)
        _until(lambda: len(_children(main)) == len(hosts), "too few workers")
        _end_of(_kill_run(process))
    assert len(lab.simulator.calls()) == 1
    assert files.snapshot(lab.folder / "hosts") == before
