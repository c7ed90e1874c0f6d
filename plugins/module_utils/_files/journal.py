# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a transaction, and the hidden files beside the destinations.

Beside a destination ``site.pem`` a transaction keeps ``.collectssl-site.pem.new.key`` (what it will become),
``.old.key`` (what it was) and ``.journal.key`` (the list of all files of the transaction beside the first of them, a
symbolic link to that list beside the others, so that whichever of them a later run manages, it finds the list). They
all end in ``.key``, since HAProxy loads every file of a folder, hidden ones too, but for a few extensions. The rules:

* the journal appears only after every new and every old file is whole and flushed;
* no destination is touched before the journal is there and flushed;
* no old file is removed before the journal is gone and flushed.

So while there is a journal the state before can be had back, and once there is none, hidden files are mere leftovers.
Nothing here holds key material except an old or new file of one that holds it itself, under its protection.
This module util is private to the collection. It can have breaking changes at any time.
"""

import errno
import hashlib
import json
import os
import stat
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, permissions

#: A file name longer than this leaves no room for ours around it; its digest then stands for it.
_LONGEST_NAME = 200


class HiddenNames(NamedTuple):
    """The names that a transaction uses beside one destination."""

    new: str
    old: str
    journal: str
    draft: str


def hidden_names(path: str) -> HiddenNames:
    """The hidden names beside ``path``, an absolute path without symbolic links."""
    directory, name = os.path.split(path)
    encoded = os.fsencode(name)
    if len(encoded) > _LONGEST_NAME:
        name = hashlib.sha256(encoded).hexdigest()
    stem = os.path.join(directory, ".collectssl-" + name)
    return HiddenNames(stem + ".new.key", stem + ".old.key", stem + ".journal.key", stem + ".draft.key")


class Entry(NamedTuple):
    """One destination of a transaction.

    ``before`` and ``after`` are inode numbers of the file that was there and the file that takes its place, None for no
    file. ``flags`` are the ``lsattr`` letters to be put back, ``backup`` the backup the transaction makes; ``in_place``
    says that it may write into the file that was there. Where ``rewrites`` says that it does so always, ``protection``
    is the one to be put back, as ``packed`` has it.
    """

    path: str
    before: Optional[int]
    after: Optional[int]
    backup: Optional[str]
    flags: str
    in_place: bool
    rewrites: bool = False
    protection: Optional[List[Any]] = None

    @property
    def names(self) -> HiddenNames:
        """The hidden names beside this destination."""
        return hidden_names(self.path)


class Journal(NamedTuple):
    """An unfinished transaction: the file that says so, and its destinations in the order they are changed."""

    path: str
    entries: Tuple[Entry, ...]

    def directories(self) -> List[str]:
        """The directories of every destination."""
        return [os.path.dirname(entry.path) for entry in self.entries]


def packed(protection: disk.Protection) -> List[Any]:
    """A protection as JSON has it."""
    return [*protection[:3], [[name, value.hex()] for name, value in protection.extended]]


def unpacked(values: List[Any]) -> disk.Protection:
    """A protection that was ``packed``."""
    mode, uid, gid, extended = values
    return disk.Protection(mode, uid, gid, tuple((name, bytes.fromhex(value)) for name, value in extended))


def write(entries: Tuple[Entry, ...]) -> Journal:
    """Declare a transaction begun. Everything it needs for being undone must be flushed already."""
    names = entries[0].names
    for entry in entries[1:]:
        os.symlink(names.journal, entry.names.journal)
    journal = Journal(names.journal, entries)
    disk.sync_directories(journal.directories())
    disk.create(names.draft, json.dumps([dict(entry._asdict()) for entry in entries]).encode("utf-8"))
    os.rename(names.draft, names.journal)
    disk.sync_directories([os.path.dirname(names.journal)])
    return journal


def close(journal: Journal) -> None:
    """Declare a transaction ended, well or undone: the one moment in which it takes effect."""
    disk.sync_directories(journal.directories())
    disk.remove(journal.path)


def clean(journal: Journal) -> None:
    """Remove what a closed transaction leaves, once it is certain that the journal cannot come back without it."""
    disk.sync_directories([os.path.dirname(journal.path)])
    disk.remove(*leftovers(entry.path for entry in journal.entries))


def leftovers(paths: Iterable[str]) -> List[str]:
    """The hidden files beside these destinations; no more than that where no journal speaks of them."""
    return [name for path in paths for name in hidden_names(path) if os.path.lexists(name)]


def find(paths: Iterable[str]) -> List[Journal]:
    """The journals of unfinished transactions that any of these destinations took part in.

    Raises ``InstallError`` for one that this user cannot trust: undoing it would move files as somebody else says.
    """
    found: Dict[str, Journal] = {}
    for path in paths:
        target = _target(path)
        data = None if target is None else _content(path, target)
        if target is not None and data is not None:
            found[target] = Journal(target, _entries(path, target, data))
    return [found[target] for target in sorted(found)]


def _target(path: str) -> Optional[str]:
    """Where the journal beside a destination really is, None for none."""
    name = hidden_names(path).journal
    try:
        owner = os.lstat(name).st_uid
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        permissions.require_way(path, path)
        raise InstallError(
            f"{path} could not be looked at: {permissions.cause(exc)}.{permissions.advice(exc)}"
        ) from exc
    if owner != os.geteuid():
        raise _untrusted(path, f"it belongs to the user {permissions.user_named(owner)}")
    return os.path.realpath(name)


def _content(path: str, target: str) -> Optional[bytes]:
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR):
            return None  # the link to one that has been closed
        permissions.require_way(path, target)
        raise _untrusted(path, permissions.cause(exc)) from exc
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise _untrusted(path, f"it belongs to the user {permissions.user_named(status.st_uid)}, or is no file")
        if stat.S_IMODE(status.st_mode) & 0o077 or status.st_nlink != 1:
            raise _untrusted(path, "others may have written it")
        return file.read()


def _entries(path: str, target: str, data: bytes) -> Tuple[Entry, ...]:
    try:
        entries = tuple(Entry(**fields) for fields in json.loads(data.decode("utf-8")))
    except (TypeError, ValueError) as exc:
        raise _untrusted(path, "it cannot be read") from exc
    if not entries or entries[0].names.journal != target:
        raise _untrusted(path, "it is not where it was written")
    return entries


def _untrusted(path: str, reason: str) -> InstallError:
    return InstallError(
        f"A hidden journal beside {path} says that another run was interrupted, but it cannot be acted upon: {reason}. "
        "Nothing was changed. Run again as the user of that run, or compare the files by hand and remove the hidden "
        "files of the same name.",
        settled=True,
    )
