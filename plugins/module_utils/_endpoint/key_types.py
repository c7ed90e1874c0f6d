# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of public keys that a server may have a certificate for each of, and how a client asks for one.

With TLS 1.2 and older it is the ciphers that say whose certificate a client takes. TLS 1.3 leaves that to the signature
algorithms (RFC 8446, section 4.2.3), which the standard library has no words for; there ``openssl`` asks.
This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Dict, NamedTuple

RSA, ECDSA = "rsa", "ecdsa"


class Asking(NamedTuple):
    """How a client says that it takes certificates with one kind of key alone, and what people call these."""

    ciphers: str
    signatures: str
    called: str


ASKING: Dict[str, Asking] = {
    RSA: Asking(
        "aRSA:!aNULL:!eNULL",
        ":".join(f"{kind}+SHA{bits}" for kind in ("RSA-PSS", "RSA") for bits in (256, 384, 512)),
        "an RSA key",
    ),
    ECDSA: Asking("aECDSA:!aNULL:!eNULL", ":".join(f"ECDSA+SHA{bits}" for bits in (256, 384, 512)), "an ECDSA key"),
}


def called(kind: object) -> str:
    """What people call a key of a kind, be it another than those that can be asked for."""
    return ASKING[str(kind)].called if kind in ASKING else "another kind of key"
