# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any bytes, handed to everything that reads what came from elsewhere: a value or the one error, with words.

What fuzzes, and what replays what fuzzing found, share this. The first byte says who reads the others. Lest
inputs that are kept change their meaning, append to ``READERS``, and leave what is there where it is.
"""

from __future__ import annotations

import base64
import io
import json
import pathlib
import typing as t
import zipfile

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_ALL, SHOW, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse, parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import containers, reading
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.tests.support.authority import NOW

_Reader = t.Callable[[bytes], str]


_KEPT = pathlib.Path(__file__).with_suffix(".txt")


def kept() -> list[bytes]:
    """The inputs that are kept."""
    lines = _KEPT.read_text(encoding="ascii").splitlines()
    return [base64.b64decode(line) for line in lines if line and not line.startswith("#")]


def keep(inputs: t.Iterable[bytes], path: pathlib.Path) -> None:
    """Write inputs to a file, under the head that they have here."""
    head = _KEPT.read_text(encoding="ascii").splitlines(keepends=True)
    lines = [base64.b64encode(data).decode("ascii") + "\n" for data in inputs]
    path.write_text("".join([line for line in head if line[0] in "#\n"] + lines), encoding="ascii")


def read(data: bytes) -> str:
    """What becomes of some bytes: ``value`` or ``refused``; anything else is an exception, and a fault."""
    if not data:
        return "refused"
    try:
        return READERS[data[0] % len(READERS)](data[1:])
    except (ChainError, ProtocolError) as error:
        if not str(error).strip():
            raise AssertionError("an error without a word") from error
        return "refused"


def _answer(request: CollectRequest) -> _Reader:
    def reader(body: bytes) -> str:
        response = parse(body, "text/plain", request)
        assert isinstance(response, CollectResponse)
        assert response.order(request)["state"] == response.state
        hash(response)
        if response.certificates or response.container:
            _looked_at(reading.bundle_of_answer(response, request, NOW))
        return "value"

    return reader


def _requests() -> list[CollectRequest]:
    shapes = [
        *(("individual", "base64", query_type) for query_type in range(4)),
        *((kind, "base64", QUERY_ALL) for kind in ("pkcs7", "netscape", "zip")),
        *((kind, "binary", QUERY_ALL) for kind in ("pkcs7", "zip")),
    ]
    return [
        CollectRequest(
            "order_number",
            "1",
            query_type=query_type,
            response_type=response_type,
            response_encoding=encoding,
            response_format=response_format,
            show=SHOW,
        )
        for response_type, encoding, query_type in shapes
        for response_format in ("lines", "urlencoded")
    ]


def _content(body: bytes) -> str:
    _looked_at(reading.bundle_of_content(body.decode("utf-8", "replace"), NOW))
    return "value"


def _looked_at(bundle: Bundle) -> None:
    """What becomes of a chain before it goes to a host; that it fits nobody's wishes is no fault of its reading."""
    bundle.full_chain()
    described = bundle.described(NOW)
    if described is None:
        return
    json.dumps(described, ensure_ascii=False).encode("utf-8")
    assert Bundle.from_record(json.loads(json.dumps(bundle.as_record()))) == bundle
    bundle.check_validity(NOW, 1)
    bundle.check_names(["www.example.com"])


def _content_in_base64(body: bytes) -> str:
    return _content(base64.b64encode(body))


def _content_in_pem(body: bytes) -> str:
    return _content(armour(body).encode("ascii"))


def _container(container_type: str) -> _Reader:
    def reader(body: bytes) -> str:
        containers.unpack(container_type, body)
        return "value"

    return reader


def _file_in_a_zip(body: bytes) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("www.crt", body)
    containers.unpack("zip", packed.getvalue())
    return "value"


def _described(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    reading.describe_pem(text)
    reading.first_of_pem(text, NOW)
    return "value"


REQUESTS = _requests()
READERS: tuple[_Reader, ...] = (
    *map(_answer, REQUESTS),
    _content,
    _content_in_base64,
    _content_in_pem,
    *map(_container, ("zip", "pkcs7", "netscape")),
    _file_in_a_zip,
    _described,
)
CONTENT, CONTENT_IN_BASE64, CONTENT_IN_PEM, ZIP, PKCS7, NETSCAPE, FILE_IN_A_ZIP, DESCRIBED = range(
    len(REQUESTS), len(READERS)
)
