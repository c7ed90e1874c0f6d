# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call to the provider: https, kept alive, bounded, repeated where another try may mend it.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import random
import time
import traceback
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    CollectError,
    ProtocolError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, printable
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import (
    CALL_LIMIT_REACHED,
    CollectResponse,
    parse,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import exchange, libraries
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import TooMuch
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.exchange import Reply, Seen
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import secrets_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.secrets import scrubber
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.session import (
    REQUESTS_IMPORT_ERROR,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Provider

if REQUESTS_IMPORT_ERROR is None:
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.faults import Fault, describe

# How much of what is not an answer is looked at for its error (characters).
_READ_AGAIN = 32 * 1024

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
# A date takes 29 characters.
_LONGEST_DATE = 64

Turn = t.Callable[[], t.ContextManager[None]]


class _Retryable(Exception):
    """A fault that another try may mend; ``pause`` is how long the provider asked to wait (seconds), if it did."""

    def __init__(self, reason: str, pause: float | None = None, hint: str = "Run again later.") -> None:
        super().__init__(reason)
        self.pause = pause
        self.hint = hint


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
        seen, began = Seen(), time.monotonic()
        try:
            return self._post(request, seen)
        finally:
            if self._detail is not None:
                self._detail(self._line(request, seen, time.monotonic() - began))

    def _line(self, request: CollectRequest, seen: Seen, seconds: float) -> str:
        parts = urllib.parse.urlsplit(self._provider.url)
        address = f"https://{parts.hostname}:{parts.port or 443}{parts.path}"
        status = "no HTTP status" if seen.status is None else f"HTTP status {seen.status}"
        return self.scrub(
            f"collectssl: POST {address} about {request.label()}: {status}, {seen.meaning}, {seen.octets} bytes, "
            f"{seconds:.2f} s"
        )

    def _post(self, request: CollectRequest, seen: Seen) -> CollectResponse:
        provider = self._provider
        transport = provider.transport
        variables = provider.credentials.variables() + request.variables()
        reply: Reply | None = None
        fault: Fault | None = None
        refusal = ""
        try:
            form = urllib.parse.urlencode(variables).encode("ascii")
            reply = exchange.post(provider.url, form, transport, seen)
        except CollectError:
            raise
        except TooMuch as exc:
            refusal = self.scrub(str(exc))
        # Whatever a server may bring the libraries to raise: none of it is for this controller to break on.
        except Exception as exc:
            fault = describe(exc, transport.request_timeout, transport.proxy)
            if not fault.known and self._detail is not None:
                self._detail(self.scrub(printable("".join(traceback.format_exception(exc)), lines=True)))
        # Raised out here, since what the libraries raise may hold the proxy's address with its password.
        if reply is not None:
            return self._read(reply, request, seen)
        if fault is None:
            return self._refuse(request, seen.status, refusal)
        seen.meaning = printable(fault.reason)
        reason = self.scrub(printable(fault.reason))
        if fault.retryable:
            raise _Retryable(reason, hint=fault.hint)
        raise self._not_asked(request, f"{reason}.", fault.hint)

    def _not_asked(self, request: CollectRequest, reason: str, hint: str) -> TransportError:
        return TransportError(f"{self._host} could not be asked about {request.label()}: {reason} {hint}")

    def _read(self, reply: Reply, request: CollectRequest, seen: Seen) -> CollectResponse:
        status = reply.status
        if status in exchange.RETRYABLE:
            raise _Retryable(f"it answered with HTTP status {status}", _retry_after(reply.headers.get("Retry-After")))
        if status in exchange.REDIRECTS:
            raise self._redirected(reply, request)
        if status != exchange.OK:
            page = self._not_an_answer(reply, request)
            return self._refuse(request, status, f"Only HTTP status {exchange.OK} brings an answer. {page}")
        if reply.missing:
            raise _Retryable(f"the answer broke off after {len(reply.body)} of {reply.missing} octets")
        response: CollectResponse | None = None
        # What it raises may echo a secret, and must not stand behind the error that says so without.
        with contextlib.suppress(ProtocolError):
            response = parse(reply.body, reply.headers.get("Content-Type"), request)
        if response is None:
            return self._refuse(request, status, self._not_an_answer(reply, request))
        seen.meaning = f"status code {response.status_code}"
        return response

    def _refuse(self, request: CollectRequest, status: int | None, message: str) -> t.NoReturn:
        """Raise what says that no answer came."""
        came = "" if status is None else f" with HTTP status {status}"
        advice = _ADVICE.get(status or 0, "Run again later; if it stays so, ask the provider.")
        raise ProtocolError(f"What {self._host} sent about {request.label()}{came} cannot be used. {message} {advice}")

    def _redirected(self, reply: Reply, request: CollectRequest) -> TransportError:
        try:
            # Clean before it is cut: an echo in it may hold any sign at which an address is cut.
            location = self.scrub(reply.headers.get("Location", ""))
            target = urllib.parse.urlsplit(location).netloc.rpartition("@")[2]
        except ValueError:
            target = ""
        return TransportError(
            f"{self._host} answered the call about {request.label()} with a redirect (HTTP status {reply.status})"
            f" to {excerpt(target, 80) or 'elsewhere'}. Redirects are not followed, since the password "
            "would go along. Check api_url."
        )

    def _not_an_answer(self, reply: Reply, request: CollectRequest) -> str:
        # Read once more from a clean text, since the excerpt in the message may cut an echoed secret in two. It is cut
        # once it is clean, and is no longer than an excerpt needs.
        text = self.scrub(reply.body[: 2 * _READ_AGAIN].decode("utf-8", "replace"))[:_READ_AGAIN]
        message = "It is not an answer of the CollectSSL interface, and is not shown."
        try:
            parse(text.encode("utf-8"), self.scrub(reply.headers.get("Content-Type", "")), request)
        except ProtocolError as clean:
            message = self.scrub(str(clean))
        else:
            if reply.status != exchange.OK:
                # An answer, had it come with another status.
                message = f"It begins: {excerpt(text)}"
        return message if message.endswith((".", "?", "!")) else f"{message}."


def _pause(number: int) -> float:
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(number - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, section 10.2.3); None where it is neither."""
    text = (header or "").strip()[:_LONGEST_DATE]
    if text.isdecimal() and text.isascii():
        return float(text[:12])
    try:
        moment = email.utils.parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())
    except Exception:  # of a date that is none, the library may think anything
        return None
