# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is handed in as ``content``, shown in a diff or served: a value, or a sentence and nothing else."""

from __future__ import annotations

import base64
import json
import random

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate, content, reading
from ansible_collections.certfleet.collectssl.tests.support import authority, hostile_bytes

_CHAIN = authority.chain()
_READERS = (
    hostile_bytes.CONTENT,
    hostile_bytes.CONTENT_IN_BASE64,
    hostile_bytes.CONTENT_IN_PEM,
    hostile_bytes.DESCRIBED,
)


@pytest.mark.parametrize("reader", _READERS)
def test_what_fuzzing_kept_for_other_readers(reader: int) -> None:
    """The readers of content share most of their code with those of answers, and take more."""
    outcomes = [hostile_bytes.read(bytes((reader,)) + data[1:]) for data in hostile_bytes.kept()]
    assert set(outcomes) <= {"value", "refused"}
    assert "refused" in outcomes


@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - the same damage on every run
    pem = authority.pem_of(*_CHAIN.served[::-1]).encode("ascii")
    seen = set()
    for _time in range(60):
        reader = rng.choice(_READERS)
        data = bytearray(rng.choice(_CHAIN.served) if reader in _READERS[1:3] else pem)
        for _change in range(rng.randrange(4)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice((0, 1, 1, 1, 3))] = rng.randbytes(rng.choice((0, 1, 1, 1, 3)))
        seen.add(hostile_bytes.read(bytes((reader,)) + bytes(data)))
    assert seen == {"value", "refused"}


@pytest.mark.parametrize("error", [KeyError("odd"), RecursionError("deep"), MemoryError(), UnicodeError("odd. ")])
def test_whatever_a_library_raises_becomes_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which exceptions a library raises for what somebody made up is in no documentation."""
    pem = authority.pem_of(_CHAIN.leaf)

    def fail(*_given: object) -> None:
        raise error

    words = str(error).rstrip(". ") or type(error).__name__
    with monkeypatch.context() as patched:
        patched.setattr(content, "certificates", fail)
        with pytest.raises(ChainError) as caught:
            reading.bundle_of_content(pem, authority.NOW)
    assert str(caught.value) == f"content cannot be read: {words}."
    assert caught.value.__cause__ is error
    monkeypatch.setattr(certificate, "facts", fail)
    with pytest.raises(ChainError) as caught:
        reading.first_of_pem(pem, authority.NOW)
    assert str(caught.value) == f"the certificate cannot be read: {words}."
    assert reading.describe_pem(f"before\n{pem}behind\n") == "before\na certificate that cannot be read\nbehind\n"


def test_one_sign_of_control_makes_a_binary_file() -> None:
    for data in (b"abc\x01 def", b"\x00abc", b"abc\x1f", b"\x01" + authority.pem_of(_CHAIN.leaf).encode("ascii")):
        with pytest.raises(ChainError, match="it is base64 of something that is neither PEM"):
            content.certificates(base64.b64encode(data).decode("ascii"))


def test_a_fault_with_words_keeps_them() -> None:
    with pytest.raises(ChainError, match=r"^content holds no certificates: it is empty\.$"):
        reading.bundle_of_content(" ", authority.NOW)
    with pytest.raises(ChainError, match=r"^there is no whole certificate in PEM form\.$"):
        reading.first_of_pem("", authority.NOW)
    assert json.dumps(reading.first_of_pem(authority.pem_of(_CHAIN.leaf), authority.NOW))
