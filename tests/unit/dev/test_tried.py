# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests recorded, as the tables at the end of `make test` show it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import plan
import pytest
import summary
import tried

_PLUGINS = pathlib.Path(tried.__file__).parent / "pytest_plugins"


def _line(outcome: str = "passed", **more: t.Any) -> dict[str, t.Any]:
    return {"test": "test_a.py::test_b", "outcome": outcome, "reason": "", "seconds": 0.0, **more}


def test_tries_of_one_name_are_one_kind_in_all_sessions() -> None:
    one = tried.Record.of([_line(tried=["attack: a link: 2", "fault: reset: 8"]), _line(tried=["attack: a link: 3"])])
    other = tried.Record.of([_line(tried=["attack: a lock: with a colon: 1"]), _line("skipped")])
    lines = [line.split() for line in tried.Record.joined([one, other]).table().splitlines()]
    assert ["attacks", "2", "kinds", "6", "tries", "all", "refused"] in lines
    assert ["faults", "1", "kinds", "8", "tries", "all", "clean"] in lines


def test_versions_of_one_program_stand_side_by_side_each_once_and_in_order() -> None:
    sessions = [
        ["version: ansible-core 2.21.1: 1", "version: Python 3.13.1 on the controller: 1"],
        ["version: ansible-core 2.9.27: 1", "version: ansible-core 2.21.1: 1", "version: Python 3.6.15 on hosts: 1"],
    ]
    table = tried.Record.joined(tried.Record.of([{"tried": session}]) for session in sessions).table()
    assert "ansible-core 2.9.27, 2.21.1; " in table
    assert "Python 3.6.15 on hosts; Python 3.13.1 on the controller" in table
    assert "kinds" not in table


@pytest.mark.parametrize(
    "line",
    [
        {"tried": ["attack"]},
        {"tried": ["attack: a link"]},
        {"tried": ["attack: a link: many"]},
        {"tried": ["attack: : 1"]},
        {"tried": ["atack: a link: 1"]},
        {"matrix": ["reset | collect"]},
        {"matrix": ["reset | collect |  | 3 calls"]},
    ],
)
def test_what_cannot_be_read_fails_the_session(line: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    results, log = tmp_path / "some.jsonl", tmp_path / "some.log"
    log.write_text("")
    results.write_text(json.dumps(_line(**line)) + "\n")
    result = summary.SessionResult.of(plan.Job("some", None, ("units", "pytest")), 0, 1.0, log, results)
    (failure,) = result.failed
    assert failure.startswith("test_a.py::test_b: '")


def test_nothing_recorded_is_no_table() -> None:
    record = tried.Record.of([_line(), _line("failed")])
    assert record.table() == record.short_matrix(pathlib.Path("matrix")) == ""


def _cells(*rows: str, outcome: str = "passed") -> tried.Record:
    return tried.Record.of([_line(outcome, matrix=list(rows))])


def test_faults_that_fare_alike_share_a_line() -> None:
    record = _cells(
        "reset | collect | refused | 4 calls",
        "stall | collect | refused | 2 calls",
        "crlf | collect | installed",
        "reset | wait | goes on",
        "stall | wait | goes on",
        "crlf | wait | installed",
    )
    first, *lines = record.short_matrix(pathlib.Path("there")).splitlines()
    assert first == "fault matrix: 3 faults x 2, 6 cells, all as they have to be; see there"
    assert [line.strip() for line in lines if line] == [
        "collect: refused; wait: goes on",
        "reset, stall",
        "collect: installed; wait: installed",
        "crlf",
    ]


def test_a_cell_that_is_wrong_in_one_session_is_wrong() -> None:
    right, wrong = _cells("reset | collect | refused"), _cells("reset | collect | installed", outcome="failed")
    for sessions in ([right, wrong], [wrong, right]):
        record = tried.Record.joined(sessions)
        assert "1 not as they have to be" in record.short_matrix(pathlib.Path("there"))
        assert record.whole_matrix().splitlines()[1].endswith("  NOT AS IT HAS TO BE")


def test_programs_are_named_when_a_test_starts_them(tmp_path: pathlib.Path) -> None:
    for name, says in {"haproxy": "HAProxy version 9.8.7-1 2031/01/01", "nginx": "nginx version: nginx/1.2.3"}.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
        program.chmod(0o755)
    python = tmp_path / "python3.98"
    python.symlink_to(sys.executable)
    started = [[str(tmp_path / "bin" / "haproxy"), "-f", "x"], [str(python), "-c", ""]]
    (tmp_path / "test_some.py").write_text(
        f"import subprocess\ndef test_some():\n    for command in {started!r}: subprocess.run(command, check=False)\n"
    )
    results = tmp_path / "some.jsonl"
    environment = {
        **os.environ,
        "PYTHONPATH": str(_PLUGINS),
        "COLLECTSSL_TEST_RESULTS": str(results),
        "COLLECTSSL_TEST_PYTHONS": f"3.98={python}",
    }
    command = [sys.executable, "-m", "pytest", "-p", "collectssl_results", "-p", "no:cacheprovider", "test_some.py"]
    subprocess.run(command, cwd=tmp_path, env=environment, timeout=60, check=True, stdout=subprocess.DEVNULL)
    table = tried.Record.of(summary._recorded(results)).table()
    assert "HAProxy 9.8.7" in table
    assert "nginx" not in table
    assert f"Python {'.'.join(map(str, sys.version_info[:3]))} on hosts" in table
