# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of the unit tests, with as many examples as there is time for."""

from __future__ import annotations

import functools
import typing as t

import hypothesis
import pytest
from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.soaking import Share, Soak


@pytest.mark.parametrize("name", subjects.PROPERTIES)
def test_more_examples(name: str, soak: Soak) -> None:
    soak.spread(functools.partial(_explore, name))
    assert soak.counts["examples"]


def _explore(name: str, share: Share) -> None:
    test = subjects.PROPERTIES[name]
    inner = test.hypothesis.inner_test

    @functools.wraps(inner)
    def counted(*args: t.Any, **kwargs: t.Any) -> None:
        share.counts["examples"] += 1
        inner(*args, **kwargs)

    test.hypothesis.inner_test = counted
    while share.going_on():
        # One run of Hypothesis does not repeat itself much, and ends after as many examples as its test says.
        hypothesis.seed(share.rng.getrandbits(64))(test)()
