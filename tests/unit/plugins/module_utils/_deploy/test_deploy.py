# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine on a real host: files, commands, a TLS service that has to be told to read its files."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import pathlib
import re
import signal
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import deploy as under_test
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import services
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.deploy import deploy
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.detached import Killed, detached
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import hidden
from ansible_collections.certfleet.collectssl.tests.support import installation
from ansible_collections.certfleet.collectssl.tests.support.reloadable import ReloadableService

_SITES = ("a", "b")

#: What goes wrong with one site, how it ends, and whether it shows the new certificate then.
_ENDS: dict[str, tuple[str, bool]] = {
    "key": ("refused", False),
    "folder": ("refused", False),
    "directory": ("refused", False),
    "foreign": ("refused", False),
    "read-only": ("refused", False),
    "run_before": ("refused", False),
    "run_after": ("failed", True),
    "validate": ("rolled_back", False),
    "refuse": ("rolled_back", False),
    "silent": ("unproven", True),
    "silent-with-new": ("rolled_back", False),
    "deaf": ("rolled_back", False),
}
_WHOLE_UNIT = ("validate", "refuse")

#: Every so many calls a host dies; each test begins at another one.
_APART = 9


class _Module(basic.AnsibleModule):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.warned: list[str] = []

    def warn(self, warning: str, **dummy: t.Any) -> None:
        self.warned.append(warning)


class _Host:
    """A host with sites of one service, or of one each, and the certificates that are wanted there."""

    def __init__(self, folder: pathlib.Path, apart: bool = False) -> None:
        self.folder = folder
        (folder / "tmp").mkdir()
        self.services = {
            name: ReloadableService(folder / f"service-{name}", [name] if apart else _SITES)
            for name in (_SITES if apart else _SITES[:1])
        }
        self.serial = 0
        self.refused = ""
        self.warnings: list[str] = []
        self.options: dict[str, dict[str, t.Any]] = {}
        for site in _SITES:
            conf = self.service_of(site).conf
            (conf / f"{site}.key").write_bytes(installation.key_pem(f"ec-{site}"))
            (conf / f"{site}.key").chmod(0o600)
            (conf / f"{site}.pem").write_text(self.content(site), encoding="ascii")
            self.options[site] = {}

    def service_of(self, site: str) -> ReloadableService:
        return self.services.get(site, self.services[_SITES[0]])

    def content(self, site: str, serial: int | None = None) -> str:
        return installation.bundle(f"ec-{site}", self.serial if serial is None else serial, with_root=False)

    def certificate(self, site: str, **more: t.Any) -> dict[str, t.Any]:
        service = self.service_of(site)
        return {
            "name": site,
            "content": self.content(site),
            "fullchain_path": str(service.conf / f"{site}.pem"),
            "privatekey_path": str(service.conf / f"{site}.key"),
            "services": [service.folder.name],
            "endpoints": [{"host": "127.0.0.1", "port": service.ports[site], "connect_from": "target"}],
            "run_after": [f"/bin/sh -c 'env > {self.folder}/after-{site}'"],
            **self.options[site],
            **more,
        }

    def deploy(self, *sites: str, check: bool = False, **more: t.Any) -> dict[str, t.Any]:
        arguments = {
            "certificates": [self.certificate(site) for site in sites or _SITES],
            "services": {service.folder.name: {"command": str(service.command)} for service in self.services.values()},
            "probe_retries": 1,
            "probe_delay": 0,
            "_ansible_check_mode": check,
            "_ansible_no_log": True,
            "_ansible_diff": True,
            "_ansible_tmpdir": str(self.folder / "tmp"),
            **more,
        }
        with installation.module_arguments(arguments):
            kwargs = deploy_spec().kwargs()
            kwargs["argument_spec"]["_shown"] = {"type": "dict"}
            module = _Module(supports_check_mode=True, **kwargs)
        result = deploy(module)
        self.warnings = module.warned
        return result

    def states(self, result: dict[str, t.Any]) -> dict[str, str]:
        return {one["name"]: one["state"] for one in result["certificates"]}

    def installed(self, site: str) -> str:
        text = (self.service_of(site).conf / f"{site}.pem").read_text(encoding="ascii")
        return _pem.blocks(text)[0]

    def serves(self, site: str, serial: int) -> bool:
        shown = self.service_of(site).shown(site)
        return shown is not None and _pem.dearmour(shown) == _pem.dearmour(_pem.blocks(self.content(site, serial))[0])

    def has(self, site: str, serial: int) -> bool:
        return self.installed(site) == _pem.blocks(self.content(site, serial))[0]

    def left(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob(".collectssl*"))

    def fault(self, site: str, kind: str) -> None:
        service = self.service_of(site)
        if kind == "key":
            (service.conf / f"{site}.key").write_bytes(installation.key_pem("ec-other"))
        elif kind == "folder":
            self.options[site] = {"path": str(self.folder / "nowhere" / "x.pem")}
        elif kind == "directory":
            (self.folder / "file").touch()
            self.options[site] = {"directory": str(self.folder / "file" / "new")}
        elif kind in ("foreign", "read-only"):
            apart = self.folder / "apart"
            apart.mkdir()
            self.options[site] = {"path": str(apart / "x.pem")}
            if kind == "foreign":
                (apart / ".collectssl").mkdir()
                os.chown(apart / ".collectssl", 65534, 65534)
            else:
                self.refused = str(apart)
        elif kind in ("run_before", "run_after"):
            self.options[site] = {kind: ["false"]}
        elif kind == "validate":
            self.options[site] = {"validate": "/bin/sh -c 'echo no such directive >&2; exit 3'"}
        elif kind == "refuse":
            service.misbehave(kind)
        else:
            service.misbehave(f"{kind}-{site}")


def _refusing(host: _Host, patch: pytest.MonkeyPatch) -> _Host:
    """The host, on which nothing can be made in the folder that it says."""
    made = hidden._made

    def made_or_refused(folder: t.Any) -> t.Any:
        if folder.path == host.refused:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return made(folder)

    patch.setattr(hidden, "_made", made_or_refused)
    return host


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[_Host]:
    host = _refusing(_Host(tmp_path), monkeypatch)
    with host.services["a"]:
        yield host


@pytest.fixture(name="apart")
def fixture_apart(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[_Host]:
    host = _refusing(_Host(tmp_path, apart=True), monkeypatch)
    with host.services["a"], host.services["b"]:
        yield host


def test_a_reissue_goes_into_service(host: _Host) -> None:
    assert host.states(host.deploy()) == {"a": "in_service", "b": "in_service"}
    before = host.services["a"].reloads
    host.serial = 1
    foreseen = host.deploy(check=True)
    assert host.services["a"].reloads == before
    assert host.has("a", 0)
    result = host.deploy()
    for told in (foreseen, result):
        assert host.states(told) == {"a": "in_service", "b": "in_service"}
        assert told["changed"]
        assert told["services"] == [{"name": "service-a", "action": "command"}]
        assert [one["changed"] for one in told["certificates"]] == [True, True]
    assert foreseen["diff"] == result["diff"]
    for site in _SITES:
        assert host.serves(site, 1)
        assert host.has(site, 1)
    (one, _other) = result["certificates"]
    assert (one["before"], one["installed"]) == (_pem.blocks(host.content("a", 0))[0], host.installed("a"))
    assert one["files"] == [
        {"path": host.certificate("a")["fullchain_path"], "role": "fullchain", "changed": True, "backup_file": None}
    ]
    assert [end["serves"] for end in result["endpoints"]] == [True, True]
    # Two certificates, one reload.
    assert host.services["a"].reloads == before + 1
    assert host.left() == []
    again = host.deploy()
    assert not again["changed"]
    assert host.services["a"].reloads == before + 1
    assert again["services"] == []


def test_what_a_hook_hears(host: _Host) -> None:
    host.deploy()
    host.serial = 1
    host.deploy()
    told = dict(
        line.split("=", 1) for line in (host.folder / "after-a").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    leaf = _pem.dearmour(host.installed("a"))
    assert leaf is not None
    assert told["CERTFLEET_NAME"] == "a"
    assert told["CERTFLEET_PATH"] == host.certificate("a")["fullchain_path"]
    assert told["CERTFLEET_FINGERPRINT"] == _pem.fingerprint(leaf)
    assert told["CERTFLEET_TLSA"] == _pem.tlsa_of(leaf) == told["CERTFLEET_TLSA_BEFORE"]


def test_what_a_due_hook_hears_is_installed_whatever_is_wanted_by_now(host: _Host) -> None:
    """The one that came meanwhile was gone back from: DNS must not hear of that."""
    host.serial = 1
    host.options["a"] = {"run_after": ["/bin/false"]}
    assert host.states(host.deploy("a")) == {"a": "failed"}
    host.options["a"] = {}
    host.serial = 2
    host.fault("a", "deaf")
    assert host.states(host.deploy("a")) == {"a": "rolled_back"}
    leaf = _pem.dearmour(host.installed("a"))
    assert leaf is not None
    assert host.has("a", 1)
    assert f"CERTFLEET_FINGERPRINT={_pem.fingerprint(leaf)}\n" in (host.folder / "after-a").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", sorted(_ENDS))
def test_a_fault_of_one_within_a_unit(fault: str, host: _Host) -> None:
    host.deploy()
    host.fault("a", fault)
    host.serial = 1
    result = host.deploy()
    state, new = _ENDS[fault]
    whole = fault in _WHOLE_UNIT
    assert host.states(result) == {"a": state, "b": "rolled_back" if whole else "in_service"}, result
    assert host.has("a", int(new))
    assert host.has("b", int(not whole))
    assert host.serves("b", int(not whole))
    if fault not in ("silent", "key"):
        assert host.serves("a", int(new))
    said = result["certificates"][0]["msg"]
    assert said
    # What was left as it was is said to be so.
    if state == "refused":
        assert re.search(r"No file was changed\.|Nothing was changed\.|left as they were\.", said), said
    if not whole:
        assert result["certificates"][1]["msg"] == ""
    # A hook that failed is due until it has run, and what is somebody else's stays there.
    assert bool(host.left()) == (fault in ("run_after", "foreign"))


@pytest.mark.parametrize("fault", sorted(_ENDS))
def test_a_fault_of_one_across_units(fault: str, apart: _Host) -> None:
    apart.deploy()
    apart.fault("a", fault)
    apart.serial = 1
    result = apart.deploy()
    state, new = _ENDS[fault]
    assert apart.states(result) == {"a": state, "b": "in_service"}, result
    assert apart.has("a", int(new))
    assert apart.has("b", 1)
    assert apart.serves("b", 1)
    assert result["certificates"][1]["msg"] == ""


def test_check_mode_foresees_that_somebody_else_keeps_things_there(host: _Host) -> None:
    host.deploy()
    host.fault("a", "foreign")
    host.serial = 1
    foreseen = host.deploy(check=True)
    assert host.states(foreseen) == {"a": "refused", "b": "in_service"}
    assert foreseen["certificates"][0]["msg"] == host.deploy()["certificates"][0]["msg"]


@pytest.mark.parametrize("fault", ["foreign", "read-only"])
def test_a_folder_that_cannot_be_changed_is_no_fault_where_nothing_is_to_change(fault: str, host: _Host) -> None:
    host.options["a"] = {"path": str(host.folder / "apart" / "x.pem")}
    (host.folder / "apart").mkdir()
    host.deploy()
    (host.folder / "apart").rename(host.folder / "moved")
    host.fault("a", fault)
    (host.folder / "moved" / "x.pem").rename(host.folder / "apart" / "x.pem")
    (host.service_of("b").conf / "b.pem").write_text(host.content("b", 5), encoding="ascii")
    result = host.deploy()
    assert host.states(result) == {"a": "in_service", "b": "in_service"}, result
    assert host.serves("b", 0)


def test_a_pending_one_stays_as_it_is_and_is_kept_in_service(host: _Host) -> None:
    (host.services["a"].conf / "a.pem").write_text(host.content("a", 5), encoding="ascii")
    host.options["a"] = {"content": None}
    result = host.deploy()
    assert host.states(result) == {"a": "in_service", "b": "in_service"}
    assert host.serves("a", 5)
    assert result["certificates"][0]["installed"] == _pem.blocks(host.content("a", 5))[0]


def test_one_that_is_to_be_absent(host: _Host) -> None:
    host.options["a"] = {"state": "absent", "content": None, "services": [], "endpoints": []}
    foreseen, result = host.deploy(check=True), host.deploy()
    for told in (foreseen, result):
        assert host.states(told) == {"a": "absent", "b": "in_service"}
        assert told["certificates"][0]["files"][0]["changed"] is True
    conf = host.services["a"].conf
    assert sorted(path.name for path in conf.iterdir()) == ["a.key", "b.key", "b.pem"]
    assert not host.deploy()["changed"]


def test_a_key_that_is_nowhere_else_is_not_removed(host: _Host) -> None:
    conf = host.services["a"].conf
    (conf / "a.pem").write_bytes(installation.key_pem("ec-other") + host.content("a").encode("ascii"))
    host.options["a"] = {
        "state": "absent", "content": None, "fullchain_path": None, "combined_path": str(conf / "a.pem"),
        "services": [], "endpoints": [],
    }  # fmt: skip
    result = host.deploy()
    assert host.states(result)["a"] == "refused"
    assert "a private key is never removed" in result["certificates"][0]["msg"]
    assert (conf / "a.pem").exists()


def test_two_that_want_different_things_of_one_file(host: _Host) -> None:
    conf = host.services["a"].conf
    host.serial = 1
    host.options["b"] = {"fullchain_path": str(conf / "a.pem"), "privatekey_path": None}
    result = host.deploy()
    assert host.states(result) == {"a": "refused", "b": "refused"}
    assert host.has("a", 0)


def test_a_directory_is_made_whatever_the_umask_and_goes_again_where_nothing_came_of_it(host: _Host) -> None:
    new = host.folder / "made" / "for" / "it"
    host.options["a"] = {"directory": str(new), "path": str(new / "a.pem")}
    host.options["b"] = {"directory": str(host.folder / "never" / "used"), "privatekey_path": str(host.folder / "none")}
    umask = os.umask(0o077)
    try:
        result = host.deploy()
    finally:
        os.umask(umask)
    assert host.states(result) == {"a": "in_service", "b": "refused"}
    assert [path.stat().st_mode & 0o777 for path in (new, new.parent, new.parent.parent)] == [0o755] * 3
    assert (new / "a.pem").exists()
    assert not (host.folder / "never").exists()


def test_a_directory_that_several_name_is_made_for_all_of_them(host: _Host) -> None:
    new = host.folder / "made" / "for both"
    for site in _SITES:
        host.options[site] = {"directory": str(new), "path": str(new / f"{site}.pem")}
    assert host.states(host.deploy()) == {"a": "in_service", "b": "in_service"}
    assert sorted(path.name for path in new.iterdir()) == ["a.pem", "b.pem"]


def test_what_the_controller_has_to_see_is_held_until_it_has(host: _Host) -> None:
    host.deploy()
    host.serial = 1
    for site in _SITES:
        endpoint = {"host": "192.0.2.1", "port": 443, "connect_from": "controller"}
        host.options[site] = {"endpoints": [endpoint]}
    result = host.deploy()
    assert host.states(result) == {"a": "to_be_looked_at", "b": "to_be_looked_at"}
    assert host.left()
    assert [one["held"] for one in result["certificates"] + host.deploy(check=True)["certificates"]] == [True] * 4
    result = host.deploy(_shown={"a": "", "b": "192.0.2.1 port 443 shows another one."})
    assert host.states(result) == {"a": "in_service", "b": "rolled_back"}
    assert result["rolled_back"] == ["b"]
    assert (host.has("a", 1), host.has("b", 0)) == (True, True)
    assert host.serves("b", 0)
    assert host.left() == []
    assert [one["held"] for one in result["certificates"] + host.deploy(check=True)["certificates"]] == [False] * 4


class _Stopped(services.Manager):
    """A manager that knows the service, and says that it does not run."""

    def knows(self, name: str) -> bool:
        return True

    def runs(self, name: str) -> bool:
        return False


class _Booted(services.Manager):
    """A manager of one service, which runs where there is a file of its name."""

    def knows(self, name: str) -> bool:
        return True

    def runs(self, name: str) -> bool:
        return os.path.exists(self._path(f"{name}/runs"))

    def is_missed(self, name: str) -> bool:
        return True

    def command(self, name: str, verb: str) -> list[str]:
        assert verb == "restart"
        return ["/bin/sh", "-c", f"touch {self._path(name)}/runs; {self._path(name)}/reload"]


@pytest.fixture(name="runs")
def _runs(host: _Host, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file that says that the service of the host, which its manager knows, runs."""
    monkeypatch.setattr(services, "manager", lambda run: _Booted(run, str(host.folder)))
    runs = host.folder / "service-a/runs"
    runs.touch()
    return runs


def test_a_service_that_died_before_the_controller_looked_is_started_again(host: _Host, runs: pathlib.Path) -> None:
    host.serial = 1
    endpoint = {"host": "192.0.2.1", "port": 443, "connect_from": "controller"}
    host.options["a"] = {"endpoints": [endpoint]}
    assert host.states(host.deploy("a")) == {"a": "to_be_looked_at"}
    runs.unlink()
    result = host.deploy("a", _shown={"a": "192.0.2.1 port 443 shows nothing."})
    assert host.states(result) == {"a": "rolled_back"}
    assert result["services"] == [{"name": "service-a", "action": "started"}]
    assert host.serves("a", 0)
    assert host.left() == []


def test_a_service_that_does_not_run_is_left_stopped(host: _Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.serial = 1
    reloads = host.services["a"].reloads
    host.fault("a", "silent")
    monkeypatch.setattr(services, "manager", lambda run: _Stopped(run, "/"))
    foreseen, result = host.deploy(check=True), host.deploy()
    for told in (foreseen, result):
        assert host.states(told) == {"a": "installed", "b": "installed"}
        assert told["services"] == [{"name": "service-a", "action": "left_stopped"}]
    assert host.services["a"].reloads == reloads


def test_a_name_that_no_journal_takes_is_remembered_all_the_same(host: _Host) -> None:
    """In the next run it is known what the endpoint showed before, so the files go back where that restores it."""
    host.deploy("a")
    host.fault("a", "deaf")
    host.serial = 1
    port = host.services["a"].ports["a"]
    odd = {"host": "127.0.0.1", "port": port, "connect_from": "target", "server_name": "b\u00fccher.example"}
    host.options["a"] = {"endpoints": [odd], "run_after": []}
    with pytest.MonkeyPatch.context() as patch:
        # The run dies when it comes to the reload.
        patch.setattr(services, "take_new_files", lambda *dummy: os._exit(1))
        with pytest.raises(Exception, match="was killed"):
            host.deploy("a")
    assert host.has("a", 1)
    result = host.deploy("a")
    assert host.states(result) == {"a": "rolled_back"}
    assert host.has("a", 0)
    assert host.left() == []


def test_several_stories_of_one_name_come_to_one_end(host: _Host) -> None:
    """Runs with files in other folders do not see each other's; one with files in all of them does."""
    elsewhere = {"endpoints": [{"host": "192.0.2.1", "port": 443, "connect_from": "controller"}]}
    paths = {}
    for option in ("fullchain_path", "path"):
        (host.folder / option).mkdir()
        paths[option] = str(host.folder / option / "a.pem")
        host.options["a"] = {**elsewhere, "fullchain_path": None, option: paths[option]}
        assert host.states(host.deploy("a")) == {"a": "to_be_looked_at"}
    assert len(host.left()) == 2
    host.options["a"] = {**elsewhere, **paths}
    assert host.states(host.deploy("a", _shown={"a": ""})) == {"a": "in_service"}
    assert host.left() == []
    assert (host.folder / "after-a").exists()


def test_what_check_mode_tells_of_a_key_that_waits(host: _Host) -> None:
    conf = host.services["a"].conf
    (conf / "a.next").write_bytes(installation.key_pem("ec-next"))
    host.options["a"] = {"pending_privatekey_path": str(conf / "a.next"), "content": None}
    leaf = _pem.dearmour(_pem.blocks(installation.leaf("ec-next"))[0])
    assert leaf is not None
    assert host.deploy(check=True)["certificates"][0]["pending_tlsa"] == _pem.tlsa_of(leaf)
    assert host.deploy()["certificates"][0]["pending_tlsa"] is None
    (conf / "a.next").write_bytes(installation.key_pem("rsa-next", "secret"))
    assert host.deploy(check=True)["certificates"][0]["pending_tlsa"] is None


def test_what_check_mode_tells_of_one_that_is_refused(host: _Host) -> None:
    host.fault("a", "key")
    host.serial = 1
    told = host.deploy(check=True)
    assert host.states(told) == {"a": "refused", "b": "in_service"}
    assert [(one["certificate"], one["serves"]) for one in told["endpoints"]] == [("a", True), ("b", False)]


def test_a_directory_that_would_be_made_is_no_warning_in_check_mode(host: _Host) -> None:
    new = host.folder / "new"
    host.options["a"] = {"directory": str(new / "er"), "path": str(new / "er" / "a.pem"), "chain_path": str(new / "c")}
    assert host.states(host.deploy(check=True))["a"] == "in_service"
    assert (new.exists(), host.warnings) == (False, [])
    host.options["a"]["root_path"] = str(host.folder / "newer" / "root.pem")
    host.options["a"]["content"] = host.content("a") + installation.root()
    host.deploy(check=True)
    assert len(host.warnings) == 1


def test_a_command_that_hangs_is_ended_and_takes_the_unit_back(host: _Host) -> None:
    host.deploy()
    host.serial = 1
    host.options["a"] = {"validate": "/bin/sh -c 'sleep 1000 & sleep 1000'"}
    result = host.deploy(command_timeout=1)
    assert host.states(result) == {"a": "rolled_back", "b": "rolled_back"}
    assert "did not come to its end in time" in result["certificates"][0]["msg"]


@pytest.mark.parametrize("begin", range(_APART))
def test_a_host_that_dies_ends_as_an_undisturbed_one_in_the_next_run(begin: int, host: _Host) -> None:
    host.deploy("a")
    for number in itertools.count(begin + 1, _APART):
        (host.folder / "after-a").unlink(missing_ok=True)
        host.serial += 1
        died = _killed_at(number, host)
        result = host.deploy("a")
        assert host.states(result) == {"a": "in_service"}, result
        assert host.has("a", host.serial)
        assert host.serves("a", host.serial)
        assert host.left() == []
        assert (host.folder / "after-a").exists()
        if not died:
            assert number > 50
            return


def test_a_service_that_half_of_the_files_kept_from_starting_is_started_in_the_next_run(
    host: _Host, runs: pathlib.Path
) -> None:
    host.deploy("a")
    seen = set()
    for number in itertools.count(1, 4):
        host.serial += 1
        died = _killed_at(number, host)
        journals = [json.loads(path.read_bytes()) for path in host.folder.rglob(".collectssl/journal*")]
        states = {journal["state"] for journal in journals} - {"due"}
        if died and states:
            runs.unlink()
        (foreseen,) = host.deploy("a", check=True)["services"] or [{"action": "command"}]
        result = host.deploy("a")
        action = "started" if states else "command"
        assert foreseen["action"] == action
        assert {one["action"] for one in result["services"]} <= {action}
        assert runs.exists()
        assert host.states(result) == {"a": "in_service"}
        assert host.serves("a", host.serial)
        seen |= states
        if not died:
            break
    assert seen == {"switching", "held"}


@pytest.mark.parametrize("begin", range(0, _APART, 4))
def test_work_that_is_killed_is_ended_in_the_same_run(begin: int, host: _Host) -> None:
    host.deploy("a")
    for number in itertools.count(begin + 1, _APART):
        before, after = host.serial, host.serial + 1
        host.serial = after
        with _dying_at(number) as died:
            result = host.deploy("a")
        (one,) = result["certificates"]
        new = one["state"] == "in_service"
        assert new or (one["state"], result["rolled_back"]) == ("rolled_back", ["a"]), result
        assert host.has("a", after if new else before)
        assert host.serves("a", after if new else before)
        assert host.left() == []
        assert (one["installed"] == host.installed("a")) is True
        if not died[0]:
            assert new
            assert number > 50
            return
        assert any("was killed" in warning for warning in host.warnings)
        assert new or one["msg"] == "The process that worked on this host was killed. Its files are as they were."
        host.serial = after if new else before


def test_work_that_is_killed_leaves_nothing_for_the_controller_to_find_right(host: _Host) -> None:
    """What the controller sees in service then is the old one, which is not what was wanted."""
    host.deploy()
    host.serial = 1
    port = host.service_of("a").ports["a"]
    host.options["a"] = {
        "validate": "sh -c 'kill -9 $PPID'",
        "endpoints": [{"host": "127.0.0.1", "port": port, "connect_from": "controller"}],
    }
    result = host.deploy("a", _shown={})
    assert host.states(result) == {"a": "rolled_back"}
    assert result["rolled_back"] == ["a"]
    assert host.has("a", 0)
    assert host.serves("a", 0)
    assert host.left() == []


def test_work_that_is_killed_again_and_again_is_left_to_the_next_run(
    host: _Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
        raise Killed("Killed.")

    monkeypatch.setattr(under_test, "detached", die)
    with pytest.raises(InstallError, match="Killed") as caught:
        host.deploy("a")
    assert caught.value.details == {"end_unknown": True}


def test_a_removal_that_is_killed_is_told_as_what_came_of_it(host: _Host) -> None:
    host.options["a"] = {"state": "absent", "content": None, "services": [], "endpoints": []}
    states = set()
    for number in itertools.count(1, 4):
        with _dying_at(number) as died:
            (one,) = host.deploy("a")["certificates"]
        gone = not (host.services["a"].conf / "a.pem").exists()
        assert one["state"] == ("absent" if gone else "rolled_back")
        if gone:
            (host.services["a"].conf / "a.pem").write_text(host.content("a"), encoding="ascii")
        states.add(one["state"])
        if not died[0]:
            break
    assert states == {"absent", "rolled_back"}


@contextlib.contextmanager
def _dying_at(number: int) -> t.Iterator[list[bool]]:
    """Let the process that does the work first die at a call that changes a file system; whether it lived for that."""
    died: list[bool] = []

    def dying(work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        if not died:
            died.append(installation.killed_at(number, work))
            if died[0]:
                raise Killed("The process that worked on this host was killed.")
        return detached(work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(under_test, "detached", dying)
        yield died


def _killed_at(number: int, host: _Host) -> bool:
    """Let the process that does the work die at a call by which file systems change; whether it lived to do so."""
    died: list[bool] = []

    def dying(work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        died.append(installation.killed_at(number, work))
        return {"warnings": []}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(under_test, "detached", dying)
        host.deploy("a")
    return died == [True]


def test_the_work_goes_on_when_whoever_asked_for_it_is_gone(host: _Host) -> None:
    host.deploy()
    host.serial = 1
    host.options["a"] = {"validate": f"/bin/sh -c 'echo > {host.folder}/begun; sleep 0.5'"}
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            host.deploy()
        finally:
            os._exit(0)
    _until((host.folder / "begun").exists)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _until(lambda: host.serves("a", 1) and not host.left() and (host.folder / "after-b").exists())
    assert host.has("b", 1)


def _until(fact: t.Callable[[], bool]) -> None:
    while not fact():
        os.sched_yield()
