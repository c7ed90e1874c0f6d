# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to do for a certificate that is to be absent: the files that it names go, and never a private key.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.transaction import require_possible
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import diff
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import (
    COMBINED,
    Destination,
    Destinations,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.plan import ORDER, Move
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.privatekey import key_blocks
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.records import Proof


class Removal(NamedTuple):
    """All that is to be done, as ``Plan`` says it; ``there`` are the files that go, each with what it holds."""

    files_wanted: Tuple[Destination, ...]
    there: Dict[str, bytes]
    undone: FrozenSet[str]
    move: Optional[Move] = None
    proofs: Tuple[Proof, ...] = ()

    @property
    def replaces(self) -> bool:
        """Whether there is anything that goes."""
        return bool(self.there)

    def steps(self, backup: bool) -> Tuple[Step, ...]:
        """The steps of it, those first that depend on others; ``backup`` says whether what goes is kept."""
        going = [one for one in self.files_wanted if one.real in self.there]
        going.sort(key=lambda one: ORDER.index(one.role), reverse=True)
        return tuple(
            Step(one.place, True, backup=disk.backup_name(one.real) if backup else None, secret=one.role == COMBINED)
            for one in going
        )

    def files(self, backups: Dict[str, str]) -> List[Dict[str, Any]]:
        """The ``files`` of the results; ``backups`` are the names of the backups made, by real path."""
        return [
            {
                "path": one.path,
                "role": one.role,
                "changed": one.real in self.there or one.real in self.undone,
                "backup_file": backups.get(one.real),
            }
            for one in self.files_wanted
        ]

    def diff(self) -> List[Dict[str, str]]:
        """The ``diff`` of the results, one entry a file that goes."""
        return [diff.of_removed(one.path, self.there[one.real]) for one in self.files_wanted if one.real in self.there]


def plan_removal(module: Any, wanted: Destinations, view: View, undone: FrozenSet[str]) -> Removal:
    """See which of the files that options name ``view`` shows.

    Raises ``InstallError`` for one that could not be removed, and for a file with a private key that is nowhere else.
    """
    there: Dict[str, bytes] = {}
    for one in wanted.files:
        with disk.doing(f"{one.option}: {one.path} could not be read"):
            data = view.read(one.place)
        if data is None:
            continue
        there[one.real] = data
        if one.role == COMBINED:
            _require_other_copy(one, data, wanted.privatekey, view)
        require_possible(module, one.option, Step(one.place, True), view.source(one.place), False)
    return Removal(wanted.files, there, undone)


def _require_other_copy(one: Destination, data: bytes, key: Optional[Destination], view: View) -> None:
    kept = key_blocks((None if key is None else view.read(key.place)) or b"")
    if key_blocks(data) not in kept:
        where = "elsewhere" if key is None else f"in {key.path}"
        raise InstallError(
            f"{one.option}: {one.path} holds a private key that is not {where}, and a private key is never removed. "
            "Move it there, or remove that file by hand."
        )
