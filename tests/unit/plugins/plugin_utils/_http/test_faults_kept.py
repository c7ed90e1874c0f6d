# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of each fault that the libraries raise, wherever in the error they put it; and of proxies."""

from __future__ import annotations

import http.client
import importlib.metadata
import socket
import ssl
import typing as t

import pytest
import requests
import urllib3.exceptions
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import faults, libraries, session
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.faults import Fault, describe

_RETRY = "Check api_url, proxy and the network, or run again later."
_PLACES = "Check api_url and proxy."
_TRUST = "If the endpoint is right, give the certificates to trust in ca_path."
_PROXY = "http://me:s3cret@proxy.example.com:3128"


def _tls(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "failed")
    error.reason = reason  # type: ignore[assignment]
    return error


def _untrusted(message: str | None) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "failed")
    if message is not None:
        error.verify_message = message
    return error


def _after(seconds: int) -> Fault:
    return Fault(f"no whole answer within {seconds} s", _RETRY, True)


def _passing(reason: str, known: bool = True) -> Fault:
    return Fault(reason, _RETRY, True, known)


_CASES: list[tuple[BaseException, Fault]] = [
    (
        _untrusted("self-signed certificate."),
        Fault("the TLS certificate is not trusted (self-signed certificate), so nothing was sent", _TRUST, False),
    ),
    *(
        (
            _untrusted(message),
            Fault("the TLS certificate is not trusted (certificate verify failed), so nothing was sent", _TRUST, False),
        )
        for message in ("", None)
    ),
    *(
        (error, Fault("the address cannot be used", _PLACES, False))
        for error in (
            requests.exceptions.InvalidURL("x"),
            requests.exceptions.InvalidSchema("x"),
            requests.exceptions.MissingSchema("x"),
            urllib3.exceptions.LocationValueError("x"),
            UnicodeError("x"),
        )
    ),
    *(
        (_tls(f"{reason}_AND_MORE"), Fault("it does not speak TLS 1.2 or newer", _PLACES, False))
        for reason in ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION")
    ),
    *(
        (_tls(reason), Fault("it does not speak TLS", _PLACES, False))
        for reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
    ),
    (_tls("BAD_RECORD"), _passing("TLS failed (BAD_RECORD)")),
    (_tls(None), _passing("TLS failed (no reason given)")),
    (_tls(""), _passing("TLS failed (no reason given)")),
    (socket.gaierror(-2, "Name or service not known"), _passing("the name could not be resolved")),
    (TimeoutError("timed out"), _after(7)),
    (requests.exceptions.ReadTimeout("x"), _after(7)),
    (urllib3.exceptions.ReadTimeoutError(t.cast("t.Any", None), "", "x"), _after(7)),
    (http.client.RemoteDisconnected("x"), _passing("the connection was closed without an answer")),
    (ConnectionResetError(104, "reset"), _passing("the connection was reset")),
    (BrokenPipeError(32, "broken"), _passing("the connection was reset")),
    (http.client.IncompleteRead(b"", 3), _passing("the answer broke off")),
    (urllib3.exceptions.IncompleteRead(1, 3), _passing("the answer broke off")),
    (OSError(113, "No Route To Host"), _passing("no route to host")),
    (http.client.BadStatusLine("x"), _passing("what came is damaged, or no HTTP (BadStatusLine)")),
    (
        urllib3.exceptions.HeaderParsingError([], b"x"),
        _passing("what came is damaged, or no HTTP (HeaderParsingError)"),
    ),
    (KeyError("x"), _passing("what came is damaged, or no HTTP (KeyError)", False)),
    (OSError("without words of the system"), _passing("the call failed (OSError)")),
    (requests.exceptions.ConnectionError("x"), _passing("the call failed (ConnectionError)")),
    (urllib3.exceptions.HTTPError("x"), _passing("the call failed (HTTPError)")),
]


@pytest.mark.parametrize(("error", "fault"), _CASES, ids=lambda value: type(value).__name__)
def test_each_fault_is_told_in_its_words(error: BaseException, fault: Fault) -> None:
    assert describe(error, 7.4, None) == fault


def _in_reason(error: BaseException) -> BaseException:
    outer = urllib3.exceptions.HTTPError("x")
    outer.reason = error  # type: ignore[attr-defined]
    return outer


def _in_arguments(error: BaseException) -> BaseException:
    return requests.exceptions.ConnectionError("x", error)


def _in_cause(error: BaseException) -> BaseException:
    outer = requests.exceptions.ConnectionError("x")
    outer.__cause__ = error
    return outer


def _in_context(error: BaseException) -> BaseException:
    outer = requests.exceptions.ConnectionError("x")
    outer.__context__ = error
    return outer


@pytest.mark.parametrize("wrap", [_in_reason, _in_arguments, _in_cause, _in_context])
def test_a_fault_is_found_wherever_the_libraries_put_it(wrap: t.Callable[[BaseException], BaseException]) -> None:
    inner = http.client.RemoteDisconnected("x")
    for error in (wrap(inner), wrap(wrap(inner))):
        assert describe(error, 7, None).reason == "the connection was closed without an answer"
    # One that leads back to itself is no search without end.
    outer = wrap(inner)
    inner.__context__ = outer
    assert list(faults._chain(outer)) == [outer, inner]


def _refused(text: str) -> requests.exceptions.ProxyError:
    return requests.exceptions.ProxyError(text)


_NAME = "the proxy proxy.example.com:3128"


@pytest.mark.parametrize(
    ("error", "proxy", "fault"),
    [
        (
            _refused("x Tunnel connection failed: 407 Nobody"),
            _PROXY,
            Fault(
                f"{_NAME} wants other credentials (HTTP status 407)", "Check the user and the password in proxy.", False
            ),
        ),
        *(
            (
                _refused(f"Tunnel connection failed: {status} x"),
                _PROXY,
                Fault(f"{_NAME} did not connect (HTTP status {status})", "Check proxy.", retryable),
            )
            for status, retryable in ((403, False), (405, False), (502, True), (599, True))
        ),
        (
            _refused("x"),
            _PROXY,
            _passing(f"the way through {_NAME} failed: the call failed (ProxyError)"),
        ),
        (
            _in_context(_untrusted("x")),
            _PROXY,
            Fault("the TLS certificate is not trusted (x), so nothing was sent", _TRUST, False),
        ),
        (TimeoutError("x"), _PROXY, _passing(f"no whole answer within 7 s through {_NAME}")),
        (requests.exceptions.ReadTimeout("x"), _PROXY, _after(7)),
        (ConnectionResetError(104, "x"), _PROXY, _passing("the connection was reset")),
        (_refused("x"), None, _passing("the way through the proxy  failed: the call failed (ProxyError)")),
        (KeyError("x"), _PROXY, _passing("what came is damaged, or no HTTP (KeyError)", False)),
    ],
)
def test_a_fault_of_a_proxy_is_told_by_its_name_without_its_user(
    error: BaseException, proxy: str | None, fault: Fault
) -> None:
    assert describe(error, 7, proxy) == fault


def test_the_libraries_are_asked_for_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[t.Any, ...]] = []
    monkeypatch.setattr(_library, "require", lambda *arguments: asked.append(arguments))
    libraries.require()
    assert asked == [
        ("urllib3", _library.OLDEST["urllib3"], importlib.metadata.version("urllib3"), None),
        ("requests", _library.OLDEST["requests"], session.REQUESTS_VERSION, None),
    ]
    assert requests.__version__ == session.REQUESTS_VERSION
