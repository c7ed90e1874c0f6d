# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Debian's packages come from: the mirror that this machine's own apt uses, if it has one."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request

VARIABLE = "COLLECTSSL_FLEET_MIRROR"


def candidates() -> list[str]:
    """The mirrors to try, best first. Without any, debootstrap takes its own default."""
    named = os.environ.get(VARIABLE)
    if named:
        return [named]
    lines = _output(["apt-get", "indextargets", "--format", "$(COMPONENT) $(REPO_URI)", "Created-By: Packages"])
    uris = [line.partition(" ")[2] for line in lines if line.startswith("main ")]
    return [uri.rstrip("/") for uri in dict.fromkeys(uris)]


def serving(release: str) -> str | None:
    """The first mirror that has a release; None to leave the choice to debootstrap."""
    return next((uri for uri in candidates() if _has(uri, release)), None)


def _has(uri: str, release: str) -> bool:
    _proxies_of_apt()
    for name in ("InRelease", "Release"):
        try:
            with urllib.request.urlopen(f"{uri}/dists/{release}/{name}", timeout=30) as answer:  # noqa: S310 - from apt
                # A mirror for other packages may answer everything with a friendly page.
                if re.search(rb"^Codename: " + release.encode("ascii") + rb"$", answer.read(65536), re.MULTILINE):
                    return True
        except (OSError, ValueError):
            continue
    return False


def _proxies_of_apt() -> None:
    """Let this process, and debootstrap from it, use the proxy that apt is told to use."""
    for scheme in ("http", "https"):
        if f"{scheme}_proxy" in os.environ:
            continue
        for line in _output(["apt-config", "dump", f"Acquire::{scheme}::Proxy"]):
            match = re.match(rf'Acquire::{scheme}::Proxy "(\S+)";', line, re.IGNORECASE)
            if match and match.group(1).upper() != "DIRECT":
                os.environ[f"{scheme}_proxy"] = match.group(1)


def _output(command: list[str]) -> list[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []
