# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which order: identifiers as text, from whatever YAML, a template or a command line made of them.

Unquoted, ``0012345`` is an octal number to YAML, ``12:34:56`` one to the base of 60 and ``0x12`` one to that of 16.
What was written can't be told from the value, and asking about another order is worse than asking for quotes.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIER_LISTS, IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

# Order numbers have eight digits and more; with so many, a number is taken for one that was written as it is.
_BELIEVED = 10**7
_TOO_LONG = 10**128
_TEXT_OF_LIST = re.compile(r"\s*\[(?![0-9A-Fa-f]*:).*\]\s*\Z", re.DOTALL)


def identifiers_as_text(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of a task, those that name orders as text, or as lists of text.

    :raises OptionError: where one is not text, and may not be what was written either.
    """
    product = str(given.get("product", "ssl"))
    texts = dict(given)
    for one, many in zip(IDENTIFIERS, IDENTIFIER_LISTS, strict=True):
        if given.get(one) is not None:
            texts[one] = identifier_as_text(one, given[one], one, product)
        if given.get(many) is not None:
            texts[many] = _list_as_text(many, given[many], one, product)
    return texts


def _list_as_text(option: str, value: t.Any, kind: str, product: str) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [
            identifier_as_text(f"Element {number} of {option}", element, kind, product)
            for number, element in enumerate(value, 1)
        ]
    if is_text_of_list(value):
        return [identifier_as_text(option, value, kind, product)]
    values = listed(value)
    if not values:
        raise OptionError(f"{option} is empty.")
    return [identifier_as_text(option, element, kind, product) for element in values]


def identifier_as_text(subject: str, value: t.Any, kind: str, product: str) -> str:
    """One identifier as text.

    An order number of CollectSSL is text by section 1 of the specification, and a number of less than eight digits is
    not believed to be what was written; all other identifiers are whole numbers.

    :arg subject: what sentences begin with.
    :arg kind: one of ``IDENTIFIERS``.
    :raises OptionError: where it is not text, and may not be what was written either.
    """
    if is_text_of_list(value):
        raise OptionError(f"{subject} is the text of a list, brackets and all. Give the list itself, or what is in it.")
    if _is_text(value):
        if not str(value).strip():
            raise OptionError(f"{subject} is empty.")
        return str(value)
    if value is None:
        raise OptionError(f"{subject} is empty.")
    if not isinstance(value, (int, float, datetime.date)):
        raise OptionError(f"{subject} must be text.")
    if isinstance(value, int) and abs(value) >= _TOO_LONG:
        raise OptionError(f"{subject} is a number of more digits than any order has.")
    whole = kind != "order_number" or product == "ccc"
    if isinstance(value, int) and not isinstance(value, bool) and value >= (0 if whole else _BELIEVED):
        return str(int(value))
    if whole:
        rule = " for product ccc" if kind == "order_number" else " (section 1 of the CollectSSL specification)"
        raise OptionError(f"{subject} must be a whole number{rule}, not {_shown(value)!r}.")
    raise OptionError(
        f"{subject} is {_described(value)}, which YAML may have made of something else: without quotes, 0012345 is the "
        'number 5349 there. Write it in quotes, such as "0012345".'
    )


def listed(value: t.Any) -> list[t.Any]:
    """The identifiers in the value of an option or a variable for many: a list, one alone, or text with commas."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if _is_text(value):
        return [part.strip() for part in str(value).split(",") if part.strip()]
    return [value]


def is_text_of_list(value: t.Any) -> bool:
    """Whether a text is what a template or a command line made of a list; ``[2001:db8::1]`` is an address."""
    return _is_text(value) and bool(_TEXT_OF_LIST.match(str(value)))


def _is_text(value: t.Any) -> bool:
    # What comes from a vault is no str before ansible-core 2.19.
    return isinstance(value, str) or bool(getattr(value, "__ENCRYPTED__", False))


def _described(value: t.Any) -> str:
    if isinstance(value, bool):
        return f"the truth value {_shown(value)}"
    kind = "date" if isinstance(value, datetime.date) else "number"
    return f"the {kind} {_shown(value)}"


def _shown(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]
