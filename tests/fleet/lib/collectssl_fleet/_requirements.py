# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine can run a fleet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import typing as t

from ._errors import CannotRun
from ._places import shell

PROGRAMS = {
    "debootstrap": "debootstrap",
    "wget": "wget",
    "gpgv": "gpgv",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
}
"""The programs that a fleet needs, with the Debian packages that have them."""

_TRIAL = shell("try-machine")


def check() -> None:
    """Return if a fleet can run here; raises CannotRun."""
    if not sys.platform.startswith("linux"):
        raise CannotRun("A fleet needs Linux.")
    if os.geteuid() != 0:
        raise CannotRun("A fleet needs root, for namespaces and mounts.")
    missing = {package: program for program, package in PROGRAMS.items() if not shutil.which(program)}
    if missing:
        wanted = ", ".join(f"{program} (package {package})" for package, program in missing.items())
        raise CannotRun(f"A fleet needs programs that are not installed: {wanted}.")
    command = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
    reason = refusal([*command, "sh", "-c", _TRIAL])
    if reason:
        raise CannotRun(f"This machine does not grant a fleet namespaces, overlay file systems and bridges: {reason}.")


def refusal(command: t.Sequence[str]) -> str | None:
    """Why a command that tries something out fails, in the first line that it says; None if it does not."""
    trial = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return None if trial.returncode == 0 else (trial.stderr.strip().splitlines() or ["no reason given"])[0]
