# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec, deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import (
    IN_SERVICE,
    INSTALLED,
    NOTHING_AGAINST_IT,
    NOTHING_TO_RESTORE,
    ROLLED_BACK,
    TO_BE_LOOKED_AT,
    UNPROVEN,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import Patience
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deploy_table import sentences, table
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.certificates import (
    Certificate,
    certificates_of,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.collecting import Collecting
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.endpoints import (
    ADDRESS,
    Address,
    check_probing,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.looks import Look, Sight
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.patience import (
    told_meanwhile,
    work_on_host,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.quick import to_see, unchanged
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.results import (
    composed,
    fingerprint_of,
    key_type_of,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.runs import GOOD, Runs
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.services import checked_services
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deployment.variables import (
    FROM_VARIABLES,
    ROLE,
    doubts_about_variables,
    given_by_variables,
    without_omitted,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import UnfitError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._target_action import (
    TargetActionBase,
    came_to_no_end,
    without_end,
)

_MODULE = "certfleet.collectssl.collectssl_deploy"

#: Options that go to the host as they are.
_SENT = ("probe_timeout", "probe_retries", "probe_delay", "command_timeout")

_AS_WANTED = "Its files are those that are wanted."

Result = dict[str, t.Any]


class ActionModule(TargetActionBase):
    """Collects chains on the controller, has the module bring them into service, and looks where it is told to."""

    TRANSFERS_FILES = False
    LEFT_UNTOUCHED = "Nothing on the target was touched."

    _options: Result
    _host: str
    _collecting: Collecting
    _runs: Runs
    _certificates: list[Certificate]
    _shown_before: dict[tuple[t.Any, ...], str | None]
    _doubts: dict[str, list[str]]

    def argument_spec(self) -> ArgumentSpec:
        """The options of the module, before layouts are merged into the certificates."""
        return deploy_spec(merged=False)

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Called by Ansible, in a worker of the controller."""
        # Whatever comes before the work changes nothing.
        result = {"stops_rollout": False, **super().run(tmp, task_vars)}
        role = self._task._role
        if role is not None and role.get_name(include_role_fqcn=False) == ROLE:
            doubts = doubts_about_variables(task_vars or {})
            if doubts:
                result["warnings"] = [*result.get("warnings", []), *doubts]
        return result

    def spelled(self, task_vars: Result) -> Result:
        """The options of the task, with those that variables give where it says so."""
        given = super().spelled(task_vars)
        if not boolean(given.get(FROM_VARIABLES) or False, strict=False):
            return given
        found = self._templar.template(given_by_variables(task_vars))
        return {**given, **without_omitted(found, task_vars.get("omit"))}

    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        """Ask about all orders, bring in what is issued, wait for the rest together, bring that in."""
        began = time.time()
        check_probing(options)
        self._options = {**options, "services": checked_services(options["services"])}
        self._host = str(task_vars.get("inventory_hostname") or self._play_context.remote_addr or "this host")
        certificates = certificates_of(options, self._address())
        self._runs = Runs([one.name for one in certificates])
        self._certificates = certificates
        self._shown_before = {}
        self._doubts = {}
        self._collecting = Collecting(certificates, options, began, lambda: self.broker(options))
        self._collecting.begin()
        if self._task.check_mode:
            self._collecting.wait()
        self._bring(certificates, task_vars, is_first=True)
        if not self._task.check_mode and not self._runs.broken:
            late = self._collecting.wait()
            if late:
                self._bring(late, task_vars)
        return self._result(certificates)

    def _address(self) -> str:
        """Of the host, as this controller sees it."""
        if self._connection.transport == "local":
            return "127.0.0.1"
        return str(self._play_context.remote_addr or self._host)

    # Runs of the module

    def _bring(self, certificates: t.Sequence[Certificate], task_vars: Result, is_first: bool = False) -> None:
        """Have the module bring certificates into service, and prove what is seen from here alone."""
        result = None
        if is_first:
            try:
                result = self._quick_look(certificates)
            except AnsibleConnectionFailure as error:
                self._runs.loses(str(error), [one.name for one in certificates])
        if result is not None:
            self._runs.add(result)
        elif not self._runs.broken:
            self._look_before(certificates)
            self._run(certificates, task_vars, is_first=is_first)
        if not self._runs.broken:
            self._look(certificates, task_vars)
        if self._runs.unreachable:
            self._go_without([one for one in certificates if not one.absent])

    def _go_without(self, certificates: t.Sequence[Certificate]) -> None:
        """Tell what is known of endpoints where the host cannot be reached any more."""
        if self._task.check_mode:
            self._wrong([one for one in certificates if _seen_from_here(one)], once=True)
        known = {_where(seen) for seen in self._runs.endpoints}
        nothing = {"fingerprint_sha256": None, "served": None, "verified": None, "verify_error": None}
        self._runs.saw(
            {"certificate": one.name, **address.shown, **nothing, "serves": False, "reason": self._runs.broken}
            for one in certificates
            for address in one.endpoints
            if (one.name, *address.shown.values()) not in known
        )

    def _quick_look(self, certificates: t.Sequence[Certificate]) -> Result | None:
        """What the module would return, where one command sees that there is nothing to do; else None."""
        wanted = [(one, self._collecting.of(one).content) for one in certificates]
        try:
            seen = to_see(wanted, bool(self._task.check_mode))
        except UnfitError:
            return None
        same = self.quick_look(seen.files, seen.endpoints, seen.folders, self._options["probe_timeout"])
        return unchanged(wanted, bool(self._task.diff)) if same else None

    def _run(
        self,
        certificates: t.Sequence[Certificate],
        task_vars: Result,
        shown: dict[str, str] | None = None,
        is_first: bool = False,
    ) -> None:
        sent = [one.sent(self._collecting.of(one).content) for one in certificates]
        names = [one.name for one in certificates]
        module_args = {"certificates": sent, "services": self._options["services"], "_shown": shown or {}}
        module_args.update({option: self._options[option] for option in _SENT})
        try:
            with told_meanwhile(self._say, work_on_host(certificates, self._options)):
                result = self.run_module(_MODULE, module_args, sent, task_vars)
        except CollectError as error:
            if is_first:
                raise
            self._runs.breaks(str(error), names, {})
            return
        except AnsibleConnectionFailure as error:
            self._runs.loses(str(error), names)
            return
        self._runs.add(result)
        if came_to_no_end(result):
            self._runs.breaks(without_end(result, "certificates"), names, result, unknown_end=True)
        elif result.get("failed"):
            self._runs.breaks(str(result.get("msg") or "The module failed."), names, result)

    # Looks from here

    def _look_before(self, certificates: t.Sequence[Certificate]) -> None:
        """See what endpoints show before anything changes, by which it is known what going back would restore."""
        if not self._task.check_mode:
            kinds = {one.name: key_type_of(self._collecting.of(one).content) for one in certificates}
            sights = [
                Sight(one.name, place, None, kinds[one.name]) for one in certificates for place in _seen_from_here(one)
            ]
            look = Look(sights, self._say)
            look.once()
            self._shown_before.update(
                {_where(seen): seen["fingerprint_sha256"] for seen in look.results() if seen["serves"] is not None}
            )

    def _restores(self, one: Certificate) -> bool:
        """Whether an endpoint that does not show a certificate would be better off with the one from before."""
        was = self._runs.of(one.name).get("before_fingerprint")
        for seen in self._runs.seen_of(one.name):
            if seen["serves"] is not False or seen["connect_from"] != "controller":
                continue
            before = self._shown_before.get(_where(seen))
            # What shows a certificate that was not installed before either has nothing to do with these files.
            if before is not None and (before == was or seen["fingerprint_sha256"] != before):
                return True
        return False

    def _look(self, certificates: t.Sequence[Certificate], task_vars: Result) -> None:
        """Look at the endpoints that are seen from here, and tell the host what it has to know of that."""
        seen_from_here = [one for one in certificates if not one.absent and _seen_from_here(one)]
        open_ones = [one for one in seen_from_here if self._state(one) in (TO_BE_LOOKED_AT, IN_SERVICE, INSTALLED)]
        # Where nothing runs, or nothing is installed, whatever is seen is somebody else's.
        running = [
            one for one in open_ones if self._runs.of(one.name)["installed"] and not self._runs.is_silent(one.services)
        ]
        waiting = [] if self._task.check_mode else [one for one in running if self._state(one) == TO_BE_LOOKED_AT]
        wrong = self._wrong([one for one in seen_from_here if one not in waiting], once=True)
        if self._task.check_mode:
            self._foresee(running, wrong)
            return
        wrong.update(self._wrong(waiting))
        told = {one.name: "" for one in open_ones if self._state(one) == TO_BE_LOOKED_AT}
        blind = [one for one in running if wrong[one.name] and not self._is_known(one)]
        staying = [one for one in waiting if wrong[one.name] and not self._restores(one)]
        staying += [one for one in blind if one not in staying]
        for one in running:
            if wrong[one.name] and one not in staying:
                told[one.name] = wrong[one.name]
            elif one.name not in told:
                self._runs.end(one.name, IN_SERVICE)
        if told:
            self._conclude([one for one in open_ones if one.name in told], told, task_vars)
        for one in staying:
            if self._state(one) in GOOD:
                why = NOTHING_AGAINST_IT if one in blind else NOTHING_TO_RESTORE
                why = why if self._runs.of(one.name)["changed"] else _AS_WANTED
                self._runs.end(one.name, UNPROVEN, f"{wrong[one.name]} {why}")
        self._doubt(running)

    def _is_known(self, one: Certificate) -> bool:
        """Whether an endpoint is known not to show a certificate, and it is not the looking alone that failed."""
        return any(seen["serves"] is False for seen in self._runs.seen_of(one.name))

    def _foresee(self, running: t.Sequence[Certificate], wrong: dict[str, str]) -> None:
        """What a real run comes to, if all goes well that can only be found out by trying."""
        for one in running:
            if wrong[one.name] and not self._runs.of(one.name)["changed"]:
                if not one.services or not self._is_known(one):
                    self._runs.end(one.name, UNPROVEN, f"{wrong[one.name]} {_AS_WANTED}")
                    continue
                self._runs.would_change(one.name)
            self._runs.end(one.name, IN_SERVICE)
        self._doubt(running)

    def _doubt(self, certificates: t.Sequence[Certificate]) -> None:
        """Say where it can't be told whether a certificate is served, and call in service what is seen somewhere."""
        for one in certificates:
            doubts = self._doubts.get(one.name)
            if doubts and self._state(one) == IN_SERVICE:
                is_seen = any(seen["serves"] for seen in self._runs.seen_of(one.name))
                self._runs.end(one.name, IN_SERVICE if is_seen else INSTALLED, " ".join(doubts))

    def _conclude(self, certificates: t.Sequence[Certificate], told: dict[str, str], task_vars: Result) -> None:
        """Have the host end what it holds, and have services take files anew that show others."""
        self._run(certificates, task_vars, told)
        if self._runs.broken:
            return
        # Nothing was held of these: what is installed is as it was, and services took it anew.
        again = [one for one in certificates if self._state(one) == TO_BE_LOOKED_AT]
        back = [one for one in certificates if self._state(one) == ROLLED_BACK]
        wrong = self._wrong([*again, *back])
        for one in again:
            if wrong[one.name]:
                self._runs.end(one.name, UNPROVEN, f"{wrong[one.name]} {_AS_WANTED}")
            else:
                self._runs.end(one.name, IN_SERVICE)
        for one in back:
            if wrong[one.name]:
                self._runs.end(one.name, ROLLED_BACK, f"With the old files back: {wrong[one.name]}")

    def _wrong(self, certificates: t.Sequence[Certificate], once: bool = False) -> dict[str, str]:
        """What is wrong with the endpoints of each certificate once they had their time, in words, else empty."""
        if not certificates:
            return {}
        look = Look(self._sights(certificates), self._say, self._sights(self._certificates), Run().sleep)
        if once:
            look.once()
        else:
            look.until_right(Patience(self._options["probe_retries"], self._options["probe_delay"]))
        self._runs.saw(look.results())
        self._doubts.update({one.name: look.doubts(one.name) for one in certificates})
        return {one.name: look.wrong(one.name) for one in certificates}

    def _sights(self, certificates: t.Sequence[Certificate]) -> list[Sight]:
        sights = []
        for one in filter(_seen_from_here, certificates):
            known = self._runs.of(one.name)
            wanted, kind = fingerprint_of(known["installed"]), key_type_of(known["installed"])
            before = (known.get("before_fingerprint"), fingerprint_of(known["before"]))
            own = frozenset(digest for digest in before if digest)
            sights += [Sight(one.name, place, wanted, kind, own) for place in _seen_from_here(one)]
        return sights

    def _state(self, one: Certificate) -> str:
        return self._runs.state(one.name)

    def _say(self, line: str) -> None:
        Display().display(f"collectssl: {self._host}: {line}")

    # What it came to

    def _result(self, certificates: t.Sequence[Certificate]) -> Result:
        self._runs.settle()
        now = datetime.datetime.now(datetime.timezone.utc)
        collected = {one.name: self._collecting.of(one) for one in certificates}
        result = composed(certificates, collected, self._runs, now, bool(self._task.check_mode))
        self._collecting.announce_pending()
        doubts = [doubt for one in certificates for doubt in one.doubts()]
        if doubts:
            result["warnings"] = [*result.get("warnings", []), *doubts]
        is_wrong = result.get("failed") or (result.get("unreachable") and result["changed"])
        if is_wrong and not self._task.no_log:
            # In one piece, so that what other hosts have to say stands before or behind it.
            Display().display("\n".join(["", *table([(self._host, result)]), *sentences(result), ""]))
        return result


def _where(seen: Result) -> tuple[t.Any, ...]:
    """Which endpoint of which certificate a look was at."""
    return (seen["certificate"], *map(seen.get, ADDRESS))


def _seen_from_here(one: Certificate) -> list[Address]:
    """The endpoints of a certificate that are looked at from this controller."""
    return [address for address in one.endpoints if address.endpoint is not None]
