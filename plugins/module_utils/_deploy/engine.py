# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing certificates into service, or leaving in service what was.

Certificates that share a service, a ``validate`` command or a file are one unit (``units``), and each unit goes its way
alone:

    compare -> run_before -> switch -> validate -> hold -> reload -> look -> let go -> run_after
                               |          |                  |        |
                               +----------+---- put back ----+--------+-> reload -> look

What names one certificate (its files, its hook, its own endpoint) takes that certificate alone out, and the rest of the
unit is carried through. What can't be told apart (``validate``, a reload) takes the whole unit back, and certificates
that share a file go back together. Going back is only right where it restores something: an endpoint that showed
nothing before and shows nothing after is a failure, and the new files, valid and validated, stay.

Whatever ends this in the middle, the next run finds the old files, and ends what it finds first. The host is reached
through ``Host`` alone, so that every way through can be walked without one.
This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: How a certificate can end.
IN_SERVICE, INSTALLED, UNPROVEN = "in_service", "installed", "unproven"
REFUSED, ROLLED_BACK, FAILED, ABSENT = "refused", "rolled_back", "failed", "absent"
#: In its place, and looked at by the controller before it is known how it ends.
TO_BE_LOOKED_AT = "to_be_looked_at"

LEFT_STOPPED = "left_stopped"

NOTHING_TO_RESTORE = "The new files stay: going back would restore nothing."
NOTHING_AGAINST_IT = "The new files stay: nothing is known against them."


class Seen(NamedTuple):
    """What an endpoint shows: a fingerprint, or None and why nothing could be seen.

    ``undetermined`` says that the reason lies in the looking, and what is shown, if anything, says nothing of the
    certificate that was looked for: it may be served or not.
    """

    fingerprint: Optional[str]
    reason: str = ""
    undetermined: bool = False


class Wanted(NamedTuple):
    """A certificate as it is wanted here.

    ``fingerprint`` is that of the one to be installed, None where what is installed is to stay (a pending order). Of
    ``endpoints`` those are meant that this host looks at; ``looked_at_elsewhere`` says that the controller has others.
    ``tied`` are the names of those that it shares a file with.
    """

    name: str
    fingerprint: Optional[str] = None
    services: Tuple[str, ...] = ()
    endpoints: Tuple[str, ...] = ()
    looked_at_elsewhere: bool = False
    validate: Optional[str] = None
    run_before: Tuple[str, ...] = ()
    run_after: Tuple[str, ...] = ()
    absent: bool = False
    tied: FrozenSet[str] = frozenset()


class Comparison(NamedTuple):
    """What is there against what is wanted.

    Whether files are to change, which certificate is installed, and whether a run that was interrupted has been at its
    files, so that nobody knows what services have read of them.
    """

    changes: bool
    installed: Optional[str]
    touched: bool


class Memory(NamedTuple):
    """How it was before a switch: which certificate was installed, what endpoints showed, by endpoint, what ran.

    ``running`` are those of its services that did; of a switch that an earlier run made, the host remembers them.
    """

    installed: Optional[str]
    shown: Mapping[str, str]
    running: FrozenSet[str] = frozenset()


class Host:
    """What the engine needs of a host. Names are those of certificates; whatever fails raises ``InstallError``.

    What is done to several of them gives the names of those for which it failed, and why; these are as they were.
    """

    def held(self, names: Sequence[str]) -> Dict[str, Memory]:
        """Those that an earlier run switched and did not prove to be in service; their old files are still there."""
        raise NotImplementedError

    def due(self, names: Sequence[str]) -> List[str]:
        """Those whose ``run_after`` is still to run, be it that an earlier run did not come to it."""
        raise NotImplementedError

    def installed(self, name: str) -> Optional[str]:
        """The fingerprint of the certificate that is installed."""
        raise NotImplementedError

    def compare(self, name: str) -> Comparison:
        """What is there against what is wanted."""
        raise NotImplementedError

    def switch(self, memories: Mapping[str, Memory]) -> Dict[str, InstallError]:
        """Put the new files in place, and keep the old ones."""
        raise NotImplementedError

    def hold(self, names: Sequence[str]) -> Dict[str, InstallError]:
        """Say that the new files may stay, if they turn out to serve."""
        raise NotImplementedError

    def put_back(self, names: Sequence[str]) -> Dict[str, InstallError]:
        """Put the old files back."""
        raise NotImplementedError

    def let_go(self, names: Sequence[str]) -> Dict[str, InstallError]:
        """Forget the old files; if there is a ``run_after``, it is due from here on."""
        raise NotImplementedError

    def done(self, name: str) -> None:
        """Forget that something is still to run."""
        raise NotImplementedError

    def run(self, what: str, command: str, name: str) -> None:
        """Run a command; ``what`` is the option it comes from, ``name`` the certificate that it is told of."""
        raise NotImplementedError

    def require_services(self, names: Sequence[str]) -> None:
        """Raise ``InstallError`` for a service that this host does not have, and for which no command is given."""
        raise NotImplementedError

    def running(self, names: Sequence[str]) -> FrozenSet[str]:
        """Those of some services that run."""
        raise NotImplementedError

    def take_new_files(self, service: str, ended: bool) -> str:
        """Have a service read its files; what was done, as ``services.take_new_files`` says it.

        One that ran when this run had it read others, and was ``ended`` by them, is started again; so is one that ran
        when a switch began that was interrupted, and could not start since.
        """
        raise NotImplementedError

    def foresee(self, service: str) -> str:
        """What ``take_new_files`` would do; nothing is done."""
        raise NotImplementedError

    def look(self, endpoints: Sequence[str]) -> Dict[str, Seen]:
        """What endpoints show now."""
        raise NotImplementedError

    def look_until(self, wanted: Dict[str, str]) -> Dict[str, Seen]:
        """What endpoints show once each shows the fingerprint that is wanted of it, or time is up."""
        raise NotImplementedError


class Report:
    """How a certificate ended, and what was seen on the way.

    ``before`` is the one that was installed when the run came, ``showing`` the one that endpoints have to show.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.state = ""
        self.messages: List[str] = []
        self.changed = False
        self.before: Optional[str] = None
        self.showing: Optional[str] = None
        self.touched = False
        self.memory = Memory(None, {})
        #: Why it can't be told whether an endpoint serves it, by endpoint.
        self.undetermined: Dict[str, str] = {}

    @property
    def name(self) -> str:
        """The name of the certificate."""
        return self.wanted.name

    @property
    def endpoints(self) -> Tuple[str, ...]:
        """Those that have to show it."""
        return () if self.wanted.absent else self.wanted.endpoints

    @property
    def is_open(self) -> bool:
        """Whether it has not come to an end yet."""
        return not self.state

    def end(self, state: str, message: str = "") -> None:
        """Say how it ended."""
        self.state = state
        if message:
            self.messages.append(message)
        if state in (IN_SERVICE, INSTALLED, TO_BE_LOOKED_AT):
            doubts = [doubt(endpoint, why) for endpoint, why in self.undetermined.items()]
            self.messages += [one for one in doubts if one not in self.messages]


class _Wrong(NamedTuple):
    """What is wrong with an endpoint, in words, and whether going back would restore something.

    ``unseen`` says that it could not be looked at, for a reason that lies in the looking.
    """

    why: str
    restores: bool
    unseen: bool = False


class Unit:
    """The way of some certificates that stand and fall together.

    ``shown`` is what the controller saw of those that it looked at: what is wrong, in words, or "" where nothing is.
    """

    def __init__(self, host: Host, certificates: Iterable[Wanted], shown: Optional[Mapping[str, str]] = None) -> None:
        self._host = host
        self._elsewhere = shown or {}
        self.reports = [Report(wanted) for wanted in certificates]
        self.services: Dict[str, str] = {}
        #: How those ended that an earlier run had switched, and this one proved to be in service.
        self._proven: Dict[str, str] = {}
        #: Services that this run had read files, and which ran until then.
        self._asked: Set[str] = set()

    # The way

    def go(self) -> None:
        """All of it, as far as this host can go alone."""
        self._end_what_is_held()
        changing, staying = self._compare()
        self._switch(self._before(changing))
        self._converge([report for report in staying if report.is_open])
        self._after()

    def foresee(self) -> None:
        """Say how it would go; nothing is changed. Whatever can only be found out by trying is taken to go well."""
        held = self._host.held(self._names(self.reports))
        due = self._host.due(self._names(self.reports))
        changing, staying = self._compare()
        # What those show that can't be brought into service, people want to know all the same.
        self._look(self._endpoints(report for report in self.reports if report not in staying))
        wrong = self._look_at(staying)
        for report in self.reports:
            touched = report.touched or report.name in held
            if report.is_open and (report in changing or touched or self._is_stale(report, wrong)):
                report.changed = True
        turned = [report for report in self.reports if report.changed]
        for service in self._services(turned):
            self.services[service] = self._host.foresee(service)
        for report in self.reports:
            if report.is_open:
                stuck = report.name in wrong and not self._is_taken(report)
                report.changed = (report.changed and not stuck) or report.name in due
                if stuck and not self._is_stopped(report):
                    report.end(UNPROVEN, wrong[report.name].why)
                else:
                    report.end(self._well(report))

    def _end_what_is_held(self) -> None:
        """What an earlier run switched: it is proven to be in service, or goes back, before anything else is done."""
        found = self._host.held(self._names(self.reports))
        held = self._of(found)
        for report in held:
            report.memory = found[report.name]
            report.before = report.memory.installed
            report.changed = True
            report.showing = self._host.installed(report.name)
        judged = [report for report in held if report.name in self._elsewhere]
        gone = {report.name: self._elsewhere[report.name] for report in judged if self._elsewhere[report.name]}
        self._go_back([report for report in judged if report.name in gone], gone)
        self._let_go([report for report in judged if report.is_open], {})
        self._prove([report for report in held if report.is_open])
        for report in held:
            # It may be that another one is wanted by now.
            if report.state in (IN_SERVICE, INSTALLED, ABSENT):
                if report not in judged:
                    self._proven[report.name] = report.state
                report.state = ""

    def _compare(self) -> Tuple[List[Report], List[Report]]:
        changing: List[Report] = []
        staying: List[Report] = []
        for report in self.reports:
            if not report.is_open:
                continue
            try:
                found = self._host.compare(report.name)
                if found.changes:
                    self._host.require_services(report.wanted.services)
            except InstallError as exc:
                report.end(REFUSED, str(exc))
                continue
            if not report.changed:
                report.before = found.installed
            report.touched = found.touched
            report.showing = report.wanted.fingerprint or found.installed
            report.memory = Memory(found.installed, {})
            (changing if found.changes else staying).append(report)
        refused = [report for report in self.reports if report.state == REFUSED]
        for report in self._tied(refused):
            if report in changing:
                changing.remove(report)
                report.end(REFUSED, f"It shares a file with {_listed(refused)}, which was refused.")
        return changing, staying

    def _before(self, reports: List[Report]) -> List[Report]:
        for report in reports:
            try:
                for command in report.wanted.run_before:
                    self._host.run("run_before", command, report.name)
            except InstallError as exc:
                report.end(REFUSED, f"{exc} Its files were left as they were.")
        refused = [report for report in reports if not report.is_open]
        for report in self._tied(refused):
            if report in reports:
                report.end(REFUSED, f"It shares a file with {_listed(refused)}, which was refused.")
        going = [report for report in reports if report.is_open]
        seen = self._look(self._endpoints(going))
        running = self._host.running(self._services(going))
        for report in going:
            told = {endpoint: seen[endpoint] for endpoint in report.endpoints if self._tells(report, seen[endpoint])}
            shown = {endpoint: one.fingerprint for endpoint, one in told.items()}
            report.memory = report.memory._replace(
                shown={endpoint: fingerprint for endpoint, fingerprint in shown.items() if fingerprint is not None},
                running=running.intersection(report.wanted.services),
            )
        return going

    def _switch(self, reports: List[Report]) -> None:
        self._failed(self._host.switch({report.name: report.memory for report in reports}))
        switched = [report for report in reports if report.is_open]
        switched = self._without_tied(switched)
        try:
            self._validate(switched)
        except InstallError as exc:
            self._put_back(switched, {report.name: str(exc) for report in switched})
            return
        self._failed(self._host.hold(self._names(switched)))
        held = self._without_tied([report for report in switched if report.is_open])
        for report in held:
            report.changed = True
        self._prove(held)

    def _validate(self, reports: List[Report]) -> None:
        # A command that several certificates have looks at the files of all of them.
        commands = {report.wanted.validate: report.name for report in reversed(reports) if report.wanted.validate}
        for command, name in reversed(list(commands.items())):
            self._host.run("validate", str(command), name)

    def _prove(self, reports: List[Report]) -> None:
        """Have what is switched, and held, taken into service; go back where that does not succeed."""
        try:
            self._reload(reports)
        except InstallError as exc:
            self._go_back(reports, {report.name: str(exc) for report in reports})
            return
        wrong = self._look_until_right(reports)
        self._go_back(
            [report for report in reports if report.name in wrong and wrong[report.name].restores],
            {name: one.why for name, one in wrong.items()},
        )
        staying = [report for report in reports if report.is_open]
        waiting = [report for report in staying if report.name not in wrong and self._waits(report)]
        for report in waiting:
            report.end(TO_BE_LOOKED_AT)
        self._let_go([report for report in staying if report.is_open], wrong)

    def _let_go(self, reports: List[Report], wrong: Mapping[str, _Wrong]) -> None:
        for name, exc in self._host.let_go(self._names(reports)).items():
            # They are in service; what is left of the old ones, the next run sees to.
            self._of([name])[0].messages.append(str(exc))
        for report in reports:
            if report.name in wrong:
                stays = NOTHING_AGAINST_IT if wrong[report.name].unseen else NOTHING_TO_RESTORE
                report.end(UNPROVEN, f"{wrong[report.name].why} {stays}")
            else:
                report.end(self._well(report))

    def _go_back(self, reports: List[Report], why: Mapping[str, str]) -> None:
        reports = reports + [report for report in self._tied(reports) if report.is_open]
        self._put_back(reports, why)
        back = [report for report in reports if report.state == ROLLED_BACK]
        # One that refuses the old files is no reason to leave others with the new ones.
        refused = self._reload_each(back)
        for report in back:
            report.messages += [f"With them back: {why}" for why in refused.get(report.name, ())]
        back = [report for report in back if report.name not in refused]
        old = {endpoint: shown for report in back for endpoint, shown in report.memory.shown.items()}
        shown = self._look_until(old)
        for report in back:
            for endpoint in report.memory.shown:
                if shown[endpoint].fingerprint != old[endpoint] and not shown[endpoint].undetermined:
                    report.messages.append(
                        f"{endpoint} does not show again what it showed before: {_told(shown[endpoint])}."
                    )

    def _put_back(self, reports: List[Report], why: Mapping[str, str]) -> None:
        blamed = [report for report in reports if report.name in why]
        failed = self._host.put_back(self._names(reports))
        for report in reports:
            cause = why.get(report.name, f"It shares a file with {_listed(blamed)}, which could not stay.")
            if report.name in failed:
                report.end(FAILED, f"{cause} {failed[report.name]}")
            else:
                report.end(ROLLED_BACK, f"{cause} Its files are as they were.")

    def _converge(self, reports: List[Report]) -> None:
        """Certificates whose files are as they are to be: a service that shows others takes these."""
        for report in reports:
            # What was just seen is not looked at again: of a service that takes its time for a reload, an old process
            # may answer next, and it would be reloaded once more.
            if report.name in self._proven and not report.touched:
                report.end(self._proven[report.name])
        reports = [report for report in reports if report.is_open]
        wrong = self._look_at(reports)
        stale = [report for report in reports if report.touched or self._is_stale(report, wrong)]
        refused = self._reload_each(stale)
        taken = [report for report in stale if report.name not in refused]
        if any(self._is_taken(report) for report in taken):
            for report in taken:
                report.changed = True
            wrong = self._look_until_right(taken)
        wrong.update({name: _Wrong(" ".join(why), False) for name, why in refused.items()})
        for report in reports:
            if report.name in wrong and not self._is_stopped(report):
                report.end(UNPROVEN, f"{wrong[report.name].why} Its files are those that are wanted.")
            elif report in stale and self._waits(report):
                report.end(TO_BE_LOOKED_AT)
            else:
                report.end(self._well(report))

    def _after(self) -> None:
        """What is to run once a certificate is in its place; nothing is taken back for it."""
        for report in self._of(self._host.due(self._names(self.reports))):
            report.changed = True
            try:
                for command in report.wanted.run_after:
                    self._host.run("run_after", command, report.name)
                self._host.done(report.name)
            except InstallError as exc:
                report.end(FAILED, f"{exc} The files stay, and the next run runs it again.")

    # Its steps

    def _failed(self, failures: Mapping[str, InstallError]) -> None:
        for report in self._of(failures):
            report.end(FAILED, str(failures[report.name]))

    def _without_tied(self, reports: List[Report]) -> List[Report]:
        """Put back those that share a file with one that failed, and leave them out."""
        failed = [report for report in self.reports if report.state == FAILED]
        tied = [report for report in self._tied(failed) if report in reports]
        self._put_back(tied, {report.name: f"It shares a file with {_listed(failed)}." for report in tied})
        return [report for report in reports if report not in tied]

    def _tied(self, reports: Sequence[Report]) -> List[Report]:
        """Those others that share a file with some, or with others that do."""
        found = list(reports)
        for report in found:
            found.extend(other for other in self.reports if other.name in report.wanted.tied and other not in found)
        return [report for report in found if report not in reports]

    def _services(self, reports: Iterable[Report]) -> List[str]:
        return list(dict.fromkeys(service for report in reports for service in report.wanted.services))

    def _reload(self, reports: List[Report]) -> None:
        """Have the services of these certificates take new files, each once, up to the first that refuses."""
        for service in self._services(reports):
            self._take_new_files(service)

    def _reload_each(self, reports: List[Report]) -> Dict[str, List[str]]:
        """As ``_reload``, whoever refuses; why, by the name of each certificate that such a service reads."""
        refused: Dict[str, str] = {}
        for service in self._services(reports):
            try:
                self._take_new_files(service)
            except InstallError as exc:
                refused[service] = str(exc)
        found = {report.name: [refused[one] for one in report.wanted.services if one in refused] for report in reports}
        return {name: why for name, why in found.items() if why}

    def _take_new_files(self, service: str) -> None:
        ended = service in self._asked
        # What refuses runs, too, or did so until it was asked.
        self._asked.add(service)
        self.services[service] = self._host.take_new_files(service, ended)
        if self.services[service] == LEFT_STOPPED:
            self._asked.discard(service)

    def _look_at(self, reports: List[Report]) -> Dict[str, _Wrong]:
        """What is wrong with endpoints now, be it that the controller saw it."""
        wrong = self._found_wrong(reports, self._look(self._endpoints(reports)))
        for report in reports:
            if self._elsewhere.get(report.name):
                wrong.setdefault(report.name, _Wrong(self._elsewhere[report.name], False))
        return wrong

    def _look_until_right(self, reports: List[Report]) -> Dict[str, _Wrong]:
        """What is wrong with endpoints, once they have had their time."""
        looked_at = [report for report in reports if not self._is_stopped(report)]
        shown = self._look_until(
            {endpoint: report.showing or "" for report in looked_at for endpoint in report.endpoints}
        )
        return self._found_wrong(looked_at, shown)

    def _found_wrong(self, reports: List[Report], shown: Mapping[str, Seen]) -> Dict[str, _Wrong]:
        wrong: Dict[str, _Wrong] = {}
        for report in reports:
            report.undetermined = {}
            for endpoint in report.endpoints:
                seen, before = shown[endpoint], report.memory.shown.get(endpoint)
                if seen.fingerprint == report.showing:
                    continue
                if seen.fingerprint is None and before is None and self._has_stopped(report):
                    continue
                if seen.fingerprint is not None and not self._tells(report, seen):
                    report.undetermined[endpoint] = seen.reason
                    continue
                # What shows a certificate that was not installed before either has nothing to do with these files.
                same = seen.fingerprint == before and before != report.memory.installed
                restores = before is not None and not same
                if seen.undetermined and seen.fingerprint is None:
                    why = f"{endpoint} could not be looked at: {seen.reason}."
                    wrong.setdefault(report.name, _Wrong(why, False, True))
                    continue
                wrong[report.name] = _Wrong(f"{endpoint} does not show the certificate: {_told(seen)}.", restores)
                if restores:
                    break
        return wrong

    def _well(self, report: Report) -> str:
        if report.wanted.absent:
            return ABSENT
        looked_at = set(report.endpoints).difference(report.undetermined) or report.wanted.looked_at_elsewhere
        return IN_SERVICE if looked_at and not self._is_stopped(report) else INSTALLED

    def _waits(self, report: Report) -> bool:
        """Whether the controller has to look before it is known how it ends."""
        return report.wanted.looked_at_elsewhere and not report.wanted.absent and not self._is_stopped(report)

    @staticmethod
    def _is_stale(report: Report, wrong: Mapping[str, _Wrong]) -> bool:
        """Whether something else is seen than what is installed, so that services had better take it anew."""
        return report.name in wrong and not wrong[report.name].unseen

    @staticmethod
    def _tells(report: Report, seen: Seen) -> bool:
        """Whether what an endpoint shows says anything of a certificate; the old one does, however it came in sight."""
        return not seen.undetermined or seen.fingerprint in (report.memory.installed, report.before, report.showing)

    def _is_stopped(self, report: Report) -> bool:
        """Whether nothing runs that could show it, so that silence is no fault."""
        services = report.wanted.services
        return bool(services) and all(self.services.get(service) == LEFT_STOPPED for service in services)

    def _has_stopped(self, report: Report) -> bool:
        return any(self.services.get(service) == LEFT_STOPPED for service in report.wanted.services)

    def _is_taken(self, report: Report) -> bool:
        """Whether a service of it takes new files."""
        return any(self.services.get(service, LEFT_STOPPED) != LEFT_STOPPED for service in report.wanted.services)

    def _look(self, endpoints: Sequence[str]) -> Dict[str, Seen]:
        return self._host.look(endpoints) if endpoints else {}

    def _look_until(self, wanted: Dict[str, str]) -> Dict[str, Seen]:
        return self._host.look_until(wanted) if wanted else {}

    def _of(self, names: Iterable[str]) -> List[Report]:
        wanted = set(names)
        return [report for report in self.reports if report.name in wanted]

    @staticmethod
    def _names(reports: Iterable[Report]) -> List[str]:
        return [report.name for report in reports]

    @staticmethod
    def _endpoints(reports: Iterable[Report]) -> List[str]:
        return list(dict.fromkeys(endpoint for report in reports for endpoint in report.endpoints))


def doubt(endpoint: object, why: str) -> str:
    """A sentence about an endpoint that may serve a certificate or not."""
    return f"Whether {endpoint} serves it is undetermined: {why.rstrip('.')}."


def _told(seen: Seen) -> str:
    shows = f"it shows {seen.fingerprint}"
    if seen.fingerprint is None:
        return seen.reason
    return f"{shows}: {seen.reason}" if seen.reason else shows


def _listed(reports: Iterable[Report]) -> str:
    return ", ".join(report.name for report in reports)
