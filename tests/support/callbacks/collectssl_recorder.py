# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback plugin for tests: a line of JSON for what came of a task on a host, beside the output that users see."""

from __future__ import annotations

DOCUMENTATION = """
name: collectssl_recorder
type: notification
short_description: Write every result to a file
description: For the tests of this collection alone.
"""

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase


def _part(result: t.Any, name: str) -> t.Any:
    # ansible-core 2.19 made these public, and warns of the old names.
    return getattr(result, name) if hasattr(result, name) else getattr(result, f"_{name}")


class CallbackModule(CallbackBase):
    """Appends to the file that COLLECTSSL_RECORD names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "collectssl_recorder"

    def _record(self, status: str, result: t.Any) -> None:
        line = {
            "status": status,
            "task": _part(result, "task").get_name().strip(),
            "host": _part(result, "host").get_name(),
            "data": _part(result, "result"),
        }
        with open(os.environ["COLLECTSSL_RECORD"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A task went well."""
        self._record("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """A host could not be reached."""
        self._record("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A task was skipped."""
        self._record("skipped", result)
