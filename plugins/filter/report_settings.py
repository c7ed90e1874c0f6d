# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report_settings
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: The settings of the playbook report, checked and whole
version_added: 0.1.0
description:
  - Says where the playbook C(certfleet.collectssl.report) writes its files, and what makes it fail, by the variables
    that it is given.
positional: _input
options:
  _input:
    description:
      - A dictionary with C(file), C(metrics_path), C(fail_on) and C(warn_days), as the variables of the playbook have
        them; null where one is not set.
    type: dict
    required: true
  folder:
    description: Where paths that are not absolute begin. The default is the home folder.
    type: str
    default: ""
seealso:
  - plugin: certfleet.collectssl.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Refuse what the report can't be told to do
  ansible.builtin.assert:
    that: settings.mistake == ""
    fail_msg: "{{ settings.mistake }}"
  vars:
    settings: "{{ {'fail_on': 'expired,drift'} | certfleet.collectssl.report_settings }}"
"""

RETURN = r"""
_value:
  description:
    - C(mistake), a sentence that says what is wrong, and empty where nothing is. Only then there is more.
    - C(page), C(data) and C(metrics), the paths of the files; the latter is empty where none is to be written, and
      C(metrics_draft) is where it is written before it takes its place.
    - C(fail_on), a list, and C(warn_days).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.settings import settings


def report_settings(given: t.Any, folder: t.Any = "") -> dict[str, t.Any]:
    """The settings as plain data; raises ``AnsibleFilterError`` for what is no dictionary."""
    try:
        return settings(given, str(folder or ""))
    except (AttributeError, TypeError) as error:
        raise AnsibleFilterError(f"report_settings needs a dictionary: {error!r}.") from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"report_settings": report_settings}
