# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec, order_info_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import order_not_asked
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._action import CollectActionBase
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import (
    asking_once_of,
    status_requests_of,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import summary

# One failure may be about that order alone; a second, before any order was answered, is about the account or the
# network: asking on would lock the one, or wait for the other.
_FAILURES_IN_A_ROW = 2


class ActionModule(CollectActionBase):
    """Asks for the status of orders, one after the other."""

    TRANSFERS_FILES = False

    def argument_spec(self) -> ArgumentSpec:
        """The options of the module."""
        return order_info_spec()

    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask for each order; fail where none could be asked."""
        broker, waiting = self.broker(options), asking_once_of(options)
        requests = status_requests_of(options)
        orders: list[dict[str, t.Any]] = []
        reasons: list[str] = []
        failures = 0
        stopped = ""
        for request in requests:
            if stopped:
                orders.append(order_not_asked(request, stopped))
                continue
            outcome = broker.collect(request, waiting)
            orders.append(outcome.order)
            if outcome.order["state"] != "error":
                continue
            reasons.append(outcome.reason())
            # An order that the provider does not know is an answer, too: the next one may be in order.
            failures += not outcome.refused_order
            if len(reasons) == len(orders) and (outcome.refused_credentials or failures == _FAILURES_IN_A_ROW):
                stopped = f"Not asked, since no order could be asked before. {reasons[-1]}"
        # A task may yet fail by until or failed_when, and has nothing else to say then.
        told = summary(list(zip(requests, orders, strict=True)))
        result: dict[str, t.Any] = {"changed": False, "orders": orders, "msg": told}
        if orders and all(order["state"] == "error" for order in orders):
            result.update(failed=True, msg=f"No order could be asked. {reasons[0]} {self.LEFT_UNTOUCHED}")
        return result
