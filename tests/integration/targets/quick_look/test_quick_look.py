# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run with nothing to do sends one command to a host and no module, and tells what the module would have told."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import sys
import tempfile
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files, ssh_server
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Hosts, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what was proven of private keys is believed of root alone")

_FILES = {
    "path": "{{ dir }}/cert.pem",
    "chain_path": "{{ dir }}/chain.pem",
    "fullchain_path": "{{ dir }}/fullchain.pem",
    "root_path": "{{ dir }}/root.pem",
    "combined_path": "{{ dir }}/combined.pem",
    "privatekey_path": "{{ dir }}/key.pem",
    "pending_privatekey_path": "{{ dir }}/next.pem",
}
_PUBLIC = {"path": "{{ dir }}/cert.pem", "fullchain_path": "{{ dir }}/fullchain.pem"}

# One that every user of this machine may run, unlike that of a virtual environment.
_PYTHON = shutil.which("python3", path="/usr/bin") or ""

_COUNTING = """\
#!/bin/sh
echo "$*" >> {log}
exec {python} "$@"
"""


class _Hosts:
    """Hosts that count how often a module is run on them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.hosts: dict[str, dict[str, t.Any]] = {}

    def add(
        self, name: str, folder: pathlib.Path | None = None, python: str = sys.executable, **variables: t.Any
    ) -> None:
        """Have one more, with the shared private key."""
        folder = folder or self._lab.host_folder(name)
        files.write(folder / "key.pem", certificates.shared_key(), 0o600)
        files.write(folder / "runs", "", 0o666)
        counting = _COUNTING.format(log=folder / "runs", python=python)
        interpreter = files.write(folder / "python", counting, 0o755)
        self.hosts[name] = {"dir": str(folder), "ansible_python_interpreter": str(interpreter), **variables}

    def folder(self, name: str) -> pathlib.Path:
        """Where the files of a host are."""
        return pathlib.Path(self.hosts[name]["dir"])

    def runs(self) -> dict[str, int]:
        """How many modules were run on each host since this was last asked."""
        found = {}
        for name in self.hosts:
            log = self.folder(name) / "runs"
            found[name] = len(log.read_text().splitlines())
            log.write_text("")
        return found


@pytest.fixture
def hosts(lab: Lab) -> _Hosts:
    return _Hosts(lab)


def _commands(run: Run) -> int:
    """How many commands were sent to all hosts, as a very verbose run shows them."""
    return len(re.findall(r"^<[^<> ]+> (?:SSH: )?EXEC ", run.output, re.MULTILINE))


def _told(run: Run) -> dict[str, dict[str, t.Any]]:
    """What each host returned, less how a module was invoked: only some versions add that, and no task registers it."""
    return {
        result.host: {name: value for name, value in result.data.items() if name != "invocation"}
        for result in run.of("install")
    }


def _state(folder: pathlib.Path) -> dict[str, t.Any]:
    """The files of certificates and keys below a folder, and what runs left."""
    return {
        path: (entry.content, entry.mode, entry.owner)
        for path, entry in files.snapshot(folder).items()
        if path.endswith((".pem", ".collectssl"))
    }


def _play(lab: Lab, hosts: Hosts, number: str, *arguments: str, **more: t.Any) -> Run:
    task = {"name": "install", MODULE: {**_FILES, "order_number": number, "mode": "0640", **more}}
    return lab.play(hosts, [task], "-vvv", *arguments).must_succeed()


def test_it_tells_what_the_module_tells(lab: Lab, hosts: _Hosts) -> None:
    """Without the records the module is run; all that it returns is what the quick look returned, key for key."""
    number = lab.order()
    for name in ("plain", "odd"):
        hosts.add(name)
    hosts.hosts["odd"]["ansible_pipelining"] = False
    more = {"owner": "root", "group": 0, "backup": True, "include_root": True, "return_content": True}
    modules = {"plain": 1, "odd": 1}

    first = _play(lab, hosts.hosts, number, **more)
    assert all(told["changed"] for told in _told(first).values())
    assert hosts.runs() == modules
    before = _state(lab.folder / "hosts")
    for arguments in ((), ("--check", "--diff")):
        quick = _play(lab, hosts.hosts, number, *arguments, **more)
        assert hosts.runs() == {"plain": 0, "odd": 0}, quick.shown
        assert _commands(quick) == len(hosts.hosts), quick.shown
        lab.forget_proofs()
        slow = _play(lab, hosts.hosts, number, *arguments, **more)
        assert hosts.runs() == modules
        for host, told in _told(slow).items():
            assert not told["changed"]
            assert _told(quick)[host] == told
        # In check mode nothing was written down.
        _play(lab, hosts.hosts, number, **more)
        assert hosts.runs() == (modules if "--check" in arguments else {"plain": 0, "odd": 0})
    assert _state(lab.folder / "hosts") == before


def test_what_differs_is_put_right(lab: Lab, hosts: _Hosts) -> None:
    """A difference of any kind costs the one command and the module, and what the module does."""
    number = lab.order()

    def other(path: str) -> t.Callable[[pathlib.Path], object]:
        return lambda folder: (folder / path).write_bytes((folder / path).read_bytes() + b"\n")

    acts: dict[str, t.Callable[[pathlib.Path], object]] = {
        "certificate": other("cert.pem"),
        "combined": other("combined.pem"),
        "mode": lambda folder: (folder / "chain.pem").chmod(0o600),
        "secret": lambda folder: (folder / "combined.pem").chmod(0o644),
        "owner": lambda folder: os.chown(folder / "root.pem", 1, 0),
        "gone": lambda folder: (folder / "fullchain.pem").unlink(),
        "left": lambda folder: (folder / ".collectssl").mkdir(0o700),
    }
    unchanged = ("left",)
    for name in acts:
        hosts.add(name)
    task = {"owner": "root"}
    _play(lab, hosts.hosts, number, **task)
    assert set(hosts.runs().values()) == {1}
    before = _state(lab.folder / "hosts")
    for name, act in acts.items():
        act(hosts.folder(name))
    run = _play(lab, hosts.hosts, number, **task)
    assert set(hosts.runs().values()) == {1}
    assert {host: told["changed"] for host, told in _told(run).items()} == {
        name: name not in unchanged for name in acts
    }
    assert _state(lab.folder / "hosts") == before
    _play(lab, hosts.hosts, number, **task)
    assert set(hosts.runs().values()) == {0}


def test_what_it_has_no_words_for_goes_to_the_module(lab: Lab, hosts: _Hosts) -> None:
    number = lab.order()
    odd: dict[str, dict[str, t.Any]] = {
        "symbolic": {"mode": "u=rw,g=r,o="},
        "passphrase": {"privatekey_passphrase": "needless"},
        "home": {"path": "~root/..{{ dir }}/cert.pem"},
        "label": {"setype": "cert_t"},
        "blank": {"path": "{{ dir }}/a b.pem"},
    }
    tasks = []
    for name, more in odd.items():
        hosts.add(name)
        options = {**_FILES, "order_number": number, "mode": "0640", **more}
        tasks.append({"name": name, MODULE: options, "when": f"inventory_hostname == '{name}'"})
    lab.play(hosts.hosts, tasks).must_succeed()
    assert set(hosts.runs().values()) == {1}
    again = lab.play(hosts.hosts, tasks).must_succeed()
    assert set(hosts.runs().values()) == {1}
    assert not any(result.changed for result in again.results)


def test_the_environment_of_a_task_is_no_hindrance(lab: Lab, hosts: _Hosts) -> None:
    number = lab.order()
    hosts.add("web")
    surroundings = {"PATH": "/nowhere", "LC_ALL": "de_DE.UTF-8", "POSIXLY_CORRECT": "1", "IFS": "/", "https_proxy": ""}
    task = {"name": "install", MODULE: {**_FILES, "order_number": number}, "environment": surroundings}
    assert [lab.play(hosts.hosts, [task]).must_succeed().one("install").changed for _run in range(2)] == [True, False]
    assert hosts.runs() == {"web": 1}


@pytest.mark.skipif(ssh_server.missing() is not None, reason=str(ssh_server.missing()))
def test_over_ssh_and_as_another_user(lab: Lab, hosts: _Hosts) -> None:
    """With and without pipelining, which has a terminal in between; root by sudo and su; one who is not root."""
    number = lab.order()
    with contextlib.ExitStack() as stack:
        ssh = stack.enter_context(ssh_server.ssh_server(lab.folder / "sshd"))
        open_folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="collectssl-")))
        open_folder.chmod(0o755)
        expected = {}
        methods = [method for method in ("sudo", "su") if shutil.which(method)]
        for way, connection in (("local", {}), ("ssh", ssh), ("terminal", {**ssh, "ansible_pipelining": False})):
            hosts.add(f"{way}-plain", **connection)
            for method in methods:
                become = {"ansible_become": True, "ansible_become_method": method, **connection}
                hosts.add(f"{way}-{method}", **become)
                if way == "terminal" or method == "su" or not _PYTHON:
                    continue
                name = f"{way}-{method}-nobody"
                (open_folder / name).mkdir()
                hosts.add(name, open_folder / name, _PYTHON, **become, ansible_become_user="nobody", files=_PUBLIC)
                for path in (open_folder / name, open_folder / name / "key.pem"):
                    shutil.chown(path, "nobody")
        expected = dict.fromkeys(hosts.hosts, 0)
        task = {
            "name": "install",
            MODULE: "{{ options }}",
            "vars": {"options": "{{ (files | default(everything)) | combine({'order_number': number}) }}"},
        }
        play = {"vars": {"everything": _FILES, "number": number}}
        surroundings = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "true"}
        first = lab.play(hosts.hosts, [task], play=play, environment=surroundings).must_succeed()
        assert all(result.changed for result in first.results)
        assert hosts.runs() == dict.fromkeys(hosts.hosts, 1)
        run = lab.play(hosts.hosts, [task], "-vvv", play=play, environment=surroundings).must_succeed()
        assert not any(result.changed for result in run.results)
        assert hosts.runs() == expected, run.shown
        assert _commands(run) == len(hosts.hosts), run.shown
