# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a call goes through, decided from an option and an environment alone.

The proxy settings of the operating system are never asked: on macOS that crashes in a forked worker.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
import urllib.parse
import urllib.request

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

_VARIABLES = ("https_proxy", "all_proxy")


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
    :arg environment: holds ``https_proxy``, ``all_proxy`` and ``no_proxy``, in lower or upper case.
    :raises OptionError: where the option is not the address of an http or https proxy.
    """
    if option is not None and str(option).strip():
        return None if str(option).strip().lower() == "none" else _checked(str(option).strip(), "proxy")
    host = urllib.parse.urlsplit(url).netloc
    no_proxy = _value(environment, "no_proxy")
    if no_proxy and urllib.request.proxy_bypass_environment(host, {"no": no_proxy}):  # type: ignore[attr-defined]
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


def _value(environment: t.Mapping[str, str], name: str) -> str:
    # Lower case wins, as with curl and Python, also where it is set to nothing in order to switch a proxy off.
    return str(environment.get(name, environment.get(name.upper(), ""))).strip()


def _checked(proxy: str, source: str) -> str:
    address = proxy if "://" in proxy else f"http://{proxy}"
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
