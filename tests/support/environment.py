# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ansible-core has around it: the settings that it is given, and no others."""

from __future__ import annotations

import os
import pathlib

from . import places


def clean() -> dict[str, str]:
    """The environment of this process without proxies and settings of Ansible, of the collection or of pytest."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "COLLECTSSL_", "PYTEST_")) and not name.lower().endswith("_proxy")
    }


def of_run(folder: pathlib.Path, home: str, **settings: str) -> dict[str, str]:
    """The environment of a run that keeps all that is its own below a folder; settings come on top."""
    return {
        **clean(),
        "ANSIBLE_COLLECTIONS_PATH": str(places.collections_path(folder)),
        "ANSIBLE_HOME": str(folder / home),
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        # ansible-core leaves it to Python when a line is written, and to a pipe that is after eight thousand octets.
        "PYTHONUNBUFFERED": "1",
        **settings,
    }
