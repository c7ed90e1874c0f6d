# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of a call: reading them off the wire, and every rule of section 1 of the specification.

CollectSSL takes what the table of section 1 lists. CollectCCC, which is specified apart from version 1.10 on, takes
what its own page lists. Whatever else is given, if only with its default, is an unrecognised argument.

The service is stricter than it needs to be where a client would be wrong: a repeated argument, an escape sequence
that is none and a text that is not UTF-8 are errors here.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse

PRODUCTS = ("ssl", "ccc")
SECRET_NAMES = ("loginPassword", "collectionCode")
MASK = "***"
_IDENTIFIERS = ("orderNumber", "certificateID", "baseOrderNumber")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The checked arguments of one call. The defaults are those of an argument left out (queryType has none)."""

    product: str = "ssl"
    login_name: str | None = None
    login_password: str | None = dataclasses.field(default=None, repr=False)
    collection_code: str | None = dataclasses.field(default=None, repr=False)
    order_number: str | None = None
    certificate_id: str | None = None
    base_order_number: str | None = None
    query_type: int = 1
    response_type: int = 3
    response_encoding: int = 0
    response_format: int = 0
    response_mime_type: str | None = None
    callback_function_name: str | None = None
    show_validity_period: bool = False
    show_fqdn: bool = False
    show_ext_status: bool = False
    show_mdc_domain_details: bool = False
    show_mdc_domain_details2: bool = False
    show_status_details: bool = False


class ArgumentError(Exception):
    """An argument breaks a rule: the status code (-2, -3 or -4) and the name of the argument at fault."""

    def __init__(self, code: int, item: str) -> None:
        super().__init__(f"{code}: {item}")
        self.code = code
        self.item = item


@dataclasses.dataclass(frozen=True)
class _Rule:
    field: str
    kind: str
    max_length: int | None = None
    choices: tuple[str, ...] = ()


_FLAG = ("Y", "N")
_RULES: t.Mapping[str, _Rule] = {
    "loginName": _Rule("login_name", "string", 64),
    "loginPassword": _Rule("login_password", "string", 128),
    "collectionCode": _Rule("collection_code", "string", 16),
    "orderNumber": _Rule("order_number", "string", 128),
    "certificateID": _Rule("certificate_id", "digits", 16),
    "baseOrderNumber": _Rule("base_order_number", "digits"),
    "queryType": _Rule("query_type", "choice", choices=("0", "1", "2", "3")),
    "responseType": _Rule("response_type", "choice", choices=("0", "1", "2", "3")),
    "responseEncoding": _Rule("response_encoding", "choice", choices=("0", "1")),
    "responseFormat": _Rule("response_format", "choice", choices=("0", "1")),
    "responseMimeType": _Rule("response_mime_type", "mime", 255),
    "callbackFunctionName": _Rule("callback_function_name", "string", 255),
    "showValidityPeriod": _Rule("show_validity_period", "flag", choices=_FLAG),
    "showFQDN": _Rule("show_fqdn", "flag", choices=_FLAG),
    "showExtStatus": _Rule("show_ext_status", "flag", choices=_FLAG),
    "showMDCDomainDetails": _Rule("show_mdc_domain_details", "flag", choices=_FLAG),
    "showMDCDomainDetails2": _Rule("show_mdc_domain_details2", "flag", choices=_FLAG),
    "showStatusDetails": _Rule("show_status_details", "flag", choices=_FLAG),
}
#: The names that only one of the two interfaces lists.
_OWN_NAMES: t.Mapping[str, frozenset[str]] = {
    "ssl": frozenset(
        {
            *("certificateID", "baseOrderNumber", "responseFormat", "showFQDN", "showExtStatus"),
            *("showMDCDomainDetails", "showMDCDomainDetails2", "showStatusDetails"),
        }
    ),
    "ccc": frozenset({"collectionCode", "responseMimeType", "callbackFunctionName"}),
}
_BY_LOWER_NAME = {name.lower(): name for name in _RULES}
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; ?[A-Za-z0-9!#$&^_.+-]+=[A-Za-z0-9!#$&^_.+-]+)*")


@dataclasses.dataclass(frozen=True)
class Pair:
    """One name and value off the wire. name is as specified, or None if unknown; value is None if it can't be read."""

    name: str | None
    raw_name: str
    value: str | None


def read_pairs(body: bytes) -> tuple[Pair, ...]:
    """Split a url-encoded body; total: whatever it holds gives pairs."""
    pairs = []
    for part in body.split(b"&"):
        if not part:
            continue
        raw_name, _separator, raw_value = part.partition(b"=")
        name_text = _unescape(raw_name)
        name = None if name_text is None else _BY_LOWER_NAME.get(name_text.lower())
        shown = name_text if name_text is not None else raw_name.decode("latin-1")
        pairs.append(Pair(name, shown, _unescape(raw_value)))
    return tuple(pairs)


def _unescape(raw: bytes) -> str | None:
    if _BAD_ESCAPE.search(raw):
        return None
    try:
        return urllib.parse.unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        return None


def masked(pairs: t.Iterable[Pair]) -> list[tuple[str, str]]:
    """Return names and values that may be written down.

    An unknown name and its value may well be the rest of a password that nobody escaped: neither is shown.
    """
    shown = []
    for pair in pairs:
        if pair.name is None:
            shown.append(("(unrecognised)", MASK))
        elif pair.name in SECRET_NAMES:
            shown.append((pair.name, MASK))
        else:
            shown.append((pair.name, pair.value if pair.value is not None else "(unreadable)"))
    return shown


def wanted_format(pairs: t.Iterable[Pair], product: str) -> int:
    """Return the response format in which an error is to be told, whatever else is wrong with the call."""
    if product != "ssl":
        return 0
    return 1 if any(pair.name == "responseFormat" and pair.value == "1" for pair in pairs) else 0


def value_of(pairs: t.Iterable[Pair], name: str) -> str | None:
    """Return the first value of an argument, unchecked."""
    return next((pair.value for pair in pairs if pair.name == name), None)


def check(pairs: t.Sequence[Pair], product: str) -> Arguments:
    """Return the arguments of a call to a product ("ssl" or "ccc"), or raise ArgumentError for the first rule broken.

    Unknown names come first (-2), then missing arguments (-3), then values and combinations (-4).
    """
    values: dict[str, str] = {}
    foreign = frozenset().union(*(names for other, names in _OWN_NAMES.items() if other != product))
    for pair in pairs:
        if pair.name is None or pair.name in foreign:
            raise ArgumentError(-2, pair.raw_name)
    names = [pair.name for pair in pairs]
    _check_presence(names)
    for pair in pairs:
        assert pair.name is not None
        if pair.value is None or pair.name in values:
            raise ArgumentError(-4, pair.name)
        values[pair.name] = pair.value
    fields: dict[str, t.Any] = {"product": product}
    for name, value in values.items():
        fields[_RULES[name].field] = _checked_value(name, value)
    arguments = Arguments(**fields)
    _check_combinations(arguments, names)
    return arguments


def _check_presence(names: t.Sequence[str | None]) -> None:
    # A collection code stands for the account and for the order.
    account = () if "collectionCode" in names else ("loginName", "loginPassword", "orderNumber")
    for name in (*account, "queryType"):
        if name not in names and not (name == "orderNumber" and any(other in names for other in _IDENTIFIERS)):
            raise ArgumentError(-3, name)


def _checked_value(name: str, value: str) -> t.Any:
    rule = _RULES[name]
    if not value:
        # An empty required argument is as good as none; an empty optional one has a value that is not allowed.
        raise ArgumentError(-3 if name in ("loginName", "loginPassword", "queryType") else -4, name)
    if rule.max_length is not None and len(value) > rule.max_length:
        raise ArgumentError(-4, name)
    if rule.choices and value not in rule.choices:
        raise ArgumentError(-4, name)
    if rule.kind == "digits" and re.fullmatch("[0-9]+", value) is None:
        raise ArgumentError(-4, name)
    if rule.kind == "mime" and _MIME.fullmatch(value) is None:
        raise ArgumentError(-4, name)
    if rule.kind == "choice":
        return int(value)
    return value == "Y" if rule.kind == "flag" else value


def _check_combinations(arguments: Arguments, names: t.Sequence[str | None]) -> None:
    identifiers = [name for name in _IDENTIFIERS if name in names]
    if len(identifiers) > 1:
        raise ArgumentError(-4, identifiers[1])
    if arguments.response_type != 3 and arguments.query_type != 1:
        raise ArgumentError(-4, "responseType")
    if arguments.response_encoding == 1 and (arguments.query_type != 1 or arguments.response_type not in (0, 2)):
        raise ArgumentError(-4, "responseEncoding")
    if arguments.product == "ccc":
        _check_ccc(arguments)


def _check_ccc(arguments: Arguments) -> None:
    if arguments.collection_code is not None:
        for name in ("loginName", "loginPassword", "orderNumber"):
            if getattr(arguments, _RULES[name].field) is not None:
                raise ArgumentError(-4, name)
    if arguments.order_number is not None and re.fullmatch("[0-9]+", arguments.order_number) is None:
        raise ArgumentError(-4, "orderNumber")
    if arguments.response_type == 0:
        raise ArgumentError(-4, "responseType")
