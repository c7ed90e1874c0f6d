# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a rollback point: its manifest and its copies, whom it is trusted to, and how it appears and goes.

``manifest.json`` appears in one step after every copy is whole and flushed, and goes before any copy does; so a point
is there as a whole or not at all, wherever a run is killed. Only files of these names are ever removed here: whoever
mistypes a directory loses nothing in it.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from typing import Dict, Iterable, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places

#: The copy of each file that a point holds, by the real path of the file; None for a file that was not there.
Manifest = Dict[str, Optional[str]]

_MANIFEST, _DRAFT = "manifest.json", "manifest.draft"
_OURS = re.compile(r"(manifest\.(json|draft)|[0-9a-f]{32})\Z")


class DamagedPoint(InstallError):
    """A rollback point that is of this user alone, but not whole."""


class RollbackFolder:
    """The folder ``name`` in ``directory``, reached by ``places``. Errors are ``InstallError``."""

    def __init__(self, directory: str, name: str, places: Places) -> None:
        self._places = places
        self.path = os.path.join(directory, name)
        self.directory = os.path.dirname(self.path)

    @property
    def parent(self) -> str:
        """The directory that outlives all points; whoever changes a point holds its lock."""
        return os.path.dirname(self.directory)

    @property
    def exists(self) -> bool:
        """Whether there is anything under its name."""
        return os.path.lexists(self.path)

    def require_trusted(self) -> None:
        """Refuse a folder that others can enter or that holds what no rollback point does; touches nothing."""
        with doing(f"The rollback point {self.path} could not be made"):
            os.stat(self.parent)
        for folder in (self.directory, self.path):
            if os.path.lexists(folder):
                _trust(folder)
        self._holdings()

    def manifest(self) -> Optional[Manifest]:
        """What the point holds, None if there is no point. Raises ``DamagedPoint`` where that cannot be told."""
        path = os.path.join(self.path, _MANIFEST)
        with doing(f"The rollback point {self.path} could not be read"):
            data = disk.read(self._place(_MANIFEST))
            if data is None:
                return None
            for folder in (self.directory, self.path):
                _trust(folder)
        try:
            files: Manifest = dict(json.loads(data.decode("utf-8"))["files"])
            strange = [file for file, name in files.items() if name not in (None, _copy_name(file))]
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise self._damaged(f"{path} cannot be read: {exc}") from exc
        if strange:
            raise self._damaged(f"{path} cannot be read: it names another copy for {strange[0]}")
        for name in files.values():
            if name is not None and not os.path.lexists(os.path.join(self.path, name)):
                raise self._damaged(f"there is no {os.path.join(self.path, name)}")
        return files

    def copy(self, path: str) -> Place:
        """Where the copy of a file is, or would be."""
        return self._place(_copy_name(path))

    def _place(self, name: str) -> Place:
        return self._places.find("directory", os.path.join(self.path, name))

    def _flush(self, *paths: str) -> None:
        found = [self._places.folder("directory", path) for path in paths]
        disk.sync_folders(folder for folder in found if folder is not None)

    def keep(self, held: Manifest, new: Iterable[str]) -> Manifest:
        """Copy these files, too, those of them that exist; what the point holds then. All of it, or nothing."""
        missing = [folder for folder in (self.path, self.directory) if not os.path.lexists(folder)]
        try:
            with doing(f"The rollback point {self.path} could not be made"):
                self._make_folders()
                # A run that was killed while it made or removed the point has left these.
                self._tidy(held)
                return self._write(held, new)
        except BaseException:
            with contextlib.suppress(OSError, InstallError):
                self._tidy(self.manifest() or {})
            for folder in missing:
                # Only an empty one goes.
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            raise

    def tidy(self, held: Manifest) -> None:
        """Remove what killed runs left; what cannot be removed now goes with the point."""
        with contextlib.suppress(OSError, InstallError):
            self._tidy(held)

    def remove(self) -> None:
        """Remove the point, and the folder of all points with the last of them."""
        if self.exists:
            with doing(f"The rollback point {self.path} could not be removed"):
                disk.remove(self._place(_MANIFEST))
                self._flush(self.path)
                self._tidy({})
                os.rmdir(self.path)
        # A run that was killed here has left it empty.
        with contextlib.suppress(OSError, InstallError):
            _trust(self.directory)
            os.rmdir(self.directory)

    def _write(self, held: Manifest, new: Iterable[str]) -> Manifest:
        wanted = dict(held)
        for path in new:
            wanted[path] = None
            source = self._places.find("paths", path)
            if disk.inode(source) is not None:
                wanted[path] = _copy_name(path)
                disk.duplicate(source, self.copy(path), by_link=False, faithful=False)
        disk.write_new(self._place(_DRAFT), json.dumps({"files": list(wanted.items())}).encode("utf-8"))
        self._flush(self.path)
        disk.rename(self._place(_DRAFT), self._place(_MANIFEST))
        self._flush(self.path, self.directory)
        return wanted

    def _make_folders(self) -> None:
        for folder in (self.directory, self.path):
            if not os.path.lexists(folder):
                os.mkdir(folder, 0o700)
                # A umask may take rights away from the owner, too.
                os.chmod(folder, 0o700)
            _trust(folder)

    def _tidy(self, held: Manifest) -> None:
        """Remove every file of ours that is not of the point."""
        kept = [name for name in held.values() if name] + [_MANIFEST] * bool(held)
        for name in self._holdings():
            if name not in kept:
                disk.remove(self._place(name))

    def _holdings(self) -> List[str]:
        if not self.exists:
            return []
        with doing(f"The rollback point {self.path} could not be read"):
            names = sorted(os.listdir(self.path))
        strange = [name for name in names if not _OURS.match(name)]
        if strange:
            raise InstallError(
                f"{self.path} holds {strange[0]}, which is of no rollback point. Nothing was changed. Move it away, or "
                "give another name or directory."
            )
        return names

    def _damaged(self, reason: str) -> DamagedPoint:
        return DamagedPoint(
            f"The rollback point {self.path} is damaged: {reason}. Nothing was changed. Compare the files by hand, and "
            "remove the point with state=absent."
        )


def _trust(folder: str) -> None:
    """Make sure that nobody else can have written what would be put back, or read a private key."""
    with doing(f"{folder} could not be looked at"):
        status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise InstallError(
            f"{folder} is not a folder of this user alone (mode 0700), so no rollback point can be trusted to it. "
            "Nothing was changed. Run as the user who made it, or give another directory."
        )


def _copy_name(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
