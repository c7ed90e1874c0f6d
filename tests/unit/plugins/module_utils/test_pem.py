# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PEM text: finding, armouring, and telling a torn block from a whole one."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import (
    armour,
    blocks,
    certificates,
    dearmour,
    decode_base64,
    every_block,
    is_base64,
    whole_blocks,
)
from ansible_collections.certfleet.collectssl.tests.support import authority
from ansible_collections.certfleet.collectssl.tests.support.openssl import openssl
from hypothesis import given
from hypothesis import strategies as st

_DERS = authority.chain().served
_PEM = "".join(armour(der) for der in _DERS)
_KEY = openssl("genpkey", "-algorithm", "ed25519").decode("ascii")


@given(st.binary(min_size=1, max_size=400))
def test_armour_and_back(data: bytes) -> None:
    block = armour(data, "ANYTHING 7")
    assert dearmour(block) == data
    assert block.endswith("-----END ANYTHING 7-----\n")
    assert max(len(line) for line in block.splitlines()[1:-1]) <= 64


def test_armour_is_what_openssl_writes() -> None:
    written = openssl("x509", "-inform", "DER", stdin=_DERS[0]).decode("ascii")
    assert armour(_DERS[0]) == written


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("between", ["", "\n\n", "subject=/CN=x\nissuer=/CN=y\n", "# ü ------ a comment\n"])
def test_blocks_among_other_text(newline: str, between: str) -> None:
    text = between + between.join(armour(der) for der in _DERS) + between
    assert certificates(text.replace("\n", newline)) == list(_DERS)
    assert blocks(text.replace("\n", newline)) == [armour(der) for der in _DERS]


def test_indented_blocks() -> None:
    assert certificates("\n".join("    " + line for line in _PEM.splitlines())) == list(_DERS)


def test_labels() -> None:
    text = _KEY + _PEM + armour(_DERS[0], "TRUSTED CERTIFICATE") + armour(b"x", "CERTIFICATE REQUEST")
    assert len(blocks(text)) == len(_DERS) + 1
    assert blocks(text, "PRIVATE KEY") == [_KEY]
    assert [label for label, _block in whole_blocks(text) or []][:2] == ["PRIVATE KEY", "CERTIFICATE"]
    assert certificates(_KEY + _PEM) == list(_DERS)


def test_no_blocks() -> None:
    assert certificates("") == []
    assert certificates("nothing of the kind - at all\n") == []
    assert dearmour("nothing") is None


def test_every_cut_is_seen(record_property: t.Callable[[str, object], None]) -> None:
    """Behind a whole block a text may end; anywhere else it is torn."""
    ends = {match.end() for match in re.finditer("-----END CERTIFICATE-----", _PEM)}
    whole = {0} | {end + more for end in ends for more in (0, 1)}
    record_property("tried", f"hostile body: PEM cut at every byte: {len(_PEM)}")
    for size in range(len(_PEM)):
        found = certificates(_PEM[:size])
        assert (found is not None) == (size in whole), size


@pytest.mark.parametrize(
    "text",
    [
        _PEM.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE----", 1),
        _PEM.replace("-----BEGIN CERTIFICATE-----", "-----BEGJN CERTIFICATE-----", 1),
        _PEM.replace("-----END CERTIFICATE-----", "-----END CERTIFICAT3-----", 1),
        _PEM.replace("-----END CERTIFICATE-----\n", "", 1),
        _PEM.replace("-----BEGIN CERTIFICATE-----\n", "", 1),
        _PEM + "-----BEGIN CERTIFICATE-----\n",
        _PEM + "-----END CERTIFICATE-----\n",
        _PEM + "-----BEGIN PRIVATE KEY-----\nMC4C",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n",
    ],
)
def test_torn_and_broken_blocks(text: str) -> None:
    assert certificates(text) is None


@pytest.mark.parametrize("text", ["", " ", "A", "AAA", "AA=", "AAAA=", "A===", "AA==AA==", "ÄÄÄÄ", "AA-_", "\ud800"])
def test_base64_is_strict(text: str) -> None:
    assert decode_base64(text) is None


def test_base64_may_be_spaced() -> None:
    assert decode_base64(" AA\r\nAA\t") == b"\x00\x00\x00"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("MIIB", True),
        ("MII", True),
        ("A+/=", True),
        ("A==", True),
        ("", False),
        ("=", False),
        ("M I", False),
        ("A-", False),
    ],
)
def test_a_line_of_base64_is_told_by_its_characters(line: str, told: bool) -> None:
    assert is_base64(line) == told


def test_every_block_of_any_label() -> None:
    labels = ["CERTIFICATE", "X9.42 DH PARAMETERS", "a-b_c", "RSA PRIVATE KEY"]
    text = "".join(f"text\r\n-----BEGIN {label}-----\r\nAAAA\r\n-----END {label}-----\r\n" for label in labels)
    found = every_block(text + "-----BEGIN DH PARAMETERS-----\nAAAA\n")
    assert [label for label, _block in found] == labels
    assert all(block == f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n" for label, block in found)
    assert every_block("-----BEGIN A-----\n-----END B-----\n") == []


def test_blocks_are_replaced_where_they_stand() -> None:
    block = _pem.armour(b"der")
    text = f"a\n{block}{block}b {block.rstrip()} c\n" + block.replace("\n", "\r\n") + _pem.armour(b"k", "PRIVATE KEY")
    seen: list[str] = []

    def shown(one: str) -> str:
        seen.append(one)
        return f"<{len(seen)}>"

    assert _pem.replaced(text, shown) == "a\n<1><2>b <3> c\n<4>" + _pem.armour(b"k", "PRIVATE KEY")
    assert seen == [block] * 4


def test_replacing_walks_once_over_a_text_of_tiny_blocks() -> None:
    class Counting(str):
        """A text that counts how much of it is looked at in other ways than by one search over it."""

        octets = 0

        def __getitem__(self, part: t.Any) -> str:
            found = super().__getitem__(part)
            Counting.octets += len(found)
            return found

        def replace(self, *_args: t.Any) -> str:
            raise AssertionError("the whole text was walked for one block")

    tiny = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
    text = Counting(tiny * (1024 * 1024 // len(tiny)))
    assert _pem.replaced(text, lambda _block: "x") == "x" * (len(text) // len(tiny))
    assert Counting.octets <= len(text)
