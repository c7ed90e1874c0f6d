# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers damaged at random, as the unit tests damage them, for as long as one likes."""

from __future__ import annotations

import json
import time

from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.soaking import Share, Soak

_SECONDS = 5
"""Far more than any answer needs; a search that goes back over what it has read would take hours."""


def test_damaged_answers_are_read_or_refused(soak: Soak) -> None:
    soak.spread(_read)
    assert all(soak.counts[kind] for kind in ("a chain", "no chain", "a chain that is refused", "no answer"))


def _read(share: Share) -> None:
    whole = subjects.samples()
    while share.going_on():
        request, body = subjects.damaged(share.rng, whole)
        started = time.process_time()
        try:
            share.counts[_kind(body, request)] += 1
            assert time.process_time() - started < _SECONDS
        except Exception as exc:
            raise AssertionError(f"{request!r} {body!r}") from exc


def _kind(body: bytes, request: subjects.CollectRequest) -> str:
    """What an answer is good for; nothing but the two errors for answers is raised, and those have words."""
    try:
        response = subjects.parse(body, "text/plain", request)
    except subjects.ProtocolError as error:
        return _worded("no answer", error)
    assert subjects.parse(body, "text/plain", request) == response
    hash(response)
    order = response.order(request)
    assert order["state"] == response.state
    # It becomes the result of a task, which is written to a terminal and to logs.
    json.dumps(order, ensure_ascii=False, allow_nan=False).encode("utf-8")
    if not response.certificates and not response.container:
        return "no chain"
    try:
        bundle = subjects.bundle_of_answer(response, request, subjects.NOW)
    except subjects.ChainError as error:
        return _worded("a chain that is refused", error)
    assert isinstance(bundle, subjects.Bundle)
    return "a chain"


def _worded(kind: str, error: Exception) -> str:
    if not str(error):
        raise AssertionError("an error without a word")
    return kind
