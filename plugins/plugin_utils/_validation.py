# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether options are those of a spec: every wrong one is refused with one sentence that names it and the rule.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIER_LISTS, ArgumentSpec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import (
    identifiers_as_text,
    is_text_of_list,
)

Options = t.Mapping[str, t.Any]

_TOO_LONG = 10**128
_KINDS = {
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
    "str": "text",
    "path": "text",
}


def validated(args: Options, spec: ArgumentSpec) -> dict[str, t.Any]:
    """The options of a task, checked and with defaults; raises ``OptionError`` with one sentence.

    Whether the credentials are complete is left to ``provider_of``, since a part of them may come from the environment.
    """
    given = by_name(args, spec)
    check_known(given, spec)
    for name, value in given.items():
        # Identifiers have a check of their own below, which tells their elements apart.
        if name not in IDENTIFIER_LISTS:
            # Before the validator, which in some series of ansible-core takes a list with such elements for none.
            _check_elements(name, value, spec.argument_spec[name])
        if name not in IDENTIFIER_LISTS or not isinstance(value, (list, tuple)):
            _check_form(name, value, spec.argument_spec[name])
    # All at once, since it is nearly always right, and takes time for each of many hosts and certificates.
    checked, right = _checked(given, spec)
    for name, value in () if right else given.items():
        if name not in IDENTIFIER_LISTS or not isinstance(value, (list, tuple)):
            _check_value(name, value, spec.argument_spec[name])
    _check_rules(given, spec)
    # Not those that Ansible made text of, of which nobody can tell what they were.
    texts = identifiers_as_text(given)
    if not right or texts != given:
        checked, right = _checked(texts, spec)
    return checked


def _checked(given: Options, spec: ArgumentSpec) -> tuple[dict[str, t.Any], bool]:
    """What the validator of ansible-core makes of options, and whether it finds no fault with them."""
    # It would copy whole dictionaries in which there is nothing for it to check.
    whole = {name: value for name, value in given.items() if _is_whole(value, spec.argument_spec[name])}
    found = ArgumentSpecValidator(
        {name: rules for name, rules in spec.argument_spec.items() if name not in whole}
    ).validate({name: value for name, value in given.items() if name not in whole})
    return {**found.validated_parameters, **whole}, not found.error_messages


def _is_whole(value: t.Any, rules: t.Mapping[str, t.Any]) -> bool:
    """Whether there are nothing but dictionaries where these are wanted, with whatever is in them."""
    if "options" in rules:
        return False
    if rules.get("type") == "list" and rules.get("elements") == "dict":
        return isinstance(value, list) and all(isinstance(element, dict) for element in value)
    return rules.get("type") == "dict" and isinstance(value, dict)


def by_name(args: Options, spec: ArgumentSpec) -> dict[str, t.Any]:
    """What a task gives, as it spells it, under the names of the options, with aliases resolved."""
    aliases = {alias: name for name, rules in spec.argument_spec.items() for alias in rules.get("aliases", ())}
    given = sorted(args.items(), key=lambda item: item[0] in aliases)
    return {aliases.get(name, str(name)): _plain(value) for name, value in given if value is not None}


def _plain(value: t.Any) -> t.Any:
    """A value as ansible-core had it before 2.19, which puts tags on each, so that to copy one takes its time."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def check_known(given: Options, spec: ArgumentSpec) -> None:
    """Raises ``OptionError`` for names that no option has, with what may be meant."""
    unknown = sorted(excerpt(name) for name in set(given).difference(spec.argument_spec))
    if not unknown:
        return
    known = {
        *spec.argument_spec,
        *(alias for rules in spec.argument_spec.values() for alias in rules.get("aliases", ())),
    }
    meant = {}
    for name in unknown:
        like = difflib.get_close_matches(name.lower().replace("-", "_"), sorted(known), 1)
        if like:
            meant[name] = like[0]
    hints = [f"Is {like} meant{f' by {name}' if len(unknown) > 1 else ''}?" for name, like in meant.items()]
    if len(hints) < len(unknown):
        hints.append("ansible-doc lists those there are.")
    raise OptionError(f"There is no option {' and no option '.join(unknown)}. {' '.join(hints)}")


def _check_form(name: str, value: t.Any, rules: t.Mapping[str, t.Any]) -> None:
    """Find what the validator would stumble over, or make text of."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    # From some thousand digits on, Python makes no text of a number.
    if any(isinstance(part, int) and abs(part) >= _TOO_LONG for part in parts):
        raise OptionError(f"{name} is a number of more digits than any option takes.")
    # It would make text of a list, brackets and all.
    if _is_structured(value) and rules.get("type", "str") in ("str", "path"):
        raise OptionError(f"{_wanted(name, value, rules)}{_hint(value)}")


def _check_value(name: str, value: t.Any, rules: t.Mapping[str, t.Any]) -> None:
    if ArgumentSpecValidator({name: dict(rules)}).validate({name: value}).error_messages:
        raise OptionError(_wanted(name, value, rules))


def _is_structured(value: t.Any) -> bool:
    return isinstance(value, (dict, list, tuple, set))


def _wanted(name: str, value: t.Any, rules: t.Mapping[str, t.Any]) -> str:
    kind = rules.get("type", "str")
    shown = "" if _is_structured(value) or rules.get("no_log") else f", not {str(value)[:40]!r}"
    wanted = f"one of {', '.join(rules['choices'])}" if "choices" in rules else _KINDS.get(kind, f"of type {kind}")
    return f"{name} must be {wanted}{shown}."


def _hint(value: t.Any) -> str:
    if isinstance(value, dict):
        return " It is a dictionary; give the value in it that is meant."
    return " It is a list; give one of its elements, or join them."


def _check_elements(name: str, value: t.Any, rules: t.Mapping[str, t.Any]) -> None:
    if rules.get("type") != "list":
        return
    if rules.get("elements") == "dict":
        _check_dictionaries(name, value)
        return
    if isinstance(value, bool) or is_text_of_list(value):
        raise OptionError(f"{name} must be a list, or text with commas between its parts.")
    for number, element in enumerate(value if isinstance(value, (list, tuple)) else [], 1):
        if element is None or isinstance(element, (bool, dict, list, tuple, set)):
            raise OptionError(f"Element {number} of {name} must be text.")
        if isinstance(element, str) and not element.strip():
            raise OptionError(f"Element {number} of {name} is empty.")


def _check_dictionaries(name: str, value: t.Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise OptionError(f"{name} must be a list of dictionaries.")
    for number, element in enumerate(value, 1):
        if not isinstance(element, dict):
            raise OptionError(f"Element {number} of {name} must be a dictionary.")


def _check_rules(given: Options, spec: ArgumentSpec) -> None:
    absent = [name for name, rules in spec.argument_spec.items() if rules.get("required") and name not in given]
    if absent:
        raise OptionError(f"{' and '.join(absent)} must be given.")
    for group in spec.mutually_exclusive:
        both = [name for name in group if name in given]
        if len(both) > 1:
            raise OptionError(f"Give only one of {', '.join(group)}, not both {' and '.join(both)}.")
    for group in spec.required_one_of:
        if not any(name in given for name in group):
            raise OptionError(f"Give one of {', '.join(group)}; none is given.")
    for name, needs in spec.required_by.items():
        missing = [need for need in needs if need not in given]
        if name in given and missing:
            raise OptionError(f"{name} needs {' and '.join(missing)} beside it.")
