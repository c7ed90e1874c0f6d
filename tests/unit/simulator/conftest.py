# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the simulator for those that need it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import Simulator
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._certificates import Issuer
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._pki import Pki

from .support import ACCOUNTS, Caller, dump_orders


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """An issuer with authorities of its own."""
    directory = tmp_path_factory.mktemp("issuer")
    return Issuer(Pki(directory / "pki"), directory)


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory whose authorities all simulators of a test run share: making them takes time."""
    return tmp_path_factory.mktemp("simulator")


@pytest.fixture
def start(shared_directory: pathlib.Path, tmp_path: pathlib.Path) -> t.Iterator[t.Callable[..., Caller]]:
    """A function that starts a simulator with a list of orders and returns a caller of it."""
    running: list[tuple[Simulator, Caller]] = []

    def starter(orders: list[dict[str, t.Any]], **options: t.Any) -> Caller:
        path = dump_orders(tmp_path / "orders.yml", orders, options.pop("accounts", ACCOUNTS))
        simulator = Simulator(path, shared_directory, **options)
        simulator.start()
        caller = Caller(simulator.ready)
        running.append((simulator, caller))
        caller.control("POST", "reset", {})
        return caller

    yield starter
    for simulator, caller in running:
        caller.close()
        simulator.stop()
