# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A passphrase that comes in a file of its own, which goes at once; and what no command inherits."""

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import BESIDE, LONGEST_PASSPHRASE
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.secrets import (
    forget_account,
    take_passphrase,
)


class Module:
    """As much of a module as is looked at."""

    def __init__(self, passphrase: str | None) -> None:
        self.params: dict[str, t.Any] = {"privatekey_passphrase": passphrase}
        self.no_log_values: set[str] = set()


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "passphrase"
    path.write_bytes("phr\u00e4se \n".encode())
    path.chmod(0o600)
    return path


def taken(path: pathlib.Path) -> Module:
    module = Module(f"{BESIDE}{path}")
    take_passphrase(module, module.params)
    return module


def test_it_is_taken_as_it_is_shown_nowhere_and_gone(file: pathlib.Path) -> None:
    module = taken(file)
    assert module.params["privatekey_passphrase"] == "phr\u00e4se \n"
    assert module.no_log_values == {"phr\u00e4se \n"}
    assert not file.exists()


@pytest.mark.parametrize("given", [None, "", "plain", "/tmp/passphrase"])
def test_one_that_came_with_the_options_stays_what_it_is(given: str | None) -> None:
    module = Module(given)
    take_passphrase(module, module.params)
    assert module.params["privatekey_passphrase"] == given
    assert module.no_log_values == set()


def link(path: pathlib.Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def fifo(path: pathlib.Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def folder(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "plant",
    [
        link,
        fifo,
        folder,
        pathlib.Path.unlink,
        lambda path: path.chmod(0o660),
        lambda path: path.chmod(0o602),
        lambda path: os.link(path, path.with_name("kept")),
        lambda path: path.write_bytes(b"x" * (LONGEST_PASSPHRASE + 1)),
    ],
    ids=["link", "fifo", "folder", "missing", "group writes", "others write", "two names", "too long"],
)
def test_what_is_not_as_the_controller_made_it_is_refused(
    plant: t.Callable[[pathlib.Path], t.Any], file: pathlib.Path
) -> None:
    plant(file)
    with pytest.raises(InstallError, match=r"^privatekey_passphrase") as caught:
        taken(file)
    assert "phr" not in str(caught.value).replace(str(file), "").replace("privatekey_passphrase", "")


def test_the_longest_one_is_taken_whole(file: pathlib.Path) -> None:
    file.write_bytes(b"x" * LONGEST_PASSPHRASE)
    assert taken(file).params["privatekey_passphrase"] == "x" * LONGEST_PASSPHRASE


def test_no_command_inherits_the_account_or_the_password_of_a_proxy() -> None:
    kept = {
        "PATH": "/bin",
        "https_proxy": "http://proxy.example.com:3128",
        "HTTP_PROXY": "proxy.example.com:3128",
        "no_proxy": "localhost,[::1]:443",
        "MY_COLLECTSSL_X": "1",
        "ALL_PROXY": "http://user@proxy:1",
    }
    environment = {
        **kept,
        "COLLECTSSL_LOGIN_PASSWORD": "x",
        "COLLECTSSL_ANYTHING": "x",
        "collectssl_login_name": "x",
        "https_proxy2_proxy": "http://a:b@c",
        "HTTPS_PROXY": "http://me:s3cret@proxy:1",
        "all_proxy": "me:s3cret@proxy:1",
        "ftp_proxy": "https://me:@proxy:1/x",
    }
    forget_account(environment)
    assert environment == kept
