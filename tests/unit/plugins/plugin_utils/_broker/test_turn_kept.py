# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a turn is waited for, look by look, and how it is signed; by a clock that only these tests move."""

from __future__ import annotations

import errno
import os
import pathlib
import re
import types
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.turn import Patience, Queue, sign

_SIGNED = "4711 host.example.com " + "0" * 32 + "\n"


class _Memory:
    def __init__(self) -> None:
        self.names: list[str] = []

    def first(self, name: str) -> bool:
        """As the store has it."""
        new = name not in self.names
        self.names.append(name)
        return new

    def came_before(self, name: str) -> bool:
        """As the store has it."""
        return name in self.names


class _Wait:
    """One wait, from the second 1000000 on, for whoever has signed a file."""

    def __init__(self, descriptor: int, memory: _Memory | None = None, limit: float = 100.0) -> None:
        self.now = 1_000_000.0
        self.lines: list[str] = []
        self.memory = memory or _Memory()
        self._descriptor = descriptor
        patience = Patience(limit, "X could not be asked", self.lines.append, lambda: self.now)
        self.queue = Queue(self.memory, "account", patience)

    def look(self, *seconds: float) -> None:
        """Look after so many seconds since the begin, each in turn."""
        for after in seconds:
            self.now = 1_000_000.0 + after
            self.queue.look(self._descriptor)


@pytest.fixture
def lock(tmp_path: pathlib.Path) -> t.Iterator[int]:
    """A file of a lock that somebody signed."""
    path = tmp_path / "account.lock"
    path.write_text(_SIGNED, encoding="ascii")
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(("limit", "given_up"), [(100.0, True), (100.5, False)])
def test_a_turn_may_last_as_long_as_its_limit_and_no_longer(lock: int, limit: float, given_up: bool) -> None:
    wait = _Wait(lock, limit=limit)
    wait.look(0, 50, 99)
    if not given_up:
        wait.look(100)
        return
    with pytest.raises(TransportError, match=r"process 4711 on host\.example\.com has had the turn for 100 s, longer"):
        wait.look(100)


def test_the_limit_counts_from_the_look_at_which_a_turn_was_new(lock: int) -> None:
    wait = _Wait(lock)
    wait.look(0, 60)
    os.pwrite(lock, b"4712", 0)
    wait.look(70, 169)
    with pytest.raises(TransportError, match="process 4712 on"):
        wait.look(170)


def test_the_same_words_anew_are_a_turn_of_their_own(lock: int) -> None:
    """As where there is no room for a signature, and only the time of the file changes."""
    wait = _Wait(lock)
    wait.look(0, 60)
    os.utime(lock, ns=(1, 1))
    wait.look(70, 169)
    with pytest.raises(TransportError):
        wait.look(170)


def test_who_has_the_turn_is_looked_at_once_a_second(lock: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read, looks = os.pread, list[float]()
    wait = _Wait(lock)

    def count(descriptor: int, size: int, at: int) -> bytes:
        looks.append(wait.now - 1_000_000)
        return read(descriptor, size, at)

    monkeypatch.setattr(os, "pread", count)
    wait.look(0, 0.25, 0.75, 1, 1.5, 1.75, 2, 4, 4.5, 5)
    assert looks == [0, 1, 2, 4, 5]


def test_words_come_after_five_seconds_and_then_each_minute(lock: int) -> None:
    wait = _Wait(lock, limit=10_000)
    wait.look(0, 4)
    assert wait.lines == []
    wait.look(5, 6, 64)
    begin = "collectssl: calls for an account are made one at a time, and process 4711 on host.example.com has the turn"
    assert wait.lines == [f"{begin}; waited 5 s"]
    wait.look(65, 66, 124)
    assert wait.lines == [f"{begin}; waited {seconds} s" for seconds in (5, 65)]
    # Each minute of the clock has a name, which is said by one of the run.
    assert wait.memory.names == ["account-waits-16666", "account-waits-16667"]
    other = _Wait(lock, wait.memory, limit=10_000)
    other.look(0, 5, 65)
    assert other.lines == []
    other.look(200)
    assert len(other.lines) == 1


def test_a_turn_is_given_up_for_the_whole_run_by_a_name_of_its_own(lock: int) -> None:
    first = _Wait(lock)
    first.look(0)
    with pytest.raises(TransportError) as caught:
        first.look(100)
    (name,) = first.memory.names
    assert re.fullmatch(r"account-[0-9a-f]{32}-given-up", name)
    second = _Wait(lock, first.memory)
    with pytest.raises(TransportError) as again:
        second.look(0)
    assert str(again.value) == str(caught.value)
    os.pwrite(lock, b"4712", 0)
    third = _Wait(lock, first.memory)
    third.look(0, 99)
    assert [said for said in third.memory.names if "given-up" in said] == [name]


def test_without_patience_nothing_is_looked_at(lock: int) -> None:
    del lock
    Queue(_Memory(), "account", None).look(-1)


_ZEROS = "0" * 32
_PROCESSES = [
    (f"1 a {_ZEROS}\n", "process 1 on a"),
    (f"0000000007 a {_ZEROS}\n", "process 7 on a"),
    (f"1234567890 {'h' * 64} {_ZEROS}\n", f"process 1234567890 on {'h' * 64}"),
    (f"1 A-Z_a.z09 {_ZEROS[:-6]}abcdef\n", "process 1 on A-Z_a.z09"),
    *(
        (text, "a process that did not say its number")
        for text in (
            f" a {_ZEROS}\n",
            f"12345678901 a {_ZEROS}\n",
            f"x a {_ZEROS}\n",
            f"1  {_ZEROS}\n",
            f"1 {'h' * 65} {_ZEROS}\n",
            f"1 a\x1b[31m {_ZEROS}\n",
            f"1 a {_ZEROS[1:]}\n",
            f"1 a {_ZEROS}0\n",
            f"1 a {_ZEROS[1:]}g\n",
            f"1 a {_ZEROS}",
            f"1 a {_ZEROS}\n\n",
            f"x1 a {_ZEROS}\n",
        )
    ),
]


@pytest.mark.parametrize(("text", "named"), _PROCESSES)
def test_only_a_whole_signature_names_a_process(lock: int, text: str, named: str) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, text.encode("ascii"), 0)
    wait = _Wait(lock)
    wait.look(0, 5)
    (line,) = wait.lines
    assert f", and {named} has the turn; " in line


# --- the signature ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "host"),
    [
        ("www1.example.com", "www1.example.com"),
        ("A_z-9", "A_z-9"),
        ("a b/c\x1b\n\u00fc", "a-b-c---"),
        ("h" * 70, "h" * 64),
        ("", "-"),
    ],
)
def test_a_signature_takes_the_place_of_the_one_before(
    lock: int, monkeypatch: pytest.MonkeyPatch, node: str, host: str
) -> None:
    os.pwrite(lock, b"x" * 500, 0)
    monkeypatch.setattr(os, "uname", lambda: types.SimpleNamespace(nodename=node))
    sign(lock)
    first = os.pread(lock, 1000, 0)
    assert re.fullmatch(rf"{os.getpid()} {re.escape(host)} [0-9a-f]{{32}}\n".encode(), first)
    sign(lock)
    assert os.pread(lock, 1000, 0) != first


def test_where_there_is_no_room_for_a_word_a_turn_is_told_by_its_time(
    lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    os.utime(lock, ns=(1, 1))
    monkeypatch.setattr(os, "pwrite", full)
    sign(lock)
    assert os.fstat(lock).st_mtime_ns > 1
