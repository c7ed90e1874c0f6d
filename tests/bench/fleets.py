# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on this machine with certificates to bring into service, and what is run on them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import typing as t

import yaml
from ansible_collections.certfleet.collectssl.tests.bench import asking, measuring
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, places, ssh_server
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab
from ansible_collections.certfleet.collectssl.tests.support.reloadable import ReloadableService

#: Where modules leave what they proved of private keys.
_RECORDS = pathlib.Path("/var/lib/certfleet-collectssl/proven")

#: An ssh client as people have it, with one connection a host that stays open between two runs. Each host has a name,
#: and so a connection, of its own.
_SSH = """\
Host *
  HostName 127.0.0.1
  HostKeyAlias [127.0.0.1]:{port}
  ControlMaster auto
  ControlPersist 1800
  ControlPath {folder}/%n
"""

_FORKS = 10

#: An order that is reissued as often as somebody wants.
_LIFE = [*({"state": "issued", "seconds": 10**6} for _number in range(50)), {"state": "issued"}]


class Fleet:
    """So many hosts, local ones or over ssh; ``sites`` are the certificates that each of them has.

    :arg over_ssh: with pipelining, over a connection that is open when the measuring begins.
    :arg with_services: whether each host has a server of its own, which takes files when it is told to; otherwise all
        share one that serves what is wanted.
    """

    def __init__(
        self, lab: Lab, hosts: int, sites: int = 1, over_ssh: bool = False, with_services: bool = False
    ) -> None:
        self.lab = lab
        self.over_ssh = over_ssh
        self.names = [f"host{number:04}" for number in range(1, hosts + 1)]
        self.sites = [f"site{number:02}" for number in range(1, sites + 1)]
        self.folder = lab.folder / f"fleet-{len(list(lab.folder.glob('fleet-*')))}"
        self.folder.mkdir()
        self.orders = {site: lab.order(names=[f"{site}.example.com"], life=_LIFE) for site in self.sites}
        self._stack = contextlib.ExitStack()
        self._with_services = with_services
        self._shared: dict[str, t.Any] = {"ansible_connection": "local"}
        self._service: ReloadableService | None = None

    def __enter__(self) -> Fleet:
        for name in self.names:
            for site in self.sites:
                files.write(self.folder / name / "tls" / f"{site}.key", certificates.shared_key(), 0o600)
        if self.over_ssh:
            server = self._stack.enter_context(ssh_server.ssh_server(self.folder / "sshd"))
            # A socket has to have a short name.
            sockets = pathlib.Path(self._stack.enter_context(_short_folder()))
            (self.folder / "ssh_config").write_text(_SSH.format(port=server["ansible_port"], folder=sockets))
            arguments = server["ansible_ssh_common_args"].replace("-F /dev/null", f"-F {self.folder}/ssh_config")
            del server["ansible_host"]
            self._shared = {**server, "ansible_ssh_common_args": arguments, "ansible_ssh_args": "-C"}
        self._stack.callback(self._forget)
        served = self.names if self._with_services else self.sites
        self._service = ReloadableService(self.folder / "service", served)
        for name in served:
            # What a server reads that a host has of its own are the files of that host.
            folder = self.folder / name / "tls" if self._with_services else self._service.conf
            site = self.sites[0] if self._with_services else name
            files.write(folder / f"{site}.key", certificates.shared_key(), 0o600)
            files.write(folder / f"{site}.pem", self._chain(site))
            if self._with_services:
                for kind in ("key", "pem"):
                    (self._service.conf / f"{name}.{kind}").symlink_to(folder / f"{site}.{kind}")
        self._stack.enter_context(self._service)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()
        shutil.rmtree(self.folder)

    def _chain(self, site: str) -> str:
        return asking.chain(self.lab.simulator.environment, self.orders[site])

    def _forget(self) -> None:
        """Remove the records of these hosts' private keys."""
        for record in _RECORDS.glob("*"):
            with contextlib.suppress(OSError):
                if f"  {self.folder}/" in record.read_text():
                    record.unlink()

    @property
    def service(self) -> ReloadableService:
        """The server, which runs."""
        assert self._service is not None
        return self._service

    def reissue(self) -> None:
        """Have every order be answered with another certificate."""
        for order in self.orders.values():
            self.lab.simulator.advance(order)

    def reissue_after(self, site: str, seconds: int) -> None:
        """Have the order of a site be pending for so long."""
        life = [{"state": "pending", "seconds": seconds}, {"state": "issued"}]
        self.lab.order(self.orders[site], names=[f"{site}.example.com"], life=life)

    # What is run

    def variables(self, name: str) -> dict[str, t.Any]:
        """Those of a host alone."""
        own: dict[str, t.Any] = {"dir": str(self.folder / name)}
        if self._with_services:
            own["port"] = self.service.ports[name]
        return own

    def certificates(self, endpoints: bool) -> list[dict[str, t.Any]]:
        """What the role is given."""
        found = []
        for site, order in self.orders.items():
            one: dict[str, t.Any] = {"name": site, "order_number": order, "layout": "web"}
            one["expected_names"] = [f"{site}.example.com"]
            if endpoints:
                one["endpoints"] = [{"port": "{{ port }}" if self._with_services else self.service.ports[site]}]
            found.append(one)
        return found

    def layouts(self) -> dict[str, t.Any]:
        """Where the hosts have their files."""
        layout: dict[str, t.Any] = {
            "directory": "{{ dir }}/tls",
            "fullchain_path": "{{ dir }}/tls/{name}.pem",
            "privatekey_path": "{{ dir }}/tls/{name}.key",
            "mode": "0644",
        }
        if self._with_services:
            layout = {**layout, "validate": "openssl x509 -noout -in {{ dir }}/tls/{name}.pem", "services": ["web"]}
        return {"web": layout}

    def services(self) -> dict[str, t.Any]:
        """How the servers of these hosts take new files."""
        return {"web": {"command": f"{self.service.command} {{{{ inventory_hostname }}}}"}}

    def contender(self, name: str, plays: t.Sequence[t.Mapping[str, t.Any]], **environment: str) -> Contender:
        """Something that is run on these hosts."""
        return Contender(self, name, plays, environment)

    def inventory(self) -> pathlib.Path:
        """Its file."""
        path = self.folder / "inventory.yml"
        if not path.exists():
            common = {"ansible_python_interpreter": sys.executable, **self._shared}
            hosts = {name: self.variables(name) for name in self.names}
            path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}), encoding="utf-8")
        return path


@contextlib.contextmanager
def _short_folder() -> t.Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        yield folder


class Contender:
    """Plays that are run on the hosts of a fleet, and what that cost each time."""

    def __init__(
        self, fleet: Fleet, name: str, plays: t.Sequence[t.Mapping[str, t.Any]], environment: t.Mapping[str, str]
    ) -> None:
        self.name = name
        self.costs: list[measuring.Cost] = []
        self.fleet = fleet
        self._environment = environment
        self._playbook = files.write(
            fleet.folder / f"{name.replace(' ', '-')}.yml",
            yaml.safe_dump([{"hosts": "all", "gather_facts": False, **play} for play in plays], sort_keys=False),
        )

    def run(self, *arguments: str, counts: bool = True) -> str:
        """Run it to its end, which has to be a good one; what it printed.

        :arg counts: whether what it costs is kept.
        """
        fleet = self.fleet
        log = self._playbook.with_suffix(".log")
        command = [places.program("ansible-playbook"), "-i", str(fleet.inventory()), "-f", str(_FORKS), *arguments]
        environment = {**fleet.lab.environment(), **self._environment}
        for name in ("ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_LOAD_CALLBACK_PLUGINS"):
            environment.pop(name, None)
        code, cost = measuring.run([*command, str(self._playbook)], fleet.folder, environment, log)
        said = log.read_text(encoding="utf-8", errors="replace")
        assert code == 0, said[-6000:]
        if counts:
            self.costs.append(cost)
        return said


def settle(*contenders: Contender) -> None:
    """Run them until there is nothing left to do.

    These hosts share a folder for what was proven of private keys, and at one time, one hinders the other there.
    """
    for contender in contenders * (1 if len(contenders[0].fleet.names) == 1 else 2):
        contender.run(counts=False)


def missing(over_ssh: bool) -> str | None:
    """Why there can be no such fleet here, or None."""
    if os.geteuid() != 0:
        return "what was proven of private keys is believed of root alone"
    return ssh_server.missing() if over_ssh else None
