# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verified chain as plain text and facts, and the checks that need no cryptography.

Every host of a run works with this value; it is what the run's record holds.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _names
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed

# Facts that users do not see.
_FOR_CHECKS = ("common_name", "unread_names", "server_fault")

_LABEL = re.compile(r"[a-z0-9_-]+\Z")

_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")


class Bundle(t.NamedTuple):
    """PEM of an order's certificates, each block ending in a line feed, and the facts of the end-entity certificate.

    ``intermediates`` stand in server order, issuer behind issued. ``certificate``, and with it ``facts``, is missing
    where only the chain was asked for; ``root`` where the provider sent none.
    """

    certificate: str | None
    intermediates: tuple[str, ...]
    root: str | None
    facts: dict[str, t.Any] | None

    def full_chain(self, include_root: bool = False) -> str:
        """End-entity certificate, intermediates and, if wanted, the root, in server order."""
        parts = [self.certificate or "", *self.intermediates]
        if include_root:
            parts.append(self.require_root())
        return "".join(parts)

    def require_root(self) -> str:
        """The root; raises ``ChainError`` where the provider sent none."""
        if self.root is None:
            raise ChainError(
                "The root certificate is asked for, and the chain came without one. Leave root_path and include_root "
                "out: clients have the root in their trust store."
            )
        return self.root

    def described(self, now: datetime.datetime) -> dict[str, t.Any] | None:
        """The ``certificate`` dictionary that users see."""
        if self.facts is None:
            return None
        shown = {name: value for name, value in self.facts.items() if name not in _FOR_CHECKS}
        return {**shown, "days_remaining": (moment(self.facts["not_after"]) - now).days}

    def check_validity(self, now: datetime.datetime, min_validity_days: int) -> None:
        """Raises ``ChainError`` unless the certificate is valid now and for so many more days."""
        facts = t.cast("dict[str, t.Any]", self.facts)
        begin, end = moment(facts["not_before"]), moment(facts["not_after"])
        if begin > now:
            raise ChainError(f"The certificate {excerpt(facts['subject'])} is not valid before {facts['not_before']}.")
        if end < now:
            raise ChainError(f"The certificate {excerpt(facts['subject'])} expired at {facts['not_after']}.")
        if end - now < datetime.timedelta(days=min_validity_days):
            raise ChainError(
                f"The certificate {excerpt(facts['subject'])} expires at {facts['not_after']}, in {(end - now).days} "
                f"days; min_validity_days asks for {min_validity_days}."
            )

    def check_names(self, expected_names: t.Sequence[str]) -> None:
        """Raises ``ChainError`` unless the certificate covers each name: DNS, wildcard, IP or e-mail address.

        Where the name of a host is among them, the chain has to be one for servers.

        Names and addresses may be written as ``host`` and ``server_name`` of ``tls_endpoint_info`` take them.
        """
        facts = t.cast("dict[str, t.Any]", self.facts)
        names = facts["subject_alt_names"]
        # Whoever expects the name of a host means a server; an e-mail address is of a person's certificate.
        if facts["server_fault"] is not None and any("@" not in name for name in expected_names):
            raise ChainError(facts["server_fault"])
        missing = [name for name in expected_names if not any(_covers(given, name.strip()) for given in names)]
        if missing:
            unread = facts["unread_names"]
            raise ChainError(
                f"The certificate {excerpt(facts['subject'])} does not cover {listed(missing)} of expected_names; "
                f"it covers {listed(names) or 'no name at all'}"
                f"{f', and {unread} of its alternative names cannot be read' if unread else ''}."
            )

    def as_record(self) -> dict[str, t.Any]:
        """Plain values, from which ``from_record`` makes this value again."""
        return self._asdict()

    @classmethod
    def from_record(cls, record: dict[str, t.Any]) -> Bundle:
        """The value that ``as_record`` was called on."""
        return cls(**{**record, "intermediates": tuple(record["intermediates"])})


def iso(at: datetime.datetime) -> str:
    """An instant, in UTC, as users see it; ``moment`` reads it."""
    # What strftime makes of a year before 1000 depends on the platform.
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def moment(text: str) -> datetime.datetime:
    """The instant that ``iso`` wrote; raises ``ValueError`` for any other text."""
    found = _MOMENT.match(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time such as 2026-01-31T23:59:59Z")
    # Python loads what reads times of all forms in each worker, and that takes longer than all the rest of a look.
    year, month, day, hour, minute, second = map(int, found.groups())
    return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.timezone.utc)


def _covers(given: str, wanted: str) -> bool:
    kind, _colon, value = given.partition(":")
    address = _names.address(wanted)
    if kind == "IP":
        return address is not None and _names.address(value) == address
    if kind == "email":
        return value.lower() == wanted.lower()
    if kind != "DNS" or address is not None:
        return False
    given_labels, wanted_labels = _names.labels(value), _names.labels(wanted)
    # A wildcard stands for one whole label, the left-most (RFC 9525); a wanted wildcard is covered by itself alone, and
    # what is no label of a host (https://www, DNS:www, jane@www) by none.
    if given_labels[0] == "*" and _LABEL.match(wanted_labels[0]) and len(wanted_labels) > 2:
        given_labels, wanted_labels = given_labels[1:], wanted_labels[1:]
    return given_labels == wanted_labels
