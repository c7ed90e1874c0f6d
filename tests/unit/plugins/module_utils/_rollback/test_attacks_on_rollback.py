# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user attacks while root keeps files of his folder, and puts them back."""

from __future__ import annotations

import functools
import os
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import rollback_point_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._rollback.point import RollbackPoint
from ansible_collections.certfleet.collectssl.tests.support import attackers
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Partner, Points, some, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install import attacked
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install.attacked import (
    Scene,
    scene,
    scenes,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_TRIES = 6
_ATTACKS = (
    attacked.swap_hidden,
    attacked.destination_to_link,
    attacked.destination_to_dangling,
    attacked.destination_to_fifo,
    attacked.folder_to_link,
    attacked.folder_to_and_fro,
)


def _point(place: Scene, state: str) -> dict[str, t.Any]:
    """Run the module."""
    arguments = {
        "_ansible_no_log": True,
        "_ansible_tmpdir": str(place.tmp),
        "name": "www",
        "directory": str(place.own / "points"),
        "paths": [str(place.path), str(place.host.fullchain)],
        "state": state,
    }
    with module_arguments(arguments):
        module = basic.AnsibleModule(supports_check_mode=True, **rollback_point_spec().kwargs())
    with Places() as places:
        point = RollbackPoint(module, places)
        return {**{"present": point.keep, "restored": point.restore}[state](), "changed": True}


def _prepared(place: Scene, state: str) -> None:
    """Files of before, which are kept already and were changed since where they are to be put back."""
    place.old_files()
    for path in (place.path, place.host.fullchain):
        place.vault.add(path.name, b"another file of root's, of the same name\n")
    if state == "restored":
        attackers.as_root(lambda: _point(place, "present")).must_install()
        for path in (place.path, place.host.fullchain):
            path.write_text("of after\n")


@pytest.mark.parametrize("state", ["present", "restored"])
@pytest.mark.parametrize("attack", _ATTACKS, ids=lambda one: one.__name__)
def test_nothing_of_root_is_changed_or_given_away(
    attack: t.Callable[[Scene], attacked.Act], state: str, record_property: t.Callable[[str, object], None]
) -> None:
    with scenes() as another:
        place = another()
        _prepared(place, state)
        total = attackers.points_of(functools.partial(_point, place, state))
        numbers = some(total, _TRIES, _ATTACKS.index(attack))
        for number in numbers:
            place = another()
            _prepared(place, state)
            _attacked_at(place, attack, state, number)
    tried(record_property, f"{attack.__name__} at a rollback point".replace("_", " "), len(numbers))


def _attacked_at(place: Scene, attack: t.Callable[[Scene], attacked.Act], state: str, number: int) -> None:
    steady = attack is attacked.folder_to_and_fro
    with Partner(attack(place)) as partner:

        def at(point: int) -> None:
            if (
                point == number
                or (steady and point == number + 1)
                or (attack is attacked.swap_hidden and point > number)
            ):
                partner.act()

        attackers.as_root(lambda: _point(place, state), Points(at).install).must_be_civil()
    place.must_be_harmless()
    attackers.as_root(lambda: _point(place, state)).must_be_civil()
    place.must_be_harmless()


@pytest.mark.parametrize("attack", [attacked.destination_to_link, attacked.destination_to_dangling])
def test_a_planted_link_is_not_kept(
    attack: t.Callable[[Scene], attacked.Act], record_property: t.Callable[[str, object], None]
) -> None:
    with scene() as place:
        place.old_files()
        place.other(attack(place))
        outcome = attackers.as_root(lambda: _point(place, "present"))
        outcome.must_refuse("site.pem is a symbolic link", str(OTHER))
        place.must_be_harmless()
    tried(record_property, f"{attack.__name__} before it is kept".replace("_", " "), 1)
