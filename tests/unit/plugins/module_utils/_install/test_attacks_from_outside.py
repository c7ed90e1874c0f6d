# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another user who looks on, puts back what root has left, or has links in the folders of one who is not root."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
import signal
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.tests.support import attackers
from ansible_collections.certfleet.collectssl.tests.support.attackers import OTHER, THIRD, Partner, Points, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import Options, as_user
from ansible_collections.certfleet.collectssl.tests.unit.plugins.module_utils._install.attacked import (
    BUNDLES,
    KEYS,
    LEAVES,
    Scene,
    scene,
    scenes,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# --- whoever looks on ------------------------------------------------------------------------------------------------


def _new(place: Scene) -> Options:
    return {"privatekey_path": str(place.own_pending)}


def _renewed(place: Scene) -> Options:
    """What everybody could read before holds another key."""
    for path in (place.host.combined, place.host.key):
        path.write_bytes(KEYS["ec-key"] + LEAVES["ec-key"].encode())
        path.chmod(0o644)
    place.host.key.chmod(0o600)
    return {
        "privatekey_path": str(place.host.key),
        "pending_privatekey_path": str(place.own_pending),
        "backup": True,
    }


def _renewed_in_place(place: Scene) -> Options:
    return {**_renewed(place), "in_place": True}


def _renewed_unsafe(place: Scene) -> Options:
    return {**_renewed(place), "unsafe_writes": True}


def _taken_back(place: Scene) -> Options:
    return {**_renewed(place), "validate": "false"}


@pytest.mark.parametrize("situation", [_new, _renewed, _renewed_in_place, _renewed_unsafe, _taken_back])
def test_at_no_point_does_he_read_the_key_or_write_anything(
    situation: t.Callable[[Scene], Options], record_property: t.Callable[[str, object], None]
) -> None:
    """With a umask that closes nothing, and at every single point of root's run."""
    with scene() as place:
        for path in (place.home, place.host.certs, place.host.private, place.host.pending.parent):
            os.chown(path, 0, 0)
        place.host.write_key("ec-next", place.own_pending)
        options = {
            "content": BUNDLES["ec-next"],
            "fullchain_path": str(place.host.fullchain),
            "combined_path": str(place.host.combined),
            **situation(place),
        }
        folders = (place.home, place.own)
        with Partner(lambda: _reads_or_writes(folders)) as looking:
            found: list[int] = []

            def look(number: int) -> None:
                if looking.act():
                    found.append(number)

            def start() -> None:
                os.umask(0)
                Points(look, looks=True).install()

            def work() -> dict[str, t.Any]:
                with contextlib.suppress(InstallError):
                    place.install(**options)
                return {"found": found, "points": len(found)}

            outcome = attackers.as_root(work, start)
            assert not looking.act()
        assert outcome.kind == "installed", outcome
        assert outcome.result["found"] == []
        for path in (*place.home.rglob("*"), *place.own.rglob("*")):
            assert not path.stat().st_mode & 0o022, path
    tried(record_property, "looking on, for a key to read or a file to write", 1)


def _reads_or_writes(folders: t.Iterable[pathlib.Path]) -> bool:
    secret = KEYS["ec-next"].splitlines()[1]
    for folder in folders:
        for parent, names, others in os.walk(folder):
            if os.access(parent, os.W_OK):
                return True
            for name in [*names, *others]:
                path = os.path.join(parent, name)
                if os.access(path, os.W_OK):
                    return True
                if name in others and os.access(path, os.R_OK):
                    with contextlib.suppress(OSError), open(path, "rb") as file:
                        if secret in file.read():
                            return True
    return False


# --- what root left --------------------------------------------------------------------------------------------------


def _killed(place: Scene, moment: str, name: str, **options: t.Any) -> None:
    """Kill a run just before it renames something to a name, or starts a command."""

    def hook(event: str, args: tuple[t.Any, ...]) -> None:
        renames = event == "os.rename" and moment == event and os.path.basename(os.fsdecode(args[1])) == name
        if renames or (event == "subprocess.Popen" and moment == event):
            os.kill(os.getpid(), signal.SIGKILL)

    outcome = attackers.as_root(lambda: place.install(**options), lambda: sys.addaudithook(hook))
    assert outcome.kind == "killed", outcome


def _left(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith(".collectssl"))


def _hide(folder: pathlib.Path) -> None:
    """He may rename what is root's, within his folder; a folder of root's can't be moved into another one by him."""
    for path in _left(folder):
        path.rename(folder / f"kept{path.name}")


def _bring_back(folder: pathlib.Path) -> None:
    for path in folder.glob("kept.collectssl*"):
        path.rename(folder / path.name[len("kept") :])


def test_what_root_left_elsewhere_counts_for_nothing(record_property: t.Callable[[str, object], None]) -> None:
    """He has two of his folders change places, one of them with what a killed run left in it."""
    with scene() as place:
        place.old_files()
        elsewhere = place.home / "elsewhere"
        place.other(elsewhere.mkdir)
        place.other(lambda: (elsewhere / "site.pem").write_text("his own\n"))
        _killed(place, "os.rename", "site.pem", fullchain_path=str(place.host.fullchain))
        assert _left(place.certs)

        def swap() -> None:
            place.certs.rename(place.home / "between")
            elsewhere.rename(place.certs)
            (place.home / "between").rename(elsewhere)

        place.other(swap)
        for folder in (elsewhere, place.certs):
            before = (folder / "site.pem").read_text()
            outcome = place.run(path=str(folder / "site.pem")).must_be_civil()
            place.must_be_harmless()
            now = (folder / "site.pem").read_text()
            assert now == (LEAVES["ec-key"] if outcome.kind == "installed" else before)
    tried(record_property, "root's own folder moved from elsewhere", 2)


@pytest.mark.parametrize("moment", ["os.rename", "subprocess.Popen"])
def test_a_journal_that_comes_back_takes_nothing_from_root(
    moment: str, record_property: t.Callable[[str, object], None]
) -> None:
    """He hides what a killed run left in his folder, lets root's next run succeed, and brings it back after that.

    A file of that run's in root's own folder has been right since, and stays.
    """
    with scene() as place:
        place.old_files()
        mine, full = place.own / "site.pem", place.host.fullchain
        options = {"path": str(mine), "fullchain_path": str(full)}
        _killed(place, moment, "site.pem", **options, validate="true")
        place.other(lambda: _hide(place.certs))
        place.run(**options).must_be_civil()
        place.must_be_harmless()
        _settled(place, options)
        place.other(lambda: _bring_back(place.certs))
        # One that fails does not put right again what it may have undone.
        place.run(**{**options, "privatekey_path": str(place.own_key), "content": BUNDLES["ec-next"]}).must_be_civil()
        place.must_be_harmless()
        assert mine.read_text() == LEAVES["ec-key"]
        place.run(fullchain_path=str(full), path=None).must_be_civil()
        assert mine.read_text() == LEAVES["ec-key"]
        place.must_be_harmless()
    tried(record_property, "a journal that was hidden comes back", 3)


def _settled(place: Scene, options: Options) -> None:
    """Root has had his way, whatever it took."""
    if place.run(**options).kind != "installed":
        for path in (*_left(place.own), *_left(place.certs)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        place.run(**options).must_be_civil()
    assert (place.own / "site.pem").read_text() == LEAVES["ec-key"]


# --- root's folder meanwhile -----------------------------------------------------------------------------------------


def test_a_folder_that_is_taken_away_for_good(record_property: t.Callable[[str, object], None]) -> None:
    """At any point he takes away what root has in his folder; root's run ends with a sentence or well."""
    with scenes() as another:
        place = another()
        place.old_files()
        options = {"fullchain_path": str(place.host.fullchain), "backup": True, "owner": str(OTHER)}
        total = attackers.points_of(lambda: place.install(**options))
        numbers = attackers.some(total, 24)
        for number in numbers:
            place = another()
            place.old_files()
            _taken_away(place, number, options)
    tried(record_property, "root's folder is taken away", len(numbers))


def _taken_away(place: Scene, number: int, options: Options) -> None:
    with Partner(lambda: _hide(place.certs)) as partner:

        def at(point: int) -> None:
            if point == number:
                partner.act()

        attackers.as_root(lambda: place.install(**options), Points(at).install).must_be_civil()
    place.must_be_harmless()
    place.run(**options).must_be_civil()
    place.must_be_harmless()


# --- one who is not root ---------------------------------------------------------------------------------------------


def _of(uid: int, work: t.Callable[[], object]) -> None:
    attackers.as_other(work, uid)


def test_a_user_follows_his_own_links_and_those_of_root(record_property: t.Callable[[str, object], None]) -> None:
    with scene() as place:
        place.tmp.chmod(0o777)
        place.other((place.home / "real").mkdir)
        place.other(lambda: (place.home / "way").symlink_to("real"))
        place.other(lambda: (place.home / "real" / "site.pem").symlink_to("site.1.pem"))
        (place.own / "way").symlink_to(place.home / "way")
        for path in (place.home / "way" / "site.pem", place.own / "way" / "site.pem"):
            (place.home / "real" / "site.1.pem").unlink(missing_ok=True)
            result = as_user(functools.partial(place.install, path=str(path)), uid=OTHER)
            assert result["changed"]
            assert (place.home / "real" / "site.pem").is_symlink()
            assert (place.home / "real" / "site.1.pem").read_text() == LEAVES["ec-key"]
        # Root does not follow them, and says whose they are.
        place.run(path=str(place.own / "way" / "site.pem")).must_refuse(
            f"{place.home}/way is a symbolic link", str(OTHER)
        )
        # Nor does a third user.
        with pytest.raises(InstallError, match=rf"{place.home}/way is a symbolic link .*{OTHER}"):
            as_user(lambda: place.install(path=str(place.home / "way" / "site.pem")), uid=THIRD)
    tried(record_property, "links of others for one who is not root", 2)


@pytest.mark.parametrize("name", ["site.pem", "site.key"])
def test_a_user_follows_no_link_of_a_third(name: str, record_property: t.Callable[[str, object], None]) -> None:
    """In a folder that all of a team may write in."""
    with scene() as place:
        place.tmp.chmod(0o777)
        place.home.chmod(0o777)
        target = place.home / "his"
        place.other(lambda: target.write_bytes(KEYS["ec-key"]))
        _of(THIRD, lambda: (place.home / name).symlink_to(target))
        options = {"path": str(place.home / "site.pem")}
        if name == "site.key":
            options["privatekey_path"] = str(place.home / name)
        with pytest.raises(InstallError, match=rf"{place.home}/{name} is a symbolic link .*{THIRD}"):
            as_user(lambda: place.install(**options), uid=OTHER)
        assert target.read_bytes() == KEYS["ec-key"]
    tried(record_property, "links of a third user", 1)
