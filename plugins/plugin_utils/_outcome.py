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

# Those that say "there is no answer, or no usable one", whoever asks.
_UNANSWERED: dict[str, type[_errors.CollectError]] = {
    kind.__name__: kind for kind in (_errors.TransportError, _errors.ProtocolError, _errors.ChainError)
}


# These hang on how an order was asked about, and tell nothing of another way to ask; the network is the same for all.
_PARTICULAR = (_errors.ProtocolError.__name__, _errors.ChainError.__name__)

# A page of maintenance or a network that is down for a while: reasons to ask again in a wait that goes on anyway.
_MENDED_BY_WAITING = (_errors.TransportError.__name__, _errors.ProtocolError.__name__)

_CREDENTIAL_VARIABLES = ("loginname", "loginpassword", "collectioncode")
_IDENTIFIER_VARIABLES = ("ordernumber", "certificateid")


class Outcome(t.NamedTuple):
    """The answer to a request, or why there is none.

    ``asked_at`` and ``waiting_since`` are seconds since the epoch, the latter None where nobody waited; ``route`` tells
    over which proxy and with which trust it was asked, as a digest. ``order`` is the order dictionary, also where
    ``error`` (class name and message) says that the provider did not answer, or sent no usable chain.
    """

    request: CollectRequest
    asked_at: float
    waiting_since: float | None
    route: str
    order: dict[str, t.Any]
    bundle: Bundle | None = None
    error: tuple[str, str] | None = None

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
        """Whether a wait goes on: the order is pending, or a call failed after it was found pending."""
        if self.error is None:
            return self.pending
        return self.waiting_since is not None and self.error[0] in _MENDED_BY_WAITING

    @property
    def refused_credentials(self) -> bool:
        """Whether the provider named the account, or a part of it, as the fault."""
        return self._names_as_fault(_CREDENTIAL_VARIABLES)

    @property
    def refused_order(self) -> bool:
        """Whether the provider named the order as the fault, so that it may well answer about another."""
        return self._names_as_fault(_IDENTIFIER_VARIABLES)

    def _names_as_fault(self, variables: tuple[str, ...]) -> bool:
        named = f"{self.order['extra'].get('errorItem', '')} {self.order['status']['message']}".lower()
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
        return self.route == route and (self.error[0] not in _PARTICULAR or self.request == request)

    def supersedes(self, old: Outcome) -> bool:
        """Whether an older outcome has nothing to say beside this one."""
        if old.final:
            return self.error is None and (not self.final or self.request.covers(old.request))
        return old.error is None or old.error[0] not in _PARTICULAR or self.request == old.request

    def reason(self) -> str:
        """Why this is not an issued certificate, as a sentence."""
        return self.error[1] if self.error is not None else _sentence_for(self.request, self.order)

    def require_issued(self) -> Bundle:
        """The chain; raises a ``CollectError`` where there is no answer, an ``OrderError`` where it is not issued."""
        if self.error is not None:
            raise _UNANSWERED[self.error[0]](self.error[1])
        if self.order["state"] != "issued" or self.bundle is None:
            raise _errors.error_for_order(self.reason(), self.order)
        return self.bundle

    def as_record(self) -> dict[str, t.Any]:
        """Plain values, from which ``from_record`` makes this value again."""
        return {
            **self._asdict(),
            "request": self.request.as_record(),
            "bundle": self.bundle.as_record() if self.bundle else None,
        }

    @classmethod
    def from_record(cls, record: dict[str, t.Any]) -> Outcome:
        """The value that ``as_record`` was called on."""
        return cls(
            **{
                **record,
                "request": CollectRequest(**record["request"]),
                "bundle": Bundle.from_record(record["bundle"]) if record["bundle"] else None,
                "error": tuple(record["error"]) if record["error"] else None,
            }
        )


def outstanding(order: dict[str, t.Any]) -> str:
    """What a pending order waits for, such as ``dcv 1/3, ov callback in progress``; empty where nothing is known."""
    parts = []
    domains = order["mdc_domains"]
    details = {name: value for name, value in order["details"].items() if value in ("not_completed", "in_progress")}
    if domains:
        done = sum(domain["status"] == "validated" for domain in domains)
        parts.append(f"dcv {done}/{len(domains)}")
        details.pop("dcv", None)
    parts.extend(f"{name} {value}".replace("_", " ") for name, value in details.items())
    if not parts and order["validation_status"]:
        parts.append(order["validation_status"])
    return ", ".join(parts)


def _sentence_for(request: CollectRequest, order: dict[str, t.Any]) -> str:
    label = request.label()
    # Not capitalize(), which would write the rest of an order number small.
    begin = label[:1].upper() + label[1:]
    state, code, message = order["state"], order["status"]["code"], order["status"]["message"].strip().rstrip("!. ")
    said = f" The provider says: {message}." if message else ""
    if state == "pending":
        waits_for = outstanding(order)
        waits = f" It waits for: {waits_for}." if waits_for else ""
        return f"{begin} is still being processed.{waits}{said} Run again later, or wait longer with wait_timeout."
    if state == "awaiting_payment":
        return f"{begin} still awaits payment.{said} No waiting mends this: pay it at the provider."
    if state == "rejected":
        return f"{begin} was rejected.{said} No waiting mends this: place a new order."
    if state == "revoked":
        return f"The certificate of {label} was revoked.{said} Replace it at the provider, or place a new order."
    if state == "issued":
        return f"{begin} is issued, and its certificate was not asked for.{said} Ask for the certificate too."
    # A refusal without a code of the interface, and an order that was not asked, carry their reason as the message.
    if code is None:
        return message + "."
    return f"The provider refused {label} with status {code}.{said} {_HINTS.get(code, _HINTS[None])}"


_HINTS = {
    -1: "Check api_url.",
    -2: "Check product and api_url; if they are right, the provider knows less than this collection asks of it.",
    -3: "Check the option that it names; wrong credentials are reported so too.",
    -4: "Check the option that it names; wrong credentials and foreign orders are reported so too.",
    -14: "Run again later; if it stays so, ask the provider.",
    -16: "Check login_name and login_password (or collection_code), and that the order is one of this account.",
    -17: "Check api_url and proxy: on the way, POST became GET.",
    CALL_LIMIT_REACHED: "Run again later, and ask less often.",
    None: "Ask the provider.",
}
