# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reloads of a host's service where they happen: in its init script or, with systemd, in its unit."""

from __future__ import annotations

import contextlib
import typing as t

from ._places import shell

if t.TYPE_CHECKING:
    from ._host import Host

_RECORD = "/var/log/reloads"
_REPLACEMENT = "/run/reload-replacement"
# On older releases the unit of Postfix does nothing but pass a reload on to that of its instance.
_UNITS = {"postfix": ("postfix", "postfix@-")}
# A reload goes on, whatever became of who asked for it.
_SETTLED = shell("wait-for-reloads")


def count(host: Host) -> None:
    """From here on, until a reset of the host, each reload is noted before it begins or after it succeeded."""
    command = f"echo reload >>{_RECORD}"
    if host.systemd:
        _drop_in(host, host.unit, "10-count", f"ExecReload=/bin/sh -c '{command}'")
        _take_up(host)
    else:
        _insert(host, command)


def counted(host: Host) -> int:
    """How many have been noted."""
    return len(host.run(["cat", _RECORD], check=False).stdout.split())


@contextlib.contextmanager
def replaced(host: Host, script: str) -> t.Iterator[None]:
    """See Host.replaced_reload()."""
    units = _UNITS.get(host.unit, (host.unit,))
    host.write(_REPLACEMENT, script)
    if host.systemd:
        for unit in units:
            _drop_in(host, unit, "20-replaced", "ExecReload=", f"ExecReload=/bin/sh {_REPLACEMENT}")
        _take_up(host)
    else:
        _insert(host, f"exec /bin/sh {_REPLACEMENT}")
    try:
        yield
    finally:
        if host.systemd:
            host.run(["sh", "-c", _SETTLED])
            host.run(["rm", *(_path(unit, "20-replaced") for unit in units)])
            _take_up(host)
        else:
            host.run(["sed", "-i", "2d", f"/etc/init.d/{host.unit}"])


def _insert(host: Host, command: str) -> None:
    host.run(["sed", "-i", f'2i [ "$1" != reload ] || {command}', f"/etc/init.d/{host.unit}"])


def _path(unit: str, name: str) -> str:
    return f"/etc/systemd/system/{unit}.service.d/{name}.conf"


def _drop_in(host: Host, unit: str, name: str, *lines: str) -> None:
    path = _path(unit, name)
    host.run(["mkdir", "-p", path.rpartition("/")[0]])
    host.write(path, "\n".join(["[Service]", *lines, ""]))


def _take_up(host: Host) -> None:
    host.run(["systemctl", "daemon-reload"])
