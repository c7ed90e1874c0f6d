# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a step can be carried out by this user and loses nothing, found out by looking alone.

A new file takes the place of an old one, so it has to be given the owner and the group of that, and who is not root can
do so with neither unless they are his own. Without this, a file of root's would quietly become one of his.
This module util is private to the collection. It can have breaking changes at any time.
"""

import os
import stat
from typing import Any, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, permissions
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import group_named, user_named
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step

_BECOME = "Run the task with become"


def require_possible(module: Any, subject: str, step: Step, source: Optional[Place], settles: bool) -> None:
    """Raise ``InstallError`` where this user could not carry out a step, or would lose the owner or group of its file.

    ``subject`` begins the message. ``source`` is where the file is read that is there before, None for none;
    ``settles`` says that its attributes are to change.
    """
    check = _Check(module, subject, step, source)
    check.mount()
    check.backup()
    check.one_name()
    check.reader()
    if not permissions.is_root():
        check.place()
        if check.rewritten is not None:
            check.writing(check.rewritten, settles)
        elif step.content is not None:
            check.owner()
            check.group()
        if step.origin is not None:
            check.origin(step.origin)
        check.way_back()


class _Check:
    def __init__(self, module: Any, subject: str, step: Step, source: Optional[Place]) -> None:
        self._subject = subject
        self._step = step
        self._path = step.path
        self._source = source
        self._status = None if source is None else source.status()
        self._owner = module.params.get("owner")
        self._group = module.params.get("group")
        self._in_place = bool(module.params.get("in_place"))
        self._unsafe = bool(module.params.get("unsafe_writes"))
        #: What is known of the file that is there, where it is to be written into.
        self.rewritten = self._status if self._in_place and step.stays else None

    def mount(self) -> None:
        """A file that is mounted by itself can be neither replaced nor removed."""
        if self._source is None or not disk.is_mounted(self._path):
            return
        if not self._step.stays:
            raise self._refusal(f"{self._path} is bind-mounted by itself, so it cannot be moved away")
        if not (self._in_place or self._unsafe):
            raise self._refusal(
                f"{self._path} is bind-mounted by itself, so no other file can take its place",
                "Give in_place: true, which writes into it.",
            )
        if permissions.is_read_only(self._path):
            raise self._refusal(
                f"{self._path} is bind-mounted by itself, and read-only, so nothing can be written into it",
                "Name the file that is mounted there, or mount it for writing.",
            )

    def backup(self) -> None:
        """The name of a backup is longer than that of the file."""
        if self._step.backup is not None and not disk.can_be_named(self._step.backup):
            raise self._refusal(
                f"the name of a backup of {self._path}, with the time in it, would be longer than its file system "
                "allows",
                "Give the file a shorter name, or leave backup out.",
            )

    def one_name(self) -> None:
        """A file that is written into changes under all its names, and one of them may be a trap."""
        present = self.rewritten
        if present is not None and present.st_nlink > 1 and not self._step.place.there.settled:
            raise self._refusal(
                f"{self._path} has other names as well (hard links), and others could have given it this one, so it is "
                "not written into (in_place)",
                "Remove it, or leave in_place out.",
            )

    def reader(self) -> None:
        """A private key takes over the owner of the file that is there, who may be the one who put it there."""
        step, present = self._step, self._status
        if not step.secret or present is None:
            return
        meant = permissions.uid_of(None if self._owner is None else str(self._owner))
        if step.origin is not None:
            status = step.origin.status()
            if self.rewritten is None or status is None:
                return
            meant = status.st_uid
        permissions.require_meant(self._subject, self._path, present.st_uid, meant, step.place.there.settled)

    def place(self) -> None:
        """In a folder with the sticky bit only the owner moves a file."""
        if self._status is not None and self.rewritten is None and permissions.sticks(self._path):
            raise self._refusal(
                f"{self._path} belongs to {user_named(self._status.st_uid)}, and the sticky bit of its folder keeps "
                f"{permissions.user()} from replacing it",
                f"{_BECOME}.",
            )

    def writing(self, present: os.stat_result, settles: bool) -> None:
        """A file that is written into stays what it is, and only its owner may change its attributes."""
        if not os.access(self._path, os.W_OK):
            raise self._refusal(f"{permissions.user()} may not write into {self._path} (in_place)", f"{_BECOME}.")
        if settles and not permissions.may_own(present.st_uid):
            raise self._refusal(
                f"{self._path} belongs to {user_named(present.st_uid)}, so {permissions.user()} cannot change its "
                "owner, group or mode",
                f"{_BECOME}, or leave them out.",
            )
        self._require_options()

    def owner(self) -> None:
        """What takes the place of a file must belong to the same user, unless the task says to whom."""
        self._require_options()
        if self._owner is None and self._status is not None and not permissions.may_own(self._status.st_uid):
            raise self._refusal(
                f"{self._path} belongs to {user_named(self._status.st_uid)}, and {permissions.user()}, who cannot give "
                "files away, would make it a file of their own",
                f"{_BECOME}, or give owner: {user_named(os.geteuid())} if that is wanted.",
            )

    def group(self) -> None:
        """And to the same group."""
        if self._status is None or self._group is not None:
            return
        gid = self._status.st_gid
        if self._status.st_mode & stat.S_ISGID and not permissions.is_member(gid):
            raise self._refusal(
                f"{self._path} has the set-group-ID bit for the group {group_named(gid)}, which {permissions.user()}, "
                "who is not in it, cannot give a file",
                f"{_BECOME}.",
            )
        if not permissions.may_group(gid, self._step.directory):
            raise self._refusal(
                f"{self._path} is of the group {group_named(gid)}, and {permissions.user()}, who is not in it, would "
                "make it a file of another group",
                f"{_BECOME}, or give group: {group_named(os.getegid())} if that is wanted.",
            )

    def origin(self, origin: Place) -> None:
        """What is moved keeps its owner and group as the very same file, or as a copy that can be given them."""
        status = origin.status()
        if status is None:
            return
        one_disk = status.st_dev == self._step.place.there.key[0]
        changed = self._step.origin_within is not None
        link = one_disk and not (self.rewritten or self._unsafe or changed) and permissions.may_link(origin.path)
        if not link and not self._can_copy(status):
            raise self._refusal(
                f"{origin.path} belongs to {user_named(status.st_uid)}:{group_named(status.st_gid)}, and "
                f"{permissions.user()} cannot move it to {self._path} without making it a file of their own",
                f"{_BECOME}.",
            )
        target = self.rewritten
        if target is None or permissions.may_own(target.st_uid):
            return
        # What is moved is this user's own by now, so the two are never of the same owner.
        raise self._refusal(
            f"{self._path} belongs to {user_named(target.st_uid)}, so {permissions.user()} cannot give it the "
            f"owner, group and mode of {origin.path} (in_place)",
            f"{_BECOME}.",
        )

    def way_back(self) -> None:
        """What is kept of a file, for going back or as a backup, is the very same file or a copy as protected."""
        if self._source is None or self._status is None or self._can_copy(self._status):
            return
        if self._unsafe and not self._in_place:
            kept, without = "keep a copy that does, too, while it writes into the file (unsafe_writes)", "unsafe_writes"
        elif self._step.backup is not None and (self.rewritten or not permissions.may_link(self._source.path)):
            kept, without = "make a backup that does, too", "backup"
        else:
            return
        raise self._refusal(
            f"{self._path} belongs to {user_named(self._status.st_uid)}:{group_named(self._status.st_gid)}, and "
            f"{permissions.user()} cannot {kept}",
            f"{_BECOME}, or leave {without} out.",
        )

    def _can_copy(self, status: os.stat_result) -> bool:
        return permissions.may_own(status.st_uid) and permissions.may_group(status.st_gid, self._step.directory)

    def _require_options(self) -> None:
        uid, gid = permissions.uid_of(self._owner), permissions.gid_of(self._group)
        present = self.rewritten
        if uid is not None and not permissions.may_own(uid) and (present is None or present.st_uid != uid):
            raise self._refusal(
                f"{permissions.user()} cannot give {self._path} to {user_named(uid)} (owner)",
                f"{_BECOME}, or leave owner out.",
            )
        known = present is not None and present.st_gid == gid
        if gid is not None and not known and not permissions.may_group(gid, self._step.directory):
            raise self._refusal(
                f"{permissions.user()}, who is not in the group {group_named(gid)}, cannot give {self._path} to it "
                "(group)",
                f"{_BECOME}, or leave group out.",
            )

    def _refusal(self, words: str, remedy: str = "") -> InstallError:
        return InstallError(f"{self._subject}: {words}. {remedy}".rstrip())
