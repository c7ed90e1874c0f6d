# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook report is given, checked before any host is asked, and the files that it writes.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.alarms import alarms_of

_PAGE, _WARN_DAYS = "certfleet-report.html", 30

# The exporter of node metrics reads files with this ending, and no others.
_METRICS, _DATA = ".prom", ".json"


def settings(given: t.Mapping[str, t.Any], folder: str) -> dict[str, t.Any]:
    """The settings of a run, as plain data; ``mistake`` says what is wrong with them, if anything is.

    :arg given: ``file``, ``metrics_path``, ``fail_on`` and ``warn_days``, as variables have them; None where one is not
        set.
    :arg folder: where paths that are not absolute begin.
    """
    try:
        return {**_settings(given, folder), "mistake": ""}
    except OptionError as error:
        return {"mistake": f"{error} No host was asked anything."}


def _settings(given: t.Mapping[str, t.Any], folder: str) -> dict[str, t.Any]:
    page = _path("report_file", given.get("file") or _PAGE, folder)
    stem, ending = os.path.splitext(page)
    if ending == _DATA:
        raise OptionError(f"report_file is the page, which can't end in {_DATA}: its data goes there, beside it.")
    metrics = given.get("metrics_path") or ""
    if metrics:
        metrics = _path("report_metrics_path", metrics, folder)
        if not metrics.endswith(_METRICS):
            raise OptionError(f"report_metrics_path must end in {_METRICS}: nobody reads metrics from another file.")
    return {
        "page": page,
        "data": stem + _DATA,
        "metrics": metrics,
        # With another ending, so that nobody reads it before it is whole.
        "metrics_draft": f"{metrics}.new" if metrics else "",
        "fail_on": alarms_of(given.get("fail_on")),
        "warn_days": _days(given.get("warn_days")),
    }


def _path(name: str, value: t.Any, folder: str) -> str:
    if not isinstance(value, str) or value.endswith("/"):
        raise OptionError(f"{name} must be the path of a file.")
    # A path that is not absolute begins where the command runs, not at the playbook.
    return os.path.expanduser(str(value) if value.startswith("~") else os.path.join(folder or "~", str(value)))


def _days(value: t.Any) -> int:
    try:
        days = _WARN_DAYS if value in (None, "") else int(value)
    except (TypeError, ValueError):
        days = -1
    if days < 0:
        raise OptionError(f"report_warn_days must be a number of days, not {excerpt(str(value), 40)}.")
    return days
