# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys for orders, and what a PEM file says."""

from __future__ import annotations

import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from . import authority


def make_key(kind: str = "ecdsa", passphrase: str | None = None) -> str:
    """A fresh private key as PKCS#8 PEM: ecdsa, rsa or ed25519."""
    return authority.private_pem(authority.new_key(kind), passphrase)


@functools.cache
def shared_key(kind: str = "ecdsa") -> str:
    """A private key made once, for the many tests that do not care which it is."""
    return make_key(kind)


def shows_key(text: str, private_key: str) -> bool:
    """Whether a text shows the secret part of a key of make_key, or the armour of any private key."""
    lines = private_key.splitlines()[1:-1]
    # The rest of an elliptic key is the public one, which a certificate may hold in the very same letters; so is the
    # beginning of an RSA key.
    secret = lines[:2] if len(lines) < 10 else lines[len(lines) // 2 :]
    return "PRIVATE KEY-----" in text or any(line in text for line in secret)


def public_key(private_key: str, passphrase: str | None = None) -> str:
    """The public half of a private key, as PEM."""
    password = passphrase.encode("utf-8") if passphrase is not None else None
    return authority.public_pem(serialization.load_pem_private_key(private_key.encode("ascii"), password))


def certificates(pem: str | bytes) -> list[x509.Certificate]:
    """The certificates of a PEM text, in its order."""
    return x509.load_pem_x509_certificates(pem.encode("ascii") if isinstance(pem, str) else pem)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, in hexadecimal with colons."""
    return certificate.fingerprint(hashes.SHA256()).hex(":")


def common_names(pem: str | bytes) -> list[str]:
    """The common name of every certificate of a PEM text, in its order."""
    return [str(certificate.subject.rdns[-1].rfc4514_string().partition("=")[2]) for certificate in certificates(pem)]
