# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine is told of its host, and what is done to it, with certificates and transactions that note it."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _commands, _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._commands import Ended
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import services
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import fingerprint
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.endpoints import Endpoint
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Memory, Seen
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.host import (
    Conditions,
    Files,
    NotLocked,
    ThisHost,
    _noted,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    EndpointError,
    InstallError,
    OptionError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.tests.support import installation

_LEAF = _pem.blocks(installation.leaf("ec-a"))[0]


class _Certificate:
    """A certificate whose plan is to replace files, or to leave them, or fails."""

    def __init__(self, name: str, replaces: bool | InstallError | None = None, check_mode: bool = False) -> None:
        self.name = name
        self.paths = frozenset([f"/{name}.pem"])
        self.module = types.SimpleNamespace(check_mode=check_mode)
        self.params: dict[str, t.Any] = {"backup": True, "run_after": ["tell"], "services": ["web"]}
        self.replaces = replaces
        self.heard: list[tuple[str | None, str]] = []
        self.parts = None
        self.is_to_change = True
        self.wanted = types.SimpleNamespace(files=[])
        self.content = b"the same"
        self.attributes = None
        self.fingerprint: str | None = "CC"

    def key_type(self, _view: View) -> str:
        return "ecdsa"

    def contents(self) -> dict[str, bytes]:
        return {"/shared.pem": self.content}

    def look(self, _view: View) -> str | None:
        return _LEAF

    def make_plan(self, _view: View, _undone: frozenset[str]) -> t.Any:
        if isinstance(self.replaces, InstallError):
            raise self.replaces
        if self.replaces is None:
            return None
        return types.SimpleNamespace(replaces=self.replaces, steps=lambda backup: ["step", backup])

    def variables(self, installed: str | None, tlsa_before: str) -> dict[str, str]:
        self.heard.append((installed, tlsa_before))
        return {"CERTFLEET_NAME": self.name}


def _host(
    *certificates: _Certificate,
    how: dict[str, t.Any] | None = None,
    others: dict[str, frozenset[str]] | None = None,
    asked: list[t.Any] | None = None,
) -> ThisHost:
    def probe(endpoint: str, key_type: str | None, beside: frozenset[str]) -> dict[str, t.Any]:
        if asked is not None:
            asked.append((endpoint, key_type, beside))
        if endpoint == "silent":
            raise EndpointError("Nothing listens there.")
        if endpoint == "other":
            raise EndpointError("It can't be asked.", {"fingerprint_sha256": "BB"}, undetermined=True)
        if endpoint == "wrong":
            raise OptionError("There is no such file.")
        return {"fingerprint_sha256": endpoint}

    conditions = Conditions(60, Patience(0, 0), how or {})
    places = {"e": "AA", "s": "silent", "o": "other", "w": "wrong"}
    endpoints = {key: Endpoint("a", {}, look, False) for key, look in places.items()}
    return ThisHost(t.cast(t.Any, certificates), endpoints, probe, conditions, others or {})


class _Story:
    """What a journal tells; each is another one."""

    def __init__(self, **told: t.Any) -> None:
        vars(self).update(told)


def _open(subject: str, state: str, notes: dict[str, str] | None = None, owes: bool = False) -> t.Any:
    return _Story(subject=subject, state=state, notes=notes, owes=owes)


def _locked(*kept: t.Any) -> Files:
    locked = types.SimpleNamespace(kept=kept, unfinished=())
    return Files(View({}), transaction.Settled(), (), t.cast(t.Any, locked))


@pytest.fixture(name="done")
def fixture_done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, t.Any]]:
    """What was done with transactions."""
    done: list[tuple[str, t.Any]] = []

    def let_go(_module: t.Any, one: t.Any) -> dict[str, str]:
        done.append(("let go", one))
        return {"/a.pem": "/a.pem~"}

    monkeypatch.setattr(transaction, "let_go", let_go)
    monkeypatch.setattr(transaction, "undo", lambda _module, one: done.append(("undone", one)))
    monkeypatch.setattr(transaction, "done", lambda one: done.append(("done", one)))
    return done


@pytest.mark.parametrize("locked", [True, False])
def test_what_earlier_runs_left(locked: bool, done: list[tuple[str, t.Any]]) -> None:
    host = _host(_Certificate("a"), _Certificate("b"), _Certificate("c"))
    stories = (
        _open("a", transaction.HELD, {"installed": "AA"}),
        _open("b", transaction.DUE, {}),
        _open("c", "switching", {}),
        _open("foreign", transaction.HELD, {}),
        _open("foreign", transaction.DUE, {}),
    )
    host.take(_locked(*stories) if locked else Files(View({}), transaction.Settled(), stories))
    names = ["a", "b", "c", "foreign"]
    assert host.held(names) == {"a": Memory("AA", {})}
    assert host.due(names) == ["b"]
    assert done == []


@pytest.mark.parametrize("state", [transaction.HELD, transaction.DUE])
@pytest.mark.parametrize("owes", [True, False])
@pytest.mark.parametrize("locked", [True, False])
def test_of_several_stories_the_last_is_ended(
    state: str, owes: bool, locked: bool, done: list[tuple[str, t.Any]]
) -> None:
    first, last = (_open("a", state, {"installed": name}, owes) for name in ("AA", "BB"))
    host = _host(_Certificate("a"))
    host.take(_locked(first, last) if locked else Files(View({}), transaction.Settled(), (first, last)))
    ended = [("let go", first)] if state == transaction.HELD else []
    assert done == ([*ended, *([("done", first)] if owes else [])] if locked else [])
    if state == transaction.HELD:
        assert host.held(["a"]) == {"a": Memory("BB", {})}
    else:
        host.done("a")
        assert done[-1] == ("done", last)
        assert host.due(["a"]) == []


def test_what_a_journal_remembers_is_read_by_other_versions() -> None:
    certificate = _Certificate("a")
    host = _host(certificate)
    notes = host._notes(t.cast(t.Any, certificate), Memory("AA", {"e": "BB"}))
    der = _pem.dearmour(_LEAF)
    assert der is not None
    noted = "showed 3f79bb7b435b05321651daefd374cdc6"
    assert notes == {"installed": "AA", "tlsa": _pem.tlsa_of(der), noted: "BB"}
    host.take(_locked(_open("a", transaction.HELD, notes)))
    assert host.held(["a"]) == {"a": Memory("AA", {"e": "BB"})}
    for nothing in (None, {}, {"installed": "-"}):
        host = _host(certificate)
        host.take(_locked(_open("a", transaction.HELD, nothing)))
        assert host.held(["a"]) == {"a": Memory(None, {})}


def test_where_an_earlier_run_after_is_due_the_one_before_that_is_told_of() -> None:
    certificate = _Certificate("a")
    for notes, before in (({"tlsa": "3 1 1 aa"}, "3 1 1 aa"), ({"tlsa": "-"}, "-"), ({}, "-"), (None, "-")):
        host = _host(certificate)
        host.take(_locked(_open("a", transaction.DUE, notes)))
        assert host._notes(t.cast(t.Any, certificate), Memory(None, {})) == {"installed": "-", "tlsa": before}
        assert host._variables("validate", "a") == {"CERTFLEET_NAME": "a"}
        assert certificate.heard.pop() == (_LEAF, "" if before == "-" else before)


def test_without_a_story_a_command_is_told_of_what_is_installed() -> None:
    certificate = _Certificate("a")
    _host(certificate)._variables("validate", "a")
    der = _pem.dearmour(_LEAF)
    assert der is not None
    assert certificate.heard == [(_LEAF, _pem.tlsa_of(der))]


@pytest.mark.parametrize("what", [True, InstallError("It does not fit.")])
def test_what_only_who_holds_the_files_is_sure_of(what: bool | InstallError) -> None:
    with pytest.raises(NotLocked):
        _host(_Certificate("a", what)).compare("a")
    for sure in (_host(_Certificate("a", what, check_mode=True)), _host(_Certificate("a", what))):
        if not sure.certificates["a"].module.check_mode:
            sure.take(_locked())
        if isinstance(what, InstallError):
            with pytest.raises(InstallError, match="does not fit"):
                sure.compare("a")
        else:
            assert sure.compare("a").changes
        # What bars its files is the reason, whatever else there is.
        sure.barred["a"] = InstallError("Its folder is read-only.")
        with pytest.raises(InstallError, match="read-only"):
            sure.compare("a")


def test_what_is_there_against_what_is_wanted() -> None:
    host = _host(_Certificate("a", True), _Certificate("b", None))
    host.take(_locked())
    for name in "ab":
        compared = host.compare(name)
        assert (compared.changes, compared.installed) == (name == "a", fingerprint(_LEAF))
    assert (host.plans["a"] is not None, host.plans["b"]) == (True, None)


def test_what_bars_files_is_no_fault_where_they_stay() -> None:
    host = _host(_Certificate("a", False))
    host.barred["a"] = InstallError("Its folder is read-only.")
    assert not host.compare("a").changes


@pytest.mark.parametrize("kind", ["put_back", "let_go"])
def test_files_that_an_interrupted_run_had_been_at(kind: str) -> None:
    host = _host(_Certificate("a", False), _Certificate("b", False))
    undone: dict[str, t.Any] = {kind: frozenset(["/a.pem"])}
    host.take(Files(View({}), transaction.Settled(**undone)))
    assert [host.compare(name).touched for name in "ab"] == [True, False]


def test_what_is_let_go_is_held_no_more_and_due(done: list[tuple[str, t.Any]]) -> None:
    host = _host(_Certificate("a"), _Certificate("b"))
    a, b, earlier = _open("a", transaction.HELD, owes=True), _open("b", transaction.HELD), _open("a", transaction.DUE)
    host.take(_locked(a, b, earlier))
    assert host.let_go(["a", "b", "a"]) == {}
    assert done == [("let go", a), ("done", earlier), ("let go", b)]
    assert (host.held(["a", "b"]), host.due(["a", "b"])) == ({}, ["a"])
    # Nothing is done for what was not due before.
    done.clear()
    again = _open("b", transaction.HELD, owes=True)
    host.take(_locked(again))
    assert host.let_go(["b"]) == {}
    assert (done, host.due(["b"])) == ([("let go", again)], ["b"])
    assert host.backups == {"a": {"/a.pem": "/a.pem~"}, "b": {"/a.pem": "/a.pem~"}}


def test_what_is_put_back_is_no_more_planned_and_the_last_comes_first(done: list[tuple[str, t.Any]]) -> None:
    host = _host(_Certificate("a", True), _Certificate("b", True))
    a, b = _open("a", transaction.HELD), _open("b", transaction.HELD)
    host.take(_locked(a, b))
    for name in "ab":
        host.compare(name)
    assert host.put_back(["a", "b", "a"]) == {}
    assert done == [("undone", a), ("undone", b)]
    assert (host.held(["a", "b"]), host.plans) == ({}, {})


def test_two_that_want_different_things_of_one_file() -> None:
    a, b, c = (_Certificate(name, False) for name in "abc")
    host = _host(a, b, c)
    host.take(_locked())
    assert not host.compare("a").changes
    c.content = b"another"
    for name, other in (("a", "c"), ("c", "a")):
        with pytest.raises(InstallError, match=f"{other} wants another content of the file /shared.pem"):
            host.compare(name)


def test_what_is_switched_and_held(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = _open("a", "switching", {"installed": "AA"})
    held = _open("a", transaction.HELD, {"installed": "BB"})
    switched: list[t.Any] = []

    def switch(module: t.Any, *what: t.Any) -> t.Any:
        switched.append(what)
        return begun

    monkeypatch.setattr(transaction, "switch", switch)
    monkeypatch.setattr(transaction, "hold", lambda _module, one: {begun: held}[one])
    # What is shared with one that came before may be in place by then.
    certificates = [_Certificate("a", True), _Certificate("b", False), _Certificate("c", None)]
    host = _host(*certificates)
    files = _locked()
    host.take(files)
    memories = {name: Memory("AA", {}) for name in "abc"}
    assert host.switch(memories) == {}
    notes = host._notes(t.cast(t.Any, certificates[0]), memories["a"])
    assert switched == [(files.locked, ["step", True], None, "a", notes, True)]
    assert host.held(["a", "b", "c"]) == {"a": Memory("AA", {})}
    assert host.hold(["a", "b", "c"]) == {}
    assert host.held(["a", "b", "c"]) == {"a": Memory("BB", {})}
    certificates[0].params.update({"backup": False, "run_after": []})
    host.switch({"a": Memory("AA", {})})
    assert switched[1:] == [(files.locked, ["step", False], None, "a", notes, False)]


def test_a_service_is_taken_care_of_by_its_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "manager", lambda run: ("manager", run))
    monkeypatch.setattr(services, "take_new_files", lambda *what: what)
    host = _host()
    meant = (services.Service("web"), ("manager", host._run), host._run)
    what: t.Any = host.take_new_files("web", ended=True)
    assert what == (*meant, True, False)
    host._remembered = {_noted("ran", "web")}
    what = host.take_new_files("web", ended=False)
    assert what == (*meant, False, True)


def test_which_services_ran_is_noted_for_whoever_ends_it() -> None:
    certificate = t.cast(t.Any, _Certificate("a"))
    host = _host(certificate)
    host.take(_locked())
    ran = _noted("ran", "web")
    assert ran not in host._notes(certificate, Memory(None, {}))
    assert ran in host._notes(certificate, Memory(None, {}, frozenset(["web"])))
    # Also where the run before could not start it either.
    host._remembered = {ran, _noted("ran", "other")}
    assert [note for note in host._notes(certificate, Memory(None, {})) if note.startswith("ran ")] == [ran]


def test_what_fails_for_one_is_told_and_done_for_the_others() -> None:
    why = InstallError("It is too late.")

    def work(name: str) -> None:
        if name == "a":
            raise why
        if name == "b":
            raise OSError(28, "No space left on device")

    failed = ThisHost._each(["a", "b", "c"], work)
    assert list(failed) == ["a", "b"]
    assert failed["a"] is why
    assert str(failed["b"]).startswith("Its files could not be changed: ")


def test_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _host(_Certificate("a"))
    with pytest.raises(InstallError, match="run_before: /nowhere/x could not be run: "):
        host.run("run_before", "/nowhere/x", "a")
    ran: list[tuple[list[str], float, t.Any]] = []

    def run(words: list[str], seconds: float, given: t.Any) -> Ended:
        ran.append((words, seconds, given.get("CERTFLEET_NAME")))
        return Ended(0 if words[0] == "fine" else 3, "", "")

    monkeypatch.setattr(_commands, "run", run)
    host.run("run_after", "fine 'a b'", "a")
    assert ran == [(["fine", "a b"], 60, "a")]
    with pytest.raises(InstallError, match="run_after: the command bad failed with exit status 3") as caught:
        host.run("run_after", "bad", "a")
    assert caught.value.details["rc"] == 3


def test_how_services_take_new_files() -> None:
    host = _host(how={"a": {"state": "restarted"}, "b": {"command": "kick 'it all'"}, "c": {}, "d": None})
    assert [host._service(name) for name in "abcde"] == [
        services.Service("a", True, None),
        services.Service("b", False, ["kick", "it all"]),
        services.Service("c", False, None),
        services.Service("d", False, None),
        services.Service("e", False, None),
    ]


@pytest.mark.parametrize(
    ("known", "runs", "foreseen"),
    [(True, True, "restarted"), (True, False, "left_stopped"), (False, False, "restarted")],
)
def test_what_is_foreseen_of_services(known: bool, runs: bool, foreseen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = types.SimpleNamespace(knows=lambda _name: known, runs=lambda _name: runs)
    monkeypatch.setattr(services, "manager", lambda _run: manager)
    host = _host(how={"web": {"state": "restarted"}})
    assert host.foresee("web") == foreseen
    with pytest.raises(InstallError, match="is not the name of a service"):
        host.foresee("../web")


@pytest.mark.parametrize("rc", [0, 1])
@pytest.mark.parametrize("key", [True, False])
def test_the_tlsa_value_of_a_key(rc: int, key: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    text = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" if key else "no key\n"

    def run(words: list[str], *_dummy: t.Any) -> Ended:
        ran.append(words)
        return Ended(rc, text, "")

    monkeypatch.setattr(_commands, "run", run)
    found = _host().tlsa_of_key("/a.key")
    assert (found is not None) == (rc == 0 and key)
    assert ran == [["openssl", "pkey", "-in", "/a.key", "-pubout", "-passin", "pass:"]]


def test_without_openssl_a_key_has_no_tlsa_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_dummy: t.Any) -> t.NoReturn:
        raise FileNotFoundError

    monkeypatch.setattr(_commands, "run", run)
    assert _host().tlsa_of_key("/a.key") is None


def test_what_a_look_asks_for() -> None:
    """One with the kind of key that the certificate has; and what is its own is nobody else's."""
    own = fingerprint(_LEAF) or ""
    asked: list[t.Any] = []
    host = _host(_Certificate("a"), others={"e": frozenset(["CC", "DD", own])}, asked=asked)
    host.look(["e"])
    host.look(["s"])
    assert asked == [("AA", "ecdsa", frozenset(["DD"])), ("silent", "ecdsa", frozenset())]


def test_a_certificate_that_can_not_be_read_is_looked_for_without_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_view: t.Any) -> t.NoReturn:
        raise InstallError("It can't be read.")

    certificate, asked = _Certificate("a"), list[t.Any]()
    monkeypatch.setattr(certificate, "look", fails)
    monkeypatch.setattr(certificate, "key_type", fails)
    _host(certificate, others={"e": frozenset(["CC", "DD"])}, asked=asked).look(["e"])
    assert asked == [("AA", None, frozenset(["DD"]))]


def test_what_looks_told_last(monkeypatch: pytest.MonkeyPatch) -> None:
    host = _host(_Certificate("a"))
    assert host.look(["e", "s", "o", "w"]) == {
        "e": Seen("AA"),
        "s": Seen(None, "Nothing listens there"),
        "o": Seen("BB", "It can't be asked", True),
        "w": Seen(None, "There is no such file", True),
    }
    assert host.looked == {
        "e": {"fingerprint_sha256": "AA"},
        "s": {"reason": "Nothing listens there.", "undetermined": False},
        "o": {"fingerprint_sha256": "BB", "reason": "It can't be asked.", "undetermined": True},
        "w": {"reason": "There is no such file.", "undetermined": True},
    }
    assert host.look_until({"e": "BB"}) == {"e": Seen("AA")}

    def breaks(*_asked: t.Any) -> t.NoReturn:
        raise RuntimeError("broken")

    # What was told before is not taken for what is told now.
    monkeypatch.setattr(host, "_probe_one", breaks)
    with pytest.raises(RuntimeError, match="broken"):
        host.look(["e"])
    assert host.looked.keys() == {"s", "o", "w"}


def test_files_are_changed_under_a_lock_alone() -> None:
    with pytest.raises(RuntimeError, match="under a lock alone"):
        assert _host()._locked
