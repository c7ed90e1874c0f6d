# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command that sees whether there is anything to do on a host, before a module is sent that costs many times that.

Once everything is installed, this controller knows each byte of each public file, and a record on the host says which
files with private keys were found to go with which certificates (``_install.records``). So one POSIX command can look:
digests, types, modes and owners, the folders on the way to a file, whether a run left something. It changes nothing,
reads no key back, and has no secret in it.

    what it says "same" of, the module calls unchanged

Only a whole answer that is exactly as expected says so. Anything else (a difference, a missing tool, a word that was
not expected, an option that it has no words for) says nothing, and the module is sent, which alone decides and changes.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._files.hidden import NAME as HIDDEN
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.records import FOLDER, name_of

#: A path that no tool writes in another way, that needs no quotes, and that leads where it says.
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_@%+=:,-][A-Za-z0-9._@%+=:,-]*)+\Z")
#: A user or a group, by number or by a name without surprises.
_WHO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\$?\Z")
_OCTAL = re.compile(r"0?[0-7]{3,4}\Z")

#: In one argument, which a shell may quote once more on the way to root.
LONGEST = 30_000

#: Seconds in which a host has read its files.
_PATIENCE = 60

_BOTH_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UnfitError(Exception):
    """There is something that the look has no words for."""


class File(t.NamedTuple):
    """A file as it is to be: a public one by what it holds, one with a private key by the certificates it goes with.

    One with neither need not be there. ``owner``, ``group`` and ``mode`` are as a task gives them, None for any.
    """

    path: str
    data: bytes | None
    goes_with: str | None = None
    owner: str | None = None
    group: str | None = None
    mode: str | int | None = None


class Look:
    """The command for some files, and what it has to say.

    :raises UnfitError: where no command can say it.
    """

    def __init__(self, everything: t.Sequence[File], records: str = FOLDER) -> None:
        if any(not _PLAIN.match(file.path) for file in everything):
            raise UnfitError
        files = [file for file in everything if file.data is not None or file.goes_with is not None]
        self._files = files
        self._others = [file.path for file in everything if file not in files]
        self._folders = sorted({os.path.dirname(file.path) for file in everything})
        self._record_folder = records
        self._records = [
            f"{records}/{name_of(file.path, file.goes_with)}" for file in files if file.goes_with is not None
        ]
        self._public = [(file.path, hashlib.sha256(file.data).hexdigest()) for file in files if file.data is not None]
        # So that nothing that was printed before, or is printed twice, is taken for the answer.
        self._begin, self._end = (f"collectssl-{secrets.token_hex(8)}" for _place in range(2))
        self._on_the_way = sorted({above for path in [*self._statted(), *self._others] for above in _above(path)})

    def _statted(self) -> list[str]:
        return [*(file.path for file in self._files), *self._records]

    @property
    def command(self) -> str:
        """For ``/bin/sh``; its words are plain, so they need no quotes."""
        steps = ["LC_ALL=C", "export LC_ALL", f"echo {self._begin}", "id -u"]
        kept = " ".join(f"{folder.rstrip('/')}/{HIDDEN}" for folder in self._folders)
        steps.append(f'for f in {kept}; do if test -e "$f" || test -h "$f"; then echo "$f"; fi; done')
        if self._others:
            steps.append(
                f"for f in {' '.join(self._others)}; do "
                'if test -h "$f" || { test -e "$f" && ! test -f "$f"; }; then echo "$f"; fi; done'
            )
        steps.append(f"stat -c '%f %u %g %U %G' -- {' '.join([*self._on_the_way, *self._statted()])}")
        steps.append(f'for f in {" ".join(self._statted())}; do test -f "$f" || exit; done')
        # Whoever owns a folder may have put a pipe there since.
        if self._public:
            steps.append(f"timeout {_PATIENCE} sha256sum -- {' '.join(path for path, _digest in self._public)}")
        if self._records:
            steps.append(f"cat -- {' '.join(self._records)} | timeout {_PATIENCE} sha256sum -c -")
        steps.append(f"echo {self._end}")
        return "; ".join(steps)

    def says_same(self, output: str) -> bool:
        """Whether an answer says that everything is as it is to be."""
        lines = output.replace("\r\n", "\n").split("\n")
        if lines.count(self._begin) != 1 or lines.count(self._end) != 1:
            return False
        answer = lines[lines.index(self._begin) + 1 : lines.index(self._end)]
        statted = len(self._on_the_way) + len(self._statted())
        expected = [
            *(f"{digest}  {path}" for path, digest in self._public),
            *(f"{file.path}: OK" for file in self._files if file.goes_with is not None),
        ]
        if len(answer) != 1 + statted + len(expected) or not answer[0].isdigit():
            return False
        uid = int(answer[0])
        # The records of another user are elsewhere.
        if self._records and uid != 0:
            return False
        return answer[1 + statted :] == expected and self._are_as_wanted(answer[1 : 1 + statted], uid)

    def _are_as_wanted(self, lines: list[str], uid: int) -> bool:
        try:
            seen = [_Seen.read(line) for line in lines]
        except ValueError:
            return False
        folders, rest = seen[: len(self._on_the_way)], seen[len(self._on_the_way) :]
        files, records = rest[: len(self._files)], rest[len(self._files) :]
        by_path = dict(zip(self._on_the_way, folders, strict=True))
        return (
            all(stat.S_ISDIR(folder.mode) for folder in folders)
            and all(one.is_as(file) for one, file in zip(files, self._files, strict=True))
            and all(stat.S_ISREG(one.mode) and one.is_of_root_alone() for one in records)
            and all(by_path[above].leads() for record in self._records for above in _above(record))
            and all(by_path[path].is_of_root_alone() for path in [self._record_folder] if self._records)
        )


class _Seen(t.NamedTuple):
    """What ``stat`` says of a file."""

    mode: int
    uid: str
    gid: str
    user: str
    group: str

    @classmethod
    def read(cls, line: str) -> _Seen:
        """From one line; raises ``ValueError`` for any other."""
        mode, uid, gid, user, group = line.split(" ")
        return cls(int(mode, 16), uid, gid, user, group)

    def is_as(self, file: File) -> bool:
        """Whether this is how a file is to be."""
        return (
            stat.S_ISREG(self.mode)
            and (file.owner is None or file.owner in (self.uid, self.user))
            and (file.group is None or file.group in (self.gid, self.group))
            and (file.mode is None or stat.S_IMODE(self.mode) == _octal(file.mode))
        )

    def is_of_root_alone(self) -> bool:
        """Whether nobody but root could have made, or changed, it."""
        return self.uid == "0" and not self.mode & _BOTH_WRITE

    def leads(self) -> bool:
        """Whether what root has in this folder stays where it is."""
        return self.uid == "0" and (not self.mode & _BOTH_WRITE or bool(self.mode & stat.S_ISVTX))


def _above(path: str) -> t.Iterator[str]:
    while path != "/":
        path = os.path.dirname(path)
        yield path


def _octal(mode: str | int) -> int:
    return mode if isinstance(mode, int) else int(mode, 8)


def who(name: t.Any) -> str | None:
    """An owner or a group as a task gives it; raises ``UnfitError`` for one that tools may write in another way."""
    if name is None:
        return None
    if not _WHO.match(str(name)):
        raise UnfitError
    return str(name)


def mode(value: t.Any) -> str | int | None:
    """A mode as a task gives it; raises ``UnfitError`` for a symbolic one, which depends on the mode before."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not _OCTAL.match(str(value)):
        raise UnfitError
    return str(value)
