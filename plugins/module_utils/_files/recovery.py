# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a transaction is undone, by whoever finds its journal: the run itself, or the next one.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
from typing import Dict, Iterable, List, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._files import attributes, disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.journal import (
    SWITCHING,
    Journal,
    Located,
    clean,
    close,
    unpacked,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, in_folder
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View

#: What undoing does to one destination.
LEAVE, RESTORE, REMOVE, SET_ASIDE = "leave", "restore", "remove", "set aside"


def undo_action(one: Located) -> str:
    """What undoing does to a destination, judged by what is there now."""
    entry = one.entry
    present = disk.inode(one.place)
    if entry.before is None:
        # Somebody else's file that came since is not ours to remove.
        return REMOVE if present is not None and present == entry.after else LEAVE
    if entry.old is None or disk.inode(one.old) is None:
        return LEAVE  # undone already, by a run that was itself interrupted
    if present == entry.before and not (entry.in_place or entry.rewrites):
        return LEAVE  # not changed yet
    if present in (None, entry.before, entry.after):
        return RESTORE
    return SET_ASIDE


def put_back(journal: Journal) -> List[str]:
    """Put everything back as it was before the transaction, and close it. Can be repeated until it succeeds.

    Returns the names under which old files were set aside, because somebody else has put other ones in their place
    since.
    """
    aside = []
    for one in reversed(journal.entries):
        entry = one.entry
        action = undo_action(one)
        if entry.flags and action in (RESTORE, REMOVE) and one.place.exists:
            attributes.put_flags(one.place, "")
        if action == RESTORE:
            _restore(one)
        elif action == REMOVE:
            disk.remove(one.place)
        elif action == SET_ASIDE:
            aside.append(disk.backup_name(one.place.path))
            disk.rename(one.old, in_folder(one.place.there, os.path.basename(aside[-1])))
        if entry.flags and action in (RESTORE, LEAVE) and one.place.exists:
            attributes.put_flags(one.place, entry.flags)
        if entry.backup:
            disk.remove(one.backup)
        # So that the disk never holds an earlier step of going back without the later one: a key must not leave the
        # place it was put before it is back in the place it came from.
        disk.sync_folders([one.place.there])
    close(journal)
    clean(journal)
    return aside


def _restore(one: Located) -> None:
    entry = one.entry
    if entry.protection is None or not one.place.exists:
        disk.replace(one.old, one.place, entry.in_place)
        return
    wanted = unpacked(entry.protection)
    disk.overwrite(one.old, one.place, lambda descriptor: disk.protect(descriptor, wanted))
    disk.remove(one.old)


def view_once_undone(journals: Iterable[Journal]) -> View:
    """The file system as it will be when those that are ``switching`` are put back, and the others let go."""
    instead: Dict[str, Optional[Place]] = {}
    for journal in journals:
        for one in journal.entries:
            action = undo_action(one) if journal.state == SWITCHING else LEAVE
            if action == RESTORE:
                instead[one.place.path] = one.old
            elif action == REMOVE:
                instead[one.place.path] = None
    return View(instead)
