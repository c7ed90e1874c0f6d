# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the simulator share: a caller that knows nothing of the collection, and orders."""

from __future__ import annotations

import http.client
import json
import pathlib
import re
import ssl
import typing as t
import urllib.parse

import yaml

PASSWORD = "+ & % = space ü"
ACCOUNTS: list[dict[str, t.Any]] = [
    {"login_name": "owner", "login_password": PASSWORD},
    {"login_name": "other", "login_password": "other password", "foreign_order": -4, "bad_credentials": -4},
    {"login_name": "third", "login_password": "third password", "bad_credentials": -3},
]
GOOD = {"loginName": "owner", "loginPassword": PASSWORD, "orderNumber": "1", "queryType": "1"}


def dump_orders(
    path: pathlib.Path, orders: list[dict[str, t.Any]], accounts: list[dict[str, t.Any]] | None = None
) -> pathlib.Path:
    """Write an orders file; orders without account or names get those of most tests."""
    filled = [{"account": "owner", "names": ["www.example.com"], **order} for order in orders]
    path.write_text(
        yaml.safe_dump({"accounts": ACCOUNTS if accounts is None else accounts, "orders": filled}, allow_unicode=True),
        encoding="utf-8",
    )
    return path


class Answered(t.NamedTuple):
    """An HTTP response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def lines(self) -> list[str]:
        """The body in the lines format."""
        return self.body.decode("utf-8").splitlines()

    @property
    def fields(self) -> dict[str, list[str]]:
        """The body in the url-encoded format."""
        return urllib.parse.parse_qs(self.body.decode("ascii"), keep_blank_values=True)


class Caller:
    """Calls a simulator by itself, and not as others do, since answers to what is wrong are of interest too."""

    def __init__(self, ready: t.Mapping[str, t.Any]) -> None:
        self.ready = ready
        self.context = ssl.create_default_context(cafile=ready["ca_path"])
        self._connection: http.client.HTTPConnection | None = None

    def connection(self, url: str, timeout: float = 20) -> http.client.HTTPConnection:
        """Return a new connection to the host of a URL."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=timeout)
        return http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=timeout, context=self.context)

    def send(
        self,
        body: bytes | str,
        product: str = "ssl",
        method: str = "POST",
        content_type: str = "application/x-www-form-urlencoded",
        timeout: float = 20,
        key: str | None = None,
        query: str | None = None,
    ) -> Answered:
        """Send a body as it is, over a new connection, with a query string behind the address if one is given."""
        url = self.ready[key or f"api_url_{product}"]
        connection = self.connection(url, timeout)
        target = urllib.parse.urlsplit(url).path + ("" if query is None else f"?{query}")
        try:
            connection.request(method, target, body, {"Content-Type": content_type})
            response = connection.getresponse()
            return Answered(response.status, response.msg, response.read())
        finally:
            connection.close()

    def call(self, product: str = "ssl", timeout: float = 20, **arguments: str | None) -> Answered:
        """Make a good call with some arguments changed, or left out where they are None."""
        merged = {name: value for name, value in {**GOOD, **arguments}.items() if value is not None}
        return self.send(urllib.parse.urlencode(merged), product, timeout=timeout)

    def control(self, method: str, name: str, value: t.Any = None) -> t.Any:
        """Use the control interface; returns the JSON value."""
        if self._connection is None:
            self._connection = self.connection(self.ready["control_url"])
        body = None if value is None else json.dumps(value)
        self._connection.request(method, f"/control/{name}", body)
        response = self._connection.getresponse()
        return json.loads(response.read())

    def fault(self, name: str, **more: t.Any) -> t.Any:
        """Post a fault."""
        answer = self.control("POST", "faults", {"fault": name, **more})
        assert "error" not in answer, answer
        return answer

    def close(self) -> None:
        """Close the connection to the control interface."""
        if self._connection is not None:
            self._connection.close()


def pem_blocks(data: bytes) -> list[bytes]:
    """Return the DER of every PEM certificate in a text, in order."""
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", data, re.DOTALL)
    return [ssl.PEM_cert_to_DER_cert(block.decode("ascii")) for block in blocks]
