# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for the user while a host works, of which nothing is heard before it is done.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import Certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options

#: Seconds until the first line, and between two of them.
FIRST, NEXT = 10.0, 60.0


@contextlib.contextmanager
def told_meanwhile(
    say: t.Callable[[str], None], what: str, first: float = FIRST, following: float = NEXT
) -> t.Iterator[None]:
    """Say now and then that something goes on, as long as it does.

    :arg say: takes a line, in a thread of its own.
    :arg what: goes on, for ``still at work after 10 s: ...``.
    """
    over = threading.Event()
    begun = time.monotonic()

    def speak() -> None:
        pause = first
        while not over.wait(pause):
            say(f"still at work after {time.monotonic() - begun:.0f} s: {what}")
            pause = following

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def work_on_host(certificates: t.Sequence[Certificate], options: Options) -> str:
    """What a host does that may take its time; which endpoint it waits for, it alone knows."""
    places = [
        f"{address} ({one.name})"
        for one in certificates
        if not one.absent
        for address in one.endpoints
        if address.endpoint is None
    ]
    commands = f"each command may take {options['command_timeout']} s"
    if not places:
        return commands
    looks = options["probe_retries"] + 1
    most = options["probe_retries"] * options["probe_delay"] + looks * options["probe_timeout"]
    return (
        f"its endpoints are waited for, {most} s at most, until they serve what is wanted: {listed(places)}; {commands}"
    )
