# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role: those that give its options, and those that seem to be meant for one and are misspelled.

Templates in a task for two dozen of them, most of which nobody sets, would cost each host more than all the rest of it.
Nobody can tell a variable that is misspelled from one that somebody has for something else, so it is a doubt and no
failure, and the name has to be close to one that is not set.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    IDENTIFIERS,
    deploy_spec,
    lookup_spec,
    provider_options,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

#: The role, whose tasks run with these variables.
ROLE = "collectssl_deploy"

#: The option that has the others taken from variables.
FROM_VARIABLES = "from_variables"

_SHARED, _OWN = "collectssl_", "collectssl_deploy_"

# The one that a task gives itself.
_OF_TASK = "certificates"


def _names() -> dict[str, str]:
    """The variable of each option that has one: as the lookup has it, or with the role's name before."""
    shared = [option for option in provider_options() if option not in IDENTIFIERS]
    own = [option for option in deploy_spec(merged=False).argument_spec if option not in provider_options()]
    return {
        **{option: _SHARED + option for option in shared},
        **{option: _OWN + option for option in own if option != FROM_VARIABLES},
    }


# What the role is given: each is an option of its module.
_GIVEN = _names()

# What the role, its playbook and the lookup have beside that.
_OTHERS = {
    *(_OWN + name for name in ("hosts", "serial", "result", "changed_certificates", "failure", "failed", "stops")),
    *(_SHARED + name for name in lookup_spec().argument_spec),
}

# How close a name has to be, of 1: closer in the name space that others have things of their own in.
_CLOSE = {_OWN: 0.75, _SHARED: 0.85}


def given_by_variables(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The value of each option that has a variable, as that spells it.

    :arg variables: all that a task sees.
    """
    return {option: variables[name] for option, name in _GIVEN.items() if option != _OF_TASK and name in variables}


def without_omitted(value: t.Any, token: t.Any) -> t.Any:
    """A value without what the variable ``omit`` stands for, wherever that is; newer ansible-core leaves none of it."""
    if isinstance(value, dict):
        return {key: without_omitted(part, token) for key, part in value.items() if part is not token and part != token}
    if isinstance(value, (list, tuple)):
        return [without_omitted(part, token) for part in value if part is not token and part != token]
    return value


def doubts_about_variables(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Sentences about those that may be misspelled.

    :arg variables: all that a task sees.
    """
    # The default of the role sets one of them, to nothing.
    unset = sorted(name for name in _GIVEN.values() if variables.get(name) in (None, "", []))
    doubts = []
    for name in sorted(str(name) for name in variables if str(name).startswith(_SHARED)):
        meant = None if name in {*_GIVEN.values(), *_OTHERS} else _meant(name, unset)
        if meant is not None:
            doubts.append(f"The role {ROLE} has no variable {excerpt(name)}. Is {meant} meant? That one is not set.")
    return doubts


def _meant(name: str, unset: t.Sequence[str]) -> str | None:
    if any(name.startswith(f"{known}_") for known in _GIVEN.values()):
        # A part, or a variant, from which somebody composes what is given.
        return None
    space = _space(name)
    rest = name[len(space) :]
    elsewhere = [known for known in unset if known[len(_space(known)) :] == rest]
    if elsewhere:
        return elsewhere[0]
    candidates = {known[len(space) :]: known for known in unset if _space(known) == space}
    like = difflib.get_close_matches(rest.lower(), sorted(candidates), 1, _CLOSE[space])
    return candidates[like[0]] if like else None


def _space(name: str) -> str:
    return _OWN if name.startswith(_OWN) else _SHARED
