# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was left is believed only where nothing is wrong with it: each fault alone, and told for what it is."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, journal, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places, in_folder

_OTHER = 12345
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
_OWNED = f"it belongs to the user {_OTHER}"
_KIND = "it is not what a run leaves there"
_OPEN = "others may have written it"
_NAMED = "it has another name as well"


@pytest.fixture(name="places")
def fixture_places() -> t.Iterator[Places]:
    with Places() as places:
        yield places


def _status(mode: int, uid: int | None = None, links: int = 1) -> os.stat_result:
    return os.stat_result((mode, 5, 5, links, os.geteuid() if uid is None else uid, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("status", "is_kind", "reason"),
    [
        (_status(stat.S_IFREG | 0o600), stat.S_ISREG, None),
        (_status(stat.S_IFREG | 0o7700), stat.S_ISREG, None),
        (_status(stat.S_IFDIR | 0o700, links=7), stat.S_ISDIR, None),
        (_status(stat.S_IFREG | 0o600, _OTHER), stat.S_ISREG, _OWNED),
        (_status(stat.S_IFIFO | 0o600), stat.S_ISREG, _KIND),
        (_status(stat.S_IFREG | 0o600), stat.S_ISDIR, _KIND),
        *[(_status(stat.S_IFREG | 0o600 | 1 << bit), stat.S_ISREG, _OPEN) for bit in range(6)],
        *[(_status(stat.S_IFDIR | 0o700 | 1 << bit), stat.S_ISDIR, _OPEN) for bit in range(6)],
        (_status(stat.S_IFREG | 0o600, links=2), stat.S_ISREG, _NAMED),
        (_status(stat.S_IFREG | 0o600, links=0), stat.S_ISREG, _NAMED),
    ],
)
def test_each_fault_alone_is_seen(status: os.stat_result, is_kind: t.Callable[[int], bool], reason: str | None) -> None:
    assert disk.distrust(status, is_kind) == reason


def _entry(folder: pathlib.Path) -> dict[str, t.Any]:
    return {
        "path": str(folder / "file"),
        "folder": folder.stat().st_ino,
        "new": "1" * 32,
        "old": "0" * 32,
        "before": 5,
        "after": 6,
        "backup": "file~",
        "backup_within": [0o600, 0, 0, [["user.x", "00ff"]]],
        "flags": "ia",
        "in_place": False,
        "rewrites": True,
        "protection": [0o7777, (1 << 32) - 1, 0, []],
    }


def _left(folder: pathlib.Path) -> pathlib.Path:
    """A journal that can be believed."""
    (folder / ".collectssl").mkdir(0o700)
    path = folder / ".collectssl" / "journal"
    path.write_text(json.dumps({"version": 1, "state": "switching", "entries": [_entry(folder)]}))
    path.chmod(0o600)
    return path


def _found(places: Places, folder: pathlib.Path) -> list[journal.Journal]:
    with transaction.locked_for_reading(places, [places.find("it", str(folder / "file"))]) as locked:
        return locked.unfinished


def _rewritten(path: pathlib.Path, **fields: t.Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def _as_pipe(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _as_link(path: pathlib.Path) -> None:
    path.rename(path.parent.with_name("elsewhere"))
    path.symlink_to("../elsewhere")


def _as_folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def _lengthened(path: pathlib.Path, by: int = 1) -> None:
    os.truncate(path, (8 << 20) + by)


_FAULTS: list[tuple[t.Callable[[pathlib.Path], t.Any], str]] = [
    (lambda path: os.link(path, path.parent.with_name("second")), _NAMED),
    (lambda path: path.chmod(0o604), _OPEN),
    (lambda path: path.chmod(0o620), _OPEN),
    (_as_pipe, _KIND),
    (_as_folder, _KIND),
    (_as_link, "Too many levels of symbolic links"),
    (_lengthened, "it is too long"),
    (lambda path: _lengthened(path, 0), "it cannot be read"),
    (lambda path: path.write_text("{"), "it cannot be read"),
    (lambda path: path.write_bytes(b"\xff"), "it cannot be read"),
    (lambda path: path.write_text("[" * 200000), "it cannot be read"),
    (lambda path: path.write_text("[]"), "it cannot be read"),
    (lambda path: _rewritten(path, version=2), "it cannot be read"),
    (lambda path: _rewritten(path, state="done"), "it cannot be read"),
    (lambda path: _rewritten(path, state=None), "it cannot be read"),
    (lambda path: _rewritten(path, entries=[]), "it cannot be read"),
    (lambda path: _rewritten(path, entries=5), "it cannot be read"),
    (lambda path: _rewritten(path, entries=[{}]), "it cannot be read"),
    (lambda path: _rewritten(path, elsewhere="here"), "it cannot be read"),
    (lambda path: _rewritten(path, elsewhere=5), "it cannot be read"),
]


@pytest.mark.parametrize(("spoil", "reason"), _FAULTS)
def test_a_journal_with_one_fault_is_refused_for_that(
    spoil: t.Callable[[pathlib.Path], t.Any], reason: str, places: Places, tmp_path: pathlib.Path
) -> None:
    spoil(_left(tmp_path))
    with pytest.raises(InstallError, match=f"it cannot be acted upon: {reason}. Nothing was changed") as caught:
        _found(places, tmp_path)
    assert caught.value.settled


@_only_root
def test_a_journal_of_another_user_is_refused_for_that(places: Places, tmp_path: pathlib.Path) -> None:
    os.chown(_left(tmp_path), _OTHER, -1)
    with pytest.raises(InstallError, match=f"it cannot be acted upon: {_OWNED}"):
        _found(places, tmp_path)


@pytest.mark.parametrize("state", ["switching", "held"])
def test_a_journal_without_a_fault_is_believed(state: str, places: Places, tmp_path: pathlib.Path) -> None:
    _rewritten(_left(tmp_path), state=state)
    (found,) = _found(places, tmp_path)
    (one,) = found.entries
    assert (found.state, one.place.path, one.entry) == (
        state,
        str(tmp_path / "file"),
        journal.Entry(**_entry(tmp_path)),
    )
    assert (one.new.path, one.old.path, one.backup.path) == (
        str(tmp_path / ".collectssl" / ("1" * 32)),
        str(tmp_path / ".collectssl" / ("0" * 32)),
        str(tmp_path / "file~"),
    )


_WRONG_FIELDS: list[tuple[str, t.Any]] = [
    *[("path", wrong) for wrong in ("file", "/", "/x/", "/x/../y", "/x//y", "/x\n", "", 5, None)],
    *[("folder", wrong) for wrong in ("5", True, 0.5)],
    *[(name, wrong) for name in ("new", "old") for wrong in ("0" * 31, "0" * 33, "G" * 32, "../x", 5, "0" * 32 + "\n")],
    *[(name, wrong) for name in ("before", "after") for wrong in ("5", False, ["x"])],
    *[("flags", wrong) for wrong in ("x", "iai", "i\n", None, 5)],
    *[(name, wrong) for name in ("in_place", "rewrites") for wrong in (0, None, "no")],
    ("unheard_of", 1),
]


@pytest.mark.parametrize(("field", "wrong"), _WRONG_FIELDS)
def test_an_entry_with_one_wrong_field_is_refused(
    field: str, wrong: t.Any, places: Places, tmp_path: pathlib.Path
) -> None:
    _rewritten(_left(tmp_path), entries=[{**_entry(tmp_path), field: wrong}])
    with pytest.raises(InstallError, match="it cannot be acted upon: it cannot be read"):
        _found(places, tmp_path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"folder": 1}, "the folders are not those it was written for"),
        ({"path": "/etc/hosts"}, "it is not where it was written"),
    ],
)
def test_a_journal_of_other_folders_is_refused(
    fields: dict[str, t.Any], reason: str, places: Places, tmp_path: pathlib.Path
) -> None:
    _rewritten(_left(tmp_path), entries=[{**_entry(tmp_path), **fields}])
    with pytest.raises(InstallError, match=reason):
        _found(places, tmp_path)


def test_a_journal_of_a_folder_that_is_gone_is_told(places: Places, tmp_path: pathlib.Path) -> None:
    away = str(tmp_path / "away" / "file")
    _rewritten(_left(tmp_path), entries=[_entry(tmp_path), {**_entry(tmp_path), "path": away}])
    with pytest.raises(InstallError, match=f"{tmp_path}/away, which cannot be reached any more") as caught:
        _found(places, tmp_path)
    assert caught.value.settled


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o702, 0o720, 0o704, 0o740])
def test_a_hidden_folder_that_is_open_to_others_is_refused(mode: int, places: Places, tmp_path: pathlib.Path) -> None:
    (tmp_path / ".collectssl").mkdir()
    (tmp_path / ".collectssl").chmod(mode)
    place = places.find("it", str(tmp_path / "file"))
    assert hidden.look(place.there) == _OPEN
    assert transaction.is_clean([place])
    with pytest.raises(InstallError, match=f"it cannot be acted upon: {_OPEN}"):
        transaction.require_own([place])


def test_a_hidden_folder_that_is_swapped_after_the_look_is_judged_again(
    places: Places, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = places.find("it", str(tmp_path / "file")).there
    (tmp_path / ".collectssl").mkdir()
    (tmp_path / ".collectssl").chmod(0o755)
    monkeypatch.setattr(hidden, "look", lambda _folder: "")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(InstallError, match=_OPEN) as caught:
        hidden.open_existing(folder)
    assert caught.value.settled
    (tmp_path / ".collectssl").rename(tmp_path / "away")
    assert hidden.open_existing(folder) is None
    (tmp_path / ".collectssl").symlink_to("away")
    with pytest.raises(InstallError, match="it cannot be opened"):
        hidden.open_existing(folder)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("mask", [0o000, 0o777])
def test_what_is_made_is_of_this_user_alone_whatever_the_umask(
    mask: int, places: Places, tmp_path: pathlib.Path
) -> None:
    folder = places.find("it", str(tmp_path / "file")).there
    before = os.umask(mask)
    try:
        with hidden.locked([folder], exclusive=True) as held:
            kept = stat.S_IMODE((tmp_path / ".collectssl").stat().st_mode)
            disk.write_new(in_folder(held[folder.key], "x"), b"x")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".collectssl").iterdir()}
            held[folder.key].clear()
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert kept == 0o700
    assert modes == {".gitignore": 0o600, "x": 0o600}
    assert list(tmp_path.iterdir()) == []
