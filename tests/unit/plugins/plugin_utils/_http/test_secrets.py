# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets are found in whatever form they are echoed, and no echo makes the search for them slow."""

from __future__ import annotations

import contextlib
import html
import json
import signal
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import printable
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.secrets import scrubber

# Of the processor's time, whatever else the machine does: a thousand times what it takes, and a fraction of what each
# way to share a text out would.
_SECONDS = 20


@contextlib.contextmanager
def _bounded() -> t.Iterator[None]:
    def late(_signal: int, _frame: t.Any) -> t.NoReturn:
        raise AssertionError("the search does not end")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


_SIZE = 8 * 1024

_SLOW = {
    "letters that a page has lost": ("日本語日本-語日本123", "\ufffd"),
    "letters that a page has lost, and others": ("äöüß1äöüß1äöüß2", "\ufffd\ufffd\ufffd\ufffd\ufffd1"),
    "backslashes": ("\\" * 12 + "x", "\\"),
    "backslashes that are escaped": ("\\" * 12 + "x", "\\\\\\u005c"),
    "backslashes and quotes": ("\\'" * 10 + "x", "\\" * 5 + "'"),
    "backslashes and letters": ("\\a" * 10 + "x", "\\" * 5 + "u0061"),
    "backslashes and blanks": ("\\ " * 10 + "x", "\\" * 5 + "n"),
    "plus signs and blanks": ("a" + " +" * 10 + " x", "a" + " " * 60),
    "plus signs": ("a" + "+" * 20 + "x", "a" + "+" * 60),
    "percent signs": ("%" * 20 + "x", "%25"),
    "the beginning of the secret": ("ab" * 40 + "x", "ab"),
}


@pytest.mark.parametrize(("secret", "piece"), _SLOW.values(), ids=_SLOW)
def test_no_text_makes_the_search_slow(secret: str, piece: str) -> None:
    scrub = scrubber([secret])
    text = piece * (_SIZE // len(piece))
    with _bounded():
        assert scrub(text) == text
        assert scrub(f"{text}|{secret}|") == f"{text}|***|"


_SECRETS = (
    "a + & % = ü \"'<b>/\\ word",
    "日本語日本-語日本123",
    "pass word",
    "tab\tand\u00a0blank",
    "three   blanks",
    "+plus + plus+",
    "C:\\new\\table\\u0041",
    '\\"quoted\\" \\\\ twice',
    "ends in\\",
    "\\n is no line",
    "wide\u2003blank\u2028line\x1cgroup",
    "日本語🔒🔑",
    "ä\\ö",
)


@pytest.mark.parametrize("secret", _SECRETS)
def test_a_secret_is_found_in_each_form(secret: str) -> None:
    scrub = scrubber([secret])
    shown = {
        "as it is": secret,
        "quoted for a URL": urllib.parse.quote(secret, safe=""),
        "quoted for a form": urllib.parse.quote_plus(secret),
        "as JSON": json.dumps(secret)[1:-1],
        "as JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "as Python": repr(secret)[1:-1],
        "as octets in Python": repr(secret.encode("utf-8"))[2:-1],
        "for a page": html.escape(secret),
        "escaped": secret.encode("unicode_escape").decode("ascii"),
        "twice quoted": urllib.parse.quote(urllib.parse.quote(secret, safe=""), safe=""),
        "Latin-1 of UTF-8": secret.encode("utf-8").decode("latin-1"),
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "JSON in a page": html.escape(json.dumps(secret)[1:-1]),
        "numbers in a page": "".join(char if char.isspace() else f"&#{ord(char)};" for char in secret),
        "with each letter escaped": "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in secret),
        "made printable": printable(secret),
    }
    assert {name: text for name, text in shown.items() if scrub(f"<{text}>") != "<***>"} == {}


@pytest.mark.parametrize("secret", ["日本語日本-語日本", "äöü12", "1é", "naïveté"])
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_secret_is_found_where_a_page_has_lost_its_letters(secret: str, times: int) -> None:
    lost = "".join(char if char.isascii() else "\ufffd" * times for char in secret)
    assert scrubber([secret])(f"<{lost}>") == "<***>"


def test_letters_that_are_lost_together_are_found_too() -> None:
    secret = "\u00e9\u00bf-and-more"
    lost = secret.encode("latin-1").decode("utf-8", "replace")
    assert lost == "\ufffd-and-more"
    assert scrubber([secret])(f"<{lost}>") == "<***>"


@pytest.mark.parametrize("text", ["日本語なし", "a word", "C:new", "\ufffd", "ab", "a  b"])
def test_what_only_looks_alike_stays(text: str) -> None:
    assert scrubber(["日本語日本-語日本", "pass word", "C:\\new", "äöü12", "a\\b", "a + b"])(text) == text
