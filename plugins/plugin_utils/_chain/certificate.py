# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate: reading it, what it says, and whether another one issued it.

The one place that asks ``cryptography`` about certificates. Any function here may raise ``ChainError``, with the name
of the certificate, for a part of it that cannot be read.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import typing as t
import warnings

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour, fingerprint, tlsa
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed, printable
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import der, stand_ins
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import iso

try:
    import cryptography
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
except ImportError as exc:
    _IMPORT_ERROR: ImportError | None = exc
    _VERSION = None
else:
    _IMPORT_ERROR = None
    _VERSION = cryptography.__version__

#: What the library raises for something that it cannot read, or does not know. Which exceptions these are differs from
#: version to version (a type of string that those before 50 have no name for is a KeyError), so no list is right.
UNREADABLE = Exception

# Which keys make which signatures, by how their object identifiers begin.
_SIGNED_BY = (
    ("1.2.840.113549.1.1.", "RSA"),
    ("2.16.840.1.101.3.4.3.13", "RSA"),
    ("2.16.840.1.101.3.4.3.14", "RSA"),
    ("2.16.840.1.101.3.4.3.15", "RSA"),
    ("2.16.840.1.101.3.4.3.16", "RSA"),
    ("1.2.840.10045.4.", "EC"),
    ("2.16.840.1.101.3.4.3.9", "EC"),
    ("2.16.840.1.101.3.4.3.10", "EC"),
    ("2.16.840.1.101.3.4.3.11", "EC"),
    ("2.16.840.1.101.3.4.3.12", "EC"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
)
_KEYS = (
    ("1.2.840.113549.1.1.", "RSA"),
    ("1.2.840.10045.2.1", "EC"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
)
# Those that people have a name for, where the library has none.
_ALGORITHMS = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.156.10197.1.501": "SM2 with SM3",
    "1.2.643.7.1.1.3.2": "GOST R 34.10-2012",
    "1.2.643.7.1.1.3.3": "GOST R 34.10-2012",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

_NAME_SIZE = 200
_LIST_SIZE = 600


class Verdict(t.NamedTuple):
    """What came of checking a signature; ``unchecked`` says, as the end of a sentence, why it could not be checked."""

    valid: bool
    unchecked: str | None = None


def require_cryptography() -> None:
    """Raises ``CollectError`` with what to do where the library is missing, or too old."""
    _library.require("cryptography", _library.OLDEST["cryptography"], _VERSION, _IMPORT_ERROR)


def load(data: bytes) -> x509.Certificate:
    """The certificate in DER."""
    with warnings.catch_warnings():
        # The library has opinions on serial numbers and names, which users can do nothing about.
        warnings.simplefilter("ignore")
        try:
            return x509.load_der_x509_certificate(data)
        except UNREADABLE as exc:
            raise ChainError(
                f"{_unread_name(data)} cannot be read by cryptography {_VERSION}: {_why(exc)}. Is it damaged? If it is "
                "not, a newer cryptography may read it."
            ) from exc


def _unread_name(data: bytes) -> str:
    try:
        common_name, serial_number = der.subject_and_serial(data)
    except ValueError:
        return f"A certificate of {len(data)} bytes"
    return f"The certificate {excerpt(printable(f'CN={common_name}'), _NAME_SIZE)} (serial number {serial_number})"


def _why(exc: Exception) -> str:
    return excerpt(str(exc)).rstrip(". ") or type(exc).__name__


@contextlib.contextmanager
def _reading(cert: x509.Certificate, part: str) -> t.Iterator[None]:
    """Whatever of one part cannot be read is said of that part, and of that certificate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ChainError:
            raise
        except UNREADABLE as exc:
            raise ChainError(
                f"{part} of the certificate {name(cert)} cannot be read: {_why(exc)}. Without it the chain cannot be "
                "checked; ask who issued that certificate."
            ) from exc


def _fields(cert: x509.Certificate) -> der.Fields:
    # What the library loaded has these.
    return der.fields(cert.tbs_certificate_bytes)


def signature(cert: x509.Certificate, issuer: x509.Certificate) -> Verdict:
    """Whether the signature of a certificate verifies with the key of another one that bears its issuer's name."""
    try:
        cert.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return Verdict(valid=False)
    except UNREADABLE as exc:
        if _is_false(cert, issuer):
            return Verdict(valid=False)
        # Roots signed as nobody signs any more stand above chains for years to come, and libraries stop to check such
        # signatures. For a root that is no loss: it is trusted for standing in a trust store, not for having signed
        # itself.
        return Verdict(valid=cert is issuer, unchecked=_unsupported(cert, exc))
    # TLS clients refuse a signature that does not end with an octet, and the library does not look.
    return Verdict(valid=_outer(cert)[2].content[:1] == b"\x00")


def _is_false(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a signature that the library does not check cannot be right, whatever it supports."""
    signed_with = _fields(cert).signature_algorithm
    if signed_with != _outer(cert)[1].whole:
        return True
    made_by = _kind(der.algorithm_identifier(signed_with), _SIGNED_BY)
    key = _kind(der.algorithm_identifier(_fields(issuer).public_key), _KEYS)
    return made_by is not None and key is not None and made_by != key


def _outer(cert: x509.Certificate) -> list[der.Element]:
    """What is signed, the algorithm, and the signature."""
    return der.sequence(cert.public_bytes(serialization.Encoding.DER))


def _kind(identifier: str, kinds: tuple[tuple[str, str], ...]) -> str | None:
    for begin, kind in kinds:
        if identifier == begin or (begin.endswith(".") and identifier.startswith(begin)):
            return kind
    return None


def _unsupported(cert: x509.Certificate, exc: Exception) -> str:
    identifier = der.algorithm_identifier(_fields(cert).signature_algorithm)
    algorithm = f"{_ALGORITHMS[identifier]}, {identifier}" if identifier in _ALGORITHMS else identifier
    return f"cryptography {_VERSION} says: {_why(exc)} (signature algorithm {algorithm})"


def is_issued_by(cert: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate was issued by another one that bears its issuer's name, as far as that can be checked."""
    return signature(cert, issuer).valid


def is_self_issued(cert: x509.Certificate) -> bool:
    """Whether a certificate names itself as its issuer, as roots do, and old keys that certify new ones."""
    fields = _fields(cert)
    return fields.subject == fields.issuer


def is_self_signed(cert: x509.Certificate) -> bool:
    """Whether a certificate issued itself, as roots did."""
    return is_self_issued(cert) and is_issued_by(cert, cert)


def is_authority(cert: x509.Certificate) -> bool:
    """Whether a certificate may issue others."""
    fields = _fields(cert)
    with _reading(cert, "The extension basicConstraints (2.5.29.19)"):
        value = fields.extension(der.BASIC_CONSTRAINTS)
        if value is not None:
            return der.is_ca(value)
    # Roots older than the extension: version 1, self-signed.
    return cert.version is x509.Version.v1 and is_self_issued(cert)


def path_length(cert: x509.Certificate) -> int | None:
    """How many authorities may stand below this one; None for any number."""
    value = extension(cert, "2.5.29.19")
    with _reading(cert, "The extension basicConstraints (2.5.29.19)"):
        return None if value is None else der.path_length(value)


def extension(cert: x509.Certificate, dotted: str) -> bytes | None:
    """The value of an extension in DER, None where there is none."""
    fields = _fields(cert)
    with _reading(cert, f"The extension {dotted}"):
        found = [value for identifier, value in fields.extensions if der.dotted(identifier) == dotted]
        if len(found) > 1:
            raise ValueError("it is there more than once")
        # Read once by the library, so that what is no such extension is not taken for one that forbids.
        if found:
            stand_ins.read(dotted, found[0])
    return found[0] if found else None


def read_extension(cert: x509.Certificate, dotted: str, value: bytes) -> t.Any:
    """The value of an extension as the library has it."""
    with _reading(cert, f"The extension {dotted}"):
        return stand_ins.read(dotted, value)


def critical_extensions(cert: x509.Certificate) -> dict[str, bytes]:
    """The values in DER of extensions that nobody may pass over, by dotted identifier."""
    fields = _fields(cert)
    return {der.dotted(kind): value for kind, value in fields.extensions if kind in fields.critical}


def has_alternative_names(cert: x509.Certificate) -> bool:
    """Whether a certificate has any name outside of its subject."""
    names_read, unread = _alternative_names(cert)
    return bool(names_read or unread)


def subject_name(cert: x509.Certificate) -> x509.Name:
    """The subject with its parts."""
    with _reading(cert, "The subject"):
        return cert.subject


def subject(cert: x509.Certificate) -> bytes:
    """The name of a certificate, to be compared with that of an issuer."""
    return _fields(cert).subject


def issuer(cert: x509.Certificate) -> bytes:
    """The name of who issued a certificate, to be compared with subjects."""
    return _fields(cert).issuer


def identity(cert: x509.Certificate) -> tuple[bytes, bytes]:
    """Name and key. Certificates that share both are one authority, certified more than once."""
    fields = _fields(cert)
    return (fields.subject, fields.public_key)


def serial_number(cert: x509.Certificate) -> int:
    """The serial number, also one that the library has opinions on."""
    return _fields(cert).serial_number


def pem(cert: x509.Certificate) -> str:
    """One PEM block."""
    return armour(cert.public_bytes(serialization.Encoding.DER))


def name(cert: x509.Certificate) -> str:
    """A certificate as sentences name it."""
    return _shown(cert, "subject") or f"(no subject, serial number {serial_number(cert)})"


def issuer_name(cert: x509.Certificate) -> str:
    """The issuer of a certificate as sentences name it."""
    return _shown(cert, "issuer") or "(no name)"


def _shown(cert: x509.Certificate, part: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return excerpt(printable(getattr(cert, part).rfc4514_string()), _NAME_SIZE)
        except UNREADABLE:
            return f"(unreadable {part}, serial number {serial_number(cert)})"


def names(certs: t.Iterable[x509.Certificate]) -> str:
    """Several certificates as sentences name them."""
    return listed((name(cert) for cert in certs), "; ", _LIST_SIZE)


def told_apart(certs: t.Iterable[x509.Certificate]) -> str:
    """Several certificates, perhaps of one name, as sentences tell them from each other."""
    return listed((_with_serial_and_validity(cert) for cert in certs), "; ", _LIST_SIZE)


def _with_serial_and_validity(cert: x509.Certificate) -> str:
    begin, end = map(iso, validity(cert))
    return f"{name(cert)} (serial number {serial_number(cert)}, valid from {begin} to {end})"


def validity(cert: x509.Certificate) -> tuple[datetime.datetime, datetime.datetime]:
    """From when and until when a certificate is valid, in UTC."""
    with _reading(cert, "The validity"):
        return cert.not_valid_before_utc, cert.not_valid_after_utc


def facts(leaf: x509.Certificate, intermediates: t.Iterable[x509.Certificate]) -> dict[str, t.Any]:
    """What users see of an end-entity certificate, less what depends on the time; and what only checks look at.

    The latter are ``common_name`` and ``unread_names``: how many of its alternative names cannot be read.
    """
    with _reading(leaf, "The subject"):
        common_names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        whole_subject = leaf.subject.rfc4514_string()
    with _reading(leaf, "The issuer"):
        whole_issuer = leaf.issuer.rfc4514_string()
    begin, end = validity(leaf)
    # As it stands there: the library has no key of a kind that it does not know.
    public_key_sha256 = hashlib.sha256(_fields(leaf).public_key).hexdigest()
    alternative_names, unread = _alternative_names(leaf)
    return {
        "subject": printable(whole_subject),
        "common_name": printable(str(common_names[-1].value)) if common_names else None,
        "issuer": printable(whole_issuer),
        "serial_number": str(serial_number(leaf)),
        "subject_alt_names": alternative_names,
        "unread_names": unread,
        "server_fault": None,
        "not_before": iso(begin),
        "not_after": iso(end),
        "fingerprint_sha256": fingerprint(leaf.public_bytes(serialization.Encoding.DER)),
        "public_key_sha256": public_key_sha256,
        "tlsa": tlsa(public_key_sha256),
        "chain": [name(cert) for cert in intermediates],
    }


def _alternative_names(cert: x509.Certificate) -> tuple[list[str], int]:
    fields = _fields(cert)
    with _reading(cert, "The extension subjectAltName (2.5.29.17)"):
        value = fields.extension(der.SUBJECT_ALT_NAME)
        found, unread = ([], 0) if value is None else der.general_names(value)
        return [printable(name) for name in found], unread
