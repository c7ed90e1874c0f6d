# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's disk holds on top of its release: its services' configuration, its certificate, its ssh keys."""

from __future__ import annotations

import hashlib
import os
import pathlib
import typing as t

from ._certificates import Initial
from ._places import FILES
from ._plan import Plan

PKI = "/etc/ssl/fleet"

# What systemd brings up with every machine, and a host of the fleet has no use for: devices, swap, kernel modules and
# settings, things that are done once a day.
_MASKED = (
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "kmod-static-nodes.service",
    "modprobe@.service",
    "paths.target",
    "proc-sys-fs-binfmt_misc.automount",
    "swap.target",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",
    "systemd-journal-flush.service",
    "systemd-journald-audit.socket",
    "systemd-modules-load.service",
    "systemd-random-seed.service",
    "systemd-remount-fs.service",
    "systemd-sysctl.service",
    "systemd-update-utmp.service",
    "timers.target",
)


class File(t.NamedTuple):
    """A regular file."""

    content: str
    mode: int = 0o644


class Link(t.NamedTuple):
    """A symbolic link."""

    target: str


class Gone(t.NamedTuple):
    """A file of the package that must not be there."""


Entry: t.TypeAlias = File | Link | Gone


class Keys(t.NamedTuple):
    """What ssh needs at the host's side, as text."""

    private: str
    public: str
    authorized: str


def entries(plan: Plan, initial: Initial, keys: Keys, hosts_file: str) -> dict[str, Entry]:
    """The files of a host by absolute path."""
    common: dict[str, Entry] = {
        "/etc/hostname": File(plan.name + "\n"),
        "/etc/hosts": File(hosts_file),
        # Names that are not in /etc/hosts don't exist, and are known at once not to.
        "/etc/resolv.conf": File(""),
        "/etc/ssh/sshd_config": _packaged("sshd_config"),
        "/etc/ssh/ssh_host_ed25519_key": File(keys.private, 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": File(keys.public),
        "/root/.ssh/authorized_keys": File(keys.authorized, 0o600),
    }
    pki: dict[str, Entry] = {f"{PKI}/{name}": File(*value) for name, value in initial.files().items()}
    return {**common, **(_systemd(plan) if plan.systemd else _scripts(plan)), **pki, **_SERVICES[plan.service](plan)}


def fill(root: pathlib.Path, content: t.Mapping[str, Entry]) -> None:
    """Write entries into the file system of a host that is mounted at root and not running."""
    for name, entry in content.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.exists():
            path.unlink()
        if isinstance(entry, Link):
            path.symlink_to(entry.target)
        elif isinstance(entry, File):
            path.write_text(entry.content, encoding="utf-8")
            os.chmod(path, entry.mode)
    # sshd refuses keys in a folder that others could write to.
    os.chmod(root / "root/.ssh", 0o700)


def _packaged(name: str, mode: int = 0o644, **values: str) -> File:
    text = (FILES / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return File(text, mode)


def _scripts(plan: Plan) -> dict[str, Entry]:
    return {"/sbin/init": _packaged("init", 0o755), "/etc/fleet-services": File(plan.unit + "\n")}


def _systemd(plan: Plan) -> dict[str, Entry]:
    units = "/etc/systemd/system"
    masked: dict[str, Entry] = {f"{units}/{name}": Link("/dev/null") for name in _MASKED}
    return {
        **masked,
        "/sbin/init": Link("/lib/systemd/systemd"),
        # Without one it is the first start of a new machine, with work of its own.
        "/etc/machine-id": File(hashlib.sha256(plan.fqdn.encode()).hexdigest()[:32] + "\n"),
        f"{units}/fleet.target": _packaged("fleet.target", unit=plan.unit),
    }


def _nginx(_plan: Plan) -> dict[str, Entry]:
    return {"/etc/nginx/nginx.conf": _packaged("nginx.conf")}


def _apache(_plan: Plan) -> dict[str, Entry]:
    modules = ("ssl.load", "ssl.conf", "socache_shmcb.load")
    folder = "/etc/apache2/mods-enabled"
    enabled: dict[str, Entry] = {f"{folder}/{name}": Link(f"../mods-available/{name}") for name in modules}
    return {
        **enabled,
        "/etc/apache2/ports.conf": File(""),
        "/etc/apache2/sites-enabled/000-default.conf": Gone(),
        "/etc/apache2/sites-enabled/fleet.conf": _packaged("apache.conf"),
    }


def _haproxy(plan: Plan) -> dict[str, Entry]:
    # The init script alone needs help with handing sockets over.
    scripts: dict[str, Entry] = {} if plan.systemd else {"/etc/default/haproxy": _packaged("default-haproxy")}
    return {"/etc/haproxy/haproxy.cfg": _packaged("haproxy.cfg"), **scripts}


def _postfix(plan: Plan) -> dict[str, Entry]:
    return {
        "/etc/postfix/main.cf": _packaged("main.cf", fqdn=plan.fqdn),
        "/etc/postfix/master.cf": _packaged("master.cf"),
    }


_SERVICES: dict[str, t.Callable[[Plan], dict[str, Entry]]] = {
    "nginx": _nginx,
    "apache": _apache,
    "haproxy": _haproxy,
    "postfix": _postfix,
}
