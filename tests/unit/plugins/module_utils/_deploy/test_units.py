# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates stand and fall together."""

from __future__ import annotations

import itertools

import hypothesis
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.units import units
from hypothesis import strategies as st


def test_units() -> None:
    nginx, haproxy = ("service", "nginx"), ("service", "haproxy")
    assert units([]) == []
    assert units([("a", [nginx]), ("b", [haproxy]), ("c", [nginx])]) == [["a", "c"], ["b"]]
    assert units([("a", []), ("b", [])]) == [["a"], ["b"]]
    # One that shares with two brings these together, too.
    assert units([("a", [nginx]), ("b", [haproxy]), ("c", [nginx, haproxy])]) == [["a", "b", "c"]]
    # A command and a service of one name are two things.
    assert units([("a", [nginx]), ("b", [("validate", "nginx")])]) == [["a"], ["b"]]


@hypothesis.settings(deadline=None, database=None, derandomize=True)
@hypothesis.given(st.lists(st.lists(st.integers(0, 8), max_size=3), max_size=8))
def test_two_share_something_directly_or_through_others_exactly_when_they_are_in_one_unit(
    shared: list[list[int]],
) -> None:
    names = [f"c{number}" for number in range(len(shared))]
    found = units(list(zip(names, shared, strict=True)))
    assert sorted(name for unit in found for name in unit) == sorted(names)
    reach = {name: {name} for name in names}
    for _round in names:
        for (one, mine), (other, theirs) in itertools.combinations(zip(names, shared, strict=True), 2):
            if set(mine) & set(theirs):
                reach[one] |= reach[other]
                reach[other] |= reach[one]
    for unit in found:
        assert all(reach[name] <= set(unit) for name in unit)
    for mine_too, theirs_too in itertools.combinations(found, 2):
        assert not {thing for name in mine_too for thing in shared[names.index(name)]} & {
            thing for name in theirs_too for thing in shared[names.index(name)]
        }
