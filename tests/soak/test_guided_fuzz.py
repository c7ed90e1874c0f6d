# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that look for lines which no bytes have reached yet, handed to the parser of answers and to the chain.

It begins with what is kept, with answers of every kind, and with containers. What it finds out in a long run is worth
keeping: with ``--corpus=$PWD/tests/support/hostile_bytes.txt`` it writes anew what the unit tests read on every run,
one input for each line of the code that is reached by no smaller one.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.soak import subjects
from ansible_collections.certfleet.collectssl.tests.soak.fuzzing import keeping
from ansible_collections.certfleet.collectssl.tests.soak.soaking import CORES, Soak
from ansible_collections.certfleet.collectssl.tests.support import hostile_bytes, places

_PROGRAM = places.COLLECTION / "tests" / "soak" / "fuzzing" / "guided.py"
_SIZE = 1 << 15
"""Of the largest input; a chain in a ZIP archive in base64 has a third of it."""
_SECONDS = 20
"""For one input: far more than any needs, on a machine that does other things as well."""
_DONE = re.compile(r"^stat::number_of_executed_units:\s*([0-9]+)", re.MULTILINE)


def test_guided_fuzz(
    soak: Soak, tmp_path: pathlib.Path, request: pytest.FixtureRequest, record_property: t.Callable[..., None]
) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris has no package for this Python and this machine")
    corpus, faults = tmp_path / "corpus", tmp_path / "faults"
    for folder in (corpus, faults):
        folder.mkdir()
    for data in (*hostile_bytes.kept(), *subjects.seeds()):
        (corpus / hashlib.sha256(data).hexdigest()).write_bytes(data)
    command = [sys.executable, str(_PROGRAM), str(corpus), f"-artifact_prefix={faults}/", f"-max_len={_SIZE}"]
    command += [f"-max_total_time={max(soak.seconds, 1):.0f}", f"-timeout={_SECONDS}", "-print_final_stats=1"]
    runs = []
    for number in range(CORES):
        log = tmp_path / f"log{number}"
        with log.open("wb") as output:
            seeded = [*command, f"-seed={soak.seed + number}"]
            # The packages above the collection are made up by the program itself.
            process = subprocess.Popen(seeded, cwd=tmp_path, env={}, stdout=output, stderr=subprocess.STDOUT)
        runs.append((process, log))
    said = []
    for process, log in runs:
        status = process.wait()
        text = log.read_text(encoding="utf-8", errors="replace")
        done = _DONE.findall(text)
        soak.counts["bodies"] += int(done[-1]) if done else 0
        if status:
            said.append(text[-8000:])
    found = [(path.name, base64.b64encode(path.read_bytes()).decode("ascii")) for path in sorted(faults.iterdir())]
    record_property("tried", f"fuzzed body: wire and chain: {soak.counts['bodies']}")
    said.extend(f"{name}: {data}" for name, data in found)
    assert not said, "\n".join(said)
    assert soak.counts["bodies"]
    inputs = [path.read_bytes() for path in corpus.iterdir()]
    chosen, lines = keeping.smallest(inputs)
    soak.counts.update({"inputs that reach more": len(inputs), "lines reached": lines})
    destination = request.config.getoption("--corpus")
    if destination:
        hostile_bytes.keep(chosen, destination)
