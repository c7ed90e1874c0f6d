# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets out of texts: whatever a page, a message or an error may echo of what was sent.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import functools
import html.entities
import re
import typing as t

_STAND_IN = "***"

# Blanks, also those that no keyboard has, as the last octets of them and as numbers of characters.
_CODES = "(?:0[9a-d]|1[c-f]|20|85|a0)"
_WIDE_CODES = "(?:1680|20(?:0[0-9a]|2[89f]|5f)|3000)"
_OCTET = "%(?:25){0,3}"
_OCTETS = f"(?:{_CODES}|2b|c2{_OCTET}(?:85|a0)|e[123]{_OCTET}[89ab][0-9a-f]{_OCTET}[89ab][0-9a-f])"

# One blank, in a page as in a form, and one plus sign, which a form takes for one.
_BLANK = (
    rf"[\s+]|{_OCTET}{_OCTETS}|&(?:nbsp|tab|newline);|&#0{{0,5}}(?:9|1[0-3]|32|160);|&#x0{{0,5}}(?:[9a-d]|20|a0);"
    # UTF-8 that was taken for Latin-1.
    "|\u00c2[\u0085\u00a0]|[\u00e1-\u00e3][\u0080-\u00bf]{2}"
)
_PLUS = r"&plus;|&#0{0,5}43;|&#x0{0,5}2b;"
_BACKSLASH = r"\\(?:u005c|x5c)?|%(?:25){0,3}5c|&bsol;|&#0{0,5}92;|&#x0{0,5}5c;"

# What stands before the letter of an escape, which may have been escaped itself.
_ESCAPE = r"\\{1,4}"
_ESCAPED_OCTETS = rf"xc2{_ESCAPE}x(?:85|a0)|xe[123]{_ESCAPE}x[89ab][0-9a-f]{_ESCAPE}x[89ab][0-9a-f]"
_ESCAPED_BLANK = f"(?:[nrtfv]|x{_CODES}|{_ESCAPED_OCTETS}|u(?:00{_CODES}|{_WIDE_CODES}))"
_ESCAPED_PLUS = "(?:x2b|u002b)"

# How often one sign may stand where a secret has it once: blanks in a row, and backslashes that were escaped twice.
_MOST_BLANKS, _MOST_BACKSLASHES = 8, 5

# A secret in pieces: signs that may be repeated are one piece together, and so are those which a page that is no UTF-8
# has lost in one.
_PIECES = re.compile(r"(?P<blanks>[\s+]+)|(?P<backslashes>\\+)|(?P<foreign>[^\x00-\x7f\s]+)|(?P<plain>.)", re.DOTALL)


def scrubber(secrets: t.Iterable[str]) -> t.Callable[[str], str]:
    """A function that takes secrets out of a text.

    They are found as they are, percent-encoded (once or more, UTF-8 or Latin-1, blanks as ``+`` or ``%20``), as
    entities of HTML, as escapes of JSON or Python, and in any mix of these, since each page escapes in its own way.
    """
    stripped = {secret.strip() for secret in secrets} - {""}
    if not stripped:
        return lambda text: text
    # The longest first, for where one secret begins another.
    patterns = [_pattern(secret) for secret in sorted(stripped, key=len, reverse=True)]
    found = re.compile("|".join(patterns), re.IGNORECASE)
    return lambda text: found.sub(_STAND_IN, text)


def _pattern(secret: str) -> str:
    """An expression for one secret.

    No text makes the search slow: each repetition has a bound, and of a text that it goes over, whatever stands behind
    a repetition takes nothing, so that there is one way alone to share a text out between the pieces. Two ways for each
    of ten pieces would be a thousand.
    """
    pieces = []
    escape = _ESCAPE
    for found in _PIECES.finditer(secret):
        text = found.group()
        if found["blanks"]:
            pieces.append(_blanks(text, escape))
        elif found["backslashes"]:
            pieces.append(f"(?:{_BACKSLASH}){{{len(text)},{_MOST_BACKSLASHES * len(text) + 4}}}")
        elif found["foreign"]:
            pieces.append(_foreign(text, escape))
        else:
            pieces.append(f"(?:{_forms(text, escape)})")
        # Backslashes in a row belong to the secret's own; that of an escape behind them is one of these.
        escape = "" if found["backslashes"] else _ESCAPE
    return "".join(pieces)


def _blanks(text: str, escape: str) -> str:
    """An expression for blanks and plus signs in a row."""
    count = len(re.findall(r"\s+|\+", text))
    plus = "+" in text
    written = f"{_BLANK}|{_PLUS}" if plus else _BLANK
    escaped = f"(?:{_ESCAPED_BLANK}|{_ESCAPED_PLUS})" if plus else _ESCAPED_BLANK
    first, others = (f"(?:{written}|{prefix}{escaped})" for prefix in (escape, _ESCAPE))
    return f"{first}{others}{{{count - 1},{_MOST_BLANKS * count - 1}}}"


def _foreign(text: str, escape: str) -> str:
    """An expression for characters beyond ASCII in a row, each of which may have become up to four signs of loss."""
    count = len(text)
    signs = [f"(?:{_forms(char, escape if at == 0 else _ESCAPE)}|\ufffd)" for at, char in enumerate(text)]
    whole = f"{''.join(signs)}\ufffd{{0,{3 * count}}}"
    # Latin-1 that happens to be the beginning of UTF-8 becomes one sign for several.
    return f"(?:{whole}|\ufffd{{1,{count - 1}}})" if count > 1 else whole


def _forms(char: str, escape: str) -> str:
    """An expression for one character, without a group around it.

    :arg escape: what stands before the letter of an escape.
    """
    code = ord(char)
    octets = [char.encode("utf-8")] + ([bytes([code])] if 0x7F < code < 0x100 else [])
    units = [char.encode("utf-16-be")[at : at + 2].hex() for at in range(0, len(char.encode("utf-16-be")), 2)]
    # Quotes and slashes wear a backslash in JSON, which may stand in a page.
    worn = r"\\{0,4}" if escape and char in "\"'/" else ""
    forms = [
        worn + re.escape(char),
        *("".join(f"%(?:25){{0,3}}{octet:02x}" for octet in encoded) for encoded in octets),
        rf"{worn}&#0{{0,5}}{code};",
        rf"{worn}&#x0{{0,5}}{code:x};",
        *(f"{worn}&{name}" for name in _entities().get(char, ())),
        f"{escape}u" + rf"{_ESCAPE}u".join(units),
        f"{escape}x{code:02x}" if code < 0x100 else f"{escape}U{code:08x}",
    ]
    if code > 0x7F:
        # UTF-8 that was taken for Latin-1, and octets in a literal of Python.
        forms.append(re.escape(char.encode("utf-8").decode("latin-1")))
        forms.append(f"{escape}x" + f"{_ESCAPE}x".join(f"{octet:02x}" for octet in octets[0]))
    return "|".join(forms)


@functools.cache
def _entities() -> dict[str, list[str]]:
    """The names that HTML has for a character, each with its semicolon."""
    names: dict[str, list[str]] = {}
    for name, text in html.entities.html5.items():
        if name.endswith(";"):
            names.setdefault(text, []).append(name)
    return names
