# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a deploy, and the filter that is its edge."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.filter.deploy_table import FilterModule
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deploy_table import sentences, table

OLD = {"fingerprint_sha256": "5c:1e:0d:5b:93:0b", "not_after": "2026-12-17T23:59:59Z"}
NEW = {"fingerprint_sha256": "aa:bb:cc:dd:ee:ff", "not_after": "2027-02-03T23:59:59Z"}


def told(name: str, state: str, **more: t.Any) -> dict[str, t.Any]:
    """A certificate as the action tells it."""
    return {"name": name, "state": state, "before": OLD, "installed": NEW, "services": [], "msg": "", **more}


def seen(name: str, port: int, serves: bool = True) -> dict[str, t.Any]:
    """An endpoint as the action tells it."""
    return {"certificate": name, "host": "127.0.0.1", "port": port, "serves": serves}


RESULT = {
    "certificates": [
        told("www", "in_service", services=["nginx", "standby"]),
        told("mail", "rolled_back", installed=OLD, msg="It does not serve.\nAt all."),
        told("new", "not_collected", before=None, installed=None, msg="It was revoked."),
        told("late", "pending", msg="It waits."),
        told("file", "installed"),
        told("old", "absent", installed=None),
    ],
    "services": [{"name": "nginx", "action": "reloaded"}, {"name": "standby", "action": "left_stopped"}],
    "endpoints": [seen("www", 443), seen("www", 8443), seen("www", 1, serves=False), seen("mail", 25)],
}


def test_a_line_for_each_certificate_with_its_columns_aligned() -> None:
    seen_at, back = "seen at 127.0.0.1:443, 127.0.0.1:8443", "ROLLED BACK; the old one is seen at 127.0.0.1:25"
    assert table([("web1", RESULT)]) == [
        "host  certificate  before       now          until       services                              proof",
        f"web1  www          5c:1e:0d:5b  aa:bb:cc:dd  2027-02-03  nginx reloaded, standby left stopped  {seen_at}",
        f"web1  mail         5c:1e:0d:5b  5c:1e:0d:5b  2026-12-17  -                                     {back}",
        "web1  new          -            -            -           -                                     NOT COLLECTED",
        "web1  late         5c:1e:0d:5b  aa:bb:cc:dd  2027-02-03  -                                     order pending",
        "web1  file         5c:1e:0d:5b  aa:bb:cc:dd  2027-02-03  -                                     not looked at",
        "web1  old          5c:1e:0d:5b  -            -           -                                     removed",
    ]


def test_what_an_unfinished_run_left_is_said() -> None:
    result = {"certificates": [told("www", "in_service", held=True), told("mail", "unproven", held=True)]}
    proofs = [line.rpartition("   ")[2].strip() for line in table([("web1", result)])[1:]]
    assert [line.split("  -  ")[-1].strip() for line in proofs] == [
        "in service; old files held",
        "NOT PROVEN; old files held",
    ]


def test_a_sentence_for_each_that_is_not_as_wanted() -> None:
    assert sentences(RESULT) == ["mail: It does not serve. At all.", "new: It was revoked.", "late: It waits."]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "nothing is known of it"),
        ({}, "nothing is known of it"),
        ({"unreachable": True, "msg": "No route to host"}, "No route to host"),
        ({"certificates": [], "msg": "certificates is empty."}, "certificates is empty."),
    ],
)
def test_a_host_of_which_no_certificate_is_known(result: dict[str, t.Any] | None, said: str) -> None:
    assert table([("web1", result)])[1].split("  ")[0] == "web1"
    assert table([("web1", result)])[1].endswith(f"  {said}")


def test_hosts_stand_below_each_other_and_none_makes_no_table() -> None:
    lines = table([("a", {"certificates": [told("www", "installed")]}), ("much-longer", None)])
    assert [line[:13] for line in lines] == ["host         ", "a            ", "much-longer  "]
    assert table([]) == []


def test_what_a_terminal_obeys_and_what_is_endless_is_cut() -> None:
    names = told("www", "in_service", services=[f"service-{number}" for number in range(50)])
    text = "\n".join(table([("web\x1b[31m\u202e", {"certificates": [names]})]))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.splitlines())) < 250


def _filter(value: t.Any) -> list[str]:
    return list(FilterModule().filters()["deploy_table"](value))


def test_the_filter() -> None:
    assert _filter([{"host": "web1", "result": RESULT}, {"host": "lost"}]) == table([("web1", RESULT), ("lost", None)])
    assert _filter([]) == []


@pytest.mark.parametrize("given", [None, 7, ["web1"], [{"result": RESULT}], [{"host": "web1", "result": "no"}]])
def test_the_filter_of_something_else(given: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="deploy_table needs a list of dictionaries, each with host and"):
        _filter(given)
