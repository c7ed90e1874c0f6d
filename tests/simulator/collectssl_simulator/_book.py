# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order book: who may ask for which order, where each order is in its life, and what it answers."""

from __future__ import annotations

import dataclasses
import hmac
import time
import typing as t

from cryptography.hazmat.primitives import hashes

from . import _faults
from ._answer import Answer, Style, error
from ._arguments import Arguments, Pair, value_of
from ._certificates import Issued, Issuer
from ._orders import Account, Order, OrdersFile, Phase


@dataclasses.dataclass
class _Live:
    """An order on its way through its life. The clock of a phase starts with the first call that meets it."""

    order: Order
    position: int = 0
    calls: int = 0
    calls_in_phase: int = 0
    phase_began: float | None = None

    @property
    def phase(self) -> Phase:
        return self.order.life[self.position]

    def is_last(self) -> bool:
        return self.position + 1 >= len(self.order.life)

    def next_phase(self) -> None:
        self.position += 1
        self.calls_in_phase = 0
        self.phase_began = None

    def let_time_pass(self, now: float) -> None:
        """Leave the phases that are over; a phase that follows another by the clock begins when that one ended."""
        while not self.is_last():
            phase = self.phase
            if phase.calls is not None and self.calls_in_phase >= phase.calls:
                self.next_phase()
            elif phase.seconds is not None and self.phase_began is not None:
                end = self.phase_began + phase.seconds
                if now < end:
                    return
                self.next_phase()
                self.phase_began = end
            else:
                return

    def count(self, now: float) -> None:
        if self.phase_began is None:
            self.phase_began = now
        self.calls += 1
        self.calls_in_phase += 1


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer to a call, the style it is told in, and the fault that the order's phase adds to it."""

    answer: Answer
    style: Style
    fault: _faults.Fault | None = None


class Book:
    """Accounts and live orders. Its owner locks it."""

    def __init__(self, content: OrdersFile, issuer: Issuer) -> None:
        self._issuer = issuer
        self._accounts: dict[str, Account] = {}
        self._live: dict[str, _Live] = {}
        self.style = content.style
        self.add(content)

    @property
    def login_names(self) -> set[str]:
        """The login names of all accounts."""
        return set(self._accounts)

    @property
    def order_numbers(self) -> set[str]:
        """The order numbers of all orders."""
        return set(self._live)

    def add(self, content: OrdersFile) -> None:
        """Add accounts and orders; those with a known name replace what was there, and their lives begin anew."""
        for account in content.accounts:
            self._accounts[account.login_name] = account
        for order in content.orders:
            self._live.pop(order.order_number, None)
            self._live[order.order_number] = _Live(order)
            # Issued at once, so that keys which clients are to have are there before the first call.
            for position, phase in enumerate(order.life):
                if phase.terms is not None:
                    self._issue(order, position)

    def restart_lives(self) -> None:
        """Put every order back to the beginning of its life."""
        self._live = {number: _Live(live.order) for number, live in self._live.items()}

    def forget_counts(self) -> None:
        """Set the number of calls of every order to 0; lives go on where they are."""
        for live in self._live.values():
            live.calls = 0

    def advance(self, order_number: str) -> str:
        """Move an order to its next phase and return its state; raises LookupError when there is none."""
        if order_number not in self._live:
            raise LookupError(f"There is no order '{order_number}'.")
        live = self._live[order_number]
        live.let_time_pass(time.monotonic())
        if live.is_last():
            raise LookupError(f"Order '{order_number}' is in the last phase of its life ({live.phase.state}).")
        live.next_phase()
        return live.phase.state

    def account_of_call(self, pairs: t.Sequence[Pair]) -> str:
        """Return the account that a call is made for, whether or not it may: for the record of calls."""
        login_name = value_of(pairs, "loginName")
        if login_name:
            return login_name
        live = self._find_by_code(value_of(pairs, "collectionCode"))
        return live.order.account if live else ""

    def order_of_call(self, pairs: t.Sequence[Pair], product: str) -> str | None:
        """Return the number of the order that a call is about, whether or not it may; None when it can't be told."""
        live = self._find(
            product,
            value_of(pairs, "orderNumber"),
            value_of(pairs, "certificateID"),
            value_of(pairs, "baseOrderNumber"),
        )
        if live is None and product == "ccc":
            live = self._find_by_code(value_of(pairs, "collectionCode"))
        return live.order.order_number if live else value_of(pairs, "orderNumber")

    def is_issued(self, order_number: str | None) -> bool:
        """Whether the next call about an order will find it issued."""
        live = self._live.get(order_number or "")
        if live is None:
            return False
        live.let_time_pass(time.monotonic())
        return live.phase.terms is not None

    def _find(
        self,
        product: str,
        order_number: str | None,
        certificate_id: str | None,
        base_order_number: str | None,
    ) -> _Live | None:
        # Of several orders under one base order the newest answers, which is the last one given.
        for live in reversed(list(self._live.values())):
            order = live.order
            if order.product == product and (
                order_number == order.order_number
                or (certificate_id is not None and certificate_id == order.certificate_id)
                or (base_order_number is not None and base_order_number == order.base_order_number)
            ):
                return live
        return None

    def _find_by_code(self, code: str | None) -> _Live | None:
        # A code that was given away again is that of the newest order, too.
        for live in reversed(list(self._live.values())):
            if code is not None and live.order.collection_code is not None and _same(code, live.order.collection_code):
                return live
        return None

    def _authenticate(self, arguments: Arguments) -> Account | Answer:
        account = self._accounts.get(arguments.login_name or "")
        if account is None:
            return error(-16)
        if not _same(arguments.login_password or "", account.login_password):
            return error(account.bad_credentials, "loginPassword" if account.bad_credentials != -16 else None)
        return account

    def _asked_for(self, arguments: Arguments) -> _Live | Answer:
        """Return the order that a call may be answered about, or the refusal."""
        if arguments.collection_code is not None:
            return self._find_by_code(arguments.collection_code) or error(-16)
        account = self._authenticate(arguments)
        if isinstance(account, Answer):
            return account
        live = self._find(
            arguments.product, arguments.order_number, arguments.certificate_id, arguments.base_order_number
        )
        item = _identifier_name(arguments)
        if live is None:
            return error(-4, item)
        if live.order.account != account.login_name:
            return error(account.foreign_order, item if account.foreign_order == -4 else None)
        return live

    def collect(self, arguments: Arguments, posted: _faults.Fault | None) -> Verdict:
        """Return what a well-formed call is answered; it counts as a call of the order if its account may ask.

        A fault posted at run time takes precedence over the fault of a phase.
        """
        live = self._asked_for(arguments)
        if isinstance(live, Answer):
            return Verdict(live, self.style)
        now = time.monotonic()
        live.let_time_pass(now)
        live.count(now)
        fault = posted or live.phase.fault
        return Verdict(self._answer(live, fault), live.phase.style, fault)

    def _answer(self, live: _Live, fault: _faults.Fault | None) -> Answer:
        phase = live.phase
        answer = error(phase.code, message=phase.message) if phase.code < 0 else Answer(code=phase.code)
        answer = dataclasses.replace(
            answer,
            certificate_status=phase.certificate_status,
            validation_status=phase.validation_status,
            caa_status=phase.caa_status,
            details=phase.details,
            domains=phase.domains,
        )
        if phase.terms is None:
            return answer
        issued = self._issue(live.order, live.position)
        served = self._issuer.serve(issued, fault)
        return dataclasses.replace(
            answer,
            validity=served.validity,
            fqdn=phase.fqdn,
            certificates=served.certificates,
            leaf=served.leaf,
            archive=served.archive,
            archive_name=live.order.order_number if len(issued.names) > 1 else None,
        )

    def _issue(self, order: Order, position: int) -> Issued:
        """Return the certificate of an issued phase; every issued phase after the first is a reissue unless told."""
        issue_number, key_number = 1, 1
        first = True
        for phase in order.life[: position + 1]:
            if phase.terms is None:
                continue
            issue_number += 0 if first or not phase.reissue else 1
            key_number += 1 if phase.terms.new_key and not first else 0
            first = False
        terms = order.life[position].terms
        assert terms is not None
        return self._issuer.issue(order.order_number, terms, issue_number, key_number)

    def listed(self) -> list[dict[str, t.Any]]:
        """Return the orders as plain values, without secrets."""
        now = time.monotonic()
        result = []
        for live in self._live.values():
            live.let_time_pass(now)
            order, phase = live.order, live.phase
            certificate = None
            if phase.terms is not None:
                leaf = self._issue(order, live.position)
                certificate = {
                    "names": list(leaf.names),
                    "serial_number": str(leaf.leaf.serial_number),
                    "fingerprint_sha256": _fingerprint(leaf),
                    "not_before": leaf.validity[0].strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "not_after": leaf.validity[1].strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            result.append(
                {
                    "order_number": order.order_number,
                    "certificate_id": order.certificate_id,
                    "base_order_number": order.base_order_number,
                    "product": order.product,
                    "account": order.account,
                    "state": phase.state,
                    "phase": live.position + 1,
                    "phases": len(order.life),
                    "calls": live.calls,
                    "calls_in_phase": live.calls_in_phase,
                    "certificate": certificate,
                }
            )
        return result


def _fingerprint(issued: Issued) -> str:
    return issued.leaf.fingerprint(hashes.SHA256()).hex(":").upper()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8"), expected.encode("utf-8"))


def _identifier_name(arguments: Arguments) -> str:
    if arguments.certificate_id is not None:
        return "certificateID"
    return "baseOrderNumber" if arguments.base_order_number is not None else "orderNumber"
