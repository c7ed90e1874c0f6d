# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a TLS handshake failed, in words: what the server did, and what to do about it.

This module util is private to the collection. It can have breaking changes at any time.
"""

import ssl
from typing import NamedTuple, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.tls_context import is_address

# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL.
_MISMATCHES = (62, 64)

_NOT_TLS = (
    "BAD_RECORD_TYPE",
    "HTTPS_PROXY_REQUEST",
    "HTTP_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "WRONG_VERSION_NUMBER",
)
_VERSION = (
    "NO_PROTOCOLS_AVAILABLE",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "UNSUPPORTED_SSL_VERSION",
    "VERSION_TOO_LOW",
    "WRONG_SSL_VERSION",
)
_REFUSED = ("SSLV3_ALERT_HANDSHAKE_FAILURE", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV13_ALERT_CERTIFICATE_REQUIRED")
_NAME = ("TLSV1_UNRECOGNIZED_NAME",)
# Python 3.7 and older take this of OpenSSL 3 for an error of Kerberos, which had the same number in OpenSSL 1.0.
_END_OF_FILE = ("UNEXPECTED_EOF_WHILE_READING", "KRB5_S_TKT_NYV")


class Fault(NamedTuple):
    """Why a handshake failed; ``reason`` is the middle of a sentence, ``advice`` a sentence or two."""

    reason: str
    advice: str
    #: Whether it was this side's check of the certificate that failed.
    verification: bool

    def verify_error(self) -> str:
        """Why a certificate that is served all the same was not verified."""
        if self.verification:
            return self.reason
        return f"not checked, as a TLS handshake with the usual settings of this host failed: {self.reason}"


def fault_of(exc: Exception, identity: str, mail: bool) -> Fault:
    """What an exception of a handshake means.

    :arg identity: the name or address that the certificate had to be for.
    :arg mail: whether TLS was started within a mail protocol.
    """
    verification = _verification(exc, identity)
    if verification is not None:
        return Fault(verification, "", True)
    reason = str(getattr(exc, "reason", None) or "")
    if reason in _NOT_TLS:
        advice = "Check the service on this port."
        if not mail:
            advice = f"Check the port; if it is a mail server's, such as 25, 143 or 587, set starttls. {advice}"
        return Fault("the server did not answer with TLS", advice, False)
    if reason in _VERSION:
        text = f"the server and this host's {ssl.OPENSSL_VERSION} have no version of TLS in common"
        return Fault(text, "Enable TLS 1.2 or newer on the server.", False)
    if reason in _REFUSED:
        return Fault(
            f"the server refused it ({_words(reason)})",
            "It may want a client certificate, which is not given here, or have no cipher in common with this host.",
            False,
        )
    if reason in _NAME:
        return Fault(f"the server knows no {identity}", "Check server_name, and the names the server has.", False)
    closed = not isinstance(exc, ssl.SSLError) or isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if closed or reason in _END_OF_FILE:
        return Fault(
            "the server closed the connection in the middle of it",
            "See the server's log; it may be reloading, or not speak TLS on this port.",
            False,
        )
    return Fault(_words(reason) or "an error without a reason", "See the server's log.", False)


def _verification(exc: Exception, identity: str) -> Optional[str]:
    # Python 3.6 compares names itself, and raises CertificateError, which is no SSLError there.
    mismatch = isinstance(exc, ssl.CertificateError) and not isinstance(exc, ssl.SSLError)
    if mismatch or getattr(exc, "verify_code", None) in _MISMATCHES:
        kind = "IP address" if is_address(identity) else "hostname"
        return f"{kind} mismatch, certificate is not valid for '{identity}'"
    if getattr(exc, "reason", None) != "CERTIFICATE_VERIFY_FAILED":
        return None
    message = str(getattr(exc, "verify_message", "") or "certificate verify failed; Python 3.6 does not tell why")
    # OpenSSL 3 has a hyphen there, and OpenSSL 1 none.
    return message.replace("self signed", "self-signed").rstrip(".")


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()
