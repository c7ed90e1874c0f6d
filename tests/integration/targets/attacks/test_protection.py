# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others may do with private keys and new files: after an installation never more than before."""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import struct
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Crowd, Partner, machine, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import bundle, key_pem, leaf
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Result

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_OLD = key_pem("ec-key") + b"a certificate of before\n"


def _combined(folder: pathlib.Path, mode: int) -> None:
    files.write(folder / "site.key", key_pem("ec-key"), 0o600)
    files.write(folder / "both.pem", _OLD, mode)


def _combined_for_all(folder: pathlib.Path) -> None:
    _combined(folder, 0o644)


def _combined_for_a_group(folder: pathlib.Path) -> None:
    _combined(folder, 0o644)
    os.chown(folder / "both.pem", 0, OTHER)


def _combined_for_one_more(folder: pathlib.Path) -> None:
    """By an access control list; where the file system knows none, for all."""
    _combined(folder, 0o600)
    rest = 0xFFFFFFFF
    entries = [(1, 6, rest), (2, 4, OTHER), (4, 0, rest), (16, 4, rest), (32, 0, rest)]
    try:
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
        os.setxattr(folder / "both.pem", "system.posix_acl_access", acl)
    except OSError:
        (folder / "both.pem").chmod(0o644)


def _pending(old: int, pending: int) -> t.Callable[[pathlib.Path], None]:
    def prepare(folder: pathlib.Path) -> None:
        files.write(folder / "site.key", key_pem("ec-next"), old)
        files.write(folder / "next.key", key_pem("ec-key"), pending)

    return prepare


_BOTH = {"combined_path": "{{ at }}/both.pem", "privatekey_path": "{{ at }}/site.key", "backup": True}
_MOVE = {"privatekey_path": "{{ at }}/site.key", "pending_privatekey_path": "{{ at }}/next.key"}


class Row(t.NamedTuple):
    """How the folder is, what is asked for, and which mode ``file`` has afterwards (None: whoever may not read it)."""

    prepare: t.Callable[[pathlib.Path], None]
    options: dict[str, t.Any]
    file: str
    mode: int | None
    warned: bool | None = False


ROWS = {
    "backup": Row(_combined_for_all, _BOTH, "both.pem.*~", 0o600),
    "backup-group": Row(_combined_for_a_group, {**_BOTH, "group": "0", "mode": "0640"}, "both.pem.*~", None),
    "backup-list": Row(_combined_for_one_more, {**_BOTH, "mode": "0600"}, "both.pem.*~", 0o600),
    "backup-in-place": Row(_combined_for_all, {**_BOTH, "in_place": True, "mode": "0600"}, "both.pem.*~", 0o600),
    "pending": Row(_pending(0o600, 0o644), _MOVE, "site.key", 0o600, warned=True),
    "pending-backup": Row(_pending(0o600, 0o644), {**_MOVE, "backup": True}, "site.key.*~", 0o600, warned=True),
    "pending-in-place": Row(_pending(0o600, 0o644), {**_MOVE, "in_place": True}, "site.key", 0o600, warned=True),
    "pending-unsafe": Row(_pending(0o600, 0o666), {**_MOVE, "unsafe_writes": True}, "site.key", 0o600, warned=True),
    "pending-of-another-kind": Row(_pending(0o640, 0o604), _MOVE, "site.key", 0o600, warned=True),
    "pending-closed": Row(_pending(0o644, 0o600), _MOVE, "site.key", 0o600),
    "pending-refused": Row(_pending(0o600, 0o644), {**_MOVE, "validate": "false"}, "next.key", 0o644, warned=None),
}


def _may_read_a_key(folder: pathlib.Path) -> t.Callable[[], bool]:
    """Whether who asks may read a private key in this folder, other than in ``next.key``, which is open from before."""

    def look() -> bool:
        found = False
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                found = found or (path.name != "next.key" and b"PRIVATE KEY" in path.read_bytes())
        return found

    return look


def test_keys_keep_their_protection(lab: Lab, record_property: t.Callable[[str, object], None]) -> None:
    names = sorted({name for row in ROWS.values() for name in row.options})
    asked = {name: "{{ asked['" + name + "'] | default(omit) }}" for name in names}
    task = {
        "name": "install",
        MODULE: {"content": bundle("ec-key"), "path": "{{ at }}/site.pem", **asked},
        "ignore_errors": True,
    }
    with machine() as folder:
        hosts = {}
        for name, row in ROWS.items():
            (folder / name).mkdir(mode=0o755)
            row.prepare(folder / name)
            options = {key: str(value).replace("{{ at }}", str(folder / name)) for key, value in row.options.items()}
            hosts[name] = {"at": str(folder / name), "asked": options}
        before = files.snapshot(folder)
        checked = lab.play(hosts, [task], "--check", forks=6).must_be_civil().by_host("install")
        assert files.snapshot(folder) == before
        found = lab.play(hosts, [task], forks=6).must_be_civil().by_host("install")
        assert {
            name for name in ROWS if not _is_as_wanted(folder / name, ROWS[name], found[name], checked[name])
        } == set()
        refused = folder / "pending-refused"
        for name in ("site.key", "next.key"):
            key = files.snapshot(refused)[name]
            assert (key.content, key.mode, key.owner) == before[f"pending-refused/{name}"][:3]
    tried(record_property, "reading a key that was closed", len(ROWS))


def _is_as_wanted(folder: pathlib.Path, row: Row, result: Result, checked: Result) -> bool:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.glob(row.file)}
    with Partner(_may_read_a_key(folder)) as other:
        if other.act():
            return False
    warned = ["site.key" in " ".join(one.data.get("warnings", [])) for one in (result, checked)]
    return row.mode in (None, *modes) and len(modes) == 1 and (row.warned is None or warned == [row.warned, row.warned])


def test_a_umask_of_nothing_opens_nothing(lab: Lab, record_property: t.Callable[[str, object], None]) -> None:
    """While root installs with it, another user tries to write to whatever he sees."""
    with machine() as folder:
        files.write(folder / "site.key", key_pem("ec-key"), 0o600)

        def write() -> bool:
            for path in [folder, *folder.rglob("*")]:
                if path.is_dir():
                    with contextlib.suppress(OSError):
                        (path / "his").write_text("his\n")
                        return True
                with contextlib.suppress(OSError):
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                    return True
            return False

        options = {
            **{f"{role}_path": f"{folder}/site.{role}.pem" for role in ("chain", "fullchain", "root", "combined")},
            "privatekey_path": f"{folder}/site.key",
        }
        task = {
            "name": "install",
            MODULE: {"content": bundle("ec-key"), "path": f"{folder}/site.pem", "include_root": True, **options},
        }
        wrapper = ["sh", "-c", 'umask 000; exec "$@"', "sh"]
        with Crowd(write) as crowd, lab.started({"web": {}}, [{"tasks": [task]}], wrapper=wrapper) as process:
            assert process.finished().must_succeed().one("install").changed
        assert crowd.rounds > 0
        assert crowd.hits == 0
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes == {
            **dict.fromkeys(("site.pem", "site.chain.pem", "site.fullchain.pem", "site.root.pem"), 0o644),
            **dict.fromkeys(("site.combined.pem", "site.key"), 0o600),
        }
        assert (folder / "site.pem").read_text() == leaf("ec-key")
    tried(record_property, "writing to a new file under a umask of 000", crowd.rounds)
