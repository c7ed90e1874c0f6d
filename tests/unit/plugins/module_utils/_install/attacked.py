# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tests of attacks take place: root installs into folders of another user, who acts meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import secrets
import stat
import typing as t

from ansible_collections.certfleet.collectssl.tests.support.attackers import (
    OTHER,
    SECRET,
    Outcome,
    Vault,
    as_other,
    as_root,
    machine,
)
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Options,
    SmallHost,
    bundle,
    key_pem,
    leaf,
)

#: Made before anything forks, so that every process has the same.
BUNDLES = {name: bundle(name) for name in ("ec-key", "ec-next")}
LEAVES = {name: leaf(name) for name in ("ec-key", "ec-next")}
KEYS = {name: key_pem(name) for name in ("ec-key", "ec-next")}


class Scene:
    """Root's folder with his files (``vault``), and folders of the other user that root installs into (``host``).

    ``own`` is a folder of root's for private keys, ``tmp`` the one that ansible-core gives a module.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.vault = Vault(folder / "vault")
        self.tmp = folder / "tmp"
        self.tmp.mkdir(mode=0o700)
        self.own = folder / "own"
        self.own.mkdir(mode=0o755)
        self.own_key = self.own / "site.key"
        self.own_pending = self.own / "site.next.key"
        self.home = folder / "home"
        self.host = SmallHost(self.home)
        (self.home / "tmp").rmdir()
        for path in (self.home, self.host.certs, self.host.private, self.host.pending.parent):
            os.chown(path, OTHER, OTHER)
        self.certs, self.path = self.host.certs, self.host.path

    def old_files(self, uid: int = OTHER) -> None:
        """A certificate of before, and private keys of root's in root's folder."""
        for path in (self.path, self.host.fullchain):
            path.write_text(f"{path.name} of before\n")
            os.chown(path, uid, uid)
        self.host.write_key("ec-key", self.own_key)

    def options(self, **more: t.Any) -> Options:
        """Options for one file, and more."""
        return {"_ansible_tmpdir": str(self.tmp), "content": BUNDLES["ec-key"], "path": str(self.path), **more}

    def install(self, **more: t.Any) -> dict[str, t.Any]:
        """Run the target side, as who this process is."""
        return self.host.install(**self.options(**more))

    def run(self, **more: t.Any) -> Outcome:
        """Run it as root in a process of its own."""
        return as_root(lambda: self.install(**more))

    def other(self, work: t.Callable[[], object]) -> None:
        """Let the other user do something."""
        as_other(work)

    def must_be_harmless(self, key_is_given: bool = False) -> None:
        """Root's files are as they were, and the other user has come by nothing that is root's alone."""
        self.vault.must_be_intact()
        for path in self.home.rglob("*"):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_ino == self.vault.shadow.stat().st_ino:
                continue
            data = path.read_bytes()
            closed = status.st_uid == 0 and not status.st_mode & 0o077
            assert closed or SECRET.encode() not in data, f"{path} holds what only root may read"
            assert closed or key_is_given or b"PRIVATE KEY" not in data, f"{path} has a private key for others"


@contextlib.contextmanager
def scene() -> t.Iterator[Scene]:
    """One scene, which is gone at the end."""
    with machine() as folder:
        yield Scene(folder)


@contextlib.contextmanager
def scenes() -> t.Iterator[t.Callable[[], Scene]]:
    """As many as are asked for."""
    with machine() as folder:
        numbers = itertools.count(1)

        def another() -> Scene:
            own = folder / str(next(numbers))
            own.mkdir(mode=0o755)
            return Scene(own)

        yield another


# --- what the other user does ----------------------------------------------------------------------------------------

Act = t.Callable[[], bool]


def _aside(path: str) -> str:
    """A name for what he takes away."""
    folder, name = os.path.split(path)
    return f"{folder}/taken-{os.getpid()}-{next(_TAKEN)}{name}"


_TAKEN = itertools.count(1)


def swap_hidden(scene: Scene) -> Act:
    """What appears in his folder beside his files becomes a link: a file one to root's, a folder one to root's."""
    folders = [str(scene.certs), str(scene.host.private)]
    vault = scene.vault

    def act() -> bool:
        did = False
        for folder in folders:
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if name.startswith(".collectssl") and not os.path.islink(path):
                    is_folder = os.path.isdir(path)
                    os.rename(path, _aside(path))
                    os.symlink(vault.folder if is_folder else vault.shadow, path)
                    did = True
        return did

    return act


def hidden_to_and_fro(scene: Scene) -> Act:
    """What appears there becomes a link as above, and at the next look what it was."""
    swap = swap_hidden(scene)
    folders = [str(scene.certs), str(scene.host.private)]

    def act() -> bool:
        did = False
        for folder in folders:
            names = os.listdir(folder)
            for name in names:
                path = f"{folder}/{name}"
                if name.startswith("taken-") and f".collectssl{name.partition('.collectssl')[2]}" in names:
                    link = f"{folder}/.collectssl{name.partition('.collectssl')[2]}"
                    os.unlink(link)
                    os.rename(path, link)
                    did = True
        return did or swap()

    return act


def swap_hidden_for_own(scene: Scene) -> Act:
    """What appears there becomes a folder of his, open to everybody, with links to root's files in it."""
    folders = [str(scene.certs), str(scene.host.private)]
    vault = scene.vault

    def act() -> bool:
        did = False
        for folder in folders:
            for name in os.listdir(folder):
                path = f"{folder}/{name}"
                if name.startswith(".collectssl") and os.lstat(path).st_uid == 0:
                    is_folder = os.path.isdir(path)
                    taken = _aside(path)
                    os.rename(path, taken)
                    if is_folder:
                        os.mkdir(path)
                        pathlib.Path(path).chmod(0o777)
                        os.symlink(vault.shadow, f"{path}/journal")
                        os.symlink(vault.missing, f"{path}/.gitignore")
                    else:
                        os.link(vault.folder / "open", path)
                    did = True
        return did

    return act


def _replaced(path: str, make: t.Callable[[str], object]) -> bool:
    """What is there goes, if anything, and ``make`` puts something of his there."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, _aside(path))
    make(path)
    return True


def destination_to_link(scene: Scene) -> Act:
    """The destination becomes a link to root's file."""
    return lambda: _replaced(str(scene.path), lambda path: os.symlink(scene.vault.shadow, path))


def destination_to_dangling(scene: Scene) -> Act:
    """The destination becomes a link to a file that root's folder hasn't got."""
    return lambda: _replaced(str(scene.path), lambda path: os.symlink(scene.vault.missing, path))


def destination_to_fifo(scene: Scene) -> Act:
    """The destination becomes a FIFO."""
    return lambda: _replaced(str(scene.path), os.mkfifo)


def destination_to_hard_link(scene: Scene) -> Act:
    """The destination becomes a second name of root's file, which lay about as ``hard``."""
    hard = f"{scene.home}/hard"
    return lambda: _replaced(str(scene.path), lambda path: os.rename(hard, path))


def folder_to_link(scene: Scene) -> Act:
    """The folder becomes a link to root's folder."""
    return lambda: _replaced(str(scene.certs), lambda path: os.symlink(scene.vault.folder, path))


def now_and_then(act: Act) -> Act:
    """The same, after as many idle looks as chance has it, so that it falls into any moment of root's."""
    left = 0

    def wait_and_act() -> bool:
        nonlocal left
        left -= 1
        if left > 0:
            return False
        left = 2 ** secrets.randbelow(14)
        return act()

    return wait_and_act


def folder_to_and_fro(scene: Scene) -> Act:
    """The folder is a link to root's folder, and at the next look itself again."""
    folder, away = str(scene.certs), f"{scene.home}/away"

    def act() -> bool:
        if os.path.islink(folder):
            os.unlink(folder)
            os.rename(away, folder)
        else:
            os.rename(folder, away)
            os.symlink(scene.vault.folder, folder)
        return True

    return act


def destination_to_and_fro(scene: Scene) -> Act:
    """The destination is a link to root's file, and at the next look a file."""
    path, link, file = str(scene.path), f"{scene.home}/link", f"{scene.home}/file"

    def act() -> bool:
        if os.path.islink(path):
            with open(file, "w", encoding="ascii") as stream:
                stream.write("his file\n")
            os.rename(file, path)
        else:
            os.symlink(scene.vault.shadow, link)
            os.rename(link, path)
        return True

    return act
