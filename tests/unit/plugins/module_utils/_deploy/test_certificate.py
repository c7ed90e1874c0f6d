# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One certificate of a call: its folder, what is installed, what it shares with others, and what hooks hear."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.certificate import (
    Certificate,
    conflict,
    fingerprint,
    shared,
    tlsa,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.view import View
from ansible_collections.certfleet.collectssl.tests.support import installation

_BUNDLE = installation.bundle("ec-a", with_root=False)
_OTHER = installation.bundle("ec-a", 1, with_root=False)
_LEAF = _pem.blocks(_BUNDLE)[0]


@pytest.fixture(name="places")
def fixture_places() -> t.Iterator[Places]:
    with Places() as places:
        yield places


def _certificate(
    places: Places, name: str = "a", check: bool = False, warnings: list[str] | None = None, **options: t.Any
) -> Certificate:
    arguments = {
        "certificates": [{"name": name, "content": _BUNDLE, **options}],
        "_ansible_check_mode": check,
        "_ansible_no_log": True,
    }
    with installation.module_arguments(arguments):
        module = basic.AnsibleModule(supports_check_mode=True, **deploy_spec().kwargs())
    said = [] if warnings is None else warnings
    return Certificate(module, module.params["certificates"][0], places, said.append)


def test_whose_warning_it_is(places: Places, tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    _certificate(places, warnings=said, path=str(tmp_path / "a.pem")).module.warn("It is late.", extra=1)
    assert said == ["a: It is late."]


def test_one_that_is_to_be_gone_installs_nothing_whatever_it_is_given(places: Places, tmp_path: pathlib.Path) -> None:
    gone = _certificate(places, state="absent", path=str(tmp_path / "a.pem"))
    assert (gone.parts, gone.fingerprint, gone.is_to_change) == (None, None, True)
    assert gone.contents() == {str(tmp_path / "a.pem"): None}


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({}, True),
        ({"check": True}, False),
        ({"content": None}, False),
        ({"state": "absent"}, False),
    ],
)
def test_the_folder_is_made_where_something_comes_into_it(
    options: dict[str, t.Any], made: bool, places: Places, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "new"
    certificate = _certificate(places, directory=str(folder), path=str(folder / "a.pem"), **options)
    certificate.make_directory()
    assert folder.exists() == made
    assert not made or folder.stat().st_mode & 0o777 == 0o755
    certificate.unmake_directory()
    assert not folder.exists()


def test_without_a_folder_of_its_own_none_is_made(places: Places, tmp_path: pathlib.Path) -> None:
    _certificate(places, path=str(tmp_path / "a.pem")).make_directory()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["path", "fullchain_path", "combined_path"])
def test_what_is_installed(option: str, places: Places, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "a.pem"
    options: dict[str, t.Any] = {
        option: str(file),
        "chain_path": str(tmp_path / "chain.pem"),
        "privatekey_path": str(tmp_path / "a.key"),
    }
    certificate = _certificate(places, **options)
    (tmp_path / "chain.pem").write_text(_OTHER)
    assert certificate.look(View({})) is None
    file.write_text("words\n" + _BUNDLE)
    certificate = _certificate(places, **options)
    assert certificate.look(View({})) == _LEAF
    assert certificate.variables(_OTHER, "before")["CERTFLEET_FINGERPRINT"] == fingerprint(_OTHER)
    told = certificate.variables(None, "before")
    assert told == {
        "CERTFLEET_NAME": "a",
        "CERTFLEET_PATH": str(file),
        "CERTFLEET_FINGERPRINT": certificate.fingerprint,
        "CERTFLEET_TLSA": tlsa(_LEAF),
        "CERTFLEET_TLSA_BEFORE": "before",
    }


def test_what_is_told_of_one_that_stays_or_is_not_there(places: Places, tmp_path: pathlib.Path) -> None:
    stays = _certificate(places, content=None, chain_path=str(tmp_path / "chain.pem"))
    assert stays.contents() == {}
    told = stays.variables(_LEAF, "")
    assert (told["CERTFLEET_PATH"], told["CERTFLEET_FINGERPRINT"]) == (
        str(tmp_path / "chain.pem"),
        fingerprint(_LEAF),
    )
    told = stays.variables(None, "")
    assert (told["CERTFLEET_FINGERPRINT"], told["CERTFLEET_TLSA"]) == ("", "")


def test_what_is_no_certificate_has_no_tlsa_value() -> None:
    torn = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert (tlsa(torn), tlsa(None), tlsa("")) == ("", "", "")
    der = _pem.dearmour(_LEAF)
    assert der is not None
    assert tlsa(_LEAF) == _pem.tlsa_of(der)
    assert (fingerprint(None), fingerprint("")) == (None, None)


def test_what_makes_a_unit_of_several(places: Places, tmp_path: pathlib.Path) -> None:
    paths: dict[str, t.Any] = {"path": str(tmp_path / "b.pem"), "chain_path": str(tmp_path / "a.pem")}
    files = [("file", str(tmp_path / "a.pem")), ("file", str(tmp_path / "b.pem"))]
    assert shared(_certificate(places, **paths)) == files
    assert shared(_certificate(places, services=["x", "y"], validate="v -t", **paths)) == [
        *(("service", "x"), ("service", "y"), ("validate", "v -t")),
        *files,
    ]


def test_two_that_want_one_file(places: Places, tmp_path: pathlib.Path) -> None:
    def wanting(name: str, option: str, **more: t.Any) -> Certificate:
        return _certificate(
            places, name, **{option: str(tmp_path / "x.pem"), "privatekey_path": str(tmp_path / "x.key"), **more}
        )

    one, same = wanting("a", "path"), wanting("b", "path")
    assert conflict(one, same) is None
    other = wanting("c", "path", content=_OTHER)
    assert str(conflict(one, other)).startswith("c wants another content of the file ")
    # What is with a private key is compared by its certificate.
    together = wanting("d", "combined_path")
    assert conflict(together, wanting("e", "combined_path")) is None
    another = wanting("f", "combined_path", content=_OTHER)
    assert str(conflict(together, another)).startswith("f names the file ")
    stays = wanting("g", "combined_path", content=None)
    assert (conflict(together, stays), conflict(stays, together)) == (None, None)
    gone = wanting("h", "combined_path", state="absent")
    assert str(conflict(together, gone)).startswith("h names the file ")
    assert conflict(together, _certificate(places, "i", path=str(tmp_path / "y.pem"), content=_OTHER)) is None


def test_the_first_file_that_two_want_is_named(places: Places, tmp_path: pathlib.Path) -> None:
    options = ("path", "chain_path", "fullchain_path", "root_path")
    paths: dict[str, t.Any] = {option: str(tmp_path / option) for option in options}
    content = _BUNDLE + installation.root()
    one = _certificate(places, content=content, **paths)
    gone = _certificate(places, "b", state="absent", **paths)
    assert str(conflict(one, gone)).startswith(f"b wants another content of the file {tmp_path}/chain_path.")


@pytest.mark.parametrize("new", [True, False])
def test_files_are_found_again_in_a_folder_that_was_not_there(
    new: bool, places: Places, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "new"
    if not new:
        folder.mkdir()
    certificate = _certificate(places, path=str(folder / "a.pem"), chain_path=str(tmp_path / "chain.pem"))
    folder.mkdir(exist_ok=True)
    before = certificate.wanted
    certificate.find_again()
    assert (certificate.wanted is not before) == new
    assert all(place.folder is not None for place in certificate.places)


def test_what_there_is_to_do(places: Places, tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.key").write_bytes(installation.key_pem("ec-a"))
    paths: dict[str, t.Any] = {"path": str(tmp_path / "a.pem"), "privatekey_path": str(tmp_path / "a.key")}

    def replaces(**more: t.Any) -> bool | None:
        plan = _certificate(places, **{**paths, **more}).make_plan(View({}), frozenset())
        return None if plan is None else plan.replaces

    assert (replaces(), replaces(content=None), replaces(state="absent", privatekey_path=None)) == (True, None, False)
    (tmp_path / "a.pem").write_text(_LEAF)
    assert replaces(state="absent", privatekey_path=None) is True


def test_the_key_that_waits(places: Places, tmp_path: pathlib.Path) -> None:
    waits: dict[str, t.Any] = {"path": str(tmp_path / "a.pem"), "privatekey_path": str(tmp_path / "a.key")}
    assert _certificate(places, content=None, **waits).pending_key is None
    waits["pending_privatekey_path"] = str(tmp_path / "a.next")
    assert _certificate(places, content=None, **waits).pending_key is None
    (tmp_path / "a.next").write_bytes(installation.key_pem("ec-next"))
    assert _certificate(places, content=None, **waits).pending_key == str(tmp_path / "a.next")
