# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a broker keeps, says and looks at, one call after the other; its clock stands still but for its sleeps."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import os
import traceback
import typing as t

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_CHAIN,
    QUERY_STATUS,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker import broker as under_test
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import reading
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, Provider, Waiting
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    ISSUED,
    PENDING,
    URL,
    Reply,
    issued,
    provider,
    request,
)

_NETWORK = _errors.TransportError("The network is down.")
_REFUSED = "errorCode=-20"
_ONCE = Waiting(0, 300)


class _Store(LocalStore):
    """Keeps records in this process, and takes note of what is taken, written and looked for."""

    def __init__(self) -> None:
        super().__init__("", "")
        self.records: dict[str, list[dict[str, t.Any]]] = {}
        self.notes: list[str] = []
        self.names: list[str] = []
        self.patience: Patience | None = None

    @contextlib.contextmanager
    def flight(self, key: str) -> t.Iterator[None]:
        """As the broker's store has it."""
        self.names.append(key)
        self.notes.append("flight")
        yield

    @contextlib.contextmanager
    def turn(self, account: str, patience: Patience | None = None) -> t.Iterator[None]:
        """As the broker's store has it."""
        self.names.append(account)
        self.patience = patience
        self.notes.append("turn")
        yield

    def read(self, key: str) -> list[dict[str, t.Any]]:
        """As the broker's store has it."""
        return list(self.records.get(key, []))

    def write(self, key: str, records: list[dict[str, t.Any]]) -> None:
        """As the broker's store has it."""
        self.notes.append("write")
        self.records[key] = list(records)

    def first(self, name: str) -> bool:
        """As the broker's store has it."""
        new = name not in self.names
        self.names.append(name)
        return new


class _Scene:
    """One controller with a provider by script, a clock that its sleeps put forward, and brokers that share a store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *replies: Reply) -> None:
        self.store = _Store()
        self.now = 1_000_000.0
        self.slept: list[float] = []
        self.lines: list[str] = []
        self.details: list[str] = []
        self.called: list[float] = []
        self.at_wake: list[t.Callable[[], object]] = []
        self._replies = replies
        self._scrub = client.Client(provider()).scrub
        monkeypatch.setattr(client, "Client", lambda *_arguments: self)

    def sleep(self, seconds: float) -> None:
        """Let time pass; at its end, something else may happen."""
        self.slept.append(seconds)
        self.now += seconds
        if self.at_wake:
            self.at_wake.pop(0)()

    def scrub(self, text: str) -> str:
        """As the client has it."""
        return self._scrub(text)

    def ask(self, asked: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        """As the client has it."""
        with turn():
            self.store.notes.append("call")
            self.called.append(self.now - 1_000_000)
        reply = self._replies[min(len(self.called), len(self._replies)) - 1]
        if isinstance(reply, BaseException):
            raise reply
        return parse((issued(asked) if reply == ISSUED else reply).encode("utf-8"), None, asked)

    def broker(self, whom: Provider | None = None, attempt: Attempt | None = None) -> Broker:
        """A broker of this controller."""
        return Broker(
            whom or provider(),
            self.lines.append,
            self.store,
            lambda: self.now,
            self.sleep,
            attempt,
            self.details.append,
        )

    def collect(self, waiting: Waiting = _ONCE, asked: CollectRequest | None = None, **broker: t.Any) -> Outcome:
        """What a worker gets."""
        return self.broker(**broker).collect(asked or request(), waiting)

    @property
    def recorded(self) -> list[Outcome]:
        """The record of the one order."""
        (records,) = list(self.store.records.values())
        return [Outcome.from_record(record) for record in records]


# --- names --------------------------------------------------------------------------------------------------------


def _digest(text: str) -> str:
    return hmac.new(os.fsencode(C.DEFAULT_LOCAL_TMP), text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("url", "credentials", "named"),
    [
        (URL, Credentials("account", "x"), "provider.example.com:443\0account"),
        ("https://P.example.com:8443/a", Credentials("account", "x"), "p.example.com:8443\0account"),
        (URL, Credentials(collection_code="c0de"), "provider.example.com:443\0by collection code"),
    ],
)
def test_runs_of_other_versions_find_the_lock_of_an_account_under_the_same_name(
    monkeypatch: pytest.MonkeyPatch, url: str, credentials: Credentials, named: str
) -> None:
    scene = _Scene(monkeypatch, PENDING)
    scene.collect(whom=dataclasses.replace(provider(), url=url, credentials=credentials))
    assert scene.store.names[1] == hashlib.sha256(named.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("verify", "credentials", "words"),
    [
        (True, Credentials("account", "x"), "account\0x\0\0True"),
        ("/etc/ca.pem", Credentials("account", "x"), "account\0x\0\0True"),
        (False, Credentials("account", "x"), "account\0x\0\0False"),
        (True, Credentials(collection_code="c0de"), "\0\0c0de\0True"),
    ],
)
def test_an_order_has_a_name_for_each_who_asks_and_each_trust(
    monkeypatch: pytest.MonkeyPatch, verify: bool | str, credentials: Credentials, words: str
) -> None:
    scene = _Scene(monkeypatch, PENDING)
    scene.collect(whom=dataclasses.replace(provider(verify=verify), credentials=credentials))
    assert list(scene.store.records) == [_digest(f"{URL}\0{words}\0order_number\x001\0ssl")]


def test_a_line_about_an_order_is_shown_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    for line in ("a", "b", "a"):
        scene.broker().announce_once(request(), line)
    scene.broker().announce_once(request("2"), "a")
    assert scene.lines == ["a", "b", "a"]
    key = _digest(f"{URL}\0account\0secret word\0\0True\0order_number\x001\0ssl")
    assert scene.store.names[0] == f"{key}-{_digest('a')}"


# --- steps of a call ----------------------------------------------------------------------------------------------


def test_what_is_recorded_is_served_without_taking_any_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    first = scene.collect()
    assert scene.store.notes == ["flight", "write", "turn", "call", "write"]
    assert scene.collect() == first
    assert scene.store.notes == ["flight", "write", "turn", "call", "write"]


class _EndError(BaseException):
    """Stands for the end of this process."""


@pytest.mark.parametrize(
    ("gone_after", "done"),
    [
        ("flight", ["flight"]),
        ("turn", ["flight", "write", "turn"]),
        ("call", ["flight", "write", "turn", "call", "write"]),
    ],
)
def test_a_worker_ends_at_the_next_step_once_its_run_is_gone(
    monkeypatch: pytest.MonkeyPatch, gone_after: str, done: list[str]
) -> None:
    scene = _Scene(monkeypatch, ISSUED)

    def look(_self: Run) -> None:
        if gone_after in scene.store.notes:
            raise _EndError

    monkeypatch.setattr(Run, "must_go_on", look)
    with pytest.raises(_EndError):
        scene.collect()
    assert scene.store.notes == done


@pytest.mark.parametrize(("seconds", "retries", "limit"), [(30, 0, 90), (7, 2, 81)])
def test_a_turn_is_waited_for_as_long_as_a_call_with_its_retries_may_take_and_a_minute(
    monkeypatch: pytest.MonkeyPatch, seconds: int, retries: int, limit: int
) -> None:
    scene, whom = _Scene(monkeypatch, PENDING), provider()
    transport = dataclasses.replace(whom.transport, request_timeout=seconds, retries=retries)
    scene.collect(whom=dataclasses.replace(whom, transport=transport))
    patience = scene.store.patience
    assert patience is not None
    assert patience.limit == limit
    assert patience.what == "provider.example.com could not be asked about order number 1"
    patience.say("a line")
    assert scene.lines == ["a line"]


def test_without_a_sleep_of_its_own_a_broker_sleeps_as_long_as_its_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[t.Any] = []
    scene = _Scene(monkeypatch, PENDING)

    def client_of(*arguments: t.Any) -> _Scene:
        given.append(arguments)
        return scene

    monkeypatch.setattr(client, "Client", client_of)
    whom = provider()
    Broker(whom, scene.lines.append, scene.store, detail=scene.details.append).collect(request(), _ONCE)
    ((asked_of, sleep, detail),) = given
    assert asked_of is whom
    assert isinstance(sleep.__self__, Run)
    assert sleep.__name__ == "sleep"
    detail("a detail")
    assert scene.details == ["a detail"]


def test_each_answer_has_a_number_and_the_task_and_the_round_of_its_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    attempt = Attempt("a task")
    polls = [(None, "", (0, 1)), (attempt, "a task", (1, 1)), (attempt.following(), "a task", (1, 2))]
    for number, (polled, poll, in_round) in enumerate(polls, 1):
        outcome = scene.collect(attempt=polled)
        assert scene.recorded[-1] == outcome
        assert (outcome.number, outcome.poll, outcome.round) == (number, poll, in_round)
        scene.now += 300


def test_an_attempt_remembers_what_it_was_given_and_its_next_one_asks_for_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = _Scene(monkeypatch, PENDING)
    attempt = Attempt("a task")
    scene.collect(attempt=attempt)
    scene.now += 1
    assert scene.collect(attempt=attempt.following()).asked_at == scene.now
    assert scene.called == [0, 1]


def test_a_new_attempt_of_a_task_waits_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    attempt = Attempt("a task")
    first = scene.collect(Waiting(10, 5), attempt=attempt)
    second = scene.collect(Waiting(10, 5), attempt=attempt.following())
    assert (first.waiting_since, second.waiting_since) == (1_000_000, 1_000_010)
    assert scene.called == [0, 5, 10, 10, 15, 20]


def test_a_host_that_came_late_is_served_by_the_round_of_the_others_until_the_end_of_its_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = _Scene(monkeypatch, PENDING)
    prompt, late = Attempt("a task"), Attempt("a task")
    scene.collect(attempt=prompt)
    scene.now += 1
    scene.collect(attempt=prompt.following())
    assert scene.collect(attempt=late).number == 2
    scene.collect(Waiting(10, 100), attempt=late.following())
    assert scene.called == [0, 1, 11]


# --- waiting ------------------------------------------------------------------------------------------------------


def test_a_wait_polls_each_interval_and_at_its_very_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    scene.collect(Waiting(25, 10))
    assert (scene.called, scene.slept) == ([0, 10, 20, 25], [10, 10, 5])
    begin = "collectssl: order number 1 is pending; waited "
    assert scene.lines == [
        f"{begin}0 s, 25 s left, next poll in 10 s",
        f"{begin}10 s, 15 s left, next poll in 10 s",
        f"{begin}20 s, 5 s left, next poll in 5 s",
    ]


def test_a_poll_that_is_due_in_half_a_second_is_made_then(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING, ISSUED)
    scene.collect()
    scene.now += 9.5
    scene.collect(Waiting(60, 10))
    assert (scene.slept, scene.called) == ([0.5], [0, 10])


def test_what_ends_a_wait_is_no_reason_for_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for reply in (ISSUED, _REFUSED):
        scene = _Scene(monkeypatch, PENDING, reply)
        outcome = scene.collect(Waiting(100, 10))
        assert outcome.waiting_since == 1_000_000
        assert len(scene.lines) == 1


def test_nobody_says_how_long_is_left_who_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    assert scene.collect().waiting_since is None
    assert scene.lines == []


@pytest.mark.parametrize(("reply", "calls"), [(PENDING, [0, 10]), (ISSUED, [0, 10])])
def test_what_another_asked_at_the_very_end_of_a_wait_is_good_enough(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, calls: list[float]
) -> None:
    scene = _Scene(monkeypatch, PENDING, reply)
    scene.at_wake = [lambda: scene.collect(Waiting(0, 5))]
    scene.collect(Waiting(10, 100))
    assert scene.called == calls


def test_what_was_issued_meanwhile_is_not_asked_for_again_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING, ISSUED)

    def meanwhile() -> None:
        scene.now -= 5
        scene.collect(Waiting(0, 5))
        scene.now += 5

    scene.at_wake = [meanwhile]
    assert scene.collect(Waiting(10, 100)).final
    assert scene.called == [0, 5]


def test_what_was_pending_meanwhile_is_asked_for_again_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)

    def meanwhile() -> None:
        scene.now -= 5
        scene.collect(Waiting(0, 5))
        scene.now += 5

    scene.at_wake = [meanwhile]
    scene.collect(Waiting(10, 100))
    assert scene.called == [0, 5, 10]


def test_a_call_that_fails_does_not_end_the_wait_of_one_who_found_it_pending_by_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = _Scene(monkeypatch, PENDING, _NETWORK, ISSUED)
    scene.collect()
    assert scene.collect(Waiting(60, 20)).final
    assert scene.called == [0, 20, 40]
    assert scene.lines == [
        "collectssl: order number 1 could not be asked this time; waited 20 s, 40 s left, next poll in 20 s"
    ]


def test_a_first_call_that_fails_does_not_end_a_wait_that_others_began(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING, _NETWORK, ISSUED)

    def come() -> None:
        scene.now -= 290
        assert scene.collect(Waiting(3600, 5)).final
        scene.now += 285

    scene.at_wake = [come]
    scene.collect(Waiting(3600, 300))
    assert scene.called == [0, 10, 15]
    assert scene.recorded[-1].waiting_since == 1_000_000


def test_one_who_does_not_wait_leaves_the_begin_of_a_wait_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)
    scene.collect(Waiting(10, 5))
    scene.now += 6
    assert scene.collect(Waiting(0, 5)).waiting_since == 1_000_000


def test_an_order_that_is_pending_anew_is_waited_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING, _REFUSED, PENDING)
    assert scene.collect(Waiting(100, 10)).order["state"] == "rejected"
    scene.now += 20
    assert scene.collect(Waiting(100, 10)).waiting_since == 1_000_030


def test_a_wait_that_is_long_over_does_not_count_for_a_call_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING, PENDING, PENDING, _NETWORK, ISSUED)
    scene.collect(Waiting(10, 5))
    scene.now += 90
    assert scene.collect(Waiting(10, 5)).final
    assert scene.called == [0, 5, 10, 100, 105]
    assert scene.recorded[-1].waiting_since == 1_000_100
    assert scene.lines[-1].endswith("could not be asked this time; waited 0 s, 10 s left, next poll in 5 s")


_BEGINS: list[tuple[float | None, float | None, float, float]] = [
    # since, shared, now; begin. A wait of 10 s, with polls each 4 s: it stands for 10 s after its end.
    (None, None, 100.0, 100.0),
    (90.0, None, 100.0, 90.0),
    (None, 95.0, 100.0, 95.0),
    (90.0, 95.0, 100.0, 90.0),
    (95.0, 90.0, 100.0, 90.0),
    (None, 100.0, 100.0, 100.0),
    (None, 101.0, 100.0, 100.0),
    (None, 81.0, 100.0, 81.0),
    (None, 80.0, 100.0, 100.0),
]


@pytest.mark.parametrize(("since", "shared", "now", "begin"), _BEGINS)
def test_a_wait_that_ended_stands_for_as_long_as_it_lasted(
    since: float | None, shared: float | None, now: float, begin: float
) -> None:
    assert under_test._begin_of_wait(since, shared, Waiting(10, 4), now) == begin


@pytest.mark.parametrize(("shared", "begin"), [(87.0, 87.0), (86.0, 100.0)])
def test_a_wait_that_was_shorter_than_a_poll_stands_for_a_poll(shared: float, begin: float) -> None:
    assert under_test._begin_of_wait(None, shared, Waiting(4, 10), 100.0) == begin


# --- what comes ---------------------------------------------------------------------------------------------------


def test_an_order_is_clean_of_secrets_and_else_as_the_provider_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = "secret+word"
    scene = _Scene(
        monkeypatch,
        f"errorCode=0&errorMessage=no+{echo}&fqdn=a.{echo}&certificateStatus=s+{echo}&validationStatus=v+{echo}"
        f"&caaStatus=c+{echo}&mdcDomainDetails=a.com+VALIDATED&odd=o+{echo}&list=a&list=b+{echo}&{echo}=1",
    )
    order = scene.collect().order
    assert order["status"] == {"code": 0, "name": order["status"]["name"], "message": "no ***"}
    assert order["fqdn"] == "a.***"
    assert [order[name] for name in ("certificate_status", "validation_status", "caa_status")] == [
        *("s ***", "v ***", "c ***"),
    ]
    assert order["extra"] == {"odd": "o ***", "list": ["a", "b ***"], "***": "1"}
    assert order["mdc_domains"] == [{"name": "a.com", "status": "validated"}]
    assert order["state"] == "pending"


def test_the_names_of_domains_are_clean_too(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, "errorCode=0&mdcDomainDetails=secret-word.com+VALIDATED%2C+b.com+NOTVALIDATED")
    scene._scrub = lambda text: text.replace("secret-word", "***")
    order = scene.collect().order
    assert [domain["name"] for domain in order["mdc_domains"]] == ["***.com", "b.com"]
    assert "secret-word" not in repr(order)


def test_an_order_without_words_stays_without(monkeypatch: pytest.MonkeyPatch) -> None:
    order = _Scene(monkeypatch, PENDING).collect().order
    assert [order[name] for name in ("fqdn", "certificate_status", "validation_status", "caa_status")] == [None] * 4
    assert (order["status"]["message"], order["extra"], order["mdc_domains"]) == (None, {}, [])


def test_a_chain_that_cannot_be_used_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def misread(*_arguments: t.Any) -> t.NoReturn:
        raise _errors.ChainError("It says secret word.")

    monkeypatch.setattr(reading, "bundle_of_answer", misread)
    outcome = _Scene(monkeypatch, ISSUED).collect()
    assert outcome.error == (_errors.ChainError, "What came for order number 1 cannot be used. It says ***.")
    assert (outcome.bundle, outcome.order["state"]) == (None, "issued")


def test_only_a_question_for_certificates_is_answered_with_some(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _Scene(monkeypatch, ISSUED).collect().bundle is not None
    assert _Scene(monkeypatch, ISSUED).collect(asked=request(query_type=QUERY_STATUS)).bundle is None
    assert _Scene(monkeypatch, PENDING).collect().bundle is None


def test_a_chain_without_a_certificate_has_nothing_to_misread(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = _Scene(monkeypatch, ISSUED).collect(asked=request(query_type=QUERY_CHAIN))
    assert outcome.error is None
    assert outcome.bundle is not None
    assert outcome.bundle.facts is None


def test_an_order_that_could_not_be_asked_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Credentials, "doubts", lambda _self: "Is the password right?")
    outcome = _Scene(monkeypatch, _NETWORK).collect()
    assert outcome.order["status"] == {"code": None, "name": "not_asked", "message": "The network is down."}
    assert outcome.doubts == "Is the password right?"


def test_nothing_of_a_fault_is_shown_until_it_is_known_how_to_clean_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, PENDING)

    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise ValueError("secret word")

    monkeypatch.setattr(client, "Client", fail)
    outcome = scene.collect()
    assert scene.details == ["collectssl: where the fault came from:\n***"]
    assert "failed with ValueError, which is a fault of this collection" in outcome.reason()


def test_where_nobody_looks_a_fault_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, KeyError("x"))
    broker = Broker(provider(), scene.lines.append, scene.store, lambda: scene.now, scene.sleep)
    assert "failed with KeyError" in broker.collect(request(), _ONCE).reason()


def test_a_fault_in_showing_a_fault_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise MemoryError

    scene = _Scene(monkeypatch, KeyError("x"))
    monkeypatch.setattr(traceback, "format_exception", fail)
    assert "failed with KeyError" in scene.collect().reason()
    assert scene.details == []


def test_what_cannot_be_read_for_a_reason_of_this_controller_is_no_missing_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = _Scene(monkeypatch, PENDING)

    def fail(_key: str) -> t.NoReturn:
        raise _errors.CollectError("The folder is not used.")

    monkeypatch.setattr(scene.store, "read", fail)
    with pytest.raises(_errors.CollectError, match=r"^The folder is not used\.$"):
        scene.collect()
    assert scene.called == []
