# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter order_outstanding: an edge of what the progress lines say, which has tests of its own."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.filter.order_outstanding import FilterModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse


def _filter(value: t.Any) -> str:
    return str(FilterModule().filters()["order_outstanding"](value))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("errorCode=0&csrStatus=1&dcvStatus=2&ovCallbackStatus=0", "dcv in progress, ov callback not completed"),
        ("errorCode=0&csrStatus=1&dcvStatus=1", ""),
    ],
)
def test_pending(answer: str, words: str) -> None:
    """What the provider named as not completed, in its order."""
    request = CollectRequest("order_number", "1")
    assert _filter(parse(answer.encode("ascii"), None, request).order(request)) == words


@pytest.mark.parametrize("given", ["12345678", None, 7, {"state": "pending"}, []])
def test_something_else(given: t.Any) -> None:
    """Anything but an order is refused with a sentence."""
    with pytest.raises(
        AnsibleFilterError, match="order_outstanding needs an order as collectssl_order_info returns it"
    ):
        _filter(given)
