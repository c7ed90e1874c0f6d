# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs of the module on one host came to, put together: one host may take several.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import (
    ABSENT,
    FAILED,
    IN_SERVICE,
    INSTALLED,
    ROLLED_BACK,
    TO_BE_LOOKED_AT,
    UNPROVEN,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.endpoints import ADDRESS

Result = dict[str, t.Any]

#: States of certificates that are as they are wanted.
GOOD = (IN_SERVICE, INSTALLED, ABSENT)

# What stays of the result of a run that failed, beside its message.
_OF_FAILURE = ("rc", "exception", "module_stdout", "module_stderr")


class Runs:
    """The results of the module, in the order in which they came.

    :arg names: those of the certificates of the task, in its order.
    """

    def __init__(self, names: t.Sequence[str]) -> None:
        self._names = names
        self._certificates: dict[str, Result] = {}
        self._services: dict[str, str] = {}
        self._endpoints: dict[tuple[t.Any, ...], Result] = {}
        self._lists: dict[str, list[t.Any]] = {"diff": [], "warnings": [], "deprecations": []}
        self._has_diff = False
        self.rolled_back: list[str] = []
        self.changed = False
        #: Why a run came to nothing, and what else its result says of that.
        self.broken = ""
        self.details: Result = {}
        #: Whether something ended a run, so that nobody knows what it did.
        self.unknown_end = False
        #: Whether that was since the host could not be reached any more.
        self.unreachable = False
        #: The certificates that such a run was about, and said nothing of.
        self.lost: set[str] = set()

    def add(self, result: Result) -> None:
        """Take in what a run returned."""
        self.changed = self.changed or bool(result.get("changed"))
        for one in result.get("certificates") or []:
            self._take(one)
        for service in result.get("services") or []:
            self._services[service["name"]] = service["action"]
        self.saw(result.get("endpoints") or [])
        self.rolled_back += [name for name in result.get("rolled_back") or [] if name not in self.rolled_back]
        for kind, found in self._lists.items():
            more = result.get(kind) or []
            found += more if isinstance(more, list) else [more]
        self._has_diff = self._has_diff or "diff" in result

    def breaks(self, why: str, names: t.Iterable[str], result: Result, unknown_end: bool = False) -> None:
        """Take note of a run that failed as a whole.

        :arg names: the certificates that it was about.
        """
        self.broken = why
        self.details = {name: result[name] for name in _OF_FAILURE if name in result}
        self.unknown_end = self.unknown_end or unknown_end
        heard = {one["name"] for one in result.get("certificates") or []}
        for name in names:
            # What is held ends in a way of its own.
            if name not in heard and self.state(name) != TO_BE_LOOKED_AT:
                self.lost.add(name)
                self.end(name, FAILED)

    def loses(self, why: str, names: t.Iterable[str]) -> None:
        """Take note of a host that cannot be reached any more."""
        self.unreachable = True
        self.breaks(why, names, {}, unknown_end=True)

    def saw(self, endpoints: t.Iterable[Result]) -> None:
        """Take in what endpoints showed; a later look counts instead of an earlier one."""
        for seen in endpoints:
            where = [seen["certificate"], *(seen.get(name) for name in ADDRESS)]
            self._endpoints[tuple(where)] = seen

    def end(self, name: str, state: str, message: str = "") -> None:
        """Say how a certificate ended, where it is the controller that knows."""
        found = self.of(name)
        found["state"] = state
        found["msg"] = " ".join(part for part in (found["msg"], message) if part)

    def would_change(self, name: str) -> None:
        """Say that a real run would do something about a certificate that is as it is wanted."""
        self.of(name)["changed"] = self.changed = True

    def of(self, name: str) -> Result:
        """What is known of a certificate."""
        nothing = {"state": FAILED, "msg": "", "changed": False, "installed": None, "before": None, "files": []}
        return self._certificates.setdefault(name, nothing)

    def state(self, name: str) -> str:
        """That of a certificate."""
        return str(self.of(name)["state"])

    def is_silent(self, services: t.Sequence[str]) -> bool:
        """Whether nothing can be seen of a certificate, as all services that read it were left stopped."""
        return bool(services) and all(self._services.get(service) == "left_stopped" for service in services)

    def _take(self, one: Result) -> None:
        old = self._certificates.get(one["name"])
        new = dict(one)
        if old is not None:
            # It is one change that took several runs.
            new["before"] = old["before"]
            new["changed"] = old["changed"] or new["changed"]
            if new["state"] != ROLLED_BACK:
                new["files"] = _merged(old["files"], new["files"])
        self._certificates[one["name"]] = new

    def settle(self) -> None:
        """End what no look ended, since a run that would have done so came to nothing."""
        for name in self._names:
            if self.state(name) == TO_BE_LOOKED_AT:
                self.end(
                    name,
                    UNPROVEN,
                    "The new files are in place, and the old ones are kept until the next run, which ends this first."
                    f"{f' {self.broken}' if self.broken else ''}",
                )

    @property
    def services(self) -> list[Result]:
        """What was done to services."""
        return [{"name": name, "action": action} for name, action in self._services.items()]

    @property
    def endpoints(self) -> list[Result]:
        """What was seen last, in the order of the certificates."""
        return sorted(self._endpoints.values(), key=lambda seen: self._names.index(seen["certificate"]))

    def seen_of(self, name: str) -> list[Result]:
        """What was seen last of the endpoints of a certificate."""
        return [seen for seen in self._endpoints.values() if seen["certificate"] == name]

    @property
    def others(self) -> Result:
        """Diffs, warnings and the like."""
        kept = {kind: found for kind, found in self._lists.items() if found}
        return {"diff": [], **kept} if self._has_diff else kept


def _merged(old: t.Sequence[Result], new: t.Sequence[Result]) -> list[Result]:
    files = {file["path"]: dict(file) for file in old}
    for file in new:
        before = files.get(file["path"], {})
        files[file["path"]] = {
            **file,
            "changed": bool(before.get("changed")) or bool(file.get("changed")),
            "backup_file": file.get("backup_file") or before.get("backup_file"),
        }
    return list(files.values())
