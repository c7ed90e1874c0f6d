# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of certificates: what messages call them, what is looked at, and what is told of it.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    EndpointError,
    InstallError,
    OptionError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._python import is_ssl, without_ssl

try:
    from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import (
        endpoint_of,
        probe,
    )

    HAS_SSL = True
except ImportError as missing:
    if not is_ssl(missing):
        raise
    HAS_SSL = False


class Endpoint(NamedTuple):
    """An endpoint of a certificate: its address as results say it, what to look at, and whether the controller does."""

    name: str
    address: Dict[str, Any]
    look: Any
    elsewhere: bool


def endpoints(params: Mapping[str, Any]) -> Dict[str, Endpoint]:
    """The endpoints of all certificates, by what messages call them."""
    found: Dict[str, Endpoint] = {}
    for certificate in params["certificates"]:
        for endpoint in certificate["endpoints"]:
            elsewhere = endpoint["connect_from"] == "controller"
            look: Any = None
            if HAS_SSL and not elsewhere:
                try:
                    look = endpoint_of({**endpoint, "timeout": params["probe_timeout"]})
                except OptionError as exc:
                    raise InstallError(f"{certificate['name']}: endpoints: {exc} Nothing was changed.") from exc
            address = {name: endpoint.get(name) for name in ("host", "port", "server_name", "starttls", "connect_from")}
            found[_called(found, certificate["name"], endpoint)] = Endpoint(
                certificate["name"], address, look, elsewhere
            )
    return found


def _called(found: Mapping[str, Any], name: str, endpoint: Mapping[str, Any]) -> str:
    """What messages call an endpoint; each has its own."""
    more = [str(endpoint[key]) for key in ("server_name", "starttls") if endpoint.get(key)]
    told = f"{endpoint['host']} port {endpoint['port']}{' (' + ', '.join(more) + ')' if more else ''}"
    for candidate in (told, f"{told} of {name}"):
        if candidate not in found:
            return candidate
    number = 2
    while f"{told} of {name}, {number}" in found:
        number += 1
    return f"{told} of {name}, {number}"


def look_at(endpoint: Any) -> Dict[str, Any]:
    """What is served there, as ``probe`` says it; raises ``EndpointError`` where nothing is seen."""
    if not HAS_SSL:
        raise EndpointError(f"It could not be looked at from this host: {without_ssl()}")
    return dict(probe(endpoint))


def told(
    known: Mapping[str, Endpoint], looked: Mapping[str, Mapping[str, Any]], showing: Mapping[str, Optional[str]]
) -> List[Dict[str, Any]]:
    """What endpoints showed, as results say it.

    ``looked`` is what the last look at each told; ``showing`` the fingerprint that those of each certificate have to
    show.
    """
    seen = []
    for key, endpoint in known.items():
        if endpoint.name not in showing or key not in looked:
            continue
        one = looked[key]
        shown = one.get("fingerprint_sha256")
        serves = shown is not None and shown == showing[endpoint.name]
        seen.append(
            {
                "certificate": endpoint.name,
                **endpoint.address,
                "fingerprint_sha256": shown,
                # The controller knows the one that it is to show.
                "served": None if serves else one.get("certificate"),
                "verified": one.get("verified"),
                "verify_error": one.get("verify_error"),
                "serves": serves,
                "reason": one.get("reason", ""),
            }
        )
    return seen
