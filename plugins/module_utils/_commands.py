# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a host: no shell, nothing to read, a small environment, an end.

A command that starts a daemon does not keep its caller waiting: what counts is the end of the command itself, whoever
has inherited its output.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable, last_line, without_pem

if TYPE_CHECKING:
    _Popen = subprocess.Popen[bytes]
else:
    _Popen = subprocess.Popen

#: How much of what a command prints is kept of each stream, from its end (bytes).
_KEPT = 64 * 1024

#: How many lines of that a message has: nginx says in the last one but one what it does not like, HAProxy before that.
_LINES = 3

#: What prints more than this is taken for something that does so without an end (bytes).
_MOST = 64 << 20

#: How long a group of processes that was asked to end may take to do so (seconds).
_PARTING = 5.0

#: How long at the most before the next look whether a process has ended (seconds).
_TICK = 0.05

#: What of its surroundings a command gets.
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")

#: What PATH has in the end, as far as it is not there: under some init systems there is none at all, and who became
#: root by su looks for programs where an ordinary user does, and finds no service manager.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Ended(NamedTuple):
    """How a command ended.

    ``rc`` is as in ``subprocess``, None where its time was up, or it printed too much; the rest is what it printed
    last, octets that are no UTF-8 as surrogates.
    """

    rc: Optional[int]
    stdout: str
    stderr: str

    @property
    def well(self) -> bool:
        """Whether it succeeded."""
        return self.rc == 0

    @property
    def how(self) -> str:
        """The end of a sentence about one that did not succeed: ``failed with exit status 2: no such directive``."""
        said = last_line(without_pem(self.stderr), _LINES) or last_line(without_pem(self.stdout), _LINES)
        saying = f": {said}" if said else ""
        if self.rc is None:
            return f"did not come to its end in time, and was ended{saying}"
        # A negative one is a signal, by which something else ended it.
        return (f"failed with exit status {self.rc}" if self.rc > 0 else f"was ended by signal {-self.rc}") + saying

    @property
    def details(self) -> Dict[str, Any]:
        """What a task's result says of it besides."""
        return {
            "rc": self.rc,
            "stdout": decodable(without_pem(self.stdout)),
            "stderr": decodable(without_pem(self.stderr)),
        }


def words(option: str, command: str) -> List[str]:
    """The words of a command, as a shell would read them; raises ``InstallError`` for what is none."""
    try:
        found = shlex.split(command)
    except ValueError as exc:
        raise InstallError(f"{option}: {command!r} cannot be read as a command: {exc}.") from exc
    if not found:
        raise InstallError(f"{option}: the command is empty.")
    return found


def environment(more: Mapping[str, str], surroundings: Mapping[str, str]) -> Dict[str, str]:
    """What a command gets of the surroundings, and ``more``."""
    kept = {name: value for name, value in surroundings.items() if name in _INHERITED or name.startswith("LC_")}
    folders = [*kept.get("PATH", "").split(os.pathsep), *_PATH.split(os.pathsep)]
    kept["PATH"] = os.pathsep.join(dict.fromkeys(folder for folder in folders if folder))
    kept.update(more)
    return kept


def run(command: List[str], seconds: float, variables: Mapping[str, str]) -> Ended:
    """Run a command, with nothing but ``variables`` in its environment; raises ``OSError`` where it cannot be started.

    It leads a group of its own, and when its time is up, or it prints without an end, the whole group is ended.
    """
    with contextlib.ExitStack() as stack:
        # Not a pipe: a daemon that it starts may write to what it inherited, and must not die of that.
        out, err = (_output(stack) for dummy in range(2))
        rc = _end_of(_Leader(command, out, err, variables), (out, err), seconds)
        return Ended(rc, _text(out), _text(err))


class _Leader(_Popen):
    """A process that leads a group of its own, and has nothing to read."""

    def __init__(self, command: List[str], out: int, err: int, variables: Mapping[str, str]) -> None:
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(variables),
            start_new_session=True,
            close_fds=True,
        )


def _output(stack: contextlib.ExitStack) -> int:
    """Where a command may write."""
    try:
        return stack.enter_context(tempfile.TemporaryFile()).fileno()
    except OSError:
        # A full disk is no reason not to run what may be the way back from it; what it says is lost.
        descriptor = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        return descriptor


def _end_of(process: Any, outputs: Tuple[int, ...], seconds: float) -> Optional[int]:
    try:
        if _has_ended(process, seconds, outputs):
            return int(process.returncode)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(process.pid, number)
            if _has_ended(process, _PARTING):
                break
    except BaseException:
        _signal(process.pid, signal.SIGKILL)
        process.wait()
        raise
    # Its children may have outlived it.
    _signal(process.pid, signal.SIGKILL)
    return None


def _has_ended(process: Any, seconds: float, outputs: Tuple[int, ...] = ()) -> bool:
    until = time.monotonic() + seconds
    pause = 0.001
    while process.poll() is None:
        left = until - time.monotonic()
        if left <= 0 or any(os.fstat(output).st_size > _MOST for output in outputs):
            return False
        time.sleep(min(left, pause))
        pause = min(pause * 2, _TICK)
    return True


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(OSError):  # all of it has ended
        os.killpg(group, number)


def _text(output: int) -> str:
    size = os.fstat(output).st_size
    # Not by moving to it: whoever still writes shares the place at which it does.
    data = os.pread(output, _KEPT, max(0, size - _KEPT))
    return data.decode("utf-8", "surrogateescape")
