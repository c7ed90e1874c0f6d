# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that are missing or too old are named, with the interpreter that lacks them."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import client, session
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
        f"install 'cryptography>={oldest}'."
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
    monkeypatch.setattr(client, "REQUESTS_VERSION", "2.25.1")
    with pytest.raises(CollectError, match=r"requests, 2\.31 or newer, .* has requests 2\.25\.1"):
        client.Client(provider())
