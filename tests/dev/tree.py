# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clean copy of the collection where Ansible's tools expect one: ``ansible_collections/certfleet/collectssl``."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def files(checkout: pathlib.Path = CHECKOUT) -> list[pathlib.PurePath]:
    """Return the files of the checkout that git knows or would take, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        check=True,
    ).stdout
    names = dict.fromkeys(name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name)
    return [pathlib.PurePath(name) for name in names]


def commit(written: pathlib.Path, checkout: pathlib.Path = CHECKOUT) -> str:
    """Return which commit the checkout is at, and whether anything but ``written`` differs from it."""
    git = ["git", "-C", str(checkout)]
    known = subprocess.run([*git, "log", "-1", "--format=%h %s"], capture_output=True, text=True, check=True).stdout
    others = f":!{written.relative_to(checkout)}"
    status = [*git, "status", "--porcelain", "--", ".", others]
    changes = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    return known.strip() + (", with changes" if changes else "")


@contextlib.contextmanager
def copy(checkout: pathlib.Path = CHECKOUT) -> t.Iterator[pathlib.Path]:
    """Yield the collection's folder in a fresh temporary tree, which is removed afterwards.

    The tree lies outside the checkout: ansible-test would otherwise ask the checkout's git which files there are, and
    ansible-lint walks into ignored folders.
    """
    with tempfile.TemporaryDirectory(prefix="collectssl-") as top:
        folder = pathlib.Path(top, "ansible_collections", "certfleet", "collectssl")
        folder.mkdir(parents=True)
        for name in files(checkout):
            source, target = checkout / name, folder / name
            # A file may be deleted in the work tree and still be known to git.
            if not source.is_file() and not source.is_symlink():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        yield folder
