# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates in what a user hands in: PEM, PKCS#7, or DER; the last two, and files as ``slurp`` reads them, in
base64.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import is_pkcs7, structure_length
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import (
    certificate,
    containers,
    der,
    loose_pem,
    unusable,
)

# No chain comes near this size (characters).
_MAX_SIZE = 1024 * 1024

# Files of Windows hold base64 without boundaries, and slurp makes base64 of a file.
_MAX_LAYERS = 2

_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
# RFC 7468, section 9; and what OpenSSL wrote once.
_PKCS7_LABELS = ("PKCS7", "CMS", "PKCS #7 SIGNED DATA")
_NETSCAPE_CERTIFICATE_SEQUENCE = "2.16.840.1.113730.2.5"

_BEHIND_PADDING = re.compile(r"(?<==)\s*(?=[A-Za-z0-9+/])")

# Byte order marks, and what web pages and word processors leave between words.
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def certificates(text: str) -> list[bytes]:
    """The DER of every certificate, in the order in which they stand.

    :arg text: PEM with anything around its blocks, where blocks of other kinds are passed over; or base64 of such a
        text, of PKCS#7 or of one certificate.
    :raises ChainError: where there is none, or a part of the text is damaged.
    """
    if len(text) > _MAX_SIZE:
        raise ChainError(f"content is {len(text)} characters long; no chain takes more than {_MAX_SIZE}.")
    return _of_text(text, 0)


def _of_text(text: str, layers: int) -> list[bytes]:
    text = text.translate(_INVISIBLE).replace("\r\n", "\n").replace("\r", "\n")
    blocks = loose_pem.blocks(text)
    if blocks:
        return _of_blocks(blocks)
    data = _decoded(text) if layers < _MAX_LAYERS else None
    if data is not None:
        return _of_data(data, layers + 1)
    _refuse_cut_base64(text)
    raise ChainError(unusable.text(text))


def _decoded(text: str) -> bytes | None:
    """What base64 stands for, also of several files joined, which only by chance have no padding between them."""
    parts = [_pem.decode_base64(part) for part in _BEHIND_PADDING.split(text)]
    return None if None in parts else b"".join(part for part in parts if part)


def _of_blocks(blocks: list[loose_pem.Block]) -> list[bytes]:
    found: list[bytes] = []
    carriers = 0
    for block in blocks:
        if block.label == "TRUSTED CERTIFICATE":
            raise ChainError(unusable.trusted(block.line))
        if block.label not in (*_CERTIFICATE_LABELS, *_PKCS7_LABELS):
            continue
        carriers += 1
        data = _pem.decode_base64(block.body)
        if data is None:
            commas = (
                " Its lines are joined by commas, as a lookup does with a list of lines." if "," in block.body else ""
            )
            raise ChainError(
                f"content holds a broken PEM block: the base64 of {block.label}, which begins in line {block.line}, is "
                f"damaged.{commas}"
            )
        found.extend(_of_der(data))
    if not carriers:
        raise ChainError(unusable.labels(block.label for block in blocks))
    return found


def _of_data(data: bytes, layers: int) -> list[bytes]:
    text = _text_in(data)
    if text is not None:
        return _of_text(text, layers)
    length = structure_length(data) if data.startswith(b"0") else None
    if length is None:
        raise ChainError(unusable.data(data))
    if length > len(data):
        raise ChainError(
            f"content is base64 of a structure in DER that was cut off: {len(data)} bytes are there, and it says that "
            "it is longer."
        )
    if data[length:].strip(b"\r\n\0 "):
        raise ChainError(
            f"content is base64 of a structure in DER with {len(data) - length} bytes of something else behind it. "
            "Give several certificates in PEM, or as PKCS#7."
        )
    return _of_der(data[:length])


def _text_in(data: bytes) -> str | None:
    """The text that octets are; None where they are none."""
    if data.startswith(_UTF_16_MARKS):
        return data.decode("utf-16", "replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # Comments of old, in whatever encoding; a structure in DER begins with a zero of ASCII, and then a length.
        return data.decode("latin-1") if b"-----BEGIN " in data and not data.startswith(b"0") else None
    printable = not any(char < " " and char not in "\t\n\v\f\r" for char in text)
    return text if printable else None


def _of_der(data: bytes) -> list[bytes]:
    if is_pkcs7(data):
        found = containers.unpack(_container_type(data), data)
        if not found:
            raise ChainError("content is a structure for certificates, and there is none in it.")
        return found
    what = unusable.kind(data)
    if what is not None:
        raise ChainError(unusable.data(data))
    certificate.load(data)
    return [data]


def _container_type(data: bytes) -> str:
    try:
        netscape = der.algorithm_identifier(data) == _NETSCAPE_CERTIFICATE_SEQUENCE
    except ValueError:
        netscape = False
    return "netscape" if netscape else "pkcs7"


def _refuse_cut_base64(text: str) -> None:
    """Of base64 that was cut off anywhere, most is base64 still."""
    packed = "".join(text.split())
    data = _pem.decode_base64(packed[: len(packed) // 4 * 4]) or b""
    if _pem.is_base64(packed) and (is_pkcs7(data) or data.startswith((b"0\x82", b"-----BEGIN"))):
        raise ChainError("content is base64 that was cut off, or has lost characters: its length is no multiple of 4.")
