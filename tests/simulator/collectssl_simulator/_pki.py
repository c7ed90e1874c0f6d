# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public key infrastructure behind the service, shaped as those in the world are.

    root (self-signed) --> cross (a second root's key, certified by the first) --> issuing --> end entity
    cross_root         the same subject and key as cross, self-signed: a path builder has two ways to go
    foreign_root       --> foreign_issuing: trusted by nobody here and related to nothing above
    tls_root           signs the certificate that the service itself shows on its port

It lives in a folder, one NAME.pem and NAME.key for each authority, and is taken up again from there.
"""

from __future__ import annotations

import datetime
import ipaddress
import pathlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import _asn1
from ._files import write_atomically

PrivateKey = t.Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey]
PublicKey = t.Union[rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey]
KEY_TYPES = ("rsa", "ecdsa", "ed25519")

#: The kinds of chain an order may be served with: the authorities above the leaf, root first.
CHAINS: t.Mapping[str, tuple[str, ...]] = {
    "full": ("root", "cross", "issuing"),
    "no_root": ("cross", "issuing"),
    "cross_root": ("cross_root", "issuing"),
    "both": ("root", "cross_root", "cross", "issuing"),
    "short": ("root",),
    "foreign": ("foreign_root", "foreign_issuing"),
}


class Authority(t.NamedTuple):
    """A certificate authority: its certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey


class _Plan(t.NamedTuple):
    name: str
    common_name: str
    issuer: str
    key_type: str
    key_of: str | None = None


_PLANS = (
    _Plan("root", "Simulated Legacy Root", "root", "rsa"),
    _Plan("cross", "Simulated Server Root X2", "root", "ecdsa"),
    _Plan("cross_root", "Simulated Server Root X2", "cross_root", "ecdsa", key_of="cross"),
    _Plan("issuing", "Simulated DV Server CA X21", "cross", "ecdsa"),
    _Plan("foreign_root", "Foreign Root", "foreign_root", "ecdsa"),
    _Plan("foreign_issuing", "Foreign Server CA", "foreign_root", "ecdsa"),
    _Plan("tls_root", "Simulated Service Root", "tls_root", "ecdsa"),
)


def generate_key(key_type: str) -> PrivateKey:
    """Return a fresh private key of one of KEY_TYPES (RSA 2048, ECDSA P-256, Ed25519)."""
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if key_type == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    if key_type == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no such key type: {key_type}")


def private_pem(key: PrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def utc_now() -> datetime.datetime:
    """Return the current time, aware, in UTC, without fractions of a second."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def not_before(certificate: x509.Certificate) -> datetime.datetime:
    """Return the start of validity, aware, whatever the version of the library offers."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=datetime.timezone.utc)


def not_after(certificate: x509.Certificate) -> datetime.datetime:
    """Return the end of validity, aware, whatever the version of the library offers."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)


def general_names(names: t.Iterable[str]) -> list[x509.GeneralName]:
    """Return subject alternative names for DNS names, IP and e-mail addresses; raises ValueError."""
    result: list[x509.GeneralName] = []
    for name in names:
        try:
            result.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            result.append(x509.RFC822Name(name) if "@" in name else x509.DNSName(name))
    return result


def _purposes(names: t.Sequence[str]) -> list[x509.ObjectIdentifier]:
    # With an e-mail address it is a certificate of a person, not of a server.
    if any("@" in name for name in names):
        return [ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH]
    return [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def _distinguished_name(common_name: str | None) -> x509.Name:
    if common_name is None:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CollectSSL simulator"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _key_usage(ca: bool, rsa_key: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=rsa_key and not ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    without_digest = isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
    return builder.sign(key, None if without_digest else hashes.SHA256())


def _signature(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    return key.sign(data)


class Pki:
    """The authorities in a folder, made on first use. Raises OSError and ValueError when the folder can't be used."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self._authorities: dict[str, Authority] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if all((directory / f"{plan.name}.{suffix}").is_file() for plan in _PLANS for suffix in ("pem", "key")):
            self._load()
        else:
            self._make()

    def __getitem__(self, name: str) -> Authority:
        return self._authorities[name]

    def _load(self) -> None:
        for plan in _PLANS:
            certificate = x509.load_pem_x509_certificate((self.directory / f"{plan.name}.pem").read_bytes())
            # Checking an RSA key of our own making takes longer than all the rest of a start.
            key = serialization.load_pem_private_key(
                (self.directory / f"{plan.name}.key").read_bytes(), None, unsafe_skip_rsa_key_validation=True
            )
            self._authorities[plan.name] = Authority(certificate, t.cast(PrivateKey, key))

    def _make(self) -> None:
        for plan in _PLANS:
            key = self._authorities[plan.key_of].key if plan.key_of else generate_key(plan.key_type)
            issuer_key = key if plan.issuer == plan.name else self._authorities[plan.issuer].key
            certificate = self._certify_authority(plan, key, issuer_key)
            self._authorities[plan.name] = Authority(certificate, key)
        for name, authority in self._authorities.items():
            write_atomically(self.directory / f"{name}.key", private_pem(authority.key), 0o600)
            pem = authority.certificate.public_bytes(serialization.Encoding.PEM)
            write_atomically(self.directory / f"{name}.pem", pem)

    def _certify_authority(
        self,
        plan: _Plan,
        key: PrivateKey,
        issuer_key: PrivateKey,
        validity: tuple[datetime.datetime, datetime.datetime] | None = None,
    ) -> x509.Certificate:
        today = utc_now().replace(hour=0, minute=0, second=0)
        start, end = validity or (today - datetime.timedelta(days=1500), today + datetime.timedelta(days=5500))
        issuer_common_name = next(other.common_name for other in _PLANS if other.name == plan.issuer)
        # The leaf of a short chain hangs from the root itself: only the authorities below bear a path length.
        path_length = 0 if plan.name in ("issuing", "foreign_issuing") else None
        builder = (
            x509.CertificateBuilder()
            .subject_name(_authority_name(plan.common_name))
            .issuer_name(_authority_name(issuer_common_name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
            .add_extension(_key_usage(ca=True, rsa_key=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        return _sign(builder, issuer_key)

    def authority_again(self, name: str, validity: tuple[datetime.datetime, datetime.datetime]) -> x509.Certificate:
        """Return a fresh certificate for an authority's own subject and key with another validity."""
        plan = next(plan for plan in _PLANS if plan.name == name)
        return self._certify_authority(plan, self[name].key, self[plan.issuer].key, validity)

    def issue(
        self,
        public_key: PublicKey,
        names: t.Sequence[str],
        validity: tuple[datetime.datetime, datetime.datetime],
        issuer: str = "issuing",
    ) -> x509.Certificate:
        """Return an end-entity certificate with these subject alternative names; the first is its common name.

        It is one for a server, or, where one of the names is an e-mail address, for a client and its mail.
        A name of more than 64 characters can't be a common name and stands in the extension alone.
        """
        authority = self[issuer]
        common_name = names[0] if len(names[0]) <= 64 else None
        builder = (
            x509.CertificateBuilder()
            .subject_name(_distinguished_name(common_name))
            .issuer_name(authority.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(validity[0])
            .not_valid_after(validity[1])
            .add_extension(x509.SubjectAlternativeName(general_names(names)), critical=common_name is None)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False, rsa_key=isinstance(public_key, rsa.RSAPublicKey)), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_purposes(names)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
            )
        )
        return _sign(builder, authority.key)

    def with_start(self, certificate: x509.Certificate, start: bytes, issuer: str) -> bytes:
        """Return a certificate whose validity begins at a GeneralizedTime, in DER, signed anew by its issuer."""
        return _asn1.with_start(
            certificate.public_bytes(serialization.Encoding.DER),
            start,
            lambda data: _signature(self[issuer].key, data),
        )

    def authorities(self, kind: str) -> list[x509.Certificate]:
        """Return the authorities of a kind of chain (a key of CHAINS), root first."""
        return [self[name].certificate for name in CHAINS[kind]]


def issuer_of(kind: str) -> str:
    """Return the name of the authority that signs the leaf of a kind of chain."""
    return CHAINS[kind][-1]


def with_broken_signature(der: bytes) -> bytes:
    """Return a certificate that still parses and whose signature is wrong (its last octet has one bit turned)."""
    return der[:-1] + bytes((der[-1] ^ 1,))
