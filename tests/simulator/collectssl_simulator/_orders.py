# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders file: accounts, orders and the lives of orders, checked so that a mistake is told in a sentence."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
import typing as t

from . import _faults
from ._answer import DETAIL_NAMES, FIRST_DETAIL_NAMES, LATER_DETAIL_NAMES, PLAIN, Domain, Style, StyleError
from ._arguments import PRODUCTS
from ._keys import KeyFileError, read_public_key
from ._pki import CHAINS, KEY_TYPES, PublicKey, general_names

STATES: t.Mapping[str, int] = {
    "issued": 2,
    "pending": 0,
    "being_issued": -26,
    "rejected": -20,
    "revoked": -21,
    "awaiting_payment": -22,
    "error": -14,
}
DOMAIN_STATES = ("VALIDATED", "NOTVALIDATED", "AWAITINGBRAND")
#: The word in place of a path that asks for a new private key.
GENERATE = "generate"


class OrdersError(ValueError):
    """The orders file is wrong; the text is one sentence that names the order and the field."""


@dataclasses.dataclass(frozen=True)
class Account:
    """An account: its credentials, and the status codes with which it answers wrong ones and foreign orders."""

    login_name: str
    login_password: str = dataclasses.field(repr=False)
    bad_credentials: int = -16
    foreign_order: int = -16


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a certificate is made of: names, validity, key and chain. key None means one made by the simulator."""

    names: tuple[str, ...]
    chain: str = "full"
    valid_days: int = 90
    not_before: datetime.datetime | None = None
    not_after: datetime.datetime | None = None
    key: PublicKey | None = None
    key_type: str = "ecdsa"
    new_key: bool = False


@dataclasses.dataclass(frozen=True)
class Phase:
    """One phase of an order's life. It ends after so many calls or seconds; with neither it lasts for ever."""

    state: str
    calls: int | None = None
    seconds: float | None = None
    code: int = 0
    message: str | None = None
    certificate_status: str | None = None
    validation_status: str | None = None
    caa_status: str | None = None
    details: t.Mapping[str, int | None] = dataclasses.field(default_factory=dict)
    domains: tuple[Domain, ...] = ()
    terms: Terms | None = None
    reissue: bool = True
    fault: _faults.Fault | None = None
    style: Style = PLAIN
    fqdn: str | None = None


@dataclasses.dataclass(frozen=True)
class Order:
    """An order: how it is named in calls, whose it is, and its life."""

    order_number: str
    account: str
    product: str
    life: tuple[Phase, ...]
    certificate_id: str | None = None
    base_order_number: str | None = None
    collection_code: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class OrdersFile:
    """The checked content of an orders file."""

    accounts: tuple[Account, ...]
    orders: tuple[Order, ...]
    style: Style = PLAIN


_CERTIFICATE_STATUS = {"issued": "Issued", "revoked": "Revoked", "pending": "Awaiting Validation"}
_PENDING_DETAILS = {"csrStatus": 1, "dcvStatus": 0}
_REQUIRED = object()
_CODE_SIZE = 16


class _Fields:
    """A mapping under inspection: every field is taken once, and what is left in the end is unknown."""

    def __init__(self, value: t.Any, where: str) -> None:
        if not isinstance(value, dict):
            raise OrdersError(f"{where} must be a mapping of names to values, not {_short(value)}.")
        for name in value:
            if not isinstance(name, str):
                raise OrdersError(f"{where} has a field name that is not a string: {name!r}.")
        self._left = dict(value)
        self.where = where

    def take(self, name: str, default: t.Any = _REQUIRED) -> t.Any:
        if name in self._left:
            return self._left.pop(name)
        if default is _REQUIRED:
            raise OrdersError(f"{self.where} lacks '{name}'.")
        return default

    def wrong(self, name: str, must: str, value: t.Any) -> OrdersError:
        return OrdersError(f"{self.where}: '{name}' must be {must}, not {_short(value)}.")

    def text(self, name: str, default: t.Any = _REQUIRED, secret: bool = False) -> t.Any:
        value = self.take(name, default)
        if value is default:
            return value
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a non-empty string (put it in quotes)", "something else" if secret else value)
        if any(ord(character) < 32 for character in value):
            raise OrdersError(f"{self.where}: '{name}' must not hold line ends or other control characters.")
        return value

    def identifier(self, name: str, default: t.Any = _REQUIRED, digits: int | None = None) -> t.Any:
        value = self.take(name, default)
        if value is default:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not 1 <= len(value) <= 128 or not value.isprintable():
            raise self.wrong(name, "a string of 1 to 128 characters", value)
        if digits is not None and re.fullmatch(f"[0-9]{{1,{digits}}}", value) is None:
            raise self.wrong(name, f"a whole number of up to {digits} digits", value)
        return value

    def choice(self, name: str, choices: t.Collection[t.Any], default: t.Any = _REQUIRED) -> t.Any:
        value = self.take(name, default)
        if value is not default and (isinstance(value, bool) or value not in choices):
            raise self.wrong(name, "one of " + ", ".join(str(choice) for choice in choices), value)
        return value

    def number(self, name: str, default: t.Any, minimum: float, whole: bool = True) -> t.Any:
        value = self.take(name, default)
        if value is default:
            return value
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not minimum <= value < 10**9:
            raise self.wrong(name, f"a {'whole ' if whole else ''}number of at least {minimum}", value)
        return value

    def boolean(self, name: str, default: bool) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false", value)
        return value

    def items(self, name: str, default: t.Any = _REQUIRED) -> list[t.Any]:
        value = self.take(name, default)
        if not isinstance(value, list):
            raise self.wrong(name, "a list", value)
        return value

    def end(self) -> None:
        if self._left:
            raise OrdersError(f"{self.where} has an unknown field '{sorted(self._left)[0]}'.")


def _short(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read(
    value: t.Any,
    base: pathlib.Path,
    known_accounts: t.Collection[str] = (),
    own_style: Style | None = None,
) -> OrdersFile:
    """Return the checked content of an orders file from its plain YAML or JSON value; raises OrdersError.

    Paths of keys are relative to base. Orders may name accounts of the same value or known_accounts.
    own_style is what the file's own style starts from.
    """
    fields = _Fields(value, "The orders file")
    style = _style(own_style or PLAIN, fields)
    accounts = tuple(_account(item, index) for index, item in enumerate(fields.items("accounts", [])))
    seen: set[str] = set()
    for account in accounts:
        if account.login_name in seen:
            raise OrdersError(f"The account '{account.login_name}' appears twice.")
        seen.add(account.login_name)
    names = seen | set(known_accounts)
    orders = tuple(_order(item, index, base, names, style) for index, item in enumerate(fields.items("orders", [])))
    fields.end()
    _check_unique(orders)
    return OrdersFile(accounts, orders, style)


def _check_unique(orders: t.Iterable[Order]) -> None:
    seen: set[tuple[str, str]] = set()
    for order in orders:
        for name in ("order_number", "certificate_id", "collection_code"):
            value = getattr(order, name)
            if value is None:
                continue
            if (name, value) in seen:
                shown = "" if name == "collection_code" else f" {value}"
                raise OrdersError(f"Order '{order.order_number}': '{name}'{shown} is taken by another order.")
            seen.add((name, value))


def _account(value: t.Any, index: int) -> Account:
    fields = _Fields(value, f"Account {index + 1}")
    login_name = fields.text("login_name")
    fields.where = f"Account '{login_name}'"
    password = fields.text("login_password", secret=True)
    for name, text, limit in (("login_name", login_name, 64), ("login_password", password, 128)):
        if len(text) > limit:
            raise OrdersError(f"{fields.where}: '{name}' must have no more than {limit} characters.")
    account = Account(
        login_name,
        password,
        fields.choice("bad_credentials", (-16, -3, -4), -16),
        fields.choice("foreign_order", (-16, -4), -16),
    )
    fields.end()
    return account


def _style(style: Style, fields: _Fields) -> Style:
    value = fields.take("style", None)
    if value is None:
        return style
    if not isinstance(value, dict):
        raise fields.wrong("style", "a mapping", value)
    try:
        return style.changed(value)
    except StyleError as exc:
        raise OrdersError(f"{fields.where}: {exc}.") from None


def _order(value: t.Any, index: int, base: pathlib.Path, accounts: t.Collection[str], style: Style) -> Order:
    fields = _Fields(value, f"Order number {index + 1} in the list")
    order_number = fields.identifier("order_number")
    fields.where = f"Order '{order_number}'"
    account = fields.text("account")
    if account not in accounts:
        raise OrdersError(f"{fields.where}: 'account' {account} is not among the accounts.")
    product = fields.choice("product", PRODUCTS, "ssl")
    certificate_id = fields.identifier("certificate_id", None, digits=16)
    base_order_number = fields.identifier("base_order_number", None, digits=32)
    collection_code = _collection_code(fields, product)
    if product == "ccc":
        _check_ccc_names(fields.where, order_number, certificate_id, base_order_number)
    terms = _terms(fields, base, None)
    style = _style(style, fields)
    phases = fields.items("life", [{"state": "issued"}])
    fields.end()
    if not phases:
        raise OrdersError(f"{fields.where}: 'life' must have at least one phase.")
    life = []
    for number, item in enumerate(phases):
        phase = _phase(_Fields(item, f"{fields.where}, phase {number + 1} of 'life'"), base, terms, style)
        if number + 1 < len(phases) and phase.calls is None and phase.seconds is None:
            raise OrdersError(
                f"{fields.where}, phase {number + 1} of 'life' needs 'calls' or 'seconds', since only the last phase"
                " lasts for ever."
            )
        if phase.terms is not None:
            terms = dataclasses.replace(phase.terms, new_key=False)
        life.append(phase)
    return Order(order_number, account, product, tuple(life), certificate_id, base_order_number, collection_code)


def _collection_code(fields: _Fields, product: str) -> str | None:
    code = fields.text("collection_code", None, secret=True)
    if code is not None and product != "ccc":
        raise OrdersError(f"{fields.where}: 'collection_code' is for an order with 'product: ccc'.")
    if code is not None and len(code) > _CODE_SIZE:
        raise OrdersError(f"{fields.where}: 'collection_code' must have no more than {_CODE_SIZE} characters.")
    return t.cast("str | None", code)


def _check_ccc_names(where: str, order_number: str, certificate_id: str | None, base_order_number: str | None) -> None:
    if re.fullmatch("[0-9]+", order_number) is None:
        raise OrdersError(f"{where}: 'order_number' must be a whole number, since CollectCCC takes no other.")
    if certificate_id is not None or base_order_number is not None:
        raise OrdersError(f"{where}: CollectCCC knows no 'certificate_id' and no 'base_order_number'.")


def _names(fields: _Fields, inherited: tuple[str, ...] | None) -> tuple[str, ...]:
    value = fields.items("names", _REQUIRED if inherited is None else list(inherited))
    if not value or not all(isinstance(name, str) and name for name in value):
        raise fields.wrong("names", "a list of at least one DNS name or IP address", value)
    try:
        general_names(value)
    except ValueError as exc:
        raise OrdersError(f"{fields.where}: 'names' holds a name that no certificate can have ({exc}).") from None
    return tuple(value)


def _terms(fields: _Fields, base: pathlib.Path, inherited: Terms | None) -> Terms:
    start = inherited or Terms(names=())
    key = start.key
    value = fields.take("key", None)
    new_key = value == GENERATE
    if value is not None and not new_key:
        if not isinstance(value, str):
            raise fields.wrong("key", "the path of a PEM file", value)
        try:
            key = read_public_key(base / pathlib.Path(value).expanduser())
        except KeyFileError as exc:
            raise OrdersError(f"{fields.where}: 'key': {exc}.") from None
    elif new_key:
        key = None
    terms = Terms(
        names=_names(fields, None if inherited is None else inherited.names),
        chain=fields.choice("chain", tuple(CHAINS), start.chain),
        valid_days=fields.number("valid_days", start.valid_days, 1),
        not_before=_moment(fields, "not_before", start.not_before, "00:00:00"),
        not_after=_moment(fields, "not_after", start.not_after, "23:59:59"),
        key=key,
        key_type=fields.choice("key_type", KEY_TYPES, start.key_type),
        new_key=new_key,
    )
    if terms.not_before and terms.not_after and terms.not_before >= terms.not_after:
        raise OrdersError(f"{fields.where}: 'not_before' must lie before 'not_after'.")
    return terms


def _moment(
    fields: _Fields, name: str, default: datetime.datetime | None, time_of_day: str
) -> datetime.datetime | None:
    value = fields.take(name, default)
    if value is None:
        return None
    must = "a day (2026-05-14) or an ISO 8601 time in UTC"
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
                value = datetime.datetime.fromisoformat(f"{value}T{time_of_day}")
            else:
                value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise fields.wrong(name, must, value) from None
    elif isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime.fromisoformat(f"{value.isoformat()}T{time_of_day}")
    if not isinstance(value, datetime.datetime):
        raise fields.wrong(name, must, value)
    moment = value.replace(tzinfo=value.tzinfo or datetime.timezone.utc, microsecond=0)
    return moment.astimezone(datetime.timezone.utc)


def _phase(fields: _Fields, base: pathlib.Path, terms: Terms, style: Style) -> Phase:
    state = fields.choice("state", tuple(STATES))
    calls = fields.number("calls", None, 1)
    seconds = fields.number("seconds", None, 0, whole=False)
    if calls is not None and seconds is not None:
        raise OrdersError(f"{fields.where} must have 'calls' or 'seconds', not both.")
    code, message = STATES[state], None
    if state == "error":
        code = fields.take("code", code)
        if isinstance(code, bool) or not isinstance(code, int) or code >= 0:
            raise fields.wrong("code", "a negative number", code)
        message = fields.text("message", None)
    phase_terms = _terms(fields, base, terms) if state == "issued" else None
    names = phase_terms.names if phase_terms else terms.names
    phase = Phase(
        state=state,
        calls=calls,
        seconds=seconds,
        code=code,
        message=message,
        certificate_status=fields.text("certificate_status", _CERTIFICATE_STATUS.get(state, "NO STATUS")),
        validation_status=fields.text(
            "validation_status", "Awaiting Legal Documents" if state == "pending" else "Complete"
        ),
        caa_status=fields.text("caa_status", None),
        details=_details(fields, state),
        domains=_domains(fields, names, state),
        terms=phase_terms,
        reissue=fields.boolean("reissue", True),
        fault=_phase_fault(fields),
        style=_style(style, fields),
        fqdn=fields.text("fqdn", names[0]) if state == "issued" else None,
    )
    fields.end()
    return phase


def _details(fields: _Fields, state: str) -> dict[str, int | None]:
    details: dict[str, int | None] = dict.fromkeys(FIRST_DETAIL_NAMES, -1)
    details.update(_PENDING_DETAILS if state == "pending" else {"csrStatus": 1, "dcvStatus": 1})
    by_lower_name = {name.lower(): name for name in DETAIL_NAMES}
    value = fields.take("details", {})
    inner = _Fields(value, f"{fields.where}, 'details'")
    given: dict[str, int | None] = {}
    for name in list(value):
        known = by_lower_name.get(name.lower())
        if known is None:
            raise OrdersError(f"{inner.where} knows no '{name}'; it knows {', '.join(DETAIL_NAMES)}.")
        allowed = (-1, 1, 2, None) if known == "brandValStatus" else (-1, 0, 1, 2, None)
        given[known] = inner.choice(name, allowed)
    # A service that knows one of the later details knows them all.
    if not given.keys().isdisjoint(LATER_DETAIL_NAMES):
        details.update(dict.fromkeys(LATER_DETAIL_NAMES, -1))
    details.update(given)
    return details


def _domains(fields: _Fields, names: t.Sequence[str], state: str) -> tuple[Domain, ...]:
    value = fields.take("domains", None)
    if value is None:
        # Only an order for several domains has a list of them.
        return tuple(Domain(name, "NOTVALIDATED") for name in names) if state == "pending" and len(names) > 1 else ()
    if not isinstance(value, list):
        raise fields.wrong("domains", "a list", value)
    domains = []
    for index, item in enumerate(value):
        inner = _Fields(item, f"{fields.where}, domain {index + 1}")
        name = inner.text("name")
        if re.search(r"[\s,]", name):
            raise inner.wrong("name", "a name without blanks and commas", name)
        domains.append(Domain(name, inner.choice("status", DOMAIN_STATES)))
        inner.end()
    return tuple(domains)


def _phase_fault(fields: _Fields) -> _faults.Fault | None:
    value = fields.take("fault", None)
    if value is None:
        return None
    if isinstance(value, str):
        value = {"name": value}
    inner = _Fields(value, f"{fields.where}, 'fault'")
    name = inner.text("name")
    try:
        return _faults.make(name, {key: inner.take(key) for key in value if key != "name"})
    except _faults.FaultError as exc:
        raise OrdersError(f"{inner.where}: {exc}.") from None
