# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong on the way to the provider, in words.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import typing as t
import urllib.parse

try:
    import requests
    import urllib3.exceptions
except ImportError:
    # Said by the client, before it makes any call.
    pass
else:
    _ERRORS = (
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        UnicodeError,
        OSError,
    )
    _UNUSABLE_ADDRESS = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        urllib3.exceptions.LocationValueError,
        UnicodeError,
    )

_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: ([0-9]{3})")
_TOO_OLD = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "WRONG_SSL_VERSION")
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")


class Fault(t.NamedTuple):
    """Why a call failed, as the end of a sentence without its full stop; ``hint`` is a sentence of its own.

    ``retryable`` tells whether another try may mend it, ``known`` whether what was raised is what libraries raise for
    a call that fails; what is not known is told with its trace to who looks closely.
    """

    reason: str
    hint: str
    retryable: bool
    known: bool = True


def describe(error: BaseException, seconds: float, proxy: str | None) -> Fault:
    """The fault behind what a call raised.

    :arg seconds: the time that the call was given.
    :arg proxy: the address of the proxy that it went through.
    """
    known = isinstance(error, _ERRORS)
    name = f"the proxy {urllib.parse.urlsplit(proxy or '').netloc.rpartition('@')[2]}"
    if not isinstance(error, requests.exceptions.ProxyError):
        fault = _fault(error, seconds)._replace(known=known)
        # Whose fault that is nobody can tell who was waiting for both.
        slow = proxy and isinstance(error, TimeoutError)
        return fault._replace(reason=f"{fault.reason} through {name}") if slow else fault
    status = _TUNNEL_STATUS.search(str(error))
    if status is None:
        # Whether it is the proxy or who stands behind it, the libraries cannot always tell.
        fault = _fault(error, seconds)
        return fault._replace(reason=f"the way through {name} failed: {fault.reason}")
    if status[1] == "407":
        hint = "Check the user and the password in proxy."
        return Fault(f"{name} wants other credentials (HTTP status 407)", hint, False)
    return Fault(f"{name} did not connect (HTTP status {status[1]})", "Check proxy.", status[1].startswith("5"))


def _fault(error: BaseException, seconds: float) -> Fault:
    hint = "Check api_url, proxy and the network, or run again later."
    untrusted = _find(error, ssl.SSLCertVerificationError)
    if untrusted:
        why = (getattr(untrusted, "verify_message", "") or "certificate verify failed").rstrip(".")
        trust = "If the endpoint is right, give the certificates to trust in ca_path."
        return Fault(f"the TLS certificate is not trusted ({why}), so nothing was sent", trust, False)
    if _find(error, *_UNUSABLE_ADDRESS):
        return Fault("the address cannot be used", "Check api_url and proxy.", False)
    tls = _find(error, ssl.SSLError)
    tls_reason = (tls.reason or "") if tls else ""
    if any(part in tls_reason for part in _TOO_OLD):
        return Fault("it does not speak TLS 1.2 or newer", "Check api_url and proxy.", False)
    if any(part in tls_reason for part in _NOT_TLS):
        return Fault("it does not speak TLS", "Check api_url and proxy.", False)
    return Fault(_retryable_reason(error, tls, seconds), hint, True)


def _retryable_reason(error: BaseException, tls: ssl.SSLError | None, seconds: float) -> str:
    if _find(error, socket.gaierror):
        return "the name could not be resolved"
    if _find(error, TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
        return f"no whole answer within {seconds:.0f} s"
    if tls:
        return f"TLS failed ({tls.reason or 'no reason given'})"
    if _find(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if _find(error, ConnectionResetError, BrokenPipeError):
        return "the connection was reset"
    if _find(error, http.client.IncompleteRead, urllib3.exceptions.IncompleteRead):
        return "the answer broke off"
    system = next((found for found in _chain(error) if isinstance(found, OSError) and found.strerror), None)
    if system:
        return str(system.strerror).lower()
    # The end of a connection is a HTTPException of its own, and was looked for above.
    if not isinstance(error, _ERRORS) or _find(error, http.client.HTTPException, urllib3.exceptions.HeaderParsingError):
        return f"what came is damaged, or no HTTP ({type(error).__name__})"
    return f"the call failed ({type(error).__name__})"


_E = t.TypeVar("_E", bound=BaseException)


def _find(error: BaseException, *kinds: type[_E]) -> _E | None:
    """The first exception of some kinds among those that an exception wraps."""
    return next((found for found in _chain(error) if isinstance(found, kinds)), None)


def _chain(error: BaseException) -> t.Iterator[BaseException]:
    """An exception and those that it wraps, which requests and urllib3 keep in more places than the cause alone."""
    waiting: list[t.Any] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting.extend([getattr(found, "reason", None), *found.args, found.__cause__, found.__context__])
