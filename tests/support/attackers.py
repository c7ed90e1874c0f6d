# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user of the same machine, who owns the folder that root installs into, and root's files that are his aim.

All of them are real: processes of another user id act on real files, beside root's or between any two of its calls.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import pathlib
import shutil
import signal
import socket
import stat
import struct
import sys
import tempfile
import traceback
import types
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: Users and groups of no name: the one who attacks, and one who has no part in it.
OTHER, THIRD = 64011, 64012

#: What root's file holds, which no one else may come to read.
SECRET = "of root alone: 9f1c2d\n"

#: How long a run of root's may take before it counts as one that waits for ever (seconds).
PATIENCE = 30

#: By what the interpreter tells that a process is about to open files, or to change them, and what it does not tell.
_EVENTS = (
    *("open", "os.chmod", "os.chown", "os.chflags", "os.link", "os.listdir", "os.listxattr", "os.getxattr"),
    *("os.mkdir", "os.remove", "os.removexattr", "os.rename", "os.rmdir", "os.scandir", "os.setxattr"),
    *("os.symlink", "os.truncate", "os.utime", "fcntl.flock", "fcntl.ioctl", "subprocess.Popen"),
)
_LOOKS = ("stat", "lstat", "readlink", "access", "fstat", "fsync")


def tried(record_property: t.Callable[[str, object], None], name: str, count: int, kind: str = "attack") -> None:
    """Let the summary of the run say how often something was tried, and refused."""
    record_property("tried", f"{kind}: {name}: {count}")


def become(uid: int) -> None:
    """Let this process be another user for good, who is in no group but the one of the same number."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    os.umask(0o022)


def as_other(work: t.Callable[[], object], uid: int = OTHER) -> None:
    """Do ``work`` in a process of another user, and wait for it; it must succeed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            become(uid)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0, "the other user could not do his part; see the standard error"


# --- root ------------------------------------------------------------------------------------------------------------


class Outcome(t.NamedTuple):
    """What came of a run of root's: ``kind`` is installed, refused, hung, killed or crashed."""

    kind: str
    message: str = ""
    result: t.Mapping[str, t.Any] = types.MappingProxyType({})

    def must_be_civil(self) -> Outcome:
        """This outcome, being an end with a result or with a sentence."""
        assert self.kind in ("installed", "refused"), f"{self.kind}: {self.message}"
        if self.kind == "refused":
            assert self.message.endswith("."), self.message
            assert "Traceback" not in self.message, self.message
        return self

    def must_refuse(self, *words: str) -> Outcome:
        """This outcome, being a refusal with all of these words."""
        assert self.kind == "refused", f"{self.kind}: {self.message or self.result}"
        self.must_be_civil()
        for word in words:
            assert word in self.message, f"{word!r} is not in: {self.message}"
        return self

    def must_install(self, changed: bool = True) -> Outcome:
        """This outcome, being an installation."""
        assert self.kind == "installed", f"{self.kind}: {self.message}"
        assert self.result["changed"] is changed, self.result
        return self


def as_root(
    work: t.Callable[[], dict[str, t.Any]],
    before: t.Callable[[], object] = lambda: None,
    patience: int = PATIENCE,
) -> Outcome:
    """Do ``work`` in a process of its own, which is ended when it comes to no end; what came of it.

    ``before`` is done in that process first, so that what it changes in the interpreter goes with it.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(patience)
            told: dict[str, t.Any] = {}
            try:
                before()
                told = {"kind": "installed", "result": work()}
            except InstallError as exc:
                told = {"kind": "refused", "message": str(exc)}
            except BaseException:
                told = {"kind": "crashed", "message": traceback.format_exc()}
            with os.fdopen(writer, "wb") as stream:
                stream.write(json.dumps(told, default=str).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Outcome("hung" if number == signal.SIGALRM else "killed", f"ended by signal {number}")
    return Outcome(**json.loads(data)) if data else Outcome("crashed", "it said nothing")


class Points:
    """The points of a process at which somebody else may come in between: whenever it opens, lists or changes files.

    With ``looks``, whenever it looks at them, too. Is at work for the rest of the process, so it belongs into one that
    is forked for it.
    """

    def __init__(self, act: t.Callable[[int], object], looks: bool = False) -> None:
        self.count = 0
        self._act = act
        self._inside = False
        self._looks = _LOOKS if looks else ()

    def install(self) -> None:
        """From now on, tell ``act`` the number of each point."""
        sys.addaudithook(self._on_event)
        for name in self._looks:
            real = getattr(os, name)
            wrapped = self._wrap(real)
            for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in able:
                    able.add(wrapped)
            setattr(os, name, wrapped)

    def _wrap(self, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self._point()
            return real(*args, **kwargs)

        return call

    def _on_event(self, event: str, args: tuple[t.Any, ...]) -> None:
        if event in _EVENTS and not (event == "open" and _is_of_python(args[0])):
            self._point()

    def _point(self) -> None:
        if self._inside:
            return
        self._inside = True
        try:
            self.count += 1
            self._act(self.count)
        finally:
            self._inside = False


def _is_of_python(path: object) -> bool:
    """Whether a file is opened because a module is imported."""
    return isinstance(path, (str, bytes)) and os.fsdecode(path).endswith((".py", ".pyc", ".so"))


def points_of(work: t.Callable[[], dict[str, t.Any]], looks: bool = False) -> int:
    """How many points a run of root's has."""
    points = Points(lambda number: None, looks)

    def counted() -> dict[str, t.Any]:
        work()
        return {"points": points.count}

    outcome = as_root(counted, points.install)
    assert outcome.kind == "installed", outcome
    return int(outcome.result["points"])


def some(total: int, at_most: int, shift: int = 0) -> list[int]:
    """Numbers from 1 to ``total``: all of them, or as many as ``at_most``, evenly; ``shift`` gives other ones."""
    step = max(1, -(-total // at_most))
    return list(range(1 + shift % step, total + 1, step))


# --- the other user --------------------------------------------------------------------------------------------------


class Partner:
    """A process of another user that does something when it is told to, and tells when it is done.

    A context manager. Whoever was forked from its parent may tell it.
    """

    def __init__(self, act: t.Callable[[], object], uid: int = OTHER) -> None:
        self._act_of = act
        self._uid = uid
        self._child = 0
        self._mine: socket.socket | None = None

    def __enter__(self) -> Partner:
        self._mine, theirs = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            try:
                self._mine.close()
                become(self._uid)
                while theirs.recv(1):
                    did = False
                    with contextlib.suppress(OSError):
                        did = bool(self._act_of())
                    theirs.send(b"1" if did else b"0")
            finally:
                os._exit(0)
        theirs.close()
        return self

    def act(self) -> bool:
        """Have it done, and come back when it is; whether there was something to do."""
        assert self._mine is not None
        self._mine.send(b".")
        return self._mine.recv(1) == b"1"

    def __exit__(self, *_exc: t.Any) -> None:
        assert self._mine is not None
        self._mine.close()
        os.waitpid(self._child, 0)


@contextlib.contextmanager
def flocks(folders: t.Sequence[pathlib.Path], kind: int, uid: int = OTHER) -> t.Iterator[None]:
    """For the time of the context, a process of another user holds a lock of a kind on each of these."""

    def hold() -> bool:
        for folder in folders:
            # Never closed: they last as long as the process.
            fcntl.flock(os.open(folder, os.O_RDONLY), kind | fcntl.LOCK_NB)
        return True

    with Partner(hold, uid) as holder:
        assert holder.act(), "the other user did not get his locks"
        yield


class Crowd:
    """Processes of another user that do something again and again, without a pause, until the end of the context.

    ``rounds`` tells how often it was tried, ``hits`` how often it did what it was to do.
    """

    def __init__(self, *acts: t.Callable[[], bool], uid: int = OTHER) -> None:
        self._acts = acts
        self._uid = uid
        self._children: list[int] = []
        self._counts = mmap.mmap(-1, 16 * len(acts))
        self._end = mmap.mmap(-1, 1)

    def __enter__(self) -> Crowd:
        parent = os.getpid()
        for place, act in enumerate(self._acts):
            child = os.fork()
            if child == 0:
                try:
                    become(self._uid)
                    self._go_on(act, place, parent)
                finally:
                    os._exit(0)
            self._children.append(child)
        return self

    def _go_on(self, act: t.Callable[[], bool], place: int, parent: int) -> None:
        rounds = hits = 0
        while self._end[0] == 0 and os.getppid() == parent:
            with contextlib.suppress(OSError):
                hits += bool(act())
            rounds += 1
            struct.pack_into("QQ", self._counts, 16 * place, rounds, hits)

    def _sum(self, which: int) -> int:
        return sum(struct.unpack_from("QQ", self._counts, 16 * place)[which] for place in range(len(self._acts)))

    @property
    def rounds(self) -> int:
        """How often all of them tried."""
        return self._sum(0)

    @property
    def hits(self) -> int:
        """How often one of them did what it was to do."""
        return self._sum(1)

    def __exit__(self, *_exc: t.Any) -> None:
        self._end[0] = 1
        for child in self._children:
            os.waitpid(child, 0)


# --- the machine -----------------------------------------------------------------------------------------------------


class Vault:
    """A folder of root's, which everybody may list, with files that root alone may read.

    ``must_be_intact`` tells whether anything in it was changed, made, removed or given away.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        self.shadow = folder / "shadow"
        self.shadow.write_text(SECRET)
        self.shadow.chmod(0o600)
        self.missing = folder / "missing"
        self._before = self._state()

    def add(self, name: str, data: bytes, mode: int = 0o600) -> pathlib.Path:
        """One more file of root's."""
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(mode)
        self._before = self._state()
        return path

    def seen(self) -> None:
        """What is there now is as it has to stay."""
        self._before = self._state()

    def _state(self) -> dict[str, t.Any]:
        found = {}
        for path in [self.folder, *sorted(self.folder.rglob("*"))]:
            status = path.lstat()
            data = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
            modified = status.st_mtime_ns if data is not None else 0
            identity = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, modified)
            attributes = tuple(os.listxattr(path, follow_symlinks=False))
            found[str(path.relative_to(self.folder))] = (data, identity, attributes, _flags(path))
        return found

    def must_be_intact(self) -> None:
        """Fail where anything in it is not as it was."""
        now = self._state()
        for name in sorted({*now, *self._before}):
            is_as_it_was = now.get(name) == self._before.get(name)
            assert is_as_it_was, f"{name} of root's was {self._before.get(name)} and is {now.get(name)}"


def _flags(path: pathlib.Path) -> int:
    """The ``lsattr`` flags of a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, 0x80086601, b"\0" * 8), sys.byteorder)
    except OSError:
        return 0
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def machine() -> t.Iterator[pathlib.Path]:
    """A temporary folder of root's that other users may enter, and in which nothing is left at the end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="attacked-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def give(*paths: pathlib.Path, uid: int = OTHER) -> None:
    """Let these files and folders belong to another user, as if he had made them."""
    for path in paths:
        os.lchown(path, uid, uid)
