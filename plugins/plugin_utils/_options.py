# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From validated options to the values that the broker takes: whom to ask, what to ask, how to wait.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    ACCOUNT,
    COLLECTION_CODE,
    ENVIRONMENT,
    IDENTIFIER_LISTS,
    IDENTIFIERS,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    PRODUCT_URLS,
    QUERY_ALL,
    QUERY_STATUS,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import proxy_for
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import (
    Credentials,
    Provider,
    Transport,
    Waiting,
    asks_by_code,
    without_rivals,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options

# A year; what is longer is a slip of the hand, and more than the timers of the system take.
_MOST = 366 * 24 * 3600


def with_environment(options: Options, given: t.Iterable[str]) -> dict[str, t.Any]:
    """The options of a task, with what it leaves out from the controller's environment where that has it.

    :arg given: names of the options that the task gives; an account or a collection code of its own hides the
        environment's.
    """
    filled = dict(options)
    for option, variable in ENVIRONMENT.items():
        if filled.get(option) is None:
            filled[option] = os.environ.get(variable) or None
    return without_rivals(filled, [name for name in given if options.get(name) is not None])


def provider_of(options: Options, environment: t.Mapping[str, str]) -> Provider:
    """Whom to ask, from options to which all sources have given their part.

    :arg environment: the controller's environment with the task's own on top, for the proxies.
    """
    url = _checked_url(options.get("api_url") or PRODUCT_URLS[options["product"]])
    transport = Transport(
        verify=_verify(options),
        proxy=proxy_for(url, options.get("proxy"), environment),
        request_timeout=_between(options, "request_timeout", 1),
        retries=_between(options, "retries", 0),
    )
    texts = {name: options.get(name) for name in (*ACCOUNT, COLLECTION_CODE)}
    # Plain str, as with the identifier below.
    credentials = Credentials(**{name: None if text is None else str(text) for name, text in texts.items()})
    return Provider(url, credentials, transport)


def waiting_of(options: Options) -> Waiting:
    """How to wait for an order that is pending."""
    return Waiting(_between(options, "wait_timeout", 0), _between(options, "poll_interval", 1))


def asking_once_of(options: Options) -> Waiting:
    """How an edge asks that has no wait, whatever a default for all edges says of one."""
    return Waiting(0, _between(options, "poll_interval", 1))


def request_of(options: Options, query_type: int) -> CollectRequest:
    """The one request that options describe to which all sources have given their part."""
    if asks_by_code(options):
        return _request(options, COLLECTION_CODE, "", query_type)
    given = [name for name in IDENTIFIERS if options.get(name) is not None]
    if not given:
        raise _names_no_order(options)
    if len(given) > 1:
        raise OptionError(f"Give exactly one of {', '.join(IDENTIFIERS)}; {len(given)} are given.")
    return _request(options, given[0], options[given[0]], query_type)


def status_requests_of(options: Options) -> list[CollectRequest]:
    """A status request for each order that the options of the info module name, in their order."""
    if asks_by_code(options):
        return [_request(options, COLLECTION_CODE, "", QUERY_STATUS)]
    for one, many in zip(IDENTIFIERS, IDENTIFIER_LISTS, strict=True):
        if options.get(one) is not None:
            return [_request(options, one, options[one], QUERY_STATUS)]
        if options.get(many) is not None:
            return [_request(options, one, identifier, QUERY_STATUS) for identifier in options[many]]
    raise _names_no_order(options)


def _names_no_order(options: Options) -> OptionError:
    numbers = ("order_number", "order_numbers", COLLECTION_CODE)
    names = numbers if options["product"] == "ccc" else (*IDENTIFIERS, *IDENTIFIER_LISTS)
    return OptionError(
        f"Give one of {', '.join(name for name in (*names, 'content') if name in options)}; none is given."
    )


def _request(options: Options, kind: str, identifier: t.Any, query_type: int) -> CollectRequest:
    query_type, form = _query(options, query_type)
    return CollectRequest(
        kind,
        # A plain str, without the tags that ansible-core 2.19 and newer put on values.
        str(identifier),
        product=str(options["product"]),
        query_type=query_type,
        response_format=str(options["response_format"]),
        show=show_everything(options["product"]),
        **form,
    )


def _query(options: Options, query_type: int) -> tuple[int, dict[str, str]]:
    """The query type to ask with, and the form in which certificates come, where any do.

    A task's own word and a default for many tasks can't be told apart, and a default must not break a question that
    carries no such answer.
    """
    if query_type == QUERY_STATUS:
        return query_type, {}
    form = {name: str(options[name]) for name in ("response_type", "response_encoding")}
    # A structure holds the whole chain, from which the edge takes its part.
    return (query_type if form["response_type"] == "individual" else QUERY_ALL), form


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
        raise OptionError(f"ca_path {excerpt(path)} does not exist on the controller.")
    return path


def _between(options: Options, name: str, least: int) -> int:
    value = int(options[name])
    if not least <= value <= _MOST:
        raise OptionError(f"{name} must be a whole number from {least} to {_MOST}, not {value}.")
    return value
