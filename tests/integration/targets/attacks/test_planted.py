# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of a folder puts there before root installs into it. One row a case, a host each.

The tests run as root, and another, real user makes what he may make. Every fourth row runs in check mode first, which
says the same and touches nothing, and as many once more. In no row is a file of root's that lies elsewhere changed,
made or given away.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import struct
import types
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.support import files
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, Vault, as_other, machine, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import bundle, key_pem, leaf
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE, Lab
from ansible_collections.certfleet.collectssl.tests.support.runs import Result

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_LEFT = "No file was changed."
_OPTIONS = (
    *("path", "fullchain_path", "combined_path", "privatekey_path", "pending_privatekey_path"),
    *("owner", "group", "mode", "attributes", "backup", "in_place", "unsafe_writes"),
)


class Place:
    """The folders of a row: root's ``vault`` and ``own``, and ``home`` and ``certs``, which are the other user's."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        self.vault = Vault(folder / "vault")
        self.key = self.vault.add("site.key", key_pem("ec-key"))
        self.vault.add("site.pem", b"another certificate of root's\n")
        self.own = folder / "own"
        self.own.mkdir(mode=0o755)
        self.home = folder / "home"
        self.certs = self.home / "certs"
        for path in (self.home, self.certs):
            path.mkdir(mode=0o755)
            os.chown(path, OTHER, OTHER)
        self.path = self.certs / "site.pem"

    def other(self, work: t.Callable[[], object]) -> None:
        """Let the other user do something."""
        as_other(work)

    def options(self, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Options with the names of this place in them."""
        names = {name: str(getattr(self, name)) for name in ("vault", "own", "home", "certs", "path", "key", "folder")}
        wanted = {name: value.format(**names) if isinstance(value, str) else value for name, value in given.items()}
        return {"path": str(self.path), **wanted}


class Row(t.NamedTuple):
    """``prepare`` is done before; ``words`` are said in a refusal, and None is an installation.

    ``same`` says that there is nothing to do.
    """

    prepare: t.Callable[[Place], object]
    options: t.Mapping[str, t.Any] = types.MappingProxyType({})
    words: tuple[str, ...] | None = None
    same: bool = False


_OTHERS = str(OTHER)
_GIVEN = {"owner": _OTHERS, "group": _OTHERS, "mode": "0644"}


def _link(place: Place) -> None:
    place.other(lambda: os.symlink(place.vault.shadow, place.path))


def _link_to_own_file(place: Place) -> None:
    def make() -> None:
        (place.home / "mine").write_text("his\n")
        place.path.symlink_to("../mine")

    place.other(make)


def _dangling(place: Place) -> None:
    place.other(lambda: os.symlink(place.vault.missing, place.path))


def _link_of_root(place: Place) -> None:
    place.path.symlink_to(place.vault.shadow)


def _folder_link(place: Place) -> None:
    def make() -> None:
        place.certs.rmdir()
        place.certs.symlink_to(place.vault.folder)

    place.other(make)


def _folder_link_further_up(place: Place) -> None:
    (place.vault.folder / "deep").mkdir()
    files.write(place.vault.folder / "deep" / "site.pem", "old\n", 0o600)
    place.vault.seen()
    place.other(lambda: os.symlink("../vault", place.home / "way"))


def _link_to_a_link(place: Place) -> None:
    """Root's link, in root's folder, leads to one of the other user's."""
    _link(place)
    (place.own / "site.pem").symlink_to(place.path)


def _link_in_sticky(place: Place) -> None:
    (place.folder / "sticky").mkdir()
    (place.folder / "sticky").chmod(0o1777)
    place.other(lambda: os.symlink(place.vault.shadow, place.folder / "sticky" / "site.pem"))


def _link_of_root_in_sticky(place: Place) -> None:
    (place.folder / "sticky").mkdir()
    (place.folder / "sticky").chmod(0o1777)
    (place.folder / "sticky" / "site.pem").symlink_to(place.vault.shadow)


def _link_in_shared(place: Place) -> None:
    """A folder of root's, in which a group may write."""
    (place.folder / "shared").mkdir()
    os.chown(place.folder / "shared", 0, OTHER)
    (place.folder / "shared").chmod(0o775)
    (place.folder / "shared" / "site.pem").symlink_to(place.vault.shadow)


def _link_in_listed(place: Place) -> None:
    """A folder of root's, whose list of access lets the other user write."""
    folder = place.folder / "listed"
    folder.mkdir(mode=0o755)
    rest = 0xFFFFFFFF
    entries = [(1, 7, rest), (2, 7, OTHER), (4, 5, rest), (16, 7, rest), (32, 5, rest)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    # Where the file system knows no such lists, the bits say the same.
    with contextlib.suppress(OSError):
        os.setxattr(folder, "system.posix_acl_access", acl)
    if not folder.stat().st_mode & 0o020:
        folder.chmod(0o777)
    (folder / "site.pem").symlink_to(place.vault.shadow)


def _key_link(place: Place) -> None:
    place.other(lambda: os.symlink(place.key, place.home / "site.key"))


def _pending_link(place: Place) -> None:
    files.write(place.own / "site.key", key_pem("ec-next"), 0o600)
    _key_link(place)


def _at(name: str, make: t.Callable[[str], object]) -> t.Callable[[Place], None]:
    """Let the other user make something at a name of his home."""

    def prepare(place: Place) -> None:
        place.other(lambda: make(str(place.home / name)))

    return prepare


def _fifo(path: str) -> None:
    os.mkfifo(path)
    pathlib.Path(path).chmod(0o666)


def _socket(path: str) -> None:
    folder, name = os.path.split(path)
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(name)


def _hidden(mode: int, *names: str, make: t.Callable[[str], object] = _fifo) -> t.Callable[[Place], None]:
    """A ``.collectssl`` of the other user, with something under each of these names in it."""

    def make_all(folder: str) -> None:
        os.mkdir(folder)
        pathlib.Path(folder).chmod(mode)
        for name in names:
            make(os.path.join(folder, name))

    return _at("certs/.collectssl", make_all)


def _forged(place: Place) -> None:
    """As a run that was killed would leave it, but for the owner: to be put back is root's file."""

    def make() -> None:
        hidden = place.certs / ".collectssl"
        hidden.mkdir(mode=0o700)
        place.path.write_text("his\n")
        (hidden / "0123456789abcdef").write_text("his old one\n")
        shadow = place.vault.shadow
        entry = {
            "path": str(shadow),
            "folder": [place.vault.folder.stat().st_dev, place.vault.folder.stat().st_ino],
            "before": None,
            "after": shadow.stat().st_ino,
            "new": "0123456789abcdef",
            "old": None,
            "backup": None,
            "flags": "",
            "in_place": False,
            "rewrites": False,
            "protection": None,
        }
        journal = hidden / "journal"
        journal.write_text(json.dumps({"version": 1, "state": "switching", "entries": [entry]}))
        journal.chmod(0o600)
        # And as the runs before this change left it.
        old = place.certs / ".collectssl-site.pem.journal.key"
        names = ("path", "before", "after", "backup", "flags", "in_place", "rewrites", "protection")
        old.write_text(json.dumps([{name: entry[name] for name in names}]))
        old.chmod(0o600)

    place.other(make)


def _hidden_link(place: Place) -> None:
    place.other(lambda: os.symlink(place.vault.folder, place.certs / ".collectssl"))


def _hidden_file(place: Place) -> None:
    place.other(lambda: (place.certs / ".collectssl").write_text("no folder\n"))


def _right_already(hidden: t.Callable[[Place], None]) -> t.Callable[[Place], None]:
    def prepare(place: Place) -> None:
        hidden(place)
        place.path.write_text(leaf("ec-key"))

    return prepare


def _second_name(place: Place) -> None:
    os.link(place.vault.shadow, place.path)


def _certbot(place: Place) -> None:
    """As certbot has it; and the folder of all is a link of root's, too."""
    live, archive = place.own / "letsencrypt" / "live" / "site", place.own / "letsencrypt" / "archive" / "site"
    for folder in (live, archive):
        folder.mkdir(parents=True)
    for name in ("cert", "fullchain", "privkey", "combined"):
        files.write(archive / f"{name}1.pem", "of before\n", 0o644)
        (live / f"{name}.pem").symlink_to(f"../../archive/site/{name}1.pem")
    files.write(archive / "privkey1.pem", key_pem("ec-key"), 0o600)
    (place.own / "etc").symlink_to("letsencrypt")


_LIVE = {
    "path": "{own}/etc/live/site/cert.pem",
    "fullchain_path": "{own}/etc/live/site/fullchain.pem",
    "combined_path": "{own}/etc/live/site/combined.pem",
    "privatekey_path": "{own}/etc/live/site/privkey.pem",
}
_NAMES_LINK = ("/home/certs/site.pem is a symbolic link", _OTHERS, _LEFT)
_NAMES_HIDDEN = ("/home/certs/.collectssl", _OTHERS, "Nothing was changed.")
_COMBINED = {"combined_path": "{certs}/both.pem", **_GIVEN}

ROWS = {
    "link": Row(_link, {}, _NAMES_LINK),
    "link-owner": Row(_link, _GIVEN, _NAMES_LINK),
    "link-flags": Row(_link, {"attributes": "d"}, _NAMES_LINK),
    "link-in-place": Row(_link, {"in_place": True, **_GIVEN}, _NAMES_LINK),
    "link-unsafe": Row(_link, {"unsafe_writes": True, "backup": True}, _NAMES_LINK),
    "link-to-his-own-file": Row(_link_to_own_file, {}, _NAMES_LINK),
    "link-of-root": Row(_link_of_root, {}, ("/home/certs/site.pem is a symbolic link", _LEFT)),
    "link-to-a-link": Row(_link_to_a_link, {"path": "{own}/site.pem"}, _NAMES_LINK),
    "dangling": Row(_dangling, {}, _NAMES_LINK),
    "dangling-owner": Row(_dangling, {"backup": True, **_GIVEN}, _NAMES_LINK),
    "folder-link": Row(_folder_link, {}, ("/home/certs is a symbolic link", _OTHERS, _LEFT)),
    "folder-link-owner": Row(_folder_link, _GIVEN, ("/home/certs is a symbolic link", _OTHERS, _LEFT)),
    "folder-link-further-up": Row(
        _folder_link_further_up,
        {"path": "{home}/way/deep/site.pem"},
        ("/home/way is a symbolic link", _OTHERS, _LEFT),
    ),
    "folder-link-and-back": Row(
        _folder_link_further_up,
        {"path": "{home}/way/deep/../site.pem"},
        ("/home/way is a symbolic link", _OTHERS, _LEFT),
    ),
    "sticky": Row(_link_in_sticky, {"path": "{folder}/sticky/site.pem"}, ("is a symbolic link", _OTHERS, _LEFT)),
    "sticky-of-root": Row(_link_of_root_in_sticky, {"path": "{folder}/sticky/site.pem"}, ("is a symbolic link", _LEFT)),
    "shared": Row(_link_in_shared, {"path": "{folder}/shared/site.pem"}, ("is a symbolic link", _LEFT)),
    "listed": Row(_link_in_listed, {"path": "{folder}/listed/site.pem"}, ("is a symbolic link", _LEFT)),
    "key-link": Row(
        _key_link,
        {"privatekey_path": "{home}/site.key", **_COMBINED},
        ("/home/site.key is a symbolic link", _OTHERS, _LEFT),
    ),
    "pending-key-link": Row(
        _pending_link,
        {"privatekey_path": "{own}/site.key", "pending_privatekey_path": "{home}/site.key", **_COMBINED},
        ("/home/site.key is a symbolic link", _OTHERS, _LEFT),
    ),
    "fifo": Row(_at("certs/site.pem", _fifo), {}, ("/site.pem is not a regular file", _LEFT)),
    "fifo-in-place": Row(_at("certs/site.pem", _fifo), {"in_place": True}, ("is not a regular file", _LEFT)),
    "fifo-key": Row(
        _at("site.key", _fifo), {"privatekey_path": "{home}/site.key"}, ("/site.key is not a regular file", _LEFT)
    ),
    "fifo-pending-key": Row(
        _at("next.key", _fifo),
        {"privatekey_path": "{key}", "pending_privatekey_path": "{home}/next.key", "combined_path": "{certs}/both.pem"},
        ("/next.key is not a regular file", _LEFT),
    ),
    "socket": Row(_at("certs/site.pem", _socket), {}, ("is not a regular file", _LEFT)),
    "second-name": Row(_second_name),
    "second-name-owner": Row(_second_name, _GIVEN),
    "second-name-in-place": Row(_second_name, {"in_place": True}, ("/home/certs/site.pem", _LEFT)),
    "second-name-in-place-owner": Row(_second_name, {"in_place": True, **_GIVEN}, ("/home/certs/site.pem", _LEFT)),
    "hidden-empty": Row(_hidden(0o700), {}, _NAMES_HIDDEN),
    "hidden-open": Row(_hidden(0o777), _GIVEN, _NAMES_HIDDEN),
    "hidden-open-with-fifos": Row(_hidden(0o777, "journal", ".gitignore", "draft", "lock"), {}, _NAMES_HIDDEN),
    "hidden-with-links": Row(
        _hidden(0o777, "journal", ".gitignore", make=lambda path: os.symlink("../../../vault/shadow", path)),
        {},
        _NAMES_HIDDEN,
    ),
    "hidden-forged": Row(_forged, {}, _NAMES_HIDDEN),
    "hidden-link": Row(_hidden_link, {}, _NAMES_HIDDEN),
    "hidden-fifo": Row(_at("certs/.collectssl", _fifo), {}, _NAMES_HIDDEN),
    "hidden-file": Row(_hidden_file, {}, _NAMES_HIDDEN),
    "hidden-empty-same": Row(_right_already(_hidden(0o700)), {}, same=True),
    "hidden-forged-same": Row(_right_already(_forged), {}, same=True),
    "hidden-fifo-same": Row(_right_already(_at("certs/.collectssl", _fifo)), {}, same=True),
    "certbot": Row(_certbot, _LIVE),
    "certbot-backup": Row(_certbot, {**_LIVE, "backup": True, "mode": "0640"}),
    "certbot-in-place": Row(_certbot, {**_LIVE, "in_place": True, "backup": True}),
    "certbot-unsafe": Row(_certbot, {**_LIVE, "unsafe_writes": True, **_GIVEN}),
    "certbot-flags": Row(_certbot, {**_LIVE, "attributes": "d"}),
}


class Played(t.NamedTuple):
    """What became of all rows: their places, and the results in check mode, for real and once more."""

    places: dict[str, Place]
    before: dict[str, files.Snapshot]
    checked: dict[str, Result]
    really: dict[str, Result]
    again: dict[str, Result]
    after: dict[str, files.Snapshot]


def _results(lab: Lab, places: dict[str, Place], *arguments: str) -> dict[str, Result]:
    hosts = {name: {"asked": place.options(ROWS[name].options)} for name, place in places.items()}
    asked = {name: "{{ asked['" + name + "'] | default(omit) }}" for name in _OPTIONS}
    task = {
        "name": "install",
        MODULE: {"content": bundle("ec-key"), **asked},
        "ignore_errors": True,
        # Much longer than it takes. What would wait for ever is not to keep the tests waiting.
        "timeout": 60,
    }
    run = lab.play(hosts, [task], *arguments, play={"strategy": "free"}, forks=6)
    return run.must_be_civil().by_host("install")


@pytest.fixture(name="played", scope="module")
def fixture_played(session_lab: Lab) -> t.Iterator[Played]:
    """All rows, played once."""
    with machine() as folder:
        places = {name: Place(folder / name) for name in ROWS}
        for name, place in places.items():
            ROWS[name].prepare(place)
        before = {name: files.snapshot(place.folder) for name, place in places.items()}
        checked = _results(session_lab, {name: places[name] for name in list(ROWS)[::4]}, "--check")
        for name, place in places.items():
            assert files.snapshot(place.folder) == before[name], name
        really = _results(session_lab, places)
        after = {name: files.snapshot(place.folder) for name, place in places.items()}
        done = {name: places[name] for name in [name for name in ROWS if ROWS[name].words is None][::4]}
        done["certbot-flags"] = places["certbot-flags"]
        yield Played(places, before, checked, really, _results(session_lab, done), after)


@pytest.mark.parametrize("name", ROWS)
def test_what_was_planted(name: str, played: Played, record_property: t.Callable[[str, object], None]) -> None:
    row, place = ROWS[name], played.places[name]
    really = played.really[name]
    results = [really, *([played.checked[name]] if name in played.checked else [])]
    place.vault.must_be_intact()
    if row.words is None:
        _must_be_installed(row, results, played.again.get(name))
    else:
        for result in results:
            assert result.status == "failed", result
            for word in row.words:
                assert word in result.message, (word, result.message)
        assert _files(played.after[name]) == _files(played.before[name])
    tried(record_property, name.replace("-", " ") + " planted", len(results))


def _must_be_installed(row: Row, results: list[Result], again: Result | None) -> None:
    for result in results:
        assert result.status == "ok", result
        assert result.changed is not row.same, result
    if again is not None:
        assert again.status == "ok", again
        assert again.changed is False, again


def _files(found: files.Snapshot) -> dict[str, t.Any]:
    """All but folders, which change while hidden ones come and go in them."""
    return {path: entry for path, entry in found.items() if entry.content is not None}


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("certbot")])
def test_links_of_root_stay_links(name: str, played: Played) -> None:
    place = played.places[name]
    live, archive = place.own / "letsencrypt" / "live" / "site", place.own / "letsencrypt" / "archive" / "site"
    for link in live.iterdir():
        assert os.readlink(link) == f"../../archive/site/{link.stem}1.pem"
    assert (archive / "cert1.pem").read_text() == leaf("ec-key")
    assert (archive / "privkey1.pem").read_bytes() == key_pem("ec-key")
    assert (archive / "combined1.pem").read_bytes().startswith(key_pem("ec-key"))
    kept = [path for path in archive.iterdir() if path.name.endswith("~")]
    assert len(kept) == (3 if ROWS[name].options.get("backup") else 0)
    assert not list(place.own.rglob(".collectssl*"))
