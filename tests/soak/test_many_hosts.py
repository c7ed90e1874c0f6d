# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reissue for two hundred hosts over ssh: one call, and a controller that needs no more at its end than at first."""

from __future__ import annotations

import pathlib
import re
import statistics
import time

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib import collectssl_deploying
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import (
    CannotRun,
    Fleet,
    _cgroups,
    _processes,
)
from ansible_collections.certfleet.collectssl.tests.soak.soaking import Soak

_HOSTS = 200
_BATCH = 20


def test_two_hundred_hosts_take_a_reissue(soak: Soak, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A kernel has no room for so many systemd at its usual limits.
    monkeypatch.setattr(_cgroups, "why_not", lambda: "not so many of them")
    fleet = Fleet(hosts=_HOSTS, say=lambda _text: None)
    try:
        Fleet.check()
        fleet.up()
    except CannotRun as exc:
        pytest.skip(str(exc))
    try:
        with collectssl_deploying.stage(fleet) as stage:
            first, _memory = _run(stage, tmp_path / "first")
            assert first.code == 0, first.text[-5000:]
            stage.reissue()
            calls = len(stage.simulator.calls())
            begin = time.monotonic()
            second, memory = _run(stage, tmp_path / "second")
            soak.counts["seconds of the reissue"] = round(time.monotonic() - begin)
            assert second.code == 0, second.text[-5000:]
            assert {counts["failed"] + counts["unreachable"] for counts in second.recap().values()} == {0}
            assert len(second.recap()) == _HOSTS
            assert {counts["changed"] > 0 for counts in second.recap().values()} == {True}
            assert len(stage.simulator.calls()) == calls + 1
            served = stage.served(*fleet.hosts)
            assert len(set().union(*served.values())) == 1
            assert set(stage.reloads(fleet.hosts).values()) == {2}
    finally:
        fleet.down()
    soak.counts.update({"hosts": _HOSTS, "MB at first": round(memory[0]), "MB in the end": round(memory[1])})
    # What ansible-core keeps of each host's result is a part of it.
    assert memory[1] < 1.25 * memory[0]


def _run(stage: collectssl_deploying.Stage, path: pathlib.Path) -> tuple[collectssl_deploying.FleetRun, list[float]]:
    """A run, and what its main process holds after the first batches and at the end, in MB."""
    seen: list[float] = []
    with path.open("w+", encoding="utf-8") as output:
        run = stage.start((), "-f", str(_BATCH), "-e", f'{{"collectssl_deploy_serial": [{_BATCH}]}}', output=output)
        while run.poll() is None:
            for pid in _processes.descendants(run.pid):
                if any("ansible-playbook" in word for word in _processes.command_line(pid)[:2]):
                    seen.append(_resident(pid))
                    break
            time.sleep(0.2)
        output.seek(0)
        text = output.read()
    tenth = max(1, len(seen) // 10)
    # In the first tenth there is one batch, and ansible-core is still loading.
    return collectssl_deploying.FleetRun(run.returncode, text), [
        statistics.median(seen[tenth : 2 * tenth]),
        statistics.median(seen[-tenth:]),
    ]


def _resident(pid: int) -> float:
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
