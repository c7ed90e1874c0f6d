# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed, and the next one, which repairs, killed as well: every pair of calls there is.

The unit tests kill a single run at every call, and take a few of the pairs.
"""

from __future__ import annotations

import contextlib
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

    prepare: t.Callable[[subjects.Host], dict[str, t.Any]]
    file_system: str
    keys: set[bytes]
    """The private keys that were there before."""
    expected: dict[str, t.Any]
    """What is there afterwards."""
    calls: int


@contextlib.contextmanager
def _host(file_system: str) -> t.Iterator[subjects.Host]:
    """A host on a kind of file system."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        subjects.pretend_file_system(file_system, monkeypatch)
        yield subjects.Host(pathlib.Path(folder) / "host")


def _installation(prepare: t.Callable[[subjects.Host], dict[str, t.Any]], file_system: str) -> _Installation:
    with _host(file_system) as host:
        options = prepare(host)
        keys = subjects.private_keys(host)
        calls = subjects.calls_of(lambda: host.install(**options))
        return _Installation(prepare, file_system, keys, host.state(), calls)


def _sweep(share: Share) -> None:
    """In the same random order for all, of which each takes its part."""
    installations = [_installation(*case) for case in subjects.INSTALLATIONS]
    first_kills = [(one, number) for one in installations for number in range(1, one.calls + 1)]
    random.Random(share.seed).shuffle(first_kills)  # noqa: S311
    for one, first in first_kills[share.number :: CORES]:
        second = 1
        while share.going_on() and _killed_twice(one, first, second):
            share.counts["killed twice"] += 1
            second += 1
        if not share.going_on():
            return
        share.counts[f"first kills with every second one, of {len(first_kills)}"] += 1


def _killed_twice(one: _Installation, first: int, second: int) -> bool:
    """Try a pair; False where the second run was over before its call of that number."""
    with _host(one.file_system) as host:
        options = one.prepare(host)
        install = functools.partial(host.install, **options)
        what = (one.prepare.__name__, one.file_system, first, second)
        assert subjects.killed_at(first, install), what
        if not subjects.killed_at(second, install):
            return False
        assert one.keys <= subjects.private_keys(host), what
        subjects.the_next_run_repairs(host, options, one.expected, what)
    return True
