# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README quotes messages as they are: each quote is found in a message that the code makes, none is forgotten."""

from __future__ import annotations

import itertools
import pathlib
import re
import typing as t
import urllib.parse

import pytest
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError, InstallError
from ansible_collections.certfleet.collectssl.tests.support import authority, broker, https_server, installation
from ansible_collections.certfleet.collectssl.tests.support.authority import from_now, pem_of
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, run
from ansible_collections.certfleet.collectssl.tests.unit.plugins.plugin_utils._http.client_support import (
    asker,
    asker_of,
)

pytestmark = pytest.mark.usefixtures("run_folder")

_README = pathlib.Path(__file__).resolve().parents[3] / "README.md"
_HEAD = "| you read (… is whatever stands there) | it means |"
_TASK = {**ACCOUNT, "path": "/etc/tls/cert.pem"}


def _quotes() -> list[str]:
    """What the table quotes, in its order; a cell may hold several, with a stroke between them."""
    table = _README.read_text(encoding="utf-8").partition(f"{_HEAD}\n")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[1:]]
    assert all(len(row) == 2 and all(cell.strip() for cell in row) for row in rows)
    return [quote.strip() for first, _meaning in rows for quote in first.split(" / ")]


class _Scene:
    """Where messages come from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path, identity: Identity) -> None:
        self.monkeypatch = monkeypatch
        self.folder = folder
        self.identity = identity
        # A run asks once about each order, so each task has one of its own.
        self._numbers = itertools.count(1)

    def task(self, reply: broker.Reply = broker.ISSUED, **options: t.Any) -> str:
        """What a task says that fails on the controller."""
        number = str(next(self._numbers))
        broker.Answers(self.monkeypatch, {number: reply})
        args = {**_TASK, "order_number": number, **options}
        result = run(ActionModule, {name: value for name, value in args.items() if value is not None})
        assert result["failed"]
        return str(result["msg"])

    def chain(self, begin: float = -1, end: float = 90, damaged: bool = False, **options: t.Any) -> str:
        """What a task says that is to install a chain, valid from and until so many days from now."""
        validity = from_now(begin, end)
        root = authority.root(validity=from_now(-90, 90))
        issuing = root.subordinate("Issuing CA", validity=from_now(-90, 90))
        leaf = issuing.leaf(validity=validity)
        content = pem_of(authority.broken(leaf) if damaged else leaf, issuing.der, root.der)
        return self.task(content=content, order_number=None, **options)

    def gap(self) -> str:
        """An answer without the certificate of the issuing CA."""
        authorities, leaf = broker.chain()
        return self.task(urllib.parse.urlencode({"errorCode": 2, "caCertificate": authorities[0], "certificate": leaf}))

    def call(self, *answers: https_server.Reply | bytes, trusted: bool = True, **options: t.Any) -> str:
        """What a call says that fails."""
        with https_server.Server(self.identity.context(), *answers) as server:
            asked = asker_of(server, self.identity, **options) if trusted else asker(server.url, True, **options)
            with pytest.raises(CollectError) as caught:
                asked.ask()
        return str(caught.value)

    def another_key(self) -> str:
        """What the target says."""
        host = installation.SmallHost(self.folder / "host")
        host.write_key("ec-mine")
        with pytest.raises(InstallError) as caught:
            host.install(path=str(host.path), privatekey_path=str(host.key), content=installation.bundle("ec-theirs"))
        return str(caught.value)


_DENIED = "errorCode=-16&errorMessage=Permission+denied!"
_INVALID = "errorCode=-4&errorMessage=The+value+of+the+'loginPassword'+argument+is+invalid!"

#: One message for each thing that can go wrong and that the table tells of.
_MESSAGES: dict[str, t.Callable[[_Scene], str]] = {
    "pending": lambda scene: scene.task(broker.PENDING),
    "unpaid": lambda scene: scene.task("errorCode=-22"),
    "rejected": lambda scene: scene.task("errorCode=-20"),
    "revoked": lambda scene: scene.task("errorCode=-21"),
    "denied": lambda scene: scene.task(_DENIED),
    "invalid": lambda scene: scene.task(_INVALID),
    "line feed": lambda scene: scene.task(_INVALID, login_password=f"{broker.PASSWORD}\n"),
    "busy": lambda scene: scene.call(*[https_server.answer("", 503)] * 4, retries=3),
    "not trusted": lambda scene: scene.call(trusted=False),
    "a page": lambda scene: scene.call(https_server.answer("<html>Maintenance</html>", 200)),
    "nothing there": lambda scene: scene.call(https_server.answer("<html>Not here</html>", 404)),
    "a number": lambda scene: scene.task(order_number=5349),
    "a slip": lambda scene: scene.task(expected_name=["www.example.com"]),
    "a path that never comes": lambda scene: scene.task(validate="nginx -t -c %s"),
    "a gap": lambda scene: scene.gap(),
    "forged": lambda scene: scene.chain(damaged=True),
    "other names": lambda scene: scene.task(expected_names=["other.example.com"]),
    "expired": lambda scene: scene.chain(-60, -1),
    "of tomorrow": lambda scene: scene.chain(1, 60),
    "another key": lambda scene: scene.another_key(),
}


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, identity: Identity) -> _Scene:
    return _Scene(monkeypatch, tmp_path, identity)


def _is_in(quote: str, message: str) -> bool:
    # Where it begins or ends with the sign, there may be nothing in its place.
    return re.search(".+".join(re.escape(part) for part in quote.strip("…").split("…")), message) is not None


def test_every_quote_is_of_a_message_and_every_message_is_quoted(scene: _Scene) -> None:
    quotes = _quotes()
    assert len(quotes) == len(set(quotes)) > 10
    messages = {name: make(scene) for name, make in _MESSAGES.items()}
    quoted = {quote: [name for name, message in messages.items() if _is_in(quote, message)] for quote in quotes}
    assert [quote for quote, names in quoted.items() if not names] == []
    assert set(_MESSAGES) - {name for names in quoted.values() for name in names} == set()


def test_a_status_that_says_where_to_look_does_so(scene: _Scene) -> None:
    """What the table tells in its other column."""
    assert 'With status 404 it ends in "Check api_url".' in _README.read_text(encoding="utf-8")
    assert " Check api_url" in _MESSAGES["nothing there"](scene)


@pytest.mark.parametrize(
    ("quote", "message", "found"),
    [
        ("… is gone.", "The file is gone.", True),
        ("… is gone.", "The file is gone, too.", False),
        ("A … of …", "A list of all", True),
        ("A … of …", "A of all", False),
        ("… of all …", "A list of all", False),
        ("status -4.", "status -41.", False),
    ],
)
def test_what_counts_as_a_quote(quote: str, message: str, found: bool) -> None:
    assert _is_in(quote, message) is found
