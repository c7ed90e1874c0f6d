# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call does with each answer that a file system may give: go another way, take it for nothing, or let it out."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import stat
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, recovery
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import Protection
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import Entry, Located
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places, in_folder

_OTHER = 12345
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
_ACL = "system.posix_acl_access"

_NO_LINK = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_NO_REPLACE = {errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV, errno.ETXTBSY}
_NO_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


class _Shelf:
    """A folder with the files ``old`` and ``new``."""

    def __init__(self, folder: pathlib.Path, places: Places) -> None:
        self.folder = folder
        self._places = places
        self.stock()
        self.old, self.new, self.none = (self.place(name) for name in ("old", "new", "none"))

    def place(self, name: str) -> Place:
        return self._places.find("it", str(self.folder / name))

    def place_itself(self, name: str) -> Place:
        """With the name as it is, be it of a link."""
        return in_folder(self.old.there, name)

    def stock(self) -> None:
        """Begin anew."""
        for path in self.folder.iterdir():
            path.unlink()
        for name in ("old", "new"):
            (self.folder / name).write_text(name)
            (self.folder / name).chmod(0o640)

    def texts(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.folder.iterdir()}


@pytest.fixture(name="shelf")
def fixture_shelf(tmp_path: pathlib.Path) -> t.Iterator[_Shelf]:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    with Places() as places:
        yield _Shelf(tmp_path, places)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


@contextlib.contextmanager
def _answering(name: str, number: int) -> t.Iterator[None]:
    def refuse(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, refuse)
        yield


def _link(shelf: _Shelf) -> None:
    disk.duplicate(shelf.old, shelf.none)
    assert shelf.texts()["none"] == "old"
    assert os.stat(shelf.none.path).st_ino != os.stat(shelf.old.path).st_ino


def _replace(shelf: _Shelf) -> None:
    number = os.stat(shelf.old.path).st_ino
    os.chmod(shelf.new.path, 0o600)
    disk.replace(shelf.new, shelf.old, in_place=True)
    assert shelf.texts() == {"old": "new"}
    status = os.stat(shelf.old.path)
    assert (status.st_ino, stat.S_IMODE(status.st_mode)) == (number, 0o600)


@pytest.mark.parametrize(
    ("call", "work", "taken"),
    [
        ("link", _link, _NO_LINK),
        ("rename", _replace, _NO_REPLACE),
        ("fsync", lambda shelf: disk.sync_folders([shelf.old.there]), _NO_FLUSH),
        ("open", lambda shelf: disk.sync_folders([shelf.old.there]), {errno.EACCES, errno.ENOENT}),
        ("open", lambda shelf: disk.sync_file(shelf.old), {errno.EACCES}),
        ("unlink", lambda shelf: disk.remove(shelf.old, shelf.new), _NOTHING),
        ("open", lambda shelf: disk.read(shelf.old), _NOTHING),
        ("stat", lambda shelf: disk.inode(shelf.old), _NOTHING),
        ("listxattr", lambda shelf: disk.protection(shelf.old), {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}),
    ],
    ids=["link", "replace", "flush", "open to flush", "open one to flush", "remove", "read", "look", "attributes"],
)
def test_which_answers_are_taken(call: str, work: t.Callable[[_Shelf], t.Any], taken: set[int], shelf: _Shelf) -> None:
    others = {errno.EIO, errno.ENOSPC, errno.EROFS, errno.ELOOP}
    for number in sorted(others | _NO_LINK | _NO_REPLACE | _NO_FLUSH | _NOTHING):
        shelf.stock()
        before = shelf.texts()
        if number in taken:
            with _answering(call, number):
                work(shelf)
            continue
        if call == "listxattr" and number in (errno.EACCES, errno.EPERM):
            continue  # then the bits are looked at alone
        with _answering(call, number), pytest.raises(OSError, match=r".") as caught:
            work(shelf)
        assert caught.value.errno == number
        assert shelf.texts() == before


def test_what_may_only_be_replaced_is_not_written_into(shelf: _Shelf) -> None:
    for number in _NO_REPLACE:
        with _answering("rename", number), pytest.raises(OSError, match=os.strerror(number)):
            disk.replace(shelf.new, shelf.old)
    assert shelf.texts() == {"old": "old", "new": "new"}


def test_what_is_made_must_not_be_there(shelf: _Shelf) -> None:
    (shelf.folder / "astray").symlink_to("nowhere")
    for name in ("old", "astray"):
        with pytest.raises(FileExistsError):
            disk.create(shelf.place_itself(name), b"data")
    assert not (shelf.folder / "nowhere").exists()
    assert (shelf.folder / "old").read_text() == "old"


@pytest.mark.parametrize("call", ["fchmod", "fsync"])
def test_nothing_stays_of_a_copy_that_fails(call: str, shelf: _Shelf) -> None:
    with _answering(call, errno.EIO), pytest.raises(OSError, match=os.strerror(errno.EIO)):
        disk.copy(shelf.old, shelf.none)
    assert shelf.texts() == {"old": "old", "new": "new"}


def test_nothing_stays_of_a_file_that_cannot_be_written(shelf: _Shelf) -> None:
    with _answering("dup", errno.EIO), pytest.raises(OSError, match=os.strerror(errno.EIO)):
        disk.create(shelf.none, b"data")
    assert shelf.texts() == {"old": "old", "new": "new"}


def _as(shelf: _Shelf, kind: str) -> Place:
    path = shelf.folder / "odd"
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir, "link": lambda: path.symlink_to("old")}[kind]()
    return shelf.place_itself("odd")


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_only_regular_files_are_given(kind: str, shelf: _Shelf) -> None:
    odd = _as(shelf, kind)
    works: list[t.Callable[[], t.Any]] = [
        lambda: disk.read(odd),
        lambda: disk.protection(odd),
        lambda: disk.copy(odd, shelf.none),
        lambda: disk.duplicate(odd, shelf.none),
        lambda: disk.sync_file(odd),
        lambda: disk.overwrite(shelf.old, odd, lambda _descriptor: None),
    ]
    for work in works:
        with pytest.raises(OSError, match=r".") as caught:
            work()
        assert caught.value.errno in (errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EPERM)
        assert not os.path.lexists(shelf.none.path)
    assert (shelf.folder / "old").read_text() == "old"


def test_a_file_is_overwritten_once_it_is_protected_and_flushed_after(shelf: _Shelf) -> None:
    done: list[str] = []
    fsync = os.fsync

    def settle(descriptor: int) -> None:
        done.append((shelf.folder / "old").read_text())
        os.fchmod(descriptor, 0o600)

    def flush(descriptor: int) -> None:
        done.append((shelf.folder / "old").read_text())
        fsync(descriptor)

    (shelf.folder / "old").write_text("longer than the new one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", flush)
        disk.overwrite(shelf.new, shelf.old, settle, disk.inode(shelf.old))
    assert done == ["longer than the new one", "new"]
    assert stat.S_IMODE(os.stat(shelf.old.path).st_mode) == 0o600


def test_a_file_that_was_replaced_is_neither_overwritten_nor_copied(shelf: _Shelf) -> None:
    other = disk.inode(shelf.new)
    for work in (
        lambda: disk.overwrite(shelf.new, shelf.old, lambda _descriptor: None, other),
        lambda: disk.copy(shelf.old, shelf.none, expected=other),
    ):
        with pytest.raises(OSError, match="It was replaced by somebody else") as caught:
            work()
        assert (caught.value.errno, caught.value.filename) == (errno.ESTALE, shelf.old.path)
    assert shelf.texts() == {"old": "old", "new": "new"}


@pytest.mark.parametrize(("links", "others", "refused"), [(1, True, False), (2, True, True), (2, False, False)])
def test_a_file_with_two_names_where_others_could_have_given_one(
    links: int, others: bool, refused: bool, shelf: _Shelf
) -> None:
    if others:
        shelf.folder.chmod(0o777)
    with Places() as places:
        place = places.find("it", shelf.old.path)
        if not others and not place.there.settled:
            pytest.skip("others could come at the folder for temporary files")
        for number in range(1, links):
            os.link(shelf.old.path, shelf.folder / f"link{number}")
        if refused:
            with pytest.raises(OSError, match="It has other names as well") as caught:
                disk.overwrite(shelf.new, place, lambda _descriptor: None)
            assert caught.value.errno == errno.EMLINK
        else:
            disk.overwrite(shelf.new, place, lambda _descriptor: None)
    assert (shelf.folder / "old").read_text() == ("old" if refused else "new")


def test_a_file_is_read_from_its_beginning_as_far_as_asked(shelf: _Shelf) -> None:
    (shelf.folder / "old").write_bytes(b"x" * (disk.READ_LIMIT + 1))
    assert len(disk.read(shelf.old) or b"") == disk.READ_LIMIT == 1 << 20
    assert len(disk.read(shelf.old, None) or b"") == disk.READ_LIMIT + 1
    with disk.opened(shelf.new) as descriptor:
        assert [disk.read_from(descriptor, 2), disk.read_from(descriptor)] == [b"ne", b"new"]
    assert disk.read(shelf.none) is None


_A, _B = ((_ACL, b"a"),), ((_ACL, b"b"),)
_MORE = (("user.x", b"1"),)


@pytest.mark.parametrize(
    ("one", "other", "closed"),
    [
        (Protection(0o664, 1, 2, ()), Protection(0o640, 3, 4, ()), Protection(0o640, 1, 2, ())),
        (Protection(0o640, 1, 2, ()), Protection(0o664, 3, 4, ()), Protection(0o640, 1, 2, ())),
        (Protection(0o664, 1, 2, _A + _MORE), Protection(0o666, 3, 4, _A), Protection(0o664, 1, 2, _A + _MORE)),
        (Protection(0o664, 1, 2, _A + _MORE), Protection(0o666, 3, 4, _B), Protection(0o604, 1, 2, _MORE)),
        (Protection(0o664, 1, 2, _A), Protection(0o666, 3, 4, ()), Protection(0o604, 1, 2, ())),
        (Protection(0o674, 1, 2, _MORE), Protection(0o677, 3, 4, _A), Protection(0o604, 1, 2, _MORE)),
    ],
)
def test_no_wider_than_another(one: Protection, other: Protection, closed: Protection) -> None:
    assert one.closed_as(other) == closed
    assert one.within(other) == closed._replace(uid=3, gid=4)


@_only_root
@pytest.mark.parametrize(("uid", "gid"), [(_OTHER, 0), (0, _OTHER), (_OTHER, _OTHER)])
def test_a_protection_is_given_whole_and_only_where_it_differs(uid: int, gid: int, shelf: _Shelf) -> None:
    with disk.opened(shelf.old, os.O_RDWR) as descriptor:
        wanted = Protection(0o4711, uid, gid, ())
        disk.protect(descriptor, wanted)
        assert disk.protection_of(descriptor) == wanted
        for call in ("fchown", "fchmod", "setxattr", "removexattr"):
            with _answering(call, errno.EIO):
                disk.protect(descriptor, wanted)
        with _answering("fchown", errno.EPERM), pytest.raises(PermissionError, match="its owner and group"):
            disk.protect(descriptor, wanted._replace(gid=7))


_RESTORE, _LEAVE, _REMOVE, _ASIDE = recovery.RESTORE, recovery.LEAVE, recovery.REMOVE, recovery.SET_ASIDE


@pytest.mark.parametrize(
    ("before", "after", "kept", "present", "action", "written_into"),
    [
        (None, 2, True, None, _LEAVE, _LEAVE),
        (None, 2, True, 2, _REMOVE, _REMOVE),
        (None, 2, True, 3, _LEAVE, _LEAVE),
        (None, None, True, None, _LEAVE, _LEAVE),
        (1, 2, False, 2, _LEAVE, _LEAVE),
        (1, 2, True, 1, _LEAVE, _RESTORE),
        (1, 2, True, 2, _RESTORE, _RESTORE),
        (1, 2, True, None, _RESTORE, _RESTORE),
        (1, None, True, None, _RESTORE, _RESTORE),
        (1, 2, True, 3, _ASIDE, _ASIDE),
        (1, None, True, 3, _ASIDE, _ASIDE),
    ],
)
def test_what_undoing_does(
    before: int | None,
    after: int | None,
    kept: bool,
    present: int | None,
    action: str,
    written_into: str,
    shelf: _Shelf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hidden_one = t.cast(t.Any, shelf.old.there)
    entry = Entry("/x", 1, "new", "old", before, after, None, None, "", in_place=False)
    monkeypatch.setattr(
        disk, "inode", lambda place: present if place.name == "none" else (7 if kept and place.name == "old" else None)
    )
    cases: t.Any = (({}, action), ({"in_place": True}, written_into), ({"rewrites": True}, written_into))
    for changes, expected in cases:
        assert recovery.undo_action(Located(entry._replace(**changes), shelf.none, hidden_one)) == expected
    if before is not None:
        assert recovery.undo_action(Located(entry._replace(old=None), shelf.none, hidden_one)) == _LEAVE
