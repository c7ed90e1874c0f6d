# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook deploy, on hosts with real servers: what is served, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import json
import pathlib
import typing as t

from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import (
    FOLDER,
    SERVICES,
    FleetRun,
    Stage,
)
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Fleet, Host, Trap


def _one_of_each(fleet: Fleet) -> list[str]:
    return [fleet.of(service)[0].name for service in SERVICES]


def _seen(stage: Stage, names: t.Sequence[str]) -> dict[str, tuple[set[str], dict[str, str]]]:
    """What each host serves, and the state of its files."""
    served = stage.served(*names)
    return {name: (served[name], stage.state(name)) for name in names}


def test_first_second_and_reissue(stage: Stage) -> None:
    """A whole fleet: one call, one reload a host and certificate, and no client that ever notices."""
    fleet = stage.fleet
    two = list(fleet.hosts)[:2]
    states = {name: stage.state(name) for name in two}
    predicted = stage.run(two, "--check", "--diff")
    assert predicted.code == 0, predicted.text
    assert {counts["changed"] > 0 for counts in predicted.recap().values()} == {True}
    for name in two:
        foreseen = predicted.result(name)
        assert foreseen["services"] == [{"name": fleet.hosts[name].unit, "action": "reloaded"}]
        assert predicted.states(name) == {"www": "in_service"}
        assert "would be brought into service" in foreseen["msg"]
    assert "PRIVATE KEY" not in predicted.text
    assert {name: stage.state(name) for name in two} == states

    calls = len(stage.simulator.calls())
    with stage.probing(interval=1) as prober:
        first = stage.run()
        assert first.code == 0, first.text
        assert {counts["failed"] for counts in first.recap().values()} == {0}
        assert len(stage.simulator.calls()) == calls + 1

        states = {name: stage.state(name) for name in fleet.hosts}
        second = stage.run()
        assert second.code == 0, second.text
        assert set(second.recap()) == set(fleet.hosts)
        assert {counts["changed"] for counts in second.recap().values()} == {0}
        assert set(stage.reloads(fleet.hosts).values()) == {1}
        assert {name: stage.state(name) for name in fleet.hosts} == states

        stage.reissue()
        third = stage.run()
        assert third.code == 0, third.text
        assert set(stage.reloads(fleet.hosts).values()) == {2}
        prober.wait_for(2)
        assert prober.failures() == []
        histories = {tuple(prober.fingerprints(name)) for name in fleet.hosts}
    assert len(stage.simulator.calls()) == calls + 3
    assert stage.simulator.peak() == 1
    # While a service reloads, its old processes and its new ones answer in turn.
    assert len({history[-1] for history in histories}) == 1, histories
    for history in histories:
        assert len(set(history)) == 3, histories
        assert history[0] == fleet.initial.fingerprint
    for name in fleet.hosts:
        assert not [path for path in stage.state(name) if "/." in path]


@contextlib.contextmanager
def _edited(host: Host, path: str, expression: str) -> t.Iterator[None]:
    host.run(["cp", "-a", path, f"{path}.kept"])
    host.run(["sed", "-i", expression, path])
    try:
        yield
    finally:
        host.run(["mv", f"{path}.kept", path])


def _refused_configuration(host: Host) -> contextlib.AbstractContextManager[None]:
    return _edited(host, "/etc/nginx/nginx.conf", "1i no_such_directive on;")


def _reload_fails(host: Host) -> contextlib.AbstractContextManager[None]:
    return host.replaced_reload("exit 1")


def _reload_does_nothing(host: Host) -> contextlib.AbstractContextManager[None]:
    return host.replaced_reload("exit 0")


def _read_only(host: Host) -> contextlib.AbstractContextManager[None]:
    return host.read_only(FOLDER)


@contextlib.contextmanager
def _full_disk(host: Host) -> t.Iterator[None]:
    filler = f"{FOLDER}/filler"
    with host.small_disk(FOLDER):
        host.run(["sh", "-c", f"dd if=/dev/zero of={filler} bs=1k; truncate -s -8k {filler}"])
        try:
            yield
        finally:
            host.run(["rm", filler])


class _Obstacle(t.NamedTuple):
    obstruct: t.Callable[[Host], contextlib.AbstractContextManager[None]]
    state: str
    words: list[str]


_BACK = "Its files are as they were."
_REFUSED = "did not take the new files"
# Those with Apache are hosts that systemd runs.
_OBSTACLES = {
    # Found before anything was to be done.
    "apache1": _Obstacle(_read_only, "refused", [f"{FOLDER}/", "Read-only file system", "No file was changed."]),
    "nginx1": _Obstacle(
        _refused_configuration, "rolled_back", ["validate: the command nginx", "no_such_directive", _BACK]
    ),
    "haproxy1": _Obstacle(_full_disk, "failed", [f"{FOLDER}/", "No space left on device", "No file was changed."]),
    "nginx2": _Obstacle(
        _reload_fails, "rolled_back", [f"nginx {_REFUSED}", _BACK, f"With them back: The service nginx {_REFUSED}"]
    ),
    "apache2": _Obstacle(
        _reload_fails, "rolled_back", [f"apache2 {_REFUSED}", _BACK, f"With them back: The service apache2 {_REFUSED}"]
    ),
    "apache3": _Obstacle(_reload_does_nothing, "rolled_back", ["apache3 port 443", "it shows", _BACK]),
}
_UNOBSTRUCTED, _LATER = "postfix1", ["haproxy3", "postfix3"]


def test_obstacles(stage: Stage) -> None:
    """Canaries that fail serve what they served, another one goes through, and no host behind them is touched."""
    hosts = stage.fleet.hosts
    canaries = [name for name in hosts if name in _OBSTACLES or name == _UNOBSTRUCTED]
    names = [*canaries, *_LATER]
    before = _seen(stage, names)
    stage.reissue()
    with contextlib.ExitStack() as obstacles:
        for name, obstacle in _OBSTACLES.items():
            obstacles.enter_context(obstacle.obstruct(hosts[name]))
        outcome = stage.run(names, "-e", json.dumps({"collectssl_deploy_serial": [len(canaries), "100%"]}))
        assert stage.served(*_OBSTACLES) == {name: before[name][0] for name in _OBSTACLES}
    assert outcome.code != 0
    assert {name: counts["failed"] for name, counts in outcome.recap().items()} == {
        name: int(name in _OBSTACLES) for name in names
    }, outcome.text
    for name, obstacle in _OBSTACLES.items():
        assert outcome.states(name) == {"www": obstacle.state}
        said = outcome.failure(name)
        for word in obstacle.words:
            assert word in said, (name, said)
    # What was found before anything changed stops nobody.
    lost = ", ".join(name for name in canaries if name in _OBSTACLES and _OBSTACLES[name].state == "rolled_back")
    assert f"Stopped before {_LATER[0]}, which is as it was: {lost} failed or could not be reached." in outcome.words
    after = _seen(stage, names)
    assert after.pop(_UNOBSTRUCTED) != before.pop(_UNOBSTRUCTED)
    assert after == before


def test_host_goes_away(stage: Stage, tmp_path: pathlib.Path) -> None:
    """One of two canaries goes away between two renames: the other one is done, no further host is touched."""
    fleet = stage.fleet
    names = _one_of_each(fleet)
    lost, other, *rest = names
    settled = stage.run(names)
    assert settled.code == 0, settled.text
    stage.reissue()
    before = _seen(stage, names)
    Trap(fleet.hosts[lost], FOLDER).hold_before(f"{FOLDER}/fullchain.pem")
    with (tmp_path / "output").open("w+", encoding="utf-8") as output:
        run = stage.start(names, "-e", '{"collectssl_deploy_serial": [2, "100%"]}', output=output)
        Trap(fleet.hosts[lost]).wait_until_reached()
        fleet.hosts[lost].kill()
        code = run.wait(timeout=300)
        output.seek(0)
        outcome = FleetRun(code, output.read())
    assert outcome.code != 0
    assert outcome.recap()[lost]["unreachable"] == 1, outcome.text
    assert outcome.recap()[other]["failed"] == 0, outcome.text
    assert stage.served(other)[other] != before[other][0]
    assert f"Stopped before {rest[0]}, which is as it was: {lost} failed or could not be reached." in outcome.words
    assert _seen(stage, rest) == {name: before[name] for name in rest}

    fleet.hosts[lost].start()
    fleet.wait_until_ready([lost])
    # Its key is the same, so what its service finds on the disk goes together.
    assert stage.served(lost)[lost] == before[lost][0]
    healed = stage.run(names)
    assert healed.code == 0, healed.text
    served = stage.served(*names)
    assert len({frozenset(fingerprints) for fingerprints in served.values()}) == 1
    assert served[lost] != before[lost][0]
    states = {name: stage.state(name) for name in names}
    assert set(states[lost]) == set(states[other])
    assert not [path for path in states[lost] if "/." in path]
