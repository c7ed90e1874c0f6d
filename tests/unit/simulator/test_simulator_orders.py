# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orders file: what it means, and the sentence for what is wrong with it."""

from __future__ import annotations

import copy
import datetime
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _orders, _pki
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import (
    DETAIL_NAMES,
    Domain,
)
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._orders import OrdersError
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._simulator import (
    SetupError,
    read_orders,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .support import ACCOUNTS

UTC = datetime.timezone.utc
ORDER: dict[str, t.Any] = {"order_number": "1", "account": "owner", "names": ["www.example.com"]}


def read(*orders: dict[str, t.Any], base: pathlib.Path = pathlib.Path(), **more: t.Any) -> _orders.OrdersFile:
    value = {"accounts": ACCOUNTS, "orders": [{**ORDER, **order} for order in orders], **more}
    return _orders.read(copy.deepcopy(value), base)


def only(order: dict[str, t.Any], base: pathlib.Path = pathlib.Path()) -> _orders.Order:
    return read(order, base=base).orders[0]


def test_an_order_without_a_life_is_issued_for_ever() -> None:
    order = only({})
    (phase,) = order.life
    assert (phase.state, phase.code, phase.calls, phase.seconds) == ("issued", 2, None, None)
    assert phase.terms == _orders.Terms(names=("www.example.com",))
    assert (phase.certificate_status, phase.validation_status, phase.fqdn) == ("Issued", "Complete", "www.example.com")


def test_a_pending_order_for_several_names_has_a_domain_list() -> None:
    order = only({"names": ["a.example", "b.example"], "life": [{"state": "pending"}]})
    assert order.life[0].domains == (Domain("a.example", "NOTVALIDATED"), Domain("b.example", "NOTVALIDATED"))
    assert only({"life": [{"state": "pending"}]}).life[0].domains == ()


def test_details_take_names_in_any_case() -> None:
    phase = only({"life": [{"state": "pending", "details": {"OVCALLBACKSTATUS": 2, "evClickThroughStatus": None}}]})
    assert phase.life[0].details == {
        "csrStatus": 1,
        "dcvStatus": 0,
        "ovCallBackStatus": 2,
        "organizationValidationStatus": -1,
        "freeDVUPStatus": -1,
        "evClickThroughStatus": None,
        "brandValStatus": -1,
    }
    # Who knows one of the later details knows them all.
    later = only({"life": [{"state": "pending", "details": {"EVASSUMEDNAME": 2, "mastatus": None}}]}).life[0].details
    assert list(later) == [*DETAIL_NAMES]
    assert (later["evAssumedName"], later["maStatus"], later["evSignerSecondApproval"]) == (2, None, -1)


def test_a_later_issued_phase_keeps_what_it_does_not_change() -> None:
    life = [
        {"state": "issued", "calls": 1, "chain": "short"},
        {"state": "issued", "calls": 1, "names": ["b.example"]},
        {"state": "issued", "key": "generate"},
    ]
    first, second, third = (phase.terms for phase in only({"life": life, "valid_days": 10}).life)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.names, second.names, third.names] == [("www.example.com",), ("b.example",), ("b.example",)]
    assert {first.chain, second.chain, third.chain} == {"short"}
    assert {first.valid_days, second.valid_days, third.valid_days} == {10}
    assert [first.new_key, second.new_key, third.new_key] == [False, False, True]


def test_days_mean_midnight_and_the_last_second() -> None:
    terms = only({"not_before": "2026-01-02", "not_after": datetime.date(2026, 3, 4)}).life[0].terms
    assert terms is not None
    assert terms.not_before == datetime.datetime(2026, 1, 2, tzinfo=UTC)
    assert terms.not_after == datetime.datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC)


def test_keys_come_as_private_key_public_key_csr_or_certificate(tmp_path: pathlib.Path) -> None:
    key = _pki.generate_key("ecdsa")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    forms = {
        "pkcs8.pem": _pki.private_pem(key),
        "sec1.pem": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
        "public.pem": public,
        "request.pem": csr.public_bytes(serialization.Encoding.PEM),
    }
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
        terms = only({"key": name}, tmp_path).life[0].terms
        assert terms is not None
        assert terms.key == key.public_key()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"order_number": ""}, ["order_number"]),
        ({"account": "nobody"}, ["Order '1'", "account", "nobody"]),
        ({"names": []}, ["Order '1'", "names"]),
        ({"names": ["ü.example"]}, ["Order '1'", "names"]),
        ({"names": "www.example.com"}, ["Order '1'", "names", "list"]),
        ({"product": "tls"}, ["Order '1'", "product", "ssl, ccc"]),
        ({"collection_code": "code"}, ["Order '1'", "collection_code", "product: ccc"]),
        ({"product": "ccc", "collection_code": "c" * 17}, ["Order '1'", "collection_code", "16"]),
        ({"product": "ccc", "collection_code": 12}, ["Order '1'", "collection_code", "quotes"]),
        ({"product": "ccc", "certificate_id": 1}, ["Order '1'", "certificate_id", "CollectCCC"]),
        ({"product": "ccc", "base_order_number": 1}, ["Order '1'", "base_order_number", "CollectCCC"]),
        ({"product": "ccc", "order_number": "WX-1"}, ["Order 'WX-1'", "order_number", "whole number"]),
        ({"certificate_id": "x"}, ["Order '1'", "certificate_id", "16 digits"]),
        ({"certificate_id": 10**16}, ["certificate_id"]),
        ({"key_type": "dsa"}, ["key_type"]),
        ({"chain": "long"}, ["chain", "full"]),
        ({"valid_days": 0}, ["valid_days", "at least 1"]),
        ({"not_after": "soon"}, ["not_after", "soon"]),
        ({"not_before": "2026-02-01", "not_after": "2026-01-01"}, ["not_before", "before 'not_after'"]),
        ({"nmaes": ["a"]}, ["Order '1'", "unknown field 'nmaes'"]),
        ({"key": "nowhere.pem"}, ["Order '1'", "key", "nowhere.pem"]),
        ({"life": []}, ["Order '1'", "life"]),
        ({"life": [{"state": "done"}]}, ["Order '1', phase 1 of 'life'", "state", "done"]),
        ({"life": [{}]}, ["phase 1 of 'life'", "lacks 'state'"]),
        ({"life": ["issued"]}, ["phase 1 of 'life'", "mapping"]),
        ({"life": [{"state": "pending"}, {"state": "issued"}]}, ["phase 1", "'calls' or 'seconds'"]),
        ({"life": [{"state": "pending", "calls": 1, "seconds": 1}]}, ["not both"]),
        ({"life": [{"state": "pending", "calls": True}]}, ["calls", "True"]),
        ({"life": [{"state": "pending", "seconds": -1}]}, ["seconds"]),
        ({"life": [{"state": "error", "code": 3}]}, ["code", "negative"]),
        ({"life": [{"state": "pending", "details": {"csr": 1}}]}, ["details", "csr", "csrStatus"]),
        ({"life": [{"state": "pending", "details": {"csrStatus": 3}}]}, ["csrStatus", "3"]),
        ({"life": [{"state": "pending", "details": {"brandValStatus": 0}}]}, ["brandValStatus"]),
        ({"life": [{"state": "pending", "domains": [{"name": "a", "status": "OK"}]}]}, ["domain 1", "status"]),
        ({"life": [{"state": "pending", "domains": [{"name": "a b", "status": "VALIDATED"}]}]}, ["blanks"]),
        ({"life": [{"state": "pending", "caa_status": "a\nb"}]}, ["caa_status", "line ends"]),
        ({"life": [{"state": "issued", "fault": "gremlins"}]}, ["fault", "gremlins"]),
        ({"life": [{"state": "issued", "fault": {"name": "drip", "speed": 1}}]}, ["drip", "speed"]),
        ({"life": [{"state": "pending", "key": "generate"}]}, ["unknown field 'key'"]),
        ({"style": {"newline": "cr"}}, ["Order '1'", "newline", "lf, crlf"]),
        ({"style": {"colour": "red"}}, ["style", "colour"]),
        ({"style": {"extra_lines": {"nowhere": "x"}}}, ["extra_lines", "validity"]),
        ({"style": {"blank_lines": True}}, ["blank_lines", "number"]),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(order: dict[str, t.Any], words: list[str]) -> None:
    with pytest.raises(OrdersError) as caught:
        read(order)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ["mapping"]),
        ([], ["mapping"]),
        ({"acounts": []}, ["unknown field 'acounts'"]),
        ({"accounts": [{"login_name": "a"}]}, ["Account 'a'", "login_password"]),
        ({"accounts": [{"login_name": "a", "login_password": 123}]}, ["Account 'a'", "quotes"]),
        ({"accounts": [{"login_name": "a" * 65, "login_password": "p"}]}, ["login_name", "64"]),
        ({"accounts": [{"login_name": "a", "login_password": "p", "bad_credentials": -1}]}, ["bad_credentials"]),
        ({"accounts": [{"login_name": "a", "login_password": "p"}] * 2}, ["'a' appears twice"]),
        (
            {
                "accounts": ACCOUNTS,
                "orders": [
                    {**ORDER, "order_number": number, "product": "ccc", "collection_code": "s3cret"} for number in "12"
                ],
            },
            ["Order '2'", "collection_code", "another"],
        ),
        ({"accounts": ACCOUNTS, "orders": [ORDER, ORDER]}, ["Order '1'", "order_number", "another"]),
    ],
)
def test_accounts_and_the_file_itself_are_checked(value: t.Any, words: list[str]) -> None:
    with pytest.raises(OrdersError) as caught:
        _orders.read(copy.deepcopy(value), pathlib.Path())
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_wrong_password_in_the_file_is_not_shown() -> None:
    with pytest.raises(OrdersError) as caught:
        _orders.read({"accounts": [{"login_name": "a", "login_password": 987654}]}, pathlib.Path())
    assert "987654" not in str(caught.value)


def test_an_encrypted_key_is_refused_with_a_hint(tmp_path: pathlib.Path) -> None:
    key = _pki.generate_key("ecdsa")
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(OrdersError, match="encrypted"):
        only({"key": "key.pem"}, tmp_path)


def test_files_that_are_no_yaml_or_not_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SetupError, match="No such file"):
        read_orders(tmp_path / "nothing.yml")
    (tmp_path / "broken.yml").write_text("accounts: [", encoding="utf-8")
    with pytest.raises(SetupError, match="not YAML"):
        read_orders(tmp_path / "broken.yml")


def test_the_example_that_users_start_from_is_right() -> None:
    path = pathlib.Path(_orders.__file__).parents[1] / "orders.example.yml"
    content = read_orders(path)
    assert {order.life[0].state for order in content.orders} >= {"issued", "pending", "rejected", "revoked"}
    assert {order.product for order in content.orders} == {"ssl", "ccc"}
