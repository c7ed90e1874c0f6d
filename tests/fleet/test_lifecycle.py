# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet leaves nothing behind, whatever ends it, and says what keeps it from running."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import (
    CannotRun,
    Fleet,
    FleetError,
    _cgroups,
    _directory,
    _mirror,
    _places,
    _processes,
    _requirements,
    _roots,
)
from ansible_collections.certfleet.collectssl.tests.support import places

# As many hosts as there are services.
FEW = 4

OWNER = """
import runpy, sys, time
runpy.run_path(sys.argv[1])
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Fleet
fleet = Fleet(sys.argv[2], hosts=4, say=lambda text: None)
fleet.up()
print("up", flush=True)
time.sleep(600)
"""


def _traces(directory: pathlib.Path) -> list[str]:
    """Return what there is of a fleet on this machine, in any namespace."""
    found = [
        f"process {process.pid}: {process.name}"
        for process in _processes.marked()
        if process.directory == str(directory)
    ]
    for pid in _processes.pids():
        if str(directory) in " ".join(_processes.command_line(pid)):
            found.append(f"process {pid}: {_processes.command_line(pid)}")
        try:
            mounts = pathlib.Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found += [f"mount of process {pid}: {line}" for line in mounts.splitlines() if str(directory) in line]
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    found += [f"interface {line}" for line in links.splitlines() if re.match(r"(fleet|host\d+)\b", line)]
    # The groups have a hierarchy of their own, or one beside those of version 1.
    groups = pathlib.Path("/sys/fs/cgroup")
    found += [f"control group {path}" for depth in ("", "*/") for path in groups.glob(depth + _cgroups.name(directory))]
    if directory.exists():
        found.append(f"the directory {directory}")
    return found


def _must_be_gone(directory: pathlib.Path, seconds: float = 0) -> None:
    end = time.monotonic() + seconds
    while _traces(directory) and time.monotonic() < end:
        time.sleep(0.1)
    assert _traces(directory) == []


@pytest.fixture
def directory() -> t.Iterator[pathlib.Path]:
    """A place for a fleet, with a short name; whatever the test leaves there is ended."""
    place = pathlib.Path(f"/run/collectssl-fleet-{os.getpid()}")
    yield place
    _directory.end(place)


def _tool(*words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_places.FLEET), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
    )


def test_down_leaves_nothing() -> None:
    """An ordinary end."""
    with Fleet(hosts=FEW) as fleet:
        assert len(fleet.hosts) == FEW
        assert len(_processes.of(fleet.directory)) == FEW + 1
        assert len(_traces(fleet.directory)) > FEW
    _must_be_gone(fleet.directory)
    fleet.down()


def test_failure_leaves_nothing(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that does not come up cleans up after itself."""

    def fail(*_arguments: object) -> None:
        raise FleetError("not today")

    monkeypatch.setattr(Fleet, "wait_until_ready", fail)
    with pytest.raises(FleetError, match="not today"):
        Fleet(directory, hosts=FEW).up()
    _must_be_gone(directory)


def test_kill_of_the_owner_leaves_nothing(directory: pathlib.Path) -> None:
    """kill -9 of the process that brought the fleet up."""
    importable = str(places.IMPORTABLE)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, importable, str(directory)], stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert len(_processes.of(directory)) == FEW + 1
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    _must_be_gone(directory, seconds=15)


def test_kill_of_the_keeper(directory: pathlib.Path) -> None:
    """kill -9 of the process that the fleet hangs on: the hosts go at once, the directory with `down`."""
    fleet = Fleet(directory, hosts=FEW)
    fleet.up(owned=False)
    hosts = _processes.of(directory)
    keeper = hosts.pop(_processes.KEEPER)
    _processes.kill(keeper)
    for pid in hosts.values():
        assert _processes.wait_gone(pid)
    with pytest.raises(FleetError, match="does not run any more"):
        Fleet.attach(directory)
    assert directory in _directory.everywhere()
    fleet.down()
    _must_be_gone(directory, seconds=15)


def test_interrupted_start_leaves_nothing(directory: pathlib.Path) -> None:
    """kill -9 at any moment while the fleet comes up."""
    importable = str(places.IMPORTABLE)
    for delay in (0.1, 0.3, 0.6, 1.0, 1.5):
        owner = subprocess.Popen([sys.executable, "-c", OWNER, importable, str(directory)], stdout=subprocess.DEVNULL)
        # Counted from the moment that the directory is there; what comes before is but Python starting.
        end = time.monotonic() + 60
        while not directory.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(delay)
        owner.kill()
        owner.wait()
        time.sleep(0.2)
        _directory.end(directory)
        if directory.exists():
            # Killed between making the directory and writing down that it is a fleet's.
            assert list(directory.iterdir()) == []
            directory.rmdir()
        _must_be_gone(directory, seconds=15)


def test_command_line(directory: pathlib.Path) -> None:
    """What README.md shows, from up to down."""
    place = ["--directory", str(directory)]
    up = _tool("up", "--hosts", str(FEW), *place, timeout=300)
    assert up.returncode == 0, up.stderr
    assert f"{FEW} hosts are up" in up.stdout
    again = _tool("up", *place)
    assert again.returncode == 1
    assert "There is a fleet" in again.stderr
    assert _tool("status", *place).stdout.count(" up ") == FEW
    ping = _tool("exec-controller", *place, "ansible", "all", "-m", "ansible.builtin.ping")
    assert ping.stdout.count("SUCCESS") == FEW
    assert _tool("host", *place, "nginx1", "hostname").stdout == "nginx1\n"
    assert _tool("kill", *place, "nginx1").returncode == 0
    assert "gone" in _tool("status", *place).stdout
    assert _tool("restore", *place, "nginx1").returncode == 0
    assert _tool("host", *place, "nginx1", "sh", "-c", "exit 7").returncode == 7
    unknown = _tool("kill", *place, "nginx99")
    assert unknown.returncode == 1
    assert "No host is called nginx99" in unknown.stderr
    assert "is down" in _tool("down", *place).stdout
    assert _tool("down", *place).stdout == "There is no fleet.\n"
    assert _tool("status", *place).returncode == 1
    _must_be_gone(directory, seconds=15)


def test_wait_ends_with_ctrl_c(directory: pathlib.Path) -> None:
    """What `make fleet` runs stays until it is interrupted."""
    command = [sys.executable, str(_places.FLEET), "up", "--wait", "--hosts", str(FEW), "--directory", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Ctrl-C" in line:
                break
        assert len(_processes.of(directory)) == FEW + 1
        process.send_signal(signal.SIGINT)
        assert "The fleet is down." in process.stdout.read()
    assert process.returncode == 0
    _must_be_gone(directory)


def test_a_directory_with_other_things_is_left_alone(tmp_path: pathlib.Path) -> None:
    """Nothing is removed that no fleet has made."""
    place = pathlib.Path(f"/run/collectssl-fleet-{os.getpid()}-other")
    place.mkdir()
    try:
        (place / "precious").write_text("data")
        with pytest.raises(CannotRun, match="something else"):
            Fleet(place, hosts=FEW).up()
        assert not _directory.end(place)
        assert (place / "precious").read_text() == "data"
    finally:
        (place / "precious").unlink()
        place.rmdir()


@pytest.mark.parametrize("path", ["/run/with blank", "/run/with,comma", "/run/" + "long" * 20])
def test_a_directory_that_cannot_be_used(path: str) -> None:
    """Its path goes into mount options and into the names of sockets."""
    with pytest.raises(CannotRun, match="can't hold a fleet"):
        Fleet(path, hosts=FEW).up()


def test_refuses_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, before anything is done."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CannotRun, match="needs root"):
        Fleet(hosts=FEW).up()


def test_refuses_without_its_programs(
    fleet_can_run: None, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """What is missing is named with the package that has it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match=r"debootstrap \(package debootstrap\), .*ip \(package iproute2\)"):
        _requirements.check()


def test_refuses_where_the_kernel_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own reason is told."""
    monkeypatch.setattr(_requirements, "_TRIAL", "mount -t overlaid none /mnt")
    with pytest.raises(CannotRun, match=r"does not grant .*: .*overlaid"):
        _requirements.check()


def test_a_release_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, fleet_can_run: None
) -> None:
    """It is named with debootstrap's reason, and leaves nothing half made in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Nothing listens on port 1.
    monkeypatch.setenv(_mirror.VARIABLE, "http://127.0.0.1:1/debian")
    monkeypatch.setattr(_mirror, "serving", lambda _release: "http://127.0.0.1:1/debian")
    found, missing = _roots.provide(["bookworm"], lambda _text: None)
    assert found == {}
    assert "debootstrap could not make it" in missing["bookworm"]
    assert sorted(path.suffix for path in _roots.cache().iterdir()) == [".lock", ".log"]


def test_a_machine_without_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hosts do without systemd, and it is said why."""
    monkeypatch.setattr(_cgroups, "_TRIAL", "mount -t cgroup9 none /mnt")
    said: list[str] = []
    with Fleet(hosts=FEW, say=said.append) as fleet:
        assert fleet.no_systemd
        assert "cgroup9" in fleet.no_systemd
        assert f"systemd: left out, {fleet.no_systemd}" in said
        assert fleet.of(systemd=True) == []
    _must_be_gone(fleet.directory)


def test_mirror_of_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLLECTSSL_FLEET_MIRROR is taken alone."""
    monkeypatch.setenv(_mirror.VARIABLE, "http://127.0.0.1:1/debian")
    assert _mirror.candidates() == ["http://127.0.0.1:1/debian"]
    assert _mirror.serving("bookworm") is None
