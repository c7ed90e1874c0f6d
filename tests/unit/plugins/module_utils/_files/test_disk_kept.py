# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to files, call by call: what is kept, what is refused, and what is left behind when something fails."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import signal
import stat
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places, in_folder

_OTHER = 4711
_GUARDS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class _Room:
    """A folder with a file, and what there may be beside it."""

    def __init__(self, folder: pathlib.Path, known: Places) -> None:
        self.folder = folder
        (folder / "file").write_bytes(b"0123456789")
        (folder / "file").chmod(0o640)
        found = known.folder("it", str(folder))
        assert found is not None
        self.there = found

    def __getitem__(self, name: str) -> Place:
        return in_folder(self.there, name)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.folder / name).lstat().st_mode)


@pytest.fixture(name="room")
def fixture_room(tmp_path: pathlib.Path) -> t.Iterator[_Room]:
    with Places() as known:
        room = _Room(tmp_path, known)
        before = set(os.listdir("/proc/self/fd"))
        yield room
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.fixture(name="refuse")
def fixture_refuse(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., t.ContextManager[None]]:
    """Let a call of the system fail."""

    @contextlib.contextmanager
    def refuse(call: str, number: int) -> t.Iterator[None]:
        def fail(*dummy: t.Any, **named: t.Any) -> t.NoReturn:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            yield

    return refuse


_Refuse = t.Callable[[str, int], t.ContextManager[None]]


@contextlib.contextmanager
def _in_time() -> t.Iterator[None]:
    """A pipe that nobody writes into would be waited for without end."""
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


# --- opening ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
@pytest.mark.parametrize(
    "use",
    [
        disk.read,
        disk.protection,
        disk.sync_file,
        lambda place: disk.copy(place, place._replace(name="new")),
        lambda place: disk.overwrite(place._replace(name="file"), place, lambda dummy: None),
        lambda place: disk.overwrite(place, place._replace(name="file"), lambda dummy: None),
    ],
)
def test_what_is_no_regular_file_is_neither_read_nor_written(
    room: _Room, kind: str, use: t.Callable[[Place], t.Any]
) -> None:
    path = room.folder / "odd"
    if kind == "link":
        path.symlink_to("file")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif os.geteuid() == 0:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        pytest.skip("only root makes devices")
    with _in_time(), pytest.raises(OSError, match=r"regular|symbolic|directory|No such device") as caught:
        use(room["odd"])
    assert not isinstance(caught.value, InstallError)
    assert room.names() == ["file", "odd"]
    assert (room.folder / "file").read_bytes() == b"0123456789"


def test_how_files_are_opened(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[t.Any, ...]] = []
    real = os.open

    def watch(name: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
        seen.append((name, flags, dir_fd == room.there.descriptor, *more))
        return real(name, flags, *more, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", watch)
        disk.read(room["file"])
        disk.write_new(room["new"], b"new")
        disk.overwrite(room["new"], room["file"], lambda dummy: None)
        disk.sync_folders([room.there, room.there])
    assert seen == [
        ("file", os.O_RDONLY | _GUARDS, True),
        ("new", os.O_RDWR | os.O_CREAT | os.O_EXCL | _GUARDS, True, 0o600),
        ("new", os.O_RDONLY | _GUARDS, True),
        ("file", os.O_WRONLY | _GUARDS, True),
        ("file", os.O_RDONLY | _GUARDS, True),
        (".", os.O_RDONLY | os.O_CLOEXEC, True),
    ]


def test_a_descriptor_has_a_name(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with disk.opened(room["file"]) as descriptor:
        path = disk.by_name(descriptor)
        assert path is not None
        assert pathlib.Path(path).read_bytes() == b"0123456789"
        with monkeypatch.context() as patch:
            patch.setattr(disk, "_DESCRIPTORS", str(room.folder / "nothing"))
            assert disk.by_name(descriptor) is None


# --- reading ------------------------------------------------------------------------------------------------------


def test_how_much_is_read(room: _Room) -> None:
    assert disk.read(room["file"], 4) == b"0123"
    assert disk.read(room["file"], None) == b"0123456789"
    assert disk.read(room["nothing"]) is None
    assert disk.read(room["n" * 300]) is None
    assert disk.read(room["file/below"]) is None
    assert disk.READ_LIMIT == 1 << 20
    (room.folder / "long").write_bytes(b"x" * (disk.READ_LIMIT + 1))
    assert len(disk.read(room["long"]) or b"") == disk.READ_LIMIT
    assert len(disk.read(room["long"], None) or b"") == disk.READ_LIMIT + 1
    with disk.opened(room["file"]) as descriptor:
        assert [disk.read_from(descriptor, 3), disk.read_from(descriptor)] == [b"012", b"0123456789"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ELOOP])
def test_what_cannot_be_read_is_not_missing(room: _Room, refuse: _Refuse, number: int) -> None:
    with refuse("open", number), pytest.raises(OSError, match=os.strerror(number)):
        disk.read(room["file"])
    with refuse("stat", number), pytest.raises(OSError, match=os.strerror(number)):
        disk.inode(room["file"])
    with refuse("unlink", number), pytest.raises(OSError, match=os.strerror(number)):
        disk.remove(room["file"])


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_what_is_missing(room: _Room, refuse: _Refuse, number: int) -> None:
    with refuse("open", number), refuse("stat", number), refuse("unlink", number):
        assert disk.read(room["file"]) is None
        assert disk.inode(room["file"]) is None
        disk.remove(room["file"], room["other"])
    assert disk.inode(room["file"]) == (room.folder / "file").stat().st_ino


# --- writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o777])
def test_a_new_file_is_of_this_user_alone(room: _Room, mask: int) -> None:
    before = os.umask(mask)
    try:
        disk.write_new(room["new"], b"new")
    finally:
        os.umask(before)
    assert room.mode("new") == 0o600
    assert (room.folder / "new").read_bytes() == b"new"


@pytest.mark.parametrize("there", ["file", "link", "nowhere"])
def test_a_new_file_takes_the_place_of_none(room: _Room, there: str) -> None:
    if there == "file":
        (room.folder / "new").write_bytes(b"there")
    else:
        (room.folder / "new").symlink_to("file" if there == "link" else "elsewhere")
    for make in (
        lambda: disk.write_new(room["new"], b"new"),
        lambda: disk.copy(room["file"], room["new"]),
        lambda: disk.link(room["file"], room["new"]),
        lambda: disk.copy_for_itself(room["file"], room["new"]),
    ):
        with pytest.raises(FileExistsError):
            make()
    assert room.names() == ["file", "new"]
    assert (room.folder / "file").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("call", "make"),
    [
        ("fdopen", lambda room: disk.create(room["new"], b"new")),
        ("fchmod", lambda room: disk.create(room["new"], b"new")),
        ("fsync", lambda room: disk.copy(room["file"], room["new"])),
        ("fchmod", lambda room: disk.copy(room["file"], room["new"])),
        ("fchmod", lambda room: disk.copy(room["file"], room["new"], faithful=False)),
    ],
)
def test_what_could_not_be_made_is_not_left(
    room: _Room, refuse: _Refuse, monkeypatch: pytest.MonkeyPatch, call: str, make: t.Callable[[_Room], t.Any]
) -> None:
    before = os.umask(0o700)
    if call == "fdopen":
        monkeypatch.setattr(os, "dup", lambda descriptor: descriptor)
    try:
        with refuse(call, errno.EIO), pytest.raises(OSError, match=os.strerror(errno.EIO)):
            make(room)
    finally:
        os.umask(before)
    assert room.names() == ["file"]


def test_a_flush_that_fails_is_told(room: _Room, refuse: _Refuse) -> None:
    with refuse("fsync", errno.EIO):
        for work in (
            lambda: disk.write_new(room["new"], b"new"),
            lambda: disk.sync_file(room["file"]),
            lambda: disk.sync_folders([room.there]),
            lambda: disk.overwrite(room["file"], room["file"], lambda dummy: None),
        ):
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                work()


@pytest.mark.parametrize(
    ("call", "number", "passes"),
    [
        *(("fsync", number, True) for number in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF)),
        *(("open", number, True) for number in (errno.EACCES, errno.ENOENT)),
        *((call, number, False) for call in ("open", "fsync") for number in (errno.EIO, errno.ENOSPC, errno.EPERM)),
        ("open", errno.EINVAL, False),
        ("fsync", errno.EACCES, False),
    ],
)
def test_what_folders_cannot_be_flushed(room: _Room, refuse: _Refuse, call: str, number: int, passes: bool) -> None:
    context = contextlib.nullcontext() if passes else pytest.raises(OSError, match=os.strerror(number))
    with refuse(call, number), context:
        disk.sync_folders([room.there])


def test_a_folder_that_cannot_be_flushed_keeps_no_other_from_it(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    (room.folder / "second").mkdir()
    with Places() as known:
        second = known.folder("it", str(room.folder / "second"))
        assert second is not None
        first, last = sorted([room.there, second], key=lambda folder: folder.key)
        real = os.open

        def refuse(name: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
            if dir_fd == first.descriptor:
                raise PermissionError(errno.EACCES, "no")
            return real(name, flags, *more, dir_fd=dir_fd)

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refuse)
            patch.setattr(os, "fsync", lambda one: flushed.append(os.readlink(f"/proc/self/fd/{one}")))
            disk.sync_folders([last, first])
    assert flushed == [last.path]


@pytest.mark.parametrize(("number", "passes"), [(errno.EACCES, True), (errno.EIO, False), (errno.ENOENT, False)])
def test_what_files_cannot_be_flushed(room: _Room, refuse: _Refuse, number: int, passes: bool) -> None:
    context = contextlib.nullcontext() if passes else pytest.raises(OSError, match=os.strerror(number))
    with refuse("open", number), context:
        disk.sync_file(room["file"])


def test_a_file_for_others_goes_again(tmp_path: pathlib.Path) -> None:
    with disk.scratch(str(tmp_path), b"data") as path:
        assert pathlib.Path(path).read_bytes() == b"data"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.path.dirname(path) == str(tmp_path)
    with disk.scratch(str(tmp_path), b"data") as path:
        os.unlink(path)
    with pytest.raises(ValueError, match="broken"), disk.scratch(str(tmp_path), b"data"):
        raise ValueError("broken")
    assert os.listdir(tmp_path) == []


# --- links and copies ---------------------------------------------------------------------------------------------

_NO_LINKS = [errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS]


@pytest.mark.parametrize("number", _NO_LINKS)
def test_where_no_link_can_be_made_a_copy_is(room: _Room, refuse: _Refuse, number: int) -> None:
    with refuse("link", number):
        assert not disk.link(room["file"], room["new"])
        disk.duplicate(room["file"], room["new"])
    assert (room.folder / "new").read_bytes() == b"0123456789"
    assert (room.folder / "new").stat().st_ino != disk.inode(room["file"])
    assert room.mode("new") == 0o640


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_keeps_a_link_from_being_made_keeps_a_copy_too(room: _Room, refuse: _Refuse, number: int) -> None:
    with refuse("link", number), pytest.raises(OSError, match=os.strerror(number)):
        disk.duplicate(room["file"], room["new"])
    assert room.names() == ["file"]


def test_a_duplicate_is_the_very_same_file_unless_it_may_not_be(room: _Room) -> None:
    disk.duplicate(room["file"], room["same"])
    disk.duplicate(room["file"], room["copy"], by_link=False)
    assert disk.inode(room["same"]) == disk.inode(room["file"])
    assert disk.inode(room["copy"]) != disk.inode(room["file"])


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_second_name_is_given_to_regular_files_alone(room: _Room, kind: str) -> None:
    if kind == "link":
        (room.folder / "odd").symlink_to("file")
    else:
        os.mkfifo(room.folder / "odd")
    with pytest.raises(OSError, match="not a regular file"):
        disk.link(room["odd"], room["new"])
    assert room.names() == ["file", "odd"]


def test_a_copy_of_what_was_expected(room: _Room) -> None:
    expected = disk.inode(room["file"])
    assert expected is not None
    disk.copy(room["file"], room["new"], expected=expected)
    with pytest.raises(OSError, match="replaced by somebody else"):
        disk.copy(room["file"], room["other"], expected=expected + 1)
    assert room.names() == ["file", "new"]


_NOT_GIVEN = [errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS]


@as_root
@pytest.mark.parametrize("number", [*_NOT_GIVEN, errno.EIO])
def test_a_copy_that_cannot_be_as_protected(room: _Room, refuse: _Refuse, number: int) -> None:
    os.chown(room.folder / "file", _OTHER, _OTHER)
    with refuse("fchown", number):
        with pytest.raises(OSError, match=rf"{re.escape(os.strerror(number))} \(its owner and group\)"):
            disk.copy(room["file"], room["new"])
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            disk.duplicate(room["file"], room["new"], by_link=False)
        assert room.names() == ["file"]
        if number == errno.EIO:
            for make in (lambda: disk.copy(room["file"], room["new"], faithful=False),
                         lambda: disk.copy_for_itself(room["file"], room["new"])):  # fmt: skip
                with pytest.raises(OSError, match=os.strerror(number)):
                    make()
            assert room.names() == ["file"]
            return
        disk.copy(room["file"], room["new"], faithful=False)
        disk.copy_for_itself(room["file"], room["own"])
    for name, mode in (("new", 0o640), ("own", 0o600)):
        status = (room.folder / name).stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, 0, mode)
        assert (room.folder / name).read_bytes() == b"0123456789"
    disk.copy_for_itself(room["file"], room["as"])
    assert (room.folder / "as").stat().st_uid == _OTHER


def test_a_copy_has_what_is_made_of_its_protection(room: _Room) -> None:
    disk.copy(room["file"], room["new"], change=lambda protection: protection._replace(mode=0o400))
    assert (room.mode("new"), room.mode("file")) == (0o400, 0o640)


# --- renaming and writing into ------------------------------------------------------------------------------------


def test_renaming_leaves_one_name(room: _Room) -> None:
    os.link(room.folder / "file", room.folder / "same")
    disk.rename(room["file"], room["same"])
    assert room.names() == ["same"]
    disk.rename(room["same"], room["new"])
    assert room.names() == ["new"]


_NO_REPLACE = [errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV, errno.ETXTBSY]


@pytest.mark.parametrize("number", [*_NO_REPLACE, errno.EIO, errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("in_place", [True, False])
def test_what_cannot_be_replaced_may_be_written_into(room: _Room, refuse: _Refuse, number: int, in_place: bool) -> None:
    (room.folder / "new").write_bytes(b"new")
    (room.folder / "new").chmod(0o604)
    before = disk.inode(room["file"])
    with refuse("rename", number):
        if in_place and number in _NO_REPLACE:
            disk.replace(room["new"], room["file"], in_place)
        else:
            with pytest.raises(OSError, match=os.strerror(number)):
                disk.replace(room["new"], room["file"], in_place)
            assert room.names() == ["file", "new"]
            assert (room.folder / "file").read_bytes() == b"0123456789"
            return
    assert room.names() == ["file"]
    assert (disk.inode(room["file"]), room.mode("file")) == (before, 0o604)
    assert (room.folder / "file").read_bytes() == b"new"


def test_replacing_is_by_name_where_it_can_be(room: _Room) -> None:
    for in_place in (True, False):
        disk.write_new(room["new"], b"new")
        expected = disk.inode(room["new"])
        disk.replace(room["new"], room["file"], in_place)
        assert disk.inode(room["file"]) == expected
    disk.write_new(room["new"], b"new")
    expected = disk.inode(room["new"])
    disk.replace(room["new"], room["file"])
    assert disk.inode(room["file"]) == expected


@pytest.mark.parametrize("data", [b"", b"short", b"0123456789", b"01234567890", b"something longer"])
def test_what_is_written_into(room: _Room, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    (room.folder / "new").write_bytes(data)
    told: t.Any = []
    real = {name: getattr(os, name) for name in ("ftruncate", "fsync")}
    monkeypatch.setattr(os, "ftruncate", lambda *args: (told.append("cut"), real["ftruncate"](*args)))
    monkeypatch.setattr(os, "fsync", lambda *args: (told.append("flushed"), real["fsync"](*args)))

    def settle(descriptor: int) -> None:
        assert (room.folder / "file").read_bytes() == b"0123456789"
        assert os.fstat(descriptor).st_ino == disk.inode(room["file"])
        os.fchmod(descriptor, 0o4600)
        told.append("settled")

    disk.overwrite(room["new"], room["file"], settle, disk.inode(room["file"]))
    assert told == ["settled", *(["cut"] if data != b"0123456789" else []), "flushed"]
    assert (room.folder / "file").read_bytes() == data
    assert room.mode("file") == 0o4600
    assert room.names() == ["file", "new"]


def test_what_is_not_written_into(room: _Room) -> None:
    (room.folder / "new").write_bytes(b"new")
    expected = disk.inode(room["file"])
    assert expected is not None

    def settle(dummy: int) -> None:
        pytest.fail("it was given another protection")

    with pytest.raises(OSError, match="replaced by somebody else"):
        disk.overwrite(room["new"], room["file"], settle, expected + 1)
    os.link(room.folder / "file", room.folder / "trap")
    room.there.leads = False
    with pytest.raises(OSError, match="It has other names as well"):
        disk.overwrite(room["new"], room["file"], settle, expected)
    assert (room.folder / "file").read_bytes() == b"0123456789"
    room.there.leads = room.there.only_ours = True
    disk.overwrite(room["new"], room["file"], lambda dummy: None)
    assert (room.folder / "trap").read_bytes() == b"new"
    os.unlink(room.folder / "trap")
    room.there.leads = False
    disk.overwrite(room["new"], room["file"], lambda dummy: None)


@pytest.mark.parametrize(("number", "passes"), [(errno.EACCES, True), (errno.EPERM, False), (errno.EIO, False)])
def test_what_may_be_written_and_not_read(
    room: _Room, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    (room.folder / "new").write_bytes(b"new")
    real = os.open

    def refuse(name: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
        if name == "file" and not flags & os.O_WRONLY:
            raise OSError(number, os.strerror(number))
        return real(name, flags, *more, dir_fd=dir_fd)

    context = contextlib.nullcontext() if passes else pytest.raises(OSError, match=os.strerror(number))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with context:
            disk.overwrite(room["new"], room["file"], lambda dummy: None)
    assert (room.folder / "file").read_bytes() == (b"new" if passes else b"0123456789")


def test_a_file_that_is_replaced_while_it_is_written_into_is_not_taken_for_it(room: _Room) -> None:
    (room.folder / "new").write_bytes(b"new")
    (room.folder / "held").write_bytes(b"old")
    os.link(room.folder / "held", room.folder / "kept")

    def settle(dummy: int) -> None:
        (room.folder / "new").rename(room.folder / "held")

    room.there.leads = room.there.only_ours = True
    disk.overwrite(room["new"], room["held"], settle)
    assert (room.folder / "kept").read_bytes() == b"new"


# --- protection ---------------------------------------------------------------------------------------------------

_ACL = ("system.posix_acl_access", b"list")
_LABEL = ("security.selinux", b"label")


def _protection(mode: int, *extended: tuple[str, bytes], uid: int = 1, gid: int = 2) -> disk.Protection:
    return disk.Protection(mode, uid, gid, extended)


@pytest.mark.parametrize(
    ("one", "other", "closed"),
    [
        (_protection(0o664), _protection(0o644), _protection(0o644)),
        (_protection(0o600), _protection(0o644), _protection(0o600)),
        (_protection(0o664, _LABEL), _protection(0o644), _protection(0o644, _LABEL)),
        (_protection(0o664, _ACL, _LABEL), _protection(0o644), _protection(0o604, _LABEL)),
        (_protection(0o664), _protection(0o644, _ACL), _protection(0o604)),
        (_protection(0o664, _ACL), _protection(0o644, _ACL), _protection(0o644, _ACL)),
        (_protection(0o664, _ACL), _protection(0o644, (_ACL[0], b"other")), _protection(0o604)),
    ],
)
def test_a_protection_is_closed_as_another(
    one: disk.Protection, other: disk.Protection, closed: disk.Protection
) -> None:
    assert one.closed_as(other._replace(uid=8, gid=9)) == closed
    assert one.within(other._replace(uid=8, gid=9)) == closed._replace(uid=8, gid=9)


class _Attributes:
    """Extended attributes of files, for a file system that has none."""

    def __init__(self, patch: pytest.MonkeyPatch, **values: bytes) -> None:
        self.values = {name.replace("__", "."): value for name, value in values.items()}
        self.told: t.Any = []
        for name in ("listxattr", "getxattr", "setxattr", "removexattr"):
            patch.setattr(os, name, getattr(self, name))
        for name in ("fchmod", "fchown"):
            patch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., None]:
        return lambda *args: self.told.append(name) or real(*args)

    def listxattr(self, dummy: int) -> list[str]:
        return list(self.values)

    def getxattr(self, dummy: int, name: str) -> bytes:
        return self.values[name]

    def setxattr(self, dummy: int, name: str, value: bytes) -> None:
        self.told.append(f"set {name}")
        self.values[name] = value

    def removexattr(self, dummy: int, name: str) -> None:
        self.told.append(f"remove {name}")
        del self.values[name]


_ALL = {
    "user__b": b"1", "user__a": b"2", "security__selinux": b"3", "security__ima": b"4", "security__evm": b"5",
    "security__capability": b"6", "system__posix_acl_access": b"7",
}  # fmt: skip


def test_what_protects_a_file(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.stat(room.folder / "file")
    with monkeypatch.context() as patch:
        _Attributes(patch, **_ALL)
        found = disk.protection(room["file"])
        with disk.opened(room["file"]) as descriptor:
            whole = disk.protection_of(descriptor, whole=True)
    kept = (("security.selinux", b"3"), ("system.posix_acl_access", b"7"), ("user.a", b"2"), ("user.b", b"1"))
    assert found == disk.Protection(0o640, status.st_uid, status.st_gid, kept)
    assert found.acl == (("system.posix_acl_access", b"7"),)
    assert whole == (*found[:3], (("security.capability", b"6"), *kept))


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EIO, errno.EACCES])
def test_a_file_system_without_attributes(room: _Room, refuse: _Refuse, number: int) -> None:
    with refuse("listxattr", number):
        if number in (errno.EIO, errno.EACCES):
            with pytest.raises(OSError, match=os.strerror(number)), disk.opened(room["file"]) as descriptor:
                disk.protection_of(descriptor)
        else:
            assert disk.protection(room["file"]).extended == ()


def test_a_platform_without_attributes(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(os, "listxattr")
        assert disk.protection(room["file"]).extended == ()


def test_a_file_that_cannot_be_opened_is_protected_by_its_bits(room: _Room, refuse: _Refuse) -> None:
    expected = disk.protection(room["file"])._replace(extended=())
    with refuse("open", errno.EACCES):
        assert disk.protection(room["file"]) == expected
        with pytest.raises(PermissionError):
            disk.protection(room["nothing"])
        with pytest.raises(OSError, match="not a regular file"):
            disk.protection(in_folder(room.there, "."))
    with refuse("open", errno.EIO), pytest.raises(OSError, match=os.strerror(errno.EIO)):
        disk.protection(room["file"])


def _protect(room: _Room, patch: pytest.MonkeyPatch, wanted: disk.Protection, **values: bytes) -> _Attributes:
    attributes = _Attributes(patch, **values)
    with disk.opened(room["file"]) as descriptor:
        disk.protect(descriptor, wanted)
    return attributes


@pytest.mark.parametrize(
    ("mode", "extended", "values", "told"),
    [
        (0o640, (), {}, []),
        (0o600, (), {}, ["fchmod"]),
        (0o640, (_ACL, _LABEL), {"system__posix_acl_access": b"list", "security__selinux": b"label"}, []),
        (0o640, (), {"system__posix_acl_access": b"list"}, ["remove system.posix_acl_access"]),
        (0o640, (), {"security__selinux": b"label"}, []),
        (0o640, (_LABEL,), {"security__selinux": b"other"}, ["set security.selinux"]),
        (0o640, (_LABEL,), {}, ["set security.selinux"]),
        (0o600, (_ACL,), {"system__posix_acl_access": b"other"}, ["fchmod", "set system.posix_acl_access"]),
    ],
)
def test_what_is_right_already_is_not_touched(
    room: _Room,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    extended: tuple[tuple[str, bytes], ...],
    values: dict[str, bytes],
    told: list[str],
) -> None:
    wanted = disk.protection(room["file"])._replace(mode=mode, extended=extended)
    with monkeypatch.context() as patch:
        attributes = _protect(room, patch, wanted, **values)
    assert attributes.told == told
    assert room.mode("file") == mode
    assert {*extended} <= {*attributes.values.items()}


@as_root
@pytest.mark.parametrize(("uid", "gid"), [(_OTHER, 0), (0, _OTHER), (_OTHER, _OTHER)])
def test_a_file_is_given_to_its_owner_and_group(
    room: _Room, monkeypatch: pytest.MonkeyPatch, uid: int, gid: int
) -> None:
    os.chown(room.folder / "file", 0, 0)
    with monkeypatch.context() as patch:
        attributes = _protect(room, patch, disk.Protection(0o4750, uid, gid, ()))
    status = os.stat(room.folder / "file")
    # The other way round the system would take the bits away again.
    assert attributes.told == ["fchown", "fchmod"]
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (uid, gid, 0o4750)


@pytest.mark.parametrize(
    ("call", "what", "extended", "values"),
    [
        ("removexattr", "its access control list", (), {"system__posix_acl_access": b"list"}),
        ("setxattr", "its access control list", (_ACL,), {}),
        ("setxattr", "its SELinux label", (_LABEL,), {}),
        ("setxattr", "user.some", (("user.some", b""),), {}),
    ],
)
def test_a_refusal_says_what_could_not_be_given(
    room: _Room,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    what: str,
    extended: tuple[tuple[str, bytes], ...],
    values: dict[str, bytes],
) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise OSError(errno.EPERM, "no", "a file")

    wanted = disk.protection(room["file"])._replace(extended=extended)
    with monkeypatch.context() as patch:
        monkeypatch.setattr(_Attributes, call, refuse)
        with pytest.raises(PermissionError, match=rf"no \({what}\)") as caught:
            _protect(room, patch, wanted, **values)
    assert caught.value.filename == "a file"


def test_bits_that_the_system_takes_away_are_told(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = disk.protection(room["file"])._replace(mode=0o2600)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", lambda descriptor, mode: None)
        with disk.opened(room["file"]) as descriptor, pytest.raises(PermissionError, match=r"\(its mode 2600\)"):
            disk.protect(descriptor, wanted)


# --- names --------------------------------------------------------------------------------------------------------


def test_the_name_of_a_backup() -> None:
    shape = rf"/a/file\.{os.getpid()}\.\d{{4}}-\d\d-\d\d@\d\d:\d\d:\d\d~"
    assert re.fullmatch(shape, disk.backup_name("/a/file"))


def test_names_that_are_too_long(tmp_path: pathlib.Path, refuse: _Refuse) -> None:
    assert disk.can_be_named(str(tmp_path))
    assert disk.can_be_named(str(tmp_path / ("n" * 255)))
    assert not disk.can_be_named(str(tmp_path / ("n" * 256)))
    with refuse("lstat", errno.EACCES):
        assert disk.can_be_named(str(tmp_path))


def test_what_is_mounted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "36 35 98:0 /mnt1 /a/file rw,noatime master:1 - ext3 /dev/root rw",
        r"37 35 98:0 /mnt2 /with\040blank\134 rw - ext3 /dev/root rw",
        "38 35 98:0 /four",
        "39 35 98:0 /x /five",
    ]
    (tmp_path / "mounts").write_text("\n".join(lines), encoding="ascii")
    assert disk._MOUNTS == "/proc/self/mountinfo"
    monkeypatch.setattr(disk, "_MOUNTS", str(tmp_path / "mounts"))
    for path, mounted in {
        "/a/file": True, "/a": False, "/mnt1": False, "/with blank\\": True, r"/with\040blank\134": False,
        "/five": False, "rw": False, "/four": False,
    }.items():  # fmt: skip
        assert disk.is_mounted(path) is mounted, path
    monkeypatch.setattr(disk, "_MOUNTS", str(tmp_path / "nothing"))
    assert not disk.is_mounted("/a/file")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_what_was_being_done_is_told(number: int) -> None:
    room = r" Make some room there and run again\." if number == errno.ENOSPC else ""
    with pytest.raises(InstallError, match=rf"^It failed: {os.strerror(number)}\.{room}$"), disk.doing("It failed"):
        raise OSError(number, os.strerror(number))


def test_a_copy_that_cannot_be_as_protected_has_what_it_can(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise OSError(errno.EPERM, "no")

    for call in ("setxattr", "removexattr"):
        with monkeypatch.context() as patch:
            attributes = _Attributes(patch, system__posix_acl_access=b"list")
            patch.setattr(os, call, refuse)
            with disk.opened(room["file"]) as descriptor:
                wanted = disk.Protection(0o604, 0, 0, (_LABEL,) if call == "setxattr" else ())
                disk._protect_copy(descriptor, wanted._replace(uid=os.geteuid(), gid=os.getegid()), faithful=False)
        assert room.mode("file") == 0o604
        (room.folder / "file").chmod(0o640)
    with monkeypatch.context() as patch:
        attributes = _Attributes(patch)
        patch.setattr(os, "fchown", refuse)
        with disk.opened(room["file"]) as descriptor:
            disk._protect_copy(descriptor, disk.Protection(0o604, _OTHER, _OTHER, (_LABEL,)), faithful=False)
    assert attributes.values == dict([_LABEL])


def test_a_copy_of_what_is_empty(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    (room.folder / "file").write_bytes(b"")
    with monkeypatch.context() as patch:

        def refuse(*dummy: t.Any, **named: t.Any) -> t.NoReturn:
            disk.remove(room["new"])
            raise OSError(errno.EPERM, "no")

        patch.setattr(disk, "copy", refuse)
        disk.copy_for_itself(room["file"], room["new"])
    assert (room.folder / "new").read_bytes() == b""


def test_a_copy_has_what_is_of_its_content_too(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: t.Any = []
    with monkeypatch.context() as patch:
        _Attributes(patch, security__capability=b"6", security__ima=b"4")
        disk.copy(room["file"], room["new"], change=lambda one: seen.append(one) or one)
    assert [one.extended for one in seen] == [(("security.capability", b"6"),)]


def test_bits_that_do_not_outlive_a_write_are_given_again(room: _Room, monkeypatch: pytest.MonkeyPatch) -> None:
    real = disk._write

    def write(descriptor: int, data: bytes) -> None:
        real(descriptor, data)
        os.fchmod(descriptor, 0o640)

    (room.folder / "new").write_bytes(b"new")
    monkeypatch.setattr(disk, "_write", write)
    disk.overwrite(room["new"], room["file"], lambda descriptor: os.fchmod(descriptor, 0o4640))
    assert room.mode("file") == 0o4640
