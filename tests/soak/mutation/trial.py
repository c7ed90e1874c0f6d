# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plugin for pytest that runs the tests once, and then those that a mutant touches, for one mutant after the other.

Each mutant lives in a process forked from this one, where all tests are loaded and what they share is made. Of the
tests that run its line, those that killed its neighbours come first; the first that fails kills it. So does one that
takes many times its time, as a loop without an end does.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import os
import pathlib
import random
import re
import resource
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
import typing as t

import hypothesis
import pytest
from _pytest import runner
from ansible_collections.certfleet.collectssl.tests.soak.mutation import living, operators
from ansible_collections.certfleet.collectssl.tests.soak.mutation.touched import Touched
from ansible_collections.certfleet.collectssl.tests.support import places

_MEMORY = 6 << 30
_FILE_SIZE = 1 << 28
_SLOWER = 10
"""How many times the time of a test, and how many seconds more, it may take before it counts as hanging."""
_PROCESSOR_SECONDS, _SECONDS = 3.0, 20.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """What to change, and how long to go on."""
    group = parser.getgroup("mutants")
    group.addoption("--mutants-of", help="packages, with commas between")
    group.addoption("--mutants-seconds", type=float, default=float("inf"), help="for the mutants, after the tests")
    group.addoption("--mutants-seed", default="0")
    group.addoption("--mutants-workers", type=int, default=1)
    group.addoption("--mutants-budget", type=float, default=30.0, help="seconds of tests for a mutant that survives")
    group.addoption("--mutants-where", default="", help="only those whose file, function or text has this")
    group.addoption("--mutants-again", type=pathlib.Path, help="without those that are killed in this report")
    group.addoption("--mutants-report", type=pathlib.Path, help="a file for one JSON object a line")


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try the same examples each time, and spend no time on finding smaller ones."""
    if config.getoption("--mutants-of"):
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        checks = list(hypothesis.HealthCheck)
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, database=None, deadline=None, phases=phases, suppress_health_check=checks
        )
        hypothesis.settings.load_profile("mutants")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests, and the mutants."""
    if not session.config.getoption("--mutants-of"):
        return None
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors during collection")
    _Trials(session).run()
    return True


class _Test:
    """A test, and what is known of it."""

    def __init__(self, item: pytest.Item) -> None:
        self.item = item
        self.seconds = 0.0
        self.processor_seconds = 0.0
        self.lines: frozenset[tuple[str, int]] = frozenset()
        self.kills = 0

    @property
    def family(self) -> str:
        """The test without its parameters."""
        return self.item.nodeid.partition("[")[0]


class _Worker(t.NamedTuple):
    mutant: operators.Mutant
    pid: int
    pipe: int
    folder: str
    begun: float
    at_most: float


class _Trials:
    def __init__(self, session: pytest.Session) -> None:
        option = session.config.getoption
        self._session = session
        self._sources = living.sources(places.COLLECTION, option("--mutants-of").split(","))
        self._functions = living.Functions({source.path for source in self._sources.values()})
        self._report = open(option("--mutants-report") or os.devnull, "a", encoding="utf-8")  # noqa: SIM115
        self._seconds: float = option("--mutants-seconds")
        self._budget: float = option("--mutants-budget")
        self._most: int = option("--mutants-workers")
        self._workers: list[_Worker] = []
        self._tests: list[_Test] = []
        self._fit: set[str] = set()
        self._todo: list[operators.Mutant] = []
        self._kills: dict[tuple[str, str], dict[str, int]] = {}
        self._counts = {"killed": 0, "survived": 0, "not tried": 0}
        self._scratch = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()

    def run(self) -> None:
        """Everything."""
        self._run_tests()
        self._look_whether_tests_pass_loaded_anew()
        todo = self._todo = self._chosen()
        self._write({"mutants": len(todo), "tests": len(self._tests)})
        self._say(f"{len(self._tests)} tests, {len(todo)} mutants")
        until = time.monotonic() + self._seconds
        while todo or self._workers:
            if time.monotonic() > until:
                todo.clear()
            while todo and len(self._workers) < self._most:
                self._start(todo.pop())
            self._wait()
        self._say(json.dumps(self._counts))

    def _say(self, text: str) -> None:
        sys.stderr.write(f"\n{text}\n")

    def _write(self, fact: dict[str, t.Any]) -> None:
        self._report.write(json.dumps(fact) + "\n")
        self._report.flush()

    def _run_tests(self) -> None:
        paths = [source.path for source in self._sources.values()]
        touched = Touched(paths, self._functions.codes())
        items = self._session.items
        with touched.watching():
            for item, following in zip(items, [*items[1:], None], strict=True):
                test = _Test(item)
                touched.begin()
                begun, processor = time.monotonic(), time.process_time()
                failed = _failure(item, following)
                test.seconds, test.processor_seconds = time.monotonic() - begun, time.process_time() - processor
                test.lines = touched.lines()
                if failed:
                    self._write({"failed without a mutant": item.nodeid, "how": failed})
                    self._say(f"fails without a mutant: {item.nodeid}: {failed}")
                elif test.lines:
                    self._tests.append(test)

    def _look_whether_tests_pass_loaded_anew(self) -> None:
        """One of each family, without a mutant: else whatever has to be loaded anew would count as killed."""
        tests = list({test.family: test for test in reversed(self._tests)}.values())
        source = next(iter(self._sources.values()))
        pid = os.fork()
        if pid == 0:
            told: dict[str, t.Any] = {}
            try:
                with tempfile.TemporaryDirectory() as folder:
                    self._be_alone(folder)
                    told = self._live_anew(source, tests)
            finally:
                os._exit(0 if told.get("outcome") == "survived" else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            self._write({"failed without a mutant": "a test that is loaded anew", "how": f"status {status}"})

    def _chosen(self) -> list[operators.Mutant]:
        """The mutants in the order, from the end, in which they are tried."""
        found = [mutant for source in self._sources.values() for mutant in source.mutants]
        where = self._session.config.getoption("--mutants-where")
        found = [mutant for mutant in found if any(where in part for part in mutant.key)]
        again = self._session.config.getoption("--mutants-again")
        if again:
            facts = [json.loads(line) for line in again.read_text(encoding="utf-8").splitlines()]
            killed = {tuple(fact["key"]) for fact in facts if fact.get("outcome") == "killed"}
            found = [mutant for mutant in found if mutant.key not in killed]
        random.Random(self._session.config.getoption("--mutants-seed")).shuffle(found)  # noqa: S311
        return found

    # Which tests

    def _touching(self, mutant: operators.Mutant) -> list[_Test]:
        source = self._sources[mutant.file]
        if mutant.mode == operators.CODE:
            lines = {(source.path, line) for line in range(mutant.lines[0], mutant.lines[1] + 1)}
            found = [test for test in self._tests if not lines.isdisjoint(test.lines)]
        else:
            lines = self._lines_with(source, mutant)
            named = re.compile(rf"\b(?:{'|'.join(map(re.escape, mutant.names))})\b") if mutant.names else None
            found = [
                test
                for test in self._tests
                if not lines.isdisjoint(test.lines) or (named and named.search(_text(test.item.path)))
            ]
            found = found or [test for test in self._tests if any(path == source.path for path, _line in test.lines)]
        return self._ordered(mutant, found)

    def _lines_with(self, source: living.Source, mutant: operators.Mutant) -> set[tuple[str, int]]:
        """The lines of functions that mention what a module or class gave a value, or something made of it."""
        if mutant.mode == operators.DEFAULT and mutant.function is not None:
            return {
                (source.path, line) for line in range(mutant.function.lineno, (mutant.function.end_lineno or 0) + 1)
            }
        names = set(mutant.names)
        size = 0
        while size != len(names):
            size = len(names)
            for one in self._sources.values():
                for statement in one.tree.body:
                    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and not names.isdisjoint(_words(statement)):
                        names |= {
                            node.id
                            for node in ast.walk(statement)
                            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                        }
        lines: set[tuple[str, int]] = set()
        for one in self._sources.values():
            for node in ast.walk(one.tree):
                if isinstance(node, ast.FunctionDef):
                    for inner in ast.walk(node):
                        if isinstance(inner, (ast.Name, ast.Attribute)) and not names.isdisjoint(_words(inner)):
                            lines.add((one.path, inner.lineno))
        return lines

    def _ordered(self, mutant: operators.Mutant, tests: list[_Test]) -> list[_Test]:
        """Tests that killed neighbours first, then the quick ones, one of each family in turn; not more than fit in."""
        kills = self._kills.get((mutant.file, mutant.where), {})
        families: dict[str, list[_Test]] = {}
        for test in sorted(tests, key=lambda test: test.seconds):
            families.setdefault(test.family, []).append(test)
        turns = [
            (-kills.get(test.item.nodeid, 0), number, test.seconds, at)
            for family in families.values()
            for number, test in enumerate(family)
            for at in [tests.index(test)]
        ]
        ordered: list[_Test] = []
        left = self._budget
        for _kills, _number, seconds, at in sorted(turns):
            if seconds <= left or not ordered:
                left -= seconds
                ordered.append(tests[at])
        return ordered

    # Processes

    def _start(self, mutant: operators.Mutant) -> None:
        tests = self._touching(mutant)
        if not tests:
            self._note(mutant, {"outcome": "survived", "how": "no test runs it"}, 0.0)
            return
        folder = tempfile.mkdtemp(prefix="mutant-", dir=self._scratch)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setsid()
                os.close(reading)
                self._live(mutant, tests, folder, writing)
                status = 0
            except living.StillbornError as exc:
                _tell(writing, {"outcome": "killed", "how": f"cannot be loaded: {exc}"[:300]})
                status = 0
            except Exception:
                _tell(writing, {"outcome": "not tried", "how": traceback.format_exc()[-2000:]})
            finally:
                os._exit(status)
        os.close(writing)
        seconds = sum(test.seconds for test in tests)
        at_most = 2 * _SLOWER * seconds + 4 * _SECONDS
        self._workers.append(_Worker(mutant, pid, reading, folder, time.monotonic(), at_most))

    def _live(self, mutant: operators.Mutant, tests: list[_Test], folder: str, pipe: int) -> None:
        """The life of a mutant, in its own process."""
        self._be_alone(folder)
        source = self._sources[mutant.file]
        try:
            self._functions.change(source, mutant)
        except living.NotLivingError:
            _tell(pipe, self._live_anew(source, tests))
            return
        for test, following in zip(tests, [*tests[1:], None], strict=True):
            _tell(pipe, {"running": test.item.nodeid})
            signal.setitimer(signal.ITIMER_REAL, _SECONDS + _SLOWER * test.seconds)
            signal.setitimer(signal.ITIMER_PROF, _PROCESSOR_SECONDS + _SLOWER * test.processor_seconds)
            failed = _failure(test.item, following.item if following else None)
            if failed:
                _tell(pipe, {"outcome": "killed", "by": test.item.nodeid, "how": failed})
                return
        _tell(pipe, {"outcome": "survived", "tests": len(tests)})

    def _be_alone(self, folder: str) -> None:
        """Leave nothing behind but in a folder, and take no more than a test needs."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        config = self._session.config
        config._tmp_path_factory._basetemp = pathlib.Path(folder, "pytest")  # type: ignore[attr-defined]
        os.mkdir(pathlib.Path(folder, "pytest"), 0o700)
        os.chmod(folder, 0o711)  # noqa: S103
        # Tests have bounds of their own to set, and to lift again.
        for kind, most in (
            (resource.RLIMIT_AS, _MEMORY),
            (resource.RLIMIT_FSIZE, _FILE_SIZE),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))

    def _live_anew(self, source: living.Source, tests: list[_Test]) -> dict[str, t.Any]:
        """Run the tests from their files, with everything imported anew."""
        living.load_anew(source)
        seconds = sum(test.seconds for test in tests)
        signal.setitimer(signal.ITIMER_REAL, 3 * _SECONDS + _SLOWER * seconds)
        options = ["-q", "-x", "-s", "-p", "no:cacheprovider", f"--rootdir={places.COLLECTION}"]
        # Their parameters may be others now.
        status = pytest.main(
            [*dict.fromkeys(f"{test.item.path}::{test.family.partition('::')[2]}" for test in tests), *options]
        )
        if status == pytest.ExitCode.USAGE_ERROR:
            # A file that cannot be imported has no test of that name.
            status = pytest.main([*dict.fromkeys(str(test.item.path) for test in tests), *options])
        if status == pytest.ExitCode.OK:
            return {"outcome": "survived", "tests": len(tests)}
        outcome = "killed" if status in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED) else "not tried"
        return {"outcome": outcome, "by": "one of its tests, loaded anew", "how": str(status)}

    def _wait(self) -> None:
        """Wait until one of the processes has ended, or has taken too long."""
        if not self._workers:
            return
        now = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(os.pidfd_open(worker.pid), selectors.EVENT_READ)
            keys = list(selector.get_map().values())
            selector.select(max(0.0, min(worker.begun + worker.at_most - now for worker in self._workers)))
            for key in keys:
                os.close(key.fd)
        for worker in list(self._workers):
            late = time.monotonic() > worker.begun + worker.at_most
            if late:
                os.kill(worker.pid, signal.SIGKILL)
            pid, status = os.waitpid(worker.pid, 0 if late else os.WNOHANG)
            if pid:
                self._workers.remove(worker)
                self._bury(worker, status)

    def _bury(self, worker: _Worker, status: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        os.set_blocking(worker.pipe, False)
        said = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(worker.pipe, 1 << 16):
                said += part
        os.close(worker.pipe)
        shutil.rmtree(worker.folder, ignore_errors=True)
        facts = [json.loads(line) for line in said.splitlines()]
        told = next((fact for fact in facts if "outcome" in fact), None)
        if told is None:
            running = [fact["running"] for fact in facts if "running" in fact]
            how = f"took too long or died: {os.waitstatus_to_exitcode(status)}"
            told = {"outcome": "killed", "by": running[-1] if running else "", "how": how}
        if told.get("by") and not self._is_fit(told["by"]):
            self._todo.append(worker.mutant)
            return
        self._note(worker.mutant, told, time.monotonic() - worker.begun)

    def _is_fit(self, killer: str) -> bool:
        """Whether a test passes without a mutant where mutants live; one that does not kills none, and is left out."""
        test = next((test for test in self._tests if test.item.nodeid == killer), None)
        if test is None or killer in self._fit:
            return True
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setsid()
                with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
                    self._be_alone(folder)
                    signal.setitimer(signal.ITIMER_REAL, 2 * (_SECONDS + _SLOWER * test.seconds))
                    status = 1 if _failure(test.item, None) else 0
            finally:
                os._exit(status)
        _pid, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if status:
            self._tests.remove(test)
            self._write({"left out": killer, "how": "it fails in a fork without a mutant"})
        else:
            self._fit.add(killer)
        return not status

    def _note(self, mutant: operators.Mutant, told: dict[str, t.Any], seconds: float) -> None:
        self._counts[told["outcome"]] += 1
        by = told.get("by")
        if by:
            kills = self._kills.setdefault((mutant.file, mutant.where), {})
            kills[by] = kills.get(by, 0) + 1
        about = {"key": mutant.key, "kind": mutant.kind, "line": mutant.lines[0], "seconds": round(seconds, 2)}
        self._write({**about, **told})


def _tell(pipe: int, fact: dict[str, t.Any]) -> None:
    os.write(pipe, json.dumps(fact).encode() + b"\n")


def _failure(item: pytest.Item, following: pytest.Item | None) -> str:
    """Run a test; what it fails with, in short."""
    for report in runner.runtestprotocol(item, log=False, nextitem=following):
        if report.failed:
            return str(getattr(report.longrepr, "reprcrash", None) or report.longrepr)[:300]
    return ""


@functools.cache
def _text(path: pathlib.Path) -> str:
    """What stands in a file of tests."""
    return path.read_text(encoding="utf-8")


def _words(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} | {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)
    }
