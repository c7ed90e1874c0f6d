# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people: lines with aligned columns.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

#: What stands in a cell where there is nothing to say.
NOTHING = "-"

# As much as anybody reads of one cell (characters).
_ENDLESS = 1000


def aligned(titles: t.Sequence[str], rows: t.Iterable[t.Sequence[str]], widest: int = _ENDLESS) -> list[str]:
    """The lines of a table, the titles first; none where there is no row.

    :arg widest: how wide a cell gets (characters); what is longer is cut.
    """
    found = [[excerpt(cell, widest) or NOTHING for cell in row] for row in rows]
    if not found:
        return []
    cells = [titles, *found]
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
