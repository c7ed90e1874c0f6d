# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every wrong option gets one sentence that names it and the rule; the right ones become plain values."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    ArgumentSpec,
    certificate_spec,
    lookup_spec,
    order_info_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    QUERY_STATUS,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _options, _validation
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import (
    Credentials,
    Provider,
    Transport,
    Waiting,
)

ACCOUNT = {"login_name": "me", "login_password": "s3cret"}
TASK = {**ACCOUNT, "order_number": "1", "path": "/etc/tls/cert.pem"}
INFO = {**ACCOUNT, "order_number": "1"}


def certificate_options() -> ArgumentSpec:
    return certificate_spec() + ArgumentSpec(t.cast("dict[str, dict[str, t.Any]]", FILE_COMMON_ARGUMENTS))


def taken(args: dict[str, t.Any], spec: ArgumentSpec | None = None, query_type: int = QUERY_ALL) -> Provider:
    """What an edge does with its options before it calls anybody."""
    spec = spec or certificate_options()
    options = _options.with_environment(_validation.validated(args, spec), _validation.by_name(args, spec))
    found = _options.provider_of(options, {})
    _options.waiting_of(options)
    _options.request_of(options, query_type)
    return found


WRONG: dict[str, tuple[dict[str, t.Any], str]] = {
    "two identifiers": (
        {"certificate_id": "5"},
        (
            "Give only one of order_number, certificate_id, base_order_number, content, not both order_number and "
            "certificate_id."
        ),
    ),
    "content and an identifier": (
        {"content": "x"},
        "Give only one of order_number, certificate_id, base_order_number, content, not both order_number and content.",
    ),
    "no identifier": (
        {"order_number": None},
        "Give one of order_number, certificate_id, base_order_number, content; none is given.",
    ),
    "no path": (
        {"path": None},
        "Give one of path, chain_path, fullchain_path, root_path, combined_path; none is given.",
    ),
    "certificate_id": (
        {"order_number": None, "certificate_id": "12a"},
        "certificate_id must be a whole number (section 1 of the CollectSSL specification), not '12a'.",
    ),
    "base_order_number": (
        {"order_number": None, "base_order_number": -5},
        "base_order_number must be a whole number (section 1 of the CollectSSL specification), not '-5'.",
    ),
    "empty order": ({"order_number": " "}, "order_number is empty."),
    "long order": (
        {"order_number": "1" * 129},
        "order_number must be at most 128 printable characters (section 1 of the CollectSSL specification).",
    ),
    "binary individual": (
        {"response_encoding": "binary"},
        (
            "response_encoding binary needs response_type zip or pkcs7, not individual (section 1 of the CollectSSL "
            "specification)."
        ),
    ),
    "zip of ccc": (
        {"product": "ccc", "response_type": "zip"},
        "response_type zip is for product ssl alone: CollectCCC sends no ZIP archive.",
    ),
    "code of ssl": (
        {**dict.fromkeys(ACCOUNT), "collection_code": "s3cret"},
        (
            "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) is for "
            "product ccc alone, and this asks with product ssl. Give login_name and login_password in its place, or "
            "product: ccc."
        ),
    ),
    "code of ssl without an order": (
        {**dict.fromkeys(ACCOUNT), "order_number": None, "collection_code": "s3cret"},
        (
            "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) is for "
            "product ccc alone, and this asks with product ssl. Give login_name and login_password in its place, or "
            "product: ccc."
        ),
    ),
    "code and order": (
        {**dict.fromkeys(ACCOUNT), "product": "ccc", "collection_code": "s3cret"},
        (
            "A collection_code (the option, or COLLECTSSL_COLLECTION_CODE in the controller's environment) names the "
            "order by itself, and order_number is given beside it. Leave out order_number, or give login_name and "
            "login_password in place of the code."
        ),
    ),
    "long code": (
        {**dict.fromkeys(ACCOUNT), "order_number": None, "product": "ccc", "collection_code": "s3cret" + "x" * 11},
        "collection_code is longer than the 16 characters that CollectCCC takes.",
    ),
    "long code of a file": (
        {**dict.fromkeys(ACCOUNT), "order_number": None, "product": "ccc", "collection_code": "s3cret0123456789\n"},
        (
            "collection_code is longer than the 16 characters that CollectCCC takes. It begins or ends with white "
            "space: is that meant?"
        ),
    ),
    "ccc without an order": (
        {"order_number": None, "product": "ccc"},
        "Give one of order_number, collection_code, content; none is given.",
    ),
    "certificate_id of ccc": (
        {"order_number": None, "certificate_id": "5", "product": "ccc"},
        "certificate_id is for product ssl alone: CollectCCC is asked by order_number, or by a collection_code alone.",
    ),
    "base_order_number of ccc": (
        {"order_number": None, "base_order_number": "5", "product": "ccc"},
        (
            "base_order_number is for product ssl alone: CollectCCC is asked by order_number, or by a collection_code "
            "alone."
        ),
    ),
    "order of ccc": (
        {"order_number": "WX-12", "product": "ccc"},
        "order_number must be a whole number for product ccc, not 'WX-12'.",
    ),
    "combined": ({"combined_path": "/c"}, "combined_path needs privatekey_path beside it."),
    "passphrase": ({"privatekey_passphrase": "s3cret"}, "privatekey_passphrase needs privatekey_path beside it."),
    "pending key": ({"pending_privatekey_path": "/k"}, "pending_privatekey_path needs privatekey_path beside it."),
    "unknown": ({"order_numbr": 1}, "There is no option order_numbr. Is order_number meant?"),
    "unknown and unprintable": ({"logi\x1bname": 1}, "There is no option logi name. Is login_name meant?"),
    "a list for a number": ({"wait_timeout": [1]}, "wait_timeout must be a whole number."),
    "a dictionary in a list": ({"expected_names": ["a", {"a": 1}]}, "Element 2 of expected_names must be text."),
    "a list in a list": ({"expected_names": [["a"]]}, "Element 1 of expected_names must be text."),
    "nothing in a list": ({"expected_names": ["a", None]}, "Element 2 of expected_names must be text."),
    "a truth value in a list": ({"expected_names": [True]}, "Element 1 of expected_names must be text."),
    "blanks in a list": ({"expected_names": [" "]}, "Element 1 of expected_names is empty."),
    "a truth value for a list": (
        {"expected_names": True},
        "expected_names must be a list, or text with commas between its parts.",
    ),
    "text of a list": (
        {"expected_names": "['www.example.com']"},
        "expected_names must be a list, or text with commas between its parts.",
    ),
    "unknown ones": (
        {"xyzzy": 1, "frobnicate": 2},
        "There is no option frobnicate and no option xyzzy. ansible-doc lists those there are.",
    ),
    "two slips": (
        {"fullchain_paht": "/x", "order_numbr": "1"},
        (
            "There is no option fullchain_paht and no option order_numbr. Is fullchain_path meant by fullchain_paht? "
            "Is order_number meant by order_numbr?"
        ),
    ),
    "a slip and a stranger": (
        {"Back-Up": True, "xyzzy": 1, "fullchain-path": "/x"},
        (
            "There is no option Back-Up and no option fullchain-path and no option xyzzy. Is backup meant by Back-Up? "
            "Is fullchain_path meant by fullchain-path? ansible-doc lists those there are."
        ),
    ),
    "an alias": ({"atr": "+i"}, "There is no option atr. Is attr meant?"),
    "choice": ({"product": "ev"}, "product must be one of ssl, ccc, not 'ev'."),
    "number": ({"retries": "many"}, "retries must be a whole number, not 'many'."),
    "fraction": ({"request_timeout": 1.5}, "request_timeout must be a whole number, not '1.5'."),
    "truth": ({"validate_certs": "maybe"}, "validate_certs must be true or false, not 'maybe'."),
    "list": ({"expected_names": {"a": 1}}, "expected_names must be a list."),
    "list of orders": (
        {"order_number": ["1"]},
        "order_number must be text. It is a list; give one of its elements, or join them.",
    ),
    "list of paths": ({"path": ["/a"]}, "path must be text. It is a list; give one of its elements, or join them."),
    "structured secret": (
        {"login_password": {"vault": "s3cret"}},
        "login_password must be text. It is a dictionary; give the value in it that is meant.",
    ),
    "negative retries": ({"retries": -1}, "retries must be a whole number from 0 to 31622400, not -1."),
    "no time": ({"request_timeout": 0}, "request_timeout must be a whole number from 1 to 31622400, not 0."),
    "too much time": (
        {"request_timeout": 10**12},
        "request_timeout must be a whole number from 1 to 31622400, not 1000000000000.",
    ),
    "negative wait": ({"wait_timeout": -1}, "wait_timeout must be a whole number from 0 to 31622400, not -1."),
    "no interval": ({"poll_interval": 0}, "poll_interval must be a whole number from 1 to 31622400, not 0."),
    "http": ({"api_url": "http://x"}, "api_url must begin with https://, since the password travels with each call."),
    "no host": ({"api_url": "https:///x"}, "api_url names no host."),
    "port": ({"api_url": "https://x:y/"}, "api_url is not a URL: Port could not be cast to integer value as 'y'."),
    "user": (
        {"api_url": "https://u:s3cret@x/"},
        "api_url must be a plain address, without a user, a query or a fragment.",
    ),
    "query": (
        {"api_url": "https://x/?s3cret"},
        "api_url must be a plain address, without a user, a query or a fragment.",
    ),
    "unprintable ca_path": ({"ca_path": "/no\x1b/such"}, "ca_path /no /such does not exist on the controller."),
    "ca_path": ({"ca_path": "/no/such.pem"}, "ca_path /no/such.pem does not exist on the controller."),
    "both": (
        {"collection_code": "s3cret"},
        "Give only one of login_name, collection_code, not both login_name and collection_code.",
    ),
    "no password": (
        {"login_password": None},
        (
            "login_name needs login_password beside it, as an option or as COLLECTSSL_LOGIN_PASSWORD in the "
            "controller's environment."
        ),
    ),
    "no name": (
        {"login_name": ""},
        (
            "login_password needs login_name beside it, as an option or as COLLECTSSL_LOGIN_NAME in the controller's "
            "environment."
        ),
    ),
    "nobody": (
        {"login_name": None, "login_password": None},
        (
            "No credentials: give login_name and login_password (or COLLECTSSL_LOGIN_NAME and "
            "COLLECTSSL_LOGIN_PASSWORD in the controller's environment), or collection_code."
        ),
    ),
    "long name": (
        {"login_name": "x" * 65},
        "login_name is longer than the 64 characters of section 1 of the CollectSSL specification.",
    ),
    "long password": (
        {"login_password": "x" * 129},
        "login_password is longer than the 128 characters of section 1 of the CollectSSL specification.",
    ),
    "octets": (
        {"login_password": "s3cret\udcfc"},
        "login_password holds octets that are not UTF-8; write it in UTF-8.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_option_gets_one_sentence(name: str) -> None:
    changes, sentence = WRONG[name]
    with pytest.raises(OptionError) as caught:
        taken({**TASK, **changes})
    assert str(caught.value) == sentence
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None or "s3cret" not in repr(caught.value.__cause__)


FORMS = [
    {"response_type": response_type, "response_encoding": encoding, "product": product}
    for response_type in ("individual", "pkcs7", "netscape", "zip")
    for encoding in ("base64", "binary")
    for product in ("ssl", "ccc")
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()))
def test_a_question_for_the_status_has_no_form_whatever_a_default_says(form: dict[str, str]) -> None:
    for query in (_options.status_requests_of, lambda options: [_options.request_of(options, QUERY_STATUS)]):
        for asked in query(_validation.validated({**INFO, **form}, order_info_spec())):
            assert (asked.query_type, asked.response_type, asked.response_encoding) == (0, "individual", "base64")
            assert asked.product == form["product"]


@pytest.mark.parametrize(
    ("response_type", "encoding"),
    [("pkcs7", "base64"), ("pkcs7", "binary"), ("zip", "base64"), ("zip", "binary"), ("netscape", "base64")],
)
@pytest.mark.parametrize("query_type", [QUERY_ALL, QUERY_CERTIFICATE, QUERY_CHAIN])
def test_a_part_in_a_form_of_the_whole_is_asked_as_the_whole(
    response_type: str, encoding: str, query_type: int
) -> None:
    form = {"response_type": response_type, "response_encoding": encoding}
    asked = _options.request_of(_validation.validated({**INFO, **form}, lookup_spec()), query_type)
    assert (asked.query_type, asked.response_type, asked.response_encoding) == (QUERY_ALL, response_type, encoding)


@pytest.mark.parametrize("query_type", [QUERY_CERTIFICATE, QUERY_CHAIN])
def test_a_part_that_comes_by_itself_is_asked_by_itself(query_type: int) -> None:
    assert _options.request_of(_validation.validated(INFO, lookup_spec()), query_type).query_type == query_type
    # No question of any query type has this form.
    with pytest.raises(OptionError, match=r"^response_encoding binary needs response_type zip or pkcs7"):
        _options.request_of(_validation.validated({**INFO, "response_encoding": "binary"}, lookup_spec()), query_type)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"order_numbers": ["2"]}, "not both order_number and order_numbers."),
        ({"order_number": None}, "order_numbers, certificate_ids, base_order_numbers; none is given."),
        ({"order_number": None, "certificate_ids": ["1", "x"]}, "must be a whole number"),
    ],
)
def test_the_info_module_has_rules_of_its_own(changes: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        _options.status_requests_of(_validation.validated({**INFO, **changes}, order_info_spec()))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("names", ["[2001:db8::1]", ["[::1]"], "a,b", ["a"], [5], 5])
def test_names_that_are_no_text_of_a_list(names: t.Any) -> None:
    assert _validation.validated({**TASK, "expected_names": names}, certificate_options())["expected_names"]


def test_right_options_become_plain_values(tmp_path: pathlib.Path) -> None:
    found = taken({**TASK, "ca_path": str(tmp_path), "proxy": "proxy:1", "retries": "2", "unknown": None})
    assert found == Provider(
        "https://secure.trust-provider.com/products/download/CollectSSL",
        Credentials("me", "s3cret"),
        Transport(str(tmp_path), "http://proxy:1", 30, 2),
    )
    assert taken({**TASK, "validate_certs": False, "ca_path": "/no/such"}).transport.verify is False
    assert taken({**TASK, "product": "ccc"}).url.endswith("/CollectCCC")


class _Text(str):
    """Text as a task holds it, which is not a plain str."""

    __slots__ = ()


def tagged(value: str) -> str:
    """Text with a tag; ansible-core before 2.19 has none, and gets another kind of text that is no plain str."""
    try:
        from ansible._internal._datatag._tags import Origin
    except ImportError:
        return _Text(value)
    return Origin(path="/playbook.yml", line_num=1).tag(value)


def test_values_with_tags_become_plain_text() -> None:
    args = {
        **TASK,
        "api_url": "https://x",
        "proxy": "http://y:1",
        "response_type": "zip",
        "response_encoding": "binary",
    }
    args = {name: tagged(value) for name, value in args.items()}
    assert args["login_password"].__class__ is not str
    found = taken(args)
    texts: list[t.Any] = [found.url, *dataclasses.astuple(found.credentials), found.transport.proxy]
    texts += vars(_options.request_of(_validation.validated(args, certificate_options()), QUERY_ALL)).values()
    assert {type(text) for text in texts} <= {str, type(None), int, frozenset}


def test_an_alias_is_the_option_that_it_stands_for() -> None:
    assert _validation.validated({**TASK, "attr": "+i"}, certificate_options())["attributes"] == "+i"


def test_orders_are_asked_in_the_order_given() -> None:
    args = {**ACCOUNT, "certificate_ids": [3, "1", 2]}
    requests = _options.status_requests_of(_validation.validated(args, order_info_spec()))
    assert [(request.identifier_kind, request.identifier) for request in requests] == [
        ("certificate_id", number) for number in "312"
    ]
    assert {request.query_type for request in requests} == {QUERY_STATUS}
    args = {**ACCOUNT, "order_numbers": ["3", "1"], "product": "ccc", "response_format": "urlencoded"}
    requests = _options.status_requests_of(_validation.validated(args, order_info_spec()))
    assert [request.identifier for request in requests] == ["3", "1"]
    assert [(request.show, request.response_format) for request in requests] == [({"validity_period"}, "lines")] * 2


def test_a_collection_code_names_the_order_that_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"product": "ccc", "collection_code": "0123456789abcdef"}
    wanted = CollectRequest("collection_code", "", product="ccc", show=["validity_period"])
    for spec, more in ((certificate_options(), {"path": "/x"}), (lookup_spec(), {})):
        assert _options.request_of(_validation.validated({**given, **more}, spec), QUERY_ALL) == wanted
    (asked,) = _options.status_requests_of(_validation.validated(given, order_info_spec()))
    assert asked == dataclasses.replace(wanted, query_type=QUERY_STATUS)
    monkeypatch.setenv("COLLECTSSL_COLLECTION_CODE", "0123456789abcdef")
    found = taken({"product": "ccc", "path": "/x"})
    assert found.credentials == Credentials(collection_code="0123456789abcdef")
    # An account that a task gives is meant, and then it needs a number.
    with pytest.raises(OptionError, match=r"^Give one of order_number, collection_code, content; none is given\.$"):
        taken({**ACCOUNT, "product": "ccc", "path": "/x"})


def test_what_is_not_waited_for_stands_for_five_minutes() -> None:
    assert _options.asking_once_of(_validation.validated(INFO, order_info_spec())) == Waiting(0, 300)
    patient = _validation.validated({**INFO, "wait_timeout": 7, "poll_interval": 2}, order_info_spec())
    assert _options.asking_once_of(patient) == Waiting(0, 2)
    assert _options.waiting_of({"wait_timeout": "7", "poll_interval": 2}) == Waiting(7, 2)


# The environment.


def bare(**changes: t.Any) -> dict[str, t.Any]:
    return {"order_number": "1", "path": "/x", **changes}


def test_the_environment_fills_in_what_a_task_leaves_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    for name, value in (
        ("API_URL", "https://rehearsal.example.com/x"),
        ("LOGIN_NAME", "env name"),
        ("LOGIN_PASSWORD", "env password"),
        ("CA_PATH", str(tmp_path)),
        ("PROXY", "http://env:1"),
    ):
        monkeypatch.setenv(f"COLLECTSSL_{name}", value)
    found = taken(bare())
    assert found.url == "https://rehearsal.example.com/x"
    assert found.credentials == Credentials("env name", "env password")
    assert found.transport.route == (str(tmp_path), "http://env:1")
    assert taken(bare(proxy="none")).transport.proxy is None
    assert taken(bare(api_url="https://mine/")).url == "https://mine/"
    assert taken(bare(login_name="mine")).credentials == Credentials("mine", "env password")


def test_an_account_and_a_collection_code_do_not_meet_across_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECTSSL_COLLECTION_CODE", "env code")
    code = {"order_number": None, "product": "ccc"}
    assert taken(bare(**code)).credentials == Credentials(collection_code="env code")
    assert taken(bare(**ACCOUNT)).credentials == Credentials("me", "s3cret")
    assert taken(bare(**ACCOUNT, collection_code=None)).credentials == Credentials("me", "s3cret")
    monkeypatch.delenv("COLLECTSSL_COLLECTION_CODE")
    monkeypatch.setenv("COLLECTSSL_LOGIN_NAME", "env name")
    monkeypatch.setenv("COLLECTSSL_LOGIN_PASSWORD", "env password")
    assert taken(bare(**code, collection_code="mine")).credentials == Credentials(collection_code="mine")
    monkeypatch.setenv("COLLECTSSL_COLLECTION_CODE", "env code")
    with pytest.raises(OptionError, match=r"are both given, by options or by the COLLECTSSL_ variables"):
        taken(bare())


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_URL", "COLLECTION_CODE", "CA_PATH", "PROXY"):
        monkeypatch.setenv(f"COLLECTSSL_{name}", "")
    assert taken(dict(TASK)).credentials == Credentials("me", "s3cret")


def test_the_spec_of_every_edge_can_be_shown() -> None:
    for spec in (certificate_options(), order_info_spec(), lookup_spec()):
        json.dumps(sorted(spec.argument_spec))
