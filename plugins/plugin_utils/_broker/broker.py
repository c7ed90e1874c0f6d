# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the provider: one flight for an order in a run, one call at a time for an account on a controller.

Workers of a run are forks that share nothing but files, so what one of them learns is recorded (issued, pending and
failures alike), and whoever comes second reads the record. This plugin util is private to the collection. It can have
breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import hmac
import os
import time
import traceback
import typing as t
import urllib.parse

from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    ChainError,
    CollectError,
    ProtocolError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import order_not_asked
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle, moment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Failure, Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Provider, Waiting
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import standing

if t.TYPE_CHECKING:
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.client import Client

# What the one flight of several orders is called; a key is of digits.
_SEVERAL = "several"

# Beside the time that a call may take with all its retries, for what is between them (seconds).
_GRACE = 60


@contextlib.contextmanager
def _kept(answers: dict[CollectRequest, Outcome | CollectError], request: CollectRequest) -> t.Iterator[None]:
    """Let an error about one order be its answer."""
    try:
        yield
    except CollectError as error:
        answers[request] = error


class Broker:
    """Asks a provider about orders, at most once each for a whole run.

    It asks, and waits, for as long as that run goes on, and ends this process where it does not.

    :arg announce: takes a line for the user while a pending order, or the turn of the account, is waited for.
    :arg sleep: how to sleep, in place of a sleep that ends with the run.
    :arg attempt: which attempt of a task asks, where it may poll by itself.
    :arg detail: takes a line about each call, for who looks closely; it holds no secret.
    """

    def __init__(
        self,
        provider: Provider,
        announce: t.Callable[[str], None],
        store: LocalStore | None = None,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] | None = None,
        attempt: Attempt | None = None,
        detail: t.Callable[[str], None] | None = None,
    ) -> None:
        self._provider = provider
        self._announce = announce
        self._run = Run()
        self._clock = clock
        self._sleep = sleep or self._run.sleep
        self._store = store or LocalStore(C.DEFAULT_LOCAL_TMP, C.ANSIBLE_HOME, self._sleep)
        self._attempt = attempt or Attempt()
        self._detail = detail
        self._client: Client | None = None
        self._route = _keyed(provider.transport.route)

    def collect(self, request: CollectRequest, waiting: Waiting) -> Outcome:
        """What the provider says of an order, from the run's record where that holds it.

        A pending order is asked again every ``poll_interval`` until ``timeout``, and once more then. Every worker of
        the run that waits for it shares one wait, so that those who come late do not begin it anew. A call that fails
        within a wait does not end it. An attempt of a task that polls by itself takes what is news to it alone.

        :raises CollectError: where the provider cannot be asked for a reason of this controller's own.
        """
        return self.collect_all([request], waiting)[request]

    def begin(
        self, requests: t.Sequence[CollectRequest], waiting: Waiting
    ) -> dict[CollectRequest, Outcome | CollectError]:
        """As ``collect`` of several orders, or why one cannot be asked about; the wait is left to ``collect_all``.

        What is not recorded of several, one worker asks about in one go: what it takes to ask is slow to load.
        """
        answers: dict[CollectRequest, Outcome | CollectError] = {}
        unknown = []
        for request in requests:
            with _kept(answers, request):
                recorded = self._recorded(self._key(request), request, waiting, None)
                if recorded is None:
                    unknown.append(request)
                else:
                    answers[request] = self._given(request, recorded)
        with self._store.flight(_SEVERAL) if len(unknown) > 1 else contextlib.nullcontext():
            for request in unknown:
                with _kept(answers, request):
                    answers[request] = self._given(request, self._recorded_or_asked(request, waiting, None))
        return answers

    def collect_all(
        self, requests: t.Sequence[CollectRequest], waiting: Waiting, since: float | None = None
    ) -> dict[CollectRequest, Outcome]:
        """What the provider says of several orders, which are waited for together.

        :arg since: when the wait began (seconds since the epoch), if that was before.
        """
        outcomes: dict[CollectRequest, Outcome] = {}
        begun = dict.fromkeys(requests, since)
        open_ones = list(begun)
        while open_ones:
            alarms = {}
            for request in open_ones:
                outcome = outcomes[request] = self._recorded_or_asked(request, waiting, begun[request])
                now = self._clock()
                if outcome.waits:
                    begun[request] = begin = _begin_of_wait(begun[request], outcome.waiting_since, waiting, now)
                    if now < begin + waiting.timeout:
                        alarms[request] = min(outcome.asked_at + waiting.poll_interval, begin + waiting.timeout)
            open_ones = list(alarms)
            if alarms:
                self._sleep(max(0.0, min(alarms.values()) - self._clock()))
        return {request: self._given(request, outcome) for request, outcome in outcomes.items()}

    def _given(self, request: CollectRequest, outcome: Outcome) -> Outcome:
        self._attempt.was_given(self._key(request), outcome)
        # Whoever is told goes on to do something about it, and may be an action of others, that looks up.
        self._run.must_go_on()
        return outcome

    def announce_once(self, request: CollectRequest, line: str) -> None:
        """Show a line about an order, unless this run has shown it."""
        if self._store.first(f"{self._key(request)}-{_keyed([line])}"):
            self._announce(line)

    def _recorded_or_asked(self, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome:
        key = self._key(request)
        recorded = self._recorded(key, request, waiting, since)
        if recorded is None:
            with self._store.flight(key):
                self._run.must_go_on()
                recorded = self._recorded(key, request, waiting, since)
                if recorded is None:
                    return self._asked(key, request, waiting, since)
        return recorded

    def _recorded(self, key: str, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome | None:
        now = self._clock()
        newest_first = reversed(self._outcomes(key))
        # What is issued stays so for the run, whatever went wrong with another question after it.
        for outcome in sorted(newest_first, key=lambda outcome: not outcome.final):
            if not outcome.serves(request, self._route, now, waiting.poll_interval):
                continue
            if not self._attempt.takes(key, outcome, now, waiting.poll_interval):
                continue
            if since is not None and outcome.waits:
                deadline = _begin_of_wait(since, outcome.waiting_since, waiting, now) + waiting.timeout
                # At the end of a wait the order is asked a last time, however short ago it was asked before.
                if outcome.asked_at < deadline <= now:
                    continue
            return outcome
        return None

    def _asked(self, key: str, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome:
        old = self._outcomes(key)
        # A store that takes no record is found out before the call, lest each host make one of its own.
        self._store.write(key, [outcome.as_record() for outcome in old])
        outcome = self._ask(request)
        begun = self._begin_in_record(key, old, waiting)
        if waiting.timeout and (outcome.waits or since is not None or begun is not None):
            begun = _begin_of_wait(since, begun, waiting, outcome.asked_at)
        outcome = outcome._replace(
            waiting_since=begun,
            number=max((past.number for past in old), default=0) + 1,
            poll=self._attempt.task,
            round=self._attempt.round_after(key, old),
        )
        self._announce_progress(outcome, waiting)
        kept = [past for past in old if not outcome.supersedes(past)]
        self._store.write(key, [past.as_record() for past in (*kept, outcome)])
        return outcome

    def _begin_in_record(self, key: str, outcomes: list[Outcome], waiting: Waiting) -> float | None:
        """When the wait that is under way began; that of an earlier attempt of the same task is over."""
        now = self._clock()
        newest_first = (past for past in reversed(outcomes) if past.waits)
        return next(
            (past.waiting_since for past in newest_first if self._attempt.takes(key, past, now, waiting.poll_interval)),
            None,
        )

    def _outcomes(self, key: str) -> list[Outcome]:
        try:
            return [Outcome.from_record(record) for record in self._store.read(key)]
        except CollectError:
            raise
        # What is no outcome tells nothing, whatever it is.
        except Exception:
            return []

    def _ask(self, request: CollectRequest) -> Outcome:
        """Make the call and read its answer: the one place that does, and so the one that catches what comes of it.

        A list of what may be raised would have gaps: servers, libraries and want of memory see to that. A fault that is
        not recorded here would be met anew by each host, each with a call of its own.
        :raises CollectError: for a reason of this controller's own, which is none of the order's.
        """
        answer = _Answer()
        try:
            self._fill(answer, request)
        except ChainError as exc:
            answer.error = Failure(ChainError, answer.scrub(f"What came for {request.label()} cannot be used. {exc}"))
        except (TransportError, ProtocolError) as exc:
            answer.error = Failure(type(exc), str(exc))
        except CollectError:
            raise
        except BaseException as exc:
            if not _is_fault(exc):
                raise
            answer.error = Failure(ProtocolError, self._said_of_fault(request, exc))
            self._show(exc, answer)
        return Outcome(
            request=request,
            asked_at=self._clock(),
            waiting_since=None,
            route=self._route,
            order=answer.order or order_not_asked(request, answer.error.message if answer.error else ""),
            bundle=answer.bundle,
            error=answer.error,
            doubts=self._provider.credentials.doubts(),
        )

    def _fill(self, answer: _Answer, request: CollectRequest) -> None:
        # Imported by the one worker that asks; the others live off its record, and these two are slow to load.
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_answer
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.client import Client

        # To find the secrets of a provider in all their forms takes longer than to read an answer.
        client = self._client = self._client or Client(self._provider, self._sleep, self._detail)
        answer.scrub = client.scrub
        response = client.ask(request, functools.partial(self._turn, request))
        answer.order = _scrubbed(response.order(request), client.scrub)
        if response.state == "issued" and request.query_type != QUERY_STATUS:
            now = datetime.datetime.now(datetime.timezone.utc)
            bundle = bundle_of_answer(response, request, now)
            if bundle.facts is not None:
                # What every host is going to read is read here once.
                moment(bundle.facts["not_before"])
                bundle.described(now)
            answer.bundle = bundle

    @contextlib.contextmanager
    def _turn(self, request: CollectRequest) -> t.Iterator[None]:
        transport = self._provider.transport
        patience = Patience(
            limit=(transport.retries + 1) * transport.request_timeout + _GRACE,
            what=f"{self._host()} could not be asked about {request.label()}",
            say=self._announce,
        )
        with self._store.turn(self._account(), patience):
            self._run.must_go_on()
            yield

    def _said_of_fault(self, request: CollectRequest, fault: BaseException) -> str:
        return (
            f"What {self._host()} sent about {request.label()} cannot be used: reading it failed with "
            f"{type(fault).__name__}, which is a fault of this collection or of a library, and none of the order. Run "
            "again later; if it stays so, report it together with what -vvv shows."
        )

    def _show(self, fault: BaseException, answer: _Answer) -> None:
        """Show who looks closely where a fault came from, without secrets."""
        if self._detail is None:
            return
        # Where memory or depth has run out, it may have for this too.
        with contextlib.suppress(Exception):
            trace = answer.scrub("".join(traceback.format_exception(fault)))
            lines = ["".join(char if char.isprintable() else "?" for char in line) for line in trace.splitlines()]
            self._detail("\n".join(["collectssl: where the fault came from:", *lines]))

    def _host(self) -> str:
        return urllib.parse.urlsplit(self._provider.url).netloc

    def _announce_progress(self, outcome: Outcome, waiting: Waiting) -> None:
        if not outcome.waits or outcome.waiting_since is None:
            return
        waited = outcome.asked_at - outcome.waiting_since
        left = waiting.timeout - waited
        if left <= 0:
            return
        state = (
            standing(outcome.request, outcome.order)
            if outcome.error is None
            else (f"{outcome.request.label()} could not be asked this time")
        )
        self._announce(
            f"collectssl: {state}; waited {waited:.0f} s, {left:.0f} s left, next poll in "
            f"{min(left, waiting.poll_interval):.0f} s"
        )

    def _account(self) -> str:
        """A name for the lock of the account; it tells nothing of a secret."""
        # The host and not the whole address, since CollectSSL and CollectCCC serve the same accounts.
        parts = urllib.parse.urlsplit(self._provider.url)
        name = self._provider.credentials.login_name or "by collection code"
        return hashlib.sha256(f"{parts.hostname}:{parts.port or 443}\0{name}".encode()).hexdigest()[:32]

    def _key(self, request: CollectRequest) -> str:
        """A name for the record of an order, as these credentials see it.

        What came from an endpoint that nobody verified is kept from those who verify it.
        """
        credentials, verified = self._provider.credentials, self._provider.transport.verify is not False
        asker = (self._provider.url, credentials.login_name, credentials.login_password, credentials.collection_code)
        order = (request.identifier_kind, request.identifier, request.product)
        return _keyed((*asker, verified, *order))


@dataclasses.dataclass
class _Answer:
    """What a call brought, as far as it came."""

    order: dict[str, t.Any] | None = None
    bundle: Bundle | None = None
    error: Failure | None = None
    #: Takes secrets out of a text; until it is known how, nothing of a text is shown.
    scrub: t.Callable[[str], str] = "***".format


def _is_fault(raised: BaseException) -> bool:
    """Whether something went wrong, rather than somebody ending this process or its task (Ctrl-C, a timeout)."""
    # What libraries in Rust raise where they give up is no Exception, and has no name that could be imported.
    return isinstance(raised, Exception) or type(raised).__name__ == "PanicException"


def _begin_of_wait(since: float | None, shared: float | None, waiting: Waiting, now: float) -> float:
    """When the wait of a worker began, in seconds since the epoch.

    :arg since: when it began as this worker knows it, None for one that comes new.
    :arg shared: when it began as the record says. Once it ended in vain it still stands for as long as it lasted, or
        for a poll interval, so that the hosts of later batches do not wait anew; a task that comes much later does.
    """
    if shared is not None:
        ends = shared + waiting.timeout + max(waiting.timeout, waiting.poll_interval)
        # The clock may have been set back; what begins in the future never began.
        shared = shared if shared <= now < ends else None
    return min(moment for moment in (since, shared, now) if moment is not None)


def _keyed(parts: t.Iterable[t.Any]) -> str:
    """A digest that tells no secret: its key is the random name of the run's folder, which goes with the run."""
    message = "\0".join("" if part is None else str(part) for part in parts)
    return hmac.new(os.fsencode(C.DEFAULT_LOCAL_TMP), message.encode(), hashlib.sha256).hexdigest()


def _scrubbed(order: dict[str, t.Any], scrub: t.Callable[[str], str]) -> dict[str, t.Any]:
    """An order without the secrets that the provider's own words may echo; words of this collection stay whole."""

    def clean(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            return {scrub(name): clean(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(part) for part in value]
        return scrub(value) if isinstance(value, str) else value

    told = {
        name: clean(order[name]) for name in ("fqdn", "certificate_status", "validation_status", "caa_status", "extra")
    }
    status = {**order["status"], "message": clean(order["status"]["message"])}
    domains = [{**domain, "name": scrub(domain["name"])} for domain in order["mdc_domains"]]
    return {**order, **told, "status": status, "mdc_domains": domains}
