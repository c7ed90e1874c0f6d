# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an order: what it waits for, and why it is no certificate.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CALL_LIMIT_REACHED

# What to do about a status code; None stands for all others.
_HINTS = {
    -1: "Check api_url.",
    -2: "Check product and api_url; if they are right, the provider knows less than this collection asks of it.",
    -3: "Check the option that it names; wrong credentials are reported so too.",
    -4: "Check the option that it names; wrong credentials and foreign orders are reported so too.",
    -14: "Run again later; if it stays so, ask the provider.",
    -16: (
        "Check login_name and login_password (or collection_code), that the account is not locked and its password not "
        "expired, that it may be used from this controller's address, and that the order is one of this account."
    ),
    -17: "Check api_url and proxy: on the way, POST became GET.",
    -91: (
        "Check that the order is one of this account, that login_name and login_password (or collection_code) are "
        "right, that the account is not locked and its password not expired, and that it may be used from this "
        "controller's address."
    ),
    CALL_LIMIT_REACHED: "Run again later, and ask less often.",
    None: "Ask the provider.",
}

_STATES = {
    "issued": "is issued",
    "pending": "is pending",
    "awaiting_payment": "awaits payment",
    "rejected": "was rejected",
    "revoked": "was revoked",
}

# As much as a sentence repeats of the provider's own (characters); the order has all of it.
_SAID = 600

# How many orders a message names.
_NAMED = 5


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
    validation = order["validation_status"]
    # A validation that is complete is nothing that an order waits for.
    if not parts and validation and validation.strip().lower() != "complete":
        parts.append(validation)
    return ", ".join(parts)


def standing(request: CollectRequest, order: dict[str, t.Any]) -> str:
    """Where an order stands, for a line that goes on: ``order number 12 is pending (dcv 1/3)``."""
    message = order["status"]["message"]
    reasons = {"issued": [], "pending": [outstanding(order), message]}.get(order["state"], [message])
    reason = next((excerpt(text).rstrip("!. ") for text in reasons if text and text.strip()), "")
    return f"{request.label()} {_said_of(order)}{f' ({reason})' if reason else ''}"


def _said_of(order: dict[str, t.Any]) -> str:
    state, code = order["state"], order["status"]["code"]
    if state == "error":
        return "could not be asked" if code is None else f"was refused with status {code}"
    return _STATES[state]


def summary(asked: t.Sequence[tuple[CollectRequest, dict[str, t.Any]]]) -> str:
    """Where several orders stand, in sentences; those that are issued are counted alone, and the others named."""
    if not asked:
        return "No order is named."
    others = [standing(request, order) for request, order in asked if order["state"] != "issued"]
    issued = len(asked) - len(others)
    sentences = []
    if len(asked) == 1 and issued:
        sentences.append(standing(*asked[0]))
    elif issued:
        sentences.append(f"{issued} of {len(asked)} orders are issued")
    sentences += others[:_NAMED]
    if len(others) > _NAMED:
        more = len(others) - _NAMED
        sentences.append(f"{more} more {'is' if more == 1 else 'are'} not issued")
    return " ".join(f"{sentence[:1].upper()}{sentence[1:]}." for sentence in sentences)


def why_not_issued(request: CollectRequest, order: dict[str, t.Any]) -> str:
    """Why an order that was asked about is no certificate, in sentences: what it is, what was said, what to do."""
    label = request.label()
    # Not capitalize(), which would write the rest of an order number small.
    begin = label[:1].upper() + label[1:]
    state, code = order["state"], order["status"]["code"]
    message = (order["status"]["message"] or "").strip().rstrip("!. ")
    said = f" The provider says: {excerpt(message, _SAID)}." if message else ""
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
