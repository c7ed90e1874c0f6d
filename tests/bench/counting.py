# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run sends to hosts, counted."""

from __future__ import annotations

import collections
import re
import sys
import typing as t

_SENT = re.compile(r"^<([^<> ]+)> (?:SSH: )?EXEC (.*)", re.MULTILINE)


class Sent(t.NamedTuple):
    """What was sent to one host: commands, and modules, which are sent with one command each."""

    commands: int
    modules: int


def sent(output: str) -> dict[str, Sent]:
    """What a very verbose run (``-vvv``) with pipelining sent to each host that it sent anything to."""
    found: dict[str, list[bool]] = collections.defaultdict(list)
    for host, command in _SENT.findall(output):
        found[host].append(sys.executable in command)
    return {host: Sent(kinds.count(False), kinds.count(True)) for host, kinds in found.items()}
