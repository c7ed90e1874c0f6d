# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback point: copies of files, or the note that there were none, kept until something is proven to work.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import re
from typing import Any, Collection, Dict, FrozenSet, Iterable, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._rollback.folder import (
    DamagedPoint,
    Manifest,
    RollbackFolder,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}\Z")
_CHUNK = 1 << 16


class _Now(NamedTuple):
    """The files as the work finds them: how to read them, and which of them an interrupted installation had changed."""

    view: View
    undone: FrozenSet[str]

    def source(self, path: str) -> Optional[str]:
        """Where a file is read; None if there is none. A file that may not be looked at is no missing one."""
        disk.inode(path)
        return self.view.source(path)


class RollbackPoint:
    """The rollback point that the options of ``module``, an ``AnsibleModule``, name. Errors are ``InstallError``."""

    def __init__(self, module: Any) -> None:
        self._module = module
        name, directory = module.params["name"], module.params["directory"]
        if not _NAME.match(name):
            raise InstallError(
                f"name: {name!r} cannot name a rollback point; use letters, digits and . _ @ + - only, "
                "beginning with a letter or digit."
            )
        if not os.path.isabs(directory):
            raise InstallError(f"directory: {directory} is a relative path; give an absolute one.")
        self._folder = RollbackFolder(directory, name)
        self._paths = [_real(path) for path in module.params["paths"] or []]

    def keep(self) -> Dict[str, Any]:
        """Copy the files as they are now. What the point holds already stays: older, it is nearer to what works."""
        if not self._paths:
            raise InstallError("paths: name at least one file to keep.")
        with contextlib.ExitStack() as locks:
            now = self._locked(locks, self._paths)
            self._folder.require_trusted()
            known = self._folder.manifest()
            held = dict(known or {})
            new = [path for path in dict.fromkeys(self._paths) if path not in held]
            with doing("The files to be kept could not be looked at"):
                sources = {path: now.source(path) for path in new}
            for path, source in sources.items():
                if source is not None and not os.path.isfile(source):
                    raise InstallError(f"{path} is not a regular file, so it cannot be kept.")
            sources.update((path, name and self._folder.copy(path)) for path, name in held.items())
            if new and not self._module.check_mode:
                self._folder.keep(held, new)
            changed = bool(new or now.undone)
            return self._result(changed, known is not None, self._in_order(sources), now.undone)

    def restore(self) -> Dict[str, Any]:
        """Put the files back as one transaction; the point stays."""
        while True:
            known = self._folder.manifest()
            if known is None:
                return self._result(False, False, {}, ())
            with contextlib.ExitStack() as locks:
                now = self._locked(locks, known)
                # Only now nobody else changes the point; if somebody did before, there are other files to lock.
                if self._folder.manifest() == known:
                    return self._put_back(known, now)

    def drop(self) -> Dict[str, Any]:
        """Remove the point, damaged or not, and the folder of all points with the last of them."""
        locked = transaction.locked_for_reading if self._module.check_mode else transaction.locked_for_change
        with locked([], [self._folder.parent]):
            changed = self._folder.exists
            known: Optional[Manifest] = None
            if changed:
                self._folder.require_trusted()
                try:
                    known = self._folder.manifest()
                except DamagedPoint:
                    known = {}
            if not self._module.check_mode:
                self._folder.remove()
            return self._result(changed, known is not None, self._in_order(known or {}), (), fingerprints=False)

    def _locked(self, locks: contextlib.ExitStack, paths: Collection[str]) -> _Now:
        """While ``locks`` are held nobody else changes these files or the point; interrupted installations are undone.

        In check mode the files only look like that, and others may look at them, too.
        """
        if self._module.check_mode:
            locks.enter_context(transaction.locked_for_reading(paths, [self._folder.parent]))
            return _Now(*transaction.preview(self._module, transaction.find(paths)))
        unfinished = locks.enter_context(transaction.locked_for_change(paths, [self._folder.parent]))
        undone = transaction.undo(self._module, unfinished, FileAttributes(self._module))
        transaction.sweep(paths)
        return _Now(View({}), undone)

    def _put_back(self, known: Manifest, now: _Now) -> Dict[str, Any]:
        known = self._in_order(known)
        with doing("The files to be put back could not be compared"):
            steps = self._steps(known, now)
        if not self._module.check_mode:
            self._folder.tidy(known)
            if steps:
                transaction.commit(self._module, steps, FileAttributes(self._module), [])
        restored = now.undone.union(step.path for step in steps)
        sources = {path: name and self._folder.copy(path) for path, name in known.items()}
        return self._result(bool(restored), True, sources, restored)

    def _in_order(self, known: Manifest) -> Manifest:
        """The files in the order the task names them, and then those it does not name."""
        named = {path: known[path] for path in self._paths if path in known}
        named.update((path, name) for path, name in known.items() if path not in named)
        return named

    def _steps(self, known: Manifest, now: _Now) -> Tuple[Step, ...]:
        steps = []
        for path in reversed(list(known)):
            source, copy = now.source(path), self._folder.copy(path)
            if source is not None and os.path.isdir(source):
                raise InstallError(f"{path} is a directory now, so it cannot be put back. Nothing was changed.")
            if known[path] is None:
                if source is not None:
                    steps.append(Step(path, True))
            elif source is None or not _same(copy, source):
                if not os.path.isdir(os.path.dirname(path)):
                    raise InstallError(f"{path}: its directory does not exist any more. Nothing was changed.")
                steps.append(Step(path, source is not None, origin=copy, own=True))
        return tuple(steps)

    @staticmethod
    def _result(
        changed: bool, found: bool, sources: Manifest, altered: Iterable[str], fingerprints: bool = True
    ) -> Dict[str, Any]:
        """The results of the task; ``sources`` says where each file of the point can be read as it was kept."""
        altered = frozenset(altered)
        files = [
            {
                "path": path,
                "existed": source is not None,
                "changed": path in altered,
                "fingerprint_sha256": _fingerprint(source) if fingerprints else None,
            }
            for path, source in sources.items()
        ]
        found_in = [file["fingerprint_sha256"] for file in files if file["fingerprint_sha256"]]
        return {
            "changed": changed,
            "found": found,
            "files": files,
            "fingerprint_sha256": found_in[0] if found_in else None,
        }


def _real(path: str) -> str:
    if not os.path.isabs(path):
        raise InstallError(f"paths: {path} is a relative path; give an absolute one.")
    return os.path.realpath(path)


def _same(copy: str, path: str) -> bool:
    if not os.path.isfile(path) or not _same_content(copy, path):
        return False
    one, other = disk.protection(copy), disk.protection(path)
    # Nobody but root can give a copy to somebody else.
    return one == other if os.geteuid() == 0 else one.mode == other.mode


def _same_content(copy: str, path: str) -> bool:
    if os.path.getsize(copy) != os.path.getsize(path):
        return False
    with open(copy, "rb") as one, open(path, "rb") as other:
        while True:
            chunk = one.read(_CHUNK)
            if chunk != other.read(_CHUNK):
                return False
            if not chunk:
                return True


def _fingerprint(source: Optional[str]) -> Optional[str]:
    """The fingerprint of the first certificate in a file, None where there is none."""
    data = None if source is None or not os.path.isfile(source) else disk.read(source)
    blocks = _pem.blocks((data or b"").decode("latin-1"))
    der = _pem.dearmour(blocks[0]) if blocks else None
    return _pem.fingerprint(der) if der else None
