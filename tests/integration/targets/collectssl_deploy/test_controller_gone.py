# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that works on itself and is ended: the change comes to one of its two ends without it.

Over ssh, the fleet has it. Here a terminal, or a service manager, has the run and the work in one session.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files, places
from ansible_collections.certfleet.collectssl.tests.support.lab import DEPLOY, Lab
from ansible_collections.certfleet.collectssl.tests.support.web_service import LAYOUT, WebService

_STEPS = ("run_before", "validate", "reload", "look", "back", "run_after")
_ENDS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
_LIFE = [{"state": "issued", "seconds": 10**6}, {"state": "issued"}]
_GATE = (places.COLLECTION / "tests/support/gate.sh").read_text(encoding="utf-8")
_HELD = "{{ dir }}/gate {{ dir }}/held"
_TASK = {
    "name": "deploy",
    DEPLOY: {
        "certificates": [
            {
                "name": "one",
                "layout": "web",
                "order_number": "{{ order }}",
                "endpoints": [{"port": "{{ port }}"}],
                "run_before": [f"{_HELD} run_before true"],
                "validate": f"{_HELD} validate true",
                "run_after": [f"{_HELD} run_after sh -c 'echo $CERTFLEET_FINGERPRINT >{{{{ dir }}}}/after'"],
            }
        ],
        "layouts": {"web": LAYOUT},
        "services": {"web": {"command": f"{_HELD} reload {{{{ dir }}}}/reload"}},
        "probe_retries": 200,
        "probe_delay": 1,
        "command_timeout": 300,
    },
}


class _Held:
    """A host whose deployment is held at a step."""

    def __init__(self, lab: Lab, step: str) -> None:
        self.step = step
        self.folder = lab.host_folder(step)
        self.order = lab.order(life=_LIFE)
        self.service = WebService(self.folder, ["one"])
        self.service.make_keys()
        files.write(self.folder / "gate", _GATE, 0o755)
        (self.folder / "held").mkdir()
        self.before: dict[str, str] = {}

    @property
    def variables(self) -> dict[str, t.Any]:
        return {"order": self.order, "port": self.service.ports["one"]}

    def close(self) -> None:
        self.before = self.service.installed()
        (self.folder / "after").unlink()
        files.write(self.folder / "held/stop", self.step)

    @property
    def reached(self) -> bool:
        return (self.folder / "held/reached").exists()

    def check(self) -> None:
        assert self.service.served() == self.service.installed(), self.step
        assert (self.service.installed() == self.before) == (self.step == "back"), self.step
        assert (self.folder / "after").exists() == (self.step != "back"), self.step
        assert not (self.folder / "tls/.collectssl").exists(), self.step


@pytest.mark.parametrize("end", _ENDS)
def test_controller_gone(end: str, lab: Lab) -> None:
    """For every step: all of one certificate or all of the other, without a further run."""
    hosts = [_Held(lab, step) for step in _STEPS]
    described = {host.step: host.variables for host in hosts}
    with contextlib.ExitStack() as stack:
        for host in hosts:
            stack.callback(host.service.end)
        lab.play(described, [_TASK]).must_succeed()
        for host in hosts:
            lab.simulator.advance(host.order)
            host.close()
        run = stack.enter_context(lab.started(described, [{"tasks": [_TASK]}]))
        assert _until(lambda: all(host.reached for host in hosts))
        family = _family(run.popen.pid)
        working = {pid for pid in family if "ansible-playbook" not in _command(_session(pid))}
        at_work = _sessions(working)
        assert len(at_work) == len(_STEPS)
        playing = min(pid for pid in family if "ansible-playbook" in _command(pid))
        if end == "int":
            os.killpg(os.getpgid(playing), signal.SIGINT)
        elif end == "term":
            os.kill(playing, signal.SIGTERM)
        # It may wait for what it has started, or have done with it.
        if end != "kill":
            _until(lambda: not _command(playing), seconds=5)
        # What is left of the controller has no part in it any more.
        for pid in family - working:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for host in hosts:
            (host.folder / "held/go").touch()
        assert _until(lambda: not any(_command(pid) for pid in at_work))
        for host in hosts:
            host.check()


def _until(fact: t.Callable[[], bool], seconds: float = 120) -> bool:
    """Whether something is so in time."""
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on: state, parent, group, session; empty where it is gone."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return []


def _family(first: int) -> set[int]:
    """A process and all that come from it."""
    parents = {int(name): _stat(int(name)) for name in os.listdir("/proc") if name.isdigit()}
    found = {first}
    while more := {pid for pid, stat in parents.items() if stat and int(stat[1]) in found} - found:
        found |= more
    return found


def _session(pid: int) -> int:
    return int((_stat(pid) or ["", "", "", "0"])[3])


def _sessions(pids: t.Iterable[int]) -> set[int]:
    """The sessions in which the work goes on; each command that it runs has one of its own."""
    return {pid for pid in pids if _session(pid) == pid and "gate" not in _command(pid)}


def _command(pid: int) -> str:
    """The command line of a process; empty where it is gone, or waits for its parent to take note of that."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    return ""
