# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a folder comes in between any two calls of root's, looks at files included.

The unit tests take a few points of each run.
"""

from __future__ import annotations

import functools
import os

import pytest
from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.soaking import CORES, Share, Soak


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_installation_into_a_folder_of_another_user(soak: Soak) -> None:
    soak.spread(_attack)
    assert soak.counts["attacked"]


def _attack(share: Share) -> None:
    """Each combination in turn, beginning anywhere, at all of its points in an order that chance has made."""
    left = [(attack, situation) for attack in subjects.ATTACKS for situation in subjects.SITUATIONS][
        share.number :: CORES
    ]
    share.rng.shuffle(left)
    points = {}
    for attack, situation in left:
        with subjects.scene() as scene:
            options = subjects.prepare_attack(scene, situation)
            total = subjects.points_of(functools.partial(scene.install, **options), looks=True)
        points[attack, situation] = share.rng.sample(range(1, total + 1), total)
    while left and share.going_on():
        for one in list(left):
            attack, situation = one
            with subjects.scene() as scene:
                options = subjects.prepare_attack(scene, situation)
                number = points[one].pop()
                try:
                    subjects.attack_at(scene, options, attack, number, looks=True)
                except AssertionError as exc:
                    raise AssertionError(f"{attack.__name__}, {situation.__name__}, point {number}: {exc}") from exc
            share.counts["attacked"] += 1
            if not points[one]:
                left.remove(one)
                share.counts["installations attacked at every point"] += 1
            if not share.going_on():
                break
