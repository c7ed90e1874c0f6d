# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report_alarm
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: What of a report a run has to fail for, as a sentence
version_added: 0.1.0
description:
  - Counts what a report has of some kinds, and names the first few.
positional: _input
options:
  _input:
    description: What P(certfleet.collectssl.fleet_report#filter) returned.
    type: dict
    required: true
  fail_on:
    description:
      - What counts, as a list or as text with commas.
      - V(expired) and V(expiring) are certificates at the provider, on hosts and at endpoints. V(drift) is an endpoint
        that serves another certificate than the one that is installed, or with none installed.
      - V(unreachable) is a host that can't be reached, or an endpoint that doesn't answer. V(revoked) is an order.
        V(not_collected) is an order that is rejected, not paid or can't be asked about, or a certificate that could not
        be collected.
      - V(rolled_back) and V(held) are certificates of which a run put the old files back, or did not come to its end
        and left them.
    type: raw
    required: true
seealso:
  - plugin: certfleet.collectssl.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Fail for what has expired or is not served
  ansible.builtin.assert:
    that: alarm == ""
    fail_msg: "{{ alarm }}"
  vars:
    alarm: "{{ seen | certfleet.collectssl.fleet_report | certfleet.collectssl.report_alarm(['expired', 'drift']) }}"
"""

RETURN = r"""
_value:
  description: One sentence; empty where the report has nothing of what counts.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.alarms import alarm


def report_alarm(report: t.Any, fail_on: t.Any) -> str:
    """The sentence; raises ``AnsibleFilterError`` for what is no report, and for a word that nobody knows."""
    try:
        return alarm(report, fail_on)
    except OptionError as error:
        raise AnsibleFilterError(f"report_alarm: {error}") from None
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"report_alarm needs what fleet_report returns: {error!r}.") from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"report_alarm": report_alarm}
