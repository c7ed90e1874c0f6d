# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of ``collectssl_deploy`` on its host: from options to units, each brought into service, and their story.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import functools
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import engine, temporary
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import (
    Certificate,
    fingerprint,
    shared,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.detached import Killed, detached
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.host import (
    Conditions,
    Files,
    NotLocked,
    ThisHost,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.units import units
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    EndpointError,
    InstallError,
    OptionError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.plugins.module_utils._python import is_ssl, without_ssl
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable

try:
    from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import (
        endpoint_of,
        probe,
    )

    HAS_SSL = True
except ImportError as missing:
    if not is_ssl(missing):
        raise
    HAS_SSL = False


def deploy(module: Any) -> Dict[str, Any]:
    """Bring into service what the options of ``module``, an ``AnsibleModule``, say; the results of the task.

    What befalls a certificate is in the results, and raises nothing. In check mode nothing is changed, and they foresee
    what would come of it. Raises ``InstallError`` where nothing could be done at all.
    """
    if module.check_mode:
        return _told(module, _work(module))
    # What has begun comes to its end, whatever becomes of whoever asked for it.
    try:
        return _told(module, detached(lambda: _work(module)))
    except Killed as exc:
        return _told(module, _ended(module, exc))


def _told(module: Any, result: Dict[str, Any]) -> Dict[str, Any]:
    for warning in result.pop("warnings"):
        module.warn(warning)
    return result


def _work(module: Any) -> Dict[str, Any]:
    warnings: List[str] = []
    with _folder_of_its_own(module), Places() as places:
        result = _Call(module, places, warnings.append).run()
    result["warnings"] = list(dict.fromkeys(decodable(warning) for warning in warnings))
    return result


def _ended(module: Any, killed: Killed) -> Dict[str, Any]:
    """The results of a run whose work something killed: what it had begun is ended, as the next run would do it.

    Nothing new is begun: what killed it once, such as a lack of memory, would do so again.
    """
    wanted = {one["name"]: one for one in module.params["certificates"]}
    module.params["certificates"] = [
        {**one, "content": None, "state": "present", "endpoints": [] if one["state"] == "absent" else one["endpoints"]}
        for one in wanted.values()
    ]
    try:
        result = detached(lambda: _work(module))
    except Killed:
        raise InstallError(str(killed), {"end_unknown": True}, settled=True) from killed
    result["warnings"].insert(0, f"{killed} What it had begun was ended by another one.")
    for one in result["certificates"]:
        if one["state"] in (engine.IN_SERVICE, engine.INSTALLED, engine.TO_BE_LOOKED_AT):
            _judge(one, wanted[one["name"]], killed)
    result["rolled_back"] = [one["name"] for one in result["certificates"] if one["state"] == engine.ROLLED_BACK]
    return result


def _judge(told: Dict[str, Any], wanted: Mapping[str, Any], killed: Killed) -> None:
    """Say of a certificate with which all is well, whichever is installed, what became of the one that was wanted."""
    if wanted["state"] == "absent" and told["installed"] is None:
        told["state"] = engine.ABSENT
    elif wanted["state"] == "absent" or (
        wanted["content"] and fingerprint(_pem.blocks(wanted["content"])[0]) != fingerprint(told["installed"])
    ):
        told["state"] = engine.ROLLED_BACK
        told["msg"] = f"{killed} Its files are as they were."


@contextlib.contextmanager
def _folder_of_its_own(module: Any) -> Iterator[None]:
    """A temporary folder that nobody removes while the work goes on."""
    # That of the module is removed with it, what is needed is for files with keys, and the one in the home folder would
    # be made where it is not there, with a warning that nobody can do anything about.
    with contextlib.ExitStack() as stack:
        try:
            module._tmpdir = stack.enter_context(temporary.folder())
        except OSError as exc:
            raise InstallError(f"A temporary folder could not be made: {cause(exc)}. Nothing was changed.") from exc
        yield


class _Told(NamedTuple):
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


class _Call:
    def __init__(self, module: Any, places: Places, warn: Callable[[str], None]) -> None:
        self._module = module
        self._places = places
        self._warn = warn
        self._shown: Mapping[str, str] = module.params.get("_shown") or {}
        self._told: Dict[str, _Told] = {}
        self._services: Dict[str, str] = {}
        self._seen: List[Dict[str, Any]] = []
        self._certificates: Dict[str, Certificate] = {}
        self._endpoints = _endpoints(module.params)
        self._conditions = Conditions(
            module.params["command_timeout"],
            Patience(module.params["probe_retries"], module.params["probe_delay"]),
            module.params["services"],
        )

    def run(self) -> Dict[str, Any]:
        """All units, one after the other."""
        for params in self._module.params["certificates"]:
            try:
                self._certificates[params["name"]] = Certificate(self._module, params, self._places, self._warn)
            except InstallError as exc:
                self._told[params["name"]] = _Told(engine.REFUSED, [f"{exc} No file was changed."])
        for names in units([(name, shared(one)) for name, one in self._certificates.items()]):
            _Unit(self, [self._certificates[name] for name in names]).run()
        return self._result()

    def wanted(self, certificate: Certificate, beside: Sequence[Certificate]) -> engine.Wanted:
        """A certificate as the engine knows it; ``beside`` are those of its unit."""
        params = certificate.params
        tied = [one.name for one in beside if one is not certificate and one.paths & certificate.paths]
        own = [key for key, one in self._endpoints.items() if one.name == certificate.name]
        return engine.Wanted(
            certificate.name,
            certificate.fingerprint,
            tuple(params["services"]),
            tuple(key for key in own if not self._endpoints[key].elsewhere),
            any(self._endpoints[key].elsewhere for key in own),
            params["validate"],
            tuple(params["run_before"]),
            tuple(params["run_after"]),
            certificate.absent,
            frozenset(tied),
        )

    def host(self, certificates: Sequence[Certificate]) -> ThisHost:
        """The host for a unit."""
        names = {one.name for one in certificates}
        endpoints = {key: one.look for key, one in self._endpoints.items() if one.name in names and not one.elsewhere}
        return ThisHost(certificates, endpoints, _probe, self._conditions)

    @property
    def shown(self) -> Mapping[str, str]:
        """What the controller saw."""
        return self._shown

    @property
    def module(self) -> Any:
        """The module."""
        return self._module

    @property
    def places(self) -> Places:
        """The folders of the call."""
        return self._places

    @property
    def warn(self) -> Callable[[str], None]:
        """Takes a warning."""
        return self._warn

    def tell(self, name: str, told: _Told) -> None:
        """Note what became of a certificate."""
        self._told[name] = told

    def tell_of_services(self, done: Mapping[str, str]) -> None:
        """Note what was done to services."""
        self._services.update(done)

    def tell_of_endpoints(self, host: ThisHost, showing: Mapping[str, Optional[str]]) -> None:
        """Note what endpoints showed; ``showing`` is the fingerprint that each certificate's are to show."""
        for key, endpoint in self._endpoints.items():
            if endpoint.name not in showing or key not in host.looked:
                continue
            looked = host.looked[key]
            seen = looked.get("fingerprint_sha256")
            serves = seen is not None and seen == showing[endpoint.name]
            self._seen.append(
                {
                    "certificate": endpoint.name,
                    **endpoint.address,
                    "fingerprint_sha256": seen,
                    # The controller knows the one that it is to show.
                    "served": None if serves else looked.get("certificate"),
                    "verified": looked.get("verified"),
                    "verify_error": looked.get("verify_error"),
                    "serves": serves,
                    "reason": looked.get("reason", ""),
                }
            )

    def _result(self) -> Dict[str, Any]:
        certificates = []
        for params in self._module.params["certificates"]:
            told = self._told[params["name"]]
            certificates.append(
                {
                    "name": params["name"],
                    "state": told.state,
                    "msg": " ".join(decodable(message) for message in told.messages),
                    "changed": told.changed,
                    "installed": told.installed,
                    "before": told.before,
                    "files": list(told.files),
                    "pending_tlsa": told.pending_tlsa,
                    # For the controller, which has to know what going back would restore.
                    "before_fingerprint": told.before_fingerprint,
                }
            )
        result: Dict[str, Any] = {
            "changed": any(one["changed"] for one in certificates),
            "certificates": certificates,
            "services": [{"name": name, "action": action} for name, action in self._services.items()],
            "endpoints": self._seen,
            "rolled_back": [one["name"] for one in certificates if one["state"] == engine.ROLLED_BACK],
        }
        if self._module._diff:
            result["diff"] = [entry for told in self._told.values() for entry in told.diff]
        return result


class _Unit:
    """Certificates that stand and fall together, on their way on this host."""

    def __init__(self, call: _Call, certificates: Sequence[Certificate]) -> None:
        self._call = call
        self._module = call.module
        self._certificates = certificates
        self._barred: Dict[str, InstallError] = {}
        self._begin()
        self._before: Dict[str, Optional[str]] = {}

    def _begin(self) -> None:
        self._host = self._call.host(self._certificates)
        self._host.barred.update(self._barred)
        wanted = [self._call.wanted(certificate, self._certificates) for certificate in self._certificates]
        self._unit = engine.Unit(self._host, wanted, self._call.shown)

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
        for certificate in self._certificates:
            self._or_bar(certificate, functools.partial(transaction.require_own, certificate.places))
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

    def _lock(self, stack: contextlib.ExitStack, take: Callable[..., Any]) -> transaction.Locked:
        """Take the files for this run, to the end of ``stack``; less those whose folder does not allow that."""
        try:
            locked: transaction.Locked = stack.enter_context(take(self._call.places, self._places()))
            return locked
        except InstallError as exc:
            # Another run is under way there, or was, and that is not to be waited for again.
            if exc.settled:
                raise
            for certificate in self._certificates:
                self._or_bar(certificate, functools.partial(self._try_lock, certificate, take))
        again: transaction.Locked = stack.enter_context(take(self._call.places, self._places()))
        return again

    def _try_lock(self, certificate: Certificate, take: Callable[..., Any]) -> None:
        with take(self._call.places, certificate.places):
            pass

    def _or_bar(self, certificate: Certificate, work: Callable[[], None]) -> None:
        """Do some work that files of a certificate have to allow before they can be changed; it alone is in its way."""
        try:
            work()
        except InstallError as exc:
            barred = exc if exc.settled else InstallError(f"{exc} No file was changed.", exc.details, settled=True)
            self._barred.setdefault(certificate.name, barred)
            self._host.barred.setdefault(certificate.name, barred)

    def _places(self) -> List[Any]:
        return [place for one in self._certificates if one.name not in self._barred for place in one.places]

    def _look_before(self, view: View) -> None:
        for certificate in self._certificates:
            with contextlib.suppress(InstallError):
                self._before[certificate.name] = certificate.look(view)

    def _tell(self) -> None:
        self._call.tell_of_services(self._unit.services)
        # Of one that was refused, what is installed is what is to be seen.
        showing = {
            report.name: report.showing or fingerprint(self._before.get(report.name)) for report in self._unit.reports
        }
        self._call.tell_of_endpoints(self._host, showing)
        for certificate, report in zip(self._certificates, self._unit.reports):
            plan = self._host.plans.get(report.name)
            stays = report.state not in (engine.REFUSED, engine.FAILED, engine.ROLLED_BACK) or report.changed
            told = plan if stays and report.state != engine.ROLLED_BACK else None
            if told is not None and not self._module.check_mode:
                records.leave(self._call.places, list(told.proofs))
            if told is not None and told.move is not None and told.move.warning is not None:
                self._call.warn(told.move.warning)
            installed = before = self._before.get(report.name)
            # Only who foresees has time for what nobody waits for.
            pending = certificate.pending_key if self._module.check_mode else None
            if not self._module.check_mode:
                with contextlib.suppress(InstallError):
                    installed = certificate.look(View({}))
            self._call.tell(
                report.name,
                _Told(
                    report.state,
                    report.messages,
                    report.changed,
                    installed,
                    self._as_it_was(report, before),
                    [] if told is None else told.files(self._host.backups.get(report.name, {})),
                    [] if told is None else told.diff(),
                    None if pending is None else self._host.tlsa_of_key(pending),
                    report.before,
                ),
            )

    @staticmethod
    def _as_it_was(report: engine.Report, seen: Optional[str]) -> Optional[str]:
        """The one that was installed before, unless an earlier run had switched it: then only its digest is known."""
        return seen if report.before is None or fingerprint(seen) == report.before else None


class _Look(NamedTuple):
    """An endpoint of a certificate: its address as results say it, what to look at, and whether the controller does."""

    name: str
    address: Dict[str, Any]
    look: Any
    elsewhere: bool


def _endpoints(params: Mapping[str, Any]) -> Dict[str, _Look]:
    """The endpoints of all certificates, by what messages call them."""
    found: Dict[str, _Look] = {}
    for certificate in params["certificates"]:
        for endpoint in certificate["endpoints"]:
            elsewhere = endpoint["connect_from"] == "controller"
            look: Any = None
            if HAS_SSL and not elsewhere:
                try:
                    look = endpoint_of({**endpoint, "timeout": params["probe_timeout"]})
                except OptionError as exc:
                    raise InstallError(f"{certificate['name']}: endpoints: {exc} Nothing was changed.") from exc
            address = {name: endpoint.get(name) for name in ("host", "port", "server_name", "starttls", "connect_from")}
            found[_called(found, certificate["name"], endpoint)] = _Look(certificate["name"], address, look, elsewhere)
    return found


def _called(found: Mapping[str, Any], name: str, endpoint: Mapping[str, Any]) -> str:
    """What messages call an endpoint; each has its own."""
    more = [str(endpoint[key]) for key in ("server_name", "starttls") if endpoint.get(key)]
    told = f"{endpoint['host']} port {endpoint['port']}{' (' + ', '.join(more) + ')' if more else ''}"
    for candidate in (told, f"{told} of {name}"):
        if candidate not in found:
            return candidate
    number = 2
    while f"{told} of {name}, {number}" in found:
        number += 1
    return f"{told} of {name}, {number}"


def _probe(endpoint: Any) -> Dict[str, Any]:
    if not HAS_SSL:
        raise EndpointError(f"It could not be looked at from this host: {without_ssl()}")
    return dict(probe(endpoint))
