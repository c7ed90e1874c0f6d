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
from typing import Any, ContextManager, Dict, FrozenSet, Iterable, Iterator, List, Optional, Set, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import (
    disk,
    journal,
    locks,
    permissions,
    requirements,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.interrupts import Interrupted, Interrupts
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import (
    Entry,
    Journal,
    hidden_names,
    leftovers,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.recovery import put_back, view_once_undone
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import last_line

#: Transactions that interrupted runs left unfinished; what is in it is for this package to know.
Unfinished = List[Journal]


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
                f"An earlier run was interrupted while it changed {paths}, and putting them back failed: "
                f"{cause(exc)}.{advice(exc)} Nothing else was changed, and what is not back yet is kept as a hidden "
                "file beside it. Mend that and run again.",
                settled=True,
            ) from exc
        module.warn(f"An earlier run was interrupted; these files were put back first: {paths}")
        for name in aside:
            module.warn(f"A file was replaced by hand after that run; the one it had replaced is kept as {name}")
    return altered


def sweep(paths: Iterable[str]) -> None:
    """Remove what interrupted runs left beside these files, none of them being unfinished; raises ``InstallError``."""
    paths = list(paths)
    try:
        disk.remove(*leftovers(paths))
    except OSError as exc:
        folders = ", ".join(sorted({os.path.dirname(path) for path in paths}))
        raise InstallError(
            f"A hidden file that an interrupted run left in {folders} could not be removed: {cause(exc)}.{advice(exc)}"
        ) from exc


def require_possible(module: Any, subject: str, step: Step, source: Optional[str], settles: bool) -> None:
    """Raise ``InstallError`` where this user could not carry out a step, or would lose the owner or group of its file.

    ``subject`` begins the message. ``source`` is where the file is read that is there before, None for none;
    ``settles`` says that its attributes are to change. Looking changes nothing; what only shows when it is tried is
    found before the journal is written.
    """
    requirements.require_possible(module, subject, step, source, settles)


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
        self._rewrites = bool(module.params.get("in_place"))
        # Files that this user can make neither a link to nor a copy of with its owner: they get their hidden names
        # when they give way, and come back by them.
        self._aside: Set[str] = set()
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
                    self._roll_back("An unexpected error came up.", exc)
                    raise
                message = self._message(exc)
                outcome = self._roll_back(message, exc)
                raise InstallError(f"{message} {outcome}", getattr(exc, "details", None), settled=True) from exc
        return backups

    @staticmethod
    def _message(exc: BaseException) -> str:
        if isinstance(exc, KeyboardInterrupt):
            return "The run was interrupted."
        if isinstance(exc, OSError):
            return f"The files could not be changed: {cause(exc)}.{advice(exc)}"
        return str(exc)

    def _is_rewritten(self, step: Step) -> bool:
        return self._rewrites and step.existed and step.stays

    def _stage(self) -> Journal:
        for step in self._steps:
            names = hidden_names(step.path)
            rewritten = self._is_rewritten(step)
            if step.content is not None:
                with doing(f"{step.path} could not be written in {step.directory}"):
                    disk.create(names.new, step.content)
                if not rewritten:
                    with doing(f"The attributes of {step.path} could not be set"):
                        self._attributes.prepare_staged(names.new, step.path, step.existed, step.secret)
                        disk.sync_file(names.new)
            elif step.origin is not None:
                with doing(f"{step.origin} could not be brought to {step.directory}"):
                    link = not self._in_place and not rewritten and not step.own
                    disk.duplicate(step.origin, names.new, link=link)
                    disk.sync_file(names.new)
            if step.existed:
                with doing(f"{step.path} could not be kept for going back"):
                    self._keep(step)
        with doing("The directories could not be flushed"):
            disk.sync_directories(step.directory for step in self._steps)
        with doing(f"The journal of the transaction beside {self._steps[0].path} could not be written"):
            return journal.write(tuple(self._entry(step) for step in self._steps))

    def _keep(self, step: Step) -> None:
        old = hidden_names(step.path).old
        if self._is_rewritten(step):
            disk.copy_for_itself(step.path, old)
            return
        try:
            disk.duplicate(step.path, old, link=not self._in_place)
        except PermissionError:
            if self._in_place:
                raise
            self._aside.add(step.path)

    def _entry(self, step: Step) -> Entry:
        flags = self._attributes.flags(step.path) if step.existed else ""
        return Entry(
            path=step.path,
            before=disk.inode(step.path) if step.existed else None,
            after=disk.inode(hidden_names(step.path).new) if step.stays else None,
            backup=step.backup,
            flags=flags,
            in_place=self._in_place,
            rewrites=self._is_rewritten(step),
            protection=journal.packed(disk.protection(step.path)) if self._is_rewritten(step) else None,
        )

    def _swap(self, begun: Journal) -> None:
        for step, entry in zip(self._steps, begun.entries):
            with doing(f"{step.path} could not be replaced"):
                if entry.flags:
                    self._attributes.put_flags(step.path, "")
                if step.path in self._aside:
                    os.rename(step.path, entry.names.old)
                if entry.rewrites:
                    self._rewrite(step, entry.names.new)
                elif step.stays:
                    disk.replace(entry.names.new, step.path, self._in_place)
                else:
                    disk.remove(step.path)
                if step.content is not None:
                    self._attributes.finish(step.path)
                elif step.stays and entry.flags:
                    self._attributes.put_flags(step.path, entry.flags)
        with doing("The directories could not be flushed"):
            disk.sync_directories(begun.directories())

    def _rewrite(self, step: Step, new: str) -> None:
        if step.content is not None:
            disk.overwrite(new, step.path, lambda: self._attributes.settle(step.path, step.secret))
        else:
            wanted = disk.protection(new)
            disk.overwrite(new, step.path, lambda: disk.protect(step.path, wanted))
        disk.remove(new)

    def _validate(self) -> None:
        if not self._validate_command:
            return
        try:
            rc, stdout, stderr = self._module.run_command(
                self._validate_command, expand_user_and_vars=False, handle_exceptions=False
            )
        except OSError as exc:
            # Whether the file may be run, not whether it is of this user.
            advice_on_it = permissions.remedy() if isinstance(exc, PermissionError) else ""
            raise InstallError(
                f"validate: {self._validate_command[0]} could not be run: {cause(exc)}.{advice_on_it}"
            ) from exc
        if rc != 0:
            said = last_line(stderr) or last_line(stdout)
            saying = f": {said}" if said else ""
            # As Python tells it, for one that was not asked.
            how = f"was ended by signal {-rc}" if rc < 0 else f"refused the new files with exit status {rc}"
            raise InstallError(
                f"validate: the command {self._validate_command[0]} {how}{saying}.",
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
                "The files are installed, but hidden files beside them could not be removed: "
                f"{cause(exc)}. The next run removes them."
            )

    def _roll_back(self, message: str, failure: BaseException) -> str:
        """Undo what has been done so far; a sentence that says how the files are now."""
        try:
            begun = find([self._steps[0].path])
            for one in begun:
                put_back(one, self._attributes.put_flags)
            disk.remove(*leftovers(step.path for step in self._steps))
        except (InstallError, OSError) as exc:
            reason = cause(exc) if isinstance(exc, OSError) else str(exc)
            raise InstallError(
                "{} Putting the files back did not succeed either: {}. The old files are kept beside them as hidden "
                "files ending in .old.key; the next run puts them back first.".format(message, reason.rstrip(".")),
                getattr(failure, "details", None),
                settled=True,
            ) from exc
        return "Every file has been put back as it was." if begun else "No file was changed."
