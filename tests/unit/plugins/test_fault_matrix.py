# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault matrix of ``fault_table.py``, cell by cell, against the real simulator over real TLS.

Edges, broker, client, chains and the installation on a host are the real ones, for three hosts of one run; only the
clock is another, in which pauses take no time. `make test` shows what became of each cell.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import queue
import re
import socket
import time
import tracemalloc
import types
import typing as t
import urllib.parse

import pytest
from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_order_info import ActionModule as OrderInfo
from ansible_collections.certfleet.collectssl.plugins.lookup import collectssl_certificate as lookup_edge
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _action
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import bounded
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import Simulator, _control, _faults
from ansible_collections.certfleet.collectssl.tests.support import installation, search
from ansible_collections.certfleet.collectssl.tests.support.https_server import Proxy, Server, answer
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder, Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins import fault_table as table
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import run
from ansible_collections.certfleet.collectssl.tests.unit.plugins.lookup.test_collectssl_certificate_lookup import Lookup
from ansible_collections.certfleet.collectssl.tests.unit.simulator.support import dump_orders

_LOGIN, _PASSWORD = "fleet@example.com", "pä+ss & w%rd=ü \"q'"
_ACCOUNTS = [{"login_name": _LOGIN, "login_password": _PASSWORD}]
_KEY = "ec-of-the-fleet"
_NAME = "www.example.com"
#: Of the first one the certificate is collected, the fourth is pending when it is first asked about.
_ORDERS = ("10000001", "10000002", "10000003")
_WAITED_FOR = "10000004"
_HOSTS = 3

_POLL = 300
#: More than all pauses between the tries of one question, and less than a poll.
_PAUSES = 200

#: What the buffers of both ends take beyond what is read (octets).
_OCTETS = 16 << 20
#: What one call may take of memory, in this process, with the simulator in it (octets).
_MEMORY = 24 << 20


#: How long a call may take that nobody holds up, on whatever machine (seconds).
_PATIENCE = 600
_UNHURRIED = {"request_timeout": _PATIENCE}
#: How long a call is held up before its deadline is there (seconds).
_HELD_UP = 0.1


def _deadline_of(ground: _Ground) -> type:
    """Where results of calls are waited for: a deadline is there once the simulator is at misbehaving, and not before.

    So it is a fact that ends a call, and no machine is so busy that the deadline ends another one, or ends one that the
    simulator has not counted yet. What follows, hanging up and telling, is what the product does.
    """

    def misbehaved() -> int:
        return sum(call["fault"] is not None for call in ground.calls())

    class Results(queue.SimpleQueue):  # type: ignore[type-arg]
        def __init__(self) -> None:
            self._before = misbehaved()

        def get(self, block: bool = True, timeout: float | None = None) -> t.Any:
            assert block
            assert timeout is not None
            end = time.monotonic() + _PATIENCE
            while misbehaved() == self._before:
                assert time.monotonic() < end, "a call is neither answered nor held up"
                with contextlib.suppress(queue.Empty):
                    return super().get(timeout=0.005)
            return super().get(timeout=_HELD_UP)

    return Results


class _Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.begin = self.now = 1_900_000_000.0
        self.then: dict[int, t.Callable[[], None]] = {}

    def __call__(self) -> float:
        return self.now

    @property
    def polls(self) -> int:
        """How many intervals between two polls have passed."""
        return int((self.now - self.begin) // _POLL)

    def sleep(self, seconds: float) -> None:
        """Pass the time, and do what is to be done once so many polls are over."""
        before = self.polls
        self.now += seconds
        for number in range(before + 1, self.polls + 1):
            self.then.pop(number, lambda: None)()


class _Ground:
    """A simulator, what leads astray on the way to it, and what was asked of it."""

    def __init__(self, folder: pathlib.Path) -> None:
        key = folder / "fleet.key"
        key.write_bytes(installation.key_pem(_KEY))
        issued = {"account": _LOGIN, "names": [_NAME], "key": str(key)}
        orders: list[dict[str, t.Any]] = [{"order_number": number, **issued} for number in _ORDERS]
        pending = [{"state": "pending", "calls": 1}, {"state": "issued"}]
        orders.append({"order_number": _WAITED_FOR, **issued, "life": pending})
        self.simulator = Simulator(dump_orders(folder / "orders.yml", orders, _ACCOUNTS), folder / "sim", http_port=0)
        self.simulator.start()
        self.url = str(self.simulator.ready["api_url_ssl"])
        self.port = int(urllib.parse.urlsplit(self.url).port or 0)
        self.folder = folder
        #: Where connections lead that are meant for a port: to another, or to none, as the name does not resolve.
        self.astray: dict[int, int | None] = {}
        self.look_up: Lookup | None = None
        self.configured: t.Any = None
        self._resolve = socket.getaddrinfo

    def control(self, method: str, name: str, value: t.Any = None) -> dict[str, t.Any]:
        """What the control interface does, without a connection, which might go astray."""
        return _control.handle(self.simulator._servers[0].service, self.folder, method, name, value)

    def clean(self) -> None:
        """Forget what was, once all of it is over, and put orders back to the beginning of their lives."""
        self.astray.clear()
        self.hang_up()
        end = time.monotonic() + _PATIENCE
        while self.control("GET", "status")["in_flight"]:
            assert time.monotonic() < end, "a call does not end"
            time.sleep(0.005)
        self.control("POST", "reset", {"restart_lives": True, "clear_faults": True})

    def getaddrinfo(self, host: t.Any, port: t.Any, *arguments: t.Any, **named: t.Any) -> t.Any:
        """As the socket module has it, but that the way to the simulator may be another."""
        if port not in self.astray:
            return self._resolve(host, port, *arguments, **named)
        elsewhere = self.astray[port]
        if elsewhere is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._resolve("127.0.0.1", elsewhere, *arguments, **named)

    def hang_up(self) -> None:
        """Close all connections, as a service does that nobody speaks with for a while."""
        for server in self.simulator._servers:
            server.close_connections()

    def calls(self) -> list[dict[str, t.Any]]:
        """The calls since it was clean, all of them over."""
        calls: list[dict[str, t.Any]] = self.control("GET", "calls")["calls"]
        return calls


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[_Ground]:
    made = _Ground(tmp_path_factory.mktemp("faults"))
    try:
        yield made
    finally:
        made.simulator.stop()


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    """What servers prove themselves with that are not the simulator, by what is wrong with it."""
    folder = AuthorityFolder(tmp_path_factory.mktemp("identities"))
    return {
        "untrusted": folder.issue("untrusted", "localhost", "127.0.0.1"),
        "misnamed": folder.issue("misnamed", "elsewhere.example.com"),
        "expired": folder.issue("expired", "localhost", "127.0.0.1", days=(-60, -30)),
    }


class _Fickle(Proxy):
    """A proxy that refuses for a while."""

    refuses = False

    def _reply_to(self, call: t.Any) -> t.Any:
        self._refuses = self.refuses
        return super()._reply_to(call)


def _broken(connection: socket.socket) -> bool:
    # An alert that the handshake failed, as the answer to whatever a client begins with.
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    return False


class _Fault:
    """A fault that comes and goes."""

    def __init__(self, row: table.Row, ground: _Ground, order_number: str | None) -> None:
        self.row = row
        self.ground = ground
        self._order_number = order_number
        #: Further options of the tasks, for the fault to have its place.
        self.options: dict[str, t.Any] = {}
        self._begin: t.Callable[[], None] = lambda: None
        self._end: t.Callable[[], None] = lambda: None

    def begin(self) -> None:
        self.ground.hang_up()
        if self.row.fault:
            given = {"fault": self.row.fault["fault"], "order_number": self._order_number, **self.row.fault}
            self.ground.control("POST", "faults", given)
        self._begin()

    def end(self) -> None:
        self.ground.control("POST", "faults", {"clear": True})
        self.ground.hang_up()
        self._end()

    def _leading_to(self, port: int | None, instead_of: int | None = None) -> None:
        meant = instead_of or self.ground.port
        self._begin = functools.partial(self.ground.astray.__setitem__, meant, port)
        self._end = self.ground.astray.clear

    @contextlib.contextmanager
    def at_hand(self, identities: t.Mapping[str, Identity]) -> t.Iterator[_Fault]:
        """The time in which it may begin."""
        way = self.row.astray
        with contextlib.ExitStack() as stack:
            if way in ("refused", "no proxy"):
                closed = stack.enter_context(socket.socket())
                closed.bind(("127.0.0.1", 0))
                port = closed.getsockname()[1]
                meant = self.ground.port
                if way == "no proxy":
                    proxy = stack.enter_context(_Fickle())
                    self.options["proxy"], meant = f"http://localhost:{proxy.port}", proxy.port
                self._leading_to(port, meant)
            elif way == "unknown":
                self._leading_to(None)
            elif way == "plain":
                self._leading_to(urllib.parse.urlsplit(self.ground.simulator.ready["api_url_ssl_http"]).port)
            elif way == "broken":
                self._leading_to(stack.enter_context(Server(None, _broken)).port)
            elif way in identities:
                self.options["ca_path"] = str(self._trusting(identities[way]))
                if way == "untrusted":
                    self.options.clear()
                self._leading_to(stack.enter_context(Server(identities[way].context(), answer("errorCode=0"))).port)
            elif way.startswith("proxy "):
                fickle = stack.enter_context(_Fickle(answer("", int(way.split()[1]))))
                self.options["proxy"] = f"http://localhost:{fickle.port}"
                self._begin = functools.partial(setattr, fickle, "refuses", True)
                self._end = functools.partial(setattr, fickle, "refuses", False)
            else:
                assert not way, way
            yield self

    def _trusting(self, identity: Identity) -> pathlib.Path:
        """Both the simulator's authority and that of an identity, so that nothing but what is meant is wrong."""
        path = self.ground.folder / "both.pem"
        own = pathlib.Path(self.ground.simulator.ready["ca_path"])
        path.write_bytes(own.read_bytes() + identity.ca_pem.read_bytes())
        return path


class _Run:
    """A run of Ansible with three hosts, in a time of its own."""

    def __init__(self, ground: _Ground, monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
        self.ground = ground
        self.monkeypatch = monkeypatch
        self.clock = _Clock()
        self.hosts = [installation.SmallHost(folder / f"host{number}") for number in range(_HOSTS)]
        for host in self.hosts:
            host.write_key(_KEY)
            host.fullchain.write_text(installation.bundle("ec-old"), encoding="ascii")
        self.before = [host.state() for host in self.hosts]
        broker = functools.partial(Broker, clock=self.clock, sleep=self.clock.sleep)
        monkeypatch.setattr(_action, "Broker", broker)
        monkeypatch.setattr(lookup_edge, "Broker", broker)
        monkeypatch.setattr(ActionModule, "_execute_module", self._execute)
        monkeypatch.setattr(socket, "getaddrinfo", ground.getaddrinfo)
        self._host = self.hosts[0]

    def _execute(self, **given: t.Any) -> dict[str, t.Any]:
        """What the module on the host does, in this process."""
        try:
            return self._host.install(**given["module_args"])
        except InstallError as exc:
            return {"failed": True, "changed": False, "msg": str(exc)}

    def _options(self, row: table.Row, fault: _Fault) -> dict[str, t.Any]:
        account = {"login_name": _LOGIN, "login_password": _PASSWORD}
        reached = {"api_url": self.ground.url, "ca_path": self.ground.simulator.ready["ca_path"]}
        return {
            **account,
            **reached,
            "retries": table.RETRIES,
            "poll_interval": _POLL,
            **_UNHURRIED,
            **row.options,
            **fault.options,
        }

    def collect(self, row: table.Row, fault: _Fault, **more: t.Any) -> list[tuple[str, str]]:
        """What becomes of the task that installs a certificate on each host, and what it says."""
        told = []
        for host in self.hosts:
            self._host = host
            files = {"fullchain_path": str(host.fullchain), "privatekey_path": str(host.key)}
            given = {"order_number": _ORDERS[0], "expected_names": [_NAME], **files, **self._options(row, fault)}
            result = run(ActionModule, {**given, **more})
            failed = result.get("failed")
            assert failed or result["changed"], result
            told.append((table.REFUSED if failed else table.INSTALLED, str(result["msg"])))
        return told

    def wait(self, row: table.Row, fault: _Fault) -> list[tuple[str, str]]:
        """The same while the order is waited for: the first poll finds it pending, the second meets the fault."""
        self.clock.then = {1: fault.begin, 2: fault.end}
        told = self.collect(row, fault, order_number=_WAITED_FOR, wait_timeout=10 * _POLL)
        outlived = self.clock.polls == 2
        return [(table.OUTLIVED if outcome == table.INSTALLED and outlived else outcome, msg) for outcome, msg in told]

    def info(self, row: table.Row, fault: _Fault) -> list[tuple[str, str]]:
        """What becomes of the task that asks about three orders."""
        told = []
        for _host in self.hosts:
            # A status has no form of its own, which such an option may well name for all tasks.
            result = run(OrderInfo, {"order_numbers": list(_ORDERS), **self._options(row, fault)})
            states = [order["state"] for order in result["orders"]]
            if result.get("failed"):
                assert set(states) == {"error"}
                told.append((table.REFUSED, str(result["msg"])))
                continue
            assert (states[0], states[2]) == ("issued", "issued")
            message = result["msg"] if states[1] == "error" else ""
            if states[1] == "error":
                message = str(result["orders"][1]["status"]["message"] or "") + f" {result['msg']}"
            told.append((table.NAMED if states[1] == "error" else table.TOLD, message))
        return told

    def lookup(self, row: table.Row, fault: _Fault) -> list[tuple[str, str]]:
        """What becomes of the lookup of a chain."""
        if self.ground.look_up is None:
            # Reading the documentation of all options takes longer than a cell.
            self.ground.look_up = Lookup(self.monkeypatch, self.ground.folder)
            self.ground.configured = C.config
        self.monkeypatch.setattr(C, "config", self.ground.configured)
        told = []
        for _host in self.hosts:
            try:
                (chain,) = self.ground.look_up(_ORDERS[0], **self._options(row, fault))
                assert chain.startswith("-----BEGIN CERTIFICATE-----")
                told.append((table.GIVEN, ""))
            except AnsibleLookupError as exc:
                told.append((table.REFUSED, str(exc)))
        return told


def _calls(column: str, outcome: str, row: table.Row) -> int:
    """How many calls the simulator counts: those of one host, however many hosts there are."""
    # What leads astray never gets there.
    faulty = 0 if row.astray else row.tries
    if column == "wait":
        return 1 + faulty + (outcome == table.OUTLIVED)
    if column == "info":
        return 0 if row.astray else 2 + (faulty if outcome == table.NAMED else 1)
    return faulty


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("column", table.COLUMNS)
@pytest.mark.usefixtures("run_folder")
def test_cell(
    ground: _Ground,
    identities: dict[str, Identity],
    row: table.Row,
    column: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    record_property: t.Callable[[str, object], None],
) -> None:
    expected = getattr(row.cells, column)
    ground.clean()
    with _Fault(row, ground, _ORDERS[1] if column == "info" else None).at_hand(identities) as fault:
        there = _Run(ground, monkeypatch, tmp_path)
        if row.late:
            own = types.SimpleNamespace(SimpleQueue=_deadline_of(ground), Empty=queue.Empty)
            monkeypatch.setattr(bounded, "queue", own)
        if column != "wait":
            fault.begin()
        if row.unpacks:
            tracemalloc.start()
        try:
            told = getattr(there, column)(row, fault)
            peak = tracemalloc.get_traced_memory()[1] if row.unpacks else 0
        finally:
            tracemalloc.stop()
    ground.astray.clear()
    calls = ground.calls()
    octets = max((call["octets"] for call in calls), default=0)
    message = told[0][1]

    expected_calls = _calls(column, expected, row)
    record_property("tried", f"fault: {row.name}: {_HOSTS}")
    details = (
        f"{len(calls)} calls for {_HOSTS} hosts (wanted {expected_calls})",
        f"{octets} octets at most",
        f"{there.clock.now - there.clock.begin:.0f} s",
        "files as they were" if expected not in (table.INSTALLED, table.OUTLIVED) else "files of the new certificate",
        message,
    )
    record_property(
        "matrix", " | ".join((row.name, column, told[0][0], *(part.replace(" | ", " ") for part in details)))
    )

    # Outcome: the same for each host.
    assert {outcome for outcome, _message in told} == {expected}, told
    # Calls: those of one host.
    assert len(calls) == expected_calls, [(call["order_number"], call["fault"]) for call in calls]
    # Bounds: of octets, of memory, and of time, in which a question and its pauses take less than a poll.
    assert octets <= _OCTETS
    assert peak <= _MEMORY
    polls = {table.OUTLIVED: 2, table.INSTALLED: 1, table.REFUSED: 1}[expected] if column == "wait" else 0
    assert 0 <= there.clock.now - there.clock.begin - polls * _POLL < _PAUSES
    # Messages: a sentence that says what it was, the same for all, and what anybody may see.
    said = capsys.readouterr()
    if expected in (table.REFUSED, table.NAMED):
        assert re.search(row.says, message), message
        assert message.endswith(".")
        # But for the host's own folder.
        assert len({re.sub(r"/host\d/", "/host/", text) for _outcome, text in told}) == 1
    for text in (message, *said.out.splitlines(), *said.err.splitlines()):
        assert text.isprintable(), ascii(text)
        assert search.shown_in(text.encode("utf-8"), _PASSWORD) == {}
        assert "Traceback" not in text
    # Files.
    for host, before in zip(there.hosts, there.before, strict=True):
        after = host.state()
        if expected in (table.INSTALLED, table.OUTLIVED):
            assert after.keys() == before.keys()
            assert after["certs/site.full.pem"] != before["certs/site.full.pem"]
        else:
            assert after == before


def test_every_misbehaviour_of_the_simulator_has_a_row() -> None:
    used = {row.fault["fault"] for row in table.ROWS if row.fault}
    # These two are codes, and have their rows among them.
    assert used | {"call_limit", "unknown_error"} == set(_faults.CATALOGUE)
    assert len({row.name for row in table.ROWS}) == len(table.ROWS)
