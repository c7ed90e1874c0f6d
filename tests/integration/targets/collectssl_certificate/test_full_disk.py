# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full in the middle of a transaction: the old files stay, and nothing is left over."""

from __future__ import annotations

import functools
import shutil
import subprocess

import pytest
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab

# A small disk of its own for one host, filled with what is in FOLDER.before, for as long as the run goes on.
_SMALL_DISK = """
folder=$1; pages=$2; shift 2
mount -t tmpfs -o "size=$((pages * 4096)),mode=0755" tmpfs "$folder"
cp -a "$folder.before/." "$folder/"
status=0
"$@" || status=$?
cp -a "$folder/." "$folder.after/"
exit "$status"
"""


@functools.cache
def _namespaces_work() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, timeout=30, check=False
    )
    return tried.returncode == 0


def test_a_full_disk(lab: Lab) -> None:
    """Room for what is there and a few pages more, then for all: refused with the reason, then installed."""
    if not _namespaces_work():
        pytest.skip("A small disk needs a mount namespace, and this user may not make one here.")
    number = lab.order()
    folder = lab.host_folder("web01")
    before = folder.with_name("web01.before")
    for name in ("cert.pem", "fullchain.pem", "combined.pem"):
        files.write(before / name, f"{name} of before\n", 0o644)
    files.write(before / "key.pem", certificates.shared_key(), 0o600)
    task = {
        "name": "install",
        MODULE: {
            "order_number": number,
            "path": "{{ dir }}/cert.pem",
            "fullchain_path": "{{ dir }}/fullchain.pem",
            "combined_path": "{{ dir }}/combined.pem",
            "privatekey_path": "{{ dir }}/key.pem",
            "backup": True,
        },
    }
    outcomes = {}
    for pages in (6, 64):
        after = folder.with_name("web01.after")
        shutil.rmtree(after, ignore_errors=True)
        after.mkdir()
        wrapper = ["unshare", "-rm", "sh", "-euc", _SMALL_DISK, "sh", str(folder), str(pages)]
        with lab.started({"web01": {}}, [{"tasks": [task]}], wrapper=wrapper) as process:
            run = process.finished().must_be_civil()
        outcomes[pages] = (run.one("install"), files.snapshot(after))

    refused, left = outcomes[6]
    assert refused.status == "failed"
    assert "No space left" in refused.message
    assert {name: entry[:2] for name, entry in left.items()} == {
        name: entry[:2] for name, entry in files.snapshot(before).items()
    }
    installed, now = outcomes[64]
    assert installed.status == "ok", installed.message
    assert installed.changed
    assert b"BEGIN CERTIFICATE" in (now["cert.pem"].content or b"")
