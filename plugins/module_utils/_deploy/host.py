# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the engine sees it: files by transactions, services by their manager, endpoints by looks.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import hashlib
import os
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set

from ansible_collections.certfleet.collectssl.plugins.module_utils import _commands, _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import looks, services
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import (
    AnyPlan,
    Certificate,
    conflict,
    fingerprint,
    tlsa,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.endpoints import Endpoint
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import (
    Comparison,
    Host,
    Memory,
    Seen,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    CollectError,
    EndpointError,
    InstallError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View

#: What a journal remembers, by a name; what an endpoint showed, and which services ran, by digests of theirs.
_INSTALLED, _TLSA, _SHOWED, _RAN = "installed", "tlsa", "showed", "ran"
#: What is noted where there was nothing.
_NOTHING = "-"


class Conditions(NamedTuple):
    """How long things may take on a host, and how its services are treated where that is not a reload."""

    command_timeout: float
    patience: looks.Patience
    services: Mapping[str, Mapping[str, Any]]


class Files(NamedTuple):
    """The files of a unit, as they are looked at, and locked for a change where ``locked`` says so."""

    view: View = View({})
    settled: transaction.Settled = transaction.Settled()
    unfinished: Sequence[transaction.Open] = ()
    locked: Optional[transaction.Locked] = None


def _noted(what: str, name: str) -> str:
    """Under which name it is noted what an endpoint or a service did; whatever that is called, a journal takes it."""
    return f"{what} {hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def unchanged(exc: InstallError) -> InstallError:
    """An error that came up before any change, saying so unless it says already how files are."""
    return exc if exc.settled else InstallError(f"{exc} No file was changed.", exc.details, settled=True)


class NotLocked(Exception):
    """There is something to do, or to refuse, which only who has taken the files for himself can be sure of."""


class ThisHost(Host):
    """What the engine may do to this host, for the certificates of a unit.

    :arg probe: looks at an endpoint as ``looks.look`` wants it, for a certificate with some kind of key.
    :arg endpoints: those that it looks at, by what messages call them.
    :arg others: fingerprints of other certificates that are served at the same address by right, by endpoint.
    """

    def __init__(
        self,
        certificates: Sequence[Certificate],
        endpoints: Mapping[str, Endpoint],
        probe: Callable[[Any, Optional[str], FrozenSet[str]], Dict[str, Any]],
        conditions: Conditions,
        others: Mapping[str, FrozenSet[str]],
    ) -> None:
        self.certificates = {one.name: one for one in certificates}
        self.plans: Dict[str, Optional[AnyPlan]] = {}
        self.backups: Dict[str, Dict[str, str]] = {}
        #: Why files of some certificates can't be changed, by its name, as long as they need not be.
        self.barred: Dict[str, InstallError] = {}
        #: What the last look at each endpoint told.
        self.looked: Dict[str, Dict[str, Any]] = {}
        self._endpoints = endpoints
        self._probe_one = probe
        self._conditions = conditions
        self._others = others
        self._files = Files()
        self._open: Dict[str, transaction.Open] = {}
        self._due: Dict[str, transaction.Open] = {}
        #: What runs that were interrupted remember.
        self._remembered: Set[str] = set()

    def take(self, files: Files) -> None:
        """Work on these files from here on."""
        self._files = files
        left = files.unfinished if files.locked is None else list(files.locked.kept)
        self._remembered.update(note for subject, note in files.settled.noted if subject in self.certificates)
        for one in left:
            if one.subject not in self.certificates or one.state not in (transaction.HELD, transaction.DUE):
                continue
            if one.state == transaction.HELD:
                self._remembered.update(one.notes or {})
            known = self._open if one.state == transaction.HELD else self._due
            other = known.get(one.subject)
            known[one.subject] = one
            # Of runs with other paths for the same name there may be several; one story is enough to be ended.
            if other is not None and files.locked is not None:
                if one.state == transaction.HELD:
                    transaction.let_go(self.certificates[one.subject].module, other)
                if other.owes:
                    transaction.done(other)

    # Files

    def held(self, names: Sequence[str]) -> Dict[str, Memory]:
        found = {}
        for name in names:
            if name in self._open:
                notes = self._open[name].notes or {}
                installed = notes.get(_INSTALLED, _NOTHING)
                noted = {endpoint: _noted(_SHOWED, endpoint) for endpoint in self._endpoints}
                shown = {endpoint: notes[note] for endpoint, note in noted.items() if note in notes}
                found[name] = Memory(None if installed == _NOTHING else installed, shown)
        return found

    def due(self, names: Sequence[str]) -> List[str]:
        return [name for name in names if name in self._due]

    def installed(self, name: str) -> Optional[str]:
        return fingerprint(self.certificates[name].look(self._files.view))

    def compare(self, name: str) -> Comparison:
        certificate = self.certificates[name]
        sure = certificate.module.check_mode or self._files.locked is not None
        try:
            for other in self.certificates.values():
                clash = conflict(certificate, other)
                if clash is not None:
                    raise clash
            plan = certificate.make_plan(self._files.view, self._undone)
        except InstallError as exc:
            if not sure:
                raise NotLocked from exc
            raise self.barred.get(name, unchanged(exc)) from exc
        changes = plan is not None and plan.replaces
        if changes and not sure:
            raise NotLocked
        if changes and name in self.barred:
            raise self.barred[name]
        self.plans[name] = plan
        return Comparison(changes, self.installed(name), bool(certificate.paths & self._undone))

    @property
    def _undone(self) -> FrozenSet[str]:
        return self._files.settled.put_back | self._files.settled.let_go

    def switch(self, memories: Mapping[str, Memory]) -> Dict[str, InstallError]:
        def one(name: str) -> None:
            certificate = self.certificates[name]
            # What it shares with one that was switched before it is in place by now.
            plan = certificate.make_plan(View({}), frozenset())
            if plan is None or not plan.replaces:
                return
            steps = plan.steps(bool(certificate.params["backup"]))
            owes = bool(certificate.params["run_after"])
            self._open[name] = transaction.switch(
                certificate.module,
                self._locked,
                steps,
                certificate.attributes,
                name,
                self._notes(certificate, memories[name]),
                owes,
            )

        return self._each(list(memories), one)

    def _notes(self, certificate: Certificate, memory: Memory) -> Dict[str, str]:
        """What has to be known by whoever ends it; all of it in words that a journal takes."""
        notes = {_noted(_SHOWED, endpoint): shown for endpoint, shown in memory.shown.items()}
        # Whoever ends it is the one to start what the run before could not start either.
        ran = {_noted(_RAN, service) for service in certificate.params["services"]} & self._remembered
        notes.update(dict.fromkeys(ran.union(_noted(_RAN, service) for service in memory.running), _RAN))
        notes[_INSTALLED] = memory.installed or _NOTHING
        earlier = self._due.get(certificate.name)
        before = (earlier.notes or {}).get(_TLSA) if earlier is not None else tlsa(certificate.look(View({})))
        notes[_TLSA] = before or _NOTHING
        return notes

    @property
    def _locked(self) -> transaction.Locked:
        if self._files.locked is None:
            raise RuntimeError("Files are changed under a lock alone.")
        return self._files.locked

    def hold(self, names: Sequence[str]) -> Dict[str, InstallError]:
        def one(name: str) -> None:
            if name in self._open:
                begun = self._open.pop(name)
                self._open[name] = transaction.hold(self.certificates[name].module, begun)

        return self._each(names, one)

    def put_back(self, names: Sequence[str]) -> Dict[str, InstallError]:
        def one(name: str) -> None:
            if name in self._open:
                transaction.undo(self.certificates[name].module, self._open[name])
                del self._open[name]
            self.plans.pop(name, None)

        return self._each(list(reversed(list(names))), one)

    def let_go(self, names: Sequence[str]) -> Dict[str, InstallError]:
        def one(name: str) -> None:
            if name not in self._open:
                return
            held = self._open[name]
            self.backups[name] = transaction.let_go(self.certificates[name].module, held)
            del self._open[name]
            if held.owes:
                if name in self._due:
                    transaction.done(self._due[name])
                self._due[name] = held

        return self._each(names, one)

    def done(self, name: str) -> None:
        transaction.done(self._due[name])
        del self._due[name]

    @staticmethod
    def _each(names: Sequence[str], work: Callable[[str], None]) -> Dict[str, InstallError]:
        failed = {}
        for name in names:
            try:
                work(name)
            except InstallError as exc:
                failed[name] = exc
            except OSError as exc:
                failed[name] = InstallError(f"Its files could not be changed: {cause(exc)}.")
        return failed

    # Commands and services

    def run(self, what: str, command: str, name: str) -> None:
        words = _commands.words(what, command)
        try:
            ended = self._run(words, self._variables(what, name))
        except OSError as exc:
            raise InstallError(f"{what}: {words[0]} could not be run: {cause(exc)}.") from exc
        if not ended.well:
            raise InstallError(f"{what}: the command {words[0]} {ended.how}.", ended.details)

    def _variables(self, what: str, name: str) -> Dict[str, str]:
        certificate = self.certificates[name]
        installed = certificate.look(self._files.view)
        notes = self._open.get(name, self._due.get(name))
        before = (notes.notes or {}).get(_TLSA, _NOTHING) if notes is not None else tlsa(installed)
        # What is due may be so since an earlier run, and the one that is wanted by now have been refused or gone back.
        told = None if what == "run_before" and certificate.parts is not None else installed
        return certificate.variables(told, "" if before == _NOTHING else before)

    def _run(self, words: List[str], variables: Optional[Dict[str, str]] = None) -> _commands.Ended:
        given = _commands.environment(variables or {}, os.environ)
        return _commands.run(words, self._conditions.command_timeout, given)

    def _service(self, name: str) -> services.Service:
        how = self._conditions.services.get(name) or {}
        command = how.get("command")
        words = None if command is None else _commands.words(f"services: {name}", str(command))
        return services.Service(name, how.get("state") == "restarted", words)

    def require_services(self, names: Sequence[str]) -> None:
        manager = services.manager(self._run)
        try:
            for name in names:
                services.require_known(self._service(name), manager)
        except InstallError as exc:
            raise unchanged(exc) from exc

    def running(self, names: Sequence[str]) -> FrozenSet[str]:
        return services.running(names, services.manager(self._run))

    def take_new_files(self, service: str, ended: bool) -> str:
        meant, ran = self._service(service), _noted(_RAN, service) in self._remembered
        return services.take_new_files(meant, services.manager(self._run), self._run, ended, ran)

    def foresee(self, service: str) -> str:
        ran = _noted(_RAN, service) in self._remembered
        return services.foresee(self._service(service), services.manager(self._run), ran)

    def tlsa_of_key(self, path: str) -> Optional[str]:
        """The TLSA value of a private key file, None where this host cannot tell: no openssl, or a passphrase."""
        try:
            # Without a passphrase there would be a question, on the terminal.
            ended = self._run(["openssl", "pkey", "-in", path, "-pubout", "-passin", "pass:"])
        except OSError:
            return None
        blocks = _pem.blocks(ended.stdout, "PUBLIC KEY")
        der = _pem.dearmour(blocks[0]) if ended.well and blocks else None
        return None if der is None else _pem.tlsa(hashlib.sha256(der).hexdigest())

    # Endpoints

    def look(self, endpoints: Sequence[str]) -> Dict[str, Seen]:
        names = {self._endpoints[key].name for key in endpoints}
        kinds = {name: self._key_type(name) for name in names}
        own = {name: self._own(name) if any(self._others.values()) else frozenset() for name in names}

        def probe(key: str) -> Dict[str, Any]:
            self.looked.pop(key, None)
            endpoint = self._endpoints[key]
            others = self._others.get(key, frozenset()) - own[endpoint.name]
            try:
                self.looked[key] = self._probe_one(endpoint.look, kinds[endpoint.name], others)
            except EndpointError as exc:
                told = {"reason": str(exc), "undetermined": exc.undetermined}
                self.looked[key] = {**(exc.shown or {}), **told}
                raise
            except CollectError as exc:
                self.looked[key] = {"reason": str(exc), "undetermined": True}
                raise
            return self.looked[key]

        return looks.look({key: key for key in endpoints}, probe)

    def _key_type(self, name: str) -> Optional[str]:
        """Of what kind the key of the certificate is that is looked for."""
        with contextlib.suppress(InstallError):
            return self.certificates[name].key_type(self._files.view)
        return None

    def _own(self, name: str) -> FrozenSet[str]:
        """The fingerprints of a certificate: as it is to be installed, and as it is."""
        prints = {self.certificates[name].fingerprint}
        with contextlib.suppress(InstallError):
            prints.add(self.installed(name))
        return frozenset(one for one in prints if one)

    def look_until(self, wanted: Dict[str, str]) -> Dict[str, Seen]:
        return looks.look_until(wanted, self._conditions.patience, self.look)
