# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle says of itself: names, validity, records."""

from __future__ import annotations

import datetime
import ipaddress
import json

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_content
from ansible_collections.certfleet.collectssl.tests.support.authority import (
    DAY,
    LEAF_VALIDITY,
    NOW,
    chain,
    pem_of,
)
from cryptography import x509


def _bundle(*names: x509.GeneralName, common_name: str | None = "www.example.com") -> Bundle:
    return bundle_of_content(pem_of(chain().lower.leaf(common_name, names=names)), NOW)


def _dns(*names: str) -> list[x509.GeneralName]:
    return [x509.DNSName(name) for name in names]


_CASES = [
    ("www.example.com", "www.example.com", True),
    ("www.example.com", "WWW.Example.COM", True),
    ("WWW.EXAMPLE.COM", "www.example.com", True),
    ("www.example.com", "www.example.com.", True),
    ("www.example.com.", "www.example.com", True),
    ("www.example.com", " www.example.com ", True),
    ("www.example.com", "example.com", False),
    ("example.com", "www.example.com", False),
    ("www.example.com", "www.example.org", False),
    ("www.example.com", "", False),
    ("www.example.com", ".", False),
    ("www.example.com", "www.example.com..", False),
    ("*.example.com", "www.example.com", True),
    ("*.example.com", "WWW.example.com.", True),
    ("*.example.com", "*.example.com", True),
    ("*.example.com", "xn--bcher-kva.example.com", True),
    ("*.example.com", "b\u00fccher.example.com", True),
    ("*.example.com", "a.b.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.example.com", ".example.com", False),
    ("*.example.com", "www.example.org", False),
    ("*.com", "example.com", False),
    ("*", "example", False),
    ("*", "www.example.com", False),
    ("w*.example.com", "www.example.com", False),
    ("*w.example.com", "www.example.com", False),
    ("www.*.com", "www.example.com", False),
    ("*.*.com", "www.example.com", False),
    ("www.example.com", "*.example.com", False),
    ("*.www.example.com", "*.example.com", False),
    ("xn--bcher-kva.example", "b\u00fccher.example", True),
    ("xn--bcher-kva.example", "B\u00dcCHER.example", True),
    ("xn--bcher-kva.example", "bu\u0308cher.example", True),
    ("XN--BCHER-KVA.example", "b\u00fccher.example", True),
    ("xn--strae-oqa.example", "stra\u00dfe.example", True),
    ("strasse.example", "stra\u00dfe.example", False),
    ("xn--strae-oqa.example", "STRA\u1e9eE.example", True),
    ("xn--bcher-kva.example", "b\u00fccher\u3002example", True),
    ("xn--bcher-kva.example", "b\u00fccher.example.", True),
    ("xn--bcher-kva.example", "\uff42\u00fccher.example", True),
    ("*.xn--bcher-kva.example", "www.B\u00fccher.example", True),
    ("*.xn--bcher-kva.example", "*.b\u00fccher.example", True),
    ("xn--r8jz45g.xn--zckzah", "\u4f8b\u3048.\u30c6\u30b9\u30c8", True),
    ("www.example.com", "[www.example.com]", False),
    ("www.example.com", "b\u00fccher.example", False),
    ("www.example.com", "\u00fc" * 70 + ".example", False),
    ("192.0.2.1", "192.0.2.1", False),
    ("*.0.2.1", "192.0.2.1", False),
    ("localhost", "localhost", True),
    ("*.example.com", "_dmarc.example.com", True),
    ("*.example.com", "DNS:www.example.com", False),
    ("*.example.com", "https://www.example.com", False),
    ("*.example.com", "jane@www.example.com", False),
    ("*.example.com", "two words.example.com", False),
]


@pytest.mark.parametrize(("given", "wanted", "covered"), _CASES)
def test_dns_names(given: str, wanted: str, covered: bool) -> None:
    _expect(_bundle(*_dns(given)), wanted, covered)


def _expect(bundle: Bundle, wanted: str, covered: bool) -> None:
    if covered:
        bundle.check_names([wanted])
    else:
        with pytest.raises(ChainError, match="does not cover"):
            bundle.check_names([wanted])


@pytest.mark.parametrize(
    ("given", "wanted", "covered"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:DB8:0:0:0:0:0:1", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("192.0.2.1", "www.example.com", False),
        ("192.0.2.1", "192.0.2.001", False),
        ("192.0.2.1", "192.0.2.1.", True),
        ("192.0.2.1", "[192.0.2.1]", True),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("2001:db8::1", "[2001:0DB8::0:1]", True),
        ("2001:db8::1", "2001:db8::1%eth0", True),
        ("fe80::1", "[fe80::1%25eth0]", True),
        ("2001:db8::1", "[2001:db8::1", False),
        ("2001:db8::1", "[2001:db8::1]:443", False),
        ("192.0.2.1", "192.0.2.0/24", False),
    ],
)
def test_addresses(given: str, wanted: str, covered: bool) -> None:
    _expect(_bundle(x509.IPAddress(ipaddress.ip_address(given))), wanted, covered)


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        ("someone@example.com", True),
        ("Someone@EXAMPLE.com", True),
        ("other@example.com", False),
        ("example.com", False),
    ],
)
def test_mail_addresses(wanted: str, covered: bool) -> None:
    _expect(_bundle(x509.RFC822Name("someone@example.com")), wanted, covered)


def test_the_common_name_never_counts() -> None:
    for name in ("www.example.com", "example.com"):
        with pytest.raises(ChainError, match="has no subject alternative name"):
            _bundle().check_names([name])
    _expect(_bundle(*_dns("other.example.com")), "www.example.com", False)


def test_a_certificate_without_any_name() -> None:
    with pytest.raises(ChainError, match="covers no name at all"):
        _bundle(common_name=None).check_names(["None"])


def test_names_of_other_kinds_are_shown_or_passed_over() -> None:
    bundle = _bundle(
        x509.UniformResourceIdentifier("https://www.example.com/"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        *_dns("a.example"),
    )
    assert bundle.facts is not None
    assert bundle.facts["subject_alt_names"] == ["URI:https://www.example.com/", "DNS:a.example"]
    _expect(bundle, "https://www.example.com/", False)


def test_each_expected_name_is_checked_and_each_missing_one_named() -> None:
    bundle = _bundle(*_dns("a.example", "b.example"))
    bundle.check_names([])
    bundle.check_names(["a.example", "b.example"])
    with pytest.raises(ChainError, match=r"does not cover c\.example, d\.example of expected_names.*DNS:a\.example"):
        bundle.check_names(["a.example", "c.example", "d.example"])


@pytest.mark.parametrize(
    ("now", "days", "said"),
    [
        (NOW, 0, None),
        (NOW, 139, None),
        (NOW, 140, "in 139 days; min_validity_days asks for 140"),
        (LEAF_VALIDITY[0], 0, None),
        (LEAF_VALIDITY[1], 0, None),
        (LEAF_VALIDITY[1] + datetime.timedelta(seconds=1), 0, "expired at 2026-11-01T23:59:59Z"),
        (LEAF_VALIDITY[0] - datetime.timedelta(seconds=1), 0, "not valid before 2026-05-01T00:00:00Z"),
        (LEAF_VALIDITY[1] - 30 * DAY, 30, None),
        (LEAF_VALIDITY[1] - 30 * DAY + datetime.timedelta(seconds=1), 30, "min_validity_days asks for 30"),
    ],
)
def test_validity(now: datetime.datetime, days: int, said: str | None) -> None:
    bundle = bundle_of_content(pem_of(chain().leaf), NOW)
    if said is None:
        bundle.check_validity(now, days)
    else:
        with pytest.raises(ChainError, match=said):
            bundle.check_validity(now, days)


def test_what_users_see() -> None:
    bundle = bundle_of_content(pem_of(*chain().served), NOW)
    described = bundle.described(NOW)
    assert described is not None
    assert set(described) == {
        *("subject", "issuer", "serial_number", "subject_alt_names", "not_before", "not_after"),
        *("fingerprint_sha256", "public_key_sha256", "tlsa", "days_remaining", "chain"),
    }
    assert described["days_remaining"] == 139
    expired = bundle.described(LEAF_VALIDITY[1] + DAY)
    assert expired is not None
    assert expired["days_remaining"] == -1


def test_a_bundle_survives_its_record() -> None:
    for ders in (chain().served, (chain().leaf,)):
        bundle = bundle_of_content(pem_of(*ders), NOW)
        assert Bundle.from_record(json.loads(json.dumps(bundle.as_record()))) == bundle
