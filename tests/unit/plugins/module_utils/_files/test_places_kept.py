# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a file, name by name: which folders lead, which links are followed, and what a path ends at."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Place, Places

_OTHER = 4712

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(name="known")
def fixture_known() -> t.Iterator[Places]:
    before = set(os.listdir("/proc/self/fd"))
    with Places() as known:
        yield known
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.fixture(name="base")
def fixture_base(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with a file, a folder, and links to both."""
    (tmp_path / "folder/inner").mkdir(parents=True)
    (tmp_path / "folder/file").touch()
    (tmp_path / "folder/back").symlink_to("..")
    (tmp_path / "relative").symlink_to("folder//inner/.")
    (tmp_path / "absolute").symlink_to(tmp_path / "folder")
    (tmp_path / "to-file").symlink_to("folder/file")
    (tmp_path / "to-nothing").symlink_to("folder/nothing")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


# --- what a path leads to -----------------------------------------------------------------------------------------

_IS_DIRECTORY = "is a directory; name a file in it"


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("folder/file", "folder/file"),
        ("folder//./file", "folder/file"),
        ("folder/inner/../file", "folder/file"),
        ("folder/new", "folder/new"),
        ("folder/new/.", "folder/new"),
        ("folder/new/", None),
        ("folder/file/", None),
        ("folder/file/.", "folder/file"),
        ("folder", None),
        ("folder/", None),
        ("folder/inner/..", None),
        ("relative", None),
        ("relative/new", "folder/inner/new"),
        ("absolute/file", "folder/file"),
        ("absolute/back/to-file", "folder/file"),
        ("to-file", "folder/file"),
        ("to-nothing", "folder/nothing"),
        ("folder/back/folder/file", "folder/file"),
        ("../../../../../../../../../../../../../../../etc", None),
    ],
)
def test_where_a_path_ends(path: str, leads_to: str | None, base: pathlib.Path, known: Places) -> None:
    if leads_to is None:
        with pytest.raises(InstallError, match=f"^It: .*{_IS_DIRECTORY}"):
            known.find("It", str(base) + "/" + path)
        return
    place = known.find("It", str(base) + "/" + path)
    assert place.path == str(base / leads_to)
    assert place.name == os.path.basename(leads_to)
    assert place.there.path == str((base / leads_to).parent)
    assert place.exists is (base / leads_to).exists()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nothing/file", "nothing/file"),
        ("nothing/./more//file", "nothing/more/file"),
        ("folder/file/below", "folder/file/below"),
        ("to-nothing/file", "folder/nothing/file"),
    ],
)
def test_a_folder_that_is_not_there(path: str, told: str, base: pathlib.Path, known: Places) -> None:
    place = known.find("It", str(base) + "/" + path)
    assert place == Place(None, os.path.basename(told), str(base / told))
    assert place.status() is None
    assert not place.exists
    with pytest.raises(FileNotFoundError) as caught:
        assert place.there
    assert caught.value.filename == place.path


def test_nothing_leads_back_out_of_what_is_not_there(base: pathlib.Path, known: Places) -> None:
    with pytest.raises(InstallError, match=f"leads back out of {base}/nothing, which is not a folder that is there"):
        known.find("It", f"{base}/nothing/more/../file")


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("folder", "folder"),
        ("folder/", "folder"),
        ("relative", "folder/inner"),
        ("relative/..", "folder"),
        ("absolute/back", ""),
        ("nothing", None),
        ("nothing/", None),
        ("folder/nothing/more", None),
        ("folder/file", None),
        ("to-file", None),
        ("to-nothing", None),
    ],
)
def test_which_folder_a_path_leads_to(path: str, leads_to: str | None, base: pathlib.Path, known: Places) -> None:
    folder = known.folder("It", str(base) + "/" + path)
    if leads_to is None:
        assert folder is None
        return
    assert folder is not None
    assert folder.path == str(base / leads_to)
    status = (base / leads_to).stat()
    assert folder.inode == status.st_ino
    assert folder.key == (status.st_dev, status.st_ino)
    # Entered once however often it is asked for.
    assert known.folder("It", str(base) + "/" + path) is folder


@pytest.mark.parametrize("path", ["relative", "", "\t"])
def test_a_path_is_absolute(path: str, known: Places) -> None:
    for find in (known.find, known.folder):
        with pytest.raises(InstallError, match=r"^It: .*is a relative path"):
            find("It", path)


@pytest.mark.parametrize("code", [0, 1, 0x1F, 0x7F, 0x80, 0x9F])
def test_a_path_has_no_control_characters(code: int, known: Places) -> None:
    for find in (known.find, known.folder):
        with pytest.raises(InstallError, match=r"^It: .*has a control character"):
            find("It", f"/a{chr(code)}b")


@pytest.mark.parametrize("char", [" ", "~", "\xa0", "é"])
def test_a_path_may_have_other_characters(char: str, base: pathlib.Path, known: Places) -> None:
    assert known.find("It", str(base / f"a{char}b")).name == f"a{char}b"


def test_links_are_followed_as_often_as_by_the_system(base: pathlib.Path, known: Places) -> None:
    for number in range(1, 42):
        (base / f"link{number}").symlink_to(f"link{number - 1}" if number > 1 else "folder/file")
    assert known.find("It", str(base / "link40")).path == str(base / "folder/file")
    for path in ("link41", "loop"):
        for find in (known.find, known.folder):
            with pytest.raises(InstallError, match=r"^It: .* could not be looked at: .*symbolic links"):
                find("It", str(base / path))


@pytest.mark.parametrize("call", ["stat", "open"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_entered(
    call: str, number: int, base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def refuse(name: t.Any, *more: t.Any, **named: t.Any) -> t.Any:
        if name == "inner":
            raise OSError(number, os.strerror(number))
        return real(name, *more, **named)

    shut = base / "folder" if call == "stat" else base / "folder/inner"
    path = str(base / "folder/inner/file")
    told = rf"the folder {shut} cannot be entered by the user .*, so {path} is out of reach"
    for find in (known.find, known.folder):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            with pytest.raises(
                InstallError, match="^It: " + (told if number == errno.EACCES else rf"{path} could not be looked at: ")
            ):
                find("It", path)


@pytest.mark.parametrize("end", ["", "/", "//", "/."])
def test_a_folder_that_is_named_as_a_file_need_not_be_entered(
    end: str, base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(name: str, *more: t.Any, **named: t.Any) -> int:
        if name == "inner":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return real(name, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(InstallError, match=_IS_DIRECTORY):
            known.find("It", f"{base}/folder/inner{end}")


# --- folders ------------------------------------------------------------------------------------------------------


def test_how_folders_are_opened(base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[t.Any, ...]] = []
    real = os.open

    def watch(name: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
        seen.append((name, flags, dir_fd is None))
        return real(name, flags, *more, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", watch)
        folder = known.folder("It", "/" + os.path.relpath(base / "folder", "/"))
        assert folder is not None
        folder.names()
    enter = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    names = [part for part in str(base / "folder").split("/") if part]
    # A folder that its group may write in is looked at for a list besides.
    assert [one for one in seen[:-1] if one[0] != "."] == [
        ("/", enter, True),
        *((name, enter, False) for name in names),
    ]
    assert seen[-1] == (".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, False)


def test_what_is_in_a_folder(base: pathlib.Path, known: Places) -> None:
    folder = known.folder("It", str(base / "folder"))
    assert folder is not None
    assert folder.names() == ["back", "file", "inner"]
    status = folder.status("back")
    assert status is not None
    assert stat.S_ISLNK(status.st_mode)
    assert folder.status("nothing") is None
    assert folder.status("file/below") is None
    with pytest.raises(OSError, match="too long"):
        folder.status("n" * 256)
    os.utime(base / "folder", ns=(1, 123456789))
    assert folder.changed_at() == 123456789


def test_folders_that_are_the_same_are_one(base: pathlib.Path, known: Places) -> None:
    found = [known.folder("It", str(base / name)) for name in ("folder", "absolute", "folder/inner", "relative", "")]
    folders = [folder for folder in found if folder is not None]
    assert len(folders) == 5
    expected = sorted({folder.key for folder in folders})
    assert [folder.key for folder in places.unique(folders)] == expected
    assert [folder.key for folder in places.unique(reversed(folders))] == expected


def test_a_descriptor_is_kept_as_long_as_the_others(base: pathlib.Path) -> None:
    with Places() as known:
        descriptor = os.open(base, os.O_RDONLY)
        known.keep(descriptor)
        os.fstat(descriptor)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)


def test_what_was_opened_is_closed_once_and_opened_anew(base: pathlib.Path) -> None:
    known = Places()
    with known:
        first = known.folder("It", str(base))
        assert first is not None
        count = len(os.listdir("/proc/self/fd"))
        assert known.folder("It", str(base)) is first
        assert len(os.listdir("/proc/self/fd")) == count
    others = [os.open(base, os.O_RDONLY) for _number in range(20)]
    known.__exit__()
    for other in others:
        os.close(other)
    with known:
        again = known.folder("It", str(base))
        assert again is not None
        assert again.status("folder") is not None


def test_names_come_in_one_order(base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = known.folder("It", str(base))
    assert folder is not None
    monkeypatch.setattr(os, "listdir", lambda dummy: ["c", "a", "b"])
    assert folder.names() == ["a", "b", "c"]
    monkeypatch.undo()


@as_root
def test_what_is_of_root_is_believed_by_others(
    base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: _OTHER)
        folder = known.folder("It", str(base))
        assert folder is not None
        assert folder.settled
        assert known.find("It", str(base / "to-file")).path == str(base / "folder/file")


def _status(mode: int, uid: int, gid: int = 5711) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "of_one", "ours"),
    [
        (0o40755, 0, False, True),
        (0o40755, 4711, False, True),
        (0o40755, _OTHER, False, False),
        (0o40755, _OTHER, True, False),
        (0o40757, 4711, True, False),
        (0o40775, 4711, False, False),
        (0o40775, 4711, True, True),
        (0o40777, 0, True, False),
        (0o41777, 0, True, False),
    ],
)
def test_who_else_may_write_in_a_folder(
    mode: int, uid: int, of_one: bool, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: t.Any = []
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(places, "group_is_of_one", lambda gid, owner: asked.append((gid, owner)) or of_one)
    assert places.only_ours(_status(mode, uid)) is ours
    assert set(asked) <= {(5711, uid)}


class _Above(t.NamedTuple):
    leads: bool


@pytest.mark.parametrize(
    ("mode", "uid", "listed", "above", "is_ours", "leads"),
    [
        (0o755, 0, False, None, True, True),
        (0o755, 0, False, _Above(True), True, True),
        (0o755, 0, False, _Above(False), True, False),
        (0o755, _OTHER, False, _Above(True), False, False),
        (0o1777, 0, False, _Above(True), False, True),
        (0o1777, 0, False, _Above(False), False, False),
        (0o1777, _OTHER, False, _Above(True), False, False),
        (0o777, 0, False, _Above(True), False, False),
        (0o770, 0, False, _Above(True), True, True),
        (0o770, 0, True, _Above(True), False, False),
        (0o750, 0, True, _Above(True), True, True),
        (0o1770, 0, True, _Above(True), False, True),
    ],
)
@as_root
def test_which_folders_lead(
    mode: int,
    uid: int,
    listed: bool,
    above: t.Any,
    is_ours: bool,
    leads: bool,
    base: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    os.chown(base / "folder", uid, -1)
    (base / "folder").chmod(mode)
    monkeypatch.setattr(places, "group_is_of_one", lambda gid, owner: True)
    monkeypatch.setattr(os, "listxattr", lambda one: ["system.posix_acl_access"] if listed else ["user.other"])
    descriptor = os.open(base / "folder", os.O_RDONLY)
    try:
        folder = Folder(descriptor, "/a/folder", above)
        assert (folder.only_ours, folder.leads, folder.settled) == (is_ours, leads, is_ours and leads)
        assert folder.above is above
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("call", "listed"), [("open", True), ("listxattr", False)])
def test_whether_a_folder_has_a_list_where_that_cannot_be_told(
    call: str, listed: bool, base: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*dummy: t.Any, **named: t.Any) -> t.NoReturn:
        raise OSError(errno.EACCES, "no")

    descriptor = os.open(base / "folder", os.O_RDONLY)
    before = set(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        looked_at: t.Any = []
        patch.setattr(os, "listxattr", lambda one: looked_at.append(os.fstat(one).st_ino) or [])
        assert not places._is_listed(descriptor)
        assert looked_at == [os.fstat(descriptor).st_ino]
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        assert places._is_listed(descriptor) is listed
    with monkeypatch.context() as patch:
        patch.delattr(os, "listxattr")
        assert not places._is_listed(descriptor)
    assert set(os.listdir("/proc/self/fd")) == before
    os.close(descriptor)


# --- links --------------------------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize(
    ("link", "leads", "is_ours", "told"),
    [
        (0, True, True, None),
        (_OTHER, True, True, f"that belongs to the user {_OTHER}, so it is not followed"),
        (0, False, True, "that belongs to the user root and lies where others could have put it"),
        (0, True, False, "that belongs to the user root and lies where others could have put it"),
    ],
)
def test_links_that_others_could_have_made_are_not_followed(
    link: int, leads: bool, is_ours: bool, told: str | None, base: pathlib.Path, known: Places
) -> None:
    os.chown(base / "to-file", link, 0, follow_symlinks=False)
    folder = known.folder("It", str(base))
    assert folder is not None
    folder.leads, folder.only_ours = leads, is_ours
    if told is None:
        assert known.find("It", str(base / "to-file")).path == str(base / "folder/file")
        return
    with pytest.raises(InstallError, match=rf"^It: {base}/to-file is a symbolic link {told}"):
        known.find("It", str(base / "to-file"))


@as_root
def test_a_link_of_this_user_is_followed(base: pathlib.Path, known: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(base / "to-file", _OTHER, 0, follow_symlinks=False)
    folder = known.folder("It", str(base))
    assert folder is not None
    folder.leads = folder.only_ours = True
    monkeypatch.setattr(os, "geteuid", lambda: _OTHER)
    assert known.find("It", str(base / "to-file")).path == str(base / "folder/file")
