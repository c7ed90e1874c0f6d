# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates stand and fall together.

Those that share a service, a ``validate`` command or a file can't be told apart when one of these refuses, so they go
into service as one, and go back as one. Others never touch each other.
This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Dict, Hashable, Iterable, List, Sequence, Tuple


def units(certificates: Sequence[Tuple[str, Iterable[Hashable]]]) -> List[List[str]]:
    """The names of the certificates in groups, each and all in the order in which they are given.

    ``certificates`` are names, each with what it shares with whoever else has the same: a pair that says what kind of
    thing it is, and which.
    """
    leader = {name: name for name, dummy in certificates}

    def leader_of(name: str) -> str:
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    first: Dict[Hashable, str] = {}
    for name, shared in certificates:
        for thing in shared:
            leader[leader_of(name)] = leader_of(first.setdefault(thing, name))
    groups: Dict[str, List[str]] = {}
    for name in leader:
        groups.setdefault(leader_of(name), []).append(name)
    return list(groups.values())
