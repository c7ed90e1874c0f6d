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
# What a server has against a client certificate, beside those.
_OF_CLIENTS = (
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_NO_CERTIFICATE",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV1_ALERT_DECRYPT_ERROR",
    "TLSV1_ALERT_UNKNOWN_CA",
)
_NAME = ("TLSV1_UNRECOGNIZED_NAME",)
# Python 3.7 and older take this of OpenSSL 3 for an error of Kerberos, which had the same number in OpenSSL 1.0.
_END_OF_FILE = ("UNEXPECTED_EOF_WHILE_READING", "KRB5_S_TKT_NYV")


class Fault(NamedTuple):
    """Why a handshake failed; ``reason`` is the middle of a sentence, ``advice`` a sentence or two."""

    reason: str
    advice: str
    #: Whether it was this side's check of the certificate that failed.
    verification: bool
    #: Whether it lies in how this side looked, so that it says nothing of what the server has.
    of_the_look: bool = False

    def verify_error(self) -> str:
        """Why a certificate that is served all the same was not verified."""
        if self.verification:
            return self.reason
        return f"not checked, as a TLS handshake with the usual settings of this host failed: {self.reason}"


def fault_of(exc: Exception, identity: str, in_clear: bool, agreed: bool, presented: bool) -> Fault:
    """What an exception of a handshake means.

    :arg identity: the name or address that the certificate had to be for.
    :arg in_clear: whether something was said in clear before.
    :arg agreed: whether the server had agreed on a cipher by then.
    :arg presented: whether there was a client certificate to show.
    """
    verification = _verification(exc, identity)
    if verification is not None:
        return Fault(verification, "", True)
    reason = str(getattr(exc, "reason", None) or "")
    if reason in _NOT_TLS:
        advice = "Check the service on this port."
        if not in_clear:
            advice = f"Check the port; if it is a mail server's, such as 25, 143 or 587, set starttls. {advice}"
        return Fault("the server did not answer with TLS", advice, False)
    if reason in _VERSION:
        text = f"the server and this host's {ssl.OPENSSL_VERSION} have no version of TLS in common"
        return Fault(text, "Enable TLS 1.2 or newer on the server.", False)
    if agreed and reason in (*_REFUSED, *_OF_CLIENTS):
        return _of_client_certificate(_words(reason), presented)
    if reason in _REFUSED:
        return Fault(
            f"the server refused it ({_words(reason)})",
            "It may want a client certificate (client_certificate), or have no cipher in common with this host.",
            False,
        )
    if reason in _NAME:
        return Fault(f"the server knows no {identity}", "Check server_name, and the names the server has.", False)
    closed = not isinstance(exc, ssl.SSLError) or isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
    if closed or reason in _END_OF_FILE:
        return Fault(
            "the server closed the connection in the middle of it",
            "See the server's log; it may be reloading, not speak TLS on this port, or want the PROXY protocol before "
            "it (proxy_protocol).",
            False,
        )
    return Fault(_words(reason) or "an error without a reason", "See the server's log.", False)


def _of_client_certificate(words: str, presented: bool) -> Fault:
    if presented:
        text = f"the server refused the client certificate that it was shown ({words})"
        advice = "Check client_certificate and client_key against whom the server trusts."
    else:
        text = f"the server demands a client certificate ({words}), and none is given"
        advice = "Give one as client_certificate and client_key."
    return Fault(text, f"{advice} Without one it can't be told what it serves.", False, True)


def _verification(exc: Exception, identity: str) -> Optional[str]:
    # Python 3.6 compares names itself, and raises CertificateError, which is no SSLError there.
    mismatch = isinstance(exc, ssl.CertificateError) and not isinstance(exc, ssl.SSLError)
    code = _MISMATCHES[0] if mismatch else getattr(exc, "verify_code", None)
    if code not in _MISMATCHES and getattr(exc, "reason", None) != "CERTIFICATE_VERIFY_FAILED":
        return None
    message = str(getattr(exc, "verify_message", "") or "certificate verify failed; Python 3.6 does not tell why")
    return verify_error(code, message, identity)


def verify_error(code: Optional[int], message: str, identity: str) -> str:
    """Why OpenSSL does not trust a certificate, by its code and in its words, which differ from version to version."""
    if code in _MISMATCHES:
        kind = "IP address" if is_address(identity) else "hostname"
        return f"{kind} mismatch, certificate is not valid for '{identity}'"
    # OpenSSL 3 has a hyphen there, and OpenSSL 1 none.
    return message.replace("self signed", "self-signed").rstrip(".")


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()
