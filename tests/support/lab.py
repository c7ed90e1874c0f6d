# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller in a temporary folder: it runs the real ansible-playbook and ansible against a simulator."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import yaml

from . import certificates, environment, files, places, simulator
from .runs import Run, read_record

MODULE = "certfleet.collectssl.collectssl_certificate"
INFO = "certfleet.collectssl.collectssl_order_info"
DEPLOY = "certfleet.collectssl.collectssl_deploy"
LOOKUP = "certfleet.collectssl.collectssl_certificate"

Task = dict[str, t.Any]
#: Hosts with their variables; every host gets a folder of its own as the variable "dir".
Hosts = t.Mapping[str, t.Mapping[str, t.Any]]

_SECONDS = 300
_PROOFS = pathlib.Path("/var/lib/certfleet-collectssl/proven")


class Lab:
    """A folder with everything in it: controller, hosts, simulator, temporary files."""

    def __init__(self, folder: pathlib.Path, service: simulator.SimulatorProcess) -> None:
        self.folder = folder
        self.simulator = service
        self._numbers = itertools.count(1000)
        self._runs = itertools.count(1)

    # Orders and hosts

    def order(self, number: str | None = None, **fields: t.Any) -> str:
        """Place an order, and return its number: issued at once, for the shared key, unless fields say otherwise.

        Keys are given as PEM text, in key here and in the phases of life.
        """
        number = number or str(next(self._numbers))
        order = {
            "order_number": number,
            "account": simulator.LOGIN,
            "names": [f"www{number}.example.com", f"{number}.example.com"],
            "key": certificates.shared_key(),
            **fields,
        }
        for place in [order, *order.get("life", [])]:
            if "KEY-----" in str(place.get("key", "")):
                place["key"] = str(self._key_file(place["key"]))
        self.simulator.place(order)
        return number

    def _key_file(self, key: str) -> pathlib.Path:
        folder = self.folder / "ordered"
        folder.mkdir(exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}.pem"
        path.write_text(certificates.public_key(key) if "PRIVATE" in key else key, encoding="ascii")
        return path

    def host_folder(self, host: str) -> pathlib.Path:
        """The folder of a host, which is there."""
        folder = self.folder / "hosts" / host
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fleet(self, prefix: str, count: int, **variables: t.Any) -> dict[str, dict[str, t.Any]]:
        """So many hosts, each with the shared private key at key.pem."""
        hosts = {f"{prefix}{number:02}": dict(variables) for number in range(1, count + 1)}
        for host in hosts:
            files.write(self.host_folder(host) / "key.pem", certificates.shared_key(), 0o600)
        return hosts

    def forget_proofs(self) -> None:
        """Remove what modules that ran as root wrote down of private keys here, as if they had not looked yet."""
        for record in _PROOFS.glob("*"):
            with contextlib.suppress(OSError):
                if f"  {self.folder}/" in record.read_text(encoding="utf-8", errors="replace"):
                    record.unlink()

    # Runs

    def play(
        self,
        hosts: Hosts,
        tasks: t.Sequence[Task],
        *arguments: str,
        play: t.Mapping[str, t.Any] | None = None,
        environment: t.Mapping[str, str] | None = None,
        forks: int = 20,
    ) -> Run:
        """Run these tasks on these hosts."""
        return self.plays(
            hosts, [{**(play or {}), "tasks": list(tasks)}], *arguments, environment=environment, forks=forks
        )

    def plays(
        self,
        hosts: Hosts,
        plays: t.Sequence[t.Mapping[str, t.Any]],
        *arguments: str,
        environment: t.Mapping[str, str] | None = None,
        forks: int = 20,
    ) -> Run:
        """Run these plays, on all of these hosts unless a play names some."""
        with self.started(hosts, plays, *arguments, environment=environment, forks=forks) as process:
            return process.finished()

    def playbook(
        self,
        hosts: Hosts,
        name: str,
        *arguments: str,
        environment: t.Mapping[str, str] | None = None,
        **variables: t.Any,
    ) -> Run:
        """Run a playbook of the collection, with extra variables."""
        folder = self._run_folder()
        given = files.write(folder / "variables.yml", yaml.safe_dump(variables, allow_unicode=True))
        command = [places.program("ansible-playbook"), f"certfleet.collectssl.{name}"]
        options = ["-i", self._inventory(folder, hosts), "-e", f"@{given}", *arguments]
        with self._start(folder, [*command, *options], environment) as process:
            return process.finished()

    def ad_hoc(
        self,
        hosts: Hosts,
        module: str,
        options: str,
        *arguments: str,
        environment: t.Mapping[str, str] | None = None,
    ) -> Run:
        """Run one module with the command ansible."""
        folder = self._run_folder()
        command = [places.program("ansible"), "all", "-i", self._inventory(folder, hosts), "-m", module, "-a", options]
        with self._start(folder, [*command, *arguments], environment) as process:
            return process.finished()

    def started(
        self,
        hosts: Hosts,
        plays: t.Sequence[t.Mapping[str, t.Any]],
        *arguments: str,
        environment: t.Mapping[str, str] | None = None,
        forks: int = 20,
        wrapper: t.Sequence[str] = (),
    ) -> contextlib.AbstractContextManager[Process]:
        """Start these plays, as arguments of a wrapper if there is one.

        What is left of the run at the end of the context is killed.
        """
        folder = self._run_folder()
        text = yaml.safe_dump(
            [{"hosts": "all", "gather_facts": False, **play} for play in plays], allow_unicode=True, sort_keys=False
        )
        playbook = files.write(folder / "playbook.yml", text)
        inventory = self._inventory(folder, hosts)
        command = [
            *wrapper,
            places.program("ansible-playbook"),
            "-i",
            inventory,
            "-f",
            str(forks),
            *arguments,
            str(playbook),
        ]
        return self._start(folder, command, environment)

    def _run_folder(self) -> pathlib.Path:
        folder = self.folder / "runs" / str(next(self._runs))
        folder.mkdir(parents=True)
        return folder

    def _inventory(self, folder: pathlib.Path, hosts: Hosts) -> str:
        described = {name: {"dir": str(self.host_folder(name)), **variables} for name, variables in hosts.items()}
        common = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        text = yaml.safe_dump({"all": {"hosts": described, "vars": common}}, allow_unicode=True)
        return str(files.write(folder / "inventory.yml", text))

    def _start(
        self, folder: pathlib.Path, command: list[str], environment: t.Mapping[str, str] | None
    ) -> contextlib.AbstractContextManager[Process]:
        record = folder / "results.jsonl"
        own = {**self.environment(), "COLLECTSSL_RECORD": str(record), **(environment or {})}
        return _running(folder, command, {name: value for name, value in own.items() if value}, record)

    def environment(self) -> dict[str, str]:
        """The environment of a run: credentials and address of the simulator, and no setting from around it."""
        scratch = self.folder / "tmp"
        scratch.mkdir(exist_ok=True)
        return environment.of_run(
            self.folder,
            "controller",
            ANSIBLE_CALLBACKS_ENABLED="collectssl_recorder",
            ANSIBLE_CALLBACK_PLUGINS=str(pathlib.Path(__file__).parent / "callbacks"),
            ANSIBLE_CONFIG=str(self._configuration()),
            ANSIBLE_LOAD_CALLBACK_PLUGINS="true",
            TMPDIR=str(scratch),
            **self.simulator.environment,
        )

    def _configuration(self) -> pathlib.Path:
        path = self.folder / "ansible.cfg"
        if not path.exists():
            remote = self.folder / "target tmp"
            settings = ["localhost_warning = false", "nocolor = true", "pipelining = true", f"remote_tmp = {remote}"]
            path.write_text("\n".join(["[defaults]", *settings, ""]), encoding="utf-8")
        return path


class Process:
    """A run under way."""

    def __init__(self, popen: subprocess.Popen[str], record: pathlib.Path) -> None:
        self.popen = popen
        self._record = record
        self._lines: list[str] = []

    def lines(self) -> t.Iterator[str]:
        """The lines of its output, as it writes them."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._lines.append(line)
            yield line

    def finished(self) -> Run:
        """Wait for its end."""
        for _line in self.lines():
            pass
        return Run(self.popen.wait(), "".join(self._lines), read_record(self._record))


@contextlib.contextmanager
def _running(
    folder: pathlib.Path, command: list[str], environment: dict[str, str], record: pathlib.Path
) -> t.Iterator[Process]:
    # A session of its own, so that its workers can be ended with it; timeout(1) bounds even a run that is read from
    # line by line.
    popen = subprocess.Popen(
        ["timeout", "--kill-after=5", str(_SECONDS), *command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
    )
    try:
        yield Process(popen, record)
    finally:
        if popen.poll() is None:
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()
        if popen.stdout is not None:
            popen.stdout.close()
