# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed, at every point at which it can be, and the run after it."""

from __future__ import annotations

import errno
import functools
import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Meddler,
    Options,
    SmallHost,
    bundle,
    calls_of,
    key_pem,
    killed_at,
)


def _renewal(host: SmallHost) -> Options:
    host.write_key("ec-old")
    host.install(**host.everything(content=bundle("ec-old"), mode="0400"))
    host.root.unlink()
    return host.everything(content=bundle("ec-old", 1), mode="0600", backup=True, validate="true")


def _fresh_key(host: SmallHost) -> Options:
    host.write_key("ec-old")
    host.install(**host.everything(content=bundle("ec-old")))
    host.write_key("ec-new", host.pending)
    return host.everything(
        content=bundle("ec-new", 1), pending_privatekey_path=str(host.pending), backup=True, validate="true"
    )


def _first_key(host: SmallHost) -> Options:
    host.write_key("ec-new", host.pending)
    return host.everything(content=bundle("ec-new"), pending_privatekey_path=str(host.pending))


def _unsafe(host: SmallHost) -> Options:
    return dict(_fresh_key(host), unsafe_writes=True)


def _in_place(host: SmallHost) -> Options:
    options = dict(_fresh_key(host), in_place=True, mode="0640")
    host.path.chmod(0o604)
    return options


_CASES = [
    (_renewal, "links"),
    (_fresh_key, "links"),
    (_fresh_key, "copies"),
    (_first_key, "links"),
    (_unsafe, "mounted"),
    (_in_place, "links"),
    (_in_place, "mounted"),
]


def _pretend(file_system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that know hard links, that don't, and one on which files cannot be replaced (bind mounts)."""
    if file_system != "links":

        def no_link(*_args: t.Any, **_kwargs: t.Any) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_link)
    if file_system == "mounted":
        rename = os.rename

        def busy(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
            path = f"{os.readlink(f'/proc/self/fd/{dst_dir_fd}')}/{target}"
            if "/.collectssl" not in path and os.path.lexists(path):
                raise OSError(errno.EBUSY, "Device or resource busy", source, None, target)
            rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

        monkeypatch.setattr(os, "rename", busy)


def _keys(host: SmallHost) -> set[bytes]:
    """The private keys that files other than the combined one hold, under their own protection."""
    found = set()
    for name, (_type, content, mode, _uid, _gid) in host.state().items():
        if isinstance(content, bytes) and b"PRIVATE KEY" in content:
            assert not mode & 0o037, name
            if b"CERTIFICATE" not in content:
                found.add(content)
    return found


def _outcome(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return dict(result, files=[dict(file, backup_file=None) for file in result["files"]])


@pytest.mark.parametrize(("scenario", "file_system"), _CASES)
def test_the_next_run_repairs_a_run_killed_anywhere(
    scenario: t.Callable[[SmallHost], Options],
    file_system: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _pretend(file_system, monkeypatch)
    reference = SmallHost(tmp_path / "reference")
    options = scenario(reference)
    before = _keys(reference)
    total = calls_of(lambda: reference.install(**options))
    expected = reference.state()
    assert reference.hidden() == []
    assert total > 20
    for number in range(1, total + 1):
        host = SmallHost(tmp_path / str(number))
        options = scenario(host)
        assert killed_at(number, functools.partial(host.install, **options)), number
        assert before <= _keys(host), number
        _the_next_run_repairs(host, options, expected, number)


def _the_next_run_repairs(host: SmallHost, options: Options, expected: dict[str, t.Any], number: t.Any) -> None:
    killed = host.state()
    predicted = host.install(check=True, **options)
    assert host.state() == killed, number
    result = host.install(**options)
    assert _outcome(predicted) == _outcome(result), number
    assert host.state() == expected, number
    again = host.install(**options)
    assert not again["changed"], number


def test_repairing_can_be_killed_too(tmp_path: pathlib.Path) -> None:
    reference = SmallHost(tmp_path / "reference")
    options = _fresh_key(reference)
    before = _keys(reference)
    total = calls_of(lambda: reference.install(**options))
    expected = reference.state()
    # In the second half of its calls a run swaps files: that is what repairing has to undo.
    for number in range(total // 2, total, 11):
        second = 1
        while True:
            host = SmallHost(tmp_path / f"{number}-{second}")
            options = _fresh_key(host)
            assert killed_at(number, functools.partial(host.install, **options))
            if not killed_at(second, functools.partial(host.install, **options)):
                break
            assert before <= _keys(host), (number, second)
            _the_next_run_repairs(host, options, expected, (number, second))
            second += 7


@pytest.mark.parametrize("scenario", [_fresh_key, _first_key])
def test_a_killed_run_is_undone_even_if_there_is_nothing_new_to_install(
    scenario: t.Callable[[SmallHost], Options], tmp_path: pathlib.Path
) -> None:
    reference = SmallHost(tmp_path / "reference")
    options = scenario(reference)
    before = reference.state()
    total = calls_of(lambda: reference.install(**options))
    after = reference.state()
    seen = set()
    for number in range(1, total + 1):
        host = SmallHost(tmp_path / str(number))
        options = scenario(host)
        killed_at(number, functools.partial(host.install, **options))
        # A certificate for a key that is not there: the run fails, and yet leaves no half-done state behind.
        with pytest.raises(InstallError):
            host.install(**dict(options, content=bundle("ec-foreign")))
        rest = {name: what for name, what in host.state().items() if "/.collectssl" not in name}
        assert rest in (before, after), number
        seen.add(rest == after)
    assert seen == {True, False}


def test_a_run_with_fewer_files_undoes_all_of_the_killed_one(tmp_path: pathlib.Path) -> None:
    reference = SmallHost(tmp_path / "reference")
    options = _fresh_key(reference)
    total = calls_of(lambda: reference.install(**options))
    for number in range(2, total + 1, 3):
        host = SmallHost(tmp_path / str(number))
        options = _fresh_key(host)
        before = host.state()
        killed_at(number, functools.partial(host.install, **options))
        host.install(content=bundle("ec-old", with_root=False), fullchain_path=str(host.fullchain))
        rest = {name: what for name, what in host.state().items() if "/.collectssl" not in name}
        if host.pending.exists():
            assert rest == before, number
        else:
            # The run was over but for sweeping up.
            assert host.key.read_bytes() == key_pem("ec-new"), number


def test_what_somebody_put_there_since_is_left_and_the_old_file_kept(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    options = _fresh_key(host)
    calls = Meddler()
    scratch = SmallHost(tmp_path / "scratch")
    scratch_options = _fresh_key(scratch)
    with calls.at_work():
        scratch.install(**scratch_options)
    # The last rename puts the certificate in its place, when the key is in its place already.
    last = max(number for number, name in enumerate(calls.names, 1) if name == "rename")
    assert killed_at(last, lambda: host.install(**options))
    assert host.key.read_bytes() == key_pem("ec-new")
    assert host.pending.exists()
    host.key.unlink()
    host.write_key("ec-by-hand")
    host.install(content=bundle("ec-by-hand"), **host.everything())
    assert host.key.read_bytes() == key_pem("ec-by-hand")
    assert {key_pem("ec-by-hand"), key_pem("ec-old"), key_pem("ec-new")} <= _keys(host)


def test_leftovers_of_a_name_too_long_for_ours(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path)
    long = host.certs / ("ü" * 120 + ".pem")
    options: Options = {"content": bundle("ec-old"), "path": str(long)}
    total = calls_of(lambda: host.install(**options))
    for number in range(1, total + 1):
        long.unlink()
        assert killed_at(number, lambda: host.install(**options))
        host.install(**options)
        assert host.hidden() == []
        assert long.exists()


def test_copies_keep_the_protection(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    source.chmod(0o640)

    def no_link(*_args: t.Any, **_kwargs: t.Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_link)
    with Places() as places:
        disk.duplicate(places.find("test", str(source)), places.find("test", str(tmp_path / "target")))
    assert (tmp_path / "target").stat().st_mode == source.stat().st_mode
    assert (tmp_path / "target").read_bytes() == b"x"
