# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run of ansible-playbook or ansible."""

from __future__ import annotations

import json
import pathlib
import typing as t

_SHOWN = 6000


class Result(t.NamedTuple):
    """What came of a task on a host: status is ok, failed, unreachable or skipped; data is what the task returned."""

    status: str
    task: str
    host: str
    data: dict[str, t.Any]

    @property
    def changed(self) -> bool:
        """Whether the task said that it changed something."""
        return bool(self.data.get("changed"))

    @property
    def message(self) -> str:
        """What the task said when it failed."""
        return str(self.data.get("msg", ""))

    @property
    def items(self) -> list[dict[str, t.Any]]:
        """The results of a loop's items."""
        return list(self.data.get("results", []))

    def files(self) -> dict[str, bool]:
        """Whether each file changed, by its role."""
        return {file["role"]: file["changed"] for file in self.data["files"]}


class Run(t.NamedTuple):
    """A run that came to its end."""

    returncode: int
    output: str
    results: list[Result]

    @property
    def shown(self) -> str:
        """The end of the output, for the message of a failed assertion."""
        return self.output if len(self.output) < _SHOWN else f"[…]{self.output[-_SHOWN:]}"

    def __repr__(self) -> str:
        return f"Run(returncode={self.returncode}, {len(self.results)} results)"

    def of(self, task: str, host: str | None = None) -> list[Result]:
        """What came of a task on every host, or on one."""
        return [result for result in self.results if result.task == task and host in (None, result.host)]

    def one(self, task: str, host: str | None = None) -> Result:
        """The only result of a task, there being exactly one."""
        found = self.of(task, host)
        assert len(found) == 1, f"{len(found)} results of {task!r} on {host}:\n{self.shown}"
        return found[0]

    def by_host(self, task: str) -> dict[str, Result]:
        """What came of a task on each host, one result a host."""
        found = self.of(task)
        assert len({result.host for result in found}) == len(found), self.shown
        return {result.host: result for result in found}

    def by_task(self, host: str) -> dict[str, Result]:
        """What came of each task on a host, one result a task."""
        found = [result for result in self.results if result.host == host]
        assert len({result.task for result in found}) == len(found), self.shown
        return {result.task: result for result in found}

    def must_succeed(self) -> Run:
        """This run, there being no failure and no traceback in it."""
        assert self.returncode == 0, self.shown
        return self.must_be_civil()

    def must_fail(self) -> Run:
        """This run, there being a failure and no traceback in it."""
        assert self.returncode == 2, f"ended with {self.returncode}:\n{self.shown}"
        return self.must_be_civil()

    def must_be_civil(self) -> Run:
        """This run, there being no traceback in it: neither in its output nor in any result."""
        everything = self.output + json.dumps([result.data for result in self.results], default=str)
        for sign in ("Traceback (most recent", "An exception occurred", "MODULE FAILURE", "Unexpected failure"):
            assert sign not in everything, everything[max(0, everything.index(sign) - 2000) :][:_SHOWN]
        return self

    def must_not_warn(self) -> Run:
        """This run, ansible-core having nothing to say against how the collection is written."""
        found = [line for line in self.output.splitlines() if "WARNING]" in line]
        assert found == [], found
        return self


def read_record(path: pathlib.Path) -> list[Result]:
    """What the recorder wrote down in a run, and empty the record."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    path.unlink()
    return [Result(**json.loads(line)) for line in lines]
