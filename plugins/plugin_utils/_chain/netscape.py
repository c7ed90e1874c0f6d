# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Netscape certificate sequence: a SEQUENCE of its type and, under an explicit tag, a SEQUENCE of certificates.

``cryptography`` has no reader of it. Its means to declare such a structure take the certificates apart and put them
together again, and what they can differs from version to version; here they come out as they stand there.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import der

_NETSCAPE_CERTIFICATE_SEQUENCE = "2.16.840.1.113730.2.5"
_CONTENT = 0xA0


def certificates(data: bytes) -> list[bytes]:
    """The DER of each certificate, in the order in which they stand; raises ``ValueError`` for anything else."""
    parts = der.sequence(data)
    if [part.tag for part in parts] != [der.OBJECT_IDENTIFIER, _CONTENT]:
        raise ValueError("it is not a type and what belongs to it")
    content_type = der.dotted(parts[0].content)
    if content_type != _NETSCAPE_CERTIFICATE_SEQUENCE:
        raise ValueError(f"its type is {content_type}")
    return [certificate.whole for certificate in der.sequence(parts[1].content)]
