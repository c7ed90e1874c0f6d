# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files as one: all of a change, or nothing of it, whatever interrupts it. The door of this package.

Whoever looks at files asks first whether a run left something beside them (``is_clean``), and afterwards whether
anything came between (``moment_of``). Whoever changes files takes them for himself (``locked_for_change``), ends
what an interrupted run did to them (``settle``; ``preview`` to look without touching), and has its own steps carried
out. ``commit`` does so for good. ``switch`` keeps the old files: they are had back (``undo``), by the next run too,
until ``hold`` says that the new ones may stay, and then until they are let go (``let_go``). ``journal`` has the rules
that make it all or nothing. Nothing here knows what the files are for.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
from typing import Any, Container, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import (
    attributes as _attributes,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import (
    disk,
    hidden,
    journal,
    permissions,
    requirements,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import Protection, doing
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.hidden import HiddenFolder
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.interrupts import Interrupted, Interrupts
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import (
    SWITCHING,
    Entry,
    Journal,
    Located,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import (
    Folder,
    Place,
    Places,
    in_folder,
    unique,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.recovery import put_back, view_once_undone
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable, last_line, without_pem

#: What the folder is called in which a transaction keeps its things, beside the files.
HIDDEN = hidden.NAME

#: A transaction that is not at its end. What users of this package need to know of it is its ``subject``, its ``state``
#: (``HELD``, ``DUE``), and its ``notes``.
Open = Journal

#: States of one that a run may leave to another.
HELD, DUE = journal.HELD, journal.DUE

#: Transactions that earlier runs left unfinished; what is in it is for this package to know.
Unfinished = List[Journal]


class Locked(NamedTuple):
    """Files that nobody else changes meanwhile: what interrupted runs did to them, and where things are kept.

    ``interrupts`` are those of the one who may change them, ``paths`` the files that are meant. ``kept`` are the
    transactions that stay open beside the one that comes next.
    """

    unfinished: Unfinished
    hidden: Dict[object, HiddenFolder]
    kept: List[Journal]
    paths: FrozenSet[str]
    interrupts: Optional[Interrupts] = None


def _folders(places: Iterable[Place]) -> List[Folder]:
    return unique(place.folder for place in places if place.folder is not None)


def is_clean(places: Iterable[Place]) -> bool:
    """Whether no run is under way beside these files, and none that was interrupted left anything there.

    What somebody else put there under that name is not of a run of this user.
    """
    return not any(hidden.look(folder) == "" for folder in _folders(places))


def moment_of(places: Iterable[Place]) -> List[int]:
    """When names beside these files last changed; as long as it stays so, no file of them was replaced."""
    return [folder.changed_at() for folder in _folders(places)]


def require_own(places: Iterable[Place]) -> None:
    """Raise ``InstallError`` where somebody else's things stand where a transaction would keep its own."""
    for folder in _folders(places):
        if hidden.look(folder):
            found = hidden.open_existing(folder)
            if found is not None:
                os.close(found.descriptor)


@contextlib.contextmanager
def locked_for_reading(known: Places, places: Iterable[Place]) -> Iterator[Locked]:
    """Within the context nobody changes these files; others may read, too. Nothing is made for it.

    Raises ``InstallError`` as ``hidden.locked`` does.
    """
    with _locked(known, places, exclusive=False) as locked:
        yield locked


@contextlib.contextmanager
def locked_for_change(known: Places, places: Iterable[Place]) -> Iterator[Locked]:
    """Within the context nobody else changes these files, nor those of the unfinished transactions that it yields.

    A signal that would end the process ends the work instead. Raises ``InstallError`` for that, and as
    ``hidden.locked`` does.
    """
    with Interrupts() as interrupts:
        try:
            with _locked(known, places, exclusive=True) as locked:
                yield locked._replace(interrupts=interrupts)
        except (Interrupted, KeyboardInterrupt) as exc:
            raise InstallError(f"{_why_ended(exc)} Nothing new was installed.", settled=True) from exc


@contextlib.contextmanager
def _locked(known: Places, places: Iterable[Place], exclusive: bool) -> Iterator[Locked]:
    there = [place for place in places if place.folder is not None]
    subjects: Dict[object, str] = {place.there.key: place.path for place in reversed(there)}
    with contextlib.ExitStack() as stack:
        paths = frozenset(place.path for place in there)
        yield _taken(known, _folders(there), exclusive, subjects, stack)._replace(paths=paths)


def _taken(
    known: Places, folders: List[Folder], exclusive: bool, subjects: Dict[object, str], stack: contextlib.ExitStack
) -> Locked:
    while True:
        held = stack.enter_context(hidden.locked(folders, exclusive, subjects))
        unfinished, more, lost = journal.find(known, held, {folder.key for folder in folders})
        if not more:
            break
        # Released in between: two runs that each wait for what the other holds would wait for ever.
        stack.close()
        folders = unique([*folders, *more])
    if lost:
        raise InstallError(
            f"An earlier run was interrupted while it changed files in {lost[0]}, which cannot be reached any more. "
            "Nothing was changed. Bring that folder back, or compare the files by hand and remove the folders "
            f"{hidden.NAME}.",
            settled=True,
        )
    return Locked(unfinished, held, [], frozenset())


class Settled(NamedTuple):
    """What was ended, by the paths of the files: put back, or let go as the run that changed them would have done.

    Of neither did the interrupted run tell anybody. ``noted`` has the subjects of these transactions, each with the
    name of something that it noted.
    """

    put_back: FrozenSet[str] = frozenset()
    let_go: FrozenSet[str] = frozenset()
    noted: FrozenSet[Tuple[str, str]] = frozenset()


def preview(module: Any, locked: Locked, subjects: Container[str] = ()) -> Tuple[View, Settled]:
    """The files as ``settle`` would make them, and what it would do; warns that they are not so yet."""
    if any(begun.state == SWITCHING for begun in locked.unfinished):
        module.warn("An earlier run was interrupted; a real run would first put its files back")
    view = view_once_undone(locked.unfinished)
    return view, _to_settle(view, [begun for begun in locked.unfinished if not _stays(begun, locked, subjects)])


def settle(module: Any, locked: Locked, subjects: Container[str] = ()) -> Settled:
    """End what interrupted runs left: put back what was being switched, and warn of it; let go what was held.

    What is held of one of the ``subjects`` stays so, for the caller to end, and so does what somebody else holds of
    files that are not meant here. It is in ``locked.kept`` then, as is what is due of anybody. Raises ``InstallError``
    where it cannot be done.
    """
    staying = [begun for begun in locked.unfinished if _stays(begun, locked, subjects)]
    ending = [begun for begun in locked.unfinished if begun not in staying]
    locked.kept.extend(staying)
    settled = _to_settle(view_once_undone(ending), ending)
    for begun in ending:
        paths = ", ".join(one.place.path for one in begun.entries)
        try:
            if begun.state == HELD:
                let_go(module, begun)
                continue
            aside = put_back(begun)
        except OSError as exc:
            raise InstallError(
                f"An earlier run was interrupted while it changed {paths}, and putting them back failed: "
                f"{cause(exc)}.{advice(exc)} Nothing else was changed, and what is not back yet is kept in the folder "
                f"{hidden.NAME} beside it. Mend that and run again.",
                settled=True,
            ) from exc
        module.warn(f"An earlier run was interrupted; these files were put back first: {paths}")
        for name in aside:
            module.warn(f"A file was replaced by hand after that run; the one it had replaced is kept as {name}")
    # Of what was let go something may still be due.
    locked.kept.extend(begun._replace(state=DUE) for begun in ending if begun.state == HELD and begun.owes)
    _sweep(locked)
    return settled


def _stays(begun: Journal, locked: Locked, subjects: Container[str]) -> bool:
    if begun.state != HELD or begun.subject is None:
        return begun.state == DUE
    return begun.subject in subjects or not any(one.place.path in locked.paths for one in begun.entries)


def _sweep(locked: Locked) -> None:
    """Remove what interrupted runs left, less what is kept; raises ``InstallError``."""
    for one in locked.hidden.values():
        with doing(f"What an interrupted run left in {one.path} could not be removed"):
            one.clear(journal.used(locked.kept, one))


def require_possible(module: Any, subject: str, step: Step, source: Optional[Place], settles: bool) -> None:
    """Raise ``InstallError`` where this user could not carry out a step, or would lose the owner or group of its file.

    ``subject`` begins the message. ``source`` is where the file is read that is there before, None for none;
    ``settles`` says that its attributes are to change. Looking changes nothing; what only shows when it is tried is
    found before the journal is written.
    """
    requirements.require_possible(module, subject, step, source, settles)


def commit(
    module: Any, locked: Locked, steps: Tuple[Step, ...], attributes: FileAttributes, validate: List[str]
) -> Dict[str, str]:
    """Change files in the order of the steps, for good; the backups made, by the path of the file.

    The caller holds ``locked_for_change``, and has settled what it found. ``validate`` is a command, in words, that is
    run once the new files are in place, or nothing. Raises ``InstallError`` after having put everything back as it was.
    """
    backups: Dict[str, str] = Transaction(module, locked, steps, attributes, validate).run(_for_good)
    return backups


def switch(
    module: Any,
    locked: Locked,
    steps: Tuple[Step, ...],
    attributes: FileAttributes,
    subject: str,
    notes: Optional[Dict[str, str]] = None,
    owes: bool = False,
) -> Open:
    """As ``commit``, but what the files were is kept, and can be had back by ``undo``; the next run would do so, too.

    ``subject`` says whose transaction it is; others may be open beside it. ``notes`` are remembered with it. Where it
    ``owes`` something, its journal stays once it was let go, as ``DUE``, until that is ``done``.
    """
    begun: Journal = Transaction(module, locked, steps, attributes, [], subject, notes, owes).run(_as_it_is)
    locked.kept.append(begun)
    return begun


def hold(module: Any, begun: Open) -> Open:
    """Say that the new files may stay, if whoever holds them finds them well; a run that finds them so may decide.

    Their backups are made. Raises ``InstallError`` after having put everything back as it was.
    """
    held = begun._replace(state=HELD)
    try:
        _back_up(begun)
        with doing("The journal of the transaction could not be written"):
            journal.write(held)
    except InstallError as exc:
        undo(module, begun)
        raise InstallError(f"{exc} Every file has been put back as it was.", settled=True) from exc
    return held


def let_go(module: Any, held: Open) -> Dict[str, str]:
    """Forget what the files were that are held; the backups that were made of them, by the path of the file.

    What it owes stays, as ``DUE``. Raises ``InstallError`` or ``OSError`` before anything is forgotten.
    """
    _require_open(held)
    _end(module, held)
    return _backups(held)


def done(due: Open) -> None:
    """Forget what was due; raises ``InstallError`` where that cannot be done."""
    with doing("What was still to be done could not be forgotten"):
        journal.close(due)
        journal.clean(due)


def _require_open(held: Journal) -> None:
    """Raise ``InstallError`` for what has ended already: its new files are those of nobody's transaction now."""
    if not held.place.exists:
        raise InstallError(
            f"{', '.join(one.place.path for one in held.entries)}: nothing is held of them any more; they were put "
            "back or let go already. No file was changed.",
            settled=True,
        )


def undo(module: Any, held: Open) -> None:
    """Put everything back as it was before ``switch``; raises ``InstallError`` where that cannot be done."""
    _require_open(held)
    paths = ", ".join(one.place.path for one in held.entries)
    if held.state == HELD:
        # What is half back already may not stay, nor be read by anybody: a run that finds it so undoes the rest first.
        # On a disk that is full that cannot be written down, and going back is all the more important.
        with contextlib.suppress(InstallError, OSError):
            journal.write(held._replace(state=SWITCHING))
    try:
        aside = put_back(held)
    except OSError as exc:
        raise InstallError(
            f"Putting back {paths} failed: {cause(exc)}.{advice(exc)} What is not back yet is kept in the folder "
            f"{hidden.NAME} beside it; the next run puts it back first.",
            settled=True,
        ) from exc
    for name in aside:
        module.warn(f"A file was replaced by hand meanwhile; the one it had replaced is kept as {name}")


def _to_settle(view: View, unfinished: Unfinished) -> Settled:
    found = [(begun.state, one.place) for begun in unfinished for one in begun.entries]
    return Settled(
        frozenset(place.path for state, place in found if state == SWITCHING and view.alters(place)),
        frozenset(place.path for state, place in found if state == HELD),
        frozenset((begun.subject, note) for begun in unfinished if begun.subject for note in begun.notes or ()),
    )


def _why_ended(exc: BaseException) -> str:
    if isinstance(exc, KeyboardInterrupt):
        return "The run was interrupted."
    if isinstance(exc, OSError):
        return f"The files could not be changed: {cause(exc)}.{advice(exc)}"
    return str(exc)


def _for_good(module: Any, begun: Journal, interrupts: Interrupts) -> Dict[str, str]:
    backups = _back_up(begun)
    interrupts.hold()
    _end(module, begun)
    return backups


def _as_it_is(dummy: Any, begun: Journal, interrupts: Interrupts) -> Journal:
    interrupts.hold()
    return begun


def _backups(held: Journal) -> Dict[str, str]:
    return {one.place.path: one.backup.path for one in held.entries if one.entry.backup is not None}


def _back_up(begun: Journal) -> Dict[str, str]:
    for one in begun.entries:
        if one.entry.backup is not None:
            with doing(f"The backup {one.backup.path} could not be made"):
                # A run that was killed in the middle has left a part of it.
                disk.remove(one.backup)
                _make_backup(one)
    return _backups(begun)


def _make_backup(one: Located) -> None:
    if one.entry.backup_within is None:
        disk.duplicate(one.old, one.backup)
        return
    allowed, present = journal.unpacked(one.entry.backup_within), disk.protection(one.old)
    if present.within(allowed) == present:
        disk.duplicate(one.old, one.backup)
    else:
        disk.copy(one.old, one.backup, faithful=False, change=lambda protection: protection.within(allowed))


def _end(module: Any, begun: Journal) -> None:
    with doing("The transaction could not be closed"):
        journal.let_go(begun)
    try:
        journal.clean(begun)
    except OSError as exc:
        module.warn(
            f"The files are installed, but what was kept in {hidden.NAME} beside them could not be removed: "
            f"{cause(exc)}. The next run removes it."
        )


class _Staged(NamedTuple):
    """A staged file: its name in the hidden folder, its inode, and its descriptor where it is still open."""

    name: str
    inode: Optional[int]
    descriptor: Optional[int]


class Transaction:
    """Files that change together, in the order of the steps. Their folders are locked by the caller."""

    def __init__(
        self,
        module: Any,
        locked: Locked,
        steps: Tuple[Step, ...],
        attributes: FileAttributes,
        validate: List[str],
        subject: Optional[str] = None,
        notes: Optional[Dict[str, str]] = None,
        owes: bool = False,
    ) -> None:
        self._module = module
        self._locked = locked
        self._hidden = locked.hidden
        self._subject = subject
        self._notes = notes
        self._owes = owes
        self._attributes = attributes
        self._validate_command = validate
        self._in_place = bool(module.params.get("unsafe_writes"))
        self._rewrites = bool(module.params.get("in_place"))
        # Files that this user can make neither a link to nor a copy of with its owner: they get their hidden names
        # when they give way, and come back by them.
        self._aside: Set[str] = set()
        self._steps = steps
        self._staged: Dict[str, _Staged] = {}
        self._old: Dict[str, str] = {}
        self._before: Dict[str, Optional[int]] = {}
        self._begun: Optional[Journal] = None
        # Once the outcome is certain, a signal must not have the lock's own context tell another one.
        self._interrupts = Interrupts(locked.interrupts)

    def run(self, conclude: Any) -> Any:
        """Carry it out, and give what ``conclude(module, journal, interrupts)`` makes of it.

        Raises ``InstallError`` after having put everything back as it was.
        """
        with self._interrupts:
            try:
                self._begun = self._stage()
                self._swap(self._begun)
                self._validate()
                return conclude(self._module, self._begun, self._interrupts)
            except BaseException as exc:
                self._interrupts.hold()
                if not isinstance(exc, (InstallError, OSError, Interrupted, KeyboardInterrupt)):
                    self._roll_back("An unexpected error came up.", exc)
                    raise
                message = _why_ended(exc)
                outcome = self._roll_back(message, exc)
                raise InstallError(f"{message} {outcome}", getattr(exc, "details", None), settled=True) from exc
            finally:
                for staged in self._staged.values():
                    if staged.descriptor is not None:
                        os.close(staged.descriptor)

    def _is_rewritten(self, step: Step) -> bool:
        return self._rewrites and step.existed and step.stays

    def _beside(self, step: Step) -> HiddenFolder:
        return self._hidden[step.place.there.key]

    def _stage(self) -> Journal:
        for step in self._steps:
            if step.content is not None:
                with doing(f"{step.path} could not be written in {step.directory}"):
                    self._write(step, step.content)
            elif step.origin is not None:
                with doing(f"{step.origin.path} could not be brought to {step.directory}"):
                    self._bring(step, step.origin)
            if step.existed:
                with doing(f"{step.path} could not be kept for going back"):
                    self._keep(step)
        with doing("The directories could not be flushed"):
            disk.sync_folders(self._hidden.values())
        with doing(f"The journal of the transaction beside {self._steps[0].path} could not be written"):
            entries = tuple(self._located(step) for step in self._steps)
            begun = journal.begun(entries, self._subject, self._notes, self._owes)
            journal.write(begun)
            return begun

    def _write(self, step: Step, content: bytes) -> None:
        beside = self._beside(step)
        name = beside.new_name()
        descriptor = disk.create(in_folder(beside, name), content)
        self._staged[step.path] = _Staged(name, os.fstat(descriptor).st_ino, descriptor)
        if not self._is_rewritten(step):
            with doing(f"The attributes of {step.path} could not be set"):
                self._attributes.prepare_staged(descriptor, step.place, step.existed, step.secret)
        os.fsync(descriptor)

    def _bring(self, step: Step, origin: Place) -> None:
        beside = self._beside(step)
        new = in_folder(beside, beside.new_name())
        by_link = not (self._in_place or self._is_rewritten(step) or step.origin_within is not None)
        # With the flags of the file whose place it takes, a link could not give up its other names.
        by_link = by_link and not (step.existed and self._attributes.flags(step.place))
        if not (by_link and disk.link(origin, new)):
            self._copy(step, origin, new)
        elif step.origin_inode is not None and disk.inode(new) != step.origin_inode:
            raise InstallError(f"{origin.path} was replaced while this run looked at it.")
        self._staged[step.path] = _Staged(new.name, disk.inode(new), None)
        disk.sync_file(new)

    @staticmethod
    def _copy(step: Step, origin: Place, new: Place) -> None:
        allowed = step.origin_within

        def change(protection: Protection) -> Protection:
            return protection if allowed is None else protection.closed_as(allowed)

        disk.copy(origin, new, change=change, expected=step.origin_inode)

    def _keep(self, step: Step) -> None:
        beside = self._beside(step)
        old = in_folder(beside, beside.new_name())
        self._old[step.path] = old.name
        self._before[step.path] = present = disk.inode(step.place)
        if self._is_rewritten(step):
            disk.copy_for_itself(step.place, old)
        else:
            try:
                disk.duplicate(step.place, old, by_link=not self._in_place)
            except PermissionError:
                if self._in_place:
                    raise
                self._aside.add(step.path)
        self._require_same(step.place, present, step)

    def _located(self, step: Step) -> Located:
        rewritten = self._is_rewritten(step)
        staged = self._staged.get(step.path)
        entry = Entry(
            path=step.path,
            folder=step.place.there.inode,
            new=None if staged is None else staged.name,
            old=self._old.get(step.path),
            before=self._before.get(step.path),
            after=None if staged is None else staged.inode,
            backup=None if step.backup is None else os.path.basename(step.backup),
            backup_within=self._backup_within(step, staged),
            flags=self._attributes.flags(step.place) if step.existed else "",
            in_place=self._in_place,
            rewrites=rewritten,
            protection=journal.packed(disk.protection(step.place)) if rewritten else None,
        )
        return Located(entry, step.place, self._beside(step))

    def _backup_within(self, step: Step, staged: Optional[_Staged]) -> Optional[List[Any]]:
        """The protection that a backup is not to go beyond, that of the new file; None where there is no key in it."""
        if not step.secret or step.backup is None or staged is None:
            return None
        if self._is_rewritten(step) and step.content is not None:
            to_be = self._attributes.protection_to_be(step.place, step.secret)
        else:
            to_be = disk.protection(in_folder(self._beside(step), staged.name))
        return journal.packed(to_be._replace(extended=to_be.acl))

    def _swap(self, begun: Journal) -> None:
        for step, one in zip(self._steps, begun.entries):
            with doing(f"{step.path} could not be replaced"):
                self._swap_one(step, one)
        with doing("The directories could not be flushed"):
            disk.sync_folders(one.place.there for one in begun.entries)

    def _swap_one(self, step: Step, one: Located) -> None:
        entry = one.entry
        if entry.flags:
            _attributes.put_flags(one.place, "")
        if step.path in self._aside:
            disk.rename(one.place, one.old)
        if entry.rewrites:
            self._rewrite(step, one)
        elif step.stays:
            self._require_same(one.new, entry.after, step)
            disk.replace(one.new, one.place, self._in_place)
            if not self._in_place:
                self._require_same(one.place, entry.after, step)
        else:
            if step.path not in self._aside:
                self._require_same(one.place, entry.before, step)
            disk.remove(one.place)
        if step.content is not None:
            self._finish(step, one)
        elif step.stays and entry.flags:
            _attributes.put_flags(one.place, entry.flags)

    @staticmethod
    def _require_same(place: Place, inode: Optional[int], step: Step) -> None:
        """Whoever owns the folder may put another file there; it is not to be taken for ours."""
        if disk.inode(place) != inode:
            raise Transaction._replaced(step)

    @staticmethod
    def _replaced(step: Step) -> InstallError:
        return InstallError(f"{step.path} was replaced by somebody else while this run changed it.")

    def _finish(self, step: Step, one: Located) -> None:
        if not self._module.params.get("attributes"):
            return
        staged = self._staged[step.path]
        if staged.descriptor is not None and disk.inode(one.place) == staged.inode:
            self._attributes.finish(staged.descriptor, step.path)
            return
        with disk.opened(one.place) as descriptor:
            if os.fstat(descriptor).st_ino not in (one.entry.before, one.entry.after):
                raise self._replaced(step)
            self._attributes.finish(descriptor, step.path)

    def _rewrite(self, step: Step, one: Located) -> None:
        if step.content is not None:

            def settle(descriptor: int) -> None:
                if step.secret:
                    self._attributes.require_meant(os.fstat(descriptor).st_uid, step.place)
                self._attributes.settle(descriptor, step.path, step.secret)

            disk.overwrite(one.new, one.place, settle, one.entry.before)
        else:
            wanted = disk.protection(one.new)
            disk.overwrite(one.new, one.place, lambda descriptor: disk.protect(descriptor, wanted), one.entry.before)
        disk.remove(one.new)

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
            stdout, stderr = without_pem(stdout), without_pem(stderr)
            said = last_line(stderr) or last_line(stdout)
            saying = f": {said}" if said else ""
            # A negative one is a signal, by which something else ended it.
            did = f"refused the new files with exit status {rc}" if rc > 0 else f"was ended by signal {-rc}"
            raise InstallError(
                f"validate: the command {self._validate_command[0]} {did}{saying}.",
                {"rc": rc, "stdout": decodable(stdout), "stderr": decodable(stderr)},
            )

    def _roll_back(self, message: str, failure: BaseException) -> str:
        """Undo what has been done so far; a sentence that says how the files are now."""
        begun = self._begun
        try:
            if begun is not None and begun.place.exists:
                put_back(begun)
            _sweep(self._locked)
        except (InstallError, OSError) as exc:
            reason = cause(exc) if isinstance(exc, OSError) else str(exc)
            raise InstallError(
                f"{message} Putting the files back did not succeed either: {reason.rstrip('.')}. The old files are "
                f"kept in the folder {hidden.NAME} beside them; the next run puts them back first.",
                getattr(failure, "details", None),
                settled=True,
            ) from exc
        return "Every file has been put back as it was." if begun is not None else "No file was changed."
