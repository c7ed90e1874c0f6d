# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook report on a fleet with something wrong here and there, and its page as somebody sees it in a browser."""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib import collectssl_browser
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_browser import Browser
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import (
    FOLDER,
    REISSUED,
    FleetRun,
    Stage,
)

_SOON, _PENDING, _REJECTED = "7001", "7002", "7003"
_PHONE, _PAPER, _DESK = 375, 794, 1440


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
    orders = browser.seen("#orders tbody tr")
    assert len(orders) == 4
    assert "was rejected" in orders[0]
    assert orders[0].startswith(_REJECTED)
    assert re.search(rf"order number {_SOON} ▲ expires in [56] days", orders[1]), orders[1]
    assert scene.expiring in orders[1]
    assert "pending dcv 1/2, ov callback in progress intranet.fleet.test not validated" in orders[2]
    assert "✓ in order" in orders[3]
    assert f"{len(stage.fleet.hosts) - 1} hosts" in orders[3]

    endpoints = browser.seen("#endpoints tbody tr")
    assert len(endpoints) == sum(len(host.endpoints) for host in stage.fleet.hosts.values())
    of_host = {name: [row for row in endpoints if row.split()[0] == name] for name in stage.fleet.hosts}
    assert [row.split()[0] for row in endpoints if "✕" in row] == [row.split()[0] for row in endpoints][:3]
    assert "✕ serves another certificate than the one that is installed" in of_host[scene.stale][0]
    assert "✕" in of_host[scene.silent][0]
    assert "refused" in of_host[scene.silent][0]
    assert "✕" in of_host[scene.down][0]
    assert "▲ expires in" in of_host[scene.expiring][0]
    troubled = {scene.stale, scene.silent, scene.down, scene.expiring}
    fine = [row for name, rows in of_host.items() if name not in troubled for row in rows]
    assert [row for row in fine if "✓ in order" not in row or "the same" not in row] == []
    tiles = dict(tile.split(" ", 1)[::-1] for tile in browser.seen(".tiles li"))
    assert tiles["expire within 14 days 1 order, 1 endpoint"] == "2"
    assert tiles["not served as installed 0 orders, 1 endpoint"] == "1"
    assert tiles["do not answer 0 orders, 2 endpoints"] == "2"


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
    assert "Valid until" in (browser.seen("#orders thead") + browser.seen("#orders tbody tr"))[0] or width < 961
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
