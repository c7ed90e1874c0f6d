# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run at the start of every Python of a host with a trap: see Trap in collectssl_fleet."""

import os
import signal
import time

_FOLDER = "/run/collectssl-trap"
_OPERATIONS = ("link", "mkdir", "rename", "rmdir", "unlink")


def _watch(watched: "tuple[str, ...]", point: str, action: str) -> None:
    def guarded(name: str, real):  # type: ignore[no-untyped-def]
        def call(*args, **kwargs):  # type: ignore[no-untyped-def]
            into = name in ("link", "rename")
            target = args[1] if into else args[0]
            folder = kwargs.get("dst_dir_fd" if into else "dir_fd")
            if isinstance(target, str) and folder is not None:
                target = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), target)
            if isinstance(target, str) and target.startswith(watched):
                _reached(name, target)
            return real(*args, **kwargs)

        return call

    def _reached(name: str, target: str) -> None:
        with open(_FOLDER + "/calls", "a+", encoding="utf-8") as calls:
            calls.write(name + " " + target + "\n")
            calls.flush()
            calls.seek(0)
            count = len(calls.readlines())
        if os.path.exists(_FOLDER + "/reached") or point not in (str(count), target):
            return
        with open(_FOLDER + "/reached", "w", encoding="utf-8") as reached:
            reached.write(str(os.getpid()))
        if action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while not os.path.exists(_FOLDER + "/go"):
            time.sleep(0.05)

    for name in _OPERATIONS:
        setattr(os, name, guarded(name, getattr(os, name)))


with open(_FOLDER + "/plan", encoding="utf-8") as _plan:
    _point, _action, *_watched = _plan.read().split("\n")
_watch(tuple(_watched), _point, _action)
