# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions that are open beside each other in the same folders: each ends alone, and takes nothing of others."""

from __future__ import annotations

import itertools
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, journal, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments

_NAMES = ("red", "green", "blue")


class _House:
    """Two folders, in which each subject has a file of its own."""

    def __init__(self, folder: pathlib.Path, known: Places) -> None:
        self.folder = folder
        self.known = known
        for name in ("a", "b", "tmp"):
            (folder / name).mkdir()
        for name in _NAMES:
            for room in "ab":
                (folder / room / name).write_text(f"old {name}", encoding="ascii")
        with module_arguments({"_ansible_no_log": True, "_ansible_tmpdir": str(folder / "tmp")}):
            self.module = AnsibleModule({}, add_file_common_args=True)

    def places(self, *names: str) -> list[Place]:
        return [self.known.find("it", str(self.folder / room / name)) for name in names for room in "ab"]

    def locked(self, *names: str) -> t.ContextManager[transaction.Locked]:
        return transaction.locked_for_change(self.known, self.places(*(names or _NAMES)))

    def switch(self, locked: transaction.Locked, name: str, notes: dict[str, str] | None = None) -> transaction.Open:
        steps = tuple(
            Step(place, existed=True, content=f"new {name}".encode("ascii"), backup=f"{place.path}~")
            for place in self.places(name)
        )
        return transaction.switch(
            self.module, locked, steps, FileAttributes(self.module), name, notes, notes is not None
        )

    def state(self, name: str) -> str:
        (word,) = {(self.folder / room / name).read_text(encoding="ascii").split()[0] for room in "ab"}
        return word

    def is_clean(self) -> bool:
        return transaction.is_clean(self.places(*_NAMES))


@pytest.fixture(name="house")
def fixture_house(tmp_path: pathlib.Path) -> t.Iterator[_House]:
    with Places() as known:
        yield _House(tmp_path, known)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_each_ends_alone(order: tuple[int, ...], house: _House) -> None:
    ends = {"red": "undo", "green": "let_go", "blue": "undo"}
    with house.locked() as locked:
        begun = {name: transaction.hold(house.module, house.switch(locked, name)) for name in _NAMES}
        for place in order:
            name = _NAMES[place]
            getattr(transaction, ends[name])(house.module, begun[name])
            assert house.state(name) == ("old" if ends[name] == "undo" else "new")
        assert not any(path.name == "journal" for path in house.folder.rglob("*"))
    assert house.is_clean()
    assert {name: house.state(name) for name in _NAMES} == {"red": "old", "green": "new", "blue": "old"}


def test_what_others_hold_stays_where_one_fails(house: _House) -> None:
    with house.locked() as locked:
        held = transaction.hold(house.module, house.switch(locked, "red"))
        (house.folder / "b" / "green").unlink()
        with pytest.raises(InstallError):
            house.switch(locked, "green")
        transaction.undo(house.module, held)
        assert house.state("red") == "old"
    assert house.is_clean()


def test_the_next_run_finds_each_in_its_state(house: _House) -> None:
    with house.locked() as locked:
        transaction.hold(house.module, house.switch(locked, "red"))
        house.switch(locked, "green")
        transaction.hold(house.module, house.switch(locked, "blue", {"before": "x"}))
    # A call for other files puts back what was being switched, and leaves alone what is held of files not its own.
    with house.locked("red") as locked:
        found = {one.subject: (one.state, one.notes) for one in locked.unfinished}
        assert found == {
            "red": (transaction.HELD, None),
            "green": ("switching", None),
            "blue": (transaction.HELD, {"before": "x"}),
        }
        view, foreseen = transaction.preview(house.module, locked)
        assert view.read(house.places("green")[0]) == b"old green"
        assert foreseen.let_go == {str(house.folder / room / "red") for room in "ab"}
        assert transaction.preview(house.module, locked, ["red"])[1].let_go == frozenset()
        settled = transaction.settle(house.module, locked, ["red"])
        assert settled.put_back == {str(house.folder / room / "green") for room in "ab"}
        assert settled.let_go == frozenset()
        assert {one.subject: one.state for one in locked.kept} == dict.fromkeys(("red", "blue"), transaction.HELD)
        (red,) = [one for one in locked.kept if one.subject == "red"]
        transaction.undo(house.module, red)
    assert {name: house.state(name) for name in _NAMES} == {"red": "old", "green": "old", "blue": "new"}
    # One for its very files lets it go, and what is due then is nobody's but its subject's.
    with house.locked("blue") as locked:
        assert transaction.settle(house.module, locked).let_go == {str(house.folder / room / "blue") for room in "ab"}
    assert not house.is_clean()
    for _time in range(2):
        with house.locked("green") as locked:
            assert transaction.settle(house.module, locked) == transaction.Settled()
            assert [(one.subject, one.state, one.notes) for one in locked.kept] == [
                ("blue", transaction.DUE, {"before": "x"})
            ]
            transaction.undo(house.module, house.switch(locked, "green"))
    with house.locked("blue") as locked:
        transaction.settle(house.module, locked)
        transaction.done(locked.kept[0])
    assert house.is_clean()


def test_what_is_due_leaves_nothing_else(house: _House) -> None:
    with house.locked() as locked:
        transaction.let_go(house.module, transaction.hold(house.module, house.switch(locked, "red", {"before": "x"})))
        (due,) = [one for one in locked.kept if one.place.exists]
    left = sorted(str(path.relative_to(house.folder)) for path in house.folder.rglob(".collectssl/*"))
    assert left == ["a/.collectssl/.gitignore", f"a/.collectssl/{due.name}"]
    said = json.loads((house.folder / "a" / ".collectssl" / due.name).read_text(encoding="ascii"))
    assert (said["state"], said["subject"], said["notes"]) == ("due", "red", {"before": "x"})
    assert [(one["old"], one["new"], one["backup"]) for one in said["entries"]] == [(None, None, None)]


class _Cut(BaseException):
    pass


@pytest.mark.parametrize("ends", ["undo", "let_go", "owing"])
def test_killed_at_each_step_the_next_run_ends_it(ends: str, tmp_path: pathlib.Path) -> None:
    """Each call that changes something is the last one in its turn; what is found then is one of the two states."""
    calls = ("rename", "remove", "sync_folders", "write_new", "replace")
    for number in itertools.count():
        folder = tmp_path / str(number)
        folder.mkdir()
        with Places() as known:
            house = _House(folder, known)
            if not _cut_at(house, ends, calls, number):
                assert number > 15
                return
        with Places() as known:
            house.known = known
            with house.locked() as locked:
                settled = transaction.settle(house.module, locked, ["red"])
                for one in list(locked.kept):
                    if one.subject == "red" and one.state == transaction.HELD:
                        # Somebody may have a service read these files: no half of them is back already.
                        assert house.state("red") == "new"
                        transaction.undo(house.module, one)
                    elif one.state == transaction.DUE:
                        assert ends == "owing"
                        assert house.state(str(one.subject)) == "new"
                        transaction.done(one)
            assert house.state("red") in ("old", "new")
            assert house.state("green") == ("new" if settled.let_go else "old")
            assert house.is_clean(), number


def _cut_at(house: _House, ends: str, calls: tuple[str, ...], number: int) -> bool:
    """Whether the run was cut at that call."""
    turn = itertools.count()

    def cutting(real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            if next(turn) >= number:
                raise _Cut
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch, house.locked() as locked:
        transaction.hold(house.module, house.switch(locked, "green"))
        for name in calls:
            patch.setattr(disk, name, cutting(getattr(disk, name)))
        # A run that is killed cleans nothing up.
        patch.setattr(transaction.Transaction, "_roll_back", lambda *dummy: "")
        try:
            held = transaction.hold(
                house.module, house.switch(locked, "red", {"before": "x"} if ends == "owing" else None)
            )
            getattr(transaction, "undo" if ends == "undo" else "let_go")(house.module, held)
        except (_Cut, InstallError):
            patch.undo()
            return True
    return False


_WRONG: dict[str, list[t.Any]] = {
    "subject": [1, "", "a\n", "a" * 257, ["a"]],
    "notes": [[], "a", {"a": 1}, {"a": "\x1b"}, {"": "a"}],
    "owes": [None, 1, "yes"],
}
_NOT_OF_A_RUN = [{name: value} for name, values in _WRONG.items() for value in values]


@pytest.mark.parametrize(
    ("value", "well"),
    [
        ({"state": "held"}, True),
        ({"state": "due"}, False),
        ({"state": "due", "subject": "a", "owes": True}, True),
        ({"state": "due", "subject": "a"}, False),
        ({"state": "due", "owes": True}, False),
        ({"state": "switching", "subject": "a@b", "notes": {"x": "y"}}, True),
        ({"state": "switching", "notes": {}}, True),
        ({"state": "other"}, False),
        *(({"state": "held", **wrong}, False) for wrong in _NOT_OF_A_RUN),
    ],
)
def test_whose_a_journal_may_be(value: dict[str, t.Any], well: bool) -> None:
    assert journal._is_whose({"subject": None, "notes": None, "owes": False, **value}) is well
