# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of a report beside its page: metrics, an alarm, and the settings of the playbook."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import shutil
import subprocess
import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.filter import (
    fleet_report,
    report_alarm,
    report_metrics,
    report_settings,
    script_hash,
)
from prometheus_client.parser import text_string_to_metric_families

_NOW = "2026-06-01T12:00:00Z"
_HOSTILE = 'a "b" \\ c\nd'


def _call(plugin: t.Any, name: str, *arguments: t.Any, **more: t.Any) -> t.Any:
    return plugin.FilterModule().filters()[name](*arguments, **more)


def _certificate(name: str, fingerprint: str | None = "aa", **more: t.Any) -> dict[str, t.Any]:
    dates = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2026-12-01T00:00:00Z"}
    installed = fingerprint and {**dates, "fingerprint_sha256": fingerprint}
    return {
        "name": name,
        "state": "in_service",
        "msg": "",
        "held": False,
        "order": None,
        "installed": installed,
        **more,
    }


def _endpoint(name: str, not_after: str | None, serves: bool | None = True, **more: t.Any) -> dict[str, t.Any]:
    served = {"not_before": "2026-01-01T00:00:00Z", "not_after": not_after, "subject": "CN=x", "issuer": "CN=y"}
    return {
        "certificate": name,
        "host": "192.0.2.1",
        "port": 443,
        "server_name": name,
        "starttls": None,
        "connect_from": "target",
        "fingerprint_sha256": not_after and ("aa" if serves else "bb"),
        "served": not_after and served,
        "verified": True,
        "verify_error": None,
        "serves": serves,
        "reason": "",
        **more,
    }


def _order(number: str, state: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "order_number": number,
        "state": state,
        "status": {"code": None, "message": "It was so."},
        "fqdn": None,
        "not_before": None,
        "not_after": None,
        "mdc_domains": [],
        "details": {},
        "validation_status": None,
        **more,
    }


def _hosts() -> list[dict[str, t.Any]]:
    """One host in order, one with everything wrong, and one that is down."""
    expired, soon, late = "2026-05-01T00:00:00Z", "2026-06-10T00:00:00Z", "2026-12-01T00:00:00Z"
    issued = _order("7", "issued", not_after=soon)
    wrong = [
        _certificate("expired", held=True, order=_order("8", "revoked")),
        _certificate("drift"),
        _certificate("none", None, state="not_collected", msg="It was rejected.", order=_order("9", "rejected")),
        _certificate("silent", state="rolled_back"),
        _certificate("closed"),
    ]
    looks = [
        _endpoint("expired", expired),
        _endpoint("drift", late, serves=False),
        _endpoint("none", late, serves=False, port=8443),
        _endpoint("silent", None, serves=False, reason="refused"),
        _endpoint("closed", None, serves=None, reason="It demands a client certificate."),
    ]
    down = [_endpoint("www", None, serves=False)]
    lost = _certificate("www", None, state="failed")
    return [
        {
            "host": "good",
            "result": {
                "certificates": [_certificate("www", order=issued)],
                "endpoints": [
                    _endpoint("www", late, server_name=_HOSTILE),
                ],
            },
        },
        {"host": "wrong", "result": {"certificates": wrong, "endpoints": looks}},
        {"host": "down", "result": {"certificates": [lost], "endpoints": down, "unreachable": True, "msg": "no route"}},
    ]


@pytest.fixture(scope="module")
def report() -> dict[str, t.Any]:
    """A report on these hosts, as it is after it was written down."""
    made = _call(fleet_report, "fleet_report", _hosts(), now=_NOW)
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(made)))


# --- metrics ---------------------------------------------------------------------------------------------------------


def _samples(text: str) -> dict[str, dict[tuple[t.Any, ...], float]]:
    """The samples by metric, as Prometheus reads them, each with the values of its labels."""
    found: dict[str, dict[tuple[t.Any, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            assert sample.name == family.name
            key = tuple(sample.labels.values())
            assert key not in found.setdefault(sample.name, {}), "twice"
            found[sample.name][key] = sample.value
    return found


def test_metrics(report: dict[str, t.Any]) -> None:
    """What Prometheus reads is what the report says, and all of it."""
    text = _call(report_metrics, "report_metrics", report)
    assert text.endswith("\n")
    found = _samples(text)
    now = 1780315200.0
    assert found["certfleet_report_timestamp_seconds"] == {(): now}
    assert found["certfleet_host_reachable"] == {("good",): 1, ("wrong",): 1, ("down",): 0}
    assert found["certfleet_certificate_not_after_timestamp_seconds"][("good", "www")] == 1796083200.0
    assert ("wrong", "none") not in found["certfleet_certificate_not_after_timestamp_seconds"]
    states = {key[:2]: key[2] for key in found["certfleet_certificate_state"]}
    assert (states["good", "www"], states["wrong", "none"]) == ("in_service", "not_collected")
    assert set(found["certfleet_certificate_state"].values()) == {1.0}
    held = found["certfleet_certificate_held"]
    assert (held["wrong", "expired"], held["wrong", "drift"]) == (1, 0)
    serves = {key[:2]: value for key, value in found["certfleet_endpoint_serves"].items()}
    assert math.isnan(serves.pop(("wrong", "closed")))
    assert {key: value for key, value in serves.items() if value} == {("good", "www"): 1, ("wrong", "expired"): 1}
    assert len(serves) == 6
    ends = {key[:2]: value for key, value in found["certfleet_endpoint_not_after_timestamp_seconds"].items()}
    assert ends["wrong", "expired"] == 1777593600.0
    seen = found["certfleet_endpoint_seen_timestamp_seconds"]
    assert {key[:2] for key in seen} == {("good", "www"), *(("wrong", name) for name in ("expired", "drift", "none"))}
    assert set(seen.values()) == {now}
    assert found["certfleet_order_not_after_timestamp_seconds"] == {("order_number", "7"): 1781049600.0}
    assert set(found["certfleet_order_state"]) == {
        ("order_number", number, state) for number, state in (("7", "issued"), ("8", "revoked"), ("9", "rejected"))
    }


def test_labels_with_signs_of_the_format(report: dict[str, t.Any]) -> None:
    """Quotes, backslashes and line feeds come through as they are."""
    found = _samples(_call(report_metrics, "report_metrics", report))
    assert [key for key in found["certfleet_endpoint_serves"] if key[0] == "good"] == [
        ("good", "www", "192.0.2.1", "443", _HOSTILE, "", "target")
    ]


def test_metrics_of_nothing() -> None:
    """A report without rows says when it was made."""
    text = _call(report_metrics, "report_metrics", _call(fleet_report, "fleet_report", [], now=_NOW))
    assert list(_samples(text)) == ["certfleet_report_timestamp_seconds"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool for a second opinion on metrics")
def test_promtool_has_nothing_against_it(report: dict[str, t.Any]) -> None:
    """The linter of Prometheus finds names, types and help as they are to be."""
    text = _call(report_metrics, "report_metrics", report)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# --- alarms ----------------------------------------------------------------------------------------------------------

_ALARMS = {
    "expired": "expired: 1 endpoint (wrong 192.0.2.1 port 443, asked for expired)",
    "expiring": "expiring: 1 order (order number 7)",
    "drift": (
        "drift: 2 endpoints (wrong 192.0.2.1 port 443, asked for drift, wrong 192.0.2.1 port 8443, asked for none)"
    ),
    "unreachable": "unreachable: 1 host (down) and 1 endpoint (wrong 192.0.2.1 port 443, asked for silent)",
    "revoked": "revoked: 1 order (order number 8)",
    "not_collected": "not collected: 1 order (order number 9) and 1 certificate (wrong: none)",
    "rolled_back": "rolled back: 1 certificate (wrong: silent)",
    "held": "held: 1 certificate (wrong: expired)",
}


@pytest.mark.parametrize("word", _ALARMS)
def test_alarm(report: dict[str, t.Any], word: str) -> None:
    """One sentence that counts and names."""
    said = _call(report_alarm, "report_alarm", report, word)
    assert said == f"The report found what this run is to fail for: {_ALARMS[word]}."
    good = _call(fleet_report, "fleet_report", _hosts()[:1], now=_NOW, warn_days=1)
    assert _call(report_alarm, "report_alarm", good, word) == ""


@pytest.mark.parametrize("given", ["held, revoked,held", ["held", "revoked"], ("held", "revoked")])
def test_several_alarms(report: dict[str, t.Any], given: t.Any) -> None:
    """As a list, and as text with commas; what there is none of is not named."""
    said = _call(report_alarm, "report_alarm", report, given)
    assert said.endswith(f": {_ALARMS['held']}; {_ALARMS['revoked']}.")


@pytest.mark.parametrize("given", [None, "", [], " , "])
def test_no_alarm(report: dict[str, t.Any], given: t.Any) -> None:
    """Where nothing is named, nothing fails."""
    assert _call(report_alarm, "report_alarm", report, given) == ""


def test_many_are_named_by_the_first_few() -> None:
    """And the rest is counted."""
    host = _hosts()[2]
    made = _call(fleet_report, "fleet_report", [{**host, "host": f"web{number:04}"} for number in range(1000)])
    said = _call(report_alarm, "report_alarm", made, "unreachable")
    assert "unreachable: 1,000 hosts (web0000, web0001, " in said
    assert len(said) < 300
    assert " more)." in said


# --- settings --------------------------------------------------------------------------------------------------------


def _settings(folder: str = "/here", **given: t.Any) -> dict[str, t.Any]:
    names = ("file", "metrics_path", "fail_on", "warn_days")
    made = _call(report_settings, "report_settings", {**dict.fromkeys(names), **given}, folder)
    return t.cast("dict[str, t.Any]", made)


def test_settings_where_nothing_is_given() -> None:
    assert _settings() == {
        "page": "/here/certfleet-report.html",
        "data": "/here/certfleet-report.json",
        "metrics": "",
        "metrics_draft": "",
        "fail_on": [],
        "warn_days": 30,
        "mistake": "",
    }


def test_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative ones begin where the command runs, and the home folder is that of who runs it."""
    monkeypatch.setenv("HOME", "/home/somebody")
    made = _settings(file="out/today.page.html", metrics_path="/metrics/certs.prom", warn_days="14")
    assert (made["page"], made["data"]) == ("/here/out/today.page.html", "/here/out/today.page.json")
    assert (made["metrics"], made["metrics_draft"]) == ("/metrics/certs.prom", "/metrics/certs.prom.new")
    assert made["warn_days"] == 14
    assert _settings(file="~/page")["data"] == "/home/somebody/page.json"
    assert _settings("", file="page.html")["page"] == "/home/somebody/page.html"


_MISTAKES: dict[str, tuple[dict[str, t.Any], str]] = {
    "a word": ({"fail_on": "expired,drfit"}, "report_fail_on knows no drfit. Is drift meant?"),
    "in capitals": ({"fail_on": ["Not collected"]}, "report_fail_on knows no Not collected. Is not_collected meant?"),
    "no word at all": ({"fail_on": "qqq"}, "report_fail_on knows no qqq. It takes any of expired, expiring, drift, "),
    "data": ({"file": "report.json"}, "report_file is the page, which can't end in .json"),
    "a folder": ({"file": "reports/"}, "report_file must be the path of a file."),
    "a number": ({"metrics_path": 7}, "report_metrics_path must be the path of a file."),
    "an ending": ({"metrics_path": "/metrics/certs.txt"}, "report_metrics_path must end in .prom"),
    "days": ({"warn_days": "soon"}, "report_warn_days must be a number of days, not soon."),
    "few days": ({"warn_days": -1}, "report_warn_days must be a number of days, not -1."),
}


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_mistakes(mistake: str) -> None:
    """Each is said in a sentence, and there is nothing else to go on with."""
    given, said = _MISTAKES[mistake]
    made = _settings(**given)
    assert list(made) == ["mistake"]
    assert made["mistake"].startswith(said)
    assert made["mistake"].endswith("No host was asked anything.")


# --- edges -----------------------------------------------------------------------------------------------------------


def test_script_hash() -> None:
    text = "document.title = '…';"
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert _call(script_hash, "script_hash", text) == f"'sha256-{digest}'"


_EDGES: dict[str, tuple[t.Any, str, tuple[t.Any, ...]]] = {
    "alarm of a list": (report_alarm, "report_alarm", ([], "held")),
    "alarm of nothing": (report_alarm, "report_alarm", ({}, "held")),
    "alarm for nothing known": (report_alarm, "report_alarm", ({}, "helf")),
    "metrics": (report_metrics, "report_metrics", ({"now": "today"},)),
    "settings": (report_settings, "report_settings", ("report.html",)),
    "script": (script_hash, "script_hash", (None,)),
}


@pytest.mark.parametrize("edge", _EDGES)
def test_something_else(edge: str) -> None:
    """What no playbook hands over is refused with a sentence that names the filter."""
    plugin, name, arguments = _EDGES[edge]
    with pytest.raises(AnsibleFilterError, match=rf"^{name}(:| needs) "):
        _call(plugin, name, *arguments)
