# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may do with files, told case by case: each clause of a rule decides once, with all else the same."""

from __future__ import annotations

import errno
import os
import pathlib
import pwd
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import permissions

_ME, _OTHER, _GROUP, _SECOND = 4711, 4712, 5711, 5712


def _status(mode: int = 0o100644, uid: int = _ME, gid: int = _GROUP) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))


@pytest.fixture(name="me")
def fixture_me(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Be a user like others, in two groups."""
    monkeypatch.setattr(os, "geteuid", lambda: _ME)
    monkeypatch.setattr(os, "getegid", lambda: _GROUP)
    monkeypatch.setattr(os, "getgroups", lambda: [_SECOND])
    return monkeypatch


def _be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_names_of_users_and_groups() -> None:
    assert permissions.user_named(0) == "root"
    assert permissions.group_named(0) == "root"
    assert permissions.user_named(_ME) == str(_ME)
    assert permissions.group_named(_GROUP) == str(_GROUP)


@pytest.mark.parametrize(
    ("named", "uid"), [(None, None), ("0", 0), ("4711", 4711), ("root", 0), ("nobody-of-that-name", None), ("-1", None)]
)
@pytest.mark.parametrize("of", [permissions.uid_of, permissions.gid_of])
def test_numbers_of_users_and_groups(
    of: t.Callable[[str | None], int | None], named: str | None, uid: int | None
) -> None:
    assert of(named) == uid


def test_who_may_own_and_act_for_a_group(me: pytest.MonkeyPatch) -> None:
    assert not permissions.is_root()
    assert (permissions.may_own(_ME), permissions.may_own(_OTHER), permissions.may_own(0)) == (True, False, False)
    assert [permissions.is_member(gid) for gid in (_GROUP, _SECOND, 0)] == [True, True, False]
    _be_root(me)
    assert permissions.is_root()
    assert permissions.may_own(_OTHER)
    assert permissions.is_member(4713)


@pytest.mark.parametrize(
    ("gid", "folder", "may"),
    [
        (_GROUP, _status(0o40755, gid=0), True),
        (0, _status(0o42755, gid=0), True),
        (0, _status(0o40755, gid=0), False),
        (0, _status(0o42755, gid=1), False),
        (0, None, False),
    ],
)
def test_which_group_a_file_can_belong_to(
    me: pytest.MonkeyPatch, gid: int, folder: os.stat_result | None, may: bool
) -> None:
    def look(dummy: str) -> os.stat_result:
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "gone")
        return folder

    with me.context() as patch:
        patch.setattr(os, "stat", look)
        found = permissions.may_group(gid, "/folder")
    assert found is may


@pytest.mark.parametrize(
    ("status", "rule", "access", "may"),
    [
        (_status(0o100600), b"1\n", False, True),
        (_status(0o100600, _OTHER), b"0\n", False, True),
        (_status(0o100600, _OTHER), None, False, True),
        (_status(0o100600, _OTHER), b"1\n", False, False),
        (_status(0o100666, _OTHER), b"1\n", True, True),
        (_status(0o104666, _OTHER), b"1\n", True, False),
        (_status(0o102666, _OTHER), b"1\n", True, True),
        (_status(0o102676, _OTHER), b"1\n", True, False),
        (_status(0o100676, _OTHER), b"1\n", True, True),
    ],
)
def test_who_may_make_a_hard_link(
    me: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
    status: os.stat_result,
    rule: bytes | None,
    access: bool,
    may: bool,
) -> None:
    if rule is not None:
        (tmp_path / "rule").write_bytes(rule)
    asked: t.Any = []
    me.setattr(permissions, "_PROTECTED_LINKS", str(tmp_path / "rule"))
    with me.context() as patch:
        patch.setattr(os, "stat", lambda dummy: status)
        patch.setattr(os, "access", lambda dummy, how: asked.append(how) or access)
        found = permissions.may_link("/file")
    assert found is may
    assert set(asked) <= {os.R_OK | os.W_OK}


@pytest.mark.parametrize(
    ("mode", "folder", "file", "euid", "keeps"),
    [
        (0o41777, _OTHER, _OTHER, _ME, True),
        (0o40777, _OTHER, _OTHER, _ME, False),
        (0o41777, _ME, _OTHER, _ME, False),
        (0o41777, _OTHER, _ME, _ME, False),
        (0o41777, _OTHER, _OTHER, 0, False),
    ],
)
def test_what_the_sticky_bit_keeps(
    monkeypatch: pytest.MonkeyPatch, mode: int, folder: int, file: int, euid: int, keeps: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: euid)
        patch.setattr(os, "stat", {"/a/folder": _status(mode, folder)}.__getitem__)
        patch.setattr(os, "lstat", {"/a/folder/file": _status(uid=file)}.__getitem__)
        found = permissions.sticks("/a/folder/file")
    assert found is keeps


_MAKE_ROOM = " Make some room there and run again."
_BECOME = " Run the task with become, or as a user who may."


@pytest.mark.parametrize(
    ("number", "whose", "root", "other"),
    [
        (errno.ENOSPC, "", _MAKE_ROOM, _MAKE_ROOM),
        (errno.EDQUOT, "", _MAKE_ROOM, _MAKE_ROOM),
        (errno.EBUSY, "", permissions._ADVICE[errno.EBUSY], permissions._ADVICE[errno.EBUSY]),
        (errno.EACCES, " for the user {}", "", _BECOME),
        (errno.EPERM, " for the user {}", permissions._ADVICE[errno.EPERM], permissions._ADVICE[errno.EPERM] + _BECOME),
        (errno.EIO, "", "", ""),
    ],
)
def test_what_is_told_of_a_refusal(me: pytest.MonkeyPatch, number: int, whose: str, root: str, other: str) -> None:
    refused = OSError(number, "No")
    assert permissions.cause(refused) == "No" + whose.format(_ME)
    assert permissions.advice(refused) == other
    assert permissions.remedy() == _BECOME
    _be_root(me)
    assert permissions.cause(refused) == "No" + whose.format("root")
    assert permissions.advice(refused) == root
    assert permissions.remedy() == ""


def test_a_refusal_without_words() -> None:
    assert permissions.cause(OSError()) == "the system gives no reason"
    assert permissions.advice(OSError()) == ""


# --- where files can be made ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "flags", "euid", "told"),
    [
        (True, 0, _ME, None),
        (False, 0, _ME, f"the user {_ME} may not write in the directory /folder. Run the task with become"),
        (False, 0, 0, "the user root may not write in the directory /folder.$"),
        (False, os.ST_RDONLY, _ME, r"/folder. Its file system is mounted read-only.$"),
        (False, os.ST_NOSUID, _ME, "Run the task with become"),
    ],
)
def test_a_folder_that_cannot_be_written_in(
    monkeypatch: pytest.MonkeyPatch, access: bool, flags: int, euid: int, told: str | None
) -> None:
    asked: t.Any = []
    status = os.statvfs_result((0, 0, 0, 0, 0, 0, 0, 0, flags, 255))
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(os, "access", lambda dummy, how: asked.append(how) or access)
    monkeypatch.setattr(os, "statvfs", lambda dummy: status)
    if told is None:
        permissions.require_writable("it", "/folder")
    else:
        with pytest.raises(InstallError, match=f"^it: .*{told}"):
            permissions.require_writable("it", "/folder")
    assert asked == [os.W_OK | os.X_OK]


def test_a_group_of_a_user_without_a_name_is_not_of_one() -> None:
    assert not permissions.group_is_of_one(_GROUP, _ME)
    assert not permissions.group_is_of_one(pwd.getpwuid(0).pw_gid, _ME)
