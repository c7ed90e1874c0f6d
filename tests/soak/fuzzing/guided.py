# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that atheris guides by the lines that are run: ``guided.py CORPUS [OPTIONS OF LIBFUZZER]``.

It ends with another status than 0, and the bytes in a file, where they gave anything but a value or the one error.
"""

from __future__ import annotations

import base64
import binascii
import pathlib
import re
import runpy
import sys

import atheris  # type: ignore[import-untyped]

runpy.run_path(str(pathlib.Path(__file__).resolve().parents[2] / "support" / "importable.py"))

_COLLECTION = "ansible_collections.certfleet.collectssl"
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{2,76}[ \t]*\r?\n?)*[A-Za-z0-9+/]{4,}={0,2}")
_COLUMNS = 64

with atheris.instrument_imports(include=[f"{_COLLECTION}.plugins", "zipfile"]):
    from ansible_collections.certfleet.collectssl.tests.support import hostile_bytes


def _read(data: bytes) -> None:
    hostile_bytes.read(data)


def _mutate(data: bytes, most: int, seed: int) -> bytes:
    """Change bytes as libFuzzer does; two times of three those that base64 in them stands for."""
    found = [match for match in _BASE64.finditer(data, 1) if len(match.group()) > 40]
    if not found or seed % 3 == 0:
        return atheris.Mutate(data, most)
    chosen = found[seed // 3 % len(found)]
    packed = b"".join(chosen.group().split()).rstrip(b"=")
    try:
        inner = base64.b64decode(packed + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return atheris.Mutate(data, most)
    packed = base64.b64encode(atheris.Mutate(inner, max(len(inner) + 16, 64)))
    lines = [packed[at : at + _COLUMNS] for at in range(0, len(packed), _COLUMNS)]
    joint = b"\n" if b"\n" in chosen.group() else b""
    return (data[: chosen.start()] + joint.join(lines) + data[chosen.end() :])[:most]


if __name__ == "__main__":
    atheris.Setup(sys.argv, _read, custom_mutator=_mutate)
    atheris.Fuzz()
