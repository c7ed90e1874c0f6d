# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator as a whole: orders, authorities, listening sockets and the file that tells where they are."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import pathlib
import ssl
import threading
import typing as t

import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from . import _orders, _pki
from ._book import Book
from ._certificates import Issuer
from ._files import READY_FILE, write_atomically
from ._records import Records
from ._server import API_PATHS, CONTROL_PATH, Server
from ._service import Service


class SetupError(Exception):
    """The simulator can't start; the text is one sentence."""


def loopback_address(host: str) -> str:
    """Return the address to bind for a host; raises SetupError for everything but loopback."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise SetupError(f"The simulator binds to loopback alone (127.0.0.1, ::1 or localhost), not to '{host}'.")
    return str(address)


def read_orders(path: pathlib.Path) -> _orders.OrdersFile:
    """Return the checked content of an orders file; raises SetupError."""
    try:
        with path.open("rb") as stream:
            value = yaml.safe_load(stream)
    except OSError as exc:
        raise SetupError(f"Can't read the orders file {path}: {exc.strerror}.") from None
    except (yaml.YAMLError, ValueError) as exc:
        reason = " ".join(str(exc).split())
        raise SetupError(f"The orders file {path} is not YAML: {reason}.") from None
    try:
        return _orders.read(value, path.resolve().parent)
    except _orders.OrdersError as exc:
        raise SetupError(f"{path}: {exc}") from None


class Simulator:
    """A running simulator; also a context manager. start() returns once it listens and simulator.json is there.

    directory is made if need be; its authorities, keys and certificates are taken up again. port 0 takes a free one;
    http_port None serves no plain HTTP. Raises SetupError.
    """

    def __init__(
        self,
        orders: pathlib.Path,
        directory: pathlib.Path,
        host: str = "127.0.0.1",
        port: int = 0,
        http_port: int | None = None,
        delay: float = 0.0,
        log: t.Callable[[str], None] | None = None,
    ) -> None:
        self._host = loopback_address(host)
        self._port, self._http_port = port, http_port
        self.directory = directory.resolve()
        self._base = orders.resolve().parent
        self._content = read_orders(orders)
        self._log = log
        self._delay = delay
        self._stop = threading.Event()
        self._servers: list[Server] = []
        self.ready: dict[str, t.Any] = {}

    def start(self) -> None:
        """Make what is missing, listen, and write simulator.json."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            ready_file = self.directory / READY_FILE
            if ready_file.exists():
                ready_file.unlink()
            pki = _pki.Pki(self.directory / "pki")
            service = Service(Book(self._content, Issuer(pki, self.directory)), Records(self.directory / "calls.jsonl"))
            service.delay = self._delay
            context = self._tls_context(pki)
        except (OSError, ValueError, TypeError) as exc:
            raise SetupError(f"Can't use the directory {self.directory}: {exc}.") from None
        https = self._listen(self._port, context, service)
        self.ready = self._addresses(https, "https")
        if self._http_port is not None:
            plain = self._addresses(self._listen(self._http_port, None, service), "http")
            self.ready["api_url_ssl_http"] = plain["api_url_ssl"]
            self.ready["api_url_ccc_http"] = plain["api_url_ccc"]
        self.ready.update(ca_path=str(self.directory / "tls-ca.pem"), pid=os.getpid(), directory=str(self.directory))
        write_atomically(ready_file, json.dumps(self.ready, indent=2).encode("utf-8") + b"\n")

    def _listen(self, port: int, context: ssl.SSLContext | None, service: Service) -> Server:
        try:
            server = Server(self._host, port, context, service, self._base, self._stop)
        except (OSError, OverflowError) as exc:
            self.stop()
            raise SetupError(f"Can't listen on {self._host} port {port}: {exc}.") from None
        server.log = self._log
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def _addresses(self, server: Server, scheme: str) -> dict[str, t.Any]:
        start = f"{scheme}://localhost:{server.server_port}"
        addresses: dict[str, t.Any] = {f"api_url_{product}": start + path for path, product in API_PATHS.items()}
        addresses["control_url"] = start + CONTROL_PATH
        return addresses

    def _tls_context(self, pki: _pki.Pki) -> ssl.SSLContext:
        today = _pki.utc_now().replace(hour=0, minute=0, second=0)
        validity = (today - datetime.timedelta(days=1), today + datetime.timedelta(days=365))
        key = _pki.generate_key("ecdsa")
        certificate = pki.issue(key.public_key(), ["localhost", "127.0.0.1", "::1"], validity, "tls_root")
        chain_path, key_path = pki.directory / "tls_server.pem", pki.directory / "tls_server.key"
        write_atomically(key_path, _pki.private_pem(key), 0o600)
        write_atomically(chain_path, certificate.public_bytes(Encoding.PEM))
        write_atomically(self.directory / "tls-ca.pem", pki["tls_root"].certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(str(chain_path), str(key_path))
        return context

    def stop(self) -> None:
        """Take simulator.json away, stop listening and close all connections."""
        self._stop.set()
        ready_file = self.directory / READY_FILE
        if self.ready and ready_file.exists():
            ready_file.unlink()
        for server in self._servers:
            server.shutdown()
            server.server_close()
            server.close_connections()
        self._servers.clear()

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *_exc: t.Any) -> None:
        self.stop()
