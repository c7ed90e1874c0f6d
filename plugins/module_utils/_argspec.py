# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of this collection: one argument spec, from which every edge takes its part.

The doc fragments beside it say the same in words; keep the two in step.
This module util is private to the collection. It can have breaking changes at any time.
"""

import re
from typing import Any, Dict, List, Optional, Tuple

#: Options that name an order; exactly one of them is given.
IDENTIFIERS = ("order_number", "certificate_id", "base_order_number")

#: The same, for many orders.
IDENTIFIER_LISTS = ("order_numbers", "certificate_ids", "base_order_numbers")

#: Options that say who asks: an account, both of it, or the code that stands in its place.
ACCOUNT = ("login_name", "login_password")
COLLECTION_CODE = "collection_code"

#: Options that name a file this collection writes, with the role each has in the results.
FILE_ROLES = (
    ("path", "certificate"),
    ("chain_path", "chain"),
    ("fullchain_path", "fullchain"),
    ("root_path", "root"),
    ("combined_path", "combined"),
)

#: Where an option that is not given may come from instead, on the controller.
ENVIRONMENT = {
    "api_url": "COLLECTSSL_API_URL",
    "login_name": "COLLECTSSL_LOGIN_NAME",
    "login_password": "COLLECTSSL_LOGIN_PASSWORD",
    "collection_code": "COLLECTSSL_COLLECTION_CODE",
    "ca_path": "COLLECTSSL_CA_PATH",
    "proxy": "COLLECTSSL_PROXY",
}

#: Every variable of the environment that is this collection's begins so, the account's too.
_OWN_VARIABLES = "COLLECTSSL_"

#: The TLS library takes no longer passphrase of a private key, in bytes.
LONGEST_PASSPHRASE = 1024

#: What stands before the path of a file, where an option has that in place of a passphrase; in none does it occur.
BESIDE = "\0"

#: The only options that travel to a target. Everything else stays on the controller.
TARGET_OPTIONS = (
    *(option for option, dummy in FILE_ROLES),
    *("include_root", "privatekey_path", "privatekey_passphrase", "pending_privatekey_path", "validate", "backup"),
    "in_place",
    *("owner", "group", "mode", "attributes", "seuser", "serole", "setype", "selevel", "unsafe_writes"),
)


def is_secret_variable(name: str, value: str) -> bool:
    """Whether a variable of an environment is none of a target's business, nor of a command that is run there.

    Those are the variables of this collection, with the account, and the address of a proxy with a password in it.
    """
    proxy = name.lower().endswith("_proxy") and re.search(r"\A(?:[^/?#]*//)?[^/?#@]*:[^/?#]*@", value)
    return name.upper().startswith(_OWN_VARIABLES) or bool(proxy)


_Groups = Tuple[Tuple[str, ...], ...]


class ArgumentSpec:
    """An argument spec with its rules; ``kwargs`` is what ``AnsibleModule`` and the validators of ansible-core take."""

    def __init__(
        self,
        argument_spec: Dict[str, Dict[str, Any]],
        mutually_exclusive: _Groups = (),
        required_one_of: _Groups = (),
        required_by: Optional[Dict[str, Tuple[str, ...]]] = None,
    ) -> None:
        self.argument_spec = argument_spec
        self.mutually_exclusive = mutually_exclusive
        self.required_one_of = required_one_of
        self.required_by = required_by or {}

    def __add__(self, other: "ArgumentSpec") -> "ArgumentSpec":
        required_by = dict(self.required_by)
        required_by.update(other.required_by)
        options = dict(self.argument_spec)
        options.update(other.argument_spec)
        return ArgumentSpec(
            options,
            self.mutually_exclusive + other.mutually_exclusive,
            self.required_one_of + other.required_one_of,
            required_by,
        )

    def kwargs(self) -> Dict[str, Any]:
        """Keyword arguments for ``AnsibleModule`` and ``ArgumentSpecValidator``."""
        return {
            "argument_spec": self.argument_spec,
            "mutually_exclusive": _lists(self.mutually_exclusive),
            "required_one_of": _lists(self.required_one_of),
            "required_by": {option: list(needs) for option, needs in self.required_by.items()},
        }


def _lists(groups: _Groups) -> List[List[str]]:
    return [list(group) for group in groups]


def _provider_spec() -> ArgumentSpec:
    return ArgumentSpec(
        {
            "product": {"type": "str", "default": "ssl", "choices": ["ssl", "ccc"]},
            "api_url": {"type": "str"},
            "login_name": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "collection_code": {"type": "str", "no_log": True},
            "order_number": {"type": "str"},
            "certificate_id": {"type": "str"},
            "base_order_number": {"type": "str"},
            "response_type": {
                "type": "str",
                "default": "individual",
                "choices": ["individual", "pkcs7", "netscape", "zip"],
            },
            "response_encoding": {"type": "str", "default": "base64", "choices": ["base64", "binary"]},
            "response_format": {"type": "str", "default": "urlencoded", "choices": ["urlencoded", "lines"]},
            "validate_certs": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "proxy": {"type": "str"},
            "request_timeout": {"type": "int", "default": 30},
            "retries": {"type": "int", "default": 3},
        },
        # That an account is whole is no rule of a task: half of it may come from the environment.
        mutually_exclusive=tuple((option, COLLECTION_CODE) for option in ACCOUNT),
    )


def _waiting_spec() -> ArgumentSpec:
    return ArgumentSpec(
        {
            "wait_timeout": {"type": "int", "default": 0},
            "poll_interval": {"type": "int", "default": 300},
        }
    )


def provider_options() -> List[str]:
    """The names of the options that reach the provider, in the order in which they are documented."""
    return list((_provider_spec() + _waiting_spec()).argument_spec)


def _files_spec() -> ArgumentSpec:
    options = {option: {"type": "path"} for option, dummy in FILE_ROLES}  # type: Dict[str, Dict[str, Any]]
    options.update(
        {
            "content": {"type": "str"},
            "include_root": {"type": "bool", "default": False},
            "privatekey_path": {"type": "path"},
            "privatekey_passphrase": {"type": "str", "no_log": True},
            "pending_privatekey_path": {"type": "path"},
            "expected_names": {"type": "list", "elements": "str", "default": []},
            "min_validity_days": {"type": "int", "default": 0},
            "validate": {"type": "str"},
            "backup": {"type": "bool", "default": False},
            "in_place": {"type": "bool", "default": False},
            "allow_pending": {"type": "bool", "default": False},
            "return_content": {"type": "bool", "default": False},
        }
    )
    return ArgumentSpec(
        options,
        required_one_of=(tuple(option for option, dummy in FILE_ROLES),),
        required_by={
            "combined_path": ("privatekey_path",),
            "privatekey_passphrase": ("privatekey_path",),
            "pending_privatekey_path": ("privatekey_path",),
        },
    )


def certificate_spec() -> ArgumentSpec:
    """The options of ``collectssl_certificate``, less the common file options, which ansible-core adds."""
    return (
        _provider_spec()
        + _waiting_spec()
        + _files_spec()
        # That one of them is given is no rule of a task: a collection code from the environment may stand for it.
        + ArgumentSpec({}, mutually_exclusive=((*IDENTIFIERS, "content"),))
    )


def order_info_spec() -> ArgumentSpec:
    """The options of ``collectssl_order_info``."""
    lists = {option: {"type": "list", "elements": "str"} for option in IDENTIFIER_LISTS}
    either = IDENTIFIERS + IDENTIFIER_LISTS
    # It has no wait, and takes the options for one, so that a default for the action group breaks no member of it.
    # As with certificate_spec, a collection code may stand for all identifiers.
    return _provider_spec() + _waiting_spec() + ArgumentSpec(lists, mutually_exclusive=(either,))


def lookup_spec() -> ArgumentSpec:
    """The options of the lookup; its identifiers may come as terms, so none of them is required here."""
    part = {"type": "str", "default": "fullchain", "choices": ["fullchain", "certificate", "chain", "root", "order"]}
    return (
        _provider_spec()
        + _waiting_spec()
        + ArgumentSpec(
            {"part": part},
            mutually_exclusive=(IDENTIFIERS,),
        )
    )


def endpoint_spec() -> ArgumentSpec:
    """The options of ``tls_endpoint_info``, which has nothing to do with the provider."""
    return ArgumentSpec(
        {
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 443},
            "server_name": {"type": "str"},
            "starttls": {
                "type": "str",
                "choices": ["smtp", "imap", "pop3", "ldap", "mysql", "postgres", "ftp", "sieve"],
            },
            "key_type": {"type": "str", "choices": ["rsa", "ecdsa"]},
            "proxy_protocol": {"type": "bool", "default": False},
            "client_certificate": {"type": "path"},
            "client_key": {"type": "path"},
            "timeout": {"type": "int", "default": 10},
            "connect_from": {"type": "str", "default": "target", "choices": ["target", "controller"]},
            "ca_path": {"type": "path"},
        },
        required_by={"client_key": ("client_certificate",)},
    )


def deploy_certificate_spec() -> ArgumentSpec:
    """The options of one of the ``certificates`` of ``collectssl_deploy``, once its layout is merged into it."""
    texts = ("owner", "group", "seuser", "serole", "setype", "selevel", "attributes")
    options = {option: {"type": "str"} for option in texts}  # type: Dict[str, Dict[str, Any]]
    options.update(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "layout": {"type": "str"},
            "directory": {"type": "path"},
            "mode": {"type": "raw"},
            "unsafe_writes": {"type": "bool", "default": False},
            "services": {"type": "list", "elements": "str", "default": []},
            "endpoints": _deploy_endpoints(),
            "run_before": {"type": "list", "elements": "str", "default": []},
            "run_after": {"type": "list", "elements": "str", "default": []},
        }
    )
    options.update({option: {"type": "str"} for option in IDENTIFIERS})
    return _files_spec() + ArgumentSpec(options, mutually_exclusive=((*IDENTIFIERS, "content"),))


def _deploy_endpoints() -> Dict[str, Any]:
    spec = deploy_endpoint_spec()
    return {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": spec.argument_spec,
        "required_by": spec.kwargs()["required_by"],
    }


def deploy_endpoint_spec() -> ArgumentSpec:
    """The options of one of the ``endpoints`` of a certificate of ``collectssl_deploy``."""
    options = dict(endpoint_spec().argument_spec)
    # Where it is looked at from, and how patiently, is said for all of them; the host follows from that.
    options["host"] = {"type": "str"}
    options["connect_from"] = {"type": "str", "choices": ["target", "controller"]}
    # That of the key is the certificate's.
    del options["timeout"], options["key_type"]
    return ArgumentSpec(options, required_by=endpoint_spec().required_by)


def deploy_spec(merged: bool = True) -> ArgumentSpec:
    """The options of ``collectssl_deploy``; ``merged`` says that layouts are merged into the certificates already."""
    certificates = {"type": "list", "elements": "dict", "required": True}  # type: Dict[str, Any]
    if merged:
        kwargs = deploy_certificate_spec().kwargs()
        certificates["options"] = kwargs.pop("argument_spec")
        certificates.update(kwargs)
    return (
        _provider_spec()
        + _waiting_spec()
        + ArgumentSpec(
            {
                "certificates": certificates,
                "layouts": {"type": "dict", "default": {}},
                "services": {"type": "dict", "default": {}},
                "probe_from": {"type": "str", "default": "target", "choices": ["target", "controller"]},
                "probe_timeout": {"type": "int", "default": 10},
                "probe_retries": {"type": "int", "default": 15},
                "probe_delay": {"type": "int", "default": 2},
                "command_timeout": {"type": "int", "default": 60},
                "from_variables": {"type": "bool", "default": False},
            }
        )
    )
