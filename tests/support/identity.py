# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers of the tests prove themselves with: certificates and keys in files, and an authority to trust."""

from __future__ import annotations

import pathlib
import ssl
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from . import authority
from .openssl import openssl


class Identity(t.NamedTuple):
    """A certificate with its key and the authority to trust, in files; ``certificate`` has nothing after itself."""

    certificate: pathlib.Path
    key: pathlib.Path
    ca_pem: pathlib.Path

    @classmethod
    def make(cls, folder: pathlib.Path, *names: str) -> Identity:
        """An authority and a certificate for loopback, or for other names."""
        return AuthorityFolder(folder, "Loopback CA").issue("server", *(names or ("localhost", "127.0.0.1")))

    def fingerprint(self) -> str:
        """SHA-256 as OpenSSL's own program has it, in lower case."""
        shown = openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256").decode("ascii")
        return shown.partition("=")[2].strip().lower()

    def context(self) -> ssl.SSLContext:
        """What a server in Python speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class AuthorityFolder:
    """A private authority that keeps all it issues in a folder; ``path`` is its certificate."""

    def __init__(self, folder: pathlib.Path, name: str = "Test Root") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = authority.root(name, validity=authority.from_now(-10, 100))
        self.path = folder / "root.pem"
        _write(self.path, self._authority.certificate)

    def issue(
        self,
        label: str,
        *names: str,
        kind: str = "ecdsa",
        days: tuple[int, int] = (-1, 30),
        common_name: str | None = None,
        self_signed: bool = False,
    ) -> Identity:
        """A certificate for names and IP addresses, valid from ``days[0]`` to ``days[1]`` days from now."""
        key = authority.new_key(kind)
        validity, alternatives = authority.from_now(*days), authority.general_names(names)
        if self_signed:
            certificate = authority.self_signed(common_name, key, validity, alternatives)
        else:
            certificate = self._authority.certify(common_name, key.public_key(), validity, names=alternatives)
        identity = Identity(self.folder / f"{label}.pem", self.folder / f"{label}.key", self.path)
        _write(identity.certificate, certificate)
        identity.key.write_text(authority.private_pem(key), encoding="ascii")
        return identity


def _write(path: pathlib.Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
