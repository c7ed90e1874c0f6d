# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems, one a release, made by debootstrap once and kept outside the checkout.

A root is kept packed, and unpacked beside that. Both appear by renaming, so whatever is there is whole. Nobody writes
to an unpacked root: the hosts have it under an overlay.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import typing as t

from . import _mirror
from ._places import shell

PACKAGES = (
    "openssh-server",
    "python3",
    "nginx",
    "apache2",
    "haproxy",
    "postfix",
    "openssl",
    "ca-certificates",
    "iproute2",
    "procps",
    "sudo",
    "systemd",
)
_KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SECONDS = 1500

_ISOLATED = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]

_CONFIGURE = shell("configure-root")


def cache() -> pathlib.Path:
    """The folder that the roots are kept in."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base, "certfleet-collectssl", "roots")


def provide(releases: t.Sequence[str], say: t.Callable[[str], None]) -> tuple[dict[str, pathlib.Path], dict[str, str]]:
    """Return the unpacked root of each release, and why those that are missing could not be had."""
    found: dict[str, pathlib.Path] = {}
    missing: dict[str, str] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as workers:
        futures = {release: workers.submit(_provide, release, say) for release in releases}
        for release, future in futures.items():
            try:
                found[release] = future.result()
            except _Unavailable as exc:
                missing[release] = str(exc)
    return found, missing


class _Unavailable(Exception):
    """A release can't be had."""


def _provide(release: str, say: t.Callable[[str], None]) -> pathlib.Path:
    # What the recipe makes is found again by the recipe, less its comments, so a change of it never meets an old root.
    commands = "".join(line for line in _CONFIGURE.splitlines(keepends=True) if not line.startswith("#"))
    recipe = hashlib.sha256("\n".join([release, *PACKAGES, commands]).encode()).hexdigest()[:12]
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    tree, packed = folder / f"{release}-{recipe}", folder / f"{release}-{recipe}.tar.gz"
    with _locked(folder / f"{release}.lock"):
        for stale in folder.glob(f".{release}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        if not packed.exists() and not tree.exists():
            started = time.monotonic()
            say(f"{release}: making the root file system with debootstrap")
            with _scratch(folder, release) as scratch:
                _make(release, scratch / "root", folder / f"{release}.log")
                _pack(scratch / "root", scratch / "packed")
                (scratch / "packed").rename(packed)
                (scratch / "root").rename(tree)
            say(f"{release}: made in {time.monotonic() - started:.0f} s")
        if not tree.exists():
            started = time.monotonic()
            with _scratch(folder, release) as scratch:
                _unpack(packed, scratch / "root")
                (scratch / "root").rename(tree)
            say(f"{release}: unpacked in {time.monotonic() - started:.1f} s")
    return tree


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> t.Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _scratch(folder: pathlib.Path, release: str) -> t.Iterator[pathlib.Path]:
    with tempfile.TemporaryDirectory(prefix=f".{release}-", dir=folder) as scratch:
        # mkdtemp closes the folder to all but root, and services inside drop root.
        (pathlib.Path(scratch) / "root").mkdir(mode=0o755)
        yield pathlib.Path(scratch)


def _make(release: str, root: pathlib.Path, log: pathlib.Path) -> None:
    if not _KEYRING.exists():
        raise _Unavailable(f"{_KEYRING} is not there to check signatures with (package debian-archive-keyring)")
    mirror = _mirror.serving(release)
    fetch = ["debootstrap", "--force-check-gpg", "--foreign", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    fetch += [release, str(root), *([mirror] if mirror else [])]
    configure = [*_ISOLATED[:1], "--net", "--ipc", "--uts", *_ISOLATED[1:], "sh", "-c", _CONFIGURE, "sh", str(root)]
    with log.open("wb") as output:
        for command in ([*_ISOLATED, *fetch], configure):
            try:
                subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_SECONDS, check=True
                )
            except subprocess.SubprocessError:
                output.flush()
                lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing was said"]
                raise _Unavailable(f"debootstrap could not make it ({lines[-1].strip()}; see {log})") from None


def _pack(root: pathlib.Path, packed: pathlib.Path) -> None:
    subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-cf", str(packed), "-I", "gzip -1", "."], check=True)


def _unpack(packed: pathlib.Path, root: pathlib.Path) -> None:
    subprocess.run(["tar", "-C", str(root), "--numeric-owner", "-xpzf", str(packed)], check=True)
