# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets whose hosts attempt a task again and again, in a time that passes at once."""

from __future__ import annotations

import collections
import json
import os
import queue
import random
import typing as t

import pytest
from ansible.playbook.task import Task
from ansible.playbook.task_include import TaskInclude
from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _polling
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt, attempt_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Waiting
from ansible_collections.certfleet.collectssl.tests.support import broker
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    ASK_ONCE,
    ISSUED,
    PENDING,
    Fleet,
    Reply,
    request,
)

STATUS = request(query_type=QUERY_STATUS)
NETWORK = _errors.TransportError("The network is down.")
Until = t.Callable[[Outcome], bool]


def issued(outcome: Outcome) -> bool:
    return outcome.order["state"] == "issued"


def never(_outcome: Outcome) -> bool:
    return False


class Poll:
    """A task that polls, on many hosts, of which so many forks run at a time.

    ``lasting`` is how long an attempt goes on once it has its answer, ``delay`` the pause between two.
    """

    def __init__(
        self,
        fleet: Fleet,
        until: Until,
        attempts: int = 3,
        name: str = "task",
        asked: CollectRequest | None = None,
        **waiting: int,
    ) -> None:
        self.fleet = fleet
        self.until = until
        self.attempts = attempts
        self.name = name
        self.asked = asked
        self.waiting = Waiting(waiting.get("timeout", 0), waiting.get("poll_interval", 300))
        self.given: list[list[int]] = []

    def run(
        self,
        hosts: int,
        forks: int,
        delay: t.Callable[[], float] = lambda: 1.0,
        lasting: t.Callable[[], float] = lambda: 0.0,
        starting: float = 0.05,
    ) -> Poll:
        """Let the hosts do it, each in a worker that takes the next host when it is done with one."""
        left: queue.SimpleQueue[int] = queue.SimpleQueue()
        for host in range(hosts):
            left.put(host)

        def work() -> None:
            while not left.empty():
                left.get()
                self._host(delay, lasting)

        self.fleet.world.run(*[(starting * fork, work) for fork in range(min(forks, hosts))])
        return self

    def _host(self, delay: t.Callable[[], float], lasting: t.Callable[[], float]) -> None:
        attempt = Attempt(self.name)
        numbers: list[int] = []
        self.given.append(numbers)
        while True:
            outcome = self.fleet.ask(self.waiting, self.asked, attempt=attempt)
            numbers.append(outcome.number)
            self.fleet.world.sleep(lasting())
            if self.until(outcome) or len(numbers) == self.attempts:
                return
            self.fleet.world.sleep(delay())
            attempt = attempt.following()


@pytest.mark.parametrize("forks", [1, 5, 20])
@pytest.mark.parametrize("delay", [0.0, 1.0, 60.0])
@pytest.mark.parametrize("starting", [0.0, 0.05, 0.7])
@pytest.mark.parametrize("poll_interval", [1, 300])
def test_twenty_hosts_that_poll_three_times_cost_three_calls(
    monkeypatch: pytest.MonkeyPatch, forks: int, delay: float, starting: float, poll_interval: int
) -> None:
    fleet = Fleet(monkeypatch, PENDING, PENDING, ISSUED)
    poll = Poll(fleet, issued, poll_interval=poll_interval).run(20, forks, lambda: delay, starting=starting)
    assert len(fleet.provider.calls) == 3
    assert {numbers[-1] for numbers in poll.given} == {3}
    assert fleet.provider.peak == 1


@pytest.mark.parametrize("forks", [1, 5, 20])
@pytest.mark.parametrize("reply", [PENDING, ISSUED, "errorCode=-22", "errorCode=-16", NETWORK])
def test_a_poll_in_vain_costs_as_many_calls_as_attempts(
    monkeypatch: pytest.MonkeyPatch, forks: int, reply: t.Any
) -> None:
    fleet = Fleet(monkeypatch, reply)
    poll = Poll(fleet, never, attempts=4).run(20, forks)
    assert len(fleet.provider.calls) == 4
    # No host is told less in its n-th attempt than the n-th call brought.
    assert all(number >= at for numbers in poll.given for at, number in enumerate(numbers, 1))


@pytest.mark.parametrize("seed", range(25))
def test_no_attempt_is_behind_the_fleet(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Hosts that start late, take long and pause for different times, as on a controller that is overloaded."""
    chance = random.Random(seed)  # noqa: S311
    attempts = chance.randint(2, 5)
    replies: list[Reply] = [PENDING, ISSUED, NETWORK, "errorCode=-20"]
    fleet = Fleet(monkeypatch, *chance.choices(replies, k=5))
    poll = Poll(fleet, never, attempts).run(
        chance.randint(1, 12),
        chance.randint(1, 12),
        lambda: chance.choice([0.0, 0.3, 1.0, 4.0]),
        lambda: chance.choice([0.0, 0.2, 3.0]),
        chance.choice([0.0, 0.1, 2.0]),
    )
    assert len(fleet.provider.calls) == attempts
    for numbers in poll.given:
        assert numbers == sorted(numbers)
        assert all(number >= at for at, number in enumerate(numbers, 1))


@pytest.mark.parametrize("delay", [0.0, 5.0, 299.0, 1000.0])
@pytest.mark.parametrize("reply", [PENDING, ISSUED, NETWORK])
def test_a_host_by_itself_asks_in_every_attempt(monkeypatch: pytest.MonkeyPatch, delay: float, reply: t.Any) -> None:
    fleet = Fleet(monkeypatch, reply)
    assert Poll(fleet, never, attempts=5).run(1, 1, lambda: delay).given == [[1, 2, 3, 4, 5]]


def test_a_reissue_is_found_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, *[f"errorCode=1&notBefore={moment}&notAfter=1900000000" for moment in (1, 1, 1, 86400)])
    before = fleet.ask(asked=STATUS).order
    poll = Poll(fleet, lambda outcome: outcome.order["not_before"] != before["not_before"], 9, asked=STATUS).run(20, 5)
    # The first attempt takes what the run knows.
    assert len(fleet.provider.calls) == 4
    assert {numbers[-1] for numbers in poll.given} == {4}
    assert poll.given[0] == [1, 2, 3, 4]


@pytest.mark.parametrize(("moment", "calls"), [(86400, 3), (1, 2)])
def test_a_status_that_tells_of_another_certificate_makes_the_chain_stale(
    monkeypatch: pytest.MonkeyPatch, moment: int, calls: int
) -> None:
    whole = f"{broker.issued(request())}&notBefore=1&notAfter=1900000000"
    fleet = Fleet(monkeypatch, whole, f"errorCode=1&notBefore={moment}&notAfter=1900000000", whole)
    for _host in range(3):
        fleet.ask()
    Poll(fleet, lambda outcome: outcome.number > 1, asked=STATUS).run(3, 3)
    assert len(fleet.provider.calls) == 2
    for _host in range(3):
        assert fleet.ask().require_issued().certificate
    assert len(fleet.provider.calls) == calls


def test_an_attempt_waits_for_itself_and_shares_its_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    Poll(fleet, never, attempts=3, timeout=50, poll_interval=20).run(20, 20, lambda: 10.0)
    # Three waits of 50 seconds, each with a call at its beginning, every 20 seconds, and at its end.
    assert fleet.provider.calls == pytest.approx([0, 20, 40, 50, 60, 80, 100, 110, 120, 140, 160, 170], abs=1)


def test_two_tasks_poll_each_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    Poll(fleet, never, name="one").run(4, 2)
    second = Poll(fleet, never, name="another").run(4, 2)
    assert second.given[0] == [3, 4, 5]
    assert len(fleet.provider.calls) == 5


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
@pytest.mark.parametrize("reply", [PENDING, ISSUED])
def test_a_clock_that_is_set_brings_back_no_old_answer(
    monkeypatch: pytest.MonkeyPatch, jump: float, reply: t.Any
) -> None:
    fleet = Fleet(monkeypatch, reply)
    first = Attempt("task")
    assert fleet.ask(attempt=first).number == 1
    fleet.world.set_clock(jump)
    second = first.following()
    assert fleet.ask(attempt=second).number == 2
    # Another host, which is one attempt behind, is not told what it knows.
    assert fleet.ask(attempt=first.following()).number == 2
    assert len(fleet.provider.calls) == 2


def test_a_failure_within_a_poll_is_not_hidden_by_an_older_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED, NETWORK, ISSUED)
    attempt = Attempt("task")
    states = []
    for _attempt in range(3):
        states.append(fleet.ask(attempt=attempt).order["state"])
        attempt = attempt.following()
    assert states == ["issued", "error", "issued"]


def test_an_order_named_twice_is_asked_once_in_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    attempt = Attempt("task")
    for calls in (1, 2, 3):
        for order in ("1", "1"):
            fleet.ask(asked=request(order), attempt=attempt)
        assert len(fleet.provider.calls) == calls
        attempt = attempt.following()


def test_a_task_that_does_not_poll_takes_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    Poll(fleet, never).run(3, 3)
    fleet.send(10, fleet.worker(ASK_ONCE))
    assert len(fleet.provider.calls) == 3
    fleet.world.sleep(300)
    fleet.send(10, fleet.worker(ASK_ONCE))
    assert len(fleet.provider.calls) == 4


# What a task says of itself.


def task(**settings: t.Any) -> Task:
    made = Task()
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("settings", "polls"),
    [
        ({}, False),
        ({"until": ["x"]}, True),
        ({"retries": 1}, True),
        ({"retries": 0, "until": ["x"]}, False),
        ({"retries": -1, "until": ["x"]}, False),
        ({"retries": 2, "until": ["x"]}, True),
        ({"delay": 3}, False),
    ],
)
def test_a_task_polls_by_until_or_by_retries(settings: dict[str, t.Any], polls: bool) -> None:
    made = task(**settings)
    attempts = [attempt_of(made) for _attempt in range(3)]
    assert [attempt.number for attempt in attempts] == ([1, 2, 3] if polls else [1, 1, 1])
    assert {bool(attempt.task) for attempt in attempts} == {polls}
    assert {attempt.round("key") for attempt in attempts} == ({(1, 1), (1, 2), (1, 3)} if polls else {(0, 1)})


def test_a_worker_does_not_go_on_with_the_attempts_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    made = task(until=["x"])
    attempt_of(made)
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    assert attempt_of(made).number == 1


def test_hosts_share_a_poll_and_items_about_one_order_do_not() -> None:
    made = task(until=["x"])

    def polls_of(*keys: str) -> list[tuple[str, tuple[int, int]]]:
        # As in a worker of its own, in which each item has a copy of the task.
        _polling._begun.clear()
        attempts = [attempt_of(made.copy()) for _item in keys]
        return [(attempt.task, attempt.round(key)) for attempt, key in zip(attempts, keys, strict=True)]

    one, other = polls_of("1", "2", "1"), polls_of("2", "1", "1")
    assert len({one[0], one[2]}) == 2
    assert sorted(one) == sorted(other)
    assert polls_of("2") == [one[1]]
    assert attempt_of(task(until=["x"])).task not in {name for name, _round in one}


def test_the_attempts_of_an_item_are_one_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    items = [task(retries=1).copy()] * 2
    for calls, made in enumerate([items[0], items[0], items[1], items[1]], 1):
        fleet.ask(attempt=attempt_of(made))
        assert len(fleet.provider.calls) == calls
    made = task(retries=1)
    _polling._begun.clear()
    for calls in (5, 6):
        item = made.copy()
        fleet.ask(attempt=attempt_of(item))
        # The first attempt of an item takes what is known, the second asks by itself.
        fleet.ask(attempt=attempt_of(item))
        assert len(fleet.provider.calls) == calls


def test_a_record_keeps_the_round(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    attempt = attempt_of(task(retries=1))
    again = Outcome.from_record(json.loads(json.dumps(fleet.ask(attempt=attempt).as_record())))
    assert (again.poll, again.round, again.number) == (attempt.task, (1, 1), 1)


@pytest.mark.parametrize(("hosts", "forks"), [(1, 1), (12, 12), (12, 5), (12, 1)])
def test_items_about_one_order_cost_the_same_for_any_number_of_hosts(
    monkeypatch: pytest.MonkeyPatch, hosts: int, forks: int
) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    waiting = Waiting(0, 300)
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for host in range(hosts):
        left.put(host)

    def work() -> None:
        while not left.empty():
            left.get()
            begun: _polling.Begun = collections.Counter()
            for _item in range(2):
                attempt = Attempt("task", begun=begun)
                for _attempt in range(3):
                    fleet.ask(waiting, attempt=attempt)
                    fleet.world.sleep(1.0)
                    attempt = attempt.following()

    fleet.world.run(*[(0.05 * fork, work) for fork in range(forks)])
    assert len(fleet.provider.calls) == 3 + 2


def included(include: TaskInclude, name: str = "poll", **settings: t.Any) -> Task:
    """A task of a file that is included, loaded anew each time."""
    made = task(until=["x"], name=name, **settings)
    made._parent = include
    return made


def test_a_task_that_is_loaded_anew_is_the_same_task() -> None:
    """As for each batch, and for each host with the strategy free, also where what includes it is loaded anew."""
    outer, other, static = TaskInclude(), TaskInclude(), TaskInclude()
    static.statically_loaded = True

    def name_of(made: Task) -> str:
        return attempt_of(made).task

    assert name_of(included(outer)) == name_of(included(outer.copy()))
    assert name_of(included(outer)) != name_of(included(other))
    assert name_of(included(outer)) != name_of(included(outer, "poll another"))
    assert name_of(included(static)) != name_of(included(static))
    nested = [TaskInclude(), TaskInclude()]
    for include in nested:
        include._parent = outer
    assert len({name_of(included(include)) for include in nested}) == 1
    items = [outer.copy(), outer.copy()]
    for include, item in zip(items, ("secret one", "secret two"), strict=True):
        include.vars = {"item": item}
    names = {name_of(included(include)) for include in items}
    assert len(names) == 2
    assert not any("secret" in name for name in names)
