# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call to the provider: https, kept alive, bounded, repeated where the fault is a passing one.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import html
import os
import random
import socket
import ssl
import time
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    CollectError,
    ProtocolError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._response import (
    CALL_LIMIT_REACHED,
    CollectResponse,
    parse,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import Provider
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._proxy import secrets_of

try:
    import requests
    import requests.adapters
    import urllib3.exceptions
except ImportError as exc:
    REQUESTS_IMPORT_ERROR: ImportError | None = exc
else:
    REQUESTS_IMPORT_ERROR = None

#: No answer of the interface comes near this size (bytes).
MAX_BODY = 4 * 1024 * 1024

_PASSING_STATUSES = (429, 502, 503, 504)
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LONGEST_RETRY_AFTER = 120.0

Turn = t.Callable[[], t.ContextManager[None]]


class _Passing(Exception):
    """A fault that another try may mend; ``pause`` is how long the provider asked to wait (seconds), if it did."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class Client:
    """Asks one provider."""

    def __init__(self, provider: Provider, sleep: t.Callable[[float], None] = time.sleep) -> None:
        if REQUESTS_IMPORT_ERROR is not None:
            raise CollectError(
                "The Python library requests is needed on the controller, in the Python that runs Ansible: "
                f"{REQUESTS_IMPORT_ERROR}"
            ) from REQUESTS_IMPORT_ERROR
        self._provider = provider
        self._sleep = sleep
        self._host = urllib.parse.urlsplit(provider.url).netloc

    def ask(self, request: CollectRequest, turn: Turn) -> CollectResponse:
        """The provider's answer.

        :arg turn: entered for each try, left before any pause.
        :raises TransportError: where the provider could not be asked, after all tries.
        :raises ProtocolError: where what came back is not an answer.
        """
        tries = self._provider.transport.retries + 1
        for number in range(1, tries + 1):
            try:
                with turn():
                    response = self._call(request)
                if response.status_code != CALL_LIMIT_REACHED or number == tries:
                    return response
                fault = _Passing("call limit reached")
            except _Passing as passing:
                fault = passing
            pause = fault.pause if fault.pause is not None else _pause(number)
            if number == tries or pause > _LONGEST_RETRY_AFTER:
                break
            self._sleep(pause)
        asked = f"It asked to wait {fault.pause:.0f} s. " if fault.pause else ""
        raise TransportError(
            f"{self._host} could not be asked about {request.label()}: {fault}, in {number} "
            f"{'try' if number == 1 else 'tries'}. {asked}Check api_url, proxy and the network, or run again later."
        )

    def scrub(self, text: str) -> str:
        """A text without the secrets of this provider, in any form in which an echo could hold them."""
        for secret in (*self._provider.credentials.secrets(), *secrets_of(self._provider.transport.proxy)):
            for form in {
                secret,
                urllib.parse.quote(secret),
                urllib.parse.quote(secret, safe=""),
                urllib.parse.quote_plus(secret),
                html.escape(secret),
                secret.encode("unicode_escape").decode("ascii"),
            }:
                text = text.replace(form, "***")
        return text

    def _call(self, request: CollectRequest) -> CollectResponse:
        provider = self._provider
        variables = provider.credentials.variables() + request.variables()
        seconds = provider.transport.request_timeout
        try:
            with contextlib.closing(
                _session().post(
                    provider.url,
                    data=urllib.parse.urlencode(variables).encode("ascii"),
                    headers={"Content-Type": "application/x-www-form-urlencoded"},
                    verify=_trust(provider.transport.verify),
                    proxies={"https": provider.transport.proxy} if provider.transport.proxy else {},
                    timeout=seconds,
                    allow_redirects=False,
                    stream=True,
                )
            ) as answer:
                return self._read(answer, request)
        except ssl.SSLCertVerificationError as exc:
            raise self._untrusted(exc) from exc
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            untrusted = _find(exc, ssl.SSLCertVerificationError)
            if untrusted:
                raise self._untrusted(untrusted) from exc
            raise _Passing(self.scrub(_reason(exc, seconds))) from exc

    def _read(self, answer: requests.Response, request: CollectRequest) -> CollectResponse:
        status = answer.status_code
        if status in _PASSING_STATUSES:
            raise _Passing(f"it answered with HTTP status {status}", _retry_after(answer.headers.get("Retry-After")))
        if 300 <= status < 400:
            target = urllib.parse.urlsplit(answer.headers.get("Location", "")).netloc or "elsewhere"
            raise TransportError(
                f"{self._host} answered the call about {request.label()} with a redirect (HTTP status {status}) to "
                f"{self.scrub(target.rpartition('@')[2])}. Redirects are not followed, since the password would go along. "
                "Check api_url."
            )
        body = _bounded_body(answer, self._provider.transport.request_timeout)
        content_type = answer.headers.get("Content-Type")
        try:
            return parse(body, content_type, request)
        except ProtocolError as error:
            message = self._not_an_answer(error, body, content_type, request)
            raise ProtocolError(
                f"What {self._host} sent about {request.label()} with HTTP status {status} cannot be used. {message} "
                "Run again later; if it stays so, ask the provider."
            ) from error

    def _not_an_answer(
        self, error: ProtocolError, body: bytes, content_type: str | None, request: CollectRequest
    ) -> str:
        # The excerpt in the message may have cut an echoed secret in two, so it is taken again from a clean text.
        try:
            parse(self.scrub(body.decode("utf-8", "replace")).encode("utf-8"), self.scrub(content_type or ""), request)
        except ProtocolError as clean:
            return self.scrub(str(clean))
        return "It holds a secret of this call, and is not shown."

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> TransportError:
        reason = getattr(error, "verify_message", "") or "certificate verify failed"
        return TransportError(
            f"The TLS certificate of {self._host} is not trusted: {reason}. Nothing was sent. "
            "If the endpoint is right, give the certificates to trust in ca_path."
        )


_sessions: dict[int, requests.Session] = {}


def _session() -> requests.Session:
    # A forked worker must not speak over a connection that it inherited.
    session = _sessions.get(os.getpid())
    if session is None:
        _sessions.clear()
        session = _sessions[os.getpid()] = requests.Session()
        session.trust_env = False
        session.headers.update({"User-Agent": "certfleet.collectssl", "Accept-Encoding": "identity"})
        session.mount("https://", _TlsAdapter())
    return session


if REQUESTS_IMPORT_ERROR is None:

    class _TlsAdapter(requests.adapters.HTTPAdapter):
        """TLS 1.2 or newer, whatever the versions of the libraries take by default."""

        def build_connection_pool_key_attributes(
            self, request: requests.PreparedRequest, verify: bool | str, cert: t.Any = None
        ) -> tuple[t.Any, t.Any]:
            host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
            pool["ssl_minimum_version"] = ssl.TLSVersion.TLSv1_2
            return host, pool


def _trust(verify: bool | str) -> bool | str:
    """The system's trust store where no other is given; requests alone would take one that it brings along."""
    if verify is not True:
        return verify
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.capath) if path and os.path.exists(path)), True)


def _bounded_body(answer: requests.Response, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    body = bytearray()
    while True:
        chunk = answer.raw.read1(65536) if hasattr(answer.raw, "read1") else answer.raw.read(512)
        if not chunk:
            break
        body += chunk
        if len(body) > MAX_BODY:
            raise ProtocolError(f"The answer is longer than {MAX_BODY} bytes; it was not read further.")
        if time.monotonic() > deadline:
            raise _Passing(f"the answer was not complete within {seconds:.0f} s")
    stated = answer.headers.get("Content-Length", "")
    if stated.isdigit() and int(stated) > len(body):
        raise _Passing(f"the answer broke off after {len(body)} of {stated} bytes")
    return bytes(body)


def _pause(number: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (number - 1)) * random.uniform(0.5, 1.0)


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        moment = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


_E = t.TypeVar("_E", bound=BaseException)


def _find(error: BaseException, kind: type[_E]) -> _E | None:
    """The first exception of a kind among those that an exception wraps."""
    waiting: list[t.Any] = [error]
    seen: set[int] = set()
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        if isinstance(found, kind):
            return found
        seen.add(id(found))
        waiting.extend([getattr(found, "reason", None), *found.args, found.__cause__, found.__context__])
    return None


def _reason(error: BaseException, seconds: float) -> str:
    if _find(error, socket.gaierror):
        return "its name could not be resolved"
    if _find(error, TimeoutError) or _find(error, requests.exceptions.Timeout):
        return f"no answer within {seconds} s"
    if _find(error, ConnectionRefusedError):
        return "connection refused"
    if _find(error, ConnectionResetError):
        return "the connection was reset"
    if isinstance(error, requests.exceptions.ProxyError):
        deepest = _find(error, OSError)
        return f"the proxy failed ({deepest.strerror or deepest if deepest else 'no reason given'})"
    tls = _find(error, ssl.SSLError)
    if tls:
        return f"TLS failed ({tls.reason or 'no reason given'})"
    if _find(error, urllib3.exceptions.ProtocolError):
        return "the connection broke off"
    return f"the call failed ({type(error).__name__})"
