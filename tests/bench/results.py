# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what was measured."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import pathlib
import platform
import typing as t

_HEAD = """\
<!--
{licence}
-->

# What it costs

`make bench` writes this file; CONTRIBUTING.md says what it is about. A ratio is the median of all turns, with the
least and the most beside it, each turn's start-up of Ansible taken off both; first that of the time on the clock, then
that of the processors, of whatever a run set to work on this machine.

"""


class Row(t.NamedTuple):
    """Something that was measured, or counted, and the bound that it is to keep; None where it is for the record."""

    what: str
    found: str
    value: float
    bound: float | None

    def cells(self) -> tuple[str, ...]:
        """Its line of the table."""
        if self.bound is None:
            return self.what, self.found, "", ""
        verdict = "kept" if self.value <= self.bound else f"missed by {self.value - self.bound:.2f}"
        return self.what, self.found, f"≤ {self.bound:.2f}", verdict


def document(rows: t.Sequence[Row], commit: str, command: str) -> str:
    """All of a run, in Markdown."""
    now = datetime.datetime.now(datetime.timezone.utc)
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "requests"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    about = (
        ("command", f"`{command}`"),
        ("commit", commit),
        ("date", f"{now:%Y-%m-%d %H:%M} UTC"),
        ("machine", f"{len(os.sched_getaffinity(0))} processor cores, {memory:.0f} GiB, {platform.machine()}"),
        ("versions", f"Python {platform.python_version()}, {packages}, {platform.system()}"),
    )
    licence = [line.removeprefix("# ") for line in pathlib.Path(__file__).read_text(encoding="utf-8").splitlines()[:3]]
    return _HEAD.format(licence="\n".join(licence)) + _table(("", ""), about) + "\n" + table(rows)


def table(rows: t.Iterable[Row]) -> str:
    """What was measured, in Markdown."""
    return _table(("what", "measured", "bound", "verdict"), (row.cells() for row in rows))


def _table(head: tuple[str, ...], rows: t.Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _column in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
