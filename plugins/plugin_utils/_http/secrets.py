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

# A run of blanks, in a page as in a form. Every repetition here has a bound, so that no page can make the search slow.
_BLANKS = r"(?:[\s+]|%(?:25){0,3}(?:20|2b)|&nbsp;|&#0{0,5}32;|&#x0{0,5}20;|\\{1,4}(?:[nrtfv]|x(?:0[9a-d]|20|85|a0)))"
_BLANKS += "{1,8}"


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
    return "".join(_BLANKS if part.isspace() else _forms(part) for part in re.findall(r"\s+|\S", secret))


def _forms(char: str) -> str:
    """An expression for one character."""
    code = ord(char)
    octets = [char.encode("utf-8")] + ([bytes([code])] if 0x7F < code < 0x100 else [])
    units = char.encode("utf-16-be").hex()
    forms = [
        # Quotes and backslashes wear a backslash in JSON.
        (r"\\{0,4}" if char in "\"'\\/" else "") + re.escape(char),
        *("".join(f"%(?:25){{0,3}}{octet:02x}" for octet in encoded) for encoded in octets),
        rf"&#0{{0,5}}{code};",
        rf"&#x0{{0,5}}{code:x};",
        *(f"&{name}" for name in _entities().get(char, ())),
        "".join(rf"\\{{1,4}}u{units[at : at + 4]}" for at in range(0, len(units), 4)),
    ]
    forms.append(rf"\\{{1,4}}x{code:02x}" if code < 0x100 else rf"\\{{1,4}}U{code:08x}")
    if code > 0x7F:
        # UTF-8 that was taken for Latin-1, and Latin-1 that was taken for UTF-8.
        forms += [re.escape(char.encode("utf-8").decode("latin-1")), "\ufffd{1,4}"]
    if char == "+":
        forms.append(r"\s")
    return f"(?:{'|'.join(forms)})"


@functools.cache
def _entities() -> dict[str, list[str]]:
    """The names that HTML has for a character, each with its semicolon."""
    names: dict[str, list[str]] = {}
    for name, text in html.entities.html5.items():
        if name.endswith(";"):
            names.setdefault(text, []).append(name)
    return names
