# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy is taken, at the edges of what an address, a port, a network and a list of names may be."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import (
    merged_environment,
    proxy_for,
    secrets_of,
)

_URL = "https://www.example.com/"
_PROXY = "http://proxy.example.com:3128"
_WRONG = (
    " must be the address of an http or https proxy, such as http://proxy.example.com:3128, or none for a direct "
    "connection."
)


@pytest.mark.parametrize(
    ("option", "environment", "named"),
    [
        ("ftp://proxy", {}, "proxy"),
        ("http://proxy:0", {}, "proxy"),
        ("http://proxy:65536", {}, "proxy"),
        ("://proxy", {}, "proxy"),
        ("http://[::1", {}, "proxy"),
        (None, {"https_proxy": "x://y"}, "The environment variable https_proxy"),
        (None, {"HTTPS_PROXY": "x://y"}, "The environment variable https_proxy"),
        (None, {"ALL_PROXY": "x://y"}, "The environment variable all_proxy"),
    ],
)
def test_what_is_no_address_is_refused_by_where_it_came_from(
    option: str | None, environment: dict[str, str], named: str
) -> None:
    with pytest.raises(OptionError) as caught:
        proxy_for(_URL, option, environment)
    assert str(caught.value) == f"{named}{_WRONG}"


@pytest.mark.parametrize("proxy", ["http://proxy:1", "http://proxy:65535", "https://[::1]:3128", "http://proxy"])
def test_what_is_an_address_is_taken_as_it_is(proxy: str) -> None:
    assert proxy_for(_URL, proxy, {}) == proxy
    assert proxy_for(_URL, " \n", {"all_proxy": f"\t{proxy} "}) == proxy
    assert proxy_for(_URL, f" {proxy} ", {"https_proxy": _PROXY, "no_proxy": "*"}) == proxy


def test_an_address_may_have_2048_characters() -> None:
    longest = "http://" + "p" * 2041
    assert proxy_for(_URL, longest, {}) == longest
    assert proxy_for(_URL, longest[7:], {}) == longest
    with pytest.raises(OptionError) as caught:
        proxy_for(_URL, longest[7:] + "p", {})
    assert str(caught.value) == ("proxy is longer than the 2048 characters that an address of a proxy may have here.")


@pytest.mark.parametrize("none", ["none", " NONE ", "None\n"])
def test_none_is_no_proxy_whatever_the_environment_says(none: str) -> None:
    assert proxy_for(_URL, none, {"https_proxy": _PROXY, "all_proxy": _PROXY}) is None
    with pytest.raises(OptionError):
        proxy_for(_URL, None, {"https_proxy": "x://none"})


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({"https_proxy": _PROXY, "all_proxy": "http://all"}, _PROXY),
        ({"all_proxy": "http://all"}, "http://all"),
        ({"https_proxy": " ", "all_proxy": "http://all"}, "http://all"),
        ({"https_proxy": "", "HTTPS_PROXY": _PROXY, "all_proxy": "http://all"}, "http://all"),
        ({"HTTP_PROXY": _PROXY, "proxy": _PROXY}, None),
        ({"https_proxy": _PROXY, "NO_PROXY": " * "}, None),
        ({"https_proxy": _PROXY, "no_proxy": "", "NO_PROXY": "*"}, _PROXY),
    ],
)
def test_the_first_variable_that_is_set_is_taken(environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(_URL, None, environment) == proxy


@pytest.mark.parametrize(
    ("url", "entries", "direct"),
    [
        ("https://www.example.com/", "www.example.com:443", True),
        ("https://www.example.com:444/", "www.example.com:443", False),
        ("https://www.example.com:444/", "www.example.com:00444", True),
        ("https://www.example.com:444/", "www.example.com:000444", False),
        ("https://www.example.com/", "www.example.com:\u0664\u0664\u0663", False),
        ("https://www.example.com/", "www.example.com:", False),
        ("https://www.example.com/", "*.www.example.com", True),
        ("https://www.example.com/", "*..example.com", True),
        ("https://www.example.com/", "**.example.com", False),
        ("https://www.example.com/", "x.example.com,,\t\nexample.com", True),
        ("https://www.example.com/", "x.www.example.com", False),
        ("https://example.com/", "www.example.com", False),
        ("https://www.example.com/", "10.0.0.0/0", False),
        ("https://10.0.0.1/", "10.0.0.1:443", True),
        ("https://10.0.0.1/", "10.0.0.2", False),
        ("https://10.0.0.1/", "0.1,1", False),
        ("https://10.0.0.1/", ",, ", False),
        ("https://www.10.0.0.1/", "10.0.0.1", False),
        ("https://10.0.0.1/", "10.0.0.0/31", True),
        ("https://10.0.0.2/", "10.0.0.0/31", False),
        ("https://[fe80::2]/", "[fe80::]/64", True),
        ("https://[fe80::2]/", "[fe80::2", False),
        ("https://[::5]/", "::5", True),
        ("https://[::5]:444/", "[::5]:443", False),
        ("https://www.example.com/", "::5,10.0.0.1", False),
    ],
)
def test_a_list_of_what_needs_no_proxy_is_read_to_the_sign(url: str, entries: str, direct: bool) -> None:
    assert (proxy_for(url, None, {"https_proxy": _PROXY, "no_proxy": entries}) is None) is direct


@pytest.mark.parametrize(
    ("controller", "task", "merged"),
    [
        ({"a": "1", "A": "2"}, {"a": 3}, {"a": "3", "A": "2"}),
        ({"https_proxy": "1", "HTTPS_PROXY": "2"}, {"Https_Proxy": "3"}, {"Https_Proxy": "3"}),
        ({"all_proxy": "1", "ALL_PROXY": "2"}, {"ALL_PROXY": None}, {"ALL_PROXY": ""}),
        ({"NO_PROXY": "1", "https_proxy": "2"}, {"no_proxy": "3"}, {"no_proxy": "3", "https_proxy": "2"}),
        ({"http_proxy": "1"}, {"HTTP_PROXY": "2"}, {"http_proxy": "1", "HTTP_PROXY": "2"}),
    ],
)
def test_a_variable_of_a_task_hides_that_of_the_controller(
    controller: dict[str, str], task: dict[str, object], merged: dict[str, str]
) -> None:
    assert merged_environment(controller, task) == merged


@pytest.mark.parametrize(
    ("proxy", "secrets"),
    [
        (None, ()),
        ("", ()),
        (_PROXY, ()),
        ("http://me@proxy", ()),
        ("http://me:@proxy", ()),
        ("http://me:a@proxy", ("a", "a")),
        ("http://me:a%2Fb@proxy", ("a%2Fb", "a/b")),
    ],
)
def test_the_password_of_a_proxy_is_secret_as_it_stands_and_as_it_is_meant(
    proxy: str | None, secrets: tuple[str, ...]
) -> None:
    assert secrets_of(proxy) == secrets
