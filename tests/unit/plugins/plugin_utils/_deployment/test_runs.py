# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines while a host works, and what runs of the module are put together to."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import deploy_spec
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import certificates_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.patience import (
    told_meanwhile,
    work_on_host,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.runs import Runs
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated


def test_what_goes_on_is_said_until_it_is_over() -> None:
    said: list[str] = []
    enough = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 3:
            enough.set()

    with told_meanwhile(say, "waiting", first=0.001, following=0.001):
        assert enough.wait(30)
    before = len(said)
    assert said[0].startswith("still at work after ")
    assert said[0].endswith(" s: waiting")
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("(speak)")]
    assert len(said) == before


def test_what_is_over_soon_is_not_spoken_of_and_no_failure_is_kept_back() -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError, match="broke"), told_meanwhile(said.append, "waiting", first=300):
        raise RuntimeError("broke")
    assert said == []


def test_the_line_names_the_endpoints_that_the_host_looks_at() -> None:
    given = {
        "certificates": [
            {
                "name": "www",
                "content": "x",
                "path": "/x",
                "endpoints": [{}, {"connect_from": "controller"}, {"host": "::1", "port": 25}],
            },
            {"name": "old", "path": "/y", "state": "absent", "endpoints": [{"port": 7}]},
        ],
        "probe_retries": 2,
        "probe_delay": 3,
        "probe_timeout": 5,
    }
    options = validated(given, deploy_spec(merged=False))
    certificates = certificates_of(options, "192.0.2.1")
    assert work_on_host(certificates, options) == (
        "its endpoints are waited for, 21 s at most, until they serve what is wanted: 127.0.0.1 port 443 (www), ::1 "
        "port 25 (www); each command may take 60 s"
    )
    assert work_on_host(certificates[1:], options) == "each command may take 60 s"


def _one(state: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "name": "www",
        "state": state,
        "msg": "",
        "changed": False,
        "installed": "new",
        "before": "old",
        "files": [],
        **more,
    }


def _file(path: str, changed: bool, backup: str | None = None) -> dict[str, t.Any]:
    return {"path": path, "role": "certificate", "changed": changed, "backup_file": backup}


def test_two_runs_are_one_change() -> None:
    runs = Runs(["www"])
    runs.add(
        {
            "changed": True,
            "certificates": [
                _one("to_be_looked_at", changed=True, files=[_file("/a", True, "/a~"), _file("/b", False)])
            ],
            "services": [{"name": "nginx", "action": "reloaded"}],
            "endpoints": [{"certificate": "www", "host": "h", "port": 1, "serves": True}],
            "warnings": ["one"],
            "diff": [{"before": "x"}],
        }
    )
    runs.add(
        {
            "changed": False,
            "certificates": [_one("in_service", before="new", files=[_file("/a", False), _file("/c", True)])],
            "services": [{"name": "haproxy", "action": "left_stopped"}],
            "warnings": ["two"],
            "diff": {"before": "y"},
        }
    )
    found = runs.of("www")
    assert (found["state"], found["changed"], found["before"], runs.changed) == ("in_service", True, "old", True)
    assert found["files"] == [_file("/a", True, "/a~"), _file("/b", False), _file("/c", True)]
    assert runs.services == [
        {"name": "nginx", "action": "reloaded"},
        {"name": "haproxy", "action": "left_stopped"},
    ]
    assert [seen["port"] for seen in runs.endpoints] == [1]
    assert runs.others == {"diff": [{"before": "x"}, {"before": "y"}], "warnings": ["one", "two"]}


def test_what_went_back_has_the_files_that_the_last_run_tells_of() -> None:
    runs = Runs(["www"])
    runs.add({"changed": True, "certificates": [_one("to_be_looked_at", changed=True, files=[_file("/a", True)])]})
    runs.add({"changed": True, "certificates": [_one("rolled_back", changed=True)], "rolled_back": ["www"]})
    runs.add({"changed": True, "certificates": [], "rolled_back": ["www"]})
    assert (runs.of("www")["files"], runs.rolled_back) == ([], ["www"])


def test_an_endpoint_counts_as_it_was_seen_last_in_the_order_of_the_certificates() -> None:
    def seen(certificate: str, port: int, serves: bool) -> dict[str, t.Any]:
        return {"certificate": certificate, "host": "h", "port": port, "connect_from": "target", "serves": serves}

    runs = Runs(["a", "b"])
    runs.saw([seen("b", 1, False), seen("a", 1, False), seen("a", 2, True)])
    runs.saw([seen("a", 1, True)])
    assert [(one["certificate"], one["port"], one["serves"]) for one in runs.endpoints] == [
        *(("a", 1, True), ("a", 2, True), ("b", 1, False))
    ]


@pytest.mark.parametrize(
    ("services", "done", "silent"),
    [
        ([], {}, False),
        (["a"], {}, False),
        (["a"], {"a": "left_stopped"}, True),
        (["a", "b"], {"a": "left_stopped", "b": "reloaded"}, False),
    ],
)
def test_silence_is_of_what_does_not_run_at_all(services: list[str], done: dict[str, str], silent: bool) -> None:
    runs = Runs(["www"])
    runs.add({"services": [{"name": name, "action": action} for name, action in done.items()]})
    assert runs.is_silent(services) == silent


def test_a_diff_that_is_empty_is_one() -> None:
    runs = Runs(["www"])
    assert runs.others == {}
    runs.add({"diff": []})
    runs.add({})
    assert runs.others == {"diff": []}
