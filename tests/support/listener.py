# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP server on loopback, without a word of what it says."""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

SECONDS = 20
"""After how long a connection on which nothing happens is given up."""

_Self = t.TypeVar("_Self", bound="Listener")


class Listener:
    """Gives every connection a thread of its own; a context manager. ``connections`` is how many there were."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=50)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0

    def __enter__(self: _Self) -> _Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.refuse()
        self._listener.close()

    def refuse(self) -> None:
        """Take no connection from now on."""
        # Unlike close(), this wakes up accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)

    def serve(self, connection: socket.socket, number: int) -> None:
        """Talk over a connection, the ``number``-th from one on."""
        raise NotImplementedError

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                connection.settimeout(SECONDS)
                self.connections += 1
                arguments = (connection, self.connections)
                thread = threading.Thread(target=self.serve, args=arguments, daemon=True)
                thread.start()
                self._threads.append(thread)
