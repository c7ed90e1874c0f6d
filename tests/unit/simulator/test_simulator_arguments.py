# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of section 1, without a server."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _arguments
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._arguments import (
    ArgumentError,
    Arguments,
)

from .support import GOOD, PASSWORD

#: Names that only one of the two interfaces lists, with a value that does no harm.
SSL_ALONE = {
    "certificateID": "1",
    "baseOrderNumber": "1",
    "responseFormat": "0",
    **dict.fromkeys(("showFQDN", "showExtStatus", "showMDCDomainDetails", "showMDCDomainDetails2"), "N"),
    "showStatusDetails": "N",
}
NOBODY = dict.fromkeys(("loginName", "loginPassword", "orderNumber"))
CCC_ALONE = {"collectionCode": "code", "responseMimeType": "text/plain", "callbackFunctionName": "done"}


def encode(**arguments: str | None) -> bytes:
    merged = {name: value for name, value in {**GOOD, **arguments}.items() if value is not None}
    return urllib.parse.urlencode(merged).encode("ascii")


def check(body: bytes, product: str = "ssl") -> Arguments:
    return _arguments.check(_arguments.read_pairs(body), product)


def refusal(body: bytes, product: str = "ssl") -> tuple[int, str]:
    with pytest.raises(ArgumentError) as caught:
        check(body, product)
    return caught.value.code, caught.value.item


def test_defaults_are_those_of_arguments_left_out() -> None:
    expected = Arguments(login_name="owner", login_password=PASSWORD, order_number="1", query_type=1)
    assert check(encode()) == expected
    assert expected.response_type == 3
    assert expected.response_encoding == expected.response_format == 0
    assert check(encode(), "ccc") == dataclasses.replace(expected, product="ccc")
    shown = {field.name: getattr(expected, field.name) for field in dataclasses.fields(Arguments)}
    assert not any(value for name, value in shown.items() if name.startswith("show_"))


@pytest.mark.parametrize("name", [*SSL_ALONE, *CCC_ALONE])
def test_each_interface_takes_the_names_that_it_lists_and_no_others(name: str) -> None:
    """Whatever their value, even the one that an argument left out has."""
    own, other = ("ssl", "ccc") if name in SSL_ALONE else ("ccc", "ssl")
    without: dict[str, str | None] = {}
    if name in ("certificateID", "baseOrderNumber"):
        without = {"orderNumber": None}
    elif name == "collectionCode":
        without = dict.fromkeys(("loginName", "loginPassword", "orderNumber"))
    given = {**without, name: {**SSL_ALONE, **CCC_ALONE}[name]}
    for spelled in (name, name.lower(), name.upper()):
        assert check(encode(**{**without, spelled: given[name]}), own).product == own
        assert refusal(encode(**{spelled: given[name]}), other) == (-2, spelled)


@pytest.mark.parametrize("name", ["loginName", "loginPassword", "orderNumber"])
def test_a_collection_code_goes_without_account_and_order(name: str) -> None:
    others = dict.fromkeys({"loginName", "loginPassword", "orderNumber"} - {name})
    assert refusal(encode(**others, collectionCode="code"), "ccc") == (-4, name)


def test_every_argument_is_read_whatever_the_case_of_its_name() -> None:
    given = {
        "LOGINNAME": "owner",
        "loginpassword": PASSWORD,
        "CertificateId": "1234567890123456",
        "QUERYTYPE": "1",
        "responsetype": "2",
        "ResponseEncoding": "1",
        "RESPONSEFORMAT": "1",
        "showvalidityperiod": "Y",
        "showfqdn": "Y",
        "SHOWEXTSTATUS": "Y",
        "showmdcdomaindetails": "Y",
        "showMdcDomainDetails2": "Y",
        "showStatusDETAILS": "Y",
    }
    assert check(urllib.parse.urlencode(given).encode("ascii")) == Arguments(
        login_name="owner",
        login_password=PASSWORD,
        certificate_id="1234567890123456",
        query_type=1,
        response_type=2,
        response_encoding=1,
        response_format=1,
        show_validity_period=True,
        show_fqdn=True,
        show_ext_status=True,
        show_mdc_domain_details=True,
        show_mdc_domain_details2=True,
        show_status_details=True,
    )
    given = {
        "COLLECTIONCODE": "0123456789abcdef",
        "querytype": "3",
        "RESPONSETYPE": "3",
        "responseencoding": "0",
        "responsemimetype": "application/x-pem; charset=utf-8",
        "CallBackFunctionName": "done",
        "SHOWVALIDITYPERIOD": "Y",
    }
    assert check(urllib.parse.urlencode(given).encode("ascii"), "ccc") == Arguments(
        product="ccc",
        collection_code="0123456789abcdef",
        query_type=3,
        response_mime_type="application/x-pem; charset=utf-8",
        callback_function_name="done",
        show_validity_period=True,
    )


@pytest.mark.parametrize(
    ("changes", "product", "expected"),
    [
        ({"showMDCDomainDetail": "Y"}, "ssl", (-2, "showMDCDomainDetail")),
        ({"saspSessionID": "1"}, "ssl", (-2, "saspSessionID")),
        ({"loginName": None}, "ssl", (-3, "loginName")),
        ({"loginName": ""}, "ssl", (-3, "loginName")),
        ({"loginPassword": None}, "ssl", (-3, "loginPassword")),
        ({"orderNumber": None}, "ssl", (-3, "orderNumber")),
        ({"queryType": None}, "ssl", (-3, "queryType")),
        ({"loginName": "n" * 65}, "ssl", (-4, "loginName")),
        ({"loginPassword": "ü" * 129}, "ssl", (-4, "loginPassword")),
        ({"orderNumber": "1" * 129}, "ssl", (-4, "orderNumber")),
        ({"orderNumber": ""}, "ssl", (-4, "orderNumber")),
        ({"orderNumber": None, "certificateID": "1" * 17}, "ssl", (-4, "certificateID")),
        ({"orderNumber": None, "certificateID": "12a"}, "ssl", (-4, "certificateID")),
        ({"orderNumber": None, "certificateID": "١٢"}, "ssl", (-4, "certificateID")),
        ({"orderNumber": None, "baseOrderNumber": "-1"}, "ssl", (-4, "baseOrderNumber")),
        ({"certificateID": "1"}, "ssl", (-4, "certificateID")),
        ({"baseOrderNumber": "1"}, "ssl", (-4, "baseOrderNumber")),
        ({"queryType": "4"}, "ssl", (-4, "queryType")),
        ({"queryType": "01"}, "ssl", (-4, "queryType")),
        ({"responseType": "4"}, "ssl", (-4, "responseType")),
        ({"responseType": "0"}, "ccc", (-4, "responseType")),
        ({"responseEncoding": "2"}, "ssl", (-4, "responseEncoding")),
        ({"responseEncoding": "1"}, "ssl", (-4, "responseEncoding")),
        ({"responseEncoding": "1", "responseType": "1"}, "ssl", (-4, "responseEncoding")),
        ({"responseEncoding": "1", "responseType": "3"}, "ssl", (-4, "responseEncoding")),
        ({"responseFormat": "2"}, "ssl", (-4, "responseFormat")),
        ({"responseMimeType": "text"}, "ccc", (-4, "responseMimeType")),
        ({"responseMimeType": "text/plain\r\nX: y"}, "ccc", (-4, "responseMimeType")),
        ({"showFQDN": "y"}, "ssl", (-4, "showFQDN")),
        ({"showFQDN": "Y"}, "ccc", (-2, "showFQDN")),
        ({"responseType": "4"}, "ccc", (-4, "responseType")),
        ({"responseEncoding": "2"}, "ccc", (-4, "responseEncoding")),
        ({"orderNumber": "WX-1"}, "ccc", (-4, "orderNumber")),
        ({"orderNumber": None}, "ccc", (-3, "orderNumber")),
        ({"loginName": None}, "ccc", (-3, "loginName")),
        ({"queryType": None}, "ccc", (-3, "queryType")),
        ({"showValidityPeriod": "yes"}, "ssl", (-4, "showValidityPeriod")),
        ({"showExtStatus": ""}, "ssl", (-4, "showExtStatus")),
        ({**NOBODY, "collectionCode": ""}, "ccc", (-4, "collectionCode")),
        ({**NOBODY, "collectionCode": "c" * 17}, "ccc", (-4, "collectionCode")),
        ({**NOBODY, "collectionCode": "code", "queryType": None}, "ccc", (-3, "queryType")),
    ],
)
def test_a_broken_rule_names_the_argument(changes: dict[str, t.Any], product: str, expected: tuple[int, str]) -> None:
    assert refusal(encode(**changes), product) == expected


@pytest.mark.parametrize("response_type", ["0", "1", "2"])
@pytest.mark.parametrize("query_type", ["0", "2", "3"])
def test_containers_are_for_query_type_1_alone(query_type: str, response_type: str) -> None:
    assert refusal(encode(queryType=query_type, responseType=response_type)) == (-4, "responseType")
    assert check(encode(queryType="1", responseType=response_type)).response_type == int(response_type)
    assert check(encode(queryType=query_type, responseType="3")).query_type == int(query_type)


@pytest.mark.parametrize("response_type", ["0", "2"])
def test_binary_is_for_zip_and_pkcs7(response_type: str) -> None:
    assert check(encode(responseType=response_type, responseEncoding="1")).response_encoding == 1


def test_lengths_at_the_bound_are_fine_and_count_characters() -> None:
    arguments = check(encode(loginName="n" * 64, loginPassword="ü" * 128, orderNumber="1" * 128))
    assert arguments.login_password == "ü" * 128


def test_unescaped_values_are_caught() -> None:
    start = b"loginName=owner&orderNumber=1&queryType=1&loginPassword="
    assert refusal(start + b"a&b=c") == (-2, "b")
    assert refusal(start + b"100%") == (-4, "loginPassword")
    assert refusal(start + "ü".encode("latin-1")) == (-4, "loginPassword")
    assert check(start + b"a+b").login_password == "a b"


def test_a_repeated_argument_is_refused() -> None:
    assert refusal(encode() + b"&ordernumber=2") == (-4, "orderNumber")


def test_unknown_comes_before_missing_and_missing_before_invalid() -> None:
    assert refusal(encode(loginName=None, queryType="9", what="1")) == (-2, "what")
    assert refusal(encode(loginName=None, queryType="9")) == (-3, "loginName")


def test_secrets_are_masked_and_so_is_what_may_be_the_rest_of_one() -> None:
    pairs = _arguments.read_pairs(b"loginPassword=se&cret=word&collectionCode=c&orderNumber=1")
    assert _arguments.masked(pairs) == [
        ("loginPassword", "***"),
        ("(unrecognised)", "***"),
        ("collectionCode", "***"),
        ("orderNumber", "1"),
    ]
    arguments = check(encode())
    assert PASSWORD not in repr(arguments)
