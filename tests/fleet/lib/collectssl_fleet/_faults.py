# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of a host that refuse to be written to."""

from __future__ import annotations

import contextlib
import typing as t

from ._places import shell

if t.TYPE_CHECKING:
    from ._host import Host

_SMALL = shell("small-disk")

_LARGE_AGAIN = shell("large-again")

_READ_ONLY = shell("read-only")


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
