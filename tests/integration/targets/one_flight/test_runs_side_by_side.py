# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that go on at the same time share nothing but the user's folder, and still call one after the other."""

from __future__ import annotations

import contextlib
import datetime
import itertools

from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

RUNS = 4
DELAY = 0.5


def test_four_runs_at_once(lab: Lab) -> None:
    """Four playbooks with two orders each, all begun before the first answer is given: never two calls at a time."""
    orders = [[lab.order() for _order in range(2)] for _run in range(RUNS)]
    host = lab.fleet("web", 1)
    lab.simulator.control("delay", {"seconds": DELAY})
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                lab.started(
                    host,
                    [
                        {
                            "tasks": [
                                {
                                    "name": "collect",
                                    MODULE: {"order_number": "{{ item }}", "path": "{{ dir }}/{{ item }}.pem"},
                                    "loop": numbers,
                                    # What is asked for is what counts here; installing it would cost a module run each.
                                    "check_mode": True,
                                }
                            ]
                        }
                    ],
                )
            )
            for numbers in orders
        ]
        for process in processes:
            process.finished().must_succeed()

    calls = lab.simulator.calls()
    assert len(calls) == 2 * RUNS
    assert sorted(call["order_number"] for call in calls) == sorted(number for numbers in orders for number in numbers)
    assert lab.simulator.peak() == 1
    # They did compete: a call began as soon as the one before it was answered.
    moments = [datetime.datetime.fromisoformat(call["time"].replace("Z", "+00:00")) for call in calls]
    gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(moments)]
    assert min(gaps) >= DELAY
    assert min(gaps) < DELAY + 0.5, gaps
