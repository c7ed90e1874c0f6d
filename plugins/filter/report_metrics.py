# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report_metrics
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: A report as metrics for Prometheus
version_added: 0.1.0
description:
  - Puts a report into the text format of Prometheus, for the C(textfile) collector of the node exporter.
  - C(certfleet_certificate_not_after_timestamp_seconds), C(certfleet_certificate_state) and
    C(certfleet_certificate_held) are of certificates on hosts, with the labels C(host) and C(certificate).
  - C(certfleet_endpoint_not_after_timestamp_seconds), C(certfleet_endpoint_serves) (1, 0, or C(NaN) where that is
    undetermined) and C(certfleet_endpoint_seen_timestamp_seconds) are of endpoints, with the labels C(address),
    C(port), C(server_name), C(starttls) and C(connect_from) as well.
  - C(certfleet_order_not_after_timestamp_seconds) and C(certfleet_order_state) are of orders, with the labels
    C(identifier) and C(number). The states have the label C(state).
  - C(certfleet_host_reachable) has the label C(host), and C(certfleet_report_timestamp_seconds) says when all of that
    was seen.
positional: _input
options:
  _input:
    description: What P(certfleet.collectssl.fleet_report#filter) returned.
    type: dict
    required: true
seealso:
  - plugin: certfleet.collectssl.fleet_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Hand the report on to Prometheus
  ansible.builtin.copy:
    content: "{{ seen | certfleet.collectssl.fleet_report | certfleet.collectssl.report_metrics }}"
    dest: /var/lib/prometheus/node-exporter/certfleet.prom
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._report.metrics import metrics


def report_metrics(report: t.Any) -> str:
    """The metrics; raises ``AnsibleFilterError`` for what is no report."""
    try:
        return metrics(report)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"report_metrics needs what fleet_report returns: {error!r}.") from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"report_metrics": report_metrics}
