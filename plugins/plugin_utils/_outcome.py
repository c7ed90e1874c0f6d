# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of asking about an order: the value that a run records and every edge works with.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._bundle import Bundle

#: Those that say "the provider was not asked, or did not answer", whoever asks.
_UNANSWERED: dict[str, type[_errors.CollectError]] = {
    kind.__name__: kind for kind in (_errors.TransportError, _errors.ProtocolError, _errors.ChainError)
}


class Outcome(t.NamedTuple):
    """The answer to a request, or why there is none.

    ``asked_at`` and ``waiting_since`` are seconds since the epoch, the latter None where nobody waited; ``route`` tells over which proxy and with which
    trust it was asked, as a digest. ``order`` is the order dictionary, also where ``error`` (class name and message) says
    that the provider did not answer, or sent no usable chain.
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
    def refused_credentials(self) -> bool:
        """Whether the provider named the account, or a part of it, as the fault."""
        item = str(self.order["extra"].get("errorItem", "")) + self.order["status"]["message"]
        return self.order["status"]["code"] in (-3, -4) and any(
            name in item.lower() for name in ("loginname", "loginpassword", "collectioncode")
        )

    def serves(self, request: CollectRequest, route: str, now: float, poll_interval: float) -> bool:
        """Whether this outcome answers ``request`` too, so that nobody need ask."""
        if self.final:
            return self.request.covers(request)
        # The clock may have been set back; an outcome of the future is as good as none.
        if not 0 <= now - self.asked_at < poll_interval:
            return False
        return self.error is None or self.route == route

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
    """What a pending order waits for, such as ``dcv 1/3, ov callback in progress``; empty where the answer says nothing."""
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
    label = request.label().capitalize() if request.identifier_kind != "certificate_id" else request.label()
    state, code, message = order["state"], order["status"]["code"], order["status"]["message"].rstrip("!. ")
    said = f" The provider says: {message}." if message else ""
    if state == "pending":
        waits_for = outstanding(order)
        waits = f" It waits for: {waits_for}." if waits_for else ""
        return f"{label} is still being processed.{waits}{said} Run again later, or set wait_timeout."
    if state == "awaiting_payment":
        return f"{label} still awaits payment.{said} No waiting mends this: pay it at the provider."
    if state == "rejected":
        return f"{label} was rejected.{said} No waiting mends this: place a new order."
    if state == "revoked":
        return f"The certificate of {label} was revoked.{said} Replace it at the provider, or place a new order."
    if state == "issued":
        return f"{label} is issued, and its certificate did not come with the answer.{said}"
    hints = {
        -1: "Check api_url.",
        -16: "Check login_name and login_password (or collection_code), and that the order is one of this account.",
        -3: "Check the option that it names; wrong credentials are reported so too.",
        -4: "Check the option that it names; wrong credentials and foreign orders are reported so too.",
    }
    return f"The provider refused {request.label()} with status {code}.{said} {hints.get(code, 'Ask the provider.')}"
