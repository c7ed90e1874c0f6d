# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a folder, to the last bit."""

from __future__ import annotations

import os
import pathlib
import stat
import typing as t


class Entry(t.NamedTuple):
    """A file, folder or link: what it holds, who may do what with it, and when it was last written."""

    content: bytes | str | None
    mode: int
    owner: tuple[int, int]
    modified: int
    inode: int


Snapshot = dict[str, Entry]


def snapshot(folder: pathlib.Path) -> Snapshot:
    """Everything below a folder, by relative path; access times aside, nothing can be done there unnoticed."""
    found: Snapshot = {}
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = pathlib.Path(parent, name)
            status = path.lstat()
            content: bytes | str | None = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            found[str(path.relative_to(folder))] = Entry(
                content, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid), status.st_mtime_ns, status.st_ino
            )
    return found


def contents(folder: pathlib.Path) -> dict[str, bytes | str | None]:
    """What every file below a folder holds."""
    return {path: entry.content for path, entry in snapshot(folder).items()}


def write(path: pathlib.Path, content: str | bytes, mode: int = 0o644) -> pathlib.Path:
    """Write a file with its folder, and give it a mode whatever the umask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    path.chmod(mode)
    return path
