# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons that a target may have, and those of them that can be tried here."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

from . import places

#: Minor versions.
MINORS = range(6, 14)
#: The oldest Python on a target, by the version of ansible-core.
_OLDEST = {(2, 16): 6, (2, 17): 7, (2, 18): 8, (2, 19): 8, (2, 20): 9, (2, 21): 9}


@functools.cache
def interpreters() -> dict[int, str]:
    """Pythons by minor version: those that COLLECTSSL_TEST_PYTHONS names (3.6=/path,3.8=/path), and those on PATH."""
    named = dict(pair.split("=", 1) for pair in os.environ.get("COLLECTSSL_TEST_PYTHONS", "").split(",") if "=" in pair)
    found = {}
    for minor in MINORS:
        candidate = named.get(f"3.{minor}") or shutil.which(f"python3.{minor}")
        if candidate and _version(candidate) == f"3.{minor}":
            found[minor] = candidate
    return found


def _version(candidate: str) -> str:
    """What a candidate really is; a version manager's stand-in may be there and not work."""
    try:
        done = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def why_not(minor: int) -> str | None:
    """Why this minor version cannot be tried here; None where it can."""
    oldest = _OLDEST.get(places.core_version(), min(_OLDEST.values()))
    if minor < oldest:
        core = ".".join(map(str, places.core_version()))
        return f"ansible-core {core} takes Python 3.{oldest} or newer on targets"
    if minor not in interpreters():
        return "there is none here"
    return None
