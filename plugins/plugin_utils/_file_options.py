# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an argument spec cannot say of the options for files, and this controller can: commands and modes.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

_OCTAL = re.compile(r"[0-7]+\Z")
_PERMISSIONS = 0o777
# More than a slip makes: what is no mode at all, the target refuses.
_MODES = 10**6


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
