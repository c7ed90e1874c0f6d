# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Python that runs this may lack.

This module util is private to the collection. It can have breaking changes at any time.
"""

import sys


def without_ssl() -> str:
    """The beginning of a sentence, for where ``import ssl`` fails: small builds of Python leave that module out."""
    return f"the Python of this host ({sys.executable or 'Python ' + sys.version.split()[0]}) has no working module ssl"


def is_ssl(error: ImportError) -> bool:
    """Whether it is the module ``ssl``, or what it is made of, that could not be imported."""
    return error.name in ("ssl", "_ssl")
