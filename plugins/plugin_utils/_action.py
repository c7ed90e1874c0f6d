# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins of this collection have in common.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import abc
import contextlib
import os
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec, is_secret_variable
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    CollectError,
    EndpointError,
    OrderError,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.run import Run, leave
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http.proxy import merged_environment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import provider_of, with_environment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._polling import Attempt, attempt_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    LONGEST,
    Endpoint,
    File,
    Look,
    UnfitError,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options, by_name, validated


class CollectActionBase(ActionBase):
    """An action that reads its options, works on the controller, and fails with a sentence."""

    #: What a failure leaves behind, for the end of its message.
    LEFT_UNTOUCHED = "Nothing was changed."

    #: What the task gives, as it spells it.
    given: dict[str, t.Any]

    _attempt: Attempt | None

    @abc.abstractmethod
    def argument_spec(self) -> ArgumentSpec:
        """The options that a task may give."""

    @abc.abstractmethod
    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The task's result; ``CollectError`` fails the task.

        :arg options: those of the task, with what the controller's environment adds to them.
        """

    def spelled(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The options of the task, as it spells them; ``CollectError`` fails the task."""
        return t.cast("dict[str, t.Any]", self._task.args)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Called by Ansible, in a worker of the controller."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        spec = self.argument_spec()
        self._attempt = None
        try:
            self.given = by_name(self.spelled(task_vars or {}), spec)
            options = validated(self.given, spec)
            # A member that has nothing to do with the provider takes nothing from the environment.
            completed = with_environment(options, self.given) if "product" in options else options
            result.update(self.work(completed, task_vars or {}))
        except CollectError as error:
            result.update(failed=True, changed=False, msg=f"{error} {self.LEFT_UNTOUCHED}".rstrip())
            if isinstance(error, OrderError):
                result["order"] = error.order
            if isinstance(error, EndpointError):
                result["undetermined"] = error.undetermined
        return result

    def _compute_environment_string(self, raw_environment_out: dict[str, t.Any] | None = None) -> str:
        """As ansible-core has it, which puts the task's environment into a command line on the target.

        There, everybody may read it. What is for the call of this controller alone is left out.
        """
        everything: dict[str, t.Any] = {}
        super()._compute_environment_string(everything)
        if isinstance(raw_environment_out, dict):
            raw_environment_out.clear()
            raw_environment_out.update(everything)
        told = {name: value for name, value in everything.items() if not is_secret_variable(str(name), str(value))}
        return t.cast("str", self._connection._shell.env_prefix(**told))

    def _low_level_execute_command(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Called by Ansible for each command that a host is to run; none is sent for a run that is gone."""
        if Run().is_gone:
            # A module that was sent already holds all that it was given, a passphrase among it.
            with contextlib.suppress(Exception):
                if self._connection._shell.tmpdir:
                    command = self._connection._shell.remove(self._connection._shell.tmpdir, recurse=True)
                    super()._low_level_execute_command(command, sudoable=False)
            leave()
        return super()._low_level_execute_command(*args, **kwargs)

    def broker(self, options: Options) -> Broker:
        """The door to the provider that the options name."""
        environment: dict[str, t.Any] = {}
        # The task's own environment is put in front of remote commands alone; here it counts for the proxies.
        self._compute_environment_string(raw_environment_out=environment)
        provider = provider_of(options, merged_environment(os.environ, environment))
        # However many doors it opens, what ansible-core runs once is one attempt.
        self._attempt = self._attempt or attempt_of(self._task)
        display = Display()
        return Broker(provider, display.display, attempt=self._attempt, detail=display.vvv)

    def quick_look(
        self,
        files: t.Sequence[File],
        endpoints: t.Sequence[Endpoint] = (),
        folders: t.Sequence[str] = (),
        timeout: int = 10,
    ) -> bool:
        """Whether one command could see on the host that there is nothing to do, so that no module need be sent.

        False is no failure, and says nothing: the module decides. Only a host that cannot be reached, or a password
        that it does not take, is told as for any other command, by the exception of ansible-core, since trying it
        once more would bring nothing but another wait, or another failed login on record.

        :arg files: all files of all certificates, as they are to be.
        :arg endpoints: those that the host itself looks at, and what each is to serve.
        :arg folders: further folders that are to be there.
        :arg timeout: seconds for each endpoint.
        """
        try:
            look = Look(files, endpoints, folders, timeout)
            same = look.says_same(self._output_of(look.command))
        except AnsibleConnectionFailure:
            raise
        except Exception as exc:
            if isinstance(exc, AnsibleError) and "password" in str(exc):
                raise
            same = False
        Display().vvv(f"collectssl: {'nothing to do, as one command saw' if same else 'the module is to look'}")
        return same

    def _output_of(self, command: str) -> str:
        """What a POSIX shell of the host prints; raises ``UnfitError`` where there is none, or no way to tell it."""
        connection = self._connection
        # What network devices have is no shell, and what they are told may be meant.
        if getattr(connection._shell, "SHELL_FAMILY", None) != "sh" or connection.force_persistence:
            raise UnfitError
        if not connection.allow_executable:
            raise UnfitError
        if len(command) <= LONGEST:
            return str(self._low_level_execute_command(command)["stdout"])
        if not self._is_pipelining_enabled("new"):
            raise UnfitError
        return str(self._low_level_execute_command("/bin/sh -s", in_data=f"{command}\n".encode("ascii"))["stdout"])
