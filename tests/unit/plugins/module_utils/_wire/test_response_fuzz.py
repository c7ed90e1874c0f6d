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
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_answer
from ansible_collections.certfleet.collectssl.tests.support.authority import NOW
from ansible_collections.certfleet.collectssl.tests.support.response_damage import damaged, samples

#: Set it to the seed that a failed run printed, to run the same again.
_SEED = int(os.environ.get("COLLECTSSL_FUZZ_SEED") or time.time_ns() % 1_000_000_007)
_SECONDS = float(os.environ.get("COLLECTSSL_FUZZ_SECONDS") or 3)


def test_damaged_answers_give_a_value_or_the_one_error(record_property: t.Callable[[str, object], None]) -> None:
    print(f"COLLECTSSL_FUZZ_SEED={_SEED}")
    rng = random.Random(_SEED)  # noqa: S311
    whole = samples()
    outcomes = {"answer": 0, "chain": 0, "refused": 0}
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        request, body = damaged(rng, whole)
        try:
            outcomes[_outcome(body, request)] += 1  # a refusal without a word is a KeyError
        except Exception as exc:
            raise AssertionError(f"COLLECTSSL_FUZZ_SEED={_SEED}: {request!r} {body!r}") from exc
    print(outcomes)
    record_property("tried", f"hostile body: damaged at random: {sum(outcomes.values())}")
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
def test_large_and_hostile_answers_are_read_in_bounded_time(
    body: bytes, encoding: str, record_property: t.Callable[[str, object], None]
) -> None:
    request = CollectRequest("order_number", "1", response_type="pkcs7", response_encoding=encoding, show=SHOW)
    begin = time.process_time()
    _outcome(body, request)
    # Far more than needed; a search that goes back over what it has read would take hours.
    assert time.process_time() - begin < 5
    record_property("tried", "hostile body: large and made to be read for hours: 1")
