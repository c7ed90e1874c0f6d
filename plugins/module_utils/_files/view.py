# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system as it is, or as it will be once what an interrupted run did is undone.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Dict, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place


class View:
    """For looking at files without touching them; ``instead`` says where some paths are read, None for no file."""

    def __init__(self, instead: Dict[str, Optional[Place]]) -> None:
        self._instead = instead

    def source(self, place: Place) -> Optional[Place]:
        """Where that is read which ``place`` will hold; None where nothing will be there."""
        source = self._instead.get(place.path, place)
        return source if source is not None and disk.inode(source) is not None else None

    def read(self, place: Place) -> Optional[bytes]:
        """What ``place`` will hold; None where nothing will be there."""
        source = self.source(place)
        return None if source is None else disk.read(source)

    def alters(self, place: Place) -> bool:
        """Whether ``place`` will hold something else than it does."""
        return place.path in self._instead and self.read(place) != disk.read(place)
