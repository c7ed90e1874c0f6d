# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the quick look calls the same, the module calls unchanged: whatever there is."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import typing as t

import hypothesis
import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _quick_look
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import File, Look, UnfitError, files_of
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    SmallHost,
    bundle,
    key_pem,
    leaf,
)
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="records are believed of root alone")

_SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_FULL = bundle("ec-old")


class _Host:
    def __init__(self, folder: pathlib.Path, **more: t.Any) -> None:
        self.host = SmallHost(folder)
        self.records = str(folder / "state" / "proven")
        (folder / "state").mkdir(0o755)
        self.host.write_key("ec-old")
        self.more = {"owner": "root", **more}

    def options(self) -> dict[str, t.Any]:
        host = self.host
        return {
            "content": bundle("ec-old", with_root=False),
            "path": str(host.path),
            "fullchain_path": str(host.fullchain),
            "combined_path": str(host.combined),
            "privatekey_path": str(host.key),
            "pending_privatekey_path": str(host.pending),
            **self.more,
        }

    def files(self) -> list[File]:
        return files_of(self.options(), bool(self.more.get("include_root")))

    def looks_same(self, shell: str = "sh") -> bool:
        look = Look(self.files(), records=self.records)
        done = subprocess.run([*shell.split(), "-c", look.command], capture_output=True, text=True, check=False)
        return look.says_same(done.stdout)

    def install(self, check: bool = False) -> bool | None:
        """Whether the module changes something, None where it refuses."""
        before, records.FOLDER = records.FOLDER, self.records
        try:
            return bool(self.host.install(check=check, **self.options())["changed"])
        except InstallError:
            return None
        finally:
            records.FOLDER = before


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> _Host:
    host = _Host(tmp_path)
    assert host.install() is True
    assert host.install() is False
    return host


@pytest.mark.parametrize("shell", ["sh", "bash", "bash --posix", "busybox sh"])
def test_what_was_installed_looks_the_same(shell: str, host: _Host) -> None:
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"no {shell}")
    assert host.looks_same(shell)


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


def _nothing(_path: pathlib.Path) -> None:
    pass


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


def _other_key(path: pathlib.Path) -> None:
    path.write_bytes(key_pem("ec-other"))


def _remove(path: pathlib.Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _fifo(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _leave_hidden(path: pathlib.Path) -> None:
    (path.parent / ".collectssl").mkdir(0o700)


def _leave_foreign(path: pathlib.Path) -> None:
    (path.parent / ".collectssl").symlink_to("/nowhere")


_ACTS: dict[str, t.Callable[[pathlib.Path], object]] = {
    "nothing": _nothing,
    "mode 0644": lambda path: path.chmod(0o644),
    "mode 0600": lambda path: path.chmod(0o600),
    "mode 0777": lambda path: path.chmod(0o777),
    "mode 0755": lambda path: path.chmod(0o755),
    "owner": lambda path: os.chown(path, 12345, -1),
    "group": lambda path: os.chown(path, -1, 12345),
    "link": _swap_for_link,
    "foreign link": _swap_for_foreign_link,
    "more": _append,
    "empty": lambda path: path.write_bytes(b""),
    "other key": _other_key,
    "other certificate": lambda path: path.write_text(leaf("ec-key")),
    "removed": _remove,
    "pipe": _fifo,
    "folder": lambda path: path.mkdir(),
    "hidden": _leave_hidden,
    "foreign hidden": _leave_foreign,
}


@hypothesis.settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
@hypothesis.given(st.lists(st.tuples(st.sampled_from(_PATHS), st.sampled_from(sorted(_ACTS))), max_size=3))
def test_what_looks_the_same_is_unchanged_for_the_module(acts: list[tuple[str, str]]) -> None:
    same = _same_and_unchanged(acts)
    hypothesis.event(f"same: {same[0]}")
    assert same in [(True, False), (False, False), (False, True), (False, None)]


def _same_and_unchanged(acts: list[tuple[str, str]]) -> tuple[bool, bool | None]:
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        host = _Host(pathlib.Path(folder, "host"))
        assert host.install() is True
        for name, act in acts:
            # Acts that make no sense after others are left out.
            try:
                _ACTS[act](_where(host, name))
            except (OSError, IndexError):
                continue
        return host.looks_same(), host.install(check=True)


@pytest.mark.parametrize("act", sorted(_ACTS))
@pytest.mark.parametrize("path", _PATHS)
def test_each_act_alone(path: str, act: str) -> None:
    same, changed = _same_and_unchanged([(path, act)])
    assert not same or changed is False


def test_the_invariant_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that does not see modes is found out."""
    monkeypatch.setattr(_quick_look._Seen, "is_as", lambda *_args: True)
    assert _same_and_unchanged([("combined", "mode 0644")]) == (True, True)
    monkeypatch.undo()
    assert _same_and_unchanged([("combined", "mode 0644")]) == (False, True)


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
