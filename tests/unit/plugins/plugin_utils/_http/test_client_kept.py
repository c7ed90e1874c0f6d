# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of a reply, what is read of it and when another try is made, without any network."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import random
import types
import typing as t
import warnings

import pytest
import requests
import urllib3.exceptions
from ansible_collections.certfleet.collectssl.plugins.module_utils import _errors
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError, TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client, exchange
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.bounded import TooMuch
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.exchange import Reply, Seen
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, Provider, Transport
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import REQUEST

_WORD = "s3cret word"
_LABEL = f"order number {REQUEST.identifier}"
_HOST = "provider.example.com:8443"
_PENDING = Reply(200, {}, b"errorCode=0")

Answer = Reply | BaseException


class _Scene:
    """A client whose calls come to what a script says."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *answers: Answer,
        retries: int = 0,
        detail: bool = True,
        url: str = f"https://{_HOST}/a/b",
        proxy: str | None = None,
    ) -> None:
        self.details: list[str] = []
        self.pauses: list[float] = []
        self.posted: list[tuple[t.Any, ...]] = []
        self._answers = list(answers)
        self.provider = Provider(url, Credentials("me", _WORD), Transport(True, proxy, 7, retries))
        self.client = client.Client(self.provider, self.pauses.append, self.details.append if detail else None)
        self.status: int | None = None
        monkeypatch.setattr(exchange, "post", self._post)
        monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2 if low != 0.5 else high)

    def _post(self, url: str, form: bytes, transport: Transport, seen: Seen) -> Reply:
        self.posted.append((url, form, transport))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            seen.status = self.status
            raise answer
        seen.status, seen.octets, seen.meaning = answer.status, len(answer.body), "no answer of the interface"
        return answer

    def ask(self) -> t.Any:
        """The answer."""
        return self.client.ask(REQUEST, contextlib.nullcontext)

    def fails(self, kind: type[Exception] = TransportError) -> str:
        """What is said where there is none."""
        with pytest.raises(kind) as caught:
            self.ask()
        return str(caught.value)


# --- tries --------------------------------------------------------------------------------------------------------


def test_a_form_goes_to_the_address_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, _PENDING)
    assert scene.ask().state == "pending"
    ((url, form, transport),) = scene.posted
    assert (url, transport) == (scene.provider.url, scene.provider.transport)
    assert form.startswith(b"loginName=me&loginPassword=s3cret+word&orderNumber=12+")


def test_pauses_double_up_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, Reply(503, {}, b""), retries=7)
    said = scene.fails()
    assert scene.pauses == [1, 2, 4, 8, 16, 30, 30]
    assert said == (
        f"{_HOST} could not be asked about {_LABEL}: it answered with HTTP status 503, in 8 tries. Run again later."
    )
    # However often it was tried.
    assert client._pause(100_000) == 30


def test_pauses_are_drawn_from_their_upper_half(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.75

    monkeypatch.setattr(random, "uniform", uniform)
    assert (client._pause(3), drawn) == (3.0, [(0.5, 1.0)])


@pytest.mark.parametrize(
    ("asked", "pauses", "end"),
    [
        ("0", [0.0], ", in 2 tries. Run again later."),
        ("5", [5.0], ", in 2 tries. It asked to wait 5 s. Run again later."),
        ("120", [120.0], ", in 2 tries. It asked to wait 120 s. Run again later."),
        ("121", [], ", in 1 try. It asked to wait 121 s. Run again later."),
        ("", [1.0], ", in 2 tries. Run again later."),
    ],
)
def test_as_long_a_pause_as_a_provider_asks_for_is_made_up_to_two_minutes(
    monkeypatch: pytest.MonkeyPatch, asked: str, pauses: list[float], end: str
) -> None:
    scene = _Scene(monkeypatch, Reply(429, {"Retry-After": asked}, b""), retries=1)
    assert scene.fails().endswith(f"it answered with HTTP status 429{end}")
    assert scene.pauses == pauses


def test_the_limit_of_calls_is_an_answer_at_the_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = Reply(200, {}, b"errorCode=-48")
    monkeypatch.setattr(client, "CALL_LIMIT_REACHED", -48)
    scene = _Scene(monkeypatch, limit, retries=2)
    assert scene.ask().status_code == -48
    assert scene.pauses == [1, 2]
    scene = _Scene(monkeypatch, limit, _PENDING, retries=2)
    assert scene.ask().state == "pending"
    assert scene.pauses == [1]
    scene = _Scene(monkeypatch, Reply(200, {}, b"errorCode=-20"), retries=2)
    assert scene.ask().status_code == -20
    assert scene.pauses == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("\u0667", None),
        ("\u00b2", None),
        ("9" * 13, 999_999_999_999.0),
        ("Mon, 02 Jan 2034 03:05:05 GMT", 60.0),
        ("Mon, 02 Jan 2034 03:05:05 -0000", 60.0),
        ("Mon, 02 Jan 2034 03:05:05 +0100", 0.0),
        ("Mon, 02 Jan 2034 03:05:05 -0100", 3660.0),
        ("Mon, 02 Jan 2034 03:04:05 GMT", 0.0),
        ("Mon, 02 Jan 2034 03:04:04 GMT", 0.0),
    ],
)
def test_a_provider_asks_for_a_pause_in_seconds_or_by_a_date(
    monkeypatch: pytest.MonkeyPatch, header: str | None, seconds: float | None
) -> None:
    class Moments(datetime.datetime):
        @classmethod
        def now(cls, tz: t.Any = None) -> t.Any:
            return datetime.datetime(2034, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(client, "datetime", types.SimpleNamespace(datetime=Moments, timezone=datetime.timezone))
    assert client._retry_after(header) == seconds


def test_no_more_of_a_date_is_read_than_one_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def parse(text: str) -> t.NoReturn:
        read.append(text)
        raise ValueError

    monkeypatch.setattr(email.utils, "parsedate_to_datetime", parse)
    assert client._retry_after(f"  {'x' * 100}") is None
    assert read == ["x" * 64]


# --- lines for who looks closely ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "answer", "status", "line"),
    [
        (
            "https://Provider.example.com:8443/a/b",
            _PENDING,
            None,
            "https://provider.example.com:8443/a/b about {}: HTTP status 200, status code 0, 11 bytes",
        ),
        (
            "https://provider.example.com/a?b",
            _PENDING,
            None,
            "https://provider.example.com:443/a about {}: HTTP status 200, status code 0, 11 bytes",
        ),
        (
            "https://provider.example.com/s3cret+word",
            Reply(404, {}, b"ab"),
            None,
            "https://provider.example.com:443/*** about {}: HTTP status 404, no answer of the interface, 2 bytes",
        ),
        (
            "https://provider.example.com/",
            OSError(113, "No Route to s3cret word\x1b"),
            None,
            "https://provider.example.com:443/ about {}: no HTTP status, no route to ***\\x1b, 0 bytes",
        ),
        (
            "https://provider.example.com/",
            TooMuch("It is long."),
            200,
            "https://provider.example.com:443/ about {}: HTTP status 200, no answer, 0 bytes",
        ),
    ],
)
def test_a_call_is_a_line(
    monkeypatch: pytest.MonkeyPatch, url: str, answer: Answer, status: int | None, line: str
) -> None:
    times = iter([100.0, 101.5] * 2)
    monkeypatch.setattr(client, "time", types.SimpleNamespace(monotonic=lambda: next(times), sleep=None))
    scene = _Scene(monkeypatch, answer, url=url)
    scene.status = status
    with contextlib.suppress(TransportError, ProtocolError):
        scene.ask()
    assert scene.details == [f"collectssl: POST {line.format(_LABEL)}, 1.50 s"]
    # Who does not look gets the same without a line.
    silent = _Scene(monkeypatch, answer, url=url, detail=False)
    with contextlib.suppress(TransportError, ProtocolError):
        silent.ask()
    assert len(silent.posted) == 1


def test_a_fault_that_nobody_knows_comes_with_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, KeyError("s3cret word \x1b[31m"))
    assert scene.fails() == (
        f"{_HOST} could not be asked about {_LABEL}: what came is damaged, or no HTTP (KeyError), in 1 try. Check "
        "api_url, proxy and the network, or run again later."
    )
    trace, _line = scene.details
    assert trace.startswith("Traceback (most recent call last):\n  File ")
    assert trace.rstrip().splitlines()[-1].startswith("KeyError: '*** ")
    assert "\x1b" not in trace
    # One that is known has none, and one that nobody looks at makes none.
    scene = _Scene(monkeypatch, OSError(113, "x"))
    scene.fails()
    assert len(scene.details) == 1
    assert _Scene(monkeypatch, KeyError("x"), detail=False).fails()


# --- what comes ---------------------------------------------------------------------------------------------------


def test_what_is_no_fault_of_a_call_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    error = _errors.OptionError("ca_path cannot be used.")
    assert _Scene(monkeypatch, error, retries=3).fails(_errors.OptionError) == "ca_path cannot be used."
    with pytest.raises(KeyboardInterrupt):
        _Scene(monkeypatch, KeyboardInterrupt(), retries=3).ask()


@pytest.mark.parametrize(
    ("status", "came"), [(None, ""), (200, " with HTTP status 200"), (404, " with HTTP status 404")]
)
def test_too_much_is_refused_with_what_is_known_of_the_call(
    monkeypatch: pytest.MonkeyPatch, status: int | None, came: str
) -> None:
    scene = _Scene(monkeypatch, TooMuch("It is s3cret+word, and long."), retries=3)
    scene.status = status
    hint = (
        "Check api_url: the interface is not at this address."
        if status == 404
        else "Run again later; if it stays so, ask the provider."
    )
    assert scene.fails(ProtocolError) == (
        f"What {_HOST} sent about {_LABEL}{came} cannot be used. It is ***, and long. {hint}"
    )
    assert scene.pauses == []


_ELSEWHERE = "Check api_url: the interface is not at this address."
_ADDRESS = "Check api_url, and ask the provider whether it lets the address of this controller in."
_LATER = "Run again later; if it stays so, ask the provider."


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        *((status, _ELSEWHERE) for status in (404, 405, 410)),
        *((status, _ADDRESS) for status in (401, 403)),
        *((status, _LATER) for status in (100, 201, 204, 400, 402, 406, 411, 418, 500, 501, 505)),
    ],
)
def test_any_other_status_is_refused_at_once_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, status: int, advice: str
) -> None:
    scene = _Scene(monkeypatch, Reply(status, {}, b"errorCode=0&x=s3cret+word"), retries=3)
    assert scene.fails(ProtocolError) == (
        f"What {_HOST} sent about {_LABEL} with HTTP status {status} cannot be used. Only HTTP status 200 brings an "
        f"answer. It begins: errorCode=0&x=***. {advice}"
    )
    assert scene.pauses == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_some_are_asked_again(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    scene = _Scene(monkeypatch, Reply(status, {}, b""), _PENDING, retries=3)
    assert scene.ask().state == "pending"
    assert scene.pauses == [1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://me:x@other.example.com:1/a", "other.example.com:1"),
        ("https://s3cret%20word.example.com/a", "***.example.com"),
        (f"https://{'o' * 90}/", f"{'o' * 80} …"),
        ("/a", "elsewhere"),
        ("https://[::1", "elsewhere"),
        (None, "elsewhere"),
    ],
)
def test_a_redirect_is_told_by_its_target_alone(
    monkeypatch: pytest.MonkeyPatch, status: int, location: str | None, target: str
) -> None:
    headers = {} if location is None else {"Location": location}
    scene = _Scene(monkeypatch, Reply(status, headers, b""), retries=3)
    assert scene.fails() == (
        f"{_HOST} answered the call about {_LABEL} with a redirect (HTTP status {status}) to {target}. Redirects are "
        "not followed, since the password would go along. Check api_url."
    )
    assert scene.pauses == []


def test_an_answer_that_broke_off_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, Reply(200, {"Content-Length": "50"}, b"errorCode=0"))
    assert scene.fails() == (
        f"{_HOST} could not be asked about {_LABEL}: the answer broke off after 11 of 50 octets, in 1 try. Run again "
        "later."
    )


def test_what_is_no_answer_is_read_again_from_a_clean_text(monkeypatch: pytest.MonkeyPatch) -> None:
    # The second reading has the type without the secret too.
    page = Reply(200, {"Content-Type": "text/s3cret+word"}, b"hello s3cret+word")
    said = _Scene(monkeypatch, page).fails(ProtocolError)
    assert "s3cret" not in said
    assert said.startswith(f"What {_HOST} sent about {_LABEL} with HTTP status 200 cannot be used. ")
    assert said.count("***") == 2
    assert said.endswith(f" {_LATER}")


def test_what_would_be_an_answer_without_the_secret_in_it_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, Reply(200, {}, b"errorCode=s3cret+word"))
    monkeypatch.setattr(scene.client, "scrub", lambda text: text.replace("s3cret+word", "0"))
    assert scene.fails(ProtocolError) == (
        f"What {_HOST} sent about {_LABEL} with HTTP status 200 cannot be used. It is not an answer of the CollectSSL "
        f"interface, and is not shown. {_LATER}"
    )


@pytest.mark.parametrize(("said", "shown"), [("It is x", "It is x."), *((f"Is it x{end}",) * 2 for end in ".?!")])
def test_what_is_said_of_a_page_is_a_sentence(monkeypatch: pytest.MonkeyPatch, said: str, shown: str) -> None:
    def refuse(*_arguments: t.Any) -> t.NoReturn:
        raise ProtocolError(said)

    monkeypatch.setattr(client, "parse", refuse)
    assert f" cannot be used. {shown} {_LATER}" in _Scene(monkeypatch, Reply(200, {}, b"")).fails(ProtocolError)


def test_no_more_of_a_page_is_cleaned_and_read_again_than_an_excerpt_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[int] = []
    read: list[int] = []

    def clean(text: str) -> str:
        cleaned.append(len(text))
        return text

    def refuse(body: bytes, *_arguments: t.Any) -> t.NoReturn:
        read.append(len(body))
        raise ProtocolError("It is a page.")

    scene = _Scene(monkeypatch, Reply(200, {}, b"x" * 70_000))
    monkeypatch.setattr(scene.client, "scrub", clean)
    monkeypatch.setattr(client, "parse", refuse)
    scene.fails(ProtocolError)
    assert read == [70_000, 32_768]
    assert cleaned[0] == 65_536


def test_the_words_of_a_fault_are_clean_and_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, OSError(5, "S3cret Word\x1b"), proxy="http://me:pr0xy-word@proxy:1")
    assert f"{_LABEL}: ***\\x1b, in 1 try." in scene.fails()
    assert scene.client.scrub("a pr0xy-word s3cret%20word b") == "a *** *** b"
    scene = _Scene(monkeypatch, requests.exceptions.InvalidURL("x"), retries=3)
    assert scene.fails() == (
        f"{_HOST} could not be asked about {_LABEL}: the address cannot be used. Check api_url and proxy."
    )
    assert scene.pauses == []


# --- the exchange -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "missing"),
    [
        (None, ""),
        ("", ""),
        ("2", ""),
        ("3", ""),
        ("4", "4"),
        ("-4", ""),
        ("4x", ""),
        ("\u0664", ""),
        ("\u00b2", ""),
        ("9" * 20, "9" * 18),
        (f"{'0' * 18}99", ""),
    ],
)
def test_what_is_missing_of_a_body_is_what_was_stated(stated: str | None, missing: str) -> None:
    assert Reply(200, {} if stated is None else {"Content-Length": stated}, b"abc").missing == missing


class _Raw:
    def __init__(self, *pieces: bytes | Exception) -> None:
        self.asked: list[int] = []
        self._pieces = iter(pieces)

    def read(self, size: int) -> bytes:
        """The next piece."""
        self.asked.append(size)
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        return piece


class _Library:
    """Stands in for an adapter and for what it brings."""

    def __init__(self, status: int, *pieces: bytes | Exception, **headers: str) -> None:
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.raw = _Raw(*pieces)
        self.sent: list[tuple[t.Any, dict[str, t.Any]]] = []
        self.closed = 0

    def send(self, request: t.Any, **options: t.Any) -> _Library:
        """As requests has it."""
        self.sent.append((request, options))
        warnings.warn("nobody checks", urllib3.exceptions.InsecureRequestWarning, stacklevel=1)
        return self

    def close(self) -> None:
        """As requests has it."""
        self.closed += 1


def _post(monkeypatch: pytest.MonkeyPatch, library: _Library, transport: Transport | None = None) -> tuple[Reply, Seen]:
    seen = Seen()
    assert (seen.status, seen.octets, seen.meaning) == (None, 0, "no answer")
    monkeypatch.setattr(exchange, "adapter_for", lambda _verify: library)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = exchange.post("https://x/", b"a=b", transport or Transport(True, None, 7, 0), seen)
    assert library.closed == 1
    return reply, seen


@pytest.mark.parametrize(
    ("transport", "options"),
    [
        (Transport(True, None, 7, 0), {"timeout": 7, "verify": True, "proxies": {}}),
        (Transport("/a", "http://p:1", 9, 0), {"timeout": 9, "verify": True, "proxies": {"https": "http://p:1"}}),
        (Transport(False, None, 7, 0), {"timeout": 7, "verify": False, "proxies": {}}),
    ],
)
def test_a_call_is_made_as_its_transport_says(
    monkeypatch: pytest.MonkeyPatch, transport: Transport, options: dict[str, t.Any]
) -> None:
    library = _Library(200, b"ab", b"c", Content_Type="a/b")
    reply, seen = _post(monkeypatch, library, transport)
    assert reply == Reply(200, {"Content-Type": "a/b"}, b"abc")
    assert seen == Seen(200, 3, "no answer of the interface")
    ((request, given),) = library.sent
    assert given == {"stream": True, **options}
    assert (request.method, request.url, request.body) == ("POST", "https://x/", b"a=b")
    assert dict(request.headers) == {
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "certfleet.collectssl",
        "Content-Length": "3",
    }
    assert library.raw.asked == [65_536] * 3


def test_a_call_that_is_not_over_in_time_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[t.Any] = []
    library = _Library(200)

    def within(seconds: float, call: t.Any, abandoned: t.Callable[[], None]) -> t.NoReturn:
        given.append(seconds)
        abandoned()
        raise TimeoutError

    asked: list[t.Any] = []

    def adapter_for(verify: bool | str) -> _Library:
        asked.append(verify)
        return library

    monkeypatch.setattr(exchange, "adapter_for", adapter_for)
    monkeypatch.setattr(exchange, "within", within)
    monkeypatch.setattr(exchange, "forget", given.append)
    with pytest.raises(TimeoutError):
        exchange.post("https://x/", b"", Transport("/a", None, 7, 0), Seen())
    assert (given, asked) == ([7, library], ["/a"])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 429, 502, 503, 504])
def test_nothing_is_read_of_what_its_status_says_all_of(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    library = _Library(status, b"abc", Content_Encoding="gzip")
    assert _post(monkeypatch, library)[0].body == b""
    assert library.raw.asked == []


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("encoding", ["", "identity", " Identity ", "  "])
def test_what_is_not_packed_is_read(monkeypatch: pytest.MonkeyPatch, encoding: str, status: int) -> None:
    assert _post(monkeypatch, _Library(status, b"abc", Content_Encoding=encoding))[0].body == b"abc"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("encoding", "shown"), [(" GZip ", "gzip"), ("identity, br", "identity, br"), ("x" * 30, f"{'x' * 20} …")]
)
def test_what_is_packed_is_not_read(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str, status: int) -> None:
    library = _Library(status, b"abc", Content_Encoding=encoding)
    with pytest.raises(TooMuch) as caught:
        _post(monkeypatch, library)
    assert str(caught.value) == f"It is compressed ({shown}), which was not asked for."
    assert (library.raw.asked, library.closed) == ([], 1)


def test_an_answer_is_read_to_its_end_and_no_further_than_four_mebibytes(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 4_194_304
    half = bytes(most // 2)
    reply, seen = _post(monkeypatch, _Library(200, half, half))
    assert (len(reply.body), seen.octets) == (most, most)
    library = _Library(200, half, half, b"x", b"never read")
    with pytest.raises(TooMuch, match=r"^It is longer than 4194304 octets, and was not read further\.$"):
        _post(monkeypatch, library)
    assert (len(library.raw.asked), library.closed) == (3, 1)
    with pytest.raises(KeyError):
        _post(monkeypatch, _Library(200, b"abc", KeyError()))


def test_a_page_is_read_as_far_as_an_excerpt_needs_and_may_break_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for first, read in ((65_536, 1), (65_535, 2)):
        library = _Library(404, bytes(first), b"x", b"y")
        reply, seen = _post(monkeypatch, library)
        asked = library.raw.asked
        assert (len(asked), len(reply.body), seen.octets) == (read, 65_536, 65_536)
    assert _post(monkeypatch, _Library(404, b"abc", KeyError()))[0].body == b"abc"
