# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to ask, as whom, how, and how patiently; and the one rule of account or code.

An account (``login_name`` and ``login_password``) and a ``collection_code`` are rivals, of which one asks. Each may
come from several sources. The nearest source that gives anything of either decides which one is meant
(``without_rivals``), and what is meant has to be whole (``Credentials``). A code is for CollectCCC alone, and stands
for the order too, so that nothing else may name one (``asks_by_code``).
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    ACCOUNT,
    COLLECTION_CODE,
    ENVIRONMENT,
    IDENTIFIER_LISTS,
    IDENTIFIERS,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

# What section 1 of the specification takes, in characters, and what the page about CollectCCC says of the code.
_LONGEST = {"login_name": 64, "login_password": 128, "collection_code": 16}
_SECTION = "section 1 of the CollectSSL specification"
_BLANKS = {
    "\n": "a line feed",
    "\r": "a carriage return",
    "\t": "a tab",
    " ": "a space",
    "\u00a0": "a no-break space",
    "\ufeff": "a byte order mark",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def without_rivals(options: t.Mapping[str, t.Any], *sources: t.Iterable[str]) -> dict[str, t.Any]:
    """The options less the account, or less the collection code, where the other was meant.

    :arg sources: names of the options that each source gave, the nearest first; the first with one of the two decides.
        One that gives both leaves both, which ``Credentials`` refuses.
    """
    for names in map(set, sources):
        account, code = not names.isdisjoint(ACCOUNT), COLLECTION_CODE in names
        if account or code:
            rivals = () if account and code else ACCOUNT if code else (COLLECTION_CODE,)
            return {**options, **dict.fromkeys(rivals)}
    return dict(options)


def asks_by_code(options: t.Mapping[str, t.Any]) -> bool:
    """Whether a collection code names the order that the options of a task are about.

    :arg options: those of a task, after all sources have given their part.
    :raises OptionError: where a code is given with another product, or something else names an order too.
    """
    if not options.get(COLLECTION_CODE):
        return False
    code = f"A collection_code (the option, or {ENVIRONMENT[COLLECTION_CODE]} in the controller's environment)"
    if options["product"] != "ccc":
        raise OptionError(
            f"{code} is for product ccc alone, and this asks with product {options['product']}. Give login_name and "
            "login_password in its place, or product: ccc."
        )
    named = [name for name in (*IDENTIFIERS, *IDENTIFIER_LISTS) if options.get(name) is not None]
    if named:
        raise OptionError(
            f"{code} names the order by itself, and {' and '.join(named)} is given beside it. Leave out {named[0]}, or "
            "give login_name and login_password in place of the code."
        )
    return True


@dataclasses.dataclass(frozen=True, repr=False)
class Credentials:
    """Who asks: an account, or the collection code that the provider handed out instead.

    Raises ``OptionError`` where none, both or half an account is given, or where one is longer than the interface takes
    or no text.
    """

    login_name: str | None = None
    login_password: str | None = None
    collection_code: str | None = None

    def __post_init__(self) -> None:
        self._check_text()
        self._check_rivals()
        self._check_length()

    def __repr__(self) -> str:
        return "Credentials(***)"

    def _check_text(self) -> None:
        for option, value in dataclasses.asdict(self).items():
            # An environment variable that is not UTF-8 comes with such characters; no request can carry them.
            if value and _SURROGATE.search(value):
                raise OptionError(f"{option} holds octets that are not UTF-8; write it in UTF-8.")

    def _check_rivals(self) -> None:
        given = [option for option in ACCOUNT if getattr(self, option)]
        missing = [option for option in ACCOUNT if option not in given]
        if given and self.collection_code:
            raise OptionError(
                "An account (login_name, login_password) and a collection_code are both given, by options or by the "
                "COLLECTSSL_ variables of the controller's environment. Give one of the two."
            )
        if given and missing:
            raise OptionError(
                f"{given[0]} needs {missing[0]} beside it, as an option or as {ENVIRONMENT[missing[0]]} in the "
                "controller's environment."
            )
        if not given and not self.collection_code:
            raise OptionError(
                "No credentials: give login_name and login_password (or COLLECTSSL_LOGIN_NAME and "
                "COLLECTSSL_LOGIN_PASSWORD in the controller's environment), or collection_code."
            )

    def _check_length(self) -> None:
        for option, limit in _LONGEST.items():
            value = getattr(self, option) or ""
            if len(value) > limit:
                # As a file or a vault adds it.
                blank = " It begins or ends with white space: is that meant?" if value != value.strip() else ""
                rule = "that CollectCCC takes" if option == COLLECTION_CODE else f"of {_SECTION}"
                raise OptionError(f"{option} is longer than the {limit} characters {rule}.{blank}")

    def secrets(self) -> tuple[str, ...]:
        """The parts that no text may show."""
        return tuple(secret for secret in (self.login_password, self.collection_code) if secret)

    def doubts(self) -> str:
        """What looks like an oversight in what was given, as a sentence that shows nothing of it; else empty.

        A password may begin or end so, hence it is taken as it is, and doubted only once it is refused.
        """
        given = dataclasses.asdict(self).items()
        found = [f"{option} {doubt}" for option, value in given if value for doubt in _doubts(value)]
        if not found:
            return ""
        return (
            f"The value given for {', and that for '.join(found)}, which was sent along: if that is no part of it, "
            "take it off where it comes from (option, vault, file or COLLECTSSL_ variable)."
        )

    def variables(self) -> list[tuple[str, str]]:
        """The variables of a request, with their values."""
        if self.collection_code:
            return [("collectionCode", self.collection_code)]
        return [("loginName", str(self.login_name)), ("loginPassword", str(self.login_password))]


def _doubts(value: str) -> t.Iterator[str]:
    # What no eye sees, with the byte order mark that editors put at the head of a file.
    seen = [place for place, char in enumerate(value) if char.isprintable() and not char.isspace()]
    if not seen:
        yield "is nothing but white space"
        return
    for verb, blanks in (("begins with", value[: seen[0]]), ("ends in", value[seen[-1] + 1 :])):
        if blanks:
            yield f"{verb} {' and '.join(dict.fromkeys(_BLANKS.get(blank, 'white space') for blank in blanks))}"


@dataclasses.dataclass(frozen=True)
class Transport:
    """How calls travel: ``verify`` as requests takes it, times in seconds."""

    verify: bool | str
    proxy: str | None
    request_timeout: int
    retries: int

    @property
    def route(self) -> tuple[bool | str, str | None]:
        """With which trust and over which proxy: what a failure to reach the provider hangs on."""
        return (self.verify, self.proxy)


@dataclasses.dataclass(frozen=True)
class Provider:
    """Whom to ask, as whom, and how."""

    url: str
    credentials: Credentials
    transport: Transport


@dataclasses.dataclass(frozen=True)
class Waiting:
    """How long to wait for a pending order, and how long an answer that may change stands; seconds."""

    timeout: int
    poll_interval: int
