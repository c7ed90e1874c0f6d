# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line looks like: the last that still does, and the first that does no more."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire import shapes


@pytest.mark.parametrize(
    ("line", "rank"),
    [
        ("www.example.com", shapes.NAME),
        ("*.example.com", shapes.NAME),
        ("_dmarc.example.com", shapes.NAME),
        ("www.example.com.", shapes.NAME),
        ("WWW.EXAMPLE.COM", shapes.NAME),
        ("1.example", shapes.NAME),
        ("v1.7z", shapes.NAME),
        ("a.1.example", shapes.NAME),
        ("host.X", shapes.NAME),
        ("bücher.example", shapes.NAME),
        ("192.0.2.1", shapes.NAME),
        ("2001:db8::1", shapes.NAME),
        ("2001:db8:0:0:0:0:0:1", shapes.NAME),
        ("::ffff:192.0.2.1", shapes.NAME),
        ("::1", shapes.NAME),
        ("v1.22", shapes.ODD_NAME),
        ("192.0.2", shapes.ODD_NAME),
        ("192.0.2.1000", shapes.ODD_NAME),
        ("1922.0.2.1", shapes.ODD_NAME),
        ("intranet", shapes.LABEL),
        ("mail-1", shapes.LABEL),
        ("host.", shapes.LABEL),
        ("例え", shapes.LABEL),
        ("Intranet", shapes.CAPITAL_LABEL),
        ("mailX", shapes.CAPITAL_LABEL),
        ("365", None),
        ("-1", None),
        ("***", None),
        ("_", None),
        ("a b", None),
        ("a.example b.example", None),
        ("a\u00a0b.example", None),
        ("a..example", None),
        (".example", None),
        ("a=b", None),
        ("a/b.example", None),
        ("https://www.example.com", None),
        ("", None),
        ("12:30:59", None),
        ("1:2:3:4:5:6:7:8", shapes.NAME),
        ("1:2:3:4:5:6:7:8:9", None),
        ("1:2:3:4:5:6", None),
        ("a:b", None),
        ("::ffff:192.0.2.1000", None),
        ("::ffff:192.0.2", None),
        ("::ffff:192.0.2.1.1", None),
        ("::1.", None),
        ("192.0.2.1!", None),
    ],
)
def test_how_much_a_line_looks_like_a_domain_name(line: str, rank: int | None) -> None:
    assert shapes.name_rank(line) == rank


def test_a_domain_name_has_255_characters_at_most() -> None:
    """As the DNS has it."""
    longest = "a" * 247 + ".example"
    assert len(longest) == 255
    assert shapes.name_rank(longest) == shapes.NAME
    assert shapes.name_rank("a" + longest) is None


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("14/05/2003 13/05/2004", ("14/05/2003", "13/05/2004")),
        ("1/5/2003 3/5/2004", ("1/5/2003", "3/5/2004")),
        ("14/05/2003\t 13/05/2004", ("14/05/2003", "13/05/2004")),
        ("14/05/200313/05/2004", None),
        ("14/05/2003", None),
        ("14/05/2003 13/05/2004 more", None),
        ("more 14/05/2003 13/05/2004", None),
        ("140/05/2003 13/05/2004", None),
        ("14/050/2003 13/05/2004", None),
        ("14/05/20030 13/05/2004", None),
        ("14/05/203 13/05/2004", None),
        ("14/05/2003 130/05/2004", None),
        ("14/05/2003 13/050/2004", None),
        ("14/05/2003 13/05/20040", None),
        ("14/05/2003 13/05/2004\n", None),
        ("/05/2003 13/05/2004", None),
        ("", None),
    ],
)
def test_a_validity_is_two_days(line: str, days: tuple[str, str] | None) -> None:
    assert shapes.validity(line) == days


@pytest.mark.parametrize(
    "line",
    [
        *("Authorized", "Not Authorized", "Unrecognized Critical Tag", "Empty", "Malformed Response", "Timeout"),
        *("ERROR", "Awaiting Completion", "Error '42'", "Error ''", "Error 42", "Error -42", "error servfail"),
    ],
)
def test_caa_statuses_in_words(line: str) -> None:
    assert shapes.is_caa_status(line)
    assert shapes.is_caa(line)
    assert not shapes.is_caa_number(line)
    assert not shapes.is_caa_status(line + ".")
    assert not shapes.is_caa(line + ".")
    assert not shapes.is_caa_status("more " + line)
    assert not shapes.is_caa_status(line + "\n")


@pytest.mark.parametrize("line", ["0", "42", "-30", "999999", "-999999"])
def test_caa_statuses_that_are_numbers(line: str) -> None:
    assert shapes.is_caa_number(line)
    assert shapes.is_caa(line)
    assert not shapes.is_caa_status(line)


@pytest.mark.parametrize("line", ["1000000", "-1000000", "+1", "1.5", "1 - completed", "--1", "-", "", "1\n", "x1"])
def test_numbers_that_are_no_caa_status(line: str) -> None:
    assert not shapes.is_caa_number(line)
    assert not shapes.is_caa(line)


@pytest.mark.parametrize(
    ("line", "certificate", "validation"),
    [
        ("Awaiting Validation", True, False),
        ("ISSUED", True, False),
        ("revoked", True, False),
        ("No Status", True, False),
        ("Complete", False, True),
        ("Awaiting Legal Documents", False, True),
        ("awaiting document translation", False, True),
        ("Awaiting private WHOIS entry release", False, True),
        ("AWAITING BRAND VALIDATION", False, True),
        ("Awaiting", False, False),
        ("Issued.", False, False),
        ("", False, False),
    ],
)
def test_statuses_that_are_listed(line: str, certificate: bool, validation: bool) -> None:
    assert shapes.is_certificate_status(line) is certificate
    assert shapes.is_validation_status(line) is validation


@pytest.mark.parametrize(
    ("line", "may_be"),
    [
        ("Expired", True),
        ("Awaiting DCV: e-mail", True),
        ("Übergang läuft", True),
        ("2 years", False),
        ("term: 1", False),
        ("term=1", False),
        ("A sentence.", False),
        ("int x;", False),
        ('say "yes"', False),
        ("{json", False),
        ("a [list]", False),
        ("<b>", False),
        ("a\\b", False),
        ("a|b", False),
        ("", False),
        ("-", False),
    ],
)
def test_words_that_may_be_a_status(line: str, may_be: bool) -> None:
    assert shapes.may_be_status(line) is may_be


def test_a_status_has_120_characters_at_most() -> None:
    assert shapes.may_be_status("a" * 120)
    assert not shapes.may_be_status("a" * 121)


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("MII" + "A" * 29, True),
        ("MIA" + "A" * 28 + "=", True),
        ("UEsDB" + "A" * 27, True),
        ("MII" + "A" * 28, None),
        ("MIXED", None),
        ("UEsDB", None),
        ("MI" + "A" * 40 + "!", False),
        ("A" * 40, False),
        ("Complete", False),
        ("UEsDA" + "A" * 40, False),
        ("A" * 40 + "MI", False),
        ("", False),
    ],
)
def test_where_bare_base64_of_a_structure_begins(line: str, begins: bool | None) -> None:
    assert shapes.begins_structure(line) is begins
