# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of certificates: what messages call them, what is looked at, and what is told of it.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Set

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

#: What an endpoint says of a certificate where two with the same kind of key are to be seen: it shows one at a time.
ANOTHER = "it shows the certificate of another name that is served at the same address, which says nothing of this one"


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


def beside(known: Mapping[str, Endpoint]) -> Dict[str, FrozenSet[str]]:
    """The names of the other certificates that are to be seen at the address of an endpoint, where there are any."""
    names: Dict[Any, Set[str]] = {}
    for one in known.values():
        if one.look is not None:
            names.setdefault(one.look, set()).add(one.name)
    found = {key: names.get(one.look, set()) - {one.name} for key, one in known.items()}
    return {key: frozenset(others) for key, others in found.items() if others}


def look_at(endpoint: Any, key_type: Optional[str], others: FrozenSet[str]) -> Dict[str, Any]:
    """What is served there of certificates with a kind of key, as ``probe`` says it.

    ``others`` are the fingerprints of certificates that are served at the same address by right. Raises
    ``EndpointError`` where nothing is seen, or one of these.
    """
    if not HAS_SSL:
        raise EndpointError(f"It could not be looked at from this host: {without_ssl()}", undetermined=True)
    shown = dict(probe(endpoint._replace(key_type=key_type)))
    if shown["fingerprint_sha256"] in others:
        raise EndpointError(ANOTHER, shown, undetermined=True)
    return shown


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
        undetermined = one.get("undetermined") and not serves
        seen.append(
            {
                "certificate": endpoint.name,
                **endpoint.address,
                "fingerprint_sha256": shown,
                # The controller knows the one that it is to show.
                "served": None if serves else one.get("certificate"),
                "verified": one.get("verified"),
                "verify_error": one.get("verify_error"),
                "serves": None if undetermined else serves,
                "reason": "" if serves else one.get("reason", ""),
            }
        )
    return seen
