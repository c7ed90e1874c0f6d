# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session over which calls travel: kept alive, TLS 1.2 or newer, bounded in time, free of the environment.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import base64
import http.client
import http.cookiejar
import io
import os
import socket
import ssl
import time
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

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

_sessions: dict[tuple[int, bool | str], requests.Session] = {}


def session_for(verify: bool | str) -> requests.Session:
    """The session of this process for one kind of trust: the system's (True), none (False), or a file's or folder's.

    :raises OptionError: where the file or the folder holds nothing to trust.
    """
    process = os.getpid()
    session = _sessions.get((process, verify))
    if session is None:
        # A forked worker must not speak over a connection that it inherited.
        for inherited in [key for key in _sessions if key[0] != process]:
            del _sessions[inherited]
        session = _sessions[process, verify] = requests.Session()
        # Neither proxies nor credentials nor trust come from the environment behind the back of the options.
        session.trust_env = False
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update({"User-Agent": "certfleet.collectssl", "Accept-Encoding": "identity"})
        session.mount("https://", _Adapter(_context(verify)))
    return session


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


class _Adapter(HTTPAdapter):
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


class _Deadline(io.RawIOBase):
    """Reads a socket for as long as its timeout says, all reads together; on its own, each read begins anew."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        seconds = sock.gettimeout()
        self._end = None if seconds is None else time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Deadline(sock))


class _Connection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection
