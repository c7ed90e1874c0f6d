# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback point: copies of files, or the note that there were none, kept until something is proven to work.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import re
import stat
from typing import Any, Collection, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple, TypeVar

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places, in_folder
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._rollback.folder import (
    DamagedPoint,
    Manifest,
    RollbackFolder,
)

_Kept = TypeVar("_Kept")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}\Z")


class _Now(NamedTuple):
    """The files as the work finds them: how to read them, and which of them an interrupted installation had changed."""

    view: View
    undone: FrozenSet[str]

    def source(self, place: Place) -> Optional[Place]:
        """Where a file is read; None if there is none. A file that may not be looked at is no missing one."""
        disk.inode(place)
        return self.view.source(place)


class RollbackPoint:
    """The rollback point that the options of ``module``, an ``AnsibleModule``, name. Errors are ``InstallError``."""

    def __init__(self, module: Any, places: Places) -> None:
        self._module = module
        self._places = places
        name, directory = module.params["name"], module.params["directory"]
        if not _NAME.match(name):
            raise InstallError(
                f"name: {name!r} cannot name a rollback point; use letters, digits and . _ @ + - only, "
                "beginning with a letter or digit."
            )
        if not os.path.isabs(directory):
            raise InstallError(f"directory: {directory} is a relative path; give an absolute one.")
        self._folder = RollbackFolder(directory, name, places)
        self._paths = [self._find(path).path for path in module.params["paths"] or []]

    def keep(self) -> Dict[str, Any]:
        """Copy the files as they are now. What the point holds already stays: older, it is nearer to what works."""
        if not self._paths:
            raise InstallError("paths: name at least one file to keep.")
        with contextlib.ExitStack() as locks:
            now, _locked = self._locked(locks, self._paths)
            self._folder.require_trusted()
            known = self._folder.manifest()
            held = dict(known or {})
            new = [path for path in dict.fromkeys(self._paths) if path not in held]
            with doing("The files to be kept could not be looked at"):
                sources = {path: now.source(self._find(path)) for path in new}
            for path, source in sources.items():
                if source is not None and not _is_file(source):
                    raise InstallError(f"{path} is not a regular file, so it cannot be kept.")
            sources.update((path, self._folder.copy(path) if name else None) for path, name in held.items())
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
                now, locked = self._locked(locks, known)
                # Only now nobody else changes the point; if somebody did before, there are other files to lock.
                if self._folder.manifest() == known:
                    return self._put_back(known, now, locked)

    def drop(self) -> Dict[str, Any]:
        """Remove the point, damaged or not, and the folder of all points with the last of them."""
        locked = transaction.locked_for_reading if self._module.check_mode else transaction.locked_for_change
        with locked(self._places, self._beside()):
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
            gone: Dict[str, Optional[Place]] = {
                path: self._folder.copy(path) if name else None for path, name in self._in_order(known or {}).items()
            }
            return self._result(changed, known is not None, gone, (), fingerprints=False)

    def _locked(self, locks: contextlib.ExitStack, paths: Collection[str]) -> Tuple[_Now, transaction.Locked]:
        """While ``locks`` are held nobody else changes these files or the point; interrupted installations are undone.

        In check mode the files only look like that, and others may look at them, too.
        """
        files = [self._find(path) for path in paths] + self._beside()
        if self._module.check_mode:
            locked = locks.enter_context(transaction.locked_for_reading(self._places, files))
            view, settled = transaction.preview(self._module, locked)
            return _Now(view, settled.put_back | settled.let_go), locked
        transaction.require_own(files)
        locked = locks.enter_context(transaction.locked_for_change(self._places, files))
        settled = transaction.settle(self._module, locked)
        return _Now(View({}), settled.put_back | settled.let_go), locked

    def _find(self, path: str) -> Place:
        if os.path.isdir(path):
            # Where a file is to be kept or put back, a folder is told in words of its own.
            folder = self._places.folder("paths", os.path.dirname(path))
            if folder is not None:
                return in_folder(folder, os.path.basename(path))
        return self._places.find("paths", path)

    def _beside(self) -> List[Place]:
        """A place in the folder that outlives all points, for its lock."""
        parent = self._places.folder("directory", self._folder.parent)
        return [] if parent is None else [in_folder(parent, "it")]

    def _put_back(self, known: Manifest, now: _Now, locked: transaction.Locked) -> Dict[str, Any]:
        known = self._in_order(known)
        with doing("The files to be put back could not be compared"):
            steps = self._steps(known, now)
        if not self._module.check_mode:
            self._folder.tidy(known)
            if steps:
                transaction.commit(self._module, locked, steps, FileAttributes(self._module), [])
        restored = now.undone.union(step.path for step in steps)
        sources = {path: self._folder.copy(path) if name else None for path, name in known.items()}
        return self._result(bool(restored), True, sources, restored)

    def _in_order(self, known: Dict[str, _Kept]) -> Dict[str, _Kept]:
        """The files in the order the task names them, and then those it does not name."""
        named = {path: known[path] for path in self._paths if path in known}
        named.update((path, name) for path, name in known.items() if path not in named)
        return named

    def _steps(self, known: Manifest, now: _Now) -> Tuple[Step, ...]:
        steps = []
        for path in reversed(list(known)):
            place = self._find(path)
            source, copy = now.source(place), self._folder.copy(path)
            if source is not None and not _is_file(source):
                raise InstallError(f"{path} is a directory now, so it cannot be put back. Nothing was changed.")
            if known[path] is None:
                if source is not None:
                    steps.append(Step(place, True))
            elif source is None or not _same(copy, source):
                if place.folder is None:
                    raise InstallError(f"{path}: its directory does not exist any more. Nothing was changed.")
                steps.append(Step(place, source is not None, origin=copy, own=True))
        return tuple(steps)

    @staticmethod
    def _result(
        changed: bool,
        found: bool,
        sources: Dict[str, Optional[Place]],
        altered: Iterable[str],
        fingerprints: bool = True,
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


def _is_file(place: Place) -> bool:
    status = place.status()
    return status is not None and stat.S_ISREG(status.st_mode)


def _same(copy: Place, place: Place) -> bool:
    if not _is_file(place) or disk.read(copy, None) != disk.read(place, None):
        return False
    one, other = disk.protection(copy), disk.protection(place)
    # Nobody but root can give a copy to somebody else.
    return one == other if os.geteuid() == 0 else one.mode == other.mode


def _fingerprint(source: Optional[Place]) -> Optional[str]:
    """The fingerprint of the first certificate in a file, None where there is none."""
    data = None if source is None or not _is_file(source) else disk.read(source)
    blocks = _pem.blocks((data or b"").decode("latin-1"))
    der = _pem.dearmour(blocks[0]) if blocks else None
    return _pem.fingerprint(der) if der else None
