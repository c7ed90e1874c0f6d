# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: order_table
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: How far orders are, as a table for people
version_added: 0.1.0
description:
  - Puts orders into a table, a line for each, with its state, name and end, and what it waits for, in the words that
    the playbooks use.
positional: _input
options:
  _input:
    description: A list as RV(certfleet.collectssl.collectssl_order_info#module:orders).
    type: list
    elements: dict
    required: true
seealso:
  - module: certfleet.collectssl.collectssl_order_info
"""

EXAMPLES = r"""
- name: Ask how far two orders are
  certfleet.collectssl.collectssl_order_info:
    order_numbers: ["12345678", "12345679"]
  register: asked

- name: Show them
  ansible.builtin.debug:
    msg: "{{ asked.orders | certfleet.collectssl.order_table }}"
"""

RETURN = r"""
_value:
  description: The lines of the table, its columns aligned, the titles first. Empty where there is no order.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._order_table import table


def order_table(orders: t.Any) -> list[str]:
    """The table; raises ``AnsibleFilterError`` for what is no list of orders."""
    try:
        return table(orders)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"order_table needs a list of orders, as collectssl_order_info returns them: {error!r}."
        ) from None


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"order_table": order_table}
