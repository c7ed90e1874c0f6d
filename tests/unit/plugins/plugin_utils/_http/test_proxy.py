# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a call takes, from an option and an environment."""

from __future__ import annotations

import typing as t
import urllib.request

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import (
    merged_environment,
    proxy_for,
    secrets_of,
)

URL = "https://secure.example.com/products/download/CollectSSL"
PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("option", "environment", "expected"),
    [
        (None, {}, None),
        (PROXY, {}, PROXY),
        ("proxy.example.com:3128", {}, PROXY),
        ("https://proxy.example.com", {}, "https://proxy.example.com"),
        (f"  {PROXY}\n", {}, PROXY),
        (None, {"https_proxy": PROXY}, PROXY),
        (None, {"HTTPS_PROXY": PROXY}, PROXY),
        (None, {"all_proxy": PROXY}, PROXY),
        (None, {"ALL_PROXY": PROXY}, PROXY),
        (None, {"http_proxy": PROXY, "HTTP_PROXY": PROXY}, None),
        (None, {"https_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
        (None, {"https_proxy": PROXY, "all_proxy": "http://other"}, PROXY),
        (None, {"https_proxy": "", "HTTPS_PROXY": PROXY}, None),
        ("http://mine", {"https_proxy": PROXY, "no_proxy": "*"}, "http://mine"),
        ("none", {"https_proxy": PROXY}, None),
        ("NONE", {"HTTPS_PROXY": PROXY}, None),
        ("", {"https_proxy": PROXY}, PROXY),
        (None, {"https_proxy": PROXY, "no_proxy": "*"}, None),
        (None, {"https_proxy": PROXY, "no_proxy": "localhost, .example.com"}, None),
        (None, {"https_proxy": PROXY, "NO_PROXY": "example.com"}, None),
        (None, {"https_proxy": PROXY, "no_proxy": "SECURE.example.com:443"}, PROXY),
        (None, {"https_proxy": PROXY, "no_proxy": "ample.com,other.example.com"}, PROXY),
        (None, {"https_proxy": PROXY, "no_proxy": "", "NO_PROXY": "*"}, PROXY),
    ],
)
def test_the_option_wins_over_the_environment(
    option: str | None, environment: dict[str, str], expected: str | None
) -> None:
    assert proxy_for(URL, option, environment) == expected


def test_no_proxy_may_name_a_port() -> None:
    environment = {"https_proxy": PROXY, "no_proxy": "localhost:8443"}
    assert proxy_for("https://localhost:8443/", None, environment) is None
    assert proxy_for("https://localhost:9443/", None, environment) == PROXY


@pytest.mark.parametrize(
    "wrong",
    [
        "socks5://s3cret@proxy",
        "ftp://proxy",
        "http://",
        "http://proxy:0",
        "http://proxy:s3cret",
        "http://proxy:99999",
        "http://[::1",
    ],
)
def test_what_is_no_proxy_is_refused_without_being_shown(wrong: str) -> None:
    for option, environment, named in (
        (wrong, {}, r"^proxy must be the address of an http or https proxy, .*, or none for a direct connection\.$"),
        (None, {"HTTPS_PROXY": wrong}, r"^The environment variable https_proxy must be the address of an http"),
    ):
        with pytest.raises(OptionError, match=named) as caught:
            proxy_for(URL, option, environment)
        assert "s3cret" not in str(caught.value)


def test_the_system_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_arguments: t.Any) -> t.NoReturn:
        raise AssertionError("the system was asked")

    names = ("getproxies", "proxy_bypass", "getproxies_macosx_sysconf", "proxy_bypass_macosx_sysconf")
    for name in (*names, "getproxies_registry"):
        monkeypatch.setattr(urllib.request, name, asked, raising=False)
    assert proxy_for(URL, None, {}) is None
    assert proxy_for(URL, None, {"https_proxy": PROXY, "no_proxy": "localhost"}) == PROXY


def test_a_tasks_environment_lies_on_top_in_either_case() -> None:
    controller = {"https_proxy": PROXY, "NO_PROXY": "*", "PATH": "/bin"}
    assert merged_environment(controller, {}) == controller
    over = merged_environment(controller, {"HTTPS_PROXY": "http://task:1", "no_proxy": None})
    assert over == {"HTTPS_PROXY": "http://task:1", "no_proxy": "", "PATH": "/bin"}
    assert proxy_for(URL, None, over) == "http://task:1"
    assert proxy_for(URL, None, merged_environment({"HTTPS_PROXY": PROXY}, {"https_proxy": ""})) is None


def test_the_password_of_a_proxy_is_secret_in_both_spellings() -> None:
    assert set(secrets_of("http://me:a%20b%2F@proxy:1")) == {"a%20b%2F", "a b/"}
    assert secrets_of("http://me@proxy") == secrets_of(PROXY) == secrets_of(None) == ()
