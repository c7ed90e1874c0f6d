# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of the fleet, as tests see it."""

from __future__ import annotations

import contextlib
import subprocess
import time
import typing as t

from . import _faults, _namespaces, _processes, _reloads
from ._errors import FleetError
from ._places import shell
from ._plan import Endpoint, Plan

_WRITE = shell("write-file")


class Machinery(t.Protocol):
    """What a host asks of its fleet."""

    def init_of(self, name: str) -> int | None:
        """The first process of a host, if it runs."""

    def start_hosts(self, plans: t.Sequence[Plan]) -> None:
        """Start hosts that do not run."""

    def kill_hosts(self, plans: t.Sequence[Plan]) -> None:
        """Let hosts go away."""


class Host:
    """A host, running or not."""

    def __init__(self, plan: Plan, machinery: Machinery) -> None:
        self.plan = plan
        self._machinery = machinery

    def __repr__(self) -> str:
        return f"<Host {self.name} ({self.release})>"

    @property
    def name(self) -> str:
        """Its name, in the inventory too."""
        return self.plan.name

    @property
    def fqdn(self) -> str:
        """Its full name, which the controller and all hosts can resolve."""
        return self.plan.fqdn

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return self.plan.address

    @property
    def address6(self) -> str:
        """Its IPv6 address."""
        return self.plan.address6

    @property
    def service(self) -> str:
        """Which service it runs: nginx, apache, haproxy or postfix."""
        return self.plan.service

    @property
    def unit(self) -> str:
        """What `service UNIT reload` takes."""
        return self.plan.unit

    @property
    def release(self) -> str:
        """Its Debian release."""
        return self.plan.release

    @property
    def systemd(self) -> bool:
        """Whether systemd runs it."""
        return self.plan.systemd

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where it speaks TLS."""
        return self.plan.endpoints

    @property
    def running(self) -> bool:
        """Whether it is up."""
        return self._machinery.init_of(self.name) is not None

    def run(
        self,
        command: t.Sequence[str],
        *,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        timeout: float = 60,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root inside, not through ssh; raises FleetError where it fails, unless check is False."""
        done = subprocess.run(
            _namespaces.in_host(self._init(), command),
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise FleetError(
                f"{self.name}: {' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}"
            )
        return done

    def read(self, path: str) -> bytes:
        """The content of a file; raises FleetError where it can't be read."""
        command = _namespaces.in_host(self._init(), ["cat", "--", path])
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise FleetError(f"{self.name}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Make a file, or replace it whole; raises FleetError where it can't be written."""
        data = content.encode("utf-8") if isinstance(content, str) else content
        command = _namespaces.in_host(self._init(), ["sh", "-c", _WRITE, "sh", path, f"{mode:o}"])
        done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise FleetError(f"{self.name}: {done.stderr.decode('utf-8', 'replace').strip()}")

    def kill(self) -> None:
        """Let the host go away: its network first, so that nobody hears of it, then all of its processes."""
        self._machinery.kill_hosts([self.plan])

    def start(self) -> None:
        """Let the host come back with its disk as it was, and its services started; returns at once."""
        self._machinery.start_hosts([self.plan])

    def wait_until_booted(self, timeout: float = 120) -> None:
        """Return when it has come up, and all its services were told to start; whether they did is another question."""
        until = time.monotonic() + timeout
        while not self.running:
            if time.monotonic() > until:
                raise FleetError(f"{self.name} does not come back.")
            time.sleep(0.1)
        booted = "systemctl is-system-running 2>/dev/null | grep -qxE 'running|degraded'"
        if not self.systemd:
            # What it does once it has started them all.
            booted = "pgrep -fx 'sleep 86400' >/dev/null"
        self.run(["sh", "-c", f"until {booted}; do sleep 0.1; done"], timeout=timeout)

    def processes(self) -> dict[int, str]:
        """Its processes by their number on this machine (not inside), with their command lines."""
        named = {pid: " ".join(_processes.command_line(pid)) for pid in _processes.same_space(self._init())}
        return {pid: line for pid, line in sorted(named.items()) if line}

    def small_disk(self, path: str, size: str = "64k") -> contextlib.AbstractContextManager[None]:
        """Within the context, a directory is a tmpfs of so little size; its files go there and back."""
        return _faults.small_disk(self, path, size)

    def read_only(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Within the context, a directory is mounted read-only."""
        return _faults.read_only(self, path)

    def count_reloads(self) -> None:
        """Count reloads of its service from here on, until a reset."""
        _reloads.count(self)

    @property
    def reloads(self) -> int:
        """How many have been counted; one that did not come to its work is none."""
        return _reloads.counted(self)

    def replaced_reload(self, script: str) -> contextlib.AbstractContextManager[None]:
        """Within the context, a reload of its service is this shell script, and does nothing else."""
        return _reloads.replaced(self, script)

    def _init(self) -> int:
        init = self._machinery.init_of(self.name)
        if init is None:
            raise FleetError(f"{self.name} is not running.")
        return init
