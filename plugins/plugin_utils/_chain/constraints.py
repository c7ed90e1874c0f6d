# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name constraints (RFC 5280, section 4.2.1.10): which authority excludes which name of what stands below it.

DNS names and IP addresses are judged by the verifier of ``cryptography``; by hand what it does not know: names of
subjects, e-mail addresses and URIs, wildcards and names that no host has, and constraints on DNS names that are empty
or begin with a dot.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate, stand_ins

# Where it is missing, ``certificate.require_cryptography`` has said so before anything here is called.
with contextlib.suppress(ImportError):
    from cryptography import x509

_CONSTRAINTS = "2.5.29.30"
_NAMES = "2.5.29.17"

# Pairs of a name and a constraint: far more than a chain has, and compared in a moment.
_MAX_COMPARED = 50_000
_HOST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")
# Those that the verifier knows.
_LABEL = "(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_PLAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")

_Names = list[t.Any]


def fault(leaf: x509.Certificate | None, authorities: t.Sequence[x509.Certificate]) -> str | None:
    """Which name which authority excludes, as sentences; None where no name is excluded.

    :raises ChainError: where that cannot be checked, or would take too long.
    """
    compared = 0
    for number, authority in enumerate(authorities):
        value = certificate.extension(authority, _CONSTRAINTS)
        if value is None:
            continue
        limits = certificate.read_extension(authority, _CONSTRAINTS, value)
        # What an authority certifies of itself is not bound by its own constraints, but for the end of the chain.
        below = [cert for cert in authorities[:number] if not certificate.is_self_issued(cert)]
        for cert in (*((leaf,) if leaf is not None else ()), *below):
            names = _names_of(cert)
            compared += len(names) * (len(limits.permitted_subtrees or ()) + len(limits.excluded_subtrees or ()))
            if compared > _MAX_COMPARED:
                raise ChainError(
                    f"The chain of {certificate.name(authority)} has more names and name constraints than any chain "
                    "needs, so they were not checked and nothing of it is installed."
                )
            name = _first_excluded(names, limits, authority)
            if name is not None:
                return (
                    f"The name constraints of {certificate.name(authority)} exclude {excerpt(_shown(name), 200)} "
                    f"of {certificate.name(cert)}, so clients refuse the chain (RFC 5280, section 4.2.1.10). Ask "
                    "for a certificate from an authority that may issue for that name."
                )
    return None


def _names_of(cert: x509.Certificate) -> _Names:
    subject = certificate.subject_name(cert)
    names: _Names = [x509.DirectoryName(subject)] if list(subject) else []
    value = certificate.extension(cert, _NAMES)
    alternative = [] if value is None else list(certificate.read_extension(cert, _NAMES, value))
    if not any(isinstance(name, x509.RFC822Name) for name in alternative):
        # RFC 5280, section 4.2.1.10: where e-mail addresses stand in the subject, as they did once.
        for part in subject.get_attributes_for_oid(x509.NameOID.EMAIL_ADDRESS):
            if str(part.value).isascii() and part.value:
                names.append(x509.RFC822Name(str(part.value)))
    return names + alternative


def _first_excluded(names: _Names, limits: x509.NameConstraints, authority: x509.Certificate) -> t.Any:
    """The first name that is excluded, those first that are judged by hand; None where there is none."""
    permitted, excluded = list(limits.permitted_subtrees or ()), list(limits.excluded_subtrees or ())
    hosts = [limit.value for limit in (*permitted, *excluded) if isinstance(limit, x509.DNSName)]
    for limit in hosts:
        # Empty, it is one on all names.
        if limit and not _HOST.match(limit[limit.startswith(".") :]):
            raise ChainError(
                f"The name constraint {excerpt(limit, 80)} of {certificate.name(authority)} cannot be checked: it is "
                "no name of a domain. The chain is not installed unchecked; ask who issued that certificate."
            )
    known = (x509.IPAddress, x509.DNSName) if all(map(_PLAIN.match, hosts)) else (x509.IPAddress,)
    asked = []
    for name in names:
        kind = type(name)
        allowed, forbidden = ([limit for limit in side if isinstance(limit, kind)] for side in (permitted, excluded))
        if not allowed and not forbidden:
            continue
        if isinstance(name, known) and (kind is x509.IPAddress or _PLAIN.match(str(name.value))):
            asked.append(name)
        elif _excluded_by_hand(name, allowed, forbidden, authority):
            return name
    if not asked:
        return None
    judged = [[limit for limit in side if isinstance(limit, known)] or None for side in (permitted, excluded)]
    return _first_refused(asked, x509.NameConstraints(*judged))


def _first_refused(names: _Names, limits: x509.NameConstraints) -> t.Any:
    """The first name that the verifier refuses."""

    def is_taken(some: _Names) -> bool:
        return stand_ins.verifies([stand_ins.StandIn(names=tuple(some)), stand_ins.StandIn(constraints=limits)])

    if is_taken(names):
        return None
    # All at once, then half by half: a question for each of thousands of names would take a minute.
    while len(names) > 1:
        half = names[: len(names) // 2]
        names = names[len(half) :] if is_taken(half) else half
    return names[0]


def _excluded_by_hand(name: t.Any, permitted: _Names, excluded: _Names, authority: x509.Certificate) -> bool:
    if isinstance(name, x509.UniformResourceIdentifier) and not _host_of(name):
        # RFC 5280 has such a one refused wherever there is a constraint on URIs.
        return True
    matches = _matches_of(type(name))
    if matches is None:
        raise ChainError(
            f"The name constraints of {certificate.name(authority)} on names of the kind {type(name).__name__} cannot "
            "be checked. That does not make the chain false, yet it is not installed unchecked. Have the certificate "
            "issued without a name of that kind."
        )
    return any(matches(name, limit) for limit in excluded) or (
        bool(permitted) and not any(matches(name, limit) for limit in permitted)
    )


def _in_directory(name: x509.DirectoryName, limit: x509.DirectoryName) -> bool:
    below, above = _parts(name.value), _parts(limit.value)
    return below[: len(above)] == above


def _parts(name: x509.Name) -> list[frozenset[tuple[str, str]]]:
    """Compared as RFC 5280, section 7.1, has it: letters of either case, runs of blanks as one."""
    return [
        frozenset((part.oid.dotted_string, " ".join(_text(part.value).split()).casefold()) for part in relative)
        for relative in name.rdns
    ]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _is_mailbox(name: x509.RFC822Name, limit: x509.RFC822Name) -> bool:
    local, _at, host = name.value.rpartition("@")
    if "@" in limit.value:
        wanted_local, _at, wanted_host = limit.value.rpartition("@")
        return local == wanted_local and host.lower() == wanted_host.lower()
    return _is_host(host, limit.value)


def _is_at_host(name: x509.UniformResourceIdentifier, limit: x509.UniformResourceIdentifier) -> bool:
    return _is_host(t.cast("str", _host_of(name)), limit.value)


def _host_of(name: x509.UniformResourceIdentifier) -> str | None:
    try:
        return urllib.parse.urlsplit(name.value).hostname
    except ValueError:
        return None


def _is_below(name: x509.DNSName, limit: x509.DNSName) -> bool:
    """As the verifier has it; behind a dot, which RFC 5280 does not have here, only what is below, as clients do."""
    return _is_host(name.value, limit.value) or name.value.lower().endswith(f".{limit.value}".lower())


def _is_host(host: str, limit: str) -> bool:
    host, limit = host.lower(), limit.lower()
    if limit.startswith("."):
        return host.endswith(limit)
    return not limit or host == limit


def _matches_of(kind: type) -> t.Callable[[t.Any, t.Any], bool] | None:
    kinds: dict[type, t.Callable[[t.Any, t.Any], bool]] = {
        x509.DirectoryName: _in_directory,
        x509.DNSName: _is_below,
        x509.RFC822Name: _is_mailbox,
        x509.UniformResourceIdentifier: _is_at_host,
    }
    return kinds.get(kind)


def _shown(name: t.Any) -> str:
    if isinstance(name, x509.DirectoryName):
        return f"the subject {name.value.rfc4514_string()}"
    return str(getattr(name, "value", name))
