# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a chain on a target: look, and if there is anything to do, do it under a lock as one transaction.

This module util is private to the collection. It can have breaking changes at any time.
"""

import shlex
from typing import Any, Dict, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import (
    chain_parts,
    destinations,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.plan import Plan, make_plan


def install(module: Any) -> Dict[str, Any]:
    """Install ``content`` as the options of ``module``, an ``AnsibleModule``, say; the results of the task.

    The results are ``changed``, ``files`` and, in diff mode, ``diff``. In check mode nothing is touched and the results
    are the same, except that no backup has a name yet. Raises ``InstallError`` with the files as they were, and tells.
    """
    undone: List[str] = []
    try:
        with Places() as places:
            return _Installation(module, places, undone).run()
    except InstallError as exc:
        if exc.settled:
            raise
        raise InstallError(f"{exc} {_left(undone)}", exc.details, settled=True) from exc
    except OSError as exc:
        raise InstallError(
            f"The files could not be looked at: {cause(exc)}.{advice(exc)} {_left(undone)}", settled=True
        ) from exc


def _left(undone: List[str]) -> str:
    """How the files are when there was no change: ``undone`` are those that an interrupted run had left half-done."""
    if not undone:
        return "No file was changed."
    return f"No file was changed, but that {', '.join(sorted(undone))} came back as before the interrupted run."


class _Installation:
    def __init__(self, module: Any, places: Places, undone: List[str]) -> None:
        self._module = module
        self._places = places
        self._undone = undone
        self._wanted = destinations(module.params, places)
        self._parts = chain_parts(module.params)
        self._validate = _words(module.params.get("validate"))
        self._attributes = FileAttributes(module)
        self._files = [destination.place for destination in self._wanted.everything()]

    def run(self) -> Dict[str, Any]:
        plan = self._seen()
        if plan is not None and not plan.replaces:
            return self._result(plan, {})
        transaction.require_own(self._files)
        if plan is not None and self._module.check_mode:
            return self._result(plan, {})
        if not self._module.check_mode:
            with transaction.locked_for_change(self._places, self._files) as locked:
                return self._change(locked)
        if plan is None:
            with transaction.locked_for_reading(self._places, self._files) as locked:
                plan = self._plan(*transaction.preview(self._module, locked))
        return self._result(plan, {})

    def _seen(self) -> Optional[Plan]:
        """The plan as the files are, None where a run was, or is, at them; nothing is locked for it."""
        moment = transaction.moment_of(self._files)
        if not transaction.is_clean(self._files):
            return None
        plan: Optional[Plan] = None
        failure: Optional[Exception] = None
        try:
            plan = self._plan(View({}), transaction.Settled())
        except (InstallError, OSError) as exc:
            failure = exc
        if not transaction.is_clean(self._files) or transaction.moment_of(self._files) != moment:
            return None  # what was seen, right or wrong, may be half of what a run made of it
        if failure is not None:
            raise failure
        return plan

    def _change(self, locked: transaction.Locked) -> Dict[str, Any]:
        settled = transaction.settle(self._module, locked)
        self._undone.extend(settled.put_back)
        plan = self._plan(View({}), settled)
        backups: Dict[str, str] = {}
        if plan.replaces:
            steps = plan.steps(bool(self._module.params["backup"]))
            backups = transaction.commit(self._module, locked, steps, self._attributes, self._validate)
        return self._result(plan, backups)

    def _plan(self, view: View, settled: transaction.Settled) -> Plan:
        touched = settled.put_back | settled.let_go
        return make_plan(self._module, self._wanted, self._parts, self._attributes, view, touched)

    def _result(self, plan: Plan, backups: Dict[str, str]) -> Dict[str, Any]:
        if not self._module.check_mode:
            records.leave(self._places, list(plan.proofs))
        files = plan.files(backups)
        if plan.move is not None and plan.move.warning is not None:
            self._module.warn(plan.move.warning)
        result: Dict[str, Any] = {"changed": any(file["changed"] for file in files), "files": files}
        if self._module._diff:
            result["diff"] = plan.diff()
        return result


def _words(command: Any) -> List[str]:
    try:
        words = shlex.split(command or "")
    except ValueError as exc:
        raise InstallError(f"validate: {command} is not a command: {exc}.") from exc
    if command is not None and not words:
        raise InstallError("validate: there is no command in it.")
    return words
