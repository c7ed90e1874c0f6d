# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the tests of plugins; most of them are for the controller's side."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import session
from ansible_collections.certfleet.collectssl.tests.support.identity import Identity

_SURROUNDINGS = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    *("COLLECTSSL_API_URL", "COLLECTSSL_LOGIN_NAME", "COLLECTSSL_LOGIN_PASSWORD", "COLLECTSSL_COLLECTION_CODE"),
    *("COLLECTSSL_CA_PATH", "COLLECTSSL_PROXY"),
)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """What the servers of the tests prove themselves with."""
    return Identity.make(tmp_path_factory.mktemp("identity"))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """No trust, no proxy and no credentials from around the tests, and no connection of another test."""
    for name in _SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
    yield
    for used in session._adapters.values():
        used.close()
    session._adapters.clear()


@pytest.fixture
def run_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The temporary folder of a run of Ansible, with a home beside it."""
    # Here and not above: ansible-core has no part in many of the tests that have this file.
    from ansible import constants as C

    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(folder))
    monkeypatch.setattr(C, "ANSIBLE_HOME", str(tmp_path / "home"))
    return folder
