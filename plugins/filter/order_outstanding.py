# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: order_outstanding
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: What a pending order waits for
version_added: 0.1.0
description:
  - Says in a few words what is outstanding in the validation of an order, as the progress lines of
    M(certfleet.collectssl.collectssl_certificate) do.
positional: _input
options:
  _input:
    description: One of RV(certfleet.collectssl.collectssl_order_info#module:orders).
    type: dict
    required: true
seealso:
  - module: certfleet.collectssl.collectssl_order_info
"""

EXAMPLES = r"""
- name: Ask how far two orders are
  certfleet.collectssl.collectssl_order_info:
    order_numbers: ["12345678", "12345679"]
  register: asked

- name: Say what each waits for
  ansible.builtin.debug:
    msg: "{{ item.order_number }}: {{ item | certfleet.collectssl.order_outstanding }}"
  loop: "{{ asked.orders | selectattr('state', 'eq', 'pending') }}"
"""

RETURN = r"""
_value:
  description: For example C(dcv 1/3, ov callback in progress). Empty where the provider named nothing.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._sentences import outstanding


def order_outstanding(order: t.Any) -> str:
    """What ``order``, an order dictionary, waits for; raises ``AnsibleFilterError`` for anything else."""
    try:
        return outstanding(order)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError("order_outstanding needs an order as collectssl_order_info returns it.") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"order_outstanding": order_outstanding}
