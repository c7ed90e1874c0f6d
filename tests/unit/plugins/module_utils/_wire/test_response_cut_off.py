# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer that was cut off, at any byte, is never taken for a shorter chain."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_CHAIN,
    SHOW,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_answer
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import Style
from ansible_collections.certfleet.collectssl.tests.support.authority import NOW
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ISSUED,
    SHAPES,
    answer_for,
    rendered,
)

_STYLES = {
    "plain": Style(),
    "armoured": Style(pkcs7_armour=True, netscape_armour=True, armour_in_fields=True),
    "bare": Style(netscape_armour=False, newline="\r\n", blank_lines=2),
}


def _bundle(body: bytes, request: CollectRequest) -> Bundle | None:
    """The chain of an answer; None where it is refused, or does not say that there is one."""
    try:
        response = parse(body, None, request)
        return bundle_of_answer(response, request, NOW) if response.state == "issued" else None
    except (ProtocolError, ChainError):
        return None


@pytest.mark.parametrize("show", [(), SHOW], ids=["bare", "shown"])
@pytest.mark.parametrize("style", _STYLES)
@pytest.mark.parametrize("response_format", ["lines", "urlencoded"])
@pytest.mark.parametrize(("response_type", "encoding", "query_type"), [shape for shape in SHAPES if shape[2] != 0])
def test_cut_at_every_byte(
    response_type: str,
    encoding: str,
    query_type: int,
    response_format: str,
    style: str,
    show: tuple[str, ...],
    record_property: t.Callable[[str, object], None],
) -> None:
    request = CollectRequest(
        "order_number",
        "1",
        query_type=query_type,
        response_type=response_type,
        response_encoding=encoding,
        response_format=response_format,
        show=show,
    )
    _content_type, body = rendered(answer_for(ISSUED), request, _STYLES[style])
    whole = _bundle(body, request)
    assert whole is not None
    record_property("tried", f"hostile body: cut at every byte: {len(body)}")
    for size in range(len(body)):
        bundle = _bundle(body[:size], request)
        if bundle is None:
            continue
        if query_type == QUERY_CHAIN and _parts(bundle) != _parts(whole):
            # Without an end-entity certificate nothing says how far down a chain goes: an answer that ends with the
            # last byte of a certificate is a whole one as far as it can tell. That the bytes are all there is for the
            # length that HTTP states.
            assert _ends_with_certificate(body, size, response_format)
            continue
        assert _parts(bundle) == _parts(whole), f"cut at {size}: {body[max(0, size - 60) : size]!r}"


def _parts(bundle: Bundle) -> tuple[object, ...]:
    return (bundle.certificate, bundle.intermediates, bundle.root)


def _ends_with_certificate(body: bytes, size: int, response_format: str) -> bool:
    if response_format == "lines":
        return body[:size].rstrip().endswith(b"-----END CERTIFICATE-----")
    # What is missing of the value may be the line feed behind an armoured certificate.
    missing = body[size:].partition(b"&")[0]
    return missing in (b"", b"%0A", b"0A", b"A") or body[size - 1 : size] == b"&"
