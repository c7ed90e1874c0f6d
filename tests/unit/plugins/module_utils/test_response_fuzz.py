# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes at random, and real answers damaged at random: a value or the one error, and soon."""

from __future__ import annotations

import os
import random
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import bundle_of_answer
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import Style
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils.response_support import (
    ISSUED,
    SHAPES,
    answer_for,
    rendered,
)
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils.chain_support import NOW

#: Set it to the seed that a failed run printed, to run the same again.
_SEED = int(os.environ.get("COLLECTSSL_FUZZ_SEED") or time.time_ns() % 1_000_000_007)
_SECONDS = float(os.environ.get("COLLECTSSL_FUZZ_SECONDS") or 3)
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

_Sample = tuple[CollectRequest, bytes]
_Damage = t.Callable[[random.Random, bytes, bytes], bytes]


def _samples() -> list[_Sample]:
    samples = []
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
                    samples.append((request, rendered(answer_for(code), request, style)[1]))
    return samples


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


def _damaged(rng: random.Random, samples: list[_Sample]) -> _Sample:
    request, body = rng.choice(samples)
    for _count in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(_DAMAGES)(rng, body or b"\n", rng.choice(samples)[1])
    return (request if rng.random() < 0.8 else rng.choice(samples)[0]), body


def test_damaged_answers_give_a_value_or_the_one_error() -> None:
    print(f"COLLECTSSL_FUZZ_SEED={_SEED}")
    rng = random.Random(_SEED)  # noqa: S311
    samples = _samples()
    outcomes = {"answer": 0, "chain": 0, "refused": 0}
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        request, body = _damaged(rng, samples)
        try:
            outcomes[_outcome(body, request)] += 1  # a refusal without a word is a KeyError
        except Exception as exc:
            raise AssertionError(f"COLLECTSSL_FUZZ_SEED={_SEED}: {request!r} {body!r}") from exc
    print(outcomes)
    assert all(outcomes.values()), outcomes


def _outcome(body: bytes, request: CollectRequest) -> str:
    try:
        response = parse(body, "text/plain", request)
    except ProtocolError as error:
        return "refused" if str(error) else "refused without a word"
    assert isinstance(response, CollectResponse)
    assert response.order(request)["state"] == response.state
    hash(response)
    if not response.certificates and not response.container:
        return "answer"
    try:
        bundle = bundle_of_answer(response, request, NOW)
    except ChainError as error:
        return "answer" if str(error) else "refused without a word"
    assert isinstance(bundle, Bundle)
    return "chain"


_SIZE = 300_000


@pytest.mark.parametrize(
    "body",
    [
        b"2\n" + b"-----BEGIN CERTIFICATE-----\n" * (_SIZE // 28),
        b"2\n-----BEGIN CERTIFICATE-----\n" + b"A" * _SIZE,
        b"2\n-----BEGIN " + b"A" * _SIZE,
        b"2\n" + b"-----END X" * (_SIZE // 10),
        b"2\n" + b"a.a" * (_SIZE // 3) + b" ,",
        b"2\n" + b"MIIA\n" * (_SIZE // 5),
        b"2\n" + b"MIAA" * (_SIZE // 4),
        b"0\n" + b"1\n" * (_SIZE // 2),
        b"0\n" + b"\n" * _SIZE + b"1",
        b"0\n" + b"1" + b" " * _SIZE + b"x",
        b"0\n" + b"a.b VALIDATED," * (_SIZE // 14) + b"x",
        b"0\n" + b"-\n" * (_SIZE // 2),
        b"0" * _SIZE,
        b" " * _SIZE + b"x",
        b"&" * _SIZE + b"errorCode=0",
        b"errorCode=0&" + b"a=&" * (_SIZE // 3),
        b"errorCode=0&" + b"".join(b"k%d=&" % number for number in range(_SIZE // 8)),
        b"errorCode=" + b"9" * _SIZE,
        b"errorCode=2&certificate=" + b"%" * _SIZE,
        b"errorCode=2&zipFile=UEsDB" + b"A" * _SIZE,
        b"0\x80" + b"0\x80" * (_SIZE // 2),
        b"0\x80\x06\x00" + b"\x04\x00" * (_SIZE // 2),
        b"PK\x03\x04" + b"PK\x05\x06" * (_SIZE // 4),
        b"\x00" * _SIZE,
        b"\xff" * _SIZE,
        b"<" * _SIZE,
    ],
    ids=lambda body: repr(bytes(body[:24])),
)
@pytest.mark.parametrize("encoding", ["base64", "binary"])
def test_large_and_hostile_answers_are_read_in_bounded_time(body: bytes, encoding: str) -> None:
    request = CollectRequest("order_number", "1", response_type="pkcs7", response_encoding=encoding, show=SHOW)
    begin = time.process_time()
    _outcome(body, request)
    # Far more than needed; a search that goes back over what it has read would take hours.
    assert time.process_time() - begin < 5
