# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is sent to a host where there is something to do: no more than today, unless somebody says so here."""

from __future__ import annotations

import pathlib

import pytest
from ansible import constants as C
from ansible_collections.certfleet.collectssl.tests.bench import payload

#: In what the module of ``copy`` alone is. Each file counts, and each word in it.
_MOST = {"collectssl_certificate": 1.80, "collectssl_deploy": 2.45}

#: In what ``copy`` sends for one file.
_MOST_OF_BOTH = {"collectssl_certificate": 1.0, "collectssl_deploy": 1.25}


@pytest.mark.parametrize("module", sorted(_MOST))
def test_it_is_about_what_one_file_costs_otherwise(
    module: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where ansible-core keeps what it has packed.
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    size, copy = payload.of_collection(module), payload.of_core("copy")
    assert size <= _MOST[module] * copy
    assert size <= _MOST_OF_BOTH[module] * (copy + payload.of_core("stat"))
