# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files as one: all of a change, or nothing of it, whatever interrupts it. The door of this package.

Whoever changes files takes them for himself (``locked_for_change``), undoes what an interrupted run did to them
(``find``, ``undo``, ``sweep``; ``preview`` to look without touching), and has its own steps carried out (``commit``).
``journal`` has the rules that make it all or nothing. Nothing here knows what the files are for.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
from typing import Any, ContextManager, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, journal, locks
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.interrupts import Interrupted, Interrupts
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import (
    Entry,
    Journal,
    hidden_names,
    leftovers,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.recovery import put_back, view_once_undone
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View

#: Transactions that interrupted runs left unfinished; what is in it is for this package to know.
Unfinished = List[Journal]


class Step(NamedTuple):
    """One file of the transaction: ``content`` is written to it, or ``origin`` is put there, or it goes away.

    ``path`` has no symbolic links in it. A new file that is ``secret`` is for its owner alone; ``backup`` is where the
    old one is kept afterwards. Unless ``own``, the file may be a hard link to ``origin``, which somebody who writes
    into it then changes, too.
    """

    path: str
    existed: bool
    content: Optional[bytes] = None
    origin: Optional[str] = None
    backup: Optional[str] = None
    secret: bool = False
    own: bool = False

    @property
    def directory(self) -> str:
        """Where the file is, or would be."""
        return os.path.dirname(self.path)

    @property
    def stays(self) -> bool:
        """Whether there is a file afterwards."""
        return self.content is not None or self.origin is not None


def locked_for_reading(paths: Iterable[str], beside: Iterable[str] = ()) -> ContextManager[None]:
    """Within the context nobody changes these files, nor those in the directories ``beside``; others may read, too.

    Raises ``InstallError`` as ``locks.locked`` does.
    """
    return locks.locked([os.path.dirname(path) for path in paths] + list(beside), exclusive=False)


@contextlib.contextmanager
def locked_for_change(paths: Iterable[str], beside: Iterable[str] = ()) -> Iterator[Unfinished]:
    """Within the context nobody else changes these files; yields the transactions of interrupted runs that did.

    The other files of those transactions are locked as well, and the directories ``beside``. Raises ``InstallError`` as
    ``locks.locked`` does.
    """
    paths = list(paths)
    directories = [os.path.dirname(path) for path in paths] + list(beside)
    while True:
        with locks.locked(directories, exclusive=True):
            unfinished = find(paths)
            more = [one for begun in unfinished for one in begun.directories() if one not in directories]
            if not more:
                yield unfinished
                return
        # Released in between: two runs that each wait for what the other holds would wait for ever.
        directories.extend(more)


def find(paths: Iterable[str]) -> Unfinished:
    """The transactions that interrupted runs left unfinished, as far as any of these files took part in them.

    Raises ``InstallError`` for one that cannot be trusted: undoing it would move files as somebody else says.
    """
    return journal.find(paths)


def is_clean(paths: Iterable[str]) -> bool:
    """Whether no run that was interrupted left anything beside these files."""
    return not leftovers(paths)


def preview(module: Any, unfinished: Unfinished) -> Tuple[View, FrozenSet[str]]:
    """The files as ``undo`` would make them, and those that it would alter; warns that they are not so yet."""
    if unfinished:
        module.warn("An earlier run was interrupted; a real run would first put its files back")
    view = view_once_undone(unfinished)
    return view, _altered(view, unfinished)


def undo(module: Any, unfinished: Unfinished, attributes: FileAttributes) -> FrozenSet[str]:
    """Put back what these transactions did, and warn of it; the files that this altered.

    Raises ``InstallError`` where that cannot be done.
    """
    altered = _altered(view_once_undone(unfinished), unfinished)
    for begun in unfinished:
        paths = ", ".join(entry.path for entry in begun.entries)
        try:
            aside = put_back(begun, attributes.put_flags)
        except OSError as exc:
            raise InstallError(
                f"An earlier run was interrupted while it changed {paths}, and putting them back failed at "
                f"{exc.filename}: {exc.strerror}. Mend that and run again."
            ) from exc
        module.warn(f"An earlier run was interrupted; these files were put back first: {paths}")
        for name in aside:
            module.warn(f"A file was replaced by hand after that run; the one it had replaced is kept as {name}")
    return altered


def sweep(paths: Iterable[str]) -> None:
    """Remove what interrupted runs left beside these files, none of them being unfinished; raises ``InstallError``."""
    try:
        disk.remove(*leftovers(paths))
    except OSError as exc:
        raise InstallError(
            f"{exc.filename or 'A file'}, left by an interrupted run, could not be removed: {exc.strerror}."
        ) from exc


def commit(module: Any, steps: Tuple[Step, ...], attributes: FileAttributes, validate: List[str]) -> Dict[str, str]:
    """Change files in the order of the steps; the backups made, by the path of the file.

    The caller holds ``locked_for_change``. ``validate`` is a command, in words, that is run once the new files are in
    place, or nothing. Raises ``InstallError`` after having put everything back as it was.
    """
    return Transaction(module, steps, attributes, validate).run()


def _altered(view: View, unfinished: Unfinished) -> FrozenSet[str]:
    paths = (entry.path for begun in unfinished for entry in begun.entries)
    return frozenset(path for path in paths if view.alters(path))


class Transaction:
    """Files that change together, in the order of the steps. Their directories are locked by the caller."""

    def __init__(self, module: Any, steps: Tuple[Step, ...], attributes: FileAttributes, validate: List[str]) -> None:
        self._module = module
        self._attributes = attributes
        self._validate_command = validate
        self._in_place = bool(module.params.get("unsafe_writes"))
        self._steps = steps
        self._interrupts = Interrupts()

    def run(self) -> Dict[str, str]:
        """Carry it out; the backups made, by the real path of the file.

        Raises ``InstallError`` after having put everything back as it was.
        """
        with self._interrupts:
            try:
                begun = self._stage()
                self._swap(begun)
                self._validate()
                backups = self._back_up()
                self._end(begun)
            except BaseException as exc:
                self._interrupts.hold()
                if not isinstance(exc, (InstallError, OSError, Interrupted, KeyboardInterrupt)):
                    self._roll_back("An unexpected error came up")
                    raise
                message = "The run was interrupted." if isinstance(exc, KeyboardInterrupt) else str(exc)
                outcome = self._roll_back(message)
                raise InstallError(f"{message} {outcome}", getattr(exc, "details", None)) from exc
        return backups

    def _stage(self) -> Journal:
        for step in self._steps:
            names = hidden_names(step.path)
            if step.content is not None:
                with doing(f"{step.path} could not be written in {step.directory}"):
                    disk.create(names.new, step.content)
                with doing(f"The attributes of {step.path} could not be set"):
                    self._attributes.prepare_staged(names.new, step.path, step.existed, step.secret)
                    disk.sync_file(names.new)
            elif step.origin is not None:
                with doing(f"{step.origin} could not be brought to {step.directory}"):
                    disk.duplicate(step.origin, names.new, link=not self._in_place and not step.own)
                    disk.sync_file(names.new)
            if step.existed:
                with doing(f"{step.path} could not be kept for going back"):
                    disk.duplicate(step.path, names.old, link=not self._in_place)
        with doing("The directories could not be flushed"):
            disk.sync_directories(step.directory for step in self._steps)
        with doing(f"The journal of the transaction beside {self._steps[0].path} could not be written"):
            return journal.write(tuple(self._entry(step) for step in self._steps))

    def _entry(self, step: Step) -> Entry:
        flags = self._attributes.flags(step.path) if step.existed else ""
        return Entry(
            path=step.path,
            before=disk.inode(step.path) if step.existed else None,
            after=disk.inode(hidden_names(step.path).new) if step.stays else None,
            backup=step.backup,
            flags=flags,
            in_place=self._in_place,
        )

    def _swap(self, begun: Journal) -> None:
        for step, entry in zip(self._steps, begun.entries):
            with doing(f"{step.path} could not be replaced"):
                if entry.flags:
                    self._attributes.put_flags(step.path, "")
                if step.stays:
                    disk.replace(entry.names.new, step.path, self._in_place)
                else:
                    disk.remove(step.path)
                if step.content is not None:
                    self._attributes.finish(step.path)
                elif step.stays and entry.flags:
                    self._attributes.put_flags(step.path, entry.flags)
        with doing("The directories could not be flushed"):
            disk.sync_directories(begun.directories())

    def _validate(self) -> None:
        if not self._validate_command:
            return
        try:
            rc, stdout, stderr = self._module.run_command(
                self._validate_command, expand_user_and_vars=False, handle_exceptions=False
            )
        except OSError as exc:
            raise InstallError(f"validate: {self._validate_command[0]} could not be run: {exc.strerror}.") from exc
        if rc != 0:
            raise InstallError(
                f"validate: the command {self._validate_command[0]} refused the new files with exit status {rc}.",
                {"rc": rc, "stdout": stdout, "stderr": stderr},
            )

    def _back_up(self) -> Dict[str, str]:
        backups = {}
        for step in self._steps:
            if step.backup is not None:
                with doing(f"The backup {step.backup} could not be made"):
                    disk.duplicate(hidden_names(step.path).old, step.backup)
                backups[step.path] = step.backup
        return backups

    def _end(self, begun: Journal) -> None:
        self._interrupts.hold()
        with doing("The transaction could not be closed"):
            journal.close(begun)
        try:
            journal.clean(begun)
        except OSError as exc:
            self._module.warn(
                f"The files are installed, but hidden files beside them could not be removed ({exc}); the next run "
                "removes them."
            )

    def _roll_back(self, message: str) -> str:
        """Undo what has been done so far; a sentence that says how the files are now."""
        try:
            begun = find([self._steps[0].path])
            for one in begun:
                put_back(one, self._attributes.put_flags)
            disk.remove(*leftovers(step.path for step in self._steps))
        except (InstallError, OSError) as exc:
            raise InstallError(
                "{} Putting the files back did not succeed either: {}. The old files are kept beside them as hidden "
                "files ending in .old.key; the next run puts them back first.".format(message, str(exc).rstrip("."))
            ) from exc
        return "Every file has been put back as it was." if begun else "No file was changed."
