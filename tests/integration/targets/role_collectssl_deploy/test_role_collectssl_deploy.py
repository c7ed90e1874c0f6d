# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role collectssl_deploy on one host with two certificates and a service for both: OpenSSL's own server."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import Hosts, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run
from ansible_collections.certfleet.collectssl.tests.support.web_service import LAYOUT, SERVICES, WebService

_ROLE = "certfleet.collectssl.collectssl_deploy"
_NAMES = ("one", "two")
_LIFE = [*({"state": "issued", "seconds": 10**6} for _number in range(3)), {"state": "issued"}]
_PASSPHRASE = "a passphrase 'with' $(quotes)"

# The process that does the work, and first the one that waits for it and would end what it had begun.
_KILLING = """sh -c 'kill -9 $(cut -d" " -f4 /proc/$PPID/stat) $PPID'"""


class WebHost:
    """A host with a service, and the role's variables for it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.host_folder("web")
        self.orders = {name: lab.order(names=[f"{name}.example.com"], life=_LIFE) for name in _NAMES}
        self.service = WebService(self.folder, _NAMES)
        self.certificates: list[dict[str, t.Any]] = [
            {
                "name": name,
                "layout": "web",
                "order_number": self.orders[name],
                "expected_names": [f"{name}.example.com"],
                "endpoints": [{"port": self.service.ports[name], "connect_from": "controller"}],
            }
            for name in _NAMES
        ]
        # A look from the target costs a process each time, so there is one of them.
        self.certificates[0]["endpoints"].insert(0, {"port": self.service.ports["one"]})

    def add_pending(self) -> str:
        """Ask for a certificate that is not issued yet, for a key with a passphrase; returns the order's number."""
        files.write(self.folder / "tls" / "late.key", certificates.make_key(passphrase=_PASSPHRASE), 0o600)
        number = self.lab.order(life=[{"state": "pending"}])
        self.certificates.append(
            {
                "name": "late",
                "layout": "web",
                "order_number": number,
                "allow_pending": True,
                "privatekey_passphrase": _PASSPHRASE,
            }
        )
        return number

    def run(
        self, *arguments: str, hosts: Hosts | None = None, play: dict[str, t.Any] | None = None, **variables: t.Any
    ) -> Run:
        """Run the role, on this host unless others are given, in a play with these keywords."""
        role = {
            "role": _ROLE,
            "vars": {
                "collectssl_deploy_certificates": self.certificates,
                "collectssl_deploy_layouts": {"web": LAYOUT},
                "collectssl_deploy_services": SERVICES,
                # The command for a reload comes back when the service is up.
                "collectssl_deploy_probe_retries": 1,
                "collectssl_deploy_probe_delay": 1,
                **variables,
            },
        }
        handler = {
            "name": "Tell the monitoring",
            "listen": "certfleet.collectssl certificate changed",
            "ansible.builtin.debug": {"msg": "{{ collectssl_deploy_changed_certificates }}"},
        }
        return self.lab.plays(
            hosts or {"web": {}}, [{**(play or {}), "roles": [role], "handlers": [handler]}], *arguments
        )

    def killed(self) -> None:
        """A run for the second certificate is ended while the new files are in place, and not validated."""
        number = self.lab.order(names=["two.example.com"])
        one = {**self.certificates[1], "order_number": number, "validate": _KILLING}
        before = self.service.installed()
        run = self.run(collectssl_deploy_certificates=[one])
        assert run.returncode == 2, run.shown
        assert self.service.installed()["one"] == before["one"]
        assert self.service.installed()["two"] != before["two"]
        assert self.leftovers

    @property
    def leftovers(self) -> list[str]:
        """What runs left in the folder of the files, beside these."""
        return [path for path in files.contents(self.folder / "tls") if path.startswith(".")]


@pytest.fixture
def host(lab: Lab) -> t.Iterator[WebHost]:
    """A host that has neither keys nor certificates."""
    host = WebHost(lab)
    yield host
    host.service.end()


def _changed(run: Run) -> list[str]:
    return [result.task for result in run.results if result.changed]


def _deployed(run: Run) -> dict[str, t.Any]:
    """What came of the certificates."""
    (result,) = (one for one in run.results if one.task.endswith("Bring what is wanted into service"))
    return result.data


def _notified(run: Run) -> list[str]:
    found = [result for result in run.results if result.task.endswith("Tell the monitoring")]
    return list(found[0].data["msg"]) if found else []


def test_life_of_a_host(host: WebHost) -> None:
    """Check mode on a bare host, first run with a pending order, idle one, dead service, reissue, and one not taken."""
    before = files.snapshot(host.folder)
    predicted = host.run("--check", "--diff").must_succeed()
    warned = _deployed(predicted)["warnings"]
    for name in _NAMES:
        said = [warning for warning in warned if warning.startswith(f"{name}: ")]
        # The folder is one that a run makes.
        assert [warning.split()[1] for warning in said] == ["privatekey_path:"], warned
    assert len(warned) == len(_NAMES)
    assert "Would change: one, two" in predicted.output
    assert files.snapshot(host.folder) == before

    host.service.make_keys()
    late = host.add_pending()
    first = host.run("--diff", "-vvv").must_succeed()
    # Left out, as that is allowed, and not asked for from here on.
    assert not (host.folder / "tls" / "late.pem").exists()
    assert _PASSPHRASE not in first.output
    assert len(host.lab.simulator.calls(late)) == 1
    host.certificates.pop()
    assert host.service.reloads == 1
    assert host.service.served() == host.service.installed()
    assert _notified(first) == list(_NAMES)
    assert host.leftovers == []
    assert not certificates.shows_key(first.output, certificates.shared_key())

    second = host.run().must_succeed()
    assert _changed(second) == []
    assert host.service.reloads == 1
    assert _notified(second) == []

    # It is not served any more: a reload, though no file changes and a new one is pending. A run was killed, and what
    # it had changed is undone.
    host.service.end("two")
    renewed = {**host.certificates[1], "order_number": host.lab.order(life=[{"state": "pending"}])}
    as_it_was = files.contents(host.folder / "tls")
    host.killed()
    healed = host.run(
        collectssl_deploy_certificates=[host.certificates[0], {**renewed, "allow_pending": True}]
    ).must_succeed()
    assert host.leftovers == []
    assert host.service.reloads == 2
    assert host.service.served() == host.service.installed()
    assert files.contents(host.folder / "tls") == as_it_was
    assert _notified(healed) == []

    host.lab.simulator.advance(host.orders["two"])
    old = host.service.served()
    before = files.snapshot(host.folder / "tls")
    predicted = host.run(play={"check_mode": True}).must_succeed()
    assert _deployed(predicted)["services"] == [{"name": "web", "action": "command"}]
    assert files.snapshot(host.folder / "tls") == before
    assert host.leftovers == []
    assert host.service.served() == old
    # Those are no predictions, whatever the command line says.
    third = host.run("--check", play={"check_mode": False}).must_succeed()
    assert host.service.reloads == 3
    assert _notified(third) == ["two"]
    assert host.service.served()["one"] == old["one"]
    assert host.service.served()["two"] == host.service.installed()["two"] != old["two"]
    assert [len(host.lab.simulator.calls(host.orders[name])) for name in _NAMES] == [6, 5]

    _not_taken(host)


def _not_taken(host: WebHost) -> None:
    """Files, service and endpoints are as before, and the message says which certificate and why."""
    old = host.service.served()
    before = files.contents(host.folder / "tls")

    for number in host.orders.values():
        host.lab.simulator.advance(number)
    deaf = files.write(host.folder / "deaf", "")
    for said in _assert_back(host, old, before):
        assert re.search(r"127\.0\.0\.1 port \d+ .*shows ", said), said

    deaf.unlink()
    for one in host.certificates:
        one["validate"] = "sh -c 'echo not like this >&2; exit 3'"
    for said in _assert_back(host, old, before):
        assert "validate: the command sh failed with exit status 3: not like this." in said


def _assert_back(host: WebHost, old: dict[str, str], before: dict[str, t.Any]) -> list[str]:
    run = host.run().must_fail()
    result = _deployed(run)
    assert [one["state"] for one in result["certificates"]] == ["rolled_back"] * 2
    words = " ".join(run.output.split())
    for name in _NAMES:
        assert f"{name}: " in words
    assert words.count("Its files are as they were.") >= 2
    assert files.contents(host.folder / "tls") == before
    assert host.service.served() == old
    assert _notified(run) == []
    return [str(one["msg"]) for one in result["certificates"]]


#: What the first certificate has instead, and words of the message.
_MISTAKES: dict[str, tuple[dict[str, t.Any], str]] = {
    "option": ({"ordernumber": "1"}, "Certificate one: There is no option ordernumber. Is order_number meant?"),
    "layout": ({"layout": "wep"}, "Certificate one: There is no layout wep. Is web meant? There are apache, "),
    "endpoint": ({"endpoints": [{"prot": 443}]}, "Element 1 of endpoints: There is no option prot. Is port meant?"),
    "name": ({"name": "two"}, "Two certificates are called two. Each has a name of its own."),
    "wildcard": ({"name": "*.example.com"}, "letters, digits and . _ @ + -, begin with a letter or a digit"),
    "folder": ({"directory": "tls"}, "directory must be an absolute path"),
    "octal": ({"order_number": 5349}, "order_number"),
    "truth": ({"order_number": True}, "order_number"),
}


def test_mistakes(host: WebHost) -> None:
    """A mistake in the variables is named before anything is asked or changed, and so is having no certificates."""
    hosts: dict[str, dict[str, t.Any]] = {"none": {"mine": []}}
    for mistake, (changed, _words) in _MISTAKES.items():
        hosts[mistake] = {"mine": [{**host.certificates[0], **changed}, host.certificates[1]]}
    run = host.run(hosts=hosts, collectssl_deploy_certificates="{{ mine }}").must_fail()
    failed = {result.host: " ".join(result.message.split()) for result in run.results if result.status == "failed"}
    assert set(failed) == {"none", *_MISTAKES}
    assert "certificates is empty, so there is nothing to bring into service." in failed["none"]
    for mistake, (_changed_option, words) in _MISTAKES.items():
        assert words in failed[mistake]
    assert _changed(run) == []
    assert host.lab.simulator.calls() == []


def test_misspelled_variables(lab: Lab) -> None:
    """They are said with what may be meant, and those that somebody has for something else are left alone."""
    own: dict[str, t.Any] = {"collectssl_deploy_certificates_common": [], "collectssl_accounts": {}}
    misspelled = {"collectssl_deploy_certificate": [{"name": "one"}], "collectssl_wait_timeuot": 60}
    right = {"collectssl_deploy_certificates": [{"name": "one", "path": "/nowhere", "content": ""}]}
    run = lab.plays({"slip": {**misspelled, **own}, "fine": {**right, **own}}, [{"roles": [_ROLE]}]).must_fail()
    slip, fine = (run.one(f"{_ROLE} : Bring what is wanted into service", host) for host in ("slip", "fine"))
    assert "certificates is empty, so there is nothing to bring into service." in slip.message
    assert [warning.partition(" has no variable ")[2] for warning in slip.data["warnings"]] == [
        "collectssl_deploy_certificate. Is collectssl_deploy_certificates meant? That one is not set.",
        "collectssl_wait_timeuot. Is collectssl_wait_timeout meant? That one is not set.",
    ]
    assert "has no variable" in run.output
    assert "warnings" not in fine.data
