# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, however they were given, to the values that the broker takes: one place for each decision.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import os
import typing as t
import urllib.parse

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    ENVIRONMENT,
    IDENTIFIER_LISTS,
    IDENTIFIERS,
    ArgumentSpec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    PRODUCT_URLS,
    QUERY_STATUS,
    CollectRequest,
    Credentials,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import proxy_for

Options = t.Mapping[str, t.Any]

_ACCOUNT = ("login_name", "login_password")
_CODE = "collection_code"

# A year; what is longer is a slip of the hand, and more than the timers of the system take.
_MOST = 366 * 24 * 3600

_KINDS = {"int": "a whole number", "bool": "true or false", "list": "a list", "str": "text", "path": "text"}


class Transport(t.NamedTuple):
    """How calls travel: ``verify`` as requests takes it, times in seconds."""

    verify: bool | str
    proxy: str | None
    request_timeout: int
    retries: int


class Provider(t.NamedTuple):
    """Whom to ask, as whom, and how."""

    url: str
    credentials: Credentials
    transport: Transport


class Waiting(t.NamedTuple):
    """How long to wait for a pending order, and how long an answer that may change stands; seconds."""

    timeout: int
    poll_interval: int


def validated(args: Options, spec: ArgumentSpec) -> dict[str, t.Any]:
    """The options of a task, checked and with defaults; raises ``OptionError`` with one sentence.

    Whether the credentials are complete is left to ``provider_of``, since a part of them may come from the environment.
    """
    given = by_name(args, spec)
    _check_names(given, spec)
    for name, value in given.items():
        _check_value(name, value, spec.argument_spec[name])
    _check_rules(given, spec)
    return dict(ArgumentSpecValidator(spec.argument_spec).validate(given).validated_parameters)


def by_name(args: Options, spec: ArgumentSpec) -> dict[str, t.Any]:
    """What a task gives, as it spells it, under the names of the options, with aliases resolved."""
    aliases = {alias: name for name, rules in spec.argument_spec.items() for alias in rules.get("aliases", ())}
    given = sorted(args.items(), key=lambda item: item[0] in aliases)
    return {aliases.get(name, str(name)): value for name, value in given if value is not None}


def provider_of(options: Options, given: t.Iterable[str], environment: t.Mapping[str, str]) -> Provider:
    """Whom to ask, from validated options.

    :arg given: names of the options that were given for this very call; they win over what surrounds it.
    :arg environment: the controller's environment with the task's own on top, for the proxies.
    """
    options = _with_environment(options, given)
    url = _checked_url(options.get("api_url") or PRODUCT_URLS[options["product"]])
    transport = Transport(
        verify=_verify(options),
        proxy=proxy_for(url, options.get("proxy"), environment),
        request_timeout=_between(options, "request_timeout", 1),
        retries=_between(options, "retries", 0),
    )
    return Provider(url, _credentials(options), transport)


def without_rivals(options: Options, *tiers: t.Iterable[str]) -> dict[str, t.Any]:
    """The options less the account, or less the collection code, where the other was meant.

    :arg tiers: names of the options that each source gave, the nearest first; the first with one of the two decides.
    """
    for names in map(set, tiers):
        account, code = not names.isdisjoint(_ACCOUNT), _CODE in names
        if account or code:
            rivals = () if account and code else _ACCOUNT if code else (_CODE,)
            return {**options, **dict.fromkeys(rivals)}
    return dict(options)


def waiting_of(options: Options) -> Waiting:
    """How to wait; an edge without the options asks once, and its answer stands as long as by default."""
    if "wait_timeout" not in options:
        return Waiting(0, 300)
    return Waiting(_between(options, "wait_timeout", 0), _between(options, "poll_interval", 1))


def request_of(options: Options, query_type: int) -> CollectRequest:
    """The one request that the options describe."""
    given = [name for name in IDENTIFIERS if options.get(name) is not None]
    if len(given) != 1:
        raise OptionError(f"Give exactly one of {', '.join(IDENTIFIERS)}; {len(given)} are given.")
    return _request(options, given[0], options[given[0]], query_type)


def status_requests_of(options: Options) -> list[CollectRequest]:
    """A status request for each order that the options of the info module name, in their order."""
    for one, many in zip(IDENTIFIERS, IDENTIFIER_LISTS, strict=True):
        if options.get(one) is not None:
            return [_request(options, one, options[one], QUERY_STATUS)]
        if options.get(many) is not None:
            return [_request(options, one, identifier, QUERY_STATUS) for identifier in options[many]]
    raise OptionError(f"Give exactly one of {', '.join(IDENTIFIERS + IDENTIFIER_LISTS)}.")


def _request(options: Options, kind: str, identifier: t.Any, query_type: int) -> CollectRequest:
    return CollectRequest(
        kind,
        # A plain str, without the tags that ansible-core 2.19 and newer put on values.
        str(identifier),
        product=str(options["product"]),
        query_type=query_type,
        response_type=str(options["response_type"]),
        response_encoding=str(options["response_encoding"]),
        response_format=str(options["response_format"]),
        show=show_everything(options["product"]),
    )


def _check_names(given: Options, spec: ArgumentSpec) -> None:
    unknown = sorted(set(given).difference(spec.argument_spec))
    if unknown:
        like = difflib.get_close_matches(unknown[0], spec.argument_spec, 1)
        hint = f"Is {like[0]} meant?" if like else "ansible-doc lists those there are."
        raise OptionError(f"There is no option {' and no option '.join(unknown)}. {hint}")


def _check_value(name: str, value: t.Any, rules: t.Mapping[str, t.Any]) -> None:
    kind = rules.get("type", "str")
    # The validator would make text of a list, brackets and all.
    structured = kind in ("str", "path") and isinstance(value, (dict, list, tuple, set))
    if not structured and not ArgumentSpecValidator({name: dict(rules)}).validate({name: value}).error_messages:
        return
    shown = "" if structured or rules.get("no_log") else f", not {str(value)[:40]!r}"
    wanted = f"one of {', '.join(rules['choices'])}" if "choices" in rules else _KINDS.get(kind, f"of type {kind}")
    raise OptionError(f"{name} must be {wanted}{shown}.")


def _check_rules(given: Options, spec: ArgumentSpec) -> None:
    absent = [name for name, rules in spec.argument_spec.items() if rules.get("required") and name not in given]
    if absent:
        raise OptionError(f"{' and '.join(absent)} must be given.")
    for group in spec.mutually_exclusive:
        both = [name for name in group if name in given]
        if len(both) > 1:
            raise OptionError(f"Give only one of {', '.join(group)}, not both {' and '.join(both)}.")
    for group in spec.required_one_of:
        if not any(name in given for name in group):
            raise OptionError(f"Give one of {', '.join(group)}; none is given.")
    for name, needs in spec.required_by.items():
        missing = [need for need in needs if need not in given]
        if name in given and missing:
            raise OptionError(f"{name} needs {' and '.join(missing)} beside it.")


def _with_environment(options: Options, given: t.Iterable[str]) -> dict[str, t.Any]:
    filled = dict(options)
    for option, variable in ENVIRONMENT.items():
        if filled.get(option) is None:
            filled[option] = os.environ.get(variable) or None
    return without_rivals(filled, [name for name in given if options.get(name) is not None])


def _credentials(options: Options) -> Credentials:
    account = {option: _text(options, option) for option in _ACCOUNT}
    code = _text(options, _CODE)
    missing = [option for option, value in account.items() if not value]
    if code and len(missing) < len(account):
        raise OptionError(
            "An account (login_name, login_password) and a collection_code are both given, by options or by the "
            "COLLECTSSL_ variables of the controller's environment. Give one of the two."
        )
    if len(missing) == 1:
        given = next(option for option in _ACCOUNT if option not in missing)
        raise OptionError(
            f"{given} needs {missing[0]} beside it, as an option or as {ENVIRONMENT[missing[0]]} in the controller's "
            "environment."
        )
    return Credentials(**account, collection_code=code)


def _checked_url(text: str) -> str:
    url = str(text).strip()
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise OptionError(f"api_url is not a URL: {exc}.") from exc
    if parts.scheme != "https":
        raise OptionError("api_url must begin with https://, since the password travels with each call.")
    if not parts.hostname or port == 0:
        raise OptionError("api_url names no host.")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise OptionError("api_url must be a plain address, without a user, a query or a fragment.")
    return url


def _verify(options: Options) -> bool | str:
    if not options.get("validate_certs", True):
        return False
    ca_path = options.get("ca_path")
    if not ca_path:
        return True
    path = os.path.expanduser(str(ca_path))
    if not os.path.exists(path):
        raise OptionError(f"ca_path {path} does not exist on the controller.")
    return path


def _between(options: Options, name: str, least: int) -> int:
    value = int(options[name])
    if not least <= value <= _MOST:
        raise OptionError(f"{name} must be a whole number from {least} to {_MOST}, not {value}.")
    return value


def _text(options: Options, name: str) -> str | None:
    """An option as a plain str, without the tags that ansible-core 2.19 and newer put on values."""
    value = options.get(name)
    if value is None:
        return None
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Raised anew, since the error of the codec carries the whole text.
        raise OptionError(f"{name} holds octets that are not UTF-8; write it in UTF-8.") from None
    return text
