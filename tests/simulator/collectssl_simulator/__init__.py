# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CollectSSL and CollectCCC service for rehearsals and tests, written from the specification.

The tests import it as ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator; anything else puts
the folder tests/simulator on sys.path. For unit tests without a server:
render(Answer(...), Arguments(...), Style(...)) gives (content type, body).
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from ._answer import Answer, Domain, Style
    from ._arguments import Arguments
    from ._render import render
    from ._simulator import Simulator

__all__ = ["Answer", "Arguments", "Domain", "Simulator", "Style", "render"]

_HOMES = {
    "Answer": "_answer",
    "Arguments": "_arguments",
    "Domain": "_answer",
    "Simulator": "_simulator",
    "Style": "_answer",
    "render": "_render",
}


def __getattr__(name: str) -> t.Any:
    """Import what is asked for: a control command needs none of the libraries that the service needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
