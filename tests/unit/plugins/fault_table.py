# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix as data: each fault of the wire, and what has to become of it where something is collected.

It is written from what is promised, and not from what the code does:

- Only HTTP status 200 brings an answer. Connection errors (what breaks off, or is no HTTP, is one), 429, 502, 503, 504
  and status code -42 are tried again, and nothing else is (``tries``: how many calls one question costs).
- Whatever happens in a call is the failure of that order, said in a sentence; no other order fails for it.
- One call for a fleet: what one host was told, the others are told without a call, failures too.
- A wait outlives what a later poll may mend: a failed call, an answer that is none, -14, -26, -42. What no waiting
  mends ends it at once: a refusal, a rejection, a chain that is none.
- Nothing that is wrong is installed, and then no file is touched. What differs in form alone is no fault.
- More than 4 MiB of a body are never read, nothing is unpacked, and a call is over after ``request_timeout``.
"""

from __future__ import annotations

import dataclasses
import typing as t

COLUMNS = ("collect", "wait", "info", "lookup")
"""``collectssl_certificate``; the same with ``wait_timeout``; ``collectssl_order_info`` about three orders, of which
the second meets the fault; the lookup, for a whole chain."""

# What may become of it:
REFUSED = "refused"
"""It fails with a sentence, and no file is touched."""
INSTALLED = "installed"
"""The certificate is collected and installed."""
OUTLIVED = "outlived"
"""The wait goes on; the next poll finds the order issued, and the certificate is installed."""
NAMED = "named"
"""The order is told as one that could not be asked, with the reason, and the others are told as ever."""
TOLD = "told"
"""Each order is told as it stands."""
GIVEN = "given"
"""The lookup gives the chain."""


class Cells(t.NamedTuple):
    """What has to become of a fault in each column."""

    collect: str
    wait: str
    info: str
    lookup: str


FAILS = Cells(REFUSED, OUTLIVED, NAMED, REFUSED)
"""No answer came this time."""
ALL_FAIL = Cells(REFUSED, OUTLIVED, REFUSED, REFUSED)
"""No answer came this time, and none would come about any other order."""
ENDS = Cells(REFUSED, REFUSED, NAMED, REFUSED)
"""An answer, and it is no."""
STATE = Cells(REFUSED, REFUSED, TOLD, REFUSED)
"""A state of the order that no waiting mends."""
PENDING = Cells(REFUSED, OUTLIVED, TOLD, REFUSED)
"""A state of the order that waiting mends."""
NO_CHAIN = Cells(REFUSED, REFUSED, TOLD, REFUSED)
"""The certificates are no chain; a question for the status has none."""
CUT = Cells(REFUSED, OUTLIVED, TOLD, REFUSED)
"""What came ends in the middle of a certificate; the lines of a status can end anywhere."""
NOT_TO_INSTALL = Cells(REFUSED, REFUSED, TOLD, GIVEN)
"""A chain that must not be installed here and now; the lookup checks neither names nor dates nor keys."""
NO_FAULT = Cells(INSTALLED, INSTALLED, TOLD, GIVEN)
"""The same answer in another form."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A fault.

    :arg name: as the table shows it.
    :arg cells: what has to become of it.
    :arg says: a regular expression that the message has to match wherever it is a failure.
    :arg fault: the simulator's fault, with its parameters; none where the call never gets there.
    :arg astray: where calls go instead: a way of ``test_fault_matrix.py``.
    :arg tries: how many calls one question costs.
    :arg options: further options of the tasks.
    :arg unpacks: the fault would unpack to a lot, so that the memory is watched.
    :arg late: the fault ends with the call's deadline, which is there as soon as the fault has begun.
    """

    name: str
    cells: Cells
    says: str = ""
    fault: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    astray: str = ""
    tries: int = 1
    options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    unpacks: bool = False
    late: bool = False


RETRIES = 1
#: How many tries a fault gets that another try may mend.
AGAIN = RETRIES + 1

#: Those in which a call is ended by its deadline are tried once. No machine is so slow that it comes by itself.
_SLOW = {"retries": 0, "request_timeout": 600}
_LATE = r"no whole answer within 600 s"
_ZIP = {"response_type": "zip"}
_LINES = {"response_format": "lines"}


def _fault(name: str, **parameters: t.Any) -> dict[str, t.Any]:
    return {"fault": name, **parameters}


def _status(status: int, **more: t.Any) -> Row:
    """The right answer, certificates and all, under a status that says that it is none."""
    return Row(
        f"HTTP {status} over the right answer",
        FAILS,
        rf"HTTP status {status}\b",
        _fault("wrong_status", status=status),
        **more,
    )


def _code(code: int, cells: Cells, says: str = "", **more: t.Any) -> Row:
    said = says or rf"refused (order number \d+ )?with status {code}\b"
    return Row(f"status code {code}", cells, said, _fault("code", code=code, **more.pop("parameters", {})), **more)


CONNECTION = (
    Row("reset", FAILS, r"the connection was (reset|closed)", _fault("reset"), tries=AGAIN),
    Row("reset in the body", FAILS, r"the connection was|broke off", _fault("reset_in_body"), tries=AGAIN),
    Row("cut off", FAILS, r"the answer broke off", _fault("truncate"), tries=AGAIN),
    Row("cut off after no octet", FAILS, r"the answer broke off", _fault("truncate", keep=0), tries=AGAIN),
    Row("stall", FAILS, _LATE, _fault("stall"), options=_SLOW, late=True),
    Row("drip", FAILS, _LATE, _fault("drip", octets=1, interval=0.2), options=_SLOW, late=True),
    Row("endless interim answers", FAILS, _LATE + "|longer than", _fault("endless_continue"), options=_SLOW, late=True),
    Row("a drip that ends in time", NO_FAULT, fault=_fault("drip", octets=4096, interval=0.01)),
    Row("endless body", FAILS, r"longer than \d+ octets", _fault("endless")),
    Row("endless body of a form", FAILS, r"longer than \d+ octets", _fault("endless", start="errorCode=0&x=")),
    Row("endless headers", FAILS, r"cannot be used|could not be asked", _fault("endless_headers"), tries=AGAIN),
    Row("negative chunk size", FAILS, r"cannot be used|could not be asked", _fault("bad_chunk"), tries=AGAIN),
    Row(
        "chunk size in words",
        FAILS,
        r"cannot be used|could not be asked",
        _fault("bad_chunk", size="many"),
        tries=AGAIN,
    ),
    Row(
        "huge chunk size",
        FAILS,
        r"broke off|longer|cannot be used|could not",
        _fault("bad_chunk", size="f" * 40),
        tries=AGAIN,
    ),
    Row("no HTTP", FAILS, r"could not be asked", _fault("not_http"), tries=AGAIN),
    Row("refused", ALL_FAIL, r"connection refused", astray="refused", tries=AGAIN),
    Row("a name that does not resolve", ALL_FAIL, r"the name could not be resolved", astray="unknown", tries=AGAIN),
    Row("a certificate of nobody's", ALL_FAIL, r"certificate is not trusted", astray="untrusted"),
    Row("a certificate of another name", ALL_FAIL, r"certificate is not trusted", astray="misnamed"),
    Row("an expired certificate", ALL_FAIL, r"certificate is not trusted \(.*expired", astray="expired"),
    Row("no TLS", ALL_FAIL, r"does not speak TLS", astray="plain"),
    Row("broken TLS", ALL_FAIL, r"TLS|the connection was", astray="broken"),
    Row("a proxy that is not there", ALL_FAIL, r"proxy localhost:\d+.*refused", astray="no proxy", tries=AGAIN),
    Row("a proxy that refuses", ALL_FAIL, r"proxy localhost:\d+ did not connect .*403", astray="proxy 403"),
    Row("a proxy that knows no way", ALL_FAIL, r"did not connect \(HTTP status 502", astray="proxy 502", tries=AGAIN),
    Row("a proxy that wants another user", ALL_FAIL, r"wants other credentials .*407", astray="proxy 407"),
)

_OVER_THE_ANSWER = (101, 201, 204, 206, 300, 302, 304, 307, 400, 401, 403, 404, 407, 410, 451, 500, 501, 505, 520, 599)

HTTP = (
    *(_status(status) for status in _OVER_THE_ANSWER),
    *(_status(status, tries=AGAIN) for status in (429, 502, 503, 504)),
    Row("HTTP 403 with the body 0", FAILS, r"HTTP status 403\b", _fault("page", status=403, body="0")),
    Row("HTTP 206 with the body 0", FAILS, r"HTTP status 206\b", _fault("page", status=206, body="0\n")),
    Row("HTTP 500 in words", FAILS, r"HTTP status 500\b", _fault("plain_error")),
    Row("HTTP 500 as a page", FAILS, r"HTTP status 500\b", _fault("http_500")),
    Row("HTTP 429 as a page", FAILS, r"HTTP status 429, in 2 tries", _fault("http_429"), tries=AGAIN),
    Row("HTTP 502 as a page", FAILS, r"HTTP status 502, in 2 tries", _fault("http_502"), tries=AGAIN),
    Row("HTTP 503 as a page", FAILS, r"HTTP status 503, in 2 tries", _fault("http_503"), tries=AGAIN),
    Row("HTTP 504 as a page", FAILS, r"HTTP status 504, in 2 tries", _fault("http_504"), tries=AGAIN),
    Row("HTTP 503 for a day", FAILS, r"in 1 try\. It asked to wait 86400 s", _fault("http_503", retry_after=86400)),
    Row("redirect", FAILS, r"redirect \(HTTP status 302\) to localhost:1\.", _fault("redirect")),
    Row("redirect to no address", FAILS, r"redirect \(HTTP status 302\)", _fault("redirect", location="https://[")),
    Row("redirect to nowhere", FAILS, r"redirect \(HTTP status 308\)", _fault("redirect", location="", status=308)),
    Row("redirect with a huge body", FAILS, r"redirect \(HTTP status 302\)", _fault("redirect", megabytes=64)),
    Row(
        "redirect with a body that unpacks to a lot",
        FAILS,
        r"redirect \(HTTP status 302\)",
        _fault("redirect", megabytes=64, packed=True),
        unpacks=True,
    ),
    Row("packed answer", FAILS, r"compressed \(gzip\)", _fault("gzip")),
    Row("packed answer that is none", FAILS, r"compressed \(gzip\)", _fault("gzip_broken")),
    Row("packed bomb", FAILS, r"compressed \(gzip\)", _fault("gzip_bomb"), unpacks=True),
    Row("HTTP 500 over a packed bomb", FAILS, r"HTTP status 500", _fault("gzip_bomb", status=500), unpacks=True),
    Row("page of maintenance", FAILS, r"HTML", _fault("html_page")),
    Row("page that shows the password", FAILS, r"HTML", _fault("html_echo")),
    Row("HTTP 403 that shows the password", FAILS, r"HTTP status 403\b", _fault("html_echo", status=403)),
    Row("empty body", FAILS, r"empty", _fault("empty_body")),
    Row("Content-Length of no number", NO_FAULT, fault=_fault("bad_length")),
    Row("wrong content type", NO_FAULT, fault=_fault("wrong_content_type")),
)

_REFUSALS = (-1, -2, -3, -4, -5, -15, -16, -17, -18, -19, -23, -35, -36, -40, -90, -91)

CODES = (
    *(_code(code, ENDS) for code in _REFUSALS),
    _code(-14, Cells(REFUSED, OUTLIVED, NAMED, REFUSED)),
    _code(-20, STATE, r"was rejected\."),
    _code(-21, STATE, r"was revoked\."),
    _code(-22, STATE, r"still awaits payment\."),
    _code(-26, PENDING, r"is still being processed\."),
    _code(-42, FAILS, r"call limit|status -42", tries=AGAIN),
    Row(
        "status code -90 with control characters",
        ENDS,
        r"with status -90\b",
        _fault("code", code=-90, message="\x1b[2J\x1b]0;a title\x07 \u202e\x00\x9b31m and more"),
    ),
)

CERTIFICATES = (
    Row("cut off and said to be whole", CUT, r"cannot be used", _fault("truncate_body"), options=_LINES),
    Row("missing intermediate", NO_CHAIN, r"cannot be used", _fault("missing_intermediate")),
    Row("foreign intermediate", NO_CHAIN, r"cannot be used", _fault("foreign_intermediate")),
    Row("broken signature of the leaf", NO_CHAIN, r"signature", _fault("broken_signature_leaf")),
    Row("broken signature of its issuer", NO_CHAIN, r"signature", _fault("broken_signature_intermediate")),
    Row("no leaf", NO_CHAIN, r"end-entity", _fault("no_leaf")),
    Row("expired leaf", NOT_TO_INSTALL, r"expired at", _fault("expired_leaf")),
    Row("leaf of tomorrow", NOT_TO_INSTALL, r"not valid before", _fault("not_yet_valid_leaf")),
    Row("expired issuer", NO_CHAIN, r"expired", _fault("expired_intermediate")),
    Row("other names", NOT_TO_INSTALL, r"does not cover", _fault("wrong_names")),
    Row("other key", NOT_TO_INSTALL, r"does not belong to the private key", _fault("wrong_key")),
    # A private root is as good as any, and over the right key it is a chain like others.
    Row("foreign root", NO_FAULT, fault=_fault("foreign_root")),
    Row("leaf since the year 950", NO_FAULT, fault=_fault("ancient_leaf")),
    Row("scrambled chain", NO_FAULT, fault=_fault("scrambled_chain")),
    Row("leaf first", NO_FAULT, fault=_fault("leaf_first")),
    Row("each certificate twice", NO_FAULT, fault=_fault("duplicate_certificates")),
    Row("strangers in the chain", NO_FAULT, fault=_fault("extra_certificates")),
    Row("ZIP bomb", NO_CHAIN, r"ZIP", _fault("zip_bomb", megabytes=64), options=_ZIP, unpacks=True),
    Row("ZIP of very many entries", NO_CHAIN, r"ZIP", _fault("zip_many_entries", entries=300), options=_ZIP),
    Row("ZIP entry 2^63 octets away", NO_CHAIN, r"ZIP", _fault("zip_far_away"), options=_ZIP),
    # The names of entries are never used, and what is no certificate is left out.
    Row("ZIP entry without a name", NO_FAULT, fault=_fault("zip_nameless"), options=_ZIP),
    Row("ZIP entries that climb", NO_FAULT, fault=_fault("zip_climbing_names"), options=_ZIP),
    Row("CR LF", NO_FAULT, fault=_fault("crlf"), options=_LINES),
    Row("no final newline", NO_FAULT, fault=_fault("no_final_newline"), options=_LINES),
)

ROWS = (*CONNECTION, *HTTP, *CODES, *CERTIFICATES)
