# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user who may read a folder holds locks there. Root neither waits for him nor fails."""

from __future__ import annotations

import fcntl
import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files
from ansible_collections.certfleet.collectssl.tests.support.attackers import THIRD, flocks, machine, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import bundle, leaf
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_KINDS = {"shared": fcntl.LOCK_SH, "exclusive": fcntl.LOCK_EX}


def _folder(folder: pathlib.Path, name: str) -> pathlib.Path:
    certs = folder / name
    files.write(certs / "site.pem", leaf("ec-key") if name == "same" else "old\n")
    certs.chmod(0o755)
    return certs


@pytest.mark.parametrize("kind", _KINDS)
def test_nobody_waits_for_locks_of_others(
    kind: str, lab: Lab, record_property: t.Callable[[str, object], None]
) -> None:
    task = {
        "name": "install",
        MODULE: {
            "content": bundle("ec-key"),
            "path": "{{ at }}/site.pem",
            "backup": "{{ inventory_hostname == 'new' }}",
        },
        "ignore_errors": True,
        # Much longer than it takes.
        "timeout": 60,
    }
    with machine() as folder:
        folders = {name: _folder(folder, name) for name in ("new", "same")}
        hosts = {name: {"at": str(path)} for name, path in folders.items()}
        locked = [folder, *folders.values(), *(path / "site.pem" for path in folders.values())]
        with flocks(locked, _KINDS[kind], THIRD):
            for arguments in (("--check",), ()):
                found = lab.play(hosts, [task], *arguments).must_succeed().by_host("install")
                assert {name: (one.status, one.changed) for name, one in found.items()} == {
                    "new": ("ok", True),
                    "same": ("ok", False),
                }, {name: one.message for name, one in found.items()}
        assert (folders["new"] / "site.pem").read_text() == leaf("ec-key")
    tried(record_property, f"{kind} lock on the folder", 4)
