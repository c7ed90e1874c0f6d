# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From certificates in any order to the one chain that they are: its beginning, who issued whom, what belongs.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate, rules
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso

if t.TYPE_CHECKING:
    from cryptography import x509

# Authorities that certify each other have more ways to a root than anyone can walk; real chains have a handful.
_MAX_WAYS = 2000


@dataclasses.dataclass(frozen=True)
class ChainPath:
    """Certificates from the end of a chain upwards, each issued by the next.

    ``complete`` where the last one is a root; ``fault`` says why a certificate that bears the name of the last one's
    issuer does not follow it; ``shortened`` where its issuer came, and was left out for having expired.
    """

    steps: tuple[x509.Certificate, ...]
    complete: bool = False
    fault: str | None = None
    shortened: bool = False


# Ways that are looked at for one that breaks no rule; each costs a few signatures.
_MAX_TRIED = 16


def best_path(
    pool: list[x509.Certificate],
    now: datetime.datetime,
    *,
    has_leaf: bool,
    has_issuers: bool,
    for_server: bool = False,
) -> ChainPath:
    """The chain from its end upwards, with the root where it is there.

    Where several chains are there (an authority may be certified by itself and by others), one whose authorities are
    valid is taken first, then one that reaches a root, then the longest, which most clients can follow; of these the
    first that breaks none of the rules that clients have. A cross-signed top that expired is left out, where there is
    no other way.

    :arg has_leaf: whether it begins with the end-entity certificate.
    :arg has_issuers: whether the end-entity certificate alone is too little.
    :arg for_server: whether its purpose is to be that of a server.
    :raises ChainError: where it is not one chain, a signature does not verify or cannot be checked, a part that is
        needed cannot be read, an authority is not valid now, or a rule is broken.
    """
    search = _Search(pool)
    ends = [_leaf(pool)] if has_leaf else _lowest_authorities(pool)
    paths = [path for end in ends for path in search.paths((end,))]
    begin = 1 if has_leaf else 0
    roots = {certificate.identity(cert) for cert in pool if certificate.is_self_issued(cert)}
    paths += [shorter for path in paths for shorter in _without_expired_top(path, roots, begin, now)]

    def rank(path: ChainPath) -> tuple[bool, bool, bool, int]:
        return (path.fault is None, not _invalid(path.steps[begin:], now), path.complete, len(path.steps))

    ranked = sorted(paths, key=rank, reverse=True)
    best = ranked[0]
    linked = {cert for path in paths for cert in path.steps}
    strangers = [cert for cert in pool if cert not in linked]
    _check(best, strangers, alone_is_too_little=has_issuers and len(pool) == 1)
    for authority in _invalid(best.steps[begin:], now):
        raise ChainError(_reason(authority, now))
    refusal = _refusal(best, has_leaf, for_server)
    for path in ranked[1:_MAX_TRIED] if refusal else ():
        # Only what is no worse in all else: linked without a fault, and of authorities that are valid.
        equal = rank(path)[:2] == rank(best)[:2] and (path.complete or path.shortened or not strangers)
        if equal and _refusal(path, has_leaf, for_server) is None:
            return path
    if refusal is not None:
        raise ChainError(refusal)
    return best


def _refusal(path: ChainPath, has_leaf: bool, for_server: bool) -> str | None:
    """The rule that a chain breaks, or cannot be checked for, as sentences; None where there is none."""
    try:
        broken = rules.fault(path.steps, has_leaf=has_leaf)
        if broken is None and for_server:
            broken = rules.server_fault(path.steps, has_leaf=has_leaf)
    except ChainError as unchecked:
        return str(unchecked)
    return broken


def _without_expired_top(
    path: ChainPath, roots: set[tuple[bytes, bytes]], begin: int, now: datetime.datetime
) -> t.Iterator[ChainPath]:
    """The path that ends below those authorities at its top that all expired, the lowest of them no root.

    No authority issues what outlives its own certificate. So one that expired before what it issued has another one, as
    a root in the trust stores of clients, and what came was made for clients that did not know that root yet. Old ones
    even stumble over it, so it is not kept.

    :arg roots: the identities of those that came; where that root did, it is judged.
    :arg begin: how many certificates stand below all authorities; at least one more has to be left.
    """
    end = len(path.steps)
    while end > begin and certificate.validity(path.steps[end - 1])[1] < now:
        end -= 1
    if path.fault is None and begin < end < len(path.steps) and certificate.identity(path.steps[end]) not in roots:
        yield ChainPath(path.steps[:end], shortened=True)


def _leaf(pool: list[x509.Certificate]) -> x509.Certificate:
    leaves = [cert for cert in _issued_none(pool) if not certificate.is_authority(cert)]
    if len(leaves) > 1:
        raise ChainError(
            f"{len(leaves)} end-entity certificates came, where one is expected: {certificate.told_apart(leaves)}."
        )
    placeholder = (leaves or pool)[0] if leaves or len(pool) == 1 else None
    if placeholder is not None and certificate.is_self_signed(placeholder):
        raise ChainError(
            f"The certificate {certificate.told_apart([placeholder])} is self-signed: a placeholder, or a root, "
            "which no client trusts from a server. Give the certificate that an authority issued, and its chain."
        )
    if leaves:
        return leaves[0]
    raise ChainError(
        f"No end-entity certificate came, only those of certificate authorities: {certificate.names(pool)}."
    )


def _lowest_authorities(pool: list[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates of the one authority that would issue the end-entity certificate.

    That may be a root alone: it is no answer to an order, but where the chain alone is asked for, it is the whole chain
    of a certificate that a root issued itself.
    """
    others = [cert for cert in pool if not certificate.is_authority(cert)]
    if others:
        raise ChainError(
            f"Only certificates of authorities were asked for, and others came: {certificate.told_apart(others)}."
        )
    unused = _issued_none(pool)
    # A root from which nothing hangs counts only where there is nothing else.
    ends = [cert for cert in unused if not certificate.is_self_signed(cert)] or unused
    authorities = {certificate.identity(cert) for cert in ends}
    if len(authorities) == 1:
        return ends
    raise ChainError(f"The certificates that came are not one chain: {certificate.names(pool)}.")


def _issued_none(pool: list[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates that no other one names as its issuer."""
    return [cert for cert in pool if not any(_names_as_issuer(other, cert) for other in pool if other is not cert)]


def _names_as_issuer(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer(cert) != certificate.subject(issuer):
        return False
    if not certificate.is_self_issued(cert):
        return True
    # A root needs no other. Of certificates that share one name, a root and its successor, the signature tells which
    # issued which.
    return not certificate.is_self_signed(cert) and certificate.is_issued_by(cert, issuer)


class _Search:
    """All ways upwards through a pool of certificates; each signature is verified once."""

    def __init__(self, pool: list[x509.Certificate]) -> None:
        self._identities = {cert: certificate.identity(cert) for cert in pool}
        self._named: dict[bytes, list[x509.Certificate]] = {}
        for cert in pool:
            self._named.setdefault(certificate.subject(cert), []).append(cert)
        self._issuers: dict[x509.Certificate, list[x509.Certificate]] = {}
        self._faults: dict[x509.Certificate, str | None] = {}
        self._ways = 0

    def paths(self, steps: tuple[x509.Certificate, ...]) -> t.Iterator[ChainPath]:
        """The paths that begin with these steps."""
        self._ways += 1
        if self._ways > _MAX_WAYS:
            raise ChainError(
                "The certificate authorities that came certify each other in too many ways to be one chain."
            )
        last = steps[-1]
        issuers = self._issuers_of(last)
        if last in issuers:
            yield ChainPath(steps, complete=True)
            return
        walked = {self._identities[step] for step in steps}
        onwards = [cert for cert in issuers if self._identities[cert] not in walked]
        for issuer in onwards:
            yield from self.paths((*steps, issuer))
        if not onwards:
            yield ChainPath(steps, fault=None if issuers else self._faults[last])

    def _issuers_of(self, cert: x509.Certificate) -> list[x509.Certificate]:
        if cert not in self._issuers:
            self._issuers[cert], self._faults[cert] = self._looked_up(cert)
        return self._issuers[cert]

    def _looked_up(self, cert: x509.Certificate) -> tuple[list[x509.Certificate], str | None]:
        """Who issued a certificate; and what speaks against those that only bear its issuer's name.

        Where one of these could not be checked, no other is called a forger.
        """
        issuers, unchecked, forged = [], [], []
        for other in self._named.get(certificate.issuer(cert), []):
            try:
                if other is not cert and not certificate.is_authority(other):
                    continue
                verdict = certificate.signature(cert, other)
            except ChainError as unread:
                unchecked.append(str(unread))
                continue
            if verdict.valid:
                issuers.append(other)
            elif verdict.unchecked is not None:
                unchecked.append(_unchecked(cert, other, verdict.unchecked))
            else:
                forged.append(
                    f"The signature of {certificate.name(cert)} does not verify with the key of its issuer "
                    f"{certificate.name(other)}: the chain is damaged or forged."
                )
        return issuers, next(iter(unchecked + forged), None)


def _unchecked(cert: x509.Certificate, issuer: x509.Certificate, reason: str) -> str:
    return (
        f"The signature of {certificate.name(cert)} cannot be checked with the key of its issuer "
        f"{certificate.name(issuer)}: {reason}. That does not make the chain false, yet it is not installed unchecked. "
        "Have the certificate issued with another algorithm, or update cryptography."
    )


def _check(path: ChainPath, strangers: list[x509.Certificate], *, alone_is_too_little: bool) -> None:
    last = path.steps[-1]
    if path.fault is not None:
        raise ChainError(path.fault)
    if not (path.complete or path.shortened) and (strangers or alone_is_too_little):
        sent = f"sent instead: {certificate.names(strangers)}" if strangers else "nothing else came"
        # What bears that name, and neither is the issuer nor is called a forger, may not issue.
        named = any(certificate.subject(cert) == certificate.issuer(last) for cert in strangers)
        raise ChainError(
            f"The chain does not link up: {certificate.name(last)} was issued by {certificate.issuer_name(last)}, "
            f"which {'came and is no certificate authority' if named else 'did not come'}; {sent}."
        )


def _invalid(authorities: t.Iterable[x509.Certificate], now: datetime.datetime) -> list[x509.Certificate]:
    return [cert for cert in authorities if not _is_valid(cert, now)]


def _is_valid(cert: x509.Certificate, now: datetime.datetime) -> bool:
    begin, end = certificate.validity(cert)
    return begin <= now <= end


def _reason(authority: x509.Certificate, now: datetime.datetime) -> str:
    name = certificate.name(authority)
    begin, end = certificate.validity(authority)
    if begin > now:
        return f"The certificate authority {name} of the chain is not valid before {iso(begin)}."
    return f"The certificate authority {name} of the chain expired at {iso(end)}."
