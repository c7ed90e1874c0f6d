# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: collectssl_order_info
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Ask for the status of CollectSSL orders
version_added: 0.1.0
description:
  - Asks Sectigo's CollectSSL or CollectCCC interface for the status of one order, or of many, with everything it can
    tell; validity, domain name, and how far each part of the validation is.
  - With O(product=ccc), a O(collection_code) alone asks for the one order that it stands for.
  - The orders are asked for one at a time, over one connection, on the controller.
  - Orders that are pending, unpaid, rejected or revoked are results, not failures. An order that could not be asked
    for has the state V(error). The task fails only if that is so for all of them.
extends_documentation_fragment:
  - certfleet.collectssl._attributes
  - certfleet.collectssl._attributes.actiongroup
  - certfleet.collectssl._collectssl
  - certfleet.collectssl._collectssl.waiting
attributes:
  check_mode:
    support: full
    details:
      - Nothing is ever changed.
  diff_mode:
    support: N/A
    details:
      - Nothing is ever changed.
  idempotent:
    support: full
    details:
      - Nothing is ever changed. What is returned is what the provider says, which changes over time.
  action:
    support: full
    details:
      - It runs on the controller alone, whatever host the task is for.
  async:
    support: none
  platform:
    platforms: posix
    details:
      - The host of the task is not contacted.
options:
  order_numbers:
    description:
      - Several order numbers, in place of O(order_number); a list, or text with commas.
    type: list
    elements: str
  certificate_ids:
    description:
      - Several certificate IDs, in place of O(certificate_id); a list, or text with commas.
    type: list
    elements: str
  base_order_numbers:
    description:
      - Several base order numbers, in place of O(base_order_number); a list, or text with commas.
    type: list
    elements: str
  wait_timeout:
    description:
      - This module has no wait of its own, and asks once whatever this option says. It takes it so that a default for
        the action group does not break it.
    type: int
    default: 0
notes:
  - To wait for a certificate, give O(certfleet.collectssl.collectssl_certificate#module:wait_timeout) to
    M(certfleet.collectssl.collectssl_certificate), poll with C(until), or let a scheduled job ask again in a few hours.
seealso:
  - plugin: certfleet.collectssl.collectssl_certificate
    plugin_type: module
  - plugin: certfleet.collectssl.collectssl_certificate
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Ask for one order
  certfleet.collectssl.collectssl_order_info:
    login_name: example
    login_password: "{{ vault_collectssl_password }}"
    order_number: "12345678"
  register: one_order

- name: Show what it waits for
  ansible.builtin.debug:
    msg: "{{ item.key }} is {{ item.value }}"
  loop: "{{ one_order.orders[0].details | ansible.builtin.dict2items }}"

- name: Ask for all orders of a fleet, with the account from the environment of the controller
  certfleet.collectssl.collectssl_order_info:
    order_numbers: "{{ certificates | map(attribute='order_number') | list }}"
  register: fleet
  run_once: true

- name: Ask for the order of a client certificate by its collection code
  certfleet.collectssl.collectssl_order_info:
    product: ccc
    collection_code: "{{ vault_collection_code }}"
  register: client_order

- name: Stop where an order needs somebody's hand
  ansible.builtin.assert:
    that: item.state in ["issued", "pending"]
    fail_msg: "Order {{ item.order_number }} is {{ item.state }}. {{ item.status.message | default('', true) }}"
  loop: "{{ fleet.orders }}"
  loop_control:
    label: "{{ item.order_number }}"
  run_once: true

- name: Ask every ten minutes, for two hours at most, until an order is issued
  certfleet.collectssl.collectssl_order_info:
    order_number: "12345678"
  register: polled
  until: polled.orders[0].state != "pending"
  retries: 12
  delay: 600
  run_once: true
"""

RETURN = r"""
msg:
  description:
    - Where the orders stand, in sentences; those that are issued are counted, and of the others the first five named.
    - It is what is shown where C(until) or C(failed_when) makes the task fail.
  type: str
  returned: always
  sample: 3 of 4 orders are issued. Order number 12345680 is pending (dcv 1/2, ov callback in progress).
orders:
  description: One dictionary for each order, in the order they were asked for.
  type: list
  elements: dict
  returned: always, unless the options are wrong
  contains:
    order_number:
      description: The number the order was asked for by.
      type: str
      returned: when the order was named by its number, and not by a O(collection_code)
    certificate_id:
      description: The ID of the certificate the order was asked for by.
      type: str
      returned: when the order was named by O(certificate_id)
    base_order_number:
      description: The base order number the order was asked for by.
      type: str
      returned: when the order was named by O(base_order_number)
    state:
      description:
        - V(issued), there is a certificate to collect.
        - V(pending), the order is being processed.
        - V(awaiting_payment), V(rejected), V(revoked), the order needs somebody's hand, and waiting does not help.
        - V(error), the provider could not be asked or refused to answer; RV(orders[].status.message) says why.
      type: str
      returned: always
    status:
      description: What the provider answered in the first place (section 2.1 of the specification).
      type: dict
      returned: always
      contains:
        code:
          description: The status code; null if the provider could not be asked.
          type: int
          returned: always
        name:
          description:
            - What the code stands for.
            - V(certificates_attached) (2), V(certificates_available) (1), V(being_processed) (0), V(not_https) (-1),
              V(unrecognised_argument) (-2), V(missing_argument) (-3), V(invalid_argument) (-4), V(unknown_error) (-14),
              V(permission_denied) (-16), V(not_post) (-17), V(rejected) (-20), V(revoked) (-21), V(awaiting_payment)
              (-22), V(unlisted) for any other code, or V(not_asked).
          type: str
          returned: always
        message:
          description: The provider's own words, or the reason why there is no answer; null if there are none.
          type: str
          returned: always
      sample:
        code: 0
        name: being_processed
        message: null
    fqdn:
      description: The domain name the certificate is for; null if the provider did not tell.
      type: str
      returned: always
      sample: www.example.com
    not_before:
      description: From when on the certificate is valid, ISO 8601 in UTC; null if the provider did not tell.
      type: str
      returned: always
      sample: "2026-06-01T00:00:00Z"
    not_after:
      description: Until when the certificate is valid, ISO 8601 in UTC; null if the provider did not tell.
      type: str
      returned: always
      sample: "2026-12-17T23:59:59Z"
    certificate_status:
      description: The provider's words on the certificate (section 2.2.5), such as V(Issued) or V(Awaiting Validation).
      type: str
      returned: always
      sample: Awaiting Validation
    validation_status:
      description: The provider's words on the validation (section 2.2.5), such as V(Complete).
      type: str
      returned: always
      sample: Awaiting Brand Validation
    caa_status:
      description:
        - The outcome of the CAA check (section 2.2.9), such as V(Authorized), or a number; null if there is none.
      type: str
      returned: always
      sample: Authorized
    mdc_domains:
      description: The domains of a multi-domain order that is pending (sections 2.2.6 and 2.2.8); else empty.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: The domain.
          type: str
          returned: always
        status:
          description:
            - V(validated), V(not_validated) or V(awaiting_brand); a word the specification does not know comes in
              lower case.
          type: str
          returned: always
      sample:
        - name: www.example.com
          status: validated
        - name: mail.example.com
          status: not_validated
    details:
      description:
        - How far each part of the validation is (section 2.2.7). Version 1.22 of the interface tells the last six.
        - V(not_required), V(not_completed), V(completed) or V(in_progress); null if the provider did not tell.
      type: dict
      returned: always
      contains:
        csr:
          description: The certificate signing request.
          type: str
          returned: always
        dcv:
          description: The validation of the control over the domains.
          type: str
          returned: always
        ov_callback:
          description: The telephone call to the organization.
          type: str
          returned: always
        organization_validation:
          description: The validation of the organization.
          type: str
          returned: always
        free_dv_upgrade:
          description: The free upgrade of a domain-validated certificate.
          type: str
          returned: always
        ev_click_through:
          description: The acceptance of the terms of an extended validation certificate.
          type: str
          returned: always
        brand_validation:
          description: The check for names of well-known brands.
          type: str
          returned: always
        ma:
          description: What the provider calls C(maStatus).
          type: str
          returned: always
        ev_assumed_name:
          description: Extended validation, the name under which the organization acts.
          type: str
          returned: always
        ev_physical_existence:
          description: Extended validation, that the organization is at its address.
          type: str
          returned: always
        ev_operational_existence:
          description: Extended validation, that the organization is in business.
          type: str
          returned: always
        ev_signer_approver_requester:
          description: Extended validation, the persons who sign, approve and request.
          type: str
          returned: always
        ev_signer_second_approval:
          description: Extended validation, the second approval.
          type: str
          returned: always
      sample:
        csr: completed
        dcv: in_progress
        ov_callback: not_required
        organization_validation: not_required
        free_dv_upgrade: null
        ev_click_through: null
        brand_validation: completed
        ma: null
        ev_assumed_name: null
        ev_physical_existence: null
        ev_operational_existence: null
        ev_signer_approver_requester: null
        ev_signer_second_approval: null
    extra:
      description:
        - Whatever else the provider named, as it came. Lines without a name are a list under C(unnamed_lines).
      type: dict
      returned: always
      sample: {}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import order_info_spec


def main() -> None:
    """Say that all of the work is done by the action plugin of the same name."""
    module = AnsibleModule(supports_check_mode=True, **order_info_spec().kwargs())
    module.fail_json(
        msg="The controller asks for orders, in an action plugin that was bypassed; call the module by its full name, "
        "certfleet.collectssl.collectssl_order_info. Nothing was changed."
    )


if __name__ == "__main__":
    main()
