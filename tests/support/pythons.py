# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons that a target may have, and those of them that can be tried here."""

from __future__ import annotations

import functools

from . import places
from .interpreters import to_try

#: Minor versions.
MINORS = range(6, 14)
#: The oldest Python on a target, by the version of ansible-core.
_OLDEST = {(2, 16): 6, (2, 17): 7, (2, 18): 8, (2, 19): 8, (2, 20): 9, (2, 21): 9}


@functools.cache
def interpreters() -> dict[int, str]:
    """Pythons by minor version."""
    found = to_try(f"3.{minor}" for minor in MINORS)
    return {minor: found[f"3.{minor}"] for minor in MINORS if f"3.{minor}" in found}


def why_not(minor: int) -> str | None:
    """Why this minor version cannot be tried here; None where it can."""
    oldest = _OLDEST.get(places.core_version(), min(_OLDEST.values()))
    if minor < oldest:
        core = ".".join(map(str, places.core_version()))
        return f"ansible-core {core} takes Python 3.{oldest} or newer on targets"
    if minor not in interpreters():
        return "there is none here"
    return None
