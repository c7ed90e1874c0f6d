# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the owner of a folder puts there for root to find: his own, where a key is to be, and endless ones."""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import attributes, disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    NOBODY,
    Options,
    SmallHost,
    bundle,
    open_folder,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

#: More than any machine has memory, and than most file systems have room (bytes).
_ENDLESS = 1 << 42


@pytest.fixture(name="host")
def fixture_host() -> t.Iterator[SmallHost]:
    with open_folder() as folder:
        host = SmallHost(folder)
        os.chown(host.private, NOBODY, NOBODY)
        host.key = host.certs / "site.key"
        host.write_key("ec-key")
        yield host


def _combined(host: SmallHost, **more: t.Any) -> Options:
    return {
        "content": bundle("ec-key"),
        "combined_path": str(host.combined),
        "privatekey_path": str(host.key),
        **more,
    }


def _plant(path: pathlib.Path, mode: int = 0o644, size: int = 0) -> None:
    path.write_text("mine\n", encoding="ascii")
    if size:
        try:
            os.truncate(path, size)
        except OSError:
            pytest.skip("this file system has no files of such a size")
    path.chmod(mode)
    os.chown(path, NOBODY, NOBODY)


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    "more", [{}, {"mode": "0640"}, {"owner": "root"}, {"owner": "root", "mode": "0640"}, {"in_place": True}]
)
def test_a_key_is_not_given_to_whoever_put_his_own_file_in_its_place(
    host: SmallHost, more: Options, check: bool
) -> None:
    _plant(host.combined)
    before = host.state()
    with pytest.raises(InstallError, match="lies where others could have put it, so no private key is written") as told:
        host.install(check, **_combined(host, **more))
    assert str(host.combined) in str(told.value)
    assert "Remove it, or" in str(told.value)
    assert str(told.value).endswith("No file was changed.")
    assert host.state() == before


@pytest.mark.parametrize("in_place", [True, False])
def test_a_key_is_not_given_to_whoever_puts_his_own_file_in_its_place_at_the_last_moment(
    host: SmallHost, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.combined.write_text("root's\n", encoding="ascii")
    real = disk.create

    def create(place: t.Any, data: bytes) -> int:
        if b"PRIVATE KEY" in data:
            # The same file, so that nothing but its owner can tell.
            os.chown(host.combined, NOBODY, NOBODY)
        return real(place, data)

    monkeypatch.setattr(disk, "create", create)
    with pytest.raises(InstallError, match="so no private key is written"):
        host.install(**_combined(host, in_place=in_place))
    assert host.combined.read_text(encoding="ascii") == "root's\n"
    assert host.hidden() == []


@pytest.mark.parametrize("in_place", [True, False])
def test_a_key_goes_to_whom_the_task_says(host: SmallHost, in_place: bool) -> None:
    _plant(host.combined)
    assert host.install(**_combined(host, owner=str(NOBODY), in_place=in_place))["changed"]
    status = host.combined.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (NOBODY, 0o600)


def test_a_key_keeps_its_owner_in_a_folder_of_roots(host: SmallHost) -> None:
    os.chown(host.private, 0, 0)
    _plant(host.combined)
    assert host.install(**_combined(host))["changed"]
    assert host.combined.stat().st_uid == NOBODY


@pytest.mark.parametrize("sticky", [0o1777, 0o775])
def test_a_folder_that_others_may_write_is_as_one_of_theirs(host: SmallHost, sticky: int) -> None:
    os.chown(host.private, 0, NOBODY)
    host.private.chmod(sticky)
    _plant(host.combined)
    with pytest.raises(InstallError, match="so no private key is written"):
        host.install(**_combined(host))


def test_a_pending_key_is_not_written_into_a_file_of_whoever_put_it_there(host: SmallHost) -> None:
    pending, key = host.certs / "next.key", host.private / "site.key"
    host.write_key("ec-next", pending)
    _plant(key)
    before = host.state()
    options: Options = {"privatekey_path": str(key), "pending_privatekey_path": str(pending), "path": str(host.path)}
    with pytest.raises(InstallError, match="so no private key is written"):
        host.install(content=bundle("ec-next"), in_place=True, **options)
    assert host.state() == before
    # A new file takes the place of that one, with the owner of the pending key.
    assert host.install(content=bundle("ec-next"), **options)["changed"]
    assert key.stat().st_uid == 0


@pytest.mark.parametrize("more", [{"in_place": True}, {"unsafe_writes": True}])
def test_a_file_without_end_is_not_copied(host: SmallHost, more: Options) -> None:
    path = host.private / "site.pem"
    _plant(path, size=_ENDLESS)
    with pytest.raises(InstallError, match=r"It is larger than 64 MiB, so no copy of it is made\. Remove it") as told:
        host.install(content=bundle("ec-key"), path=str(path), **more)
    assert str(path) in str(told.value)
    assert str(told.value).endswith("No file was changed.")
    assert path.stat().st_size == _ENDLESS
    assert _names(host.private) == ["next", "site.pem"]


def test_no_backup_is_made_of_a_file_without_end(host: SmallHost) -> None:
    _plant(host.combined, size=_ENDLESS)
    with pytest.raises(InstallError, match=r"larger than 64 MiB.*Every file has been put back as it was"):
        host.install(**_combined(host, owner=str(NOBODY), backup=True))
    assert host.combined.stat().st_size == _ENDLESS
    assert _names(host.private) == ["next", "site.combined.pem"]


def test_a_file_without_end_is_replaced(host: SmallHost) -> None:
    path = host.private / "site.pem"
    _plant(path, size=_ENDLESS)
    assert host.install(content=bundle("ec-key"), path=str(path))["changed"]
    assert path.stat().st_size < 1 << 20


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("name", ["accounts.txt", "0" * 31, "journal~", "old"])
def test_a_folder_of_roots_that_was_given_the_hidden_name_is_not_emptied(
    host: SmallHost, name: str, check: bool
) -> None:
    hidden = host.private / ".collectssl"
    hidden.mkdir(0o700)
    (hidden / name).write_text("root's\n", encoding="ascii")
    before = host.state()
    with pytest.raises(InstallError, match=rf"no run leaves '?{name}'? there\. Nothing was changed") as told:
        host.install(check, content=bundle("ec-key"), path=str(host.private / "site.pem"))
    assert str(hidden) in str(told.value)
    assert host.state() == before


def test_a_default_list_of_the_folders_owner_opens_no_key(host: SmallHost) -> None:
    entries = ["-d", "-m", f"u:{NOBODY}:r,g::-,o::-"]
    if not shutil.which("setfacl") or subprocess.run(["setfacl", *entries, host.private], check=False).returncode:
        pytest.skip("no access control lists")
    host.install(**_combined(host, mode="0640", group="0"))
    assert "system.posix_acl_access" not in os.listxattr(host.combined)
    assert stat.S_IMODE(host.combined.stat().st_mode) == 0o640


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"owner": "4294967296"}, "owner: 4294967296 is the number of no user"),
        ({"owner": "4294967295"}, "owner: 4294967295 is the number of no user"),
        ({"owner": "-1"}, "owner: -1 is the number of no user"),
        ({"group": "9" * 30}, "group: 9{30} is the number of no group"),
        ({"mode": "-1"}, "mode: -1 is no mode"),
        ({"mode": "0777777"}, "mode: 0777777 is no mode"),
        ({"attributes": "+iq"}, "attributes: there is no flag q"),
    ],
)
def test_numbers_of_nobody_are_refused_before_anything_moves(
    host: SmallHost, options: Options, told: str, check: bool, exists: bool
) -> None:
    if exists:
        host.path.write_text("old\n", encoding="ascii")
    before = host.state()
    with pytest.raises(InstallError, match=told + r".*\. No file was changed\."):
        host.install(check, content=bundle("ec-key"), path=str(host.path), **options)
    assert host.state() == before


def test_a_way_back_out_of_what_is_not_there_is_told(host: SmallHost) -> None:
    path = host.certs / "none" / ".." / "site.pem"
    with pytest.raises(InstallError, match=r"leads back out of .*/none, which is not a folder that is there"):
        host.install(content=bundle("ec-key"), path=str(path))


def test_a_lease_on_a_file_keeps_nobody_waiting(host: SmallHost) -> None:
    path = host.private / "site.pem"
    _plant(path)
    with path.open("r+b") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            pytest.skip("this file system has no leases")
        # Of the wish of others to open it the holder is told by this signal.
        before = signal.signal(signal.SIGIO, signal.SIG_IGN)
        try:
            with pytest.raises(InstallError, match="Another program keeps it") as told:
                host.install(content=bundle("ec-key"), path=str(path))
        finally:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            signal.signal(signal.SIGIO, before)
    assert str(path) in str(told.value)
    assert str(told.value).endswith("No file was changed.")


def test_flags_are_set_on_no_file_that_was_put_there_since(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = SmallHost(tmp_path)
    host.path.write_text("old")
    mine = tmp_path / "mine"
    mine.write_text("of root")
    flagged: list[int] = []
    monkeypatch.setattr(
        attributes.FileAttributes,
        "finish",
        lambda _self, descriptor, _path: flagged.append(os.fstat(descriptor).st_ino),
    )
    remove = disk.remove

    def swap(*places: Place) -> None:
        # The new file, once it has been written into the old one.
        if places and not host.path.read_text().startswith("old"):
            monkeypatch.setattr(disk, "remove", remove)
            host.path.unlink()
            os.link(mine, host.path)
        remove(*places)

    monkeypatch.setattr(disk, "remove", swap)
    with pytest.raises(InstallError, match="was replaced by somebody else"):
        host.install(content=bundle("ec-old"), path=str(host.path), in_place=True, attributes="+A")
    assert flagged == []
    assert mine.read_text() == "of root"
