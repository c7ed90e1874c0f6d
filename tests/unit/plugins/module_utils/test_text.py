# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What messages show of a text, and which texts are numbers."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import (
    decodable,
    excerpt,
    integer,
    last_line,
    listed,
    quoted,
    without_pem,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" \r\n\t", ""),
        ("one line", "one line"),
        ("two\r\nlines,  and\tmore", "two lines, and more"),
        ("\x1b[31mred\x00", "[31mred"),
        ("Zürich\u2028\udcff", "Zürich"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 20 + " …"),
        ("x" * 1000, "x" * 20 + " …"),
        ("\n" * 80 + "far behind", ""),
    ],
)
def test_an_excerpt_is_the_beginning_on_one_line(text: str, shown: str) -> None:
    assert excerpt(text, 20) == shown


@pytest.mark.parametrize("sign", ["\u3164", "\u115f", "\u034f", "\u180b", "\uffa0", "\U000e0100", "\u202e", "\x9b"])
def test_an_excerpt_has_no_sign_that_nobody_sees(sign: str) -> None:
    """Fillers and the like are letters and marks to Python, and so printable."""
    assert excerpt(f"a{sign}b") == "a b"
    assert excerpt(sign) == ""


@pytest.mark.parametrize(
    ("text", "carried"),
    [("", ""), ("Zürich\n", "Zürich\n"), ("Z\udcfcrich\udcff", "Z\ufffdrich\ufffd"), ("\udcc3\udcbc", "ü")],
)
def test_what_results_can_carry(text: str, carried: str) -> None:
    assert decodable(text) == carried


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("250 fine", '"250 fine"'),
        ("Grüße\x07\r\n", '"Gr??e???"'),
        ("x" * 200, '"' + "x" * 200 + '"'),
        ("x" * 201, '"' + "x" * 200 + '…"'),
    ],
)
def test_what_is_quoted_is_printable_ascii(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), (" -26\r\n", -26), ("+2", 2), ("007", 7), ("9" * 18, 10**18 - 1)],
)
def test_whole_numbers(text: str, number: int) -> None:
    assert integer(text) == number


@pytest.mark.parametrize("text", ["", " ", "-", "two", "0x2", "1e3", "1.5", "1 2", "1_000", "\u0662", "9" * 19])
def test_texts_that_are_no_whole_numbers(text: str) -> None:
    assert integer(text) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" \n\n", ""),
        ("one\ntwo.\n \n", "two"),
        ("one\r\ntwo\r\n", "two"),
        ("said\n\x1b[0m\n\x00\x07\n", "said"),
        ("x" * 300, "x" * 200 + " …"),
    ],
)
def test_the_last_line_with_words(text: str, line: str) -> None:
    assert last_line(text) == line


def test_the_last_lines_with_words() -> None:
    assert last_line("one\ntwo.\n \nthree\n", 2) == "two; three"
    assert last_line("one\n", 3) == "one"
    assert last_line("", 3) == ""


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([], ""),
        (["one"], "one"),
        (["one", "two"], "one, two"),
        (["12345678", "9"], "12345678, 9"),
        (["a" * 30], "a" * 20 + " …"),
        (["a" * 30, "b"], "a" * 20 + " … and 1 more"),
        (["aaaa", "bbbb", "cccc", "dddd", "eeee"], "aaaa, bbbb, cccc and 2 more"),
        ([f"{number:03}" for number in range(250)], "000, 001, 002, 003 and 246 more"),
        (["a\nb", "\x1b[0m"], "a b, [0m"),
    ],
)
def test_a_list_is_cut_with_a_count(parts: list[str], shown: str) -> None:
    assert listed(parts, size=20) == shown
    assert listed(iter(parts), "; ", 20) == shown.replace(", ", "; ")


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb", "a\n[EC PRIVATE KEY]\nb"),
        ("a\n-----BEGIN PRIVATE KEY-----\nMHc", "a\n[PRIVATE KEY]"),
        ("Hc\n-----END PRIVATE KEY-----\nb", "[PRIVATE KEY]\nb"),
        ("no such directive -----", "no such directive -----"),
    ],
)
def test_nothing_in_pem_is_shown(printed: str, shown: str) -> None:
    assert without_pem(printed) == shown
