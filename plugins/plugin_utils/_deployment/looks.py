# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks from this controller at endpoints, for hosts that are seen from outside.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Seen
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience, look, look_until
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import Endpoint, probe
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.endpoints import Address

# Seconds between two lines about the same wait.
_QUIET = 60.0


class Sight(t.NamedTuple):
    """An endpoint that is looked at, and the fingerprint that it has to show; None where it need not show any."""

    certificate: str
    address: Address
    wanted: str | None


class Look:
    """What endpoints show to this controller.

    :arg say: takes a line for the user while an endpoint is waited for.
    :arg pause: how to sleep.
    :arg clock: seconds, which never go back.
    """

    def __init__(
        self,
        sights: t.Sequence[Sight],
        say: t.Callable[[str], None],
        pause: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._sights = {str(number): sight for number, sight in enumerate(sights)}
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
        def ask(one: tuple[str, Endpoint]) -> dict[str, t.Any]:
            key, endpoint = one
            self._answers.pop(key, None)
            self._answers[key] = probe(endpoint)
            return self._answers[key]

        seen = look({key: (key, t.cast("Endpoint", self._sights[key].address.endpoint)) for key in keys}, ask)
        self._seen.update(seen)
        # What is as good as the right one counts as that.
        return {key: Seen(self._sights[key].wanted or "") if self._is_right(key) else seen[key] for key in keys}

    def _is_right(self, key: str) -> bool:
        shown, sight = self._seen[key].fingerprint, self._sights[key]
        return shown is not None and (shown == sight.wanted or shown in self._beside(key))

    def _beside(self, key: str) -> set[str | None]:
        """What others have to show at the same address; an endpoint shows one at a time, and here none is chosen."""
        endpoint = self._sights[key].address.endpoint
        return {other.wanted for other in self._sights.values() if other.address.endpoint == endpoint}

    def _wait(self, seconds: float) -> None:
        now = self._clock()
        if now >= self._next_line:
            self._next_line = now + _QUIET
            waited_for = [self._told(key) for key in self._sights if not self._is_right(key)]
            left = max(seconds, self._ends - now)
            self._say(f"waiting {left:.0f} s more at most for {listed(waited_for, '; ', 400)}")
        self._pause(seconds)

    def _told(self, key: str) -> str:
        sight, seen = self._sights[key], self._seen[key]
        shows = seen.reason if seen.fingerprint is None else f"it shows {seen.fingerprint[:11]}…"
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
                "serves": self._is_right(key),
                "reason": self._reason(key),
            }
            for key, sight in self._sights.items()
        ]

    def _reason(self, key: str) -> str:
        sight, seen = self._sights[key], self._seen[key]
        if self._is_right(key) and seen.fingerprint != sight.wanted:
            return (
                "Undetermined: it shows the certificate of another name that is served at the same address, which says "
                "nothing of this one."
            )
        return seen.reason

    def wrong(self, certificate: str) -> str:
        """What is wrong with the endpoints of a certificate, in sentences; empty where nothing is."""
        sentences = []
        for key, sight in self._sights.items():
            seen = self._seen[key]
            if sight.certificate != certificate or self._is_right(key):
                continue
            if seen.fingerprint is not None:
                wanted = f" and not {sight.wanted}" if sight.wanted else ""
                sentences.append(f"{sight.address} shows this controller {seen.fingerprint}{wanted}.")
            else:
                sentences.append(f"{sight.address} shows this controller no certificate: {seen.reason}.")
        return " ".join(sentences)
