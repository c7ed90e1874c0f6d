# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client makes of a server that fails, dawdles, lies, or sends something else than an answer."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import html
import json
import socket
import time
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError, TransportError
from ansible_collections.certfleet.collectssl.tests.support.https_server import (
    Reply,
    Server,
    answer,
    drip,
    endless,
    reset,
    send,
    stall,
)
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    ORDER_NUMBER,
    PASSWORD,
    PENDING,
    asker,
    asker_of,
    shown,
)

TRUNCATED = send(answer("errorCode=0", length=500), keep=False)


def date_in(seconds: float) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return email.utils.format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        # ssl takes a reset for the end of the connection.
        (reset, "the connection was "),
        (send(b"", keep=False), "the connection was closed without an answer"),
        (TRUNCATED, "the answer broke off"),
        (answer("busy", 429), "it answered with HTTP status 429"),
        (answer("<html>", 502), "it answered with HTTP status 502"),
        (answer("<html>", 503), "it answered with HTTP status 503"),
        (answer("<html>", 504), "it answered with HTTP status 504"),
    ],
)
def test_passing_faults_are_tried_again_and_told_when_they_stay(
    identity: Identity, reply: Reply | bytes, reason: str
) -> None:
    with Server(identity.context(), reply, reply, PENDING) as server:
        mended = asker_of(server, identity, retries=2)
        assert mended.ask().state == "pending"
        assert (mended.turns, len(mended.pauses)) == (3, 2)
    with Server(identity.context(), reply) as server:
        hopeless = asker_of(server, identity, retries=1)
        with pytest.raises(TransportError) as caught:
            hopeless.ask()
        assert len(server.calls) == 2
    message = str(caught.value)
    begin = f"localhost:{server.port} could not be asked about order number {ORDER_NUMBER}: {reason}"
    assert message.startswith(begin)
    assert ", in 2 tries. " in message
    assert message.endswith(("Check api_url, proxy and the network, or run again later.", "Run again later."))
    assert PASSWORD not in shown(caught.value)


def test_pauses_grow_and_are_never_twice_the_same(identity: Identity) -> None:
    with Server(identity.context(), answer("", 503)) as server:
        hopeless = asker_of(server, identity, retries=7)
        with pytest.raises(TransportError, match="in 8 tries"):
            hopeless.ask()
    limits = [1, 2, 4, 8, 16, 30, 30]
    assert [limit / 2 <= pause <= limit for limit, pause in zip(limits, hopeless.pauses, strict=True)] == [True] * 7
    assert len(set(hopeless.pauses)) == 7


def test_retry_after_is_honoured_in_seconds_and_as_a_date(identity: Identity) -> None:
    replies = (
        answer("", 503, "Retry-After: 7"),
        answer("", 429, f"Retry-After: {date_in(60)}"),
        answer("", 429, f"Retry-After: {date_in(-60)}"),
        PENDING,
    )
    with Server(identity.context(), *replies) as server:
        patient = asker_of(server, identity, retries=3)
        patient.ask()
    assert patient.pauses[0] == 7
    assert 55 < patient.pauses[1] <= 60
    assert patient.pauses[2] == 0


@pytest.mark.parametrize(
    "header",
    ["soon", "\u00b2", "-5", "1.5", "", "Mon, 99 Foo 2026 25:61:61 GMT", "Mon, 01 Jan 2024 00:00:00 +99999999"],
)
def test_a_retry_after_that_says_nothing_is_passed_over(identity: Identity, header: str) -> None:
    with Server(identity.context(), answer("", 503, f"Retry-After: {header}"), PENDING) as server:
        patient = asker_of(server, identity, retries=1)
        patient.ask()
    assert len(patient.pauses) == 1
    assert 0 <= patient.pauses[0] <= 1


@pytest.mark.parametrize("header", ["3600", "9" * 500])
def test_nobody_waits_for_hours_within_a_call(identity: Identity, header: str) -> None:
    with Server(identity.context(), answer("", 503, f"Retry-After: {header}")) as server:
        impatient = asker_of(server, identity, retries=3)
        with pytest.raises(TransportError, match=r"HTTP status 503, in 1 try\. It asked to wait [0-9]+ s\. Run again"):
            impatient.ask()
    assert not impatient.pauses


def test_the_limit_of_calls_is_waited_for_and_then_handed_on_as_an_answer(identity: Identity) -> None:
    limit = answer("errorCode=-42&errorMessage=Call+limit+reached")
    with Server(identity.context(), limit, PENDING) as server:
        patient = asker_of(server, identity, retries=1)
        assert patient.ask().status_code == 0
        assert len(patient.pauses) == 1
    with Server(identity.context(), limit) as server:
        hopeless = asker_of(server, identity, retries=2)
        response = hopeless.ask()
    assert (response.status_code, response.message) == (-42, "Call limit reached")
    assert (hopeless.turns, len(hopeless.pauses)) == (3, 2)


def test_a_redirect_is_not_followed(identity: Identity) -> None:
    with Server(identity.context(), PENDING) as elsewhere:
        location = f"Location: https://user:{urllib.parse.quote(PASSWORD)}@localhost:{elsewhere.port}/"
        for status in (301, 302, 303, 307, 308):
            with Server(identity.context(), answer("", status, location)) as server:
                asked = asker_of(server, identity, retries=3)
                with pytest.raises(TransportError) as caught:
                    asked.ask()
            told = f"redirect (HTTP status {status}) to localhost:{elsewhere.port}. Redirects are not followed"
            assert told in str(caught.value)
            assert not leaks(str(caught.value).replace(ORDER_NUMBER, ""))
            assert len(server.calls) == 1
    assert not elsewhere.calls


# --- time and size


#: What drips here takes 90 s and more unless it is ended; a busy machine may take long to end it (seconds).
_SLOWEST = 60


def timed(call: t.Callable[[], t.Any]) -> float:
    begun = time.monotonic()
    with pytest.raises(TransportError, match=r"no whole answer within 1 s"):
        call()
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(stall(600), id="nothing"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 500), id="head"),
        pytest.param(drip(answer("errorCode=0" + "&a=b" * 500)), id="head and body"),
        pytest.param(stall(600, b"HTTP/1.1 200 OK\r\n\r\n"), id="no body"),
    ],
)
def test_time_is_bounded_however_slowly_an_answer_comes(identity: Identity, reply: Reply) -> None:
    with Server(identity.context(), reply) as server:
        assert timed(lambda: asker_of(server, identity, seconds=1).ask()) < _SLOWEST


def test_a_dripped_body_and_dripped_chunks_are_bounded_too(identity: Identity) -> None:
    def body(connection: t.Any) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        return drip(b"1\r\na\r\n" * 500)(connection)

    with Server(identity.context(), body) as server:
        assert timed(lambda: asker_of(server, identity, seconds=1).ask()) < _SLOWEST


def test_a_handshake_that_never_comes_is_bounded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}/"
        assert timed(lambda: asker(url, True, seconds=1).ask()) < _SLOWEST


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_an_endless_body_is_not_read_to_its_end(identity: Identity, head: bytes) -> None:
    piece = b"10000\r\n" + b"0\n" * 0x8000 + b"\r\n"
    with Server(identity.context(), endless(head, piece)) as server:
        asked = asker_of(server, identity, seconds=20, retries=3)
        with pytest.raises(
            ProtocolError, match=r"It is longer than 4194304 octets, and was not read further\. Run again"
        ):
            asked.ask()
    assert not asked.pauses


@pytest.mark.parametrize("stated", [10**12, int("9" * 40)])
def test_a_stated_length_without_end_takes_no_memory(identity: Identity, stated: int) -> None:
    with (
        Server(identity.context(), send(answer("errorCode=0", length=stated), keep=False)) as server,
        pytest.raises(TransportError, match="the answer broke off"),
    ):
        asker_of(server, identity).ask()


def test_a_compressed_answer_is_not_unpacked(identity: Identity) -> None:
    bomb = gzip.compress(b"0" * (8 * 1024 * 1024))
    with (
        Server(identity.context(), answer(bomb, 200, "Content-Encoding: gzip")) as server,
        pytest.raises(ProtocolError, match=r"It is compressed \(gzip\), which was not asked for\."),
    ):
        asker_of(server, identity).ask()


# --- what is not an answer, and what it may echo


def test_a_page_is_told_with_its_status_and_not_tried_again(identity: Identity) -> None:
    page = answer("<html><body>Maintenance</body></html>", 500, "Content-Type: text/html")
    with Server(identity.context(), page) as server:
        asked = asker_of(server, identity, retries=3)
        with pytest.raises(ProtocolError) as caught:
            asked.ask()
    message = str(caught.value)
    assert message.startswith(
        f"What localhost:{server.port} sent about order number {ORDER_NUMBER} with HTTP status 500"
    )
    assert "Maintenance" in message
    assert message.endswith(". Run again later; if it stays so, ask the provider.")
    assert (len(server.calls), asked.pauses) == (1, [])


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (404, "Check api_url: the interface is not at this address."),
        (410, "Check api_url: the interface is not at this address."),
        (405, "Check api_url: the interface is not at this address."),
        (403, "Check api_url, and ask the provider whether it lets the address of this controller in."),
        (401, "Check api_url, and ask the provider whether it lets the address of this controller in."),
        (400, "Run again later; if it stays so, ask the provider."),
        (500, "Run again later; if it stays so, ask the provider."),
    ],
)
@pytest.mark.parametrize("body", ["<html><title>Not here</title></html>", "", "Not Found"])
def test_what_to_do_hangs_on_the_status(identity: Identity, status: int, advice: str, body: str) -> None:
    with (
        Server(identity.context(), answer(body, status, "Content-Type: text/html")) as server,
        pytest.raises(ProtocolError) as caught,
    ):
        asker_of(server, identity, retries=3).ask()
    assert f"with HTTP status {status} cannot be used. " in str(caught.value)
    assert str(caught.value).endswith(f" {advice}")
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [101, 201, 202, 204, 206, 300, 304, 400, 403, 404, 500])
@pytest.mark.parametrize("body", ["errorCode=0", "0\n", "errorCode=-4&errorMessage=Wrong"])
def test_only_status_200_brings_an_answer(identity: Identity, status: int, body: str) -> None:
    with Server(identity.context(), answer(body, status)) as server:
        asked = asker_of(server, identity, retries=3)
        with pytest.raises(ProtocolError) as caught:
            asked.ask()
    assert f"with HTTP status {status} cannot be used. Only HTTP status 200 brings an answer. " in str(caught.value)
    # These come without a body, whatever follows.
    if status not in (101, 204, 304):
        assert f"It begins: {body.strip()}. " in str(caught.value)
    assert (len(server.calls), asked.pauses) == (1, [])


def test_what_is_said_before_an_answer_is_none(identity: Identity) -> None:
    early = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    )
    with Server(identity.context(), early + PENDING) as server:
        for _number in range(2):
            assert asker_of(server, identity).ask().state == "pending"
    assert server.connections == 1


ECHOES = {
    "raw": PASSWORD,
    "quoted": urllib.parse.quote(PASSWORD),
    "wholly quoted": urllib.parse.quote(PASSWORD, safe=""),
    "as a form": urllib.parse.quote_plus(PASSWORD),
    "as a form in small letters": urllib.parse.urlencode({"p": PASSWORD})[2:].lower(),
    "quoted twice": urllib.parse.quote(urllib.parse.quote(PASSWORD)),
    "latin-1": urllib.parse.quote_plus(PASSWORD, encoding="latin-1"),
    "html": html.escape(PASSWORD),
    "html without quotes": html.escape(PASSWORD, quote=False),
    "html in numbers": "".join(f"&#{ord(char)};" for char in PASSWORD),
    "html in hexadecimal numbers": "".join(f"&#x{ord(char):X};" for char in PASSWORD),
    "html by name": html.escape(PASSWORD)
    .replace("\u00fc", "&uuml;")
    .replace(" ", "&nbsp;")
    .replace("&#x27;", "&apos;"),
    "json": json.dumps(PASSWORD)[1:-1],
    "json in utf-8": json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
    "python": repr(PASSWORD)[1:-1],
    "form in html": html.escape(urllib.parse.quote_plus(PASSWORD)),
    "blanks folded": "\n   ".join(PASSWORD.split(" ")),
}


def leaks(text: str) -> bool:
    """Whether a piece of the password is to be seen that tells it from ordinary words."""
    plain = html.unescape(urllib.parse.unquote_plus(urllib.parse.unquote(text)))
    return any(piece in plain for piece in ("\u00fc", "= \u00fc", "& % =", "<b>/", "\\ word", "\\u00fc"))


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_no_echo_of_the_password_is_shown(identity: Identity, echo: str) -> None:
    # The excerpt in the message ends at every place of the echo.
    paddings = range(150, 210, 6)
    pages = [answer(f"<html>{'x' * padding} {echo} end", 200, "Content-Type: text/html") for padding in paddings]
    with Server(identity.context(), *pages) as server:
        for _page in pages:
            with pytest.raises(ProtocolError) as caught:
                asker_of(server, identity).ask()
            assert "<html>x" in str(caught.value)
            assert not leaks(str(caught.value).replace(ORDER_NUMBER, "")), str(caught.value)
            assert PASSWORD not in shown(caught.value)


def test_an_echo_in_latin_1_and_one_in_a_header_are_not_shown(identity: Identity) -> None:
    page = b"<html>" + PASSWORD.encode("latin-1")
    kind = f"Content-Type: text/{urllib.parse.quote(PASSWORD)}"
    with Server(identity.context(), answer(page, 200, kind)) as server, pytest.raises(ProtocolError) as caught:
        asker_of(server, identity).ask()
    message = str(caught.value).replace(ORDER_NUMBER, "")
    assert not leaks(message)
    assert "\ufffd" not in message
    assert message.count("***") == 2


def test_an_echo_where_a_number_should_stand_is_not_shown(identity: Identity) -> None:
    with Server(identity.context(), answer(f"errorCode={PASSWORD}")) as server, pytest.raises(ProtocolError) as caught:
        asker_of(server, identity).ask()
    assert not leaks(str(caught.value).replace(ORDER_NUMBER, ""))


@pytest.mark.parametrize("piece", ["+", "a + ", "%25", "\\", "&#0", "\ufffd"])
def test_a_page_made_to_slow_the_search_for_secrets_down_does_not(identity: Identity, piece: str) -> None:
    page = answer(f"<html>a{piece * (3 * 10**6 // len(piece.encode('utf-8')))}")
    with Server(identity.context(), page) as server:
        begun = time.process_time()
        with pytest.raises(ProtocolError, match="is an HTML page"):
            asker_of(server, identity, seconds=20).ask()
    assert time.process_time() - begun < 5
