# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action that asks about many orders, has the host bring them in, and looks where the host does not."""

from __future__ import annotations

import copy
import pathlib
import re
import types
import typing as t
import urllib.parse

import pytest
from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.action import collectssl_deploy
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_deploy import ActionModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import BESIDE, TARGET_OPTIONS
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    CollectError,
    EndpointError,
    TransportError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import blocks, certificates, fingerprint
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment import looks
from ansible_collections.certfleet.collectssl.tests.support import authority
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    ISSUED,
    PASSWORD,
    PENDING,
    Answers,
    World,
    chain,
)
from ansible_collections.certfleet.collectssl.tests.support.broker import provider as a_provider
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, action_of, run

pytestmark = pytest.mark.usefixtures("run_folder")

UNTOUCHED = " Nothing on the target was touched."

Facts = dict[str, t.Any]


def certificate(name: t.Any = "www", **more: t.Any) -> Facts:
    """A certificate as a task gives it."""
    number = {} if {"content", "order_number", "state"} & set(more) else {"order_number": "1"}
    return {"name": name, "fullchain_path": f"/etc/tls/{name}.pem", **number, **more}


def task(*certificates: t.Any, **more: t.Any) -> Facts:
    """The arguments of a task."""
    return {**ACCOUNT, "certificates": list(certificates), **more}


def fingerprint_of(pem: str) -> str:
    return fingerprint((certificates(pem) or [])[0])


class Host:
    """Stands in for the module: brings in what it is sent, unless told otherwise.

    ``installed`` is the PEM text of each certificate that is there, ``states`` how certificates end instead of well,
    run by run, ``result`` what a run returns instead of all that, by its number from 1.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.states: dict[str, list[str]] = {}
        self.results: dict[int, Facts | Exception] = {}
        self.services: dict[str, str] = {}
        self.runs: list[Facts] = []
        self.check_mode = False
        monkeypatch.setattr(ActionModule, "_execute_module", self._execute_module)
        self.says_same = False
        self.looked: list[tuple[t.Any, ...]] = []
        monkeypatch.setattr(ActionModule, "quick_look", self._quick_look)
        # Nothing is put on a target, then, but by the module.
        monkeypatch.setattr(ActionModule, "_is_pipelining_enabled", lambda *_args, **_kwargs: True)

    @property
    def sent(self) -> list[list[str]]:
        """The names that each run was about; those with content are marked."""
        return [[one["name"] + ("+" if "content" in one else "") for one in args["certificates"]] for args in self.runs]

    def _quick_look(self, *arguments: t.Any) -> bool:
        self.looked.append(arguments)
        return self.says_same

    def _execute_module(self, module_name: str, module_args: Facts, task_vars: t.Any) -> Facts:
        assert module_name == "certfleet.collectssl.collectssl_deploy"
        self.runs.append(copy.deepcopy(module_args))
        scripted = self.results.get(len(self.runs))
        if isinstance(scripted, Exception):
            raise scripted
        if scripted is not None:
            return dict(scripted)
        told = [self._bring(one, module_args.get("_shown") or {}) for one in module_args["certificates"]]
        return {
            "changed": any(one["changed"] for one in told),
            "certificates": told,
            "services": [{"name": name, "action": action} for name, action in self.services.items()],
            "endpoints": [],
            "rolled_back": [one["name"] for one in told if one["state"] == "rolled_back"],
            "invocation": {"module_args": module_args},
        }

    def _bring(self, one: Facts, shown: dict[str, str]) -> Facts:
        name, before = one["name"], self.installed.get(one["name"])
        stopped = [self.services.get(service) for service in one["services"]] == ["left_stopped"]
        from_controller = any(place["connect_from"] == "controller" for place in one["endpoints"]) and not stopped
        state, changed = "in_service" if one["endpoints"] and not stopped else "installed", False
        if name in self.held and name in shown:
            before, changed = self.held.pop(name), True
            if shown[name]:
                state, self.installed[name] = "rolled_back", before
        elif one["state"] == "absent":
            state, changed = "absent", self.installed.pop(name, None) is not None
        elif "content" in one and not shown:
            leaf = blocks(one["content"])[0]
            changed = leaf != before
            if changed and not self.check_mode:
                self.installed[name] = leaf
                if from_controller:
                    self.held[name], state = before or "", "to_be_looked_at"
        elif shown.get(name) and one["services"]:
            state, changed = "to_be_looked_at", True
        if self.states.get(name):
            state = self.states[name].pop(0)
        return {
            "name": name,
            "state": state,
            "msg": "" if state != "failed" else "The disk is full.",
            "before": before,
            "before_fingerprint": fingerprint_of(before) if before else None,
            "changed": changed,
            "installed": self.installed.get(name),
            "files": [],
        }


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def deploy(*certificates: Facts, **more: t.Any) -> Facts:
    """What a task comes to."""
    return run(ActionModule, task(*certificates, **more))


def states(result: Facts) -> dict[str, str]:
    return {one["name"]: one["state"] for one in result["certificates"]}


OLD = authority.root().leaf()


def old_pem() -> str:
    from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour

    return armour(OLD)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_certificates_of_several_orders_go_to_the_host_in_one_run(host: Host, answers: Answers) -> None:
    result = deploy(certificate("www"), certificate("mail", order_number="2"))
    assert (result.get("failed"), result["changed"]) == (None, True)
    assert host.sent == [["www+", "mail+"]]
    assert [request.identifier for request in answers.requests] == ["1", "2"]
    assert states(result) == {"www": "installed", "mail": "installed"}
    assert set(result["certificates"][0]) == {
        *(
            "name",
            "state",
            "order",
            "certificate",
            "installed",
            "before",
            "changed",
            "files",
            "services",
            "msg",
            "pending_tlsa",
            "held",
        ),
    }
    assert set(result) == {
        *("changed", "certificates", "services", "endpoints", "rolled_back", "stops_rollout", "msg"),
        "changed_certificates",
    }
    first = result["certificates"][0]
    assert first["installed"] == first["certificate"]
    assert first["order"]["order_number"] == "1"
    assert (first["before"], result["stops_rollout"]) == (None, False)


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("changes", "sent", "returned"),
    [({}, 2, 2), ({"include_root": True}, 3, 3), ({"root_path": "/root.pem"}, 3, 2)],
)
def test_the_root_goes_along_where_it_is_asked_for(host: Host, changes: Facts, sent: int, returned: int) -> None:
    (told,) = deploy(certificate(return_content=True, **changes))["certificates"]
    assert host.runs[0]["certificates"][0]["content"].count("BEGIN CERTIFICATE") == sent
    assert told["content"].count("BEGIN CERTIFICATE") == returned
    assert re.fullmatch(r"It was installed, valid until [-0-9T:]+Z\.", told["msg"])


def test_the_same_order_for_two_certificates_is_asked_about_once(host: Host, answers: Answers) -> None:
    deploy(certificate("a"), certificate("b"))
    assert host.sent == [["a+", "b+"]]
    assert len(answers.requests) == 1


@pytest.mark.usefixtures("answers")
def test_only_what_the_target_needs_travels_there(host: Host) -> None:
    everything: Facts = {
        **{name: f"~/{name}" for name in ("path", "chain_path", "fullchain_path", "combined_path", "root_path")},
        "privatekey_path": "$HOME/key",
        "pending_privatekey_path": "/new.key",
        "directory": "~/tls",
        "privatekey_passphrase": "of the key",
        "validate": "nginx -t",
        "backup": True,
        "include_root": True,
        "owner": "root",
        "group": "ssl",
        "mode": "0640",
        "attributes": "+i",
        "in_place": True,
        "seuser": "a",
        "serole": "b",
        "setype": "c",
        "selevel": "s0",
        "unsafe_writes": True,
        "expected_names": ["www.example.com"],
        "min_validity_days": 3,
        "allow_pending": True,
        "services": ["nginx"],
        "run_before": ["true"],
        "run_after": ["sync --all"],
        "return_content": True,
        "endpoints": [{"port": 8443, "ca_path": "~/ca.pem"}, {"connect_from": "controller", "host": "192.0.2.1"}],
    }
    host.states["www"] = ["unproven"]
    deploy(
        certificate(**everything),
        services={"nginx": {"state": "restarted"}, "shop": {"command": "shop reload"}},
        proxy="http://u:proxy-password@p:1",
        command_timeout=7,
        probe_retries=0,
    )
    (args,) = host.runs
    assert set(args) == {
        *("certificates", "services", "probe_timeout", "probe_retries", "probe_delay", "command_timeout", "_shown")
    }
    assert args["services"] == {"nginx": {"state": "restarted"}, "shop": {"command": "shop reload"}}
    assert (args["command_timeout"], args["probe_timeout"], args["probe_delay"]) == (7, 10, 2)
    (sent,) = args["certificates"]
    assert set(sent) == {
        *TARGET_OPTIONS,
        *("name", "state", "content", "directory", "services", "endpoints", "run_before", "run_after"),
    }
    assert (sent["path"], sent["directory"], sent["privatekey_path"]) == ("~/path", "~/tls", "$HOME/key")
    assert sent["endpoints"] == [
        {
            "host": "127.0.0.1",
            "port": 8443,
            "server_name": "www.example.com",
            "connect_from": "target",
            "ca_path": "~/ca.pem",
        },
        {"host": "192.0.2.1", "port": 443, "server_name": "www.example.com", "connect_from": "controller"},
    ]
    assert sent["content"].count("BEGIN CERTIFICATE") == 3
    for secret in (PASSWORD, "proxy-password", "account"):
        assert secret not in repr(args)


@pytest.mark.usefixtures("answers")
def test_a_command_that_stands_alone_is_one_whatever_is_in_it(host: Host) -> None:
    """A list that is given as a text is split at commas, which would make other commands of it."""
    deploy(certificate(run_before="/bin/tell --to a,b", run_after=["/bin/tell --to c,d"]))
    one = host.runs[0]["certificates"][0]
    assert (one["run_before"], one["run_after"]) == (["/bin/tell --to a,b"], ["/bin/tell --to c,d"])


@pytest.mark.usefixtures("answers")
def test_a_layout_is_merged_in_and_may_be_overruled(host: Host) -> None:
    deploy(
        {"name": "www", "layout": "nginx", "order_number": "1", "owner": "nobody", "group": None},
        {"name": "gate", "layout": "own", "order_number": "1"},
        layouts={"own": {"path": "/x/{name}.pem", "services": ["gate-{name}"], "endpoints": [{"port": 1}]}},
    )
    www, gate = host.runs[0]["certificates"]
    assert (www["fullchain_path"], www["owner"], www["group"]) == ("/etc/nginx/tls/www.pem", "nobody", "root")
    assert (gate["path"], gate["services"], gate["endpoints"][0]["port"]) == ("/x/gate.pem", ["gate-gate"], 1)
    assert "layout" not in www


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("endpoint", "more", "sent"),
    [
        ({}, {}, {"host": "127.0.0.1", "connect_from": "target", "port": 443}),
        ({}, {"probe_from": "controller"}, {"host": "127.0.0.1", "connect_from": "controller", "port": 443}),
        (
            {"connect_from": "target", "host": "::1"},
            {"probe_from": "controller"},
            {"host": "::1", "connect_from": "target", "port": 443},
        ),
    ],
)
def test_an_endpoint_is_whole(
    host: Host, monkeypatch: pytest.MonkeyPatch, endpoint: Facts, more: Facts, sent: Facts
) -> None:
    Outside(monkeypatch, host)
    deploy(certificate(endpoints=[endpoint]), **more)
    assert host.runs[0]["certificates"][0]["endpoints"] == [sent]


@pytest.mark.usefixtures("answers")
def test_from_the_controller_a_host_is_where_ansible_reaches_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Outside(monkeypatch, host)
    action = action_of(ActionModule, task(certificate(endpoints=[SEEN, {}, {**SEEN, "host": "www.example.com"}])))
    monkeypatch.setattr(type(action._connection), "transport", "ssh")
    action._play_context.remote_addr = "192.0.2.7"
    action.run(task_vars={"inventory_hostname": "web1"})
    endpoints = host.runs[0]["certificates"][0]["endpoints"]
    assert [place["host"] for place in endpoints] == ["192.0.2.7", "127.0.0.1", "www.example.com"]


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("names", "asked"),
    [(["*.example.com", "www.example.com"], "www.example.com"), (["*.example.com"], None), ([], None)],
)
def test_the_first_name_without_a_wildcard_is_asked_for(host: Host, names: list[str], asked: str | None) -> None:
    deploy(certificate(expected_names=names, endpoints=[{}]))
    assert host.runs[0]["certificates"][0]["endpoints"][0].get("server_name") == asked


@pytest.mark.usefixtures("answers")
def test_what_is_to_be_removed_needs_no_order(host: Host, answers: Answers) -> None:
    host.installed["old"] = old_pem()
    result = deploy(certificate("old", state="absent"))
    assert (states(result), result["changed"], answers.requests) == ({"old": "absent"}, True, [])
    assert host.sent == [["old"]]
    assert result["msg"] == "old was removed."
    assert deploy(certificate("old", state="absent"))["msg"] == "old is not there."


def test_content_needs_neither_a_call_nor_an_account(host: Host, answers: Answers) -> None:
    content = deploy(certificate(return_content=True))["certificates"][0]["content"]
    result = run(ActionModule, {"certificates": [certificate(content=content, return_content=True)]})
    assert (result.get("failed"), result["changed"], len(answers.requests)) == (None, False, 1)
    (told,) = result["certificates"]
    assert (told["order"], told["content"]) == (None, content)


def test_where_one_command_sees_that_all_is_well_no_module_is_sent(
    host: Host, monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    outside = Outside(monkeypatch, host)
    args = (certificate(endpoints=[SEEN, {"port": 8443}], directory="/etc/tls"), certificate("old", state="absent"))
    deploy(*args)
    by_module = deploy(*args)
    host.says_same = True
    outside.looks.clear()
    host.runs.clear()
    result = deploy(*args)
    assert (host.runs, outside.looks, len(answers.requests)) == ([], [443], 1)
    assert (result["changed"], states(result)) == (False, {"www": "in_service", "old": "absent"})
    told = [{**one, "files": None} for one in by_module["certificates"]]
    assert [{**one, "files": None} for one in result["certificates"]] == told
    files, endpoints, folders, timeout = host.looked[-1]
    assert [file.path for file in files] == ["/etc/tls/www.pem", "/etc/tls/old.pem"]
    assert ([place.address for place in endpoints], folders, timeout) == (["127.0.0.1:8443"], ["/etc/tls"], 10)


def test_no_command_can_see_what_is_not_known_here(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, {"1": PENDING})
    host.says_same = True
    deploy(certificate(allow_pending=True))
    assert (host.looked, host.sent) == ([], [["www"]])


def test_what_one_command_saw_is_no_reason_to_wait_for_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host)
    Answers(monkeypatch)
    one = certificate(services=["nginx"], endpoints=[SEEN])
    deploy(one)
    host.says_same = True
    host.runs.clear()
    outside.shows[443] = [OTHER, "installed"]
    result = deploy(one)
    assert [list(args["_shown"]) for args in host.runs] == [["www"]]
    assert (states(result), result["changed"]) == ({"www": "in_service"}, True)


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (task(), "certificates is empty, so there is nothing to bring into service."),
        ({**ACCOUNT}, "certificates must be given."),
        (task(certificate("a"), certificate("a")), "Two certificates are called a. Each has a name of its own."),
        (task({"path": "/x"}), "Element 1 of certificates has no name."),
        (task(certificate("a"), certificate("-a")), "'-a' (element 2 of certificates) cannot be the name of a "),
        (task(certificate("a/b")), "'a/b' (element 1 of certificates) cannot be the name of a certificate."),
        (task(certificate("a" * 151)), f"'{'a' * 151}' (element 1 of certificates) cannot be the name"),
        (task({"name": 5349, "path": "/x"}), "The name of element 1 of certificates is '5349', which YAML made of"),
        ({**ACCOUNT, "certificates": "www"}, "certificates must be a list of dictionaries."),
        (task("www"), "Element 1 of certificates must be a dictionary."),
        (task(certificate(fulchain_path="/x")), "Certificate www: There is no option fulchain_path. Is fullchain_path"),
        (task(certificate(layout="ngnix")), "Certificate www: There is no layout ngnix. Is nginx meant?"),
        (
            task(certificate(layout="own"), layouts={"own": {"servces": ["x"]}}),
            "Layout own: There is no option servces. Is services meant?",
        ),
        (task(certificate(), layouts={"own": 1}), "The layout own in layouts must be a dictionary of options."),
        (task(certificate(fullchain_path="tls/x")), "Certificate www: fullchain_path must be an absolute path on the "),
        (task(certificate(directory="tls")), "Certificate www: directory must be an absolute path on the target"),
        (task(certificate(fullchain_path=None)), "Certificate www: Give one of path, chain_path, fullchain_path, "),
        (task(certificate(combined_path="/c")), "Certificate www: combined_path needs privatekey_path beside it."),
        (task(certificate(mode=True)), "Certificate www: mode must be permissions such as "),
        (task(certificate(validate="x %s")), "Certificate www: validate holds %s, for which "),
        (task(certificate(run_after=["x '"])), "Certificate www: run_after cannot be split into a command and its"),
        (task(certificate(min_validity_days=-1)), "Certificate www: min_validity_days must be 0 or more."),
        (task(certificate(state="gone")), "Certificate www: state must be one of present, absent, not 'gone'."),
        (task(certificate(order_number=5349)), "Certificate www: order_number is the number 5349, which YAML may have"),
        (
            task(certificate(certificate_id="7")),
            "Certificate www: Give only one of order_number, certificate_id, base_order_number, content, not both ",
        ),
        (task({"name": "a", "path": "/x"}), "Certificate a names no order. Give it one of order_number, certificate_"),
        (
            task(certificate(), {"name": "a", "path": "/x"}, order_number="7"),
            "order_number stands beside certificates, where it names none of them. Give it to the certificate that it",
        ),
        (
            task(certificate(certificate_id="7", order_number=None), product="ccc"),
            "Certificate www: certificate_id is for product ssl alone: ",
        ),
        (task(certificate(services=["../x"])), "Certificate www: services: '../x' is not the name of a service."),
        (task(certificate(services=["-x"])), "Certificate www: services: '-x' is not the name of a service."),
        (
            task(certificate(), services={"x": {"state": "started"}}),
            "services: x: state must be one of reloaded, restarted, not 'started'.",
        ),
        (task(certificate(), services={"x": {"sate": "reloaded"}}), "services: x: There is no option sate. Is state"),
        (
            task(certificate(), services={"x": {"state": "reloaded", "command": "x"}}),
            "services: x: Give only one of state, command, not both state and command.",
        ),
        (task(certificate(), services={"x": {}}), "services: x: Give one of state, command; none is given."),
        (task(certificate(), services={"x": "restarted"}), "services: x must be a dictionary, with state "),
        (task(certificate(), services={"x": {"command": " "}}), "services: x: command is empty; leave it out, or"),
        (task(certificate(), services={5: {"state": "reloaded"}}), "services: '5' must be the name of a service, in "),
        (task(certificate(), services={"a/b": {"state": "reloaded"}}), "services: 'a/b' is not the name of a service."),
        (
            task(certificate(endpoints=[{"prot": 1}])),
            "Certificate www: Element 1 of endpoints: There is no option prot. Is port meant?",
        ),
        (
            task(certificate(endpoints=[{}, {"port": 70000}])),
            "Certificate www: Element 2 of endpoints: port must be between 1 and 65535, not 70000.",
        ),
        (task(certificate(endpoints=[443])), "Certificate www: Element 1 of endpoints must be a dictionary, such as "),
        (task(certificate(endpoints={"port": 1})), "Certificate www: endpoints must be a list of dictionaries."),
        (
            task(certificate(fullchain_path=None, chain_path="/x", endpoints=[{}])),
            "Certificate www: It has endpoints, and none of path, fullchain_path, combined_path, so nothing",
        ),
        (task(certificate(), probe_timeout=0), "probe_timeout must be a whole number from 1 to 86400, not 0."),
        (task(certificate(), probe_retries=-1), "probe_retries must be a whole number from 0 to 86400, not -1."),
        (task(certificate(), command_timeout=0), "command_timeout must be a whole number from 1 to 86400, not 0."),
        (task(certificate(), wait_timeout=-1), "wait_timeout must be a whole number from 0 to"),
        (task(certificate(), probe_form="target"), "There is no option probe_form. Is probe_from meant?"),
        (task(certificate(), _shown={"www": ""}), "There is no option _shown."),
        ({"certificates": [certificate()]}, "No credentials: give login_name and login_password"),
        (task(certificate(privatekey_path="/k", privatekey_passphrase="x" * 1025)), "Certificate www: privatekey_pass"),
    ],
)
def test_a_wrong_option_is_told_before_any_call(host: Host, answers: Answers, args: Facts, sentence: str) -> None:
    result = run(ActionModule, args)
    assert set(result) == {"failed", "changed", "msg", "stops_rollout"}
    assert not result["stops_rollout"]
    assert result["msg"].startswith(sentence)
    assert result["msg"].endswith(UNTOUCHED)
    assert "x" * 1025 not in result["msg"]
    assert (host.runs, answers.requests) == ([], [])


def test_a_default_that_names_an_order_is_ignored_where_each_certificate_has_its_own(
    host: Host, answers: Answers
) -> None:
    deploy(certificate("www", order_number="2"), certificate("old", state="absent"), order_number="7")
    assert [request.identifier for request in answers.requests] == ["2"]
    assert host.sent == [["www+", "old"]]


def test_a_collection_code_stands_for_the_order(host: Host, monkeypatch: pytest.MonkeyPatch, answers: Answers) -> None:
    monkeypatch.setenv("COLLECTSSL_COLLECTION_CODE", "of the mail")
    result = run(ActionModule, {"certificates": [{"name": "www", "path": "/x"}], "product": "ccc"})
    assert "No credentials" not in result["msg"]
    assert [(request.identifier_kind, request.identifier) for request in answers.requests] == [("collection_code", "")]


def test_async_is_refused() -> None:
    with pytest.raises(AnsibleActionFail, match="async"):
        run(ActionModule, task(certificate()), async_val=30)


@pytest.mark.usefixtures("answers", "host")
def test_a_mode_that_yaml_made_decimal_is_doubted_by_name() -> None:
    warnings = deploy(certificate("a", mode=644), certificate("b", mode="0644"))["warnings"]
    assert [warning.partition(" in octal")[0] for warning in warnings] == [
        "Certificate a: mode is the number 644, which is 1204"
    ]


# --- what comes of orders --------------------------------------------------------------------------------------------


def _gap() -> str:
    """An answer without the certificate that issued the one it has."""
    authorities, leaf = chain()
    return urllib.parse.urlencode({"errorCode": 2, "caCertificate": authorities[0], "certificate": leaf})


@pytest.mark.parametrize(
    ("reply", "state", "sentence"),
    [
        (PENDING, "pending", "Order number 2 is still being processed. Run again later, or wait longer with wait_"),
        ("errorCode=-20", "not_collected", "Order number 2 was rejected. "),
        ("errorCode=-21", "not_collected", "The certificate of order number 2 was revoked. "),
        ("errorCode=-22", "not_collected", "Order number 2 still awaits payment. "),
        ("errorCode=-16", "not_collected", "The provider refused order number 2 with status -16. "),
        (_gap(), "not_collected", "What came for order number 2 cannot be used. "),
        (TransportError("The network is down."), "not_collected", "The network is down."),
        (CollectError("The folder of the locks is open to others."), "not_collected", "The folder of the locks "),
    ],
)
def test_one_order_that_is_not_issued_holds_back_no_other(
    host: Host, monkeypatch: pytest.MonkeyPatch, reply: t.Any, state: str, sentence: str
) -> None:
    Answers(monkeypatch, {"2": reply})
    host.installed["bad"] = old_pem()
    result = deploy(certificate("good"), certificate("bad", order_number="2"))
    assert (result["failed"], result["changed"]) == (True, True)
    assert host.sent == [["good+", "bad"]]
    assert states(result) == {"good": "installed", "bad": state}
    bad = result["certificates"][1]
    assert bad["msg"].startswith(sentence)
    assert bad["msg"].endswith(" What is installed stays.")
    assert bad["installed"]["fingerprint_sha256"] == fingerprint(OLD)
    assert result["msg"].startswith(f"bad: {sentence}")
    assert " good was installed, valid until " in result["msg"]
    assert not result["stops_rollout"]


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"expected_names": ["other.example.com"]}, "does not cover other.example.com of expected_names"),
        ({"min_validity_days": 365}, "min_validity_days asks for 365"),
        ({"content": "no chain"}, "content"),
    ],
)
def test_what_must_not_be_installed_is_refused_alone(host: Host, changes: Facts, sentence: str) -> None:
    result = deploy(certificate("bad", **changes), certificate("good", order_number="2"))
    assert states(result) == {"bad": "refused", "good": "installed"}
    assert host.sent == [["bad", "good+"]]
    assert sentence in result["certificates"][0]["msg"]
    assert (result["failed"], result["changed"]) == (True, True)
    assert (result["certificates"][0]["order"] is None) == ("content" in changes)


def test_a_chain_without_the_root_that_is_asked_for_is_refused(host: Host, answers: Answers) -> None:
    content = deploy(certificate(return_content=True))["certificates"][0]["content"]
    result = deploy(certificate("bad", content=content, root_path="/r"), certificate("good"))
    assert states(result) == {"bad": "refused", "good": "installed"}
    assert "The root certificate is asked for, and the chain came without one." in result["msg"]
    assert len(answers.requests) == 1
    assert host.sent[-1] == ["bad", "good+"]


def test_a_pending_order_may_be_allowed_and_is_said_aloud(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Answers(monkeypatch, {"1": PENDING})
    result = deploy(certificate(allow_pending=True))
    assert (result.get("failed"), result["changed"], states(result)) == (None, False, {"www": "pending"})
    assert result["msg"].startswith("www: Order number 1 is still being processed.")
    assert host.sent == [["www"]]
    assert capsys.readouterr().out.splitlines() == [
        "collectssl: order number 1 is pending; what is installed stays for now"
    ]
    assert result["certificates"][0]["msg"] == (
        "Order number 1 is still being processed. Run again later, or wait longer with wait_timeout."
    )
    deploy(certificate())
    assert "stays for now" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reply", "said", "state"),
    [
        (PENDING, "unproven", "unproven"),
        (PENDING, "failed", "failed"),
        (PENDING, "rolled_back", "rolled_back"),
        (PENDING, "refused", "refused"),
        (PENDING, "in_service", "pending"),
        ("errorCode=-20", "refused", "not_collected"),
        ("errorCode=-20", "failed", "failed"),
    ],
)
def test_what_the_host_finds_out_of_one_that_stays_counts_more(
    host: Host, monkeypatch: pytest.MonkeyPatch, reply: str, said: str, state: str
) -> None:
    Answers(monkeypatch, {"1": reply})
    host.states["www"] = [said]
    result = deploy(certificate(allow_pending=True))
    assert (result.get("failed", False), states(result)) == (state != "pending", {"www": state})
    assert result["stops_rollout"] == (said == "rolled_back")


# --- waiting ---------------------------------------------------------------------------------------------------------


class Waiting:
    """A provider in a time of its own; orders become issued after so many seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, issued_after: dict[str, float]) -> None:
        self.world = World()
        self.answers = Answers(monkeypatch, dict.fromkeys(issued_after, PENDING))
        self.lines: list[str] = []
        self.issued_after = issued_after
        self.asked: list[tuple[str, float]] = []
        ask = self.answers.ask

        def timed(request: t.Any, turn: t.Any) -> t.Any:
            self.asked.append((request.identifier, round(self.world.clock() - self.world.begin)))
            return ask(request, turn)

        monkeypatch.setattr(self.answers, "ask", timed)
        monkeypatch.setattr(ActionModule, "broker", self._broker)
        monkeypatch.setattr(collectssl_deploy, "time", types.SimpleNamespace(time=self.world.clock))

    def _broker(self, _options: t.Any) -> Broker:
        return Broker(a_provider(), self.lines.append, self.world, self.world.clock, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.world.sleep(seconds)
        for number, after in self.issued_after.items():
            if self.world.clock() - self.world.begin >= after:
                self.answers.replies[number] = ISSUED


def test_what_is_issued_goes_in_at_once_and_the_rest_by_one_more_run(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(monkeypatch, {"2": 100, "3": 650, "4": 10**9})
    certificates = [certificate(name, order_number=number) for name, number in zip("abcd", "1234", strict=True)]
    result = deploy(*certificates, wait_timeout=1000, poll_interval=300)
    assert host.sent == [["a+", "b", "c", "d"], ["b+", "c+"]]
    assert states(result) == {"a": "installed", "b": "installed", "c": "installed", "d": "pending"}
    # All of them first; then those that wait, together, with one end for all.
    assert waiting.asked == [
        *(("1", 0), ("2", 0), ("3", 0), ("4", 0)),
        *(("2", 300), ("3", 300), ("4", 300)),
        *(("3", 600), ("4", 600), ("3", 900), ("4", 900), ("4", 1000)),
    ]
    assert waiting.lines[0].startswith("collectssl: order number 2 is pending; waited 0 s, 1000 s left, next poll in ")
    assert [one["changed"] for one in result["certificates"]] == [True, True, True, False]
    assert result["failed"]
    assert result["msg"].startswith("d: Order number 4 is still being processed.")


def test_the_wait_counts_from_the_beginning_of_the_task(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, {"1": 10**9})
    execute = host._execute_module

    def slowly(_action: t.Any, **arguments: t.Any) -> Facts:
        waiting.world.sleep(40)
        return execute(**arguments)

    monkeypatch.setattr(ActionModule, "_execute_module", slowly)
    deploy(certificate(), wait_timeout=100, poll_interval=30)
    assert waiting.asked == [("1", 0), ("1", 40), ("1", 70), ("1", 100)]


def test_what_never_waits_is_no_reason_to_wait(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, {})
    waiting.answers.replies["2"] = "errorCode=-21"
    deploy(certificate("a"), certificate("b", order_number="2"), wait_timeout=1000)
    assert waiting.asked == [("1", 0), ("2", 0)]
    assert host.sent == [["a+", "b"]]


def test_an_order_that_turns_bad_while_it_is_waited_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, {"1": 10**9})
    sleep = waiting._sleep

    def reject(seconds: float) -> None:
        sleep(seconds)
        waiting.answers.replies["1"] = "errorCode=-20"

    monkeypatch.setattr(waiting, "_sleep", reject)
    result = deploy(certificate(), wait_timeout=1000)
    assert (states(result), host.sent) == ({"www": "not_collected"}, [["www"]])
    assert "Order number 1 was rejected." in result["msg"]


def test_a_controller_that_cannot_ask_any_more_ends_the_wait(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, {"1": 10**9})
    waiting.answers.replies["2"] = CollectError("There is no library.")

    def fail(seconds: float) -> None:
        waiting.answers.replies["1"] = CollectError("The disk is full.")
        waiting.world.sleep(seconds)

    monkeypatch.setattr(waiting, "_sleep", fail)
    result = deploy(certificate("a"), certificate("b", order_number="2"), wait_timeout=1000)
    assert states(result) == {"a": "not_collected", "b": "not_collected"}
    assert [one["msg"] for one in result["certificates"]] == ["The disk is full.", "There is no library."]
    assert host.sent == [["a", "b"]]


def test_check_mode_waits_first_and_runs_the_module_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting(monkeypatch, {"2": 100})
    host.check_mode = True
    args = task(certificate("a"), certificate("b", order_number="2"), wait_timeout=1000)
    result = run(ActionModule, args, check_mode=True)
    assert (host.sent, waiting.asked) == ([["a+", "b+"]], [("1", 0), ("2", 0), ("2", 300)])
    assert result["changed"]
    assert "a would be installed, valid until " in result["msg"]


# --- looks from here -------------------------------------------------------------------------------------------------


class Outside:
    """What endpoints show to this controller: by port, what each look shows, the last for good.

    ``"installed"`` is whatever the host has installed by then, None is silence.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, host: Host, **shows: list[t.Any]) -> None:
        self.host = host
        self.shows = {int(port.lstrip("p")): list(shown) for port, shown in shows.items()}
        self.looks: list[int] = []
        # What is seen before the module is sent for the first time, where that is not what is installed.
        self.before: dict[int, str | None] = {}
        self.is_before = False
        self.slept: list[float] = []
        monkeypatch.setattr(looks, "probe", self._probe)
        look_before = ActionModule._look_before

        def before(action: t.Any, given: t.Any) -> None:
            self.is_before = True
            look_before(action, given)
            self.is_before = False

        monkeypatch.setattr(ActionModule, "_look_before", before)
        monkeypatch.setattr(Run, "sleep", lambda _run, seconds: self.slept.append(seconds))

    def _probe(self, endpoint: t.Any) -> Facts:
        if not self.is_before:
            self.looks.append(endpoint.port)
            shown = self.shows.get(endpoint.port, ["installed"])
            now = shown.pop(0) if len(shown) > 1 else shown[0]
        else:
            now = self.before.get(endpoint.port, "installed")
        if now == "installed":
            installed = self.host.installed.get("www")
            now = fingerprint_of(installed) if installed else None
        if isinstance(now, Exception):
            raise now
        if now is None:
            raise EndpointError(f"{endpoint.host} port {endpoint.port} could not be connected to.")
        return {"fingerprint_sha256": now, "verified": True}


OTHER = "aa:bb:cc:dd:ee:ff"
SEEN: Facts = {"connect_from": "controller"}


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("installed", "before", "after", "state"),
    [
        (None, None, None, "unproven"),  # the first one, and nobody has ever seen anything there
        (None, OTHER, OTHER, "unproven"),  # somebody else's, whatever is installed
        ("old", None, None, "unproven"),
        ("old", None, "old", "unproven"),
        ("old", "old", None, "rolled_back"),
        ("old", "old", "old", "rolled_back"),
        ("old", "old", OTHER, "rolled_back"),
        ("old", OTHER, OTHER, "unproven"),
        ("old", OTHER, None, "rolled_back"),
    ],
)
def test_going_back_is_only_right_where_it_restores_something(
    installed: str | None,
    before: str | None,
    after: str | None,
    state: str,
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shows = {"old": fingerprint(OLD), OTHER: OTHER, None: None}
    outside = Outside(monkeypatch, host, p443=[shows[after]])
    outside.before[443] = shows[before]
    if installed:
        host.installed["www"] = old_pem()
    result = deploy(certificate(endpoints=[SEEN]), probe_retries=0)
    assert (states(result), result["failed"]) == ({"www": state}, True)
    assert (host.installed["www"] == old_pem()) == (state == "rolled_back")
    assert host.held == {}
    assert ("restore nothing" in result["msg"]) == (state == "unproven")


@pytest.mark.usefixtures("answers")
def test_what_is_held_is_looked_at_and_the_host_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host)
    host.installed["www"] = old_pem()
    result = deploy(certificate(endpoints=[SEEN]), certificate("b"))
    assert host.sent == [["www+", "b+"], ["www+"]]
    assert [args.get("_shown") for args in host.runs] == [{}, {"www": ""}]
    assert (states(result), result["changed"], outside.looks) == ({"www": "in_service", "b": "installed"}, True, [443])
    told = result["certificates"][0]
    assert told["before"]["fingerprint_sha256"] == fingerprint(OLD)
    assert result["endpoints"] == [
        {
            "certificate": "www",
            "host": "127.0.0.1",
            "port": 443,
            "server_name": None,
            "starttls": None,
            "connect_from": "controller",
            "fingerprint_sha256": told["installed"]["fingerprint_sha256"],
            "served": told["installed"],
            "verified": True,
            "verify_error": None,
            "serves": True,
            "reason": "",
        }
    ]


@pytest.mark.usefixtures("answers")
def test_what_does_not_serve_goes_back_and_is_looked_at_again(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = Outside(monkeypatch, host, p443=[OTHER, OTHER, OTHER, fingerprint(OLD)])
    host.installed["www"] = old_pem()
    result = deploy(certificate(endpoints=[SEEN]), probe_retries=2, probe_delay=5)
    new = host.runs[1]["_shown"]["www"]
    assert new.startswith(f"127.0.0.1 port 443 shows this controller {OTHER} and not ")
    assert (states(result), result["rolled_back"], result["stops_rollout"]) == ({"www": "rolled_back"}, ["www"], True)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["certificates"][0]["installed"]["fingerprint_sha256"] == fingerprint(OLD)
    assert result["endpoints"][0]["serves"]
    assert outside.slept == [5, 5]
    said = capsys.readouterr().out
    assert said.count("waiting 10 s more at most for 127.0.0.1 port 443 (www): it shows aa:bb:cc:dd") == 1
    assert "ROLLED BACK" in said


@pytest.mark.usefixtures("answers")
def test_what_does_not_serve_the_old_one_again_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Outside(monkeypatch, host, p443=[OTHER])
    host.installed["www"] = old_pem()
    result = deploy(certificate(endpoints=[SEEN]), probe_retries=1)
    assert "With the old files back: 127.0.0.1 port 443 shows this controller aa:bb" in result["msg"]


@pytest.mark.usefixtures("answers")
def test_nothing_to_do_costs_a_look_and_no_run_more(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host)
    deploy(certificate(endpoints=[SEEN]))
    outside.looks.clear()
    host.runs.clear()
    result = deploy(certificate(endpoints=[SEEN, {"connect_from": "target", "port": 1}]))
    assert (host.sent, outside.looks, states(result)) == ([["www+"]], [443], {"www": "in_service"})
    assert (result["changed"], result["msg"].startswith("www is in service, valid until ")) == (False, True)


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(("later", "state"), [("installed", "in_service"), (OTHER, "unproven"), (None, "unproven")])
def test_a_service_that_shows_another_one_takes_its_files_anew(
    host: Host, monkeypatch: pytest.MonkeyPatch, later: str | None, state: str
) -> None:
    outside = Outside(monkeypatch, host)
    deploy(certificate(services=["nginx"], endpoints=[SEEN]))
    host.runs.clear()
    outside.shows[443] = [OTHER, later]
    result = deploy(certificate(services=["nginx"], endpoints=[SEEN]), probe_retries=1)
    assert [bool(args.get("_shown")) for args in host.runs] == [False, True]
    assert host.runs[1]["_shown"]["www"].startswith(f"127.0.0.1 port 443 shows this controller {OTHER} and not ")
    assert (states(result), result["changed"]) == ({"www": state}, True)
    assert result.get("failed", False) == (state == "unproven")


@pytest.mark.usefixtures("answers")
def test_nothing_is_expected_of_a_service_that_does_not_run(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host, p443=[None])
    host.services["nginx"] = "left_stopped"
    result = deploy(certificate(services=["nginx"], endpoints=[SEEN]))
    assert (result.get("failed"), states(result), outside.slept) == (None, {"www": "installed"}, [])
    assert (result["endpoints"][0]["serves"], len(host.runs)) == (False, 1)


@pytest.mark.usefixtures("answers")
def test_two_at_one_address_are_not_told_apart(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Outside(monkeypatch, host)
    host.installed["old"] = old_pem()
    Answers(monkeypatch, {"2": PENDING})
    certificates = (
        certificate("www", endpoints=[SEEN]),
        certificate("old", order_number="2", allow_pending=True, endpoints=[SEEN]),
    )
    deploy(*certificates)
    result = deploy(*certificates)
    assert states(result) == {"www": "in_service", "old": "pending"}
    assert [seen["serves"] for seen in result["endpoints"]] == [True, None]
    assert result["endpoints"][1]["reason"].startswith("it shows the certificate of another name that is served at")


class Blind(EndpointError):
    """An endpoint that wants a client certificate, or serves another one and can't be asked for this."""

    def __init__(self, shows: str | None) -> None:
        shown = {"fingerprint_sha256": shows, "verified": True} if shows else None
        super().__init__("It can't be asked.", shown, undetermined=True)


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("before", ["installed", None])
def test_what_can_not_be_looked_at_says_nothing_against_the_new_files(
    before: str | None, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Outside(monkeypatch, host, p443=[Blind(None)])
    outside.before[443] = before
    host.installed["www"] = old_pem()
    one = certificate(services=["nginx"], endpoints=[SEEN])
    result = deploy(one)
    assert (states(result), result["failed"], result["changed"]) == ({"www": "unproven"}, True, True)
    assert host.installed["www"] != old_pem()
    assert host.held == {}
    assert result["certificates"][0]["msg"] == (
        "127.0.0.1 port 443 could not be looked at from this controller: It can't be asked. The new files stay: "
        "nothing is known against them."
    )
    assert (result["endpoints"][0]["serves"], outside.slept) == (None, [])
    # Nor is a service told to take them anew, the next time.
    host.runs.clear()
    result = deploy(one)
    assert (states(result), result["changed"], len(host.runs)) == ({"www": "unproven"}, False, 1)
    assert result["certificates"][0]["msg"].endswith("It can't be asked. Its files are those that are wanted.")
    host.check_mode = True
    result = run(ActionModule, task(one), check_mode=True)
    assert (states(result), result["changed"]) == ({"www": "unproven"}, False)


@pytest.mark.usefixtures("answers")
def test_what_can_not_be_told_is_no_fault(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host, p443=[Blind(OTHER)])
    host.installed["www"] = old_pem()
    one = certificate(services=["nginx"], endpoints=[SEEN])
    for changed in (True, False):
        result = deploy(one)
        assert (states(result), "failed" in result, result["changed"]) == ({"www": "installed"}, False, changed)
        assert result["certificates"][0]["msg"] == (
            "Whether 127.0.0.1 port 443 serves it is undetermined: It can't be asked."
        )
        assert (result["endpoints"][0]["serves"], result["endpoints"][0]["fingerprint_sha256"]) == (None, OTHER)
    assert (outside.slept, host.held) == ([], {})
    host.check_mode = True
    result = run(ActionModule, task(one), check_mode=True)
    assert (states(result), result["changed"]) == ({"www": "installed"}, False)
    # One that shows it is proof enough.
    outside.shows[444] = ["installed"]
    host.check_mode = False
    assert states(deploy(certificate(endpoints=[SEEN, {**SEEN, "port": 444}]))) == {"www": "in_service"}


@pytest.mark.usefixtures("answers")
def test_the_old_one_tells_something_however_it_came_in_sight(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(monkeypatch, host, p443=[Blind(fingerprint(OLD))])
    host.installed["www"] = old_pem()
    outside.before[443] = fingerprint(OLD)
    result = deploy(certificate(endpoints=[SEEN]), probe_retries=0)
    assert (states(result), host.installed["www"]) == ({"www": "rolled_back"}, old_pem())


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(("services", "changed", "state"), [(["nginx"], True, "in_service"), ([], False, "unproven")])
def test_check_mode_tells_what_is_served(
    host: Host, monkeypatch: pytest.MonkeyPatch, services: list[str], changed: bool, state: str
) -> None:
    outside = Outside(monkeypatch, host)
    one = certificate(services=services, endpoints=[SEEN])
    deploy(one)
    host.runs.clear()
    outside.shows[443] = [OTHER]
    host.check_mode = True
    result = run(ActionModule, task(one), check_mode=True)
    assert (len(host.runs), outside.slept) == (1, [])
    assert (result["changed"], states(result)) == (changed, {"www": state})
    assert (result["endpoints"][0]["fingerprint_sha256"], result["endpoints"][0]["serves"]) == (OTHER, False)


@pytest.mark.usefixtures("answers")
def test_check_mode_before_the_first_deploy(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Outside(monkeypatch, host, p443=[None])
    host.check_mode = True
    result = run(ActionModule, task(certificate(endpoints=[SEEN])), check_mode=True)
    assert (result["changed"], states(result), result.get("failed")) == (True, {"www": "in_service"}, None)
    assert result["msg"].startswith("www would be brought into service, valid until ")
    assert result["certificates"][0]["installed"] is None


# --- runs that come to nothing ---------------------------------------------------------------------------------------

KILLED: Facts = {"failed": True, "msg": "MODULE FAILURE\nSee stdout", "module_stdout": "", "rc": 137}


def test_a_run_that_was_killed_leaves_things_unknown(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, {"2": "errorCode=-20"})
    host.results[1] = KILLED
    result = deploy(certificate("a"), certificate("b", order_number="2"), wait_timeout=0)
    assert result["msg"].startswith("MODULE FAILURE\nSee stdout. The module came to no end of its own, so what became ")
    assert "the next run for the same certificates puts back first. b: Order number 2 was rejected." in result["msg"]
    assert states(result) == {"a": "failed", "b": "not_collected"}
    assert (result["stops_rollout"], result["rc"]) == (True, 137)
    assert result["certificates"][1]["msg"].startswith("Order number 2 was rejected.")
    assert "as a whole" not in result["certificates"][1]["msg"]


@pytest.mark.usefixtures("answers")
def test_work_that_was_killed_leaves_things_unknown(host: Host) -> None:
    host.results[1] = {"failed": True, "msg": "The process was killed.", "end_unknown": True}
    result = deploy(certificate("a"))
    assert result["msg"].startswith("The process was killed. The module came to no end of its own, so what became ")
    assert (states(result), result["stops_rollout"]) == ({"a": "failed"}, True)


@pytest.mark.usefixtures("answers")
def test_a_run_that_refuses_all_says_why_once(host: Host) -> None:
    host.results[1] = {"failed": True, "msg": "Nothing could be done."}
    result = deploy(certificate("a"), certificate("b"))
    assert result["msg"] == "Nothing could be done."
    assert (states(result), result["stops_rollout"]) == ({"a": "failed", "b": "failed"}, False)


@pytest.mark.usefixtures("answers")
def test_a_host_that_cannot_be_told_keeps_what_it_holds(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Outside(monkeypatch, host)
    host.results[2] = KILLED
    result = deploy(certificate(endpoints=[SEEN]), certificate("b"))
    assert states(result) == {"www": "unproven", "b": "installed"}
    assert (
        "The new files are in place, and the old ones are kept until the next run, which ends this first."
        in (result["certificates"][0]["msg"])
    )
    assert (result["stops_rollout"], result["changed"], result["failed"]) == (True, True, True)


def test_a_late_one_that_does_not_come_in(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Waiting(monkeypatch, {"2": 100})
    host.results[2] = {"failed": True, "msg": "Nothing could be done.", "exception": "x"}
    host.states["c"] = ["failed"]
    certificates = (certificate("a"), certificate("b", order_number="2"), certificate("c"))
    result = deploy(*certificates, wait_timeout=1000)
    assert states(result) == {"a": "installed", "b": "failed", "c": "failed"}
    assert result["msg"].startswith("Nothing could be done. c: The disk is full. a was installed, valid until ")
    assert result["certificates"][1]["msg"] == "What was to bring it in failed as a whole."
    assert result["exception"] == "x"


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("state", "changed", "stops"),
    [("unproven", True, True), ("unproven", False, False), ("failed", False, False), ("refused", False, False)],
)
def test_what_stops_a_rollout(host: Host, state: str, changed: bool, stops: bool) -> None:
    if not changed:
        deploy(certificate())
    host.states["www"] = [state]
    result = deploy(certificate())
    assert (result["changed"], result["stops_rollout"], result["failed"]) == (changed, stops, True)


@pytest.mark.usefixtures("answers")
def test_check_mode_stops_no_rollout(host: Host) -> None:
    host.states["www"] = ["unproven"]
    result = run(ActionModule, task(certificate()), check_mode=True)
    assert (result["changed"], result["stops_rollout"], result["failed"]) == (True, False, True)


@pytest.mark.usefixtures("answers")
def test_of_what_is_wrong_without_a_word_nothing_is_made_up(host: Host) -> None:
    host.states["www"] = ["unproven"]
    assert deploy(certificate())["msg"] == "www: Why is not known."


@pytest.mark.usefixtures("answers", "host")
def test_the_ends_of_what_may_be_asked_for() -> None:
    ends = {"probe_timeout": 86400, "probe_retries": 86400, "probe_delay": 86400, "command_timeout": 86400}
    assert "failed" not in deploy(certificate(), **ends)
    assert "failed" not in deploy(certificate(), probe_timeout=1, probe_retries=0, probe_delay=0, command_timeout=1)


@pytest.mark.usefixtures("answers")
def test_who_reads_files_hears_of_those_that_changed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a new one, one of which a file changed, and not of what went back or was taken anew as it was."""
    outside = Outside(monkeypatch, host)
    www = certificate(services=["nginx"], endpoints=[SEEN])
    assert deploy(www, certificate("b"))["changed_certificates"] == ["www", "b"]
    assert deploy(www, certificate("b"))["changed_certificates"] == []
    outside.shows[443] = [OTHER, "installed"]
    result = deploy(www)
    assert (result["changed"], result["changed_certificates"]) == (True, [])
    host.installed["www"] = old_pem()
    outside.shows[443] = [OTHER, fingerprint(OLD)]
    result = deploy(www, probe_retries=0)
    assert (states(result), result["changed_certificates"]) == ({"www": "rolled_back"}, [])


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("changed", [True, False])
def test_a_file_that_changed_makes_a_certificate_one_that_did(host: Host, changed: bool) -> None:
    pem = deploy(certificate())["certificates"][0]["installed"] and host.installed["www"]
    files = [{"path": "/etc/tls/www.pem", "role": "fullchain", "changed": changed, "backup_file": None}]
    told = {"name": "www", "state": "installed", "msg": "", "changed": True, "files": files}
    host.results[2] = {"changed": True, "certificates": [{**told, "before": pem, "installed": pem}]}
    assert deploy(certificate())["changed_certificates"] == (["www"] if changed else [])


@pytest.mark.usefixtures("answers")
def test_of_a_host_that_cannot_be_reached_is_told_what_is_known(host: Host) -> None:
    host.results[1] = AnsibleConnectionFailure("No route to host.")
    result = deploy(certificate("www", endpoints=[{}]), certificate("b"))
    assert (result["unreachable"], result.get("failed"), result["stops_rollout"]) == (True, None, True)
    assert result["msg"] == "No route to host."
    assert states(result) == {"www": "failed", "b": "failed"}
    assert [one["order"]["state"] for one in result["certificates"]] == ["issued"] * 2
    (seen,) = result["endpoints"]
    assert (seen["host"], seen["serves"], seen["served"], seen["reason"]) == (
        *("127.0.0.1", False, None),
        "No route to host.",
    )


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_host_that_is_down_may_be_seen_from_here(
    host: Host, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    Outside(monkeypatch, host, p443=[OTHER])
    host.results[1] = AnsibleConnectionFailure("No route to host.")
    action = action_of(ActionModule, task(certificate(endpoints=[SEEN])), check_mode=check_mode)
    (seen,) = action.run(task_vars={})["endpoints"]
    assert (seen["fingerprint_sha256"], seen["reason"]) == ((OTHER, "") if check_mode else (None, "No route to host."))


@pytest.mark.usefixtures("answers")
def test_a_host_that_goes_away_keeps_what_it_holds(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Outside(monkeypatch, host)
    host.results[2] = AnsibleConnectionFailure("No route to host.")
    result = deploy(certificate(endpoints=[SEEN]), certificate("b"))
    assert (result["unreachable"], result["stops_rollout"], result["changed"]) == (True, True, True)
    assert states(result) == {"www": "unproven", "b": "installed"}
    assert "The new files are in place, and the old ones are kept until the next run" in result["msg"]
    assert "NOT PROVEN" in capsys.readouterr().out


@pytest.mark.usefixtures("answers")
def test_what_an_endpoint_served_instead_is_described(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"fingerprint_sha256": OTHER, "verified": False, "verify_error": "expired"}
    for pem, subject, reason in [
        (old_pem(), "CN=www.example.com", ""),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None, "cannot be read"),
    ]:
        monkeypatch.setattr(looks, "probe", lambda _endpoint, pem=pem: {**shown, "certificate": pem})
        (seen,) = deploy(certificate(endpoints=[SEEN]), probe_retries=0)["endpoints"]
        assert (seen["served"] or {}).get("subject") == subject
        assert reason in seen["reason"]
        assert seen["verify_error"] == "expired"


# --- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize("no_log", [False, True])
def test_a_failure_ends_with_a_table_and_a_sentence_for_each(
    host: Host, capsys: pytest.CaptureFixture[str], no_log: bool
) -> None:
    host.states["bad"] = ["failed"]
    host.services["nginx"] = "reloaded"
    certificates = [certificate("bad", return_content=True), certificate("good", services=["nginx"])]
    action = action_of(ActionModule, task(*certificates), no_log=no_log)
    result = action.run(task_vars={"inventory_hostname": "web1\x1b[31m"})
    shown = [line for line in capsys.readouterr().out.splitlines() if line]
    if no_log:
        assert shown == []
        return
    title, bad, good, sentence = shown
    assert title.split() == ["host", "certificate", "before", "now", "until", "services", "proof"]
    assert bad.startswith("web1 [31m  bad          -       ")
    assert bad.endswith("FAILED")
    assert "nginx reloaded" in good
    assert sentence == "bad: The disk is full."
    assert "BEGIN CERTIFICATE" not in repr(result)


@pytest.mark.usefixtures("answers", "host")
def test_success_shows_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    result = deploy(*(certificate(name) for name in "abcde"))
    assert result["msg"] == "Of 5 certificates, 5 installed; 5 of them changed."
    assert capsys.readouterr().out == ""


def test_nothing_of_a_secret_is_left_on_the_disk(tmp_path: pathlib.Path, host: Host, answers: Answers) -> None:
    deploy(certificate())
    assert (len(host.runs), len(answers.requests)) == (1, 1)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes()


# --- passphrases -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("answers")
def test_without_pipelining_each_passphrase_goes_in_a_file_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[str, bytes, int]]] = []

    def execute(_self: t.Any, module_args: Facts, **_arguments: t.Any) -> Facts:
        paths = [str(one.get("privatekey_passphrase", "")) for one in module_args["certificates"]]
        assert [path[:1] for path in paths] == [BESIDE, "", BESIDE]
        there = [pathlib.Path(path[1:]) for path in paths if path]
        seen.append([(path.name, path.read_bytes(), path.stat().st_mode & 0o7777) for path in there])
        assert "secret" not in repr(module_args)
        for path in there:
            path.unlink()
        return {"changed": False, "certificates": []}

    monkeypatch.setattr(ActionModule, "_execute_module", execute)
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", False)
    monkeypatch.setenv("ANSIBLE_REMOTE_TMP", str(tmp_path / "remote"))
    monkeypatch.setenv("HOME", str(tmp_path))
    encrypted = {"privatekey_path": "/key", "privatekey_passphrase": "secret \u00fc"}
    action = action_of(
        ActionModule,
        task(
            certificate("a", **encrypted),
            certificate("b"),
            certificate("c", **{**encrypted, "privatekey_passphrase": "secret 2"}),
        ),
    )
    action.run(task_vars={})
    action.cleanup(force=True)
    (files,) = seen
    assert [(octets, mode) for _name, octets, mode in files] == [
        ("secret \u00fc".encode(), 0o600),
        (b"secret 2", 0o600),
    ]
    assert len({name for name, _octets, _mode in files}) == 2


@pytest.mark.usefixtures("answers")
def test_with_verbosity_nothing_is_printed_of_what_is_sent(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Display(), "verbosity", 4)
    deploy(certificate(privatekey_path="/key", privatekey_passphrase="of the key"))
    assert "of the key" not in capsys.readouterr().out
    assert host.runs[0]["certificates"][0]["privatekey_passphrase"] == "of the key"
