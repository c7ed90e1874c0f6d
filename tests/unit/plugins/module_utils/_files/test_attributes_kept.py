# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group, mode and flags as options ask for them, of files that are there, are new, or are to be written into."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import platform
import stat
import struct
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import attributes as _attributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Place, Places, in_folder
from ansible_collections.certfleet.collectssl.tests.support.installation import module_arguments

_OTHER = 4712

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class _Desk:
    """A folder with a file, and a module with options."""

    def __init__(self, folder: pathlib.Path, known: Places) -> None:
        self.folder = folder
        self._known = known
        (folder / "tmp").mkdir()
        self.file = folder / "file"
        self.file.write_bytes(b"data")
        self.file.chmod(0o640)
        self.module: AnsibleModule

    def place(self, name: str = "file") -> Place:
        found = self._known.folder("it", str(self.folder))
        assert found is not None
        return in_folder(found, name)

    def of(self, **options: t.Any) -> FileAttributes:
        arguments = {"_ansible_no_log": True, "_ansible_tmpdir": str(self.folder / "tmp"), **options}
        with module_arguments(arguments):
            self.module = AnsibleModule({}, add_file_common_args=True, supports_check_mode=True)
        return FileAttributes(self.module)

    def status(self, name: str = "file") -> tuple[int, int, int]:
        found = (self.folder / name).stat()
        return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.fixture(name="desk")
def fixture_desk(tmp_path: pathlib.Path) -> t.Iterator[_Desk]:
    with Places() as known:
        yield _Desk(tmp_path, known)


# --- flags --------------------------------------------------------------------------------------------------------

# From linux/fs.h.
_LETTERS = {
    "s": 1 << 0, "u": 1 << 1, "c": 1 << 2, "S": 1 << 3, "i": 1 << 4, "a": 1 << 5, "d": 1 << 6, "A": 1 << 7,
    "j": 1 << 14, "t": 1 << 15, "D": 1 << 16, "T": 1 << 17, "e": 1 << 19, "C": 1 << 23, "x": 1 << 25, "P": 1 << 29,
    "F": 1 << 30,
}  # fmt: skip
_EXTENTS, _SYSTEM = 1 << 19, 1 << 12


class _Flags:
    """The flags of all files, for a file system that has none."""

    def __init__(self, patch: pytest.MonkeyPatch, bits: int = 0) -> None:
        self.bits = bits
        self.given: list[int] = []
        self.refusal: int | None = None
        patch.setattr(fcntl, "ioctl", self._ioctl)

    def _ioctl(self, descriptor: int, request: int, value: bytes) -> bytes:
        assert stat.S_ISREG(os.fstat(descriptor).st_mode)
        if self.refusal is not None:
            raise OSError(self.refusal, os.strerror(self.refusal))
        if request & 0xFF == 2:
            self.bits = struct.unpack("i", value)[0]
            self.given.append(self.bits)
        else:
            assert value == struct.pack("i", 0)
        return struct.pack("i", self.bits)


@pytest.fixture(name="flags")
def fixture_flags(monkeypatch: pytest.MonkeyPatch) -> _Flags:
    return _Flags(monkeypatch)


def test_the_numbers_of_the_requests() -> None:
    if platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("they are others there")
    assert (_attributes._GET_FLAGS, _attributes._SET_FLAGS) == (0x80086601, 0x40086602)


def test_flags_are_of_linux_alone(flags: _Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "freebsd14")
    with pytest.raises(OSError, match="supported") as caught:
        _attributes.flag_bits(0)
    assert caught.value.errno == errno.ENOTSUP


def _finished(desk: _Desk, wanted: str | None) -> None:
    attributes = desk.of(**({} if wanted is None else {"attributes": wanted}))
    with disk.opened(desk.place()) as descriptor:
        attributes.finish(descriptor, "/a/file")


@pytest.mark.parametrize(
    ("wanted", "before", "given"),
    [
        *(("+" + letter, 0, [bit]) for letter, bit in _LETTERS.items()),
        ("+i", _EXTENTS, [_EXTENTS | 0x10]),
        ("+i", 0x10, []),
        ("-i", _EXTENTS | 0x10, [_EXTENTS]),
        ("-ia", _EXTENTS | 0x30, [_EXTENTS]),
        ("-i", _EXTENTS, []),
        ("=i", _EXTENTS | 0x20, [0x10]),
        ("i", _EXTENTS | _SYSTEM, [_SYSTEM | 0x10]),
        ("=", _SYSTEM | 0x10, [_SYSTEM]),
        ("=i", 0x10, []),
        (None, 0x10, []),
    ],
)
def test_flags_that_options_ask_for(
    wanted: str | None, before: int, given: list[int], desk: _Desk, flags: _Flags
) -> None:
    flags.bits = before
    _finished(desk, wanted)
    assert flags.given == given


def test_flags_that_cannot_be_given(desk: _Desk, flags: _Flags) -> None:
    with pytest.raises(InstallError, match=r"^/a/file: attributes: there is no flag Q\.$"):
        _finished(desk, "+iQ")
    assert flags.given == []
    flags.refusal = errno.ENOSPC
    with pytest.raises(InstallError, match=r"^/a/file: chattr failed: No space .*\. Make some room"):
        _finished(desk, "+i")


@pytest.mark.parametrize(
    ("bits", "letters"),
    [(0, ""), (0x10, "i"), (0x20, "a"), (0x30, "ia"), (0xFFFFF & ~0x30, ""), (_EXTENTS | 0x10, "i")],
)
def test_flags_that_keep_a_file_in_its_place(bits: int, letters: str, desk: _Desk, flags: _Flags) -> None:
    flags.bits = bits
    assert desk.of(attributes="+i").flags(desk.place()) == letters
    # A task that could set them, and does not, meets none of its own.
    assert desk.of().flags(desk.place()) == ""
    desk.module.params.pop("attributes")
    assert FileAttributes(desk.module).flags(desk.place()) == letters
    flags.refusal = errno.ENOTTY
    assert desk.of(attributes="+i").flags(desk.place()) == ""


def test_flags_are_put_back(desk: _Desk, flags: _Flags) -> None:
    flags.bits = _EXTENTS | 0x30
    for letters, bits in (("", 0), ("i", 0x10), ("a", 0x20), ("ia", 0x30)):
        _attributes.put_flags(desk.place(), letters)
        assert flags.bits == _EXTENTS | bits
    flags.refusal = errno.EIO
    with pytest.raises(InstallError, match=rf"^The flags of {desk.file} \(see lsattr\) could not be set: "):
        _attributes.put_flags(desk.place(), "")


# --- what is not as wanted ----------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize(
    ("options", "secret", "before", "after"),
    [
        ({}, False, {}, {}),
        ({"mode": "0640"}, False, {}, {}),
        ({"mode": "0600"}, False, {"mode": "0640"}, {"mode": "0600"}),
        ({}, True, {"mode": "0640"}, {"mode": "0600"}),
        ({"mode": "0640"}, True, {}, {}),
        ({"owner": str(_OTHER)}, False, {"owner": 0}, {"owner": _OTHER}),
        ({"group": str(_OTHER)}, False, {"group": 0}, {"group": _OTHER}),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_not_as_wanted_is_told_and_left(
    options: dict[str, str], secret: bool, before: dict[str, t.Any], after: dict[str, t.Any], check: bool, desk: _Desk
) -> None:
    attributes = desk.of(**options, _ansible_check_mode=check, _ansible_diff=True)
    drift = attributes.drift(desk.place("elsewhere"), desk.place(), secret)
    assert {name: dict(values) for name, values in drift.items()} in (
        {"before": {**before, "path": str(desk.file)}, "after": {**after, "path": str(desk.file)}},
        {"before": before, "after": after} if before else {},
    )
    assert bool(drift) == bool(before)
    assert desk.module.check_mode is check
    assert "fail_json" not in vars(desk.module)
    assert desk.status() == (0, 0, 0o640)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"owner": "nobody-of-that-name"}, "failed to look up user nobody-of-that-name"),
        ({"group": "nobody-of-that-name"}, "failed to look up group nobody-of-that-name"),
        ({"mode": "u=q"}, "mode must be in octal or symbolic form: bad symbolic permission for mode: u=q"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_options_that_nothing_can_come_of(options: dict[str, str], told: str, there: bool, desk: _Desk) -> None:
    attributes = desk.of(**options)
    place = desk.place("elsewhere")
    with pytest.raises(InstallError, match=rf"^{place.path}: .*{told}.*\.$") as caught:
        attributes.drift(place, desk.place() if there else None, False)
    # The file that the module worked on is nobody's business.
    assert str(desk.file) not in str(caught.value)
    assert "/tmp/" not in str(caught.value).replace(place.path, "")
    assert desk.module.check_mode is False
    assert "fail_json" not in vars(desk.module)
    assert os.listdir(desk.folder / "tmp") == []


def test_options_are_tried_once_and_only_where_there_are_any(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    real = disk.scratch

    @contextlib.contextmanager
    def scratch(directory: str, data: bytes) -> t.Iterator[str]:
        tried.append(directory)
        with real(directory, data) as path:
            yield path

    monkeypatch.setattr(disk, "scratch", scratch)
    for options, times in (({}, 0), ({"mode": "0600"}, 1), ({"owner": "0"}, 1), ({"group": "0"}, 1)):
        del tried[:]
        attributes = desk.of(**options, attributes="+i")
        for _time in range(2):
            assert attributes.drift(desk.place("elsewhere"), None, False) == {}
        assert tried == [str(desk.folder / "tmp")] * times


def _failing(desk: _Desk, patch: pytest.MonkeyPatch, fail: t.Callable[[], t.Any]) -> str:
    attributes = desk.of(mode="0600")
    patch.setattr(desk.module, "set_fs_attributes_if_different", lambda *dummy, **named: fail())
    place = desk.place("elsewhere")
    with pytest.raises(InstallError) as caught:
        attributes.drift(place, desk.place(), False)
    return str(caught.value).replace(place.path, "IT")


def test_how_failures_of_the_module_are_told(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def raised() -> None:
        raise OSError(errno.ENOSPC, "No room", str(desk.file))

    def told() -> None:
        try:
            raised()
        except OSError:
            desk.module.fail_json("chmod failed: [Errno 28] No room")

    def said(**details: t.Any) -> str:
        return _failing(desk, monkeypatch, lambda: desk.module.fail_json(f"bad {desk.file}", **details))

    room = "Make some room there and run again."
    assert _failing(desk, monkeypatch, raised) == f"The attributes of IT could not be set: No room. {room}"
    assert _failing(desk, monkeypatch, told) == f"IT: chmod failed: No room. {room}"
    assert said() == "IT: bad IT."
    assert said(details=" why ") == "IT: bad IT: why."
    assert said(details="two\nlines") == "IT: bad IT."
    assert said(details=None) == "IT: bad IT."


# --- what is given ------------------------------------------------------------------------------------------------


def _prepared(desk: _Desk, attributes: FileAttributes, existing: bool, secret: bool) -> tuple[int, int, int]:
    descriptor = disk.create(desk.place("new"), b"new")
    try:
        attributes.prepare_staged(descriptor, desk.place(), existing, secret)
    finally:
        os.close(descriptor)
    return desk.status("new")


@as_root
@pytest.mark.parametrize(
    ("options", "existing", "secret", "mask", "given"),
    [
        ({}, False, False, 0o022, (0, 0, 0o644)),
        ({}, False, False, 0o000, (0, 0, 0o644)),
        ({}, False, False, 0o027, (0, 0, 0o640)),
        ({}, False, True, 0o022, (0, 0, 0o600)),
        ({"mode": "0644"}, False, True, 0o022, (0, 0, 0o644)),
        ({"mode": "u=rw,g=r"}, False, False, 0o077, (0, 0, 0o640)),
        ({"owner": str(_OTHER), "mode": "0400"}, False, False, 0o022, (_OTHER, 0, 0o400)),
        ({}, True, False, 0o022, (_OTHER, _OTHER, 0o640)),
        ({}, True, True, 0o022, (_OTHER, _OTHER, 0o600)),
        ({"owner": "0"}, True, False, 0o022, (0, _OTHER, 0o640)),
        ({"group": "0"}, True, False, 0o022, (_OTHER, 0, 0o640)),
        ({"mode": "g-r"}, True, False, 0o022, (_OTHER, _OTHER, 0o600)),
    ],
)
def test_what_a_new_file_is_given(
    options: dict[str, str], existing: bool, secret: bool, mask: int, given: tuple[int, int, int], desk: _Desk
) -> None:
    os.chown(desk.file, _OTHER, _OTHER)
    attributes = desk.of(**options)
    before = os.umask(mask)
    try:
        assert _prepared(desk, attributes, existing, secret) == given
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert "fail_json" not in vars(desk.module)


@as_root
@pytest.mark.parametrize(
    ("options", "secret", "given", "calls"),
    [
        ({}, False, (0, 0, 0o640), []),
        ({}, True, (0, 0, 0o600), ["fchmod"]),
        ({"mode": "0640", "owner": "0", "group": "0"}, False, (0, 0, 0o640), []),
        ({"owner": str(_OTHER)}, False, (_OTHER, 0, 0o640), ["fchown"]),
        ({"group": str(_OTHER)}, False, (0, _OTHER, 0o640), ["fchown"]),
        ({"owner": "root", "group": "root"}, False, (0, 0, 0o640), []),
        ({"owner": str(_OTHER), "mode": "4750"}, False, (_OTHER, 0, 0o4750), ["fchown", "fchmod"]),
        ({"mode": "g+w"}, False, (0, 0, 0o660), ["fchmod"]),
    ],
)
def test_what_a_file_that_stays_is_given(
    options: dict[str, str],
    secret: bool,
    given: tuple[int, int, int],
    calls: list[str],
    desk: _Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attributes = desk.of(**options)
    told: t.Any = []
    os.chown(desk.file, 0, 0)
    foreseen = attributes.protection_to_be(desk.place(), secret)
    assert (foreseen.uid, foreseen.gid, foreseen.mode) == given
    assert desk.status() == (0, 0, 0o640)
    for name in ("fchown", "fchmod"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, real=real: told.append(name) or real(*args))
    with disk.opened(desk.place()) as descriptor:
        attributes.settle(descriptor, "/a/file", secret)
    assert (desk.status(), told) == (given, calls)


def test_a_mode_that_is_none(desk: _Desk) -> None:
    attributes = desk.of(mode="u=q")
    with disk.opened(desk.place()) as descriptor, pytest.raises(InstallError, match=r"^/a/file: u=q is no mode\.$"):
        attributes.settle(descriptor, "/a/file", False)
    with disk.opened(desk.place()) as descriptor:
        assert desk.of()._octal(descriptor, 0o604, "/a/file") == 0o604
    assert desk.status()[2] == 0o640


def test_what_could_not_be_given_is_told(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*dummy: t.Any) -> t.NoReturn:
        raise OSError(errno.EROFS, "No")

    attributes = desk.of(mode="0600")
    with disk.opened(desk.place()) as descriptor, monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", refuse)
        for give in (
            lambda: attributes.settle(descriptor, "/a/file", False),
            lambda: attributes.prepare_staged(descriptor, desk.place()._replace(path="/a/file"), True, False),
        ):
            with pytest.raises(InstallError, match=r"^The attributes of /a/file could not be set: No\.$"):
                give()
    assert "fail_json" not in vars(desk.module)


# --- labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, True),
        ({"mode": "0600"}, True),
        *(({name: "some"}, False) for name in ("seuser", "serole", "setype", "selevel")),
    ],
)
def test_a_label_that_options_replace_is_not_kept(options: dict[str, str], kept: bool, desk: _Desk) -> None:
    label, other = ("security.selinux", b"label"), ("user.some", b"other")
    present = disk.Protection(0o640, 1, 2, (label, other))
    assert desk.of(**options)._as_wanted(present) == present._replace(extended=(label, other) if kept else (other,))


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("existing", [True, False])
def test_a_new_file_is_labelled_as_its_path_says(
    enabled: bool, existing: bool, desk: _Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    attributes = desk.of()
    monkeypatch.setattr(desk.module, "selinux_enabled", lambda: enabled)
    monkeypatch.setattr(desk.module, "selinux_default_context", lambda path: ["u", "r", path, "s0"])
    monkeypatch.setattr(desk.module, "selinux_context", lambda path: ["u", "r", "t", "s0"])
    monkeypatch.setattr(desk.module, "selinux_mls_enabled", lambda: True)
    given: list[t.Any] = []
    monkeypatch.setattr(attributes, "_label", lambda descriptor, context: given.append(context))
    _prepared(desk, attributes, existing, False)
    by_path = [["u", "r", str(desk.file), "s0"] if enabled else []] if not existing else []
    assert given[:-1] == by_path
    assert not any(given[-1])


def test_names_are_taken_as_they_are(desk: _Desk) -> None:
    desk.file.rename(desk.folder / "$HOME")
    drift = desk.of(mode="0600").drift(desk.place("elsewhere"), desk.place("$HOME"), False)
    assert drift["after"]["mode"] == "0600"
