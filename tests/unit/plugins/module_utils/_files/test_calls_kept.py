# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of a whole transaction, one by one: what is opened how, flushed before what, and locked when."""

from __future__ import annotations

import fcntl
import os
import pathlib
import re
import sys
import typing as t
import weakref

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it names what Linux calls a descriptor")

_RANDOM = re.compile(r"[0-9a-f]{32}")
_FLAGS = (
    *("O_PATH", "O_WRONLY", "O_RDWR", "O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND"),
    *("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY"),
)
_WORDS = {
    "O_RDWR O_CREAT O_EXCL O_NOFOLLOW O_NONBLOCK O_NOCTTY 0600": "create",
    "O_NOFOLLOW O_NONBLOCK O_NOCTTY": "read",
    "O_WRONLY O_NOFOLLOW O_NONBLOCK O_NOCTTY": "write",
    "O_NOFOLLOW O_NONBLOCK": "consult",
    "O_DIRECTORY O_NOFOLLOW": "enter",
    "O_PATH O_DIRECTORY O_NOFOLLOW": "pass",
    "O_DIRECTORY": "list",
    "": "look",
}
"""What it takes, exactly, for an open to be called by these words."""
_KINDS = {fcntl.LOCK_EX | fcntl.LOCK_NB: "exclusive", fcntl.LOCK_SH | fcntl.LOCK_NB: "shared"}


class _Recorder:
    """Writes down each call as one line: verb, file as it is within a folder, and how."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.lines: list[str] = []
        self._folder = str(folder)
        self._names: dict[str, str] = {}

    def _told(self, path: str) -> str:
        path = path.replace(self._folder, "", 1).lstrip("/") or "/"
        return _RANDOM.sub(lambda found: self._names.setdefault(found.group(), f"#{len(self._names) + 1}"), path)

    def _file(self, name: t.Any, within: int | None = None) -> str:
        if isinstance(name, int):
            return self._told(os.readlink(f"/proc/self/fd/{name}"))
        if within is None:
            return self._told(str(name))
        folder = os.readlink(f"/proc/self/fd/{within}")
        return self._told(os.path.normpath(os.path.join(folder, name)))

    def _opened(self, name: t.Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> str:
        how = [word for word in _FLAGS if flags & getattr(os, word) == getattr(os, word)]
        how += [] if flags & os.O_CLOEXEC else ["inherited"]
        how += [f"{mode:04o}"] if flags & os.O_CREAT else []
        words = " ".join(how)
        return f"{_WORDS.get(words, words)} {self._file(name, dir_fd)}"

    def _made(self, name: str, mode: int = 0o777, *, dir_fd: int | None = None) -> str:
        return f"mkdir {self._file(name, dir_fd)} {mode:04o}"

    def _gone(self, verb: str) -> t.Callable[..., str]:
        return lambda name, *, dir_fd=None: f"{verb} {self._file(name, dir_fd)}"

    def _moved(self, verb: str) -> t.Callable[..., str]:
        def told(
            old: str, new: str, *, src_dir_fd: int | None, dst_dir_fd: int | None, follow_symlinks: bool = False
        ) -> str:
            followed = " followed" if follow_symlinks else ""
            return f"{verb} {self._file(old, src_dir_fd)} {self._file(new, dst_dir_fd)}{followed}"

        return told

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """From here on."""
        told: dict[str, t.Callable[..., str]] = {
            "open": self._opened,
            "mkdir": self._made,
            "rmdir": self._gone("rmdir"),
            "unlink": self._gone("unlink"),
            "link": self._moved("link"),
            "rename": self._moved("rename"),
            "fsync": lambda descriptor: f"fsync {self._file(descriptor)}",
            "fchmod": lambda descriptor, mode: f"fchmod {self._file(descriptor)} {mode:04o}",
            "fchown": lambda descriptor, uid, gid: f"fchown {self._file(descriptor)}",
            "ftruncate": lambda descriptor, length: f"ftruncate {self._file(descriptor)} {length}",
        }
        for name, tell in told.items():
            patch.setattr(os, name, self._wrap(getattr(os, name), tell))
        patch.setattr(fcntl, "flock", self._wrap(fcntl.flock, self._locked))

    def _locked(self, descriptor: int, kind: int) -> str:
        return f"flock {self._file(descriptor)} {_KINDS.get(kind, kind)}"

    def _wrap(self, real: t.Callable[..., t.Any], tell: t.Callable[..., str]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            line = tell(*args, **kwargs)
            try:
                result = real(*args, **kwargs)
            except OSError as exc:
                self.lines.append(f"{line}: {type(exc).__name__}")
                raise
            if not line.startswith("pass "):
                self.lines.append(line)
            return result

        return call


@pytest.fixture(name="mask", autouse=True)
def fixture_mask() -> t.Iterator[None]:
    """So that new files get the same mode on every machine."""
    before = os.umask(0o022)
    yield
    os.umask(before)


class _Kitchen:
    """Three files in two folders: one to be rewritten, one to be made, one to go."""

    def __init__(self, folder: pathlib.Path, **options: t.Any) -> None:
        self.folder = folder
        for name in ("one", "other", "tmp"):
            (folder / name).mkdir()
        # Folders are taken in the order of their numbers, whatever they are called, and come here in the other order.
        made = sorted((folder / "one", folder / "other"), key=lambda path: path.stat().st_ino)
        for path, name in zip(made, "ab", strict=True):
            path.rename(folder / name)
        (folder / "a" / "soup").write_text("old soup\n", encoding="ascii")
        (folder / "b" / "stew").write_text("old stew\n", encoding="ascii")
        arguments = {"_ansible_no_log": True, "_ansible_tmpdir": str(folder / "tmp")}
        with module_arguments({**arguments, **options}):
            spec = {"in_place": {"type": "bool", "default": False}}
            self.module = AnsibleModule(spec, add_file_common_args=True)
        self.places = Places()
        weakref.finalize(self, self.places.__exit__)
        soup, cake, stew = (self.places.find("it", str(folder / name)) for name in ("a/soup", "b/cake", "b/stew"))
        self.paths = [stew, cake, soup]
        self.steps = (
            Step(soup, existed=True, content=b"new soup\n", backup=f"{soup.path}~"),
            Step(cake, existed=False, content=b"new cake\n", secret=True),
            Step(stew, existed=True),
        )

    def locked(self) -> t.ContextManager[transaction.Locked]:
        return transaction.locked_for_change(self.places, self.paths)

    def commit(self, *validate: str) -> None:
        with self.locked() as locked:
            attributes = FileAttributes(self.module)
            transaction.commit(self.module, locked, self.steps, attributes, list(validate))

    def hold(self) -> None:
        with self.locked() as locked:
            transaction.hold(
                self.module, transaction.switch(self.module, locked, self.steps, FileAttributes(self.module), "it")
            )

    def settle(self) -> None:
        with self.locked() as locked:
            transaction.settle(self.module, locked)

    def read(self) -> None:
        with transaction.locked_for_reading(self.places, self.paths):
            pass


_TAKEN = """
mkdir a/.collectssl 0700
enter a/.collectssl
list a/.collectssl
flock a/.collectssl exclusive
create a/.collectssl/.gitignore
mkdir b/.collectssl 0700
enter b/.collectssl
list b/.collectssl
flock b/.collectssl exclusive
create b/.collectssl/.gitignore
list a/.collectssl
list b/.collectssl
"""

_STAGED = """
create a/.collectssl/#1
read a/soup
fchmod a/.collectssl/#1 0644
fsync a/.collectssl/#1
link a/soup a/.collectssl/#2
create b/.collectssl/#3
fsync b/.collectssl/#3
link b/stew b/.collectssl/#4
"""

_STAGED_TO_BE_WRITTEN_INTO = """
create a/.collectssl/#1
fsync a/.collectssl/#1
read a/soup
create a/.collectssl/#2
fchmod a/.collectssl/#2 0644
fsync a/.collectssl/#2
create b/.collectssl/#3
fsync b/.collectssl/#3
link b/stew b/.collectssl/#4
"""

_HIDDEN_FLUSHED = """
look a/.collectssl
fsync a/.collectssl
look b/.collectssl
fsync b/.collectssl
"""

_NOTED = """
create b/.collectssl/#5
fsync b/.collectssl/#5
rename b/.collectssl/#5 b/.collectssl/journal
unlink b/.collectssl/#5: FileNotFoundError
"""


def _declared(draft: int) -> str:
    return f"""
create a/.collectssl/#{draft}
fsync a/.collectssl/#{draft}
rename a/.collectssl/#{draft} a/.collectssl/journal
unlink a/.collectssl/#{draft}: FileNotFoundError
look a
fsync a
look a/.collectssl
fsync a/.collectssl
"""


_REPLACED = """
rename a/.collectssl/#1 a/soup
unlink a/.collectssl/#1: FileNotFoundError
"""


def _written_into(staged: int) -> str:
    return f"""
read a/.collectssl/#{staged}
write a/soup
read a/soup
ftruncate a/soup 9
fsync a/soup
unlink a/.collectssl/#{staged}
"""


_OTHERS_SWITCHED = """
rename b/.collectssl/#3 b/cake
unlink b/.collectssl/#3: FileNotFoundError
unlink b/stew
"""

_FLUSHED = """
look a
fsync a
look b
fsync b
"""

_OTHERS_BACK = """
rename b/.collectssl/#4 b/stew
unlink b/.collectssl/#4: FileNotFoundError
look b
fsync b
unlink b/cake
look b
fsync b
"""

_BACK = """
rename a/.collectssl/#2 a/soup
unlink a/.collectssl/#2: FileNotFoundError
"""

_BACKUP_GONE = """
unlink a/soup~: FileNotFoundError
look a
fsync a
"""

_BACKED_UP = """
unlink a/soup~: FileNotFoundError
link a/.collectssl/#2 a/soup~
"""

_CLOSED = """
unlink a/.collectssl/journal
look a/.collectssl
fsync a/.collectssl
"""

_CLEANED = """
list a/.collectssl
list a/.collectssl
unlink a/.collectssl/#2
list b/.collectssl
list b/.collectssl
unlink b/.collectssl/journal
unlink b/.collectssl/#4
"""

_CLEANED_WHEN_UNDONE = """
list a/.collectssl
list a/.collectssl
list b/.collectssl
list b/.collectssl
unlink b/.collectssl/journal
"""

_SWEPT = """
list a/.collectssl
list b/.collectssl
"""

_LEFT = """
list a/.collectssl
unlink a/.collectssl/.gitignore
rmdir a/.collectssl
list b/.collectssl
unlink b/.collectssl/.gitignore
rmdir b/.collectssl
"""

_BEGUN = (_HIDDEN_FLUSHED, _NOTED, _HIDDEN_FLUSHED, _declared(6))
_BEGUN_IN_PLACE = (_HIDDEN_FLUSHED, "read a/soup", *_BEGUN[1:])
_DONE = (_OTHERS_SWITCHED, _FLUSHED, _BACKED_UP, _FLUSHED, _CLOSED, _CLEANED, _LEFT)
_ENDED = (_BACKUP_GONE, _FLUSHED, _CLOSED, _CLEANED_WHEN_UNDONE, _SWEPT, _LEFT)


def _of_subject(lines: str) -> str:
    """As it is for a transaction of a subject: its journal has a random name of its own, which is made after five."""
    return lines.replace("#7", "#8").replace("#6", "#7").replace("/journal", "/journal-#6")


def _lines_of(kitchen: _Kitchen, work: t.Callable[[], None]) -> list[str]:
    recorder = _Recorder(kitchen.folder)
    with pytest.MonkeyPatch.context() as patch:
        recorder.watch(patch)
        work()
    return recorder.lines


def _refused(kitchen: _Kitchen) -> None:
    with pytest.raises(Exception, match="Every file has been put back as it was"):
        kitchen.commit("false")


@pytest.mark.parametrize(
    ("in_place", "work", "expected"),
    [
        (False, _Kitchen.commit, (_TAKEN, _STAGED, *_BEGUN, _REPLACED, *_DONE)),
        (True, _Kitchen.commit, (_TAKEN, _STAGED_TO_BE_WRITTEN_INTO, *_BEGUN_IN_PLACE, _written_into(1), *_DONE)),
        (
            False,
            _refused,
            (_TAKEN, _STAGED, *_BEGUN, _REPLACED, _OTHERS_SWITCHED, _FLUSHED, _OTHERS_BACK, _BACK, *_ENDED),
        ),
        (
            True,
            _refused,
            (
                *(_TAKEN, _STAGED_TO_BE_WRITTEN_INTO, *_BEGUN_IN_PLACE, _written_into(1), _OTHERS_SWITCHED, _FLUSHED),
                *(_OTHERS_BACK, _written_into(2), *_ENDED),
            ),
        ),
        (
            False,
            _Kitchen.hold,
            (
                *(_TAKEN, _STAGED, *map(_of_subject, _BEGUN), _REPLACED, _OTHERS_SWITCHED, _FLUSHED, _BACKED_UP),
                *(_HIDDEN_FLUSHED, _of_subject(_declared(7)), _SWEPT),
            ),
        ),
    ],
    ids=["done", "done in place", "undone", "undone in place", "held"],
)
def test_each_call_in_its_turn(
    in_place: bool, work: t.Callable[[_Kitchen], None], expected: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    kitchen = _Kitchen(tmp_path, in_place=in_place)
    assert _lines_of(kitchen, lambda: work(kitchen)) == [line for part in expected for line in part.split("\n") if line]


def test_who_only_looks_makes_nothing_and_shares_what_is_there(tmp_path: pathlib.Path) -> None:
    kitchen = _Kitchen(tmp_path)
    assert _lines_of(kitchen, kitchen.read) == []
    kitchen.hold()
    lines = _lines_of(kitchen, kitchen.read)
    expected = [
        f"{verb} {name}/.collectssl{how}"
        for name in "ab"
        for verb, how in (("enter", ""), ("list", ""), ("flock", " shared"))
    ]
    assert lines[:6] == expected
    assert {line.split()[0] for line in lines[6:]} == {"consult", "list"}


def test_what_was_held_is_let_go_in_this_order(tmp_path: pathlib.Path) -> None:
    kitchen = _Kitchen(tmp_path)
    kitchen.hold()
    changes = [
        line for line in _lines_of(kitchen, kitchen.settle) if line.split()[0] not in ("consult", "enter", "look")
    ]
    assert changes == [
        "mkdir a/.collectssl 0700: FileExistsError",
        "list a/.collectssl",
        "flock a/.collectssl exclusive",
        "mkdir b/.collectssl 0700: FileExistsError",
        "list b/.collectssl",
        "flock b/.collectssl exclusive",
        "list a/.collectssl",
        "list b/.collectssl",
        "fsync a",
        "fsync b",
        "unlink a/.collectssl/journal-#1",
        "fsync a/.collectssl",
        "list a/.collectssl",
        "list a/.collectssl",
        "unlink a/.collectssl/#2",
        "list b/.collectssl",
        "list b/.collectssl",
        "unlink b/.collectssl/journal-#1",
        "unlink b/.collectssl/#3",
        *[line for line in _SWEPT.split("\n") if line],
        *[line for line in _LEFT.split("\n") if line],
    ]
