# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attempts of a task that polls by itself (``until``, or ``retries`` alone), and which answers each may take.

All hosts of a task share one poll: the n-th attempt of the first host that comes to it is the n-th round, and costs a
call; the n-th attempts of the others take what that round, or a later one, brought. So every attempt after the first is
told more than the one before it, or as much as the fleet has been told by then, and the number of hosts and forks has
no part in the number of calls.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import hashlib
import hmac
import os
import typing as t

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome

# On the task and nowhere else: a task of a loop is a copy for each item, and ansible-core makes a new action for each
# attempt at the same task, in one worker.
_PLACE = "_certfleet_collectssl_attempt"

# How often this worker, which has one host, began a task with an item: a loop may name an item twice.
_begun: collections.Counter[tuple[str, str]] = collections.Counter()

# As in ansible-core's task_executor, where a task has until and says nothing of retries.
_RETRIES = 3


class Attempt:
    """One attempt of a task on one host.

    :arg poll: a digest that names the task and the item of its loop, the same on all hosts; empty for a task that does
        not poll.
    :arg number: the how manyth attempt it is, from 1.
    :arg before: for each order, by the key of its record, the number of the newest answer that the attempts before this
        one were given.
    """

    def __init__(self, poll: str = "", number: int = 1, before: t.Mapping[str, int] | None = None) -> None:
        self.poll = poll
        self.number = number
        self._before = dict(before or {})
        self._given: dict[str, int] = {}

    def takes(self, key: str, outcome: Outcome, now: float, poll_interval: float) -> bool:
        """Whether an outcome that would serve anybody (``Outcome.serves``) is news enough for this attempt.

        :arg now: seconds since the epoch.
        """
        if outcome.number > self._before.get(key, 0):
            return True
        # What the fleet has been told in this round may be known to a host that came late to an earlier one.
        ours = bool(self.poll) and outcome.poll == self.poll
        return ours and outcome.round >= self.number and 0 <= now - outcome.asked_at < poll_interval

    def round_after(self, outcomes: t.Iterable[Outcome]) -> int:
        """The round that a call of this attempt belongs to, after those that the record has."""
        return max([self.number, *(outcome.round for outcome in outcomes if outcome.poll == self.poll)])

    def was_given(self, key: str, outcome: Outcome) -> None:
        """Remember what came of this attempt."""
        self._given[key] = outcome.number

    def following(self) -> Attempt:
        """The attempt after this one."""
        return Attempt(self.poll, self.number + 1, {**self._before, **self._given})


def attempt_of(task: t.Any, task_vars: t.Mapping[str, t.Any]) -> Attempt:
    """The attempt that an action begins.

    :arg task: the task as ansible-core hands it to the action; what the attempts before were given stands on it.
    """
    if not _polls(task):
        return Attempt()
    # A worker is a fork, and a task that it inherits was not attempted by it.
    process, last = getattr(task, _PLACE, (0, None))
    if last is not None and process == os.getpid():
        attempt = last.following()
    else:
        item = str(task_vars.get(str(task_vars.get("ansible_loop_var"))))
        _begun[task._uuid, item] += 1
        # The name of a task in a run is random and stands in no record, so that the digest tells nothing of the item.
        name = hmac.new(str(task._uuid).encode(), f"{_begun[task._uuid, item]} {item}".encode(), hashlib.sha256)
        attempt = Attempt(name.hexdigest())
    setattr(task, _PLACE, (os.getpid(), attempt))
    return t.cast("Attempt", attempt)


def _polls(task: t.Any) -> bool:
    retries = task.retries if task.retries is not None else _RETRIES if task.until else 0
    return int(retries) > 0
