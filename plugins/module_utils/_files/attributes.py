# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner, group, mode, SELinux label and ``lsattr`` flags of the installed files, by the rules of ansible-core.

This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import sys
from typing import Any, Dict, Iterator, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, permissions

#: Of these flags each keeps a file from being replaced.
_FROZEN = "ia"


class FileAttributes:
    """The common file options of one task.

    ``module`` is the ``AnsibleModule``. Its helpers end the process when something is wrong; here they raise
    ``InstallError`` instead, so that a transaction can be undone first.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._options_tried = False

    def drift(self, path: str, source: Optional[str], secret: bool) -> Dict[str, Dict[str, Any]]:
        """What attributes of an existing file are not as wanted: ``{"before": {...}, "after": {...}}``, or ``{}``.

        ``source`` is where the file is that ``path`` holds or will hold before the change, None for none; ``secret``
        says that it holds a private key.
        """
        if source is None:
            self._try_options(path)
            return {}
        diff: Dict[str, Dict[str, Any]] = {}
        arguments = self._arguments(path, source, secret)
        with self._raising(path, source), self._pretending():
            changed = self._module.set_fs_attributes_if_different(arguments, False, diff, expand=False)
        return diff if changed else {}

    def _try_options(self, path: str) -> None:
        # An owner nobody knows or a mode that is none would only be found when the file is written, and check mode
        # would promise what cannot be done. So they are tried on a stand-in.
        wanted = [self._module.params.get(option) for option in ("owner", "group", "mode")]
        if self._options_tried or not any(value is not None for value in wanted):
            return
        self._options_tried = True
        with disk.scratch(self._module.tmpdir, b"") as probe:
            arguments = self._arguments(probe, probe, False)
            arguments.update({"attributes": None, "secontext": [None, None, None]})
            with self._raising(path, probe), self._pretending():
                self._module.set_fs_attributes_if_different(arguments, False, {}, expand=False)

    def prepare_staged(self, staged: str, path: str, existing: bool, secret: bool) -> None:
        """Give a staged file the attributes it is to have at ``path``, except flags that would keep it from there.

        What no option speaks of stays as it is with the existing file, or becomes what a new file gets.
        """
        if existing:
            disk.protect(staged, self._as_wanted(disk.protection(path)))
        else:
            umask = os.umask(0o077)
            os.umask(umask)
            os.chmod(staged, 0o600 if secret else 0o666 & ~umask)
        with self._raising(path, staged):
            if not existing and self._module.selinux_enabled():
                self._module.set_context_if_different(staged, self._module.selinux_default_context(path), False)
            arguments = self._arguments(path, staged, secret)
            arguments["attributes"] = None
            self._module.set_fs_attributes_if_different(arguments, False, expand=False)

    def settle(self, path: str, secret: bool) -> None:
        """Give a file that is in its place, and stays there, the attributes that options speak of, less the flags."""
        with self._raising(path, path):
            arguments = self._arguments(path, path, secret)
            arguments["attributes"] = None
            self._module.set_fs_attributes_if_different(arguments, False, expand=False)

    def finish(self, path: str) -> None:
        """Set the wanted ``lsattr`` flags on a file that is in its place."""
        try:
            with self._raising(path, path):
                flags = self._module.params.get("attributes")
                self._module.set_attributes_if_different(path, flags, False, expand=False)
        except InstallError as exc:
            if permissions.is_root():
                raise
            raise InstallError(f"{str(exc).rstrip('.')} for {permissions.user()}.{permissions.remedy()}") from exc

    def flags(self, path: str) -> str:
        """The ``lsattr`` letters of a file that keep it from being replaced.

        A task that could set flags, and does not, meets none of its own, and is spared the look.
        """
        if not self._module.params.get("attributes", True):
            return ""
        present = self._module.get_file_attributes(path, include_version=False).get("attr_flags", "")
        return "".join(letter for letter in _FROZEN if letter in present)

    def put_flags(self, path: str, letters: str) -> None:
        """Let ``letters`` be those of the flags above that a file has."""
        command = self._module.get_bin_path("chattr")
        off = "".join(letter for letter in _FROZEN if letter not in letters)
        for change in ("-" + off if off else "", "+" + letters if letters else ""):
            if command and change:
                rc, _stdout, stderr = self._module.run_command([command, change, path], handle_exceptions=False)
                if rc != 0:
                    raise InstallError(f"chattr {change} {path} failed: {stderr.strip()}")

    def _as_wanted(self, present: disk.Protection) -> disk.Protection:
        """A protection with the owner and group that options name, and without a label that they replace."""
        owner, group = permissions.uid_of(self._option("owner")), permissions.gid_of(self._option("group"))
        relabelled = any(self._option(name) is not None for name in ("seuser", "serole", "setype", "selevel"))
        return present._replace(
            uid=present.uid if owner is None else owner,
            gid=present.gid if group is None else group,
            extended=tuple(pair for pair in present.extended if pair[0] != disk.LABEL or not relabelled),
        )

    def _option(self, name: str) -> Optional[str]:
        value = self._module.params.get(name)
        return None if value is None else str(value)

    def _arguments(self, path: str, subject: str, secret: bool) -> Dict[str, Any]:
        arguments = self._module.load_file_common_arguments(self._module.params, path=path)
        arguments["path"] = subject
        if secret and arguments["mode"] is None:
            arguments["mode"] = 0o600
        return dict(arguments)

    @contextlib.contextmanager
    def _pretending(self) -> Iterator[None]:
        check_mode, self._module.check_mode = self._module.check_mode, True
        try:
            yield
        finally:
            self._module.check_mode = check_mode

    @contextlib.contextmanager
    def _raising(self, path: str, subject: str) -> Iterator[None]:
        """Let a failure be an ``InstallError`` about ``path``, whatever file, ``subject``, the module works on."""

        def fail_json(msg: str, **details: Any) -> None:
            refused = sys.exc_info()[1]
            if isinstance(refused, OSError):
                # The module's own words are those of Python, with the name of the file it works on.
                raise InstallError(
                    f"{path}: {msg.partition(':')[0]}: {permissions.cause(refused)}.{permissions.advice(refused)}"
                )
            reason = str(details.get("details") or "").strip()
            cause = f": {reason}" if reason and "\n" not in reason else ""
            raise InstallError(f"{path}: {msg}{cause}.".replace(subject, path))

        self._module.fail_json = fail_json
        try:
            yield
        except OSError as exc:
            raise InstallError(
                f"The attributes of {path} could not be set: {permissions.cause(exc)}.{permissions.advice(exc)}"
            ) from exc
        finally:
            del self._module.fail_json
