# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every form of a secret that is found, up to the last repetition that is, and what is none."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.secrets import scrubber

_B = "\\"
# For each secret the forms that are the secret, whole.
_FORMS: dict[str, list[str]] = {
    "/": [
        *("/", rf"{_B}/", rf"{_B * 4}/", "%2f", "%2F", "%252f", "%2525252f", "&#47;", "&#0000047;", "&#x2f;"),
        *("&#x000002F;", "&sol;", rf"{_B}u002f", rf"{_B * 4}u002F", rf"{_B}x2f", rf"{_B * 4}x2f"),
    ],
    '"': ['"', f'{_B * 4}"', "%22", "&quot;", "&QUOT;", "&#34;"],
    "'": ["'", f"{_B * 4}'", "%27", "&apos;", "&#39;"],
    _B: [_B, _B * 2, _B * 5, "%5c", "&bsol;", "&#92;"],
    "<": ["<", "%3c", "&lt;", "&LT;"],
    "\x7f": ["\x7f", "%7f", "&#127;", r"\x7f", r"\u007f"],
    "\x80": ["\x80", "%c2%80", "%80", r"\x80", r"\u0080", "\u00c2\x80", "\ufffd"],
    "\u00fc": [
        *("\u00fc", "\u00dc", "%c3%bc", "%25c3%2525bc", "%fc", "&#252;", "&#xfc;", "&uuml;", r"\u00fc", r"\xfc"),
        *("\u00c3\u00bc", "\ufffd", "\ufffd" * 4),
    ],
    "\u00ff": ["\u00ff", "%c3%bf", "%ff", r"\xff", r"\u00ff", "&yuml;"],
    "\u0100": ["\u0100", "%c4%80", "&amacr;", r"\u0100", r"\U00000100", f"{_B * 4}U00000100", "\u00c4\x80"],
    "\U0001f511": [
        *("\U0001f511", "%f0%9f%94%91", "&#128273;", "&#x1f511;", r"\ud83d\udd11", r"\\\\ud83d\\udd11"),
        *(r"\U0001f511", "\u00f0\u009f\u0094\u0091", "\ufffd" * 4),
    ],
    "+": ["+", "%2b", "&plus;", " ", "\t", "&#43;"],
    "a b": [
        *("a b", "A B", "a+b", "a%20b", "a%2bb", "a%2Bb", "a%2520b", "a%25252520b", "a&nbsp;b", "a&#32;b", "a\u00a0b"),
        *("a&#0000032;b", "a&#x20;b", "a&#x0000020;b", "a\n\t +%20&nbsp;b", "a        b"),
        *(rf"a{_B}{sign}b" for sign in ("n", "r", "t", "f", "v", "x09", "x0a", "x0d", "x20", "x85", "xa0")),
        *(rf"a{_B * 4}nb", rf"a{_B * 4}x20b", "&#97;%20&#x62;"),
    ],
    "a \t\n b": ["a b", "a+b"],
}


@pytest.mark.parametrize("secret", _FORMS)
def test_each_form_of_a_secret_is_found_whole(secret: str) -> None:
    scrub = scrubber([secret])
    assert {form: scrub(f"[{form}]") for form in _FORMS[secret]} == dict.fromkeys(_FORMS[secret], "[***]")


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        # One more than is looked for: the search has a bound.
        ("/", "%25252525" + "2f", "%252525252f"),
        ("/", "&#00000047;", "&#00000047;"),
        ("/", "&#x0000002f;", "&#x0000002f;"),
        ("/", f"{_B * 5}/", f"{_B}***"),
        ("/", f"{_B * 5}u002f", f"{_B}***"),
        ("/", f"{_B * 5}x2f", f"{_B}***"),
        ("\u0100", f"{_B * 5}U00000100", f"{_B}***"),
        ("\u00fc", "\ufffd" * 5, "******"),
        ("\U0001f511", "\ufffd" * 9, "*********"),
        ("a b", "a         b", "a         b"),
        ("a b", "a%252525252" + "0b", "a%2525252520b"),
        ("a b", "a&#00000032;b", "a&#00000032;b"),
        ("a b", "a&#x00000020;b", "a&#x00000020;b"),
        ("a b", rf"a{_B * 5}nb", rf"a{_B * 5}nb"),
        # What is no form of it.
        ("a b", "ab", "ab"),
        ("a b", "a-b", "a-b"),
        ("<", f"{_B}<", f"{_B}***"),
        ("<", "&lt", "&lt"),
        ("\x7f", "\ufffd", "\ufffd"),
        ("\u0100", "%01%00", "%01%00"),
        ("x", "\ufffd+ ", "\ufffd+ "),
        ("a.b", "axb", "axb"),
    ],
)
def test_what_is_no_form_of_a_secret_stays(secret: str, text: str, left: str) -> None:
    assert scrubber([secret])(text) == left


@pytest.mark.parametrize(
    ("secrets", "text", "left"),
    [
        (["ab", "abc"], "abc ab", "*** ***"),
        (["abc", "ab"], "abc ab", "*** ***"),
        (["  ab\n"], "ab", "***"),
        (["", " ", "\n"], "a b", "a b"),
        ([], "a b", "a b"),
        (["", "ab"], "x ab", "x ***"),
    ],
)
def test_the_longest_secret_is_taken_first_and_blanks_are_none(secrets: list[str], text: str, left: str) -> None:
    assert scrubber(secrets)(text) == left
