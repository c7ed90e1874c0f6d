# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user comes in between any two calls of root's: whoever wins a race only by luck wins it here every time.

At each point at which root's run is about to look at files, or to change them, a process of the owner of the folder
has its turn, and root's goes on when it is done.
"""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import attackers
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Partner, Points, some, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import Options
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install import attacked
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install.attacked import Scene, scenes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: How many points of a run each attack is tried at.
_TRIES = 6


def _new(scene: Scene) -> Options:
    return {}


def _replaced(scene: Scene) -> Options:
    scene.old_files()
    return {}


def _given(scene: Scene) -> Options:
    scene.old_files(0)
    return {"owner": str(OTHER), "group": str(OTHER), "mode": "0644"}


def _flagged(scene: Scene) -> Options:
    scene.old_files()
    return {"mode": "0604", "attributes": "d"}


def _in_place(scene: Scene) -> Options:
    scene.old_files()
    return {"in_place": True, "owner": str(OTHER), "mode": "0640", "backup": True}


def _unsafe(scene: Scene) -> Options:
    scene.old_files()
    return {"unsafe_writes": True, "backup": True}


def _with_key(scene: Scene) -> Options:
    scene.old_files(0)
    scene.host.combined.write_bytes(attacked.KEYS["ec-key"] + b"old")
    scene.host.combined.chmod(0o600)
    return {"privatekey_path": str(scene.own_key), "combined_path": str(scene.host.combined), "backup": True}


def _pending(scene: Scene) -> Options:
    scene.old_files()
    scene.host.write_key("ec-next", scene.own_pending)
    return {
        "content": attacked.BUNDLES["ec-next"],
        "privatekey_path": str(scene.own_key),
        "pending_privatekey_path": str(scene.own_pending),
        "fullchain_path": str(scene.host.fullchain),
        "backup": True,
    }


def _undone(scene: Scene) -> Options:
    """The run before was killed when it had changed one file and not yet the other."""
    scene.old_files()
    options = {"fullchain_path": str(scene.host.fullchain), "validate": "false"}
    killed = attackers.as_root(lambda: scene.install(**options), lambda: _kill_at_rename_to(scene.path.name))
    assert killed.kind == "killed", killed
    return {"fullchain_path": str(scene.host.fullchain), "mode": "0640"}


def _kill_at_rename_to(name: str) -> None:
    import signal
    import sys

    def hook(event: str, args: tuple[t.Any, ...]) -> None:
        if event == "os.rename" and os.path.basename(os.fsdecode(args[1])) == name:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


SITUATIONS = (_new, _replaced, _given, _flagged, _in_place, _unsafe, _with_key, _pending, _undone)
ATTACKS = (
    attacked.swap_hidden,
    attacked.swap_hidden_for_own,
    attacked.destination_to_link,
    attacked.destination_to_dangling,
    attacked.destination_to_fifo,
    attacked.destination_to_hard_link,
    attacked.folder_to_link,
    attacked.folder_to_and_fro,
)

Attack = t.Callable[[Scene], attacked.Act]
Situation = t.Callable[[Scene], Options]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda one: one.__name__.strip("_"))
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
def test_nothing_of_root_is_changed_or_given_away(
    attack: Attack, situation: Situation, record_property: t.Callable[[str, object], None]
) -> None:
    # So that not all of them come to the same points.
    shift = ATTACKS.index(attack) + SITUATIONS.index(situation)
    with scenes() as another:
        scene = another()
        options = prepare(scene, situation)
        total = attackers.points_of(lambda: scene.install(**options))
        numbers = some(total, _TRIES, shift)
        won = []
        for number in numbers:
            scene = another()
            options = prepare(scene, situation)
            try:
                attack_at(scene, options, attack, number)
            except AssertionError as exc:
                won.append(f"at point {number} of {total}: {exc}")
    tried(record_property, f"{attack.__name__} between two calls".replace("_", " "), len(numbers))
    assert not won, f"he won {len(won)} of {len(numbers)} tries; {won[0]}"


def prepare(scene: Scene, situation: Situation) -> Options:
    """Put things in their places, with what root left about that the other user can make use of."""
    scene.vault.add("open", b"root's, and for all to read\n", 0o666)
    os.link(scene.vault.shadow, scene.home / "hard")
    scene.vault.seen()
    return situation(scene)


def attack_at(scene: Scene, options: Options, attack: Attack, number: int, looks: bool = False) -> None:
    """Attack at one point of root's run; that and the next one end as they should, and nothing is lost."""
    steady = attack is attacked.folder_to_and_fro
    watching = attack in (attacked.swap_hidden, attacked.swap_hidden_for_own)
    with Partner(attack(scene)) as partner:

        def at(point: int) -> None:
            # A swap that is undone at once, one that stays, or one of whatever appears from then on.
            if point == number or (steady and point == number + 1) or (watching and point > number):
                partner.act()

        outcome = attackers.as_root(lambda: scene.install(**options), Points(at, looks).install)
    outcome.must_be_civil()
    scene.must_be_harmless()
    scene.run(**options).must_be_civil()
    scene.must_be_harmless()
