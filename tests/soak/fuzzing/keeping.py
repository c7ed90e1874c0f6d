# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which inputs of a corpus are worth keeping."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.soak.mutation import living
from ansible_collections.certfleet.collectssl.tests.soak.mutation.touched import Touched
from ansible_collections.certfleet.collectssl.tests.support import hostile_bytes, places

_PACKAGES = ("plugins/module_utils/_wire", "plugins/plugin_utils/_chain")
_MOST = 90_000
"""Bytes of all inputs that are kept."""


def smallest(inputs: t.Iterable[bytes]) -> tuple[list[bytes], int]:
    """The smallest inputs that together reach what all of them reach, and how many lines that is.

    What a reader makes of lines counts, so each has inputs of its own.
    """
    paths = {source.path for source in living.sources(places.COLLECTION, _PACKAGES).values()}
    functions = living.Functions(paths)
    touched = Touched(paths, functions.codes())
    reached: set[t.Any] = set()
    lines: set[tuple[str, int]] = set()
    chosen = []
    size = 0
    with touched.watching():
        for data in sorted(inputs, key=lambda data: (len(data), data)):
            functions.forget()
            touched.begin()
            outcome = hostile_bytes.read(data)
            found = touched.lines()
            lines |= found
            facts = {(outcome, data[:1]), *found}
            if not facts <= reached and size + len(data) <= _MOST:
                reached |= facts
                chosen.append(data)
                size += len(data)
    return chosen, len(lines)
