# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback point: what it keeps and puts back, whom it trusts, and what is left wherever it is killed or fails."""

from __future__ import annotations

import errno
import functools
import os
import pathlib
import shutil
import stat
import subprocess
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import rollback_point_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._rollback.point import RollbackPoint
from ansible_collections.certfleet.collectssl.tests.support.installation import (
    Meddler,
    SmallHost,
    bundle,
    calls_of,
    killed_at,
    leaf,
    module_arguments,
)

_ROOT = os.geteuid() == 0
State = dict[str, tuple[t.Any, ...]]


class _Files:
    """A key and a certificate that are there, and a file that is not yet; and a folder for rollback points."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.live = folder / "live"
        self.live.mkdir()
        self.points = folder / "points"
        self.key, self.certificate, self.other = (self.live / name for name in ("site.key", "site.pem", "other.pem"))
        self.paths = [str(self.certificate), str(self.key), str(self.other)]
        self.key.write_bytes(b"the old key")
        self.key.chmod(0o600)
        self.certificate.write_text(leaf("ec-old"), encoding="ascii")
        self.certificate.chmod(0o644)
        self.warnings: list[str] = []

    def change(self) -> None:
        """What a deployment does to them."""
        self.key.write_bytes(b"the new key, which is longer")
        self.certificate.write_text(leaf("ec-old", 1), encoding="ascii")
        self.certificate.chmod(0o600)
        self.other.write_text("new", encoding="ascii")

    def run(self, state: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        """Run the module."""
        arguments = {
            "_ansible_check_mode": check,
            "_ansible_no_log": True,
            "_ansible_tmpdir": str(self.folder),
            "name": "www",
            "directory": str(self.points),
            "paths": self.paths,
            "state": state,
            **options,
        }
        with module_arguments(arguments):
            module = basic.AnsibleModule(supports_check_mode=True, **rollback_point_spec().kwargs())
        module.warn = self.warnings.append  # type: ignore[assignment,method-assign]
        with Places() as places:
            point = RollbackPoint(module, places)
            return {"present": point.keep, "restored": point.restore, "absent": point.drop}[state]()

    def state(self, *folders: pathlib.Path) -> State:
        """Everything there is, with type, content, mode and owner."""
        found = {}
        for folder in folders or (self.live, self.points):
            for path in [folder, *folder.rglob("*")] if folder.exists() else []:
                status = path.lstat()
                what: t.Any = str(path.readlink()) if path.is_symlink() else None
                if stat.S_ISREG(status.st_mode):
                    what = path.read_bytes()
                found[str(path.relative_to(self.folder))] = (
                    stat.S_IFMT(status.st_mode),
                    what,
                    stat.S_IMODE(status.st_mode),
                    status.st_uid,
                    status.st_gid,
                )
        return found


@pytest.fixture(autouse=True)
def fixture_no_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Still counted as calls, but no test here takes the power away, and a disk takes its time."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def files(tmp_path: pathlib.Path) -> _Files:
    """Files, and no rollback point."""
    return _Files(tmp_path / "host")


def _changed(result: dict[str, t.Any]) -> dict[str, bool]:
    return {os.path.basename(file["path"]): file["changed"] for file in result["files"]}


def test_keep_and_put_back(files: _Files) -> None:
    """Content, mode and owner come back, and a file that was not there goes."""
    if _ROOT:
        os.chown(files.certificate, 12, 34)
    before = files.state(files.live)
    kept = files.run("present")
    assert (kept["changed"], kept["found"]) == (True, False)
    assert [file["existed"] for file in kept["files"]] == [True, True, False]
    assert [file["path"] for file in kept["files"]] == files.paths
    assert files.state(files.live) == before
    for folder in (files.points, files.points / "www"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    files.change()
    back = files.run("restored")
    assert (back["changed"], back["found"]) == (True, True)
    assert _changed(back) == {"site.key": True, "site.pem": True, "other.pem": True}
    assert files.state(files.live) == before

    again = files.run("restored")
    assert not again["changed"]
    assert set(_changed(again).values()) == {False}
    gone = files.run("absent")
    assert (gone["changed"], gone["found"]) == (True, True)
    assert not files.points.exists()
    assert files.run("absent")["changed"] is False
    assert files.run("restored") == {
        "changed": False,
        "found": False,
        "files": [],
        "fingerprint_sha256": None,
    }


def test_what_is_kept_first_stays(files: _Files) -> None:
    """A second run, after one that was killed, must not take what nobody proved for what worked."""
    before = files.state(files.live)
    files.run("present", paths=files.paths[:2])
    files.change()
    more = files.run("present")
    assert more["changed"]
    assert [file["existed"] for file in more["files"]] == [True, True, True]
    assert files.run("present")["changed"] is False
    files.run("restored")
    after = files.state(files.live)
    assert after.pop("live/other.pem")[1] == b"new"
    assert after == before


def test_fingerprint(files: _Files) -> None:
    """The one of the first certificate in the first file that holds one, as it was kept."""
    first = files.run("present")["fingerprint_sha256"]
    files.change()
    assert files.run("restored", check=True)["fingerprint_sha256"] == first
    other = files.run("present", name="later")["fingerprint_sha256"]
    assert first != other
    assert len(first) == len(other) == 32 * 3 - 1
    assert files.run("present", name="none", paths=files.paths[1:2])["fingerprint_sha256"] is None


def test_order_of_putting_back(files: _Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named first depends on the others, so it comes last."""
    files.run("present")
    files.change()
    order = []
    real = os.rename

    def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        if "/.collectssl" not in os.readlink(f"/proc/self/fd/{dst_dir_fd}"):
            order.append(target)
        real(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "rename", rename)
    files.run("restored")
    assert order == ["site.key", "site.pem"]


def test_links(files: _Files) -> None:
    """A link stays, and the file it points to is kept and put back."""
    link = files.live / "current.pem"
    link.symlink_to("site.pem")
    kept = files.run("present", paths=[str(link)])
    assert kept["files"][0]["path"] == str(files.certificate)
    files.change()
    files.run("restored", paths=[])
    assert link.is_symlink()
    assert link.read_text(encoding="ascii") == leaf("ec-old")


@pytest.mark.parametrize("state", ["present", "restored", "absent"])
def test_check_mode(files: _Files, state: str) -> None:
    """Nothing is touched, and the prediction is what a real run says."""
    if state != "present":
        files.run("present")
        files.change()
    before = files.state()
    predicted = files.run(state, check=True)
    assert files.state() == before
    assert predicted == files.run(state)
    assert predicted["changed"]


def test_interrupted_installation_is_undone_first(files: _Files, tmp_path: pathlib.Path) -> None:
    """What is kept is never a half-done state, and check mode knows."""
    host = SmallHost(tmp_path / "installed")
    host.write_key("ec-old")
    host.install(**host.everything(content=bundle("ec-old")))
    before = host.path.read_bytes()
    renewal = host.everything(content=bundle("ec-old", 1), mode="0640")
    for number in range(20, 200, 3):
        if not killed_at(number, functools.partial(host.install, **renewal)):
            pytest.fail("no kill left a new file under an old name")
        if host.path.read_bytes() != before and host.hidden():
            break
    given: dict[str, t.Any] = {"paths": [str(host.path)], "directory": str(tmp_path / "points")}
    predicted = files.run("present", check=True, **given)
    assert host.path.read_bytes() != before
    assert "a real run would first put its files back" in files.warnings.pop()
    assert files.run("present", **given) == predicted
    assert host.path.read_bytes() == before
    assert len(files.warnings) == 1
    assert str(host.path) in files.warnings[0]


_MISTAKES: dict[str, tuple[dict[str, t.Any], str]] = {
    "climbing name": ({"name": "../www"}, "name: '../www' cannot name a rollback point; use letters, digits"),
    "hidden name": ({"name": ".www"}, "name: '.www' cannot name a rollback point"),
    "no name": ({"name": ""}, "name: '' cannot name a rollback point"),
    "relative path": ({"paths": ["site.pem"]}, "paths: site.pem is a relative path; give an absolute one."),
    "relative folder": ({"directory": "points"}, "directory: points is a relative path; give an absolute one."),
    "nothing to keep": ({"paths": []}, "paths: name at least one file to keep."),
    "a folder": ({"paths": ["LIVE"]}, " is not a regular file, so it cannot be kept."),
    "a folder after a file": ({"paths": ["LIVE/site.pem", "LIVE"]}, " is not a regular file, so it cannot be kept."),
    "no folder for points": ({"directory": "LIVE/a/b"}, "/www could not be made: No such file or directory."),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("mistake", _MISTAKES)
def test_mistake(files: _Files, mistake: str, check: bool) -> None:
    """Named in one sentence, with nothing touched, and in check mode, too."""
    options, words = _MISTAKES[mistake]
    live = str(files.live)
    given: dict[str, t.Any] = {
        name: [one.replace("LIVE", live) for one in value] if isinstance(value, list) else value.replace("LIVE", live)
        for name, value in options.items()
    }
    before = files.state()
    with pytest.raises(InstallError) as caught:
        files.run("present", check, **given)
    assert words in str(caught.value)
    assert files.state() == before


def _damage_manifest(files: _Files) -> None:
    (files.points / "www/manifest.json").write_text("{", encoding="ascii")


def _lose_a_copy(files: _Files) -> None:
    for path in (files.points / "www").iterdir():
        if path.name != "manifest.json":
            path.unlink()


def _open_to_all(files: _Files) -> None:
    files.points.chmod(0o755)


def _of_somebody_else(files: _Files) -> None:
    os.chown(files.points / "www", 12345, 12345)


def _no_folder_any_more(files: _Files) -> None:
    for path in files.live.iterdir():
        path.unlink()
    files.live.rmdir()


def _folder_instead_of_a_file(files: _Files) -> None:
    files.certificate.unlink()
    files.certificate.mkdir()


def _another_copy_in_the_manifest(files: _Files) -> None:
    manifest = files.points / "www/manifest.json"
    manifest.write_text(manifest.read_text(encoding="ascii").replace("site.key", "site.kez"), encoding="ascii")


_DAMAGES: dict[str, tuple[t.Callable[[_Files], None], str]] = {
    "manifest": (_damage_manifest, "manifest.json cannot be read: "),
    "copy": (_lose_a_copy, " is damaged: there is no "),
    "another copy": (_another_copy_in_the_manifest, "it names another copy for "),
    "directory": (_folder_instead_of_a_file, "site.pem is a directory now, so it cannot be put back."),
    "mode": (_open_to_all, "points is not a folder of this user alone (mode 0700)"),
    "owner": (_of_somebody_else, "www is not a folder of this user alone (mode 0700)"),
    "folder": (_no_folder_any_more, "its directory does not exist any more. Nothing was changed."),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("damage", _DAMAGES)
def test_damage(files: _Files, damage: str, check: bool) -> None:
    """A point that is not what it was is not put back, and the message says why."""
    if damage == "owner" and not _ROOT:
        pytest.skip("only root can give a folder away")
    files.run("present")
    files.change()
    harm, words = _DAMAGES[damage]
    harm(files)
    before = files.state()
    with pytest.raises(InstallError) as caught:
        files.run("restored", check)
    assert words in str(caught.value)
    assert "Nothing was changed." in str(caught.value)
    assert files.state() == before


@pytest.mark.parametrize("harm", [_damage_manifest, _lose_a_copy])
def test_damaged_point_is_noticed_early_and_can_be_removed(files: _Files, harm: t.Callable[[_Files], None]) -> None:
    """It is of no use to find out when the files are to be put back; and it must not be in the way for ever."""
    files.run("present")
    harm(files)
    with pytest.raises(InstallError, match="is damaged: "):
        files.run("present")
    predicted = files.run("absent", check=True)
    assert files.run("absent") == predicted
    assert (predicted["changed"], predicted["found"], predicted["files"]) == (True, True, [])
    assert not files.points.exists()


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("work", ["present", "absent"])
def test_folder_of_something_else(files: _Files, work: str, check: bool) -> None:
    """Whoever mistypes a directory loses nothing that is in it."""
    folder = files.points / "www"
    (folder / "deeper").mkdir(parents=True)
    (folder / "precious.conf").write_text("mine", encoding="ascii")
    for path in (files.points, folder):
        path.chmod(0o700)
    before = files.state()
    with pytest.raises(InstallError, match=r"www holds deeper, which is of no rollback point\. Nothing was changed\."):
        files.run(work, check)
    assert files.state() == before


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("work", ["present", "absent"])
def test_folder_that_others_can_enter(files: _Files, work: str, check: bool) -> None:
    """Refused before anything is made or removed in it."""
    if work == "absent":
        files.run("present")
    files.points.mkdir(exist_ok=True)
    files.points.chmod(0o755)
    before = files.state()
    with pytest.raises(InstallError, match=r"points is not a folder of this user alone \(mode 0700\)"):
        files.run(work, check)
    assert files.state() == before


def test_empty_folder_of_others_stays(files: _Files) -> None:
    """The folder of all points goes with the last of them only if it is one."""
    files.points.mkdir(mode=0o755)
    files.points.chmod(0o755)
    assert not files.run("absent")["changed"]
    assert files.points.is_dir()


def test_writing_into_a_file_that_was_put_back_leaves_the_point_alone(files: _Files) -> None:
    """Both may be on one file system, where a second name would do for a copy, but not here."""
    before = files.state(files.live)
    files.run("present")
    for _attempt in range(2):
        files.change()
        files.run("restored")
        assert files.state(files.live) == before
        assert not [path for path in files.live.iterdir() if path.stat().st_nlink != 1]
    assert len(list((files.points / "www").iterdir())) == 3


def test_large_file(files: _Files) -> None:
    """A difference after megabytes is one."""
    large = bytes(3 << 20)
    files.key.write_bytes(large)
    files.run("present")
    files.key.write_bytes(large[:-1] + b"x")
    assert _changed(files.run("restored"))["site.key"]
    assert files.key.read_bytes() == large


def test_file_that_may_not_be_looked_at_is_not_missing(files: _Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be removed when the point is restored."""
    real = os.stat

    def look(path: t.Any, **options: t.Any) -> os.stat_result:
        if path == files.key.name and "dir_fd" in options:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises(InstallError, match=r"the folder \S+/live cannot be entered"):
        files.run("present")


def test_copies_that_a_killed_run_left_go(files: _Files) -> None:
    """A draft, and a copy that no manifest names: keys may be in them."""
    files.run("present", paths=files.paths[:1])
    strays = [files.points / "www" / name for name in ("manifest.draft", "0" * 32)]
    for work in ("present", "restored"):
        for stray in strays:
            stray.write_bytes(b"stray")
        assert files.run(work)["found"]
        assert not [stray for stray in strays if stray.exists()]


_WORK = ("present", "restored", "absent")


def _prepared(folder: pathlib.Path, work: str) -> _Files:
    """Files as they are before some work; in the same folder each time, as its name is in the rollback point."""
    shutil.rmtree(folder, ignore_errors=True)
    files = _Files(folder)
    if work != "present":
        files.run("present")
        files.change()
    return files


@pytest.mark.parametrize("work", _WORK)
def test_killed_anywhere(tmp_path: pathlib.Path, work: str) -> None:
    """After SIGKILL before any call to the file system, the next run ends as an undisturbed one does."""
    reference = _prepared(tmp_path, work)
    untouched = reference.state(reference.live)
    total = calls_of(functools.partial(reference.run, work))
    expected = reference.state()
    assert total > 5
    for number in range(1, total + 1):
        files = _prepared(tmp_path, work)
        assert killed_at(number, functools.partial(files.run, work)), number
        if work != "restored":
            live = files.state(files.live)
            assert {name: live[name] for name in live if ".collectssl" not in name} == untouched, number
        files.run(work)
        assert files.state() == expected, number
        assert not files.run(work)["changed"], number


def test_killed_while_it_is_made_there_is_no_point(tmp_path: pathlib.Path) -> None:
    """As long as the manifest is not there, nothing is put back, and a check run says so."""
    total = calls_of(functools.partial(_prepared(tmp_path, "present").run, "present"))
    found = []
    for number in range(1, total + 1):
        files = _prepared(tmp_path, "present")
        killed_at(number, functools.partial(files.run, "present"))
        files.change()
        changed = files.state(files.live)
        back = files.run("restored")
        found.append(back["found"])
        assert (files.state(files.live) == changed) is not back["found"], number
    assert found == sorted(found)
    assert set(found) == {False, True}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("work", _WORK)
def test_failing_anywhere(tmp_path: pathlib.Path, work: str, code: int) -> None:
    """A call that fails is one sentence with the cause; files are as before, and the next run goes through."""
    reference = _prepared(tmp_path, work)
    total = calls_of(functools.partial(reference.run, work))
    expected = reference.state()

    def fail(_name: str) -> None:
        raise OSError(code, os.strerror(code))

    for number in range(1, total + 1):
        files = _prepared(tmp_path, work)
        before = files.state(files.live)
        said = _said(functools.partial(files.run, work), number, fail)
        # Some calls have another way when they fail; all others end the run.
        if said is not None:
            assert os.strerror(code) in said, number
            rest = {name: what for name, what in files.state(files.live).items() if "/.collectssl-" not in name}
            undone = any(words in said for words in ("No file was changed.", "has been put back as it was."))
            assert rest == before or (work == "restored" and not undone), (number, said)
            assert "\n" not in said, number
            if work == "present" and not (files.points / "www/manifest.json").exists():
                assert not files.points.exists(), (number, said)
        files.run(work)
        assert files.state() == expected, number


def _said(work: t.Callable[[], t.Any], number: int, act: t.Callable[[str], None]) -> str | None:
    with Meddler(number, act).at_work():
        try:
            work()
        except InstallError as error:
            return str(error)
    return None


@pytest.mark.skipif(not _ROOT or not shutil.which("chattr"), reason="only root can make a file immutable")
def test_files_that_were_made_immutable_go_back(files: _Files) -> None:
    """The deployment set the flag, and the file from before had it, too."""
    before = files.certificate.read_bytes()
    files.run("present")
    files.change()
    frozen = [str(files.certificate), str(files.other)]
    if subprocess.run(["chattr", "+i", *frozen], check=False, capture_output=True).returncode != 0:
        pytest.skip("this file system knows no such flag")
    try:
        assert files.run("restored")["changed"]
        assert files.certificate.read_bytes() == before
        assert not files.other.exists()
        assert "i" in subprocess.check_output(["lsattr", frozen[0]], text=True).split()[0]
        assert not files.run("restored")["changed"]
    finally:
        subprocess.run(["chattr", "-R", "-i", str(files.live)], check=False)
