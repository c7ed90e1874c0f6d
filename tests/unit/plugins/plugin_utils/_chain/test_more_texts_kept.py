# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends of lines, comments of old, and structures that are nearly what they seem."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import content, reading, unusable
from ansible_collections.certfleet.collectssl.tests.support import authority

_DERS = authority.chain().served
_LEAF = _DERS[-1]
_PEM = armour(_LEAF)


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_lines_end_in_any_way(end: str) -> None:
    assert content.certificates(_PEM.replace("\n", end)) == [_LEAF]
    with pytest.raises(ChainError, match="which begins in line 3"):
        content.certificates(("a\nb\n" + _PEM.replace("MII", "M!I", 1)).replace("\n", end))


def test_comments_of_an_old_encoding_damage_nothing() -> None:
    data = b"# gr\xfc\xdfe\n" + _PEM.encode() + b"0"
    assert content.certificates(base64.b64encode(data).decode()) == [_LEAF]
    # A structure whose contents speak of a boundary is a structure.
    with pytest.raises(ChainError, match="structure in DER that was cut off"):
        content.certificates(
            base64.b64encode(b"0\x82\x01\x00\x04\x30-----BEGIN CERTIFICATE-----" + b"\xfc" * 20).decode()
        )


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\t"])
def test_signs_of_layout_make_no_text_a_binary_file(sign: str) -> None:
    assert content.certificates(base64.b64encode((sign + _PEM).encode()).decode()) == [_LEAF]


def test_base64_of_several_files_is_that_of_each() -> None:
    parts = [base64.b64encode(armour(der).encode() + b"\n" * size).decode() for size, der in enumerate(_DERS)]
    assert content.certificates("\n".join(parts)) == list(_DERS)


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ((0x02, 0x30, 0x30, 0xA0), "a certificate request"),
        ((0x02, 0x30, 0x30, 0x05, 0xA0), None),
        ((0x02, 0x30, 0xA0, 0xA0), None),
        ((0x30, 0x17), "a revocation list"),
        ((0x30, 0x18), "a revocation list"),
        ((0x30, 0x19), None),
    ],
)
def test_a_structure_is_what_all_of_its_parts_say(tags: tuple[int, ...], what: str | None) -> None:
    inner = b"".join(bytes((tag, 0)) for tag in tags)
    inner = bytes((0x30, len(inner))) + inner
    assert unusable.kind(bytes((0x30, len(inner))) + inner) == what


def test_a_subject_in_a_diff_is_not_without_end() -> None:
    described = reading.describe_pem(_PEM)
    assert len(described.splitlines()[0]) < 620
