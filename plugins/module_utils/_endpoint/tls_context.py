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
import threading
from typing import Any, Dict, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.key_types import ASKING
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

# From Python 3.7 on OpenSSL compares the name; before, Python did so after the handshake, and sent IP addresses as SNI.
_CHECKS_NAMES = hasattr(ssl, "HAS_NEVER_CHECK_COMMON_NAME")
# Named from Python 3.12 on; OpenSSL 3 does not take it for granted any more.
_OP_LEGACY_SERVER_CONNECT = 0x4
_LENIENT_CIPHERS = "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+$")


class NoCipherError(Exception):
    """A client on this host cannot ask for certificates with some kind of key by ciphers."""


#: To load the trust of a system takes longer than a handshake, and many look with it side by side.
_OF_SYSTEM: Dict[Tuple[Optional[str], ...], ssl.SSLContext] = {}
_LOADING = threading.Lock()


def usual(ca_path: Optional[str]) -> ssl.SSLContext:
    """As ``verified``, for a look that changes nothing about it: with the trust of the system all share one context."""
    if ca_path is not None:
        return verified(ca_path)
    where = tuple(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    with _LOADING:
        if where not in _OF_SYSTEM:
            _OF_SYSTEM[where] = verified(None)
        return _OF_SYSTEM[where]


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


def ask_for(context: ssl.SSLContext, key_type: str, lenient: bool) -> None:
    """Have a server choose its certificate with this kind of key, or refuse: by ciphers, so without TLS 1.3.

    :raises NoCipherError: where the settings of this host have no such cipher.
    """
    try:
        context.set_ciphers(ASKING[key_type].ciphers + (":@SECLEVEL=0" if lenient else ""))
    except ssl.SSLError as exc:
        raise NoCipherError("the settings of this host allow no cipher for it") from exc
    without_tls_1_3(context)


def without_tls_1_3(context: ssl.SSLContext) -> None:
    """Speak TLS 1.2 at the most."""
    if hasattr(ssl, "TLSVersion"):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        # Python 3.6.
        context.options |= getattr(ssl, "OP_NO_TLSv1_3", 0)


def present(context: ssl.SSLContext, certificate: str, key: Optional[str]) -> None:
    """Show a server that asks for one a client certificate, from a PEM file; its key may be in the same file.

    :raises OptionError: where there is none, or its key has a passphrase.
    """
    for option, path in (("client_certificate", certificate), ("client_key", key)):
        if path is not None:
            try:
                with open(path, "rb"):
                    pass
            except OSError as exc:
                raise OptionError(f"{option} {path} cannot be used: {exc.strerror}.") from exc
    try:
        # Without a passphrase there would be a question, on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as exc:
        files = certificate if key is None else f"{certificate} and client_key {key}"
        raise OptionError(
            f"client_certificate {files} cannot be used: they have to be a certificate and its private key, in PEM, "
            "and the key must have no passphrase."
        ) from exc


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
