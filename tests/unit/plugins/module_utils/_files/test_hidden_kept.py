# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals and hidden folders that others could have made: each is refused for the one thing that is wrong with it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, journal, places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.interrupts import Interrupted, Interrupts

_NOBODY = 65534
_TEXT = json.dumps({"version": 1, "state": "held", "entries": []}).encode("ascii")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(name="known")
def fixture_known() -> t.Iterator[places.Places]:
    with places.Places() as known:
        yield known


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: pathlib.Path, known: places.Places) -> places.Folder:
    """A folder with a hidden one, and a journal in it, that are as they should be."""
    (tmp_path / "here/.collectssl").mkdir(mode=0o700, parents=True)
    (tmp_path / "here/.collectssl/journal").write_bytes(_TEXT)
    (tmp_path / "here/.collectssl/journal").chmod(0o600)
    found = known.folder("it", str(tmp_path / "here"))
    assert found is not None
    return found


@contextlib.contextmanager
def _hidden(folder: places.Folder) -> t.Iterator[hidden.HiddenFolder]:
    found = hidden.open_existing(folder)
    assert found is not None
    try:
        yield found
    finally:
        os.close(found.descriptor)


def _value(folder: places.Folder) -> dict[str, t.Any] | None:
    with _hidden(folder) as where:
        return journal._value(where, "journal")


def _journal(folder: places.Folder) -> pathlib.Path:
    return pathlib.Path(folder.path, ".collectssl/journal")


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


# --- the journal --------------------------------------------------------------------------------------------------


def _give_away(path: pathlib.Path) -> None:
    os.chown(path, _NOBODY, -1)


def _link(path: pathlib.Path) -> None:
    os.link(path, path.parent.parent / "other")


def _pipe(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _symlink(path: pathlib.Path) -> None:
    path.rename(path.parent.with_name("elsewhere"))
    path.symlink_to("../elsewhere")


def _folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def _socket(path: pathlib.Path) -> None:
    path.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as one:
        # Its own path may be longer than an address.
        one.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    path.chmod(0o600)


def _long(path: pathlib.Path) -> None:
    os.truncate(path, (8 << 20) + 1)


def _of(text: bytes) -> t.Callable[[pathlib.Path], t.Any]:
    return lambda path: path.write_bytes(text)


def _mode(mode: int) -> t.Callable[[pathlib.Path], None]:
    return lambda path: path.chmod(mode)


_PLANTED = [
    pytest.param(_give_away, "it belongs to the user", marks=as_root, id="another's"),
    *(pytest.param(_mode(0o600 | bit), "others may have written it", id=f"mode {bit:o}") for bit in (1, 2, 4)),
    *(pytest.param(_mode(0o600 | bit << 3), "others may have written it", id=f"mode {bit:o}0") for bit in (1, 2, 4)),
    pytest.param(_link, "it has another name as well", id="two names"),
    pytest.param(_pipe, "it is not what a run leaves there", id="pipe"),
    pytest.param(_folder, "it is not what a run leaves there", id="folder"),
    pytest.param(_symlink, "(symbolic|too many) ", id="link"),
    pytest.param(_socket, "", id="socket"),
    pytest.param(_long, "it is too long", id="too long"),
    pytest.param(_of(b"{"), "it cannot be read", id="torn"),
    pytest.param(_of(_TEXT.replace(b"1", b"2")), "it cannot be read", id="other version"),
    pytest.param(_of(b"[]"), "it cannot be read", id="list"),
    pytest.param(_of('{"ä"}'.encode()), "it cannot be read", id="no ascii"),
    pytest.param(_of(b"[" * 100000), "it cannot be read", id="deep"),
]


@pytest.mark.parametrize(("plant", "reason"), _PLANTED)
def test_a_journal_is_refused_for_one_thing(
    plant: t.Callable[[pathlib.Path], t.Any], reason: str, folder: places.Folder
) -> None:
    assert _value(folder) == json.loads(_TEXT)
    plant(_journal(folder))
    before = _descriptors()
    # A pipe that nobody writes into would be waited for without end.
    signal.setitimer(signal.ITIMER_REAL, 20)
    try:
        with pytest.raises(
            InstallError, match=rf"(?i)^The journal in {folder.path}/.collectssl .* acted upon: .*{reason}.*Nothing was"
        ) as caught:
            _value(folder)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert caught.value.settled
    assert _descriptors() == before


def test_a_journal_may_be_as_long_as_it_can_be(folder: places.Folder) -> None:
    _journal(folder).write_bytes(_TEXT.ljust(8 << 20))
    assert _value(folder) == json.loads(_TEXT)


def test_no_journal_is_none(folder: places.Folder) -> None:
    _journal(folder).unlink()
    assert _value(folder) is None
    _journal(folder).parent.rmdir()


def test_descriptors_are_not_inherited_nor_waited_for(folder: places.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    real = os.open

    def watch(name: str, flags: int, *more: int, dir_fd: int | None = None) -> int:
        if dir_fd is not None and name != os.curdir:
            seen[name] = flags
        return real(name, flags, *more, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", watch)
        _value(folder)
    kinds = os.O_CLOEXEC | os.O_NOFOLLOW
    assert seen == {hidden.NAME: kinds | os.O_DIRECTORY, hidden.JOURNAL: kinds | os.O_NONBLOCK}


# --- the hidden folder --------------------------------------------------------------------------------------------


def _refused_folder(folder: places.Folder, reason: str) -> None:
    before = _descriptors()
    with pytest.raises(
        InstallError, match=rf"^The folder {folder.path}/.collectssl says .*acted upon: {reason}.*Nothing was changed"
    ) as caught:
        hidden.open_existing(folder)
    assert caught.value.settled
    assert _descriptors() == before


@pytest.mark.parametrize("bit", [0o001, 0o002, 0o004, 0o010, 0o020, 0o040])
def test_a_hidden_folder_that_others_may_enter_is_refused(folder: places.Folder, bit: int) -> None:
    assert hidden.look(folder) == ""
    _journal(folder).parent.chmod(0o700 | bit)
    assert hidden.look(folder) == "others may have written it"
    _refused_folder(folder, "others may have written it")


@as_root
def test_a_hidden_folder_of_another_is_refused(folder: places.Folder) -> None:
    os.chown(_journal(folder).parent, _NOBODY, -1)
    assert "it belongs to the user" in (hidden.look(folder) or "")
    _refused_folder(folder, "it belongs to the user")


@pytest.mark.parametrize("kind", ["file", "link", "pipe"])
def test_what_is_no_hidden_folder_is_refused(folder: places.Folder, kind: str) -> None:
    path = _journal(folder).parent
    path.rename(path.with_name("moved"))
    if kind == "link":
        path.symlink_to("moved")
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.touch(0o600)
    _refused_folder(folder, "it is not what a run leaves there")


def _swapped(folder: places.Folder, patch: pytest.MonkeyPatch, swap: t.Callable[[], t.Any]) -> None:
    """Swap the hidden folder after it was looked at."""
    real = hidden.look

    def look(given: places.Folder) -> str | None:
        found = real(given)
        swap()
        return found

    patch.setattr(hidden, "look", look)


@pytest.mark.parametrize(
    ("swap", "reason"),
    [
        (lambda path: path.symlink_to("moved"), "it cannot be opened"),
        (lambda path: path.touch(0o600), "it cannot be opened"),
        (lambda path: os.mkfifo(path, 0o600), "it cannot be opened"),
        (lambda path: (path.mkdir(), path.chmod(0o720)), "others may have written it"),
    ],
)
def test_a_hidden_folder_that_is_swapped_while_it_is_looked_at_is_refused(
    swap: t.Callable[[pathlib.Path], t.Any], reason: str, folder: places.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _journal(folder).parent
    _swapped(folder, monkeypatch, lambda: (path.rename(path.with_name("moved")), swap(path)))
    _refused_folder(folder, reason)


def test_a_hidden_folder_that_goes_while_it_is_looked_at_is_none(
    folder: places.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _journal(folder).parent
    _swapped(folder, monkeypatch, lambda: path.rename(path.with_name("moved")))
    assert hidden.open_existing(folder) is None


@pytest.mark.parametrize(
    ("number", "found"),
    [(errno.EACCES, "none"), (errno.ENOENT, "none"), (errno.EIO, "raised"), (errno.EPERM, "raised")],
)
def test_a_hidden_folder_that_cannot_be_looked_at(
    folder: places.Folder, number: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*dummy: t.Any, **named: t.Any) -> t.NoReturn:
        raise OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        if found == "none":
            assert hidden.look(folder) is None
        else:
            with pytest.raises(OSError, match="no"):
                hidden.look(folder)


@pytest.mark.parametrize("mode", [0o600, 0o200, 0o700, 0o300])
def test_a_hidden_folder_that_its_owner_may_not_enter_is_opened_up(folder: places.Folder, mode: int) -> None:
    path = _journal(folder).parent
    path.chmod(mode)
    if os.geteuid() != 0 and not mode & 0o400:
        pytest.skip("such a folder opens for root alone")
    with _hidden(folder):
        assert stat.S_IMODE(path.stat().st_mode) == (mode if mode & 0o100 else 0o700)


#: Names as runs give them, in their order.
_FIRST, _LAST = "0" * 32, "f" * 32


def test_what_is_in_a_hidden_folder(folder: places.Folder) -> None:
    path = _journal(folder).parent
    for name in (".gitignore", _FIRST, _LAST):
        (path / name).touch()
    with _hidden(folder) as where:
        # Without what it speaks of, a journal would be believed all the same; so it goes first.
        assert [one.name for one in where.leftovers()] == ["journal", _FIRST, _LAST]
        assert [one.name for one in where.leftovers([_FIRST])] == ["journal", _LAST]
        assert where.path == str(path)
        assert where.beside is folder
        assert where.journal.path == str(path / "journal")
        names = {where.new_name() for _number in range(9)}
        assert len(names) == 9
        assert all(len(name) == 32 for name in names)
        where.vanish()
        assert path.is_dir()
        where.clear([_LAST])
        assert sorted(os.listdir(path)) == [".gitignore", _LAST]
        assert where.is_still_there()
        where.clear()
        where.vanish()
        assert not path.exists()
        assert not where.is_still_there()
        path.mkdir()
        assert not where.is_still_there()


# --- locks --------------------------------------------------------------------------------------------------------


@pytest.fixture(name="locks")
def fixture_locks(monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
    """What ``flock`` does next: an error number to raise, or anything else for the real thing; then what was asked."""
    script: list[t.Any] = []
    real = fcntl.flock

    def lock(descriptor: int, kind: int) -> None:
        number = script.pop(0) if script else None
        if number is not None:
            raise OSError(number, os.strerror(number))
        real(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", lock)
    monkeypatch.setattr(hidden, "_PAUSE", 0.0)
    return script


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ([], "locked"),
        *(([number], "locked") for number in hidden._NO_LOCK),
        *(([number] * 3, "locked") for number in (errno.EAGAIN, errno.EACCES, errno.EINTR)),
        ([errno.EIO], "refused"),
        ([errno.EPERM], "refused"),
        ([errno.EAGAIN, errno.EIO], "refused"),
    ],
)
@pytest.mark.parametrize("exclusive", [True, False])
def test_what_a_lock_is_answered(
    script: list[int], outcome: str, exclusive: bool, folder: places.Folder, locks: list[t.Any]
) -> None:
    locks[:] = script
    before = _descriptors()
    if outcome == "locked":
        with hidden.locked([folder], exclusive) as held:
            assert list(held) == [folder.key]
    else:
        done = "made" if exclusive else "opened"
        with (
            pytest.raises(
                InstallError, match=rf"^the thing: the folder {folder.path}/.collectssl could not be {done}: "
            ),
            hidden.locked([folder], exclusive, {folder.key: "the thing"}),
        ):
            pytest.fail("not locked")
    assert locks == []
    assert _descriptors() == before


def test_which_errors_mean_that_there_are_no_locks() -> None:
    words = ("EBADF", "EINVAL", "ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")
    assert set(hidden._NO_LOCK) == {getattr(errno, word) for word in words}
    assert (hidden.PATIENCE, hidden.NAME, hidden.JOURNAL) == (300.0, ".collectssl", "journal")


@pytest.mark.parametrize(("holds", "wants", "gets"), [
    (fcntl.LOCK_SH, False, True), (fcntl.LOCK_SH, True, False), (fcntl.LOCK_EX, False, False),
    (fcntl.LOCK_EX, True, False),
])  # fmt: skip
def test_who_waits_for_whom(
    holds: int, wants: bool, gets: bool, folder: places.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden, "PATIENCE", 0.0)
    before = _descriptors()
    other = os.open(_journal(folder).parent, os.O_RDONLY)
    try:
        fcntl.flock(other, holds)
        with contextlib.ExitStack() as stack:
            if not gets:
                stack.enter_context(
                    pytest.raises(
                        InstallError,
                        match=rf"^{folder.path}: another run has been .* more than 0 seconds. Nothing was changed",
                    )
                )
            stack.enter_context(hidden.locked([folder], wants))
    finally:
        os.close(other)
    assert _descriptors() == before


def test_a_folder_that_nobody_left_anything_in_is_locked_by_who_changes_alone(folder: places.Folder) -> None:
    path = _journal(folder).parent
    _journal(folder).unlink()
    path.rmdir()
    with hidden.locked([folder], exclusive=False) as held:
        assert held == {}
        assert not path.exists()
    mask = os.umask(0o777)
    try:
        with hidden.locked([folder], exclusive=True):
            status = path.stat()
            assert stat.S_IMODE(status.st_mode) == 0o700
            assert (path / ".gitignore").read_bytes() == b"*\n"
            ignored = (path / ".gitignore").stat().st_ino
            (path / _LAST).touch()
        assert os.umask(0o777) == 0o777
    finally:
        os.umask(mask)
    # What is kept stays, and is found again.
    with hidden.locked([folder], exclusive=True):
        assert path.stat().st_ino == status.st_ino
        assert (path / ".gitignore").stat().st_ino == ignored
        (path / _LAST).unlink()
    assert not path.exists()


def test_one_who_looks_removes_nothing(folder: places.Folder) -> None:
    _journal(folder).unlink()
    with hidden.locked([folder], exclusive=False):
        pass
    assert os.listdir(_journal(folder).parent) == []


def test_a_folder_that_its_holder_removed_is_made_anew(folder: places.Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _journal(folder).parent
    real = fcntl.flock
    times: list[int] = []

    def lock(descriptor: int, kind: int) -> None:
        times.append(kind)
        if len(times) == 1:
            path.rename(path.with_name("moved"))
        real(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", lock)
    before = _descriptors()
    with hidden.locked([folder], exclusive=True) as held:
        assert held[folder.key].is_still_there()
        assert path.is_dir()
    assert len(times) == 2
    assert _descriptors() == before


def test_folders_are_locked_in_one_order(tmp_path: pathlib.Path, known: places.Places) -> None:
    found = []
    for name in "abcdef":
        (tmp_path / name).mkdir()
        folder = known.folder("it", str(tmp_path / name))
        assert folder is not None
        found.append(folder)
    expected = sorted(folder.key for folder in found)
    for order in (found, found[::-1], [*found[3:], *found[:3]], [*found, *found]):
        with hidden.locked(order, exclusive=True) as held:
            assert list(held) == expected


# --- what a descriptor is believed for ----------------------------------------------------------------------------


def _made(**fields: int) -> os.stat_result:
    values = {"mode": 0o100600, "nlink": 1, "uid": os.geteuid(), **fields}
    return os.stat_result((values["mode"], 1, 1, values["nlink"], values["uid"], 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("status", "is_kind", "reason"),
    [
        (_made(), stat.S_ISREG, None),
        (_made(mode=0o100700), stat.S_ISREG, None),
        (_made(mode=0o40700), stat.S_ISDIR, None),
        (_made(mode=0o40700, nlink=2), stat.S_ISDIR, None),
        (_made(uid=os.geteuid() + 4711), stat.S_ISREG, f"it belongs to the user {os.geteuid() + 4711}"),
        (_made(mode=0o40700), stat.S_ISREG, "it is not what a run leaves there"),
        (_made(), stat.S_ISDIR, "it is not what a run leaves there"),
        (_made(nlink=2), stat.S_ISREG, "it has another name as well"),
        (_made(nlink=0), stat.S_ISREG, "it has another name as well"),
        *((_made(mode=0o100600 | 1 << bit), stat.S_ISREG, "others may have written it") for bit in range(6)),
    ],
)
def test_what_is_believed(status: os.stat_result, is_kind: t.Callable[[int], bool], reason: str | None) -> None:
    assert disk.distrust(status, is_kind) == reason


# --- signals ------------------------------------------------------------------------------------------------------


@pytest.fixture(name="handlers")
def fixture_handlers() -> t.Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_is_raised_until_it_is_held(number: signal.Signals, handlers: None) -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted, match=rf"^The run was ended by {number.name}\.$"):
            signal.raise_signal(number)
        interrupts.hold()
        for held in (number, signal.SIGINT):
            signal.raise_signal(held)
            # What is started meanwhile, and may be a daemon, can be ended by it.
            started = subprocess.run(
                ["/bin/sh", "-c", f"kill -{held.value} $$; echo lives"], stdout=subprocess.PIPE, check=False
            )
            assert (started.returncode, started.stdout) == (-held, b"")
    assert signal.getsignal(number) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *dummy: None])
def test_what_the_surroundings_handle_is_left_alone(number: signal.Signals, handler: t.Any, handlers: None) -> None:
    signal.signal(number, handler)
    with Interrupts() as interrupts:
        assert signal.getsignal(number) is handler
        signal.raise_signal(number)
        interrupts.hold()
        signal.raise_signal(number)
        assert (signal.getsignal(number) is handler) == (handler == signal.SIG_IGN)
    assert signal.getsignal(number) is handler


def test_outside_the_main_thread_nothing_is_done(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise ValueError("signal only works in main thread")

    monkeypatch.setattr(signal, "signal", refuse)
    with Interrupts() as interrupts:
        interrupts.hold()
        assert interrupts._before == {}
    monkeypatch.undo()


@pytest.mark.parametrize("call", ["rmdir", "unlink", "listdir"])
def test_a_folder_that_cannot_be_removed_is_left(
    call: str, folder: places.Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*dummy: t.Any, **named: t.Any) -> t.NoReturn:
        raise OSError(errno.EROFS, "no")

    _journal(folder).unlink()
    before = _descriptors()
    with hidden.locked([folder], exclusive=True):
        real = getattr(os, call)
        monkeypatch.setattr(os, call, refuse)
    monkeypatch.setattr(os, call, real)
    assert _journal(folder).parent.is_dir()
    assert _descriptors() == before


def test_a_handler_that_is_not_of_python_is_left_alone(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, Interrupts() as interrupts:
        patch.setattr(signal, "getsignal", lambda dummy: None)
        interrupts.hold()
        patch.undo()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
