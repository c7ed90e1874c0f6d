# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_report
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: The orders and endpoints of a fleet as rows, the most urgent first
version_added: 0.1.0
description:
  - Puts together what the playbook C(certfleet.collectssl.report) found out, for its page or one of your own.
  - It runs on the controller, and needs the Python library cryptography there.
positional: _input
options:
  _input:
    description:
      - A dictionary for each host, with its name as C(host) and what M(certfleet.collectssl.collectssl_deploy) returned
        there in check mode as C(result).
    type: list
    elements: dict
    required: true
  asked:
    description:
      - Further orders, which no host may have. C(order_numbers) are their numbers, and C(result) is what
        M(certfleet.collectssl.collectssl_order_info) returned of them.
    type: dict
  warn_days:
    description: What ends within so many days is about to expire.
    type: int
    default: 30
  now:
    description: The time that all of it is about, such as V(2026-06-01T00:00:00Z). The default is the time of the call.
    type: str
seealso:
  - module: certfleet.collectssl.collectssl_deploy
  - module: certfleet.collectssl.collectssl_order_info
"""

EXAMPLES = r"""
- name: Fail where something is about to expire
  ansible.builtin.assert:
    that: report.counts.expiring is undefined
  vars:
    report: "{{ seen | certfleet.collectssl.fleet_report(warn_days=14) }}"
"""

RETURN = r"""
_value:
  description:
    - C(orders), C(certificates) and C(endpoints), and C(hosts) for those that could not be reached, lists of rows. A
      row has C(level) (V(bad), V(warn), V(wait), V(doubt) or V(good)), C(findings), their C(kinds), C(not_before),
      C(not_after), C(days_remaining), C(line) (C(left) and C(width) in percent of C(axis), null if the end is not
      known), and what the order, the certificate, the endpoint or the host is. C(where) is how people call it.
    - C(lost), the C(host) and C(message) of each host of which it is not known what it is to have.
    - C(counts), how many C(orders), C(certificates), C(endpoints) and C(hosts) have each kind of finding; a kind that
      nobody has is not there.
    - C(groups), by the same names as the lists, rows that have the same most urgent finding for the same reason, as
      numbers in C(rows), with C(title) and C(counted). Endpoints of a host that could not be reached are in none.
    - C(tiles), C(states) and C(scope), what a page has at its head.
    - C(now), C(warn_days), and C(axis) with C(begin), C(end), C(months) and C(today), the latter in percent.
  type: dict
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import moment
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report import report


def fleet_report(hosts: t.Any, warn_days: t.Any = 30, now: t.Any = None, asked: t.Any = None) -> dict[str, t.Any]:
    """The report as plain data; raises ``AnsibleFilterError`` for what the playbook's tasks do not return."""
    try:
        time = moment(str(now)) if now else datetime.datetime.now(datetime.timezone.utc)
        return report.fleet_report(hosts, time, int(warn_days), asked)
    except CollectError as error:
        raise AnsibleFilterError(f"fleet_report: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Its cause is in the sentence; newer series of ansible-core would say it twice.
        raise AnsibleFilterError(f"fleet_report: this is not what the playbook's tasks return: {error!r}.") from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"fleet_report": fleet_report}
