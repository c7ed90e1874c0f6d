# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup, with the options of its documentation read by ansible-core itself."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible import constants as C
from ansible.config.manager import ConfigManager
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible_collections.certfleet.collectssl.plugins.doc_fragments._collectssl import ModuleDocFragment
from ansible_collections.certfleet.collectssl.plugins.lookup import collectssl_certificate
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import lookup_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import TransportError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import Credentials
from ansible_collections.certfleet.collectssl.tests.support.broker import (
    PASSWORD,
    PENDING,
    Answers,
)

pytestmark = pytest.mark.usefixtures("run_folder")

NAME = "certfleet.collectssl.collectssl_certificate"
ACCOUNT: dict[str, t.Any] = {"login_name": "account", "login_password": PASSWORD}


def documented() -> dict[str, t.Any]:
    """The options of the documentation, with those of its fragments."""
    options: dict[str, t.Any] = {}
    fragment = ModuleDocFragment
    texts = (fragment.DOCUMENTATION, fragment.WAITING, fragment.PLUGIN, collectssl_certificate.DOCUMENTATION)
    for text in texts:
        for name, rules in yaml.safe_load(text)["options"].items():
            options.setdefault(name, {}).update(rules)
    return options


class Lookup:
    """A lookup under a configuration file of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> None:
        self._monkeypatch = monkeypatch
        self._file = folder / "ansible.cfg"
        self.configure("")

    def configure(self, section: str) -> None:
        """Write the section of the collection."""
        self._file.write_text(f"[collectssl]\n{section}\n", encoding="utf-8")
        config = ConfigManager(str(self._file))
        config.initialize_plugin_configuration_definitions("lookup", NAME, documented())
        self._monkeypatch.setattr(C, "config", config)

    def __call__(self, *terms: t.Any, variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[t.Any]:
        """What the lookup gives."""
        lookup = collectssl_certificate.LookupModule()
        lookup._load_name = NAME
        result: list[t.Any] = lookup.run(list(terms), variables or {}, **options)
        return result


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Lookup:
    return Lookup(monkeypatch, tmp_path)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def test_documentation_and_spec_know_the_same_options() -> None:
    options = documented()
    options.pop("_terms")
    spec = lookup_spec().argument_spec
    assert set(options) == set(spec)
    for name, rules in spec.items():
        assert options[name].get("type") == rules["type"], name
        assert options[name].get("default") == rules.get("default"), name
        assert list(options[name].get("choices", [])) == rules.get("choices", []), name


@pytest.mark.parametrize(
    ("part", "query_type", "certificates"),
    [("fullchain", 1, 2), ("certificate", 2, 1), ("chain", 3, 1), ("root", 3, 1)],
)
def test_a_part_asks_for_no_more_than_it_needs(
    lookup: Lookup, answers: Answers, part: str, query_type: int, certificates: int
) -> None:
    (text,) = lookup("1", part=part, **ACCOUNT)
    assert text.count("-----BEGIN CERTIFICATE-----") == certificates
    assert text.endswith("-----END CERTIFICATE-----\n")
    assert [request.query_type for request in answers.requests] == [query_type]


def test_the_order_is_a_dictionary_in_every_state(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, {"2": PENDING, "3": "errorCode=-20"})
    orders = lookup("1", "2", "3", part="order", **ACCOUNT)
    assert [order["state"] for order in orders] == ["issued", "pending", "rejected"]
    assert [request.query_type for request in answers.requests] == [0, 0, 0]


def test_parts_of_an_order_that_is_known_whole_cost_no_call(lookup: Lookup, answers: Answers) -> None:
    (whole,) = lookup("1", **ACCOUNT)
    (certificate,) = lookup("1", part="certificate", **ACCOUNT)
    (intermediates,) = lookup("1", part="chain", **ACCOUNT)
    assert whole == certificate + intermediates
    assert lookup("1", part="order", **ACCOUNT)[0]["state"] == "issued"
    assert len(answers.requests) == 1


def test_each_term_is_an_order_also_in_a_list(lookup: Lookup, answers: Answers) -> None:
    assert len(lookup("1", 20000002, ["3", "4"], **ACCOUNT)) == 4
    assert [request.identifier for request in answers.requests] == ["1", "20000002", "3", "4"]
    assert lookup([], **ACCOUNT) == []


@pytest.mark.parametrize("kind", ["certificate_id", "base_order_number", "order_number"])
def test_without_terms_an_option_names_the_order(lookup: Lookup, answers: Answers, kind: str) -> None:
    assert len(lookup(part="order", **{**ACCOUNT, kind: 77777777})) == 1
    assert (answers.requests[0].identifier_kind, answers.requests[0].identifier) == (kind, "77777777")


@pytest.mark.parametrize(
    ("terms", "options", "sentence"),
    [
        (["1"], {"certificate_id": 5}, "Give either order numbers as terms, or one of order_number, "),
        ([], {}, "Give one of order_number, certificate_id, base_order_number; none is given."),
        ([], {"certificate_id": 5, "order_number": 1}, "Give only one of order_number, certificate_id, "),
        (["1"], {"prat": "root"}, "There is no option prat. Is part meant?"),
        (["1"], {"part": "key"}, "part must be one of fullchain, certificate, chain, root, order, not 'key'."),
        (["1"], {"retries": "many"}, "retries must be a whole number, not 'many'."),
        (["1"], {"part": "root", "response_encoding": "binary"}, "response_encoding binary needs response_type zip or"),
        ([" "], {}, "Term 1 of the lookup is empty."),
        (["1"], {"login_password": None}, "login_name needs login_password beside it"),
        (["1"], {"collection_code": "x"}, "Give only one of login_name, collection_code, not both"),
        (["1"], {"wait_timeout": -1}, "wait_timeout must be a whole number from 0 to"),
        (["1", 5349], {}, "Term 2 of the lookup is the number 5349, which YAML may have made of something else: "),
        (["1", ["2", True]], {}, "Term 3 of the lookup is the truth value true, which YAML may have made of something"),
        ([{"order_number": "1"}], {}, "Term 1 of the lookup must be text."),
        (["1", None], {}, "Term 2 of the lookup is empty."),
        ([], {"order_number": 5349}, "order_number is the number 5349, which YAML may have made of something else: "),
        ([], {"order_number": ["1"]}, "order_number must be text."),
        (
            [],
            {"certificate_id": 1.0},
            "certificate_id must be a whole number (section 1 of the CollectSSL specification)",
        ),
    ],
)
def test_a_wrong_option_is_told_before_any_call(
    lookup: Lookup, answers: Answers, terms: list[str], options: dict[str, t.Any], sentence: str
) -> None:
    with pytest.raises(AnsibleLookupError) as caught:
        lookup(*terms, **{**ACCOUNT, **options})
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(" Nothing was changed.")
    assert not answers.requests


def test_the_order_numbers_of_ccc_are_whole_numbers(lookup: Lookup, answers: Answers) -> None:
    """Whichever source says that it is CollectCCC."""
    variables = {"collectssl_product": "ccc"}
    lookup(5349, part="order", product="ccc", **ACCOUNT)
    lookup(5350, part="order", variables=variables, **ACCOUNT)
    lookup(part="order", order_number=5351, variables=variables, **ACCOUNT)
    assert [request.identifier for request in answers.requests] == ["5349", "5350", "5351"]
    with pytest.raises(AnsibleLookupError, match=r"^Term 1 of the lookup must be a whole number .*, not '-1'\."):
        lookup(-1, part="order", product="ccc", **ACCOUNT)


@pytest.mark.parametrize("part", ["fullchain", "certificate", "chain", "root"])
def test_what_is_not_issued_is_an_error_of_the_lookup(
    lookup: Lookup, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    Answers(monkeypatch, {"1": PENDING, "2": TransportError("The network is down.")})
    with pytest.raises(AnsibleLookupError, match=r"^Order number 1 is still being processed\. Run again later"):
        lookup("1", part=part, **ACCOUNT)
    with pytest.raises(AnsibleLookupError, match=r"^The network is down\. Nothing was changed\.$"):
        lookup("2", part=part, **ACCOUNT)


def test_an_order_that_could_not_be_asked_is_an_error_too(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, {"1": "errorCode=-16&errorMessage=Permission+denied!"})
    with pytest.raises(AnsibleLookupError, match="refused order number 1 with status -16"):
        lookup("1", part="order", **ACCOUNT)


def test_options_come_from_variables_the_environment_and_the_configuration(
    lookup: Lookup, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup.configure("login_name = ini\nlogin_password = ini password\nretries = 7\nproduct = ccc\nproxy = ini:1")
    lookup("1")
    monkeypatch.setenv("COLLECTSSL_PROXY", "env:1")
    lookup("2", variables={"collectssl_login_name": "var", "collectssl_product": "ssl"})
    lookup("3", variables={"collectssl_retries": 5}, proxy="none", login_name="direct")
    assert [whom.credentials for whom in answers.providers] == [
        Credentials(name, "ini password") for name in ("ini", "var", "direct")
    ]
    assert [whom.transport.proxy for whom in answers.providers] == ["http://ini:1", "http://env:1", None]
    assert [whom.transport.retries for whom in answers.providers] == [7, 7, 5]
    assert [request.product for request in answers.requests] == ["ccc", "ssl", "ccc"]


def test_an_account_and_a_collection_code_from_the_environment(lookup: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where they may come from, as that of the modules does."""
    for name, value in (("LOGIN_NAME", "me"), ("LOGIN_PASSWORD", "p"), ("COLLECTION_CODE", "code")):
        monkeypatch.setenv(f"COLLECTSSL_{name}", value)
    with pytest.raises(AnsibleLookupError) as caught:
        lookup("1", product="ccc")
    assert "by the COLLECTSSL_ variables of the controller's environment" in str(caught.value)


def test_the_nearer_of_an_account_and_a_collection_code_is_meant(
    lookup: Lookup, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup.configure("collection_code = ini code")
    lookup("1", **ACCOUNT)
    lookup("2", variables={f"collectssl_{name}": value for name, value in ACCOUNT.items()})
    lookup(product="ccc")
    monkeypatch.setenv("COLLECTSSL_LOGIN_NAME", "env")
    monkeypatch.setenv("COLLECTSSL_LOGIN_PASSWORD", "env password")
    lookup("4")
    lookup(collection_code="direct", product="ccc")
    account = Credentials(**ACCOUNT)
    assert [whom.credentials for whom in answers.providers] == [
        *(account, account, Credentials(collection_code="ini code"), Credentials("env", "env password")),
        Credentials(collection_code="direct"),
    ]
    assert [request.identifier for request in answers.requests] == ["1", "2", "", "4", ""]
    with pytest.raises(AnsibleLookupError, match=r"names the order by itself, and order_number is given beside it\."):
        lookup("6", collection_code="direct", product="ccc")


def test_the_controllers_environment_names_the_proxy(
    lookup: Lookup, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://controller:1")
    lookup("1", **ACCOUNT)
    assert answers.providers[0].transport.proxy == "http://controller:1"


def test_a_variable_of_the_wrong_type_is_named(lookup: Lookup, answers: Answers) -> None:
    with pytest.raises(AnsibleError, match="collectssl_retries"):
        lookup("1", variables={"collectssl_retries": "many"}, **ACCOUNT)
    assert not answers.requests


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([{"12345678": "x"}], "Term 1 of the lookup must be text."),
        # As with_ hands it over, a dictionary is none of a list of its keys.
        ({"12345678": "x"}, "Term 1 of the lookup must be text."),
        ({}, "Term 1 of the lookup must be text."),
        ({"12345678"}, "Term 1 of the lookup must be text."),
        (["12345678", True], "Term 2 of the lookup is the truth value true, which YAML may have made of something"),
        (False, "Term 1 of the lookup is the truth value false, which YAML may have made of something else"),
        ([["12345678", {"a": 1}]], "Term 2 of the lookup must be text."),
    ],
)
def test_a_term_that_is_no_order_number_is_refused(
    terms: t.Any, message: str, lookup: Lookup, answers: Answers
) -> None:
    del lookup
    plugin = collectssl_certificate.LookupModule()
    plugin._load_name = NAME
    with pytest.raises(AnsibleLookupError) as caught:
        plugin.run(terms, {}, **ACCOUNT)
    assert str(caught.value).startswith(message)
    assert not answers.requests
