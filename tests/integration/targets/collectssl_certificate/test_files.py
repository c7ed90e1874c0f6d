# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as hosts have them: of others, out of reach, with blocks of their own, not there yet. One row a case.

Each row is a host: how its folder is before, what the task asks for beside the order, what comes of it, and words of
the message. All rows run in check mode first, which says the same and touches nothing.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import tempfile
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Result, Run

_NOBODY, _GROUP = 65534, 64002
_LEFT = "No file was changed."
_DH = "-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQU=\n-----END DH PARAMETERS-----\n"
_KEY = {"privatekey_path": "{{ dir }}/key.pem"}


class _Row(t.NamedTuple):
    """``outcome`` is "refused" or the roles that change; ``real`` is what the run says where check mode differs."""

    prepare: t.Callable[[pathlib.Path], object]
    options: dict[str, t.Any]
    outcome: str | list[str]
    words: tuple[str, ...] = ()
    real: str | list[str] | None = None


def _nothing(folder: pathlib.Path) -> None:
    pass


def _old(folder: pathlib.Path, uid: int = -1, gid: int = -1, mode: int = 0o644) -> None:
    os.chown(files.write(folder / "cert.pem", "of before\n", mode), uid, gid)


# --- as another user -------------------------------------------------------------------------------------------------


def _closed(folder: pathlib.Path) -> None:
    (folder / "inner").mkdir(0o700)


def _mine(folder: pathlib.Path) -> None:
    _old(folder, _NOBODY, _NOBODY)


_OF_OTHERS = {
    "owner": _Row(
        lambda folder: _old(folder, 0, 0),
        {},
        "refused",
        ("path: ", "/cert.pem belongs to root, and the user nobody", "become, or give owner: nobody", _LEFT),
    ),
    "owner-wanted": _Row(
        lambda folder: _old(folder, 0, 0), {"owner": "nobody", "group": str(_NOBODY)}, ["certificate"]
    ),
    "owner-out-of-reach": _Row(
        _mine, {"owner": "root"}, "refused", ("the user nobody cannot give ", "to root (owner)", "become", _LEFT)
    ),
    "group": _Row(
        lambda folder: _old(folder, _NOBODY, _GROUP, 0o640),
        {},
        "refused",
        (f"is of the group {_GROUP}, and the user nobody", "become", _LEFT),
    ),
    "mine": _Row(_mine, {}, ["certificate"]),
    "closed-folder": _Row(
        _closed,
        {"path": "{{ dir }}/inner/deep/cert.pem"},
        "refused",
        ("path: the folder ", "/inner cannot be entered by the user nobody", "become", _LEFT),
    ),
    "closed-key": _Row(
        lambda folder: files.write(folder / "key.pem", certificates.shared_key(), 0o600),
        _KEY,
        "refused",
        ("/key.pem could not be read: Permission denied for the user nobody. Run the task with become", _LEFT),
    ),
    "closed-to-write": _Row(
        lambda folder: os.chown(folder, 0, 0),
        {},
        "refused",
        ("path: the user nobody may not write in the directory ", "become", _LEFT),
    ),
    "in-place": _Row(lambda folder: _old(folder, 0, 0, 0o666), {"in_place": True}, ["certificate"]),
}


@pytest.fixture(name="open_folder")
def fixture_open_folder() -> t.Iterator[pathlib.Path]:
    """A temporary folder that another user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield path


def test_files_of_others(lab: Lab, open_folder: pathlib.Path) -> None:
    """With become, as a user who may write in the folder and is not root."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or not shutil.which("su") or python is None:
        pytest.skip("Another user needs root, su, and a Python that all users may run; not all of them are here.")
    hosts: dict[str, dict[str, t.Any]] = {}
    for name, row in _OF_OTHERS.items():
        folder = open_folder / name
        folder.mkdir()
        os.chown(folder, _NOBODY, _NOBODY)
        row.prepare(folder)
        hosts[name] = {"dir": str(folder), "ansible_python_interpreter": python, **row.options}
    connection = {
        "ansible_become_method": "ansible.builtin.su",
        "ansible_become_user": "nobody",
        "ansible_become_flags": "-s /bin/sh",
        "ansible_remote_tmp": str(open_folder / "tmp"),
    }
    _judge(lab, hosts, _OF_OTHERS, open_folder, {"become": True, "vars": connection})
    assert (open_folder / "owner-wanted" / "cert.pem").stat().st_uid == _NOBODY
    assert (open_folder / "in-place" / "cert.pem").stat().st_uid == 0


# --- as the user of the tests ----------------------------------------------------------------------------------------


def _key(folder: pathlib.Path) -> None:
    files.write(folder / "key.pem", certificates.shared_key(), 0o600)


def _dh(folder: pathlib.Path) -> None:
    _key(folder)
    files.write(folder / "combined.pem", "# of 2019\n" + _DH + certificates.shared_key("rsa"), 0o600)
    files.write(folder / "cert.pem", _DH)


_COMBINED = {**_KEY, "combined_path": "{{ dir }}/combined.pem"}
#: A command that prints much, and in the end why it does not like what it sees.
_COMMAND = 'sh -c "echo fine; echo reading >&2; echo unknown directive in line 3. >&2; echo; exit 4"'

_OF_MINE = {
    "no-key-yet": _Row(
        _nothing,
        _COMBINED,
        ["certificate", "combined"],
        ("privatekey_path: there is no file ", "/key.pem yet.", "an earlier task of the play"),
        "privatekey_path: there is no file ",
    ),
    "no-folder-yet": _Row(
        _nothing,
        {"path": "{{ dir }}/a/b/cert.pem"},
        ["certificate"],
        ("path: the directory ", "/a/b does not exist yet."),
        "path: the directory ",
    ),
    "no-pending-key-yet": _Row(
        lambda folder: files.write(folder / "key.pem", certificates.shared_key("rsa"), 0o600),
        {**_KEY, "pending_privatekey_path": "{{ dir }}/next/key.pem"},
        ["certificate", "privatekey"],
        ("pending_privatekey_path: there is no file ", "/next/key.pem yet."),
        "There is no file ",
    ),
    "dh-parameters": _Row(_dh, _COMBINED, ["certificate", "combined"]),
    "validate": _Row(_old, {"validate": _COMMAND}, ["certificate"], (), "exit status 4: unknown directive in line 3. "),
    "validate-without-text": _Row(
        _old,
        {"validate": "sh -c \"printf 'in Z\\\\374rich' >&2; exit 3\""},
        ["certificate"],
        (),
        "exit status 3: in Z rich. ",
    ),
    "validate-killed": _Row(_old, {"validate": "sh -c 'kill -9 $$'"}, ["certificate"], (), "was ended by signal 9. "),
    "name-too-long": _Row(
        _nothing,
        {"path": "{{ dir }}/" + "x" * 252 + ".pem"},
        "refused",
        ("path: ", ".pem could not be looked at: File name too long. ", _LEFT),
    ),
    "file-as-folder": _Row(
        _old, {"path": "{{ dir }}/cert.pem/a"}, "refused", ("path: ", "/cert.pem is not a directory", _LEFT)
    ),
    "in-place": _Row(_old, {"in_place": True, "mode": "0604"}, ["certificate"]),
    "in-place-new": _Row(_nothing, {"in_place": True}, ["certificate"]),
}


def test_files_of_mine(lab: Lab, tmp_path: pathlib.Path) -> None:
    """Check mode before the rest of a play, blocks that stay, files that stay the same files, and the way back."""
    hosts: dict[str, dict[str, t.Any]] = {}
    for name, row in _OF_MINE.items():
        row.prepare(lab.host_folder(name))
        hosts[name] = dict(row.options)
    inode = (lab.host_folder("in-place") / "cert.pem").stat().st_ino
    run = _judge(lab, hosts, _OF_MINE, lab.folder / "hosts", {})
    folder = lab.host_folder("dh-parameters")
    assert (folder / "combined.pem").read_text().endswith("-----END CERTIFICATE-----\n" + _DH)
    assert "DH PARAMETERS" not in (folder / "cert.pem").read_text()
    shown = {
        pathlib.Path(entry["after_header"]).name: (entry["before"], entry["after"])
        for entry in run.one("install", "dh-parameters").data["diff"]
    }
    line = "# a block of DH PARAMETERS, not shown\n"
    assert [line in side for side in shown["combined.pem"]] == [True, True]
    assert [line in side for side in shown["cert.pem"]] == [True, False]
    status = (lab.host_folder("in-place") / "cert.pem").stat()
    assert (status.st_ino, status.st_mode & 0o777) == (inode, 0o604)
    assert run.one("install", "validate").message.endswith("Every file has been put back as it was.")


def _judge(
    lab: Lab,
    hosts: dict[str, dict[str, t.Any]],
    rows: dict[str, _Row],
    where: pathlib.Path,
    play: dict[str, t.Any],
) -> Run:
    number = lab.order()
    tasks: list[dict[str, t.Any]] = [
        {
            "name": "install",
            MODULE: {"order_number": number, "path": "{{ dir }}/cert.pem", **row.options},
            "when": f"inventory_hostname == '{name}'",
            "ignore_errors": True,
        }
        for name, row in rows.items()
    ]
    before = files.snapshot(where)
    checked = _tried(lab.play(hosts, tasks, "--check", "--diff", play={"strategy": "free", **play}).must_succeed())
    assert files.snapshot(where) == before
    run = lab.play(hosts, tasks, "--diff", play={"strategy": "free", **play}).must_succeed()
    really = _tried(run)
    for name, row in rows.items():
        _must_be(name, checked[name], row.outcome, row.words)
        if row.real is None:
            _must_be(name, really[name], row.outcome, row.words)
            assert really[name].message == checked[name].message
        elif isinstance(row.real, str):
            _must_be(name, really[name], "refused", (row.real,))
    after = files.snapshot(where)
    for name, result in really.items():
        if result.status == "failed":
            assert _of(after, name) == _of(before, name), name
    assert not [path for path in after if ".collectssl-" in path]
    again = _tried(lab.play(hosts, tasks, play={"strategy": "free", **play}).must_succeed())
    assert not [name for name, result in again.items() if result.changed]
    return Run(run.returncode, run.output, list(really.values()))


def _of(found: files.Snapshot, host: str) -> dict[str, t.Any]:
    """The files of a host; folders change while files that are put back come and go."""
    return {path: entry for path, entry in found.items() if path.startswith(f"{host}/") and entry.content is not None}


def _tried(run: Run) -> dict[str, Result]:
    """Each host has run its own task, and skipped those of the others."""
    return {result.host: result for result in run.of("install") if result.status != "skipped"}


def _must_be(name: str, result: Result, outcome: str | list[str], words: tuple[str, ...]) -> None:
    if outcome == "refused":
        assert result.status == "failed", (name, result)
        told = result.message
        assert told.endswith((_LEFT, "Every file has been put back as it was.")), (name, told)
        assert not [sign for sign in (".collectssl-", "Errno", "b'", "interrupted") if sign in told], (name, told)
    else:
        assert result.status == "ok", (name, result)
        assert [role for role, changed in result.files().items() if changed] == outcome, (name, result)
        told = " ".join(result.data.get("warnings", []))
    for word in words:
        assert word in told, (name, told)


# --- a Python without ssl --------------------------------------------------------------------------------------------

_WITHOUT_SSL = """#!/bin/sh
PYTHONPATH={library} exec {python} "$@"
"""


def test_a_python_without_ssl(lab: Lab, tmp_path: pathlib.Path) -> None:
    """As small builds of Python are: what needs no TLS library works, and what does says so in one sentence."""
    library = tmp_path / "library"
    for module in ("_ssl", "_hashlib"):
        files.write(library / f"{module}.py", f"raise ImportError('there is no {module}', name='{module}')\n")
    python = files.write(
        tmp_path / "python3", _WITHOUT_SSL.format(library=f"'{library}'", python=f"'{sys.executable}'"), 0o755
    )
    _key(lab.host_folder("small"))
    order = {"order_number": lab.order()}
    mine = {"path": "{{ dir }}/cert.pem", "fullchain_path": "{{ dir }}/full.pem"}
    look = {"host": "localhost", "port": 1}
    tasks: list[dict[str, t.Any]] = [
        {"name": "no key", MODULE: {**order, **mine, "mode": "0640", "validate": "true"}},
        {"name": "again", MODULE: {**order, **mine, "mode": "0640"}},
        {"name": "key", MODULE: {**order, **_COMBINED}, "ignore_errors": True},
        {"name": "look", "certfleet.collectssl.tls_endpoint_info": look, "ignore_errors": True},
    ]
    run = lab.play({"small": {"ansible_python_interpreter": str(python)}}, tasks).must_succeed()
    assert run.one("no key").files() == {"certificate": True, "fullchain": True}
    assert not run.one("again").changed
    lacks = "has no working module ssl"
    assert run.one("key").message.startswith("privatekey_path: the Python of this host (")
    for task, ending in (("key", _LEFT), ("look", "look with connect_from: controller.")):
        assert lacks in run.one(task).message
        assert run.one(task).message.endswith(ending)
    assert not (lab.host_folder("small") / "combined.pem").exists()
