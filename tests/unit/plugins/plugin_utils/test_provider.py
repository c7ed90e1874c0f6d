# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: an account or a collection code, whole, and not to be seen."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials, without_rivals


def test_an_account_goes_as_name_and_password() -> None:
    assert Credentials("someone", "secret").variables() == [("loginName", "someone"), ("loginPassword", "secret")]


def test_a_collection_code_goes_instead_of_the_account() -> None:
    assert Credentials(collection_code="code").variables() == [("collectionCode", "code")]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "No credentials"),
        ({"login_name": "someone"}, "login_name needs login_password beside it"),
        ({"login_password": "secret"}, "login_password needs login_name beside it"),
        ({"login_name": "", "login_password": ""}, "No credentials"),
        ({"login_name": "someone", "login_password": "secret", "collection_code": "code"}, "are both given"),
        ({"login_name": "someone", "collection_code": "code"}, "are both given"),
        ({"login_password": "secret", "collection_code": "code"}, "are both given"),
        ({"login_name": "n" * 65, "login_password": "secret"}, "login_name is longer than the 64"),
        ({"login_name": "someone", "login_password": "p" * 129}, "login_password is longer than the 128"),
        ({"login_name": "someone", "login_password": "secret\udce4"}, "login_password holds octets that are not UTF-8"),
        ({"login_name": "some\udcffone", "login_password": "secret"}, "login_name holds octets that are not UTF-8"),
        ({"collection_code": "\udcff"}, "collection_code holds octets that are not UTF-8"),
    ],
)
def test_bad_credentials_are_refused_without_being_shown(given: dict[str, str], named: str) -> None:
    with pytest.raises(OptionError, match=named) as caught:
        Credentials(**given)
    assert not any(value in str(caught.value) for value in ("secret", "pppp", "udce4"))


def test_the_longest_credentials_are_taken() -> None:
    credentials = Credentials("n" * 64, "ü" * 128)
    assert dict(credentials.variables()) == {"loginName": "n" * 64, "loginPassword": "ü" * 128}


@pytest.mark.parametrize(
    "credentials", [Credentials("someone", "secret"), Credentials(collection_code="secret")], ids=["account", "code"]
)
def test_no_text_shows_credentials(credentials: Credentials) -> None:
    assert "secret" not in f"{credentials} {credentials!r} {credentials!s}"
    assert "secret" not in repr([credentials])
    assert credentials.secrets() == ("secret",)


@pytest.mark.parametrize(
    ("given", "doubt"),
    [
        ({"login_password": "secret\n"}, "login_password ends in a line feed"),
        ({"login_password": "secret\r\n"}, "login_password ends in a carriage return and a line feed"),
        ({"login_password": "secret \n\n "}, "login_password ends in a space and a line feed"),
        ({"login_password": "\tsecret"}, "login_password begins with a tab"),
        (
            {"login_password": "\ufeffsecret\n"},
            "login_password begins with a byte order mark, and that for login_password ends in a line feed",
        ),
        ({"login_password": "secret\u00a0"}, "login_password ends in a no-break space"),
        ({"login_password": "secret\u2028"}, "login_password ends in white space"),
        ({"login_password": "secret\0"}, "login_password ends in white space"),
        ({"login_password": " \n"}, "login_password is nothing but white space"),
        ({"login_name": "someone\n"}, "login_name ends in a line feed"),
        (
            {"login_name": "someone ", "login_password": "secret\n"},
            "login_name ends in a space, and that for login_password ends in a line feed",
        ),
        (
            {"login_name": None, "login_password": None, "collection_code": "secret\n"},
            "collection_code ends in a line feed",
        ),
    ],
)
def test_what_no_eye_sees_is_doubted(given: dict[str, str | None], doubt: str) -> None:
    """Nothing of a secret is shown, and nothing is taken off: it may belong to it."""
    credentials = Credentials(**{"login_name": "someone", "login_password": "secret", **given})
    assert credentials.doubts() == (
        f"The value given for {doubt}, which was sent along: if that is no part of it, take it off where it comes from "
        "(option, vault, file or COLLECTSSL_ variable)."
    )
    assert {value for _name, value in credentials.variables()} >= {value for value in given.values() if value}


@pytest.mark.parametrize("secret", ["secret", "a b", "ü", "\u6f22", "a\tb", "\u0301e", "a\nb", "\U0001f511"])
def test_what_can_be_seen_is_not_doubted(secret: str) -> None:
    assert Credentials("someone", secret).doubts() == ""
    assert Credentials(collection_code=secret).doubts() == ""


def test_the_nearest_source_decides_between_account_and_code() -> None:
    options = {"login_name": "a", "login_password": "b", "collection_code": "c"}
    account = {**options, "collection_code": None}
    code = {"login_name": None, "login_password": None, "collection_code": "c"}
    assert without_rivals(options, {"login_name"}, {"collection_code"}) == account
    assert without_rivals(options, set(), {"collection_code"}, {"login_name"}) == code
    assert without_rivals(options, tuple(options)) == options
    assert without_rivals(options) == options
