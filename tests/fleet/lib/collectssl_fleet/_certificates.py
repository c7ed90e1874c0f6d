# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that every host starts with: a small authority of the fleet's own, and one key for all hosts."""

from __future__ import annotations

import datetime
import pathlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ._plan import DOMAIN

SERVER_NAME = f"www.{DOMAIN}"
_FILES = ("certificate", "chain", "key", "root")


class Initial(t.NamedTuple):
    """The old certificate, as PEM text."""

    certificate: str
    chain: str
    """The intermediate."""
    key: str
    root: str
    root_path: pathlib.Path

    @property
    def fullchain(self) -> str:
        """Certificate and intermediate."""
        return self.certificate + self.chain

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hexadecimal with colons."""
        return x509.load_pem_x509_certificate(self.certificate.encode()).fingerprint(hashes.SHA256()).hex(":")

    def files(self) -> dict[str, tuple[str, int]]:
        """The files in /etc/ssl/fleet of every host: text and mode by name."""
        return {
            "privkey.pem": (self.key, 0o600),
            "cert.pem": (self.certificate, 0o644),
            "chain.pem": (self.chain, 0o644),
            "fullchain.pem": (self.fullchain, 0o644),
            "combined.pem": (self.key + self.fullchain, 0o600),
        }


def make(folder: pathlib.Path) -> Initial:
    """Make root, intermediate, key and certificate, and keep them in a folder that is made for it."""
    folder.mkdir(mode=0o700)
    root_key, issuing_key, key = (ec.generate_private_key(ec.SECP256R1()) for _number in range(3))
    root_name, issuing_name = _name("Fleet old root"), _name("Fleet old issuer")
    root = _sign(root_name, root_key, root_name, root_key, ca=True)
    issuing = _sign(issuing_name, issuing_key, root_name, root_key, ca=True)
    certificate = _sign(_name(SERVER_NAME), key, issuing_name, issuing_key, ca=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    texts = {"certificate": _pem(certificate), "chain": _pem(issuing), "key": private.decode(), "root": _pem(root)}
    for name, text in texts.items():
        (folder / f"{name}.pem").write_text(text, encoding="ascii")
    return read(folder)


def read(folder: pathlib.Path) -> Initial:
    """Take up what make() left in a folder."""
    texts = {name: (folder / f"{name}.pem").read_text(encoding="ascii") for name in _FILES}
    return Initial(**texts, root_path=folder / "root.pem")


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _sign(
    subject: x509.Name,
    subject_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    usage.update({"key_cert_sign": True, "crl_sign": True} if ca else {"digital_signature": True})
    identifier = x509.SubjectKeyIdentifier.from_public_key(subject_key.public_key())
    issuer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(subject_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=300))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(issuer_identifier, critical=False)
    )
    if not ca:
        names = [x509.DNSName(SERVER_NAME), x509.DNSName(f"*.{DOMAIN}")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
