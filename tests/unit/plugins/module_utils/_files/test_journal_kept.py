# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals as text: each field of an entry is believed in one shape, and notes lead where they were written."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Places, in_folder

_RANDOM = "0123456789abcdef" * 2
_ENTRY = journal.Entry(
    path="/a/file", folder=1, new=_RANDOM, old=_RANDOM, before=2, after=3, backup="file~", backup_within=None, flags="",
    in_place=False,
)  # fmt: skip
_PROTECTION = [0o640, 1, 2, [["user.a", "00ff"]]]

_RIGHT: list[dict[str, t.Any]] = [
    {},
    {"path": "/a/ file"},
    *({name: None} for name in ("folder", "new", "old", "before", "after", "backup", "backup_within", "protection")),
    *({"flags": flags} for flags in ("i", "a", "ia")),
    *({name: True} for name in ("in_place", "rewrites")),
    *({"backup": name} for name in ("...", ".hidden", "..x", " ")),
    *({name: _PROTECTION} for name in ("backup_within", "protection")),
    {"protection": [0o7777, 0, (1 << 32) - 1, []]},
]

_WRONG: t.Any = [
    *({"path": path} for path in ("a/file", "file", "/a/", "/", "/a/../file", "/a//file", "/a/\x1f", "/a\n/file")),
    *({name: wrong} for name in ("folder", "before", "after") for wrong in (True, "1", 1.0, ["x"])),
    *(
        {name: wrong}
        for name in ("new", "old")
        for wrong in ("", _RANDOM[1:], _RANDOM + "0", _RANDOM + "\n", "g" + _RANDOM[1:], _RANDOM.upper(), 1, ["x"])
    ),
    *({"backup": wrong} for wrong in ("", ".", "..", "a/b", "/a", "a\0", 1, ["a"])),
    *({"flags": wrong} for wrong in ("x", "iai", "ia\n", None, ["i"], 1)),
    *({name: wrong} for name in ("in_place", "rewrites") for wrong in (None, 0, 1, "no")),
    *(
        {name: wrong}
        for name in ("backup_within", "protection")
        for wrong in (
            *([mode, 0, 0, []] for mode in (0o10000, -1, True, "1", None, 1.0)),
            *([0, uid, 0, []] for uid in (1 << 32, -1, False, "1")),
            *([0, 0, gid, []] for gid in (1 << 32, -1, False, "1")),
            *(
                [0, 0, 0, [pair]]
                for pair in ([1, "00"], ["a\0", "00"], ["a", "0g"], ["a", 0], ["a"], ["a", "00", "00"])
            ),
            [0, 0, 0],
            [0, 0, 0, [], 0],
            5,
            [0, 0, 0, 5],
        )
    ),
]


def _is_believed(fields: dict[str, t.Any]) -> bool:
    try:
        return journal._is_well_formed(_ENTRY._replace(**fields))
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("fields", _RIGHT)
def test_an_entry_that_is_believed(fields: dict[str, t.Any]) -> None:
    assert _is_believed(fields)


@pytest.mark.parametrize("fields", _WRONG)
def test_an_entry_that_is_not_believed(fields: dict[str, t.Any]) -> None:
    assert not _is_believed(fields)


def test_what_an_entry_is_by_default() -> None:
    assert (_ENTRY.rewrites, _ENTRY.protection) == (False, None)


def test_a_protection_as_it_is_written() -> None:
    assert journal.packed(journal.unpacked(_PROTECTION)) == _PROTECTION
    assert journal.unpacked(_PROTECTION) == disk.Protection(0o640, 1, 2, (("user.a", b"\0\xff"),))


# --- what is found ------------------------------------------------------------------------------------------------


class _Country:
    """Three folders with hidden ones; a transaction in the first two has its journal in the first."""

    def __init__(self, base: pathlib.Path, known: Places) -> None:
        self.base = base
        self.known = known
        self.hidden: dict[object, hidden.HiddenFolder] = {}
        for name in "abc":
            (base / name / ".collectssl").mkdir(mode=0o700, parents=True)
            found = hidden.open_existing(self.folder(name))
            assert found is not None
            self.hidden[found.beside.key] = found

    def folder(self, name: str) -> Folder:
        found = self.known.folder("it", str(self.base / name))
        assert found is not None
        return found

    def of(self, *names: str) -> dict[object, hidden.HiddenFolder]:
        return {key: one for key, one in self.hidden.items() if os.path.basename(one.beside.path) in names}

    def written(self, *names: str, state: str = journal.SWITCHING) -> None:
        entries = []
        for name in names:
            folder = self.folder(name)
            entry = _ENTRY._replace(path=str(self.base / name / "file"), folder=folder.inode)
            entries.append(journal.Located(entry, in_folder(folder, "file"), self.hidden[folder.key]))
        journal.write(journal.Journal(state, tuple(entries), entries[0].hidden))

    def find(self, *names: str, looked: str = "abc") -> tuple[list[journal.Journal], list[str], list[str]]:
        found, more, lost = journal.find(self.known, self.of(*names), {self.folder(one).key for one in looked})
        base = str(self.base)
        return found, [os.path.relpath(one.path, base) for one in more], [os.path.relpath(one, base) for one in lost]


@pytest.fixture(name="country")
def fixture_country(tmp_path: pathlib.Path) -> t.Iterator[_Country]:
    with Places() as known:
        country = _Country(tmp_path, known)
        yield country
        for one in country.hidden.values():
            os.close(one.descriptor)


@pytest.mark.parametrize("state", [journal.SWITCHING, journal.HELD])
def test_a_transaction_is_found_from_each_of_its_folders(state: str, country: _Country) -> None:
    assert country.find("a", "b", "c") == ([], [], [])
    country.written("a", "b")
    country.written("a", "b", state=state)
    ((found,), more, lost) = country.find("a", "b", "c")
    assert (found.state, more, lost) == (state, [], [])
    assert [os.path.relpath(one.place.path, country.base) for one in found.entries] == ["a/file", "b/file"]
    assert found.home.beside.path == str(country.base / "a")
    assert len(found.hiddens()) == 2
    # Where not all of its folders were looked at, they are to be.
    assert country.find("b", looked="b") == ([], ["a"], [])
    assert country.find("a", looked="a") == ([], ["b"], [])
    assert country.find("c", looked="c") == ([], [], [])


def test_two_transactions_are_two(country: _Country) -> None:
    country.written("a", "b")
    country.written("c")
    found, more, lost = country.find("a", "b", "c")
    assert [len(one.entries) for one in found] in ([2, 1], [1, 2])
    assert (more, lost) == ([], [])


def test_a_note_without_a_journal_is_a_leftover(country: _Country) -> None:
    country.written("a", "b")
    (country.base / "a/.collectssl/journal").unlink()
    assert country.find("a", "b", "c") == ([], [], [])
    assert country.find("b", looked="b") == ([], ["a"], [])
    country.written("a", "b")
    (country.base / "a/.collectssl/journal").unlink()
    (country.base / "a/.collectssl").rename(country.base / "a/moved")
    # No hidden folder, nothing to look at.
    assert country.find("b", looked="b") == ([], [], [])


def test_an_entry_whose_note_is_gone_was_seen_to(country: _Country) -> None:
    country.written("a", "b")
    (country.base / "b/.collectssl/journal").unlink()
    ((found,), _more, _lost) = country.find("a", "b")
    assert [one.place.name for one in found.entries] == ["file"]
    country.written("c", "b")
    ((found,), _more, _lost) = country.find("a", "b")
    assert len(found.entries) == 1


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_folder_that_is_gone_is_told(name: str, country: _Country) -> None:
    country.written("a", "b")
    other = "b" if name == "a" else "a"
    (country.base / name).rename(country.base / "moved")
    found, more, lost = journal.find(country.known, country.of(other), {country.folder(other).key})
    assert (found, more, lost) == ([], [], [str(country.base / name)])
    # Another one in its place is not the one, nor is a link.
    (country.base / name).symlink_to("moved")
    assert journal.find(country.known, country.of(other), {country.folder(other).key})[2] == [str(country.base / name)]


def test_a_note_of_another_folder_is_not_followed(country: _Country) -> None:
    country.written("a", "b")
    (country.base / "a").rename(country.base / "moved")
    (country.base / "a").mkdir()
    found, more, lost = journal.find(country.known, country.of("b"), {country.folder("b").key})
    assert (found, more, lost) == ([], [], [str(country.base / "a")])


@pytest.mark.parametrize("path", [5, "b", "", None])
def test_a_note_that_leads_nowhere_is_refused(path: t.Any, country: _Country) -> None:
    journal._put(next(iter(country.of("b").values())), "journal", {"version": 1, "elsewhere": path, "folder": 1})
    with pytest.raises(InstallError, match="it cannot be acted upon: it cannot be read"):
        country.find("b")


def test_a_journal_that_was_moved_is_refused(country: _Country) -> None:
    country.written("a")
    (country.base / "a/.collectssl/journal").rename(country.base / "c/.collectssl/journal")
    with pytest.raises(InstallError, match="it is not where it was written"):
        country.find("c")


def test_a_journal_of_another_folder_of_that_name_is_refused(country: _Country) -> None:
    folder = country.folder("a")
    entry = _ENTRY._replace(path=str(country.base / "a/file"), folder=folder.inode + 1)
    located = journal.Located(entry, in_folder(folder, "file"), country.hidden[folder.key])
    journal.write(journal.begun((located,)))
    with pytest.raises(InstallError, match="the folders are not those it was written for"):
        country.find("a")


@pytest.mark.parametrize(
    "fields", [{"state": "other"}, {"entries": []}, {"entries": [5]}, {"entries": 5}, {"state": []}]
)
def test_a_journal_of_another_state_is_refused(fields: dict[str, t.Any], country: _Country) -> None:
    good = {"version": 1, "state": "held", "entries": [_ENTRY._asdict()]}
    (where,) = country.of("a").values()
    assert len(journal._entries(where, good)) == 1
    for wrong in ({**good, **fields}, {name: good[name] for name in good if name not in fields}):
        with pytest.raises(InstallError, match="it cannot be read"):
            journal._entries(where, wrong)
