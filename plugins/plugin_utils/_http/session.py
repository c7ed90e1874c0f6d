# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calls travel over: kept alive, TLS 1.2 or newer, bounded in size, free of the environment.

It is an adapter of requests without a session around it. A session reads and unpacks the body of a redirect before
anybody can look at its status, keeps cookies, and takes proxies, credentials and trust from the environment.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import http.client
import io
import os
import socket
import ssl
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import Meter, hold

try:
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
    from urllib3 import HTTPSConnectionPool, ProxyManager
    from urllib3.connection import HTTPSConnection
except ImportError as exc:
    REQUESTS_IMPORT_ERROR: ImportError | None = exc
    REQUESTS_VERSION: str | None = None
    HTTPAdapter = HTTPSConnection = HTTPSConnectionPool = object  # type: ignore[misc, assignment]
else:
    REQUESTS_IMPORT_ERROR = None
    REQUESTS_VERSION = requests.__version__

#: No answer of the interface comes near this size (bytes).
MAX_BODY = 4 * 1024 * 1024

# A head, and all that a proxy says to CONNECT (bytes); the lengths and trailers of chunks.
_MAX_HEAD = 64 * 1024
_MAX_CHUNKED = MAX_BODY + 1024 * 1024
_BUFFER = 8192

# What is looked at. Nothing else of a head gets as far as the libraries, which log what they find strange.
_HEADERS = (
    *("Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"),
    *("Connection", "Location", "Retry-After"),
)
_SWITCHING_PROTOCOLS = 101

_adapters: dict[tuple[int, bool | str], Adapter] = {}


def adapter_for(verify: bool | str) -> Adapter:
    """The adapter of this process for one kind of trust: the system's (True), none (False), or a file's or folder's.

    :raises OptionError: where the file or the folder holds nothing to trust.
    """
    process = os.getpid()
    adapter = _adapters.get((process, verify))
    if adapter is None:
        # A forked worker must not speak over a connection that it inherited.
        for inherited in [key for key in _adapters if key[0] != process]:
            del _adapters[inherited]
        adapter = _adapters[process, verify] = Adapter(_context(verify))
    return adapter


def forget(adapter: Adapter) -> None:
    """Let no later call share connections with one that was hung up on."""
    for key in [key for key, kept in _adapters.items() if kept is adapter]:
        del _adapters[key]


def _context(verify: bool | str) -> ssl.SSLContext:
    try:
        if not isinstance(verify, str):
            context = ssl.create_default_context()
        elif os.path.isdir(verify):
            context = ssl.create_default_context(capath=verify)
        else:
            context = ssl.create_default_context(cafile=verify)
    except OSError as exc:
        why = "it holds no certificate in PEM" if isinstance(exc, ssl.SSLError) else str(exc.strerror).lower()
        raise OptionError(f"ca_path {excerpt(str(verify))} cannot be used: {why}.") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    paths = ssl.get_default_verify_paths()
    if verify is True and not paths.cafile and not paths.capath:
        # A Python that knows no store of its system; requests brings one along.
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Adapter(HTTPAdapter):
    """Speaks with a TLS context of our own, so that nothing hangs on the defaults of the libraries' versions."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, proxy: str, **kwargs: t.Any) -> ProxyManager:
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context, proxy_ssl_context=self._context)
        manager.pool_classes_by_scheme = {"https": _Pool}
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        parts = urllib.parse.urlsplit(proxy)
        if not parts.username:
            return {}
        # requests writes Latin-1 here, and fails on any other character (RFC 7617 knows UTF-8 alone).
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode('utf-8')).decode('ascii')}"}

    def cert_verify(self, conn: t.Any, url: str, verify: t.Any, cert: t.Any) -> None:
        """Leave the trust to the context, to which requests would add that which it brings along."""
        conn.cert_reqs = "CERT_REQUIRED" if verify else "CERT_NONE"


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._meter = Meter(sock, _MAX_HEAD, "Its head")
        self.fp = io.BufferedReader(self._meter, _BUFFER)

    def begin(self) -> None:
        if getattr(self, "headers", None) is not None:
            return
        super().begin()
        while 100 <= self.status < 200 and self.status != _SWITCHING_PROTOCOLS:
            # What comes before an answer, such as early hints, however often it does: all of it counts as one head.
            self.headers = t.cast("t.Any", None)
            super().begin()
        kept = http.client.HTTPMessage()
        for name in _HEADERS:
            for value in self.headers.get_all(name, ()):
                kept[name] = value
        self.headers = self.msg = kept
        self._meter.allow(_MAX_CHUNKED, "It")

    def _read_next_chunk_size(self) -> int:
        # As http.client has it, which takes a minus for a digit, and reads to the end for it.
        size = int(super()._read_next_chunk_size())  # type: ignore[misc]
        if size < 0:
            raise http.client.HTTPException("a chunk of negative size")
        return size


class _Connection(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()
        try:
            hold(sock.fileno())
        except BaseException:
            sock.close()
            raise
        return sock

    def request(self, *args: t.Any, **kwargs: t.Any) -> None:
        if self.sock is not None:
            # Perhaps one that is left from an earlier call.
            hold(self.sock.fileno())
        super().request(*args, **kwargs)


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection
