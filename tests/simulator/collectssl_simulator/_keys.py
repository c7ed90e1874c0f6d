# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of orders: read from what a user has (private key, public key or CSR), or made."""

from __future__ import annotations

import pathlib
import typing as t
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from ._files import write_atomically
from ._pki import PrivateKey, PublicKey, generate_key, private_pem


class KeyFileError(ValueError):
    """A key file can't be used; the text says why, in part of a sentence."""


def read_public_key(path: pathlib.Path) -> PublicKey:
    """Return the public key of a PEM file with a private key, a public key, a CSR or a certificate."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise KeyFileError(f"can't read {path}: {exc.strerror}") from None
    try:
        key = _public_key(data)
    except TypeError:
        raise KeyFileError(f"{path} holds an encrypted private key; give its public key or a CSR instead") from None
    except ValueError as exc:
        raise KeyFileError(f"{path} holds no usable PEM private key, public key or CSR ({exc})") from None
    if not isinstance(
        key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
    ):
        raise KeyFileError(f"{path} holds a key of a type that servers don't use")
    return key


def _public_key(data: bytes) -> t.Any:
    if b"CERTIFICATE REQUEST-----" in data:
        return x509.load_pem_x509_csr(data).public_key()
    if b"BEGIN CERTIFICATE-----" in data:
        return x509.load_pem_x509_certificate(data).public_key()
    if b"BEGIN PUBLIC KEY-----" in data:
        return serialization.load_pem_public_key(data)
    return serialization.load_pem_private_key(data, None).public_key()


def file_stem(order_number: str) -> str:
    """Return a name for an order's files that can't leave the folder, whatever the order number holds."""
    return urllib.parse.quote(order_number, safe="")


def kept_private_key(directory: pathlib.Path, stem: str, key_type: str) -> PrivateKey:
    """Return the private key in directory/STEM.key, made there first if it is not there yet."""
    path = directory / f"{stem}.key"
    if path.is_file():
        return t.cast(PrivateKey, serialization.load_pem_private_key(path.read_bytes(), None))
    key = generate_key(key_type)
    write_atomically(path, private_pem(key), 0o600)
    return key
