# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers whose run was killed outright, as real processes; they tell of their end by the end of a pipe."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pathlib
import select
import signal
import sys
import time
import typing as t
import warnings

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.store import LocalStore
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Waiting
from ansible_collections.certfleet.collectssl.tests.support.broker import PENDING, ScriptedAnswers, provider, request
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, action_of

FORK = multiprocessing.get_context("fork")
_SECONDS = 120
_PR_SET_CHILD_SUBREAPER = 36


class Killed:
    """A run of one worker, killed once that says so; a context manager.

    :arg work: what the worker does. It is given a function that says that it may be killed now.
    :arg late: have the worker begin after the end of its run.
    """

    def __init__(self, work: t.Callable[[t.Callable[[], None]], t.Any], late: bool = False) -> None:
        self._work = work
        self._late = late
        # The first has a byte for each thing that the worker said, and ends with it.
        self._said, self._say = os.pipe()
        self._main_ended, self._main = os.pipe()

    def _live(self) -> None:
        os.close(self._said)
        os.close(self._main_ended if not self._late else self._main)
        if self._late:
            os.write(self._say, b"k")
            os.read(self._main_ended, 1)
        # Whatever this test finds, nobody is left behind.
        signal.alarm(2 * _SECONDS)
        self._work(self._may_be_killed)
        os.write(self._say, b"!")

    def _may_be_killed(self) -> None:
        os.write(self._say, b"k")

    def _run(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            worker = FORK.Process(target=self._live)
            worker.start()
        worker.join()

    def said(self) -> bytes:
        """What the worker said until its end; ``!`` means that it came to the end of its work."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            main = FORK.Process(target=self._run)
            main.start()
        os.close(self._say)
        try:
            assert self._read() == b"k"
            os.kill(t.cast("int", main.pid), signal.SIGKILL)
            # With a bound it would wait for the worker too, which has the same descriptors.
            main.join()
            os.close(self._main)
            rest = b""
            while True:
                more = self._read()
                rest += more
                if not more:
                    return rest
        finally:
            os.close(self._said)
            os.close(self._main_ended)

    def _read(self) -> bytes:
        ready, _writers, _faults = select.select([self._said], [], [], _SECONDS)
        assert ready, "the worker outlives its run"
        return os.read(self._said, 1)


@pytest.fixture
def reaper() -> t.Iterator[None]:
    """Have this process take in the orphans that its children leave, as a service manager or a container does."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux lets a process take in orphans")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    assert libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _sleeps(kill: t.Callable[[], None]) -> None:
    run = Run()
    kill()
    run.sleep(600)


def _looks(_kill: t.Callable[[], None]) -> None:
    Run().must_go_on()


def test_a_sleep_ends_with_the_run() -> None:
    assert Killed(_sleeps).said() == b""


@pytest.mark.usefixtures("reaper")
def test_a_sleep_ends_with_the_run_whoever_takes_the_orphan_in() -> None:
    assert Killed(_sleeps).said() == b""


def test_a_worker_that_begins_after_the_end_of_its_run_sees_that() -> None:
    assert Killed(_looks, late=True).said() == b""


def test_the_run_itself_and_a_worker_of_a_run_that_goes_on_go_on() -> None:
    run = Run()
    assert not run.is_gone
    run.sleep(0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        worker = FORK.Process(target=lambda: Run().sleep(0.01))
        worker.start()
    worker.join(_SECONDS)
    assert worker.exitcode == 0


@pytest.mark.parametrize("lock", ["turn", "flight"])
def test_who_waits_for_a_lock_ends_with_the_run(tmp_path: pathlib.Path, lock: str) -> None:
    def wait(kill: t.Callable[[], None]) -> None:
        store = LocalStore(str(tmp_path), str(tmp_path / "home"))
        kill()
        with getattr(store, lock)("name"):
            pass

    with getattr(LocalStore(str(tmp_path), str(tmp_path / "home")), lock)("name"):
        assert Killed(wait).said() == b""


def _broker(monkeypatch: pytest.MonkeyPatch, note: t.Callable[[], None]) -> Broker:
    monkeypatch.setattr(client, "Client", lambda _provider, _sleep, _detail: ScriptedAnswers(PENDING, note))
    return Broker(provider(), lambda _line: None)


@pytest.mark.usefixtures("run_folder")
def test_a_pause_between_two_tries_ends_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(kill: t.Callable[[], None]) -> None:
        def client_of(_provider: t.Any, sleep: t.Callable[[float], None], _detail: t.Any) -> ScriptedAnswers:
            def pause() -> None:
                kill()
                sleep(120)

            return ScriptedAnswers(PENDING, pause)

        monkeypatch.setattr(client, "Client", client_of)
        Broker(provider(), lambda _line: None).collect(request(), Waiting(0, 300))

    assert Killed(ask).said() == b""


@pytest.mark.usefixtures("run_folder")
def test_what_comes_after_the_end_of_the_run_is_given_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(kill: t.Callable[[], None]) -> None:
        def note() -> None:
            kill()
            while not Run().is_gone:
                time.sleep(0.01)

        _broker(monkeypatch, note).collect(request(), Waiting(0, 300))

    assert Killed(ask).said() == b""


@pytest.mark.usefixtures("run_folder")
def test_a_wait_ends_with_the_run_and_without_another_call(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"

    def wait(kill: t.Callable[[], None]) -> None:
        def note() -> None:
            with calls.open("a", encoding="ascii") as stream:
                stream.write("x")
            kill()
            # What follows is a wait in a run that is gone.
            while not Run().is_gone:
                time.sleep(0.01)

        _broker(monkeypatch, note).collect(request(), Waiting(600, 0))

    assert Killed(wait).said() == b""
    assert calls.read_text(encoding="ascii") == "x"


@pytest.mark.usefixtures("run_folder")
def test_nothing_is_asked_after_the_end_of_the_run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"

    def ask(_kill: t.Callable[[], None]) -> None:
        _broker(monkeypatch, calls.touch).collect(request(), Waiting(0, 300))

    assert Killed(ask, late=True).said() == b""
    assert not calls.exists()


@pytest.mark.usefixtures("run_folder")
@pytest.mark.parametrize("sent", [False, True])
def test_no_host_is_sent_anything_after_the_end_of_the_run(tmp_path: pathlib.Path, sent: bool) -> None:
    touched, module = tmp_path / "touched", tmp_path / "ansible-tmp-1"
    module.mkdir()

    def install(_kill: t.Callable[[], None]) -> None:
        action = action_of(ActionModule, {**ACCOUNT, "order_number": "1", "path": "/etc/tls/cert.pem"})
        action._connection._shell.tmpdir = str(module) if sent else None
        action._low_level_execute_command(f"touch {touched}")

    assert C.DEFAULT_LOCAL_TMP
    assert Killed(install, late=True).said() == b""
    assert not touched.exists()
    # What a module was sent with does not stay on the host.
    assert module.exists() is not sent


@pytest.mark.usefixtures("run_folder")
def test_a_host_is_sent_what_a_run_wants_that_goes_on(tmp_path: pathlib.Path) -> None:
    action = action_of(ActionModule, {**ACCOUNT, "order_number": "1", "path": "/etc/tls/cert.pem"})
    assert action._low_level_execute_command(f"touch {tmp_path}/touched")["rc"] == 0
    assert (tmp_path / "touched").exists()
