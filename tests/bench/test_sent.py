# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the modules are that are sent to hosts, in what those of ``copy`` are."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.tests.bench import payload

if t.TYPE_CHECKING:
    from ansible_collections.certfleet.collectssl.tests.bench.conftest import Bench


def test_modules(bench: Bench, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    copy, stat = payload.of_core("copy"), payload.of_core("stat")
    for module, bound in (("collectssl_certificate", 1.25), ("collectssl_deploy", 1.6)):
        size = payload.of_collection(module)
        bench.note(f"payload of {module} ÷ the module of copy", f"{size / copy:.2f}", size / copy, bound)
        both = size / (copy + stat)
        bench.note(f"payload of {module} ÷ the two modules that copy sends for one file", f"{both:.2f}", both)
