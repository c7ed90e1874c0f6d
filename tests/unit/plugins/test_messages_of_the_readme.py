# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README quotes messages as they are: each quote is found in a message that the code makes, none is forgotten."""

from __future__ import annotations

import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.action import collectssl_deploy
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Unit, Wanted
from ansible_collections.certfleet.collectssl.tests.support import broker, https_server, installation
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, run
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._deploy.test_engine import (
    _World as World,
)
from ansible_collections.certfleet.collectssl.tests.unit.plugins.scene import (
    Scene,
    closed_folder,
    file_of_root,
    key_of_another,
    link_in_open_folder,
)

pytestmark = pytest.mark.usefixtures("run_folder")

_README = pathlib.Path(__file__).resolve().parents[3] / "README.md"
_HEAD = "| you read (… is whatever stands there) | it means |"


def _quotes() -> list[str]:
    """What the table quotes, in its order; a cell may hold several, with a stroke between them."""
    table = _README.read_text(encoding="utf-8").partition(f"{_HEAD}\n")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[1:]]
    assert all(len(row) == 2 and all(cell.strip() for cell in row) for row in rows)
    return [quote.strip() for first, _meaning in rows for quote in first.split(" / ")]


_DENIED = "errorCode=-16&errorMessage=Permission+denied!"
_INVALID = "errorCode=-4&errorMessage=The+value+of+the+'loginPassword'+argument+is+invalid!"


def _deployed(certificates: list[dict[str, t.Any]]) -> str:
    """What ``collectssl_deploy`` says of certificates that it does not begin with."""
    return str(run(collectssl_deploy.ActionModule, {**ACCOUNT, "certificates": certificates})["msg"])


def _brought_into_service(fault: str) -> str:
    """What is said of a certificate on the way of which something goes wrong."""
    world = World([Wanted("www", "new www", ("nginx",), ("www",))], {"www": fault})
    unit = Unit(world, world.wanted.values())
    unit.go()
    return " ".join(unit.reports[0].messages)


#: One message for each thing that can go wrong and that the table tells of.
_MESSAGES: dict[str, t.Callable[[Scene], str]] = {
    "pending": lambda scene: scene.task(broker.PENDING),
    "unpaid": lambda scene: scene.task("errorCode=-22"),
    "rejected": lambda scene: scene.task("errorCode=-20"),
    "revoked": lambda scene: scene.task("errorCode=-21"),
    "denied": lambda scene: scene.task(_DENIED),
    "denied by context": lambda scene: scene.task("errorCode=-91"),
    "invalid": lambda scene: scene.task(_INVALID),
    "line feed": lambda scene: scene.task(_INVALID, login_password=f"{broker.PASSWORD}\n"),
    "busy": lambda scene: scene.call(*[https_server.answer("", 503)] * 4, retries=3),
    "a turn that does not end": lambda scene: scene.turn(),
    "a fault of ours": lambda scene: scene.task(OverflowError()),
    "an open folder": lambda scene: scene.open_folder(),
    "not trusted": lambda scene: scene.call(trusted=False),
    "a page": lambda scene: scene.call(https_server.answer("<html>Maintenance</html>", 200)),
    "nothing there": lambda scene: scene.call(https_server.answer("<html>Not here</html>", 404)),
    "a number": lambda scene: scene.task(order_number=5349),
    "a slip": lambda scene: scene.task(expected_name=["www.example.com"]),
    "a path that never comes": lambda scene: scene.task(validate="nginx -t -c %s"),
    "a gap": lambda scene: scene.gap(),
    "forged": lambda scene: scene.chain(damaged=True),
    "other names": lambda scene: scene.task(expected_names=["other.example.com"]),
    "expired": lambda scene: scene.chain(-60, -1),
    "of tomorrow": lambda scene: scene.chain(1, 60),
    "unheard of": lambda scene: scene.unchecked(),
    **{
        f"rule of {name}": lambda scene, name=name: scene.rule(name)  # type: ignore[misc]
        for name in ("path length", "critical extension", "name constraints", "purpose", "names")
    },
    "placeholder": lambda scene: scene.placeholder(),
    "another key": lambda scene: scene.target(key_of_another, privatekey_path="{key}"),
    "validate": lambda scene: scene.target(lambda _host: None, validate="/bin/ls /none"),
    "bind mount": lambda scene: scene.mounted(),
    "planted link": lambda scene: scene.target(link_in_open_folder),
    "no certificate": lambda scene: _deployed([]),
    "no layout": lambda scene: _deployed([{"name": "www", "layout": "ngnix"}]),
    "stale": lambda scene: _brought_into_service("stale"),
    "silent": lambda scene: _brought_into_service("silent"),
    "unseen": lambda scene: _brought_into_service("unseen"),
    "undetermined": lambda scene: _brought_into_service("undetermined"),
}

if os.geteuid() == 0:
    _MESSAGES = {
        # The first ones, as a process is to fork before it has threads.
        "closed folder": lambda scene: scene.target(closed_folder, installation.as_user),
        "file of root": lambda scene: scene.target(file_of_root, installation.as_user),
        **_MESSAGES,
    }
#: What they are quoted by: only root can become somebody else to whom they are said.
_SAID_TO_OTHERS = ("cannot be entered by the user", "who cannot give files away")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, identity: Identity) -> Scene:
    return Scene(monkeypatch, tmp_path, identity)


def _is_in(quote: str, message: str) -> bool:
    # Where it begins or ends with the sign, there may be nothing in its place.
    return re.search(".+".join(re.escape(part) for part in quote.strip("…").split("…")), message) is not None


def test_every_quote_is_of_a_message_and_every_message_is_quoted(scene: Scene) -> None:
    quotes = [quote for quote in _quotes() if os.geteuid() == 0 or not any(words in quote for words in _SAID_TO_OTHERS)]
    assert len(quotes) == len(set(quotes)) > 10
    messages = {name: make(scene) for name, make in _MESSAGES.items()}
    quoted = {quote: [name for name, message in messages.items() if _is_in(quote, message)] for quote in quotes}
    assert [quote for quote, names in quoted.items() if not names] == []
    assert set(_MESSAGES) - {name for names in quoted.values() for name in names} == set()


def test_a_status_that_says_where_to_look_does_so(scene: Scene) -> None:
    """What the table tells in its other column."""
    assert 'With status 404 it ends in "Check api_url".' in _README.read_text(encoding="utf-8")
    assert " Check api_url" in _MESSAGES["nothing there"](scene)


@pytest.mark.parametrize(
    ("quote", "message", "found"),
    [
        ("… is gone.", "The file is gone.", True),
        ("… is gone.", "The file is gone, too.", False),
        ("A … of …", "A list of all", True),
        ("A … of …", "A of all", False),
        ("… of all …", "A list of all", False),
        ("status -4.", "status -41.", False),
    ],
)
def test_what_counts_as_a_quote(quote: str, message: str, found: bool) -> None:
    assert _is_in(quote, message) is found
