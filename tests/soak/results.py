# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what the soaks found."""

from __future__ import annotations

import datetime
import importlib.metadata
import pathlib
import platform
import typing as t

from ansible_collections.certfleet.collectssl.tests.soak.mutation.table import Findings, all_mutants
from ansible_collections.certfleet.collectssl.tests.soak.soaking import CORES

_HEAD = """\
<!--
{licence}
-->

# What the last soak found

`make soak` writes this file; CONTRIBUTING.md says what it is about.

"""


class Found(t.NamedTuple):
    """What became of one soak."""

    name: str
    outcome: str
    seconds: float
    seed: int
    counts: dict[str, int]

    def row(self) -> tuple[str, ...]:
        """Its row of the table."""
        counts = "; ".join(f"{kind}: {number:,}" for kind, number in sorted(self.counts.items()))
        return self.name, self.outcome, f"{self.seconds:.0f} s", str(self.seed), counts


def document(found: t.Iterable[Found], tried: t.Sequence[Findings], commit: str, minutes: float) -> str:
    """Everything about a run, in Markdown."""
    now = datetime.datetime.now(datetime.timezone.utc)
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("ansible-core", "cryptography", "hypothesis")
    )
    about = (
        ("commit", commit),
        ("date", f"{now:%Y-%m-%d %H:%M} UTC"),
        ("time", f"at most {minutes:g} minutes for each, on {CORES} processor cores"),
        ("versions", f"Python {platform.python_version()}, {packages}, {platform.system()} on {platform.machine()}"),
    )
    licence = [line.removeprefix("# ") for line in pathlib.Path(__file__).read_text(encoding="utf-8").splitlines()[:3]]
    return _HEAD.format(licence="\n".join(licence)) + _table(("", ""), about) + "\n" + table(found) + mutants(tried)


def table(found: t.Iterable[Found]) -> str:
    """What became of each soak, in Markdown."""
    return _table(("soak", "result", "time", "seed", "tried"), (one.row() for one in found))


def mutants(tried: t.Sequence[Findings]) -> str:
    """How many mutants were killed, and which were not, in Markdown; nothing where none were tried."""
    if not tried:
        return ""
    rows = [
        (
            one.package.removeprefix("plugins/"),
            f"{one.tried:,} of {len(all_mutants(one.package)):,}",
            f"{one.killed:,}",
            f"{one.rate:.1f}",
            str(len(one.known)),
            str(len(one.unknown)),
            str(one.tests),
        )
        for one in tried
    ]
    head = ("mutants of", "tried", "killed", "of 100", "survived for a reason", "without one", "tests")
    survivors = [(key, reason) for one in tried for key, reason in one.known.items()]
    survivors += [(key, "none yet") for one in tried for key in one.unknown]
    survivors += [(key, "stale: it is killed, or there is no such mutant") for one in tried for key in one.stale]
    cells = [
        (f"{file.removeprefix('plugins/')}: {where}", *_around_what_differs(before, after), reason)
        for (file, where, before, after), reason in survivors
    ]
    listed = "\n" + _table(("survivor", "as it is", "as it was changed", "reason"), cells) if cells else ""
    return "\n" + _table(head, rows) + listed


_AROUND = 40


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _around_what_differs(before: str, after: str) -> tuple[str, str]:
    """The part of two texts in which they differ, with a little of what is around it, as code."""
    begin = _common(before, after)
    end = _common(before[begin:][::-1], after[begin:][::-1])
    cut = max(0, begin - _AROUND)
    texts = [text[cut : max(len(text) - end + _AROUND, begin)] for text in (before, after)]
    return f"`{texts[0]}`", f"`{texts[1]}`"


def _table(head: tuple[str, ...], rows: t.Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _column in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
