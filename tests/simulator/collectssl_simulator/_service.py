# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call to the service, from its arguments to the reply; knows nothing of sockets."""

from __future__ import annotations

import dataclasses
import gzip
import threading
import typing as t

from . import _arguments, _faults, _pages
from ._answer import Answer, Style, error
from ._arguments import ArgumentError, Arguments, Pair
from ._book import Book, Verdict
from ._records import Call, Records
from ._render import FORM_TYPE, TEXT_TYPE, render, status_code

Headers = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Reply:
    """An HTTP response; delivery is a fault of kind "line" that decides how it goes out."""

    status: int
    content_type: str
    body: bytes
    headers: Headers = ()
    delivery: _faults.Fault | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """An HTTP request to one of the products; query is what stands behind the question mark of its address."""

    method: str
    product: str
    body: bytes
    content_type: str
    secure: bool
    query: bytes = b""


class Service:
    """The service: order book, posted faults and record of calls behind one lock."""

    def __init__(self, book: Book, records: Records) -> None:
        self.book = book
        self.records = records
        self.board = _faults.Board()
        self.lock = threading.Lock()
        self.delay = 0.0

    def reply(self, call: Call, request: Request) -> Reply:
        """Return the reply to a call and fill in its record."""
        call.product = request.product
        is_form = request.content_type.partition(";")[0].strip().lower() == FORM_TYPE
        pairs = _arguments.read_pairs(request.query)
        pairs += _arguments.read_pairs(request.body) if is_form else ()
        with self.lock:
            call.account = self.book.account_of_call(pairs)
            call.order_number = self.book.order_of_call(pairs, request.product)
            call.arguments = _arguments.masked(pairs)
            reply = self._reply(call, request, pairs)
        call.http_status = reply.status
        return reply

    def _reply(self, call: Call, request: Request, pairs: t.Sequence[Pair]) -> Reply:
        spoken = Arguments(product=request.product, response_format=_arguments.wanted_format(pairs, request.product))
        answer: Answer | None = None
        arguments = spoken
        if not request.secure:
            answer = error(-1)
        elif request.method != "POST":
            answer = error(-17)
        else:
            try:
                arguments = _arguments.check(pairs, request.product)
            except ArgumentError as exc:
                answer = error(exc.code, exc.item)
        posted = self._posted_fault(call.order_number, None if answer else arguments)
        if posted is not None and _replaces(posted):
            return self._misbehave(call, posted, pairs, arguments, Verdict(Answer(code=0), self.book.style))
        if answer is not None:
            verdict = Verdict(answer, self.book.style, posted)
        else:
            verdict = self.book.collect(arguments, posted)
            verdict = dataclasses.replace(verdict, fault=posted or verdict.fault)
        if verdict.fault is not None:
            return self._misbehave(call, verdict.fault, pairs, arguments, verdict)
        return self._answer(call, arguments, verdict.answer, verdict.style)

    def _posted_fault(self, order_number: str | None, arguments: Arguments | None) -> _faults.Fault | None:
        def fits(fault: _faults.Fault) -> bool:
            # A fault in certificates waits for a call that is answered with certificates.
            if fault.kind not in ("chain", "archive"):
                return True
            if arguments is None or arguments.query_type == 0 or not self.book.is_issued(order_number):
                return False
            return fault.kind == "chain" or arguments.response_type == 0

        return self.board.take(order_number, fits)

    def _answer(self, call: Call, arguments: Arguments, answer: Answer, style: Style) -> Reply:
        call.code = status_code(answer, arguments)
        content_type, body = render(answer, arguments, style)
        return Reply(200, content_type, body)

    def _misbehave(
        self, call: Call, fault: _faults.Fault, pairs: t.Sequence[Pair], arguments: Arguments, verdict: Verdict
    ) -> Reply:
        call.fault = fault.name
        if fault.name in _PAGES:
            return _PAGES[fault.name](fault, pairs)
        answer, style = verdict.answer, verdict.style
        if fault.kind == "code":
            answer = error(fault.parameters["code"], message=fault.parameters["message"])
        elif fault.name == "crlf":
            style = dataclasses.replace(style, newline="\r\n")
        elif fault.name == "no_final_newline":
            style = dataclasses.replace(style, final_newline=False)
        if fault.kind == "line" and _replaces(fault):
            return Reply(200, TEXT_TYPE, b"", delivery=fault)
        reply = self._answer(call, arguments, answer, style)
        if fault.name in _CHANGES:
            return _CHANGES[fault.name](fault, reply)
        return dataclasses.replace(reply, delivery=fault) if fault.kind == "line" else reply


def _replaces(fault: _faults.Fault) -> bool:
    """Whether a fault stands in the place of an answer, so that the order is not even looked at."""
    return fault.kind == "code" or fault.name in _PAGES or fault.name in _INSTEAD


#: The faults of kind "line" that leave no room for an answer.
_INSTEAD = ("reset", "stall", "endless", "endless_headers", "endless_continue", "not_http")
_PACKED = ("Content-Encoding", "gzip")

_Page = t.Callable[[_faults.Fault, t.Sequence[Pair]], Reply]


def _gateway(status: int) -> _Page:
    def page(fault: _faults.Fault, _pairs: t.Sequence[Pair]) -> Reply:
        retry_after = fault.parameters.get("retry_after")
        headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
        return Reply(status, _pages.HTML_TYPE, _pages.status_page(status), headers)

    return page


def _redirect(fault: _faults.Fault, _pairs: t.Sequence[Pair]) -> Reply:
    megabytes, location = fault.parameters["megabytes"], ("Location", fault.parameters["location"])
    if fault.parameters["packed"]:
        return Reply(fault.parameters["status"], TEXT_TYPE, _pages.packed(megabytes), (location, _PACKED))
    return Reply(fault.parameters["status"], TEXT_TYPE, bytes(megabytes << 20), (location,))


def _bomb(fault: _faults.Fault, _pairs: t.Sequence[Pair]) -> Reply:
    return Reply(fault.parameters["status"], TEXT_TYPE, _pages.packed(fault.parameters["megabytes"]), (_PACKED,))


def _own_page(fault: _faults.Fault, _pairs: t.Sequence[Pair]) -> Reply:
    given = fault.parameters
    return Reply(given["status"], given["content_type"], given["body"].encode("utf-8"))


_PAGES: t.Mapping[str, _Page] = {
    **{f"http_{status}": _gateway(status) for status in (429, 500, 502, 503, 504)},
    "empty_body": lambda fault, pairs: Reply(200, TEXT_TYPE, b""),
    "plain_error": lambda fault, pairs: Reply(fault.parameters["status"], TEXT_TYPE, b"Internal Server Error"),
    "html_page": lambda fault, pairs: Reply(200, _pages.HTML_TYPE, _pages.maintenance_page()),
    "html_echo": lambda fault, pairs: Reply(fault.parameters["status"], _pages.HTML_TYPE, _pages.echo_page(pairs)),
    "redirect": _redirect,
    "gzip_bomb": _bomb,
    "page": _own_page,
}

#: What a fault makes of the right answer.
_CHANGES: t.Mapping[str, t.Callable[[_faults.Fault, Reply], Reply]] = {
    "wrong_content_type": lambda fault, reply: dataclasses.replace(
        reply, content_type=fault.parameters["content_type"]
    ),
    "wrong_status": lambda fault, reply: dataclasses.replace(reply, status=fault.parameters["status"]),
    "gzip": lambda fault, reply: dataclasses.replace(reply, body=gzip.compress(reply.body), headers=(_PACKED,)),
    "gzip_broken": lambda fault, reply: dataclasses.replace(reply, headers=(_PACKED,)),
}
