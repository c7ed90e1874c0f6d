# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the package, with files that have nothing to do with certificates."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
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
        self.paths = [self.soup, self.cake, self.stew]
        self.before = self.state()

    def steps(self) -> tuple[Step, ...]:
        return (
            Step(self.soup, existed=True, content=b"new soup\n", backup=f"{self.soup}.kept"),
            Step(self.cake, existed=False, content=b"new cake\n", secret=True),
            Step(self.stew, existed=True),
        )

    def commit(self, *validate: str) -> dict[str, str]:
        with transaction.locked_for_change(self.paths) as unfinished:
            assert unfinished == []
            return transaction.commit(self.module, self.steps(), FileAttributes(self.module), list(validate))

    def state(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="ascii") for path in self.folder.iterdir() if path.is_file()}


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


def _whenever_it_is_killed(folder: pathlib.Path) -> t.Iterator[_Recipes]:
    (folder / "whole").mkdir()
    for number in range(1, calls_of(_Recipes(folder / "whole").commit) + 1):
        (folder / str(number)).mkdir()
        recipes = _Recipes(folder / str(number))
        assert killed_at(number, recipes.commit)
        yield recipes


def test_what_an_interrupted_run_did_is_seen_as_it_was_and_then_undone(tmp_path: pathlib.Path) -> None:
    found = 0
    for recipes in _whenever_it_is_killed(tmp_path):
        unfinished = transaction.find(recipes.paths)
        view, would_alter = transaction.preview(recipes.module, unfinished)
        seen = {path: view.read(path) for path in recipes.paths}
        assert seen == {recipes.soup: b"old soup\n", recipes.cake: None, recipes.stew: b"old stew\n"} or not unfinished
        altered = transaction.undo(recipes.module, unfinished, FileAttributes(recipes.module))
        assert altered == would_alter
        transaction.sweep(recipes.paths)
        assert transaction.is_clean(recipes.paths)
        assert transaction.find(recipes.paths) == []
        if unfinished:
            found += 1
            assert recipes.state() == recipes.before
        else:
            # Killed before it began, or after it had ended.
            assert recipes.state() in (
                recipes.before,
                {"soup.txt": "new soup\n", "cake.txt": "new cake\n", "soup.txt.kept": "old soup\n"},
            )
    assert found


def test_a_view_of_the_files_as_they_are(recipes: _Recipes) -> None:
    view = View({})
    assert view.read(recipes.soup) == b"old soup\n"
    assert view.source(recipes.cake) is None
    assert not view.alters(recipes.soup)
