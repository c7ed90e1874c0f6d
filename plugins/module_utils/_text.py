# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of others: how it is made printable on its way in, how messages show it, and the numbers in it.

What a provider, a server, a certificate or a program says may hold signs that no eye sees and a terminal obeys: control
characters, signs that turn the direction of writing, signs without width, separators of lines, halves of characters.
``printable`` writes them out (``\\x1b``, ``\\u202e``), so that they are seen and do nothing; all else stays, letters of
any script too. It is called where such text comes in, and once is enough: what is written out stays as it is.
Every function here takes any text and raises nothing.
This module util is private to the collection. It can have breaking changes at any time.
"""

import re
from typing import Iterable, List, Match, Optional

_INTEGER = re.compile(r"^\s*([+-]?[0-9]{1,18})\s*\Z")
_QUOTED = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# The same in every version of Python, which ``str.isprintable`` is not: categories Cc, Cf, Cs, Zl and Zp, and fillers.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN_SIGN = re.compile(f"[{_HIDDEN}]")
_HIDDEN_IN_LINES = re.compile(f"(?![\\n\\t])[{_HIDDEN}]")
# Halves of characters that do not stand for an octet.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


# Something in PEM, be it that its end is not there; and what is left of one whose beginning is not.
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
_PEM_CUT = re.compile(r"\A.*?-----END ([A-Z0-9 ]+)-----", re.DOTALL)


def printable(text: str, lines: bool = False) -> str:
    """A text in which every sign that is not seen is written out as in a literal of Python.

    :arg lines: line feeds and tabs stay, for text of several lines; ends of lines are line feeds then.
    """
    if lines:
        return _HIDDEN_IN_LINES.sub(_written_out, text.replace("\r\n", "\n"))
    return _HIDDEN_SIGN.sub(_written_out, text)


def _written_out(match: Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def excerpt(text: str, size: int = 200) -> str:
    """The beginning of a text on one line, for an error message.

    :arg size: how long it may be (characters), less the sign that there is more.
    """
    seen = _HIDDEN_SIGN.sub(" ", text[: size * 4])
    line = " ".join("".join(char if char.isprintable() else " " for char in seen).split())
    return line if len(line) <= size else line[:size] + " …"


def last_line(text: str, most: int = 1) -> str:
    """The last line of what a program printed that has any words, for the end of a sentence; empty where none has.

    :arg most: how many lines there may be; many a program says last that it failed, and why in the line before.
    """
    # Colours, which may be all that a line holds.
    lines = [line for line in _COLOURS.sub("", text).splitlines() if excerpt(line)]
    return "; ".join(excerpt(line).rstrip(".") for line in lines[-most:])


def without_pem(text: str) -> str:
    """What a program printed, as people and logs may see it: what is in PEM may be a private key."""
    return _PEM_CUT.sub(r"[\1]", _PEM.sub(r"[\1]", text))


def decodable(text: str) -> str:
    """A text of several lines, made printable, for a result; octets that are no UTF-8 become replacement characters."""
    whole = _HALF.sub(_written_out, text)
    return printable(whole.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), lines=True)


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
