# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything is touched: each clause of each rule decides once, with all else the same."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, permissions
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places, in_folder
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.requirements import require_possible
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

_ME, _OTHER, _MINE, _THEIRS = 4711, 4712, 5711, 5712
_File = tuple[int, int, int]
_OWN: _File = (_ME, _MINE, 0o640)
_FOREIGN: _File = (_OTHER, _MINE, 0o640)
_STRANGE: _File = (_ME, _THEIRS, 0o640)


@dataclasses.dataclass
class _Case:
    """What there is, and what is to be done; each field differs from what is possible in one thing."""

    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    present: _File | None = _OWN
    folder: _File = (_OTHER, 0, 0o40777)
    does: str = "write"
    origin: _File | None = _OWN
    within: bool = False
    backup: str | None = None
    settles: bool = False
    gone: bool = False
    names: int = 1
    settled: bool = True
    one_disk: bool = True
    mounted: bool = False
    read_only: bool = False
    access: bool = True
    protected: bytes = b"1\n"
    euid: int = _ME


class _Module:
    def __init__(self, params: dict[str, t.Any]) -> None:
        self.params = params


def _make(path: pathlib.Path, file: _File | None) -> None:
    if file is not None:
        path.write_bytes(b"old")
        os.chown(path, file[0], file[1])
        path.chmod(file[2])


def _outcome(case: _Case, base: pathlib.Path, patch: pytest.MonkeyPatch) -> str:
    """What it is refused with, or nothing."""
    (base / "folder").mkdir()
    (base / "rule").write_bytes(case.protected)
    file = base / "folder/file"
    _make(file, case.present)
    _make(base / "origin", case.origin)
    for number in range(1, case.names):
        os.link(file, base / f"name{number}")
    with Places() as known:
        place, origin = known.find("it", str(file)), known.find("it", str(base / "origin"))
        os.chown(base / "folder", case.folder[0], case.folder[1])
        (base / "folder").chmod(case.folder[2] & 0o7777)
        place.there.leads = place.there.only_ours = case.settled
        if not case.one_disk:
            place.there.key = (0, 0)
        step = Step(
            place,
            existed=case.present is not None,
            content=b"new" if case.does == "write" else None,
            origin=origin if case.does == "move" else None,
            backup=None if case.backup is None else str(base / "folder" / case.backup),
            origin_within=disk.Protection(0o600, 0, 0, ()) if case.within else None,
        )
        patch.setattr(permissions, "_PROTECTED_LINKS", str(base / "rule"))
        patch.setattr(os, "geteuid", lambda: case.euid)
        patch.setattr(os, "getegid", lambda: _MINE)
        patch.setattr(os, "getgroups", list)
        patch.setattr(os, "access", lambda dummy, how: case.access)
        patch.setattr(disk, "is_mounted", lambda path: case.mounted and path == str(file))
        patch.setattr(permissions, "is_read_only", lambda path: case.read_only and path == str(file))
        source = None if case.present is None and not case.gone else in_folder(place.there, "file")
        try:
            require_possible(_Module(case.options), "It", step, source, case.settles)
        except InstallError as exc:
            return str(exc)
        finally:
            patch.undo()
        return ""


_OPEN: dict[str, t.Any] = {"in_place": True}
_UNSAFE: dict[str, t.Any] = {"unsafe_writes": True}
_STICKY: _File = (_OTHER, 0, 0o1777)
_OF_THEIRS: _File = (_OTHER, _THEIRS, 0o2777)
_MOUNT = "is bind-mounted by itself, "
_MOVE = "cannot move it to .*/file without making it a file of their own. Run the task with become"
_LONG = "n" * 256

_CASES = [
    (_Case(), ""),
    (_Case(present=None), ""),
    (_Case(does="remove"), ""),
    (_Case(does="move"), ""),
    (_Case(does="move", present=None), ""),
    # A file that is mounted.
    (_Case(mounted=True, does="remove"), _MOUNT + "so it cannot be moved away"),
    (_Case(mounted=True, does="remove", options=_OPEN), _MOUNT + "so it cannot be moved away"),
    (_Case(mounted=True), _MOUNT + "so no other file can take its place. Give in_place: true"),
    (_Case(mounted=True, options=_OPEN), ""),
    (_Case(mounted=True, options=_UNSAFE), ""),
    (_Case(mounted=True, read_only=True, options=_OPEN), _MOUNT + "and read-only"),
    (_Case(mounted=True, read_only=True, options=_UNSAFE, euid=0), _MOUNT + "and read-only"),
    (_Case(mounted=True, present=None), ""),
    (_Case(read_only=True), ""),
    # Names.
    (_Case(backup="short"), ""),
    (_Case(backup=_LONG), "the name of a backup of .*/file, with the time in it, would be longer"),
    (_Case(names=2, settled=False, options=_OPEN), "has other names as well"),
    (_Case(names=2, settled=False, options=_OPEN, euid=0), "has other names as well"),
    (_Case(names=2, settled=False, options=_OPEN, does="move"), "has other names as well"),
    (_Case(names=2, settled=True, options=_OPEN), ""),
    (_Case(names=1, settled=False, options=_OPEN), ""),
    (_Case(names=2, settled=False), ""),
    (_Case(names=2, settled=False, options=_OPEN, does="remove"), ""),
    # Folders with the sticky bit.
    (_Case(folder=_STICKY, present=_FOREIGN), f"belongs to {_OTHER}, and the sticky bit of its folder keeps"),
    (_Case(folder=_STICKY, present=_FOREIGN, does="remove"), "the sticky bit of its folder keeps"),
    (_Case(folder=_STICKY, present=_FOREIGN, does="remove", options=_OPEN), "the sticky bit of its folder keeps"),
    (_Case(folder=_STICKY, present=_FOREIGN, does="remove", euid=0), ""),
    (_Case(folder=_STICKY, present=_FOREIGN, options=_OPEN), ""),
    (_Case(folder=_STICKY), ""),
    (_Case(folder=_STICKY, present=None), ""),
    (_Case(present=_FOREIGN, does="remove"), ""),
    # Writing into a file.
    (_Case(options=_OPEN, access=False), r"may not write into .*/file \(in_place\)"),
    (_Case(options=_OPEN, access=False, euid=0), ""),
    (_Case(access=False), ""),
    (_Case(options=_OPEN, settles=True), ""),
    (
        _Case(options=_OPEN, settles=True, present=_FOREIGN),
        f"belongs to {_OTHER}, so .* cannot change its owner, group",
    ),
    (_Case(options=_OPEN, settles=False, present=_FOREIGN), ""),
    (_Case(options={**_OPEN, "owner": str(_OTHER)}), rf"cannot give .*/file to {_OTHER} \(owner\)"),
    (_Case(options={**_OPEN, "owner": str(_OTHER)}, present=_FOREIGN), ""),
    (_Case(options={**_OPEN, "owner": str(_ME)}), ""),
    (_Case(options={**_OPEN, "group": str(_THEIRS)}), rf"not in the group {_THEIRS}, cannot give .*/file to it"),
    (_Case(options={**_OPEN, "group": str(_THEIRS)}, present=_STRANGE), ""),
    (_Case(options={**_OPEN, "group": str(_MINE)}, present=_STRANGE), ""),
    (_Case(options={**_OPEN, "group": str(_THEIRS)}, folder=_OF_THEIRS), ""),
    # Whose a new file is.
    (_Case(options={"owner": str(_OTHER)}), rf"cannot give .*/file to {_OTHER} \(owner\)"),
    (_Case(options={"owner": str(_OTHER)}, present=_FOREIGN), rf"cannot give .*/file to {_OTHER} \(owner\)"),
    (_Case(options={"owner": str(_OTHER)}, present=None), rf"cannot give .*/file to {_OTHER} \(owner\)"),
    (_Case(options={"owner": str(_OTHER)}, euid=0), ""),
    (_Case(options={"owner": str(_OTHER)}, does="move"), ""),
    (_Case(options={"group": str(_THEIRS)}), rf"not in the group {_THEIRS}, cannot give .*/file to it \(group\)"),
    (_Case(options={"group": str(_THEIRS)}, present=_STRANGE), rf"not in the group {_THEIRS}, cannot give"),
    (_Case(options={"group": str(_THEIRS)}, present=None), rf"not in the group {_THEIRS}, cannot give"),
    (_Case(options={"group": str(_THEIRS)}, folder=_OF_THEIRS), ""),
    (_Case(present=_FOREIGN), f"belongs to {_OTHER}, and .*or give owner: {_ME} if"),
    (_Case(present=_FOREIGN, euid=0), ""),
    (_Case(present=_FOREIGN, options={"owner": str(_ME)}), ""),
    (_Case(present=_STRANGE), f"is of the group {_THEIRS}, and .*or give group: {_MINE} if"),
    (_Case(present=_STRANGE, options={"group": str(_MINE)}), ""),
    (_Case(present=_STRANGE, folder=_OF_THEIRS), ""),
    (_Case(present=(_ME, _THEIRS, 0o2650), folder=_OF_THEIRS), f"has the set-group-ID bit for the group {_THEIRS}"),
    (_Case(present=(_ME, _MINE, 0o2650)), ""),
    (_Case(present=(_ME, _THEIRS, 0o2650), options={"group": str(_MINE)}), ""),
    # What is moved.
    (_Case(does="move", origin=None), ""),
    (_Case(does="move", origin=_FOREIGN), ""),
    (_Case(does="move", origin=_FOREIGN, access=False), f"/origin belongs to {_OTHER}:{_MINE}, and .*{_MOVE}"),
    (_Case(does="move", origin=_FOREIGN, access=False, euid=0), ""),
    (_Case(does="move", origin=_FOREIGN, access=False, protected=b"0\n"), ""),
    (_Case(does="move", origin=_FOREIGN, one_disk=False), _MOVE),
    (_Case(does="move", origin=_FOREIGN, within=True), _MOVE),
    (_Case(does="move", origin=_FOREIGN, present=None, options=_UNSAFE), _MOVE),
    (_Case(does="move", origin=_FOREIGN, options=_OPEN), _MOVE),
    (_Case(does="move", origin=_FOREIGN, options=_OPEN, present=None), ""),
    (_Case(does="move", origin=_STRANGE, within=True), _MOVE),
    (_Case(does="move", origin=_STRANGE, within=True, folder=_OF_THEIRS), ""),
    (_Case(does="move", within=True), ""),
    (_Case(does="move", options=_OPEN), ""),
    (_Case(does="move", options=_OPEN, present=_FOREIGN), f"belongs to {_OTHER}, so .* the owner, group and mode of"),
    (_Case(does="move", present=_FOREIGN), ""),
    # The way back.
    (_Case(present=_FOREIGN, does="remove", options=_UNSAFE), "cannot keep a copy .* or leave unsafe_writes out"),
    (_Case(present=_STRANGE, does="remove", options=_UNSAFE), "cannot keep a copy .* or leave unsafe_writes out"),
    (_Case(present=_OWN, does="remove", options=_UNSAFE), ""),
    (_Case(present=None, options=_UNSAFE), ""),
    (_Case(present=None, gone=True, options=_UNSAFE), ""),
    (_Case(present=_FOREIGN, options={**_UNSAFE, **_OPEN}), ""),
    (_Case(present=_FOREIGN, options={**_UNSAFE, **_OPEN}, backup="kept"), "cannot make a backup that does, too"),
    (_Case(present=_FOREIGN, options=_OPEN, backup="kept"), "cannot make a backup that does, too"),
    (_Case(present=_FOREIGN, does="remove", backup="kept"), ""),
    (
        _Case(present=_FOREIGN, does="remove", backup="kept", access=False),
        "cannot make a backup that does, too. .*or leave backup out",
    ),
    (_Case(present=_OWN, does="remove", backup="kept", access=False), ""),
    (_Case(present=_FOREIGN, does="remove", access=False), ""),
]


@pytest.mark.parametrize(("case", "told"), _CASES)
def test_what_this_user_cannot_do_is_refused(
    case: _Case, told: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = _outcome(case, tmp_path, monkeypatch)
    if told:
        assert re.search(f"^It: .*{told}", outcome), outcome
    else:
        assert outcome == ""


def test_a_refusal_ends_with_a_sentence(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _outcome(_Case(mounted=True, does="remove"), tmp_path, monkeypatch).endswith("be moved away.")
