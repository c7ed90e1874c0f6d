# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing files so that nobody ever sees half of one, and the name of the one that tells where a simulator is."""

from __future__ import annotations

import os
import pathlib
import tempfile

#: Written last and atomically: once it is there, the simulator listens.
READY_FILE = "simulator.json"


def write_atomically(path: pathlib.Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file under another name and move it into place; raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
