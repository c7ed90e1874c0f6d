# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user attacks while root holds files of his folder, puts them back, or lets them go."""

from __future__ import annotations

import functools
import os
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import deploy as under_test
from ansible_collections.certfleet.collectssl.tests.support import attackers
from ansible_collections.certfleet.collectssl.tests.support.attackers import (
    OTHER,
    Outcome,
    Partner,
    Points,
    some,
    tried,
)
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install import attacked
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install.attacked import (
    Scene,
    scene,
    scenes,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_TRIES = 4
_ATTACKS = (
    attacked.swap_hidden,
    attacked.swap_hidden_for_own,
    attacked.destination_to_link,
    attacked.destination_to_dangling,
    attacked.destination_to_fifo,
    attacked.folder_to_link,
    attacked.folder_to_and_fro,
)
#: What the controller says of its look: nothing yet, that all is well, or what is wrong.
_SHOWN: dict[str, dict[str, str]] = {"held": {}, "let_go": {"www": ""}, "put_back": {"www": "It shows another one."}}


def _deploy(place: Scene, shown: dict[str, str]) -> dict[str, t.Any]:
    """Run the target side, as who this process is, and in it."""
    certificate = {
        "name": "www",
        "content": attacked.BUNDLES["ec-key"],
        "path": str(place.path),
        "fullchain_path": str(place.host.fullchain),
        "privatekey_path": str(place.own_key),
        "endpoints": [{"host": "192.0.2.1", "port": 443, "connect_from": "controller"}],
    }
    arguments = {
        "certificates": [certificate],
        "_shown": shown,
        "_ansible_no_log": True,
        "_ansible_tmpdir": str(place.tmp),
    }
    with module_arguments(arguments):
        kwargs = deploy_spec().kwargs()
        kwargs["argument_spec"]["_shown"] = {"type": "dict"}
        module = basic.AnsibleModule(supports_check_mode=True, **kwargs)
    # Whoever comes in between its calls has to know this process.
    pytest.MonkeyPatch().setattr(under_test, "detached", lambda work: work())
    return under_test.deploy(module)


def _run(
    place: Scene, shown: dict[str, str], before: t.Callable[[], object] = lambda: None
) -> tuple[Outcome, dict[str, t.Any]]:
    """What came of a run, and of the certificate in it; each end is a result, with a sentence where it is not well."""
    outcome = attackers.as_root(lambda: _deploy(place, shown), before).must_be_civil()
    told = dict(outcome.result["certificates"][0]) if outcome.kind == "installed" else {}
    assert not told.get("msg") or told["msg"].endswith("."), told
    return outcome, told


def _prepared(place: Scene, kind: str) -> None:
    """Files of before, and held ones of a run that came first where these are to go or to stay."""
    place.old_files()
    for path in (place.path, place.host.fullchain):
        place.vault.add(path.name, b"another file of root's, of the same name\n")
    if kind != "held":
        _outcome, told = _run(place, {})
        assert told["state"] == "to_be_looked_at", told


@pytest.mark.parametrize("kind", _SHOWN)
@pytest.mark.parametrize("attack", _ATTACKS, ids=lambda one: one.__name__)
def test_nothing_of_root_is_changed_or_given_away(
    attack: t.Callable[[Scene], attacked.Act], kind: str, record_property: t.Callable[[str, object], None]
) -> None:
    with scenes() as another:
        place = another()
        _prepared(place, kind)
        total = attackers.points_of(functools.partial(_deploy, place, _SHOWN[kind]))
        numbers = some(total, _TRIES, _ATTACKS.index(attack))
        for number in numbers:
            place = another()
            _prepared(place, kind)
            _attacked_at(place, attack, kind, number)
    tried(record_property, f"{attack.__name__} at files that are held".replace("_", " "), len(numbers))


def _attacked_at(place: Scene, attack: t.Callable[[Scene], attacked.Act], kind: str, number: int) -> None:
    steady = attack is attacked.folder_to_and_fro
    watching = attack in (attacked.swap_hidden, attacked.swap_hidden_for_own)
    with Partner(attack(place)) as partner:

        def at(point: int) -> None:
            if point == number or (steady and point == number + 1) or (watching and point > number):
                partner.act()

        _run(place, _SHOWN[kind], Points(at).install)
    place.must_be_harmless()
    for shown in _SHOWN.values():
        _run(place, shown)
        place.must_be_harmless()


@pytest.mark.parametrize("kind", _SHOWN)
def test_without_an_attack_they_go_or_stay(kind: str) -> None:
    """What the attacks above keep from happening does happen otherwise."""
    with scene() as place:
        _prepared(place, kind)
        _outcome, told = _run(place, _SHOWN[kind])
        state = {"held": "to_be_looked_at", "let_go": "in_service", "put_back": "rolled_back"}[kind]
        assert told["state"] == state, told
        assert (place.path.read_text().startswith("site.pem of before")) == (kind == "put_back")
        assert bool(list(place.home.rglob(".collectssl"))) == (kind == "held")


@pytest.mark.parametrize("attack", [attacked.destination_to_link, attacked.destination_to_dangling])
def test_a_planted_link_is_not_held(
    attack: t.Callable[[Scene], attacked.Act], record_property: t.Callable[[str, object], None]
) -> None:
    with scene() as place:
        place.old_files()
        place.other(attack(place))
        _outcome, told = _run(place, {})
        assert told["state"] == "refused", told
        for word in ("site.pem is a symbolic link", str(OTHER)):
            assert word in told["msg"], told
        place.must_be_harmless()
    tried(record_property, f"{attack.__name__} before it is held".replace("_", " "), 1)
