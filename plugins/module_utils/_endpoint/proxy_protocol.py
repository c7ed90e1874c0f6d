# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PROXY protocol, version 1, as HAProxy's ``doc/proxy-protocol.txt`` has it (section 2.1).

This module util is private to the collection. It can have breaking changes at any time.
"""

import socket

_FAMILIES = {socket.AF_INET: "TCP4", socket.AF_INET6: "TCP6"}


def header(sock: socket.socket) -> bytes:
    """What a proxy says first on a connected socket, on behalf of a client: here both of them are this end."""
    family = _FAMILIES.get(sock.family)
    if family is None:
        return b"PROXY UNKNOWN\r\n"
    here, there = sock.getsockname(), sock.getpeername()
    # The name of an interface has no place in it.
    addresses = [end[0].partition("%")[0] for end in (here, there)]
    return " ".join(["PROXY", family, *addresses, str(here[1]), str(there[1])]).encode("ascii") + b"\r\n"
