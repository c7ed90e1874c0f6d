# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No sign that a terminal obeys, or that nobody sees, gets from a stranger into a result, a message or a report."""

from __future__ import annotations

import datetime
import json
import sys
import typing as t
import unicodedata
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.filter.fleet_report import FilterModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import diff
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable, printable, quoted
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_STATUS,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _sentences
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import (
    bundle_of_content,
    describe_pem,
    first_of_pem,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.secrets import scrubber
from ansible_collections.certfleet.collectssl.tests.support import authority
from ansible_collections.certfleet.collectssl.tests.support.https_server import Server, answer, send
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import asker_of
from cryptography import x509

# Colours, a title for the window, the beginning of the line, the other direction, no width, lines, tags, C1.
_WORDS = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\rb",
    "a\bb",
    "a\x00b",
    "a\x7fb",
    "a\x9b31mb",
    "a\x85b",
    "\u202eevil\u202c",
    "\u2066evil\u2069",
    "a\u200bb",
    "a\u200db",
    "a\ufeffb",
    "a\u2028b",
    "a\u2029b",
    "a\xadb",
    "a\U000e0041b",
)
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
# Fillers, joiners and what stands for an object or for what could not be read are letters, marks and symbols.
_UNSEEN_LETTERS = (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)
_REQUESTS = [
    CollectRequest("order_number", "12", query_type=query_type, response_format=form, show=show_everything("ssl"))
    for query_type in (QUERY_ALL, QUERY_STATUS)
    for form in ("lines", "urlencoded")
]
_NOW = datetime.datetime.now(datetime.timezone.utc)


def hidden(text: str, lines: bool = True) -> list[str]:
    """The signs of a text that are not seen, less the ends of its lines and tabs."""
    return [char for char in text if unicodedata.category(char) in _HIDDEN and not (lines and char in "\n\t")]


def everything(value: t.Any) -> str:
    """All text in a value, as JSON without escapes would have it."""
    if isinstance(value, dict):
        return " ".join(everything(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return " ".join(map(everything, value))
    return str(value)


def test_every_sign_that_is_not_seen_is_written_out_and_no_other() -> None:
    chars = [chr(code) for code in range(sys.maxunicode + 1) if chr(code) != "|"]
    # All at once, which is quicker by far.
    shown = printable("|".join(chars))
    assert printable(shown) == shown
    assert not hidden(decodable("|".join(chars)))
    for char, written in zip(chars, shown.split("|"), strict=True):
        code = ord(char)
        if unicodedata.category(char) in _HIDDEN:
            assert written in (f"\\x{code:02x}", f"\\u{code:04x}", f"\\U{code:08x}")
        elif written != char and unicodedata.category(char) != "Cn":
            assert code in _UNSEEN_LETTERS or 0xE0100 <= code <= 0xE01EF or 0x13430 <= code <= 0x1343F, hex(code)


@pytest.mark.parametrize(
    "text", ["Zürich", "bücher.example", "例え.jp", "مثال", "Ελλάς", "O=\u201eGmbH & Co\u201c", "\ufffd", "🔒", "a b"]
)
def test_letters_of_any_script_stay(text: str) -> None:
    assert printable(text) == decodable(text) == text


def test_text_of_several_lines_keeps_them() -> None:
    assert printable("one\r\ntwo\n\tthree\rfour", lines=True) == "one\ntwo\n\tthree\\x0dfour"
    assert printable("one\n\ttwo") == "one\\x0a\\x09two"


@pytest.mark.parametrize(
    "secret", ["pass\x1bword", "pass word\tand\nmore", "p\u200bq\u202er", "p\U000e0041q", "x\x85\xadx"]
)
def test_a_secret_is_found_in_what_was_made_printable(secret: str) -> None:
    scrub = scrubber([secret])
    for lines in (False, True):
        assert scrub(printable(f"said {secret}.", lines=lines)) == "said ***."


@pytest.mark.parametrize("request_", _REQUESTS)
@pytest.mark.parametrize("word", _WORDS)
def test_an_answer_is_printable_whatever_it_says(word: str, request_: CollectRequest) -> None:
    lines = [
        "{0}",
        word,
        "01/01/2026 02/01/2026",
        f"{word}.example",
        word,
        "Issued",
        f"a.example VALIDATED, {word}.x A",
    ]
    names = (
        *("errorMessage", "errorItem", "fqdn", "certificateStatus", "validationStatus", "caaStatus", "csrStatus"),
        *("mdcDomainDetails", f"new{word}"),
    )
    fields = dict.fromkeys(names, word)
    domains = {**fields, "mdcDomainDetails": f"{word}.example NOTVALIDATED, b.example AWAITING{word}"}
    told, refusals = 0, []
    for code in (0, 1, -3, -16, -20, -21, -22, -26, -1234):
        bodies = [
            "\n".join(lines).format(code),
            *(urllib.parse.urlencode({"errorCode": code, **f}) for f in (fields, domains)),
        ]
        for body in bodies:
            try:
                order = parse(body.encode("utf-8"), f"text/{word}", request_).order(request_)
            except CollectError as error:
                refusals.append(str(error))
                continue
            told += 1
            assert not hidden(everything(order), lines=False), order
            said = [
                _sentences.why_not_issued(request_, order),
                _sentences.standing(request_, order),
                _sentences.summary([(request_, order)]),
                _sentences.outstanding(order),
            ]
            assert not hidden("".join(said), lines=False), said
    assert told > 10
    assert not hidden("".join(refusals), lines=False)


def hostile_chain(word: str, validity: tuple[datetime.datetime, datetime.datetime] | None = None) -> tuple[bytes, ...]:
    """A chain whose every name is a stranger's, leaf first."""
    top = authority.root(f"Root {word}")
    issuing = top.subordinate(f"Issuing {word}")
    # What stands in a DNS name is ASCII.
    plain = word.encode("ascii", "ignore").decode("ascii")
    names = [x509.DNSName(f"{plain}.example.com"), x509.DNSName("www.example.com")]
    validity = validity or authority.from_now(-1, 90)
    return (issuing.leaf(f"Leaf {word}", validity=validity, names=names), issuing.der, top.der)


@pytest.mark.parametrize("word", _WORDS)
def test_a_certificate_is_described_in_printable_words(word: str) -> None:
    ders = hostile_chain(word)
    bundle = bundle_of_content(authority.pem_of(*ders), _NOW)
    described = bundle.described(_NOW)
    assert not hidden(everything(described), lines=False), described
    assert not hidden(everything(first_of_pem(authority.pem_of(ders[0]), _NOW)), lines=False)
    faults = [
        lambda: bundle.check_names(["other.example.com"]),
        lambda: bundle.check_validity(_NOW, 36500),
        lambda: bundle_of_content(authority.pem_of(authority.broken(ders[0]), *ders[1:]), _NOW),
        lambda: bundle_of_content(authority.pem_of(ders[0], ders[2]), _NOW),
        lambda: bundle_of_content(authority.pem_of(ders[0], hostile_chain(word)[0], *ders[1:]), _NOW),
    ]
    for fault in faults:
        with pytest.raises(CollectError) as caught:
            fault()
        assert not hidden(str(caught.value), lines=False)


@pytest.mark.parametrize("word", _WORDS)
def test_diff_and_report_are_printable(word: str) -> None:
    pem = authority.pem_of(*hostile_chain(word))
    shown = diff.of_file(
        "/x", pem.encode(), (word + pem).encode(), {"before": {"owner": word}, "after": {"group": word}}
    )
    assert not hidden(describe_pem(shown["before"]) + describe_pem(shown["after"]))
    order = parse(urllib.parse.urlencode({"errorCode": -3, "errorMessage": word}).encode(), None, _REQUESTS[0]).order(
        _REQUESTS[0]
    )
    result = {
        "certificates": [
            {
                "name": "www",
                "state": "installed",
                "msg": "",
                "installed": None,
                "order": {"order_number": "12", **order},
            }
        ],
        "endpoints": [
            {
                "certificate": "www",
                "host": "web1",
                "port": 443,
                "server_name": None,
                "starttls": None,
                "connect_from": "target",
                "served": first_of_pem(pem, _NOW),
                "reason": "",
                "fingerprint_sha256": "00",
                "verified": False,
                "verify_error": "",
                "serves": False,
            }
        ],
    }
    host = {"host": "web1", "result": result}
    report = FilterModule().filters()["fleet_report"]([host])
    assert "Leaf" in everything(report) or "example.com" in everything(report)
    assert not hidden(everything(report)), report


@pytest.mark.parametrize("word", [word for word in _WORDS if not set("\r\n\x00") & set(word)])
def test_what_a_server_says_outside_of_an_answer_is_printable(identity: Identity, word: str) -> None:
    head = f"HTTP/1.1 {{}} {word}\r\nContent-Length: {{}}\r\n"
    kind = f"Content-Type: text/{word}\r\n"
    page = f"<html>{word}</html>".encode()
    replies = [
        (head.format(200, len(page)) + kind + "\r\n").encode() + page,
        (head.format(403, len(page)) + kind + "\r\n").encode() + page,
        (head.format(302, 0) + f"Location: https://{word}.example/{word}\r\n\r\n").encode(),
        (head.format(503, 0) + f"Retry-After: {word}\r\n\r\n").encode(),
        (head.format(200, 3) + f"Content-Encoding: {word}\r\n\r\n").encode() + b"abc",
        f"{word}\r\n\r\n".encode(),
        f"HTTP/1.1 200 OK\r\n{word}\r\n\r\n".encode(),
        answer("errorCode=0", 200, f"Set-Cookie: {word}={word}"),
    ]
    said: list[str] = []
    with Server(identity.context(), *(send(reply, keep=False) for reply in replies)) as server:
        for _reply in replies:
            asked = asker_of(server, identity)
            try:
                asked.ask()
            except CollectError as error:
                said.append(str(error))
            said += asked.details
    # The last two are answers, whatever stands beside them.
    assert len(said) >= 2 * len(replies) - 2
    assert not hidden("".join(said), lines=False)
    assert len(server.calls) == len(replies)


@pytest.mark.parametrize("word", _WORDS)
def test_banners_and_results_of_modules_are_printable(word: str) -> None:
    assert not hidden(quoted(word), lines=False)
    assert not hidden(json.loads(json.dumps(decodable(f"{word} \udcff \ud800"))))
