# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What live users, other clients and public reports showed, a row a case: given, what becomes of it, what is said.

Each row has a test file of its own kind as well, with all its neighbours; here they stand together. Real runs of
``ansible-playbook`` are in the integration targets ``waiting``, ``answers``, ``bad_input``, ``collectssl_order_info``
and ``collectssl_certificate``.
"""

from __future__ import annotations

import base64
import os
import pathlib
import sys
import typing as t
import urllib.parse

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_certificate import ActionModule
from ansible_collections.certfleet.collectssl.plugins.action.collectssl_order_info import ActionModule as OrderInfo
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import proxy_for
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import Simulator
from ansible_collections.certfleet.collectssl.tests.support import authority, broker, https_server, installation
from ansible_collections.certfleet.collectssl.tests.support.authority import from_now, pem_of
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity
from ansible_collections.certfleet.collectssl.tests.unit.plugins.action.action_support import ACCOUNT, run
from ansible_collections.certfleet.collectssl.tests.unit.plugins.scene import Scene, closed_folder, file_of_root
from ansible_collections.certfleet.collectssl.tests.unit.simulator.support import GOOD, Caller, dump_orders

pytestmark = pytest.mark.usefixtures("run_folder")

_PATH = {**ACCOUNT, "path": "/etc/tls/cert.pem"}
_DH = "-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n"


class _World(Scene):
    """What is done in the rows: each returns what became of it and what was said."""

    def refused(self, *arguments: t.Any, **options: t.Any) -> tuple[str, str]:
        return "refused", self.task(*arguments, **options)

    def installed(self, **options: t.Any) -> tuple[str, str]:
        """A task whose module is not really run."""
        broker.Answers(self.monkeypatch)
        done = {"changed": True, "files": []}
        self.monkeypatch.setattr(ActionModule, "_execute_module", lambda _self, **_arguments: dict(done))
        given = {**_PATH, "order_number": "12345", **options}
        result = run(ActionModule, {name: value for name, value in given.items() if value is not None})
        assert not result.get("failed"), result
        return "installed", " ".join(result.get("warnings", []))

    def polls(self) -> tuple[str, str]:
        """Two attempts within the five minutes for which an answer otherwise stands."""
        fleet = broker.Fleet(self.monkeypatch, broker.PENDING, broker.ISSUED)
        attempt = Attempt("task")
        states = [fleet.ask(attempt=attempt).order["state"]]
        states.append(fleet.ask(attempt=attempt.following()).order["state"])
        return f"{len(fleet.provider.calls)} calls", ", ".join(states)

    def asked_for_a_status(self) -> tuple[str, str]:
        answers = broker.Answers(self.monkeypatch)
        result = run(OrderInfo, {**ACCOUNT, "order_number": "12345", "response_type": "pkcs7", "wait_timeout": 60})
        assert not result.get("failed"), result
        return result["orders"][0]["state"], answers.requests[0].response_type

    def query_string(self) -> tuple[str, str]:
        """A call whose arguments stand behind the question mark, as two published clients make it."""
        orders = dump_orders(self.folder / "orders.yml", [{"order_number": "1", "life": [{"state": "pending"}]}])
        simulator = Simulator(orders, self.folder)
        simulator.start()
        try:
            caller = Caller(simulator.ready)
            answered = caller.call(queryType="0")
            url = simulator.ready["api_url_ssl"]
            connection = caller.connection(url)
            path = f"/{url.split('/', 3)[3]}?{_query()}"
            connection.request("POST", path, b"", {"Content-Type": "application/x-www-form-urlencoded"})
            with connection.getresponse() as response:
                body = response.read()
            connection.close()
            return ("answered" if body == answered.body else "not answered"), body.decode("ascii").strip()
        finally:
            simulator.stop()

    def parsed(self, *lines: str) -> tuple[str, str]:
        text = "\n".join([*lines, *pem_of(*authority.chain().served).splitlines()])
        response = parse(text.encode(), None, CollectRequest("order_number", "1", show=["fqdn"]))
        assert response.fqdn == "www.example.com"
        return f"{len(response.certificates)} certificates", str(dict(response.extra))

    def found(self, url: str, no_proxy: str) -> tuple[str, str]:
        environment = {"https_proxy": "http://proxy.example.com:3128", "no_proxy": no_proxy}
        return ("direct" if proxy_for(url, None, environment) is None else "by proxy"), ""

    def content(self, text: str) -> tuple[str, str]:
        validity = from_now(-1, 90)
        root = authority.root(validity=from_now(-90, 90))
        pem = pem_of(root.leaf(validity=validity), root.der)
        shown = text.format(pem=pem, escaped=pem.replace("\n", "\\n"), slurped=base64.b64encode(pem.encode()).decode())
        return self.installed(content=shown, order_number=None)

    def refused_content(self, text: str) -> tuple[str, str]:
        escaped = pem_of(*authority.chain().served).replace("\n", "\\n")
        return self.refused(content=text.format(escaped=escaped), order_number=None)

    def many_names(self) -> tuple[str, str]:
        names = [f"host{number:03}.example.com" for number in range(250)]
        root = authority.root(validity=from_now(-90, 90))
        leaf = root.leaf(validity=from_now(-1, 90), names=authority.general_names(f"DNS:{name}" for name in names))
        content = pem_of(leaf, root.der)
        said = self.task(content=content, order_number=None, expected_names=["www.example.com"])
        assert len(said) < 600
        return "refused", said

    def old_library(self) -> tuple[str, str]:
        with pytest.raises(Exception, match="cryptography") as caught:
            _library.require("cryptography", "42", "41.0.7", None)
        assert sys.executable in str(caught.value)
        return "refused", str(caught.value)

    def on_target(self, prepare: t.Any, run_by: t.Any = lambda work: work(), **options: str) -> tuple[str, str]:
        return "refused", self.target(prepare, run_by, **options)

    def in_combined_file(self) -> tuple[str, str]:
        with installation.open_folder() as folder:
            host = installation.SmallHost(folder)
            host.write_key("ec-key")
            host.combined.write_text(f"{host.key.read_text()}{installation.leaf('ec-key', 7)}{_DH}", encoding="ascii")
            options: installation.Options = {"combined_path": str(host.combined), "privatekey_path": str(host.key)}
            content = installation.bundle("ec-key")
            result = host.install(content=content, **options)
            assert not host.install(content=content, **options)["changed"]
            assert host.combined.read_text(encoding="ascii").endswith(_DH)
            return "installed", result["diff"][0]["after"]

    def before_the_key_is_there(self) -> tuple[str, str]:
        with installation.open_folder() as folder:
            host = installation.SmallHost(folder)
            said: list[str] = []
            self.monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, text: said.append(text))
            options: installation.Options = {"path": str(host.path), "privatekey_path": str(host.key)}
            changed = host.install(check=True, content=installation.bundle("ec-key"), **options)["changed"]
            return ("foreseen" if changed else "nothing to do"), " ".join(said)

    def without_ssl(self) -> tuple[str, str]:
        with self.monkeypatch.context() as patch:
            patch.setitem(sys.modules, "ssl", None)
            with installation.open_folder() as folder:
                host = installation.SmallHost(folder)
                host.write_key("ec-key")
                content = installation.bundle("ec-key")
                assert host.install(path=str(host.path), content=content)["changed"]
                with pytest.raises(InstallError) as caught:
                    host.install(path=str(host.path), privatekey_path=str(host.key), content=content)
        return "refused", str(caught.value)


def _query() -> str:
    """The arguments of a good call, as a query string."""
    return urllib.parse.urlencode({**GOOD, "queryType": "0"})


_ODD = "ends in a line feed, which was sent along"
_UNTOUCHED = "No file on the target was touched."
_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: What is given, what is done with it, what becomes of it, and what is said.
_ROWS: list[t.Any] = [
    # The first ones, as a process is to fork before it has threads.
    pytest.param(
        "a file of another owner",
        lambda w: w.on_target(file_of_root, installation.as_user),
        "refused",
        "would make it a file of their own",
        marks=_root_only,
    ),
    pytest.param(
        "a folder that can't be entered",
        lambda w: w.on_target(closed_folder, installation.as_user),
        "refused",
        "cannot be entered by the user",
        marks=_root_only,
    ),
    ("a second attempt after a second", lambda w: w.polls(), "2 calls", "pending, issued"),
    ("response_type: pkcs7 as a default, for a status", lambda w: w.asked_for_a_status(), "issued", "individual"),
    (
        "a collection code with product: ssl",
        lambda w: w.refused(login_name=None, login_password=None, order_number=None, collection_code="x" * 16),
        "refused",
        "is for product ccc alone",
    ),
    (
        "unknown lines before the certificates",
        lambda w: w.parsed("2", "365", "www.example.com", "term=1"),
        "4 certificates",
        "{'unnamed_lines': ('365', 'term=1')}",
    ),
    ("arguments in the query string", lambda w: w.query_string(), "answered", "0"),
    (
        "order_number: 0012345",
        lambda w: w.refused(order_number=0o012345),
        "refused",
        'Write it in quotes, such as "0012',
    ),
    ("order_number: 12345678", lambda w: w.installed(order_number=12345678), "installed", ""),
    (
        "a password out of a file",
        lambda w: w.refused("errorCode=-16", login_password=f"{broker.PASSWORD}\n"),
        "refused",
        _ODD,
    ),
    ("content between other lines", lambda w: w.content("---\nsubject=x\n{pem}-- \nJane\n---\n"), "installed", ""),
    ("content as slurp gives it", lambda w: w.content("{slurped}"), "installed", ""),
    (
        "content with two characters for a line end",
        lambda w: w.refused_content("{escaped}"),
        "refused",
        "characters \\n",
    ),
    ("a placeholder as content", lambda w: ("refused", w.placeholder()), "refused", "is self-signed: a placeholder"),
    ("validate with %s", lambda w: w.refused(validate="openssl x509 -in %s"), "refused", "gets no path"),
    ("mode: 644", lambda w: w.installed(mode=644), "installed", "which is 1204 in octal"),
    (
        "two misspelled options",
        lambda w: w.refused(fullchain_paht="/a", privatekey_pth="/b"),
        "refused",
        "Is fullchain_path meant by fullchain_paht? Is privatekey_path meant by privatekey_pth?",
    ),
    ("HTTP status 404", lambda w: ("refused", w.call(https_server.answer("x", 404))), "refused", "Check api_url"),
    ("a network in no_proxy", lambda w: w.found("https://192.0.2.7/x", "10.0.0.0/8, 192.0.2.0/24"), "direct", ""),
    ("an unsupported algorithm", lambda w: ("refused", w.unchecked()), "refused", "cannot be checked with the key of"),
    ("an old cryptography", lambda w: w.old_library(), "refused", "That one has cryptography 41.0.7."),
    ("250 names", lambda w: w.many_names(), "refused", " more."),
    ("a file mounted by itself", lambda w: ("refused", w.mounted()), "refused", "Give in_place: true"),
    ("DH parameters in a combined file", lambda w: w.in_combined_file(), "installed", "DH PARAMETERS"),
    ("check mode before the key is there", lambda w: w.before_the_key_is_there(), "foreseen", "an earlier task"),
    ("a Python without ssl", lambda w: w.without_ssl(), "refused", "has no working module ssl"),
    (
        "validate that refuses",
        lambda w: w.on_target(lambda _host: None, validate="sh -c 'echo unknown directive; exit 4'"),
        "refused",
        "with exit status 4: unknown directive. Every file has been put back as it was.",
    ),
    ("a pending order", lambda w: w.refused(broker.PENDING), "refused", f"wait_timeout. {_UNTOUCHED}"),
]


@pytest.fixture(name="world")
def fixture_world(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, identity: Identity) -> _World:
    return _World(monkeypatch, tmp_path, identity)


@pytest.mark.parametrize(("given", "do", "outcome", "message"), _ROWS)
def test_what_is_given_comes_to_what_was_to_be_expected(
    given: str, do: t.Callable[[_World], tuple[str, str]], outcome: str, message: str, world: _World
) -> None:
    became, said = do(world)
    assert became == outcome, f"{given}: {said}"
    assert message in said, given
