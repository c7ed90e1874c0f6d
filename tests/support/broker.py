# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provider by script, workers in a time of their own, and what a broker needs beside them."""

from __future__ import annotations

import base64
import collections
import contextlib
import datetime
import functools
import threading
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import (
    Credentials,
    Provider,
    Transport,
    Waiting,
)
from ansible_collections.certfleet.collectssl.tests.support import authority

PENDING = "errorCode=0"
#: Stands for the right answer about an issued order, whatever was asked.
ISSUED = "issued"
PASSWORD = "secret word"
URL = "https://provider.example.com/products/download/CollectSSL"

Reply = str | BaseException


@functools.cache
def chain() -> tuple[list[str], str]:
    """Base64 of CA certificates, root first, and of an end-entity certificate; valid now."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    validity = (now - datetime.timedelta(days=2), now + datetime.timedelta(days=100))
    root = authority.root(validity=validity)
    ca = root.subordinate("Issuing CA", validity=validity)
    leaf = ca.leaf(validity=validity)
    root_text, ca_text, leaf_text = (base64.b64encode(der).decode("ascii") for der in (root.der, ca.der, leaf))
    return [root_text, ca_text], leaf_text


def issued(request: CollectRequest) -> str:
    """The answer about an issued order."""
    authorities, leaf = chain()
    pairs = [("errorCode", "2" if request.query_type else "1"), ("fqdn", "www.example.com")]
    if request.query_type in (QUERY_ALL, QUERY_CHAIN):
        pairs += [("caCertificate", text) for text in authorities]
    if request.query_type in (QUERY_ALL, QUERY_CERTIFICATE):
        pairs.append(("certificate", leaf))
    return urllib.parse.urlencode(pairs)


def request(identifier: str = "1", query_type: int = QUERY_ALL, **changes: t.Any) -> CollectRequest:
    """A request as the edges make it."""
    return CollectRequest("order_number", identifier, query_type=query_type, show=show_everything("ssl"), **changes)


def provider(
    password: str | None = None, url: str = URL, verify: bool | str = True, proxy: str | None = None
) -> Provider:
    """Whom to ask."""
    return Provider(url, Credentials("account", password or PASSWORD), Transport(verify, proxy, 30, 0))


class World(LocalStore):
    """Threads in a time of their own, which passes when all of them sleep or wait; and the store that they share."""

    def __init__(self) -> None:
        super().__init__("", "")
        self._condition = threading.Condition()
        self._now = 1_000_000.0
        self._running = 1
        self._alarms: list[float] = []
        self._holders: dict[str, object] = {}
        self._queues: dict[str, collections.deque[object]] = collections.defaultdict(collections.deque)
        self._records: dict[str, list[dict[str, t.Any]]] = {}
        self._said: set[str] = set()
        self.begin = self._now

    def clock(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def set_clock(self, seconds: float) -> None:
        """Set the clock forth or, with a negative number, back."""
        self._now += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._condition:
            alarm = self._now + seconds
            self._alarms.append(alarm)
            self._rest()
            assert self._condition.wait_for(lambda: self._now >= alarm, timeout=30)

    def run(self, *workers: tuple[float, t.Callable[[], t.Any]]) -> list[tuple[float, t.Any]]:
        """What workers return, with the time at which they did; each begins after so many seconds."""
        results: list[tuple[float, t.Any]] = [(-1.0, None)] * len(workers)

        def live(number: int, after: float, work: t.Callable[[], t.Any]) -> None:
            self.sleep(after)
            try:
                result = work()
            except Exception as exc:
                result = exc
            with self._condition:
                results[number] = (round(self._now - self.begin, 6), result)
                self._rest()

        threads = [threading.Thread(target=live, args=(at, *worker)) for at, worker in enumerate(workers)]
        with self._condition:
            self._running = len(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
        self._running = 1
        return results

    def _rest(self) -> None:
        """One less is awake; when none is, time passes to the next alarm."""
        self._running -= 1
        if self._running == 0 and self._alarms:
            # A float may fall a hair short of itself on the way to and fro.
            self._now = max(self._now, min(self._alarms))
            self._running = sum(alarm <= self._now for alarm in self._alarms)
            self._alarms = [alarm for alarm in self._alarms if alarm > self._now]
            self._condition.notify_all()

    @contextlib.contextmanager
    def _held(self, name: str) -> t.Iterator[None]:
        me = object()
        with self._condition:
            if name in self._holders:
                self._queues[name].append(me)
                self._rest()
                assert self._condition.wait_for(lambda: self._holders.get(name) is me, timeout=30)
            self._holders[name] = me
        try:
            yield
        finally:
            with self._condition:
                del self._holders[name]
                if self._queues[name]:
                    self._holders[name] = self._queues[name].popleft()
                    self._running += 1
                    self._condition.notify_all()

    def flight(self, key: str) -> t.ContextManager[None]:
        """As the broker's store has it."""
        return self._held(f"flight {key}")

    def turn(self, account: str, patience: Patience | None = None) -> t.ContextManager[None]:
        """As the broker's store has it."""
        return self._held(f"turn {account}")

    def read(self, key: str) -> list[dict[str, t.Any]]:
        """As the broker's store has it."""
        return list(self._records.get(key, []))

    def write(self, key: str, records: list[dict[str, t.Any]]) -> None:
        """As the broker's store has it."""
        self._records[key] = list(records)

    def first(self, name: str) -> bool:
        """As the broker's store has it."""
        came_before = name in self._said
        self._said.add(name)
        return not came_before


class ScriptedProvider:
    """Answers each call with the next reply, the last one for good; a call takes a tenth of a second."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> None:
        self.world = world
        self.replies = replies
        self.calls: list[float] = []
        self.in_flight = self.peak = 0
        self._scrub = client.Client(provider()).scrub
        monkeypatch.setattr(client, "Client", lambda _provider, _sleep, _detail: self)

    def scrub(self, text: str) -> str:
        """As the client has it."""
        return self._scrub(text)

    def ask(self, request: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        """As the client has it."""
        with turn():
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            self.calls.append(round(self.world.clock() - self.world.begin, 6))
            reply = self.replies[min(len(self.calls), len(self.replies)) - 1]
            self.world.sleep(0.1)
            self.in_flight -= 1
        if isinstance(reply, BaseException):
            raise reply
        return parse((issued(request) if reply == ISSUED else reply).encode("utf-8"), None, request)


class Answers:
    """Stands in for the client where time does not matter: answers about orders by their number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, replies: dict[str, Reply] | None = None) -> None:
        self.replies = replies or {}
        self.providers: list[Provider] = []
        self.requests: list[CollectRequest] = []
        monkeypatch.setattr(client, "Client", self._client)

    def _client(self, whom: Provider, _sleep: t.Any, _detail: t.Any) -> Answers:
        self.providers.append(whom)
        return self

    def scrub(self, text: str) -> str:
        """As the client has it."""
        return text.replace(PASSWORD, "***")

    def ask(self, request: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        """As the client has it."""
        with turn():
            self.requests.append(request)
        reply = self.replies.get(request.identifier, ISSUED)
        if isinstance(reply, BaseException):
            raise reply
        return parse((issued(request) if reply == ISSUED else reply).encode("utf-8"), None, request)


class ScriptedAnswers:
    """Stands in for the client in a process of its own: gives the same answer always, and takes note of each call."""

    def __init__(self, reply: str, note: t.Callable[[], t.Any]) -> None:
        self._reply = reply
        self._note = note

    def scrub(self, text: str) -> str:
        """As the client has it."""
        return text

    def ask(self, request: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        """As the client has it."""
        with turn():
            self._note()
        return parse(self._reply.encode("utf-8"), None, request)


ASK_ONCE = Waiting(0, 300)


class Fleet:
    """A world with a provider in it, and workers that come to ask."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> None:
        self.world = World()
        self.provider = ScriptedProvider(self.world, monkeypatch, *replies)
        self.lines: list[str] = []

    def worker(
        self,
        waiting: Waiting = ASK_ONCE,
        asked: CollectRequest | None = None,
        whom: Provider | None = None,
        attempt: Attempt | None = None,
    ) -> t.Callable[[], Outcome]:
        """What a worker does."""

        def work() -> Outcome:
            world = self.world
            broker = Broker(whom or provider(), self.lines.append, world, world.clock, world.sleep, attempt)
            return broker.collect(asked or request(), waiting)

        return work

    def ask(self, *arguments: t.Any, **named: t.Any) -> Outcome:
        """What one worker gets, at once."""
        return self.worker(*arguments, **named)()

    def send(self, count: int, work: t.Callable[[], Outcome], after: float = 0.0) -> list[tuple[float, Outcome]]:
        """What many workers get that come together."""
        return self.world.run(*[(after, work)] * count)
