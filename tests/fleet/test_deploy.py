# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the playbook deploy, on hosts with real servers: what is served, whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t

import pytest
from collectssl_fleet import Fleet, Host
from cryptography.hazmat.primitives import serialization

_SERVER_NAME = "www.fleet.test"
_FOLDER = "/etc/ssl/fleet"
_POINTS = "/var/lib/certfleet-collectssl"
_RELOADS = "/var/log/reloads"
_ORDER = "4711"
_ACCOUNT = {"login_name": "fleet@example.com", "login_password": "a + & % = ü password"}
_FILES = {
    "nginx": {"fullchain_path": "fullchain.pem", "validate": "nginx -t"},
    "apache": {"path": "cert.pem", "chain_path": "chain.pem", "validate": "apache2ctl configtest"},
    "haproxy": {"combined_path": "combined.pem", "validate": "haproxy -c -f /etc/haproxy/haproxy.cfg"},
    "postfix": {"fullchain_path": "fullchain.pem", "validate": "postfix check"},
}
# Counted where it happens: whoever has a service reload comes through its init script.
_COUNT = f'2i [ "$1" = reload ] && echo reload >> {_RELOADS}'


class Stage:
    """A fleet with an order, and the playbook that brings its certificate into service."""

    def __init__(self, fleet: Fleet, simulator: t.Any) -> None:
        self.fleet = fleet
        self.simulator = simulator
        certificates = {}
        for service, options in _FILES.items():
            paths = {key: value if key == "validate" else f"{_FOLDER}/{value}" for key, value in options.items()}
            certificates[service] = [
                {
                    **paths,
                    "name": "www",
                    "order_number": _ORDER,
                    "privatekey_path": f"{_FOLDER}/privkey.pem",
                    "pending_privatekey_path": f"{_FOLDER}/next.pem",
                    "expected_names": [_SERVER_NAME],
                    "services": ["{{ fleet_unit }}"],
                    "endpoints": "{{ fleet_endpoints }}",
                }
            ]
        self._variables = fleet.directory / "deploy.json"
        self._variables.write_text(
            json.dumps(
                {
                    "deploy_certificates": "{{ fleet_certificates[fleet_service] }}",
                    "deploy_probe_from": "controller",
                    "deploy_probe_delay": 1,
                    "deploy_probe_retries": 8,
                    "fleet_certificates": certificates,
                }
            )
        )

    def command(self, hosts: t.Sequence[str] = (), *arguments: str) -> list[str]:
        """The command line of a run."""
        limit = ["-l", ",".join(hosts)] if hosts else []
        return ["ansible-playbook", "certfleet.collectssl.deploy", "-e", f"@{self._variables}", *limit, *arguments]

    def run(self, hosts: t.Sequence[str] = (), *arguments: str) -> Outcome:
        """Run it to its end."""
        command = self.command(hosts, *arguments)
        done = self.fleet.run_in_controller(command, env=self.simulator.environment, timeout=900)
        return Outcome(done.returncode, done.stdout + done.stderr)

    def reissue(self) -> None:
        """From here on the order has another certificate, for the same key."""
        self.simulator.control("advance", order_number=_ORDER)

    def served(self, host: str) -> set[str]:
        """The fingerprints that the endpoints of a host serve."""
        endpoints = self.fleet.hosts[host].endpoints
        trust = [self.fleet.initial.root, self.simulator.root]
        with self.fleet.probing(endpoints, trust=trust) as prober:
            prober.wait_for(1)
            assert not prober.failures()
            return {observation.fingerprint or "" for observation in prober.observations()}

    def state(self, host: str) -> dict[str, str]:
        """All that a run may change on a host: files and hidden files with owner, mode and content; rollback points."""
        each = "-type f -printf '%p %U %G %m ' -exec sh -c 'md5sum < \"$1\"' sh {} ';'"
        script = f"find {_FOLDER} {_POINTS} {each} -o -printf '%p %y %U %G\\n' 2>/dev/null"
        text = self.fleet.hosts[host].run(["sh", "-c", script], check=False).stdout
        return {line.split(" ", 1)[0]: line for line in text.splitlines() if line.startswith("/")}

    def reloads(self, host: str) -> int:
        """How often its service was reloaded."""
        return len(self.fleet.hosts[host].run(["cat", _RELOADS], check=False).stdout.split())


class Outcome(t.NamedTuple):
    """What came of a run."""

    code: int
    text: str

    @property
    def words(self) -> str:
        """The text without its line breaks."""
        return " ".join(self.text.split())

    def recap(self) -> dict[str, dict[str, int]]:
        """The last lines: counts by host."""
        lines = re.findall(r"^(\S+)\s+: (ok=.*)$", self.text, re.MULTILINE)
        return {
            host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines
        }


@pytest.fixture(scope="module")
def stage(fleet: Fleet) -> t.Iterator[Stage]:
    """A fleet with an order for the key that all hosts have, reissued as often as it is advanced."""
    fleet.reset()
    for host in fleet.hosts.values():
        host.run(["sed", "-i", _COUNT, f"/etc/init.d/{host.unit}"])
    private = serialization.load_pem_private_key(fleet.initial.key.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    key = fleet.directory / "ordered.pem"
    key.write_bytes(public)
    order = {
        "order_number": _ORDER,
        "account": _ACCOUNT["login_name"],
        "names": [_SERVER_NAME],
        "key": str(key),
        "life": [*({"state": "issued", "seconds": 10**6} for _number in range(40)), {"state": "issued"}],
    }
    with fleet.simulator({"accounts": [_ACCOUNT], "orders": [order]}) as simulator:
        yield Stage(fleet, simulator)


def _one_of_each(fleet: Fleet) -> list[str]:
    return [fleet.of(service)[0].name for service in _FILES]


def test_first_second_and_reissue(stage: Stage) -> None:
    """A whole fleet: one call, one reload a host and certificate, and no client that ever notices."""
    fleet = stage.fleet
    calls = len(stage.simulator.calls())
    with fleet.probing(trust=[fleet.initial.root, stage.simulator.root], interval=0.5) as prober:
        first = stage.run()
        assert first.code == 0, first.text
        assert {counts["failed"] for counts in first.recap().values()} == {0}
        assert len(stage.simulator.calls()) == calls + 1

        states = {name: stage.state(name) for name in fleet.hosts}
        second = stage.run()
        assert second.code == 0, second.text
        assert set(second.recap()) == set(fleet.hosts)
        assert {counts["changed"] for counts in second.recap().values()} == {0}
        assert {stage.reloads(name) for name in fleet.hosts} == {1}
        assert {name: stage.state(name) for name in fleet.hosts} == states

        stage.reissue()
        third = stage.run()
        assert third.code == 0, third.text
        assert {stage.reloads(name) for name in fleet.hosts} == {2}
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
        assert not [path for path in stage.state(name) if "/." in path or path.startswith(_POINTS)]


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
    return _edited(host, f"/etc/init.d/{host.unit}", '2i [ "$1" = reload ] && exit 1')


def _reload_does_nothing(host: Host) -> contextlib.AbstractContextManager[None]:
    return _edited(host, f"/etc/init.d/{host.unit}", '2i [ "$1" = reload ] && exit 0')


def _read_only(host: Host) -> contextlib.AbstractContextManager[None]:
    return host.read_only(_FOLDER)


_OBSTACLES = {
    "refused configuration": (_refused_configuration, ["www", "validate: the command nginx", "no_such_directive"]),
    "reload fails": (_reload_fails, ["www", "nginx", "could not be brought into service"]),
    "reload does nothing": (_reload_does_nothing, ["www", "port 443", "it serves", "and not"]),
    "read-only folder": (_read_only, [f"may not write in the directory {_FOLDER}"]),
}


@pytest.mark.parametrize("obstacle", _OBSTACLES)
def test_obstacle(stage: Stage, obstacle: str) -> None:
    """The first host fails: it serves what it served, and no other host was touched."""
    obstruct, words = _OBSTACLES[obstacle]
    names = _one_of_each(stage.fleet)[:3]
    before = {name: (stage.served(name), stage.state(name)) for name in names}
    stage.reissue()
    with obstruct(stage.fleet.hosts[names[0]]):
        outcome = stage.run(names)
        assert stage.served(names[0]) == before[names[0]][0]
    assert outcome.code != 0
    assert outcome.recap()[names[0]]["failed"] == 1
    assert set(outcome.recap()) == {names[0]}, outcome.text
    for word in [names[0], *words]:
        assert word in outcome.words, outcome.text
    assert {name: (stage.served(name), stage.state(name)) for name in names} == before
