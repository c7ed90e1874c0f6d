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
        (None, {"https_proxy": PROXY, "no_proxy": "SECURE.example.com:443"}, None),
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


_NO_PROXY = [
    ("https://10.1.2.3/x", "10.0.0.0/8", True),
    ("https://10.1.2.3/x", "10.9.9.9/8", True),
    ("https://10.1.2.3/x", "10.0.0.0/255.0.0.0", True),
    ("https://10.1.2.3:8443/x", "localhost, 10.0.0.0/8", True),
    ("https://11.1.2.3/x", "10.0.0.0/8", False),
    ("https://10.1.2.3/x", "10.1.2.3/32", True),
    ("https://10.1.2.4/x", "10.1.2.3/32", False),
    ("https://10.1.2.3/x", "0.0.0.0/0", True),
    ("https://10.1.2.3/x", "::/0", False),
    ("https://10.1.2.3/x", "10.0.0.0/33,10.0.0.0/x,/8,10/8", False),
    ("https://[2001:db8::5]/x", "2001:db8::/32", True),
    ("https://[2001:db8::5]:8443/x", "[2001:db8::]/32", True),
    ("https://[2001:db9::5]/x", "2001:db8::/32", False),
    ("https://[2001:db8::5]/x", "0.0.0.0/0", False),
    ("https://[fe80::1%25eth0]/x", "fe80::/10", True),
    ("https://[2001:db8::5]/x", "2001:DB8:0:0::5", True),
    ("https://[2001:db8::5]/x", "[2001:db8::5]", True),
    ("https://[2001:db8::5]:8443/x", "[2001:db8::5]:8443", True),
    ("https://[2001:db8::5]/x", "[2001:db8::5]:8443", False),
    ("https://192.0.2.1/x", "192.0.2.1", True),
    ("https://192.0.2.1:8443/x", "192.0.2.1:8443", True),
    ("https://192.0.2.1/x", "192.0.2.1:443", True),
    ("https://192.0.2.1/x", "192.0.2.1:8443", False),
    ("https://192.0.2.1/x", "2.1,.2.1,0.2.1", False),
    ("https://secure.example.com/x", "10.0.0.0/8,secure.example.com/24", False),
    ("https://secure.example.com/x", "example.com", True),
    ("https://secure.example.com/x", ".example.com", True),
    ("https://secure.example.com/x", "*.example.com", True),
    ("https://secure.example.com/x", "Secure.EXAMPLE.com.", True),
    ("https://secure.example.com/x", "localhost  example.com", True),
    ("https://secure.example.com/x", "localhost ,\texample.com\n", True),
    ("https://secure.example.com/x", "localhost,*", True),
    ("https://secure.example.com/x", "example.com:443", True),
    ("https://secure.example.com/x", "example.com:8443", False),
    ("https://secure.example.com:8443/x", "example.com:8443", True),
    ("https://secure.example.com/x", "cure.example.com,.,*.,..,,", False),
    ("https://secure.example.com/x", "very.secure.example.com,example.com.evil", False),
    ("https://xn--bcher-kva.example/x", "b\u00fccher.example", True),
    ("https://localhost/x", "127.0.0.0/8,::1", False),
]


@pytest.mark.parametrize(("url", "no_proxy", "direct"), _NO_PROXY)
def test_no_proxy_knows_names_addresses_and_networks(url: str, no_proxy: str, direct: bool) -> None:
    environment = {"https_proxy": PROXY, "NO_PROXY": no_proxy}
    assert proxy_for(url, None, environment) == (None if direct else PROXY)
    assert proxy_for(url, "http://mine", environment) == "http://mine"


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


def test_an_address_without_end_is_refused_without_being_shown() -> None:
    endless = f"http://me:{'s3cret' * 1000}@proxy:1"
    for option, environment in ((endless, {}), (None, {"https_proxy": endless})):
        with pytest.raises(OptionError, match=r"is longer than the 2048 characters that an address") as caught:
            proxy_for(URL, option, environment)
        assert "s3cret" not in str(caught.value)
