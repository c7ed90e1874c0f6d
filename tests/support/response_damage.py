# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real answers, and every way to damage them."""

from __future__ import annotations

import random
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import Style
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ISSUED,
    SHAPES,
    answer_for,
    rendered,
)

_WORDS = (
    *(b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"-----", b"\n\n", b"\r", b"&", b"=", b"%", b"%0A"),
    *(b"errorCode=2&", b"certificate=", b"caCertificate=MII", b"zipFile=UEsDB", b"PK\x03\x04", b"PK\x05\x06", b"MII"),
    *(b"0\x80", b"0\x84\xff\xff\xff\xff", b"\x00\x00", b"\x06\x09", b"\xef\xbb\xbf", b"\xff", b"99999999999999999999"),
    *(
        b"-1 - ",
        b"Issued",
        b"a.example VALIDATED",
        b"31/02/2003 13/05/2004",
        b"notAfter=1e9",
        b"<html>",
        b"\xe2\x80\x93",
    ),
)

Sample = tuple[CollectRequest, bytes]
_Damage = t.Callable[[random.Random, bytes, bytes], bytes]


def samples() -> list[Sample]:
    """Requests with a real answer to each: of every shape, in both formats, issued, pending and refused."""
    found = []
    for response_type, encoding, query_type in SHAPES:
        for response_format in ("lines", "urlencoded"):
            request = CollectRequest(
                "order_number",
                "1",
                query_type=query_type,
                response_type=response_type,
                response_encoding=encoding,
                response_format=response_format,
                show=SHOW,
            )
            for code in (ISSUED, 0, -4):
                for style in (Style(), Style(netscape_armour=False, pkcs7_armour=True, newline="\r\n", blank_lines=1)):
                    found.append((request, rendered(answer_for(code), request, style)[1]))
    return found


def _flip(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    damaged = bytearray(body)
    for _count in range(rng.randint(1, 4)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    begin, end = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    return rng.choice((body[begin:], body[:end], body[:begin] + body[end:]))


def _splice(rng: random.Random, body: bytes, other: bytes) -> bytes:
    return body[: rng.randrange(len(body) + 1)] + other[rng.randrange(len(other) + 1) :]


def _repeat(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    separator = rng.choice((b"\n", b"&"))
    lines = body.split(separator)
    at = rng.randrange(len(lines))
    return separator.join(lines[:at] + lines[at : at + 1] * rng.randint(2, 4) + lines[at + 1 :])


def _shuffle(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    separator = rng.choice((b"\n", b"&"))
    lines = body.split(separator)
    rng.shuffle(lines)
    return separator.join(lines)


def _insert(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(_WORDS) + body[at:]


def _noise(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    return rng.randbytes(rng.randrange(200))


def _words(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    return rng.choice((b"", b"2\n", b"0\n", b"-4\n", b"errorCode=2&")) + b"".join(
        rng.choice(_WORDS) for _count in range(rng.randrange(12))
    )


_DAMAGES: tuple[_Damage, ...] = (_flip, _cut, _splice, _repeat, _shuffle, _insert, _noise, _words)


def damaged(rng: random.Random, whole: list[Sample]) -> Sample:
    """A request with an answer that was damaged once or more often, now and then that of another request."""
    request, body = rng.choice(whole)
    for _count in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(_DAMAGES)(rng, body or b"\n", rng.choice(whole)[1])
    return (request if rng.random() < 0.8 else rng.choice(whole)[0]), body
