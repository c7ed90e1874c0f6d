# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the turn of an account, which a real process has, by a clock that each look puts forward."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import re
import threading
import typing as t
import warnings

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience

FORK = multiprocessing.get_context("fork")
_HOST = re.sub(r"[^A-Za-z0-9._-]", "-", os.uname().nodename)[:64]


class Waiter:
    """Waits for a turn in a time of its own; what it says, and when, is kept."""

    def __init__(self, folder: pathlib.Path, run: str = "run", meanwhile: t.Callable[[float], object] | None = None):
        self.now = 1_000_000.0
        self.lines: list[str] = []
        self._meanwhile = meanwhile or (lambda _waited: None)
        self.store = LocalStore(str(folder / run), str(folder / "home"), self._pause)
        self._begun = self.now

    def _pause(self, _seconds: float) -> None:
        self.now += 1
        self._meanwhile(self.now - self._begun)

    def turn(self, limit: float = 180) -> t.ContextManager[None]:
        self._begun = self.now
        return self.store.turn("account", Patience(limit, "X could not be asked", self.lines.append, lambda: self.now))

    def gives_up(self, limit: float = 180) -> str:
        with pytest.raises(TransportError) as caught, self.turn(limit):
            pytest.fail("somebody else has the turn")
        return str(caught.value)

    @property
    def waited(self) -> float:
        return self.now - self._begun


@contextlib.contextmanager
def held(folder: pathlib.Path) -> t.Iterator[int]:
    """A process that has the turn, by its number."""
    ready, taken = os.pipe()
    end, ending = os.pipe()

    def hold() -> None:
        os.close(ending)
        with LocalStore(str(folder / "other run"), str(folder / "home")).turn("account"):
            os.write(taken, b"x")
            os.read(end, 1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = FORK.Process(target=hold)
        process.start()
    os.close(end)
    try:
        assert os.read(ready, 1) == b"x"
        yield t.cast("int", process.pid)
    finally:
        os.close(ending)
        process.join()
        os.close(ready)
        os.close(taken)


def test_one_that_does_not_end_is_named_and_given_up(tmp_path: pathlib.Path) -> None:
    waiter = Waiter(tmp_path)
    with held(tmp_path) as holder:
        said = waiter.gives_up()
    assert waiter.waited == pytest.approx(180, abs=2)
    begin = f"collectssl: calls for an account are made one at a time, and process {holder} on {_HOST} has the turn; "
    assert waiter.lines == [f"{begin}waited {seconds} s" for seconds in (5, 65, 125)]
    assert said == (
        "X could not be asked: calls for an account are made one at a time, and process "
        f"{holder} on {_HOST} has had the turn for 180 s, longer than a call with all its retries takes. If it hangs, "
        "end it, and run again: the turn goes with the process."
    )


def test_the_others_of_a_run_give_the_same_one_up_at_once_and_other_runs_see_for_themselves(
    tmp_path: pathlib.Path,
) -> None:
    with held(tmp_path):
        first = Waiter(tmp_path)
        said = first.gives_up()
        second, other = Waiter(tmp_path), Waiter(tmp_path, "another run")
        assert second.gives_up() == said
        assert (second.waited, second.lines) == (0, [])
        assert other.gives_up() == said
        assert other.waited >= 180
    # The next one is another.
    with held(tmp_path):
        third = Waiter(tmp_path)
        assert third.gives_up() != said
        assert third.waited >= 180


def test_those_who_merely_queue_are_never_given_up(tmp_path: pathlib.Path) -> None:
    """The same process takes one turn after another, as one that asks about a thousand orders does."""
    turns: list[t.Any] = []
    other = LocalStore(str(tmp_path / "other run"), str(tmp_path / "home"))

    def next_turn(waited: float) -> None:
        if waited % 100 == 0:
            turns.pop().__exit__(None, None, None)
            if waited < 1000:
                turns.append(other.turn("account"))
                turns[-1].__enter__()

    turns.append(other.turn("account"))
    turns[-1].__enter__()
    waiter = Waiter(tmp_path, meanwhile=next_turn)
    with waiter.turn(limit=150):
        assert waiter.waited == 1000
    assert len(waiter.lines) == 17
    assert all(f"process {os.getpid()} on {_HOST} has the turn" in line for line in waiter.lines)


def test_a_run_says_so_once_a_minute_however_many_of_it_wait(tmp_path: pathlib.Path) -> None:
    waiters = [Waiter(tmp_path) for _fork in range(5)]
    with held(tmp_path):
        threads = [threading.Thread(target=waiter.gives_up) for waiter in waiters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line for waiter in waiters for line in waiter.lines]
    assert 1 <= len(lines) <= 4


def test_a_short_wait_is_silent(tmp_path: pathlib.Path) -> None:
    turn = LocalStore(str(tmp_path / "other run"), str(tmp_path / "home")).turn("account")
    turn.__enter__()
    waiter = Waiter(tmp_path, meanwhile=lambda waited: turn.__exit__(None, None, None) if waited == 4 else None)
    with waiter.turn():
        assert (waiter.waited, waiter.lines) == (4, [])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234",
        b"1 red\x1b[31m " + b"0" * 32 + b"\n",
        b"1 host " + b"0" * 32 + b"\n\n",
        b"12345678901 host " + b"0" * 32 + b"\n",
        b"\xff" * 5000,
    ],
)
def test_what_stands_in_the_file_is_not_shown_unless_it_is_a_signature(tmp_path: pathlib.Path, content: bytes) -> None:
    waiter = Waiter(tmp_path)
    with held(tmp_path):
        (lock,) = (tmp_path / "home" / "collectssl").iterdir()
        lock.write_bytes(content)
        said = waiter.gives_up()
    assert "and a process that did not say its number has had the turn" in said
    assert all("a process that did not say its number has the turn" in line for line in waiter.lines)


def test_a_lock_whose_file_was_removed_is_none(tmp_path: pathlib.Path) -> None:
    """Who takes a turn then has it by the file that others will find."""
    folder = tmp_path / "home" / "collectssl"
    turn = LocalStore(str(tmp_path / "other run"), str(tmp_path / "home")).turn("account")
    turn.__enter__()

    def remove(waited: float) -> None:
        if waited == 2:
            (folder / "account.lock").unlink()
            turn.__exit__(None, None, None)

    waiter = Waiter(tmp_path, meanwhile=remove)
    with waiter.turn():
        text = (folder / "account.lock").read_text(encoding="ascii")
        assert text.startswith(f"{os.getpid()} ")
        assert Waiter(tmp_path, "another run").gives_up()
