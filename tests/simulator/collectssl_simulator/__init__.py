# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CollectSSL and CollectCCC service for rehearsals and tests, written from the specification.

Put the folder tests/simulator on sys.path to import it. For unit tests without a server:
render(Answer(...), Arguments(...), Style(...)) gives (content type, body).
"""

from __future__ import annotations

from ._answer import Answer, Domain, Style
from ._arguments import Arguments
from ._render import render
from ._simulator import Simulator

__all__ = ["Answer", "Arguments", "Domain", "Simulator", "Style", "render"]
