# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options, however they were given, to the values that the broker takes: one place for each decision.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

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
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import (
    PRODUCT_URLS,
    QUERY_STATUS,
    CollectRequest,
    Credentials,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._proxy import proxy_for

Options = t.Mapping[str, t.Any]

_ACCOUNT = ("login_name", "login_password")


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
    """The options of a task, checked and with defaults; raises ``OptionError`` with one sentence."""
    given = {name: value for name, value in args.items() if value is not None}
    rules = spec.kwargs()
    options = rules.pop("argument_spec")
    result = ArgumentSpecValidator(options, **rules).validate(given)
    if result.error_messages:
        raise OptionError(_sentence("; ".join(result.error_messages)))
    return dict(result.validated_parameters)


def provider_of(options: Options, given: t.Container[str], environment: t.Mapping[str, str]) -> Provider:
    """Whom to ask, from validated options.

    :arg given: names of the options that were given for this very call; they win over what surrounds it.
    :arg environment: the controller's environment with the task's own on top.
    """
    options = _with_environment(options, given)
    url = _checked_url(options.get("api_url") or PRODUCT_URLS[options["product"]])
    transport = Transport(
        verify=_verify(options),
        proxy=proxy_for(url, options.get("proxy"), environment),
        request_timeout=_at_least(options, "request_timeout", 1),
        retries=_at_least(options, "retries", 0),
    )
    return Provider(url, Credentials(*(_text(options.get(name)) for name in (*_ACCOUNT, "collection_code"))), transport)


def waiting_of(options: Options) -> Waiting:
    """How to wait; an edge without the options asks once, and its answer stands as long as by default."""
    if "wait_timeout" not in options:
        return Waiting(0, 300)
    return Waiting(_at_least(options, "wait_timeout", 0), _at_least(options, "poll_interval", 1))


def request_of(options: Options, query_type: int) -> CollectRequest:
    """The one request that the options describe."""
    given = [name for name in IDENTIFIERS if options.get(name) is not None]
    if len(given) != 1:
        raise OptionError(f"Give exactly one of {', '.join(IDENTIFIERS)}; {len(given)} are given.")
    return _request(options, given[0], options[given[0]], query_type)


def status_requests_of(options: Options) -> list[CollectRequest]:
    """A status request for each order that the options of the info module name, in their order."""
    for one, many in zip(IDENTIFIERS, IDENTIFIER_LISTS):
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
        product=options["product"],
        query_type=query_type,
        response_type=options["response_type"],
        response_encoding=options["response_encoding"],
        response_format=options["response_format"],
        show=show_everything(options["product"]),
    )


def _with_environment(options: Options, given: t.Container[str]) -> dict[str, t.Any]:
    filled = dict(options)
    for option, variable in ENVIRONMENT.items():
        if filled.get(option) is None:
            filled[option] = os.environ.get(variable) or None
    # An account or a collection code that a task names itself is meant instead of the other that lies around it.
    if "collection_code" in given and not any(name in given for name in _ACCOUNT):
        filled.update(dict.fromkeys(_ACCOUNT))
    elif any(name in given for name in _ACCOUNT) and "collection_code" not in given:
        filled["collection_code"] = None
    return filled


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


def _at_least(options: Options, name: str, least: int) -> int:
    try:
        value = int(options[name])
    except (TypeError, ValueError):
        raise OptionError(f"{name} must be a whole number, not {options[name]!r}.") from None
    if value < least:
        raise OptionError(f"{name} must be {least} or more, not {value}.")
    return value


def _text(value: t.Any) -> str | None:
    return None if value is None else str(value)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
