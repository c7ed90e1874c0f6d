# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call to the provider: https, kept alive, bounded, repeated where another try may mend it.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import email.utils
import random
import time
import typing as t
import urllib.parse
import warnings

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError, TransportError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import (
    CALL_LIMIT_REACHED,
    CollectResponse,
    parse,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import libraries
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import secrets_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.secrets import scrubber
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.session import (
    REQUESTS_IMPORT_ERROR,
    session_for,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Provider

if REQUESTS_IMPORT_ERROR is None:
    import requests
    import urllib3.exceptions
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.faults import ERRORS, Fault, describe

#: No answer of the interface comes near this size (bytes).
MAX_BODY = 4 * 1024 * 1024

# How much of what is not an answer is looked at for its error (characters).
_READ_AGAIN = 32 * 1024

_RETRYABLE_STATUSES = (429, 502, 503, 504)
# What no other try mends.
_ELSEWHERE = "Check api_url: the interface is not at this address."
_ADVICE = {
    **dict.fromkeys((404, 405, 410), _ELSEWHERE),
    **dict.fromkeys(
        (401, 403), "Check api_url, and ask the provider whether it lets the address of this controller in."
    ),
}
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LONGEST_RETRY_AFTER = 120.0

Turn = t.Callable[[], t.ContextManager[None]]


class _Retryable(Exception):
    """A fault that another try may mend; ``pause`` is how long the provider asked to wait (seconds), if it did."""

    def __init__(self, reason: str, pause: float | None = None, hint: str = "Run again later.") -> None:
        super().__init__(reason)
        self.pause = pause
        self.hint = hint


class _Unusable(Exception):
    """A body that is not read to its end, with the reason as a sentence."""


@dataclasses.dataclass
class _Seen:
    """What is known of a call once it is over: the HTTP status, the octets read, and what they meant."""

    status: int | None = None
    octets: int = 0
    meaning: str = "no answer"


class Client:
    """Asks one provider.

    :arg detail: takes a line about each call once it is over; it holds no secret.
    """

    def __init__(
        self,
        provider: Provider,
        sleep: t.Callable[[float], None] = time.sleep,
        detail: t.Callable[[str], None] | None = None,
    ) -> None:
        libraries.require()
        self._provider = provider
        self._sleep = sleep
        self._detail = detail
        self._host = urllib.parse.urlsplit(provider.url).netloc
        #: A text without the secrets of this provider, in any form in which an echo could hold them.
        self.scrub = scrubber((*provider.credentials.secrets(), *secrets_of(provider.transport.proxy)))

    def ask(self, request: CollectRequest, turn: Turn) -> CollectResponse:
        """The provider's answer.

        :arg turn: entered for each try, left before any pause.
        :raises TransportError: where the provider could not be asked, after all tries.
        :raises ProtocolError: where what came back is not an answer.
        :raises OptionError: where ``ca_path`` holds nothing to trust.
        """
        tries = self._provider.transport.retries + 1
        number = 0
        while True:
            number += 1
            try:
                with turn():
                    response = self._call(request)
            except _Retryable as retryable:
                fault = retryable
            else:
                if response.status_code != CALL_LIMIT_REACHED or number == tries:
                    return response
                fault = _Retryable("call limit reached")
            pause = fault.pause if fault.pause is not None else _pause(number)
            if number == tries or pause > _LONGEST_RETRY_AFTER:
                asked = f" It asked to wait {fault.pause:.0f} s." if fault.pause else ""
                reason = f"{fault}, in {number} {'try' if number == 1 else 'tries'}.{asked}"
                raise self._not_asked(request, reason, fault.hint)
            self._sleep(pause)

    def _call(self, request: CollectRequest) -> CollectResponse:
        seen, began = _Seen(), time.monotonic()
        try:
            return self._post(request, seen)
        finally:
            if self._detail is not None:
                self._detail(self._line(request, seen, time.monotonic() - began))

    def _line(self, request: CollectRequest, seen: _Seen, seconds: float) -> str:
        parts = urllib.parse.urlsplit(self._provider.url)
        address = f"https://{parts.hostname}:{parts.port or 443}{parts.path}"
        status = "no HTTP status" if seen.status is None else f"HTTP status {seen.status}"
        return self.scrub(
            f"collectssl: POST {address} about {request.label()}: {status}, {seen.meaning}, {seen.octets} bytes, "
            f"{seconds:.2f} s"
        )

    def _post(self, request: CollectRequest, seen: _Seen) -> CollectResponse:
        provider = self._provider
        transport = provider.transport
        variables = provider.credentials.variables() + request.variables()
        session = session_for(transport.verify)
        fault: Fault | None = None
        with warnings.catch_warnings():
            # Who switched validate_certs off knows it.
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            try:
                with contextlib.closing(
                    session.post(
                        provider.url,
                        data=urllib.parse.urlencode(variables).encode("ascii"),
                        headers={"Content-Type": "application/x-www-form-urlencoded"},
                        verify=transport.verify is not False,
                        proxies={"https": transport.proxy} if transport.proxy else {},
                        timeout=transport.request_timeout,
                        allow_redirects=False,
                        stream=True,
                    )
                ) as answer:
                    return self._read(answer, request, seen)
            except ERRORS as exc:
                fault = describe(exc, transport.request_timeout, transport.proxy)
        seen.meaning = fault.reason
        # Raised out here, since what the libraries raise may hold the proxy's address with its password.
        if fault.retryable:
            raise _Retryable(self.scrub(fault.reason), hint=fault.hint)
        raise self._not_asked(request, f"{self.scrub(fault.reason)}.", fault.hint)

    def _not_asked(self, request: CollectRequest, reason: str, hint: str) -> TransportError:
        return TransportError(f"{self._host} could not be asked about {request.label()}: {reason} {hint}")

    def _read(self, answer: requests.Response, request: CollectRequest, seen: _Seen) -> CollectResponse:
        status = seen.status = answer.status_code
        seen.meaning = "no answer of the interface"
        if status in _RETRYABLE_STATUSES:
            raise _Retryable(f"it answered with HTTP status {status}", _retry_after(answer.headers.get("Retry-After")))
        if 300 <= status < 400:
            raise self._redirected(answer, request)
        body, content_type = b"", answer.headers.get("Content-Type")
        try:
            body = _bounded_body(answer, seen)
            response = parse(body, content_type, request)
            seen.meaning = f"status code {response.status_code}"
            return response
        except _Unusable as unusable:
            message = str(unusable)
        except ProtocolError:
            message = self._not_an_answer(body, content_type, request)
        raise ProtocolError(
            f"What {self._host} sent about {request.label()} with HTTP status {status} cannot be used. {message} "
            f"{_ADVICE.get(status, 'Run again later; if it stays so, ask the provider.')}"
        )

    def _redirected(self, answer: requests.Response, request: CollectRequest) -> TransportError:
        try:
            # Clean before it is cut: an echo in it may hold any sign at which an address is cut.
            location = self.scrub(answer.headers.get("Location", ""))
            target = urllib.parse.urlsplit(location).netloc.rpartition("@")[2]
        except ValueError:
            target = ""
        return TransportError(
            f"{self._host} answered the call about {request.label()} with a redirect (HTTP status {answer.status_code})"
            f" to {excerpt(target, 80) or 'elsewhere'}. Redirects are not followed, since the password "
            "would go along. Check api_url."
        )

    def _not_an_answer(self, body: bytes, content_type: str | None, request: CollectRequest) -> str:
        # Read once more from a clean text, since the excerpt in the message may cut an echoed secret in two. It is cut
        # once it is clean, and is no longer than an excerpt needs.
        text = self.scrub(body[: 2 * _READ_AGAIN].decode("utf-8", "replace"))[:_READ_AGAIN]
        try:
            parse(text.encode("utf-8"), self.scrub(content_type or ""), request)
        except ProtocolError as clean:
            message = self.scrub(str(clean))
            return message if message.endswith((".", "?", "!")) else f"{message}."
        return "It is not an answer of the CollectSSL interface, and is not shown."


def _bounded_body(answer: requests.Response, seen: _Seen) -> bytes:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        # Not unpacked: it was not asked for, and a few octets may unpack to any size.
        raise _Unusable(f"It is compressed ({excerpt(encoding, 20)}), which was not asked for.")
    body = bytearray()
    while True:
        chunk = answer.raw.read(65536)
        if not chunk:
            break
        body += chunk
        seen.octets = len(body)
        if len(body) > MAX_BODY:
            raise _Unusable(f"It is longer than {MAX_BODY} octets, and was not read further.")
    stated = answer.headers.get("Content-Length", "")
    if stated.isdecimal() and stated.isascii() and int(stated[:18]) > len(body):
        raise _Retryable(f"the answer broke off after {len(body)} of {stated[:18]} octets")
    return bytes(body)


def _pause(number: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(number - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, section 10.2.3); None where it is neither."""
    text = (header or "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:12])
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
