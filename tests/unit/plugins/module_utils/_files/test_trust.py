# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys that stay closed, journals of odd shapes, and owners of folders who move things about."""

from __future__ import annotations

import functools
import grp
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, hidden, permissions
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places, in_folder
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import install
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Options,
    SmallHost,
    bundle,
    calls_of,
    key_pem,
    killed_at,
)

_OTHER = 12345
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def _combined(host: SmallHost) -> Options:
    host.write_key("ec-old")
    return {"combined_path": str(host.combined), "privatekey_path": str(host.key)}


def _backup(host: SmallHost) -> os.stat_result:
    (found,) = (path for path in host.private.iterdir() if path.name.endswith("~"))
    return found.stat()


@_only_root
@pytest.mark.parametrize("in_place", [True, False])
def test_a_backup_of_a_key_is_closed_to_the_owner_it_was_taken_from(in_place: bool, tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _combined(host)
    host.install(content=bundle("ec-old"), owner=str(_OTHER), group=str(_OTHER), mode="0640", **options)
    after: Options = {"owner": "0", "group": "0", "mode": "0440", "in_place": in_place}
    host.install(content=bundle("ec-old", 1), backup=True, **after, **options)
    kept = _backup(host)
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o7777) == (0, 0, 0o440)


def _has_acl(path: pathlib.Path) -> bool:
    return "system.posix_acl_access" in os.listxattr(path)


def _give_acl(path: pathlib.Path) -> None:
    """Let one more user read a file, whose owning group may not."""
    if not shutil.which("setfacl"):
        pytest.skip("no setfacl")
    entries = f"u::rw-,u:{_OTHER}:r--,g::---,m::r--,o::---"
    if subprocess.run(["setfacl", "--set", entries, str(path)], check=False).returncode != 0:
        pytest.skip("this file system has no access control lists")


@pytest.fixture(name="said")
def fixture_said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, message, *_more, **_named: said.append(message))
    return said


def _fresh_key(host: SmallHost) -> Options:
    host.write_key("ec-old")
    host.install(**host.everything(content=bundle("ec-old")))
    host.write_key("ec-new", host.pending)
    return host.everything(content=bundle("ec-new", 1), pending_privatekey_path=str(host.pending))


@pytest.mark.parametrize("check", [True, False])
def test_a_key_that_becomes_stricter_is_told_once(check: bool, said: list[str], tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    host.pending.chmod(0o644)
    host.install(check=check, **options)
    assert len(said) == 1
    assert "the new key gets 0600" in said[0]
    assert host.key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "members", "first", "of_one"),
    [
        ("web", [], 5, True),
        ("web", ["web"], 5, True),
        ("staff", [], 5, False),
        ("web", ["web", "ada"], 5, False),
        ("web", [], 700, False),
    ],
)
def test_a_group_is_of_one_where_no_other_user_is_in_it_in_any_way(
    name: str, members: list[str], first: int, of_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [
        pwd.struct_passwd(("web", "x", 700, 700, "", "/", "")),
        pwd.struct_passwd(("ada", "x", 5, first, "", "/", "")),
    ]
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    monkeypatch.setattr(pwd, "getpwuid", {one.pw_uid: one for one in users}.__getitem__)
    monkeypatch.setattr(grp, "getgrgid", {700: grp.struct_group((name, "x", 700, members))}.__getitem__)
    assert permissions.group_is_of_one(700, 700) == of_one


def test_a_list_of_a_pending_key_lets_nobody_in(said: list[str], tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    host.key.chmod(0o640)
    _give_acl(host.pending)
    host.install(**options)
    assert not _has_acl(host.key)
    # What was the most that the list allowed is not what the group may do without it.
    assert host.key.stat().st_mode & 0o777 == 0o600
    assert "no access control list" in said[0]


def test_a_list_that_is_dropped_from_a_backup_does_not_open_it_to_the_group(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    _give_acl(host.key)
    host.install(backup=True, **options)
    kept = next(path for path in host.private.iterdir() if path.name.startswith("site.key.") and path.name[-1] == "~")
    assert not _has_acl(kept)
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_pending_key_that_was_replaced_meanwhile_is_not_copied(tmp_path: pathlib.Path) -> None:
    (tmp_path / "seen").write_text("seen")
    (tmp_path / "planted").write_text("planted")
    with Places() as places:
        place = places.find("here", str(tmp_path / "seen"))
        expected = disk.inode(place)
        os.rename(tmp_path / "planted", tmp_path / "seen")
        with pytest.raises(OSError, match="replaced by somebody else"):
            disk.copy(place, in_folder(place.there, "copy"), expected=expected)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_a_folder_is_found_whatever_is_in_it(kind: str, tmp_path: pathlib.Path) -> None:
    inside = tmp_path / "it"
    {"folder": inside.mkdir, "link": lambda: inside.symlink_to("/etc/hosts"), "file": inside.touch}[kind]()
    with Places() as places:
        found = places.folder("here", str(tmp_path))
        assert found is not None
        assert found.path == str(tmp_path)
        assert places.folder("here", str(tmp_path / "none")) is None
        assert places.folder("here", "/") is not None


def _journal(host: SmallHost, **fields: t.Any) -> None:
    """Leave a journal that has a file written into, and is as one should be but for these fields."""
    folder = host.certs / ".collectssl"
    folder.mkdir(0o700)
    old = "0" * 32
    entry = {
        "path": str(host.path),
        "folder": host.certs.stat().st_ino,
        "new": None,
        "old": old,
        "before": host.path.stat().st_ino,
        "after": None,
        "backup": None,
        "backup_within": None,
        "flags": "",
        "in_place": False,
        "rewrites": True,
        "protection": [0o600, os.geteuid(), os.getegid(), []],
        **fields,
    }
    journal = {"version": 1, "state": "switching", "entries": [entry]}
    for name, data in ((old, "old"), ("journal", json.dumps(journal)), (".gitignore", "*\n")):
        (folder / name).write_text(data)
        (folder / name).chmod(0o600)


def _installed(folder: pathlib.Path) -> SmallHost:
    host = SmallHost(folder)
    host.install(content=bundle("ec-old"), path=str(host.path))
    return host


def test_a_journal_as_it_should_be_is_acted_upon(tmp_path: pathlib.Path) -> None:
    host = _installed(tmp_path)
    _journal(host)
    with pytest.raises(InstallError, match="came back as before the interrupted run"):
        host.install(content=bundle("ec-old"), path=str(host.path), privatekey_path=str(host.key))
    assert host.path.read_text() == "old"


_WRONG_MODES: tuple[t.Any, ...] = ("6", None, -1, 1 << 40, True, 0o10000, 0.5, [])
_WRONG_LISTS: tuple[t.Any, ...] = ([[5, "00"]], [["x\0", "00"]], [["x", 5]], [["x"]], 5, None)
_NO_PROTECTIONS: tuple[t.Any, ...] = (5, [], "0000", {}, [0, 0, 0])
_SHAPES: list[tuple[str, t.Any]] = [
    *[("protection", [wrong, 0, 0, []]) for wrong in _WRONG_MODES],
    *[("protection", [0o600, wrong, 0, []]) for wrong in ("0", None, -1, 1 << 40, True)],
    *[("protection", [0o600, 0, wrong, []]) for wrong in ("0", None, -1, 1 << 40, True)],
    *[("protection", [0o600, 0, 0, wrong]) for wrong in _WRONG_LISTS],
    *[("protection", wrong) for wrong in _NO_PROTECTIONS],
    *[("backup_within", wrong) for wrong in (5, [], [0o600, 0, "0", []])],
    *[("backup", wrong) for wrong in ("a\0b", "..", ".", "", "a/b", 5, ["b"])],
]


@pytest.mark.parametrize(("field", "wrong"), _SHAPES)
def test_a_journal_of_another_shape_is_not_acted_upon(field: str, wrong: t.Any, tmp_path: pathlib.Path) -> None:
    host = _installed(tmp_path)
    _journal(host, **{field: wrong})
    before = host.state()
    with pytest.raises(InstallError, match="cannot be acted upon: it cannot be read"):
        host.install(content=bundle("ec-old", 1), path=str(host.path))
    assert host.state() == before


@_only_root
def test_the_owner_of_a_folder_who_moves_the_hidden_one_away_undoes_only_what_is_his(tmp_path: pathlib.Path) -> None:
    def prepare(host: SmallHost) -> Options:
        os.chown(host.certs, _OTHER, _OTHER)
        return _fresh_key(host)

    reference = SmallHost(tmp_path / "reference")
    options = prepare(reference)
    total = calls_of(functools.partial(reference.install, **options))
    moved = 0
    for number in range(total // 2, total, 2):
        host = SmallHost(tmp_path / str(number))
        options = prepare(host)
        killed_at(number, functools.partial(host.install, **options))
        journal = host.private / ".collectssl" / "journal"
        switching = journal.exists() and json.loads(journal.read_text()).get("state") == "switching"
        if not switching or host.key.read_bytes() != key_pem("ec-new"):
            continue
        moved += 1
        (host.certs / ".collectssl").rename(tmp_path / f"away-{number}")
        host.install(check=True, content=bundle("ec-old"), **host.everything())
        # What he keeps of the files in his own folder is gone with it, and they are made anew.
        host.install(content=bundle("ec-old"), **host.everything())
        assert host.key.read_bytes() == key_pem("ec-old"), number
        assert host.pending.read_bytes() == key_pem("ec-new"), number
    assert moved


@_only_root
def test_a_journal_that_comes_back_changes_nothing_in_folders_that_were_seen_to_since(tmp_path: pathlib.Path) -> None:
    def prepare(host: SmallHost) -> Options:
        # With everything in his hands no folder is a better one for the journal.
        for path in (host.folder, host.certs):
            os.chown(path, _OTHER, _OTHER)
        return {"content": bundle("ec-old"), "chain_path": str(host.chain), "path": str(host.private / "site.pem")}

    reference = SmallHost(tmp_path / "reference")
    options = prepare(reference)
    total = calls_of(functools.partial(reference.install, **options))
    returned = 0
    for number in range(total // 3, total):
        host = SmallHost(tmp_path / str(number))
        options = prepare(host)
        killed_at(number, functools.partial(host.install, **options))
        hidden_one, away = host.certs / ".collectssl", tmp_path / f"away-{number}"
        if "switching" not in (_text(hidden_one / "journal") or ""):
            continue
        hidden_one.rename(away)
        host.install(**options)
        before = host.state()
        away.rename(hidden_one)
        returned += 1
        host.install(chain_path=str(host.chain), content=bundle("ec-old"))
        after = host.state()
        for path in (path for path in before if path.startswith("private/")):
            assert after.get(path) == before[path], (number, path)
    assert returned


def _text(path: pathlib.Path) -> str | None:
    return path.read_text() if path.exists() else None


def test_a_hidden_folder_that_keeps_being_moved_away_is_given_up(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = SmallHost(tmp_path)
    monkeypatch.setattr(hidden, "PATIENCE", 0.0)
    tries: list[int] = []

    def moved(folder: hidden.HiddenFolder) -> bool:
        tries.append(folder.inode)
        assert len(tries) < 100
        return False

    monkeypatch.setattr(hidden.HiddenFolder, "is_still_there", moved)
    with pytest.raises(InstallError, match="another run has been installing"):
        host.install(content=bundle("ec-old"), path=str(host.path))
    assert not host.path.exists()


def test_what_was_seen_while_a_run_began_is_not_believed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _installed(tmp_path)
    looked: list[int] = []
    plan = getattr(install, "make_plan")  # noqa: B009 - it is imported there, not offered

    def look(*args: t.Any) -> t.Any:
        looked.append(1)
        if len(looked) == 1:
            # Another run begins, has switched half of the files, and is over.
            (host.certs / "switched").touch()
            raise InstallError("The certificate does not belong to the private key.")
        return plan(*args)

    monkeypatch.setattr(install, "make_plan", look)
    assert not host.install(content=bundle("ec-old"), path=str(host.path))["changed"]
    assert len(looked) == 2
