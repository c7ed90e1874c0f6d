# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs whose controller is gone for good, however the host was reached: it comes to one of its two ends by itself.

Each certificate here has a new key, which moves to its place together with it. A run is held at a step, the controller
is ended, and the run goes on: then all of the new certificate is in service, or all of the old one, and nothing else.
"""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import (
    FOLDER,
    RENEWED,
    FleetRun,
    Stage,
    kill_modules,
)
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Host
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_gates import (
    PROGRAM,
    SCRIPT,
    STEPS,
    Gate,
    commands,
)

_USER = "someone"
_NOTICING = "printf 'ClientAliveInterval 1\\nClientAliveCountMax 2\\n'"
_BECOME = {"ansible_user": _USER, "ansible_become": True}
_SUDO, _SU = {**_BECOME, "ansible_become_method": "sudo"}, {**_BECOME, "ansible_become_method": "su"}


class _Way(t.NamedTuple):
    """How a host is reached, and what its sudoers file says of terminals."""

    name: str
    variables: dict[str, t.Any]
    pty: str = "use_pty"


# Without pipelining there is a terminal.
_WAYS = [
    _Way(f"{name}{'' if pipelining else ' in a terminal'}", {**how, "ansible_pipelining": pipelining}, pty)
    for pipelining in (True, False)
    for name, how, pty in (
        ("root", {}, "use_pty"),
        ("sudo", _SUDO, "!use_pty"),
        ("sudo with use_pty", _SUDO, "use_pty"),
        ("su", _SU, "use_pty"),
    )
]
_ENDS = ("kill", "term", "int", "cut")
_AT_ONCE = ("-e", '{"collectssl_deploy_serial": ["100%"]}', "-f", "24")
_PLACES = len(_WAYS) * 2


class _Case(t.NamedTuple):
    """A host that is reached in a way, and the step at which it is held."""

    host: Host
    way: _Way
    step: str


def _case(stage: Stage, number: int, turn: int) -> _Case:
    """One for each of the hosts; in four turns each way meets every step, and each end every way."""
    name = list(stage.fleet.hosts)[number]
    step = STEPS[(number + 2 * turn + number // len(_WAYS)) % len(STEPS)]
    return _Case(stage.fleet.hosts[name], _WAYS[number % len(_WAYS)], step)


@pytest.fixture(scope="module")
def held(stage: Stage) -> Stage:
    """A stage on which deployments can be held, and hosts be reached in all ways."""
    told = commands("{{ fleet_validate[fleet_service] }}", "service {{ fleet_unit }} reload")
    reload = told.pop("reload")
    stage.settings(
        collectssl_deploy_certificates=[{**stage.certificate, **told}],
        collectssl_deploy_services="{{ {fleet_unit: {'command': fleet_reload}} }}",
        fleet_reload=reload,
        collectssl_deploy_probe_retries=200,
        collectssl_deploy_command_timeout=300,
    )
    for number, (name, host) in enumerate(stage.fleet.hosts.items()):
        way = _WAYS[number % len(_WAYS)]
        host.run(["useradd", "-m", "-p", "*", "-s", "/bin/sh", _USER])
        host.run(["sh", "-c", f"cp -a /root/.ssh /home/{_USER}/ && chown -R {_USER}: /home/{_USER}"])
        host.write(f"/etc/sudoers.d/{_USER}", f"Defaults {way.pty}\n{_USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
        host.run(["sed", "-i", "1i auth sufficient pam_permit.so", "/etc/pam.d/su"])
        # Who is cut off is to be noticed soon.
        host.run(["sh", "-c", f"{_NOTICING} >>/etc/ssh/sshd_config && kill -HUP $(cat /run/sshd.pid)"])
        host.write(PROGRAM, SCRIPT.read_text(encoding="utf-8"), 0o755)
        assert name == host.name
    inventory = {"all": {"hosts": {name: _WAYS[n % len(_WAYS)].variables for n, name in enumerate(stage.fleet.hosts)}}}
    (stage.fleet.directory / "ways.json").write_text(json.dumps(inventory))
    return stage


def _arguments(stage: Stage, order: str) -> list[str]:
    """Those of a run for an order, on hosts that are reached in all ways."""
    inventories = ["-i", str(stage.fleet.inventory), "-i", str(stage.fleet.directory / "ways.json")]
    return [*inventories, *_AT_ONCE, "-e", f"fleet_order={order}"]


class _Turn:
    """A run on some hosts, each held at a step."""

    def __init__(self, stage: Stage, cases: t.Sequence[_Case], order: str) -> None:
        self.stage = stage
        self.cases = cases
        self.order = order
        self.names = [case.host.name for case in cases]
        stage.put_keys(order, self.names)
        self.gates = [Gate(case.host) for case in cases]
        for case, gate in zip(cases, self.gates, strict=True):
            gate.close(case.step)
        self.before = {name: stage.state(name) for name in self.names}

    def start(self, output: int | t.IO[str] = subprocess.DEVNULL, **environment: str) -> subprocess.Popen[str]:
        """Run it, and return when each host is held."""
        run = self.stage.start(self.names, *_arguments(self.stage, self.order), output=output, **environment)
        for gate in self.gates:
            gate.wait_until_reached()
        return run

    def end_well(self) -> None:
        """Let all go on, and see each come to its end."""
        for gate in self.gates:
            gate.let_go()
        for gate in self.gates:
            gate.wait_until_over()

    def check(self, old: t.Mapping[str, set[str]]) -> None:
        """See that each host has the one or the other, as the step says, and nothing else."""
        served = self.stage.served(*self.names)
        new: list[dict[str, str]] = []
        for case, gate in zip(self.cases, self.gates, strict=True):
            name, state = case.host.name, self.stage.state(case.host.name)
            assert self.stage.left(name) == [], case
            if case.step == "back":
                assert state == self.before[name], case
                assert served[name] == old[name], case
                assert gate.after == "", case
            else:
                assert f"{FOLDER}/next.pem" not in state, case
                assert served[name] == {gate.after} != old[name], case
                new.append(state)
            gate.open_for_good()
        assert new == new[:1] * len(new)


def _cut(stage: Stage, cases: t.Sequence[_Case], state: str) -> None:
    for case in cases:
        done = stage.fleet.run_in_controller(["ip", "link", "set", case.host.plan.link, state])
        assert done.returncode == 0, done.stderr


def _wait_until_cut_off(host: Host) -> None:
    """Return when the host has noticed that nobody is at the other end."""
    host.run(["sh", "-c", f"while pgrep -f 'sshd.*: (root|{_USER})' >/dev/null; do sleep 0.1; done"])


@pytest.mark.parametrize("end", _ENDS)
def test_controller_gone(end: str, held: Stage) -> None:
    """For every step: all of one certificate or all of the other, without a further run."""
    turn = _ENDS.index(end)
    cases = [_case(held, number, turn) for number in range(_PLACES)]
    old = held.served(*(case.host.name for case in cases))
    this = _Turn(held, cases, RENEWED[turn])
    run = this.start()
    if end == "cut":
        _cut(held, cases, "down")
        for case in cases:
            _wait_until_cut_off(case.host)
        held.fleet.kill_tree(run)
    else:
        number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}[end]
        held.fleet.end_tree(run, number)
    this.end_well()
    if end == "cut":
        _cut(held, cases, "up")
    this.check(old)


def test_time_is_up(held: Stage, tmp_path: pathlib.Path) -> None:
    """The task has a timeout: it fails, the run goes on without it, and the host comes to its end."""
    cases = [_case(held, number, number) for number in range(_PLACES, _PLACES + len(_WAYS))]
    old = held.served(*(case.host.name for case in cases))
    this = _Turn(held, cases, RENEWED[4])
    with (tmp_path / "output").open("w+", encoding="utf-8") as output:
        # Long enough for each to come to its step.
        run = this.start(output, ANSIBLE_TASK_TIMEOUT="25")
        code = run.wait(timeout=300)
        output.seek(0)
        outcome = FleetRun(code, output.read())
    assert outcome.code != 0
    this.end_well()
    this.check(old)


def _next_run(held: Stage, this: _Turn, old: t.Mapping[str, set[str]]) -> None:
    """The next run ends as an undisturbed one does: with all of the new certificate, and its hook."""
    for gate in this.gates:
        gate.open_for_good()
    healed = held.run(this.names, *_arguments(held, this.order))
    assert healed.code == 0, healed.text
    served = held.served(*this.names)
    states = [held.state(name) for name in this.names]
    assert states == [states[0]] * len(states)
    assert f"{FOLDER}/next.pem" not in states[0]
    for name, gate in zip(this.names, this.gates, strict=True):
        assert held.left(name) == [], name
        assert served[name] == {gate.after} != old[name], name
    again = held.run(this.names, *_arguments(held, this.order))
    assert {counts["changed"] for counts in again.recap().values()} == {0}


@pytest.mark.parametrize("what", ["module", "host"])
def test_killed_the_next_run_ends_it(what: str, held: Stage) -> None:
    """The module with all that is of it, or the whole host; a hook that is due runs all the same."""
    first = _PLACES if what == "module" else 0
    # A host that dies between a key and its certificate comes back with a server that starts only if it reads both from
    # one file, as HAProxy does.
    steps = ["run_before", "validate", "switch", "reload", "look", "back", "run_after"]
    assert sorted(steps) == sorted(STEPS)
    cases = [_case(held, first + index, 0)._replace(step=step) for index, step in enumerate(steps)]
    order = RENEWED[5 if what == "module" else 6]
    old = held.served(*(case.host.name for case in cases))
    this = _Turn(held, cases, order)
    run = this.start()
    held.fleet.kill_tree(run)
    if what == "module":
        for gate in this.gates:
            kill_modules(gate.host)
            gate.kill()
    else:
        held.fleet.kill_hosts([case.host.plan for case in cases])
        held.fleet.start_hosts([case.host.plan for case in cases])
        held.fleet.wait_until_ready(this.names)
    _next_run(held, this, old)


def test_killed_between_two_looks_of_the_controller(held: Stage) -> None:
    """The new files are in service, the old ones are kept, and the next run ends that."""
    cases = [_case(held, number, 0)._replace(step="look") for number in range(_PLACES, _PLACES + 4)]
    old = held.served(*(case.host.name for case in cases))
    this = _Turn(held, cases, RENEWED[7])
    held.settings(collectssl_deploy_probe_from="controller")
    run = this.start()
    for gate in this.gates:
        gate.wait_until_over()
    held.fleet.kill_tree(run)
    this.end_well()
    with held.probing(this.names) as prober:
        while not all(set(prober.fingerprints(name)) - old[name] for name in this.names):
            prober.wait_for(1)
    served = held.served(*this.names)
    for name in this.names:
        assert served[name] != old[name]
        assert f"{FOLDER}/.collectssl" in held.left(name)
        assert f"{FOLDER}/next.pem" not in held.state(name)
    _next_run(held, this, old)
    assert held.served(*this.names) == served
    held.settings(collectssl_deploy_probe_from="target")
