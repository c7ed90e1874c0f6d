# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory as a fleet grows: the one is to grow as fast, the other not at all."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.tests.bench import fleets, plays
from ansible_collections.certfleet.collectssl.tests.bench.conftest import Bench
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab


def test_ten_to_many_hosts(lab: Lab, bench: Bench) -> None:
    """How long a host takes, and how much more memory than ``ping`` of as many hosts the controller has for it."""
    missing = fleets.missing(over_ssh=False)
    if missing:
        pytest.skip(missing)
    milliseconds, mebibytes, sizes = {}, {}, sorted({10, min(100, bench.many), bench.many})
    for size in sizes:
        with fleets.Fleet(lab, size) as fleet:
            start_up, ping, certificate = plays.start_up(fleet), plays.ping(fleet), plays.certificate(fleet)
            fleets.settle(certificate)
            turns = bench.turns if size < 100 else 1
            for _turn in range(turns):
                for contender in (start_up, ping, certificate):
                    contender.run()
        work, none, pings = (sorted(contender.costs)[turns // 2] for contender in (certificate, start_up, ping))
        milliseconds[size] = 1000 * (work.processors - none.processors) / size
        mebibytes[size] = (work.memory - pings.memory) / 1024
    bench.note(
        "local: collectssl_certificate, nothing to do: time of the processors a host, and the last ÷ the first",
        *_grown("ms", milliseconds, milliseconds[sizes[-1]] / milliseconds[sizes[0]]),
        1.25,
    )
    bench.note(
        "local: collectssl_certificate, nothing to do: the controller's memory beyond that for ping, and its growth",
        *_grown("MiB", mebibytes, mebibytes[sizes[-1]] - mebibytes[sizes[0]]),
        4,
    )


def _grown(unit: str, by_hosts: dict[int, float], growth: float) -> tuple[str, float]:
    shown = ", ".join(f"{hosts} hosts: {value:.1f} {unit}" for hosts, value in by_hosts.items())
    return f"{shown}; {growth:.2f}", growth
