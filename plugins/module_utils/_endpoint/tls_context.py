# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS contexts to look at a server with: as a usual client would, without trust, and as leniently as possible.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import ipaddress
import os
import re
import ssl
from typing import Any, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

# From Python 3.7 on OpenSSL compares the name; before, Python did so after the handshake, and sent IP addresses as SNI.
_CHECKS_NAMES = hasattr(ssl, "HAS_NEVER_CHECK_COMMON_NAME")
# Named from Python 3.12 on; OpenSSL 3 does not take it for granted any more.
_OP_LEGACY_SERVER_CONNECT = 0x4
_LENIENT_CIPHERS = "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+$")


def verified(ca_path: Optional[str]) -> ssl.SSLContext:
    """A context as a usual client on this host has it, with its trust store or that in ``ca_path``.

    :raises OptionError: where ``ca_path`` holds nothing to trust.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = _CHECKS_NAMES
    if getattr(ssl, "HAS_NEVER_CHECK_COMMON_NAME", False):
        # A common name does not count as a name any more (RFC 9525), whatever the age of this Python.
        context.hostname_checks_common_name = False
    if ca_path is None:
        context.load_default_certs()
        return context
    try:
        if not os.path.isdir(ca_path):
            context.load_verify_locations(cafile=ca_path)
        elif any(_HASHED.match(name) for name in os.listdir(ca_path)):
            context.load_verify_locations(capath=ca_path)
        else:
            raise OptionError(f"The folder {ca_path} in ca_path is not prepared; run openssl rehash on it.")
    except OSError as exc:
        reason = "there is no PEM certificate in it" if isinstance(exc, ssl.SSLError) else exc.strerror
        raise OptionError(f"ca_path {ca_path} cannot be used: {reason}.") from exc
    return context


def unverified(lenient: bool) -> ssl.SSLContext:
    """A context that takes any certificate; a lenient one also takes whatever else the OpenSSL at hand can speak.

    No data is exchanged over it, so that weak cryptography does no harm.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if lenient:
        context.options |= _OP_LEGACY_SERVER_CONNECT
        if hasattr(ssl, "TLSVersion"):
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        # OpenSSL 1.0.2 has no security levels, and a policy of the system may forbid to choose.
        with contextlib.suppress(ssl.SSLError):
            context.set_ciphers(_LENIENT_CIPHERS)
    return context


def wrap(context: ssl.SSLContext, sock: Any, identity: str) -> ssl.SSLSocket:
    """TLS over a connected socket, before its handshake; ``identity``, where it is a name, is sent as SNI."""
    server_hostname = identity if _CHECKS_NAMES or not is_address(identity) else None
    return context.wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=False)


def check_identity(tls: ssl.SSLSocket, identity: str) -> None:
    """After a verified handshake, do what OpenSSL has not done on Python 3.6.

    :raises ssl.CertificateError: where the certificate is for somebody else.
    """
    if not _CHECKS_NAMES:
        names = (tls.getpeercert() or {}).get("subjectAltName", ())
        # Without the subject, so that a common name does not count here either.
        ssl.match_hostname({"subjectAltName": names}, identity)  # type: ignore[attr-defined, unused-ignore]


def is_address(text: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
