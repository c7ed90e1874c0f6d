# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the package, with files that have nothing to do with certificates."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t
import weakref

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.tests.support.installation import calls_of, killed_at, module_arguments


class _Recipes:
    """Three files of a folder: one to be rewritten, one to be made, one to go."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.soup, self.cake, self.stew = (str(folder / name) for name in ("soup.txt", "cake.txt", "stew.txt"))
        pathlib.Path(self.soup).write_text("old soup\n", encoding="ascii")
        pathlib.Path(self.stew).write_text("old stew\n", encoding="ascii")
        (folder / "tmp").mkdir()
        with module_arguments({"_ansible_no_log": True, "_ansible_tmpdir": str(folder / "tmp")}):
            self.module = AnsibleModule({}, add_file_common_args=True)
        self.places = Places()
        weakref.finalize(self, self.places.__exit__)
        self.paths = [self.place(path) for path in (self.soup, self.cake, self.stew)]
        self.before = self.state()

    def place(self, path: str) -> Place:
        return self.places.find("recipe", path)

    def steps(self) -> tuple[Step, ...]:
        return (
            Step(self.place(self.soup), existed=True, content=b"new soup\n", backup=f"{self.soup}.kept"),
            Step(self.place(self.cake), existed=False, content=b"new cake\n", secret=True),
            Step(self.place(self.stew), existed=True),
        )

    def commit(self, *validate: str) -> dict[str, str]:
        with self.locked() as locked:
            assert locked.unfinished == []
            return transaction.commit(self.module, locked, self.steps(), FileAttributes(self.module), list(validate))

    def hold(self) -> None:
        """Switch, and end without having let go, as a run does that is killed there."""
        with self.locked() as locked:
            transaction.hold(
                self.module, transaction.switch(self.module, locked, self.steps(), FileAttributes(self.module), "it")
            )

    def locked(self) -> t.ContextManager[transaction.Locked]:
        return transaction.locked_for_change(self.places, self.paths)

    def state(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="ascii") for path in self.folder.iterdir() if path.is_file()}


_AFTER = {"soup.txt": "new soup\n", "cake.txt": "new cake\n", "soup.txt.kept": "old soup\n"}


@pytest.fixture(name="recipes")
def fixture_recipes(tmp_path: pathlib.Path) -> _Recipes:
    return _Recipes(tmp_path)


def test_all_of_it(recipes: _Recipes) -> None:
    assert recipes.commit() == {recipes.soup: f"{recipes.soup}.kept"}
    assert recipes.state() == {"soup.txt": "new soup\n", "cake.txt": "new cake\n", "soup.txt.kept": "old soup\n"}
    assert stat.S_IMODE(os.stat(recipes.cake).st_mode) == 0o600


def test_nothing_of_it(recipes: _Recipes) -> None:
    with pytest.raises(InstallError, match="Every file has been put back as it was"):
        recipes.commit("false")
    assert recipes.state() == recipes.before


def _whenever_it_is_killed(folder: pathlib.Path, verb: str) -> t.Iterator[_Recipes]:
    """Kill it at each call, and after the last one of ``hold``, which ends with the old files kept."""
    (folder / "whole").mkdir()
    for number in range(1, calls_of(getattr(_Recipes(folder / "whole"), verb)) + 1 + (verb == "hold")):
        (folder / str(number)).mkdir()
        recipes = _Recipes(folder / str(number))
        killed_at(number, getattr(recipes, verb))
        yield recipes


@pytest.mark.parametrize("verb", ["commit", "hold"])
def test_what_an_interrupted_run_did_is_seen_as_it_was_and_then_undone(verb: str, tmp_path: pathlib.Path) -> None:
    found, held = 0, 0
    for recipes in _whenever_it_is_killed(tmp_path, verb):
        with transaction.locked_for_reading(recipes.places, recipes.paths) as locked:
            states = [begun.state for begun in locked.unfinished]
            view, foreseen = transaction.preview(recipes.module, locked)
            seen = {place.path: view.read(place) for place in recipes.paths}
        if states == ["switching"]:
            assert seen == {recipes.soup: b"old soup\n", recipes.cake: None, recipes.stew: b"old stew\n"}
        elif states == ["held"]:
            assert seen == {recipes.soup: b"new soup\n", recipes.cake: b"new cake\n", recipes.stew: None}
        with recipes.locked() as locked:
            assert transaction.settle(recipes.module, locked) == foreseen
        assert transaction.is_clean(recipes.paths)
        found += states == ["switching"]
        held += states == ["held"]
        if states == ["switching"]:
            assert recipes.state() == recipes.before
        elif states == ["held"]:
            assert recipes.state() == _AFTER
        else:
            # Killed before it began, or after it had ended.
            assert recipes.state() in (recipes.before, _AFTER)
    assert found
    assert bool(held) == (verb == "hold")


def test_what_is_held_can_be_had_back(recipes: _Recipes) -> None:
    with recipes.locked() as locked:
        begun = transaction.switch(recipes.module, locked, recipes.steps(), FileAttributes(recipes.module), "it")
        held = transaction.hold(recipes.module, begun)
        assert recipes.state() == _AFTER
        transaction.undo(recipes.module, held)
    assert recipes.state() == recipes.before
    assert transaction.is_clean(recipes.paths)


def test_what_is_held_can_be_let_go(recipes: _Recipes) -> None:
    with recipes.locked() as locked:
        begun = transaction.switch(recipes.module, locked, recipes.steps(), FileAttributes(recipes.module), "it")
        held = transaction.hold(recipes.module, begun)
        assert transaction.let_go(recipes.module, held) == {recipes.soup: f"{recipes.soup}.kept"}
    assert recipes.state() == _AFTER
    assert transaction.is_clean(recipes.paths)


@pytest.mark.parametrize("verb", ["undo", "let_go"])
def test_a_later_run_may_do_either_with_what_is_held(verb: str, recipes: _Recipes) -> None:
    recipes.hold()
    assert not transaction.is_clean(recipes.paths)
    with recipes.locked() as locked:
        (found,) = locked.unfinished
        assert found.state == "held"
        getattr(transaction, verb)(recipes.module, found)
    assert recipes.state() == (recipes.before if verb == "undo" else _AFTER)
    assert transaction.is_clean(recipes.paths)


@pytest.mark.parametrize("verb", ["undo", "let_go"])
def test_either_can_be_killed_anywhere(verb: str, tmp_path: pathlib.Path) -> None:
    number, killed = 0, True
    while killed:
        number += 1
        (tmp_path / str(number)).mkdir()
        recipes = _Recipes(tmp_path / str(number))
        recipes.hold()

        def work(recipes: _Recipes = recipes) -> None:
            with recipes.locked() as locked:
                getattr(transaction, verb)(recipes.module, *locked.unfinished)

        killed = killed_at(number, work)
        with recipes.locked() as locked:
            for found in locked.unfinished:
                getattr(transaction, verb)(recipes.module, found)
            transaction.settle(recipes.module, locked._replace(unfinished=[]))
        assert recipes.state() == (recipes.before if verb == "undo" else _AFTER), number
        assert transaction.is_clean(recipes.paths), number
    assert number > 5


def test_a_view_of_the_files_as_they_are(recipes: _Recipes) -> None:
    view = View({})
    soup, cake, _stew = recipes.paths
    assert view.read(soup) == b"old soup\n"
    assert view.source(cake) is None
    assert not view.alters(soup)
