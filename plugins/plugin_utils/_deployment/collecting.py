# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of the orders of a task: asked about all at once, and waited for together.

A failure of one never keeps another from being brought in.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, CollectError, PendingError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import order_not_asked
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import Certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import waiting_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import standing
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options

#: Why there is nothing to install, as the state of a certificate.
PENDING, NOT_COLLECTED, REFUSED = "pending", "not_collected", "refused"


class Collected(t.NamedTuple):
    """What came of a certificate on this controller.

    ``content`` is what goes to the host. Without, what is installed there stays: ``state`` says why, as one of those
    above, and ``reason`` in sentences; both are empty where the certificate is to be removed.
    """

    content: str | None = None
    state: str = ""
    reason: str = ""
    order: dict[str, t.Any] | None = None
    bundle: Bundle | None = None


class Collecting:
    """The orders of a task.

    :arg options: those of the task, to which all sources have given their part.
    :arg since: when the task began (seconds since the epoch), from which the wait counts.
    :arg door: makes a broker, where there is anything to ask about.
    :raises OptionError: where a certificate names no order that may be asked about, or nobody who may ask.
    """

    def __init__(
        self, certificates: t.Sequence[Certificate], options: Options, since: float, door: t.Callable[[], Broker]
    ) -> None:
        self._waiting = waiting_of(options)
        self._since = since
        requests = {one.name: one.request(options) for one in certificates}
        self._requests = {name: request for name, request in requests.items() if request is not None}
        self._certificates = certificates
        self._broker = door() if self._requests else None
        self._answers: dict[CollectRequest, Outcome | CollectError] = {}
        self._collected: dict[str, Collected] = {}

    def begin(self) -> None:
        """Ask about all orders, and wait for none."""
        if self._requests:
            self._answers = self._door.begin(list(dict.fromkeys(self._requests.values())), self._waiting)
        self._read(self._certificates)

    def wait(self) -> list[Certificate]:
        """Wait for those that are pending; the certificates that can be installed now, and could not before."""
        if not self._waiting.timeout:
            return []
        waits = [request for request, answer in self._answers.items() if isinstance(answer, Outcome) and answer.waits]
        if not waits:
            return []
        late = [one for one in self._certificates if self._requests.get(one.name) in waits]
        try:
            self._answers.update(self._door.collect_all(waits, self._waiting, self._since))
        except CollectError as error:
            self._answers.update(dict.fromkeys(waits, error))
        self._read(late)
        return [one for one in late if self.of(one).content is not None]

    def of(self, certificate: Certificate) -> Collected:
        """What came of a certificate."""
        return self._collected[certificate.name]

    def announce_pending(self) -> None:
        """Say aloud which orders are left pending."""
        # A job that leaves them pending night after night is as green as one that has them.
        for one in self._certificates:
            answer = self._answers.get(self._requests[one.name]) if one.name in self._requests else None
            if self.of(one).state == PENDING and one.options["allow_pending"] and isinstance(answer, Outcome):
                said = standing(answer.request, answer.order)
                self._door.announce_once(answer.request, f"collectssl: {said}; what is installed stays for now")

    @property
    def _door(self) -> Broker:
        return t.cast("Broker", self._broker)

    def _read(self, certificates: t.Iterable[Certificate]) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self._collected.update({one.name: self._collect(one, now) for one in certificates})

    def _collect(self, one: Certificate, now: datetime.datetime) -> Collected:
        if one.absent:
            return Collected()
        if one.name not in self._requests:
            try:
                return _checked(one, _bundle_of_content(str(one.options["content"]), now), None, now)
            except CollectError as error:
                return Collected(state=REFUSED, reason=str(error))
        answer = self._answers[self._requests[one.name]]
        if isinstance(answer, CollectError):
            order = order_not_asked(self._requests[one.name], str(answer))
            return Collected(state=NOT_COLLECTED, reason=str(answer), order=order)
        try:
            bundle = answer.require_issued()
        except PendingError as pending:
            return Collected(state=PENDING, reason=str(pending), order=answer.order)
        except CollectError as error:
            return Collected(state=NOT_COLLECTED, reason=str(error), order=answer.order)
        return _checked(one, bundle, answer.order, now)


def _checked(one: Certificate, bundle: Bundle, order: dict[str, t.Any] | None, now: datetime.datetime) -> Collected:
    try:
        bundle.check_validity(now, one.options["min_validity_days"])
        bundle.check_names(one.options["expected_names"])
        content = bundle.full_chain(include_root=one.with_root)
    except ChainError as error:
        return Collected(state=REFUSED, reason=str(error), order=order, bundle=bundle)
    return Collected(content, order=order, bundle=bundle)


def _bundle_of_content(content: str, now: datetime.datetime) -> Bundle:
    # Slow to load, and needed by this path alone: a collected chain comes verified.
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_content

    return bundle_of_content(content, now)
