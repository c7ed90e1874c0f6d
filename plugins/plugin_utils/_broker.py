# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to the provider: one flight for an order in a run, one call at a time for an account on a controller.

Workers of a run are forks that share nothing but files, so what one of them learns is recorded (issued, pending and
failures alike), and whoever comes second reads the record. This plugin util is private to the collection. It can have
breaking changes at any time.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import hmac
import time
import typing as t

from ansible import constants as C

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    ChainError,
    ProtocolError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._response import order_not_asked
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import Provider, Waiting
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome, outstanding
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._store import LocalStore


class Store(t.Protocol):
    """Where outcomes are recorded and turns are taken; several controllers may one day share another one."""

    def flight(self, key: str) -> t.ContextManager[None]:
        """Held by the one worker that asks about an order, while it asks."""

    def turn(self, account: str) -> t.ContextManager[None]:
        """Held for one call of an account."""

    def read(self, key: str) -> list[dict[str, t.Any]]:
        """What was recorded under a key."""

    def write(self, key: str, records: list[dict[str, t.Any]]) -> None:
        """Replace what is recorded under a key."""


class Broker:
    """Asks a provider about orders, at most once each for a whole run.

    :arg announce: takes a line for the user while a pending order is waited for.
    """

    def __init__(
        self,
        provider: Provider,
        announce: t.Callable[[str], None],
        store: Store | None = None,
        clock: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._provider = provider
        self._announce = announce
        self._store = store or LocalStore(C.DEFAULT_LOCAL_TMP, C.ANSIBLE_HOME)
        self._clock = clock
        self._sleep = sleep
        self._route = _keyed(provider.transport[:2])

    def collect(self, request: CollectRequest, waiting: Waiting) -> Outcome:
        """What the provider says of an order, from the run's record where that holds it.

        A pending order is asked again every ``poll_interval`` until ``timeout``. Every worker of the run that waits for it
        shares one wait, so that those who come late do not begin it anew.
        :raises CollectError: where the provider cannot be asked for a reason of this controller's own.
        """
        since: float | None = None
        while True:
            outcome = self._recorded_or_asked(request, waiting, since)
            if not outcome.pending or not waiting.timeout:
                return outcome
            now = self._clock()
            since = min(moment for moment in (since, outcome.waiting_since, now) if moment is not None)
            if now >= since + waiting.timeout:
                return outcome
            next_poll = min(outcome.asked_at + waiting.poll_interval, since + waiting.timeout)
            self._sleep(max(0.0, next_poll - now))

    def _recorded_or_asked(self, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome:
        key = self._key(request)
        recorded = self._recorded(key, request, waiting, since)
        if recorded is None:
            with self._store.flight(key):
                recorded = self._recorded(key, request, waiting, since)
                if recorded is None:
                    return self._asked(key, request, waiting, since)
        return recorded

    def _recorded(self, key: str, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome | None:
        now = self._clock()
        for record in reversed(self._store.read(key)):
            outcome = Outcome.from_record(record)
            if not outcome.serves(request, self._route, now, waiting.poll_interval):
                continue
            # At the end of a wait the order is asked a last time, however short ago it was asked before.
            if outcome.pending and since is not None and outcome.asked_at < since + waiting.timeout <= now:
                continue
            return outcome
        return None

    def _asked(self, key: str, request: CollectRequest, waiting: Waiting, since: float | None) -> Outcome:
        outcome = self._ask(request, since if since is not None or not waiting.timeout else self._clock())
        self._announce_progress(outcome, waiting)
        kept = [record for record in self._store.read(key) if not _replaces(outcome, record)]
        self._store.write(key, [*kept, outcome.as_record()])
        return outcome

    def _ask(self, request: CollectRequest, since: float | None) -> Outcome:
        # Imported by the one worker that asks; the others live off its record, and these two are slow to load.
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import bundle_of_answer
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._client import Client

        client = Client(self._provider, self._sleep)
        bundle: Bundle | None = None
        error: tuple[str, str] | None = None
        order: dict[str, t.Any] | None = None
        try:
            response = client.ask(request, functools.partial(self._store.turn, self._account()))
            order = _scrubbed(response.order(request), client.scrub)
            if response.state == "issued" and request.query_type != QUERY_STATUS:
                bundle = bundle_of_answer(response, request, datetime.datetime.now(datetime.timezone.utc))
        except ChainError as exc:
            error = (type(exc).__name__, f"What came for {request.label()} cannot be used. {exc}")
        except (TransportError, ProtocolError) as exc:
            error = (type(exc).__name__, str(exc))
        now = self._clock()
        return Outcome(
            request=request,
            asked_at=now,
            waiting_since=since,
            route=self._route,
            order=order if order is not None else order_not_asked(request, error[1] if error else ""),
            bundle=bundle,
            error=error,
        )

    def _announce_progress(self, outcome: Outcome, waiting: Waiting) -> None:
        if not outcome.pending or outcome.waiting_since is None:
            return
        waited = outcome.asked_at - outcome.waiting_since
        left = waiting.timeout - waited
        if left <= 0:
            return
        waits_for = outstanding(outcome.order)
        self._announce(
            f"collectssl: {outcome.request.label()} is pending{f' ({waits_for})' if waits_for else ''}; "
            f"waited {waited:.0f} s, {left:.0f} s left, next poll in {min(left, waiting.poll_interval):.0f} s"
        )

    def _account(self) -> str:
        """A name for the lock of the account; it tells nothing of a secret."""
        name = self._provider.credentials.login_name or "by collection code"
        return hashlib.sha256(f"{self._provider.url}\0{name}".encode()).hexdigest()[:32]

    def _key(self, request: CollectRequest) -> str:
        """A name for the record of an order, as these credentials see it."""
        return _keyed((self._provider.url, *self._provider.credentials, *request[:3]))


def _keyed(parts: t.Iterable[t.Any]) -> str:
    """A digest that proves nothing about a secret: the run's folder, its key, has a random name and goes with the run."""
    message = "\0".join("" if part is None else str(part) for part in parts)
    return hmac.new(C.DEFAULT_LOCAL_TMP.encode(), message.encode(), hashlib.sha256).hexdigest()


def _replaces(outcome: Outcome, record: dict[str, t.Any]) -> bool:
    """Whether an older record has nothing to say beside a newer outcome."""
    old = Outcome.from_record(record)
    return not old.final or not outcome.final or outcome.request.covers(old.request)


def _scrubbed(order: dict[str, t.Any], scrub: t.Callable[[str], str]) -> dict[str, t.Any]:
    """An order without the secrets that the provider's own words may echo."""
    status = {**order["status"], "message": scrub(order["status"]["message"])}
    extra = {
        name: scrub(value) if isinstance(value, str) else [scrub(part) for part in value]
        for name, value in order["extra"].items()
    }
    return {**order, "status": status, "extra": extra}

