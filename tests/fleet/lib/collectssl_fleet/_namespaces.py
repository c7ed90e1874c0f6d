# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs in the controller's and in the hosts' namespaces."""

from __future__ import annotations

import typing as t

HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def in_controller(keeper: int, command: t.Sequence[str], cwd: str = "/") -> list[str]:
    """The command line that runs a command in the controller namespace, in a folder of this machine."""
    enter = ["nsenter", "--target", str(keeper), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
    # The folder is looked up inside: one that was opened outside has no path there.
    return [*enter, "env", f"--chdir={cwd}", "--", *command]


def in_host(init: int, command: t.Sequence[str]) -> list[str]:
    """The command line that runs a command as root in a host, with a clean environment."""
    enter = ["nsenter", "--target", str(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--"]
    clean = ["env", "-i", f"PATH={HOST_PATH}", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"]
    return [*enter, *clean, *command]
