# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of section 1, and what goes over the wire."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    PRODUCT_URLS,
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    QUERY_STATUS,
    SHOW,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _arguments

_ACCOUNT = [("loginName", "someone"), ("loginPassword", "secret")]


def _order(**changes: t.Any) -> CollectRequest:
    return CollectRequest("order_number", "1234567", **changes)


# --- the wire form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variable"),
    [
        ("order_number", "orderNumber"),
        ("certificate_id", "certificateID"),
        ("base_order_number", "baseOrderNumber"),
    ],
)
def test_each_identifier_has_its_variable(kind: str, variable: str) -> None:
    names = [name for name, _value in CollectRequest(kind, " 1234567 ").variables()]
    assert CollectRequest(kind, " 1234567 ").variables()[0] == (variable, "1234567")
    assert len({"orderNumber", "certificateID", "baseOrderNumber"}.intersection(names)) == 1


def test_the_whole_wire_form() -> None:
    request = _order(
        query_type=QUERY_ALL,
        response_type="zip",
        response_format="lines",
        show=SHOW,
    )
    assert request.variables() == [
        ("orderNumber", "1234567"),
        ("queryType", "1"),
        ("responseType", "0"),
        ("responseEncoding", "0"),
        ("showValidityPeriod", "Y"),
        ("showFQDN", "Y"),
        ("showExtStatus", "Y"),
        ("showMDCDomainDetails", "Y"),
        ("showMDCDomainDetails2", "Y"),
        ("showStatusDetails", "Y"),
        ("responseFormat", "0"),
    ]


@pytest.mark.parametrize(
    ("response_type", "number"), [("zip", "0"), ("netscape", "1"), ("pkcs7", "2"), ("individual", "3")]
)
def test_response_types(response_type: str, number: str) -> None:
    assert ("responseType", number) in _order(response_type=response_type).variables()


@pytest.mark.parametrize("query_type", [QUERY_STATUS, QUERY_ALL, QUERY_CERTIFICATE, QUERY_CHAIN])
def test_query_types(query_type: int) -> None:
    assert ("queryType", str(query_type)) in _order(query_type=query_type).variables()


def test_a_binary_answer_has_no_format() -> None:
    request = _order(response_type="pkcs7", response_encoding="binary")
    assert request.binary
    assert ("responseEncoding", "1") in request.variables()
    assert "responseFormat" not in dict(request.variables())


def test_nothing_is_sent_that_section_1_does_not_list() -> None:
    """The service answers -2 for a name that it does not know, and each product knows other names."""
    sent: dict[str, set[str]] = {"ssl": set(), "ccc": set()}
    by_code = CollectRequest("collection_code", "", product="ccc", show=show_everything("ccc"))
    orders = [
        _order(product=product, show=show_everything(product) if show else ())
        for product, show in itertools.product(PRODUCT_URLS, (True, False))
    ]
    for request, asker in [*((order, _ACCOUNT) for order in orders), (by_code, [("collectionCode", "code")])]:
        pairs = asker + request.variables()
        wire = urllib.parse.urlencode(pairs).encode("ascii")
        _arguments.check(_arguments.read_pairs(wire), request.product)
        sent[request.product].update(name for name, _value in pairs)
    assert sent["ssl"] - sent["ccc"] == {
        *("responseFormat", "showFQDN", "showExtStatus", "showMDCDomainDetails", "showMDCDomainDetails2"),
        "showStatusDetails",
    }
    assert sent["ccc"] - sent["ssl"] == {"collectionCode"}


def test_credentials_are_no_part_of_a_request() -> None:
    assert not {"loginName", "loginPassword", "collectionCode"}.intersection(dict(_order().variables()))


@pytest.mark.parametrize("response_format", ["lines", "urlencoded"])
def test_the_whole_wire_form_of_collectccc(response_format: str) -> None:
    """A form of the answer that it does not know may well be a default, and is no reason to refuse."""
    changes: dict[str, t.Any] = {"product": "ccc", "response_format": response_format, "show": show_everything("ccc")}
    own = [("queryType", "1"), ("responseType", "2"), ("responseEncoding", "0"), ("showValidityPeriod", "Y")]
    request = _order(response_type="pkcs7", **changes)
    assert request.variables() == [("orderNumber", "1234567"), *own]
    assert request.response_format == "lines"
    assert CollectRequest("collection_code", "", response_type="pkcs7", **changes).variables() == own


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("certificate_id", "1", "ccc"), "certificate_id is for product ssl alone"),
        (("base_order_number", "1", "ccc"), "base_order_number is for product ssl alone"),
        (("order_number", "WX-1", "ccc"), "order_number must be a whole number for product ccc, not 'WX-1'"),
        (("collection_code", "", "ssl"), "collection_code is for product ccc alone"),
        (("collection_code", "1234567890123456", "ccc"), "names the order by itself"),
    ],
)
def test_how_each_product_names_an_order(given: tuple[str, str, str], named: str) -> None:
    kind, identifier, product = given
    with pytest.raises(OptionError, match=named) as caught:
        CollectRequest(kind, identifier, product=product)
    assert "1234567890123456" not in str(caught.value)


@pytest.mark.parametrize("show", sorted(set(SHOW) - {"validity_period"}))
def test_collectccc_tells_no_more_than_the_validity(show: str) -> None:
    with pytest.raises(OptionError, match=f"^{SHOW[show]} can be asked of product ssl alone"):
        _order(product="ccc", show=["validity_period", show])
    assert show_everything("ccc") == {"validity_period"}


# --- the rules -----------------------------------------------------------------------------------------------------


def _allowed(product: str, response_type: str, encoding: str, query_type: int) -> bool:
    """Section 1, read again."""
    if response_type != "individual" and query_type != 1:
        return False
    if encoding == "binary" and (query_type != 1 or response_type not in ("zip", "pkcs7")):
        return False
    return not (product == "ccc" and response_type == "zip")


@pytest.mark.parametrize("product", ["ssl", "ccc"])
@pytest.mark.parametrize("response_type", ["zip", "netscape", "pkcs7", "individual"])
@pytest.mark.parametrize("encoding", ["base64", "binary"])
@pytest.mark.parametrize("query_type", [0, 1, 2, 3])
@pytest.mark.parametrize("response_format", ["lines", "urlencoded"])
def test_every_combination(
    product: str, response_type: str, encoding: str, query_type: int, response_format: str
) -> None:
    values: dict[str, t.Any] = {
        "product": product,
        "response_type": response_type,
        "response_encoding": encoding,
        "query_type": query_type,
        "response_format": response_format,
    }
    if _allowed(product, response_type, encoding, query_type):
        wire = urllib.parse.urlencode(_ACCOUNT + _order(**values).variables()).encode("ascii")
        _arguments.check(_arguments.read_pairs(wire), product)
        return
    with pytest.raises(OptionError, match=r"response_type|response_encoding") as caught:
        _order(**values)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"product": "tls"}, "product must be one of ssl, ccc"),
        ({"product": "ccc", "response_type": "zip"}, "response_type zip is for product ssl alone"),
        ({"product": "ccc", "show": ["fqdn"]}, "product ssl alone"),
        ({"response_type": "pem"}, "response_type must be one of"),
        ({"response_encoding": "hex"}, "response_encoding must be one of"),
        ({"response_format": "json"}, "response_format must be one of"),
        ({"query_type": 4}, "query type must be 0, 1, 2 or 3"),
        ({"query_type": -1}, "query type must be 0, 1, 2 or 3"),
        ({"show": ["everything"]}, "Nothing to show is called everything"),
        ({"response_encoding": "binary"}, "response_encoding binary needs response_type zip or pkcs7"),
        ({"response_encoding": "binary", "response_type": "netscape"}, "needs response_type zip or pkcs7"),
        ({"response_type": "zip", "query_type": 0}, r"\(query type 1\) alone"),
        ({"response_type": "netscape", "query_type": 2}, r"\(query type 1\) alone"),
        ({"response_type": "pkcs7", "query_type": 3}, r"\(query type 1\) alone"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, t.Any], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        _order(**changes)


@pytest.mark.parametrize(
    ("kind", "identifier", "named"),
    [
        ("order_number", "", "order_number is empty"),
        ("order_number", " ", "order_number is empty"),
        ("order_number", "1" * 129, "at most 128"),
        ("order_number", "12\n34", "printable"),
        ("order_number", "12\udcff34", "printable"),
        ("certificate_id", "", "certificate_id is empty"),
        ("certificate_id", "12a", "certificate_id must be a whole number"),
        ("certificate_id", "-1", "certificate_id must be a whole number"),
        ("certificate_id", "1.5", "certificate_id must be a whole number"),
        ("certificate_id", "\u0661\u0662", "certificate_id must be a whole number"),
        ("certificate_id", "1" * 17, "at most 16 digits"),
        ("base_order_number", "abc", "base_order_number must be a whole number"),
        ("serial_number", "1", "identifier must be one of"),
    ],
)
def test_bad_identifiers(kind: str, identifier: str, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        CollectRequest(kind, identifier)


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("order_number", "1" * 128),
        ("order_number", "WX-12/34 & ü"),
        ("certificate_id", "1" * 16),
        ("base_order_number", "1" * 40),
    ],
)
def test_good_identifiers(kind: str, identifier: str) -> None:
    assert CollectRequest(kind, identifier).identifier == identifier


# --- a value -------------------------------------------------------------------------------------------------------


def test_a_request_is_a_value() -> None:
    request = _order(show=["fqdn", "ext_status"], response_type="zip", product="ssl")
    assert request == _order(show=("ext_status", "fqdn"), response_type="zip")
    assert len({request, _order(show=("ext_status", "fqdn"), response_type="zip")}) == 1
    assert request != _order(show=["fqdn"], response_type="zip")
    with pytest.raises(AttributeError):
        request.product = "ccc"  # type: ignore[misc]


def test_a_request_survives_its_record_and_every_copy() -> None:
    for request in (
        CollectRequest("certificate_id", "7", query_type=QUERY_CHAIN, show=["ext_status"]),
        CollectRequest("collection_code", "", product="ccc", show=["validity_period"]),
    ):
        assert CollectRequest(**json.loads(json.dumps(request.as_record()))) == request
        for made in (copy.copy(request), copy.deepcopy(request), pickle.loads(pickle.dumps(request))):  # noqa: S301
            assert made == request


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("order_number", "order number 7"),
        ("certificate_id", "certificate ID 7"),
        ("base_order_number", "base order number 7"),
    ],
)
def test_labels(kind: str, label: str) -> None:
    assert CollectRequest(kind, "7").label() == label


def test_the_label_of_an_order_that_a_code_names() -> None:
    assert CollectRequest("collection_code", "", product="ccc").label() == "the order of the collection code"


def test_what_an_answer_covers() -> None:
    whole = _order(show=SHOW)
    assert whole.covers(_order())
    assert whole.covers(_order(query_type=QUERY_CHAIN, response_format="lines", show=["fqdn"]))
    assert whole.covers(_order(response_type="zip"))
    assert not _order(query_type=QUERY_CHAIN).covers(_order(query_type=QUERY_CERTIFICATE))
    assert not _order(query_type=QUERY_CHAIN).covers(_order())
    assert not _order().covers(_order(show=["fqdn"]))
    assert not whole.covers(CollectRequest("order_number", "7654321"))
    assert not whole.covers(CollectRequest("certificate_id", "1234567"))
    assert not whole.covers(_order(product="ccc"))
    # A bare structure tells nothing else, and nobody who asks for one wants more.
    binary = _order(response_type="zip", response_encoding="binary", show=SHOW)
    assert not binary.covers(_order(show=["fqdn"]))
    assert binary.covers(_order())
    assert _order().covers(binary)
