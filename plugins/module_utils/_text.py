# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of others: how messages show it, and the numbers in it.

Every function here takes any text and raises nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import re
from typing import Iterable, List, Optional

_INTEGER = re.compile(r"^\s*([+-]?[0-9]{1,18})\s*\Z")
_QUOTED = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def excerpt(text: str, size: int = 200) -> str:
    """The beginning of a text on one line, for an error message.

    :arg size: how long it may be (characters), less the sign that there is more.
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: size * 4]).split())
    return line if len(line) <= size else line[:size] + " …"


def last_line(text: str) -> str:
    """The last line of what a program printed that has any words, for the end of a sentence; empty where none has."""
    # Colours, which may be all that a line holds.
    lines = [line for line in _COLOURS.sub("", text).splitlines() if excerpt(line)]
    return excerpt(lines[-1]).rstrip(".") if lines else ""


def decodable(text: str) -> str:
    """A text in which octets that are no UTF-8 give way to replacement characters: results can carry nothing else."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def quoted(text: str) -> str:
    """Words of a server, fit for a message: one line of printable ASCII, not too long."""
    clean = _UNPRINTABLE.sub("?", text)
    shown = clean if len(clean) <= _QUOTED else clean[:_QUOTED] + "…"
    return f'"{shown}"'


def listed(parts: Iterable[str], separator: str = ", ", size: int = 150) -> str:
    """Parts of a sentence as a list that is cut with a count: ``a, b and 248 more``; the first is always there.

    :arg size: how long the list may be (characters), less the count. Each part is cut to an excerpt of that size.
    """
    shown: List[str] = []
    room = size
    everything = [excerpt(part, size) for part in parts]
    for part in everything:
        if shown and len(separator) + len(part) > room:
            break
        room -= len(separator) + len(part)
        shown.append(part)
    left_out = len(everything) - len(shown)
    return separator.join(shown) + (f" and {left_out} more" if left_out else "")


def integer(text: str) -> Optional[int]:
    """A whole number of up to 18 digits, or None."""
    match = _INTEGER.match(text)
    return int(match.group(1)) if match else None
