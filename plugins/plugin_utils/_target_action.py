# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions have in common that have a module of theirs install certificates on a target.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible import constants as C
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import BESIDE
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._action import CollectActionBase

_OPTION = "privatekey_passphrase"

Result = dict[str, t.Any]


class TargetActionBase(CollectActionBase):
    """An action that hands certificates to its module, and passphrases beside it."""

    def run_module(
        self, name: str, module_args: Result, holders: t.Sequence[Result], task_vars: dict[str, t.Any]
    ) -> Result:
        """What the module returns, its diffs in words.

        :arg holders: the dictionaries among the arguments that may have a passphrase.
        :raises InstallError: where a passphrase cannot be brought to the target; the module was not run then.
        """
        with self._passphrases_beside(holders):
            result: Result = self._execute_module(module_name=name, module_args=module_args, task_vars=task_vars)
        _describe_diff(result)
        return result

    @contextlib.contextmanager
    def _passphrases_beside(self, holders: t.Sequence[Result]) -> t.Iterator[None]:
        """Keep passphrases out of the arguments of a module that lie on the target in a file, its payload.

        With pipelining they go to the standard input of Python, and lie nowhere. Without, each passphrase takes a file
        of its own, which the module removes before it does anything else.
        """
        secret = [holder for holder in holders if holder.get(_OPTION) is not None]
        if not secret or self._is_pipelining_enabled("new"):
            yield
            return
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        passphrases = [str(holder[_OPTION]) for holder in secret]
        paths = [str(shell.join_path(shell.tmpdir, f"passphrase-{number}")) for number in range(1, len(secret) + 1)]
        for holder, path in zip(secret, paths, strict=True):
            holder[_OPTION] = f"{BESIDE}{path}"
        try:
            for path, passphrase in zip(paths, passphrases, strict=True):
                self._transfer_data(path, passphrase.encode("utf-8", "surrogateescape"))
            if self._remote_chmod(paths, "0600")["rc"] != 0:
                raise InstallError(
                    f"{' and '.join(paths)}, in which a passphrase goes to the target, cannot be protected."
                )
            if self._is_become_unprivileged():
                # It may read them then, and not remove them.
                self._fixup_perms2([shell.tmpdir, *paths], self._get_remote_user())
            yield
        finally:
            if C.DEFAULT_KEEP_REMOTE_FILES:
                # Otherwise the folder goes with all that is in it.
                for path in paths:
                    self._low_level_execute_command(shell.remove(path), sudoable=False)


def came_to_no_end(result: Result) -> bool:
    """Whether Python did not start, or something ended it, so that nobody has said what became of the files."""
    return "module_stdout" in result or bool(result.get("end_unknown"))


def without_end(result: Result, what: str) -> str:
    """What to say of a module that came to no end of its own.

    :arg what: what the next run has to be about so that it puts things right.
    """
    return (
        f"{str(result.get('msg') or 'The module failed').rstrip('.')}. The module came to no end of its own, so what "
        f"became of the files is not known. What it had begun, the next run for the same {what} puts back first."
    )


def _describe_diff(result: Result) -> None:
    """In a diff, a person wants to see what a certificate says rather than its base64."""
    if "diff" not in result:
        return
    from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.reading import describe_pem

    diffs = result["diff"] if isinstance(result["diff"], list) else [result["diff"]]
    for diff in diffs:
        for side in ("before", "after"):
            if isinstance(diff.get(side), str):
                diff[side] = describe_pem(diff[side])
