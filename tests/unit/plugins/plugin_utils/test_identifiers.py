# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which order is asked about, from what people write in YAML: what a number may have been is not guessed."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import order_info_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import identifier_as_text, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import status_requests_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated

_ACCOUNT = {"login_name": "me", "login_password": "s3cret"}
_MADE = (
    "{}, which YAML may have made of something else: without quotes, 0012345 is the number 5349 there. Write it in "
    'quotes, such as "0012345".'
)
_WHOLE = "must be a whole number (section 1 of the CollectSSL specification), not {!r}."

_WHOLE_OF_CCC = " must be a whole number for product ccc, not {!r}."
_TEXT_OF_LIST = " is the text of a list, brackets and all. Give the list itself, or what is in it."


def _asked(written: str) -> list[str]:
    """The identifiers that are asked about when this stands in a task."""
    args = {**_ACCOUNT, **yaml.safe_load(written)}
    return [request.identifier for request in status_requests_of(validated(args, order_info_spec()))]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("order_number: '0012345'", ["0012345"]),
        ("order_number: 12345678", ["12345678"]),
        ("order_number: 1234567890123456789012345", ["1234567890123456789012345"]),
        ("order_number: 10000000", ["10000000"]),
        ("order_number: 0098765", ["0098765"]),
        ("order_number: 1e5", ["1e5"]),
        ("order_number: ' 12345 '", ["12345"]),
        ("order_numbers: [12345678, '0012345', 1a]", ["12345678", "0012345", "1a"]),
        ("order_numbers: 12345678", ["12345678"]),
        ("order_numbers: 12345678,0012345 , ,7", ["12345678", "0012345", "7"]),
        ("order_numbers: '0012345'", ["0012345"]),
        ("order_numbers: []", []),
        ("certificate_id: 77", ["77"]),
        ("certificate_id: 0", ["0"]),
        ("certificate_ids: 5,6", ["5", "6"]),
        ("certificate_ids: 5", ["5"]),
        ("base_order_numbers: [5, '0006']", ["5", "0006"]),
        ("{product: ccc, order_number: 5349}", ["5349"]),
        ("{product: ccc, order_numbers: [5349, '1']}", ["5349", "1"]),
    ],
)
def test_what_is_taken(written: str, asked: list[str]) -> None:
    assert _asked(written) == asked


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("order_number: 0012345", "order_number is " + _MADE.format("the number 5349")),
        ("order_number: 9999999", "order_number is " + _MADE.format("the number 9999999")),
        ("order_number: 12:34:56", "order_number is " + _MADE.format("the number 45296")),
        ("order_number: 0xBEEF", "order_number is " + _MADE.format("the number 48879")),
        ("order_number: 0b1011", "order_number is " + _MADE.format("the number 11")),
        ("order_number: 1_000", "order_number is " + _MADE.format("the number 1000")),
        ("order_number: -12345678", "order_number is " + _MADE.format("the number -12345678")),
        ("order_number: 0", "order_number is " + _MADE.format("the number 0")),
        ("order_number: 12345678.0", "order_number is " + _MADE.format("the number 12345678.0")),
        ("order_number: 1.2e+9", "order_number is " + _MADE.format("the number 1200000000.0")),
        ("order_number: .inf", "order_number is " + _MADE.format("the number inf")),
        ("order_number: .nan", "order_number is " + _MADE.format("the number nan")),
        ("order_number: yes", "order_number is " + _MADE.format("the truth value true")),
        ("order_number: 2026-11-27", "order_number is " + _MADE.format("the date 2026-11-27")),
        ("order_number: 2026-11-27 10:00:00", "order_number is " + _MADE.format("the date 2026-11-27 10:00:00")),
        ("order_number: 0x" + "f" * 5000, "order_number is a number of more digits than any option takes."),
        (
            "order_numbers: [0x" + "f" * 5000 + "]",
            "Element 1 of order_numbers is a number of more digits than any order has.",
        ),
        ("retries: 0x" + "f" * 5000, "retries is a number of more digits than any option takes."),
        ("order_number: !!binary MTIzNDU2Nzg=", "order_number must be text."),
        ("order_number: {a: 1}", "order_number must be text. It is a dictionary; give the value in it that is meant."),
        ("order_number: [1]", "order_number must be text. It is a list; give one of its elements, or join them."),
        ("order_numbers: [12345678, 0012345]", "Element 2 of order_numbers is " + _MADE.format("the number 5349")),
        ("order_numbers: [no, 12345678]", "Element 1 of order_numbers is " + _MADE.format("the truth value false")),
        ("order_numbers: [12345678, null]", "Element 2 of order_numbers is empty."),
        ("order_numbers: [12345678, ' ']", "Element 2 of order_numbers is empty."),
        ("order_numbers: '[12345678, 0012345]'", "order_numbers" + _TEXT_OF_LIST),
        ("order_numbers: ' [''12345678'']'", "order_numbers" + _TEXT_OF_LIST),
        ("order_number: '[]'", "order_number" + _TEXT_OF_LIST),
        ("certificate_ids: '[5]'", "certificate_ids" + _TEXT_OF_LIST),
        ("order_numbers: ['1', {a: 1}]", "Element 2 of order_numbers must be text."),
        ("order_numbers: ['1', ['2']]", "Element 2 of order_numbers must be text."),
        ("order_numbers: 5349", "order_numbers is " + _MADE.format("the number 5349")),
        ("order_numbers: 1.5", "order_numbers is " + _MADE.format("the number 1.5")),
        ("order_numbers: ' , '", "order_numbers is empty."),
        ("order_numbers: ''", "order_numbers is empty."),
        ("order_numbers: {a: 1}", "order_numbers must be a list."),
        ("order_numbers: true", "order_numbers is " + _MADE.format("the truth value true")),
        ("certificate_id: 12.0", "certificate_id " + _WHOLE.format("12.0")),
        ("certificate_id: true", "certificate_id " + _WHOLE.format("true")),
        ("certificate_id: -5", "certificate_id " + _WHOLE.format("-5")),
        ("certificate_id: 2026-11-27", "certificate_id " + _WHOLE.format("2026-11-27")),
        ("base_order_number: .inf", "base_order_number " + _WHOLE.format("inf")),
        ("certificate_ids: [5, -6]", "Element 2 of certificate_ids " + _WHOLE.format("-6")),
        ("{product: ccc, order_number: 12345678.0}", "order_number" + _WHOLE_OF_CCC.format("12345678.0")),
        ("{product: ccc, order_number: false}", "order_number" + _WHOLE_OF_CCC.format("false")),
    ],
)
def test_what_is_not_believed(written: str, sentence: str) -> None:
    """Each in one sentence, of what stood in the task before Ansible made text of it."""
    with pytest.raises(OptionError) as caught:
        _asked(written)
    assert str(caught.value) == sentence


def test_a_number_that_python_cannot_write_down() -> None:
    with pytest.raises(OptionError, match=r"^Term 1 is a number of more digits than any order has\.$"):
        identifier_as_text("Term 1", -(16**5000), "order_number", "ssl")


class _FromVault:
    """Text from a vault, as ansible-core before 2.19 has it, which is no str."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "0012345"


def test_what_comes_from_a_vault_is_text() -> None:
    assert identifier_as_text("order_number", _FromVault(), "order_number", "ssl") == "0012345"
    assert listed(_FromVault()) == ["0012345"]


def test_what_carries_a_tag_is_what_it_is() -> None:
    """From ansible-core 2.19 on, values have classes of their own."""
    tags = pytest.importorskip("ansible._internal._datatag._tags")
    tagged: t.Callable[[t.Any], t.Any] = tags.Origin(path="/playbook.yml", line_num=1).tag
    number = identifier_as_text("order_number", tagged(12345678), "order_number", "ssl")
    assert (number, number.__class__) == ("12345678", str)
    assert listed(tagged(["1", "2"])) == listed(tagged("1,2")) == ["1", "2"]
    assert [element.__class__ for element in listed(tagged("1,2"))] == [str, str]
    with pytest.raises(OptionError, match=r"^order_number is the number 5349, "):
        identifier_as_text("order_number", tagged(5349), "order_number", "ssl")
