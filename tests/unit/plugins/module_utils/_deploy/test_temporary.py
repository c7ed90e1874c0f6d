# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporary folder of work that nobody may disturb, and that leaves nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import pathlib
import signal
import tempfile
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import temporary


@pytest.fixture(name="above", autouse=True)
def fixture_above(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _left_by_one_that_was_killed(above: pathlib.Path) -> pathlib.Path:
    child = os.fork()
    if child == 0:
        with temporary.folder() as path:
            pathlib.Path(path, "key").write_text("secret", encoding="ascii")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = above.iterdir()
    return left


def test_it_is_gone_in_the_end(above: pathlib.Path) -> None:
    with temporary.folder() as path:
        assert pathlib.Path(path).parent == above
        assert os.stat(path).st_mode & 0o777 == 0o700
        pathlib.Path(path, "key").touch()
    assert list(above.iterdir()) == []


def test_what_a_killed_run_left_goes_with_the_next_one(above: pathlib.Path) -> None:
    left = _left_by_one_that_was_killed(above)
    with temporary.folder() as path:
        assert not left.exists()
        assert pathlib.Path(path).exists()


def test_what_is_in_use_stays(above: pathlib.Path) -> None:
    with temporary.folder() as one:
        with temporary.folder() as other:
            assert one != other
        assert pathlib.Path(one).exists()


def test_what_is_not_of_this_user_stays(above: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = _left_by_one_that_was_killed(above)
    (above / "ansible-certfleet-link").symlink_to(above)
    (above / "ansible-certfleet-file").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with temporary.folder():
        pass
    assert left.exists()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(above))
    with temporary.folder():
        pass
    assert sorted(path.name for path in above.iterdir()) == ["ansible-certfleet-file", "ansible-certfleet-link"]


def test_a_file_system_without_locks(above: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = _left_by_one_that_was_killed(above)

    def refuse(*_arguments: t.Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with temporary.folder() as path:
        assert pathlib.Path(path).exists()
    # It may be in use.
    assert left.exists()


def test_one_that_another_run_removed_before_it_was_held(above: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tempfile.mkdtemp
    taken: list[str] = []

    def robbed(**options: t.Any) -> str:
        path = made(**options)
        if not taken:
            taken.append(path)
            os.rmdir(path)
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", robbed)
    with temporary.folder() as path:
        assert path != taken[0]
        assert pathlib.Path(path).exists()


def test_no_descriptor_is_left_open(above: pathlib.Path) -> None:
    _left_by_one_that_was_killed(above)
    with temporary.folder():
        pass
    before = os.listdir("/proc/self/fd")
    with temporary.folder() as path:
        # Another run finds it in use.
        with temporary.folder():
            pass
        assert pathlib.Path(path).name.startswith("ansible-certfleet-")
    assert os.listdir("/proc/self/fd") == before
