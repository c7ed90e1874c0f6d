# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback point: copies of files, or the note that there were none, kept until something is proven to work.

A point is a folder of this user alone. Its ``manifest.json`` appears in one step after every copy is whole and flushed,
and goes before any copy does; so a point is there as a whole or not at all, wherever a run is killed.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils import (
    _directory_lock,
    _disk,
    _pem,
    _recovery,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._destinations import Destination
from ansible_collections.certfleet.collectssl.plugins.module_utils._disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._file_attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._transaction import Step, Transaction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,199}\Z")
_MANIFEST, _DRAFT = "manifest.json", "manifest.draft"


class RollbackPoint:
    """The rollback point that the options of ``module``, an ``AnsibleModule``, name. Errors are ``InstallError``."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._name = module.params["name"]
        self._folder = os.path.join(module.params["directory"], self._name)
        if not _NAME.match(self._name):
            raise InstallError(
                f"name: {self._name!r} cannot name a rollback point; use letters, digits and . _ @ + - only, "
                "beginning with a letter or digit."
            )
        if not os.path.isabs(self._folder):
            raise InstallError(f"directory: {module.params['directory']} is a relative path; give an absolute one.")
        self._paths = [_real(path) for path in module.params["paths"] or []]

    def keep(self) -> Dict[str, Any]:
        """Copy the files as they are now. What the point holds already stays: older, it is nearer to what works."""
        if not self._paths:
            raise InstallError("paths: name at least one file to keep.")
        with self._only_one(self._paths):
            known = self._manifest()
            new = [path for path in self._paths if path not in (known or {})]
            wanted = dict(known or {})
            wanted.update((path, _copy_name(path) if os.path.lexists(path) else None) for path in new)
            wanted = self._in_order(wanted)
            changed = known is None or bool(new)
            if changed and not self._module.check_mode:
                self._create(known, wanted, new)
            sources = {path: self._copy(name) if path not in new else path for path, name in wanted.items()}
            return self._result(changed, known is not None, wanted, sources, ())

    def restore(self) -> Dict[str, Any]:
        """Put the files back as one transaction; the point stays."""
        known = self._manifest()
        if known is None:
            return self._result(False, False, {}, {}, ())
        with self._only_one(known):
            # Only now nobody else removes it.
            known = self._in_order(self._manifest() or {})
            sources = {path: self._copy(name) for path, name in known.items()}
            lost = [source for path, source in sources.items() if known[path] and not os.path.lexists(source or "")]
            if lost:
                raise InstallError(
                    f"The rollback point {self._folder} is damaged: there is no {lost[0]}. Nothing was changed."
                )
            with doing("The files to be put back could not be compared"):
                steps = self._steps(known)
            if steps and not self._module.check_mode:
                for step in steps:
                    if not os.path.isdir(step.destination.directory):
                        raise InstallError(f"{step.path}: its directory does not exist any more. Nothing was changed.")
                Transaction(self._module, steps, FileAttributes(self._module), []).run()
            return self._result(bool(steps), True, known, sources, tuple(step.path for step in steps))

    def drop(self) -> Dict[str, Any]:
        """Remove the point, and the folder of all points with the last of them."""
        known = self._manifest()
        changed = os.path.lexists(self._folder)
        if self._module.check_mode:
            return self._result(changed, known is not None, known or {}, {}, ())
        if changed:
            with doing(f"The rollback point {self._folder} could not be removed"):
                _disk.remove(os.path.join(self._folder, _MANIFEST))
                _disk.sync_directories([self._folder])
                shutil.rmtree(self._folder)
        # A run that was killed here has left it empty.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self._folder))
        return self._result(changed, known is not None, known or {}, {}, ())

    @contextlib.contextmanager
    def _only_one(self, paths: Iterable[str]) -> Iterator[None]:
        """Keep other runs from these files; outside check mode an installation that was interrupted is undone first."""
        paths = list(paths)
        if self._module.check_mode:
            with _directory_lock.locked([os.path.dirname(path) for path in paths], exclusive=False):
                yield
            return
        with _recovery.alone(paths) as journals:
            _recovery.undo(self._module, journals, FileAttributes(self._module))
            _recovery.sweep(paths)
            yield

    def _create(
        self, known: Optional[Dict[str, Optional[str]]], wanted: Dict[str, Optional[str]], new: List[str]
    ) -> None:
        with doing(f"The rollback point {self._folder} could not be made"):
            self._make_folders()
            if known is None:
                # A run that was killed while it made or removed the point has left these.
                for name in os.listdir(self._folder):
                    _disk.remove(os.path.join(self._folder, name))
            for path in new:
                copy = self._copy(wanted[path])
                if copy is None:
                    continue
                if not os.path.isfile(path):
                    raise InstallError(f"{path} is not a regular file, so it cannot be kept.")
                _disk.remove(copy)
                _disk.duplicate(path, copy, link=False)
                _disk.sync_file(copy)
            draft = os.path.join(self._folder, _DRAFT)
            _disk.remove(draft)
            _disk.create(draft, json.dumps({"files": list(wanted.items())}).encode("utf-8"))
            _disk.sync_directories([self._folder])
            os.rename(draft, os.path.join(self._folder, _MANIFEST))
            _disk.sync_directories([self._folder, os.path.dirname(self._folder)])

    def _make_folders(self) -> None:
        for folder in (os.path.dirname(self._folder), self._folder):
            if not os.path.lexists(folder):
                os.mkdir(folder, 0o700)
                # A umask may take rights away from the owner, too.
                os.chmod(folder, 0o700)
        self._trust()

    def _trust(self) -> None:
        """Make sure that nobody else can have written what would be put back, or read a private key."""
        for folder in (os.path.dirname(self._folder), self._folder):
            status = os.lstat(folder)
            if (
                not stat.S_ISDIR(status.st_mode)
                or status.st_uid != os.geteuid()
                or stat.S_IMODE(status.st_mode) & 0o077
            ):
                raise InstallError(
                    f"{folder} is not a folder of this user alone (mode 0700), so no rollback point can be trusted to "
                    "it. Nothing was changed. Run as the user who made it, or give another directory."
                )

    def _manifest(self) -> Optional[Dict[str, Optional[str]]]:
        """The copy of each file that the point holds, None for one that was not there; None if there is no point."""
        path = os.path.join(self._folder, _MANIFEST)
        with doing(f"The rollback point {self._folder} could not be read"):
            data = _disk.read(path)
            if data is None:
                return None
            self._trust()
        try:
            files = json.loads(data.decode("utf-8"))["files"]
            return {str(path): None if name is None else os.path.basename(str(name)) for path, name in files}
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise InstallError(f"{path} cannot be read: {exc}. Nothing was changed.") from exc

    def _copy(self, name: Optional[str]) -> Optional[str]:
        return None if name is None else os.path.join(self._folder, name)

    def _in_order(self, known: Dict[str, Optional[str]]) -> Dict[str, Optional[str]]:
        """The files in the order the task names them, and then those it does not name."""
        named = {path: known[path] for path in self._paths if path in known}
        named.update((path, name) for path, name in known.items() if path not in named)
        return named

    def _steps(self, known: Dict[str, Optional[str]]) -> Tuple[Step, ...]:
        steps = []
        for path in reversed(list(known)):
            destination = Destination("paths", "", path, path)
            copy, existed = self._copy(known[path]), os.path.lexists(path)
            if copy is None and existed:
                steps.append(Step(destination, True))
            elif copy is not None and not (existed and _same(copy, path)):
                steps.append(Step(destination, existed, origin=copy))
        return tuple(steps)

    @staticmethod
    def _result(
        changed: bool,
        found: bool,
        known: Dict[str, Optional[str]],
        sources: Dict[str, Optional[str]],
        restored: Tuple[str, ...],
    ) -> Dict[str, Any]:
        files = [
            {
                "path": path,
                "existed": known[path] is not None,
                "changed": path in restored,
                "fingerprint_sha256": _fingerprint(sources.get(path)),
            }
            for path in known
        ]
        fingerprints = [file["fingerprint_sha256"] for file in files if file["fingerprint_sha256"]]
        return {
            "changed": changed,
            "found": found,
            "files": files,
            "fingerprint_sha256": fingerprints[0] if fingerprints else None,
        }


def _real(path: str) -> str:
    if not os.path.isabs(path):
        raise InstallError(f"paths: {path} is a relative path; give an absolute one.")
    return os.path.realpath(path)


def _copy_name(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]


def _same(copy: str, path: str) -> bool:
    if not os.path.isfile(path) or _disk.read(copy) != _disk.read(path):
        return False
    one, other = _disk.protection(copy), _disk.protection(path)
    # Nobody but root can give a copy to somebody else.
    return one == other if os.geteuid() == 0 else one.mode == other.mode


def _fingerprint(source: Optional[str]) -> Optional[str]:
    """The fingerprint of the first certificate in a file, None where there is none."""
    data = None if source is None or not os.path.isfile(source) else _disk.read(source)
    blocks = _pem.blocks((data or b"").decode("latin-1"))
    der = _pem.dearmour(blocks[0]) if blocks else None
    if not der:
        return None
    digest = hashlib.sha256(der).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
