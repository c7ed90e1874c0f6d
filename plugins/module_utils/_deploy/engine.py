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
unit is carried through. What can't be told apart (``validate``, a reload) takes the whole unit back. Going back is only
right where it restores something: an endpoint that showed nothing before and shows nothing after is a failure, and the
new files, valid and validated, stay.

Whatever ends this in the middle, the next run finds the old files, and ends what it finds first. The host is reached
through ``Host`` alone, so that every way through can be walked without one.
This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: How a certificate can end.
IN_SERVICE, INSTALLED, UNPROVEN = "in_service", "installed", "unproven"
REFUSED, ROLLED_BACK, FAILED, ABSENT = "refused", "rolled_back", "failed", "absent"
#: Switched, and looked at by the controller before it is let go.
TO_BE_LOOKED_AT = "to_be_looked_at"

#: Those that make a task fail.
FAILURES = (UNPROVEN, REFUSED, ROLLED_BACK, FAILED)

LEFT_STOPPED = "left_stopped"


class Seen(NamedTuple):
    """What an endpoint shows: a fingerprint, or None and why nothing could be seen."""

    fingerprint: Optional[str]
    reason: str = ""


class Wanted(NamedTuple):
    """A certificate as it is wanted here.

    ``fingerprint`` is that of the one to be installed, None where what is installed is to stay (a pending order). Of
    ``endpoints`` those are meant that this host looks at; ``looked_at_elsewhere`` says that the controller has others.
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


class Comparison(NamedTuple):
    """What is there against what is wanted: whether files are to change, and which certificate is installed."""

    changes: bool
    installed: Optional[str]


class Host:
    """What the engine needs of a host. Names are those of certificates; whatever fails raises ``InstallError``."""

    def held(self, names: Sequence[str]) -> List[str]:
        """Those that an earlier run switched and did not prove to be in service; their old files are still there."""
        raise NotImplementedError

    def due(self, names: Sequence[str]) -> List[str]:
        """Those whose ``run_after`` an earlier run did not come to."""
        raise NotImplementedError

    def compare(self, name: str) -> Comparison:
        """What is there against what is wanted."""
        raise NotImplementedError

    def switch(self, names: Sequence[str]) -> Dict[str, InstallError]:
        """Put the new files in place, and keep the old ones; those for which that failed are as they were."""
        raise NotImplementedError

    def hold(self, names: Sequence[str]) -> None:
        """Say that the new files may stay, if they turn out to serve."""
        raise NotImplementedError

    def put_back(self, names: Sequence[str]) -> None:
        """Put the old files back."""
        raise NotImplementedError

    def let_go(self, names: Sequence[str], due: Sequence[str]) -> None:
        """Forget the old files; of ``due`` it is written down that their ``run_after`` is still to run."""
        raise NotImplementedError

    def done(self, names: Sequence[str]) -> None:
        """Forget that something is still to run."""
        raise NotImplementedError

    def run(self, what: str, command: str, name: str) -> None:
        """Run a command; ``what`` is the option it comes from, ``name`` the certificate that it is told of."""
        raise NotImplementedError

    def take_new_files(self, service: str) -> str:
        """Have a service read its files; what was done, as ``services.take_new_files`` says it."""
        raise NotImplementedError

    def look(self, endpoints: Sequence[str]) -> Dict[str, Seen]:
        """What endpoints show now."""
        raise NotImplementedError

    def look_until(self, wanted: Dict[str, str]) -> Dict[str, Seen]:
        """What endpoints show once each shows the fingerprint that is wanted of it, or time is up."""
        raise NotImplementedError


class Report:
    """How a certificate ended, and what was seen on the way."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.state = ""
        self.messages: List[str] = []
        self.changed = False
        self.installed: Optional[str] = None
        self.before: Dict[str, Seen] = {}

    @property
    def name(self) -> str:
        """The name of the certificate."""
        return self.wanted.name

    @property
    def is_open(self) -> bool:
        """Whether it has not come to an end yet."""
        return not self.state

    def end(self, state: str, message: str = "") -> None:
        """Say how it ended."""
        self.state = state
        if message:
            self.messages.append(message)


class Unit:
    """The way of some certificates that stand and fall together."""

    def __init__(self, host: Host, certificates: Iterable[Wanted]) -> None:
        self._host = host
        self.reports = [Report(wanted) for wanted in certificates]
        self.services: Dict[str, str] = {}
        self.seen: Dict[str, Seen] = {}

    # The way

    def go(self) -> None:
        """All of it, as far as this host can go alone."""
        held = self._of(self._host.held(self._names(self.reports)))
        if held:
            for report in held:
                report.installed = self._host.compare(report.name).installed
                report.changed = True
            self._prove(held)
            for report in held:
                if report.state in (IN_SERVICE, INSTALLED, TO_BE_LOOKED_AT):
                    report.state = report.state if report.state == TO_BE_LOOKED_AT else ""
        changing, staying = self._compare()
        changing = self._before(changing)
        if changing:
            self._switch(changing)
        self._converge([report for report in staying if report.is_open])
        self._after()

    def conclude(self, shown: Dict[str, str]) -> None:
        """What is left to do once the controller has looked.

        ``shown`` says of each held certificate that does not serve what is wrong with it, in words; the others do.
        """
        held = self._of(self._host.held(self._names(self.reports)))
        gone = [report for report in held if report.name in shown]
        for report in held:
            report.changed = True
            if report.name not in shown:
                report.end(IN_SERVICE)
        if gone:
            self._go_back(gone, {report.name: shown[report.name] for report in gone})
        self._let_go([report for report in held if report not in gone])
        self._after()

    def _compare(self) -> Tuple[List[Report], List[Report]]:
        changing, staying = [], []
        for report in self.reports:
            if not report.is_open:
                continue
            try:
                found = self._host.compare(report.name)
            except InstallError as exc:
                report.end(REFUSED, str(exc))
                continue
            report.installed = found.installed
            (changing if found.changes else staying).append(report)
        return changing, staying

    def _before(self, reports: List[Report]) -> List[Report]:
        for report in reports:
            try:
                for command in report.wanted.run_before:
                    self._host.run("run_before", command, report.name)
            except InstallError as exc:
                report.end(FAILED, f"{exc} Its files were left as they were.")
        going = [report for report in reports if report.is_open]
        seen = self._host.look(self._endpoints(going)) if going else {}
        for report in going:
            report.before = {endpoint: seen[endpoint] for endpoint in report.wanted.endpoints}
        return going

    def _switch(self, reports: List[Report]) -> None:
        failed = self._host.switch(self._names(reports))
        for report in reports:
            if report.name in failed:
                report.end(FAILED, str(failed[report.name]))
        switched = [report for report in reports if report.is_open]
        if not switched:
            return
        try:
            self._validate(switched)
        except InstallError as exc:
            self._host.put_back(self._names(switched))
            self._end(switched, ROLLED_BACK, f"{exc} Its files are as they were.")
            return
        for report in switched:
            report.changed = True
        self._host.hold(self._names(switched))
        self._prove(switched)

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
        wrong = self._wrong(reports)
        back = {name: why for name, (why, restores) in wrong.items() if restores}
        for report in reports:
            if report.name in wrong and report.name not in back:
                report.end(UNPROVEN, f"{wrong[report.name][0]} The new files stay: going back would restore nothing.")
        if back:
            self._go_back([report for report in reports if report.name in back], back)
        staying = [report for report in reports if report.name not in back]
        for report in staying:
            if report.is_open:
                report.end(self._well(report))
        self._let_go([report for report in staying if report.state != TO_BE_LOOKED_AT])

    def _well(self, report: Report) -> str:
        if report.wanted.absent:
            return ABSENT
        if report.wanted.looked_at_elsewhere and not self._is_stopped(report):
            return TO_BE_LOOKED_AT
        return IN_SERVICE if report.wanted.endpoints and not self._is_stopped(report) else INSTALLED

    def _go_back(self, reports: List[Report], why: Dict[str, str]) -> None:
        self._host.put_back(self._names(reports))
        for report in reports:
            report.end(ROLLED_BACK, f"{why[report.name]} Its files are as they were.")
        try:
            self._reload(reports)
        except InstallError as exc:
            for report in reports:
                report.messages.append(f"With them back: {exc}")
            return
        old = {
            endpoint: str(seen.fingerprint)
            for report in reports
            for endpoint, seen in report.before.items()
            if seen.fingerprint is not None
        }
        shown = self._look_until(old)
        for report in reports:
            for endpoint in report.wanted.endpoints:
                if endpoint in old and shown[endpoint].fingerprint != old[endpoint]:
                    report.messages.append(
                        f"{endpoint} does not show again what it showed before: {_told(shown[endpoint])}."
                    )

    def _converge(self, reports: List[Report]) -> None:
        """Certificates whose files are as they are to be: a service that shows others takes these."""
        shown = self._look(self._endpoints(reports))
        stale = [
            report
            for report in reports
            if any(shown[endpoint].fingerprint != self._to_show(report) for endpoint in report.wanted.endpoints)
        ]
        wrong: Dict[str, Tuple[str, bool]] = {}
        if stale:
            try:
                if self._reload(stale):
                    for report in stale:
                        report.changed = True
                    wrong = self._wrong(stale)
                else:
                    wrong = {} if all(self._is_stopped(report) for report in stale) else self._found_wrong(stale, shown)
            except InstallError as exc:
                wrong = {report.name: (str(exc), False) for report in stale}
        for report in reports:
            if report.name in wrong:
                report.end(UNPROVEN, f"{wrong[report.name][0]} Its files are those that are wanted.")
            else:
                report.end(self._well(report))

    def _after(self) -> None:
        """What is to run once a certificate is in its place; nothing is taken back for it."""
        reports = self._of(self._host.due(self._names(self.reports)))
        for report in reports:
            try:
                for command in report.wanted.run_after:
                    self._host.run("run_after", command, report.name)
            except InstallError as exc:
                report.end(FAILED, f"{exc} The new files are in place.")
        self._host.done(self._names(reports))

    # Its steps

    def _reload(self, reports: List[Report]) -> bool:
        """Have the services of these certificates take new files, each once; whether any did."""
        done = []
        for service in dict.fromkeys(service for report in reports for service in report.wanted.services):
            self.services[service] = self._host.take_new_files(service)
            done.append(self.services[service])
        return any(one != LEFT_STOPPED for one in done)

    def _wrong(self, reports: List[Report]) -> Dict[str, Tuple[str, bool]]:
        """What is wrong with endpoints, once they have had their time, and whether going back restores something."""
        looked_at = [report for report in reports if not self._is_stopped(report) and not report.wanted.absent]
        shown = self._look_until(
            {endpoint: self._to_show(report) for report in looked_at for endpoint in report.wanted.endpoints}
        )
        return self._found_wrong(looked_at, shown)

    def _found_wrong(self, reports: List[Report], shown: Dict[str, Seen]) -> Dict[str, Tuple[str, bool]]:
        wrong = {}
        for report in reports:
            for endpoint in report.wanted.endpoints:
                seen = shown[endpoint]
                if seen.fingerprint == self._to_show(report):
                    continue
                before = report.before.get(endpoint, Seen(None))
                # What shows a certificate that was not installed before either has nothing to do with these files.
                same = seen.fingerprint == before.fingerprint and before.fingerprint != report.installed
                restores = before.fingerprint is not None and not same
                wrong[report.name] = (f"{endpoint} does not show the certificate: {_told(seen)}.", restores)
                break
        return wrong

    def _to_show(self, report: Report) -> str:
        return report.wanted.fingerprint or report.installed or ""

    def _is_stopped(self, report: Report) -> bool:
        """Whether the silence of its endpoints is no fault."""
        services = report.wanted.services
        return bool(services) and all(self.services.get(service) == LEFT_STOPPED for service in services)

    def _let_go(self, reports: List[Report]) -> None:
        if reports:
            self._host.let_go(
                self._names(reports), [report.name for report in reports if report.wanted.run_after and report.changed]
            )

    def _look(self, endpoints: Sequence[str]) -> Dict[str, Seen]:
        shown = self._host.look(endpoints) if endpoints else {}
        self.seen.update(shown)
        return shown

    def _look_until(self, wanted: Dict[str, str]) -> Dict[str, Seen]:
        shown = self._host.look_until(wanted) if wanted else {}
        self.seen.update(shown)
        return shown

    def _of(self, names: Iterable[str]) -> List[Report]:
        wanted = set(names)
        return [report for report in self.reports if report.name in wanted]

    @staticmethod
    def _names(reports: Iterable[Report]) -> List[str]:
        return [report.name for report in reports]

    @staticmethod
    def _endpoints(reports: Iterable[Report]) -> List[str]:
        return list(dict.fromkeys(endpoint for report in reports for endpoint in report.wanted.endpoints))

    @staticmethod
    def _end(reports: Iterable[Report], state: str, message: str) -> None:
        for report in reports:
            report.end(state, message)


def _told(seen: Seen) -> str:
    return seen.reason if seen.fingerprint is None else f"it shows {seen.fingerprint}"
