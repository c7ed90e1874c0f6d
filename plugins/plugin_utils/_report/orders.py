# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders of a report: each once, whoever asked about it.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.rows import Clock, Facts, Row, span_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.span import Span
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import outstanding
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import KINDS, counted, of_order

_Key = tuple[str, str]


def order_rows(hosts: t.Iterable[Facts], asked: Facts, clock: Clock) -> list[Row]:
    """A row for each order that a host has, or that was asked about for itself."""
    answers: dict[_Key, Facts] = {}
    users: dict[_Key, list[dict[str, str]]] = {}

    def take(order: Facts, key: _Key) -> None:
        # One host may have been the one that could ask.
        if key not in answers or answers[key]["state"] == "error":
            answers[key] = order

    for host in hosts:
        for certificate in host["result"].get("certificates", []):
            key = _key(certificate["order"] or {})
            # That of a collection code has no name.
            if key is not None:
                take(certificate["order"], key)
                users.setdefault(key, []).append({"host": host["host"], "certificate": certificate["name"]})
    numbers = [str(number) for number in listed(asked.get("order_numbers") or [])]
    told = asked.get("result") or {}
    for number, order in zip(numbers, told.get("orders") or [_unanswered(told) for _number in numbers], strict=True):
        take(order, ("order_number", number))
    return [_row(key, order, users.get(key, []), clock) for key, order in answers.items()]


def _key(order: Facts) -> _Key | None:
    """Which order it is: its identifier and what that is called."""
    return next(((option, str(order[option])) for option in IDENTIFIERS if order.get(option) is not None), None)


def _row(key: _Key, order: Facts, users: list[dict[str, str]], clock: Clock) -> Row:
    state = str(order["state"])
    identifier, number = key
    message = _message(order["status"])
    hosts = sorted({user["host"] for user in users})
    row = Row(
        span_of(order) if state == "issued" else Span(),
        clock,
        of_order(state),
        [number],
        identifier=identifier,
        number=number,
        where=f"{identifier.replace('_', ' ')} {number}",
        name=order.get("fqdn") or next((user["certificate"] for user in users), None),
        state=state,
        message=message,
        waits_for=_waits_for(state, order, message),
        domains=[one for one in order.get("mdc_domains", []) if one["status"] != "validated"],
        users=users,
        hosts=hosts,
        hosts_counted=counted(len(hosts), "host"),
    )
    if state != "issued":
        row.note(state if state in KINDS else "error", of_order(state))
    return row


def _waits_for(state: str, order: Facts, message: str) -> str:
    if state == "issued":
        return "nothing"
    return (outstanding(dict(order)) if state == "pending" else "") or message or "not said"


def _message(status: Facts) -> str:
    parts = [status.get("message"), f"status {status['code']}" if status.get("code") is not None else None]
    return ", ".join(str(part).rstrip(".! ") for part in parts if part)


def _unanswered(result: Facts) -> Facts:
    return {"state": "error", "status": {"message": result.get("msg", "Nobody asked about it.")}}
