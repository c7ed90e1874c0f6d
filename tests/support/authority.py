# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, and certificate authorities of every shape that a chain may have, made in memory.

All tests have theirs from here, but for what the simulator issues: that is written from the specification of the
service, and judged by its own tests.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import ipaddress
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

# Without this and the identifiers of keys, strict TLS clients would not take them.
_SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
NOW = datetime.datetime(2026, 6, 15, 12, 0, 0, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
LONG = (NOW - 1000 * DAY, NOW + 1000 * DAY)
PAST = (NOW - 900 * DAY, NOW - DAY)
FUTURE = (NOW + DAY, NOW + 900 * DAY)
LEAF_VALIDITY = (
    datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc),
    datetime.datetime(2026, 11, 1, 23, 59, 59, tzinfo=datetime.timezone.utc),
)


def new_key(kind: str = "ecdsa") -> t.Any:
    """A private key: ``ecdsa``, ``rsa``, ``rsa-weak`` or ``ed25519``."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "rsa-weak":
        return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - as weak as it is to be
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: t.Any, passphrase: str | None = None) -> str:
    """A private key as PKCS#8 PEM."""
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        protection = serialization.BestAvailableEncryption(passphrase.encode("utf-8"))
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return data.decode("ascii")


def public_pem(key: t.Any) -> str:
    """The public half of a private key, as PEM."""
    data: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return data.decode("ascii")


def distinguished_name(common_name: str | None) -> x509.Name:
    """A name of nothing but a common name."""
    return x509.Name([] if common_name is None else [x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclasses.dataclass(frozen=True)
class Authority:
    """A certificate authority: its name, its key, and one certificate of that name and key."""

    common_name: str
    key: t.Any
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return der_of(self.certificate)

    def certify(
        self,
        common_name: str | None,
        public_key: t.Any,
        validity: tuple[datetime.datetime, datetime.datetime] = LONG,
        *,
        authority: bool = False,
        names: t.Iterable[x509.GeneralName] = (),
        extensions: t.Iterable[x509.ExtensionType] = (),
    ) -> x509.Certificate:
        """A certificate that this authority signs; extensions that are given take the place of the usual ones."""
        return _certificate(
            common_name, public_key, self.common_name, self.key, validity, authority, tuple(names), tuple(extensions)
        )

    def subordinate(
        self,
        common_name: str,
        kind: str = "ecdsa",
        validity: tuple[datetime.datetime, datetime.datetime] = LONG,
        key: t.Any = None,
        extensions: t.Iterable[x509.ExtensionType] = (),
    ) -> Authority:
        """An authority that this one certifies; with a key given, a cross-certificate for whoever has it."""
        key = key or new_key(kind)
        certificate = self.certify(common_name, key.public_key(), validity, authority=True, extensions=extensions)
        return Authority(common_name, key, certificate)

    def leaf(
        self,
        common_name: str | None = "www.example.com",
        validity: tuple[datetime.datetime, datetime.datetime] = LEAF_VALIDITY,
        kind: str = "ecdsa",
        names: t.Iterable[x509.GeneralName] = (x509.DNSName("www.example.com"),),
        extensions: t.Iterable[x509.ExtensionType] = (),
    ) -> bytes:
        """An end-entity certificate in DER."""
        public_key = new_key(kind).public_key()
        return der_of(self.certify(common_name, public_key, validity, names=names, extensions=extensions))


def _certificate(
    common_name: str | None,
    public_key: t.Any,
    issuer_name: str | None,
    issuer_key: t.Any,
    validity: tuple[datetime.datetime, datetime.datetime],
    authority: bool,
    names: tuple[x509.GeneralName, ...],
    extensions: tuple[x509.ExtensionType, ...] = (),
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(common_name))
        .issuer_name(distinguished_name(issuer_name))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )
    usual: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=authority, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ]
    if authority:
        usual.append((_SIGNS, True))
    if names:
        usual.append((x509.SubjectAlternativeName(names), common_name is None))
    given = {extension.oid for extension in extensions}
    kept = [(extension, critical) for extension, critical in usual if extension.oid not in given]
    for extension, critical in [*kept, *((extension, False) for extension in extensions)]:
        builder = builder.add_extension(extension, critical)
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, algorithm)


def root(
    common_name: str = "Root",
    kind: str = "ecdsa",
    validity: tuple[datetime.datetime, datetime.datetime] = LONG,
    key: t.Any = None,
    extensions: t.Iterable[x509.ExtensionType] = (),
) -> Authority:
    """A self-signed authority."""
    key = key or new_key(kind)
    public_key = key.public_key()
    certificate = _certificate(common_name, public_key, common_name, key, validity, True, (), tuple(extensions))
    return Authority(common_name, key, certificate)


def self_signed(
    common_name: str | None,
    key: t.Any,
    validity: tuple[datetime.datetime, datetime.datetime] = LONG,
    names: t.Iterable[x509.GeneralName] = (),
) -> x509.Certificate:
    """An end-entity certificate that nobody but its own key vouches for."""
    return _certificate(common_name, key.public_key(), common_name, key, validity, False, tuple(names))


def general_names(names: t.Iterable[str]) -> list[x509.GeneralName]:
    """Names and IP addresses for a certificate."""
    return [_general_name(name) for name in names]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def from_now(begin: float, end: float) -> tuple[datetime.datetime, datetime.datetime]:
    """The validity from one day to another, counted from this moment."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now + begin * DAY, now + end * DAY


def der_of(certificate: x509.Certificate) -> bytes:
    """A certificate in DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_of(*ders: bytes) -> str:
    """PEM of certificates in DER, by the library and not by the code under test."""
    certificates = (x509.load_der_x509_certificate(der) for der in ders)
    return "".join(cert.public_bytes(serialization.Encoding.PEM).decode("ascii") for cert in certificates)


def ders_of(text: str) -> list[bytes]:
    """DER of certificates in PEM, by the library and not by the code under test."""
    return [der_of(cert) for cert in x509.load_pem_x509_certificates(text.encode("ascii"))] if text else []


class Chain(t.NamedTuple):
    """The parts of an ordinary chain: two authorities under a root, and an end-entity certificate."""

    root: Authority
    upper: Authority
    lower: Authority
    leaf: bytes

    @property
    def served(self) -> tuple[bytes, ...]:
        """Root first and leaf last, as the provider serves them."""
        return (self.root.der, self.upper.der, self.lower.der, self.leaf)

    @property
    def server_order(self) -> tuple[bytes, ...]:
        """Leaf first, without the root."""
        return (self.leaf, self.lower.der, self.upper.der)


@functools.cache
def chain(kind: str = "ecdsa") -> Chain:
    """An ordinary chain with keys of one kind."""
    top = root("Root", kind)
    upper = top.subordinate("Upper CA", kind)
    lower = upper.subordinate("Lower CA", kind)
    names = (x509.DNSName("www.example.com"), x509.IPAddress(ipaddress.ip_address("192.0.2.1")))
    return Chain(top, upper, lower, lower.leaf(kind=kind, names=names))


def unreadable(identifier: str, value: bytes = b"junk") -> x509.UnrecognizedExtension:
    """An extension of a known kind with a value that is none of that kind."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(identifier), value)


def with_unknown_critical_extension(issuer: Authority) -> bytes:
    """An end-entity certificate in DER, valid at this moment, with a critical extension that nobody knows."""
    key, (begin, end) = new_key(), from_now(-1, 90)
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name("www.example.com"))
        .issuer_name(distinguished_name(issuer.common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), False)
        .add_extension(unreadable("1.2.3.4.5", b"\x05\x00"), True)
    )
    return der_of(builder.sign(issuer.key, hashes.SHA256()))


def broken(der: bytes) -> bytes:
    """A certificate that can be read, with a signature that is wrong."""
    return der[:-1] + bytes((der[-1] ^ 1,))
