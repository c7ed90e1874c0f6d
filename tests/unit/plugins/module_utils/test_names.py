# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses in the one form in which they can be compared."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _names


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1.", "192.0.2.1"),
        (" 192.0.2.1\n", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("::ffff:192.0.2.1", "::ffff:c000:201"),
        ("[::1", None),
        ("192.0.2.01", None),
        ("192.0.2", None),
        ("1", None),
        ("", None),
        ("[]", None),
        ("www.example.com", None),
        ("192.0.2.0/24", None),
    ],
)
def test_addresses(written: str, meant: str | None) -> None:
    found = _names.address(written)
    assert (None if found is None else found.exploded) == (
        None if meant is None else ipaddress.ip_address(meant).exploded
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("WWW.Example.COM.", "www.example.com"),
        ("Bücher.Example", "xn--bcher-kva.example"),
        ("BU\u0308CHER.example", "xn--bcher-kva.example"),
        ("bücher\u3002example\uff0ecom\uff61", "xn--bcher-kva.example.com"),
        ("ｂüｃｈｅｒ.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("STRAẞE.example", "xn--strae-oqa.example"),
        ("ｓｔｒａß\uff45.example", "xn--strae-oqa.example"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
        ("_sip._tcp.example", "_sip._tcp.example"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.1.", "192.0.2.1"),
        (".", ""),
        ("", ""),
        ("a..b", "a..b"),
        ("\u00fc" * 70, "\u00fc" * 70),
        ("a\ud800b", "a\ud800b"),
    ],
)
def test_whom_a_certificate_has_to_be_for(written: str, meant: str) -> None:
    assert _names.identity(written) == meant


def test_a_dot_at_the_end_means_something_to_resolvers() -> None:
    assert _names.ascii_name("Bücher.Example.") == "xn--bcher-kva.Example."
    assert _names.labels("Bücher.example.") == ["xn--bcher-kva", "example"]
