# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to do: the files that are there against those that are wanted. Planning changes nothing.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import require_writable
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.transaction import require_possible
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import diff, privatekey
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import (
    COMBINED,
    PRIVATE_KEY,
    ChainParts,
    Destination,
    Destinations,
    content_of,
    foreign_blocks,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.records import Proof

#: In which order the files change: a service that reloads in between finds the certificate it had with the key it had,
#: for as long as that can be.
ORDER = ("root", "chain", PRIVATE_KEY, COMBINED, "fullchain", "certificate")


class Change(NamedTuple):
    """A certificate file: what it holds (None: there is none), what it is to hold, attributes to be put right.

    ``undone`` says that undoing an interrupted run changes it, whatever else is to be done; ``key_to_come`` that
    ``wanted`` lacks the private key that belongs in it, since check mode found none yet.
    """

    destination: Destination
    before: Optional[bytes]
    wanted: bytes
    drift: Dict[str, Dict[str, Any]]
    undone: bool
    key_to_come: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the file is to be written."""
        return self.key_to_come or self.before != self.wanted or bool(self.drift)

    @property
    def secret(self) -> bool:
        """Whether the file holds a private key."""
        return self.destination.role == COMBINED

    def step(self, backup: bool) -> Step:
        """How the file comes to hold what it is to hold."""
        existed = self.before is not None
        keeps = backup and existed and self.before != self.wanted
        return Step(
            self.destination.place,
            existed,
            content=self.wanted,
            backup=disk.backup_name(self.destination.real) if keeps else None,
            secret=self.secret,
        )


class Move(NamedTuple):
    """The pending private key that is to become the private key; ``existed`` says that there is one to be replaced.

    ``inode`` is the one under which the pending key was seen, None where it is yet to come. Where it would open its
    place to more than the key before was open to, ``within`` is the protection of that one, and ``warning`` says so.
    """

    pending: Destination
    privatekey: Destination
    existed: bool
    inode: Optional[int] = None
    within: Optional[disk.Protection] = None
    warning: Optional[str] = None

    def step(self, backup: bool) -> Step:
        """How the private key comes to be the pending one."""
        name = disk.backup_name(self.privatekey.real) if backup and self.existed else None
        return Step(
            self.privatekey.place,
            self.existed,
            origin=self.pending.place,
            backup=name,
            secret=True,
            origin_inode=self.inode,
            origin_within=self.within,
        )


class Plan(NamedTuple):
    """All that is to be done; ``key_undone`` is a private key file that undoing an interrupted run changes.

    ``proofs`` say of files with private keys what they go with, once everything is done.
    """

    changes: Tuple[Change, ...]
    move: Optional[Move]
    key_undone: Optional[Destination]
    proofs: Tuple[Proof, ...] = ()

    @property
    def replaces(self) -> bool:
        """Whether anything is to be written."""
        return self.move is not None or any(change.replaces for change in self.changes)

    def steps(self, backup: bool) -> Tuple[Step, ...]:
        """The steps of an installation; ``backup`` says whether files whose content is replaced are kept."""
        found = [(change.destination.role, change.step(backup)) for change in self.changes if change.replaces]
        last = []
        if self.move is not None:
            found.append((PRIVATE_KEY, self.move.step(backup)))
            last.append(Step(self.move.pending.place, existed=True))
        found.sort(key=lambda pair: ORDER.index(pair[0]))
        return (*(step for _role, step in found), *last)

    def files(self, backups: Dict[str, str]) -> List[Dict[str, Any]]:
        """The ``files`` of the results; ``backups`` are the names of the backups made, by real path."""
        found = [(change.destination, change.replaces or change.undone) for change in self.changes]
        if self.move is not None:
            found.append((self.move.privatekey, True))
        elif self.key_undone is not None:
            found.append((self.key_undone, True))
        return [
            {
                "path": destination.path,
                "role": destination.role,
                "changed": changed,
                "backup_file": backups.get(destination.real),
            }
            for destination, changed in found
        ]

    def diff(self) -> List[Dict[str, str]]:
        """The ``diff`` of the results, one entry a file that changes."""
        entries = [
            diff.of_file(change.destination.path, change.before, change.wanted, change.drift, change.key_to_come)
            for change in self.changes
            if change.replaces
        ]
        if self.move is not None:
            entries.append(diff.of_moved_key(self.move.privatekey.path, self.move.pending.path, self.move.existed))
        return entries


def make_plan(
    module: Any, wanted: Destinations, parts: ChainParts, attributes: FileAttributes, view: View, undone: FrozenSet[str]
) -> Plan:
    """Compare what ``view`` shows with what is wanted.

    ``undone`` are the files, by real path, that undoing an interrupted run has changed or will change.

    Raises ``InstallError`` when the certificate does not belong to the private key, when a file cannot be read, and
    when a file that is to be changed could not be, or would lose its owner or group. In check mode a private key or a
    directory that is not there yet is a warning.
    """
    plan = _Planner(module, wanted, parts, attributes, view, undone).plan()
    backup = bool(module.params["backup"])
    for change in plan.changes:
        if change.replaces and _has_directory(module, change.destination):
            source = view.source(change.destination.place)
            require_possible(module, change.destination.option, change.step(backup), source, bool(change.drift))
    if plan.move is not None:
        _require_movable(module, plan.move, backup, view)
    return plan


def _require_movable(module: Any, move: Move, backup: bool, view: View) -> None:
    there = [_has_directory(module, key) for key in (move.privatekey, move.pending)]
    source = view.source(move.pending.place)
    if all(there) and source is not None:
        step = move.step(backup)._replace(origin=source)
        require_possible(module, move.privatekey.option, step, view.source(move.privatekey.place), False)
        require_possible(module, move.pending.option, Step(move.pending.place, existed=True), source, False)


def _has_directory(module: Any, destination: Destination) -> bool:
    """Whether the directory of a file that is to be written is there; only in check mode it need not be."""
    directory = destination.directory
    if os.path.isdir(directory):
        require_writable(destination.option, directory)
        return True
    nearest = _nearest(directory)
    if not os.path.isdir(nearest):
        raise InstallError(f"{destination.option}: {nearest} is not a directory, so no file can be in it.")
    if not module.check_mode:
        raise InstallError(f"{destination.option}: the directory {directory} does not exist; create it first.")
    to_be_made = module.params.get("directory")
    if to_be_made and os.path.join(to_be_made, "").startswith(os.path.join(directory, "")):
        return False
    module.warn(
        f"{destination.option}: the directory {directory} does not exist yet. Check mode takes it that an earlier task "
        "of the play would have made it."
    )
    return False


def _nearest(path: str) -> str:
    """The first of a path and the folders above it that exists."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


class _Planner:
    def __init__(
        self,
        module: Any,
        wanted: Destinations,
        parts: ChainParts,
        attributes: FileAttributes,
        view: View,
        undone: FrozenSet[str],
    ) -> None:
        self._module = module
        self._wanted = wanted
        self._parts = parts
        self._attributes = attributes
        self._view = view
        self._undone = undone
        # What the private key file holds that belongs to the certificate.
        self._proven: Optional[bytes] = None

    def plan(self) -> Plan:
        before: Dict[str, Optional[bytes]] = {}
        for destination in self._wanted.files:
            with disk.doing(f"{destination.option}: {destination.path} could not be read"):
                before[destination.real] = self._view.read(destination.place)
        key, move = self._key(before)
        key_undone = self._wanted.privatekey
        if key_undone is not None and key_undone.real not in self._undone:
            key_undone = None
        changes = tuple(self._change(file, before[file.real], key) for file in self._wanted.files)
        return Plan(changes, move, key_undone, tuple(self._proofs(changes)))

    def _proofs(self, changes: Tuple[Change, ...]) -> List[Proof]:
        if self._wanted.privatekey is None or self._proven is None:
            return []
        key = (self._wanted.privatekey.path, self._proven)
        with_key = [
            Proof(
                change.destination.path, self._content(change.destination, "").decode("latin-1"), change.wanted, (key,)
            )
            for change in changes
            if change.secret
        ]
        return [Proof(key[0], self._parts.leaf, key[1]), *with_key]

    def _change(self, destination: Destination, before: Optional[bytes], key: Optional[str]) -> Change:
        combined = destination.role == COMBINED
        drift = self._attributes.drift(destination.place, self._view.source(destination.place), combined)
        content = self._content(destination, key or "", foreign_blocks(before) if combined and before else "")
        undone = destination.real in self._undone
        return Change(destination, before, content, drift, undone, key_to_come=combined and key is None)

    def _content(self, destination: Destination, key: str, kept: str = "") -> bytes:
        return content_of(destination.role, self._parts, self._module.params["include_root"], key, kept)

    def _key(self, before: Dict[str, Optional[bytes]]) -> Tuple[Optional[str], Optional[Move]]:
        """The private key as PEM text, None where there is none yet, and the move that puts it in its place."""
        if self._wanted.privatekey is None:
            return "", None
        for destination in self._wanted.files:
            # In the steady state the certificate is in a file already.
            if destination.role in ("certificate", "fullchain"):
                source = self._view.source(destination.place)
                if source is not None and before[destination.real] == self._content(destination, ""):
                    with disk.opened(source) as descriptor:
                        path = disk.by_name(descriptor)
                        # Whoever owns the folder may have put another one there since.
                        if path is not None and disk.read_from(descriptor) == before[destination.real]:
                            return self._choose_key(self._wanted.privatekey, path)
        certificate = self._parts.leaf.encode("latin-1")
        with disk.doing("The certificate could not be written to a temporary file"), disk.scratch(
            self._module.tmpdir, certificate
        ) as certificate_file:
            return self._choose_key(self._wanted.privatekey, certificate_file)

    def _choose_key(self, key: Destination, certificate_file: str) -> Tuple[Optional[str], Optional[Move]]:
        pending = self._wanted.pending
        if self._is_to_come(key):
            return self._foreseen_key(key, certificate_file)
        try:
            blocks = self._try_key(key, certificate_file)
            refusal = f"The certificate does not belong to the private key in {key.path} (privatekey_path)."
        except InstallError as exc:
            # A certificate for the pending key need not care what is wrong with the key that one takes the place of.
            if pending is None:
                raise
            blocks, refusal = None, str(exc)
        if blocks is not None:
            return blocks, None
        question = "Was it ordered with another key?"
        if pending is None:
            raise InstallError(f"{refusal} {question}")
        move = self._move(pending, key)
        if self._is_to_come(pending):
            self._warn_of(pending, refusal + " ")
            return None, move
        also = f"{pending.path} (pending_privatekey_path)"
        if self._view.source(pending.place) is None:
            raise InstallError(f"{refusal} There is no file {also} either. {question}")
        blocks = self._try_key(pending, certificate_file)
        if blocks is None:
            raise InstallError(f"{refusal} Nor does it belong to the one in {also}. {question}")
        return blocks, move

    def _is_to_come(self, key: Destination) -> bool:
        return bool(self._module.check_mode) and self._view.source(key.place) is None

    def _foreseen_key(self, key: Destination, certificate_file: str) -> Tuple[Optional[str], Optional[Move]]:
        """For a key that an earlier task of the play would have made, unless the pending one takes that place."""
        pending = self._wanted.pending
        if pending is not None and self._view.source(pending.place) is not None:
            with contextlib.suppress(InstallError):
                blocks = self._try_key(pending, certificate_file)
                if blocks is not None:
                    return blocks, self._move(pending, key)
        self._warn_of(key)
        return None, None

    def _warn_of(self, key: Destination, before: str = "") -> None:
        self._module.warn(
            f"{before}{key.option}: there is no file {key.path} yet. Check mode takes it that an earlier task of the "
            "play would have made it; whether the certificate belongs to it was not checked."
        )

    def _move(self, pending: Destination, key: Destination) -> Move:
        """The move of a pending key to its place, where it is no wider open than the key before was."""
        new, old = self._view.source(pending.place), self._view.source(key.place)
        inode = None if new is None else disk.inode(new)
        if new is None or old is None:
            return Move(pending, key, old is not None, inode)
        given, allowed = disk.protection(new), disk.protection(old)
        closed = given.closed_as(allowed)
        if closed == given:
            return Move(pending, key, True, inode)
        unlisted = " and no access control list" if given.acl != closed.acl else ""
        warning = (
            f"{pending.path} (pending_privatekey_path) has mode {given.mode:04o} and {key.path} (privatekey_path) "
            f"{allowed.mode:04o}: the new key gets {closed.mode:04o}{unlisted}, so that it is no wider open than the "
            "old one was"
        )
        return Move(pending, key, True, inode, allowed, warning)

    def _try_key(self, key: Destination, certificate_file: str) -> Optional[str]:
        source = self._view.source(key.place)
        if source is None:
            raise InstallError(f"{key.option}: there is no file {key.path}.")
        with disk.doing(f"{key.option}: {key.path} could not be read"), disk.opened(source) as descriptor:
            data, blocks = privatekey.load(key.option, key.path, descriptor)
            passphrase = self._module.params.get("privatekey_passphrase")
            file = disk.by_name(descriptor)
            if file is not None:
                right = privatekey.matches(key.option, key.path, file, certificate_file, passphrase)
            else:
                with disk.scratch(self._module.tmpdir, blocks.encode("latin-1")) as copy:
                    right = privatekey.matches(key.option, key.path, copy, certificate_file, passphrase)
        if not right:
            return None
        # One that needs a passphrase is looked into each time, as it may be given a wrong one.
        self._proven = None if passphrase else data
        return blocks
