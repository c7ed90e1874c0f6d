# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook report on hosts in every state; what its page looks like in a browser is for the tests of the fleet."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html.parser
import json
import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, tls_servers
from ansible_collections.certfleet.collectssl.tests.support.identity import AuthorityFolder
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

_HOSTILE = "<script>document.title = '{{ 6 * 7 }}'</script>"
_PASSPHRASE = "a passphrase of a private key"
_ELEMENTS_WITHOUT_END = {"meta", "link", "br", "img", "col", "input"}


class _Page(html.parser.HTMLParser):
    """The rows of the page by section, as a person reads them, and everything that might load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {"": []}
        self.levels: dict[str, list[str]] = {"": []}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self._section = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag not in _ELEMENTS_WITHOUT_END:
            self.open.append(tag)
        if tag == "section":
            self._section = str(given["id"])
            self.rows[self._section], self.levels[self._section] = [], []
        if tag == "tr" and "class" in given:
            self.rows[self._section].append("")
            self.levels[self._section].append(str(given["class"]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} ends, and was not open"

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
            return
        words = " ".join(data.split())
        if not words or "style" in self.open:
            return
        self.words.append(words)
        if "tbody" in self.open:
            rows = self.rows[self._section]
            rows[-1] = f"{rows[-1]} {words}".strip()

    def row(self, section: str, word: str) -> str:
        """The one row with a word in it."""
        (found,) = (row for row in self.rows[section] if word in row)
        return found

    def text(self) -> str:
        """All that is to read."""
        return " ".join(self.words)


class _Scene:
    """Hosts with servers, and orders in every state."""

    def __init__(self, lab: Lab, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self.lab = lab
        self.page = folder / "page.html"
        self.authority = AuthorityFolder(folder / "authority")
        self._stack = stack
        pending: t.Any = {
            "state": "pending",
            "details": {"csrStatus": 1, "dcvStatus": 0, "ovCallbackStatus": 2},
            "domains": [
                {"name": "www.pending.example.com", "status": "VALIDATED"},
                {"name": "mail.pending.example.com", "status": "NOTVALIDATED"},
            ],
        }
        self.orders = {
            "good": lab.order(names=["good.example.com"], valid_days=200),
            "soon": lab.order(names=["soon.example.com"], valid_days=9),
            "pending": lab.order(names=["www.pending.example.com", "mail.pending.example.com"], life=[pending]),
            "rejected": lab.order(life=[{"state": "rejected"}]),
        }
        self.hosts = {
            "web-good": self._host("web-good", "good", days=(-1, 200)),
            "web-soon": self._host("web-soon", "soon", days=(-80, 9)),
            "web-stale": self._host("web-stale", "good", days=(-100, -2), installed="good"),
            "web-hostile": self._host("web-hostile", "pending", days=(-1, 90), common_name=_HOSTILE, installed=""),
            "web-silent": self._host("web-silent", "good", days=None, installed="good"),
            "web-down": {
                **self._host("web-down", "good", days=None, installed="good"),
                "ansible_connection": "ssh",
                "ansible_host": "127.0.0.1",
                "ansible_port": 1,
            },
        }

    def _host(
        self,
        name: str,
        order: str,
        days: tuple[int, int] | None,
        installed: str | None = None,
        common_name: str | None = None,
    ) -> dict[str, t.Any]:
        folder = self.lab.host_folder(name)
        port = 1
        if days is not None:
            names = [] if common_name else [f"{order}.example.com"]
            identity = self.authority.issue(name, *names, days=days, common_name=common_name)
            port = self._stack.enter_context(tls_servers.s_server(identity))
            if installed is None:
                files.write(folder / "site.pem", identity.certificate.read_bytes())
        if installed == "good":
            files.write(folder / "site.pem", (self.authority.folder / "web-good.pem").read_bytes())
        if name == "web-good":
            # That of its order; on others none is there yet, which is said.
            files.write(folder / "site.key", certificates.shared_key(), 0o600)
        certificate = {
            "name": f"site-{order}",
            "order_number": self.orders[order],
            "fullchain_path": "{{ dir }}/site.pem",
            "privatekey_path": "{{ dir }}/site.key",
            **({} if name == "web-good" else {"privatekey_passphrase": _PASSPHRASE}),
            "expected_names": [f"{order}.example.com"],
            "endpoints": [{"port": port}],
        }
        return {"collectssl_deploy_certificates": [certificate]}

    def run(self, *arguments: str, **variables: t.Any) -> Run:
        """Run the playbook."""
        given = {"report_file": str(self.page), "report_orders": [self.orders["rejected"]], **variables}
        environment = {"SSL_CERT_FILE": str(self.authority.path)}
        return self.lab.playbook(self.hosts, "report", *arguments, environment=environment, **given)

    def read(self) -> _Page:
        """The page."""
        return _Page(self.page.read_text(encoding="utf-8"))


@pytest.fixture
def scene(lab: Lab, tmp_path: pathlib.Path) -> t.Iterator[_Scene]:
    """A fleet of six, of which one is in order."""
    with contextlib.ExitStack() as stack:
        yield _Scene(lab, tmp_path, stack)


def _files_of(scene: _Scene) -> dict[str, t.Any]:
    return {name: files.snapshot(scene.lab.host_folder(name)) for name in scene.hosts}


def test_page(scene: _Scene) -> None:
    """Every order and every endpoint has its row, the urgent ones first; nothing is changed, and orders asked once."""
    before = _files_of(scene)
    predicted = scene.run("--check", "-l", "web-good").must_be_civil()
    assert predicted.returncode == 0, predicted.shown
    predicted.must_not_warn()
    assert "In check mode no page is written." in predicted.output
    assert not scene.page.exists()
    scene.lab.simulator.reset()

    run = scene.run("-vvv").must_be_civil()
    assert run.returncode == 0, run.shown
    assert f"The report is in {scene.page}." in run.output
    assert _PASSPHRASE not in run.output
    assert [result.task for result in run.results if result.changed] == []
    assert _files_of(scene) == before
    calls = {name: len(scene.lab.simulator.calls(number)) for name, number in scene.orders.items()}
    assert calls == dict.fromkeys(scene.orders, 1)
    assert scene.lab.simulator.peak() == 1

    page = scene.read()
    assert page.open == []
    _assert_orders(scene, page)
    _assert_endpoints(page)
    _assert_self_contained(page)
    assert _PASSPHRASE not in scene.page.read_text(encoding="utf-8")
    assert "6 endpoints on 6 hosts" in page.text()


def _assert_orders(scene: _Scene, page: _Page) -> None:
    rows = page.rows["orders"]
    assert len(rows) == len(scene.orders)
    assert page.levels["orders"] == ["bad", "warn", "wait", "good"]
    assert f"order number {scene.orders['rejected']}" in rows[0]
    assert "✕ rejected" in rows[0]
    assert rows[0].endswith("none")
    assert rows[1].startswith("soon.example.com")
    assert re.search(r"▲ expires in [89] days", rows[1])
    assert "web-soon" in rows[1]
    assert "… pending dcv 1/2, ov callback in progress mail.pending.example.com not validated" in rows[2]
    assert "www.pending.example.com validated" not in rows[2]
    assert "✓ issued" in rows[3]
    assert "web-down, web-good, web-silent, web-stale" in rows[3]


def _assert_endpoints(page: _Page) -> None:
    rows = page.rows["endpoints"]
    assert [row.split()[0] for row in rows] == ["web-stale", "web-silent", "web-soon", "web-hostile", "web-good"]
    assert page.levels["endpoints"] == ["bad", "bad", "warn", "warn", "good"]
    stale = page.row("endpoints", "web-stale")
    assert "✕ expired 2 days ago" in stale
    assert "✕ serves another certificate than the one that is installed" in stale
    assert "refused" in page.row("endpoints", "web-silent")
    hostile = page.row("endpoints", "web-hostile")
    assert f"CN={_HOSTILE}" in hostile.replace("\\", "")
    assert "… no certificate is installed yet" in hostile
    assert "▲ not trusted: " in hostile
    assert "✓ in service" in page.row("endpoints", "web-good")
    assert "the same" in page.row("endpoints", "web-good")
    (down,) = page.rows["hosts"]
    assert down.startswith("web-down ✕ host not reached: ")
    assert re.search(r" 1 endpoint 127\.0\.0\.1 port 1, asked for \S+ \(site-good\): no answer$", down)


def _assert_self_contained(page: _Page) -> None:
    assert {tag for tag, _attributes in page.tags} & {"link", "img", "iframe", "object", "form"} == set()
    loading = [given for _tag, given in page.tags if {"src", "srcset", "action", "onclick"} & set(given)]
    assert loading == []
    assert {str(given["href"])[:1] for _tag, given in page.tags if "href" in given} == {"#"}
    policy = [given["content"] for tag, given in page.tags if tag == "meta" and "http-equiv" in given]
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    assert [given.partition("script-src ")[::2] for given in map(str, policy)] == [
        ("default-src 'none'; style-src 'unsafe-inline'; ", f"'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    ]


def test_data_and_metrics(scene: _Scene, tmp_path: pathlib.Path) -> None:
    """The same as the page, for programs; metrics take the place of those before as a whole."""
    metrics = tmp_path / "certs.prom"
    metrics.write_text("of the last run", encoding="ascii")
    last = os.stat(metrics).st_ino
    run = scene.run("-l", "web-good,web-down", report_metrics_path=str(metrics)).must_be_civil()
    assert run.returncode == 0, run.shown
    run.must_not_warn()
    data = json.loads(scene.page.with_suffix(".json").read_text(encoding="utf-8"))
    assert [row["host"] for row in data["endpoints"]] == ["web-down", "web-good"]
    assert [row["host"] for row in data["hosts"]] == ["web-down"]
    (good,) = (row for row in data["endpoints"] if row["host"] == "web-good")
    assert (good["serves"], good["kinds"], good["served"]) == (True, ["good"], good["installed"])
    assert data["now"][:10] in scene.read().text()
    lines = metrics.read_text(encoding="utf-8").splitlines()
    (serves,) = (line for line in lines if line.startswith('certfleet_endpoint_serves{host="web-good",'))
    assert serves.endswith(" 1")
    assert 'certfleet_host_reachable{host="web-down"} 0' in lines
    assert oct(metrics.stat().st_mode & 0o7777) == "0o644"
    assert metrics.stat().st_ino != last
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "certs"))] == ["certs.prom"]


def test_what_is_to_be_an_alarm(scene: _Scene) -> None:
    """The run fails at its end for what it is told, and for nothing else; all files are written before."""
    quiet = scene.run("-l", "web-good,web-silent", report_fail_on=["drift", "held", "expired"]).must_be_civil()
    assert quiet.returncode == 0, quiet.shown
    scene.page.unlink()
    run = scene.run("-l", "web-good,web-silent", report_fail_on="expired,revoked, unreachable").must_fail()
    said = run.one("Fail for what makes this run fail").message
    begin = "The report found what this run is to fail for: unreachable: 1 endpoint (web-silent 127.0.0.1 port 1, "
    assert said.startswith(begin)
    assert said.endswith(").")
    assert "; " not in said
    assert len(scene.read().rows["endpoints"]) == 2
    assert scene.page.with_suffix(".json").exists()


def test_an_alarm_that_nobody_knows(scene: _Scene) -> None:
    """It is refused before any host or the provider is asked."""
    scene.lab.simulator.reset()
    run = scene.run(report_fail_on="expired,unreachabel").must_fail()
    assert "report_fail_on knows no unreachabel. Is unreachable meant?" in " ".join(run.output.split())
    assert {result.task for result in run.results} == {"Check what the report is given"}
    assert scene.lab.simulator.calls() == []
    assert not scene.page.exists()


def test_provider_does_not_answer(scene: _Scene) -> None:
    """Without the provider there is a page all the same; it says why the orders are not known."""
    run = scene.run("-l", "web-good", collectssl_login_password="a wrong password").must_be_civil()
    assert run.returncode == 0, run.shown
    page = scene.read()
    assert page.levels["orders"] == ["bad", "bad"]
    assert "Permission denied, status -16" in page.rows["orders"][0]
    assert "a wrong password" not in run.output + scene.page.read_text(encoding="utf-8")
    assert len(page.rows["endpoints"]) == 1


def test_where_the_page_goes(lab: Lab, tmp_path: pathlib.Path) -> None:
    """A relative file is of the folder that the command runs in; a mistake in one host is told on the page."""
    good = {"name": "one", "content": "", "fullchain_path": "/nowhere/one.pem"}
    hosts = {
        "fine": {"collectssl_deploy_certificates": [good]},
        "wrong": {"collectssl_deploy_certificates": [good, good]},
        "bare": {},
    }
    run = lab.playbook(hosts, "report", environment={"PWD": str(tmp_path)}).must_be_civil()
    assert run.returncode == 2
    assert "Each has a name of its own" in " ".join(run.output.split())
    page = _Page((tmp_path / "certfleet-report.html").read_text(encoding="utf-8"))
    assert "Hosts that are not in this report" in page.text()
    assert "the run says why: wrong Endpoints No certificate of" in page.text()
    assert "on 2 hosts" in page.text()
    assert "No host has a certificate of an order." in page.text()
    assert "No certificate of the hosts names an endpoint." in page.text()
    assert lab.simulator.calls() == []
