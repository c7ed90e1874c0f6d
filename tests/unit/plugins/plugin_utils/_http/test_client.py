# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls over real TLS to a server that behaves well, badly and not at all."""

from __future__ import annotations

import contextlib
import multiprocessing
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import typing as t
import urllib.request
import warnings

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    OptionError,
    ProtocolError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.client import Client
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.exchange import Seen
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, Provider, Transport
from ansible_collections.certfleet.collectssl.tests.support.https_server import (
    Server,
    answer,
    reset,
    send,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    LOGIN_NAME,
    ORDER_NUMBER,
    PASSWORD,
    PENDING,
    REQUEST,
    asker,
    asker_of,
    shown,
)


def test_values_arrive_as_they_were_given(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        response = asker_of(server, identity).ask()
    call = server.calls[0]
    assert response.state == "pending"
    assert call.request_line == "POST /products/download/CollectSSL HTTP/1.1"
    assert call.variables == {
        "loginName": LOGIN_NAME,
        "loginPassword": PASSWORD,
        "orderNumber": ORDER_NUMBER,
        "queryType": "0",
        "responseType": "3",
        "responseEncoding": "0",
        "showFQDN": "Y",
        "responseFormat": "1",
    }
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.headers["user-agent"] == "certfleet.collectssl"
    assert call.headers["accept-encoding"] == "identity"
    assert "authorization" not in call.headers


def test_a_collection_code_goes_instead_of_the_account(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        provider = Provider(server.url, Credentials(collection_code="c+d"), Transport(str(identity.ca_pem), None, 5, 0))
        Client(provider).ask(REQUEST, contextlib.nullcontext)
    assert server.calls[0].variables["collectionCode"] == "c+d"
    assert not {"loginName", "loginPassword"} & set(server.calls[0].variables)


def test_environment_and_netrc_are_not_looked_at(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    def asked(*_args: t.Any, **_kwargs: t.Any) -> t.NoReturn:
        raise AssertionError("the system was asked")

    for name in ("getproxies", "proxy_bypass", "getproxies_environment"):
        monkeypatch.setattr(urllib.request, name, asked)
        monkeypatch.setattr(f"requests.utils.{name}", asked, raising=False)
    (tmp_path / "netrc").write_text("machine localhost login net password rc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with Server(identity.context(), PENDING) as server:
        assert asker_of(server, identity).ask().state == "pending"
    assert "authorization" not in server.calls[0].headers


def test_cookies_do_not_go_from_one_account_to_the_next(identity: Identity) -> None:
    with Server(identity.context(), answer("errorCode=0", 200, "Set-Cookie: session=1; Path=/")) as server:
        for _number in range(2):
            asker_of(server, identity).ask()
    assert ["cookie" in call.headers for call in server.calls] == [False, False]


def test_two_calls_travel_over_one_connection(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        for _number in range(2):
            asker_of(server, identity).ask()
    assert [call.connection for call in server.calls] == [1, 1]


def _ask_in_child(url: str, ca_pem: pathlib.Path) -> None:
    asker(url, ca_pem).ask()


def test_a_fork_opens_a_connection_of_its_own_and_leaves_the_parents_alone(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        parent = asker_of(server, identity)
        parent.ask()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = multiprocessing.get_context("fork").Process(
                target=_ask_in_child, args=(server.url, identity.ca_pem)
            )
            child.start()
        child.join(20)
        assert child.exitcode == 0
        parent.ask()
    assert [call.connection for call in server.calls] == [1, 2, 1]


def test_a_connection_that_the_server_closed_in_between_is_opened_anew(identity: Identity) -> None:
    with Server(identity.context(), send(PENDING, keep=False), PENDING) as server:
        asker_of(server, identity).ask()
        time.sleep(0.1)
        assert asker_of(server, identity).ask().state == "pending"
    assert [call.connection for call in server.calls] == [1, 2]


def test_a_connection_that_dies_under_the_second_call_costs_a_retry(identity: Identity) -> None:
    with Server(identity.context(), PENDING, reset, PENDING) as server:
        asker_of(server, identity).ask()
        second = asker_of(server, identity, retries=1)
        assert second.ask().state == "pending"
    assert len(second.pauses) == 1
    assert [call.connection for call in server.calls] == [1, 1, 2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(identity: Identity) -> None:
    context = identity.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Server(context, PENDING) as server:
        old = asker_of(server, identity, retries=3)
        with pytest.raises(
            TransportError, match=r"it does not speak TLS 1.2 or newer\. Check api_url and proxy\."
        ) as caught:
            old.ask()
    assert not server.calls
    assert not old.pauses
    assert PASSWORD not in shown(caught.value)
    # The server does speak TLS 1.1 with who wants it, so that it is the version which was refused.
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(identity.ca_pem)
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with (
        Server(context, PENDING) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain,
        client.wrap_socket(plain, server_hostname="localhost") as spoken,
    ):
        assert spoken.version() == "TLSv1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_newer_are_spoken_and_kept_alive(identity: Identity, version: ssl.TLSVersion) -> None:
    context = identity.context()
    context.minimum_version = context.maximum_version = version
    with Server(context, PENDING) as server:
        for _number in range(2):
            asker_of(server, identity).ask()
    assert server.connections == 1


def test_an_untrusted_certificate_is_told_once_and_nothing_is_sent(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        stranger = asker(server.url, True, retries=3)
        with pytest.raises(TransportError) as caught:
            stranger.ask()
    assert str(caught.value) == (
        f"localhost:{server.port} could not be asked about order number 12 + & % = \u00fc: the TLS certificate is not "
        "trusted (unable to get local issuer certificate), so nothing was sent. If the endpoint is right, give the "
        "certificates to trust in ca_path."
    )
    assert (server.calls, server.connections, stranger.pauses) == ([], 1, [])


def test_a_certificate_for_another_name_is_refused(tmp_path: pathlib.Path) -> None:
    other = Identity.make(tmp_path, "other.example.com")
    with Server(other.context(), PENDING) as server:
        with pytest.raises(TransportError, match=r"not trusted .*localhost") as caught:
            asker_of(server, other).ask()
        assert ".)" not in str(caught.value)
    assert not server.calls


def test_a_folder_of_certificates_is_taken_for_trust(identity: Identity, tmp_path: pathlib.Path) -> None:
    if not shutil.which("openssl"):
        pytest.fail("this test needs openssl")
    shutil.copy(identity.ca_pem, tmp_path)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, timeout=20)
    with Server(identity.context(), PENDING) as server:
        assert asker(server.url, tmp_path).ask().state == "pending"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_systems_store_follows_openssls_variables(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, variable: str
) -> None:
    shutil.copy(identity.ca_pem, tmp_path)
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, timeout=20)
    monkeypatch.setenv(variable, str(identity.ca_pem if variable == "SSL_CERT_FILE" else tmp_path))
    with Server(identity.context(), PENDING) as server:
        assert asker(server.url, True).ask().state == "pending"


def test_without_validate_certs_anything_is_taken_in_silence(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asker(server.url, False).ask().state == "pending"


def test_trust_is_not_shared_between_calls_of_one_process(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        assert asker(server.url, False).ask().state == "pending"
        with pytest.raises(TransportError, match="not trusted"):
            asker(server.url, True).ask()
    assert len(server.calls) == 1


def test_a_ca_path_that_holds_nothing_is_named(identity: Identity, tmp_path: pathlib.Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate\n")
    sentence = r"^ca_path \S+ca.pem cannot be used: it holds no certificate in PEM\.$"
    with Server(identity.context(), PENDING) as server, pytest.raises(OptionError, match=sentence):
        asker(server.url, tmp_path / "ca.pem", retries=3).ask()
    assert server.connections == 0


def test_a_port_without_tls_is_told_from_a_broken_network() -> None:
    with Server(None, send(b"HTTP/1.1 400 Bad Request\r\n\r\n", keep=False)) as server:
        plain = asker(server.url, True, retries=3)
        with pytest.raises(TransportError, match=r"it does not speak TLS\. Check api_url and proxy\."):
            plain.ask()
    assert not plain.pauses


# What a close look shows.


def told(details: list[str], url: str, order_number: str = ORDER_NUMBER) -> list[str]:
    """Each line without its beginning, which is the same for all, and without the time that a call took."""
    begin = f"collectssl: POST {url} about order number {order_number}: "
    assert all(line.startswith(begin) for line in details), details
    return [re.sub(r", [0-9]+\.[0-9][0-9] s\Z", "", line[len(begin) :]) for line in details]


def test_each_call_is_told_in_a_line(identity: Identity) -> None:
    page = answer("<html>sorry</html>", 500)
    with Server(identity.context(), PENDING, answer("errorCode=-42"), answer("", 503), page) as server:
        asking = asker_of(server, identity, retries=2)
        asking.ask()
        with pytest.raises(ProtocolError):
            asking.ask()
    assert told(asking.details, server.url) == [
        "HTTP status 200, status code 0, 11 bytes",
        "HTTP status 200, status code -42, 13 bytes",
        "HTTP status 503, no answer of the interface, 0 bytes",
        "HTTP status 500, no answer of the interface, 18 bytes",
    ]


def test_a_call_that_comes_to_nothing_is_told_too(identity: Identity) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    url = f"https://127.0.0.1:{port}/x"
    asking = asker(url, identity.ca_pem, retries=1)
    with pytest.raises(TransportError):
        asking.ask()
    lines = told(asking.details, url)
    assert len(lines) == 2
    assert all(line.startswith("no HTTP status, ") and line.endswith(", 0 bytes") for line in lines), lines


def test_a_line_about_a_call_holds_no_secret(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as server:
        asking = asker_of(server, identity)
        request = CollectRequest("order_number", f"12 {PASSWORD}")
        asking.client.ask(request, contextlib.nullcontext)
    assert told(asking.details, server.url, "12 ***") == ["HTTP status 200, status code 0, 11 bytes"]
    default = Client(
        Provider("https://provider.example.com/x", Credentials("me", PASSWORD), Transport(True, None, 1, 0))
    )
    line = default._line(REQUEST, Seen(), 0.5)
    assert line.startswith("collectssl: POST https://provider.example.com:443/x about ")
    assert line.endswith(": no HTTP status, no answer, 0 bytes, 0.50 s")
