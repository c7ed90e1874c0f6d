# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at endpoints as a host does that brings certificates into service: side by side, with a bound.

As a program it looks at so many ports of this machine, and says nothing:

    python looking.py PORT...
"""

from __future__ import annotations

import sys
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import Seen
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.looks import look
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import Endpoint, probe


def looked_at(ports: t.Sequence[int]) -> list[Seen]:
    """What these ports show."""
    endpoints = [Endpoint("127.0.0.1", port, "127.0.0.1", None, 10, None) for port in ports]
    return list(look({str(number): endpoint for number, endpoint in enumerate(endpoints)}, probe).values())


if __name__ == "__main__":
    looked_at([int(port) for port in sys.argv[1:]])
