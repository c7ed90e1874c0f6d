# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of status, format, response type, encoding, query type and show flags, for both products."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.tests.support.responses import (
    ISSUED,
    OTHER_CODES,
    answer_for,
    expected,
    observed,
    rendered,
    shapes,
    shows,
)

_NAMES = {
    2: "certificates_attached",
    1: "certificates_available",
    0: "being_processed",
    -1: "not_https",
    -2: "unrecognised_argument",
    -3: "missing_argument",
    -4: "invalid_argument",
    -14: "unknown_error",
    -16: "permission_denied",
    -17: "not_post",
    -20: "rejected",
    -21: "revoked",
    -22: "awaiting_payment",
}
_STATES = {
    2: "issued",
    1: "issued",
    0: "pending",
    -26: "pending",
    -20: "rejected",
    -21: "revoked",
    -22: "awaiting_payment",
}


@pytest.mark.parametrize("code", [ISSUED, *OTHER_CODES])
@pytest.mark.parametrize("response_format", ["lines", "urlencoded"])
@pytest.mark.parametrize(
    ("product", "response_type", "encoding", "query_type"),
    [(product, *shape) for product in ("ssl", "ccc") for shape in shapes(product)],
)
def test_every_cell(
    product: str, response_type: str, encoding: str, query_type: int, response_format: str, code: int
) -> None:
    answer = answer_for(code)
    for show in shows(product):
        request = CollectRequest(
            "order_number",
            "1234567",
            product=product,
            query_type=query_type,
            response_type=response_type,
            response_encoding=encoding,
            response_format=response_format,
            show=show,
        )
        content_type, body = rendered(answer, request)
        response = parse(body, content_type, request)
        assert observed(response) == expected(answer, request), (sorted(show), body)
        assert response.status_name == _NAMES.get(response.status_code, "unlisted")
        assert response.state == _STATES.get(response.status_code, "error")


@pytest.mark.parametrize("code", [0, -4, -20])
@pytest.mark.parametrize("kind", ["zip", "pkcs7"])
def test_binary_request_answered_with_urlencoded_text(code: int, kind: str) -> None:
    """Section 1 leaves open in which format a binary request hears of an error."""
    asked = CollectRequest("order_number", "1", response_type=kind, response_encoding="binary", show=["ext_status"])
    as_text = CollectRequest("order_number", "1", response_type=kind, show=["ext_status"])
    answer = answer_for(code)
    content_type, body = rendered(answer, as_text)
    assert observed(parse(body, content_type, asked)) == expected(answer, as_text)
