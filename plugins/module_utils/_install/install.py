# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a chain on a target: look, and if there is anything to do, do it under a lock as one transaction.

This module util is private to the collection. It can have breaking changes at any time.
"""

import shlex
from typing import Any, Dict, FrozenSet, List

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
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
        return _Installation(module, undone).run()
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
    def __init__(self, module: Any, undone: List[str]) -> None:
        self._module = module
        self._undone = undone
        self._wanted = destinations(module.params)
        self._parts = chain_parts(module.params)
        self._validate = _words(module.params.get("validate"))
        self._attributes = FileAttributes(module)
        self._paths = [destination.real for destination in self._wanted.everything()]

    def run(self) -> Dict[str, Any]:
        with transaction.locked_for_reading(self._paths):
            unfinished = transaction.find(self._paths)
            idle = not unfinished and transaction.is_clean(self._paths)
            if idle or self._module.check_mode:
                plan = self._plan(*transaction.preview(self._module, unfinished))
                if self._module.check_mode or not plan.replaces:
                    return self._result(plan, {})
        # Released in between: two runs that both wait to be the only one would wait for each other.
        with transaction.locked_for_change(self._paths) as unfinished:
            return self._change(unfinished)

    def _change(self, unfinished: transaction.Unfinished) -> Dict[str, Any]:
        undone = transaction.undo(self._module, unfinished, self._attributes)
        self._undone.extend(undone)
        plan = self._plan(View({}), undone)
        transaction.sweep(self._paths)
        backups: Dict[str, str] = {}
        if plan.replaces:
            steps = plan.steps(bool(self._module.params["backup"]))
            backups = transaction.commit(self._module, steps, self._attributes, self._validate)
        return self._result(plan, backups)

    def _plan(self, view: View, undone: FrozenSet[str]) -> Plan:
        return make_plan(self._module, self._wanted, self._parts, self._attributes, view, undone)

    def _result(self, plan: Plan, backups: Dict[str, str]) -> Dict[str, Any]:
        files = plan.files(backups)
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
