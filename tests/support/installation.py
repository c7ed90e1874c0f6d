# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, private keys and a small host to install them on, for the tests of the target side."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pathlib
import re
import signal
import stat
import tempfile
import typing as t

from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import certificate_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import install as _install

from . import authority

_BACKUP = re.compile(r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~$")

#: Private keys by name.
KEYS: dict[str, t.Any] = {}

#: Options of the module.
Options = dict[str, t.Any]


def key_of(name: str) -> t.Any:
    """A private key that is the same for the same name; the name begins with its kind."""
    if name not in KEYS:
        kinds = ("rsa-weak", "rsa", "ec", "ed25519")
        kind = next(kind for kind in kinds if name.startswith(kind))
        KEYS[name] = authority.new_key("ecdsa" if kind == "ec" else kind)
    return KEYS[name]


def key_pem(name: str, passphrase: str | None = None) -> bytes:
    """The key of a name as a PEM file."""
    return authority.private_pem(key_of(name), passphrase).encode("ascii")


@functools.cache
def _authorities() -> tuple[authority.Authority, authority.Authority]:
    """The root and the issuing CA."""
    top = authority.root("root", key=key_of("ec-root"), validity=authority.from_now(-1, 90))
    return top, top.subordinate("issuing CA", key=key_of("ec-issuing"), validity=authority.from_now(-1, 90))


def root() -> str:
    """The root certificate."""
    return authority.pem_of(_authorities()[0].der)


def intermediate() -> str:
    """The certificate of the issuing CA."""
    return authority.pem_of(_authorities()[1].der)


def leaf(key: str, serial: int = 0) -> str:
    """An end-entity certificate for a key; another ``serial`` gives another certificate."""
    return _leaf(key, serial)


@functools.cache
def _leaf(key: str, serial: int) -> str:
    name, validity = f"www{serial}.example.com", authority.from_now(-1, 90)
    made = _authorities()[1].certify(name, key_of(key).public_key(), validity)
    return authority.pem_of(authority.der_of(made))


def bundle(key: str, serial: int = 0, with_root: bool = True) -> str:
    """What the controller hands to a target."""
    return leaf(key, serial) + intermediate() + (root() if with_root else "")


class SmallHost:
    """A folder with the files of one installation, and the means to run the target side on them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.certs = folder / "certs"
        self.private = folder / "private"
        for path in (self.certs, self.private, folder / "tmp"):
            path.mkdir(mode=0o755, parents=True)
        self.path = self.certs / "site.pem"
        self.chain = self.certs / "site.chain.pem"
        self.fullchain = self.certs / "site.full.pem"
        self.root = self.certs / "root.pem"
        self.combined = self.private / "site.combined.pem"
        self.key = self.private / "site.key"
        self.pending = self.private / "next" / "site.key"
        self.pending.parent.mkdir()

    def everything(self, **more: t.Any) -> dict[str, t.Any]:
        """Options that ask for every file."""
        return {
            "path": str(self.path),
            "chain_path": str(self.chain),
            "fullchain_path": str(self.fullchain),
            "root_path": str(self.root),
            "combined_path": str(self.combined),
            "privatekey_path": str(self.key),
            **more,
        }

    def write_key(self, name: str, path: pathlib.Path | None = None, passphrase: str | None = None) -> None:
        """Put a private key in its place."""
        path = path or self.key
        path.write_bytes(key_pem(name, passphrase))
        path.chmod(0o600)

    def module(self, check: bool = False, diff: bool = True, **options: t.Any) -> basic.AnsibleModule:
        """The module with these options, as ansible-core would start it."""
        arguments = {
            "_ansible_check_mode": check,
            "_ansible_no_log": True,  # the log of this machine need not know
            "_ansible_diff": diff,
            "_ansible_tmpdir": str(self.folder / "tmp"),
            **options,
        }
        with module_arguments(arguments):
            return basic.AnsibleModule(
                add_file_common_args=True, supports_check_mode=True, **certificate_spec().kwargs()
            )

    def install(self, check: bool = False, diff: bool = True, **options: t.Any) -> dict[str, t.Any]:
        """Run the target side; its results."""
        return _install.install(self.module(check, diff, **options))

    def state(self) -> dict[str, tuple[t.Any, ...]]:
        """Every file on this host, hidden ones too, with type, content, mode and owner; backups under one name each."""
        found = {}
        for folder in (self.certs, self.private):
            for path in folder.rglob("*"):
                status = path.lstat()
                what: t.Any = None
                if path.is_symlink():
                    what = str(path.readlink())
                elif path.is_file():
                    what = path.read_bytes()
                name = _BACKUP.sub(".BACKUP~", str(path.relative_to(self.folder)))
                mode = 0 if path.is_symlink() else stat.S_IMODE(status.st_mode)
                found[name] = (stat.S_IFMT(status.st_mode), what, mode, status.st_uid, status.st_gid)
        return found

    def hidden(self) -> list[str]:
        """What a transaction left beside the destinations."""
        return sorted(name for name in self.state() if "/.collectssl" in name)


@contextlib.contextmanager
def module_arguments(arguments: dict[str, t.Any]) -> t.Iterator[None]:
    """Let an ``AnsibleModule`` find its arguments, in every supported ansible-core."""
    names = {"_ANSIBLE_ARGS": json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(), "_ANSIBLE_PROFILE": "legacy"}
    before = {name: getattr(basic, name) for name in names if hasattr(basic, name)}
    for name in before:
        setattr(basic, name, names[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(basic, name, value)


#: The calls by which file systems change.
CALLS = ("open", "link", "rename", "unlink", "mkdir", "rmdir", "fchmod", "fchown", "setxattr", "ftruncate", "fsync")


class Meddler:
    """Counts the calls that change file systems, and at one of them, or from it on, does something else first."""

    def __init__(self, at: int = 0, act: t.Callable[[str], None] | None = None, for_good: bool = False) -> None:
        self.count = 0
        self.names: list[str] = []
        self._at = at
        self._act = act
        self._for_good = for_good

    def _wrap(self, name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            self.count += 1
            self.names.append(name)
            if self._act is not None and (self.count == self._at or (self._for_good and self.count > self._at)):
                self._act(name)
            return real(*args, **kwargs)

        return call

    @contextlib.contextmanager
    def at_work(self) -> t.Iterator[Meddler]:
        """The time in which it meddles."""
        real = {name: getattr(os, name) for name in CALLS if hasattr(os, name)}
        for name, function in real.items():
            setattr(os, name, self._wrap(name, function))
        try:
            yield self
        finally:
            for name, function in real.items():
                setattr(os, name, function)


def killed_at(number: int, work: t.Callable[[], t.Any]) -> bool:
    """Do ``work`` in a child that is killed just before its call of that number; whether it lived to be killed."""
    child = os.fork()
    if child == 0:
        try:
            with Meddler(number, lambda name: os.kill(os.getpid(), signal.SIGKILL)).at_work():
                work()
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def calls_of(work: t.Callable[[], t.Any]) -> int:
    """How many calls that change file systems ``work`` makes."""
    with Meddler().at_work() as meddler:
        work()
    return meddler.count


#: A user and a group that own nothing, whatever they are called.
NOBODY = 65534


def as_user(
    work: t.Callable[[], dict[str, t.Any]], uid: int = NOBODY, groups: t.Sequence[int] = ()
) -> dict[str, t.Any]:
    """Do ``work`` in a child that root made another user, of a group of the same number and of ``groups``; its result.

    An ``InstallError`` of it is raised here, too.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            os.setgroups(list(groups))
            os.setgid(uid)
            os.setuid(uid)
            try:
                outcome: dict[str, t.Any] = {"result": work()}
            except InstallError as exc:
                outcome = {"refusal": str(exc)}
            with os.fdopen(writer, "w", encoding="utf-8") as stream:
                json.dump(outcome, stream)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    outcome = json.loads(told)
    if "refusal" in outcome:
        raise InstallError(outcome["refusal"])
    result: dict[str, t.Any] = outcome["result"]
    return result


@contextlib.contextmanager
def open_folder() -> t.Iterator[pathlib.Path]:
    """A temporary folder that other users may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield path
