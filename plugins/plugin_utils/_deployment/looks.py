# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks from this controller at endpoints, for hosts that are seen from outside.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.endpoints import ANOTHER
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Seen, doubt
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience, look, look_until
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import Endpoint, probe
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.endpoints import Address

# Seconds between two lines about the same wait.
_QUIET = 60.0


class Sight(t.NamedTuple):
    """An endpoint that is looked at, and the fingerprint that it has to show; None where it need not show any.

    ``key_type`` is of what kind the key is of the certificate that is looked for. ``own`` are fingerprints that say
    something of it, however they came in sight: such as that of the one before.
    """

    certificate: str
    address: Address
    wanted: str | None
    key_type: str | None = None
    own: frozenset[str] = frozenset()

    @property
    def endpoint(self) -> Endpoint:
        """What is looked at, and what for."""
        return t.cast("Endpoint", self.address.endpoint)._replace(key_type=self.key_type)


class Look:
    """What endpoints show to this controller.

    :arg say: takes a line for the user while an endpoint is waited for.
    :arg beside: all sights of the task, by which it is known what else may be seen at an address.
    :arg pause: how to sleep.
    :arg clock: seconds, which never go back.
    """

    def __init__(
        self,
        sights: t.Sequence[Sight],
        say: t.Callable[[str], None],
        beside: t.Sequence[Sight] = (),
        pause: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._sights = {str(number): sight for number, sight in enumerate(sights)}
        self._everything = [*sights, *beside]
        self._say = say
        self._pause = pause
        self._clock = clock
        self._seen: dict[str, Seen] = {}
        self._answers: dict[str, dict[str, t.Any]] = {}
        self._next_line = 0.0
        self._ends = 0.0

    def once(self) -> None:
        """Look at each endpoint."""
        self._look_at(list(self._sights))

    def until_right(self, patience: Patience) -> None:
        """Look until each shows what it has to, or patience is at its end."""
        wanted = {key: sight.wanted or "" for key, sight in self._sights.items()}
        self._ends = self._clock() + patience.retries * patience.delay
        look_until(wanted, patience, self._look_at, self._wait)

    def _look_at(self, keys: t.Sequence[str]) -> dict[str, Seen]:
        def ask(key: str) -> dict[str, t.Any]:
            self._answers.pop(key, None)
            try:
                self._answers[key] = probe(self._sights[key].endpoint)
            except EndpointError as error:
                self._answers[key] = error.shown or {}
                raise
            if self._answers[key]["fingerprint_sha256"] in self._beside(key):
                raise EndpointError(ANOTHER, self._answers[key], undetermined=True)
            return self._answers[key]

        seen = look({key: key for key in keys}, ask)
        self._seen.update(seen)
        return seen

    def _is_right(self, key: str) -> bool:
        shown = self._seen[key].fingerprint
        return shown is not None and shown == self._sights[key].wanted

    def _is_undetermined(self, key: str) -> bool:
        """Whether what is seen, if anything, says nothing of the certificate."""
        seen, sight = self._seen[key], self._sights[key]
        return seen.undetermined and not self._is_right(key) and seen.fingerprint not in sight.own

    def _beside(self, key: str) -> set[str | None]:
        """What others have to show at the same address with the same kind of key; an endpoint shows one at a time."""
        sight = self._sights[key]
        others = [other for other in self._everything if other.certificate != sight.certificate]
        return {other.wanted for other in others if other.endpoint == sight.endpoint} - {sight.wanted, *sight.own}

    def _wait(self, seconds: float) -> None:
        now = self._clock()
        if now >= self._next_line:
            self._next_line = now + _QUIET
            open_ones = [key for key in self._sights if not self._is_right(key) and not self._is_undetermined(key)]
            waited_for = [self._told(key) for key in open_ones]
            left = max(seconds, self._ends - now)
            self._say(f"waiting {left:.0f} s more at most for {listed(waited_for, '; ', 400)}")
        self._pause(seconds)

    def _told(self, key: str) -> str:
        sight, seen = self._sights[key], self._seen[key]
        shows = f"it shows {seen.fingerprint[:11]}…" if seen.fingerprint else seen.reason
        wanted = f" and not {sight.wanted[:11]}…" if sight.wanted and seen.fingerprint else ""
        return f"{sight.address} ({sight.certificate}): {excerpt(shows, 120)}{wanted}"

    def results(self) -> list[dict[str, t.Any]]:
        """What was seen, as results say it."""
        return [
            {
                "certificate": sight.certificate,
                **sight.address.shown,
                "fingerprint_sha256": self._seen[key].fingerprint,
                "served": self._answers.get(key, {}).get("certificate"),
                "verified": self._answers.get(key, {}).get("verified"),
                "verify_error": self._answers.get(key, {}).get("verify_error"),
                "serves": None if self._is_undetermined(key) else self._is_right(key),
                "reason": "" if self._is_right(key) else self._seen[key].reason,
            }
            for key, sight in self._sights.items()
        ]

    def wrong(self, certificate: str) -> str:
        """What is wrong with the endpoints of a certificate, in sentences; empty where nothing is."""
        sentences = []
        for key, sight in self._sights.items():
            seen = self._seen[key]
            if sight.certificate != certificate or self._is_right(key):
                continue
            if seen.fingerprint is not None and not self._is_undetermined(key):
                wanted = f" and not {sight.wanted}" if sight.wanted else ""
                why = f": {seen.reason}" if seen.reason else ""
                sentences.append(f"{sight.address} shows this controller {seen.fingerprint}{wanted}{why}.")
            elif seen.fingerprint is None and seen.undetermined:
                sentences.append(f"{sight.address} could not be looked at from this controller: {seen.reason}.")
            elif seen.fingerprint is None:
                sentences.append(f"{sight.address} shows this controller no certificate: {seen.reason}.")
        return " ".join(sentences)

    def doubts(self, certificate: str) -> list[str]:
        """A sentence for each endpoint of a certificate of which it can't be told whether it serves it."""
        return [
            doubt(sight.address, self._seen[key].reason)
            for key, sight in self._sights.items()
            if sight.certificate == certificate and self._seen[key].fingerprint and self._is_undetermined(key)
        ]
