# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode before the earlier tasks of a play have made the key or the folder: a warning, and what would be done."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.install import install
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Options,
    SmallHost,
    bundle,
    intermediate,
    key_pem,
    leaf,
)

_ALL = ["certificate", "chain", "fullchain", "root", "combined"]


class _Foreseen(t.NamedTuple):
    changed: list[str]
    warnings: list[str]
    diff: dict[str, dict[str, str]]


@pytest.fixture(name="host")
def fixture_host(tmp_path: pathlib.Path) -> SmallHost:
    """A host without any key."""
    return SmallHost(tmp_path)


def _foresee(host: SmallHost, options: Options, monkeypatch: pytest.MonkeyPatch) -> _Foreseen:
    module = host.module(True, **options)
    warnings: list[str] = []
    monkeypatch.setattr(module, "warn", warnings.append)
    before = host.state()
    result = install(module)
    assert host.state() == before
    changed = [file["role"] for file in result["files"] if file["changed"]]
    assert result["changed"] == bool(changed)
    return _Foreseen(changed, warnings, {entry["after_header"]: entry for entry in result["diff"]})


def test_a_key_that_is_not_there_yet(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    options = host.everything(content=bundle("ec-key"))
    foreseen = _foresee(host, options, monkeypatch)
    assert foreseen.changed == _ALL
    assert foreseen.warnings == [
        (
            f"privatekey_path: there is no file {host.key} yet. Check mode takes it that an earlier task of the play "
            "would have made it; whether the certificate belongs to it was not checked."
        )
    ]
    shown = foreseen.diff[str(host.combined)]["after"]
    assert shown == "# private key not shown; it is not there yet\n" + leaf("ec-key") + intermediate()
    with pytest.raises(InstallError, match=r"^privatekey_path: there is no file \S+/site.key\. No file was changed\.$"):
        host.install(**options)
    host.write_key("ec-key")
    result = host.install(**options)
    assert [file["role"] for file in result["files"] if file["changed"]] == foreseen.changed


def test_only_what_would_change_is_said_to(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are right already; the combined one cannot be, without a key."""
    options = host.everything(content=bundle("ec-key"))
    host.write_key("ec-key")
    host.install(**options)
    host.key.unlink()
    assert _foresee(host, options, monkeypatch).changed == ["combined"]
    without = {name: value for name, value in options.items() if name != "combined_path"}
    foreseen = _foresee(host, without, monkeypatch)
    assert foreseen.changed == []
    assert len(foreseen.warnings) == 1


def test_folders_that_are_not_there_yet(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    new = host.certs / "new" / "folder"
    options: Options = {
        "content": bundle("ec-key"),
        "path": str(new / "site.pem"),
        "combined_path": str(host.folder / "keys" / "site.pem"),
        "privatekey_path": str(host.folder / "keys" / "site.key"),
        "mode": "0640",
    }
    foreseen = _foresee(host, options, monkeypatch)
    assert foreseen.changed == ["certificate", "combined"]
    assert [warning.partition(": ")[0] for warning in foreseen.warnings] == ["privatekey_path", "path", "combined_path"]
    assert f"path: the directory {new} does not exist yet." in foreseen.warnings[1]
    with pytest.raises(InstallError, match=r"there is no file .* No file was changed\."):
        host.install(**options)
    with pytest.raises(InstallError, match=r"^path: the directory .* does not exist; create it first\. No file was"):
        host.install(content=bundle("ec-key"), path=options["path"])


def test_no_task_makes_a_folder_where_a_file_is(host: SmallHost) -> None:
    host.path.write_text("a file")
    with pytest.raises(InstallError, match=r"^path: \S+/site.pem is not a directory, so no file"):
        host.install(check=True, content=bundle("ec-key"), path=str(host.path / "a" / "b.pem"))


def _with_pending(host: SmallHost) -> Options:
    return host.everything(content=bundle("ec-next"), pending_privatekey_path=str(host.pending))


def test_the_pending_key_is_there_and_the_other_not_yet(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one of the certificate, so nothing is left to guess."""
    host.write_key("ec-next", host.pending)
    foreseen = _foresee(host, _with_pending(host), monkeypatch)
    assert foreseen.changed == [*_ALL, "privatekey"]
    assert foreseen.warnings == []


@pytest.mark.parametrize("pending", [key_pem("ec-other"), key_pem("ec-next", "unknown"), b"nonsense", None])
def test_no_key_is_there_that_fits(pending: bytes | None, host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    if pending:
        host.pending.write_bytes(pending)
    foreseen = _foresee(host, _with_pending(host), monkeypatch)
    assert foreseen.changed == _ALL
    assert [warning.partition(": ")[0] for warning in foreseen.warnings] == ["privatekey_path"]


def test_the_pending_key_is_not_there_yet(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write_key("ec-old")
    host.pending.parent.rmdir()
    options = _with_pending(host)
    foreseen = _foresee(host, options, monkeypatch)
    assert foreseen.changed == [*_ALL, "privatekey"]
    assert foreseen.warnings[0].startswith("The certificate does not belong to the private key in ")
    assert f"pending_privatekey_path: there is no file {host.pending} yet." in foreseen.warnings[0]
    assert "the directory" in foreseen.warnings[1]
    host.pending.parent.mkdir()
    host.write_key("ec-next", host.pending)
    result = host.install(**options)
    assert [file["role"] for file in result["files"] if file["changed"]] == foreseen.changed


def test_a_pending_key_that_is_not_needed_is_not_missed(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host.write_key("ec-next")
    assert _foresee(host, _with_pending(host), monkeypatch).warnings == []


def test_a_key_that_is_there_is_checked(host: SmallHost) -> None:
    host.write_key("ec-old")
    with pytest.raises(InstallError, match=r"does not belong to the private key .* No file was changed\.$"):
        host.install(check=True, **host.everything(content=bundle("ec-next")))


def test_what_else_stood_in_a_combined_file_stays_in_the_prediction(
    host: SmallHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.combined.write_text("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n")
    shown = _foresee(host, host.everything(content=bundle("ec-key")), monkeypatch).diff[str(host.combined)]
    assert shown["after"].endswith("# a block of DH PARAMETERS, not shown\n")
