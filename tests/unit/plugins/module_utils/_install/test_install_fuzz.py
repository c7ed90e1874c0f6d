# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths and leftovers that nobody would think of: whatever they are, root's run ends well or with a sentence."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import typing as t

import hypothesis
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.tests.support.installation import SmallHost, bundle, key_pem
from hypothesis import strategies as st

_settings = hypothesis.settings(
    max_examples=100,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
_SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

_NAMES = [
    *[
        "",
        ".",
        "..",
        " ",
        "~",
        "$HOME",
        "-rf",
        "*",
        "a",
        "b",
        "site.pem",
        "x" * 255,
        "x" * 256,
        "é",
        "\U0001f512",
    ],
    *[
        "a\nb",
        "a\0b",
        "\x1b[2J",
        "a\x9bb",
        "\u202e",
        "{{ x }}",
        "%s",
        "file",
        "folder",
        "link",
        "loop",
        "dangling",
        "fifo",
    ],
    *["up", "into", ".collectssl", "journal", "..." * 20],
]
# What is no text does not get through the JSON of a module.
_texts = st.text(st.characters(codec="utf-8"), max_size=8)
_PATHS = st.one_of(
    st.lists(st.sampled_from(_NAMES), max_size=6).map("/".join),
    st.lists(st.one_of(st.sampled_from(_NAMES), _texts), max_size=4).map("/".join),
)


class _Scene:
    """A host whose folder for certificates holds what paths can stumble over, beside things that must stay."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.host = SmallHost(folder)
        certs = self.host.certs
        self.canary = folder / "canary"
        self.canary.mkdir()
        (self.canary / "mine").write_text("to stay")
        (certs / "file").write_text("a file")
        (certs / "folder").mkdir()
        (certs / "link").symlink_to("file")
        (certs / "loop").symlink_to("loop")
        (certs / "dangling").symlink_to("nowhere")
        (certs / "up").symlink_to("..")
        (certs / "into").symlink_to("folder")
        os.mkfifo(certs / "fifo")

    def install(self, **options: t.Any) -> str | None:
        """The message of an installation that failed, None for one that succeeded."""
        try:
            self.host.install(content=bundle("ec-old"), **options)
        except InstallError as exc:
            _assert_sentence(str(exc))
            return str(exc)
        return None

    def kept(self) -> list[tuple[str, bytes]]:
        """What nobody asked to be changed."""
        return [(path.name, path.read_bytes()) for path in sorted(self.canary.iterdir())]


def _assert_sentence(text: str) -> None:
    assert text[-1:] == ".", text
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text), ascii(text)
    assert "Traceback" not in text
    assert "Errno" not in text, text
    assert len(text) < 20_000


def _scene() -> tuple[tempfile.TemporaryDirectory[str], _Scene]:
    folder = tempfile.TemporaryDirectory(dir=_SCRATCH)
    return folder, _Scene(pathlib.Path(folder.name, "host"))


@_settings
@hypothesis.given(path=_PATHS, option=st.sampled_from(["path", "combined_path", "privatekey_path"]))
def test_any_path_is_that_of_a_file_or_gets_a_sentence(path: str, option: str) -> None:
    folder, scene = _scene()
    with folder:
        before = scene.kept()
        options = {"path": str(scene.host.path), "privatekey_path": str(scene.host.key)}
        scene.host.write_key("ec-old")
        # Not above the folder: the machine that runs this is nobody's to write in.
        options[option] = (
            f"{scene.host.certs}/{path}" if ".." not in path and "up" not in path else f"/proc/none/{path}"
        )
        failed = scene.install(**options)
        assert scene.kept() == before
        if failed is not None:
            assert not scene.host.path.exists() or option == "path"
            assert scene.host.key.read_bytes() == key_pem("ec-old")


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["switching", "held", "CERTS/site.pem", "CANARY/mine", "../canary/mine", "0" * 32, "/", "i", "ia"]),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
_FIELDS = [
    *["path", "folder", "new", "old", "before", "after", "backup", "backup_within", "flags", "in_place", "rewrites"],
    *["protection"],
]


def _journal(scene: _Scene, changes: dict[str, t.Any], top: dict[str, t.Any]) -> bytes:
    host = scene.host
    entry = {
        "path": str(host.path),
        "folder": host.certs.stat().st_ino,
        "new": None,
        "old": "0" * 32,
        "before": None,
        "after": None,
        "backup": None,
        "backup_within": None,
        "flags": "",
        "in_place": False,
        "rewrites": False,
        "protection": None,
        **changes,
    }
    text = json.dumps({"version": 1, "state": "switching", "entries": [entry], **top})
    return text.replace("CERTS", str(host.certs)).replace("CANARY", str(scene.canary)).encode()


@_settings
@hypothesis.given(
    changes=st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=3),
    top=st.dictionaries(st.sampled_from(["version", "state", "entries", "elsewhere", "more"]), _VALUES, max_size=1),
    cut=st.one_of(st.none(), st.integers(0, 300)),
    noise=st.binary(max_size=4),
    check=st.booleans(),
)
def test_any_journal_is_acted_upon_as_it_says_or_gets_a_sentence(
    changes: dict[str, t.Any], top: dict[str, t.Any], cut: int | None, noise: bytes, check: bool
) -> None:
    """Each is in a folder of root alone; what it says is done, if at all, in the folders that it was made for."""
    folder, scene = _scene()
    with folder:
        before = scene.kept()
        hidden = scene.host.certs / ".collectssl"
        hidden.mkdir(0o700)
        data = _journal(scene, changes, top)
        for name, content in (("journal", (data if cut is None else data[:cut]) + noise), ("0" * 32, b"the old")):
            (hidden / name).write_bytes(content)
            (hidden / name).chmod(0o600)
        scene.install(path=str(scene.host.path), check=check)
        assert scene.kept() == before


_THINGS = ["nothing", "file", "folder", "link", "dangling", "fifo", "socketless", "big"]


@_settings
@hypothesis.given(
    thing=st.sampled_from(_THINGS),
    journal=st.sampled_from(_THINGS),
    ignore=st.sampled_from(_THINGS),
    mode=st.sampled_from([0o700, 0o755, 0o777, 0o000, 0o1777, 0o600]),
    check=st.booleans(),
)
def test_whatever_lies_where_a_run_keeps_its_things(
    thing: str, journal: str, ignore: str, mode: int, check: bool
) -> None:
    folder, scene = _scene()
    with folder:
        before = scene.kept()
        hidden = scene.host.certs / ".collectssl"
        if thing == "folder":
            hidden.mkdir()
            _make(hidden / "journal", journal, scene)
            _make(hidden / ".gitignore", ignore, scene)
            _make(hidden / "more", journal, scene)
            hidden.chmod(mode)
        else:
            _make(hidden, thing, scene)
        scene.install(path=str(scene.host.path), check=check)
        assert scene.kept() == before
        if hidden.is_dir():
            hidden.chmod(0o700)


def _make(path: pathlib.Path, kind: str, scene: _Scene) -> None:
    if kind == "file":
        path.write_text("something")
    elif kind == "folder":
        (path / "below").mkdir(parents=True)
    elif kind == "link":
        path.symlink_to(scene.canary)
    elif kind == "dangling":
        path.symlink_to(scene.canary / "new")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socketless":
        os.mknod(path, 0o140600)
    elif kind == "big":
        with path.open("wb") as file:
            file.truncate(1 << 40)
