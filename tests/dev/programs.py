# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the programs in ``packages.txt`` this machine lacks; ``prepare`` installs from the same list."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import typing as t

LIST = pathlib.Path(__file__).with_name("packages.txt")


class Program(t.NamedTuple):
    """An entry of the list."""

    name: str
    """As it is called, or the path of a file."""
    package: str
    tags: frozenset[str]
    what_for: str

    @property
    def there(self) -> bool:
        """Whether this machine has it."""
        return os.path.exists(self.name) if self.name.startswith("/") else shutil.which(self.name) is not None


def listed() -> list[Program]:
    """Return the whole list."""
    found = []
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, package, tags, what_for = (part.strip() for part in line.split("|"))
            found.append(Program(name, package, frozenset(tags.split()), what_for))
    return found


def missing(tags: t.Collection[str]) -> list[str]:
    """Return, for each program that is missing for sessions with ``tags``, what can't run without it."""
    fleet = sys.platform.startswith("linux") and os.geteuid() == 0
    used = set(tags) if fleet else set(tags) - {"fleet"}
    return [
        f"{program.what_for}: this machine has no {program.name} (Debian package {program.package})"
        for program in listed()
        if program.tags & used and not program.there
    ]
