# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services under each kind of manager, and what init scripts say that is not so."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._commands import Ended
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import engine, services
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.services import Service
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError


class _Host:
    """A host of files, on which commands end as they are told to."""

    def __init__(self, root: pathlib.Path, platform: str = "linux") -> None:
        self.root = root
        self.platform = platform
        self.ran: list[str] = []
        self.ends: dict[str, Ended | OSError] = {}

    def run(self, command: list[str]) -> Ended:
        self.ran.append(" ".join(command))
        ended = self.ends.get(self.ran[-1], Ended(0, "", ""))
        if isinstance(ended, OSError):
            raise ended
        return ended

    def file(self, path: str, content: str = "", mode: int = 0o644) -> None:
        where = self.root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(content)
        where.chmod(mode)

    def process(self, number: int, comm: str) -> None:
        (self.root / "proc/self").mkdir(parents=True, exist_ok=True)
        self.file(f"proc/{number}/comm", comm + "\n")

    @property
    def manager(self) -> services.Manager:
        return services.manager(self.run, str(self.root), self.platform)

    def take(self, name: str, ended: bool = False, ran: bool = False, **how: t.Any) -> str:
        return services.take_new_files(Service(name, **how), self.manager, self.run, ended, ran)

    def foresee(self, name: str, ran: bool = False, **how: t.Any) -> str:
        self.ran.clear()
        foreseen = services.foresee(Service(name, **how), self.manager, ran)
        assert all("status" in line or "show" in line or "enabled" in line for line in self.ran)
        self.ran.clear()
        return foreseen


@pytest.fixture(name="sysv")
def _sysv(tmp_path: pathlib.Path) -> _Host:
    host = _Host(tmp_path)
    for name in ("nginx", "apache2", "custom"):
        host.file(f"etc/init.d/{name}", mode=0o755)
    host.process(1, "init")
    return host


def test_a_service_that_runs_is_reloaded(sysv: _Host) -> None:
    sysv.file("run/nginx.pid", "77\n")
    sysv.process(77, "nginx")
    assert sysv.take("nginx") == "reloaded"
    assert sysv.ran == ["service nginx status", "service nginx reload"]


def test_restarted_or_by_a_command(sysv: _Host) -> None:
    assert sysv.take("custom", restarted=True) == "restarted"
    assert sysv.take("custom", command=["kick", "it"]) == "command"
    # One that no manager knows is looked after by its command.
    assert sysv.take("container", command=["podman", "kill", "-s", "HUP", "www"]) == "command"
    assert [line for line in sysv.ran if "status" not in line] == [
        *("service custom restart", "kick it", "podman kill -s HUP www"),
    ]


@pytest.mark.parametrize(
    ("number", "comm"),
    [
        pytest.param("77", None, id="the file speaks of a process that is gone"),
        pytest.param("77", "postgres", id="somebody else has its number by now"),
    ],
)
def test_a_status_that_says_running_and_is_wrong(sysv: _Host, number: str, comm: str | None) -> None:
    sysv.file("run/apache2/apache2.pid", number)
    if comm:
        sysv.process(77, comm)
    assert sysv.take("apache2") == "left_stopped"
    assert sysv.ran == ["service apache2 status"]


@pytest.mark.parametrize(
    ("began", "end"),
    [
        pytest.param(90, "reloaded", id="the program has another name"),
        pytest.param(150, "left_stopped", id="somebody else has its number by now"),
    ],
)
def test_a_process_of_another_name_is_the_one_that_was_there_first(sysv: _Host, began: int, end: str) -> None:
    """Java and Lua run services, and a daemon may be called as it likes; who has a dead one's number came later."""
    sysv.file("run/custom/custom.pid", "77\n")
    os.utime(sysv.root / "run/custom/custom.pid", (1100, 1100))
    sysv.process(77, "java")
    sysv.file("proc/stat", "cpu 1 2 3\nbtime 1000\n")
    ticks = began * os.sysconf("SC_CLK_TCK")
    sysv.file("proc/77/stat", f"77 (a ) b) S {' '.join(['1'] * 18)} {ticks} 0 0\n")
    assert sysv.take("custom") == end


def test_a_status_without_a_file_is_believed_where_nothing_speaks_against_it(sysv: _Host) -> None:
    assert sysv.take("custom") == "reloaded"
    # It is known what its processes are called, and none is there.
    assert sysv.take("apache2") == "left_stopped"
    sysv.process(80, "apache2")
    assert sysv.take("apache2") == "reloaded"


@pytest.mark.parametrize("how", [{}, {"restarted": True}, {"command": ["kick"]}])
def test_one_that_is_stopped_stays_so(sysv: _Host, how: dict[str, t.Any]) -> None:
    sysv.ends["service nginx status"] = Ended(3, "nginx is not running", "")
    assert sysv.take("nginx", **how) == "left_stopped" == engine.LEFT_STOPPED
    assert sysv.ran == ["service nginx status"]


@pytest.mark.parametrize("how", [{}, {"restarted": True}, {"command": ["kick"]}])
def test_one_that_ran_and_could_not_start_since_is_started(sysv: _Host, how: dict[str, t.Any]) -> None:
    sysv.ends["service nginx status"] = Ended(3, "nginx is not running", "")
    # Who does not start with the host is looked after by somebody else, such as a cluster manager.
    sysv.file("etc/rc1.d/S01nginx")
    sysv.file("etc/rc3.d/K01nginx")
    sysv.file("etc/rc3.d/S01nginx-exporter")
    assert sysv.foresee("nginx", ran=True, **how) == sysv.take("nginx", ran=True, **how) == "left_stopped"
    sysv.file("etc/rc3.d/S01nginx")
    assert sysv.foresee("nginx", **how) == sysv.take("nginx", **how) == "left_stopped"
    assert sysv.foresee("nginx", ran=True, **how) == sysv.take("nginx", ran=True, **how) == "started"
    assert sysv.ran == ["service nginx status", "service nginx restart"]
    sysv.ends["service nginx restart"] = Ended(1, "", "key values mismatch")
    with pytest.raises(InstallError, match="key values mismatch"):
        sysv.take("nginx", ran=True, **how)


def test_what_has_to_be_known(sysv: _Host) -> None:
    services.require_known(Service("nginx"), sysv.manager)
    services.require_known(Service("podman", command=["kick"]), sysv.manager)
    with pytest.raises(InstallError, match="no service ngnix here"):
        services.require_known(Service("ngnix"), sysv.manager)
    with pytest.raises(InstallError, match="not the name"):
        services.require_known(Service("../nginx", command=["kick"]), sysv.manager)


def test_those_that_run(sysv: _Host) -> None:
    sysv.ends["service nginx status"] = Ended(3, "", "")
    assert services.running(["nginx", "custom", "unknown", "../nginx"], sysv.manager) == {"custom"}


def test_what_is_foreseen_of_a_service(sysv: _Host) -> None:
    assert sysv.foresee("custom") == "reloaded"
    assert sysv.foresee("custom", restarted=True) == "restarted"
    assert sysv.foresee("unknown", command=["kick"]) == "command"
    with pytest.raises(InstallError, match="not the name"):
        sysv.foresee("../nginx")


@pytest.mark.parametrize("how", [{}, {"restarted": True}, {"command": ["kick"]}])
def test_one_that_ran_and_was_ended_by_other_files_is_started_again(sysv: _Host, how: dict[str, t.Any]) -> None:
    sysv.ends["service nginx status"] = Ended(3, "nginx is not running", "")
    assert sysv.take("nginx", ended=True, **how) == "started"
    assert sysv.ran == ["service nginx status", "service nginx restart"]


def test_a_refusal_is_told(sysv: _Host) -> None:
    sysv.ends["service custom reload"] = Ended(1, "", "custom: line 3: no such directive\n")
    with pytest.raises(InstallError, match="exit status 1: custom: line 3") as caught:
        sysv.take("custom")
    assert "The service custom did not take the new files" in str(caught.value)
    assert caught.value.details["rc"] == 1
    sysv.ends["service custom reload"] = Ended(None, "", "")
    with pytest.raises(InstallError, match="did not come to its end in time"):
        sysv.take("custom")
    sysv.ends["kick"] = OSError(2, "No such file or directory")
    with pytest.raises(InstallError, match="kick, for the service custom, could not be run: No such file"):
        sysv.take("custom", command=["kick"])


def test_an_unknown_service_is_a_sentence(sysv: _Host) -> None:
    sysv.file("etc/init.d/README", mode=0o644)
    for name in ("ngnix", "README"):
        with pytest.raises(InstallError, match=f"no service {name} here, by the init scripts\\."):
            sysv.take(name)
    assert sysv.ran == []


@pytest.mark.parametrize("name", ["../../bin/true", "-h", "a b", "", ".", "a\n", "a;b"])
def test_what_no_service_is_called(sysv: _Host, name: str) -> None:
    with pytest.raises(InstallError, match="is not the name of a service"):
        sysv.take(name)
    assert sysv.ran == []


def test_systemd(tmp_path: pathlib.Path) -> None:
    host = _Host(tmp_path)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    show = "systemctl show --property=LoadState,ActiveState,CanReload -- "
    for name, load, active, can in (
        ("nginx.service", "loaded", "active", "yes"),
        ("redis", "loaded", "active", "no"),
        ("standby", "loaded", "inactive", "yes"),
        ("half", "loaded", "failed", "yes"),
        ("alias", "merged", "reloading", "yes"),
        ("fresh", "loaded", "refreshing", "yes"),
        ("gone", "not-found", "inactive", "no"),
        ("masked", "masked", "inactive", "no"),
    ):
        host.ends[show + name] = Ended(0, f"LoadState={load}\nActiveState={active}\nCanReload={can}\n", "")
    assert host.take("nginx.service") == "reloaded"
    assert host.take("redis", restarted=True) == "restarted"
    assert host.take("standby", ran=True) == "left_stopped"
    assert host.take("half") == "left_stopped"
    assert host.take("half", ran=True) == "started"
    assert [host.take(name) for name in ("alias", "fresh")] == ["reloaded", "reloaded"]
    assert [line for line in host.ran if not line.startswith(show)] == [
        *("systemctl reload -- nginx.service", "systemctl restart -- redis", "systemctl restart -- half"),
        *("systemctl reload -- alias", "systemctl reload -- fresh"),
    ]
    with pytest.raises(InstallError, match="redis knows no reload"):
        host.take("redis")
    for name in ("gone", "masked"):
        with pytest.raises(InstallError, match="by systemd\\."):
            host.take(name)


@pytest.mark.parametrize(
    ("marker", "script", "platform", "command"),
    [
        ("run/openrc/softlevel", "etc/init.d/custom", "linux", "rc-service custom"),
        ("sbin/openrc-run", "etc/init.d/custom", "linux", "rc-service custom"),
        ("etc/rc.conf", "etc/rc.d/custom", "dragonfly6", "service custom"),
        ("etc/rc.conf", "usr/local/etc/rc.d/custom", "freebsd14", "service custom"),
        ("etc/rc.conf", "etc/rc.d/custom", "netbsd10", "service custom"),
    ],
)
def test_other_managers(marker: str, script: str, platform: str, command: str, tmp_path: pathlib.Path) -> None:
    host = _Host(tmp_path, platform)
    host.file(marker)
    host.file(script, mode=0o755)
    assert host.take("custom") == "reloaded"
    assert host.ran == [f"{command} status", f"{command} reload"]
    host.ends[f"{command} status"] = Ended(1, "", "")
    host.ends["service custom enabled"] = Ended(1, "", "")
    assert host.take("custom", ran=True) == "left_stopped"
    host.ends["service custom enabled"] = Ended(0, "", "")
    host.file("etc/runlevels/default/custom")
    assert host.take("custom", ran=True) == "started"
    assert host.ran[-1] == f"{command} restart"
    title = "OpenRC" if command.startswith("rc-") else "the rc scripts"
    with pytest.raises(InstallError, match=f"no service other here, by {title}\\."):
        host.take("other")


def test_a_process_can_be_there_where_the_kernel_has_no_folder_of_them(tmp_path: pathlib.Path) -> None:
    host = _Host(tmp_path, "openbsd7")
    host.file("etc/rc.d/custom", mode=0o755)
    host.file("run/custom.pid", "1\n")
    assert host.take("custom") == "reloaded"
    host.file("run/custom.pid", "4194999\n")
    assert host.take("custom") == "left_stopped"


@pytest.mark.parametrize(
    ("name", "programs"),
    [
        ("apache2", ["apache2", "httpd"]),
        ("httpd", ["httpd", "apache2"]),
        ("postfix", ["master"]),
        ("ssh", ["sshd"]),
        ("openldap", ["slapd"]),
        ("mariadb", ["mariadbd", "mysqld"]),
        ("mysql", ["mysqld", "mariadbd"]),
        ("postgresql", ["postgres", "postmaster"]),
        ("cyrus-imapd", ["cyrmaster", "master"]),
        ("exim4", ["exim4", "exim"]),
    ],
)
def test_what_the_programs_of_services_are_called(name: str, programs: list[str], tmp_path: pathlib.Path) -> None:
    host = _Host(tmp_path)
    host.file(f"etc/init.d/{name}", mode=0o755)
    host.process(1, "init")
    assert host.take(name) == "left_stopped"
    for program in programs:
        host.process(80, program)
        assert host.take(name) == "reloaded"
    # What the file of the first of them says counts for more than what there is besides.
    host.file(f"run/{programs[0]}.pid", "1")
    assert host.take(name) == "left_stopped"


@pytest.mark.parametrize(
    ("name", "path", "program"),
    [
        ("custom", "run/custom/any.pid", "custom"),
        ("postfix", "var/spool/postfix/pid/master.pid", "master"),
    ],
)
def test_where_the_files_of_services_are(sysv: _Host, name: str, path: str, program: str) -> None:
    sysv.file(f"etc/init.d/{name}", mode=0o755)
    sysv.process(80, program)
    sysv.file(path, "1\n")
    assert sysv.take(name) == "left_stopped"
    # Of several, one is enough; what is none says nothing.
    (sysv.root / "run" / name / "folder.pid").mkdir(parents=True)
    sysv.file(f"run/{name}/torn.pid", "x")
    assert sysv.take(name) == "left_stopped"
    sysv.file(f"run/{name}/other.pid", "80\n")
    assert sysv.take(name) == "reloaded"


@pytest.mark.parametrize(
    ("name", "comm"),
    [("prometheus-node-exporter", b"prometheus-node"), ("BoX", b"BoX"), ("latin", b"lat\xefn")],
)
def test_what_the_kernel_keeps_of_a_name(sysv: _Host, name: str, comm: bytes) -> None:
    sysv.file(f"etc/init.d/{name}", mode=0o755)
    sysv.file(f"run/{name}.pid", "80")
    sysv.process(80, "")
    (sysv.root / "proc/80/comm").write_bytes(comm + b"\n")
    assert sysv.take(name) == ("left_stopped" if name == "latin" else "reloaded")


def test_a_process_is_there_where_the_kernel_has_a_folder_of_it(sysv: _Host) -> None:
    sysv.file("run/custom.pid", str(os.getpid()))
    assert sysv.take("custom") == "left_stopped"


def test_without_a_folder_of_processes_the_manager_is_believed(tmp_path: pathlib.Path) -> None:
    host = _Host(tmp_path, "openbsd7")
    host.file("etc/rc.d/apache2", mode=0o755)
    assert host.take("apache2") == "reloaded"


def test_a_process_of_somebody_else_is_there_and_gets_no_signal(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _Host(tmp_path, "openbsd7")
    host.file("etc/rc.d/custom", mode=0o755)
    host.file("run/custom.pid", "77\n")
    sent: list[tuple[int, int]] = []

    def refuse(*signal: int) -> None:
        sent.append((signal[0], signal[1]))
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert host.take("custom") == "reloaded"
    assert sent == [(77, 0)]


def test_it_is_the_manager_of_this_host_unless_a_test_says_otherwise(tmp_path: pathlib.Path) -> None:
    assert services.manager(_Host(tmp_path).run)._root == "/"
