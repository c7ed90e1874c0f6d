# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an argument spec cannot say of the options for files, and this controller can.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    BESIDE,
    FILE_ROLES,
    LONGEST_PASSPHRASE,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

_PATHS = (*(option for option, _role in FILE_ROLES), "privatekey_path", "pending_privatekey_path")

# A century; what is longer is a slip of the hand, and more than a calendar takes.
_MOST_DAYS = 36525

_OCTAL = re.compile(r"[0-7]+\Z")
_PERMISSIONS = 0o777
# More than a slip makes: what is no mode at all, the target refuses.
_MODES = 10**6


def check_files(given: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> None:
    """What can be said of the options for the files of one certificate before any call.

    :arg given: the options as the task spells them: home folder and variables in a path are the target's, not this
        controller's.
    :arg options: the same, validated.
    :raises OptionError: for the first that breaks a rule.
    """
    seen: dict[str, str] = {}
    for option in _PATHS:
        path = given.get(option)
        if path is None:
            continue
        check_path(option, path)
        if seen.setdefault(str(path), option) != option:
            raise OptionError(f"{seen[str(path)]} and {option} name the same file, {excerpt(str(path))}.")
    if options["min_validity_days"] < 0:
        raise OptionError("min_validity_days must be 0 or more.")
    if options["min_validity_days"] > _MOST_DAYS:
        raise OptionError(f"min_validity_days must be at most {_MOST_DAYS}.")
    _check_passphrase(options["privatekey_passphrase"])
    check_command("validate", options["validate"])
    check_mode(given.get("mode"))


def check_path(option: str, path: t.Any) -> None:
    """Raises ``OptionError`` where a path, as a task spells it, is none that is absolute on a target."""
    if not str(path).startswith(("/", "~", "$")):
        raise OptionError(f"{option} must be an absolute path on the target, not {str(path)!r}.")


def _check_passphrase(passphrase: t.Any) -> None:
    if passphrase is None:
        return
    if len(str(passphrase).encode("utf-8", "surrogateescape")) > LONGEST_PASSPHRASE:
        raise OptionError(
            f"privatekey_passphrase is longer than the {LONGEST_PASSPHRASE} bytes that TLS libraries take."
        )
    if BESIDE in str(passphrase):
        raise OptionError("privatekey_passphrase holds a NUL character, with which no key is encrypted.")


def check_command(option: str, command: str | None) -> None:
    """Raises ``OptionError`` where the text of an option is no command, or one that waits for a path it never gets."""
    if command is None:
        return
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise OptionError(f"{option} cannot be split into a command and its arguments: {exc}.") from exc
    if not words:
        raise OptionError(f"{option} is empty; leave it out, or give a command.")
    if any("%s" in word for word in words):
        raise OptionError(
            f"{option} holds %s, for which ansible.builtin.copy puts the path of a file that is not in place yet. "
            "Here the command runs once all files are in place, and gets no path. Name the files by their own "
            "paths, or have the service check its configuration, such as nginx -t."
        )


def check_mode(mode: t.Any) -> None:
    """Raises ``OptionError`` where a mode is neither text nor a number that may be one."""
    number = isinstance(mode, int) and not isinstance(mode, bool)
    if (number and mode < 0) or isinstance(mode, (bool, float, dict, list, tuple, set)):
        raise OptionError('mode must be permissions such as "0644" or "u=rw,g=r,o=r", in quotes.')


def doubt_about_mode(mode: t.Any) -> str | None:
    """A warning about a mode that YAML seems to have made decimal, or None.

    Digits without quotes are octal to YAML with a 0 before them alone: ``0644`` is the number 420, whose bits are
    meant, and ``644`` is 644, whose bits nobody means. Both are numbers here, so what counts is which make sense.
    """
    if not isinstance(mode, int) or isinstance(mode, bool) or not 0 <= mode < _MODES or _sensible(mode):
        return None
    if mode <= _PERMISSIONS and (not _OCTAL.match(str(mode)) or int(str(mode), 8) == mode):
        return None
    meant = f"if the permissions {mode} are meant, write" if _OCTAL.match(str(mode)) else "write permissions as in"
    shown = mode if _OCTAL.match(str(mode)) else 644
    return (
        f"mode is the number {mode}, which is {mode:o} in octal. Without quotes YAML takes digits without a 0 before "
        f'them for decimal; {meant} mode: "0{shown}".'
    )


def _sensible(mode: int) -> bool:
    """Whether a file for others to read may have these bits: nobody more than those before, nobody but readers."""
    if mode > _PERMISSIONS:
        return False
    owner, group, others = mode >> 6, mode >> 3 & 7, mode & 7
    readers = [bits for bits in (owner, group, others) if bits]
    return (
        all(bits & 4 for bits in readers)
        and bool(owner or not readers)
        and not group & ~owner
        and not others & ~group
        and len({bits & 1 for bits in readers}) <= 1
    )
