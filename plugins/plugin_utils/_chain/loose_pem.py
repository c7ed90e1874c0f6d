# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM blocks in text that people hand in: anything may stand before, between and behind them.

What a provider sends is judged by ``module_utils/_pem.py``, which takes far less. Here text may hold lines of dashes,
boundaries that are quoted in a sentence or commented out, and line ends may have become spaces. What is never passed
over is a block that began, or one that ended, and is not whole.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError

# As RFC 7468 has labels, and OpenSSL has "X9.42 DH PARAMETERS": any printable characters.
_BOUNDARY = re.compile(r"-----(?P<edge>BEGIN|END) (?P<label>(?:(?!-----)[ -~]){1,64})-----")
# Where a line begins like a boundary and does not go on as one; or where the text ends within its first word. Dashes
# alone are no boundary that has begun: many a text ends in some.
_BEGUN = re.compile(r"^[ \t]*(?:- )?-----(?:(?:BEGIN|END)\b|(?:B|BE|BEG|BEGI|E|EN)\s*\Z)", re.MULTILINE)
# What a text signed with PGP puts before a line that begins with a dash (RFC 9580, section 7.2).
_ESCAPE = re.compile(r"\n- \Z")
_LITERAL_LINE_END = re.compile(r"\s*\\+[nr]")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16}")
# A whole line of it, and perhaps a shorter one, with words of a sentence in neither.
_END_OF_BASE64 = re.compile(r"[A-Za-z0-9+/]{40}[A-Za-z0-9+/=\s]*\Z")
# It has no end: a signature of its own follows.
_WITHOUT_END = "PGP SIGNED MESSAGE"

_BROKEN = "content holds a broken PEM block"


class Block(t.NamedTuple):
    """One whole block: its label, what is in it, and the number of its first line."""

    label: str
    body: str
    line: int


def blocks(text: str) -> list[Block]:
    """Every block of a text whose lines end in line feeds, in order.

    :raises ChainError: where one is torn, or its lines end in the two characters of an escape.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._boundaries = list(_BOUNDARY.finditer(text))
        self._found: list[Block] = []
        # Where what has not been looked at begins; and up to where lines were counted.
        self._at = 0
        self._counted = 0
        self._lines = 1

    def read(self) -> list[Block]:
        number = 0
        while number < len(self._boundaries):
            boundary = self._boundaries[number]
            following = self._boundaries[number + 1] if number + 1 < len(self._boundaries) else None
            if boundary["edge"] == "END":
                self._refuse_end(number)
            elif self._is_block(number, following):
                number += 1
            number += 1
        self._refuse_begun(self._at, len(self._text))
        return self._found

    def _is_block(self, number: int, end: re.Match[str] | None) -> bool:
        """Whether a block begins here, which is then read; a boundary that a sentence quotes is none."""
        begin = self._boundaries[number]
        label = begin["label"]
        if _LITERAL_LINE_END.match(self._text, begin.end()):
            raise ChainError(
                r"content holds the two characters \n where its lines should end, as text out of JSON or of an "
                r"environment variable may do. Turn them into line ends, in double quotes, in which YAML reads them: "
                r"""content: "{{ TEXT | replace('\\n', '\n') }}"."""
            )
        at_line_start = self._is_at_line_start(number)
        if end is None or end["edge"] != "END" or end["label"] != label:
            if at_line_start and label != _WITHOUT_END:
                raise ChainError(
                    f"{_BROKEN}: {label}, which begins in line {self._line(begin.start())}, has no end of its own. It "
                    "was cut off, or a boundary is damaged."
                )
            return False
        body = _ESCAPE.sub("\n", self._text[begin.end() : end.start()])
        if _is_prose(body) or (not at_line_start and _pem.decode_base64(body) is None):
            return False
        self._refuse_begun(self._at, begin.start())
        self._refuse_begun(begin.end(), end.start())
        self._found.append(Block(label, body, self._line(begin.start())))
        self._at = end.end()
        return True

    def _refuse_end(self, number: int) -> None:
        end = self._boundaries[number]
        if self._is_at_line_start(number) or _END_OF_BASE64.search(self._text, max(0, end.start() - 200), end.start()):
            raise ChainError(
                f"{_BROKEN}: {end['label']}, which ends in line {self._line(end.start())}, has no beginning of its own."
            )

    def _refuse_begun(self, begin: int, end: int) -> None:
        begun = _BEGUN.search(self._text[begin:end])
        # A whole boundary that stands there was found to be no part of a block.
        if begun and not _BOUNDARY.match(self._text[begin:end], begun.group().index("-----") + begun.start()):
            line = self._line(begin + begun.start())
            raise ChainError(f"{_BROKEN}: the boundary in line {line} was cut off, or is damaged.")

    def _is_at_line_start(self, number: int) -> bool:
        at = self._boundaries[number].start()
        before = self._boundaries[number - 1].end() if number else 0
        return self._text[max(before, self._text.rfind("\n", before, at) + 1) : at].strip() in ("", "-")

    def _line(self, at: int) -> int:
        """The number of the line of a place that is behind those asked for before."""
        self._lines += self._text.count("\n", self._counted, at)
        self._counted = at
        return self._lines


def _is_prose(body: str) -> bool:
    """Whether two boundaries stand in one line with words between them, as where a sentence speaks of them."""
    return "\n" not in body and not _BASE64.search(body)
