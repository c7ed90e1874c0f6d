# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a call goes through, decided from an option and an environment alone.

The proxy settings of the operating system are never asked: on macOS that crashes in a forked worker.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils import _names
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

_VARIABLES = ("https_proxy", "all_proxy")
# With user and password; a proxy takes no longer line for either.
_LONGEST = 2048
_PORT = re.compile(r":[0-9]{1,5}\Z", re.ASCII)
_NO_BRACKETS = str.maketrans("", "", "[]")


def merged_environment(controller: t.Mapping[str, str], task: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The controller's environment with a task's own on top.

    A proxy variable of the task hides that of the controller in either case, also where the task sets it to nothing.
    """
    hidden = {name.lower() for name in task if name.lower() in (*_VARIABLES, "no_proxy")}
    seen = {name: value for name, value in controller.items() if name.lower() not in hidden}
    return {**seen, **{str(name): "" if value is None else str(value) for name, value in task.items()}}


def proxy_for(url: str, option: str | None, environment: t.Mapping[str, str]) -> str | None:
    """The proxy for a URL, or None for a direct connection.

    :arg option: the option ``proxy``; it wins over the environment, and ``none`` switches the latter off.
    :arg environment: holds ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper case. The last is a list
        of names (each with the names below it) and addresses, both with a port or without, networks, and ``*`` for all.
    :raises OptionError: where the option is not the address of an http or https proxy.
    """
    if option is not None and str(option).strip():
        return None if str(option).strip().lower() == "none" else _checked(str(option).strip(), "proxy")
    if _direct(url, _value(environment, "no_proxy")):
        return None
    for name in _VARIABLES:
        proxy = _value(environment, name)
        if proxy:
            return _checked(proxy, f"The environment variable {name}")
    return None


def secrets_of(proxy: str | None) -> tuple[str, ...]:
    """The parts of a proxy's address that no text may show."""
    password = urllib.parse.urlsplit(proxy).password if proxy else None
    return (password, urllib.parse.unquote(password)) if password else ()


def _direct(url: str, no_proxy: str) -> bool:
    """Whether ``no_proxy`` holds the host of a URL.

    requests knows no IPv6 networks and asks the system besides, and urllib knows no networks at all.
    """
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    return any(_holds(entry, host, port) for entry in re.split(r"[\s,]+", no_proxy))


def _holds(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    here = _names.address(host)
    if "/" in entry:
        return here is not None and _in_network(here, entry)
    if _names.address(entry) is None:
        # What has a port; all else with a colon is an IPv6 address.
        entry, colon, wanted = entry.rpartition(":") if _PORT.search(entry) else (entry, "", "")
        if colon and int(wanted) != port:
            return False
    there = _names.address(entry)
    if here is not None or there is not None:
        return here == there
    above, below = _names.labels(re.sub(r"\A\*?\.+", "", entry)), _names.labels(host)
    return above != [""] and below[-len(above) :] == above


def _in_network(address: _names.Address, text: str) -> bool:
    try:
        # Which address of the network stands for it is of no matter.
        return address in ipaddress.ip_network(text.translate(_NO_BRACKETS), strict=False)
    except ValueError:
        return False


def _value(environment: t.Mapping[str, str], name: str) -> str:
    # Lower case wins, as with curl and Python, also where it is set to nothing in order to switch a proxy off.
    return str(environment.get(name, environment.get(name.upper(), ""))).strip()


def _checked(proxy: str, source: str) -> str:
    address = proxy if "://" in proxy else f"http://{proxy}"
    if len(address) > _LONGEST:
        raise OptionError(
            f"{source} is longer than the {_LONGEST} characters that an address of a proxy may have here."
        )
    try:
        parts = urllib.parse.urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise OptionError(
            f"{source} must be the address of an http or https proxy, such as http://proxy.example.com:3128, or none "
            "for a direct connection."
        )
    return address
