# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the time of the recorded tests goes."""

from __future__ import annotations

import collections
import typing as t

SHOWN = 10
"""How many files are named."""


class TimedTest(t.NamedTuple):
    """How long a test took, with what it needed before and after."""

    session: str
    name: str
    """The node id: ``path/test_file.py::test_name``."""
    seconds: float


def block(tests: t.Iterable[TimedTest]) -> str:
    """Return lines about the test files that took longest in a session, with the slowest test of each."""
    files: dict[tuple[str, str], list[TimedTest]] = collections.defaultdict(list)
    for test in tests:
        files[test.session, test.name.partition("::")[0]].append(test)
    if not files:
        return ""
    spent = {file: sum(test.seconds for test in group) for file, group in files.items()}
    longest = sorted(spent, key=lambda file: -spent[file])[:SHOWN]
    tests_run = sum(map(len, files.values()))
    shown = sum(spent[file] for file in longest)
    lines = [f"\nwhere the time goes: {sum(spent.values()):.0f} s in {tests_run} tests, {shown:.0f} s of them in"]
    for file in longest:
        worst = max(files[file], key=lambda test: test.seconds)
        session, path = file
        test_name = worst.name.partition("::")[2] or path
        lines.append(
            f"{session:<18} {spent[file]:>7.1f} s  {path.removeprefix('tests/')} ({len(files[file])} tests, "
            f"the slowest {worst.seconds:.1f} s: {test_name})"
        )
    return "\n".join(lines) + "\n\n"
