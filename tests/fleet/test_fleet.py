# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the fleet are what the tests of the role take them for."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import (
    SERVER_NAME,
    Endpoint,
    Fleet,
    FleetError,
    Host,
    Initial,
    _certificates,
    _plan,
)

RELOAD = """
- hosts: all
  gather_facts: false
  tasks:
    - name: reload
      ansible.builtin.service:
        name: "{{ fleet_unit }}"
        state: reloaded
"""


def _ask(fleet: Fleet, endpoint: Endpoint, host: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["openssl", "s_client", "-connect", f"{host or endpoint.host}:{endpoint.port}"]
    command += ["-servername", SERVER_NAME, "-verify_hostname", SERVER_NAME, "-verify_return_error"]
    command += [
        "-CAfile",
        str(fleet.initial.root_path),
        *(["-starttls", endpoint.starttls] if endpoint.starttls else []),
    ]
    return fleet.run_in_controller(command, input="Q\n", timeout=60)


def _must_serve(fleet: Fleet, endpoint: Endpoint, certificate: str, host: str | None = None) -> None:
    answer = _ask(fleet, endpoint, host)
    assert answer.returncode == 0, answer.stderr
    assert "Verify return code: 0 (ok)" in answer.stdout
    assert certificate.strip() in answer.stdout


def test_every_service_runs_on_every_release(fleet: Fleet) -> None:
    """Hosts are spread evenly, over those releases that could be had, with systemd and without."""
    releases = [release for release in _plan.RELEASES if release not in fleet.missing]
    kinds = [False] if fleet.no_systemd else [False, True]
    for service in _plan.SERVICES:
        counts = [len(fleet.of(service, release, systemd)) for release in releases for systemd in kinds]
        assert min(counts) >= 1
        assert max(counts) - min(counts) <= 1
    assert len(fleet.hosts) == sum(len(fleet.of(release=release)) for release in releases)


@pytest.mark.parametrize("release", _plan.RELEASES)
def test_release(fleet: Fleet, release: str) -> None:
    """A host of a release is one, with a root file system of its own."""
    if release in fleet.missing:
        pytest.skip(f"no Debian {release}: {fleet.missing[release]}")
    for host in fleet.of(release=release):
        assert f"VERSION_CODENAME={release}" in host.run(["cat", "/etc/os-release"]).stdout
        assert host.run(["hostname"]).stdout.strip() == host.name
        host.write("/root/mine", host.name)
    for host in fleet.of(release=release):
        assert host.read("/root/mine").decode() == host.name


def test_systemd(fleet: Fleet) -> None:
    """A host with systemd came up whole: every unit that was to be there is."""
    if fleet.no_systemd:
        pytest.skip(f"no host with systemd: {fleet.no_systemd}")
    for host in fleet.of(systemd=True):
        state = host.run(["systemctl", "is-system-running", "--wait"], check=False)
        failed = host.run(["systemctl", "--failed", "--no-pager"]).stdout
        assert state.stdout.strip() == "running", (host, failed)
        assert host.run(["systemctl", "is-active", host.unit, "ssh"]).stdout.split() == ["active", "active"]
        # The kernel is this machine's.
        assert host.run(["sh", "-c", "echo 0 >/proc/sys/kernel/sysrq"], check=False).returncode != 0


def test_every_host_answers_over_ssh(fleet: Fleet) -> None:
    """Ansible reaches all of them with the inventory, the keys and the known hosts that are written for it."""
    done = fleet.run_in_controller(["ansible", "all", "-m", "ansible.builtin.ping"])
    assert done.returncode == 0, done.stdout
    assert sorted(line.split()[0] for line in done.stdout.splitlines() if "SUCCESS" in line) == sorted(fleet.hosts)


def test_inventory(fleet: Fleet) -> None:
    """There is a group for each service and for each release, and endpoints are data."""
    done = fleet.run_in_controller(["ansible-inventory", "--list"])
    inventory = json.loads(done.stdout)
    for group in (*_plan.SERVICES, *{host.release for host in fleet.hosts.values()}):
        members = [host.name for host in fleet.hosts.values() if group in (host.service, host.release)]
        assert inventory[group]["hosts"] == members
    with_systemd = [host.name for host in fleet.of(systemd=True)]
    assert inventory.get("systemd", {}).get("hosts", []) == with_systemd
    variables = inventory["_meta"]["hostvars"]["postfix1"]
    assert variables["fleet_endpoints"][0] == {"host": "postfix1", "port": 25, "starttls": "smtp"}


@pytest.mark.parametrize("service", _plan.SERVICES)
def test_initial_certificate_is_served(fleet: Fleet, service: str) -> None:
    """openssl verifies what every host of a service serves, over TLS or after STARTTLS."""
    hosts = fleet.of(service)
    fleet.reset([host.name for host in hosts])
    for host in hosts:
        for endpoint in host.endpoints:
            _must_serve(fleet, endpoint, fleet.initial.certificate)


@pytest.mark.parametrize("service", _plan.SERVICES)
def test_ipv6(fleet: Fleet, service: str) -> None:
    """A service listens on IPv6 too."""
    host = fleet.of(service)[0]
    fleet.reset([host.name])
    _must_serve(fleet, host.endpoints[0], fleet.initial.certificate, f"{host.name}.v6.fleet.test")


@pytest.fixture
def other(tmp_path: pathlib.Path) -> Initial:
    """Another certificate for the same names, with a key and a root of its own."""
    return _certificates.make(tmp_path / "pki")


def _install(host: Host, certificate: Initial) -> None:
    for name, (text, mode) in certificate.files().items():
        host.write(f"/etc/ssl/fleet/{name}", text, mode)


def test_reload_takes_up_what_is_installed_and_turns_nobody_away(fleet: Fleet, other: Initial) -> None:
    """ansible.builtin.service has every kind of host reload, under a client that connects all the time."""
    # Postfix reads its files in every new process, so key and certificate would not always agree here.
    hosts = [host for host in fleet.hosts.values() if host.service != "postfix"]
    fleet.reset([host.name for host in hosts])
    playbook = fleet.directory / "reload.yml"
    playbook.write_text(RELOAD, encoding="utf-8")
    old, new = fleet.initial.fingerprint, other.fingerprint
    trust = [fleet.initial.root, other.root]
    endpoints = [endpoint for host in hosts for endpoint in host.endpoints]
    with fleet.probing(endpoints, trust=trust, interval=0.4) as prober:
        for host in hosts:
            _install(host, other)
        prober.wait_for(1)
        assert {seen.fingerprint for seen in prober.observations()} == {old}
        done = fleet.run_in_controller(["ansible-playbook", "--limit", "!postfix", str(playbook)])
        assert done.returncode == 0, done.stdout
        prober.wait_for(1)
    assert prober.failures() == []
    for host in hosts:
        assert prober.fingerprints(host.name) == [old, new], host


def test_reload_of_postfix(fleet: Fleet, other: Initial) -> None:
    """After a reload, Postfix serves what is installed on both of its ports."""
    hosts = fleet.of("postfix")
    for host in hosts:
        _install(host, other)
        host.run(["service", host.unit, "reload"])
    endpoints = [endpoint for host in hosts for endpoint in host.endpoints]
    with fleet.probing(endpoints, trust=[other.root]) as prober:
        prober.wait_for(1)
    assert prober.failures() == []
    assert {seen.fingerprint for seen in prober.observations()} == {other.fingerprint}


@pytest.mark.parametrize("service", _plan.SERVICES)
def test_reload_of_a_broken_configuration_fails(fleet: Fleet, service: str) -> None:
    """Init scripts and systemd notice that a configuration can't be loaded, and the old one stays in service."""
    broken = {
        "nginx": "/etc/nginx/nginx.conf",
        "apache": "/etc/apache2/sites-enabled/fleet.conf",
        "haproxy": "/etc/haproxy/haproxy.cfg",
        "postfix": "/etc/postfix/main.cf",
    }
    for host in (fleet.of(service, systemd=False)[-1], *fleet.of(service, systemd=True)[-1:]):
        fleet.reset([host.name])
        before = host.read(broken[service]).decode()
        host.write(broken[service], before.replace("/etc/ssl/fleet", "/nowhere") + "nonsense {\n")
        done = host.run(["service", host.unit, "reload"], check=False)
        if service != "postfix":
            assert done.returncode != 0, host
            _must_serve(fleet, host.endpoints[0], fleet.initial.certificate)
        elif not host.systemd:
            # Postfix says no more than a warning to a line that it doesn't know.
            assert "nonsense" in done.stderr + host.read("/var/log/mail.log").decode()
        fleet.reset([host.name])


def test_a_host_goes_away_and_comes_back(fleet: Fleet) -> None:
    """Only its own endpoints fail meanwhile, silently, and its disk is what it was."""
    gone, other = fleet.hosts["nginx1"], fleet.hosts["apache1"]
    fleet.reset([gone.name, other.name])
    gone.write("/root/kept", "yes")
    with fleet.probing([*gone.endpoints, *other.endpoints], trust=[fleet.initial.root]) as prober:
        gone.kill()
        assert not gone.running
        before = len(prober.observations())
        prober.wait_for(1)
        during = prober.observations()[before:]
    assert {seen.outcome for seen in during if seen.host == other.name} == {"ok"}
    assert "connect" in {seen.outcome for seen in during if seen.host == gone.name}
    with pytest.raises(FleetError, match="nginx1 is not running"):
        gone.run(["true"])
    done = fleet.run_in_controller(["ansible", gone.name, "-m", "ansible.builtin.ping"], timeout=60)
    assert "UNREACHABLE" in done.stdout
    gone.start()
    fleet.wait_until_ready([gone.name])
    assert gone.read("/root/kept") == b"yes"
    _must_serve(fleet, gone.endpoints[0], fleet.initial.certificate)


def test_reset_undoes_everything(fleet: Fleet, other: Initial) -> None:
    """A host that was changed in any way is as at the start."""
    host = fleet.hosts["haproxy1"]
    _install(host, other)
    host.write("/etc/haproxy/haproxy.cfg", "nonsense")
    host.run(["rm", "-rf", "/usr/sbin/nginx", "/root/.ssh"])
    fleet.reset([host.name])
    _must_serve(fleet, host.endpoints[0], fleet.initial.certificate)
    assert host.run(["test", "-x", "/usr/sbin/nginx"], check=False).returncode == 0
    assert fleet.run_in_controller(["ssh", "-F", str(fleet.ssh_config), host.name, "true"]).returncode == 0


def test_small_disk(fleet: Fleet) -> None:
    """A directory fills up, and everything that got into it is there afterwards."""
    host = fleet.hosts["nginx2"]
    fleet.reset([host.name])
    with host.small_disk("/etc/ssl/fleet", "64k"):
        full = host.run(["dd", "if=/dev/zero", "of=/etc/ssl/fleet/large", "bs=1k", "count=200"], check=False)
        assert "No space left on device" in full.stderr
        host.run(["rm", "/etc/ssl/fleet/large"])
        host.write("/etc/ssl/fleet/small", "new")
        assert host.read("/etc/ssl/fleet/fullchain.pem").decode() == fleet.initial.fullchain
    assert host.read("/etc/ssl/fleet/small") == b"new"
    assert host.run(["stat", "-c", "%a", "/etc/ssl/fleet/privkey.pem"]).stdout == "600\n"
    assert "/etc/ssl/fleet" not in host.run(["cat", "/proc/mounts"]).stdout


def test_read_only(fleet: Fleet) -> None:
    """A directory can't be written to, and can again afterwards."""
    host = fleet.hosts["nginx2"]
    with host.read_only("/etc/ssl/fleet"):
        refused = host.run(["touch", "/etc/ssl/fleet/new"], check=False)
        assert "Read-only file system" in refused.stderr
    host.run(["touch", "/etc/ssl/fleet/new"])
    host.run(["rm", "/etc/ssl/fleet/new"])


def test_prober_tells_what_is_wrong(fleet: Fleet, other: Initial) -> None:
    """Each way for a connection to fail has a name."""
    host, mail = fleet.hosts["nginx1"], fleet.hosts["postfix1"]
    fleet.reset([host.name, mail.name])

    def outcomes(endpoint: Endpoint, **options: t.Any) -> set[str]:
        with fleet.probing([endpoint], **options) as prober:
            prober.wait_for(1)
        return {seen.outcome for seen in prober.observations()}

    assert outcomes(host.endpoints[0]) == {"ok"}
    assert outcomes(host.endpoints[0], trust=[other.root]) == {"unverified"}
    assert outcomes(host.endpoints[0], trust=[fleet.initial.root], server_name="www.example.com") == {"unverified"}
    assert outcomes(Endpoint(host.name, 444)) == {"connect"}
    assert outcomes(Endpoint(host.name, 22)) == {"handshake"}
    # A key that does not belong to the chain behind it.
    mail.write("/etc/ssl/fleet/combined.pem", other.key + fleet.initial.fullchain, 0o600)
    mail.run(["service", "postfix", "reload"])
    assert outcomes(mail.endpoints[0]) == {"starttls"}
    fleet.reset([mail.name])


def test_no_way_out(fleet: Fleet) -> None:
    """Neither the controller nor a host has a route to anywhere else."""
    inside = fleet.hosts["nginx1"].run(["ip", "route", "get", "192.0.2.1"], check=False)
    controller = fleet.run_in_controller(["ip", "route", "get", "192.0.2.1"])
    assert "unreachable" in inside.stderr.lower()
    assert "unreachable" in controller.stderr.lower()


def test_simulator_runs_beside_ansible(fleet: Fleet) -> None:
    """The collection asks the simulator from the controller namespace."""
    account = {"login_name": "fleet@example.com", "login_password": "a + & % = ü password"}
    order = {"order_number": "4711", "account": account["login_name"], "names": [SERVER_NAME]}
    module = "certfleet.collectssl.collectssl_order_info"
    with fleet.simulator({"accounts": [account], "orders": [order]}) as simulator:
        command = ["ansible", "localhost", "-m", module, "-a", "order_number=4711"]
        done = fleet.run_in_controller(command, env=simulator.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"state": "issued"' in done.stdout
        assert len(simulator.calls()) >= 1
        assert simulator.peak() == 1
        assert "BEGIN CERTIFICATE" in simulator.root
