# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate of a call, in terms of this host: its files, what is installed, what there is to do, what hooks hear.

This module util is private to the collection. It can have breaking changes at any time.
"""

import copy
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Tuple, Union

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, folders
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.destinations import (
    COMBINED,
    ChainParts,
    chain_parts,
    content_of,
    destinations,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.plan import Plan, make_plan
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.removal import Removal, plan_removal

#: The roles of files that begin with the end-entity certificate, or hold it behind the private key.
_WITH_LEAF = ("certificate", "fullchain", COMBINED)

#: Both say what there is to do in the same words.
AnyPlan = Union[Plan, Removal]


class Certificate:
    """What the options of one certificate ask of this host.

    :arg module: the ``AnsibleModule`` of the call; ``params`` are the options of this certificate.
    :arg warn: takes a warning.

    Raises ``InstallError`` for options that can't be met whatever is there.
    """

    def __init__(self, module: Any, params: Dict[str, Any], places: Places, warn: Callable[[str], None]) -> None:
        self.name: str = params["name"]
        self.params = params
        self.absent: bool = params["state"] == "absent"
        # The helpers of ansible-core take their options from the module: here each certificate has its own.
        self.module: Any = copy.copy(module)
        self.module.params = params
        self.module.warn = lambda warning, **dummy: warn(f"{self.name}: {warning}")
        self._places = places
        self._made: List[str] = []
        self.wanted = destinations(params, places)
        self.attributes = FileAttributes(self.module)
        self.parts: Optional[ChainParts] = None
        if params.get("content") and not self.absent:
            self.parts = chain_parts(params)

    @property
    def places(self) -> List[Place]:
        """Where all files are that it speaks of."""
        return [destination.place for destination in self.wanted.everything()]

    @property
    def paths(self) -> FrozenSet[str]:
        """These files, without symbolic links."""
        return frozenset(destination.real for destination in self.wanted.everything())

    @property
    def is_to_change(self) -> bool:
        """Whether it says what is to be installed; without that, what is there stays."""
        return self.absent or self.parts is not None

    @property
    def fingerprint(self) -> Optional[str]:
        """The one of the certificate that is to be installed, None where there is none."""
        return None if self.parts is None else fingerprint(self.parts.leaf)

    def key_type(self, view: View) -> Optional[str]:
        """Of what kind the key is of the one that is to be installed, or else of the one that is; None if not told."""
        leaf = self.parts.leaf if self.parts is not None else self.look(view)
        der = _pem.dearmour(leaf) if leaf else None
        return None if der is None else _pem.key_type(der)

    def contents(self) -> Dict[str, Optional[bytes]]:
        """What each of its files is to hold, by path; None for one that is to go. Less those with a private key."""
        found: Dict[str, Optional[bytes]] = {}
        for one in self.wanted.files:
            if self.absent:
                found[one.real] = None
            elif self.parts is not None and one.role != COMBINED:
                found[one.real] = content_of(one.role, self.parts, self.params["include_root"], "")
        return found

    # The folder

    def make_directory(self) -> None:
        """Make the folder that it asks for, if it is not there."""
        path = self.params.get("directory")
        if not path or not self.is_to_change or self.absent or self.module.check_mode:
            return
        with disk.doing(f"directory: {path} could not be made"):
            folders.made(self._places, "directory", path, [0o755], self._made)

    def find_again(self) -> None:
        """Find its files in folders that were not there; another certificate may have asked for the same one."""
        if any(place.folder is None for place in self.places):
            self.wanted = destinations(self.params, self._places)

    def unmake_directory(self) -> None:
        """Remove what ``make_directory`` made, where nothing came into it."""
        folders.unmade(self._places, self._made)

    # What there is, and what there is to do

    def look(self, view: View) -> Optional[str]:
        """The PEM text of the end-entity certificate that is installed, None where there is none."""
        for one in self.wanted.files:
            if one.role in _WITH_LEAF:
                with disk.doing(f"{one.option}: {one.path} could not be read"):
                    data = view.read(one.place)
                blocks = _pem.blocks((data or b"").decode("latin-1"))
                if blocks:
                    return blocks[0]
        return None

    def make_plan(self, view: View, undone: FrozenSet[str]) -> Optional[AnyPlan]:
        """What there is to do as ``view`` shows its files, None where they are to stay as they are.

        ``undone`` are the files that an interrupted run, which was ended, had been at. Raises ``InstallError`` where it
        cannot be done.
        """
        if self.absent:
            return plan_removal(self.module, self.wanted, view, undone)
        if self.parts is None:
            return None
        with disk.doing("The files could not be looked at"):
            return make_plan(self.module, self.wanted, self.parts, self.attributes, view, undone)

    @property
    def pending_key(self) -> Optional[str]:
        """The private key that waits for a certificate, if it is there."""
        pending = self.wanted.pending
        return pending.real if pending is not None and pending.place.exists else None

    # What hooks hear

    def variables(self, installed: Optional[str], tlsa_before: str) -> Dict[str, str]:
        """What a command is told of it, as variables.

        ``installed`` is the one that is installed, as PEM text, None where it is the one to come that counts;
        ``tlsa_before`` the TLSA value of the one that was in its place before.
        """
        leaf = self.parts.leaf if installed is None and self.parts is not None else installed
        path = next((one.path for one in self.wanted.files if one.role in _WITH_LEAF), self.wanted.files[0].path)
        return {
            "CERTFLEET_NAME": self.name,
            "CERTFLEET_PATH": path,
            "CERTFLEET_FINGERPRINT": fingerprint(leaf) or "",
            "CERTFLEET_TLSA": tlsa(leaf),
            "CERTFLEET_TLSA_BEFORE": tlsa_before,
        }


def shared(certificate: Certificate) -> List[Tuple[str, str]]:
    """What makes a unit of it with whoever else has the same: services, its ``validate`` command, files."""
    params = certificate.params
    things = [("service", service) for service in params["services"]]
    if params.get("validate"):
        things.append(("validate", params["validate"]))
    return things + [("file", path) for path in sorted(certificate.paths)]


def fingerprint(leaf: Optional[str]) -> Optional[str]:
    """The fingerprint of a certificate in PEM, None for none."""
    der = _pem.dearmour(leaf) if leaf else None
    return None if der is None else _pem.fingerprint(der)


def tlsa(leaf: Optional[str]) -> str:
    """The TLSA value of a certificate in PEM, empty for none and for one that cannot be read."""
    der = _pem.dearmour(leaf) if leaf else None
    try:
        return "" if der is None else _pem.tlsa_of(der)
    except ValueError:
        return ""


def conflict(one: Certificate, other: Certificate) -> Optional[InstallError]:
    """Why two certificates can't both be installed: they want different things of one file. None where they can."""
    wanted, also = one.contents(), other.contents()
    for path in sorted(set(wanted) & set(also)):
        if wanted[path] != also[path]:
            return InstallError(f"{other.name} wants another content of the file {path}. Each needs files of its own.")
    combined = {file.real for file in one.wanted.files if file.role == COMBINED}
    both = sorted(path for path in combined & other.paths if one.fingerprint != other.fingerprint)
    if both and one.is_to_change and other.is_to_change:
        return InstallError(f"{other.name} names the file {both[0]}, too. Each needs one of its own.")
    return None
