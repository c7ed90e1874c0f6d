# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the controller has a library that it needs, in a version that is new enough.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import sys

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

#: The oldest version of each library that will do. Documentation and requirements say the same; a test compares them.
OLDEST = {"cryptography": "42", "requests": "2.31", "urllib3": "1.26"}

_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def require(name: str, oldest: str, version: str | None, fault: ImportError | None) -> None:
    """Raises ``CollectError``, with the interpreter and what to do, unless a library is there and new enough.

    :arg oldest: the first version that will do, as numbers with full stops between them.
    :arg version: what the library says of itself; one without numbers counts as new enough.
    :arg fault: why it could not be imported.
    """
    if fault is None and not _is_older(version or "", oldest):
        return
    why = f"That one has {name} {excerpt(version or '', 40)}." if fault is None else f"It cannot import it: {fault}."
    # Without --upgrade, pip leaves a version whose number will do, also one that this Python is too new to import.
    raise CollectError(
        f"The Python library {name}, {oldest} or newer, is needed on the controller, by the Python that runs Ansible, "
        f"{sys.executable}. {why} Install it there: {sys.executable} -m pip install --upgrade '{name}>={oldest}'."
    ) from fault


def _is_older(version: str, oldest: str) -> bool:
    found = _NUMBERS.match(version)
    return found is not None and _numbers(found.group()) < _numbers(oldest)


def _numbers(version: str) -> list[int]:
    return [int(number[:9]) for number in version.split(".")]
