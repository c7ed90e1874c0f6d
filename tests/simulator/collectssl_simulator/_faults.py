# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults on demand: which there are, what they take, and which of them waits for which order."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

#: How a fault acts. "line" misuses the connection, "http" replaces the whole response, "code" the status code,
#: "chain" changes the certificates, "archive" the ZIP file, "style" the wire form of a right answer.
KINDS = ("line", "http", "code", "chain", "archive", "style")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A fault there is: how it acts, what it does (for people), and its parameters with their defaults."""

    kind: str
    summary: str
    parameters: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


CATALOGUE: t.Mapping[str, Kind] = {
    "reset": Kind("line", "the connection is reset instead of an answer"),
    "reset_in_body": Kind("line", "the connection is reset in the middle of the body"),
    "stall": Kind("line", "the call is taken and never answered", {"seconds": None}),
    "drip": Kind("line", "the answer comes a few octets at a time", {"octets": 16, "interval": 0.2}),
    "truncate": Kind("line", "the connection closes before all of Content-Length is sent", {"keep": 0.5}),
    "truncate_body": Kind("line", "the body ends early and Content-Length agrees with it", {"keep": 0.5}),
    "endless": Kind("line", "a body without end", {"start": "0\n"}),
    "endless_headers": Kind("line", "headers without end"),
    "endless_continue": Kind("line", "one 100 Continue after the other, and never an answer"),
    "bad_chunk": Kind("line", "the body comes in chunks, one of them of a size that is none", {"size": "-1"}),
    "bad_length": Kind("line", "the right answer with a Content-Length that is none", {"length": "-1"}),
    "not_http": Kind("line", "octets that are no HTTP"),
    "empty_body": Kind("http", "status 200 with nothing in it"),
    "http_429": Kind("http", "too many requests, with Retry-After", {"retry_after": 1}),
    "http_500": Kind("http", "internal server error, as an HTML page"),
    "http_502": Kind("http", "bad gateway, as an HTML page"),
    "http_503": Kind("http", "service unavailable, with Retry-After", {"retry_after": 1}),
    "http_504": Kind("http", "gateway timeout, as an HTML page"),
    "plain_error": Kind("http", "status 500 and the words Internal Server Error", {"status": 500}),
    "html_page": Kind("http", "a maintenance page in HTML with status 200"),
    "html_echo": Kind("http", "an HTML page that shows all arguments of the call, secrets too", {"status": 200}),
    "page": Kind(
        "http", "a body and a status of your choice", {"status": 403, "body": "0", "content_type": "text/plain"}
    ),
    "wrong_status": Kind("http", "the right answer under a wrong HTTP status", {"status": 206}),
    "redirect": Kind(
        "http",
        "status 302 to elsewhere, with a body of so many megabytes, packed or not",
        {"location": "https://localhost:1/elsewhere", "status": 302, "megabytes": 0, "packed": False},
    ),
    "gzip": Kind("http", "the right answer, packed though nobody asked for it"),
    "gzip_broken": Kind("http", "the right answer, which says that it is packed and is not"),
    "gzip_bomb": Kind("http", "a small packed body that unpacks to a lot", {"megabytes": 64, "status": 200}),
    "wrong_content_type": Kind("http", "the right answer under a wrong content type", {"content_type": "image/png"}),
    "call_limit": Kind("code", "status code -42", {"code": -42, "message": None}),
    "unknown_error": Kind("code", "status code -14", {"code": -14, "message": None}),
    "code": Kind("code", "a status code of your choice", {"code": -90, "message": None}),
    "scrambled_chain": Kind("chain", "the certificates come in no order"),
    "leaf_first": Kind("chain", "the end-entity certificate comes first, the root last"),
    "foreign_root": Kind("chain", "a consistent chain of an unrelated authority, over the right key"),
    "foreign_intermediate": Kind("chain", "the issuing CA is replaced by an unrelated one"),
    "missing_intermediate": Kind("chain", "the issuing CA is left out"),
    "broken_signature_leaf": Kind("chain", "the signature of the end-entity certificate is wrong"),
    "broken_signature_intermediate": Kind("chain", "the signature of the issuing CA is wrong"),
    "ancient_leaf": Kind("chain", "the end-entity certificate begins in the year 950"),
    "expired_leaf": Kind("chain", "the end-entity certificate ended ten days ago"),
    "expired_intermediate": Kind("chain", "the issuing CA ended ten days ago"),
    "not_yet_valid_leaf": Kind("chain", "the end-entity certificate begins in ten days"),
    "wrong_names": Kind("chain", "the certificate is for other names", {"names": ["wrong.invalid"]}),
    "wrong_key": Kind("chain", "the certificate is for another key"),
    "no_leaf": Kind("chain", "there is no end-entity certificate among the certificates"),
    "duplicate_certificates": Kind("chain", "every certificate comes twice"),
    "extra_certificates": Kind("chain", "unrelated authorities come along", {"leaf": False}),
    "zip_bomb": Kind("archive", "a small ZIP entry that unpacks to a lot", {"megabytes": 256}),
    "zip_many_entries": Kind("archive", "a ZIP archive with very many entries", {"entries": 20000}),
    "zip_climbing_names": Kind("archive", "ZIP entries named ../../..."),
    "zip_nameless": Kind("archive", "a ZIP entry without a name"),
    "zip_far_away": Kind("archive", "a ZIP entry that lies 2^63 octets behind the beginning"),
    "crlf": Kind("style", "lines end in CR LF"),
    "no_final_newline": Kind("style", "the last line has no line end"),
}


class FaultError(ValueError):
    """No such fault, or a parameter it does not take; the text is one sentence without its full stop."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault with its parameters, complete with defaults."""

    name: str
    kind: str
    parameters: t.Mapping[str, t.Any]


def make(name: str, parameters: t.Mapping[str, t.Any]) -> Fault:
    """Return a fault of the catalogue; raises FaultError."""
    entry = CATALOGUE.get(name)
    if entry is None:
        raise FaultError(f"there is no fault '{name}'; there are {', '.join(sorted(CATALOGUE))}")
    for parameter, value in parameters.items():
        if parameter not in entry.parameters:
            takes = ", ".join(entry.parameters) or "none"
            raise FaultError(f"the fault '{name}' has no parameter '{parameter}' (it has: {takes})")
        if not _fits(parameter, value, entry.parameters[parameter]):
            raise FaultError(f"the fault '{name}' can't take {value!r} as '{parameter}'")
    return Fault(name, entry.kind, {**entry.parameters, **parameters})


def _fits(parameter: str, value: t.Any, default: t.Any) -> bool:
    if parameter == "retry_after":
        return value is None or isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    if parameter == "message":
        return value is None or isinstance(value, str)
    if parameter == "names":
        return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    if not isinstance(value, (int, float)) or (parameter != "code" and not 0 <= value <= 10**6):
        return value is None and default is None
    # A number where seconds, a share or an interval is meant may have a fraction; counts and codes may not.
    return isinstance(value, int) or isinstance(default, float) or default is None


@dataclasses.dataclass
class Posted:
    """A fault that waits for calls: of one order (or of any), for so many more calls (or until it is cleared)."""

    number: int
    fault: Fault
    order_number: str | None
    calls: int | None


class Board:
    """The faults posted at run time. The first that fits a call is used. Its owner locks it."""

    def __init__(self) -> None:
        self._posted: list[Posted] = []
        self._numbers = itertools.count(1)

    def post(self, fault: Fault, order_number: str | None, calls: int | None) -> Posted:
        """Add a fault behind those already posted."""
        posted = Posted(next(self._numbers), fault, order_number, calls)
        self._posted.append(posted)
        return posted

    def clear(self) -> None:
        """Take all faults away."""
        self._posted.clear()

    def take(self, order_number: str | None, fits: t.Callable[[Fault], bool]) -> Fault | None:
        """Return the fault for a call and count it, or None."""
        for posted in self._posted:
            if posted.order_number not in (None, order_number) or not fits(posted.fault):
                continue
            if posted.calls is not None:
                posted.calls -= 1
                if posted.calls <= 0:
                    self._posted.remove(posted)
            return posted.fault
        return None

    def listed(self) -> list[dict[str, t.Any]]:
        """Return the posted faults as plain values."""
        return [
            {
                "number": posted.number,
                "fault": posted.fault.name,
                "parameters": dict(posted.fault.parameters),
                "order_number": posted.order_number,
                "calls": posted.calls,
            }
            for posted in self._posted
        ]
