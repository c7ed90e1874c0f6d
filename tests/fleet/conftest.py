# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests on a fleet."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib import collectssl_deploying
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import CannotRun, Fleet

HOSTS = 24


@pytest.fixture(scope="session", autouse=True)
def fleet_can_run() -> None:
    """Skip the test, with a sentence that says why, where no fleet can run."""
    try:
        Fleet.check()
    except CannotRun as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def fleet(fleet_can_run: None) -> t.Iterator[Fleet]:
    """A fleet that is up: of its own, or the one in the directory COLLECTSSL_FLEET."""
    running = os.environ.get("COLLECTSSL_FLEET")
    if running:
        fleet = Fleet.attach(running)
        fleet.reset()
        yield fleet
        return
    fleet = Fleet(hosts=HOSTS)
    try:
        fleet.up()
    except CannotRun as exc:
        pytest.skip(str(exc))
    try:
        yield fleet
    finally:
        fleet.down()


@pytest.fixture
def fresh_fleet(fleet: Fleet) -> Fleet:
    """The fleet, with every host as it was at the start."""
    fleet.reset()
    return fleet


@pytest.fixture(scope="module")
def stage(fleet: Fleet) -> t.Iterator[collectssl_deploying.Stage]:
    """A fleet as it was at the start, with orders for it."""
    with collectssl_deploying.stage(fleet) as value:
        yield value
