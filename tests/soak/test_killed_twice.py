# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed, and the next one, which repairs, killed as well: every pair of calls there is.

The unit tests kill a single run at every call, and take a few of the pairs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import random
import tempfile
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.soaking import CORES, Share, Soak


def test_an_installation_survives_being_killed_twice(soak: Soak) -> None:
    soak.spread(_sweep)
    assert soak.counts["killed twice"]


class _Installation(t.NamedTuple):
    """One that went well."""

    prepare: t.Callable[[subjects.SmallHost], dict[str, t.Any]]
    file_system: str
    keys: set[bytes]
    """The private keys that were there before."""
    expected: dict[str, t.Any]
    """What is there afterwards."""
    calls: int


@contextlib.contextmanager
def _host(file_system: str) -> t.Iterator[subjects.SmallHost]:
    """A host on a kind of file system."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        subjects.pretend_file_system(file_system, monkeypatch)
        yield subjects.SmallHost(pathlib.Path(folder) / "host")


def _installation(prepare: t.Callable[[subjects.SmallHost], dict[str, t.Any]], file_system: str) -> _Installation:
    with _host(file_system) as host:
        options = prepare(host)
        keys = subjects.private_keys(host)
        calls = subjects.calls_of(lambda: host.install(**options))
        return _Installation(prepare, file_system, keys, host.state(), calls)


@dataclasses.dataclass(eq=False)
class _FirstKill:
    """A run that is killed, and at which calls the one after it is still to be killed."""

    of: _Installation
    number: int
    seconds: list[int] | None = None

    @contextlib.contextmanager
    def done(self) -> t.Iterator[tuple[subjects.SmallHost, dict[str, t.Any]]]:
        """A host that was left by the killed run, with the options of the next one."""
        with _host(self.of.file_system) as host:
            options = self.of.prepare(host)
            what = (self.of.prepare.__name__, self.of.file_system, self.number)
            assert subjects.killed_at(self.number, functools.partial(host.install, **options)), what
            yield host, options

    def look_ahead(self, rng: random.Random) -> None:
        """See how many calls the next run has."""
        with self.done() as (host, options):
            calls = subjects.calls_of(lambda: host.install(**options))
        self.seconds = rng.sample(range(1, calls + 1), calls)

    def kill_again(self, second: int) -> None:
        """Kill the next run too; the one after that has to repair everything."""
        with self.done() as (host, options):
            what = (self.of.prepare.__name__, self.of.file_system, self.number, second)
            assert subjects.killed_at(second, functools.partial(host.install, **options)), what
            assert self.of.keys <= subjects.private_keys(host), what
            subjects.the_next_run_repairs(host, options, self.of.expected, what)


def _sweep(share: Share) -> None:
    """Go through the pairs at random, so that a short time sees something of everything, until all were tried."""
    installations = [_installation(*case) for case in subjects.INSTALLATIONS]
    everything = [_FirstKill(one, number) for one in installations for number in range(1, one.calls + 1)]
    mine = everything[share.number :: CORES]
    while mine and share.going_on():
        first = share.rng.choice(mine)
        if first.seconds is None:
            first.look_ahead(share.rng)
            share.counts[f"first kills, of {len(everything)}"] += 1
        elif first.seconds:
            first.kill_again(first.seconds.pop())
            share.counts["killed twice"] += 1
        else:
            mine.remove(first)
            share.counts["first kills with every second one"] += 1
