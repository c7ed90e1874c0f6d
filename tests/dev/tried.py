# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests tried that must not succeed, and with which versions: the second table at the end of `make test`.

A test says it with ``record_property("tried", "KIND: NAME: COUNT")``, where the kind is one of ``KINDS`` and the name
tells what it was. Only a test that passed has refused what it tried. The rows of the fault matrix come the same way,
as ``record_property("matrix", "FAULT | COLUMN | OUTCOME | DETAIL …")``.
"""

from __future__ import annotations

import collections
import pathlib
import re
import typing as t

VERSION = "version"

KINDS = {
    "attack": ("attacks", "refused"),
    "fault": ("faults", "clean"),
    "hostile body": ("hostile bodies", "refused or read"),
    "fuzzed body": ("fuzzed bodies", "refused or read"),
    "place searched": ("places searched for secrets", "without one"),
    "mutant": ("mutants", "killed or explained"),
}
"""The kinds beside versions: how a row of the table begins, and what is said of tries whose tests passed."""

MATRIX = "fault-matrix.txt"
"""The name of the file that has each cell of the fault matrix."""

_LEAST = 3
"""How many parts a cell has, whatever is told beside."""

_SHOWN = 5
"""How many names are given of what did not pass."""


class Tried(t.NamedTuple):
    """Something that a test tried, so many times."""

    kind: str
    name: str
    times: int
    passed: bool = True

    @classmethod
    def read(cls, text: str, passed: bool) -> Tried:
        """Return what a test recorded; raises ValueError where it says something else."""
        kind, _colon, rest = text.partition(": ")
        name, colon, count = rest.rpartition(": ")
        if kind not in (*KINDS, VERSION) or not colon or not name.strip() or not count.isdecimal():
            raise ValueError(f"'{text}' is not 'KIND: NAME: COUNT' with a kind of {', '.join((*KINDS, VERSION))}")
        return cls(kind, name.strip(), int(count), passed)


class Cell(t.NamedTuple):
    """What became of one fault where one thing was done; the details are for the file alone."""

    fault: str
    column: str
    outcome: str
    details: tuple[str, ...]
    passed: bool = True

    @classmethod
    def read(cls, text: str, passed: bool) -> Cell:
        """Return what a test recorded; raises ValueError where that has not three parts at least."""
        parts = [part.strip() for part in text.split(" | ")]
        if len(parts) < _LEAST or not all(parts[:_LEAST]):
            raise ValueError(f"'{text}' is not 'FAULT | COLUMN | OUTCOME | DETAIL …'")
        return cls(parts[0], parts[1], parts[2], tuple(parts[_LEAST:]), passed)


class Record(t.NamedTuple):
    """What the tests of a session, or of a run, recorded."""

    tried: tuple[Tried, ...] = ()
    cells: tuple[Cell, ...] = ()
    mistakes: tuple[str, ...] = ()
    """What can't be read of it, and why."""

    @classmethod
    def of(cls, records: t.Iterable[dict[str, t.Any]]) -> Record:
        """Return what stands in the lines of a session."""
        tried: list[Tried] = []
        cells: list[Cell] = []
        mistakes: list[str] = []
        for record in records:
            # What a session says of itself has no outcome.
            passed = record.get("outcome", "passed") == "passed"
            try:
                tried += [Tried.read(text, passed) for text in record.get("tried", ())]
                cells += [Cell.read(text, passed) for text in record.get("matrix", ())]
            except ValueError as exc:
                mistakes.append(f"{record.get('test', 'the session')}: {exc}")
        return cls(tuple(tried), tuple(cells), tuple(mistakes))

    @classmethod
    def joined(cls, parts: t.Iterable[Record]) -> Record:
        """Return several as one."""
        parts = list(parts)
        tried = tuple(item for part in parts for item in part.tried)
        cells = tuple(cell for part in parts for cell in part.cells)
        return cls(tried, cells, tuple(mistake for part in parts for mistake in part.mistakes))

    def table(self) -> str:
        """Return the table; empty where nothing was recorded."""
        lines = [line for kind in KINDS for line in _rows(kind, [item for item in self.tried if item.kind == kind])]
        lines += _versions(item.name for item in self.tried if item.kind == VERSION)
        return "\n".join(["what was tried", *lines, "", ""]) if lines else ""

    def short_matrix(self, whole: pathlib.Path) -> str:
        """Return the fault matrix with faults that fare alike on one line; ``whole`` is where the rest stands."""
        if not self.cells:
            return ""
        failed = sum(not cell.passed for cell in self.cells)
        rows, columns = _rows_of_matrix(self.cells)
        alike: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
        for fault, row in rows.items():
            alike[tuple(f"{column}: {row[column].outcome}" for column in columns if column in row)].append(fault)
        verdict = f"{failed} not as they have to be" if failed else "all as they have to be"
        lines = [f"fault matrix: {len(rows)} faults x {len(columns)}, {len(self.cells)} cells, {verdict}; see {whole}"]
        for outcomes, faults in alike.items():
            lines.append(f"  {'; '.join(outcomes)}")
            lines += [f"    {line}" for line in _wrapped(faults)]
        return "\n".join([*lines, "", ""])

    def whole_matrix(self) -> str:
        """Return each cell of the fault matrix with all that is known of it."""
        rows, columns = _rows_of_matrix(self.cells)
        lines = []
        for fault, row in rows.items():
            lines.append(fault)
            for column in columns:
                if column in row:
                    cell = row[column]
                    mark = "" if cell.passed else "  NOT AS IT HAS TO BE"
                    lines.append(f"    {column:<8} {cell.outcome:<26} {'; '.join(cell.details)}{mark}".rstrip())
        return "\n".join(lines) + "\n"


def _rows(kind: str, items: list[Tried]) -> list[str]:
    if not items:
        return []
    title, verdict = KINDS[kind]
    wrong = sorted({item.name for item in items if not item.passed})
    names, tries = {item.name for item in items}, sum(item.times for item in items)
    said = f"all {verdict}"
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        said = f"NOT ALL {verdict.upper()}: {', '.join(wrong[:_SHOWN])}{more}"
    return [f"{title:<28} {len(names):>4} kinds {tries:>9} tries  {said}"]


def _versions(names: t.Iterable[str]) -> list[str]:
    """Return one line a program, as in "Python 3.6.15, 3.13.1 (hosts)"."""
    programs: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for name in names:
        program, _blank, rest = name.partition(" ")
        version, _blank, where = rest.partition(" ")
        programs[program, where].add(version)
    shown = [
        f"{program} {', '.join(sorted(versions, key=_natural))}{f' {where}' if where else ''}"
        for (program, where), versions in sorted(programs.items(), key=lambda entry: [w.lower() for w in entry[0]])
    ]
    lines = _wrapped(shown, "; ")
    return [f"{'versions run' if number == 0 else '':<28} {line}".rstrip() for number, line in enumerate(lines)]


def _natural(version: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[.+-]|(?<=\d)(?=[a-z])", version)
    ]


def _wrapped(words: t.Sequence[str], comma: str = ", ", width: int = 100) -> list[str]:
    lines: list[str] = []
    for number, word in enumerate(words):
        piece = word + (comma if number + 1 < len(words) else "")
        if lines and len(lines[-1]) + len(piece) <= width:
            lines[-1] += piece
        else:
            lines.append(piece)
    return [line.rstrip() for line in lines]


def _rows_of_matrix(cells: t.Iterable[Cell]) -> tuple[dict[str, dict[str, Cell]], list[str]]:
    """Return the cells by fault and column, and the columns; of a cell that several sessions fill, a wrong one."""
    rows: dict[str, dict[str, Cell]] = {}
    columns: list[str] = []
    for cell in cells:
        if cell.column not in columns:
            columns.append(cell.column)
        row = rows.setdefault(cell.fault, {})
        if cell.column not in row or not cell.passed:
            row[cell.column] = cell
    return rows, columns
