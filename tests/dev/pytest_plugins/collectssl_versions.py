# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest plugin: say which versions the tests of a run are run with.

The first test has a property ``tried`` for each, ``version: NAME VERSION: TESTS``, as tests have for what they try.
"""

from __future__ import annotations

import importlib.metadata
import platform
import typing as t

if t.TYPE_CHECKING:  # pragma: no cover
    import pytest

DISTRIBUTIONS = ("ansible-core", "cryptography", "requests", "urllib3")


def versions() -> t.Iterator[str]:
    """Each of them with its version, as far as this Python has it."""
    yield f"Python {platform.python_version()}"
    for name in DISTRIBUTIONS:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave them with the first test; by now it is known which tests there will be."""
    for version in versions() if session.items else ():
        session.items[0].user_properties.append(("tried", f"version: {version}: {len(session.items)}"))


def pytest_report_header() -> str:
    """Say it at the head of the log as well."""
    return f"versions: {', '.join(versions())}"
