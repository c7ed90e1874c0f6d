# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a task: layouts merged in, every wrong word found before anybody is asked.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    IDENTIFIERS,
    TARGET_OPTIONS,
    deploy_certificate_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_ALL, CollectRequest
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.endpoints import Address, addresses
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.services import check_name
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._file_options import (
    check_command,
    check_files,
    check_path,
    doubt_about_mode,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import identifiers_as_text
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._layouts import all_layouts, laid_out
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import request_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import asks_by_code
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import (
    Options,
    check_known,
    validated,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,149}\Z")

_SPEC = deploy_certificate_spec()

_COMMANDS = ("run_before", "run_after")

#: Those of a file with the end-entity certificate, by which the host knows what endpoints have to serve.
WITH_LEAF = ("path", "fullchain_path", "combined_path")


class Certificate(t.NamedTuple):
    """One certificate of a task.

    ``given`` is what the task and the layout say, as they spell it; ``options`` the same, validated and with defaults.
    """

    name: str
    given: Options
    options: Options
    endpoints: tuple[Address, ...]

    @property
    def absent(self) -> bool:
        """Whether it is to go."""
        return bool(self.options["state"] == "absent")

    @property
    def services(self) -> list[str]:
        """The services that read its files."""
        return list(dict.fromkeys(str(service) for service in self.options["services"]))

    @property
    def with_root(self) -> bool:
        """Whether the root has to go to the host, too."""
        return bool(self.options["include_root"]) or self.options["root_path"] is not None

    def request(self, options: Options) -> CollectRequest | None:
        """The question about its order; None where nothing is to be collected.

        :arg options: those of the task, to which all sources have given their part.
        :raises OptionError: where it names no order, or one that the product has not.
        """
        if self.absent or self.options["content"] is not None:
            return None
        own = {name: self.options[name] for name in IDENTIFIERS}
        with _of(self.name):
            return request_of({**options, **own}, QUERY_ALL)

    def sent(self, content: str | None) -> dict[str, t.Any]:
        """What the module is told of it; without ``content`` where what is installed has to stay."""
        told = {"name": self.name, "state": self.options["state"]}
        # As the task spells them: the home folder and the variables in a path are the target's.
        told.update({option: self.given[option] for option in (*TARGET_OPTIONS, "directory") if option in self.given})
        told.update({option: self.options[option] for option in _COMMANDS})
        told.update(services=self.services, endpoints=[dict(address.told) for address in self.endpoints])
        if content is not None:
            told["content"] = content
        return told

    def doubts(self) -> list[str]:
        """Warnings about what it is given."""
        doubt = doubt_about_mode(self.given.get("mode"))
        return [f"Certificate {self.name}: {doubt}"] if doubt else []


def certificates_of(options: Options, address: str) -> list[Certificate]:
    """The certificates that a task names, in its order.

    :arg options: those of the task, to which all sources have given their part.
    :arg address: of the host, as this controller sees it.
    :raises OptionError: for the first that is wrong, with the name of the certificate.
    """
    if not options["certificates"]:
        raise OptionError(
            "certificates is empty, so there is nothing to bring into service. Name one certificate at least, or leave "
            "this host out."
        )
    layouts = all_layouts(options["layouts"])
    _check_layouts(options["layouts"])
    found: list[Certificate] = []
    for number, raw in enumerate(options["certificates"], 1):
        name = _name(raw.get("name"), number)
        if any(one.name == name for one in found):
            raise OptionError(f"Two certificates are called {name}. Each has a name of its own.")
        with _of(name):
            found.append(_certificate(name, laid_out({**raw, "name": name}, layouts), options, address))
    _check_identifiers(found, options)
    return found


def _name(value: t.Any, number: int) -> str:
    if value is None:
        raise OptionError(f"Element {number} of certificates has no name. Each certificate needs one of its own.")
    if not isinstance(value, str):
        raise OptionError(
            f"The name of element {number} of certificates is {excerpt(str(value))!r}, which YAML made of something. "
            "Write it in quotes."
        )
    if not _NAME.match(value):
        raise OptionError(
            f"{excerpt(value)!r} (element {number} of certificates) cannot be the name of a certificate. Names are of "
            "letters, digits and . _ @ + -, begin with a letter or a digit, and are 150 characters long at most."
        )
    return str(value)


def _check_layouts(own: t.Mapping[str, t.Any]) -> None:
    """Find a misspelled key where it stands, and not in each certificate that begins as such a layout."""
    for name, layout in own.items():
        with _of(str(name), "Layout"):
            check_known(layout, _SPEC)


def _certificate(name: str, given: dict[str, t.Any], options: Options, address: str) -> Certificate:
    check_known(given, _SPEC)
    texts = identifiers_as_text({**given, "product": options["product"]})
    given = {option: texts[option] for option in given}
    for option in _COMMANDS:
        if isinstance(given.get(option), str):
            # One command: a comma in it is no end of it.
            given[option] = [given[option]]
    # Endpoints have options of their own, and are told apart in messages.
    known = validated({option: value for option, value in given.items() if option != "endpoints"}, _SPEC)
    check_files(given, known)
    if given.get("directory") is not None:
        check_path("directory", given["directory"])
    for option in _COMMANDS:
        for command in known[option]:
            check_command(option, command)
    for service in known["services"]:
        check_name("services", service)
    names = [str(name) for name in known["expected_names"] if "*" not in str(name) and "@" not in str(name)]
    endpoints = addresses(given.get("endpoints"), options, address, names[0] if names else None)
    if endpoints and not any(option in given for option in WITH_LEAF):
        raise OptionError(
            f"It has endpoints, and none of {', '.join(WITH_LEAF)}, so nothing on the host says what these have to "
            "serve."
        )
    return Certificate(name, given, known, tuple(endpoints))


def _check_identifiers(certificates: t.Sequence[Certificate], options: Options) -> None:
    """Whether each certificate that is wanted says which it is."""
    silent = [
        one.name
        for one in certificates
        if not one.absent and all(one.options[name] is None for name in (*IDENTIFIERS, "content"))
    ]
    if not silent:
        return
    above = [name for name in IDENTIFIERS if options.get(name) is not None]
    if above:
        # A default for all members of the action group is no question here, as long as every certificate has its own.
        raise OptionError(
            f"{' and '.join(above)} stands beside certificates, where it names none of them. Give it to the "
            f"certificate that it is of, in certificates; {' and '.join(silent)} names no order."
        )
    if not asks_by_code({**options, **dict.fromkeys(IDENTIFIERS)}):
        raise OptionError(
            f"Certificate {' and '.join(silent)} names no order. Give it one of {', '.join(IDENTIFIERS)}, or content."
        )


@contextlib.contextmanager
def _of(name: str, kind: str = "Certificate") -> t.Iterator[None]:
    try:
        yield
    except OptionError as error:
        raise OptionError(f"{kind} {excerpt(name)}: {error}") from error
