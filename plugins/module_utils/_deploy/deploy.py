# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of ``collectssl_deploy`` on its host: from options to units, each brought into service, and their story.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Set

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import engine, temporary
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import (
    Certificate,
    fingerprint,
    shared,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.detached import Killed, detached
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.endpoints import beside, endpoints
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.host import Conditions
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.unit import Surroundings, Told, UnitHere
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.units import units
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable


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


class _Call:
    def __init__(self, module: Any, places: Places, warn: Callable[[str], None]) -> None:
        self._module = module
        self._told: Dict[str, Told] = {}
        self._services: Dict[str, str] = {}
        self._seen: List[Dict[str, Any]] = []
        patience = Patience(module.params["probe_retries"], module.params["probe_delay"])
        self._around = Surroundings(
            module,
            places,
            warn,
            module.params.get("_shown") or {},
            endpoints(module.params),
            Conditions(module.params["command_timeout"], patience, module.params["services"]),
        )

    def run(self) -> Dict[str, Any]:
        """All units, one after the other."""
        certificates: Dict[str, Certificate] = {}
        for params in self._module.params["certificates"]:
            try:
                certificates[params["name"]] = Certificate(self._module, params, self._around.places, self._around.warn)
            except InstallError as exc:
                self._told[params["name"]] = Told(engine.REFUSED, [f"{exc} No file was changed."])
        self._around = self._around._replace(others=self._others(certificates))
        for names in units([(name, shared(one)) for name, one in certificates.items()]):
            unit = UnitHere(self._around, [certificates[name] for name in names])
            unit.run()
            self._told.update(unit.told)
            self._services.update(unit.services)
            self._seen.extend(unit.seen)
        return self._result()

    def _others(self, certificates: Mapping[str, Certificate]) -> Dict[str, FrozenSet[str]]:
        """What other certificates of the call have endpoints show by right: which is installed, and which is to be."""
        known = beside(self._around.endpoints)
        prints: Dict[str, Set[str]] = {}
        for name in frozenset().union(*known.values()).intersection(certificates):
            one = certificates[name]
            prints[name] = {one.fingerprint or ""}
            with contextlib.suppress(InstallError):
                prints[name].add(fingerprint(one.look(View({}))) or "")
        return {
            key: frozenset().union(*(prints.get(name, ()) for name in names)) - {""} for key, names in known.items()
        }

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
                    "held": told.held,
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
