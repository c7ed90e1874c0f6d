# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that must stay the very same files, such as those that are bind-mounted by themselves."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Options,
    SmallHost,
    bundle,
    intermediate,
    key_pem,
    leaf,
)
from ansible_collections.certfleet.collectssl.tests.support.places import IMPORTABLE

mounting = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can mount a file in a namespace of its own"
)


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> SmallHost:
    """A host with a key, and with two names for its old certificate."""
    host = SmallHost(tmp_path)
    host.write_key("ec-key")
    host.path.write_text("old\n" * 4000)
    host.path.chmod(0o640)
    os.link(host.path, host.certs / "same")
    return host


def _both(host: SmallHost) -> set[str]:
    return {path.read_text() for path in (host.path, host.certs / "same")}


@pytest.mark.parametrize("more", [{}, {"unsafe_writes": True}, {"backup": True}, {"mode": "0604"}])
def test_an_existing_file_stays_the_same_file(more: Options, host: SmallHost) -> None:
    inode = host.path.stat().st_ino
    options: Options = host.everything(content=bundle("ec-key"), in_place=True, **more)
    predicted = host.install(check=True, **options)
    assert _both(host) == {"old\n" * 4000}
    result = host.install(**options)
    assert result["diff"] == predicted["diff"]
    assert [dict(file, backup_file=None) for file in result["files"]] == predicted["files"]
    assert _both(host) == {leaf("ec-key")}
    assert host.path.stat().st_ino == inode
    assert host.path.stat().st_mode & 0o777 == (0o604 if "mode" in more else 0o640)
    # What was not there yet is made as usual.
    assert host.chain.read_text() == intermediate()
    if "backup" in more:
        assert pathlib.Path(result["files"][0]["backup_file"]).read_text() == "old\n" * 4000
        assert host.path.stat().st_nlink == 2
    assert host.hidden() == []
    again = host.install(**options)
    assert not again["changed"]


def test_without_it_another_file_takes_the_place(host: SmallHost) -> None:
    host.install(**host.everything(content=bundle("ec-key")))
    assert _both(host) == {leaf("ec-key"), "old\n" * 4000}


def test_a_mode_alone_is_put_right_in_place(host: SmallHost) -> None:
    options = host.everything(content=bundle("ec-key"), in_place=True)
    host.install(**options)
    inode, modified = host.path.stat().st_ino, host.path.stat().st_mtime_ns
    assert host.install(**options, mode="0600")["changed"]
    status = host.path.stat()
    assert (status.st_ino, status.st_mtime_ns, status.st_mode & 0o777) == (inode, modified, 0o600)
    assert (host.certs / "same").stat().st_mode & 0o777 == 0o600


def test_a_refusal_is_undone_in_place(host: SmallHost) -> None:
    host.path.chmod(0o4750)
    os.setxattr(host.path, "user.note", b"mine")
    host.write_key("ec-next", host.pending)
    before, inode, key = host.state(), host.path.stat().st_ino, host.key.stat().st_ino
    options = host.everything(
        content=bundle("ec-next"), in_place=True, mode="0604", pending_privatekey_path=str(host.pending)
    )
    with pytest.raises(InstallError, match=r"Every file has been put back as it was\."):
        host.install(validate=f"grep -q nothing-of-that-kind {host.path}", **options)
    assert host.state() == before
    assert (host.path.stat().st_ino, host.key.stat().st_ino) == (inode, key)
    assert os.getxattr(host.path, "user.note") == b"mine"
    assert _both(host) == {"old\n" * 4000}
    host.install(validate="true", **options)
    assert host.key.read_bytes() == key_pem("ec-next")
    assert (host.path.stat().st_ino, host.key.stat().st_ino) == (inode, key)
    assert not host.pending.exists()


def test_a_new_key_is_never_read_by_those_whom_the_old_one_was_open_to(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.combined.write_text("open to all")
    host.combined.chmod(0o644)
    seen = []
    sync = os.fsync

    def spy(descriptor: int) -> None:
        status = os.fstat(descriptor)
        seen.append((status.st_ino, status.st_mode & 0o777))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    chmod = os.chmod

    def note(path: t.Any, mode: int, **more: t.Any) -> None:
        if os.fspath(path) in (str(host.combined), os.fsencode(host.combined)):
            assert b"PRIVATE" not in host.combined.read_bytes()
        chmod(path, mode, **more)

    monkeypatch.setattr(os, "chmod", note)
    host.install(**host.everything(content=bundle("ec-key"), in_place=True))
    assert (host.combined.stat().st_ino, 0o600) in seen


def test_mounts_are_known_by_any_name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_bytes(
        b"36 35 98:0 /a /srv/two\\040words\\134x/\xc3\xbc.pem rw,noatime - ext4 /dev/sda rw\nshort line\n\n"
    )
    monkeypatch.setattr(disk, "_MOUNTS", str(table))
    assert disk.is_mounted("/srv/two words\\x/ü.pem")
    assert not disk.is_mounted("/srv/two words\\x")
    monkeypatch.setattr(disk, "_MOUNTS", str(tmp_path / "none"))
    assert not disk.is_mounted("/srv/two words\\x/ü.pem")


# --- real mounts -----------------------------------------------------------------------------------------------------

_PROGRAM = f"""
import json, pathlib, runpy, sys
sys.path[:0] = {[path for path in sys.path if path]!r}
runpy.run_path({str(IMPORTABLE)!r})
from {SmallHost.__module__} import SmallHost
from {InstallError.__module__} import InstallError
from {disk.__name__.rpartition(".")[0]} import disk
disk._MOUNTS = sys.argv[3]
for arguments in json.load(open(sys.argv[2])):
    host = SmallHost.__new__(SmallHost)
    host.folder = pathlib.Path(sys.argv[1])
    try:
        print(json.dumps(host.install(**arguments)["changed"]))
    except InstallError as exc:
        print(json.dumps(str(exc)))
"""


def _behind_mounts(
    host: SmallHost,
    mounted: t.Sequence[pathlib.Path],
    *runs: Options,
    table: str = "/proc/self/mountinfo",
    read_only: bool = False,
) -> list[bool | str]:
    """Run the target side where these files are mounted by themselves; whether each changed, or why not."""
    given = host.folder / "runs.json"
    given.write_text(json.dumps(runs))
    program = host.folder / "program.py"
    program.write_text(_PROGRAM)
    mounts = "".join(f"mount --bind {path}.behind {path} && " for path in mounted)
    mounts += "".join(f"mount -o remount,bind,ro {path} && " for path in mounted if read_only)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{mounts}exec {sys.executable} {program} {host.folder} {given} {table}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _mountable(*paths: pathlib.Path) -> None:
    for path in paths:
        held = path.read_bytes() if path.exists() else b"old"
        path.touch()
        path.with_name(path.name + ".behind").write_bytes(held)
        path.with_name(path.name + ".behind").chmod(0o600)


@mounting
def test_a_file_that_is_mounted_by_itself(host: SmallHost) -> None:
    _mountable(host.fullchain)
    behind = host.certs / "site.full.pem.behind"
    plain: Options = {"content": bundle("ec-key"), "fullchain_path": str(host.fullchain), "root_path": str(host.root)}
    into = {**plain, "in_place": True}
    refused, foreseen, kept, done, again = _behind_mounts(
        host, [host.fullchain], plain, {**plain, "check": True}, {**into, "validate": "false"}, into, plain
    )
    assert (
        refused
        == foreseen
        == (
            f"fullchain_path: {host.fullchain} is bind-mounted by itself, so no other file can take its place. "
            "Give in_place: true, which writes into it. No file was changed."
        )
    )
    assert str(kept).endswith("Every file has been put back as it was.")
    assert (done, again) == (True, False)
    assert behind.read_text() == leaf("ec-key") + intermediate()
    assert host.hidden() == []


@mounting
def test_a_mount_that_the_system_does_not_tell_of(host: SmallHost) -> None:
    """Where there is no /proc it is found when it is tried."""
    _mountable(host.fullchain)
    options: Options = {"content": bundle("ec-key"), "fullchain_path": str(host.fullchain)}
    (refused,) = _behind_mounts(host, [host.fullchain], options, table="/nowhere")
    assert "could not be replaced: Device or resource busy. Is it bind-mounted by itself? Then give in_place" in str(
        refused
    )
    assert str(refused).endswith("Every file has been put back as it was.")
    assert (host.certs / "site.full.pem.behind").read_text() == "old"


@mounting
@pytest.mark.parametrize("how", ["in_place", "unsafe_writes"])
def test_a_file_that_is_mounted_read_only(how: str, host: SmallHost) -> None:
    _mountable(host.fullchain)
    options: Options = {"content": bundle("ec-key"), "fullchain_path": str(host.fullchain), how: True}
    said = _behind_mounts(host, [host.fullchain], {**options, "check": True}, options, read_only=True)
    for refused in said:
        assert f"{host.fullchain} is bind-mounted by itself, and read-only, so nothing" in str(refused)
        assert str(refused).endswith("No file was changed.")
    assert len(said) == 2
    assert host.hidden() == []


@mounting
def test_keys_that_are_mounted_by_themselves(host: SmallHost) -> None:
    host.write_key("ec-next", host.pending)
    _mountable(host.key, host.pending)
    moves = host.everything(content=bundle("ec-next"), pending_privatekey_path=str(host.pending))
    assert _behind_mounts(host, [host.key], moves, {**moves, "in_place": True, "check": True}) == [
        (
            f"privatekey_path: {host.key} is bind-mounted by itself, so no other file can take its place. "
            "Give in_place: true, which writes into it. No file was changed."
        ),
        True,
    ]
    assert _behind_mounts(host, [host.pending], {**moves, "in_place": True}) == [
        (
            f"pending_privatekey_path: {host.pending} is bind-mounted by itself, so it cannot be moved away. "
            "No file was changed."
        )
    ]
    assert _behind_mounts(host, [host.key], {**moves, "in_place": True}) == [True]
    assert (host.private / "site.key.behind").read_bytes() == key_pem("ec-next")
    assert not host.pending.exists()


def test_the_option_is_one_of_the_module(host: SmallHost) -> None:
    module = host.module(content=bundle("ec-key"), path=str(host.path), in_place="yes")
    assert module.params["in_place"] is True
