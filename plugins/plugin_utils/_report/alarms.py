# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a report makes a run fail, for those who want an alarm.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, listed
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import listed as parts_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._states import counted

Report = t.Mapping[str, t.Any]

#: What a run may fail for, and which kinds of findings of which rows that is.
ALARMS: dict[str, dict[str, tuple[str, ...]]] = {
    "expired": dict.fromkeys(("orders", "certificates", "endpoints"), ("expired",)),
    "expiring": dict.fromkeys(("orders", "certificates", "endpoints"), ("expiring",)),
    "drift": {"endpoints": ("differs", "not_installed")},
    "unreachable": {"hosts": ("unreachable",), "endpoints": ("unanswered",)},
    "revoked": {"orders": ("revoked",)},
    "not_collected": {"orders": ("awaiting_payment", "rejected", "error"), "certificates": ("not_collected",)},
    "rolled_back": {"certificates": ("rolled_back",)},
    "held": {"certificates": ("held",)},
}

# How much is said of who is meant (characters).
_NAMED = 120


def alarms_of(given: t.Any) -> list[str]:
    """The words in the value of an option or a variable: a list, one alone, or text with commas.

    :raises OptionError: for one that is none of ``ALARMS``.
    """
    words = [] if given in (None, "") else [str(word).strip() for word in parts_of(given)]
    for word in words:
        if word not in ALARMS:
            like = difflib.get_close_matches(word.lower().replace(" ", "_").replace("-", "_"), list(ALARMS), 1)
            meant = f" Is {like[0]} meant?" if like else ""
            known = excerpt(word, 40) or "empty word"
            raise OptionError(f"report_fail_on knows no {known}.{meant} It takes any of {', '.join(ALARMS)}.")
    return list(dict.fromkeys(words))


def alarm(report: Report, given: t.Any) -> str:
    """One sentence that counts what of a report is among the words that are given, and names the first few; else empty.

    :raises OptionError: as ``alarms_of`` does.
    """
    parts = [f"{word.replace('_', ' ')}: {told}" for word in alarms_of(given) if (told := _told(report, ALARMS[word]))]
    return f"The report found what this run is to fail for: {'; '.join(parts)}." if parts else ""


def _told(report: Report, wanted: t.Mapping[str, tuple[str, ...]]) -> str:
    parts = []
    for name, kinds in wanted.items():
        found = [row for row in report[name] if not set(kinds).isdisjoint(row["kinds"])]
        if found:
            parts.append(f"{counted(len(found), name[:-1])} ({listed(map(_name, found), size=_NAMED)})")
    return " and ".join(parts)


def _name(row: Report) -> str:
    host = f"{row['host']} " if "port" in row else ""
    return f"{host}{row['where']}"
