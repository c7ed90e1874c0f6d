# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of OpenSSL's own servers, one for each name, for real runs: it reads its files when it is told to.

In its folder there is ``tls`` with ``NAME.pem`` and ``NAME.key``, and ``reload``, the command that starts the servers
anew and comes back when they are up. A file ``deaf`` lets it do nothing.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import ssl
import typing as t

from ansible_collections.certfleet.collectssl.tests.support import certificates, files

LAYOUT: dict[str, t.Any] = {
    "directory": "{{ dir }}/tls",
    "fullchain_path": "{{ dir }}/tls/{name}.pem",
    "privatekey_path": "{{ dir }}/tls/{name}.key",
    "services": ["web"],
}
"""The layout of its certificates, in a run in which ``dir`` is the folder."""

SERVICES = {"web": {"command": "{{ dir }}/reload"}}
"""How it takes new files there."""

# A server that was killed may hold its port for a moment still. What the one before it said is not to be taken for its.
_RELOAD = """\
#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo reload >>reloads
[ -e deaf ] && exit 0
for name in {names}; do
    [ -e "$name.pid" ] && kill "$(cat "$name.pid")"
done
for name in {names}; do
    [ -e "tls/$name.pem" ] || continue
    for _attempt in $(seq 600); do
        : >"$name.log"
        openssl s_server -accept "127.0.0.1:$(cat "$name.port")" -cert "tls/$name.pem" -key "tls/$name.key" -www \\
            </dev/null >"$name.log" 2>&1 &
        echo $! >"$name.pid"
        while kill -0 $! 2>/dev/null && ! grep -q ACCEPT "$name.log"; do sleep 0.05; done
        grep -q ACCEPT "$name.log" && break
    done
done
"""


class WebService:
    """The service; ``ports`` by name."""

    def __init__(self, folder: pathlib.Path, names: t.Sequence[str]) -> None:
        self.folder = folder
        self.names = names
        self.ports: dict[str, int] = {}
        for name in names:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.ports[name] = free.getsockname()[1]
            files.write(folder / f"{name}.port", str(self.ports[name]))
        files.write(folder / "reload", _RELOAD.format(names=" ".join(names)), 0o755)

    def make_keys(self) -> None:
        """Make the private keys of all names."""
        (self.folder / "tls").mkdir(exist_ok=True)
        for name in self.names:
            files.write(self.folder / "tls" / f"{name}.key", certificates.shared_key(), 0o600)

    @property
    def reloads(self) -> int:
        """How often it was told to read its files."""
        path = self.folder / "reloads"
        return len(path.read_text(encoding="ascii").split()) if path.exists() else 0

    def served(self) -> dict[str, str]:
        """What the servers serve, as PEM."""
        return {name: ssl.get_server_certificate(("127.0.0.1", port)) for name, port in self.ports.items()}

    def installed(self) -> dict[str, str]:
        """What the files begin with, as PEM."""
        texts = {name: (self.folder / "tls" / f"{name}.pem").read_text(encoding="ascii") for name in self.names}
        return {name: text[: text.index("-----END CERTIFICATE-----") + 26] for name, text in texts.items()}

    def end(self, name: str = "*") -> None:
        """End the servers, or one of them."""
        for path in self.folder.glob(f"{name}.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text(encoding="ascii")), signal.SIGKILL)
            path.unlink()
