# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection, its simulator and the programs of ansible-core are."""

from __future__ import annotations

import functools
import pathlib
import shutil
import sys

COLLECTION = pathlib.Path(__file__).resolve().parents[2]
"""The folder of the collection under test: ansible-test copies a target, and never this file."""
IMPORTABLE = COLLECTION / "tests" / "support" / "importable.py"
"""The file that programs run by its path, to have the collection under its name."""
SIMULATOR = COLLECTION / "tests" / "simulator"
"""The folder that Python runs as the simulator."""

_COLLECTION = pathlib.Path("ansible_collections/certfleet/collectssl")


def collections_path(scratch: pathlib.Path) -> pathlib.Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH; made in scratch where the checkout is in no such folder."""
    if COLLECTION.parts[-3:] == _COLLECTION.parts:
        return COLLECTION.parents[2]
    link = scratch / "collections" / _COLLECTION
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(COLLECTION)
    return scratch / "collections"


@functools.cache
def program(name: str) -> str:
    """The path of a program of ansible-core: the one that belongs to this Python, or else the one on PATH."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"There is no {name} beside {sys.executable}, nor on PATH.")
    return found


@functools.cache
def core_version() -> tuple[int, int]:
    """Major and minor version of the ansible-core that these tests run."""
    from ansible.release import __version__

    major, minor = __version__.split(".")[:2]
    return int(major), int(minor)
