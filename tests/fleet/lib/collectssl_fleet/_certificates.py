# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that every host starts with: a small authority of the fleet's own, and one key for all hosts."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes

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
    validity, key = authority.from_now(-300, 30), authority.new_key()
    root = authority.root("Fleet old root", validity=validity)
    issuing = root.subordinate("Fleet old issuer", validity=validity)
    names = authority.general_names([SERVER_NAME, f"*.{DOMAIN}"])
    certificate = issuing.certify(SERVER_NAME, key.public_key(), validity, names=names)
    texts = {
        "certificate": authority.pem_of(authority.der_of(certificate)),
        "chain": authority.pem_of(issuing.der),
        "key": authority.private_pem(key),
        "root": authority.pem_of(root.der),
    }
    for name, text in texts.items():
        (folder / f"{name}.pem").write_text(text, encoding="ascii")
    return read(folder)


def read(folder: pathlib.Path) -> Initial:
    """Take up what make() left in a folder."""
    texts = {name: (folder / f"{name}.pem").read_text(encoding="ascii") for name in _FILES}
    return Initial(**texts, root_path=folder / "root.pem")
