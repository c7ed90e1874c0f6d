# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a chain on a target: look, and if there is anything to do, do it under a lock as one transaction.

This module util is private to the collection. It can have breaking changes at any time.
"""

import shlex
from typing import Any, Dict, FrozenSet, List

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import journal as _journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import locks as _directory_lock
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import recovery as _recovery
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.transaction import Transaction, steps_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import destinations as _destinations
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import plan as _plan
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.plan import Plan


def install(module: Any) -> Dict[str, Any]:
    """Install ``content`` as the options of ``module``, an ``AnsibleModule``, say; the results of the task.

    The results are ``changed``, ``files`` and, in diff mode, ``diff``. In check mode nothing is touched and the results
    are the same, except that no backup has a name yet. Raises ``InstallError`` with the files as they were.
    """
    try:
        return _Installation(module).run()
    except OSError as exc:
        raise InstallError(f"{exc.filename or 'A file'}: {exc.strerror or exc}. No file was changed.") from exc


class _Installation:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._wanted = _destinations.destinations(module.params)
        self._parts = _destinations.bundle(module.params)
        self._validate = _words(module.params.get("validate"))
        self._attributes = FileAttributes(module)
        everything = self._wanted.everything()
        self._paths = [destination.real for destination in everything]
        self._directories = [destination.directory for destination in everything]

    def run(self) -> Dict[str, Any]:
        with _directory_lock.locked(self._directories, exclusive=False):
            journals = _journal.find(self._paths)
            idle = not journals and not _journal.leftovers(self._paths)
            if idle or self._module.check_mode:
                plan = self._plan(*_recovery.foresee(self._module, journals))
                if self._module.check_mode or not plan.replaces:
                    return self._result(plan, {})
        # Released in between: two runs that both wait to be the only one would wait for each other.
        with _recovery.alone(self._paths) as journals:
            return self._change(journals)

    def _change(self, journals: List[_journal.Journal]) -> Dict[str, Any]:
        undone = _recovery.undo(self._module, journals, self._attributes)
        plan = self._plan(_journal.View([]), undone)
        _recovery.sweep(self._paths)
        backups: Dict[str, str] = {}
        if plan.replaces:
            steps = steps_of(plan, bool(self._module.params["backup"]))
            backups = Transaction(self._module, steps, self._attributes, self._validate).run()
        return self._result(plan, backups)

    def _plan(self, view: _journal.View, undone: FrozenSet[str]) -> Plan:
        return _plan.make(self._module, self._wanted, self._parts, self._attributes, view, undone)

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
