# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a transaction is told to do with one file.

This module util is private to the collection. It can have breaking changes at any time.
"""

import os
from typing import NamedTuple, Optional


class Step(NamedTuple):
    """One file of the transaction: ``content`` is written to it, or ``origin`` is put there, or it goes away.

    ``path`` has no symbolic links in it. A new file that is ``secret`` is for its owner alone; ``backup`` is where the
    old one is kept afterwards. Unless ``own``, the file may be a hard link to ``origin``, which somebody who writes
    into it then changes, too.
    """

    path: str
    existed: bool
    content: Optional[bytes] = None
    origin: Optional[str] = None
    backup: Optional[str] = None
    secret: bool = False
    own: bool = False

    @property
    def directory(self) -> str:
        """Where the file is, or would be."""
        return os.path.dirname(self.path)

    @property
    def stays(self) -> bool:
        """Whether there is a file afterwards."""
        return self.content is not None or self.origin is not None
