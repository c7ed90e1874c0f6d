# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet: brought up, used, taken down."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import environment, probe
from ansible_collections.certfleet.collectssl.tests.support.simulator import SimulatorProcess

from . import (
    _ansible,
    _certificates,
    _cgroups,
    _directory,
    _disk,
    _namespaces,
    _processes,
    _requirements,
    _roots,
)
from ._certificates import SERVER_NAME, Initial
from ._errors import CannotRun, FleetError
from ._host import Host
from ._places import PACKAGE, SHELL, shell
from ._plan import CONTROLLER, CONTROLLER6, PREFIX, PREFIX6, RELEASES, Endpoint, Plan
from ._prober import Prober
from ._simulator import ControllerNamespace

_BRIDGE = "fleet"

_PREPARE = shell("prepare-controller")

_BLANK_DISKS = shell("blank-disks")

_START = shell("start-hosts")

_CUT_OFF = shell("cut-off")


class Fleet:
    """A fleet of hosts in a directory (None: a temporary one). It can be used with `with`, or with up() and down()."""

    def __init__(
        self,
        directory: pathlib.Path | str | None = None,
        hosts: int = 24,
        say: t.Callable[[str], None] = print,
    ) -> None:
        self._wanted_directory = None if directory is None else pathlib.Path(directory)
        self._count = hosts
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: int | None = None
        self.missing: dict[str, str] = {}
        self.no_systemd: str | None = None
        self.hosts: dict[str, Host] = {}
        self.directory = pathlib.Path()

    @classmethod
    def attach(cls, directory: pathlib.Path | str) -> Fleet:
        """Return the fleet that runs in a directory; raises FleetError where none does."""
        fleet = cls(directory)
        fleet.directory = pathlib.Path(directory).resolve()
        fleet._take(_directory.read_state(fleet.directory))
        fleet._keeper = _processes.of(fleet.directory).get(_processes.KEEPER)
        if fleet._keeper is None:
            raise FleetError(f"The fleet in {fleet.directory} does not run any more.")
        return fleet

    def __enter__(self) -> Fleet:
        self.up()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.down()

    # Up and down

    @staticmethod
    def check() -> None:
        """Return if a fleet can run on this machine; raises CannotRun."""
        _requirements.check()

    def up(self, owned: bool = True) -> None:
        """Bring it up, and return when every host answers; raises CannotRun or FleetError, with nothing left behind.

        An owned fleet ends with this process, however that comes; another one stays until down().
        """
        _requirements.check()
        roots, self.missing = _roots.provide(RELEASES, self._say)
        for release, reason in self.missing.items():
            self._say(f"{release}: left out, {reason}")
        if not roots:
            raise CannotRun(f"No Debian release could be had: {'; '.join(map(': '.join, self.missing.items()))}.")
        self.no_systemd = _cgroups.why_not()
        if self.no_systemd:
            self._say(f"systemd: left out, {self.no_systemd}")
        self.directory = _directory.claim(self._wanted_directory)
        state = _directory.State(self._count, list(roots), self.missing, self.no_systemd)
        _directory.write_state(self.directory, state)
        try:
            self._take(state)
            plans = state.plans()
            self._write_files(plans)
            self._start_keeper(owned)
            cgroups = "" if self.no_systemd else _cgroups.name(self.directory)
            network = (_BRIDGE, f"{CONTROLLER}/{PREFIX}", f"{CONTROLLER6}/{PREFIX6}")
            releases = (f"{name}={root}" for name, root in roots.items())
            self._in_keeper(_PREPARE, str(self.directory), cgroups, *network, *releases)
            self._blank(plans)
            self.start_hosts(plans)
            self.wait_until_ready()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """End it and remove its directory; harmless where it is down already."""
        self._keeper = None
        if self.directory != pathlib.Path():
            _directory.end(self.directory)
        if self._process is not None:
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    stream.close()
            self._process = None

    def _take(self, state: _directory.State) -> None:
        self.missing, self.no_systemd = state.missing, state.no_systemd
        self.hosts = {plan.name: Host(plan, self) for plan in state.plans()}

    def _write_files(self, plans: t.Sequence[Plan]) -> None:
        # Closed to all but root as a whole; sshd and ssh look at the folders above their keys.
        for name in ("tree", "log", "ansible"):
            (self.directory / name).mkdir()
        (self.directory / "hosts").write_text(_ansible.hosts_file(plans), encoding="ascii")
        (self.directory / "resolv.conf").write_text("", encoding="ascii")
        _certificates.make(self.directory / "pki")
        _ansible.make_keys(self.directory / "ssh", plans)
        _ansible.write(self.directory, plans)

    def _start_keeper(self, owned: bool) -> None:
        isolated = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        marked = [_processes.MARK, str(self.directory), _processes.KEEPER, "owned" if owned else "free"]
        removal = _directory.removal(self.directory)
        with (self.directory / "log" / "keeper.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*isolated, sys.executable, str(PACKAGE / "_keeper.py"), *marked, *removal],
                cwd="/",
                stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            text = (self.directory / "log" / "keeper.log").read_text(encoding="utf-8", errors="replace")
            raise FleetError(f"The keeper did not start: {text.strip()}")
        self._keeper = _processes.of(self.directory).get(_processes.KEEPER)

    def _keeper_pid(self) -> int:
        if self._keeper is None or not _processes.command_line(self._keeper):
            raise FleetError("The fleet is not up.")
        return self._keeper

    def _in_keeper(self, script: str, *arguments: str, lines: t.Iterable[str] = ()) -> None:
        command = _namespaces.in_controller(self._keeper_pid(), ["sh", "-c", script, "sh", *arguments])
        text = "".join(f"{line}\n" for line in lines)
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise FleetError(f"The fleet can't be set up: {done.stdout}{done.stderr}".strip())

    # Hosts

    @property
    def initial(self) -> Initial:
        """The certificate that every host starts with."""
        return _certificates.read(self.directory / "pki")

    def of(self, service: str | None = None, release: str | None = None, systemd: bool | None = None) -> list[Host]:
        """The hosts with a service, of a release, with systemd or without; None says that it does not matter."""
        return [
            host
            for host in self.hosts.values()
            if service in (None, host.service) and release in (None, host.release) and systemd in (None, host.systemd)
        ]

    def init_of(self, name: str) -> int | None:
        """The first process of a host, by its number on this machine; None where the host is not running."""
        return _processes.of(self.directory).get(name)

    def start_hosts(self, plans: t.Sequence[Plan]) -> None:
        """Start hosts that do not run; returns at once."""
        running = _processes.of(self.directory)
        lines = [
            f"{plan.name} {plan.link} {plan.mac} {plan.address}/{PREFIX} {plan.address6}/{PREFIX6} "
            + ("systemd" if plan.systemd else "scripts")
            for plan in plans
            if plan.name not in running
        ]
        enter, cgroups = str(SHELL / "enter-host.sh"), _cgroups.name(self.directory)
        self._in_keeper(_START, enter, _processes.MARK, str(self.directory), _BRIDGE, cgroups, lines=lines)

    def kill_hosts(self, plans: t.Sequence[Plan]) -> None:
        """Cut hosts off the network, then end them; nothing happens to those that do not run."""
        self._in_keeper(_CUT_OFF, *(plan.link for plan in plans))
        running = _processes.of(self.directory)
        pids = [running[plan.name] for plan in plans if plan.name in running]
        for pid in pids:
            _processes.kill(pid)
        for pid in pids:
            if not _processes.wait_gone(pid):
                raise FleetError(f"Process {pid} does not end.")

    def reset(self, names: t.Iterable[str] | None = None) -> None:
        """Put hosts (all by default) back to what they were at the start: disk, certificate and services."""
        plans = [self.hosts[name].plan for name in (self.hosts if names is None else names)]
        self.kill_hosts(plans)
        self._blank(plans)
        self.start_hosts(plans)
        self.wait_until_ready([plan.name for plan in plans])

    def _blank(self, plans: t.Sequence[Plan]) -> None:
        self._in_keeper(_BLANK_DISKS, str(self.directory), lines=(f"{plan.name} {plan.release}" for plan in plans))
        # The keeper's mounts can be seen from outside through its own view of the file systems.
        tree = pathlib.Path(f"/proc/{self._keeper_pid()}/root{self.directory}/tree")
        ssh = self.directory / "ssh"
        initial, names = self.initial, (self.directory / "hosts").read_text(encoding="ascii")
        authorized = (ssh / "id_ed25519.pub").read_text(encoding="ascii")
        for plan in plans:
            private = (ssh / "hosts" / plan.name).read_text(encoding="ascii")
            public = (ssh / "hosts" / f"{plan.name}.pub").read_text(encoding="ascii")
            keys = _disk.Keys(private, public, authorized)
            _disk.fill(tree / plan.name / "root", _disk.entries(plan, initial, keys, names))

    def wait_until_ready(self, names: t.Iterable[str] | None = None, timeout: float = 60) -> None:
        """Wait until sshd and the service of hosts (all by default) answer; raises FleetError with what does not."""
        hosts = [self.hosts[name] for name in (self.hosts if names is None else names)]
        targets: list[tuple[str, int, str | None]] = [(host.name, 22, "ssh") for host in hosts]
        targets += [(end.host, end.port, end.starttls) for host in hosts for end in host.endpoints]
        job = {"targets": targets, "server_name": SERVER_NAME, "trust": "", "seconds": timeout}
        client = [sys.executable, "-B", probe.__file__, "ready"]
        done = self.run_in_controller(client, input=json.dumps(job) + "\n", timeout=timeout + 120)
        if done.returncode != 0:
            raise FleetError(f"Not everything came up: {done.stdout.strip()}{done.stderr.strip()}")

    # The controller

    @property
    def inventory(self) -> pathlib.Path:
        """The inventory: groups by service and by release."""
        return self.directory / "inventory.yml"

    @property
    def ansible_cfg(self) -> pathlib.Path:
        """The configuration of Ansible."""
        return self.directory / "ansible.cfg"

    @property
    def ssh_config(self) -> pathlib.Path:
        """The configuration of ssh: `ssh -F`."""
        return self.directory / "ssh_config"

    def controller_environment(self) -> dict[str, str]:
        """The environment of commands in the controller namespace, without any of the surrounding settings."""
        programs = str(pathlib.Path(sys.executable).parent)
        return environment.of_run(
            self.directory,
            "ansible",
            ANSIBLE_CONFIG=str(self.ansible_cfg),
            PATH=os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        )

    def controller_command(self, command: t.Sequence[str], cwd: pathlib.Path | str | None = None) -> list[str]:
        """The command line that runs a command in the controller namespace."""
        return _namespaces.in_controller(self._keeper_pid(), command, str(cwd or self.directory))

    def run_in_controller(
        self,
        command: t.Sequence[str],
        *,
        env: t.Mapping[str, str] | None = None,
        cwd: pathlib.Path | str | None = None,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the controller namespace to its end, and return what came of it.

        env is added to controller_environment(). What is left of it after timeout seconds is killed, and
        subprocess.TimeoutExpired raised.
        """
        process = self.popen_in_controller(
            command, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            output, errors = process.communicate(input or "", timeout=timeout)
        except BaseException:
            self.kill_tree(process)
            raise
        return subprocess.CompletedProcess(list(command), process.returncode, output, errors)

    def popen_in_controller(
        self,
        command: t.Sequence[str],
        *,
        env: t.Mapping[str, str] | None = None,
        cwd: pathlib.Path | str | None = None,
        **popen: t.Any,
    ) -> subprocess.Popen[str]:
        """Start a command in the controller namespace, in a session of its own; popen goes to subprocess.Popen."""
        options: dict[str, t.Any] = {"stdin": subprocess.DEVNULL, **popen}
        return subprocess.Popen(
            self.controller_command(command, cwd),
            env={**self.controller_environment(), **(env or {})},
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
            **options,
        )

    def kill_tree(self, process: subprocess.Popen[t.Any]) -> None:
        """SIGKILL to a process and everything that comes from it, in whatever session, and wait for its end."""
        if process.poll() is None:
            family = _processes.descendants(process.pid)
            # Held first, so that none of them can start another one meanwhile.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in family:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                family = list(dict.fromkeys([*family, *_processes.descendants(process.pid)]))
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def end_tree(self, process: subprocess.Popen[t.Any], number: int) -> None:
        """Let a signal end a run: SIGINT goes to its whole group, as a terminal has it; what is left then is killed.

        That are what it started, and the connections that ssh keeps for later runs.
        """
        family = _processes.descendants(process.pid)
        playing = [
            pid for pid in family if any("ansible-playbook" in word for word in _processes.command_line(pid)[:2])
        ]
        group = os.getpgid(playing[0])
        ended = [pid for pid in family if number == signal.SIGINT and _group(pid) == group] or playing[:1]
        for pid in ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        _processes.wait_gone(playing[0])
        masters = [pid for pid in _processes.pids() if f"{self.directory}/cp/" in "".join(_processes.command_line(pid))]
        for pid in dict.fromkeys([*family, *_processes.descendants(process.pid), *masters]):
            _processes.kill(pid)
        process.wait()

    @contextlib.contextmanager
    def probing(
        self,
        endpoints: t.Sequence[Endpoint] | None = None,
        trust: t.Sequence[str] = (),
        server_name: str = SERVER_NAME,
        interval: float = 0.1,
    ) -> t.Iterator[Prober]:
        """Within the context, connect to endpoints (all by default) in a loop, each every interval seconds or so.

        trust is a list of roots as PEM text; without any, chain and name are not verified.
        """
        wanted = list(endpoints or (endpoint for host in self.hosts.values() for endpoint in host.endpoints))
        job = {"targets": wanted, "server_name": server_name, "trust": "".join(trust), "interval": interval}
        handle, name = tempfile.mkstemp(prefix="probe-", suffix=".jsonl", dir=self.directory)
        client = [sys.executable, "-B", probe.__file__, "probe"]
        with os.fdopen(handle, "wb") as record:
            process = self.popen_in_controller(client, stdin=subprocess.PIPE, stdout=record)
        prober = Prober(wanted, pathlib.Path(name), process)
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            prober.wait_for(1)
            yield prober
        finally:
            prober.stop()

    def simulator(self, orders: t.Mapping[str, t.Any]) -> contextlib.AbstractContextManager[SimulatorProcess]:
        """Within the context, the simulator runs in the controller namespace, on orders as in its orders file."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="simulator-", dir=self.directory))
        return SimulatorProcess(directory, orders, ControllerNamespace(self))


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
