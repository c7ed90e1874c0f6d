# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Netscape certificate sequence: its ASN.1, read by cryptography.

What it needs came with cryptography 47, later than all else that this collection needs of it.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

try:
    from cryptography import x509
    from cryptography.hazmat import asn1
    from cryptography.hazmat.asn1 import TLV, Explicit
except ImportError as exc:
    ASN1_IMPORT_ERROR: ImportError | None = exc
else:
    ASN1_IMPORT_ERROR = None

    _NETSCAPE_CERTIFICATE_SEQUENCE = x509.ObjectIdentifier("2.16.840.1.113730.2.5")

    @asn1.sequence
    class _CertificateSequence:
        content_type: x509.ObjectIdentifier
        content: t.Annotated[list[TLV], Explicit(0)]


def certificates(data: bytes) -> list[bytes]:
    """The DER of each certificate, in the order in which they stand; raises ``ValueError`` for anything else.

    Not to be called where there is an ``ASN1_IMPORT_ERROR``.
    """
    sequence = asn1.decode_der(_CertificateSequence, data)
    if sequence.content_type != _NETSCAPE_CERTIFICATE_SEQUENCE:
        raise ValueError(f"its type is {sequence.content_type.dotted_string}")
    return [asn1.encode_der(part) for part in sequence.content]
