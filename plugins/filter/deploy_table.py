# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deploy_table
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: What a deploy came to on several hosts, as a table for people
version_added: 0.1.0
description:
  - Puts the results of M(certfleet.collectssl.collectssl_deploy) on several hosts into one table, as that shows it for
    a host on which something failed.
  - A line for each certificate of each host says which certificate was installed before and which one is now (the
    beginning of the SHA-256 fingerprint), until when that is valid, what was done to its services, and how it was
    proven to be in service.
positional: _input
options:
  _input:
    description:
      - A dictionary for each host, with its name as C(host) and what the task returned there as C(result). Where that
        is null or not there, the line says that nothing is known of the host.
    type: list
    elements: dict
    required: true
seealso:
  - module: certfleet.collectssl.collectssl_deploy
"""

EXAMPLES = r"""
- name: Bring the certificates into service
  certfleet.collectssl.collectssl_deploy:
    certificates: "{{ certificates }}"
  register: deployed

- name: Show what became of the hosts of this batch
  ansible.builtin.debug:
    msg: "{{ results | certfleet.collectssl.deploy_table }}"
  vars:
    results: >-
      {{ dict(ansible_play_batch | zip(ansible_play_batch | map('extract', hostvars, 'deployed')))
      | dict2items('host', 'result') }}
  run_once: true
"""

RETURN = r"""
_value:
  description: The lines of the table, its columns aligned, the titles first. Empty where there is no host.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._deploy_table import table


def deploy_table(hosts: t.Any) -> list[str]:
    """The table; raises ``AnsibleFilterError`` for what is no list of hosts with their results."""
    try:
        return table([(str(one["host"]), one.get("result")) for one in hosts])
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "deploy_table needs a list of dictionaries, each with host and with result, as collectssl_deploy returns "
            f"it: {error!r}."
        ) from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"deploy_table": deploy_table}
