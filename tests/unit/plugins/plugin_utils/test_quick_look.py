# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the quick look calls the same, the module calls unchanged: whatever there is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import typing as t

import hypothesis
import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _quick_look
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    File,
    Look,
    UnfitError,
    files_of,
    unchanged_files,
)
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    bundle,
    key_pem,
    killed_at,
    leaf,
)
from cryptography.hazmat.primitives import serialization
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="records are believed of root alone")

_SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

#: How tasks ask for the same certificate, less the paths.
_TASKS: dict[str, dict[str, t.Any]] = {
    "owner": {"owner": "root"},
    "numbers": {"owner": 0, "group": "0", "mode": 0o640},
    "everything": {"group": "root", "mode": "0644", "include_root": True, "backup": True, "validate": "false"},
    "in place": {"in_place": True, "unsafe_writes": True},
    "without a key": {"mode": "644", "privatekey_path": None, "pending_privatekey_path": None, "combined_path": None},
}


class _Host:
    def __init__(self, folder: pathlib.Path, task: str = "owner") -> None:
        self.host = SmallHost(folder)
        (folder / "state").mkdir(0o755)
        self.records = str(folder / "state" / "proven")
        self.host.write_key("ec-old")
        self.more = _TASKS[task]

    def options(self, serial: int = 0, **other: t.Any) -> dict[str, t.Any]:
        host = self.host
        options = {
            "content": bundle("ec-old", serial),
            "root_path": str(host.root),
            "path": str(host.path),
            "fullchain_path": str(host.fullchain),
            "combined_path": str(host.combined),
            "privatekey_path": str(host.key),
            "pending_privatekey_path": str(host.pending),
            **self.more,
            **other,
        }
        return {name: value for name, value in options.items() if value is not None}

    def files(self, serial: int = 0) -> list[File]:
        return files_of(self.options(serial), bool(self.more.get("include_root")))

    def looks_same(self, shell: str = "sh", path: str | None = None, serial: int = 0) -> bool:
        look = Look(self.files(serial), records=self.records)
        environment = None if path is None else {"PATH": path}
        command = [*shell.split(), "-c", look.command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return look.says_same(done.stdout)

    def install(self, check: bool = False, serial: int = 0, **other: t.Any) -> bool | None:
        """Whether the module changes something, None where it refuses."""
        before, records.FOLDER = records.FOLDER, self.records
        options = self.options(serial, **other)
        try:
            result = self.host.install(check=check, **{**options, "validate": None})
        except InstallError:
            return None
        finally:
            records.FOLDER = before
        if not result["changed"]:
            assert result["files"] == unchanged_files(options)
        return bool(result["changed"])


def _installed(folder: pathlib.Path, task: str) -> _Host:
    host = _Host(folder, task)
    assert host.install() is True
    assert host.install() is False
    return host


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> _Host:
    return _installed(tmp_path, "owner")


@pytest.mark.parametrize("task", _TASKS)
def test_what_was_installed_looks_the_same(task: str, tmp_path: pathlib.Path) -> None:
    assert _installed(tmp_path, task).looks_same()


@pytest.mark.parametrize("shell", ["bash", "bash --posix", "busybox sh"])
def test_it_looks_the_same_to_any_shell(shell: str, host: _Host) -> None:
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"no {shell}")
    assert host.looks_same(shell)


def test_it_looks_the_same_with_busybox_alone(host: _Host, tmp_path: pathlib.Path) -> None:
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "id", "stat", "timeout", "sha256sum", "cat"):
        (tools / tool).symlink_to(busybox)
    assert host.looks_same(str(tools / "sh"), path=str(tools))
    for tool in ("stat", "sha256sum", "id", "cat", "timeout"):
        (tools / tool).rename(tools / "away")
        assert not host.looks_same(str(tools / "sh"), path=str(tools)), tool
        (tools / "away").rename(tools / tool)


def test_the_look_tells_no_secret_and_changes_nothing(host: _Host) -> None:
    before = host.host.state()
    look = Look(host.files(), records=host.records)
    done = subprocess.run(["sh", "-c", look.command], capture_output=True, text=True, check=True)
    for line in key_pem("ec-old").decode().splitlines()[1:-1]:
        assert line not in done.stdout + done.stderr + look.command
    assert host.host.state() == before


_PATHS = ["path", "fullchain", "combined", "key", "pending", "certs", "private", "state", "records", "a record"]


def _where(host: _Host, name: str) -> pathlib.Path:
    if name == "records":
        return pathlib.Path(host.records)
    if name == "a record":
        return sorted(pathlib.Path(host.records).iterdir())[0]
    if name == "state":
        return pathlib.Path(host.records).parent
    return t.cast("pathlib.Path", getattr(host.host, name))


def _swap_for_link(path: pathlib.Path) -> None:
    real = path.with_name(path.name + ".real")
    path.rename(real)
    path.symlink_to(real)


def _swap_for_foreign_link(path: pathlib.Path) -> None:
    _swap_for_link(path)
    os.chown(path, 12345, 12345, follow_symlinks=False)


def _append(path: pathlib.Path) -> None:
    with path.open("ab") as file:
        file.write(b"more\n")


def _encode_otherwise(path: pathlib.Path) -> None:
    """The same private key in other words."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    words = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL)
    path.write_bytes(key.private_bytes(*words, serialization.NoEncryption()))


def _remove(path: pathlib.Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _special(path: pathlib.Path, kind: int) -> None:
    path.unlink(missing_ok=True)
    os.mknod(path, kind | 0o644, os.makedev(1, 3))


def _link(path: pathlib.Path) -> None:
    os.link(path, path.with_name(path.name + ".also"))


_ACTS: dict[str, t.Callable[[pathlib.Path], object]] = {
    "nothing": lambda _path: None,
    "mode 0644": lambda path: path.chmod(0o644),
    "mode 0600": lambda path: path.chmod(0o600),
    "mode 0777": lambda path: path.chmod(0o777),
    "mode 1777": lambda path: path.chmod(0o1777),
    "mode 0755": lambda path: path.chmod(0o755),
    "owner": lambda path: os.chown(path, 12345, -1),
    "group": lambda path: os.chown(path, -1, 12345),
    "link": _swap_for_link,
    "foreign link": _swap_for_foreign_link,
    "hard link": _link,
    "more": _append,
    "empty": lambda path: path.write_bytes(b""),
    "other key": lambda path: path.write_bytes(key_pem("ec-other")),
    "key in other words": _encode_otherwise,
    "other certificate": lambda path: path.write_text(leaf("ec-key")),
    "removed": _remove,
    "pipe": lambda path: _special(path, stat.S_IFIFO),
    "device": lambda path: _special(path, stat.S_IFCHR),
    "socket": lambda path: _special(path, stat.S_IFSOCK),
    "folder": lambda path: path.mkdir(),
    "hidden": lambda path: (path.parent / ".collectssl").mkdir(0o700),
    "foreign hidden": lambda path: (path.parent / ".collectssl").symlink_to("/nowhere"),
}

#: Other tasks that run in between, some to no good end.
_TASKS_BETWEEN: dict[str, t.Callable[[_Host], object]] = {
    "the same": lambda host: host.install(),
    "the key alone": lambda host: host.install(combined_path=None),
    "a reissue": lambda host: host.install(serial=1),
    "another mode": lambda host: host.install(mode="0600"),
    "another root": lambda host: host.install(include_root=not host.more.get("include_root")),
}
_DYING = "a reissue that is killed"

_Act = tuple[str, t.Any]
_ANY_ACT = st.one_of(
    st.tuples(st.sampled_from(_PATHS), st.sampled_from(sorted(_ACTS))),
    st.tuples(st.just("task"), st.sampled_from(sorted(_TASKS_BETWEEN))),
    st.tuples(st.just(_DYING), st.integers(1, 120)),
)


def _do(host: _Host, act: _Act) -> None:
    where, what = act
    if where == "task":
        _TASKS_BETWEEN[what](host)
    elif where == _DYING:
        killed_at(what, lambda: host.install(serial=1))
    else:
        # Acts that make no sense after others are left out.
        with contextlib.suppress(OSError, IndexError, ValueError):
            _ACTS[what](_where(host, where))


@hypothesis.settings(
    max_examples=120,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(st.sampled_from(sorted(_TASKS)), st.lists(_ANY_ACT, max_size=4))
def test_what_looks_the_same_is_unchanged_for_the_module(task: str, acts: list[_Act]) -> None:
    for same, changed in _same_and_changed(acts, task):
        hypothesis.event(f"same: {same}, changed: {changed}")
        assert not same or changed is False


_Seen = tuple[bool, "bool | None"]


def _same_and_changed(acts: t.Sequence[_Act], task: str = "owner") -> tuple[_Seen, _Seen]:
    """What look and module say after all that, of the certificate that was installed and of the reissue."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        host = _installed(pathlib.Path(folder, "host"), task)
        for act in acts:
            _do(host, act)
        first, reissue = ((host.looks_same(serial=serial), host.install(True, serial)) for serial in (0, 1))
        return first, reissue


@pytest.mark.parametrize("act", sorted(_ACTS))
@pytest.mark.parametrize("path", _PATHS)
def test_each_act_alone(path: str, act: str) -> None:
    same, changed = _same_and_changed([(path, act)])[0]
    assert not same or changed is False


@pytest.mark.parametrize(
    "act",
    [
        ("path", "nothing"),
        ("path", "hard link"),
        ("path", "group"),
        ("key", "mode 0644"),
        ("pending", "other key"),
        ("certs", "mode 0777"),
        ("certs", "owner"),
        ("state", "mode 1777"),
        ("task", "the same"),
        ("task", "the key alone"),
    ],
)
def test_what_makes_no_difference_is_seen_to_make_none(act: _Act) -> None:
    assert _same_and_changed([act])[0] == (True, False)


def test_a_combined_file_holds_the_words_of_the_private_key_file() -> None:
    """That both hold the right private key was proven of each, and yet the one is not made of the other any more."""
    acts = [("key", "key in other words"), ("task", "the key alone")]
    assert _same_and_changed(acts)[0] == (False, True)


@pytest.mark.parametrize("number", range(1, 90, 4))
def test_a_run_that_was_killed_anywhere(number: int) -> None:
    for same, changed in _same_and_changed([(_DYING, number)]):
        assert not same or changed is False


def test_the_invariant_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that does not see modes, or what a killed run left, is found out."""
    monkeypatch.setattr(_quick_look._Seen, "is_as", lambda *_args: True)
    assert _same_and_changed([("combined", "mode 0644")])[0] == (True, True)
    monkeypatch.undo()
    assert _same_and_changed([("combined", "mode 0644")])[0] == (False, True)
    monkeypatch.setattr(_quick_look, "HIDDEN", "elsewhere")
    assert (True, True) in {_same_and_changed([(_DYING, number)], "without a key")[1] for number in range(1, 60)}


def test_several_certificates_of_one_private_key(host: _Host) -> None:
    """What was proven of one does not go when another one is proven; what the file is not any more does."""
    other = host.host.certs / "other.pem"
    paths: dict[str, t.Any] = {"path": str(other), "fullchain_path": None, "combined_path": None, "root_path": None}
    assert host.install(serial=1, **paths)
    assert host.looks_same()
    folder = pathlib.Path(host.records)
    count = len(list(folder.iterdir()))
    for serial in range(2, 40):
        assert host.install(serial=serial, **paths)
    assert len(list(folder.iterdir())) < count + 20
    host.host.write_key("ec-other")
    assert host.install(content=bundle("ec-other"), **paths)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "path", ["site.pem", "/a b", "/a//b", "/a/../b", "/a/.", "/é", "/a'b", "/a\nb", "/$x", "/", "/-x"]
)
def test_paths_that_it_has_no_words_for(path: str) -> None:
    if path == "/-x":
        Look([File(path, b"")])
        return
    with pytest.raises(UnfitError):
        Look([File(path, b"")])


@pytest.mark.parametrize("wrong", ["u=rw", "0o644", "rw-r--r--", "+x", "99", True])
def test_modes_that_it_has_no_words_for(wrong: t.Any) -> None:
    with pytest.raises(UnfitError):
        _quick_look.mode(wrong)
    assert [_quick_look.mode(mode) for mode in (None, 0o640, "0640", "640", "2750")] == [
        None,
        0o640,
        "0640",
        "640",
        "2750",
    ]


def test_an_answer_that_is_not_whole_or_not_alone_says_nothing(host: _Host) -> None:
    look = Look(host.files(), records=host.records)
    text = subprocess.run(["sh", "-c", look.command], capture_output=True, text=True, check=True).stdout
    assert look.says_same(text)
    # As a terminal has it, with what was printed before and after.
    assert look.says_same("\r\nLast login\r\n" + text.replace("\n", "\r\n") + "bye\r\n")
    lines = text.splitlines()
    for number in range(len(lines)):
        assert not look.says_same("\n".join([*lines[:number], *lines[number + 1 :]]) + "\n"), lines[number]
        assert not look.says_same("\n".join([*lines[:number], "a word", *lines[number:]]) + "\n") or number == 0
        assert not look.says_same("\n".join([*lines[:number], "x" + lines[number], *lines[number + 1 :]]) + "\n")
    assert not look.says_same(text + text)
    assert not look.says_same("")
    assert not Look(host.files(), records=host.records).says_same(text)
