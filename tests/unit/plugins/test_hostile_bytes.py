# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What fuzzing found out, and whole containers damaged at random: a value or the one error, and soon."""

from __future__ import annotations

import base64
import random
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import hostile_bytes
from ansible_collections.certfleet.collectssl.tests.support.response_damage import seeds

_SECONDS = 5
"""Of the processor, for one input: far more than any needs."""
_TIMES = 6
"""How often each container is damaged."""


def test_what_fuzzing_found_out_is_a_value_or_refused(record_property: t.Callable[..., None]) -> None:
    inputs = hostile_bytes.kept()
    outcomes = [_outcome(data) for data in inputs]
    record_property("tried", f"fuzzed body: kept: {len(inputs)}")
    # Each reader has some that it takes, and some that it refuses, so that a corpus of nothing is noticed.
    readers = {data[0] % len(hostile_bytes.READERS) for data in inputs}
    assert readers == set(range(len(hostile_bytes.READERS)))
    assert set(outcomes) == {"value", "refused"}
    assert sum(map(len, inputs)) < 100_000


def test_whole_answers_and_containers_are_values() -> None:
    """What the damage is done to, so that it is the damage that is refused."""
    refused = [data for data in seeds() if data[0] >= len(hostile_bytes.REQUESTS) and _outcome(data) != "value"]
    assert not refused


def test_damaged_containers_are_values_or_refused(record_property: t.Callable[..., None]) -> None:
    rng = random.Random(5)  # noqa: S311
    begins = [data for data in seeds() if data[0] >= len(hostile_bytes.REQUESTS)]
    outcomes = []
    for data in begins * _TIMES:
        damaged = bytearray(data)
        for _count in range(rng.randint(1, 4)):
            damaged[rng.randrange(1, len(damaged))] ^= 1 << rng.randrange(8)
        outcomes.append(_outcome(bytes(damaged)))
    record_property("tried", f"fuzzed body: damaged container: {len(outcomes)}")
    assert set(outcomes) == {"value", "refused"}


@pytest.mark.parametrize("reader", range(len(hostile_bytes.READERS)))
def test_nothing_at_all_is_refused(reader: int) -> None:
    assert _outcome(bytes([reader])) == "refused"


def _outcome(data: bytes) -> str:
    begun = time.process_time()
    try:
        outcome = hostile_bytes.read(data)
    except Exception as exc:
        raise AssertionError(base64.b64encode(data).decode("ascii")) from exc
    assert time.process_time() - begun < _SECONDS
    return outcome
