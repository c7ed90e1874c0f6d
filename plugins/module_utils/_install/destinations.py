# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a task wants, where they really are, and what belongs in each.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
import stat
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import FILE_ROLES
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places

#: The role of the private key file in the results.
PRIVATE_KEY = "privatekey"

#: The role of the file that holds private key and chain.
COMBINED = "combined"

#: Labels of certificates, by which programs know one; all of them are ours.
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")


class Destination(NamedTuple):
    """A file as an option names it, and the one that is there once symbolic links are followed."""

    option: str
    role: str
    path: str
    place: Place

    @property
    def real(self) -> str:
        """The path of the file that is there, without symbolic links."""
        return self.place.path

    @property
    def directory(self) -> str:
        """Where the real file is, or would be."""
        return os.path.dirname(self.real)


class Destinations(NamedTuple):
    """All files a task speaks of; ``files`` are those it writes certificates to, in the order of the options."""

    files: Tuple[Destination, ...]
    privatekey: Optional[Destination]
    pending: Optional[Destination]

    def everything(self) -> Tuple[Destination, ...]:
        """The certificate files and the private keys."""
        return self.files + tuple(key for key in (self.privatekey, self.pending) if key is not None)


def destinations(params: Dict[str, Any], places: Places) -> Destinations:
    """The files that the options of a task name, in folders that ``places`` keeps open.

    Raises ``InstallError`` for a path that is relative, names a directory, leads through one that this user may not
    enter or over a link that somebody else could have made, and for two options with one file.
    """
    files = tuple(
        _destination(option, role, params[option], places) for option, role in FILE_ROLES if params.get(option)
    )
    keys = [
        _destination(option, PRIVATE_KEY, params[option], places) if params.get(option) else None
        for option in ("privatekey_path", "pending_privatekey_path")
    ]
    wanted = Destinations(files, keys[0], keys[1])
    seen: Dict[str, Destination] = {}
    for destination in wanted.everything():
        other = seen.setdefault(destination.real, destination)
        if other is not destination:
            raise InstallError(
                f"{other.option} and {destination.option} both name the file {destination.real}; "
                "each needs a file of its own."
            )
    return wanted


def _destination(option: str, role: str, path: str, places: Places) -> Destination:
    place = places.find(option, path)
    status = place.status()
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise InstallError(f"{option}: {path} is not a regular file.")
    return Destination(option, role, path, place)


class ChainParts(NamedTuple):
    """A chain in parts, each PEM text; ``intermediates`` and ``root`` are empty where there are none."""

    leaf: str
    intermediates: str
    root: str


def chain_parts(params: Dict[str, Any]) -> ChainParts:
    """The chain in ``content``: end-entity certificate, intermediates in server order, and the root if it is wanted.

    The root is the last block exactly when ``root_path`` or ``include_root`` asks for it. Raises ``InstallError`` when
    a block that is needed is not there.
    """
    blocks = _pem.blocks(params["content"])
    if not blocks:
        raise InstallError("content: there is no certificate in it.")
    leaf, rest = blocks[0], blocks[1:]
    root = ""
    if params.get("root_path") or params.get("include_root"):
        if not rest:
            option = "root_path" if params.get("root_path") else "include_root"
            raise InstallError(f"{option}: the chain holds no root certificate.")
        root = rest.pop()
    if params.get("chain_path") and not rest and not params.get("include_root"):
        raise InstallError(
            "chain_path: the chain holds no intermediate certificate, so there is nothing to write; "
            "leave chain_path out."
        )
    return ChainParts(leaf, "".join(rest), root)


def foreign_blocks(data: bytes) -> str:
    """The PEM blocks of a combined file that are not ours, such as DH PARAMETERS: neither certificate nor key."""
    found = _pem.every_block(data.decode("latin-1"))
    return "".join(block for label, block in found if label not in _CERTIFICATES and not label.endswith("PRIVATE KEY"))


def content_of(role: str, parts: ChainParts, include_root: bool, key: str, kept: str = "") -> bytes:
    """What belongs in the file of a role.

    ``key`` is the PEM text of the private key, for the role that holds it, and ``kept`` what stays in its file: HAProxy
    reads its DH parameters there, wherever they stand.
    """
    chain = parts.intermediates + (parts.root if include_root else "")
    return {
        "certificate": parts.leaf,
        "chain": chain,
        "fullchain": parts.leaf + chain,
        "root": parts.root,
        COMBINED: key + parts.leaf + chain + kept,
    }[role].encode("latin-1")
