# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How services take new files where a reload is not right: the option ``services``, checked.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.services import require_name
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError, OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._file_options import check_command
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated

_SPEC = ArgumentSpec(
    {"state": {"type": "str", "choices": ["reloaded", "restarted"]}, "command": {"type": "str"}},
    mutually_exclusive=(("state", "command"),),
    required_one_of=(("state", "command"),),
)


def checked_services(given: t.Mapping[str, t.Any]) -> dict[str, dict[str, str]]:
    """The services, each with what is said of it: ``state`` or ``command``.

    :raises OptionError: for the first of which something is wrong.
    """
    services = {}
    for name, said in given.items():
        check_name("services", name)
        if not isinstance(said, dict):
            raise OptionError(
                f"services: {name} must be a dictionary, with state (reloaded or restarted) or with command."
            )
        try:
            options = validated(said, _SPEC)
        except OptionError as error:
            raise OptionError(f"services: {name}: {error}") from error
        check_command(f"services: {name}: command", options["command"])
        services[str(name)] = {option: str(value) for option, value in options.items() if value is not None}
    return services


def check_name(option: str, name: t.Any) -> None:
    """Raises ``OptionError`` for what no service is called."""
    if not isinstance(name, str):
        raise OptionError(f"{option}: {excerpt(str(name))!r} must be the name of a service, in quotes.")
    try:
        require_name(name)
    except InstallError as error:
        # Its sentence begins with the option that it is of on the host, which is the same.
        raise OptionError(str(error)) from error
