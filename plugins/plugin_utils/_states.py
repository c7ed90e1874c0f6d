# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words for what orders, certificates and endpoints are, for every table and page alike.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t


class Kind(t.NamedTuple):
    """A kind of finding: how urgent it is, as one of ``LEVELS``, and what people call it."""

    level: str
    title: str


#: How urgent something is, the most urgent first, each with a sign for those who see no colours.
LEVELS = {"bad": "✕", "warn": "▲", "wait": "…", "doubt": "?", "good": "✓"}

#: What an endpoint is that serves what it has to.
IN_SERVICE = "in service"

#: What an order is, by its state.
ORDERS = {
    "issued": "issued",
    "pending": "pending",
    "awaiting_payment": "awaiting payment",
    "rejected": "rejected",
    "revoked": "revoked",
    "error": "not known",
}

#: What a certificate of a host is, by its state.
CERTIFICATES = {
    "in_service": IN_SERVICE,
    "installed": "not looked at",
    "pending": "order pending",
    "not_collected": "not collected",
    "refused": "refused",
    "unproven": "not proven",
    "rolled_back": "rolled back",
    "failed": "failed",
    "absent": "removed",
}

#: What is said of a certificate of which a run that did not come to its end left the old files.
HELD = "old files held"

# States of a certificate that somebody has to do something about.
_WRONG = ("not_collected", "refused", "unproven", "rolled_back", "failed")

#: What may be found, by its kind.
KINDS = {
    "expired": Kind("bad", "expired"),
    "not_yet_valid": Kind("bad", "not valid yet"),
    "expiring": Kind("warn", "expiring"),
    # Of a host.
    "unreachable": Kind("bad", "host not reached"),
    # Of an order.
    "pending": Kind("wait", ORDERS["pending"]),
    "awaiting_payment": Kind("bad", ORDERS["awaiting_payment"]),
    "rejected": Kind("bad", ORDERS["rejected"]),
    "revoked": Kind("bad", ORDERS["revoked"]),
    "error": Kind("bad", ORDERS["error"]),
    # Of a certificate of a host.
    "held": Kind("warn", HELD),
    **{state: Kind("bad", CERTIFICATES[state]) for state in _WRONG},
    # Of an endpoint.
    "unanswered": Kind("bad", "no answer"),
    "differs": Kind("bad", "serves another certificate than the one that is installed"),
    "not_installed": Kind("warn", "no certificate is installed"),
    "awaited": Kind("wait", "no certificate is installed yet"),
    "unknown": Kind("warn", "what is installed is not known"),
    "untrusted": Kind("warn", "not trusted"),
    "undetermined": Kind("doubt", "undetermined"),
}


def of_order(state: str) -> str:
    """What an order is; a state that nobody knows is its own word."""
    return ORDERS.get(state, state.replace("_", " "))


def of_certificate(state: str) -> str:
    """What a certificate of a host is; a state that nobody knows is its own word."""
    return CERTIFICATES.get(state, state.replace("_", " "))


def is_wrong(state: str) -> bool:
    """Whether somebody has to do something about a certificate in this state."""
    return state in _WRONG


def counted(number: int, noun: str) -> str:
    """So many of something: ``1 endpoint``, ``1,000 endpoints``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
