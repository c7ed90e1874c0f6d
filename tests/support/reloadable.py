# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small TLS service with many sites, in a process of its own: it serves what it last read, and reads when told to.

The folder of the service has ``conf``, with ``NAME.pem`` and ``NAME.key`` of each site, and ``loaded``, what it read of
them. ``reload`` is the command that has it read, all sites or those that it names; files beside it make it misbehave:
``refuse`` lets a reload fail, ``deaf-NAME`` lets it pass over a site, ``silent-NAME`` lets a site show nothing, and
``silent-with-new-NAME`` does so once it has read another certificate than its first.
"""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import typing as t

_RELOAD = """#!/bin/sh
cd {folder} || exit 1
echo reload >> reloads
test ! -e refuse || {{ echo "bad configuration" >&2; exit 1; }}
for site in ${{*:-{sites}}}; do
  test -e deaf-$site && continue
  cat conf/$site.key conf/$site.pem > loaded/$site.next && mv loaded/$site.next loaded/$site
done
"""


class ReloadableService:
    """The service, running while this context is entered; ``ports`` by name of the site."""

    def __init__(self, folder: pathlib.Path, sites: t.Sequence[str]) -> None:
        self.folder = folder
        self.sites = list(sites)
        self.conf = folder / "conf"
        self.ports: dict[str, int] = {}
        for name in ("conf", "loaded", "first"):
            (folder / name).mkdir(parents=True)
        self.command = folder / "reload"
        self.command.write_text(_RELOAD.format(folder=folder, sites=" ".join(self.sites)), encoding="ascii")
        self.command.chmod(self.command.stat().st_mode | stat.S_IXUSR)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> ReloadableService:
        self.reload()
        for site in self.sites:
            shutil.copy(self.folder / "loaded" / site, self.folder / "first" / site)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.folder), *self.sites], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        for site in self.sites:
            self.ports[site] = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def reload(self) -> None:
        """Have it read its files."""
        subprocess.run([str(self.command)], check=True)

    def misbehave(self, how: str) -> None:
        """Make one of the files that let it misbehave."""
        (self.folder / how).touch()

    @property
    def reloads(self) -> int:
        """How often it was told to read its files."""
        return len((self.folder / "reloads").read_text(encoding="ascii").splitlines())

    def shown(self, site: str) -> str | None:
        """The certificate that a site shows, as PEM text; None for nothing."""
        with contextlib.suppress(OSError):
            return ssl.get_server_certificate(("127.0.0.1", self.ports[site]))
        return None


def _serve(folder: pathlib.Path, site: str, listener: socket.socket) -> None:
    while True:
        connection, _address = listener.accept()
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            loaded = folder / "loaded" / site
            first = (folder / "first" / site).read_bytes()
            if (folder / f"silent-{site}").exists() or (
                (folder / f"silent-with-new-{site}").exists() and loaded.read_bytes() != first
            ):
                continue
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(loaded)
            with context.wrap_socket(connection, server_side=True) as tls, contextlib.suppress(OSError):
                while tls.recv(4096):
                    pass


def _main(folder: pathlib.Path, sites: t.Sequence[str]) -> None:
    for site in sites:
        listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        threading.Thread(target=_serve, args=(folder, site, listener), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]), sys.argv[2:])
