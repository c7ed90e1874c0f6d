# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module is told in confidence: taken over before anything else is done, and passed on to nobody.

The options of a module lie in its payload, a file that stays on the target where ``ANSIBLE_KEEP_REMOTE_FILES`` says so,
or where the run is killed. So a passphrase comes beside it, in a file that goes as soon as it was read.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import stat
from typing import Any, Dict, MutableMapping

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    BESIDE,
    LONGEST_PASSPHRASE,
    is_secret_variable,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

_OPTION = "privatekey_passphrase"


def forget_account(environment: MutableMapping[str, str]) -> None:
    """Take out what no command may inherit: where the target is the controller, its environment has the account."""
    for name in [name for name, value in environment.items() if is_secret_variable(name, value)]:
        del environment[name]


def take_passphrase(module: Any, params: Dict[str, Any]) -> None:
    """Let the option among ``params`` have the passphrase in place of the path of its file.

    ``module``, an ``AnsibleModule``, is not to show it. Raises ``InstallError`` where that file cannot be read, or is
    not as the controller made it.
    """
    given = params.get(_OPTION) or ""
    if not given.startswith(BESIDE):
        return
    path = given[len(BESIDE) :]
    try:
        secret = _taken(path)
    except OSError as exc:
        raise InstallError(
            f"privatekey_passphrase: {path}, in which it came, could not be read: {exc.strerror}."
        ) from exc
    text = secret.decode("utf-8", "surrogateescape")
    params[_OPTION] = text
    if text:
        # As for an option with no_log, so that no result shows it.
        module.no_log_values.add(text)


def _taken(path: str) -> bytes:
    """The content of the file, which is gone then.

    The folder belongs to the user who connected, and so does the module that runs here: who can write there needs no
    other way. But a user who is not that one may have been let in to read, and can't remove it; the controller does.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        with contextlib.suppress(PermissionError):
            os.unlink(path)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_nlink > 1:
            raise InstallError(
                f"privatekey_passphrase: {path}, in which it came, is not as the controller made it (a regular file "
                "with one name that nobody else may write), so it is not used."
            )
        secret = os.read(descriptor, LONGEST_PASSPHRASE + 1)
    finally:
        os.close(descriptor)
    if len(secret) > LONGEST_PASSPHRASE:
        raise InstallError(f"privatekey_passphrase is longer than the TLS library takes ({LONGEST_PASSPHRASE} bytes).")
    return secret
