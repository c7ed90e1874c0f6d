# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of certificates: which are looked at from here, what they are called, and what is told of them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy import endpoints as under_test
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.endpoints import Endpoint, endpoints, told
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError, InstallError


def _endpoint(**more: t.Any) -> dict[str, t.Any]:
    given = {"host": "h", "port": 443, "server_name": None, "starttls": None, "ca_path": None, "connect_from": "target"}
    return {**given, **more}


def _params(**certificates: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    wanted = [{"name": name, "endpoints": ends} for name, ends in certificates.items()]
    return {"certificates": wanted, "probe_timeout": 7}


def test_what_is_looked_at_from_here() -> None:
    here = _endpoint(server_name="www.example.com", starttls="smtp")
    found = endpoints(_params(a=[here, _endpoint(connect_from="controller", port=25)]))
    one, other = list(found.values())
    assert (one.name, one.elsewhere) == ("a", False)
    assert (one.look.host, one.look.port, one.look.timeout, one.look.starttls) == ("h", 443, 7, "smtp")
    assert one.address == {
        "host": "h", "port": 443, "server_name": "www.example.com", "starttls": "smtp", "connect_from": "target",
    }  # fmt: skip
    assert (other.name, other.look, other.elsewhere, other.address["port"]) == ("a", None, True, 25)


def test_what_they_are_called() -> None:
    plain = _endpoint()
    found = endpoints(
        _params(
            a=[plain, plain, plain, plain, _endpoint(server_name="s", starttls="smtp"), _endpoint(starttls="imap")],
            b=[plain],
        )
    )
    assert list(found) == [
        "h port 443",
        "h port 443 of a",
        "h port 443 of a, 2",
        "h port 443 of a, 3",
        "h port 443 (s, smtp)",
        "h port 443 (imap)",
        "h port 443 of b",
    ]
    assert [one.name for one in found.values()] == ["a"] * 6 + ["b"]


def test_an_option_that_breaks_a_rule() -> None:
    with pytest.raises(InstallError, match=r"^a: endpoints: port must be .* Nothing was changed\.$"):
        endpoints(_params(a=[_endpoint(port=0)]))


def test_a_host_without_ssl(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes whatever it does not look at, and says why it does not."""
    monkeypatch.setattr(under_test, "HAS_SSL", False)
    found = next(iter(endpoints(_params(a=[_endpoint(port=0)])).values()))
    assert (found.look, found.elsewhere) == (None, False)
    with pytest.raises(EndpointError, match=r"could not be looked at from this host: the Python of this host"):
        under_test.look_at(found.look, None, frozenset())
    assert under_test.beside({"one": found, "other": found._replace(name="b")}) == {}


def test_a_look_is_that_of_the_module_for_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a certificate with some kind of key; and what is another's by right says nothing of it."""
    asked = []

    def probe(endpoint: t.Any) -> t.Any:
        asked.append(endpoint.key_type)
        return {"fingerprint_sha256": "AA"}.items()

    monkeypatch.setattr(under_test, "probe", probe)
    look = next(iter(endpoints(_params(a=[_endpoint()])).values())).look
    assert under_test.look_at(look, "rsa", frozenset(["BB"])) == {"fingerprint_sha256": "AA"}
    with pytest.raises(EndpointError, match=r"^it shows the certificate of another name") as caught:
        under_test.look_at(look, None, frozenset(["AA"]))
    assert (caught.value.shown, caught.value.undetermined) == ({"fingerprint_sha256": "AA"}, True)
    assert asked == ["rsa", None]


def test_who_else_is_to_be_seen_at_an_address() -> None:
    other, elsewhere = _endpoint(port=444), _endpoint(connect_from="controller")
    found = endpoints(_params(a=[_endpoint(), other, elsewhere], b=[_endpoint()], c=[_endpoint(), other, elsewhere]))
    assert {key: sorted(names) for key, names in under_test.beside(found).items()} == {
        "h port 443": ["b", "c"],
        "h port 444": ["c"],
        "h port 443 of b": ["a", "c"],
        "h port 443 of c": ["a", "b"],
        "h port 444 of c": ["a"],
    }


def test_what_is_told() -> None:
    def known(name: str) -> Endpoint:
        return Endpoint(name, {"host": f"h of {name}"}, None, False)

    looked: dict[str, dict[str, t.Any]] = {
        "right": {"fingerprint_sha256": "AA", "certificate": "PEM", "verified": False, "verify_error": "old"},
        "wrong": {"fingerprint_sha256": "BB", "certificate": "PEM", "verified": True},
        "silent": {"reason": "Nothing listens there.", "undetermined": False},
        "doubt": {"fingerprint_sha256": "CC", "certificate": "PEM", "reason": "Why?", "undetermined": True},
        "unseen": {"reason": "It wants a certificate.", "undetermined": True},
        "right after all": {"fingerprint_sha256": "AA", "reason": "Why?", "undetermined": True},
        "not asked for": {"fingerprint_sha256": "AA"},
    }
    names = {"right": "a", "wrong": "a", "silent": "b", "not asked for": "c", "not looked at": "a"}
    names.update({"doubt": "b", "unseen": "b", "right after all": "a"})
    nothing = {"fingerprint_sha256": None, "served": None, "verified": None, "verify_error": None, "serves": False}
    seen = told({key: known(name) for key, name in names.items()}, looked, {"a": "AA", "b": None})
    assert seen == [
        {
            "certificate": "a", "host": "h of a", "fingerprint_sha256": "AA", "served": None, "verified": False,
            "verify_error": "old", "serves": True, "reason": "",
        },
        {
            "certificate": "a", "host": "h of a", "fingerprint_sha256": "BB", "served": "PEM", "verified": True,
            "verify_error": None, "serves": False, "reason": "",
        },
        {"certificate": "b", "host": "h of b", **nothing, "reason": "Nothing listens there."},
        {
            "certificate": "b", "host": "h of b", "fingerprint_sha256": "CC", "served": "PEM", "verified": None,
            "verify_error": None, "serves": None, "reason": "Why?",
        },
        {"certificate": "b", "host": "h of b", **nothing, "serves": None, "reason": "It wants a certificate."},
        {
            "certificate": "a", "host": "h of a", "fingerprint_sha256": "AA", "served": None, "verified": None,
            "verify_error": None, "serves": True, "reason": "",
        },
    ]  # fmt: skip
