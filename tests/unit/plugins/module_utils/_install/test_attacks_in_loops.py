# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user who does nothing but wait for the moment, in loops without a pause, while root installs."""

from __future__ import annotations

import os
import signal
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import attackers
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Crowd, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import Options, bundle, leaf
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install import attacked
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install.attacked import Scene, scenes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: In how many runs of root's the other user has to have done something, and how many are tried for that.
_TRIES, _AT_MOST = 20, 400

#: One of two certificates, so that each run has something to do.
_BUNDLES = [bundle("ec-key", serial) for serial in (0, 1)]
_LEAVES = [leaf("ec-key", serial) for serial in (0, 1)]


def _plain(scene: Scene) -> Options:
    return {}


def _given(scene: Scene) -> Options:
    return {"owner": str(OTHER), "mode": "0644"}


def _flagged(scene: Scene) -> Options:
    return {"owner": str(OTHER), "attributes": "d"}


def _in_place(scene: Scene) -> Options:
    return {"in_place": True, "owner": str(OTHER)}


def _unsafe(scene: Scene) -> Options:
    return {"unsafe_writes": True, "backup": True}


def _pending(scene: Scene) -> Options:
    scene.host.write_key("ec-key", scene.own_pending)
    return {
        "privatekey_path": str(scene.host.key),
        "pending_privatekey_path": str(scene.own_pending),
        "owner": str(OTHER),
    }


def _undone(scene: Scene) -> Options:
    options = {"fullchain_path": str(scene.host.fullchain)}
    killed = attackers.as_root(
        lambda: scene.install(**options, content=attacked.BUNDLES["ec-next"]), _killed_when_it_comes_to(scene.path.name)
    )
    assert killed.kind == "killed", killed
    return options


def _killed_when_it_comes_to(name: str) -> t.Callable[[], None]:
    def hook(event: str, args: tuple[t.Any, ...]) -> None:
        if event == "os.rename" and os.path.basename(os.fsdecode(args[1])) == name:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(hook)


_RACES: list[tuple[t.Callable[[Scene], attacked.Act], t.Callable[[Scene], Options]]] = [
    (attacked.swap_hidden, _given),
    (attacked.swap_hidden, _flagged),
    (attacked.swap_hidden, _pending),
    (attacked.hidden_to_and_fro, _undone),
    (attacked.swap_hidden_for_own, _given),
    (attacked.swap_hidden_for_own, _in_place),
    (attacked.folder_to_and_fro, _plain),
    (attacked.folder_to_and_fro, _unsafe),
    (attacked.folder_to_and_fro, _undone),
    (attacked.destination_to_and_fro, _in_place),
    (attacked.destination_to_and_fro, _unsafe),
    (attacked.destination_to_and_fro, _undone),
]


@pytest.mark.parametrize(
    ("attack", "situation"), _RACES, ids=[f"{one.__name__}-{two.__name__.strip('_')}" for one, two in _RACES]
)
def test_no_moment_is_the_right_one(
    attack: t.Callable[[Scene], attacked.Act],
    situation: t.Callable[[Scene], Options],
    record_property: t.Callable[[str, object], None],
) -> None:
    won = []
    count = tries = 0
    with scenes() as another:
        while count < _TRIES and tries < _AT_MOST:
            tries += 1
            scene = another()
            scene.old_files()
            scene.vault.add("open", b"root's, and for all to read\n", 0o666)
            options = {"content": _BUNDLES[tries % 2], **situation(scene)}
            act = attack(scene)
            if attack in (attacked.folder_to_and_fro, attacked.hidden_to_and_fro):
                act = attacked.now_and_then(act)
            outcome, hits = _race(scene, act, options)
            count += hits > 0
            try:
                outcome.must_be_civil()
                scene.must_be_harmless()
            except AssertionError as exc:
                won.append(f"in run {tries}: {exc}")
    assert count == _TRIES, "the other user hardly came to do anything"
    tried(record_property, f"{attack.__name__} in a loop".replace("_", " "), count)
    assert not won, f"he won {len(won)} of {tries} runs; {won[0]}"


def _race(scene: Scene, act: attacked.Act, options: Options) -> tuple[attackers.Outcome, int]:
    """What came of root's run, and how often the other user did something meanwhile."""
    with Crowd(act) as crowd:
        before = crowd.hits
        outcome = scene.run(**options)
        return outcome, crowd.hits - before
