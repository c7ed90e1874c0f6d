# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import datetime
import json
import typing as t

from ansible import constants as C
from ansible.module_utils.basic import FILE_COMMON_ARGUMENTS
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    BESIDE,
    FILE_ROLES,
    LONGEST_PASSPHRASE,
    TARGET_OPTIONS,
    ArgumentSpec,
    certificate_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import (
    InstallError,
    OptionError,
    PendingError,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import QUERY_ALL
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._action import CollectActionBase
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._file_options import (
    check_command,
    check_mode,
    doubt_about_mode,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import request_of, waiting_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._quick_look import (
    UnfitError,
    files_of,
    unchanged_files,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import standing
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import Options

_UNKNOWN = (
    "The module came to no end of its own, so what became of the files is not known. What it had begun, the next run "
    "for the same files puts back first."
)
_PATHS = (*(option for option, _role in FILE_ROLES), "privatekey_path", "pending_privatekey_path")

# A century; what is longer is a slip of the hand, and more than a calendar takes.
_MOST_DAYS = 36525


class ActionModule(CollectActionBase):
    """Collects a chain on the controller, checks it, and hands it to the module of the same name on the target."""

    TRANSFERS_FILES = False
    LEFT_UNTOUCHED = "No file on the target was touched."

    def argument_spec(self) -> ArgumentSpec:
        """The options of the module, with those that every module for files has."""
        return certificate_spec() + ArgumentSpec(t.cast("dict[str, dict[str, t.Any]]", FILE_COMMON_ARGUMENTS))

    def work(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Collect, check, install."""
        self._check(options)
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

    def _check(self, options: Options) -> None:
        """What an argument spec cannot say; found before any call."""
        seen: dict[str, str] = {}
        for option in _PATHS:
            # As the task spells it: the home folder and the variables in it are the target's, not this controller's.
            path = self.given.get(option)
            if path is None:
                continue
            if not str(path).startswith(("/", "~", "$")):
                raise OptionError(f"{option} must be an absolute path on the target, not {str(path)!r}.")
            if seen.setdefault(str(path), option) != option:
                raise OptionError(f"{seen[str(path)]} and {option} name the same file, {excerpt(str(path))}.")
        if options["min_validity_days"] < 0:
            raise OptionError("min_validity_days must be 0 or more.")
        if options["min_validity_days"] > _MOST_DAYS:
            raise OptionError(f"min_validity_days must be at most {_MOST_DAYS}.")
        passphrase = options["privatekey_passphrase"]
        if passphrase is not None and len(str(passphrase).encode("utf-8", "surrogateescape")) > LONGEST_PASSPHRASE:
            raise OptionError(
                f"privatekey_passphrase is longer than the {LONGEST_PASSPHRASE} bytes that TLS libraries take."
            )
        if passphrase is not None and BESIDE in str(passphrase):
            raise OptionError("privatekey_passphrase holds a NUL character, with which no key is encrypted.")
        check_command("validate", options["validate"])
        check_mode(self.given.get("mode"))

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
        with self._passphrase_beside(module_args):
            result: dict[str, t.Any] = self._execute_module(
                module_name="certfleet.collectssl.collectssl_certificate", module_args=module_args, task_vars=task_vars
            )
        self._describe_diff(result)
        if result.get("failed") and "module_stdout" in result:
            # Python did not start, or something ended it, so nobody has said what became of the files.
            result["msg"] = f"{str(result.get('msg') or 'The module failed').rstrip('.')}. {_UNKNOWN}"
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

    @contextlib.contextmanager
    def _passphrase_beside(self, module_args: dict[str, t.Any]) -> t.Iterator[None]:
        """Keep a passphrase out of the arguments of a module that lie on the target in a file, its payload.

        With pipelining they go to the standard input of Python, and lie nowhere. Without, the passphrase takes a file
        of its own, which the module removes before it does anything else.
        """
        passphrase = module_args.get("privatekey_passphrase")
        if passphrase is None or self._is_pipelining_enabled("new"):
            yield
            return
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        path = str(shell.join_path(shell.tmpdir, "passphrase"))
        module_args["privatekey_passphrase"] = f"{BESIDE}{path}"
        try:
            self._transfer_data(path, str(passphrase).encode("utf-8", "surrogateescape"))
            if self._remote_chmod([path], "0600")["rc"] != 0:
                raise InstallError(f"The file {path}, in which the passphrase goes to the target, cannot be protected.")
            if self._is_become_unprivileged():
                # It may read the file then, and not remove it.
                self._fixup_perms2([shell.tmpdir, path], self._get_remote_user())
            yield
        finally:
            if C.DEFAULT_KEEP_REMOTE_FILES:
                # Otherwise the folder goes with all that is in it.
                self._low_level_execute_command(shell.remove(path), sudoable=False)

    @staticmethod
    def _describe_diff(result: dict[str, t.Any]) -> None:
        """In a diff, a person wants to see what a certificate says rather than its base64."""
        if "diff" not in result:
            return
        from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import describe_pem

        diffs = result["diff"] if isinstance(result["diff"], list) else [result["diff"]]
        for diff in diffs:
            for side in ("before", "after"):
                if isinstance(diff.get(side), str):
                    diff[side] = describe_pem(diff[side])


def _about(certificate: t.Mapping[str, t.Any]) -> str:
    """A sentence for a task that may yet fail by ``until`` or ``failed_when``, and has nothing else to say then."""
    return (
        f"The certificate is {excerpt(certificate['subject'])}, serial number {certificate['serial_number']}, valid "
        f"until {certificate['not_after']}."
    )
