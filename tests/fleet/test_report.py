# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook report on a fleet with something wrong here and there, and its page as somebody sees it in a browser."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import typing as t

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import counted
from ansible_collections.certfleet.collectssl.tests.fleet.lib import collectssl_browser
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_browser import Browser
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import (
    FOLDER,
    REISSUED,
    FleetRun,
    Stage,
)
from ansible_collections.certfleet.collectssl.tests.support import environment, places
from selenium.webdriver.common.keys import Keys

_SOON, _PENDING, _REJECTED = "7001", "7002", "7003"
_PHONE, _PAPER, _DESK = 375, 794, 1440
_MONTHS = "return getComputedStyle(document.querySelector('.line')).backgroundImage.split('linear-gradient').length - 1"


class _Scene(t.NamedTuple):
    """Which host is in which trouble, what the run said, and the page."""

    expiring: str
    stale: str
    silent: str
    down: str
    run: FleetRun
    calls: list[str]
    peak: int
    page: pathlib.Path


def _place_orders(stage: Stage) -> None:
    key = stage.fleet.directory / f"ordered-{REISSUED}.pem"
    common = {"account": stage.simulator.environment["COLLECTSSL_LOGIN_NAME"], "key": str(key)}
    pending = {
        "state": "pending",
        "details": {"csrStatus": 1, "dcvStatus": 0, "ovCallbackStatus": 2},
        "domains": [
            {"name": "www.fleet.test", "status": "VALIDATED"},
            {"name": "intranet.fleet.test", "status": "NOTVALIDATED"},
        ],
    }
    orders = [
        {"order_number": _SOON, "names": ["www.fleet.test"], "valid_days": 6, **common},
        {"order_number": _PENDING, "names": ["www.fleet.test", "intranet.fleet.test"], "life": [pending], **common},
        {"order_number": _REJECTED, "names": ["www.fleet.test"], "life": [{"state": "rejected"}], **common},
    ]
    stage.simulator.control("orders", {"orders": orders})


@pytest.fixture(scope="module")
def scene(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[_Scene]:
    """A fleet of which one certificate expires soon, and three hosts are in trouble."""
    fleet = stage.fleet
    _place_orders(stage)
    expiring, stale = (host.name for host in fleet.of("nginx")[:2])
    silent, down = fleet.of("apache")[0].name, fleet.of("haproxy")[0].name
    orders = f"{{{{ {{'{expiring}': '{_SOON}'}}[inventory_hostname] | default('{REISSUED}') }}}}"
    stage.settings(fleet_order=orders)
    deployed = stage.run([expiring, stale])
    assert deployed.code == 0, deployed.text

    fleet.hosts[stale].write(f"{FOLDER}/cert.pem", fleet.initial.certificate)
    fleet.hosts[silent].run(["service", "apache2", "stop"])
    fleet.hosts[down].kill()
    folder = tmp_path_factory.mktemp("report")
    trusted = folder / "roots.pem"
    trusted.write_text("".join(stage.trust), encoding="ascii")
    variables = {
        # Which trusts the roots of the file above.
        "collectssl_deploy_probe_from": "controller",
        "report_file": str(folder / "report.html"),
        "report_orders": [_PENDING, _REJECTED],
        "report_warn_days": 14,
    }
    stage.settings(**variables)
    stage.simulator.reset()
    try:
        run = stage.run(playbook="report", SSL_CERT_FILE=str(trusted))
        calls = [call["arguments"]["orderNumber"] for call in stage.simulator.calls()]
        yield _Scene(expiring, stale, silent, down, run, calls, stage.simulator.peak(), folder / "report.html")
    finally:
        fleet.hosts[down].start()
        fleet.wait_until_ready([down])


@pytest.fixture(scope="module")
def browser() -> t.Iterator[Browser]:
    """Chromium."""
    why_not = collectssl_browser.why_not()
    if why_not:
        pytest.skip(f"The report was not looked at in a browser: {why_not}")
    with collectssl_browser.browser() as value:
        yield value


def test_run(stage: Stage, scene: _Scene) -> None:
    """The run ends well whatever is wrong with the fleet, and asks once about each order."""
    assert scene.run.code == 0, scene.run.text
    assert sorted(scene.calls) == [REISSUED, _SOON, _PENDING, _REJECTED]
    assert scene.peak == 1
    assert {counts["changed"] for counts in scene.run.recap().values()} == {0}
    assert f"The report is in {scene.page}." in scene.run.words
    assert "PRIVATE KEY" not in scene.run.text + scene.page.read_text(encoding="utf-8")


def test_what_a_reader_learns(stage: Stage, scene: _Scene, browser: Browser) -> None:
    """All orders and endpoints, the urgent ones on top, each with what is wrong."""
    browser.open(scene.page, _DESK)
    browser.unfold()
    orders = browser.seen("#orders tbody tr")
    assert len(orders) == 4
    assert "✕ rejected" in orders[0]
    assert orders[0].startswith(_REJECTED)
    assert re.search(rf"order number {_SOON} ▲ expires in [56] days", orders[1]), orders[1]
    assert scene.expiring in orders[1]
    assert "pending dcv 1/2, ov callback in progress intranet.fleet.test not validated" in orders[2]
    assert "✓ issued" in orders[3]
    assert f"{len(stage.fleet.hosts) - 1} hosts" in orders[3]

    endpoints = browser.seen("#endpoints tbody tr")
    down = len(stage.fleet.hosts[scene.down].endpoints)
    assert len(endpoints) == sum(len(host.endpoints) for host in stage.fleet.hosts.values()) - down
    of_host = {name: [row for row in endpoints if row.split()[0] == name] for name in stage.fleet.hosts}
    assert [row.split()[0] for row in endpoints if "✕" in row] == [row.split()[0] for row in endpoints][:2]
    assert "✕ serves another certificate than the one that is installed" in of_host[scene.stale][0]
    assert "✕" in of_host[scene.silent][0]
    assert "refused" in of_host[scene.silent][0]
    assert "▲ expires in" in of_host[scene.expiring][0]
    troubled = {scene.stale, scene.silent, scene.down, scene.expiring}
    fine = [row for name, rows in of_host.items() if name not in troubled for row in rows]
    assert [row for row in fine if "✓ in service" not in row or "the same" not in row] == []
    (host,) = browser.seen("#hosts tbody tr")
    assert host.split()[:2] == [scene.down, "✕"]
    assert counted(down, "endpoint") in host
    tiles = dict(tile.split(" ", 1)[::-1] for tile in browser.seen(".tiles li"))
    assert tiles["expire within 14 days 1 order, 1 endpoint"] == "2"
    assert tiles["not served as installed 1 endpoint"] == "1"
    assert tiles["do not answer 1 host, 1 endpoint"] == "2"


def test_expiring_order_stands_out(scene: _Scene, browser: Browser) -> None:
    """By its place, its colour, its weight, and a sign for those who see no colours."""
    browser.open(scene.page, _DESK)
    rows = browser.all("#orders tbody tr")
    (expiring,) = (row for row in rows if f"order number {_SOON}" in row.text)
    (fine,) = (row for row in rows if f"order number {REISSUED}" in row.text)
    assert expiring.location["y"] < fine.location["y"]
    colours = [row.value_of_css_property("background-color") for row in (expiring, fine)]
    assert colours[0] != colours[1]
    states = [row.find_element("css selector", "td.state") for row in (expiring, fine)]
    weights = [int(state.value_of_css_property("font-weight")) for state in states]
    assert weights[0] > weights[1]
    assert [state.text.strip()[0] for state in states] == ["▲", "✓"]


def test_time_line(scene: _Scene, browser: Browser) -> None:
    """Today is at one place in all rows; what runs longer reaches farther beyond it."""
    browser.open(scene.page, _DESK)
    marks = {mark.rect["x"] for mark in browser.all("#orders .today")}
    assert len(marks) == 1
    (today,) = marks
    assert len(browser.all("#orders .line")) == 2, "what has no date has no line"
    assert re.fullmatch(r"20\d\d-\d\d( 20\d\d-\d\d)*", browser.seen("#orders .scale")[0])
    assert browser.ask(_MONTHS) >= 4
    ends = {}
    for row in browser.all("#orders tbody tr"):
        for validity in row.find_elements("css selector", ".line .span"):
            ends[row.text.split("order number ")[1].split()[0]] = validity.rect["x"] + validity.rect["width"]
    assert ends.keys() == {_SOON, REISSUED}
    assert today < ends[_SOON] < ends[REISSUED]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [_PHONE, 600, _PAPER, _DESK])
def test_screens(scene: _Scene, browser: Browser, width: int, scheme: str, tmp_path: pathlib.Path) -> None:
    """Nothing sticks out or lies on top of something else, and everything can be read."""
    browser.open(scene.page, width, scheme)
    browser.picture(tmp_path / f"{width}-{scheme}.png")
    assert browser.overflowing() == []
    assert browser.covered() == []
    assert browser.faint(4.5) == []
    assert "Valid until" in " ".join(browser.seen("#orders thead") + browser.seen("#orders tbody tr")) or width < 961
    assert browser.loaded() == []
    assert browser.complaints() == []


def test_print(scene: _Scene, browser: Browser, tmp_path: pathlib.Path) -> None:
    """On paper it fits the width of A4, black on white though the screen is dark."""
    browser.open(scene.page, _PAPER, "dark", "print")
    browser.picture(tmp_path / "print.png")
    assert browser.overflowing() == []
    assert browser.covered() == []
    assert browser.faint(4.5) == []
    assert browser.ask("return getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    pdf = browser.on_paper()
    (tmp_path / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF-")


# --- a thousand endpoints, which no machine has ----------------------------------------------------------------------

_HOSTS, _EACH = 250, 4
# Which hosts are in which trouble; with all others nothing is wrong.
_DOWN, _EXPIRED, _REFUSING, _STALE, _UNTRUSTED, _SOON_HOSTS, _HELD = (
    *(range(20), range(20, 25), range(25, 60), range(60, 70), range(70, 75), range(75, 85), range(85, 88)),
)
_NOW = "2026-06-01T12:00:00Z"
_SECONDS = 2.0


def _installed(number: int) -> dict[str, t.Any]:
    day = "2026-05-20" if number in _EXPIRED else "2026-06-09" if number in _SOON_HOSTS else "2026-12-17"
    return {
        "subject": f"CN=www{number}.example.com",
        "issuer": "CN=Issuing CA,O=Example",
        "subject_alt_names": [f"DNS:www{number}.example.com", f"DNS:shop{number}.example.com"],
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": f"{day}T23:59:59Z",
        "fingerprint_sha256": ":".join(f"{(number * 7 + place) % 256:02x}" for place in range(32)),
    }


def _endpoint(number: int, place: int) -> dict[str, t.Any]:
    served: dict[str, t.Any] | None = _installed(number)
    reason, serves = "", True
    address = f"192.0.2.{number}"
    if number in _DOWN:
        served, reason, serves = None, "No route to host", False
    elif number in _REFUSING:
        reason = f"{address} port {8443 + place} could not be connected to: {address} (Connection refused). Check it."
        served, serves = None, False
    elif number in _STALE:
        served, serves = {**_installed(number), "fingerprint_sha256": "aa:bb:" * 16 + "cc"}, False
    return {
        "certificate": "www",
        "host": address,
        "port": 8443 + place,
        "server_name": None,
        "starttls": None,
        "connect_from": "controller",
        "served": served,
        "serves": serves,
        "reason": reason,
        "fingerprint_sha256": served and served["fingerprint_sha256"],
        "verified": served and number not in _UNTRUSTED,
        "verify_error": "self-signed certificate" if number in _UNTRUSTED else None,
    }


def _host(number: int) -> dict[str, t.Any]:
    is_down = number in _DOWN
    order = {
        "order_number": str(7000 + number),
        "state": "issued",
        "status": {"code": 1, "message": None},
        "fqdn": f"www{number}.example.com",
        "not_before": "2026-01-01T00:00:00Z",
        "mdc_domains": [],
        "not_after": _installed(number)["not_after"],
    }
    certificate = {
        "name": "www",
        "state": "failed" if is_down else "in_service",
        "msg": "",
        "held": number in _HELD,
        "order": order,
        "installed": None if is_down else _installed(number),
    }
    down = {"unreachable": True, "msg": f"Connection to 192.0.2.{number} timed out"} if is_down else {}
    looks = [_endpoint(number, place) for place in range(_EACH)]
    return {"host": f"web{number:03}", "result": {"certificates": [certificate], "endpoints": looks, **down}}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The page of 1,000 endpoints on 250 hosts, by the playbook's own template."""
    folder = tmp_path_factory.mktemp("large")
    page, variables = folder / "large.html", folder / "variables.json"
    report = f"{{{{ seen | certfleet.collectssl.fleet_report(now='{_NOW}') }}}}"
    variables.write_text(json.dumps({"seen": [_host(number) for number in range(_HOSTS)]}), encoding="utf-8")
    template = places.COLLECTION / "playbooks/templates/report.html.j2"
    tasks = [
        {"ansible.builtin.set_fact": {"__report": report}},
        {"ansible.builtin.template": {"src": str(template), "dest": str(page), "mode": "0644"}},
    ]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook = folder / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    command = [places.program("ansible-playbook"), str(playbook), "-e", f"@{variables}"]
    done = subprocess.run(
        command, env=environment.of_run(folder, "controller"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return page


def test_a_thousand_endpoints_open_at_once(large: pathlib.Path, browser: Browser) -> None:
    """Within two seconds, and with nothing loaded besides."""
    times = []
    for _turn in range(3):
        browser.open(large, _DESK)
        times.append(browser.opened())
    print(f"{large.stat().st_size} octets, opened in {times} s")
    assert 0 < min(times) < _SECONDS
    assert browser.loaded() == []
    assert browser.complaints() == []


_FOUND = {
    "✕ host not reached 20 hosts with 80 endpoints",
    "✕ expired 20 endpoints on 5 hosts",
    "✕ no answer: the endpoint could not be connected to: its address (Connection refused) 140 endpoints on 35 hosts",
    "✕ serves another certificate than the one that is installed 40 endpoints on 10 hosts",
    "▲ not trusted: self-signed certificate 20 endpoints on 5 hosts",
    "▲ expires within 30 days 40 endpoints on 10 hosts",
    "▲ old files held 3 certificates on 3 hosts",
    "✕ expired 5 orders",
    "▲ expires within 30 days 10 orders",
}


# Whether what a link leads to says something, and begins in the upper half of the window.
_LED_TO = """
const there = document.querySelector(':target'), box = there && there.getBoundingClientRect();
return box && there.innerText.includes(arguments[0]) && box.top >= 0 && box.top < innerHeight / 2;
"""


def test_what_is_wrong_is_seen_at_once(large: pathlib.Path, browser: Browser) -> None:
    """Ten lines at the top of the page say it all, the urgent ones first, and lead to the rows."""
    browser.open(large, _DESK)
    assert "250 orders, and 1,000 endpoints on 250 hosts" in browser.read("header")[0]
    causes = browser.read(".causes li")
    assert set(causes) == _FOUND
    assert "".join(cause[0] for cause in causes) == "✕✕✕✕✕▲▲▲▲"
    assert max(link.rect["y"] + link.rect["height"] for link in browser.all(".causes a")) < 900
    (link,) = (link for link in browser.all(".causes a") if "serves another" in link.text)
    link.click()
    # What is far down is laid out once it comes in sight, so where it is may take the browser a moment.
    browser.until(_LED_TO, "serves another certificate")
    assert len(browser.read("#hosts tbody tr")) == len(_DOWN)
    (first, *_others) = browser.read("#hosts tbody tr")
    assert first == "web000 ✕ host not reached: Connection to 192.0.2.0 timed out 4 endpoints"


def test_nothing_is_lost_that_is_folded(large: pathlib.Path, browser: Browser) -> None:
    """What is in order is folded, and there for who unfolds it: each endpoint has its place."""
    browser.open(large, _DESK)
    folded = browser.read("#endpoints tbody tr")
    browser.unfold()
    rows = browser.read("#endpoints tbody tr")
    seen = browser.read("#hosts li")
    assert len(seen) == len(_DOWN) * _EACH
    assert (len(rows) + len(seen), len(folded)) == (_HOSTS * _EACH, 260)
    assert len({*seen, *(row.partition("✓")[0].partition("✕")[0].partition("▲")[0] for row in rows)}) == 1000
    assert sum("✓ in service" in row for row in rows) == 660
    assert len(browser.read("#orders tbody tr")) == _HOSTS


def test_typed_and_chosen(large: pathlib.Path, browser: Browser) -> None:
    """Words and a state leave the rows with both, the count is announced, and all comes back."""
    browser.open(large, _DESK)
    (count,) = browser.all("#count")
    assert (count.aria_role, count.text) == ("status", "1,000 of 1,000 endpoints, 250 of 250 orders")
    (text,) = browser.all("#text")
    assert text.accessible_name == "Text"
    text.send_keys("web12 SHOP")
    assert count.text == "40 of 1,000 endpoints, 0 of 250 orders"
    rows = browser.read("#endpoints tbody tr")
    assert len(rows) == 40
    assert {row.split()[0] for row in rows} == {f"web12{digit}" for digit in range(10)}
    assert browser.read("#hosts tbody tr, #orders tbody tr") == []
    text.clear()
    text.send_keys("web00")
    assert count.text == "40 of 1,000 endpoints, 10 of 250 orders"
    assert len(browser.read("#hosts tbody tr")) == 10
    text.clear()
    text.send_keys("nobody has this")
    assert count.text == "0 of 1,000 endpoints, 0 of 250 orders"
    assert browser.read("main h3") == []

    for _letter in "nobody has this":
        browser.press(Keys.BACKSPACE)
    assert count.text.startswith("1,000 of 1,000")
    assert len(browser.read("#endpoints tbody tr")) == 260
    browser.press(Keys.TAB)
    (state,) = browser.all("#state")
    assert browser.driver.switch_to.active_element == state
    assert state.accessible_name == "State"
    browser.press("serves another")
    assert count.text == "40 of 1,000 endpoints, 0 of 250 orders"
    rows = browser.read("#endpoints tbody tr")
    assert len(rows) == 40
    assert all("✕ serves another certificate than the one that is installed" in row for row in rows)
    text.send_keys("web063 8444")
    assert count.text == "1 of 1,000 endpoints, 0 of 250 orders"


def test_without_scripts(large: pathlib.Path, browser: Browser) -> None:
    """All of it can be read and unfolded, and there is no field that does nothing."""
    browser.open(large, _DESK, scripts=False)
    try:
        assert browser.read("#filter") == []
        assert set(browser.read(".causes li")) == _FOUND
        browser.unfold()
        assert len(browser.read("#endpoints tbody tr")) + len(browser.read("#hosts li")) == 1000
    finally:
        browser.open(large, _DESK)
    assert browser.read("#filter") != []


def test_scripts_of_others_do_not_run(large: pathlib.Path, browser: Browser) -> None:
    """The page allows its own script by its hash, and none that got into it, be it by a name in a certificate."""
    strange = large.with_name("strange.html")
    text = large.read_text(encoding="utf-8")
    strange.write_text(text.replace("</main>", "</main><script>document.title = 'owned';</script>"), encoding="utf-8")
    browser.open(strange, _DESK)
    assert browser.driver.title == "TLS certificates on 2026-06-01"
    assert browser.read("#filter") != []
    assert "Content Security Policy" in " ".join(browser.complaints())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [_PHONE, _DESK])
def test_large_screens(large: pathlib.Path, browser: Browser, width: int, scheme: str) -> None:
    """Nothing sticks out or lies on top of something else, and everything can be read, with all unfolded."""
    browser.open(large, width, scheme)
    browser.unfold()
    assert browser.overflowing() == []
    assert browser.covered() == []
    assert browser.faint(4.5) == []


def test_large_print(large: pathlib.Path, browser: Browser, tmp_path: pathlib.Path) -> None:
    """On paper what is folded is unfolded, and the fields are gone."""
    browser.open(large, _PAPER, "dark", "print")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.read("#filter") == []
    assert len(browser.read("#endpoints tbody tr")) + len(browser.read("#hosts li")) == 1000
    assert browser.overflowing() == []
    assert browser.covered() == []
    assert browser.faint(4.5) == []
    browser.open(large, _DESK)
    pdf = browser.on_paper()
    (tmp_path / "large.pdf").write_bytes(pdf)
    # A thousand endpoints do not fit on a few sheets.
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 20
