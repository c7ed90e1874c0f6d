# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an answer carries to an ordered chain whose every signature was verified.

This is the one place that uses ``cryptography``. This plugin util is private to the collection. It can have breaking
changes at any time.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError, CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour, blocks, dearmour
from ansible_collections.certfleet.collectssl.plugins.module_utils._request import QUERY_ALL, QUERY_CHAIN, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._response import CollectResponse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _containers
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._bundle import ISO_FORMAT, Bundle

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
except ImportError as exc:
    CRYPTOGRAPHY_IMPORT_ERROR: ImportError | None = exc
else:
    CRYPTOGRAPHY_IMPORT_ERROR = None

# More than any chain in the world has; the search for a path tries every issuer of every certificate.
_MAX_CERTIFICATES = 32


@dataclasses.dataclass(frozen=True)
class _Path:
    """Certificates from the end of a chain upwards, each issued by the next."""

    steps: tuple[x509.Certificate, ...]
    complete: bool

    def expired(self, now: datetime.datetime) -> list[x509.Certificate]:
        """The certificate authorities on the path whose certificates are not valid any more."""
        return [step for step in self.steps[1:] if step.not_valid_after_utc < now]


def bundle_of_answer(response: CollectResponse, request: CollectRequest, now: datetime.datetime) -> Bundle:
    """The verified chain that an answer carries.

    :arg now: with a time zone; among several chains, one without expired certificates is taken.
    :raises ChainError: where there is none, or it is not one chain.
    """
    ders = list(response.certificates)
    if response.container:
        _require_cryptography()
        ders.extend(_containers.unpack(*response.container))
    if not ders:
        raise ChainError("The provider says that the certificate is issued, and sent none.")
    return _bundle(
        ders, now, has_leaf=request.query_type != QUERY_CHAIN, has_issuers=request.query_type in (QUERY_ALL, QUERY_CHAIN)
    )


def bundle_of_pem(content: str, now: datetime.datetime) -> Bundle:
    """The verified chain of PEM text that a user handed in; a certificate alone is a chain too.

    :raises ChainError: where there is none, or it is not one chain.
    """
    ders = [dearmour(block) for block in blocks(content)]
    if not ders or None in ders:
        raise ChainError("content holds no certificates in PEM form, or a broken one.")
    return _bundle(t.cast("list[bytes]", ders), now, has_leaf=True, has_issuers=len(ders) > 1)


def describe_pem(text: str) -> str:
    """A text in which each PEM certificate gave way to its subject, serial number, validity and fingerprint."""
    for block in blocks(text):
        try:
            facts = _facts(x509.load_der_x509_certificate(dearmour(block) or b""), ())
        except (ValueError, x509.InvalidVersion):
            described = "a certificate that cannot be read\n"
        else:
            described = (
                f"subject: {facts['subject']}\nserial number: {facts['serial_number']}\n"
                f"valid: {facts['not_before']} to {facts['not_after']}\n"
                f"SHA-256 fingerprint: {facts['fingerprint_sha256']}\n"
            )
        text = text.replace(block, described)
    return text


def _require_cryptography() -> None:
    if CRYPTOGRAPHY_IMPORT_ERROR is not None:
        raise CollectError(
            "The Python library cryptography (42 or newer) is needed on the controller, in the Python that runs Ansible: "
            f"{CRYPTOGRAPHY_IMPORT_ERROR}"
        ) from CRYPTOGRAPHY_IMPORT_ERROR


def _bundle(ders: list[bytes], now: datetime.datetime, *, has_leaf: bool, has_issuers: bool) -> Bundle:
    _require_cryptography()
    try:
        pool = _load(ders)
        path = _best_path(pool, now, has_leaf=has_leaf)
        _check_path(path, pool, now, has_issuers=has_issuers)
        steps = list(path.steps)
        leaf = steps.pop(0) if has_leaf else None
        root = steps.pop() if steps and _same_name(steps[-1]) else None
        return Bundle(
            certificate=_pem(leaf) if leaf else None,
            intermediates=tuple(_pem(step) for step in steps),
            root=_pem(root) if root else None,
            facts=_facts(leaf, steps) if leaf else None,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as exc:
        raise ChainError(f"A certificate of the chain cannot be read: {exc}") from exc


def _load(ders: list[bytes]) -> list[x509.Certificate]:
    unique = list(dict.fromkeys(ders))
    if len(unique) > _MAX_CERTIFICATES:
        raise ChainError(f"{len(unique)} certificates came, more than any chain has ({_MAX_CERTIFICATES} are read).")
    return [x509.load_der_x509_certificate(der) for der in unique]


def _best_path(pool: list[x509.Certificate], now: datetime.datetime, *, has_leaf: bool) -> _Path:
    paths = [path for end in _ends(pool, has_leaf=has_leaf) for path in _paths((end,), pool)]
    # A cross-signed authority may be there twice; the longest way to a root is the one that most clients can follow.
    return max(paths, key=lambda path: (not path.expired(now), path.complete, len(path.steps)))


def _ends(pool: list[x509.Certificate], *, has_leaf: bool) -> list[x509.Certificate]:
    """Where a chain may begin: the end-entity certificate, or the authorities that issued none of the others."""
    issuers = {other.issuer.public_bytes() for other in pool if not _same_name(other)}
    ends = [cert for cert in pool if cert.subject.public_bytes() not in issuers]
    if not has_leaf:
        return ends or pool
    leaves = [cert for cert in ends if not _is_authority(cert)]
    if len(leaves) == 1:
        return leaves
    if leaves:
        raise ChainError(f"{len(leaves)} end-entity certificates came, where one is expected: {_names(leaves)}.")
    raise ChainError(f"No end-entity certificate came, only those of certificate authorities: {_names(pool)}.")


def _paths(steps: tuple[x509.Certificate, ...], pool: list[x509.Certificate]) -> t.Iterator[_Path]:
    last = steps[-1]
    named = [cert for cert in pool if cert.subject == last.issuer and (cert is last or _is_authority(cert))]
    issuers = [cert for cert in named if _verifies(last, cert)]
    if named and not issuers:
        raise ChainError(
            f"The signature of {_name(last)} does not verify with the key of its issuer {_name(named[0])}: "
            "the chain is damaged or forged."
        )
    if last in issuers:
        yield _Path(steps, complete=True)
        return
    onwards = [cert for cert in issuers if cert not in steps]
    for issuer in onwards:
        yield from _paths((*steps, issuer), pool)
    if not onwards:
        yield _Path(steps, complete=False)


def _check_path(path: _Path, pool: list[x509.Certificate], now: datetime.datetime, *, has_issuers: bool) -> None:
    last = path.steps[-1]
    others = [cert for cert in pool if cert not in path.steps]
    if not path.complete and (others or (has_issuers and len(pool) == 1)):
        sent = f"sent instead: {_names(others)}" if others else "nothing else came"
        raise ChainError(
            f"The chain does not link up: {_name(last)} was issued by {last.issuer.rfc4514_string()}, which did not come; "
            f"{sent}."
        )
    for expired in path.expired(now):
        raise ChainError(
            f"The certificate authority {_name(expired)} of the chain expired at "
            f"{expired.not_valid_after_utc.strftime(ISO_FORMAT)}."
        )


def _verifies(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _same_name(cert: x509.Certificate) -> bool:
    return cert.subject == cert.issuer


def _is_authority(cert: x509.Certificate) -> bool:
    try:
        return bool(cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        # Roots older than the extension: version 1, self-signed.
        return cert.version is x509.Version.v1 and _same_name(cert)


def _pem(cert: x509.Certificate) -> str:
    return armour(cert.public_bytes(serialization.Encoding.DER))


def _name(cert: x509.Certificate) -> str:
    return cert.subject.rfc4514_string() or f"(no subject, serial number {cert.serial_number})"


def _names(certs: list[x509.Certificate]) -> str:
    return "; ".join(_name(cert) for cert in certs)


def _facts(leaf: x509.Certificate, intermediates: t.Iterable[x509.Certificate]) -> dict[str, t.Any]:
    common_names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return {
        "subject": leaf.subject.rfc4514_string(),
        "common_name": str(common_names[-1].value) if common_names else None,
        "issuer": leaf.issuer.rfc4514_string(),
        "serial_number": str(leaf.serial_number),
        "subject_alt_names": _subject_alt_names(leaf),
        "not_before": leaf.not_valid_before_utc.strftime(ISO_FORMAT),
        "not_after": leaf.not_valid_after_utc.strftime(ISO_FORMAT),
        "fingerprint_sha256": leaf.fingerprint(hashes.SHA256()).hex(":"),
        "chain": [_name(cert) for cert in intermediates],
    }


def _subject_alt_names(cert: x509.Certificate) -> list[str]:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    prefixes = {x509.DNSName: "DNS", x509.IPAddress: "IP", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "URI"}
    return [f"{prefixes[type(name)]}:{name.value}" for name in names if type(name) in prefixes]
