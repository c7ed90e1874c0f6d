# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of locks and records: what gives others a say in it is refused by itself, with all else right."""

from __future__ import annotations

import os
import pathlib
import secrets
import stat
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.folder import NotOursError, folder

_NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder as it should be, with a file in it."""
    made = tmp_path / "folder"
    made.mkdir(mode=0o700)
    (made / "file").write_bytes(b"0123456789")
    (made / "file").chmod(0o600)
    return made


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def _read(path: pathlib.Path, name: str = "file") -> bytes:
    with folder(str(path)) as inside:
        return inside.read(name, 100)


# --- the folder ---------------------------------------------------------------------------------------------------


def test_a_folder_is_made_for_this_user_alone(tmp_path: pathlib.Path) -> None:
    mask = os.umask(0)
    try:
        with folder(str(tmp_path / "new")) as inside:
            assert inside.make("file")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/file").stat().st_mode) == 0o600


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_a_folder_that_others_may_enter_is_refused(path: pathlib.Path, bit: int) -> None:
    path.chmod(0o700 | bit)
    with pytest.raises(NotOursError, match=rf"^others than its owner may enter it \(mode 07{bit:02o}\)\. Remove it"):
        _read(path)


def test_a_folder_that_is_a_link_is_refused(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(NotOursError, match=r"it is a link\. Put a folder in its place"):
        _read(tmp_path / "link")


@as_root
def test_a_folder_of_another_is_refused(path: pathlib.Path) -> None:
    os.chown(path, _NOBODY, 0)
    with pytest.raises(NotOursError, match=rf"it belongs to the user number {_NOBODY}, and this is 0\. Remove it"):
        _read(path)


def test_a_file_in_its_place_is_no_folder(path: pathlib.Path) -> None:
    with pytest.raises(OSError, match=r"exists|directory"):
        _read(path / "file")


@pytest.mark.parametrize("swapped", ["link", "file", "pipe"])
def test_what_takes_its_place_while_it_is_looked_at_is_not_opened(
    path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    def swap(given: str) -> bool:
        path.rename(tmp_path / "moved")
        if swapped == "link":
            path.symlink_to(tmp_path / "moved")
        elif swapped == "file":
            path.touch(mode=0o600)
        else:
            os.mkfifo(path, 0o600)
        return False

    before = _descriptors()
    monkeypatch.setattr(os.path, "islink", swap)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        _read(path)
    assert _descriptors() == before


# --- its files ----------------------------------------------------------------------------------------------------


def test_a_file_is_read_up_to_a_size(path: pathlib.Path) -> None:
    before = _descriptors()
    with folder(str(path)) as inside:
        assert (inside.read("file", 4), inside.read("file", 10), inside.read("file", 100)) == (
            *(b"0123", b"0123456789"),
            b"0123456789",
        )
        with pytest.raises(FileNotFoundError):
            inside.read("other", 1)
    assert _descriptors() == before


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_a_file_that_others_may_open_is_refused(path: pathlib.Path, bit: int) -> None:
    (path / "file").chmod(0o600 | bit)
    _refused(path)


@as_root
def test_a_file_of_another_is_refused(path: pathlib.Path) -> None:
    os.chown(path / "file", _NOBODY, 0)
    _refused(path)


def test_a_file_with_another_name_elsewhere_is_refused(path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.link(path / "file", tmp_path / "other")
    _refused(path)


@pytest.mark.parametrize("to", ["there", "nowhere"])
def test_a_link_is_refused_and_its_target_left_alone(path: pathlib.Path, tmp_path: pathlib.Path, to: str) -> None:
    (tmp_path / "there").write_bytes(b"left alone")
    (tmp_path / "there").chmod(0o600)
    (path / "file").unlink()
    (path / "file").symlink_to(tmp_path / to)
    _refused(path)
    with folder(str(path)) as inside:
        assert not inside.make("file")
        inside.replace("file", b"new")
    assert (tmp_path / "there").read_bytes() == b"left alone"
    assert not (tmp_path / "nowhere").exists()
    assert _read(path) == b"new"


def test_a_pipe_and_a_folder_are_refused_and_block_nothing(path: pathlib.Path) -> None:
    for make in (os.mkfifo, os.mkdir):
        (path / "file").unlink(missing_ok=True)
        make(path / "file", 0o600)
        _refused(path)
        with folder(str(path)) as inside, pytest.raises(NotOursError):
            os.close(inside.open("file", os.O_WRONLY if make is os.mkfifo else os.O_RDONLY))


def _refused(path: pathlib.Path) -> None:
    before = _descriptors()
    with pytest.raises(NotOursError, match=r"^file in it is no plain file of this user alone\. Remove that$"):
        _read(path)
    assert _descriptors() == before


def test_a_file_takes_the_place_of_whatever_has_its_name(path: pathlib.Path) -> None:
    with folder(str(path)) as inside:
        inside.replace("file", b"new")
        inside.replace("other", b"first")
        (path / "taken").mkdir()
        (path / "taken/inner").touch()
        inside.replace("taken", b"mine")
        assert (inside.read("file", 9), inside.read("other", 9), inside.read("taken", 9)) == (b"new", b"first", b"mine")
    names = sorted(os.listdir(path))
    assert [name for name in names if not name.startswith(".foreign-")] == ["file", "other", "taken"]
    (foreign,) = (name for name in names if name.startswith(".foreign-"))
    assert os.listdir(path / foreign) == ["inner"]
    assert {stat.S_IMODE((path / name).stat().st_mode) for name in ("file", "other", "taken")} == {0o600}


def test_a_file_that_cannot_be_put_in_its_place_leaves_nothing(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: t.Any, **_options: t.Any) -> t.NoReturn:
        raise PermissionError("no")

    monkeypatch.setattr(os, "rename", fail)
    with folder(str(path)) as inside, pytest.raises(PermissionError):
        inside.replace("file", b"new")
    assert os.listdir(path) == ["file"]
    assert (path / "file").read_bytes() == b"0123456789"


def test_a_name_that_somebody_guessed_is_not_written_to(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _size: "guessed")
    (path / ".record-guessed").write_bytes(b"left alone")
    (path / ".record-guessed").chmod(0o600)
    with folder(str(path)) as inside, pytest.raises(FileExistsError):
        inside.replace("file", b"new")
    assert (path / ".record-guessed").read_bytes() == b"left alone"
    assert (path / "file").read_bytes() == b"0123456789"


def test_a_name_is_taken_by_the_first_alone(path: pathlib.Path) -> None:
    with folder(str(path)) as inside:
        assert [inside.make("once"), inside.make("once"), inside.make("file")] == [True, False, False]
        assert (inside.has("once"), inside.has("never")) == (True, False)
        (path / "dangling").symlink_to(path / "never")
        assert inside.has("dangling")
    assert (path / "file").read_bytes() == b"0123456789"


def test_whether_a_name_still_is_the_file_that_was_opened(path: pathlib.Path) -> None:
    with folder(str(path)) as inside:
        descriptor = inside.open("file", os.O_RDONLY)
        try:
            assert inside.holds("file", descriptor)
            (path / "file").rename(path / "moved")
            assert not inside.holds("file", descriptor)
            (path / "file").symlink_to(path / "moved")
            assert not inside.holds("file", descriptor)
            assert inside.holds("moved", descriptor)
        finally:
            os.close(descriptor)
