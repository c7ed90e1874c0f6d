# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""STARTTLS: what is said in clear before TLS starts, and what ends the session politely once it has.

This module util is private to the collection. It can have breaking changes at any time.
"""

import socket
from typing import Callable, Dict, NamedTuple, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint import (
    starttls_in_lines,
    starttls_in_octets,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.deadline import Deadline
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.dialogue import Dialogue


class Protocol(NamedTuple):
    """A protocol in which TLS starts on a connection that began in clear.

    ``called`` is what people call it; ``goodbye`` ends a session over TLS, where there is a word that asks for nothing
    else; ``implicit`` is the port where TLS starts at once, None where there is none.
    """

    called: str
    begin: Callable[[Dialogue], None]
    goodbye: bytes
    implicit: Optional[int]


PROTOCOLS: Dict[str, Protocol] = {
    "smtp": Protocol("SMTP", starttls_in_lines.smtp, b"QUIT\r\n", 465),
    "imap": Protocol("IMAP", starttls_in_lines.imap, b"a2 LOGOUT\r\n", 993),
    "pop3": Protocol("POP3", starttls_in_lines.pop3, b"QUIT\r\n", 995),
    "ldap": Protocol("LDAP", starttls_in_octets.ldap, starttls_in_octets.LDAP_UNBIND, 636),
    "mysql": Protocol("MySQL", starttls_in_octets.mysql, b"", None),
    "postgres": Protocol("PostgreSQL", starttls_in_octets.postgres, b"", None),
    "ftp": Protocol("FTP", starttls_in_lines.ftp, b"QUIT\r\n", 990),
    "sieve": Protocol("ManageSieve", starttls_in_lines.sieve, b"LOGOUT\r\n", None),
}


def start_tls(sock: socket.socket, protocol: str, deadline: Deadline) -> None:
    """Bring a fresh connection to the point where the TLS handshake begins.

    :arg protocol: one of ``PROTOCOLS``.
    :raises EndpointError: with a sentence about the dialogue that does not name the endpoint.
    """
    dialogue = Dialogue(sock, deadline)
    PROTOCOLS[protocol].begin(dialogue)
    dialogue.end()
