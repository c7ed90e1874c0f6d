# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role ``collectssl_deploy``: which there are, and which ones may be a slip of the pen.

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
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

#: The role, whose tasks run with these variables.
ROLE = "collectssl_deploy"

_SHARED, _OWN = "collectssl_", "collectssl_deploy_"

# Those of the provider, which the lookup reads, too.
_PROVIDER = {_SHARED + option for option in lookup_spec().argument_spec if option not in (*IDENTIFIERS, "part")}

# What the role is given: each is an option of its module.
_GIVEN = _PROVIDER | {
    _OWN + option
    for option in deploy_spec(merged=False).argument_spec
    if option not in IDENTIFIERS and _SHARED + option not in _PROVIDER
}

# What the role, its playbook and the lookup have beside that.
_OTHERS = {
    *(_OWN + name for name in ("hosts", "serial", "result", "changed_certificates", "failure", "failed", "stops")),
    *(_SHARED + name for name in (*IDENTIFIERS, "part")),
}

# How close a name has to be, of 1: closer in the name space that others have things of their own in.
_CLOSE = {_OWN: 0.75, _SHARED: 0.85}


def doubts_about_variables(variables: t.Mapping[str, t.Any]) -> list[str]:
    """Sentences about those that may be misspelled.

    :arg variables: all that a task sees.
    """
    # The default of the role sets one of them, to nothing.
    unset = sorted(name for name in _GIVEN if variables.get(name) in (None, "", []))
    doubts = []
    for name in sorted(str(name) for name in variables if str(name).startswith(_SHARED)):
        meant = None if name in _GIVEN | _OTHERS else _meant(name, unset)
        if meant is not None:
            doubts.append(f"The role {ROLE} has no variable {excerpt(name)}. Is {meant} meant? That one is not set.")
    return doubts


def _meant(name: str, unset: t.Sequence[str]) -> str | None:
    if any(name.startswith(f"{known}_") for known in _GIVEN):
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
