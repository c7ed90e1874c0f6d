# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the variables of a host give, for the role: ``collectssl_deploy_layouts``, ``collectssl_ca_path``.

Templates in a task for two dozen of them, most of which nobody sets, would cost each host more than all the rest of it.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    IDENTIFIERS,
    deploy_spec,
    provider_options,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

_COMMON = "collectssl_"
_OWN = "collectssl_deploy_"

#: The option that has the others taken from variables.
FROM_VARIABLES = "from_variables"

#: The one that a task gives itself.
_OF_TASK = "certificates"

# How alike two names are of which one is a slip for the other.
_ALIKE = 0.8


_OF_PROVIDER = provider_options()

#: The variable for each option that has one: as the lookup has it, or with the role's name before.
VARIABLES = {
    option: f"{_COMMON if option in _OF_PROVIDER else _OWN}{option}"
    for option in deploy_spec(merged=False).argument_spec
    if option not in (*IDENTIFIERS, _OF_TASK, FROM_VARIABLES)
}


def given_by_variables(task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The value of each option that has a variable, as that spells it.

    :raises OptionError: for a variable that nobody reads, and that is nearly called as one which there is not.
    """
    _check_names(task_vars, [*VARIABLES.values(), f"{_OWN}{_OF_TASK}"])
    return {option: task_vars[name] for option, name in VARIABLES.items() if name in task_vars}


def _check_names(task_vars: t.Mapping[str, t.Any], known: t.Collection[str]) -> None:
    # The role gives the certificates an empty list to begin with.
    absent = [name for name in known if name not in task_vars or task_vars[name] == []]
    for name in sorted(name for name in task_vars if name.startswith(_COMMON) and name not in known):
        prefix = _OWN if name.startswith(_OWN) else _COMMON
        # What they begin with alike would make any two of them alike.
        ends = [other[len(prefix) :] for other in absent if other.startswith(prefix)]
        like = difflib.get_close_matches(name[len(prefix) :], ends, 1, _ALIKE)
        if like:
            raise OptionError(
                f"Nobody reads the variable {excerpt(name)}. Is {prefix}{like[0]} meant? Call it so, or otherwise."
            )


def without_omitted(value: t.Any, token: t.Any) -> t.Any:
    """A value without what the variable ``omit`` stands for, wherever that is; newer ansible-core leaves none of it."""
    if isinstance(value, dict):
        return {key: without_omitted(part, token) for key, part in value.items() if part is not token and part != token}
    if isinstance(value, (list, tuple)):
        return [without_omitted(part, token) for part in value if part is not token and part != token]
    return value
