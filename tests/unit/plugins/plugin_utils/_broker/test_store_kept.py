# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as they stand in a file, how a lock is looked at again and again, and sleep that ends with the run."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import multiprocessing
import os
import pathlib
import types
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker import folder, run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of records, which is not there yet."""
    return tmp_path / "run" / "collectssl"


def _store(tmp_path: pathlib.Path, pause: t.Callable[[float], None] | None = None) -> LocalStore:
    return LocalStore(str(tmp_path / "run"), str(tmp_path / "home"), pause)


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


# --- records ------------------------------------------------------------------------------------------------------


def test_a_record_is_sealed_with_the_name_of_the_runs_folder_and_the_format(
    tmp_path: pathlib.Path, path: pathlib.Path
) -> None:
    """Another version of the collection that writes in the same run must come to the same seal, or to none."""
    record = {"b": [1, None], "a": "\u00fc"}
    _store(tmp_path).write("key", [record, {}])
    text = b'collectssl 1\0{"a": "\\u00fc", "b": [1, null]}'
    seal = hmac.new(os.fsencode(path), text, hashlib.sha256).hexdigest()
    empty = hmac.new(os.fsencode(path), b"collectssl 1\0{}", hashlib.sha256).hexdigest()
    assert os.listdir(path) == ["key.json"]
    assert json.loads((path / "key.json").read_text(encoding="ascii")) == [{**record, "seal": seal}, {"seal": empty}]
    assert _store(tmp_path).read("key") == [record, {}]
    assert _store(tmp_path).read("other") == []


def test_a_record_of_another_runs_folder_is_none(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    _store(tmp_path).write("key", [{"a": 1}])
    other = LocalStore(str(tmp_path / "other"), str(tmp_path / "home"))
    other.write("key", [])
    (tmp_path / "other/collectssl/key.json").write_bytes((path / "key.json").read_bytes())
    assert other.read("key") == []


def test_no_more_of_a_file_is_read_than_records_ever_take(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def read(_self: t.Any, _name: str, most: int) -> bytes:
        asked.append(most)
        return b"[]"

    monkeypatch.setattr(folder.Folder, "read", read)
    assert _store(tmp_path).read("key") == []
    assert asked == [67_108_864]


def test_what_was_said_has_a_name_of_its_own(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    kept = _store(tmp_path)
    assert [kept.came_before("x"), kept.first("x"), kept.came_before("x"), kept.first("x")] == [
        *(False, True, True, False),
    ]
    assert os.listdir(path) == ["x.said"]


@pytest.mark.parametrize(("place", "setting"), [("run", "ANSIBLE_LOCAL_TEMP"), ("home", "ANSIBLE_HOME")])
def test_a_folder_that_cannot_be_used_is_named_with_its_setting(
    tmp_path: pathlib.Path, place: str, setting: str
) -> None:
    (tmp_path / place).touch()
    kept = _store(tmp_path)
    turn = kept.flight("key") if place == "run" else kept.turn("account")
    with pytest.raises(CollectError) as caught:  # noqa: SIM117 - checkers take the other form for a tuple
        with turn:
            pytest.fail("there is no folder")
    assert str(caught.value) == (
        f"The folder {tmp_path / place}/collectssl on the controller cannot be used for locks and records: not a "
        f"directory. Make room there or make it writable, or point {setting} elsewhere."
    )


def test_an_error_without_the_systems_words_is_told_in_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise OSError("Something Else")

    monkeypatch.setattr(folder.Folder, "make", fail)
    with pytest.raises(CollectError, match=r"locks and records: something else\. Make room there"):
        _store(tmp_path).first("x")


def test_who_is_stopped_right_after_a_record_was_put_in_its_place_is_told_just_that(
    tmp_path: pathlib.Path, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def stop(*arguments: t.Any, **named: t.Any) -> t.NoReturn:
        rename(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        _store(tmp_path).write("key", [{}])
    assert os.listdir(path) == ["key.json"]


# --- locks --------------------------------------------------------------------------------------------------------


def _open(path: pathlib.Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def test_pauses_between_two_looks_at_a_lock_grow_to_a_tenth_of_a_second(
    tmp_path: pathlib.Path, path: pathlib.Path
) -> None:
    holder = _open(path / "key.lock")
    fcntl.flock(holder, fcntl.LOCK_EX)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            os.close(holder)

    with _store(tmp_path, pause).flight("key"):
        assert pauses == [0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1, 0.1]
        with pytest.raises(BlockingIOError):
            fcntl.flock(_open(path / "key.lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_pauses_sleeps_as_the_run_does_unless_told_otherwise(
    tmp_path: pathlib.Path, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = _open(path / "key.lock")
    fcntl.flock(holder, fcntl.LOCK_EX)
    slept: list[float] = []

    def sleep(_self: Run, seconds: float) -> None:
        slept.append(seconds)
        os.close(holder)

    monkeypatch.setattr(Run, "sleep", sleep)
    with _store(tmp_path).flight("key"):
        assert slept == [0.005]


def test_a_lock_is_given_back_however_its_holder_ends(tmp_path: pathlib.Path) -> None:
    kept, before = _store(tmp_path, lambda _seconds: pytest.fail("somebody has it")), _descriptors()
    for _time in range(2):
        with pytest.raises(ZeroDivisionError), kept.turn("account"):
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), kept.flight("key"):
            raise ZeroDivisionError
    assert _descriptors() == before


def test_who_gives_up_waiting_holds_nothing(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    holder = _open(path / "key.lock")
    fcntl.flock(holder, fcntl.LOCK_EX)

    def pause(_seconds: float) -> t.NoReturn:
        raise KeyboardInterrupt

    before = _descriptors()
    with pytest.raises(KeyboardInterrupt), _store(tmp_path, pause).flight("key"):
        pytest.fail("somebody has it")
    assert _descriptors() == before
    os.close(holder)


def test_a_lock_that_was_made_anew_meanwhile_is_taken_in_the_place_of_the_old_one(
    tmp_path: pathlib.Path, path: pathlib.Path
) -> None:
    holder = _open(path / "key.lock")
    fcntl.flock(holder, fcntl.LOCK_EX)

    def pause(_seconds: float) -> None:
        (path / "key.lock").unlink()
        os.close(holder)

    before = _descriptors()
    with _store(tmp_path, pause).flight("key"):
        with pytest.raises(BlockingIOError):
            fcntl.flock(other := _open(path / "key.lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        assert len(_descriptors()) == len(before)
    assert len(_descriptors()) == len(before) - 1


def test_a_flight_is_in_the_runs_folder_unsigned_and_a_turn_in_the_users_signed(tmp_path: pathlib.Path) -> None:
    kept = _store(tmp_path)
    with kept.flight("key"), kept.turn("account"):
        assert (tmp_path / "run/collectssl/key.lock").read_bytes() == b""
        assert (tmp_path / "home/collectssl/account.lock").read_text().startswith(f"{os.getpid()} ")


# --- the run ------------------------------------------------------------------------------------------------------


class _Time:
    """Stands in for the module: seconds that pass in sleep alone."""

    def __init__(self) -> None:
        self.now = 1024.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    ("seconds", "slept"), [(1.25, [0.5, 0.5, 0.25]), (0.5, [0.5]), (0.125, [0.125]), (0.0, []), (-3.0, [])]
)
def test_a_sleep_looks_after_the_run_each_half_second_and_at_its_end(
    monkeypatch: pytest.MonkeyPatch, seconds: float, slept: list[float]
) -> None:
    time, looks = _Time(), list[float]()
    monkeypatch.setattr(run, "time", time)
    monkeypatch.setattr(Run, "must_go_on", lambda _self: looks.append(time.now))
    Run().sleep(seconds)
    assert time.slept == slept
    assert len(looks) == len(slept) + 1


class _LeftError(BaseException):
    """Stands for the end of this process."""


def test_only_a_worker_whose_parent_is_another_one_ends_and_says_that_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []

    def end(code: int) -> t.NoReturn:
        codes.append(code)
        raise _LeftError

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: None)
    Run().must_go_on()
    assert not Run().is_gone
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: types.SimpleNamespace(pid=os.getppid()))
    Run().must_go_on()
    worker = Run()
    parent = os.getppid()
    monkeypatch.setattr(os, "getppid", lambda: parent + 1)
    assert worker.is_gone
    with pytest.raises(_LeftError):
        worker.must_go_on()
    assert codes == [1]
