# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of asking about an order: the value that a run records and every edge works with.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CALL_LIMIT_REACHED
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import why_not_issued

# The provider says of itself that the next call may be answered, and nothing of the order.
_PASSING = (-14, CALL_LIMIT_REACHED)
_PERMISSION_DENIED = -16
_CREDENTIAL_VARIABLES = ("loginname", "loginpassword", "collectioncode")
_IDENTIFIER_VARIABLES = ("ordernumber", "certificateid")


# The errors that say "there is no answer, or no usable one", whoever asks, by the names that stand in records.
_FAILURES: dict[str, type[_errors.CollectError]] = {
    kind.__name__: kind for kind in (_errors.TransportError, _errors.ProtocolError, _errors.ChainError)
}


class Failure(t.NamedTuple):
    """Why there is no answer, or no usable one: an error that workers tell each other of."""

    kind: type[_errors.CollectError]
    message: str

    @property
    def particular(self) -> bool:
        """Whether it hangs on how an order was asked about, and tells nothing of another way to ask."""
        # The network is the same for all.
        return self.kind in (_errors.ProtocolError, _errors.ChainError)

    @property
    def mended_by_waiting(self) -> bool:
        """Whether it is a reason to ask again in a wait that goes on anyway."""
        # A page of maintenance, or a network that is down for a while.
        return self.kind in (_errors.TransportError, _errors.ProtocolError)

    def as_record(self) -> list[str]:
        """Plain values, from which ``from_record`` makes this value again."""
        return [self.kind.__name__, self.message]

    @classmethod
    def from_record(cls, record: list[str]) -> Failure:
        """The value that ``as_record`` was called on."""
        name, message = record
        return cls(_FAILURES[name], message)


class Outcome(t.NamedTuple):
    """The answer to a request, or why there is none.

    ``asked_at`` and ``waiting_since`` are seconds since the epoch, the latter None where nobody waited; ``route`` tells
    over which proxy and with which trust it was asked, as a digest. ``order`` is the order dictionary, also where
    ``error`` says that the provider did not answer, or sent no usable chain. ``number`` counts what a run was told of
    the order, from 1; ``poll`` names the task that polls and asked for it, if any, and ``round`` says with the how
    manyth poll and attempt of its hosts (``_polling.Attempt``). ``doubts`` are sentences about the credentials, for
    where these are refused; they show nothing of them.
    """

    request: CollectRequest
    asked_at: float
    waiting_since: float | None
    route: str
    order: dict[str, t.Any]
    bundle: Bundle | None = None
    error: Failure | None = None
    number: int = 0
    poll: str = ""
    round: tuple[int, int] = (0, 0)
    doubts: str = ""

    @property
    def pending(self) -> bool:
        """Whether waiting may mend it."""
        return self.error is None and self.order["state"] == "pending"

    @property
    def final(self) -> bool:
        """Whether it stands for the rest of the run."""
        return self.error is None and self.order["state"] == "issued"

    @property
    def waits(self) -> bool:
        """Whether a wait goes on: the order is pending, or a call failed after it was found pending.

        The provider's "unknown error", or its limit of calls, may be gone by the next poll, and is all that is known of
        the order.
        """
        if self.error is None:
            return self.pending or self.order["status"]["code"] in _PASSING
        return self.waiting_since is not None and self.error.mended_by_waiting

    @property
    def refused_credentials(self) -> bool:
        """Whether the provider named the account, or a part of it, as the fault."""
        return self._names_as_fault(_CREDENTIAL_VARIABLES)

    @property
    def refused_order(self) -> bool:
        """Whether the provider named the order as the fault, so that it may well answer about another."""
        return self._names_as_fault(_IDENTIFIER_VARIABLES)

    def _names_as_fault(self, variables: tuple[str, ...]) -> bool:
        named = f"{self.order['extra'].get('errorItem', '')} {self.order['status']['message'] or ''}".lower()
        return self.order["status"]["code"] in (-3, -4) and any(variable in named for variable in variables)

    def serves(self, request: CollectRequest, route: str, now: float, poll_interval: float) -> bool:
        """Whether this outcome answers ``request`` too, so that nobody need ask."""
        if self.final:
            return self.request.covers(request)
        # The clock may have been set back; an outcome of the future is as good as none.
        if not 0 <= now - self.asked_at < poll_interval:
            return False
        if self.error is None:
            return True
        return self.route == route and (not self.error.particular or self.request == request)

    def supersedes(self, old: Outcome) -> bool:
        """Whether an older outcome has nothing to say beside this one."""
        if old.final:
            return self.error is None and (
                not self.final or self.request.covers(old.request) or self._is_of_another_certificate(old)
            )
        return old.error is None or not old.error.particular or self.request == old.request

    def _is_of_another_certificate(self, old: Outcome) -> bool:
        # A status that a poll asked for tells of a reissue which the chain in the record is older than.
        both = ((self.order[name], old.order[name]) for name in ("not_before", "not_after"))
        return any(None not in pair and pair[0] != pair[1] for pair in both)

    def reason(self) -> str:
        """Why this is not an issued certificate, as a sentence."""
        if self.error is not None:
            return self.error.message
        said = why_not_issued(self.request, self.order)
        doubtful = self.refused_credentials or self.order["status"]["code"] == _PERMISSION_DENIED
        return f"{said} {self.doubts}" if doubtful and self.doubts else said

    def require_issued(self) -> Bundle:
        """The chain; raises a ``CollectError`` where there is no answer, an ``OrderError`` where it is not issued."""
        if self.error is not None:
            raise self.error.kind(self.error.message)
        if self.order["state"] != "issued" or self.bundle is None:
            raise _errors.error_for_order(self.reason(), self.order)
        return self.bundle

    def as_record(self) -> dict[str, t.Any]:
        """Plain values, from which ``from_record`` makes this value again."""
        return {
            **self._asdict(),
            "request": self.request.as_record(),
            "bundle": self.bundle.as_record() if self.bundle else None,
            "error": self.error.as_record() if self.error else None,
        }

    @classmethod
    def from_record(cls, record: dict[str, t.Any]) -> Outcome:
        """The value that ``as_record`` was called on."""
        return cls(
            **{
                **record,
                "request": CollectRequest(**record["request"]),
                "bundle": Bundle.from_record(record["bundle"]) if record["bundle"] else None,
                "error": Failure.from_record(record["error"]) if record["error"] else None,
                "round": tuple(record["round"]),
            }
        )
