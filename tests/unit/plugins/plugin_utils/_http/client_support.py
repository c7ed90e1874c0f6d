# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client as the tests use it: it records its pauses, and whether it had its turn in them."""

from __future__ import annotations

import contextlib
import pathlib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_STATUS, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.client import Client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, Provider, Transport
from ansible_collections.certfleet.collectssl.tests.support.https_server import (
    Server,
    answer,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity

LOGIN_NAME = "rehearsal & co"
PASSWORD = "a + & % = \u00fc \"'<b>/\\ word"
ORDER_NUMBER = "12 + & % = \u00fc"
PENDING = answer("errorCode=0")
REQUEST = CollectRequest("order_number", ORDER_NUMBER, query_type=QUERY_STATUS, show=["fqdn"])


class Asker:
    """A client with a clock of its own: it pauses in no time."""

    def __init__(self, url: str, verify: bool | pathlib.Path, proxy: str | None, seconds: int, retries: int) -> None:
        trust = verify if isinstance(verify, bool) else str(verify)
        transport = Transport(trust, proxy, seconds, retries)
        self.details: list[str] = []
        provider = Provider(url, Credentials(LOGIN_NAME, PASSWORD), transport)
        self.client = Client(provider, self._sleep, self.details.append)
        self.pauses: list[float] = []
        self.turns = 0
        self._has_turn = False

    def ask(self, request: CollectRequest = REQUEST) -> t.Any:
        """Ask about an order."""
        return self.client.ask(request, self._turn)

    def _sleep(self, pause: float) -> None:
        assert not self._has_turn, "paused within its turn"
        self.pauses.append(pause)

    @contextlib.contextmanager
    def _turn(self) -> t.Iterator[None]:
        self.turns += 1
        self._has_turn = True
        try:
            yield
        finally:
            self._has_turn = False


def asker(url: str, verify: bool | pathlib.Path, proxy: str | None = None, seconds: int = 5, retries: int = 0) -> Asker:
    """A client for an address; ``verify`` may be the file or folder to trust."""
    return Asker(url, verify, proxy, seconds, retries)


def asker_of(server: Server, identity: Identity, **options: t.Any) -> Asker:
    """A client that trusts a server."""
    return asker(server.url, identity.ca_pem, **options)


def shown(error: BaseException) -> str:
    """All that an error says, with its causes and their arguments."""
    texts = []
    cause: BaseException | None = error
    while cause is not None:
        texts += [str(cause), repr(cause), repr(cause.args)]
        cause = cause.__cause__ or cause.__context__
    return "".join(texts)
