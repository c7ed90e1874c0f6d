# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a transaction that fails at one of its calls, and how the files are then."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import signal
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import attributes as _attributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, journal, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments

_OTHER = 4712

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class _Store:
    """Files in two folders: one to be rewritten, one to be made, one to be moved, one to go."""

    def __init__(self, folder: pathlib.Path, known: Places) -> None:
        self.folder = folder
        self.known = known
        self.warned: list[str] = []
        for name in ("a", "b", "tmp"):
            (folder / name).mkdir()
        for name in ("a/soup", "a/flour", "b/stew", "b/bread"):
            (folder / name).write_text(f"old {name}")
            (folder / name).chmod(0o644)
        self.set()

    def set(self, **options: t.Any) -> None:
        arguments = {"_ansible_no_log": True, "_ansible_tmpdir": str(self.folder / "tmp"), **options}
        with module_arguments(arguments):
            spec = {"in_place": {"type": "bool", "default": False}}
            self.module = AnsibleModule(spec, add_file_common_args=True)
        vars(self.module)["warn"] = self.warned.append

    def place(self, name: str) -> Place:
        return self.known.find("it", str(self.folder / name))

    def steps(self, **changes: dict[str, t.Any]) -> tuple[Step, ...]:
        soup, cake, bread, stew = (self.place(name) for name in ("a/soup", "b/cake", "b/bread", "b/stew"))
        steps = {
            "soup": Step(soup, existed=True, content=b"new soup", backup=f"{soup.path}~", secret=True),
            "cake": Step(cake, existed=False, content=b"new cake"),
            "bread": Step(bread, existed=True, origin=self.place("a/flour")),
            "flour": Step(self.place("a/flour"), existed=True),
            "stew": Step(stew, existed=True),
        }
        return tuple(step._replace(**changes.get(name, {})) for name, step in steps.items())

    def locked(self) -> t.ContextManager[transaction.Locked]:
        return transaction.locked_for_change(self.known, [step.place for step in self.steps()])

    def commit(self, *validate: str, **changes: dict[str, t.Any]) -> dict[str, str]:
        with self.locked() as locked:
            attributes = FileAttributes(self.module)
            return transaction.commit(self.module, locked, self.steps(**changes), attributes, list(validate))

    def hold(self) -> None:
        with self.locked() as locked:
            transaction.hold(
                self.module, transaction.switch(self.module, locked, self.steps(), FileAttributes(self.module), "it")
            )

    def settle(self) -> transaction.Settled:
        with self.locked() as locked:
            return transaction.settle(self.module, locked)

    def state(self) -> dict[str, str]:
        return {f"{one}/{path.name}": path.read_text() for one in "ab" for path in (self.folder / one).glob("[!.]*")}


_BEFORE = {name: f"old {name}" for name in ("a/soup", "a/flour", "b/stew", "b/bread")}
_AFTER = {"a/soup": "new soup", "a/soup~": "old a/soup", "b/cake": "new cake", "b/bread": "old a/flour"}


@pytest.fixture(name="store")
def fixture_store(tmp_path: pathlib.Path) -> t.Iterator[_Store]:
    with Places() as known:
        store = _Store(tmp_path, known)
        store.place("a/x"), store.place("b/x")
        before = set(os.listdir("/proc/self/fd"))
        yield store
        assert set(os.listdir("/proc/self/fd")) <= before  # those of others may be closed meanwhile


@contextlib.contextmanager
def _failing(owner: t.Any, name: str, when: t.Callable[..., t.Any], exc: BaseException) -> t.Iterator[None]:
    real = getattr(owner, name)

    def call(*args: t.Any, **named: t.Any) -> t.Any:
        if when(*args, **named):
            raise exc
        return real(*args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, call)
        yield


def _always(*_args: t.Any, **_named: t.Any) -> bool:
    return True


def _place_is(name: str, at: int = 0) -> t.Callable[..., bool]:
    return lambda *args, **_named: len(args) > at and args[at].path.endswith(name)


def _no_room() -> OSError:
    return OSError(errno.ENOSPC, "No room", "/secret/name")


_NO_ROOM = r"No room\. Make some room there and run again\."
_BACK, _NOTHING = r"Every file has been put back as it was\.$", r"No file was changed\.$"
_NEVER = r"^(?!.*secret/name)"


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "when", "told", "after"),
    [
        (disk, "create", lambda place, data: data == b"new soup", "/a/soup could not be written in .*/a", _NOTHING),
        (disk, "link", _place_is("a/flour"), "/a/flour could not be brought to .*/b", _NOTHING),
        (disk, "duplicate", _place_is("b/stew"), "/b/stew could not be kept for going back", _NOTHING),
        (journal, "write", _always, "The journal of the transaction beside .*/a/soup could not be written", _NOTHING),
        (disk, "remove", _place_is("b/stew"), "/b/stew could not be replaced", _BACK),
        (disk, "replace", _place_is("b/cake", 1), "/b/cake could not be replaced", _BACK),
        (transaction, "_make_backup", _always, "The backup .*/a/soup~ could not be made", _BACK),
        (journal, "close", _always, "The transaction could not be closed", None),
    ],
)
def test_what_is_told_of_a_call_that_fails(
    owner: t.Any, name: str, when: t.Callable[..., t.Any], told: str, after: str | None, in_place: bool, store: _Store
) -> None:
    store.set(in_place=in_place)
    if in_place and name == "link":
        name = "copy"
    story = f"{_NEVER}.*{told}: {_NO_ROOM} " + (after or "")
    with _failing(owner, name, when, _no_room()), pytest.raises(InstallError, match=story) as caught:
        store.commit()
    assert caught.value.settled
    if after is None:
        store.settle()
    assert store.state() == _BEFORE
    assert transaction.is_clean(step.place for step in store.steps())


@pytest.mark.parametrize(("number", "after"), [(1, _NOTHING), (4, _BACK)])
def test_folders_that_cannot_be_flushed(number: int, after: str, store: _Store) -> None:
    times: list[int] = []

    def now(*_args: t.Any) -> bool:
        times.append(1)
        return len(times) == number

    with (
        _failing(disk, "sync_folders", now, _no_room()),
        pytest.raises(InstallError, match=f"The directories could not be flushed: {_NO_ROOM} {after}"),
    ):
        store.commit()
    assert store.state() == _BEFORE


def test_attributes_that_cannot_be_given(store: _Store) -> None:
    with (
        _failing(FileAttributes, "prepare_staged", _always, _no_room()),
        pytest.raises(InstallError, match=f"^The attributes of .*/a/soup could not be set: {_NO_ROOM} {_NOTHING}"),
    ):
        store.commit()


def test_a_state_that_cannot_be_written(store: _Store) -> None:
    with (
        _failing(journal, "write", lambda one: one.state == "held", _no_room()),
        pytest.raises(InstallError, match=f"^The journal of the transaction could not be written: {_NO_ROOM} {_BACK}"),
    ):
        store.hold()
    assert store.state() == _BEFORE


def test_leftovers_that_cannot_be_removed_are_told_and_seen_to_later(store: _Store) -> None:
    with _failing(hidden.HiddenFolder, "clear", _always, _no_room()):
        assert store.commit() == {str(store.folder / "a/soup"): str(store.folder / "a/soup~")}
    (told,) = store.warned
    assert re.search(r"^The files are installed, but .* could not be removed: No room\. The next run removes it", told)
    assert store.state() == _AFTER
    with (
        _failing(hidden.HiddenFolder, "clear", _always, _no_room()),
        pytest.raises(
            InstallError, match=rf"^What an interrupted run left in .*/\.collectssl could not be removed: {_NO_ROOM}$"
        ),
    ):
        store.settle()
    assert store.settle() == transaction.Settled()
    assert transaction.is_clean(step.place for step in store.steps())


@pytest.mark.parametrize("failure", [_no_room(), InstallError("No way.")])
def test_a_way_back_that_fails_is_told_and_taken_later(failure: Exception, store: _Store) -> None:
    reason = "No room" if isinstance(failure, OSError) else "No way"
    story = rf"^validate: .*status 3\. Putting the files back did not succeed either: {reason}\. The old files"
    with _failing(transaction, "put_back", _always, failure), pytest.raises(InstallError, match=story) as caught:
        store.commit("sh", "-c", "exit 3")
    assert caught.value.settled
    assert caught.value.details["rc"] == 3
    assert store.state() == {name: text for name, text in _AFTER.items() if name != "a/soup~"}
    settled = store.settle()
    assert store.state() == _BEFORE
    assert {os.path.basename(path) for path in settled.put_back} == {"soup", "cake", "bread", "flour", "stew"}
    assert settled.let_go == frozenset()
    paths = ", ".join(step.path for step in store.steps())
    assert store.warned == [f"An earlier run was interrupted; these files were put back first: {paths}"]


def test_what_cannot_be_settled_is_told(store: _Store) -> None:
    with _failing(transaction, "put_back", _always, _no_room()), contextlib.suppress(InstallError):
        store.commit("false")
    paths = ", ".join(step.path for step in store.steps())
    story = rf"^An earlier run .* changed {paths}, and putting them back failed: {_NO_ROOM} Nothing else"
    with _failing(transaction, "put_back", _always, _no_room()), pytest.raises(InstallError, match=story) as caught:
        store.settle()
    assert caught.value.settled
    with transaction.locked_for_reading(store.known, [step.place for step in store.steps()]) as locked:
        _view, foreseen = transaction.preview(store.module, locked)
    assert store.warned == ["An earlier run was interrupted; a real run would first put its files back"]
    assert store.settle() == foreseen


def test_what_is_held_cannot_be_had_back(store: _Store) -> None:
    store.hold()
    with store.locked() as locked, _failing(transaction, "put_back", _always, _no_room()):
        paths = ", ".join(step.path for step in store.steps())
        with pytest.raises(InstallError, match=f"^Putting back {paths} failed: {_NO_ROOM} What is not back") as caught:
            transaction.undo(store.module, *locked.unfinished)
    assert caught.value.settled
    with transaction.locked_for_reading(store.known, [step.place for step in store.steps()]) as locked:
        _view, foreseen = transaction.preview(store.module, locked)
    # As the message says, the next run does it: once going back has begun, nothing of it may stay.
    assert store.warned == ["An earlier run was interrupted; a real run would first put its files back"]
    assert store.settle() == foreseen
    assert {os.path.basename(path) for path in foreseen.put_back} == {"soup", "cake", "bread", "flour", "stew"}
    assert store.state() == _BEFORE


def test_what_is_held_can_be_had_back_where_nothing_can_be_written_down(store: _Store) -> None:
    store.hold()
    with store.locked() as locked, _failing(journal, "write", _always, _no_room()):
        transaction.undo(store.module, *locked.unfinished)
    assert store.state() == _BEFORE
    assert transaction.is_clean([step.place for step in store.steps()])


@pytest.mark.parametrize("verb", ["settle", "undo"])
def test_a_file_that_somebody_put_there_since_is_left_and_the_old_one_kept(verb: str, store: _Store) -> None:
    if verb == "undo":
        store.hold()
    else:
        with _failing(transaction, "put_back", _always, _no_room()), contextlib.suppress(InstallError):
            store.commit("false")
    (store.folder / "theirs").write_text("theirs")
    (store.folder / "theirs").rename(store.folder / "a/soup")
    with store.locked() as locked:
        if verb == "undo":
            transaction.undo(store.module, *locked.unfinished)
        else:
            transaction.settle(store.module, locked)
    name = store.warned[-1].rpartition(" ")[2]
    assert re.search(r"file was replaced by hand .*; the one it had replaced is kept as ", store.warned[-1])
    assert pathlib.Path(name).read_text() == "old a/soup"
    assert pathlib.Path(name).parent == store.folder / "a"
    assert store.state() == {**_BEFORE, "a/soup": "theirs", f"a/{os.path.basename(name)}": "old a/soup"}


# --- what ends it -------------------------------------------------------------------------------------------------


@pytest.fixture(name="handlers")
def fixture_handlers() -> t.Iterator[None]:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    for one in before:
        signal.signal(one, signal.SIG_DFL if one != signal.SIGINT else signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    for one, handler in before.items():
        signal.signal(one, handler)


_SIGNALS = pytest.mark.parametrize(
    ("number", "who"), [(signal.SIGTERM, "ended by SIGTERM"), (signal.SIGHUP, "ended by SIGHUP"), (signal.SIGINT, "")]
)


@_SIGNALS
def test_a_signal_ends_the_work(number: signal.Signals, who: str, store: _Store, handlers: None) -> None:
    def raised(*_places: Place) -> bool:
        # Again and again, on the way back and in leaving as well.
        signal.raise_signal(number)
        return False

    with (
        _failing(disk, "remove", raised, _no_room()),
        pytest.raises(InstallError, match=rf"^The run was .*{who}.* No file was changed\.$"),
    ):
        store.commit()
    assert store.state() == _BEFORE
    assert transaction.is_clean(step.place for step in store.steps())


@_SIGNALS
def test_a_signal_before_the_work(number: signal.Signals, who: str, store: _Store, handlers: None) -> None:
    story = rf"^The run was .*{who}.* Nothing new was installed\.$"
    with pytest.raises(InstallError, match=story) as caught, store.locked():
        signal.raise_signal(number)
    assert caught.value.settled
    assert store.state() == _BEFORE


@_SIGNALS
def test_a_signal_after_the_work_changes_nothing_of_what_is_told(
    number: signal.Signals, who: str, store: _Store, handlers: None
) -> None:
    def raised(*_args: t.Any) -> bool:
        signal.raise_signal(number)
        return False

    with _failing(hidden.HiddenFolder, "vanish", raised, _no_room()):
        assert list(store.commit()) == [str(store.folder / "a/soup")]
    assert store.state() == _AFTER
    assert transaction.is_clean(step.place for step in store.steps())


def test_what_nobody_expected_is_let_out_once_all_is_back(store: _Store) -> None:
    with _failing(disk, "remove", _place_is("b/stew"), ZeroDivisionError("ours")), pytest.raises(ZeroDivisionError):
        store.commit()
    assert store.state() == _BEFORE
    assert transaction.is_clean(step.place for step in store.steps())


@pytest.mark.parametrize(
    ("command", "told", "details"),
    [
        (
            ["sh", "-c", "echo out; echo first >&2; echo last >&2; exit 7"],
            r"the command sh refused the new files with exit status 7: last\.",
            {"rc": 7, "stdout": "out\n", "stderr": "first\nlast\n"},
        ),
        (["sh", "-c", "echo out; exit 1"], r"with exit status 1: out\.", {"rc": 1, "stdout": "out\n", "stderr": ""}),
        (["sh", "-c", "exit 1"], r"with exit status 1\.", {"rc": 1, "stdout": "", "stderr": ""}),
        (["sh", "-c", "kill -9 $$"], r"was ended by signal 9\.", {"rc": -9, "stdout": "", "stderr": ""}),
        (["/no/such/command"], r"/no/such/command could not be run: No such file or directory\.", None),
    ],
)
def test_what_refuses_the_new_files(command: list[str], told: str, details: t.Any, store: _Store) -> None:
    with pytest.raises(InstallError, match=rf"^validate: .*{told} {_BACK}") as caught:
        store.commit(*command)
    assert (caught.value.details or None) == details
    assert store.state() == _BEFORE


def test_a_command_is_taken_as_it_is(store: _Store) -> None:
    store.commit("sh", "-c", 'test "$1" = "~/\\$HOME"', "sh", "~/$HOME")
    assert store.state() == _AFTER


@pytest.mark.parametrize(("euid", "told"), [(0, r"\. Every"), (4711, r"\. Run the task with become, or .*\. Every")])
def test_a_command_that_may_not_be_run(euid: int, told: str, store: _Store) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied")
    with pytest.MonkeyPatch.context() as patch, _failing(store.module, "run_command", _always, refused):
        patch.setattr("ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions.is_root",
                      lambda: euid == 0)  # fmt: skip
        with pytest.raises(InstallError, match=rf"^validate: .*/a/check could not be run: Permission denied .*{told}"):
            store.commit(str(store.folder / "a/check"))


# --- who puts other files there meanwhile -------------------------------------------------------------------------


def _theirs(store: _Store, name: str) -> t.Any:
    (store.folder / "theirs").write_text("theirs")
    (store.folder / "theirs").rename(store.folder / name)


@pytest.mark.parametrize("name", ["b/stew", "a/flour"])
def test_a_file_that_is_replaced_before_it_goes_is_not_removed(name: str, store: _Store) -> None:
    with (
        _failing(journal, "write", lambda *dummy: _theirs(store, name), _no_room()),
        pytest.raises(
            InstallError,
            match=rf"^{store.folder}/{name} was replaced by somebody else while this run changed it\. Every",
        ),
    ):
        store.commit()
    assert store.state()[name] == "theirs"


def test_a_file_that_is_replaced_while_it_is_kept_is_told(store: _Store) -> None:
    with (
        _failing(disk, "duplicate", lambda *args, **named: _theirs(store, "a/soup"), _no_room()),
        pytest.raises(
            InstallError, match=rf"^{store.folder}/a/soup was replaced by somebody else .*\. No file was changed\.$"
        ),
    ):
        store.commit()


def test_an_origin_that_is_not_the_one_that_was_seen_is_not_taken(store: _Store) -> None:
    other = (store.folder / "b/stew").stat().st_ino
    for changes in ({}, {"origin_within": disk.Protection(0o600, 0, 0, ())}):
        with pytest.raises(InstallError, match=r"replaced .*No file was changed\.$"):
            store.commit(bread={"origin_inode": other, **changes})
        assert store.state() == _BEFORE
    store.commit(bread={"origin_inode": (store.folder / "a/flour").stat().st_ino})
    assert store.state() == _AFTER


@pytest.mark.parametrize("changes", [{"origin_within": disk.Protection(0o600, 0, 0, ())}, {}])
def test_what_is_moved_is_the_same_file_or_one_of_its_own(changes: dict[str, t.Any], store: _Store) -> None:
    before = (store.folder / "a/flour").stat().st_ino
    store.commit(bread=changes)
    status = (store.folder / "b/bread").stat()
    assert (status.st_ino == before) is (not changes)
    assert status.st_mode & 0o777 == (0o600 if "origin_within" in changes else 0o644)
    assert store.state() == _AFTER


# --- files that this user can make no copy of ---------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["done", "undone"])
def test_what_can_be_neither_linked_nor_copied_is_kept_by_its_name(outcome: str, store: _Store) -> None:
    refused = PermissionError(errno.EPERM, "no")
    number = (store.folder / "b/stew").stat().st_ino
    with _failing(disk, "duplicate", lambda place, *_more, **_named: place.path[-4:] in ("soup", "stew"), refused):
        if outcome == "done":
            store.commit(soup={"backup": None})
            assert store.state() == {name: text for name, text in _AFTER.items() if name != "a/soup~"}
        else:
            with pytest.raises(InstallError, match=_BACK):
                store.commit("false", soup={"backup": None})
            assert store.state() == _BEFORE
            assert (store.folder / "b/stew").stat().st_ino == number
    assert transaction.is_clean(step.place for step in store.steps())


def test_what_is_to_be_written_into_must_be_copied(store: _Store) -> None:
    store.set(unsafe_writes=True)
    refused = PermissionError(errno.EPERM, "no")
    with (
        _failing(disk, "duplicate", _place_is("b/stew"), refused),
        pytest.raises(InstallError, match=r"^.*/b/stew could not be kept for going back: no .*No file was changed\.$"),
    ):
        store.commit()


# --- flags --------------------------------------------------------------------------------------------------------


class _Frozen:
    """Which files are frozen, by inode, for a file system without flags; what is frozen is not moved."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.letters: dict[int | None, str] = {}
        self.finished: list[int] = []
        patch.setattr(FileAttributes, "flags", lambda _self, place: self.letters.get(disk.inode(place), ""))
        patch.setattr(_attributes, "put_flags", self._put)
        patch.setattr(FileAttributes, "finish", lambda _self, one, _path: self.finished.append(os.fstat(one).st_ino))
        for name, which in (("rename", (0, 1)), ("remove", ())):
            patch.setattr(disk, name, self._guarded(getattr(disk, name), which))

    def _put(self, place: Place, letters: str) -> None:
        self.letters[disk.inode(place)] = letters

    def _guarded(self, real: t.Callable[..., None], which: tuple[int, ...]) -> t.Callable[..., None]:
        def call(*places: Place) -> None:
            for one in places if real.__name__ == "remove" else [places[at] for at in which]:
                assert not self.letters.get(disk.inode(one)), one.path
            real(*places)

        return call


@pytest.mark.parametrize("outcome", ["done", "undone"])
def test_flags_are_taken_away_and_given_back(outcome: str, store: _Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set(attributes="+i")
    frozen = _Frozen(monkeypatch)
    numbers = {name: (store.folder / name).stat().st_ino for name in _BEFORE}
    frozen.letters = {number: "i" for name, number in numbers.items() if name != "a/flour"}
    if outcome == "done":
        store.commit()
        assert store.state() == _AFTER
        assert frozen.letters[(store.folder / "b/bread").stat().st_ino] == "i"
        assert frozen.finished == [(store.folder / name).stat().st_ino for name in ("a/soup", "b/cake")]
    else:
        with pytest.raises(InstallError, match=_BACK):
            store.commit("false")
        assert store.state() == _BEFORE
        for name in ("a/soup", "b/stew", "b/bread"):
            assert frozen.letters[numbers[name]] == "i", name


# --- who may read what is kept ------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize(
    ("before", "options", "secret", "kept"),
    [
        ((_OTHER, 0o644), {"owner": "0", "mode": "0600"}, True, (0, 0o600)),
        ((0, 0o600), {"owner": "0", "mode": "0600"}, True, (0, 0o600)),
        ((_OTHER, 0o644), {"owner": "0", "mode": "0600"}, False, (_OTHER, 0o644)),
    ],
)
def test_a_backup_is_open_to_nobody_whom_the_new_file_is_not_open_to(
    before: tuple[int, int], options: dict[str, str], secret: bool, kept: tuple[int, int], in_place: bool, store: _Store
) -> None:
    store.set(in_place=in_place, **options)
    soup = store.folder / "a/soup"
    os.chown(soup, before[0], 0)
    soup.chmod(before[1])
    number = soup.stat().st_ino
    store.commit(soup={"secret": secret})
    status = (store.folder / "a/soup~").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == kept
    # The very same file where that is open to nobody more.
    assert (status.st_ino == number) is (not in_place and kept == before)
    assert soup.stat().st_mode & 0o7777 == 0o600


def test_each_file_that_is_set_aside_has_its_own_name(store: _Store) -> None:
    store.hold()
    for name in ("a/soup", "b/bread"):
        _theirs(store, name)
    with store.locked() as locked:
        transaction.undo(store.module, *locked.unfinished)
    kept = [line.rpartition(" ")[2] for line in store.warned]
    assert {pathlib.Path(path).read_text() for path in kept} == {"old a/soup", "old b/bread"}
    assert {os.path.relpath(os.path.dirname(path), store.folder) for path in kept} == {"a", "b"}


@pytest.mark.parametrize("name", ["a/soup", "b/stew"])
def test_a_frozen_file_that_is_gone_since_comes_back_frozen(
    name: str, store: _Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set(attributes="+i")
    frozen = _Frozen(monkeypatch)
    number = (store.folder / name).stat().st_ino
    frozen.letters = {number: "i"}
    put = frozen._put

    def put_there(place: Place, letters: str) -> None:
        assert place.exists, place.path
        put(place, letters)

    monkeypatch.setattr(_attributes, "put_flags", put_there)
    store.hold()
    (store.folder / "a/soup").unlink()
    with store.locked() as locked:
        transaction.undo(store.module, *locked.unfinished)
    assert store.state() == _BEFORE
    assert frozen.letters[(store.folder / name).stat().st_ino] == "i"


def test_a_file_that_is_replaced_once_it_is_in_its_place_is_told(
    store: _Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = disk.replace

    def replace(source: Place, target: Place, in_place: bool = False) -> None:
        real(source, target, in_place)
        if target.path.endswith("a/soup"):
            _theirs(store, "a/soup")

    monkeypatch.setattr(disk, "replace", replace)
    with pytest.raises(InstallError, match=r"^.*/a/soup was replaced by somebody else"):
        store.commit()


def test_what_is_moved_into_a_file_brings_its_mode(store: _Store) -> None:
    store.set(in_place=True)
    (store.folder / "a/flour").chmod(0o604)
    store.commit()
    assert (store.folder / "b/bread").stat().st_mode & 0o7777 == 0o604


def test_a_view_of_what_is_the_same_alters_nothing(store: _Store) -> None:
    place = store.place("a/soup")
    assert not View({place.path: place}).alters(place)
    assert View({place.path: None}).alters(place)


def test_flags_are_given_to_the_file_that_was_made(store: _Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.set(attributes="+i")
    frozen = _Frozen(monkeypatch)
    with _failing(disk, "opened", lambda place, *dummy: place.path.endswith("b/cake"), _no_room()):
        store.commit()
    assert (store.folder / "b/cake").stat().st_ino in frozen.finished
