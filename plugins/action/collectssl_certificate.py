# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import json
import typing as t

from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    TARGET_OPTIONS,
    ArgumentSpec,
    certificate_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import PendingError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_ALL
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._file_options import check_files, doubt_about_mode
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import request_of, waiting_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    UnfitError,
    files_of,
    unchanged_files,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import standing
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._target_action import (
    TargetActionBase,
    came_to_no_end,
    without_end,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options


class ActionModule(TargetActionBase):
    """Collects a chain on the controller, checks it, and hands it to the module of the same name on the target."""

    TRANSFERS_FILES = False
    LEFT_UNTOUCHED = "No file on the target was touched."

    def argument_spec(self) -> ArgumentSpec:
        """The options of the module, with those that every module for files has."""
        return certificate_spec() + ArgumentSpec(t.cast("dict[str, dict[str, t.Any]]", FILE_COMMON_ARGUMENTS))

    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Collect, check, install."""
        check_files(self.given, options)
        now = datetime.datetime.now(datetime.timezone.utc)
        order: dict[str, t.Any] | None = None
        if options["content"] is not None:
            bundle = self._bundle_of_content(options["content"], now)
        else:
            broker = self.broker(options)
            outcome = broker.collect(request_of(options, QUERY_ALL), waiting_of(options))
            try:
                bundle = outcome.require_issued()
            except PendingError as pending:
                if not options["allow_pending"]:
                    raise
                return self._left_pending(broker, outcome, pending)
            order = outcome.order
        bundle.check_validity(now, options["min_validity_days"])
        bundle.check_names(options["expected_names"])
        result = self._install(bundle, options, task_vars)
        certificate = t.cast("dict[str, t.Any]", bundle.described(now))
        if result.get("failed"):
            # Its message is what there is to read, and ansible-core shows all of a failed result on one line.
            if not self._task.no_log:
                Display().v(f"collectssl: not installed: {json.dumps({'certificate': certificate, 'order': order})}")
            return {**result, "issued": True}
        result.update(issued=True, order=order, certificate=certificate)
        result.setdefault("msg", _about(certificate))
        doubt = doubt_about_mode(self.given.get("mode"))
        if doubt:
            result["warnings"] = [*result.get("warnings", []), doubt]
        if options["return_content"]:
            result["content"] = bundle.full_chain(options["include_root"])
        return result

    def _left_pending(self, broker: Broker, outcome: Outcome, pending: PendingError) -> dict[str, t.Any]:
        # Said aloud, since a job that leaves an order pending night after night is as green as one that has it.
        broker.announce_once(
            outcome.request, f"collectssl: {standing(outcome.request, outcome.order)}; nothing is installed for now"
        )
        return {
            "changed": False,
            "issued": False,
            "order": pending.order,
            "certificate": None,
            "files": [],
            "msg": f"{pending} {self.LEFT_UNTOUCHED}",
        }

    @staticmethod
    def _bundle_of_content(content: str, now: datetime.datetime) -> Bundle:
        # Slow to load, and needed by this path alone: a collected chain comes verified.
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import bundle_of_content

        return bundle_of_content(str(content), now)

    def _install(self, bundle: Bundle, options: Options, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        with_root = options["include_root"] or options["root_path"] is not None
        module_args = {name: self.given[name] for name in TARGET_OPTIONS if name in self.given}
        module_args["content"] = bundle.full_chain(include_root=with_root)
        if self._is_installed(module_args, options):
            return self._unchanged(module_args)
        result: dict[str, t.Any] = self.run_module(
            "certfleet.collectssl.collectssl_certificate", module_args, [module_args], task_vars
        )
        if result.get("failed") and came_to_no_end(result):
            result["msg"] = without_end(result, "files")
        return result

    def _is_installed(self, module_args: dict[str, t.Any], options: Options) -> bool:
        try:
            files = files_of(module_args, options["include_root"])
        except UnfitError:
            return False
        return self.quick_look(files)

    def _unchanged(self, module_args: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module returns where there is nothing to do."""
        result: dict[str, t.Any] = {"changed": False, "files": unchanged_files(module_args)}
        if self._task.diff:
            result["diff"] = []
        return result


def _about(certificate: t.Mapping[str, t.Any]) -> str:
    """A sentence for a task that may yet fail by ``until`` or ``failed_when``, and has nothing else to say then."""
    return (
        f"The certificate is {excerpt(certificate['subject'])}, serial number {certificate['serial_number']}, valid "
        f"until {certificate['not_after']}."
    )
