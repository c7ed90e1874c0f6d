# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that are missing or too old are named, with the interpreter that lacks them."""

from __future__ import annotations

import re
import sys

import pytest
import yaml
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client, libraries, session
from ansible_collections.certfleet.collectssl.tests.support import places
from ansible_collections.certfleet.collectssl.tests.support.broker import provider


@pytest.mark.parametrize("version", ["42", "42.0.0", "42.0.0.dev1", "43.1", "100.0", "2024.1", "", "unknown", None])
def test_new_enough(version: str | None) -> None:
    _library.require("cryptography", "42", version, None)


@pytest.mark.parametrize(
    ("oldest", "version"), [("42", "41.0.7"), ("42", "3.4.8"), ("42", "9"), ("2.31", "2.9.1"), ("2.31", "2.30.99")]
)
def test_too_old(oldest: str, version: str) -> None:
    with pytest.raises(CollectError) as caught:
        _library.require("cryptography", oldest, version, None)
    assert str(caught.value) == (
        f"The Python library cryptography, {oldest} or newer, is needed on the controller, by the Python that runs "
        f"Ansible, {sys.executable}. That one has cryptography {version}. Install it there: {sys.executable} -m pip "
        f"install --upgrade 'cryptography>={oldest}'."
    )


def test_missing() -> None:
    with pytest.raises(CollectError, match=r"It cannot import it: No module named 'x'\. Install it there: ") as caught:
        _library.require("x", "2", None, ModuleNotFoundError("No module named 'x'"))
    assert sys.executable in str(caught.value)


def test_cryptography_is_asked_for_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate.require_cryptography()
    monkeypatch.setattr(certificate, "_VERSION", "41.0.7")
    with pytest.raises(CollectError, match=r"cryptography, 42 or newer, .* has cryptography 41\.0\.7"):
        certificate.require_cryptography()


def test_requests_is_asked_for_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert session.REQUESTS_VERSION
    monkeypatch.setattr(session, "REQUESTS_VERSION", "2.25.1")
    with pytest.raises(CollectError, match=r"requests, 2\.31 or newer, .* has requests 2\.25\.1"):
        client.Client(provider())


def test_urllib3_is_asked_for_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    assert libraries.URLLIB3_VERSION
    monkeypatch.setattr(libraries, "URLLIB3_VERSION", "1.25.11")
    with pytest.raises(CollectError, match=r"urllib3, 1\.26 or newer, .* has urllib3 1\.25\.11"):
        client.Client(provider())


def test_a_urllib3_that_is_too_old_to_be_imported_is_not_told_as_a_missing_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = ImportError("cannot import name 'Mapping' from 'collections'")
    monkeypatch.setattr(libraries, "URLLIB3_IMPORT_ERROR", fault)
    monkeypatch.setattr(session, "REQUESTS_IMPORT_ERROR", fault)
    with pytest.raises(CollectError, match=r"urllib3, 1\.26 or newer, .* cannot import it: .*'urllib3>=1\.26'"):
        client.Client(provider())


_SAYS = re.compile(r"`?\b(cryptography|requests|urllib3)\b`?(?:[^`.0-9]{0,40}`?,? |\s*[>=]=\s*)([0-9]+(?:\.[0-9]+)*)\b")
"""A library and the version that stands behind it, in a sentence or in a list of requirements."""


def _said(text: str) -> set[tuple[str, str]]:
    return {(name, re.sub(r"(\.0)+$", "", version)) for name, version in _SAYS.findall(" ".join(text.split()))}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "meta/ee-requirements.txt",
        "plugins/doc_fragments/_collectssl.py",
        "tests/dev/requirements/oldest.txt",
        "tests/fleet/requirements.txt",
        "tests/integration/requirements.txt",
        "tests/unit/requirements.txt",
    ],
)
def test_whoever_says_a_version_says_the_one_that_is_required(name: str) -> None:
    assert _said((places.COLLECTION / name).read_text(encoding="utf-8")) == set(_library.OLDEST.items())


def test_nobody_else_says_a_version() -> None:
    """In documentation and sentences of the collection."""
    said = {
        str(path.relative_to(places.COLLECTION)): _said(path.read_text(encoding="utf-8"))
        for pattern in ("*.md", "docs/**/*.rst", "docs/**/*.md", "plugins/**/*.py", "roles/**/*.md", "roles/**/*.yml")
        for path in places.COLLECTION.glob(pattern)
    }
    assert {name for name, versions in said.items() if versions} == {
        "README.md",
        "plugins/doc_fragments/_collectssl.py",
    }


def test_the_series_of_ansible_core_is_the_oldest_that_is_tested() -> None:
    runtime = yaml.safe_load((places.COLLECTION / "meta/runtime.yml").read_text(encoding="utf-8"))
    readme = (places.COLLECTION / "README.md").read_text(encoding="utf-8")
    matrix = (places.COLLECTION / "tests/dev/matrix.py").read_text(encoding="utf-8")
    oldest = re.findall(r'^    Core\("([0-9.]+)"', matrix, re.MULTILINE)[0]
    python = re.findall(r'^OLDEST_LIBRARIES = Core\("([0-9.]+)", "([0-9.]+)"', matrix, re.MULTILINE)
    assert runtime["requires_ansible"] == f">={oldest}.0"
    assert python == [(oldest, "3.10")]
    assert f"Python {python[0][1]} or newer, ansible-core {oldest} or newer," in " ".join(readme.split())
