# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that fail, hang, print without an end, or leave a daemon behind."""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils import _commands
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

_SURROUNDINGS = {"PATH": os.environ["PATH"], "COLLECTSSL_LOGIN_PASSWORD": "horse", "LC_ALL": "C", "http_proxy": "x"}
_LONG = 600.0


def _run(script: str, seconds: float = _LONG, **variables: str) -> _commands.Ended:
    return _commands.run(["sh", "-c", script], seconds, _commands.environment(variables, _SURROUNDINGS))


def _wait_until(true: t.Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "rc", "how"),
    [
        ("echo fine", 0, ""),
        ("echo some; echo 'no such directive.' >&2; exit 3", 3, "failed with exit status 3: no such directive"),
        ("printf 'a\\nb\\nc\\n\\nd.\\n' >&2; exit 1", 1, "failed with exit status 1: b; c; d"),
        ("echo only here; exit 1", 1, "failed with exit status 1: only here"),
        ("exit 4", 4, "failed with exit status 4"),
        ("kill -9 $$", -9, "was ended by signal 9"),
        ("printf '\\033[31mred\\033[0m' >&2; exit 1", 1, "failed with exit status 1: red"),
    ],
)
def test_how_a_command_ends(script: str, rc: int, how: str) -> None:
    ended = _run(script)
    assert ended.rc == rc
    assert ended.well == (rc == 0)
    assert rc == 0 or ended.how == how


def test_a_private_key_that_it_prints_is_told_to_nobody() -> None:
    ended = _run(
        "printf -- '-----BEGIN PRIVATE KEY-----\\nSECRET\\n-----END PRIVATE KEY-----\\nno good\\n' >&2; exit 2"
    )
    assert ended.how == "failed with exit status 2: [PRIVATE KEY]; no good"
    assert "SECRET" not in str(ended.details)
    # What reads it has all of it.
    assert "SECRET" in ended.stderr


def test_it_gets_little_of_its_surroundings_and_nothing_to_read() -> None:
    assert _run("cat").stdout == ""
    told = _run("env", CERTFLEET_NAME="www").stdout
    assert "CERTFLEET_NAME=www\n" in told
    assert "LC_ALL=C\n" in told
    assert "horse" not in told
    assert "http_proxy" not in told


def test_a_command_that_hangs_is_ended_with_all_its_children(tmp_path: pathlib.Path) -> None:
    children = tmp_path / "children"
    # The one ends when it is asked to, the other does not hear.
    script = f"(trap '' TERM; echo $$ > {children}; while :; do sleep 600; done) & wait"
    ended = _run(script, 0.2)
    assert ended.rc is None
    assert not ended.well
    assert ended.how == "did not come to its end in time, and was ended"
    assert not _lives(int(children.read_text()))


def _lives(number: int) -> bool:
    try:
        stat = pathlib.Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_one_that_does_not_hear_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_commands, "_PARTING", 0.2)
    assert _run("trap '' TERM; while :; do sleep 0.01; done", 0.2).rc is None


def test_one_that_prints_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_commands, "_MOST", 1 << 16)
    ended = _run("yes")
    assert ended.rc is None
    assert len(ended.stdout) <= _commands._KEPT


def test_what_is_kept_is_the_end() -> None:
    ended = _run(f'{sys.executable} -c \'print("x" * 200000); print("the end")\'')
    assert ended.stdout.endswith("x\nthe end\n")
    assert len(ended.stdout) <= _commands._KEPT


def test_a_daemon_keeps_nobody_waiting_and_lives_on(tmp_path: pathlib.Path) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    daemon = f"while ! test -e {go}; do sleep 0.01; done; echo more && echo lives > {done}"
    ended = _run(f"echo started; ({daemon}) &")
    assert (ended.rc, ended.stdout) == (0, "started\n")
    # It may write on to what it inherited.
    go.touch()
    _wait_until(done.exists)


def test_a_command_runs_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> t.Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert _run("echo lost; exit 2") == _commands.Ended(2, "", "")


def test_words() -> None:
    assert _commands.words("validate", "nginx -t -c 'a b'") == ["nginx", "-t", "-c", "a b"]
    for wrong in ("", "  ", "nginx 'a"):
        with pytest.raises(InstallError, match="validate: "):
            _commands.words("validate", wrong)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        (None, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        # That of an ordinary user, which su keeps, and one with the folder that one is in by chance.
        ("/usr/bin:/bin", "/usr/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin"),
        ("/opt/bin::/bin", "/opt/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin"),
    ],
)
def test_programs_of_the_administrator_are_found(path: str | None, seen: str) -> None:
    surroundings = {} if path is None else {"PATH": path}
    assert _commands.environment({}, surroundings)["PATH"] == seen
