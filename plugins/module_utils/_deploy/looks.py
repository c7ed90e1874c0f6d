# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many looks at endpoints, side by side, and again until they show what they are to show.

An endpoint that stalls costs its own time and nobody else's. What is looked at again is what was not right yet.
This module util is private to the collection. It can have breaking changes at any time.
"""

import concurrent.futures
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Sequence

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Seen
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError, EndpointError

#: How many looks are taken at a time: one that stalls takes the place of no other among fifty, and of a thousand those
#: of a small host are not too many.
_AT_A_TIME = 64


class Patience(NamedTuple):
    """How often to look again, and the seconds in between."""

    retries: int
    delay: float


def look(endpoints: Mapping[str, Any], probe: Callable[[Any], Dict[str, Any]]) -> Dict[str, Seen]:
    """What endpoints show now.

    ``endpoints`` has for each name what ``probe`` takes, which returns a dictionary with ``fingerprint_sha256`` and
    raises ``CollectError`` with why there is none, or another one than was looked for.
    """

    def one(endpoint: Any) -> Seen:
        try:
            return Seen(str(probe(endpoint)["fingerprint_sha256"]))
        except EndpointError as exc:
            shown = exc.shown and str(exc.shown["fingerprint_sha256"])
            return Seen(shown or None, str(exc).rstrip("."), exc.undetermined)
        except CollectError as exc:
            # An option that is wrong says nothing of the endpoint.
            return Seen(None, str(exc).rstrip("."), True)

    if len(endpoints) == 1:
        return {name: one(endpoint) for name, endpoint in endpoints.items()}
    with concurrent.futures.ThreadPoolExecutor(min(_AT_A_TIME, max(1, len(endpoints)))) as pool:
        return dict(zip(endpoints, pool.map(one, endpoints.values())))


def look_until(
    wanted: Mapping[str, str],
    patience: Patience,
    look_at: Callable[[Sequence[str]], Dict[str, Seen]],
    pause: Callable[[float], Any] = time.sleep,
) -> Dict[str, Seen]:
    """What endpoints show once each of them shows the fingerprint that is wanted of it, or patience is at its end.

    One of which that can't be told is not waited for.
    """
    shown: Dict[str, Seen] = {}
    wrong = list(wanted)
    for turn in range(patience.retries + 1):
        if turn:
            pause(patience.delay)
        shown.update(look_at(wrong))
        wrong = [name for name in wrong if shown[name].fingerprint != wanted[name] and not shown[name].undetermined]
        if not wrong:
            break
    return shown
