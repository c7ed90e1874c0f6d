# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many looks at endpoints at a time, in what one look costs."""

from __future__ import annotations

import pathlib
import sys

from ansible_collections.certfleet.collectssl.tests.bench import looking, measuring
from ansible_collections.certfleet.collectssl.tests.bench.conftest import Bench
from ansible_collections.certfleet.collectssl.tests.bench.fleets import Fleet
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab

_MANY = 50


def test_fifty_looks(lab: Lab, bench: Bench) -> None:
    """Each trusts nobody, and so takes three handshakes; what it takes to start Python is taken off."""
    with Fleet(lab, 1, sites=_MANY) as fleet:
        ports = [str(port) for port in fleet.service.ports.values()]
        costs: dict[int, list[measuring.Cost]] = {0: [], 1: [], _MANY: []}
        path = {"PYTHONPATH": str(pathlib.Path(looking.__file__).resolve().parents[5])}
        for _turn in range(bench.turns):
            for count, found in costs.items():
                command = [sys.executable, looking.__file__, *ports[:count]]
                log = lab.folder / "looking.log"
                code, cost = measuring.run(command, lab.folder, {**lab.environment(), **path}, log)
                assert code == 0, log.read_text(encoding="utf-8")
                found.append(cost)
    took = measuring.ratio(costs[_MANY], costs[1], costs[0])
    bench.note(f"{_MANY} looks at endpoints ÷ one look", f"{took.seconds}; processors {took.processors}")
