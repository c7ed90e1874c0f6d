# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a transaction, and the rules that make it all or nothing.

It lies in the hidden folder beside one destination, where nobody else may write if there is such a folder; those beside
the others have a note that says where, so that whichever of them a later run manages, it finds the journal. What a
destination will become and what it was are files of random names in the hidden folder beside it. The rules:

* the journal appears only after every new and every old file is whole and flushed;
* no destination is touched before the journal is there and flushed;
* no old file is removed before the journal is gone and flushed.

So while there is a journal the state before can be had back, and once there is none, what else is in a hidden folder is
mere leftovers. A journal says ``switching`` until every file is in its place and approved of, which the next run
undoes, and ``held`` from then on, until whoever holds the old files lets them go or has them back. Where something is
still to be done by then, it says ``due`` until that is done, and nothing of it can be undone any more.

A transaction with a ``subject`` is one of several that may be open beside each other, and its journal has a name of its
own. Others' are never ended for it.
Nothing here holds key material except an old or new file of one that holds it itself, under its protection.
This module util is private to the collection. It can have breaking changes at any time.
"""

import errno
import json
import os
import re
import stat
from typing import Any, Container, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, permissions
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.hidden import HiddenFolder
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Place, Places, in_folder

#: The states of a transaction.
SWITCHING, HELD, DUE = "switching", "held", "due"

_VERSION = 1
_RANDOM = re.compile(r"[0-9a-f]{32}\Z")
#: One name in a folder.
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\0]+\Z")
_ALL_BITS = 0o7777
_FLAGS = re.compile(r"[ia]{0,2}\Z")
#: What a subject, or what is noted, may be.
_WORDS = re.compile(r"[ -~]{1,256}\Z")

#: No journal comes near this size (bytes): a thousand destinations are a tenth of it.
_LONGEST = 8 << 20

#: By the key of the folder beside which they are.
HiddenFolders = Mapping[object, HiddenFolder]


class Entry(NamedTuple):
    """One destination of a transaction.

    ``new`` and ``old`` are names in the hidden folder beside it, None where there is no such file. ``before`` and
    ``after`` are inode numbers of the file that was there and the file that takes its place, None for no file.
    ``flags`` are the ``lsattr`` letters to be put back, ``backup`` the name of the backup that the transaction makes,
    and ``backup_within`` the protection that it does not go beyond, None for that of the file; ``in_place`` says that
    it may write into the file that was there. Where ``rewrites`` says that it does so always, ``protection`` is the one
    to be put back; both are as ``packed`` has them.
    """

    path: str
    folder: int
    new: Optional[str]
    old: Optional[str]
    before: Optional[int]
    after: Optional[int]
    backup: Optional[str]
    backup_within: Optional[List[Any]]
    flags: str
    in_place: bool
    rewrites: bool = False
    protection: Optional[List[Any]] = None


class Located(NamedTuple):
    """An entry with its destination and its hidden files as they can be reached."""

    entry: Entry
    place: Place
    hidden: HiddenFolder

    @property
    def new(self) -> Place:
        """What the destination is to become."""
        return in_folder(self.hidden, self.entry.new or "")

    @property
    def old(self) -> Place:
        """What it was."""
        return in_folder(self.hidden, self.entry.old or "")

    @property
    def backup(self) -> Place:
        """What of that is kept."""
        return in_folder(self.place.there, self.entry.backup or "")


class Journal(NamedTuple):
    """An unfinished transaction: its state, its destinations in the order they are changed, where the journal is.

    ``name`` is that of the journal, and of the notes on it. ``subject`` says whose transaction it is, None for that of
    a run that ends it itself; ``notes`` are what is to be remembered with it, and ``owes`` says that something is still
    to be done once the old files are let go.
    """

    state: str
    entries: Tuple[Located, ...]
    home: HiddenFolder
    name: str = hidden.JOURNAL
    subject: Optional[str] = None
    notes: Optional[Dict[str, str]] = None
    owes: bool = False

    @property
    def place(self) -> Place:
        """Where the journal is."""
        return in_folder(self.home, self.name)

    def hiddens(self) -> List[HiddenFolder]:
        """Every hidden folder that it uses."""
        return list({one.hidden.key: one.hidden for one in self.entries}.values())


def packed(protection: disk.Protection) -> List[Any]:
    """A protection as JSON has it."""
    return [*protection[:3], [[name, value.hex()] for name, value in protection.extended]]


def unpacked(values: List[Any]) -> disk.Protection:
    """A protection that was ``packed``."""
    mode, uid, gid, extended = values
    return disk.Protection(mode, uid, gid, tuple((name, bytes.fromhex(value)) for name, value in extended))


def begun(
    entries: Tuple[Located, ...],
    subject: Optional[str] = None,
    notes: Optional[Dict[str, str]] = None,
    owes: bool = False,
) -> Journal:
    """A transaction that begins. Its journal lies where nobody else could move it away, if there is such a folder.

    For whoever owns the folder around a hidden one can move that elsewhere; without the journal, what other folders
    keep would be taken for leftovers.
    """
    safe = [one.hidden for one in entries if one.place.there.settled]
    home = (safe or [entries[0].hidden])[0]
    name = hidden.JOURNAL if subject is None else f"{hidden.JOURNAL}-{home.new_name()}"
    return Journal(SWITCHING, entries, home, name, subject, notes, owes)


def write(journal: Journal) -> None:
    """Declare a transaction begun, or in another state. All it needs for being undone must be flushed already."""
    home = journal.home
    for other in journal.hiddens():
        if other is not home and journal.state == SWITCHING:
            note = {"version": _VERSION, "elsewhere": home.beside.path, "folder": home.beside.inode}
            _put(other, journal.name, note)
    disk.sync_folders(journal.hiddens())
    value = {"version": _VERSION, "state": journal.state}
    value.update({"subject": journal.subject, "notes": journal.notes, "owes": journal.owes})
    value["entries"] = [dict(one.entry._asdict()) for one in journal.entries]
    _put(home, journal.name, value)
    disk.sync_folders([home, home.beside])


def _put(where: HiddenFolder, name: str, value: Dict[str, Any]) -> None:
    draft = in_folder(where, where.new_name())
    disk.write_new(draft, json.dumps(value).encode("ascii"))
    disk.rename(draft, in_folder(where, name))


def close(journal: Journal) -> None:
    """Declare a transaction ended, well or undone: the one moment in which it takes effect."""
    disk.sync_folders(one.place.there for one in journal.entries)
    disk.remove(journal.place)


def let_go(journal: Journal) -> None:
    """Declare a transaction ended well, or due where something is still to be done: the moment it takes effect."""
    if not journal.owes:
        close(journal)
        return
    disk.sync_folders(one.place.there for one in journal.entries)
    # Nothing of its files is to be found again, but who looks at those beside the journal finds what is due.
    at_home = [one for one in journal.entries if one.hidden is journal.home]
    settled = [one._replace(entry=one.entry._replace(new=None, old=None, backup=None)) for one in at_home]
    write(journal._replace(state=DUE, entries=tuple(settled)))


def clean(journal: Journal) -> None:
    """Remove what a closed transaction leaves, once it is certain that the journal cannot come back without it."""
    disk.sync_folders([journal.home])
    for where in journal.hiddens():
        others = [name for name in where.journals() if name != journal.name or where is journal.home]
        if others:
            _clean_beside(journal, where)
        else:
            where.clear()


def _clean_beside(journal: Journal, where: HiddenFolder) -> None:
    """Remove what a closed transaction leaves in a hidden folder where something is kept that is not of it."""
    if where is not journal.home:
        disk.remove(in_folder(where, journal.name))
    names = [
        name
        for one in journal.entries
        if one.hidden is where
        for name in (one.entry.new, one.entry.old)
        if name is not None
    ]
    disk.remove(*(in_folder(where, name) for name in names))


def used(journals: Iterable[Journal], where: HiddenFolder) -> List[str]:
    """The names in a hidden folder that those of these transactions need there which are not at their end."""
    names = []
    for journal in (one for one in journals if one.place.exists):
        if where in journal.hiddens() or where is journal.home:
            names.append(journal.name)
        for one in journal.entries:
            if one.hidden is where:
                names.extend(name for name in (one.entry.new, one.entry.old) if name is not None)
    return names


def find(
    places: Places, found_in: HiddenFolders, looked_at: Container[object]
) -> Tuple[List[Journal], List[Folder], List[str]]:
    """The unfinished transactions that these hidden folders take part in.

    ``looked_at`` has the keys of the folders in which a hidden one was looked for. The folders that have to be looked
    at besides come second, and the paths of those that are not there third; only where there are none of either are
    the transactions complete. Raises ``InstallError`` for a journal that this user cannot trust: undoing it would move
    files as somebody else says.
    """
    journals: Dict[object, Journal] = {}
    more: List[Folder] = []
    lost: List[str] = []
    for where, name in [(one, name) for one in found_in.values() for name in one.journals()]:
        value = _value(where, name)
        if value is None:
            continue
        home: Optional[HiddenFolder] = where
        if "elsewhere" in value:
            folder = _noted(places, where, value)
            if folder is None:
                lost.append(value["elsewhere"])
                continue
            if folder.key not in looked_at and hidden.look(folder) is not None:
                more.append(folder)
            home = found_in.get(folder.key)
            value = None if home is None else _value(home, name)
        if home is None or value is None or "elsewhere" in value or (home.key, name) in journals:
            continue
        entries = _entries(home, value)
        folders = {path: _reached(places, path) for path in {os.path.dirname(one.path) for one in entries}}
        lost.extend(path for path, folder in folders.items() if folder is None)
        there = [folder for folder in folders.values() if folder is not None]
        if not lost and home.beside.key not in [folder.key for folder in there]:
            raise _untrusted(home, "it is not where it was written")
        unseen = [folder for folder in there if folder.key not in looked_at]
        more.extend(unseen)
        if not unseen and len(there) == len(folders):
            located = [
                _located(places, home, name, one, folders[os.path.dirname(one.path)], found_in) for one in entries
            ]
            there_now = tuple(one for one in located if one is not None)
            journals[home.key, name] = Journal(
                value["state"],
                there_now,
                home,
                name,
                value.get("subject"),
                value.get("notes"),
                value.get("owes", False),
            )
    return list(journals.values()), more, lost


def _reached(places: Places, path: str) -> Optional[Folder]:
    folder = places.folder("The journal of an interrupted run", path)
    # By a link it was not written: paths in a journal are without any.
    return folder if folder is not None and folder.path == path else None


def _noted(places: Places, where: HiddenFolder, note: Dict[str, Any]) -> Optional[Folder]:
    """The folder beside which the journal is that a note speaks of; None where that folder is not there any more."""
    path = note["elsewhere"]
    if not isinstance(path, str) or not os.path.isabs(path):
        raise _untrusted(where, "it cannot be read")
    folder = _reached(places, path)
    return folder if folder is not None and folder.inode == note.get("folder") else None


def _value(where: HiddenFolder, name: str) -> Optional[Dict[str, Any]]:
    try:
        descriptor = os.open(
            name,
            os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0),
            dir_fd=where.descriptor,
        )
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise _untrusted(where, permissions.cause(exc)) from exc
    try:
        status = os.fstat(descriptor)
        reason = disk.distrust(status, stat.S_ISREG)
        if reason or status.st_size > _LONGEST:
            raise _untrusted(where, reason or "it is too long")
        data = disk.read_from(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
    try:
        value = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as exc:
        raise _untrusted(where, "it cannot be read") from exc
    if not isinstance(value, dict) or value.get("version") != _VERSION:
        raise _untrusted(where, "it cannot be read")
    return value


def _entries(home: HiddenFolder, value: Dict[str, Any]) -> List[Entry]:
    try:
        entries = [Entry(**fields) for fields in value["entries"]]
        well = bool(entries) and all(_is_well_formed(one) for one in entries) and _is_whose(value)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise _untrusted(home, "it cannot be read") from exc
    if not well:
        raise _untrusted(home, "it cannot be read")
    return entries


def _is_whose(value: Dict[str, Any]) -> bool:
    """Whether a state is one, and what it says of whose it is, and what is due, can be what a run wrote."""
    state, subject, notes, owes = value["state"], value.get("subject"), value.get("notes"), value.get("owes", False)
    return (
        state in (SWITCHING, HELD, DUE)
        and (subject is None or _is_words(subject))
        and (
            notes is None or (isinstance(notes, dict) and all(_is_words(one) for pair in notes.items() for one in pair))
        )
        and isinstance(owes, bool)
        and ((owes and subject is not None) or state != DUE)
    )


def _is_words(value: Any) -> bool:
    return isinstance(value, str) and _WORDS.match(value) is not None


def _is_well_formed(entry: Entry) -> bool:
    def number(value: Any) -> bool:
        return value is None or _is_number(value)

    def name(value: Any) -> bool:
        return value is None or (isinstance(value, str) and bool(_RANDOM.match(value)))

    own = os.path.basename(entry.path)
    backup = entry.backup
    return (
        os.path.isabs(entry.path)
        and os.path.normpath(entry.path) == entry.path
        and bool(own)
        and min(entry.path) >= " "
        and number(entry.folder)
        and name(entry.new)
        and name(entry.old)
        and number(entry.before)
        and number(entry.after)
        and (backup is None or (isinstance(backup, str) and _NAME.match(backup) is not None))
        and _is_protection(entry.backup_within)
        and _is_protection(entry.protection)
        and isinstance(entry.flags, str)
        and bool(_FLAGS.match(entry.flags))
        and isinstance(entry.in_place, bool)
        and isinstance(entry.rewrites, bool)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_protection(values: Any) -> bool:
    """Whether this is None, or a protection as ``packed`` makes it; raises ``TypeError`` or ``ValueError`` for some."""
    if values is None:
        return True
    mode, uid, gid, extended = values
    return (
        all(_is_number(number) and 0 <= number < 1 << 32 for number in (mode, uid, gid))
        and mode <= _ALL_BITS
        and all(
            isinstance(name, str) and "\0" not in name and bytes.fromhex(value) is not None for name, value in extended
        )
    )


def _located(
    places: Places,
    home: HiddenFolder,
    name: str,
    entry: Entry,
    folder: Optional[Folder],
    found_in: HiddenFolders,
) -> Optional[Located]:
    """The entry in this folder; None where the note beside its file is gone, and with it what was kept there.

    Then that file has been taken care of since: by a run that could not see the journal, as somebody had moved it away,
    or by whoever removed what was beside the file.
    """
    if folder is None or folder.inode != entry.folder:
        raise _untrusted(home, "the folders are not those it was written for")
    where = found_in.get(folder.key)
    if where is None or (where is not home and not _points_to(places, where, name, home)):
        return None
    return Located(entry, in_folder(folder, os.path.basename(entry.path)), where)


def _points_to(places: Places, where: HiddenFolder, name: str, home: HiddenFolder) -> bool:
    value = _value(where, name)
    if value is None or "elsewhere" not in value:
        return False
    folder = _noted(places, where, value)
    return folder is not None and folder.key == home.beside.key


def _untrusted(where: HiddenFolder, reason: str) -> InstallError:
    return InstallError(
        f"The journal in {where.path} says that another run was interrupted, but it cannot be acted upon: {reason}. "
        "Nothing was changed. Run again as the user of that run, or compare the files by hand and remove that folder.",
        settled=True,
    )
