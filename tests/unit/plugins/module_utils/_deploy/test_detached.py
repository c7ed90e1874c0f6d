# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on whatever becomes of whoever asked for it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.detached import Killed, detached
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.tests.support import places


def test_results_come_back() -> None:
    assert detached(lambda: {"changed": True, "name": "é\udce9", "pid": 5}) == {
        "changed": True,
        "name": "é\udce9",
        "pid": 5,
    }
    # More than a pipe holds.
    assert len(detached(lambda: {"long": "x" * (1 << 20)})["long"]) == 1 << 20


def test_it_is_done_elsewhere_in_a_session_of_its_own() -> None:
    told = detached(lambda: {"pid": os.getpid(), "session": os.getsid(0), "input": os.read(0, 1).decode()})
    assert told["pid"] == told["session"] != os.getpid()
    assert told["input"] == ""


def test_errors_come_back() -> None:
    def refuse() -> dict[str, t.Any]:
        raise InstallError("The folder is full.", {"rc": 3}, settled=True)

    with pytest.raises(InstallError, match="The folder is full") as caught:
        detached(refuse)
    assert (caught.value.details, caught.value.settled) == ({"rc": 3}, True)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        detached(lambda: {"x": 1 // 0})


def test_one_that_is_killed_is_told_of() -> None:
    def die() -> dict[str, t.Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(Killed, match="was killed"):
        detached(die)


_PROGRAM = """
import os, signal, sys, time
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.detached import detached
folder = sys.argv[1]
# What a shell has run in its background ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work():
    open(folder + "/begun", "w").write(str(os.getpid()))
    while not os.path.exists(folder + "/go"):
        time.sleep(0.01)
    child = os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "trap > " + folder + "/traps; exit 0")
    print("words for nobody")
    open(folder + "/done.new", "w").write(str(child))
    os.rename(folder + "/done.new", folder + "/done")
    return {"long": "x" * (1 << 20)}

detached(work)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_it_goes_on_when_the_one_that_waits_is_killed(number: int, tmp_path: pathlib.Path) -> None:
    """And when a signal is sent to the work itself, but for the one that nobody survives."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(places.COLLECTION.parents[2]), *sys.path])},
        start_new_session=True,
    )
    _wait_until((tmp_path / "begun").exists)
    _wait_until(lambda: bool((tmp_path / "begun").read_text()))
    worker = int((tmp_path / "begun").read_text())
    os.killpg(process.pid, number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    for harmless in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        os.kill(worker, harmless)
    (tmp_path / "go").touch()
    _wait_until((tmp_path / "done").exists)
    assert (tmp_path / "done").read_text() == "0"
    # What the work starts ignores no signal.
    assert (tmp_path / "traps").read_text() == ""


def _wait_until(true: t.Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
