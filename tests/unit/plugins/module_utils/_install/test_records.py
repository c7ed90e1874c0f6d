# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been proven of private keys is written down where nobody else may write."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
import subprocess
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._install import records
from ansible_collections.certfleet.collectssl.tests.support.installation import SmallHost, bundle, open_folder


def _records() -> dict[str, bytes]:
    folder = pathlib.Path(records.FOLDER)
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def _installed(tmp_path: pathlib.Path) -> SmallHost:
    host = SmallHost(tmp_path / "host")
    host.write_key("ec-a")
    host.install(**host.everything(content=bundle("ec-a")))
    return host


def test_a_record_is_what_sha256sum_checks(tmp_path: pathlib.Path) -> None:
    host = _installed(tmp_path)
    found = _records()
    assert len(found) == 2
    for text in found.values():
        subprocess.run(["sha256sum", "-c", "-"], input=text, check=True, stdout=subprocess.DEVNULL)
    key = f"{hashlib.sha256(host.key.read_bytes()).hexdigest()}  {host.key}\n".encode("ascii")
    assert found[records.name_of(str(host.key), bundle("ec-a", with_root=False)[: len(_leaf())])] == key
    folder = pathlib.Path(records.FOLDER)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())] == [0o700, 0o600, 0o600]
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o755


def _leaf() -> str:
    text = bundle("ec-a")
    return text[: text.index("-----BEGIN", 10)]


def test_what_a_file_is_not_any_more_is_not_on_record(tmp_path: pathlib.Path) -> None:
    host = _installed(tmp_path)
    host.install(**host.everything(content=bundle("ec-a", 1)))
    told = "".join(text.decode("ascii") for text in _records().values())
    # The key goes with two certificates; the combined file holds one.
    assert (told.count(f"{host.key}\n"), told.count(f"{host.combined}\n")) == (3, 1)
    host.write_key("ec-b")
    host.install(**host.everything(content=bundle("ec-b", 1)))
    told = "".join(text.decode("ascii") for text in _records().values())
    assert (told.count(f"{host.key}\n"), told.count(f"{host.combined}\n")) == (2, 1)


def test_what_a_killed_run_left_is_swept_up(tmp_path: pathlib.Path) -> None:
    folder = pathlib.Path(records.FOLDER)
    folder.mkdir(parents=True)
    left, another = folder / ("0" * 32), folder / ("1" * 32)
    for draft in (left, another):
        draft.write_bytes(b"half of a reco")
    os.utime(left, (1, 1))
    _installed(tmp_path)
    assert not left.exists()
    # Another run is about to finish that one.
    assert another.exists()
    another.unlink()
    assert sorted(len(name) for name in _records()) == [65, 65]


def test_check_mode_writes_none(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path / "host")
    host.write_key("ec-a")
    host.install(check=True, **host.everything(content=bundle("ec-a")))
    assert _records() == {}


def test_a_key_with_a_passphrase_is_not_on_record(tmp_path: pathlib.Path) -> None:
    host = SmallHost(tmp_path / "host")
    host.write_key("rsa-a", passphrase="secret")
    host.install(**host.everything(content=bundle("rsa-a"), privatekey_passphrase="secret"))
    assert _records() == {}


@pytest.mark.parametrize("spoilt", [lambda path: path.chmod(0o777), lambda path: os.chown(path, 65534, 65534)])
def test_a_folder_in_which_others_may_write_gets_no_record(
    spoilt: t.Callable[[pathlib.Path], None], tmp_path: pathlib.Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has others' folders")
    folder = pathlib.Path(records.FOLDER)
    folder.mkdir(parents=True)
    spoilt(folder)
    # A missing record is worth no failure.
    _installed(tmp_path)
    assert _records() == {}


def test_a_user_has_records_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_folder() as home, Places() as places:
        proof = records.Proof("/etc/x.key", "text", b"data")
        monkeypatch.setattr(records, "_folder", lambda: str(home / records.IN_HOME))
        records.leave(places, [proof])
        assert (home / records.IN_HOME / proof.name).read_bytes() == proof.record
