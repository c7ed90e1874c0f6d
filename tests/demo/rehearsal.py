# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place to rehearse: the simulator with a few orders, three local hosts, and the environment that points at both."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import typing as t

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
SIMULATOR = CHECKOUT / "tests" / "simulator"
HOSTS = ("web1", "web2", "web3")
START_SECONDS = 30


class Rehearsal:
    """Everything lives in one folder: ``simulator/``, ``hosts/web1/`` to ``hosts/web3/``, ``inventory.yml``."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.simulator = folder / "simulator"
        self.environment = dict(os.environ)

    @contextlib.contextmanager
    def running(self) -> t.Iterator[None]:
        """The simulator runs, and ``environment`` points at it."""
        self._lay_out()
        with open(self.folder / "simulator.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, SIMULATOR, "--orders", HERE / "orders.yml", "--directory", self.simulator],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_for(process)
            self._point_at_simulator()
            yield
        finally:
            process.terminate()
            process.wait()

    def control(self, *words: str) -> t.Any:
        """What the simulator's control command answers."""
        command: list[str | pathlib.Path] = [sys.executable, SIMULATOR, "control", self.simulator, *words]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout or "null")

    def tool(self, name: str) -> str:
        """A command of ansible-core, that which belongs to the Python that runs this."""
        return str(pathlib.Path(sys.executable).parent / name)

    def exports(self) -> list[str]:
        """Shell lines that make a terminal part of the rehearsal."""
        names = [name for name in self.environment if name.startswith(("ANSIBLE_", "COLLECTSSL_"))]
        return [f"export {name}={shlex.quote(self.environment[name])}" for name in sorted(names)]

    def _lay_out(self) -> None:
        collection = self.folder / "collections" / "ansible_collections" / "certfleet" / "collectssl"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(CHECKOUT)
        hosts = {}
        for name in HOSTS:
            (self.folder / "hosts" / name).mkdir(parents=True)
            hosts[name] = {"tls_folder": str(self.folder / "hosts" / name)}
        everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": hosts, "vars": everywhere}}
        # JSON is YAML, and needs no library.
        (self.folder / "inventory.yml").write_text(json.dumps(inventory, indent=2))

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        command: list[str | pathlib.Path] = [sys.executable, SIMULATOR, "control", self.simulator, "wait"]
        waited = subprocess.run(command, timeout=START_SECONDS, stdout=subprocess.DEVNULL, check=False)
        if waited.returncode or process.poll() is not None:
            sys.exit(f"The simulator did not start:\n{(self.folder / 'simulator.log').read_text()}")
        # The order was placed with a key of the fleet's own; each host has it.
        for name in HOSTS:
            shutil.copy(self.simulator / "keys" / "4711.key", self.folder / "hosts" / name / "www.key")
            (self.folder / "hosts" / name / "www.key").chmod(0o600)

    def _point_at_simulator(self) -> None:
        about = json.loads((self.simulator / "simulator.json").read_text())
        self.environment.update(
            COLLECTSSL_API_URL=about["api_url_ssl"],
            COLLECTSSL_CA_PATH=about["ca_path"],
            COLLECTSSL_LOGIN_NAME="rehearsal",
            COLLECTSSL_LOGIN_PASSWORD="not a real password",
            ANSIBLE_COLLECTIONS_PATH=str(self.folder / "collections"),
            ANSIBLE_HOME=str(self.folder / "ansible"),
            ANSIBLE_REMOTE_TEMP=str(self.folder / "ansible" / "remote"),
            ANSIBLE_INVENTORY=str(self.folder / "inventory.yml"),
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_NOCOWS="1",
        )
