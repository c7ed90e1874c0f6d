# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where certificates are served: the endpoints of a certificate, checked and whole.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    deploy_endpoint_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import Endpoint, endpoint_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options, validated

#: What results say of where an endpoint is.
ADDRESS = ("host", "port", "server_name", "starttls", "connect_from")

_SPEC = deploy_endpoint_spec()
_PATHS = [option for option, rules in _SPEC.argument_spec.items() if rules["type"] == "path"]

_LOOPBACK = "127.0.0.1"

# A day at the most; what is longer is a slip of the hand.
_RANGES = {
    "probe_timeout": (1, 86400),
    "probe_retries": (0, 86400),
    "probe_delay": (0, 86400),
    "command_timeout": (1, 86400),
}


class Address(t.NamedTuple):
    """An endpoint of a certificate.

    ``told`` is what the module is told of it; ``endpoint`` the same for a look from this controller, None for one that
    the target looks at.
    """

    told: Options
    endpoint: Endpoint | None

    @property
    def shown(self) -> dict[str, t.Any]:
        """Where it is, for results."""
        return {name: self.told.get(name) for name in ADDRESS}

    def __str__(self) -> str:
        return f"{self.told['host']} port {self.told['port']}"


def addresses(given: t.Any, options: Options, address: str, name: str | None) -> list[Address]:
    """The endpoints of a certificate.

    :arg given: as the task spells them.
    :arg options: those of the task.
    :arg address: of the host, as this controller sees it.
    :arg name: to ask for where an endpoint does not say.
    :raises OptionError: for the first that is wrong, with its number.
    """
    if given is None:
        return []
    if not isinstance(given, (list, tuple)):
        raise OptionError("endpoints must be a list of dictionaries.")
    found = []
    for number, one in enumerate(given, 1):
        if not isinstance(one, dict):
            raise OptionError(f"Element {number} of endpoints must be a dictionary, such as {{port: 443}}.")
        try:
            found.append(_address(one, options, address, name))
        except OptionError as error:
            raise OptionError(f"Element {number} of endpoints: {error}") from error
    return found


def _address(given: Options, options: Options, address: str, name: str | None) -> Address:
    known = validated(given, _SPEC)
    known["connect_from"] = known["connect_from"] or options["probe_from"]
    from_here = known["connect_from"] == "controller"
    known["host"] = known["host"] or (address if from_here else _LOOPBACK)
    known["server_name"] = known["server_name"] or name
    endpoint = endpoint_of({**known, "timeout": options["probe_timeout"]})
    told = {option: value for option, value in known.items() if value not in (None, False)}
    if not from_here:
        # As the task spells them: the home folder and the variables in a path are the target's.
        told.update({option: given[option] for option in _PATHS if given.get(option) is not None})
    return Address(told, endpoint if from_here else None)


def check_probing(options: Options) -> None:
    """Raises ``OptionError`` for times and numbers of looks that make no sense, or no end."""
    for option, (least, most) in _RANGES.items():
        if not least <= options[option] <= most:
            raise OptionError(f"{option} must be a whole number from {least} to {most}, not {options[option]}.")
