# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a transaction is told to do with one file.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import NamedTuple, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._files.disk import Protection
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place


class Step(NamedTuple):
    """One file of the transaction: ``content`` is written to it, or ``origin`` is put there, or it goes away.

    A file that is ``secret`` holds a private key: a new one is for its owner alone, and what is kept of an old one is
    open to nobody that the new one is not open to. ``backup`` is the name, in the same folder, under which the old one
    is kept afterwards. ``origin_inode`` is the one that ``origin`` was seen to have; ``origin_within`` the protection
    that it is not to go beyond in its place, where its own would.
    """

    place: Place
    existed: bool
    content: Optional[bytes] = None
    origin: Optional[Place] = None
    backup: Optional[str] = None
    secret: bool = False
    origin_inode: Optional[int] = None
    origin_within: Optional[Protection] = None

    @property
    def path(self) -> str:
        """The file, without symbolic links."""
        return self.place.path

    @property
    def directory(self) -> str:
        """Where the file is, or would be."""
        return self.place.there.path

    @property
    def stays(self) -> bool:
        """Whether there is a file afterwards."""
        return self.content is not None or self.origin is not None
