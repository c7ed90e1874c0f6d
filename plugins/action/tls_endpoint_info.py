# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec, endpoint_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import endpoint_of, probe
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._action import CollectActionBase


class ActionModule(CollectActionBase):
    """Looks at an endpoint from here, or has the module of the same name look from the target."""

    TRANSFERS_FILES = False
    # It looks, here or on the target, and its words become part of what others say that do more.
    LEFT_UNTOUCHED = ""

    def argument_spec(self) -> ArgumentSpec:
        """The options of the module."""
        return endpoint_spec()

    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Check the options here in any case, so that a wrong one costs no module run."""
        endpoint = endpoint_of(options)
        if options["connect_from"] == "controller":
            return {"changed": False, **probe(endpoint)}
        # As the task spells them: the home folder and the variables in ca_path are the target's, not this controller's.
        result: dict[str, t.Any] = self._execute_module(
            module_name="certfleet.collectssl.tls_endpoint_info", module_args=dict(self.given), task_vars=task_vars
        )
        return result
