# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients ask of a chain beyond its signatures (RFC 5280, section 6), and which certificate breaks which rule.

The verifier of ``cryptography`` judges, by way of ``stand_ins``; where it says no, it is asked rule by rule and from
below, which names the certificate. By hand is done what it does not know: extensions that other clients know, the
usage of a server's key, and constraints on names other than DNS and IP (``constraints``).
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import (
    certificate,
    constraints,
    stand_ins,
)

if t.TYPE_CHECKING:
    from cryptography import x509

_KEY_USAGE = "2.5.29.15"
_PURPOSES = "2.5.29.37"

# Extensions that clients process, or may pass over: key identifiers, usages, names, constraints, policies, revocation,
# addresses of RFC 3779, and what Netscape had.
_KNOWN = frozenset(
    (
        *(f"2.5.29.{number}" for number in (14, 15, 17, 19, 30, 31, 32, 33, 35, 36, 37, 54)),
        *("1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8", "1.3.6.1.5.5.7.48.1.5"),
        "2.16.840.1.113730.1.1",
    )
)
_UNTOUCHED = "Ask the provider for the certificate anew, with a chain that clients accept."


def fault(steps: t.Sequence[x509.Certificate], *, has_leaf: bool) -> str | None:
    """The first rule that a chain breaks, whatever it is for, as sentences; None where it breaks none.

    :arg steps: each issued by the next, the end-entity certificate, where there is one, first.
    :raises ChainError: where a rule cannot be checked.
    """
    return _Chain(steps, has_leaf).fault()


def server_fault(steps: t.Sequence[x509.Certificate], *, has_leaf: bool) -> str | None:
    """Why a chain that breaks no other rule is not for a server, as sentences; None where it is.

    :raises ChainError: where that cannot be checked.
    """
    return _Chain(steps, has_leaf).server_fault()


class _Chain:
    def __init__(self, steps: t.Sequence[x509.Certificate], has_leaf: bool) -> None:
        self._leaf = steps[0] if has_leaf else None
        self._authorities = list(steps[1:] if has_leaf else steps)

    def fault(self) -> str | None:
        leaf = self._stand_in_of_leaf(self._leaf)
        below = [leaf, *(self._limits(number) for number in range(len(self._authorities)))]
        broken = None
        if not stand_ins.verifies(below):
            broken = self._unknown_critical() or self._unsigning() or self._too_long()
            if broken is None:
                raise ChainError(
                    f"cryptography refuses the chain of {certificate.name(self._leaf or self._authorities[0])} for a "
                    "reason that is not known here, so it is not installed unchecked."
                )
        return broken or constraints.fault(self._leaf, self._authorities)

    def server_fault(self) -> str | None:
        if self._leaf is not None and not certificate.has_alternative_names(self._leaf):
            return (
                f"The certificate {certificate.name(self._leaf)} covers no name at all: it has no subject alternative "
                "name, the only place where clients look for the name of a server (RFC 9525, section 2); the one in "
                "its subject does not count. Order it anew with its names as subject alternative names."
            )
        if self._leaf is not None and not _may_serve(self._leaf):
            return (
                f"The certificate {certificate.name(self._leaf)} is for other purposes than servers: its key usage "
                "has none of digitalSignature, keyEncipherment and keyAgreement (RFC 5280, section 4.2.1.3). Order a "
                "certificate for servers."
            )
        everything = [self._purposes(cert) for cert in (self._leaf, *self._authorities)]
        for number, cert in enumerate((self._leaf, *self._authorities)):
            # From below, so that the first one that does not go together with what stands there is the one to name.
            if cert is None or stand_ins.verifies(everything[: number + 1]):
                continue
            whose = "The certificate" if number == 0 else "The certificate authority"
            order = "Order a certificate for servers." if number == 0 else _UNTOUCHED
            return (
                f"{whose} {certificate.name(cert)} is for other purposes than servers: its extended key usage is "
                f"without serverAuth (RFC 5280, section 4.2.1.12). {order}"
            )
        return None

    # --- what stands in ---------------------------------------------------------------------------------------------

    @staticmethod
    def _stand_in_of_leaf(leaf: x509.Certificate | None) -> stand_ins.StandIn:
        return stand_ins.StandIn() if leaf is None else stand_ins.StandIn(_unknown(leaf))

    def _limits(self, number: int) -> stand_ins.StandIn:
        authority = self._authorities[number]
        return stand_ins.StandIn((*_unknown(authority), *_usage(authority)), self._path_length(number))

    def _path_length(self, number: int) -> int | None:
        """How many authorities may stand below one, counted with those that the rule does not count."""
        limit = certificate.path_length(self._authorities[number])
        if limit is None:
            return None
        uncounted = sum(certificate.is_self_issued(cert) for cert in self._authorities[:number])
        # No more stand there, and not every number fits into the library.
        return min(limit, len(self._authorities)) + uncounted

    @staticmethod
    def _purposes(cert: x509.Certificate | None) -> stand_ins.StandIn:
        value = None if cert is None else certificate.extension(cert, _PURPOSES)
        return stand_ins.StandIn(() if value is None else ((_PURPOSES, value),))

    # --- which certificate breaks which rule ------------------------------------------------------------------------

    def _unknown_critical(self) -> str | None:
        for cert in (*((self._leaf,) if self._leaf is not None else ()), *self._authorities):
            unknown = [dotted for dotted, _value in _unknown(cert)]
            if unknown:
                return (
                    f"The certificate {certificate.name(cert)} has the critical extension {listed(unknown)}, which "
                    f"clients do not know, and so they have to refuse it (RFC 5280, section 4.2). {_UNTOUCHED}"
                )
        return None

    def _unsigning(self) -> str | None:
        for cert in self._authorities:
            if not stand_ins.verifies([stand_ins.StandIn(), stand_ins.StandIn(_usage(cert))]):
                return (
                    f"The certificate authority {certificate.name(cert)} of the chain may not sign certificates: its "
                    f"key usage is without keyCertSign (RFC 5280, section 4.2.1.3). {_UNTOUCHED}"
                )
        return None

    def _too_long(self) -> str | None:
        for number, cert in enumerate(self._authorities):
            lengths = [stand_ins.StandIn()] * (number + 1)
            if not stand_ins.verifies([*lengths, stand_ins.StandIn((), self._path_length(number))]):
                return (
                    f"The path length of {certificate.name(cert)} is exceeded: it allows "
                    f"{certificate.path_length(cert)} certificate authorities below itself, and more stand there (RFC "
                    f"5280, section 4.2.1.9). {_UNTOUCHED}"
                )
        return None


def _unknown(cert: x509.Certificate) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        (dotted, value) for dotted, value in certificate.critical_extensions(cert).items() if dotted not in _KNOWN
    )


def _may_serve(leaf: x509.Certificate) -> bool:
    """Whether the key may do what TLS needs of it; the verifier of ``cryptography`` does not ask."""
    value = certificate.extension(leaf, _KEY_USAGE)
    if value is None:
        return True
    usage = certificate.read_extension(leaf, _KEY_USAGE, value)
    return bool(usage.digital_signature or usage.key_encipherment or usage.key_agreement)


def _usage(authority: x509.Certificate) -> tuple[tuple[str, bytes], ...]:
    value = certificate.extension(authority, _KEY_USAGE)
    return () if value is None else ((_KEY_USAGE, value),)
