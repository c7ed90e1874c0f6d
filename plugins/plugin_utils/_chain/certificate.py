# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate: reading it, what it says, and whether another one issued it.

The one place that asks ``cryptography`` about certificates. Any function here may raise one of ``UNREADABLE`` for a
certificate whose parts cannot be read. This plugin util is private to the collection. It can have breaking changes at
any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour, fingerprint
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import ISO_FORMAT

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError as exc:
    CRYPTOGRAPHY_IMPORT_ERROR: ImportError | None = exc
    UNREADABLE: tuple[type[Exception], ...] = ()
else:
    CRYPTOGRAPHY_IMPORT_ERROR = None
    UNREADABLE = (
        ValueError,
        TypeError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    )
    _SHOWN_NAMES = (
        ("DNS", x509.DNSName),
        ("IP", x509.IPAddress),
        ("email", x509.RFC822Name),
        ("URI", x509.UniformResourceIdentifier),
    )

# Roots signed with these are in trust stores and chains for years to come, and libraries stop to check such signatures.
# For a root that is no loss: it is trusted for standing in a trust store, not for having signed itself.
_RETIRED_SIGNATURES = (
    "1.2.840.113549.1.1.2",  # md2WithRSAEncryption
    "1.2.840.113549.1.1.4",  # md5WithRSAEncryption
    "1.2.840.113549.1.1.5",  # sha1WithRSAEncryption
    "1.2.840.10045.4.1",  # ecdsa-with-SHA1
)

_NAME_SIZE = 200


def require_cryptography() -> None:
    """Raises ``CollectError`` with what to do where the library is missing."""
    if CRYPTOGRAPHY_IMPORT_ERROR is not None:
        raise CollectError(
            "The Python library cryptography (42 or newer) is needed on the controller, in the Python that runs "
            f"Ansible: {CRYPTOGRAPHY_IMPORT_ERROR}"
        ) from CRYPTOGRAPHY_IMPORT_ERROR


def load(der: bytes) -> x509.Certificate:
    """The certificate in DER."""
    return x509.load_der_x509_certificate(der)


def is_issued_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the signature of a certificate verifies with the key of another one that bears its issuer's name."""
    try:
        cert.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return cert is issuer and cert.signature_algorithm_oid.dotted_string in _RETIRED_SIGNATURES
    return True


def is_self_issued(cert: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as roots do, and old keys that certify new ones."""
    return cert.subject.public_bytes() == cert.issuer.public_bytes()


def is_self_signed(cert: x509.Certificate) -> bool:
    """Whether a certificate issued itself, as roots did."""
    return is_self_issued(cert) and is_issued_by(cert, cert)


def is_authority(cert: x509.Certificate) -> bool:
    """Whether a certificate may issue others."""
    try:
        return bool(cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        # Roots older than the extension: version 1, self-signed.
        return cert.version is x509.Version.v1 and is_self_issued(cert)


def identity(cert: x509.Certificate) -> tuple[bytes, bytes]:
    """Name and key. Certificates that share both are one authority, certified more than once."""
    key = cert.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return (cert.subject.public_bytes(), key)


def pem(cert: x509.Certificate) -> str:
    """One PEM block."""
    return armour(cert.public_bytes(serialization.Encoding.DER))


def name(cert: x509.Certificate) -> str:
    """A certificate as sentences name it."""
    return excerpt(cert.subject.rfc4514_string(), _NAME_SIZE) or f"(no subject, serial number {cert.serial_number})"


def issuer_name(cert: x509.Certificate) -> str:
    """The issuer of a certificate as sentences name it."""
    return excerpt(cert.issuer.rfc4514_string(), _NAME_SIZE) or "(no name)"


def names(certs: t.Iterable[x509.Certificate]) -> str:
    """Several certificates as sentences name them."""
    return "; ".join(name(cert) for cert in certs)


def facts(leaf: x509.Certificate, intermediates: t.Iterable[x509.Certificate]) -> dict[str, t.Any]:
    """What users see of an end-entity certificate, less what depends on the time, and its ``common_name``."""
    common_names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return {
        "subject": leaf.subject.rfc4514_string(),
        "common_name": str(common_names[-1].value) if common_names else None,
        "issuer": leaf.issuer.rfc4514_string(),
        "serial_number": str(leaf.serial_number),
        "subject_alt_names": _subject_alt_names(leaf),
        "not_before": leaf.not_valid_before_utc.strftime(ISO_FORMAT),
        "not_after": leaf.not_valid_after_utc.strftime(ISO_FORMAT),
        "fingerprint_sha256": fingerprint(leaf.public_bytes(serialization.Encoding.DER)),
        "chain": [name(cert) for cert in intermediates],
    }


def _subject_alt_names(cert: x509.Certificate) -> list[str]:
    try:
        given = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [f"{prefix}:{entry.value}" for entry in given for prefix, kind in _SHOWN_NAMES if isinstance(entry, kind)]
