# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a transaction is undone, by whoever finds its journal: the run itself, or the next one.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
from typing import Callable, Dict, Iterable, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import (
    Entry,
    Journal,
    clean,
    close,
    unpacked,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View

#: What undoing does to one destination.
LEAVE, RESTORE, REMOVE, SET_ASIDE = "leave", "restore", "remove", "set aside"


def undo_action(entry: Entry) -> str:
    """What undoing does to a destination, judged by what is there now."""
    present = disk.inode(entry.path)
    if entry.before is None:
        # Somebody else's file that came since is not ours to remove.
        return REMOVE if present is not None and present == entry.after else LEAVE
    if not os.path.lexists(entry.names.old):
        return LEAVE  # undone already, by a run that was itself interrupted
    if present == entry.before and not (entry.in_place or entry.rewrites):
        return LEAVE  # not changed yet
    if present in (None, entry.before, entry.after):
        return RESTORE
    return SET_ASIDE


def put_back(journal: Journal, put_flags: Callable[[str, str], None]) -> List[str]:
    """Put everything back as it was before the transaction, and close it. Can be repeated until it succeeds.

    ``put_flags(path, letters)`` makes ``lsattr`` flags be ``letters``; it is called only for transactions that
    touched them. Returns the names under which old files were set aside, because somebody else has put other ones in
    their place since.
    """
    aside = []
    for entry in reversed(journal.entries):
        action = undo_action(entry)
        if entry.flags and action in (RESTORE, REMOVE) and os.path.lexists(entry.path):
            put_flags(entry.path, "")
        if action == RESTORE:
            _restore(entry)
        elif action == REMOVE:
            disk.remove(entry.path)
        elif action == SET_ASIDE:
            aside.append(disk.backup_name(entry.path))
            os.rename(entry.names.old, aside[-1])
        if entry.flags and action in (RESTORE, LEAVE) and os.path.lexists(entry.path):
            put_flags(entry.path, entry.flags)
        if entry.backup:
            disk.remove(entry.backup)
        # So that the disk never holds an earlier step of going back without the later one: a key must not leave the
        # place it was put before it is back in the place it came from.
        disk.sync_directories([os.path.dirname(entry.path)])
    close(journal)
    clean(journal)
    return aside


def _restore(entry: Entry) -> None:
    old, path = entry.names.old, entry.path
    if entry.protection is None or not os.path.lexists(path):
        disk.replace(old, path, entry.in_place)
        return
    wanted = unpacked(entry.protection)
    disk.overwrite(old, path, lambda: disk.protect(path, wanted))
    disk.remove(old)


def view_once_undone(journals: Iterable[Journal]) -> View:
    """The file system as ``put_back`` will make it."""
    instead: Dict[str, Optional[str]] = {}
    for journal in journals:
        for entry in journal.entries:
            action = undo_action(entry)
            if action == RESTORE:
                instead[entry.path] = entry.names.old
            elif action == REMOVE:
                instead[entry.path] = None
    return View(instead)
