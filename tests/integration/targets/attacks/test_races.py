# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs of ansible-playbook, and the owner of the folder swaps things in it without a pause.

The unit tests do so hundreds of times, and between any two calls.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import secrets
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Crowd, Vault, give, machine, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import bundle
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_RUNS = 3
_NUMBERS = itertools.count()


def _folder(certs: pathlib.Path, vault: Vault) -> t.Callable[[], bool]:
    """The folder is a link to root's folder, and itself again, for times that chance has made."""
    away = certs.parent / "away"
    left = 0

    def act() -> bool:
        nonlocal left
        left -= 1
        if left > 0:
            return False
        left = 2 ** secrets.randbelow(20)
        if certs.is_symlink():
            certs.unlink()
            away.rename(certs)
        else:
            certs.rename(away)
            certs.symlink_to(vault.folder)
        return True

    return act


def _hidden(certs: pathlib.Path, vault: Vault) -> t.Callable[[], bool]:
    """Whatever appears beside the file becomes a link: a file one to root's file, a folder one to root's folder."""

    def act() -> bool:
        did = False
        for name in os.listdir(certs):
            path = certs / name
            if name.startswith(".collectssl") and not path.is_symlink():
                is_folder = path.is_dir()
                path.rename(certs / f"taken-{next(_NUMBERS)}")
                path.symlink_to(vault.folder if is_folder else vault.shadow)
                did = True
            elif path.is_symlink() and not secrets.randbelow(200):
                path.unlink()
        return did

    return act


def _file(certs: pathlib.Path, vault: Vault) -> t.Callable[[], bool]:
    """The file is a link to root's file, and a file again."""
    path, other = certs / "site.pem", certs / "other"

    def act() -> bool:
        if path.is_symlink():
            other.write_text("his\n")
        else:
            other.symlink_to(vault.shadow)
        other.rename(path)
        return True

    return act


_SWAPS = {"folder": _folder, "hidden": _hidden, "file": _file}


def test_whatever_he_swaps(lab: Lab, record_property: t.Callable[[str, object], None]) -> None:
    with machine() as folder, contextlib.ExitStack() as stack:
        vaults, hosts, crowds = [], {}, []
        for name, swap in _SWAPS.items():
            certs = folder / name / "home" / "certs"
            certs.mkdir(parents=True)
            (certs / "site.pem").write_text("of before\n")
            give(certs.parent, certs, certs / "site.pem")
            vaults.append(Vault(folder / name / "vault"))
            hosts[name] = {"certs": str(certs)}
            crowds.append(stack.enter_context(Crowd(swap(certs, vaults[-1]))))
        tasks = [_task(number) for number in range(_RUNS)]
        run = lab.play(hosts, tasks, play={"strategy": "free"}).must_succeed()
        for crowd in crowds:
            assert crowd.rounds > 0
        for vault in vaults:
            vault.must_be_intact()
        for result in run.results:
            assert result.status == "ok" or result.message.endswith("."), result
    for name in _SWAPS:
        tried(record_property, f"{name} swapped while Ansible runs", _RUNS)


def _task(number: int) -> dict[str, t.Any]:
    """Each has something to do."""
    return {
        "name": f"install {number}",
        MODULE: {
            "content": bundle("ec-key", number % 2),
            "path": "{{ certs }}/site.pem",
            "owner": str(OTHER),
            "mode": ("0644", "0640")[number % 2],
            "in_place": number % 3 == 2,
        },
        "ignore_errors": True,
        "timeout": 60,
    }
