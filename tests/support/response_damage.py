# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real answers, and every way to damage them."""

from __future__ import annotations

import base64
import functools
import io
import random
import typing as t
import urllib.parse
import zipfile

from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import Style
from ansible_collections.certfleet.collectssl.tests.support import hostile_bytes
from ansible_collections.certfleet.collectssl.tests.support.authority import chain
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ISSUED,
    SHAPES,
    answer_for,
    rendered,
)

_WORDS = (
    *(b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"-----", b"\n\n", b"\r", b"&", b"=", b"%", b"%0A"),
    *(b"errorCode=2&", b"certificate=", b"caCertificate=MII", b"zipFile=UEsDB", b"PK\x03\x04", b"PK\x05\x06", b"MII"),
    *(b"0\x80", b"0\x84\xff\xff\xff\xff", b"\x00\x00", b"\x06\x09", b"\xef\xbb\xbf", b"\xff", b"99999999999999999999"),
    *(
        b"-1 - ",
        b"Issued",
        b"a.example VALIDATED",
        b"31/02/2003 13/05/2004",
        b"notAfter=1e9",
        b"<html>",
        b"\xe2\x80\x93",
    ),
)

Sample = tuple[CollectRequest, bytes]
_Damage = t.Callable[[random.Random, bytes, bytes], bytes]


def samples() -> list[Sample]:
    """Requests with a real answer to each: of every shape, in both formats, issued, pending and refused."""
    found = []
    for response_type, encoding, query_type in SHAPES:
        for response_format in ("lines", "urlencoded"):
            request = CollectRequest(
                "order_number",
                "1",
                query_type=query_type,
                response_type=response_type,
                response_encoding=encoding,
                response_format=response_format,
                show=SHOW,
            )
            for code in (ISSUED, 0, -4):
                for style in (Style(), Style(netscape_armour=False, pkcs7_armour=True, newline="\r\n", blank_lines=1)):
                    found.append((request, rendered(answer_for(code), request, style)[1]))
    return found


def _flip(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    damaged = bytearray(body)
    for _count in range(rng.randint(1, 4)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _cut(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    begin, end = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    return rng.choice((body[begin:], body[:end], body[:begin] + body[end:]))


def _splice(rng: random.Random, body: bytes, other: bytes) -> bytes:
    return body[: rng.randrange(len(body) + 1)] + other[rng.randrange(len(other) + 1) :]


def _repeat(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    separator = rng.choice((b"\n", b"&"))
    lines = body.split(separator)
    at = rng.randrange(len(lines))
    return separator.join(lines[:at] + lines[at : at + 1] * rng.randint(2, 4) + lines[at + 1 :])


def _shuffle(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    separator = rng.choice((b"\n", b"&"))
    lines = body.split(separator)
    rng.shuffle(lines)
    return separator.join(lines)


def _insert(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(_WORDS) + body[at:]


def _noise(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    return rng.randbytes(rng.randrange(200))


def _words(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    return rng.choice((b"", b"2\n", b"0\n", b"-4\n", b"errorCode=2&")) + b"".join(
        rng.choice(_WORDS) for _count in range(rng.randrange(12))
    )


_DAMAGES: tuple[_Damage, ...] = (_flip, _cut, _splice, _repeat, _shuffle, _insert, _noise, _words)


def damaged(rng: random.Random, whole: list[Sample]) -> Sample:
    """A request with an answer that was damaged once or more often, now and then that of another request.

    A third of them have whole containers within, and it is these that are damaged, before they are wrapped up.
    """
    if rng.random() < 1 / 3:
        return _damaged_container(rng)
    request, body = rng.choice(whole)
    for _count in range(rng.choice((1, 1, 1, 2, 3))):
        body = rng.choice(_DAMAGES)(rng, body or b"\n", rng.choice(whole)[1])
    return (request if rng.random() < 0.8 else rng.choice(whole)[0]), body


# Containers: the damage is done within, so that all that surrounds it is as it should be.

_CONTAINER_WORDS = (
    *(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08"),
    *(b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff\xff", b"\x00\x00", b"\x08\x00", b"\x0c\x00", b"\x01\x00"),
    *(b"\x30\x80", b"\x30\x00", b"\x30\x84\xff\xff\xff\xff", b"\xa0\x80", b"\x31\x00", b"\x06\x00", b"\x02\x01\x00"),
    *(b"\x05\x00", b"\x17\x0d500101000000Z", b"\x18\x0f09500101000000Z", b"\x04\x82\xff\xff"),
)


def _word_over(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    at = rng.randrange(len(body) + 1)
    word = rng.choice(_CONTAINER_WORDS)
    return body[:at] + word + body[at + len(word) :]


def _word_between(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(_CONTAINER_WORDS) + body[at:]


def _element_again(rng: random.Random, body: bytes, _other: bytes) -> bytes:
    begin, end = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    return body[:begin] + body[begin:end] * 2 + body[end:]


_CONTAINER_DAMAGES: tuple[_Damage, ...] = (_flip, _cut, _splice, _word_over, _word_between, _element_again)


def containers() -> dict[str, list[bytes]]:
    """Whole containers of a chain, by the response type that carries them; ``individual`` is one certificate."""
    found: dict[str, list[bytes]] = {"zip": [], "pkcs7": [], "netscape": [], "individual": list(chain().served)}
    for response_type, encoding, query_type in SHAPES:
        if response_type != "individual" and encoding == "base64":
            request = CollectRequest("order_number", "1", query_type=query_type, response_type=response_type)
            response = parse(rendered(answer_for(ISSUED), request)[1], None, request)
            assert response.container
            found[response_type].append(response.container[1])
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as archive:
            archive.comment = b"a comment"
            for number, der in enumerate(chain().served):
                archive.writestr(f"folder/{number}.crt", der if number % 2 else armour(der))
        found["zip"].append(packed.getvalue())
    return found


@functools.cache
def _containers() -> dict[str, list[bytes]]:
    return containers()


def _damaged_container(rng: random.Random) -> Sample:
    response_type, whole = rng.choice(list(_containers().items()))
    body = rng.choice(whole)
    for _count in range(rng.choice((1, 1, 2, 3))):
        body = rng.choice(_CONTAINER_DAMAGES)(rng, body, rng.choice(rng.choice(list(_containers().values()))))
    encoding = rng.choice(("base64", "binary")) if response_type in ("zip", "pkcs7") else "base64"
    response_format = rng.choice(("lines", "urlencoded"))
    request = CollectRequest(
        "order_number",
        "1",
        response_type=response_type,
        response_encoding=encoding,
        response_format=response_format,
        show=SHOW,
    )
    return request, body if encoding == "binary" else wrapped(request, body, rng.random() < 0.5)


_LABELS = {"zip": "ZIP", "pkcs7": "PKCS7", "netscape": "NETSCAPE CERTIFICATE SEQUENCE", "individual": "CERTIFICATE"}
_FIELDS = {"zip": "zipFile", "pkcs7": "pkcs7", "netscape": "netscapeCertificateSequence", "individual": "certificate"}


def wrapped(request: CollectRequest, data: bytes, armoured: bool) -> bytes:
    """An answer that carries any bytes in base64, as a part of it that is what was asked for."""
    text = armour(data, _LABELS[request.response_type]) if armoured else base64.b64encode(data).decode("ascii") + "\n"
    if request.response_format == "lines":
        return f"2\n{text}".encode("ascii")
    fields = {"errorCode": "2", _FIELDS[request.response_type]: text}
    return urllib.parse.urlencode(fields).encode("ascii")


def seeds() -> list[bytes]:
    """What a guided fuzz begins with: real answers and containers, as ``hostile_bytes`` reads them."""
    found = [bytes([hostile_bytes.REQUESTS.index(request)]) + body for request, body in samples()]
    kinds = {"zip": hostile_bytes.ZIP, "pkcs7": hostile_bytes.PKCS7, "netscape": hostile_bytes.NETSCAPE}
    for kind, bodies in containers().items():
        for body in bodies:
            if kind in kinds:
                found.append(bytes([kinds[kind]]) + body)
            if kind == "pkcs7":
                found.append(bytes([hostile_bytes.CONTENT_IN_BASE64]) + body)
    *authorities, leaf = chain().served
    for reader in (hostile_bytes.CONTENT_IN_BASE64, hostile_bytes.CONTENT_IN_PEM):
        found.append(bytes([reader]) + leaf)
    found.append(bytes([hostile_bytes.CONTENT]) + b"".join(armour(der).encode("ascii") for der in (leaf, *authorities)))
    for der in (leaf, *authorities):
        found.append(bytes([hostile_bytes.FILE_IN_A_ZIP]) + der)
        found.append(bytes([hostile_bytes.DESCRIBED]) + armour(der).encode("ascii"))
    return found
