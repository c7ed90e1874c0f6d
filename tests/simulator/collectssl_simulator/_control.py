# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control interface: plain values in, plain values out; what is wrong with a request is told in a sentence."""

from __future__ import annotations

import pathlib
import typing as t

from . import _faults, _orders
from ._service import Service


class ControlError(ValueError):
    """A control request that can't be granted; the text is one sentence, status the HTTP status that goes with it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def handle(service: Service, base: pathlib.Path, method: str, name: str, value: t.Any) -> dict[str, t.Any]:
    """Return the answer to METHOD /control/NAME with a JSON value; raises ControlError.

    base is the folder that the paths of keys in new orders are relative to.
    """
    if method == "GET" and name in _GET:
        return _GET[name](service)
    if method == "POST" and name in _POST:
        if not isinstance(value, dict):
            raise ControlError("The body must be a JSON object.")
        return _POST[name](service, base, dict(value))
    if name in _GET or name in _POST:
        raise ControlError(f"/control/{name} does not take {method}.", 405)
    raise ControlError(f"There is no /control/{name}; there are {', '.join(sorted({**_GET, **_POST}))}.", 404)


def _no_more(value: t.Mapping[str, t.Any]) -> None:
    if value:
        raise ControlError(f"Unknown field '{sorted(value)[0]}'.")


def _status(service: Service) -> dict[str, t.Any]:
    summary = service.records.summary()
    with service.lock:
        return {
            **summary,
            "orders": service.book.listed(),
            "faults": service.board.listed(),
            "delay": service.delay,
        }


def _calls(service: Service) -> dict[str, t.Any]:
    return {"calls": service.records.listed()}


def _catalogue(_service: Service) -> dict[str, t.Any]:
    return {
        "catalogue": {
            name: {"kind": entry.kind, "summary": entry.summary, "parameters": dict(entry.parameters)}
            for name, entry in _faults.CATALOGUE.items()
        }
    }


def _reset(service: Service, _base: pathlib.Path, value: dict[str, t.Any]) -> dict[str, t.Any]:
    restart_lives = _flag(value, "restart_lives")
    clear_faults = _flag(value, "clear_faults")
    _no_more(value)
    with service.lock:
        service.records.reset()
        service.book.forget_counts()
        if restart_lives:
            service.book.restart_lives()
        if clear_faults:
            service.board.clear()
            service.delay = 0.0
    return {}


def _flag(value: dict[str, t.Any], name: str) -> bool:
    flag = value.pop(name, False)
    if not isinstance(flag, bool):
        raise ControlError(f"'{name}' must be true or false.")
    return flag


def _add_orders(service: Service, base: pathlib.Path, value: dict[str, t.Any]) -> dict[str, t.Any]:
    with service.lock:
        try:
            content = _orders.read(value, base, service.book.login_names, service.book.style)
            service.book.add(content)
        except _orders.OrdersError as exc:
            raise ControlError(str(exc)) from None
    return {"orders": [order.order_number for order in content.orders]}


def _advance(service: Service, _base: pathlib.Path, value: dict[str, t.Any]) -> dict[str, t.Any]:
    order_number = value.pop("order_number", None)
    _no_more(value)
    if order_number is None:
        raise ControlError("'order_number' is missing.")
    with service.lock:
        try:
            return {"order_number": str(order_number), "state": service.book.advance(str(order_number))}
        except LookupError as exc:
            raise ControlError(str(exc.args[0])) from None


def _post_fault(service: Service, _base: pathlib.Path, value: dict[str, t.Any]) -> dict[str, t.Any]:
    if _flag(value, "clear"):
        _no_more(value)
        with service.lock:
            service.board.clear()
        return {"faults": []}
    name = value.pop("fault", None)
    order_number = value.pop("order_number", None)
    calls = value.pop("calls", None)
    if not isinstance(name, str):
        raise ControlError("'fault' must be the name of a fault.")
    if calls is not None and (isinstance(calls, bool) or not isinstance(calls, int) or calls < 1):
        raise ControlError("'calls' must be a whole number of at least 1, or null for a fault that lasts.")
    if order_number is not None:
        order_number = str(order_number)
        if order_number not in service.book.order_numbers:
            raise ControlError(f"There is no order '{order_number}'.")
    try:
        fault = _faults.make(name, value)
    except _faults.FaultError as exc:
        raise ControlError(f"{exc}.") from None
    with service.lock:
        service.board.post(fault, order_number, calls)
        return {"faults": service.board.listed()}


def _set_delay(service: Service, _base: pathlib.Path, value: dict[str, t.Any]) -> dict[str, t.Any]:
    seconds = value.pop("seconds", None)
    _no_more(value)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= 3600:
        raise ControlError("'seconds' must be a number from 0 to 3600.")
    with service.lock:
        service.delay = float(seconds)
    return {"delay": service.delay}


_GET: t.Mapping[str, t.Callable[[Service], dict[str, t.Any]]] = {
    "status": _status,
    "calls": _calls,
    "faults": _catalogue,
}
_POST: t.Mapping[str, t.Callable[[Service, pathlib.Path, dict[str, t.Any]], dict[str, t.Any]]] = {
    "reset": _reset,
    "orders": _add_orders,
    "advance": _advance,
    "faults": _post_fault,
    "delay": _set_delay,
}
