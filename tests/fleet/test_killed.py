# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the role that are killed: the next one ends as an undisturbed one, and clients never notice.

Each certificate here has a new key, which moves to its place together with it. So an endpoint that took one without the
other would be seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import typing as t

from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import (
    FOLDER,
    PENDING,
    RENEWED,
    SERVICES,
    Stage,
    held_reload,
    kill_modules,
    wait_for_held_reload,
)
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Call, Trap

# As many hosts as there are points, and one that nothing happens to.
_HOSTS = 16
_AT_ONCE = ("-e", '{"collectssl_deploy_serial": ["100%"]}', "-f", str(_HOSTS))


class Point(t.NamedTuple):
    """The number of a call before which a run has done some part of its work, and whether that can still be undone."""

    number: int
    goes_back: bool


class Undisturbed(t.NamedTuple):
    """What a run does that nothing happens to."""

    points: list[Point]
    state: dict[str, str]
    served: set[str]


def _renames(calls: t.Sequence[Call]) -> list[int]:
    """The numbers of the calls that put a file in its place, or take it away, hidden files left out."""
    return [
        number
        for number, call in enumerate(calls, 1)
        if os.path.dirname(call.path) == FOLDER and not os.path.basename(call.path).startswith(".")
    ]


def _undisturbed(stage: Stage, order: str, names: t.Sequence[str]) -> Undisturbed:
    """Deploy to the first of the hosts, and put the key on all of them."""
    stage.renew(order, names)
    trap = Trap(stage.fleet.hosts[names[0]], FOLDER)
    trap.record()
    outcome = stage.run(names[:1])
    assert outcome.code == 0, outcome.text
    calls = trap.calls()
    trap.disarm()
    renames = _renames(calls)
    # And root and chain, where these are new; the key's old place is the last.
    named = [os.path.basename(calls[number - 1].path) for number in renames]
    assert named[-5:] == ["privkey.pem", "combined.pem", "fullchain.pem", "cert.pem", "next.pem"]
    # The journal is written when all is ready, and when all is in its place, and it goes when all is in service; what
    # is due then is in it until that is done.
    journal = [number for number, call in enumerate(calls, 1) if os.path.basename(call.path).startswith("journal")]
    written, held, *due, closed = journal
    assert [calls[number - 1].operation for number in journal] == [*["rename"] * (2 + len(due)), "unlink"]
    assert written < renames[0]
    assert renames[-1] < held
    numbers = [1, written, written + 1, *renames, held, held + 1, *due, closed, closed + 1, len(calls)]
    points = [Point(number, number <= held) for number in numbers]
    return Undisturbed(points, stage.state(names[0]), stage.served(names[0])[names[0]])


def _assert_same_end(stage: Stage, names: t.Sequence[str], undisturbed: Undisturbed) -> None:
    """The next run ends as the undisturbed one did."""
    healed = stage.run(names, *_AT_ONCE)
    assert healed.code == 0, healed.text
    _assert_ended(stage, names, undisturbed)


def _assert_ended(stage: Stage, names: t.Sequence[str], undisturbed: Undisturbed) -> None:
    """It ended as the undisturbed one did."""
    served = stage.served(*names)
    for name in names:
        assert stage.state(name) == undisturbed.state, name
        assert served[name] == undisturbed.served, name
        assert stage.left(name) == [], name


def _point(undisturbed: Undisturbed, index: int) -> Point:
    """The point for one of the hosts: each has one of its own, until all have been given out."""
    return undisturbed.points[index % len(undisturbed.points)]


def _hosts(stage: Stage) -> list[str]:
    return list(stage.fleet.hosts)[:_HOSTS]


def test_module_killed(stage: Stage) -> None:
    """SIGKILL to the work of the module at each point: the run that sees it goes back, and the next one goes through.

    Where all is in its place already, the run that sees it proves that, and ends well.
    """
    names = _hosts(stage)
    undisturbed = _undisturbed(stage, RENEWED[0], names)
    others = names[1:]
    assert {point.number for point in undisturbed.points} == {
        _point(undisturbed, index).number for index in range(len(others))
    }
    before = stage.state(others[0])
    with stage.probing(others, interval=0.5) as prober:
        traps = {}
        for index, name in enumerate(others):
            traps[name] = Trap(stage.fleet.hosts[name], FOLDER)
            traps[name].kill_before(_point(undisturbed, index).number)
        killed = stage.run(others, *_AT_ONCE)
        assert killed.code != 0
        assert {name for name in others if traps[name].reached} == set(others), killed.text
        served = stage.served(*others)
        for index, name in enumerate(others):
            traps[name].disarm()
            back = _point(undisturbed, index).goes_back
            assert killed.recap()[name]["failed"] == int(back), killed.text
            assert "The process that worked on this host was killed." in killed.words
            assert stage.state(name) == (before if back else undisturbed.state), (name, killed.text)
            assert served[name] == ({stage.fleet.initial.fingerprint} if back else undisturbed.served), name
            assert stage.left(name) == [], name
        _assert_same_end(stage, others, undisturbed)
        assert prober.failures() == []
        allowed = undisturbed.served | {stage.fleet.initial.fingerprint}
        assert {seen.fingerprint for seen in prober.observations()} == allowed


def test_controller_killed(stage: Stage) -> None:
    """SIGKILL to all of the controller with a module at each point: it goes through without one.

    Every second module is killed, too: the next run ends what it had begun.
    """
    names = _hosts(stage)
    undisturbed = _undisturbed(stage, RENEWED[1], names)
    others = names[1:]
    old = stage.served(others[0])[others[0]]
    with stage.probing(others, interval=0.5) as prober:
        traps = [Trap(stage.fleet.hosts[name], FOLDER) for name in others]
        for index, trap in enumerate(traps):
            trap.hold_before(_point(undisturbed, index).number)
        run = stage.start(others, *_AT_ONCE)
        for trap in traps:
            trap.wait_until_reached()
        stage.fleet.kill_tree(run)
        for index, trap in enumerate(traps):
            if index % 2:
                kill_modules(trap.host)
            else:
                trap.let_go()
            trap.disarm()
        _assert_ended(stage, others[::2], undisturbed)
        _assert_same_end(stage, others, undisturbed)
        assert prober.failures() == []
        assert {seen.fingerprint for seen in prober.observations()} == undisturbed.served | old


def test_host_killed(stage: Stage) -> None:
    """All processes of a host at each point, and it comes back: the next run ends as an undisturbed one.

    A server that finds a certificate without its key does not start then. What was due is run.
    """
    names = _hosts(stage)
    told = "/var/log/told"
    command = f"sh -c 'echo $CERTFLEET_FINGERPRINT >>{told}'"
    stage.settings(collectssl_deploy_certificates=[{**stage.certificate, "run_after": [command]}])
    undisturbed = _undisturbed(stage, RENEWED[4], names)
    others = names[1:]
    hosts = [stage.fleet.hosts[name] for name in others]
    traps = [Trap(host, FOLDER) for host in hosts]
    for index, trap in enumerate(traps):
        trap.hold_before(_point(undisturbed, index).number)
    # Servers that find the new key and the old certificate.
    between = [next(trap for trap in reversed(traps) if trap.host.service == name) for name in ("nginx", "apache")]
    for trap in between:
        trap.hold_before(f"{FOLDER}/fullchain.pem")
    run = stage.start(others, *_AT_ONCE)
    for trap in traps:
        trap.wait_until_reached()
    for host in hosts:
        host.kill()
    stage.fleet.end_tree(run, signal.SIGKILL)
    for host in hosts:
        host.start()
    for host in hosts:
        host.wait_until_booted()
    for trap in between:
        assert trap.host.run(["service", trap.host.unit, "status"], check=False).returncode != 0
    _assert_same_end(stage, others, undisturbed)
    last = {host.run(["tail", "-n", "1", told]).stdout.strip() for host in (stage.fleet.hosts[names[0]], *hosts)}
    assert last == undisturbed.served
    again = stage.run(names, *_AT_ONCE)
    assert {counts["changed"] for counts in again.recap().values()} == {0}, again.text
    stage.settings(collectssl_deploy_certificates=[stage.certificate])


def test_killed_before_the_reload(stage: Stage) -> None:
    """All files are new and no service knows it: the next run has each reload once, if a renewal is pending, too."""
    names = [stage.fleet.of(service)[1].name for service in SERVICES]
    hosts = [stage.fleet.hosts[name] for name in names]
    stage.renew(RENEWED[2], names)
    old = stage.served(*names)
    with held_reload(hosts):
        run = stage.start(names, *_AT_ONCE)
        for host in hosts:
            wait_for_held_reload(host)
        stage.fleet.kill_tree(run)
        for host in hosts:
            kill_modules(host)
    reloads = stage.reloads(names)
    assert stage.served(*names) == old
    waiting = names[::2]
    stage.settings(fleet_order=f"{{{{ '{PENDING}' if inventory_hostname in {waiting} else '{RENEWED[2]}' }}}}")
    healed = stage.run(names)
    assert healed.code == 0, healed.text
    assert stage.reloads(names) == {name: count + 1 for name, count in reloads.items()}
    served = stage.served(*names)
    for name in names:
        assert len(served[name]) == 1
        assert not served[name] & old[name]
        assert stage.left(name) == []
    assert len(set().union(*served.values())) == 1
    again = stage.run(names)
    assert again.code == 0
    assert {counts["changed"] for counts in again.recap().values()} == {0}


def test_killed_while_going_back(stage: Stage) -> None:
    """SIGKILL to the controller while files are put back: they are without it, and the next run goes through.

    To every second module, too: the next run goes through as well.
    """
    names = [stage.fleet.of(service)[4].name for service in SERVICES]
    hosts = [stage.fleet.hosts[name] for name in names]
    stage.renew(RENEWED[3], names)
    before = stage.state(names[0])
    old = stage.served(*names)
    with stage.probing(names, interval=0.5) as prober:
        with contextlib.ExitStack() as obstacles:
            for host in hosts:
                obstacles.enter_context(host.replaced_reload("exit 1"))
            points = _points_of_going_back(stage, names[0])
            assert stage.state(names[0]) == before
            traps = [Trap(host, FOLDER) for host in hosts]
            for trap, point in zip(traps, points, strict=True):
                trap.hold_before(point)
            run = stage.start(names, *_AT_ONCE)
            for trap in traps:
                trap.wait_until_reached()
            stage.fleet.kill_tree(run)
            for trap in traps[::2]:
                trap.let_go()
            for trap in traps[1::2]:
                kill_modules(trap.host)
            for trap in traps:
                trap.disarm()
        for name in names[::2]:
            assert stage.state(name) == before
            assert stage.left(name) == []
        healed = stage.run(names, *_AT_ONCE)
        assert healed.code == 0, healed.text
        served = stage.served(*names)
        assert prober.failures() == []
        seen = {one.fingerprint for one in prober.observations()}
    assert len(set().union(*served.values())) == 1
    assert seen == old[names[0]] | served[names[0]]
    assert not served[names[0]] & old[names[0]]
    states = [stage.state(name) for name in names]
    assert [stage.left(name) for name in names] == [[]] * len(names)
    assert f"{FOLDER}/next.pem" not in states[0]
    assert states == [states[0]] * len(names)


def _points_of_going_back(stage: Stage, name: str) -> list[int]:
    """A deployment that fails here: before the first file is put back, in between, before and after the last one."""
    trap = Trap(stage.fleet.hosts[name], FOLDER)
    trap.record()
    failed = stage.run([name])
    assert "Its files are as they were." in failed.failure(name)
    calls = trap.calls()
    trap.disarm()
    moved = _renames(calls)
    # What was moved there is moved back.
    there, back = moved[: len(moved) // 2], moved[len(moved) // 2 :]
    assert {calls[number - 1].path for number in back} == {calls[number - 1].path for number in there}
    assert len(there) == len(back) > 4
    return [back[0], back[len(back) // 2], back[-1], back[-1] + 1]
