# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks side by side, and again."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import looks
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Seen
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError, OptionError


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_what_is_shown(count: int) -> None:
    def probe(number: int) -> dict[str, t.Any]:
        if number % 3 == 1:
            raise EndpointError(f"{number} could not be connected to.")
        return {"fingerprint_sha256": f"AA:{number}"}

    shown = looks.look({f"e{number}": number for number in range(count)}, probe)
    assert list(shown) == [f"e{number}" for number in range(count)]
    for number in range(count):
        expected = Seen(None, f"{number} could not be connected to") if number % 3 == 1 else Seen(f"AA:{number}")
        assert shown[f"e{number}"] == expected


@pytest.mark.parametrize("count", [3, 50])
def test_those_that_stall_keep_nobody_else(count: int) -> None:
    """The others show what they show while these still stall, and be it all but one of fifty."""
    others = threading.Barrier(count, timeout=60)

    def probe(number: int) -> dict[str, t.Any]:
        # None gets past before all are there.
        others.wait()
        return {"fingerprint_sha256": str(number)}

    assert len(looks.look({str(number): number for number in range(count)}, probe)) == count


def test_not_more_at_a_time_than_a_small_host_bears() -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def probe(number: int) -> dict[str, t.Any]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        with lock:
            now[0] -= 1
        return {"fingerprint_sha256": str(number)}

    looks.look({str(number): number for number in range(200)}, probe)
    assert most[0] <= looks._AT_A_TIME


@pytest.mark.parametrize(("count", "threads"), [(0, [1]), (1, []), (3, [3]), (200, [looks._AT_A_TIME])])
def test_how_many_threads_are_made(count: int, threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = concurrent.futures.ThreadPoolExecutor

    def pool(most: int) -> concurrent.futures.ThreadPoolExecutor:
        made.append(most)
        return real(most)

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", pool)
    looks.look({str(number): number for number in range(count)}, lambda number: {"fingerprint_sha256": str(number)})
    assert made == threads


def test_of_a_reason_nothing_but_its_full_stop_is_left_out() -> None:
    def probe(name: str) -> t.NoReturn:
        raise EndpointError(f"It is {name}.")

    assert looks.look({"a": "the MX"}, probe) == {"a": Seen(None, "It is the MX")}


def test_what_a_look_says_that_did_not_see_what_it_looked_for() -> None:
    shown = {"fingerprint_sha256": "AA"}
    faults = {
        "other": EndpointError("It has none.", shown),
        "doubt": EndpointError("It can't be asked.", shown, undetermined=True),
        "unseen": EndpointError("It wants a certificate.", undetermined=True),
        "option": OptionError("There is no such file."),
    }

    def probe(name: str) -> t.NoReturn:
        raise faults[name]

    assert looks.look({name: name for name in faults}, probe) == {
        "other": Seen("AA", "It has none"),
        "doubt": Seen("AA", "It can't be asked", True),
        "unseen": Seen(None, "It wants a certificate", True),
        "option": Seen(None, "There is no such file", True),
    }


def test_what_can_not_be_told_is_not_waited_for() -> None:
    pauses: list[float] = []
    seen = {"a": Seen("old", "It can't be asked", True), "b": Seen(None, "It wants a certificate", True)}
    shown = looks.look_until({"a": "x", "b": "x"}, looks.Patience(5, 1), lambda names: seen, pauses.append)
    assert (shown, pauses) == (seen, [])


def test_what_is_right_is_not_looked_at_again() -> None:
    turns: list[list[str]] = []
    pauses: list[float] = []

    def look_at(names: t.Sequence[str]) -> dict[str, Seen]:
        turns.append(list(names))
        return {name: Seen("new" if len(turns) > int(name) else "old") for name in names}

    shown = looks.look_until(dict.fromkeys(["0", "1", "2", "9"], "new"), looks.Patience(3, 2.5), look_at, pauses.append)
    assert turns == [["0", "1", "2", "9"], ["1", "2", "9"], ["2", "9"], ["9"]]
    assert pauses == [2.5, 2.5, 2.5]
    assert shown == {"0": Seen("new"), "1": Seen("new"), "2": Seen("new"), "9": Seen("old")}


def test_nothing_is_waited_for_where_all_is_right() -> None:
    pauses: list[float] = []
    looks.look_until({"a": "x"}, looks.Patience(5, 1), lambda names: {name: Seen("x") for name in names}, pauses.append)
    assert pauses == []
