# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file system as it is, or as it will be once what an interrupted run did is undone.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
from typing import Dict, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk


class View:
    """For looking at files without touching them; ``instead`` says where some paths are read, None for no file."""

    def __init__(self, instead: Dict[str, Optional[str]]) -> None:
        self._instead = instead

    def source(self, path: str) -> Optional[str]:
        """Where that is read which ``path`` will hold; None where nothing will be there."""
        source = self._instead.get(path, path)
        return source if source is not None and os.path.lexists(source) else None

    def read(self, path: str) -> Optional[bytes]:
        """What ``path`` will hold; None where nothing will be there."""
        source = self.source(path)
        return None if source is None else disk.read(source)

    def alters(self, path: str) -> bool:
        """Whether ``path`` will hold something else than it does."""
        return path in self._instead and self.read(path) != disk.read(path)
