# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what pytest reports to the summary of `make test`."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess
import sys

import programs
import pytest
import summary
from plan import Job

_PLUGINS = pathlib.Path(summary.__file__).parent / "pytest_plugins"
_TESTS = """
import time, pytest

@pytest.fixture
def slow():
    time.sleep(0.1)
    yield
    time.sleep(0.1)

def test_slow(slow): time.sleep(0.1)

def test_quick(record_property):
    record_property("tried", "attack: a planted link: 3")
    record_property("tried", "hostile body: bytes at random: 70000")
    record_property("matrix", "reset | collect | refused | 2 tries")
    record_property("something else", "of no interest here")

def test_wrong(record_property):
    record_property("tried", "attack: another planted link: 1")
    record_property("matrix", "stall | collect | installed | 9 tries")
    assert not "this is why"

def test_left_out(): pytest.skip("no such thing here")

@pytest.fixture
def messy(record_property):
    yield
    record_property("tried", "place searched: a folder: 2")
    raise OSError("cannot tidy up")

def test_untidy(messy): pass
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> summary.SessionResult:
    """What becomes of a session with a test of every kind."""
    tmp_path = tmp_path_factory.mktemp("some")
    (tmp_path / "test_some.py").write_text(_TESTS)
    lines, log = tmp_path / "some.jsonl", tmp_path / "some.log"
    environment = {**os.environ, "PYTHONPATH": str(_PLUGINS), "COLLECTSSL_TEST_RESULTS": str(lines)}
    pytest_alone = [sys.executable, "-m", "pytest", "-p", "collectssl_results", "-p", "no:cacheprovider", "."]
    with open(log, "wb") as output:
        done = subprocess.run(pytest_alone, cwd=tmp_path, env=environment, stdout=output, timeout=60, check=False)
    return summary.SessionResult.of(Job("some", None, ("units", "pytest")), done.returncode, 1.0, log, lines)


def test_every_test_is_counted_and_timed(result: summary.SessionResult) -> None:
    assert result.passed == 3
    assert [why.partition(":")[0] for why in result.failed] == ["test_some.py", "test_some.py"]
    assert "this is why" in result.failed[0]
    assert "cannot tidy up" in result.failed[1]
    assert result.skipped == ("some: Skipped: no such thing here",)
    seconds = {test.name: test.seconds for test in result.tests if test.seconds}
    assert max(seconds, key=lambda name: seconds[name]) == "test_some.py::test_slow"
    assert 0.3 <= seconds["test_some.py::test_slow"] < 5


def test_the_summary_says_where_the_time_goes_and_ends_with_the_count(
    result: summary.SessionResult, capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    status = summary.show([result], ["something: this machine has none"], tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[-1] == "3 passed, 2 failed, 2 skipped"
    assert "not run: something: this machine has none" in lines
    (slowest,) = (line for line in lines if "test_some.py (" in line)
    assert slowest.endswith("s: test_slow)")
    # What a test tried counts as refused where the test passed, and only there.
    (attacks,) = (line for line in lines if line.startswith("attacks "))
    assert attacks.split()[1:5] == ["2", "kinds", "4", "tries"]
    assert attacks.endswith(" NOT ALL REFUSED: another planted link")
    (bodies,) = (line for line in lines if line.startswith("hostile bodies "))
    assert bodies.endswith(" 70000 tries  all refused or read")
    assert any(line.endswith("NOT ALL WITHOUT ONE: a folder") for line in lines)
    (matrix,) = (line for line in lines if line.startswith("fault matrix: 2 faults x 1, 2 cells, 1 not as "))
    assert matrix.endswith(str(tmp_path / "fault-matrix.txt"))
    whole = (tmp_path / "fault-matrix.txt").read_text().splitlines()
    assert whole[1].split() == ["collect", "refused", "2", "tries"]
    assert whole[3].endswith("9 tries  NOT AS IT HAS TO BE")


def test_the_summary_says_which_versions_ran(result: summary.SessionResult) -> None:
    table = result.record.table()
    assert f"Python {platform.python_version()} on the controller" in table
    assert f"cryptography {importlib.metadata.version('cryptography')}" in table
    # This session had no test that starts OpenSSL's program.
    assert not re.search(r"OpenSSL [0-9.a-z]+(;|$)", table)


def test_a_session_without_tests_fails_and_one_that_recorded_none_has_no_times(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("")
    job = Job("some", None, ("units", "pytest"))
    nothing = summary.SessionResult.of(job, 0, 1.0, log, tmp_path / "some.jsonl")
    assert nothing.failed
    assert nothing.tests == ()


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {program.name for program in programs.listed()} > {"openssl", "shellcheck", "debootstrap"}
    monkeypatch.setenv("PATH", "/nowhere")
    assert any("no shellcheck " in line for line in programs.missing({"sanity"}))
    assert not any("no shellcheck " in line for line in programs.missing({"units"}))
    assert programs.missing({"soak"}) == []
