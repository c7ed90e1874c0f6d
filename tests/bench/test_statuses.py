# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of many orders, in what the same calls cost who does nothing else."""

from __future__ import annotations

import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.bench import asking, measuring
from ansible_collections.certfleet.collectssl.tests.bench.conftest import Bench
from ansible_collections.certfleet.collectssl.tests.bench.fleets import Fleet
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, Lab
from ansible_collections.certfleet.collectssl.tests.support.simulator import LOGIN

_FIRST = 500_000


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_statuses(lab: Lab, bench: Bench, delay: float) -> None:
    """With answers that take no time at all, and with some that take as long as one from afar."""
    many = bench.many if not delay else bench.many // 4
    numbers = [str(number) for number in range(_FIRST, _FIRST + many)]
    lab.order(numbers[0])
    order: dict[str, t.Any] = {"account": LOGIN, "key": str(lab.folder / "ordered" / "0.pem")}
    orders = [{**order, "order_number": number, "names": [f"{number}.example.com"]} for number in numbers]
    lab.simulator.control("orders", {"orders": orders})
    lab.simulator.control("delay", {"seconds": delay})
    with Fleet(lab, 1, sites=0) as fleet:
        one, info = (
            fleet.contender(f"statuses of {len(some)}", [{"tasks": [{INFO: {"order_numbers": some}}]}])
            for some in (numbers[:1], numbers)
        )
        bare: dict[int, list[measuring.Cost]] = {1: [], many: []}
        for _turn in range(bench.turns):
            one.run()
            info.run()
            for count, costs in bare.items():
                command = [sys.executable, asking.__file__, str(_FIRST), str(count)]
                code, cost = measuring.run(command, lab.folder, lab.environment(), lab.folder / "bare.log")
                assert code == 0, (lab.folder / "bare.log").read_text()
                costs.append(cost)
    # Neither the start of ansible-core nor that of Python and its libraries is a matter of how many orders there are.
    took = {
        kind: measuring.Spread.of(
            [
                (getattr(whole, kind) - getattr(off, kind)) / (getattr(other, kind) - getattr(first, kind))
                for whole, off, other, first in zip(info.costs, one.costs, bare[many], bare[1], strict=True)
            ]
        )
        for kind in ("seconds", "processors")
    }
    bench.note(
        f"{many} order statuses, {1000 * delay:.0f} ms each ÷ a bare loop of requests over one connection",
        f"{took['seconds']}; processors {took['processors']}",
        took["seconds"].median,
        1.10,
    )
