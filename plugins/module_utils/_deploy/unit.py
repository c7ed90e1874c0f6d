# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A unit on its host: the files taken, the engine let go its way, and what is told of it.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import functools
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import endpoints, engine
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import (
    Certificate,
    fingerprint,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.host import (
    Conditions,
    Files,
    NotLocked,
    ThisHost,
    unchanged,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records


class Surroundings(NamedTuple):
    """What all units of a call have in common.

    ``warn`` takes a warning. ``shown`` is what the controller saw, and ``endpoints`` are those of all certificates, by
    what messages call them.
    """

    module: Any
    places: Places
    warn: Callable[[str], None]
    shown: Mapping[str, str]
    endpoints: Mapping[str, endpoints.Endpoint]
    conditions: Conditions
    #: Fingerprints that other certificates of the call have an endpoint show by right, by endpoint.
    others: Mapping[str, FrozenSet[str]] = {}


class Told(NamedTuple):
    """What became of a certificate."""

    state: str
    messages: List[str]
    changed: bool = False
    installed: Optional[str] = None
    before: Optional[str] = None
    files: Sequence[Mapping[str, Any]] = ()
    diff: Sequence[Mapping[str, str]] = ()
    pending_tlsa: Optional[str] = None
    before_fingerprint: Optional[str] = None
    held: bool = False


class UnitHere:
    """Certificates that stand and fall together, on their way on this host; ``told`` is their story, by name."""

    def __init__(self, surroundings: Surroundings, certificates: Sequence[Certificate]) -> None:
        self._around = surroundings
        self._module = surroundings.module
        self._certificates = certificates
        self.told: Dict[str, Told] = {}
        self._barred: Dict[str, InstallError] = {}
        self._begin()
        self._before: Dict[str, Optional[str]] = {}

    def _begin(self) -> None:
        names = {one.name for one in self._certificates}
        here = {key: one for key, one in self._around.endpoints.items() if one.name in names and not one.elsewhere}
        self._host = ThisHost(self._certificates, here, endpoints.look_at, self._around.conditions, self._around.others)
        self._host.barred.update(self._barred)
        wanted = [self._wanted(certificate) for certificate in self._certificates]
        self._unit = engine.Unit(self._host, wanted, self._around.shown)

    def _wanted(self, certificate: Certificate) -> engine.Wanted:
        params = certificate.params
        others = [one for one in self._certificates if one is not certificate]
        own = {key: one for key, one in self._around.endpoints.items() if one.name == certificate.name}
        return engine.Wanted(
            certificate.name,
            certificate.fingerprint,
            tuple(params["services"]),
            tuple(key for key, one in own.items() if not one.elsewhere),
            any(one.elsewhere for one in own.values()),
            params["validate"],
            tuple(params["run_before"]),
            tuple(params["run_after"]),
            certificate.absent,
            frozenset(one.name for one in others if one.paths & certificate.paths),
        )

    @property
    def services(self) -> Mapping[str, str]:
        """What was done to services, by name."""
        return self._unit.services

    @property
    def seen(self) -> List[Dict[str, Any]]:
        """What endpoints showed, as results say it."""
        showing = {report.name: self._to_be_shown(report) for report in self._unit.reports}
        return endpoints.told(self._around.endpoints, self._host.looked, showing)

    def _to_be_shown(self, report: engine.Report) -> Optional[str]:
        """Of one that went back, or was refused, what is installed is what is to be seen."""
        if report.state == engine.ROLLED_BACK:
            return report.memory.installed
        return report.showing or fingerprint(self._before.get(report.name))

    def run(self) -> None:
        """Their way, and what is told of it."""
        try:
            self._go()
        except InstallError as exc:
            self._fail(exc if exc.settled else InstallError(f"{exc} Its files were not changed any further."))
        except OSError as exc:
            self._fail(InstallError(f"The host could not be worked on: {cause(exc)}."))
        self._tell()

    def _fail(self, exc: InstallError) -> None:
        for report in self._unit.reports:
            if report.is_open:
                report.end(engine.FAILED, str(exc))

    def _go(self) -> None:
        for certificate in self._certificates:
            self._before[certificate.name] = None
        try:
            for certificate in self._certificates:
                self._or_bar(certificate, certificate.make_directory)
            for certificate in self._certificates:
                self._or_bar(certificate, certificate.find_again)
            if self._module.check_mode:
                # Who changes nothing takes nothing, and would not come to see what a real run could not.
                self._require_own()
            if transaction.is_clean(self._places()):
                self._look_before(View({}))
                # Where nothing is to change, nobody is kept waiting.
                with contextlib.suppress(NotLocked):
                    self._on_their_way()
                    return
                self._begin()
            self._go_locked()
        finally:
            for certificate in self._certificates:
                certificate.unmake_directory()

    def _on_their_way(self) -> None:
        if self._module.check_mode:
            self._unit.foresee()
        else:
            self._unit.go()

    def _go_locked(self) -> None:
        # What the other units of the call hold in the same folder is theirs to end.
        names = [params["name"] for params in self._module.params["certificates"]]
        module = self._certificates[0].module
        self._require_own()
        with contextlib.ExitStack() as stack:
            if self._module.check_mode:
                locked = self._lock(stack, transaction.locked_for_reading)
                view, settled = transaction.preview(module, locked, names)
                self._host.take(Files(view, settled, locked.unfinished))
            else:
                locked = self._lock(stack, transaction.locked_for_change)
                view, settled = View({}), transaction.settle(module, locked, names)
                self._host.take(Files(view, settled, (), locked))
            self._look_before(view)
            self._on_their_way()

    def _require_own(self) -> None:
        for certificate in self._certificates:
            self._or_bar(certificate, functools.partial(transaction.require_own, certificate.places))

    def _lock(self, stack: contextlib.ExitStack, take: Callable[..., Any]) -> transaction.Locked:
        """Take the files for this run, to the end of ``stack``; less those whose folder does not allow that."""
        try:
            locked: transaction.Locked = stack.enter_context(take(self._around.places, self._places()))
            return locked
        except InstallError as exc:
            # Another run is under way there, or was, and that is not to be waited for again.
            if exc.settled:
                raise
            for certificate in self._certificates:
                self._or_bar(certificate, functools.partial(self._try_lock, certificate, take))
        again: transaction.Locked = stack.enter_context(take(self._around.places, self._places()))
        return again

    def _try_lock(self, certificate: Certificate, take: Callable[..., Any]) -> None:
        with take(self._around.places, certificate.places):
            pass

    def _or_bar(self, certificate: Certificate, work: Callable[[], None]) -> None:
        """Do some work that files of a certificate have to allow before they can be changed; it alone is in its way."""
        try:
            work()
        except InstallError as exc:
            self._barred.setdefault(certificate.name, unchanged(exc))
            self._host.barred.setdefault(certificate.name, unchanged(exc))

    def _places(self) -> List[Any]:
        return [place for one in self._certificates if one.name not in self._barred for place in one.places]

    def _look_before(self, view: View) -> None:
        for certificate in self._certificates:
            with contextlib.suppress(InstallError):
                self._before[certificate.name] = certificate.look(view)

    def _tell(self) -> None:
        for certificate, report in zip(self._certificates, self._unit.reports):
            plan = self._host.plans.get(report.name)
            stays = report.state not in (engine.REFUSED, engine.FAILED, engine.ROLLED_BACK) or report.changed
            told = plan if stays and report.state != engine.ROLLED_BACK else None
            if told is not None and not self._module.check_mode:
                records.leave(self._around.places, list(told.proofs))
            if told is not None and told.move is not None and told.move.warning is not None:
                self._around.warn(told.move.warning)
            installed = before = self._before.get(report.name)
            # Only who foresees has time for what nobody waits for.
            pending = certificate.pending_key if self._module.check_mode else None
            if not self._module.check_mode:
                with contextlib.suppress(InstallError):
                    installed = certificate.look(View({}))
            self.told[report.name] = Told(
                report.state,
                report.messages,
                report.changed,
                installed,
                self._as_it_was(report, before),
                [] if told is None else told.files(self._host.backups.get(report.name, {})),
                [] if told is None else told.diff(),
                None if pending is None else self._host.tlsa_of_key(pending),
                report.before,
                bool(self._host.held([report.name])),
            )

    @staticmethod
    def _as_it_was(report: engine.Report, seen: Optional[str]) -> Optional[str]:
        """The one that was installed before, unless an earlier run had switched it: then only its digest is known."""
        return seen if report.before is None or fingerprint(seen) == report.before else None
