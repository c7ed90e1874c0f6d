# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions a session of pytest ran: of its libraries, and of the programs that its tests really started."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import ssl
import subprocess
import sys
import typing as t

_LIBRARIES = ("ansible-core", "requests", "urllib3", "cryptography")


class _Program(t.NamedTuple):
    """A program: how it is asked for its version, what precedes that in its answer, and how it is called."""

    arguments: tuple[str, ...]
    before: str
    title: str


_PROGRAMS = {
    "openssl": _Program(("version",), "OpenSSL ", "OpenSSL"),
    "haproxy": _Program(("-v",), "version ", "HAProxy"),
    "nginx": _Program(("-v",), "nginx/", "nginx"),
    "apache2": _Program(("-v",), "Apache/", "Apache"),
    "slapd": _Program(("-VV",), "slapd ", "OpenLDAP"),
    "mariadbd": _Program(("--version",), "Ver ", "MariaDB"),
    "postgres": _Program(("--version",), "(PostgreSQL) ", "PostgreSQL"),
    "vsftpd": _Program(("-v",), "version ", "vsftpd"),
    "dovecot": _Program(("--version",), "", "Dovecot"),
    "postconf": _Program(("-d", "mail_version"), "mail_version = ", "Postfix"),
    "ssh": _Program(("-V",), "OpenSSH_", "OpenSSH"),
}
_PYTHON = _Program(("--version",), "Python ", "Python")
_VERSION = r"(\d[0-9A-Za-z.]*)"

# Programs that this process started, as they were called. An audit hook can't be taken away again.
_started: set[str] = set()


def listen() -> None:
    """Begin to notice which programs are started."""
    sys.addaudithook(_notice)


def _notice(event: str, arguments: tuple[t.Any, ...]) -> None:
    if event == "subprocess.Popen":
        program, command = arguments[0], arguments[1]
        with contextlib.suppress(Exception):
            _started.add(os.fsdecode(program or (command if isinstance(command, (str, bytes)) else command[0])))


def libraries() -> list[str]:
    """Return what the session is made of, as tests record what they tried."""
    found = [f"Python {platform.python_version()} on the controller", f"{ssl.OPENSSL_VERSION} in Python"]
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return [_record(*text.split(" ")) for text in found]


def _record(name: str, version: str, *rest: str) -> str:
    # What OpenSSL calls its version ends in the day it was made.
    where = " ".join(rest[-2:]) if name == "OpenSSL" else " ".join(rest)
    return f"version: {' '.join(part for part in (name, version, where) if part)}: 1"


def programs() -> list[str]:
    """Return the programs that were started so far, as tests record what they tried."""
    pairs = (pair.partition("=") for pair in os.environ.get("COLLECTSSL_TEST_PYTHONS", "").split(","))
    hosts = {os.path.realpath(path) for _version, _sign, path in pairs if path}
    found = set()
    for started in _started:
        program = _PROGRAMS.get(os.path.basename(started))
        if program is None and os.path.realpath(started) in hosts:
            program = _PYTHON
        version = program and _asked(started, program)
        if program and version:
            found.add(_record(program.title, version, *(("on", "hosts") if program is _PYTHON else ())))
    return sorted(found)


def _asked(path: str, program: _Program) -> str | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(
            [path, *program.arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False
        )
        found = re.search(re.escape(program.before) + _VERSION, said.stdout.decode("utf-8", "replace"))
        return found and found[1]
    return None
