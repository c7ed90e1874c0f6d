# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way through the engine, on a host that does as it is told."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import engine
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import (
    Comparison,
    Host,
    Memory,
    Seen,
    Unit,
    Wanted,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

_FAULTS = [
    "key",  # the certificate does not belong to the key
    "folder",  # its files can't be written
    "backup",  # what they were can't be kept
    "before",  # its run_before refuses
    "after",  # its run_after refuses
    "validate",  # the command refuses the new files
    "reload",  # the service refuses the new files
    "silent",  # its endpoint shows nothing, before and after
    "falls silent",  # its endpoint shows nothing with the new files
    "stale",  # its endpoint goes on showing the old one
    "elsewhere",  # its endpoint shows, before and after, something that is of nobody here
    "unseen",  # its endpoint can't be looked at, for a reason that lies in the looking
    "falls unseen",  # nor can it with the new files
]


class _World(Host):
    """Certificates, the services that read them, and the endpoints that show what services have read."""

    def __init__(self, certificates: t.Sequence[Wanted], faults: t.Mapping[str, str] | None = None) -> None:
        self.wanted = {one.name: one for one in certificates}
        self.faults = dict(faults or {})
        self.disk = {name: f"old {name}" for name in self.wanted}
        self.kept: dict[str, str] = {}
        self.holding: list[str] = []
        self.memories: dict[str, Memory] = {}
        self.to_run: list[str] = []
        self.touched: set[str] = set()
        self.stopped: set[str] = set()
        self.missed: set[str] = set()
        self.unknown: set[str] = set()
        self.flaps = False
        self.beside = "of another kind"
        self.fragile: set[str] = set()
        self.refuses_always: set[str] = set()
        self.read = {service: dict(self.disk) for one in certificates for service in one.services}
        self.told: list[str] = []
        self.looked_at: list[list[str]] = []
        self.waited_for: list[dict[str, str]] = []

    def held(self, names: t.Sequence[str]) -> dict[str, Memory]:
        return {name: self.memories[name] for name in names if name in self.holding}

    def due(self, names: t.Sequence[str]) -> list[str]:
        return [name for name in names if name in self.to_run]

    def compare(self, name: str) -> Comparison:
        if self.faults.get(name) == "key":
            raise InstallError(f"{name}: The certificate does not belong to the key.")
        wanted = self.wanted[name]
        changes = (wanted.fingerprint is not None or wanted.absent) and self.disk[name] != self._to_be(name)
        return Comparison(changes, self.installed(name), name in self.touched)

    def installed(self, name: str) -> str | None:
        return self.disk[name] or None

    def _to_be(self, name: str) -> str:
        return "gone" if self.wanted[name].absent else str(self.wanted[name].fingerprint)

    def _failing(self, names: t.Iterable[str], fault: str) -> dict[str, InstallError]:
        return {name: InstallError(f"{name}: no room.") for name in names if self.faults.get(name) == fault}

    def switch(self, memories: t.Mapping[str, Memory]) -> dict[str, InstallError]:
        failed = self._failing(memories, "folder")
        for name, memory in memories.items():
            if name not in failed:
                self.memories[name] = memory
                self.kept[name] = self.disk[name]
                self.disk[name] = self._to_be(name)
        return failed

    def hold(self, names: t.Sequence[str]) -> dict[str, InstallError]:
        assert set(names) <= set(self.kept)
        failed = self._failing(names, "backup")
        for name in failed:
            self.disk[name] = self.kept.pop(name)
        self.holding += [name for name in names if name not in failed]
        return failed

    def put_back(self, names: t.Sequence[str]) -> dict[str, InstallError]:
        failed = self._failing(names, "no way back")
        for name in names:
            if name not in failed:
                self.disk[name] = self.kept.pop(name, self.disk[name])
        self.holding = [name for name in self.holding if name not in names or name in failed]
        return failed

    def let_go(self, names: t.Sequence[str]) -> dict[str, InstallError]:
        assert set(names) <= set(self.holding)
        for name in names:
            del self.kept[name]
        self.holding = [name for name in self.holding if name not in names]
        self.to_run += [name for name in names if self.wanted[name].run_after]
        return self._failing(names, "no letting go")

    def done(self, name: str) -> None:
        self.to_run.remove(name)

    def run(self, what: str, command: str, name: str) -> None:
        self.told.append(f"{what} {command} {name}")
        refusing = {
            "run_before": self.faults.get(name) == "before",
            "run_after": self.faults.get(name) == "after",
            "validate": any(
                fault == "validate" and self.disk[one].startswith("new") and self.wanted[one].validate == command
                for one, fault in self.faults.items()
            ),
        }
        if refusing[what]:
            raise InstallError(f"{what}: {command} failed.")

    def require_services(self, names: t.Sequence[str]) -> None:
        for service in names:
            if service in self.unknown:
                raise InstallError(f"There is no service {service}.")

    def running(self, names: t.Sequence[str]) -> frozenset[str]:
        return frozenset(names) - self.stopped

    def take_new_files(self, service: str, ended: bool) -> str:
        self.told.append(f"reload {service}")
        if service in self.stopped and not (ended or service in self.missed):
            return self.foresee(service)
        readers = [one for one in self.wanted.values() if service in one.services]
        new = [one for one in readers if self.disk[one.name].startswith("new")]
        if new and service in self.fragile:
            # It ends of them, and says so or not.
            self.stopped.add(service)
        if service in self.refuses_always or any(self.faults.get(one.name) == "reload" for one in new):
            raise InstallError(f"The service {service} did not take the new files.")
        if not (new and service in self.fragile):
            self.stopped.discard(service)
        for one in readers:
            if self.faults.get(one.name) != "stale":
                self.read[service][one.name] = self.disk[one.name]
        return "reloaded"

    def foresee(self, service: str) -> str:
        return engine.LEFT_STOPPED if service in self.stopped - self.missed else "reloaded"

    def _shown(self, endpoint: str) -> Seen:
        name = endpoint.partition(":")[0]
        service = self.wanted[name].services[0]
        shown = self.read[service][name]
        fault = self.faults.get(endpoint, self.faults.get(name))
        if service in self.stopped or fault == "silent" or (fault == "falls silent" and shown.startswith("new")):
            return Seen(None, "nothing listens there")
        if fault == "unseen" or (fault == "falls unseen" and shown.startswith("new")):
            return Seen(None, "it wants a client certificate", True)
        if fault == "undetermined":
            return Seen(self.beside or shown, "it can't be asked for", True)
        return Seen("foreign" if fault == "elsewhere" else shown)

    def look(self, endpoints: t.Sequence[str]) -> dict[str, Seen]:
        assert endpoints
        self.looked_at.append(list(endpoints))
        return {endpoint: self._shown(endpoint) for endpoint in endpoints}

    def look_until(self, wanted: dict[str, str]) -> dict[str, Seen]:
        assert wanted
        self.waited_for.append(wanted)
        shown = {endpoint: self._shown(endpoint) for endpoint in wanted}
        if self.flaps:
            # An old process has not ended yet, and answers whoever comes next.
            self.read = {service: dict.fromkeys(read, "what was read before") for service, read in self.read.items()}
        return shown


def _wanted(name: str, service: str = "nginx", **more: t.Any) -> Wanted:
    return Wanted(
        name,
        fingerprint=f"new {name}",
        services=(service,),
        endpoints=(f"{name}:443",),
        validate=f"{service} -t",
        run_before=("prepare",),
        run_after=("tell",),
    )._replace(**more)


def _go(world: _World, *names: str) -> dict[str, engine.Report]:
    unit = Unit(world, [world.wanted[name] for name in names or world.wanted])
    unit.go()
    return {report.name: report for report in unit.reports}


def test_a_change_goes_through() -> None:
    world = _World([_wanted("a"), _wanted("b")])
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["in_service", "in_service"]
    assert [report.before for report in reports.values()] == ["old a", "old b"]
    assert world.disk == {"a": "new a", "b": "new b"} == world.read["nginx"]
    assert world.waited_for == [{"a:443": "new a", "b:443": "new b"}]
    assert (world.kept, world.holding, world.to_run) == ({}, [], [])
    # The command and the service once, however many certificates they have.
    assert world.told == [
        *("run_before prepare a", "run_before prepare b", "validate nginx -t a", "reload nginx"),
        *("run_after tell a", "run_after tell b"),
    ]


def test_nothing_to_do() -> None:
    world = _World([_wanted("a")])
    _go(world)
    world.told.clear()
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed, world.told) == ("in_service", False, [])
    unit = Unit(world, [world.wanted["a"]])
    unit.foresee()
    assert (unit.reports[0].state, unit.reports[0].changed, unit.services) == ("in_service", False, {})


_ENDS = {
    "key": ("refused", "old"),
    "folder": ("failed", "old"),
    "before": ("refused", "old"),
    "backup": ("failed", "old"),
    "after": ("failed", "new"),
    "validate": ("rolled_back", "old"),
    "reload": ("rolled_back", "old"),
    "silent": ("unproven", "new"),
    "falls silent": ("rolled_back", "old"),
    "stale": ("rolled_back", "old"),
    "elsewhere": ("unproven", "new"),
    "unseen": ("unproven", "new"),
    "falls unseen": ("unproven", "new"),
}
#: What can't be told apart takes the whole unit back.
_WHOLE_UNIT = ("validate", "reload")


@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize("first", [True, False])
def test_a_fault_of_one_beside_a_fine_one_of_its_unit(fault: str, first: bool) -> None:
    bad, good = ("a", "b") if first else ("b", "a")
    world = _World([_wanted("a"), _wanted("b")], {bad: fault})
    reports = _go(world)
    state, content = _ENDS[fault]
    assert (reports[bad].state, world.disk[bad]) == (state, f"{content} {bad}"), reports[bad].messages
    good_state, good_content = ("rolled_back", "old") if fault in _WHOLE_UNIT else ("in_service", "new")
    assert (reports[good].state, world.disk[good]) == (good_state, f"{good_content} {good}")
    # The services have what is on the disk, but for the one that takes nothing.
    if fault != "stale":
        assert world.read["nginx"] == world.disk
    # A hook that failed is run again.
    assert (world.kept, world.holding, world.to_run) == ({}, [], [bad] if fault == "after" else [])
    # Only what is at fault, or can't be told from it, has anything to explain.
    assert bool(reports[good].messages) == (fault in _WHOLE_UNIT)
    assert reports[bad].messages


@pytest.mark.parametrize(("one", "other"), list(itertools.product(_FAULTS, _FAULTS)))
def test_two_faults_in_a_unit(one: str, other: str) -> None:
    world = _World([_wanted("a"), _wanted("b"), _wanted("c")], {"a": one, "b": other})
    reports = _go(world)
    for name, report in reports.items():
        assert report.state, name
        assert world.disk[name] in (f"old {name}", f"new {name}")
        if report.state in ("rolled_back", "refused"):
            assert world.disk[name] == f"old {name}"
        if report.state in ("in_service", "unproven"):
            assert world.disk[name] == f"new {name}"
    assert (world.kept, world.holding) == ({}, [])
    assert all(world.faults[name] == "after" for name in world.to_run)
    if not {one, other} & set(_WHOLE_UNIT):
        assert reports["c"].state == "in_service"
        assert world._shown("c:443").fingerprint == "new c"


@pytest.mark.parametrize("fault", ["unseen", "falls unseen"])
def test_what_can_not_be_looked_at_says_nothing_against_the_new_files(fault: str) -> None:
    world = _World([_wanted("a")], {"a": fault})
    report = _go(world)["a"]
    assert (report.state, report.messages) == (
        "unproven",
        ["a:443 could not be looked at: it wants a client certificate. " + engine.NOTHING_AGAINST_IT],
    )
    # The next run does not bring them in once more.
    world.told.clear()
    again = _go(world)["a"]
    assert (again.state, again.changed, world.disk["a"], world.told) == ("unproven", False, "new a", [])
    unit = Unit(world, [world.wanted["a"]])
    unit.foresee()
    assert (unit.reports[0].state, unit.reports[0].changed) == ("unproven", False)


def test_a_known_fault_counts_more_than_a_look_that_can_not_be_taken() -> None:
    wanted = _wanted("a", endpoints=("a:1", "a:2", "a:3"))
    world = _World([wanted], {"a:1": "unseen", "a:2": "stale", "a:3": "unseen"})
    world.read["nginx"]["a"] = "foreign"
    world.faults["a"] = "stale"
    report = _go(world)["a"]
    assert report.state == "unproven"
    assert report.messages[0].startswith("a:2 does not show the certificate: it shows foreign.")


_DOUBT = "Whether a:443 serves it is undetermined: it can't be asked for."


def test_what_can_not_be_told_is_no_fault() -> None:
    """Nothing is taken back for it, nothing is waited for, and it is said, each time."""
    world = _World([_wanted("a"), _wanted("b")], {"a": "undetermined"})
    for changed in (True, False):
        world.told.clear()
        reports = _go(world)
        assert (reports["a"].state, reports["a"].changed, world.disk["a"]) == ("installed", changed, "new a")
        assert reports["a"].messages == [_DOUBT]
        assert (reports["b"].state, reports["b"].messages) == ("in_service", [])
    assert world.told == []
    unit = Unit(world, [world.wanted["a"]])
    unit.foresee()
    assert (unit.reports[0].state, unit.reports[0].changed, unit.reports[0].messages) == ("installed", False, [_DOUBT])


def test_one_endpoint_that_shows_it_is_enough_beside_one_that_can_not_tell() -> None:
    world = _World([_wanted("a", endpoints=("a:443", "a:444"))], {"a:443": "undetermined"})
    report = _go(world)["a"]
    assert (report.state, report.messages) == ("in_service", [_DOUBT])


def test_the_old_one_tells_something_however_it_came_in_sight() -> None:
    """A service that goes on with the old certificate is told so, where the new one could not be asked for."""
    world = _World([_wanted("a")], {"a": "stale", "a:443": "undetermined"})
    world.beside = ""
    report = _go(world)["a"]
    assert (report.state, world.disk["a"]) == ("rolled_back", "old a")


def test_what_was_held_is_let_go_where_it_can_not_be_told() -> None:
    world = _World([_wanted("a")], {"a": "undetermined"})
    world.switch({"a": Memory("old a", {})})
    world.hold(["a"])
    report = _go(world)["a"]
    assert (report.state, report.messages, world.holding) == ("installed", [_DOUBT], [])


def test_a_stopped_service_is_left_so_and_its_silence_is_no_fault() -> None:
    world = _World([_wanted("a"), _wanted("b", "haproxy")])
    world.stopped = {"nginx"}
    reports = _go(world)
    assert (reports["a"].state, world.disk["a"]) == ("installed", "new a")
    assert reports["b"].state == "in_service"
    # Nor is it waited for.
    assert world.waited_for == [{"b:443": "new b"}]


@pytest.mark.parametrize("fault", ["", "reload"])
def test_a_service_that_the_new_files_end_runs_again_with_the_old_ones(fault: str) -> None:
    """Be it that it says that it does not take them, or ends in silence."""
    world = _World([_wanted("a"), _wanted("b")], {"a": fault})
    world.fragile = {"nginx"}
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["rolled_back"] * 2
    assert (world.stopped, world.disk) == (set(), {"a": "old a", "b": "old b"})
    assert world.read["nginx"] == world.disk


def test_a_service_that_the_new_files_end_runs_again_where_the_controller_saw_that() -> None:
    certificates = [_wanted("a", looked_at_elsewhere=True, endpoints=())]
    world = _World(certificates)
    assert _go(world)["a"].state == "to_be_looked_at"
    world.fragile, world.stopped, world.missed = {"nginx"}, {"nginx"}, {"nginx"}
    unit = Unit(world, certificates, {"a": "It shows nothing."})
    unit.go()
    assert (unit.reports[0].state, world.stopped, world.disk) == ("rolled_back", set(), {"a": "old a"})


def test_one_that_refuses_the_old_files_leaves_no_other_with_the_new_ones() -> None:
    world = _World([_wanted("a"), _wanted("b", "haproxy", validate="nginx -t")], {"b": "reload"})
    world.read["other"] = {"a": "old a"}
    world.wanted["a"] = world.wanted["a"]._replace(services=("nginx", "other"))
    taken = world.take_new_files

    def take(service: str, ended: bool) -> str:
        # It took the new ones, and is at its end since.
        if ended and service == "nginx":
            raise InstallError("nginx hangs.")
        return taken(service, ended)

    world.take_new_files = take  # type: ignore[method-assign]
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["rolled_back"] * 2
    assert world.read["other"]["a"] == "old a"
    assert "With them back: nginx hangs." in reports["a"].messages
    assert not any("nginx hangs" in message for message in reports["b"].messages)


def test_a_service_that_refuses_is_told_of_those_that_it_reads_alone() -> None:
    world = _World([_wanted("a"), _wanted("b", "haproxy", validate="nginx -t")])
    world.disk = {"a": "new a", "b": "new b"}
    world.refuses_always = {"nginx"}
    reports = _go(world)
    assert {name: report.state for name, report in reports.items()} == {"a": "unproven", "b": "in_service"}
    assert world.read["haproxy"]["b"] == "new b"
    assert not reports["b"].messages


def test_a_service_that_shows_something_else_takes_what_is_installed() -> None:
    world = _World([_wanted("a")])
    world.disk["a"] = "new a"
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed) == ("in_service", True)
    assert world.told == ["reload nginx"]
    assert world.read["nginx"]["a"] == "new a"


def test_one_that_cannot_be_brought_to_show_it_is_unproven_and_keeps_its_files() -> None:
    for fault in ("stale", "silent", "reload"):
        world = _World([_wanted("a")], {"a": fault})
        world.disk["a"] = "new a"
        reports = _go(world)
        assert (reports["a"].state, world.disk["a"]) == ("unproven", "new a")


def test_a_pending_certificate_keeps_its_predecessor_in_service() -> None:
    world = _World([_wanted("a", fingerprint=None), _wanted("b")])
    world.read["nginx"]["a"] = "older a"
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["in_service", "in_service"]
    assert world.disk["a"] == "old a" == world.read["nginx"]["a"]


@pytest.mark.parametrize("fault", ["", "stale", "falls silent", "silent", "reload"])
@pytest.mark.parametrize("reloaded", [True, False])
def test_what_a_run_held_and_did_not_prove_is_ended_first(fault: str, reloaded: bool) -> None:
    """In the same state as the run that was killed would have ended in."""
    undisturbed = _World([_wanted("a")], {"a": fault})
    _go(undisturbed)
    world = _World([_wanted("a")], {"a": fault})
    seen = world._shown("a:443").fingerprint
    world.switch({"a": Memory("old a", {} if seen is None else {"a:443": seen})})
    world.hold(["a"])
    if reloaded and fault not in ("reload", "stale"):
        world.take_new_files("nginx", ended=False)
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed) == (_ENDS[fault][0] if fault else "in_service", True)
    assert (reports["a"].before, world.disk) == ("old a", undisturbed.disk)
    assert (world.kept, world.holding, world.to_run) == ({}, [], [])
    if fault != "stale":
        assert world.read == undisturbed.read
    if not fault:
        assert world.told[-1] == "run_after tell a"


def test_a_service_that_is_not_there_refuses_its_certificate_before_anything_changes() -> None:
    world = _World([_wanted("a", services=("ngnix",)), _wanted("b")])
    world.unknown = {"ngnix"}
    for reports in (_foreseen(world), _go(world)):
        assert {name: report.state for name, report in reports.items()} == {"a": "refused", "b": "in_service"}
        assert reports["a"].messages == ["There is no service ngnix."]
    assert world.disk == {"a": "old a", "b": "new b"}
    assert not [line for line in world.told if line.endswith((" a", "ngnix"))]


def test_a_run_after_that_is_due_is_a_change() -> None:
    world = _World([_wanted("a")])
    _go(world)
    world.to_run = ["a"]
    world.told.clear()
    assert (_foreseen(world)["a"].changed, _go(world)["a"].changed) == (True, True)
    assert world.told == ["run_after tell a"]
    assert (_foreseen(world)["a"].changed, _go(world)["a"].changed) == (False, False)


def test_what_was_just_proven_is_not_looked_at_again() -> None:
    """An old process that answers once more must not have the service reloaded once more."""
    world = _World([_wanted("a")])
    world.switch({"a": Memory("old a", {"a:443": "old a"})})
    world.hold(["a"])
    world.flaps = True
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed) == ("in_service", True)
    assert world.told.count("reload nginx") == 1


def test_what_ran_before_a_switch_is_remembered() -> None:
    world = _World([_wanted("a"), _wanted("b", services=("nginx", "haproxy"))])
    world.read["haproxy"] = {}
    world.stopped = {"haproxy"}
    _go(world)
    assert {name: set(memory.running) for name, memory in world.memories.items()} == {"a": {"nginx"}, "b": {"nginx"}}


@pytest.mark.parametrize("changes", [True, False])
def test_a_service_that_could_not_start_with_half_of_the_files_is_started(changes: bool) -> None:
    """The host died in the middle of a switch, which was undone since; what is wanted is another one, or the old."""
    world = _World([_wanted("a") if changes else _wanted("a", fingerprint=None)])
    world.touched, world.stopped, world.missed = {"a"}, {"nginx"}, {"nginx"}
    world.read["nginx"] = {"a": "what was read before"}
    assert _foreseen(world)["a"].changed
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed) == ("in_service", True)
    assert world.read["nginx"] == world.disk == {"a": "new a" if changes else "old a"}


def test_a_run_after_that_is_due_is_run_by_the_next_run() -> None:
    world = _World([_wanted("a")])
    _go(world)
    world.told.clear()
    world.to_run = ["a"]
    reports = _go(world)
    assert world.told == ["run_after tell a"]
    assert reports["a"].state == "in_service"
    assert world.to_run == []


def test_what_the_controller_looks_at_is_held_until_it_has() -> None:
    certificates = [
        _wanted("a", looked_at_elsewhere=True, endpoints=()),
        _wanted("b", looked_at_elsewhere=True, endpoints=()),
    ]
    world = _World(certificates)
    assert [report.state for report in _go(world).values()] == ["to_be_looked_at"] * 2
    assert world.holding == ["a", "b"]
    world.told.clear()
    unit = Unit(world, certificates, {"a": "", "b": "It shows the old one."})
    unit.go()
    states = {report.name: report.state for report in unit.reports}
    assert states == {"a": "in_service", "b": "rolled_back"}
    assert world.disk == {"a": "new a", "b": "old b"} == world.read["nginx"]
    assert (world.kept, world.holding, world.to_run) == ({}, [], [])
    # Only what goes back has anything to reload, and is not tried again.
    assert world.told == ["reload nginx", "run_after tell a"]
    assert unit.reports[1].messages == ["It shows the old one. Its files are as they were."]


def _foreseen(world: _World) -> dict[str, engine.Report]:
    unit = Unit(world, list(world.wanted.values()))
    before = (dict(world.disk), {name: dict(read) for name, read in world.read.items()}, list(world.told))
    unit.foresee()
    assert (world.disk, world.read, world.told) == before
    return {report.name: report for report in unit.reports}


@pytest.mark.parametrize("fault", ["", "key", "silent", "stale"])
@pytest.mark.parametrize("present", [True, False])
@pytest.mark.parametrize("stopped", [True, False])
def test_what_is_foreseen_is_what_happens(fault: str, present: bool, stopped: bool) -> None:
    def world() -> _World:
        made = _World([_wanted("a"), _wanted("b", "haproxy")], {"a": fault})
        if present:
            made.disk["a"] = "new a"
        if stopped:
            made.stopped = {"nginx"}
        return made

    foreseen, seen = _foreseen(world()), _go(world())
    for name in "ab":
        # What a reload does can't be foreseen.
        if name == "a" and not stopped and fault in ("silent", "stale"):
            assert (foreseen[name].state, foreseen[name].changed) == ("in_service", True)
        else:
            assert (foreseen[name].state, foreseen[name].changed) == (seen[name].state, seen[name].changed)
        assert foreseen[name].before == seen[name].before
        assert bool(foreseen[name].messages) == (foreseen[name].state in ("refused", "unproven"))


def test_what_is_held_is_foreseen_as_a_change() -> None:
    world = _World([_wanted("a")])
    world.switch({"a": Memory("old a", {})})
    world.hold(["a"])
    assert (_foreseen(world)["a"].changed, world.holding) == (True, ["a"])


def test_one_that_is_to_be_absent() -> None:
    world = _World([_wanted("a", absent=True), _wanted("b")])
    reports = _go(world)
    assert [(report.state, report.changed) for report in reports.values()] == [("absent", True), ("in_service", True)]
    assert world.disk["a"] == "gone"
    assert [(report.state, report.changed) for report in _go(world).values()] == [
        ("absent", False),
        ("in_service", False),
    ]


def test_an_absent_one_is_back_where_the_service_can_not_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World([_wanted("a", absent=True)], {"a": "reload"})

    def take(_service: str, _ended: bool) -> str:
        if world.disk["a"] == "gone":
            raise InstallError("no.")
        return "reloaded"

    monkeypatch.setattr(world, "take_new_files", take)
    assert _go(world)["a"].state == "rolled_back"
    assert world.disk["a"] == "old a"


@pytest.mark.parametrize("fault", ["key", "folder", "before", "backup", "falls silent", "stale"])
def test_those_that_share_a_file_go_back_together(fault: str) -> None:
    names = frozenset("ab")
    certificates = [_wanted(name, tied=names - {name}) for name in "ab"] + [_wanted("c")]
    world = _World(certificates, {"b": fault})
    reports = _go(world)
    assert world.disk == {"a": "old a", "b": "old b", "c": "new c"}
    assert reports["c"].state == "in_service"
    assert reports["a"].state == ("refused" if fault in ("key", "before") else "rolled_back")
    why = {
        "key": "It shares a file with b, which was refused.",
        "before": "It shares a file with b, which was refused.",
        "folder": "It shares a file with b. Its files are as they were.",
        "backup": "It shares a file with b. Its files are as they were.",
    }
    stay = "It shares a file with b, which could not stay. Its files are as they were."
    assert reports["a"].messages == [why.get(fault, stay)]
    assert ("run_before prepare a" in world.told) == (fault != "key")
    assert (world.kept, world.holding, world.to_run) == ({}, [], [])


def test_one_that_cannot_be_put_back_takes_no_other_with_it() -> None:
    certificates = [_wanted("a"), _wanted("b")]
    world = _World(certificates, {"a": "no way back", "b": "validate"})
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["failed", "rolled_back"]
    assert (world.disk, list(world.kept)) == ({"a": "new a", "b": "old b"}, ["a"])


def test_an_interrupted_run_that_was_undone_leaves_nobody_sure_what_was_read() -> None:
    world = _World([_wanted("a", endpoints=())])
    world.disk["a"] = "new a"
    world.touched = {"a"}
    assert (_foreseen(world)["a"].changed, world.told) == (True, [])
    reports = _go(world)
    assert (reports["a"].state, reports["a"].changed, world.told) == ("installed", True, ["reload nginx"])


def test_what_the_controller_found_stale_is_reloaded_and_looked_at_again() -> None:
    certificates = [_wanted("a", looked_at_elsewhere=True, endpoints=()), _wanted("b")]
    world = _World(certificates)
    for name in "ab":
        world.disk[name] = f"new {name}"
    world.read["nginx"]["b"] = "new b"
    unit = Unit(world, certificates, {"a": "It shows the old one."})
    unit.go()
    assert [(report.state, report.changed) for report in unit.reports] == [
        ("to_be_looked_at", True),
        ("in_service", False),
    ]
    assert world.told == ["reload nginx"]


def test_a_held_one_in_whose_place_another_is_wanted_by_now() -> None:
    world = _World([_wanted("a")])
    world.disk["a"] = "newer a"
    world.kept["a"], world.holding, world.memories["a"] = "old a", ["a"], Memory("old a", {"a:443": "old a"})
    reports = _go(world)
    assert (reports["a"].state, reports["a"].before, world.disk["a"]) == ("in_service", "old a", "new a")
    assert world.told.count("reload nginx") == 2


def test_a_service_that_is_stopped_beside_one_that_runs() -> None:
    """Which of them an endpoint is of, nobody has said: its silence is no fault, and another certificate is one."""
    world = _World([_wanted("a", services=("nginx", "haproxy"))])
    world.read["haproxy"] = {}
    world.stopped = {"nginx"}
    assert _go(world)["a"].state == "in_service"
    world = _World([_wanted("a", services=("nginx", "haproxy"))], {"a": "elsewhere"})
    world.read["haproxy"] = {}
    world.stopped = {"haproxy"}
    assert _go(world)["a"].state == "unproven"


def test_what_is_held_and_as_it_is_wanted_is_foreseen_as_a_change() -> None:
    world = _World([_wanted("a", endpoints=())])
    world.switch({"a": Memory("old a", {})})
    world.hold(["a"])
    assert _foreseen(world)["a"].changed
    world.faults["a"] = "key"
    refused = _foreseen(world)["a"]
    assert (refused.state, refused.changed) == ("refused", False)


def test_each_endpoint_is_looked_at_once_to_foresee() -> None:
    world = _World([_wanted("a"), _wanted("b")], {"a": "key"})
    world.disk["b"] = "new b"
    _foreseen(world)
    assert sorted(world.looked_at) == [["a:443"], ["b:443"]]


def test_what_no_service_can_be_made_to_show() -> None:
    """It is known before, and said in the same words."""
    world = _World([_wanted("a", services=(), endpoints=(), looked_at_elsewhere=True)])
    world.disk["a"] = "new a"
    foreseen, seen = (Unit(world, list(world.wanted.values()), {"a": "It shows the old one."}) for dummy in range(2))
    foreseen.foresee()
    seen.go()
    for unit in (foreseen, seen):
        assert (unit.reports[0].state, unit.reports[0].changed) == ("unproven", False)
        assert unit.reports[0].messages[0].startswith("It shows the old one.")


def test_one_without_services_of_which_nobody_is_sure_what_was_read() -> None:
    world = _World([_wanted("a", services=(), endpoints=())])
    world.disk["a"] = "new a"
    world.touched = {"a"}
    assert (_go(world)["a"].state, world.told) == ("installed", [])


def test_one_that_went_back_is_not_asked_for_what_is_wrong_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World([_wanted("a", looked_at_elsewhere=True, endpoints=())])
    _go(world)
    world.faults["a"] = "key"
    unit = Unit(world, list(world.wanted.values()), {"a": "It shows the old one."})
    unit.go()
    assert unit.reports[0].state == "rolled_back"


@pytest.mark.parametrize("fault", ["key", "before"])
def test_one_whose_files_stay_is_not_refused_with_one_that_it_shares_a_file_with(fault: str) -> None:
    world = _World([_wanted("a", tied=frozenset("b")), _wanted("b", tied=frozenset("a"))], {"b": fault})
    world.disk["a"] = "new a"
    reports = _go(world)
    assert (reports["a"].state, reports["b"].state) == ("in_service", "refused")


def test_one_whose_files_stay_is_told_of_when_one_that_it_shares_a_file_with_goes_back() -> None:
    world = _World([_wanted("a", tied=frozenset("b")), _wanted("b", tied=frozenset("a"))], {"b": "falls silent"})
    world.disk["a"] = world.read["nginx"]["a"] = "new a"
    reports = _go(world)
    assert [report.state for report in reports.values()] == ["rolled_back", "rolled_back"]
    assert len(reports["a"].messages) == 1


def test_all_that_were_refused_are_named() -> None:
    certificates = [_wanted("a", tied=frozenset("bc")), _wanted("b"), _wanted("c")]
    certificates[1:] = [one._replace(tied=frozenset("a")) for one in certificates[1:]]
    reports = _go(_World(certificates, {"b": "key", "c": "key"}))
    assert reports["a"].messages == ["It shares a file with b, c, which was refused."]


def test_what_is_remembered_of_before() -> None:
    world = _World([_wanted("a"), _wanted("b")], {"a": "silent"})
    _go(world)
    ran = frozenset({"nginx"})
    assert world.memories == {"a": Memory("old a", {}, ran), "b": Memory("old b", {"b:443": "old b"}, ran)}


def test_without_a_command_that_validates_none_is_run() -> None:
    world = _World([_wanted("a", validate=None)])
    assert _go(world)["a"].state == "in_service"
    assert world.told == ["run_before prepare a", "reload nginx", "run_after tell a"]


def test_one_that_goes_back_with_another_is_not_looked_at_by_the_controller() -> None:
    alone = _wanted("a", endpoints=(), looked_at_elsewhere=True, tied=frozenset("b"))
    world = _World([alone, _wanted("b", tied=frozenset("a"))], {"b": "falls silent"})
    assert [report.state for report in _go(world).values()] == ["rolled_back", "rolled_back"]


def test_the_controller_looks_at_nothing_that_this_host_found_wrong() -> None:
    world = _World([_wanted("a", looked_at_elsewhere=True)], {"a": "silent"})
    assert (_go(world)["a"].state, world.holding) == ("unproven", [])


@pytest.mark.parametrize(
    ("more", "state"),
    [({"services": ("stopped",)}, "installed"), ({"absent": True}, "absent"), ({}, "to_be_looked_at")],
)
def test_what_nobody_has_to_look_at_is_not_held_for_it(more: dict[str, t.Any], state: str) -> None:
    world = _World([_wanted("a", endpoints=(), looked_at_elsewhere=True, **more)])
    world.stopped = {"stopped"}
    assert _go(world)["a"].state == state
    assert bool(world.holding) == (state == "to_be_looked_at")


def test_old_files_that_are_not_forgotten_are_no_fault_of_the_new_ones() -> None:
    world = _World([_wanted("a"), _wanted("b")], {"a": "no letting go"})
    reports = _go(world)
    assert [(report.state, report.messages) for report in reports.values()] == [
        ("in_service", ["a: no room."]),
        ("in_service", []),
    ]


def _held(fault: str = "") -> tuple[_World, Unit]:
    """A certificate that is held, and that the controller found wrong."""
    world = _World([_wanted("a", looked_at_elsewhere=True)], {"a": fault})
    world.switch({"a": Memory("old a", {"a:443": "old a"})})
    world.hold(["a"])
    return world, Unit(world, list(world.wanted.values()), {"a": "It shows another one."})


def test_what_cannot_be_put_back_is_not_reloaded() -> None:
    world, unit = _held("no way back")
    unit.go()
    assert (unit.reports[0].state, world.told) == ("failed", [])
    assert unit.reports[0].messages == ["It shows another one. a: no room."]


def test_a_service_that_refuses_the_old_files_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world, unit = _held()

    def refuse(service: str, _ended: bool) -> str:
        raise InstallError(f"The service {service} is broken.")

    monkeypatch.setattr(world, "take_new_files", refuse)
    unit.go()
    assert unit.reports[0].state == "rolled_back"
    assert unit.reports[0].messages[1:] == ["With them back: The service nginx is broken."]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [("", ""), ("stale", "it shows newer a"), ("silent", "nothing listens there")],
)
def test_what_does_not_show_again_what_it_showed_is_told_of(fault: str, shown: str) -> None:
    world, unit = _held(fault)
    world.read["nginx"]["a"] = "newer a"
    unit.go()
    assert unit.reports[0].state == "rolled_back"
    told = [f"a:443 does not show again what it showed before: {shown}."] if shown else []
    assert unit.reports[0].messages[1:] == told


def test_one_of_two_services_takes_what_another_one_showed() -> None:
    def world() -> _World:
        made = _World([_wanted("a", services=("nginx", "haproxy"))])
        made.disk["a"] = "new a"
        made.stopped = {"haproxy"}
        return made

    for reports in (_foreseen(world()), _go(world())):
        assert (reports["a"].state, reports["a"].changed) == ("in_service", True)


def test_a_certificate_that_nobody_installed_is_waited_for_by_nobody() -> None:
    world = _World([_wanted("a", fingerprint=None)])
    world.disk["a"] = ""
    assert _go(world)["a"].state == "unproven"
    assert world.waited_for == [{"a:443": ""}]


def test_one_that_is_shown_where_a_service_is_stopped_is_no_silence() -> None:
    world = _World([_wanted("a", services=("nginx", "haproxy"))], {"a": "elsewhere"})
    world.disk["a"] = "new a"
    world.stopped = {"haproxy"}
    reports = _go(world)
    assert reports["a"].state == "unproven"
    assert reports["a"].messages == [
        "a:443 does not show the certificate: it shows foreign. Its files are those that are wanted."
    ]


def test_what_falls_silent_goes_back_whatever_else_is_stopped() -> None:
    world = _World([_wanted("a", services=("nginx", "haproxy"))], {"a": "falls silent"})
    world.stopped = {"haproxy"}
    assert _go(world)["a"].state == "rolled_back"


def test_what_showed_another_one_and_falls_silent_goes_back() -> None:
    world = _World([_wanted("a")], {"a": "falls silent"})
    world.read["nginx"]["a"] = "foreign"
    assert _go(world)["a"].state == "rolled_back"


def test_the_first_one_of_all_has_nothing_to_go_back_to() -> None:
    world = _World([_wanted("a")], {"a": "silent"})
    world.disk["a"] = ""
    reports = _go(world)
    assert (reports["a"].state, world.disk["a"]) == ("unproven", "new a")
    assert reports["a"].messages == [
        f"a:443 does not show the certificate: nothing listens there. {engine.NOTHING_TO_RESTORE}"
    ]


@pytest.mark.parametrize("endpoints", [("a:443", "a:444"), ("a:444", "a:443")])
def test_going_back_for_one_endpoint_is_enough(endpoints: tuple[str, ...]) -> None:
    world = _World([_wanted("a", endpoints=endpoints)], {"a:443": "falls silent", "a:444": "silent"})
    reports = _go(world)
    assert reports["a"].state == "rolled_back"
    assert reports["a"].messages[0].startswith("a:443 does not show the certificate")
