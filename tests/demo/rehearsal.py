# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place to rehearse: the simulator with a few orders, three local hosts, and the environment that points at both."""

from __future__ import annotations

import contextlib
import importlib
import json
import pathlib
import runpy
import shlex
import shutil
import sys
import typing as t

import yaml

HERE = pathlib.Path(__file__).resolve().parent

try:
    importlib.import_module("ansible_collections.certfleet.collectssl.tests.support")
except ImportError:
    runpy.run_path(str(HERE.parent / "support" / "importable.py"))

from ansible_collections.certfleet.collectssl.tests.support import environment, places  # noqa: E402 - see above
from ansible_collections.certfleet.collectssl.tests.support.simulator import SimulatorProcess  # noqa: E402

SIMULATOR = places.SIMULATOR
HOSTS = ("web1", "web2", "web3")


class Rehearsal:
    """Everything lives in one folder: ``simulator/``, ``hosts/web1/`` to ``hosts/web3/``, ``inventory.yml``."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        orders = yaml.safe_load((HERE / "orders.yml").read_text(encoding="utf-8"))
        self.simulator = SimulatorProcess(folder / "simulator", orders)
        self.environment: dict[str, str] = {}

    @contextlib.contextmanager
    def running(self) -> t.Iterator[None]:
        """The simulator runs, and ``environment`` points at it."""
        self._lay_out()
        with self.simulator:
            self._hand_out_keys()
            self._point_at_simulator()
            yield

    def tool(self, name: str) -> str:
        """A command of ansible-core, that which belongs to the Python that runs this."""
        return places.program(name)

    def exports(self) -> list[str]:
        """Shell lines that make a terminal part of the rehearsal."""
        names = [name for name in self.environment if name.startswith(("ANSIBLE_", "COLLECTSSL_"))]
        return [f"export {name}={shlex.quote(self.environment[name])}" for name in sorted(names)]

    def _lay_out(self) -> None:
        hosts = {}
        for name in HOSTS:
            (self.folder / "hosts" / name).mkdir(parents=True)
            hosts[name] = {"tls_folder": str(self.folder / "hosts" / name)}
        everywhere = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        inventory = {"all": {"hosts": hosts, "vars": everywhere}}
        # JSON is YAML, and needs no library.
        (self.folder / "inventory.yml").write_text(json.dumps(inventory, indent=2))

    def _hand_out_keys(self) -> None:
        # The order was placed with a key of the fleet's own; each host has it.
        for name in HOSTS:
            shutil.copy(self.simulator.directory / "keys" / "4711.key", self.folder / "hosts" / name / "www.key")
            (self.folder / "hosts" / name / "www.key").chmod(0o600)

    def _point_at_simulator(self) -> None:
        self.environment = environment.of_run(
            self.folder,
            "ansible",
            ANSIBLE_REMOTE_TEMP=str(self.folder / "ansible" / "remote"),
            ANSIBLE_INVENTORY=str(self.folder / "inventory.yml"),
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_NOCOWS="1",
            **self.simulator.environment,
        )
