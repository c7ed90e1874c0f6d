# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the libraries that calls are made with are there, in versions that are new enough.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.certfleet.collectssl.plugins.plugin_utils import _library
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._http import session

try:
    import urllib3
except ImportError as exc:
    URLLIB3_IMPORT_ERROR: ImportError | None = exc
    URLLIB3_VERSION: str | None = None
else:
    URLLIB3_IMPORT_ERROR = None
    URLLIB3_VERSION = getattr(urllib3, "__version__", None)


def require() -> None:
    """Raises ``CollectError`` with what to do where one of them is missing, or too old."""
    # requests imports the other one, and without it would be told to be what is missing.
    _library.require("urllib3", _library.OLDEST["urllib3"], URLLIB3_VERSION, URLLIB3_IMPORT_ERROR)
    _library.require("requests", _library.OLDEST["requests"], session.REQUESTS_VERSION, session.REQUESTS_IMPORT_ERROR)
