# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far orders are as a table for people: a line for each.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import outstanding
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import of_order
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._table import NOTHING, aligned

Order = t.Mapping[str, t.Any]

TITLES = ("ORDER", "STATE", "NAME", "VALID UNTIL", "WAITS FOR")


def table(orders: t.Iterable[Order]) -> list[str]:
    """Aligned lines, the titles first and nothing cut off; none where there is no order."""
    return aligned(TITLES, [_row(order) for order in orders])


def _row(order: Order) -> tuple[str, ...]:
    named = next((str(order[name]) for name in IDENTIFIERS if order.get(name) is not None), NOTHING)
    state = str(order["state"])
    return (named, of_order(state), order["fqdn"] or "", order["not_after"] or "", _waits_for(order, state))


def _waits_for(order: Order, state: str) -> str:
    if state == "pending":
        return outstanding(dict(order))
    return "" if state == "issued" else str(order["status"]["message"] or "")
