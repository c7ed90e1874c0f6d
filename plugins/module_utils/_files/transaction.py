# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out as one transaction: all of it, or nothing of it. ``_journal`` has the rules that make it so.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk as _disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import journal as _journal
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.interrupts import Interrupted, Interrupts
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import destinations as _destinations
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import Destination
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.plan import Plan

#: In which order the files change: a service that reloads in between finds the certificate it had with the key it had,
#: for as long as that can be.
ORDER = ("root", "chain", _destinations.PRIVATE_KEY, _destinations.COMBINED, "fullchain", "certificate")


class Step(NamedTuple):
    """One file of the transaction: ``content`` is written to it, or ``origin`` is put there, or it goes away.

    Unless ``own``, the file may be a hard link to ``origin``, which somebody who writes into it then changes, too.
    """

    destination: Destination
    existed: bool
    content: Optional[bytes] = None
    origin: Optional[str] = None
    backup: Optional[str] = None
    own: bool = False

    @property
    def path(self) -> str:
        """The real path of the file."""
        return self.destination.real

    @property
    def stays(self) -> bool:
        """Whether there is a file afterwards."""
        return self.content is not None or self.origin is not None


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
                journal = self._stage()
                self._swap(journal)
                self._validate()
                backups = self._back_up()
                self._commit(journal)
            except BaseException as exc:
                self._interrupts.hold()
                if not isinstance(exc, (InstallError, OSError, Interrupted, KeyboardInterrupt)):
                    self._roll_back("An unexpected error came up")
                    raise
                message = "The run was interrupted." if isinstance(exc, KeyboardInterrupt) else str(exc)
                outcome = self._roll_back(message)
                raise InstallError(f"{message} {outcome}", getattr(exc, "details", None)) from exc
        return backups

    def _stage(self) -> _journal.Journal:
        for step in self._steps:
            new, old = _journal.hidden_names(step.path)[:2]
            if step.content is not None:
                with doing(f"{step.path} could not be written in {step.destination.directory}"):
                    _disk.create(new, step.content)
                with doing(f"The attributes of {step.path} could not be set"):
                    self._attributes.settle(
                        new, step.path, step.existed, step.destination.role == _destinations.COMBINED
                    )
                    _disk.sync_file(new)
            elif step.origin is not None:
                with doing(f"{step.origin} could not be brought to {step.destination.directory}"):
                    _disk.duplicate(step.origin, new, link=not self._in_place and not step.own)
                    _disk.sync_file(new)
            if step.existed:
                with doing(f"{step.path} could not be kept for going back"):
                    _disk.duplicate(step.path, old, link=not self._in_place)
        with doing("The directories could not be flushed"):
            _disk.sync_directories(step.destination.directory for step in self._steps)
        with doing(f"The journal of the transaction beside {self._steps[0].path} could not be written"):
            return _journal.write(tuple(self._entry(step) for step in self._steps))

    def _entry(self, step: Step) -> _journal.Entry:
        flags = self._attributes.flags(step.path) if step.existed else ""
        return _journal.Entry(
            path=step.path,
            before=_disk.inode(step.path) if step.existed else None,
            after=_disk.inode(_journal.hidden_names(step.path).new) if step.stays else None,
            backup=step.backup,
            flags=flags,
            in_place=self._in_place,
        )

    def _swap(self, journal: _journal.Journal) -> None:
        for step, entry in zip(self._steps, journal.entries):
            with doing(f"{step.path} could not be replaced"):
                if entry.flags:
                    self._attributes.put_flags(step.path, "")
                if step.stays:
                    _disk.replace(entry.names.new, step.path, self._in_place)
                else:
                    _disk.remove(step.path)
                if step.content is not None:
                    self._attributes.finish(step.path)
                elif step.stays and entry.flags:
                    self._attributes.put_flags(step.path, entry.flags)
        with doing("The directories could not be flushed"):
            _disk.sync_directories(journal.directories())

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
                    _disk.duplicate(_journal.hidden_names(step.path).old, step.backup)
                backups[step.path] = step.backup
        return backups

    def _commit(self, journal: _journal.Journal) -> None:
        self._interrupts.hold()
        with doing("The transaction could not be closed"):
            _journal.close(journal)
        try:
            _journal.clean(journal)
        except OSError as exc:
            self._module.warn(
                f"The files are installed, but hidden files beside them could not be removed ({exc}); the next run "
                "removes them."
            )

    def _roll_back(self, message: str) -> str:
        """Undo what has been done so far; a sentence that says how the files are now."""
        try:
            journals = _journal.find([self._steps[0].path])
            for journal in journals:
                _journal.undo(journal, self._attributes.put_flags)
            _journal.sweep(step.path for step in self._steps)
        except (InstallError, OSError) as exc:
            raise InstallError(
                "{} Putting the files back did not succeed either: {}. The old files are kept beside them as hidden "
                "files ending in .old.key; the next run puts them back first.".format(message, str(exc).rstrip("."))
            ) from exc
        return "Every file has been put back as it was." if journals else "No file was changed."


def steps_of(plan: Plan, backup: bool) -> Tuple[Step, ...]:
    """The steps of an installation; ``backup`` says whether files whose content is replaced are kept."""
    found = []
    for change in plan.changes:
        if change.replaces:
            existed = change.before is not None
            wants_backup = backup and existed and change.before != change.wanted
            found.append(
                Step(
                    change.destination,
                    existed,
                    content=change.wanted,
                    backup=_journal.backup_name(change.destination.real) if wants_backup else None,
                )
            )
    last = []
    if plan.move is not None:
        key, existed = plan.move.privatekey, plan.move.existed
        name = _journal.backup_name(key.real) if backup and existed else None
        found.append(Step(key, existed, origin=plan.move.pending.real, backup=name))
        last.append(Step(plan.move.pending, True))
    found.sort(key=lambda step: ORDER.index(step.destination.role))
    return tuple(found + last)
