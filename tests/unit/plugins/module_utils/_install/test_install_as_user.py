# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user who is not root can do with files of others: all of it keeps its owner, or nothing moves."""

from __future__ import annotations

import errno
import functools
import os
import pathlib
import re
import struct
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import permissions
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    NOBODY,
    Options,
    SmallHost,
    as_user,
    bundle,
    key_pem,
    leaf,
    open_folder,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

#: Another user, and a group, neither of which has a name.
_OTHER, _GROUP = 64001, 64002
_ME = permissions.user_named(NOBODY)
_MY_GROUP = permissions.group_named(NOBODY)


@pytest.fixture(name="host")
def fixture_host() -> t.Iterator[SmallHost]:
    """A host whose folders are of nobody, with a key of nobody's, and an old certificate of nobody's."""
    leaf("ec-key"), leaf("ec-next"), bundle("ec-key")
    with open_folder() as folder:
        host = SmallHost(folder)
        for path in (host.certs, host.private, host.pending.parent, folder / "tmp"):
            os.chown(path, NOBODY, NOBODY)
        host.write_key("ec-key")
        host.path.write_text("old")
        for path in (host.key, host.path):
            os.chown(path, NOBODY, NOBODY)
        yield host


def _owned(path: pathlib.Path, uid: int = NOBODY, gid: int = NOBODY, mode: int = 0o644) -> None:
    if not path.exists():
        path.write_text("old")
    os.chown(path, uid, gid)
    path.chmod(mode)


def _of_root(host: SmallHost) -> None:
    _owned(host.path, 0, 0)


def _of_nameless(host: SmallHost) -> None:
    _owned(host.path, _OTHER, NOBODY, 0o666)


def _of_group(host: SmallHost) -> None:
    _owned(host.path, NOBODY, _GROUP, 0o640)


def _setgid_folder(host: SmallHost) -> None:
    _owned(host.path, NOBODY, _GROUP, 0o640)
    os.chown(host.certs, NOBODY, _GROUP)
    host.certs.chmod(0o2755)


def _setgid_file(host: SmallHost) -> None:
    _setgid_folder(host)
    host.path.chmod(0o2750)


def _setuid_file(host: SmallHost) -> None:
    host.path.chmod(0o4755)


def _sticky(host: SmallHost) -> None:
    os.chown(host.certs, 0, 0)
    host.certs.chmod(0o1777)
    _of_root(host)


def _combined(host: SmallHost) -> None:
    _owned(host.combined, 0, NOBODY, 0o640)


def _nothing(host: SmallHost) -> None:
    host.path.unlink()


def _right_but_of_root(host: SmallHost) -> None:
    host.path.write_text(leaf("ec-key"))
    _of_root(host)


def _pending(host: SmallHost, uid: int = NOBODY, gid: int = NOBODY, mode: int = 0o640) -> None:
    host.write_key("ec-next", host.pending)
    os.chown(host.pending, uid, gid)
    host.pending.chmod(mode)
    host.key.chmod(mode)


def _pending_of_root(host: SmallHost) -> None:
    _pending(host, 0, NOBODY, 0o640)


def _pending_of_root_to_write(host: SmallHost) -> None:
    _pending(host, 0, NOBODY, 0o660)


def _key_of_root(host: SmallHost) -> None:
    _pending(host)
    os.chown(host.key, 0, 0)


def _key_of_root_to_write(host: SmallHost) -> None:
    _pending(host)
    os.chown(host.key, 0, 0)
    host.key.chmod(0o666)


_MOVES: Options = {"content": bundle("ec-next"), "privatekey_path": "{key}", "pending_privatekey_path": "{pending}"}
_BECOME = "Run the task with become"


def _row(
    name: str, setup: t.Callable[[SmallHost], object], message: str, groups: t.Any = (), **options: t.Any
) -> t.Any:
    return pytest.param(setup, options, groups, message, id=name)


_REFUSED = [
    _row("owner", _of_root, rf"^path: \S+/site.pem belongs to root, and the user {_ME}, .* {_BECOME}, or give owner: "),
    _row("nameless", _of_nameless, rf"site.pem belongs to {_OTHER}, and the user {_ME}"),
    _row("group only given", _of_root, r"site.pem belongs to root", group=_MY_GROUP),
    _row("mode only", _right_but_of_root, r"site.pem belongs to root", mode="0600"),
    _row("group", _of_group, rf"site.pem is of the group {_GROUP}, and the user {_ME}, .* or give group: {_MY_GROUP}"),
    _row("owner given", _of_group, rf"is of the group {_GROUP}", owner=_ME),
    _row("owner out of reach", _of_root, rf"the user {_ME} cannot give \S+/site.pem to root \(owner\)", owner="root"),
    _row("new, owner", _nothing, rf"the user {_ME} cannot give \S+/site.pem to root \(owner\)", owner="0"),
    _row("new, group", _nothing, rf"who is not in the group root, cannot give .*\(group\)\. {_BECOME}", group="root"),
    _row("right, owner", lambda host: host.path.write_text(leaf("ec-key")), r"to root \(owner\)", owner="root"),
    _row("sticky", _sticky, r"the sticky bit of its folder", owner=_ME, group=_MY_GROUP),
    _row("setgid bit", _setgid_file, rf"has the set-group-ID bit for the group {_GROUP}, which the user"),
    _row("backup", _of_root, r"cannot make a backup .*leave backup out", owner=_ME, group=_MY_GROUP, backup=True),
    _row("unsafe", _of_root, r"leave unsafe_writes out", owner=_ME, group=_MY_GROUP, unsafe_writes=True),
    _row("in place, closed", _of_root, rf"the user {_ME} may not write into \S+/site.pem \(in_place\)", in_place=True),
    _row("in place, mode", _of_nameless, r"cannot change its owner, group or mode", in_place=True, mode="0600"),
    _row("in place, owner", _of_nameless, r"cannot change its owner", in_place=True, owner=_ME),
    _row("in place, backup", _of_nameless, r"cannot make a backup", in_place=True, backup=True),
    _row(
        "combined",
        _combined,
        r"^combined_path: .* belongs to root",
        combined_path="{combined}",
        privatekey_path="{key}",
    ),
    _row("pending", _pending_of_root, r"next/site.key belongs to root:\S+, and .* cannot move it", **_MOVES),
    _row("pending, in place", _pending_of_root_to_write, r"cannot move it", in_place=True, **_MOVES),
    _row("key, in place", _key_of_root_to_write, r"cannot give it the owner, group and mode", in_place=True, **_MOVES),
    _row("key unlinkable, backup", _key_of_root, r"privatekey_path: .*cannot make a backup", backup=True, **_MOVES),
]

_DONE = [
    _row("mine", lambda host: None, ""),
    _row("mine by name", _of_root, "", owner=_ME, group=_MY_GROUP),
    _row("mine by number", _of_root, "", owner=str(NOBODY), group=str(NOBODY)),
    _row("may be written", _of_nameless, "", owner=_ME),
    _row("member", _of_group, "", groups=(_GROUP,)),
    _row("other group", _of_group, "", group=_MY_GROUP),
    _row("setgid folder", _setgid_folder, ""),
    _row("setuid bit", _setuid_file, ""),
    _row("setgid bit, member", _setgid_file, "", groups=(_GROUP,)),
    _row("right, and mine now", _right_but_of_root, "", owner=_ME, group=_MY_GROUP),
    _row("in place", _of_nameless, "", in_place=True),
    _row("in place, backup of mine", lambda host: None, "", in_place=True, backup=True),
    _row("new", _nothing, "", in_place=True, backup=True, owner=_ME),
    _row("pending", _pending, "", backup=True, **_MOVES),
    _row("pending may be written", _pending_of_root_to_write, "", **_MOVES),
    _row("key of another", _key_of_root, "", **_MOVES),
    _row("key of another, backup", _key_of_root_to_write, "", backup=True, **_MOVES),
]


def _options(host: SmallHost, options: Options) -> Options:
    names = {"key": host.key, "pending": host.pending, "combined": host.combined}
    given = {name: value.format(**names) if isinstance(value, str) else value for name, value in options.items()}
    return {"content": bundle("ec-key"), "path": str(host.path), **given}


def _must_be_worded(message: str) -> None:
    """Whose message it is, what is left, and nothing of how it is done."""
    assert f"the user {_ME}" in message
    assert message.endswith(" No file was changed.")
    assert ".collectssl-" not in message
    assert not re.search(r"Errno|\bb'|<|\(\)", message), message


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("setup", "options", "groups", "message"), _REFUSED)
def test_what_would_lose_its_owner_is_refused(
    setup: t.Callable[[SmallHost], object],
    options: Options,
    groups: tuple[int, ...],
    message: str,
    check: bool,
    host: SmallHost,
) -> None:
    setup(host)
    before = host.state()
    with pytest.raises(InstallError, match=message) as failure:
        as_user(functools.partial(host.install, check=check, **_options(host, options)), groups=groups)
    _must_be_worded(str(failure.value))
    assert host.state() == before


@pytest.mark.parametrize(("setup", "options", "groups", "_message"), _DONE)
def test_what_loses_nothing_is_done_as_predicted(
    setup: t.Callable[[SmallHost], object], options: Options, groups: tuple[int, ...], _message: str, host: SmallHost
) -> None:
    setup(host)
    before = host.state()
    wanted = _options(host, options)
    predicted = as_user(functools.partial(host.install, check=True, **wanted), groups=groups)
    assert host.state() == before
    with pytest.raises(InstallError, match=r"exit status 1\. Every file has been put back"):
        as_user(functools.partial(host.install, **wanted, validate="false"), groups=groups)
    assert host.state() == before
    result = as_user(functools.partial(host.install, **wanted), groups=groups)
    assert [dict(file, backup_file=None) for file in result["files"]] == predicted["files"]
    assert result["diff"] == predicted["diff"]
    assert host.path.read_text() == leaf("ec-next" if "pending_privatekey_path" in options else "ec-key")
    assert host.hidden() == []
    after = host.state()
    for name, old in before.items():
        if "owner" in options or "group" in options or name not in after or name.endswith("site.key"):
            continue
        assert after[name][2:] == old[2:], name
    if "pending_privatekey_path" in options:
        assert after["private/site.key"] == before["private/next/site.key"]
    assert not as_user(functools.partial(host.install, **wanted), groups=groups)["changed"]


def test_root_gives_every_file_its_owner_back(host: SmallHost) -> None:
    for setup in (_of_root, _of_nameless, _of_group, _setgid_file, _sticky):
        setup(host)
        host.path.write_text("old")
        before = host.path.stat()
        host.install(**_options(host, {}))
        after = host.path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EOPNOTSUPP])
@pytest.mark.parametrize("name", ["system.posix_acl_access", "security.selinux", "user.note"])
def test_an_acl_or_a_label_that_cannot_be_carried_over(
    name: str, number: int, host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these only a real system can have all, so the calls are made up."""
    old = host.path.stat().st_ino

    def refuse(*_args: t.Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listxattr", lambda file: [name] if os.stat(file).st_ino == old else [])
    monkeypatch.setattr(os, "getxattr", lambda file, attribute: b"value")
    monkeypatch.setattr(os, "setxattr", refuse)
    before = host.state()
    with pytest.raises(
        InstallError, match=r"The attributes of \S+/site.pem could not be set: .* No file was changed\."
    ):
        host.install(**_options(host, {}))
    assert host.state() == before


def test_what_a_folder_adds_to_a_new_file_goes(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default ACL of the folder would let others read what they could not read before."""
    gone: list[int] = []
    acl = "system.posix_acl_access"

    def added(file: int) -> list[str]:
        status = os.fstat(file)
        return [acl] if status.st_ino != host.path.stat().st_ino and status.st_ino not in gone else []

    monkeypatch.setattr(os, "listxattr", added)
    monkeypatch.setattr(os, "getxattr", lambda file, attribute: b"value")
    monkeypatch.setattr(os, "removexattr", lambda file, attribute: gone.append(os.fstat(file).st_ino))
    host.install(**_options(host, {}))
    assert gone == [host.path.stat().st_ino]


_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHERS = 1, 2, 4, 16, 32


def _acl(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _give_acl(path: pathlib.Path, kind: str) -> None:
    """Let another user read the file, or what comes to be in the folder."""
    rest = 0xFFFFFFFF
    entries = [(_USER_OBJ, 6, rest), (_USER, 4, _OTHER), (_GROUP_OBJ, 0, rest), (_MASK, 4, rest), (_OTHERS, 0, rest)]
    try:
        os.setxattr(path, f"system.posix_acl_{kind}", _acl(*entries))
    except OSError as exc:
        if exc.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("the file system of the temporary folder knows no access control lists")


def _acl_of(path: pathlib.Path) -> bytes | None:
    name = "system.posix_acl_access"
    return os.getxattr(path, name) if name in os.listxattr(path) else None


@pytest.mark.parametrize("options", [{}, {"in_place": True}, {"unsafe_writes": True}])
def test_a_real_acl_stays(options: Options, host: SmallHost) -> None:
    _give_acl(host.path, "access")
    before = _acl_of(host.path)
    as_user(functools.partial(host.install, **_options(host, options)))
    assert host.path.read_text() == leaf("ec-key")
    assert _acl_of(host.path) == before
    assert before is not None


def test_a_real_default_acl_opens_no_file_that_was_closed(host: SmallHost) -> None:
    host.path.chmod(0o640)
    _give_acl(host.certs, "default")
    as_user(functools.partial(host.install, **_options(host, {})))
    assert host.path.read_text() == leaf("ec-key")
    assert _acl_of(host.path) is None
    assert host.path.stat().st_mode & 0o777 == 0o640


# --- folders and files that cannot be reached ------------------------------------------------------------------------


def _close(host: SmallHost, path: pathlib.Path) -> None:
    os.chown(path, 0, 0)
    path.chmod(0o700)


def _closed_certs(host: SmallHost) -> str:
    _close(host, host.certs)
    return str(host.certs)


def _closed_above(host: SmallHost) -> str:
    _close(host, host.folder)
    return str(host.folder)


def _closed_behind_a_link(host: SmallHost) -> str:
    secret = host.folder / "secret"
    (secret / "inner").mkdir(parents=True)
    _close(host, secret)
    host.path.unlink()
    host.path.symlink_to(secret / "inner" / "site.pem")
    return str(secret)


def _closed_behind_a_folder_link(host: SmallHost) -> str:
    secret = host.folder / "secret"
    (secret / "inner").mkdir(parents=True)
    _close(host, secret)
    host.path.unlink()
    host.certs.rmdir()
    host.certs.symlink_to("secret/inner")
    return str(secret)


def _closed_to_read_only(host: SmallHost) -> str:
    """To be listed, and not to be entered."""
    os.chown(host.certs, 0, 0)
    host.certs.chmod(0o744)
    return str(host.certs)


def _closed_keys(host: SmallHost) -> str:
    _close(host, host.private)
    return str(host.private)


_CLOSED = [
    (_closed_certs, "path"),
    (_closed_above, "path"),
    (_closed_behind_a_link, "path"),
    (_closed_behind_a_folder_link, "path"),
    (_closed_to_read_only, "path"),
    (_closed_keys, "privatekey_path"),
]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(("setup", "option"), _CLOSED)
def test_a_folder_that_cannot_be_entered(
    setup: t.Callable[[SmallHost], str], option: str, check: bool, host: SmallHost
) -> None:
    folder = setup(host)
    options = _options(host, {"privatekey_path": "{key}"})
    module = host.module(check, **options)
    from ansible_collections.certfleet.collectssl.plugins.module_utils._install.install import install

    with pytest.raises(InstallError) as failure:
        as_user(lambda: install(module))
    message = str(failure.value)
    assert message.startswith(f"{option}: the folder {folder} cannot be entered by the user {_ME}, so ")
    assert "interrupted" not in message
    assert "become" in message
    _must_be_worded(message)


def test_somebody_without_a_name(host: SmallHost) -> None:
    _close(host, host.certs)
    with pytest.raises(InstallError, match=rf"cannot be entered by the user {_OTHER}, "):
        as_user(functools.partial(host.install, **_options(host, {})), uid=_OTHER)


def _unreadable(host: SmallHost) -> None:
    _owned(host.path, 0, 0, 0o600)


def _key_unreadable(host: SmallHost) -> None:
    _owned(host.key, 0, 0, 0o600)


def _folder_of_root(host: SmallHost) -> None:
    os.chown(host.certs, 0, 0)


def _journal_of_root(host: SmallHost) -> None:
    (host.certs / ".collectssl").mkdir(mode=0o700)
    (host.certs / ".collectssl" / "journal").write_text("[]")
    (host.certs / ".collectssl" / "journal").chmod(0o600)


def _leftover_in_the_way(host: SmallHost) -> None:
    os.chown(host.certs, 0, 0)
    (host.certs / ".collectssl").mkdir(mode=0o700)
    os.chown(host.certs / ".collectssl", NOBODY, NOBODY)


@pytest.mark.parametrize(
    ("setup", "options", "message"),
    [
        (_unreadable, {}, rf"site.pem could not be read: Permission denied for the user {_ME}\. {_BECOME}"),
        (_key_unreadable, {"privatekey_path": "{key}"}, r"^privatekey_path: \S+ could not be read: Permission denied"),
        (_folder_of_root, {}, rf"^path: the user {_ME} may not write in the directory \S+/certs\. {_BECOME}"),
        (_leftover_in_the_way, {"backup": True}, rf"the user {_ME} may not write in the directory"),
    ],
)
def test_whoever_lacks_a_permission_is_named(
    setup: t.Callable[[SmallHost], None], options: Options, message: str, host: SmallHost
) -> None:
    setup(host)
    before = host.state()
    with pytest.raises(InstallError, match=message) as failure:
        as_user(functools.partial(host.install, **_options(host, options)))
    _must_be_worded(str(failure.value))
    assert host.state() == before


def test_a_journal_of_another_user_is_one(host: SmallHost) -> None:
    _journal_of_root(host)
    with pytest.raises(InstallError) as failure:
        as_user(functools.partial(host.install, **_options(host, {})))
    message = str(failure.value)
    assert f"The folder {host.certs}/.collectssl says that another run is under way or was interrupted" in message
    assert "but it cannot be acted upon: it belongs to the user root." in message
    assert "Nothing was changed." in message
    host.path.write_text(leaf("ec-key"))
    # With nothing to do it is nobody's business.
    assert not as_user(functools.partial(host.install, **_options(host, {})))["changed"]


def test_a_command_that_may_not_be_run(host: SmallHost) -> None:
    script = host.folder / "check"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    before = host.state()
    with pytest.raises(InstallError, match=rf"could not be run: Permission denied for the user {_ME}\. {_BECOME}"):
        as_user(functools.partial(host.install, **_options(host, {}), validate=str(script)))
    assert host.state() == before


def test_a_key_that_takes_the_place_of_one_of_root_comes_back(host: SmallHost) -> None:
    """Root's key may be moved away and not be linked to or read; going back, it is the very same file."""
    _key_of_root(host)
    inode, before = host.key.stat().st_ino, host.state()
    options = _options(host, _MOVES)
    with pytest.raises(InstallError, match="Every file has been put back"):
        as_user(functools.partial(host.install, **options, validate="false"))
    assert host.state() == before
    assert host.key.stat().st_ino == inode
    assert host.key.read_bytes() == key_pem("ec-key")
