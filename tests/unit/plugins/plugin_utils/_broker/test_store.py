# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records and locks as files, among real processes of one run and of several."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import pathlib
import resource
import signal
import stat
import time
import typing as t
import warnings

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Waiting
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    PASSWORD,
    issued,
    provider,
    request,
)

FORK = multiprocessing.get_context("fork")


class Clients:
    """Stands in for the client in every process: notes each call, and how many were in flight, in a folder."""

    def __init__(self, folder: pathlib.Path, seconds: float = 0.05) -> None:
        self.folder = folder
        self.seconds = seconds
        (folder / "flying").mkdir()

    def scrub(self, text: str) -> str:
        return text

    def ask(self, asked: CollectRequest, turn: t.Callable[[], t.ContextManager[None]]) -> CollectResponse:
        with turn():
            mine = self.folder / "flying" / str(os.getpid())
            mine.touch()
            peak = len(list((self.folder / "flying").iterdir()))
            time.sleep(self.seconds)
            mine.unlink()
            with open(self.folder / "calls", "a", encoding="ascii") as stream:
                stream.write(f"{peak} {os.getpid()}\n")
        return parse(issued(asked).encode("ascii"), None, asked)

    @property
    def peaks(self) -> list[int]:
        """How many calls were in flight in each call."""
        return [peak for peak, _process in self._calls()]

    @property
    def processes(self) -> list[int]:
        """Which process made each call."""
        return [process for _peak, process in self._calls()]

    def _calls(self) -> list[list[int]]:
        lines = (self.folder / "calls").read_text(encoding="ascii").splitlines()
        return [[int(number) for number in line.split()] for line in lines]


@pytest.fixture
def clients(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Clients:
    folder = tmp_path / "calls"
    folder.mkdir()
    clients = Clients(folder)
    monkeypatch.setattr(client, "Client", lambda _provider, _sleep, _detail: clients)
    issued(request())
    return clients


def fork(*works: t.Callable[[], t.Any]) -> list[t.Any]:
    """Processes at work; each ends with 0 unless its work raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        processes = [FORK.Process(target=work, daemon=True) for work in works]
        for process in processes:
            process.start()
    return processes


def joined(processes: t.Iterable[t.Any]) -> list[int | None]:
    """The exit codes."""
    for process in processes:
        process.join(300)
    return [process.exitcode for process in processes]


def collect(number: str = "1") -> None:
    bundle = Broker(provider(), lambda _line: None).collect(request(number), Waiting(0, 300)).require_issued()
    assert bundle.certificate
    assert len(bundle.intermediates) == 1


@pytest.mark.usefixtures("run_folder")
def test_twelve_workers_of_a_run_make_one_call(clients: Clients) -> None:
    assert joined(fork(*[collect] * 12)) == [0] * 12
    assert clients.peaks == [1]


@pytest.mark.usefixtures("run_folder")
def test_twelve_workers_with_orders_of_their_own_take_turns(clients: Clients) -> None:
    works = [lambda number=number: collect(str(number)) for number in range(12)]
    assert joined(fork(*works)) == [0] * 12
    assert clients.peaks == [1] * 12


@pytest.mark.usefixtures("run_folder")
def test_of_several_orders_that_nobody_asked_about_one_worker_asks_about_all(clients: Clients) -> None:
    """So that one worker alone loads what it takes to ask."""
    requests = [request(str(number)) for number in range(6)]

    def begin(first: int) -> None:
        mine = [*requests[first:], *requests[:first]]
        answers = Broker(provider(), lambda _line: None).begin(mine, Waiting(0, 300))
        assert all(isinstance(one, Outcome) and one.require_issued().certificate for one in answers.values())
        assert set(answers) == set(requests)

    assert joined(fork(*(functools.partial(begin, first) for first in range(6)))) == [0] * 6
    assert clients.peaks == [1] * 6
    assert len(set(clients.processes)) == 1


def test_runs_with_folders_of_their_own_take_turns(
    run_folder: pathlib.Path, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = []
    for number in range(6):
        folder = run_folder.parent / f"run{number}"
        folder.mkdir(mode=0o700)
        monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(folder))
        processes += fork(collect, collect)
    assert joined(processes) == [0] * 12
    assert clients.peaks == [1] * 6


@pytest.mark.usefixtures("clients")
def test_records_hold_no_secret_and_are_the_users_alone(run_folder: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        collect()
    finally:
        os.umask(before)
    kept = run_folder / "collectssl"
    home = pathlib.Path(C.ANSIBLE_HOME) / "collectssl"
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (kept, home)] == [0o700, 0o700]
    files = [*kept.iterdir(), *home.iterdir()]
    assert sorted(path.suffix for path in files) == [".json", ".lock", ".lock"]
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert PASSWORD not in path.read_text(encoding="utf-8")
        assert "account" not in path.name
    assert json.loads(next(kept.glob("*.json")).read_text(encoding="utf-8"))[0]["order"]["state"] == "issued"


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: pathlib.Path) -> None:
    store = LocalStore(str(tmp_path), str(tmp_path / "home"))
    taken = tmp_path / "taken"

    def hold() -> None:
        with store.flight("key"), store.turn("account"):
            taken.touch()
            # Never ends by itself: who gets the locks has them from its death.
            while True:
                signal.pause()

    (holder,) = fork(hold)
    while not taken.exists():
        time.sleep(0.01)
    holder.kill()
    with store.flight("key"), store.turn("account"):
        pass
    holder.join()
    assert holder.exitcode == -signal.SIGKILL


class _TimedOutError(Exception):
    """What a task's timeout raises in the midst of anything."""


def test_a_timeout_while_waiting_for_a_lock_leaves_it_usable(tmp_path: pathlib.Path) -> None:
    store = LocalStore(str(tmp_path), str(tmp_path / "home"))
    taken, release = tmp_path / "taken", tmp_path / "release"

    def hold() -> None:
        with store.turn("account"):
            taken.touch()
            while not release.exists():
                time.sleep(0.01)

    def ring(_number: int, _frame: t.Any) -> t.NoReturn:
        raise _TimedOutError

    processes = fork(hold)
    while not taken.exists():
        time.sleep(0.01)
    open_before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(_TimedOutError), store.turn("account"):
            pytest.fail("the lock was held by another process")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if open_before:
        assert len(os.listdir("/proc/self/fd")) == open_before
    release.touch()
    with store.turn("account"):
        pass
    assert joined(processes) == [0]


def test_a_home_that_cannot_be_written_to_is_named_before_any_call(
    run_folder: pathlib.Path, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_folder.parent / "file").touch()
    home = run_folder.parent / "file" / "home"
    monkeypatch.setattr(C, "ANSIBLE_HOME", str(home))
    with pytest.raises(CollectError) as caught:
        collect()
    assert str(caught.value) == (
        f"The folder {home}/collectssl on the controller cannot be used for locks and records: not a directory. "
        "Make room there or make it writable, or point ANSIBLE_HOME elsewhere."
    )
    assert not (clients.folder / "calls").exists()


def test_a_folder_of_the_run_that_cannot_be_written_to_is_named_before_any_call(
    run_folder: pathlib.Path, clients: Clients
) -> None:
    (run_folder / "collectssl").touch()
    with pytest.raises(CollectError, match=r"run/collectssl on the controller .*point ANSIBLE_LOCAL_TEMP elsewhere\."):
        collect()
    assert not (clients.folder / "calls").exists()


@pytest.mark.usefixtures("run_folder")
def test_a_full_disk_is_told_before_any_call(tmp_path: pathlib.Path, clients: Clients) -> None:
    told = tmp_path / "told"

    def with_a_full_disk() -> None:
        # No file may grow any more, which the kernel says like a disk that is full.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = os.open(told, os.O_WRONLY | os.O_CREAT)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        try:
            collect()
        except CollectError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.write(writer, str(error).encode("utf-8"))

    assert joined(fork(with_a_full_disk)) == [0]
    assert "cannot be used for locks and records: file too large. Make room there" in told.read_text(encoding="utf-8")
    assert not (clients.folder / "calls").exists()
    assert not list(pathlib.Path(C.DEFAULT_LOCAL_TMP).rglob(".record-*"))


def test_a_record_is_read_whole_while_it_is_replaced(tmp_path: pathlib.Path) -> None:
    store = LocalStore(str(tmp_path), str(tmp_path))
    stop = tmp_path / "stop"

    def replace() -> None:
        number = 0
        while not stop.exists():
            number += 1
            store.write("key", [{"number": number, "filling": "x" * 50_000}])

    processes = fork(replace)
    # As many records as come, not as much as a moment gives: on a busy machine the writer may begin late.
    read: set[int] = set()
    try:
        while len(read) < 20:
            for record in store.read("key"):
                assert len(record["filling"]) == 50_000
                read.add(record["number"])
            assert processes[0].exitcode is None
    finally:
        stop.touch()
    assert joined(processes) == [0]


def test_a_line_is_said_by_the_first_alone(tmp_path: pathlib.Path) -> None:
    store, other = (LocalStore(str(tmp_path / "run"), str(tmp_path / "home")) for _worker in range(2))
    assert [store.first("a"), other.first("a"), other.first("b"), store.first("b")] == [True, False, True, False]
    (tmp_path / "file").touch()
    with pytest.raises(CollectError, match="cannot be used for locks and records"):
        LocalStore(str(tmp_path / "file"), str(tmp_path)).first("a")


# What is judged before it is believed.


def _record(run_folder: pathlib.Path) -> pathlib.Path:
    (path,) = (run_folder / "collectssl").glob("*.json")
    return path


def _garbage(path: pathlib.Path) -> None:
    path.write_bytes(b"\xff\x00 no record")


def _deep(path: pathlib.Path) -> None:
    path.write_text("[" * 200_000, encoding="ascii")


def _other_shape(shape: t.Any) -> t.Callable[[pathlib.Path], object]:
    return lambda path: path.write_text(json.dumps(shape), encoding="ascii")


def _changed(path: pathlib.Path) -> None:
    records = json.loads(path.read_text(encoding="ascii"))
    records[0]["order"]["fqdn"] = "other.example.com"
    path.write_text(json.dumps(records), encoding="ascii")


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _folder(path: pathlib.Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def _fifo(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _link(path: pathlib.Path) -> None:
    path.rename(path.with_suffix(".elsewhere"))
    path.symlink_to(path.with_suffix(".elsewhere"))


def _second_name(path: pathlib.Path) -> None:
    path.with_suffix(".elsewhere").hardlink_to(path)


def _open_to_others(path: pathlib.Path) -> None:
    path.chmod(0o622)


def _of_another(path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(path, 65534, -1)


_DAMAGES = {
    "garbage": _garbage,
    "deep": _deep,
    "null": _other_shape(None),
    "a number": _other_shape(1),
    "a dictionary": _other_shape({"seal": ""}),
    "a list of numbers": _other_shape([1]),
    "an empty record": _other_shape([{}]),
    "a seal that is none": _other_shape([{"seal": None}]),
    "changed": _changed,
    "cut off": _cut,
    "a folder": _folder,
    "a FIFO": _fifo,
    "a link": _link,
    "a second name": _second_name,
    "open to others": _open_to_others,
    "of another user": _of_another,
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES)
def test_a_record_that_is_not_as_it_was_written_is_none(
    run_folder: pathlib.Path, clients: Clients, damage: t.Callable[[pathlib.Path], object]
) -> None:
    collect()
    collect()
    assert len(clients.peaks) == 1
    damage(_record(run_folder))
    # In a process, as one that waited for a FIFO would wait for good.
    assert joined(fork(collect)) == [0]
    collect()
    assert len(clients.peaks) == 2


def _refused(match: str) -> None:
    with pytest.raises(CollectError, match=match):
        collect()


@pytest.mark.parametrize("place", ["run", "home"])
def test_a_folder_in_which_others_have_a_say_is_refused_before_any_call(
    run_folder: pathlib.Path, clients: Clients, place: str
) -> None:
    folder = run_folder.parent / place / "collectssl"
    folder.mkdir(parents=True)
    setting = "ANSIBLE_LOCAL_TEMP" if place == "run" else "ANSIBLE_HOME"
    for mode in (0o770, 0o707, 0o750, 0o701):
        folder.chmod(mode)
        _refused(
            rf"^The folder {folder} on the controller is not used for locks and records: others than its owner may "
            rf"enter it \(mode {mode:04o}\)\. Remove it, to have it made anew with mode 0700, or point {setting} to a "
            r"folder of this user alone\.$"
        )
    if os.geteuid() == 0:
        folder.chmod(0o700)
        os.chown(folder, 65534, -1)
        _refused(r"it belongs to the user number 65534, and this is 0\. Remove it, or point")
    folder.rename(run_folder.parent / "elsewhere")
    folder.symlink_to(run_folder.parent / "elsewhere")
    _refused(r"it is a link\. Put a folder in its place, or point")
    assert not (clients.folder / "calls").exists()
    # A group that the folder above hands down is no say of others.
    folder.unlink()
    folder.mkdir(mode=0o700)
    folder.chmod(0o2700)
    collect()


@pytest.mark.parametrize("damage", [_fifo, _link, _second_name, _open_to_others, _of_another])
def test_a_lock_that_others_could_hold_is_refused_before_any_call(
    run_folder: pathlib.Path, clients: Clients, damage: t.Callable[[pathlib.Path], object]
) -> None:
    collect()
    (lock,) = (run_folder.parent / "home" / "collectssl").iterdir()
    damage(lock)

    def refused() -> None:
        with pytest.raises(
            CollectError, match=rf"{lock.name} in it is no plain file of this user alone\. Remove that,"
        ):
            collect("2")

    assert joined(fork(refused)) == [0]
    assert len(clients.peaks) == 1
