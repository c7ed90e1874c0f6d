# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One flight, one wait, and what of an answer serves whom; in a time that passes at once."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    QUERY_STATUS,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import reading
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, Waiting
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    ISSUED,
    PENDING,
    Fleet,
    Reply,
    issued,
    provider,
    request,
)

NETWORK = _errors.TransportError("The network is down.")
PAGE = _errors.ProtocolError("It is an HTML page.")
WRONG_PASSWORD = "errorCode=-16&errorMessage=Permission+denied!"


class _Panic(BaseException):
    """What a library in Rust raises where it gives up."""


_Panic.__name__ = "PanicException"

FOREIGN: list[BaseException] = [
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    OverflowError("Python int too large to convert to C long"),
    AttributeError("'NoneType' object has no attribute 'read'"),
    ValueError("secret word"),
    AssertionError(),
    EOFError(),
    StopIteration(),
    OSError(5, "Input/output error"),
    _Panic("called `Option::unwrap()` on a `None` value"),
]
UNKNOWN_ERROR = "errorCode=-14&errorMessage=An+unknown+error+occurred!"


@pytest.mark.parametrize("reply", [ISSUED, PENDING, WRONG_PASSWORD, "errorCode=-20", "errorCode=-22", NETWORK, PAGE])
def test_forty_workers_cost_one_call_whatever_comes_of_it(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
    fleet = Fleet(monkeypatch, reply)
    results = fleet.send(40, fleet.worker())
    assert len(fleet.provider.calls) == 1
    assert len({outcome.reason() for _time, outcome in results}) == 1
    assert {time for time, _outcome in results} == {0.1}


def test_two_orders_are_asked_about_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    workers = [fleet.worker(asked=request(str(number))) for number in range(5)]
    fleet.world.run(*[(0, worker) for worker in workers * 8])
    assert (len(fleet.provider.calls), fleet.provider.peak) == (5, 1)


def test_both_products_of_an_account_take_turns_and_two_accounts_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    ccc = provider(url="https://PROVIDER.example.com:443/products/download/CollectCCC")
    fleet.world.run((0, fleet.worker()), (0, fleet.worker(whom=ccc)))
    assert (len(fleet.provider.calls), fleet.provider.peak) == (2, 1)
    other = dataclasses.replace(provider(), credentials=Credentials("another account", "x"))
    fleet.world.run((0, fleet.worker(asked=request("2"))), (0, fleet.worker(asked=request("2"), whom=other)))
    assert fleet.provider.peak == 2


def test_each_collection_code_is_an_order_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    asked = CollectRequest("collection_code", "", product="ccc")
    codes = ["0123456789abcdef", "fedcba9876543210"]
    askers = [dataclasses.replace(provider(), credentials=Credentials(collection_code=code)) for code in codes]
    results = fleet.world.run(*[(0, fleet.worker(asked=asked, whom=whom)) for whom in askers * 10])
    # What the codes are for is not known before, so that they take turns.
    assert (len(fleet.provider.calls), fleet.provider.peak) == (2, 1)
    recorded = repr([(outcome.as_record(), outcome.reason()) for _time, outcome in results]) + repr(vars(fleet.world))
    assert not any(code in recorded for code in codes)
    assert "The order of the collection code is still being processed." in recorded


# Faults that nobody expects.


@pytest.mark.parametrize("fault", FOREIGN, ids=lambda fault: type(fault).__name__)
def test_whatever_a_call_raises_is_the_failure_of_that_order_for_the_whole_run(
    monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    fleet = Fleet(monkeypatch, fault)
    results = fleet.send(40, fleet.worker())
    assert len(fleet.provider.calls) == 1
    ((_order, reason),) = {(outcome.order["state"], outcome.reason()) for _time, outcome in results}
    assert reason == (
        "What provider.example.com sent about order number 1 cannot be used: reading it failed with "
        f"{type(fault).__name__}, which is a fault of this collection or of a library, and none of the order. "
        "Run again later; if it stays so, report it together with what -vvv shows."
    )
    assert {outcome.order["state"] for _time, outcome in results} == {"error"}


@pytest.mark.parametrize("fault", FOREIGN, ids=lambda fault: type(fault).__name__)
def test_whatever_a_call_raises_does_not_end_a_wait(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    fleet = Fleet(monkeypatch, PENDING, fault, fault, ISSUED)
    results = fleet.send(20, fleet.worker(Waiting(3600, 30)))
    assert len(fleet.provider.calls) == 4
    assert {outcome.order["state"] for _time, outcome in results} == {"issued"}


@pytest.mark.parametrize(
    "place", ["_chain.reading.bundle_of_answer", "_http.client.Client", "_broker.broker._scrubbed"]
)
def test_a_fault_in_any_part_of_a_call_is_recorded(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    tried = []

    def break_down(*_arguments: t.Any) -> t.NoReturn:
        tried.append(place)
        raise KeyError("secret word")

    monkeypatch.setattr(f"ansible_collections.certfleet.collectssl.plugins.plugin_utils.{place}", break_down)
    assert {outcome.reason().count("KeyError") for _time, outcome in fleet.send(40, fleet.worker())} == {1}
    assert len(tried) == 1


@pytest.mark.parametrize("facts", [{"not_before": "950-01-01T00:00:00Z"}, {"not_after": "950-01-01T00:00:00Z"}])
def test_what_every_host_would_stumble_over_is_found_by_the_one_that_asks(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, str]
) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    read = reading.bundle_of_answer

    def misread(*arguments: t.Any) -> Bundle:
        bundle = read(*arguments)
        return bundle._replace(facts={**(bundle.facts or {}), **facts})

    monkeypatch.setattr(reading, "bundle_of_answer", misread)
    assert {outcome.reason().count("ValueError") for _time, outcome in fleet.send(9, fleet.worker())} == {1}
    assert len(fleet.provider.calls) == 1


def test_where_a_fault_came_from_is_shown_to_who_looks_closely_without_secrets_or_signs_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = Fleet(monkeypatch, ValueError("secret word, secret+word, red\x1b[31m\rover"))
    world, shown = fleet.world, list[str]()
    broker = Broker(provider(), fleet.lines.append, world, world.clock, world.sleep, detail=shown.append)
    assert broker.collect(request(), Waiting(0, 300)).error
    (trace,) = shown
    assert trace.startswith("collectssl: where the fault came from:\nTraceback (most recent call last):\n")
    assert "\nValueError: ***, ***, red?[31m" in trace
    assert "Traceback" not in repr(world._records) + "".join(fleet.lines)


class _Timeout(BaseException):
    """As ansible-core has it for a task that takes too long."""


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, _Timeout])
def test_who_ends_a_task_is_no_fault_of_a_call(monkeypatch: pytest.MonkeyPatch, ending: type[BaseException]) -> None:
    fleet = Fleet(monkeypatch, ending())
    with pytest.raises(ending):
        fleet.ask()
    assert not any(fleet.world._records.values())


def test_what_this_controller_lacks_is_told_to_each_host_and_is_no_failure_of_an_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = Fleet(monkeypatch, _errors.OptionError("ca_path cannot be used."))
    with pytest.raises(_errors.OptionError):
        fleet.ask()
    assert not any(fleet.world._records.values())


def test_a_record_that_is_no_outcome_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    fleet.ask()
    (key,) = list(fleet.world._records)
    records = fleet.world._records[key]
    (good,) = records
    without = {name: value for name, value in good.items() if name != "route"}
    for number, bad in enumerate([{}, without, {**good, "newer": 1}, {**good, "error": ["NoError", "x"]}], 2):
        fleet.world._records[key] = [bad]
        assert fleet.ask().order["state"] == "issued"
        assert len(fleet.provider.calls) == number


# Waiting.


@pytest.mark.parametrize("before", [[], [PENDING], [PENDING, NETWORK]])
def test_an_unknown_error_is_asked_again_in_a_wait(monkeypatch: pytest.MonkeyPatch, before: list[Reply]) -> None:
    fleet = Fleet(monkeypatch, *before, UNKNOWN_ERROR, ISSUED)
    results = fleet.world.run(*[(0, fleet.worker(Waiting(3600, 30)))] * 20, (7, fleet.worker(Waiting(3600, 30))))
    assert {outcome.order["state"] for _time, outcome in results} == {"issued"}
    assert len(fleet.provider.calls) == len(before) + 2
    said = "collectssl: order number 1 was refused with status -14 (An unknown error occurred); waited "
    assert [line.startswith(said) for line in fleet.lines].count(True) == 1


def test_an_unknown_error_that_stays_ends_with_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, UNKNOWN_ERROR)
    results = fleet.send(20, fleet.worker(Waiting(100, 30)))
    assert {round(time) for time, _outcome in results} == {100}
    with pytest.raises(_errors.RefusedError, match=r"status -14.* Run again later; if it stays so, ask the provider"):
        results[0][1].require_issued()


def test_an_unknown_error_is_told_at_once_to_who_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, UNKNOWN_ERROR)
    results = fleet.send(20, fleet.worker())
    assert {time for time, _outcome in results} == {0.1}
    assert len(fleet.provider.calls) == 1


def test_workers_that_wait_share_one_wait_and_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    results = fleet.send(40, fleet.worker(Waiting(2, 300)))
    assert fleet.provider.calls == [0, 2.1]
    assert {time for time, _outcome in results} == {2.2}
    assert all(outcome.pending for _time, outcome in results)


@pytest.mark.parametrize("poll_interval", [1, 300])
def test_later_batches_do_not_wait_anew(monkeypatch: pytest.MonkeyPatch, poll_interval: int) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    work = fleet.worker(Waiting(60, poll_interval))
    begins = [0] * 10 + [62, 64, 70, 110] * 5
    results = fleet.world.run(*[(begin, work) for begin in begins])
    lasted = [time - begin for (time, _outcome), begin in zip(results, begins, strict=True)]
    assert min(lasted[:10]) >= 60
    assert max(lasted[10:]) < 0.2
    later = [call for call in fleet.provider.calls if call > 61]
    assert len(later) == (4 if poll_interval == 1 else 0)


def test_a_task_that_comes_much_later_waits_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    work = fleet.worker(Waiting(10, 5))
    fleet.send(3, work)
    results = fleet.send(3, work, after=100)
    assert {time > 119 for time, _outcome in results} == {True}


def test_a_wait_that_began_on_the_record_of_one_who_did_not_wait_is_shared_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    waiting = fleet.worker(Waiting(20, 300))
    results = fleet.world.run((0, fleet.worker()), *[(1 + number / 10, waiting) for number in range(40)])
    assert fleet.provider.calls == [0, 21]
    assert max(time for time, _outcome in results) <= 1 + 4 + 20 + 0.1


def test_somebody_who_does_not_wait_leaves_the_wait_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    waiting, passing = fleet.worker(Waiting(60, 20)), fleet.worker(Waiting(0, 5))
    results = fleet.world.run((0, waiting), (30, passing), (35, waiting), (61, waiting))
    ends = [time for time, _outcome in results]
    assert ends[0] == ends[2] == pytest.approx(60, abs=0.3)
    assert ends[1] < 31
    assert ends[3] < 62


def test_workers_with_different_patience_end_each_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    hasty, patient = fleet.worker(Waiting(60, 100)), fleet.worker(Waiting(600, 100))
    results = fleet.world.run(*[(0, hasty)] * 5, *[(0, patient)] * 5)
    assert {time for time, _outcome in results[:5]} == {60.2}
    assert {time for time, _outcome in results[5:]} == {600.2}
    assert fleet.provider.peak == 1
    # The hasty ones' last look is one more than the patient ones need.
    assert len(fleet.provider.calls) <= 1 + 1 + 6


def test_what_is_issued_in_a_wait_ends_it_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING, PENDING, ISSUED)
    results = fleet.send(40, fleet.worker(Waiting(3600, 300)))
    assert len(fleet.provider.calls) == 3
    assert {outcome.order["state"] for _time, outcome in results} == {"issued"}
    assert max(time for time, _outcome in results) < 601


@pytest.mark.parametrize("reply", ["errorCode=-20", "errorCode=-21", "errorCode=-22", WRONG_PASSWORD])
def test_what_no_waiting_mends_ends_a_wait_at_once(monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    fleet = Fleet(monkeypatch, PENDING, reply)
    results = fleet.send(40, fleet.worker(Waiting(3600, 30)))
    assert len(fleet.provider.calls) == 2
    assert max(time for time, _outcome in results) < 31


@pytest.mark.parametrize("fault", [NETWORK, PAGE])
def test_a_call_that_fails_within_a_wait_does_not_end_it(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    fleet = Fleet(monkeypatch, PENDING, fault, fault, ISSUED)
    results = fleet.world.run(*[(0, fleet.worker(Waiting(3600, 30)))] * 20, (45, fleet.worker(Waiting(3600, 30))))
    assert len(fleet.provider.calls) == 4
    assert {outcome.order["state"] for _time, outcome in results} == {"issued"}
    assert "could not be asked this time" in fleet.lines[1]


def test_a_wait_whose_last_call_fails_ends_with_that_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING, NETWORK)
    results = fleet.send(20, fleet.worker(Waiting(100, 30)))
    assert {outcome.reason() for _time, outcome in results} == {str(NETWORK)}
    assert {round(time) for time, _outcome in results} == {100}


@pytest.mark.parametrize("fault", [NETWORK, PAGE])
def test_a_first_call_that_fails_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    fleet = Fleet(monkeypatch, fault)
    results = fleet.send(20, fleet.worker(Waiting(3600, 30)))
    assert len(fleet.provider.calls) == 1
    assert {time for time, _outcome in results} == {0.1}


def test_one_line_a_poll_says_where_the_order_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (
        "errorCode=0&mdcDomainDetails=a.com+VALIDATED%2C+b.com+NOTVALIDATED%2C+c.com+NOTVALIDATED&ovCallBackStatus=2"
    )
    fleet = Fleet(monkeypatch, answer)
    fleet.send(10, fleet.worker(Waiting(70, 30)))
    begin = "collectssl: order number 1 is pending (dcv 1/3, ov callback in progress); waited "
    assert fleet.lines == [
        f"{begin}0 s, 70 s left, next poll in 30 s",
        f"{begin}30 s, 40 s left, next poll in 30 s",
        f"{begin}60 s, 10 s left, next poll in 10 s",
    ]


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_is_set_does_not_make_a_wait_endless(monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    world = fleet.world
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.sleep(seconds)
        if len(slept) == 2:
            world.set_clock(jump)

    outcome = Broker(provider(), fleet.lines.append, world, world.clock, sleep).collect(request(), Waiting(100, 30))
    assert outcome.pending
    assert sum(slept) <= 60 + 101
    assert max(slept) <= 30


# What serves whom.


@pytest.mark.parametrize("reply", [NETWORK, PAGE, PENDING, WRONG_PASSWORD])
def test_pending_orders_and_failures_age_and_issued_ones_do_not(monkeypatch: pytest.MonkeyPatch, reply: Reply) -> None:
    fleet = Fleet(monkeypatch, reply, ISSUED)
    for seconds, calls in ((0, 1), (299, 1), (2, 2), (10**6, 2)):
        fleet.world.sleep(seconds)
        outcome = fleet.ask()
        assert len(fleet.provider.calls) == calls
    assert outcome.order["state"] == "issued"


def test_an_outcome_of_the_future_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    fleet.ask()
    fleet.world.set_clock(-3600)
    fleet.ask()
    assert len(fleet.provider.calls) == 2


def test_the_whole_answer_serves_every_question_and_a_part_serves_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    for query_type in (QUERY_STATUS, QUERY_CERTIFICATE, QUERY_CHAIN):
        for _time in range(2):
            fleet.ask(asked=request(query_type=query_type))
    assert len(fleet.provider.calls) == 3
    for query_type in (QUERY_ALL, QUERY_STATUS, QUERY_CERTIFICATE, QUERY_CHAIN):
        bundle = fleet.ask(asked=request(query_type=query_type, response_format="lines")).require_issued()
        assert bundle.certificate
        assert bundle.root
    assert len(fleet.provider.calls) == 4


def test_an_issued_answer_outlives_a_later_failure_of_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED, NETWORK)
    status = request(query_type=QUERY_STATUS)
    fleet.ask(asked=status)
    assert fleet.ask().error
    assert fleet.ask(asked=status).order["state"] == "issued"
    assert len(fleet.provider.calls) == 2


def test_what_the_provider_takes_back_is_not_served_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED, "errorCode=-21")
    status = request(query_type=QUERY_STATUS)
    fleet.ask(asked=status)
    assert fleet.ask().order["state"] == "revoked"
    assert fleet.ask(asked=status).order["state"] == "revoked"


def test_a_chain_that_is_broken_is_told_of_that_question_alone_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, "errorCode=2&certificate=MAAA&caCertificate=MAAA", "errorCode=1")
    status = request(query_type=QUERY_STATUS)
    for _host in range(10):
        assert fleet.ask().error
        assert fleet.ask(asked=status).order["state"] == "issued"
    assert len(fleet.provider.calls) == 2


def test_a_network_that_is_down_is_down_for_every_question_over_the_same_route(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, NETWORK)
    fleet.ask()
    fleet.ask(asked=request(query_type=QUERY_STATUS))
    assert len(fleet.provider.calls) == 1
    fleet.ask(whom=provider(proxy="http://proxy.example.com:3128"))
    fleet.ask(whom=provider(verify="/etc/ca.pem"))
    assert len(fleet.provider.calls) == 3


def test_what_the_provider_says_holds_over_every_route_that_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    fleet.ask(whom=provider(verify=False))
    fleet.ask()
    assert len(fleet.provider.calls) == 2, "an unverified answer must not serve those who verify"
    fleet.ask(whom=provider(proxy="http://proxy.example.com:3128"))
    fleet.ask(whom=provider(verify="/etc/ca.pem"))
    assert len(fleet.provider.calls) == 2


def test_a_wrong_password_does_not_stand_in_the_way_of_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, WRONG_PASSWORD, ISSUED)
    for _host in range(3):
        assert fleet.ask(whom=provider("wrong")).order["status"]["code"] == -16
    for _host in range(3):
        assert fleet.ask(whom=provider("right")).order["state"] == "issued"
    assert len(fleet.provider.calls) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (NETWORK, _errors.TransportError),
        (PAGE, _errors.ProtocolError),
        ("errorCode=2&certificate=MAAA&caCertificate=MAAA", _errors.CollectError),
        (PENDING, _errors.PendingError),
        ("errorCode=-26", _errors.PendingError),
        ("errorCode=-20", _errors.RejectedError),
        ("errorCode=-21", _errors.RevokedError),
        ("errorCode=-22", _errors.AwaitingPaymentError),
        (WRONG_PASSWORD, _errors.RefusedError),
        ("errorCode=-4711", _errors.RefusedError),
    ],
)
def test_errors_are_raised_as_what_they_were_from_the_record_too(
    monkeypatch: pytest.MonkeyPatch, reply: Reply, kind: type[Exception]
) -> None:
    fleet = Fleet(monkeypatch, reply)
    raised = set()
    for _time in range(2):
        with pytest.raises(kind) as caught:
            fleet.ask().require_issued()
        raised.add((type(caught.value), str(caught.value)))
    assert (len(raised), len(fleet.provider.calls)) == (1, 1)


def test_what_the_provider_echoes_is_scrubbed_in_all_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = "secret+word"
    answer = (
        f"errorCode=0&errorMessage=no+{echo}&fqdn={echo}&validationStatus=x+{echo}&certificateStatus={echo}&caaStatus={echo}"
        f"&maStatus={echo}&{echo}=1&{echo}=2&list=a&list={echo}"
    )
    fleet = Fleet(monkeypatch, answer)
    assert "secret word" not in repr(fleet.ask())
    assert "secret word" not in repr(fleet.world._records)
    assert fleet.ask().order["state"] == "pending"


def test_a_password_that_is_a_word_of_ours_harms_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, PENDING)
    assert fleet.ask(whom=provider("end")).order["state"] == "pending"


def test_a_store_that_takes_no_record_is_found_out_before_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)

    def full(_key: str, _records: t.Any) -> t.NoReturn:
        raise _errors.CollectError("The disk is full.")

    monkeypatch.setattr(fleet.world, "write", full)
    for _host in range(3):
        with pytest.raises(_errors.CollectError, match="full"):
            fleet.ask()
    assert not fleet.provider.calls


# --- many orders -----------------------------------------------------------------------------------------------------


def _many(
    monkeypatch: pytest.MonkeyPatch, fleet: Fleet, replies: dict[str, dict[int, Reply]]
) -> dict[str, list[float]]:
    """Have the provider answer by order and by second; the seconds at which each order is asked about are returned."""
    asked: dict[str, list[float]] = {}

    def ask(one: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        with turn():
            now = fleet.world.clock() - fleet.world.begin
            asked.setdefault(one.identifier, []).append(round(now))
            reply = [answer for at, answer in replies[one.identifier].items() if at <= now][-1]
            if isinstance(reply, BaseException):
                raise reply
            return parse((issued(one) if reply == ISSUED else str(reply)).encode(), None, one)

    monkeypatch.setattr(fleet.provider, "ask", ask)
    return asked


def _broker(fleet: Fleet) -> Broker:
    world = fleet.world
    return Broker(provider(), fleet.lines.append, world, world.clock, world.sleep)


def test_many_orders_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    asked = _many(
        monkeypatch,
        fleet,
        {
            "1": {0: ISSUED},
            "2": {0: PENDING, 250: ISSUED},
            "3": {0: PENDING, 150: "errorCode=-20"},
            "4": {0: PENDING},
        },
    )
    requests = [request(number) for number in "1234"]
    outcomes = _broker(fleet).collect_all(requests, Waiting(500, 200))
    assert [outcomes[one].order["state"] for one in requests] == ["issued", "issued", "rejected", "pending"]
    assert asked == {"1": [0], "2": [0, 200, 400], "3": [0, 200], "4": [0, 200, 400, 500]}


def _is_pending(answer: t.Any) -> bool:
    return isinstance(answer, Outcome) and answer.pending


def test_a_wait_that_began_before_ends_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    asked = _many(monkeypatch, fleet, {"1": {0: PENDING}})
    broker = _broker(fleet)
    begin = fleet.world.clock()
    assert _is_pending(broker.begin([request("1")], Waiting(500, 200))[request("1")])
    assert fleet.lines == ["collectssl: order number 1 is pending; waited 0 s, 500 s left, next poll in 200 s"]
    fleet.world.sleep(90)
    broker.collect_all([request("1")], Waiting(500, 200), begin)
    assert asked == {"1": [0, 200, 400, 500]}
    assert fleet.world.clock() - begin == 500


def test_who_only_begins_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    asked = _many(monkeypatch, fleet, {"1": {0: PENDING}})
    broker = _broker(fleet)
    for _time in range(3):
        assert _is_pending(broker.begin([request("1")], Waiting(500, 200))[request("1")])
    assert (asked, fleet.world.clock()) == ({"1": [0]}, fleet.world.begin)


def test_an_error_within_a_wait_ends_it_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(monkeypatch, ISSUED)
    asked = _many(monkeypatch, fleet, {"1": {0: PENDING, 100: NETWORK, 250: ISSUED}, "2": {0: NETWORK}})
    outcomes = _broker(fleet).collect_all([request("1"), request("2")], Waiting(500, 200))
    assert outcomes[request("1")].final
    assert outcomes[request("2")].error is not None
    assert asked == {"1": [0, 200, 400], "2": [0]}
