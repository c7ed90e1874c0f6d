# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One POST and what came back, of which no more is read than its HTTP status is worth.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import typing as t
import warnings

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import TooMuch, within
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.session import MAX_BODY, adapter_for, forget
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Transport

try:
    import requests
    import urllib3.exceptions
except ImportError:
    # Said by the client, before it makes any call.
    pass

#: The one status that an answer of the interface comes with.
OK = 200

#: Statuses after which another try may bring an answer.
RETRYABLE = (429, 502, 503, 504)

#: Statuses that send a client elsewhere.
REDIRECTS = (301, 302, 303, 307, 308)

_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "certfleet.collectssl",
}

# Of a page that says why there is no answer (bytes).
_EXCERPT = 64 * 1024
_PIECE = 64 * 1024


@dataclasses.dataclass
class Seen:
    """What is known of a call while it is under way, and once it is over; ``octets`` are those read of a body."""

    status: int | None = None
    octets: int = 0
    meaning: str = "no answer"


class Reply(t.NamedTuple):
    """What came back; the body is whole where the status is 200, and is otherwise no more than an excerpt needs."""

    status: int
    headers: t.Mapping[str, str]
    body: bytes

    @property
    def missing(self) -> str:
        """How many octets were announced, where fewer came; else empty."""
        stated = self.headers.get("Content-Length", "")
        short = stated.isdecimal() and stated.isascii() and int(stated[:18]) > len(self.body)
        return stated[:18] if short else ""


def post(url: str, form: bytes, transport: Transport, seen: Seen) -> Reply:
    """Send a form, within one deadline for all of it: name, connection, proxy, TLS, sending, head and body.

    :raises TimeoutError: at the deadline.
    :raises TooMuch: where more came than is read, or what would have to be unpacked.
    :raises OptionError: where ``ca_path`` holds nothing to trust.
    :raises Exception: whatever the libraries raise.
    """
    adapter = adapter_for(transport.verify)
    request = requests.Request("POST", url, headers=_HEADERS, data=form).prepare()
    call = functools.partial(_exchange, adapter, request, transport, seen)
    with warnings.catch_warnings():
        # Who switched validate_certs off knows it.
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        return within(transport.request_timeout, call, functools.partial(forget, adapter))


def _exchange(adapter: t.Any, request: requests.PreparedRequest, transport: Transport, seen: Seen) -> Reply:
    answer = adapter.send(
        request,
        stream=True,
        timeout=transport.request_timeout,
        verify=transport.verify is not False,
        proxies={"https": transport.proxy} if transport.proxy else {},
    )
    with contextlib.closing(answer):
        seen.status = answer.status_code
        seen.meaning = "no answer of the interface"
        return Reply(answer.status_code, dict(answer.headers), _body(answer, seen))


def _body(answer: requests.Response, seen: Seen) -> bytes:
    if answer.status_code in (*RETRYABLE, *REDIRECTS):
        return b""
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        # Not unpacked: it was not asked for, and a few octets may unpack to any size.
        raise TooMuch(f"It is compressed ({excerpt(encoding, 20)}), which was not asked for.")
    body = bytearray()
    if answer.status_code == OK:
        for piece in _pieces(answer, seen):
            body += piece
            if len(body) > MAX_BODY:
                raise TooMuch(f"It is longer than {MAX_BODY} octets, and was not read further.")
    else:
        # The status says it all, whatever becomes of the page.
        with contextlib.suppress(Exception):
            for piece in _pieces(answer, seen):
                body += piece
                if len(body) >= _EXCERPT:
                    break
    return bytes(body)


def _pieces(answer: requests.Response, seen: Seen) -> t.Iterator[bytes]:
    while True:
        piece: bytes = answer.raw.read(_PIECE)
        if not piece:
            return
        seen.octets += len(piece)
        yield piece
