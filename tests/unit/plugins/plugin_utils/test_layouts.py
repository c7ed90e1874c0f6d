# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate begins as."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._layouts import LAYOUTS, all_layouts, laid_out


def test_a_certificate_begins_as_its_layout() -> None:
    merged = laid_out({"name": "www", "layout": "nginx", "mode": "0640", "validate": None}, all_layouts({}))
    assert merged["fullchain_path"] == "/etc/nginx/tls/www.pem"
    assert merged["mode"] == "0640"
    assert merged["validate"] == "nginx -t"
    assert "layout" not in merged
    assert laid_out({"name": "www", "path": "/a/{name}"}, LAYOUTS) == {"name": "www", "path": "/a/{name}"}


def test_only_the_six_characters_are_replaced() -> None:
    own = {
        "mine": {
            "path": "/a/{name}/{{ name }}/{Name}/{0}/%s",
            "services": ["x-{name}"],
            "endpoints": [{"host": "{name}.test"}],
        }
    }
    merged = laid_out({"name": "w{name}", "layout": "mine"}, all_layouts(own))
    assert merged["path"] == "/a/w{name}/{w{name}}/{Name}/{0}/%s".replace("{w{name}}", "{{ name }}")
    assert merged["services"] == ["x-w{name}"]
    assert merged["endpoints"] == [{"host": "w{name}.test"}]


def test_own_layouts_are_added_and_take_the_place_of_shipped_ones() -> None:
    layouts = all_layouts({"nginx": {"path": "/x/{name}"}, "squid": {"path": "/s/{name}"}})
    assert set(layouts) == {*LAYOUTS, "squid"}
    assert laid_out({"name": "a", "layout": "nginx"}, layouts) == {"name": "a", "path": "/x/a"}
    # The shipped ones stay as they are.
    assert LAYOUTS["nginx"]["services"] == ["nginx"]


@pytest.mark.parametrize("name", ["ngnix", "Nginx", "unheard-of"])
def test_a_layout_that_there_is_not(name: str) -> None:
    with pytest.raises(OptionError, match=f"There is no layout {name}") as caught:
        laid_out({"name": "a", "layout": name}, LAYOUTS)
    assert ("Is nginx meant?" in str(caught.value)) == (name != "unheard-of")
    assert "apache, dovecot, haproxy, nginx, postfix" in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("nginx", "must be a dictionary"),
        ({"order_number": "12345678"}, "has order_number"),
        ({"content": "x", "name": "y"}, "has content and name"),
        ({"privatekey_passphrase": "horse"}, "has privatekey_passphrase"),
    ],
)
def test_what_a_layout_does_not_say(layout: t.Any, words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        all_layouts({"mine": layout})
    assert "horse" not in str(caught.value)
