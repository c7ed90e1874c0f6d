# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible and ssh need to reach the hosts from the controller namespace: keys, inventory, configuration."""

from __future__ import annotations

import concurrent.futures
import pathlib
import subprocess
import typing as t

import yaml

from ._plan import DOMAIN, Plan

_SSH_CONFIG = """\
Host *
    User root
    IdentityFile {ssh}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {ssh}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    BatchMode yes
    ConnectTimeout 10
    ServerAliveInterval 2
    ServerAliveCountMax 2
    LogLevel ERROR
"""

_ANSIBLE_CFG = """\
[defaults]
inventory = {directory}/inventory.yml
forks = 12
timeout = 10
nocolor = true
nocows = true
retry_files_enabled = false
host_key_checking = true
local_tmp = {directory}/ansible/tmp

[ssh_connection]
pipelining = true
control_path_dir = {directory}/cp
ssh_args = -F {directory}/ssh_config -o ControlMaster=auto -o ControlPersist=60s
"""


def make_key(path: pathlib.Path) -> None:
    """Make an ssh key pair without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def make_keys(folder: pathlib.Path, plans: t.Sequence[Plan]) -> None:
    """Make the user's key and a host key for each host, and the list of known hosts."""
    folder.mkdir(mode=0o700)
    (folder / "hosts").mkdir()
    paths = [folder / "id_ed25519", *(folder / "hosts" / plan.name for plan in plans)]
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        list(workers.map(make_key, paths))
    lines = []
    for plan in plans:
        public = (folder / "hosts" / f"{plan.name}.pub").read_text(encoding="ascii").split()
        names = ",".join([plan.name, plan.fqdn, plan.address, plan.address6])
        lines.append(f"{names} {public[0]} {public[1]}\n")
    (folder / "known_hosts").write_text("".join(lines), encoding="ascii")


def hosts_file(plans: t.Sequence[Plan]) -> str:
    """The /etc/hosts of the controller and of every host. IPv6 has names of its own: NAME.v6.fleet.test."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for plan in plans:
        lines += [f"{plan.address} {plan.fqdn} {plan.name}", f"{plan.address6} {plan.name}.v6.{DOMAIN}"]
    return "\n".join(lines) + "\n"


def write(directory: pathlib.Path, plans: t.Sequence[Plan]) -> None:
    """Write inventory.yml, ansible.cfg and ssh_config."""
    (directory / "cp").mkdir(mode=0o700)
    (directory / "inventory.yml").write_text(yaml.safe_dump(_inventory(plans), sort_keys=False), encoding="utf-8")
    (directory / "ansible.cfg").write_text(_ANSIBLE_CFG.format(directory=directory), encoding="utf-8")
    (directory / "ssh_config").write_text(_SSH_CONFIG.format(ssh=directory / "ssh"), encoding="utf-8")


def _inventory(plans: t.Sequence[Plan]) -> dict[str, t.Any]:
    groups: dict[str, dict[str, t.Any]] = {}
    for plan in plans:
        for group in (plan.service, plan.release, *(["systemd"] if plan.systemd else [])):
            groups.setdefault(group, {"hosts": {}})["hosts"][plan.name] = None
    hosts = {
        plan.name: {
            "ansible_host": plan.address,
            "fleet_service": plan.service,
            "fleet_unit": plan.unit,
            "fleet_release": plan.release,
            "fleet_address6": plan.address6,
            "fleet_endpoints": [
                {key: value for key, value in endpoint._asdict().items() if value} for endpoint in plan.endpoints
            ],
        }
        for plan in plans
    }
    variables = {"ansible_user": "root", "ansible_python_interpreter": "/usr/bin/python3"}
    return {"all": {"vars": variables, "hosts": hosts, "children": groups}}
