# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attempts of a task that polls by itself (``until``, or ``retries`` alone), and which answers each may take.

All hosts of a task share one poll: the n-th attempt of the first host that comes to it is the n-th round, and costs a
call; the n-th attempts of the others take what that round, or a later one, brought. So every attempt after the first is
told more than the one before it, or as much as the fleet has been told by then, and the number of hosts and forks has
no part in the number of calls. Where items of a loop name the same order, what a later item was told is a later round.

The same task is one that stands in the same place. What ``include_tasks`` and ``include_role`` bring is loaded anew,
and named anew, for each batch of ``serial``, and with the strategy ``free`` for each host.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import collections
import hashlib
import hmac
import json
import os
import typing as t

from ansible import constants as C
from ansible.playbook.task_include import TaskInclude
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome

# On the task and nowhere else: a task of a loop is a copy for each item, and ansible-core makes a new action for each
# attempt at the same task, in one worker.
_PLACE = "_certfleet_collectssl_attempt"

# As in ansible-core's task_executor, where a task has until and says nothing of retries.
_RETRIES = 3

Begun = collections.Counter[tuple[str, str]]

# What this worker, which has one host, began.
_begun: Begun = collections.Counter()


class Attempt:
    """One attempt of a task on one host.

    :arg task: names the task, the same on all hosts; empty for one that does not poll.
    :arg number: the how manyth attempt it is, from 1.
    :arg begun: how often the host began to poll about an order (by the key of its record) by a task; items of a loop
        that name the same order poll one after the other, and each for itself.
    """

    def __init__(self, task: str = "", number: int = 1, begun: Begun | None = None) -> None:
        self.task = task
        self.number = number
        self._begun = collections.Counter() if begun is None else begun
        self._polls: dict[str, int] = {}
        # For each order, the number of the newest answer that was given: to the attempts before, and to this one.
        self._before: dict[str, int] = {}
        self._given: dict[str, int] = {}

    def round(self, key: str) -> tuple[int, int]:
        """With the how manyth poll about an order, and the how manyth attempt of it, the host asks."""
        if self.task and key not in self._polls:
            self._begun[self.task, key] += 1
            self._polls[key] = self._begun[self.task, key]
        return self._polls.get(key, 0), self.number

    def takes(self, key: str, outcome: Outcome, now: float, poll_interval: float) -> bool:
        """Whether an outcome that would serve anybody (``Outcome.serves``) is news enough for this attempt.

        :arg now: seconds since the epoch.
        """
        if outcome.number > self._before.get(key, 0):
            return True
        # What the fleet has been told in this round may be known to a host that came late to an earlier one.
        ours = self.task != "" and outcome.poll == self.task
        return ours and outcome.round >= self.round(key) and 0 <= now - outcome.asked_at < poll_interval

    def round_after(self, key: str, outcomes: t.Iterable[Outcome]) -> tuple[int, int]:
        """The round that a call of this attempt belongs to, after those that the record has."""
        return max([self.round(key), *(outcome.round for outcome in outcomes if outcome.poll == self.task)])

    def was_given(self, key: str, outcome: Outcome) -> None:
        """Remember what came of this attempt."""
        self._given[key] = outcome.number
        # Counted here at the latest, also where the record had the answer.
        self.round(key)

    def following(self) -> Attempt:
        """The attempt after this one."""
        attempt = Attempt(self.task, self.number + 1, self._begun)
        attempt._polls = self._polls
        attempt._before = {**self._before, **self._given}
        return attempt


def attempt_of(task: t.Any) -> Attempt:
    """The attempt that an action begins.

    :arg task: the task as ansible-core hands it to the action; what the attempts before were given stands on it.
    """
    if not _polls(task):
        return Attempt()
    # A worker is a fork, and a task that it inherits was not attempted by it.
    process, last = getattr(task, _PLACE, (0, None))
    foreign = process != os.getpid()
    attempt = Attempt(_name(task), begun=_begun) if last is None or foreign else last.following()
    setattr(task, _PLACE, (os.getpid(), attempt))
    return t.cast("Attempt", attempt)


def _polls(task: t.Any) -> bool:
    retries = task.retries if task.retries is not None else _RETRIES if task.until else 0
    return int(retries) > 0


def _name(task: t.Any) -> str:
    """A name for a task, the same on all hosts and in all batches; it tells nothing of what the task was given."""
    include = task._parent
    while include is not None and not (isinstance(include, TaskInclude) and not include.statically_loaded):
        include = include._parent
    if include is None:
        return str(task._uuid)
    # Whatever a loop over the include, or its vars, gave it: items of such a loop poll each for itself.
    given = json.dumps(include.vars, default=str, skipkeys=True)
    place = "\0".join((_name(include), given, str(task.get_path()), str(task.name), str(task.action)))
    return hmac.new(os.fsencode(C.DEFAULT_LOCAL_TMP), place.encode(), hashlib.sha256).hexdigest()
