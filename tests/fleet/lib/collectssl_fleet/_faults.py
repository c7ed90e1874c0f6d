# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of a host that refuse to be written to."""

from __future__ import annotations

import contextlib
import typing as t

if t.TYPE_CHECKING:
    from ._host import Host

_SMALL = """
set -e
new=$(mktemp -d)
mount -t tmpfs -o "size=$2,mode=$(stat -c %a "$1")" tmpfs "$new"
cp -a "$1/." "$new/"
# Where systemd runs, mounts are shared, and those can't be moved.
mount --bind "$new" "$1"
umount "$new"
rmdir "$new"
"""

# A plain bind of / shows what the mount hides.
_LARGE_AGAIN = """
set -e
under=$(mktemp -d)
mount --bind / "$under"
find "$under$1" -mindepth 1 -delete
cp -a "$1/." "$under$1/"
umount --lazy "$1"
umount "$under"
rmdir "$under"
"""

_READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
"""


@contextlib.contextmanager
def small_disk(host: Host, path: str, size: str) -> t.Iterator[None]:
    """See Host.small_disk()."""
    host.run(["sh", "-c", _SMALL, "sh", path, size])
    try:
        yield
    finally:
        # Where the host went away meanwhile, its mounts went with it.
        if host.running and _mounted(host, path):
            host.run(["sh", "-c", _LARGE_AGAIN, "sh", path])


@contextlib.contextmanager
def read_only(host: Host, path: str) -> t.Iterator[None]:
    """See Host.read_only()."""
    host.run(["sh", "-c", _READ_ONLY, "sh", path])
    try:
        yield
    finally:
        if host.running and _mounted(host, path):
            host.run(["umount", "--lazy", path])


def _mounted(host: Host, path: str) -> bool:
    return host.run(["mountpoint", "--quiet", path], check=False).returncode == 0
