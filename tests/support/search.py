# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for a secret in whatever form something may have written it down."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import pathlib
import re
import typing as t
import urllib.parse
import zipfile
import zlib

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}")


def forms(secret: str) -> dict[str, bytes]:
    """The forms of a secret, by name."""
    raw = secret.encode("utf-8")
    texts = {
        "as it is": secret,
        "quoted for a URL": urllib.parse.quote(secret, safe=""),
        "quoted for a path": urllib.parse.quote(secret),
        "quoted for a form": urllib.parse.quote_plus(secret),
        "as JSON": json.dumps(secret)[1:-1],
        "as JSON with letters as they are": json.dumps(secret, ensure_ascii=False)[1:-1],
        "as a Python literal": repr(secret)[1:-1],
        "as a Python literal of octets": repr(raw)[2:-1],
        "in a single-quoted literal": secret.replace("\\", "\\\\").replace("'", "\\'"),
        "for HTML": html.escape(secret),
        "for a single-quoted YAML string": secret.replace("'", "''"),
        "for a shell": secret.replace("'", "'\"'\"'"),
        "escaped": secret.encode("unicode_escape").decode("ascii"),
    }
    found = {name: text.encode("utf-8") for name, text in texts.items()}
    found["in Latin-1"] = secret.encode("latin-1")
    found["in hexadecimal"] = raw.hex().encode("ascii")
    for offset in range(3):
        # Wherever it stands in a longer text, these letters of the base64 of that text depend on it alone.
        encoded = base64.b64encode(b"\0" * offset + raw)
        end = len(encoded) - 4 if (offset + len(raw)) % 3 else len(encoded)
        found[f"in base64 at {offset}"] = encoded[4 if offset else 0 : end]
    return found


def found_in(data: bytes, secret: str) -> list[str]:
    """The names of the forms in which a secret is in some data."""
    return [name for name, form in forms(secret).items() if form in data]


def shown_in(data: bytes, secret: str) -> dict[str, bytes]:
    """The forms in which a secret is in some data, each with what surrounds it there first."""
    places = {name: data.find(form) for name, form in forms(secret).items()}
    return {name: data[max(0, place - 300) : place + 200] for name, place in places.items() if place >= 0}


def found_below(folder: pathlib.Path, secret: str, growing: bool = False) -> list[str]:
    """Files below a folder that hold a secret, with the form of it; file names count, and packed archives are unpacked.

    Files that go away meanwhile are left out. Of growing files, an archive that is not whole yet is searched as it is.
    """
    hits = []
    for path in walk(folder):
        try:
            data = str(path).encode("utf-8", "surrogateescape") + b"\0" + path.read_bytes()
        except OSError:
            continue
        hits += [f"{path}: {form}" for part in unpacked(data, growing) for form in found_in(part, secret)]
    return hits


def walk(folder: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """Every regular file below a folder."""
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = pathlib.Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def unpacked(data: bytes, growing: bool = False) -> t.Iterator[bytes]:
    """Some data, and what is in the ZIP archives that it is or carries as base64, as the payload of a module does.

    An archive that cannot be read is an error, unless it may still be growing.
    """
    yield data
    candidates = [_decoded(found) for found in _BASE64.findall(data)]
    for candidate in [data[max(0, data.find(b"PK\x03\x04")) :], *candidates]:
        if candidate[:4] == b"PK\x03\x04":
            try:
                with zipfile.ZipFile(io.BytesIO(candidate)) as archive:
                    for name in archive.namelist():
                        yield name.encode("utf-8") + b"\0" + archive.read(name)
            except (zipfile.BadZipFile, zlib.error, EOFError):
                if not growing:
                    raise


def _decoded(text: bytes) -> bytes:
    # One letter behind whole groups of four is the beginning of something that is not there yet.
    whole = text[:-1] if len(text) % 4 == 1 else text
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))
