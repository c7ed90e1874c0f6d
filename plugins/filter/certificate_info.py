# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_info
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: What a certificate says
version_added: 0.1.0
description:
  - Reads the first certificate of a text, and gives what M(certfleet.collectssl.collectssl_certificate) returns as
    RV(certfleet.collectssl.collectssl_certificate#module:certificate). Nothing is verified.
  - It runs on the controller, and needs the Python library cryptography there.
positional: _input
options:
  _input:
    description: A certificate in PEM format. What follows it is left alone. An expired one is read like any other.
    type: str
    required: true
seealso:
  - module: certfleet.collectssl.collectssl_certificate
  - module: certfleet.collectssl.tls_endpoint_info
"""

EXAMPLES = r"""
- name: See what the mail server serves
  certfleet.collectssl.tls_endpoint_info:
    host: mail.example.com
    port: 25
    starttls: smtp
    connect_from: controller
  register: mail

- name: Say how long it is valid
  ansible.builtin.debug:
    msg: "Valid until {{ (mail.certificate | certfleet.collectssl.certificate_info).not_after }}"
"""

RETURN = r"""
_value:
  description:
    - RV(ignore:subject), RV(ignore:issuer), RV(ignore:serial_number), RV(ignore:subject_alt_names),
      RV(ignore:not_before), RV(ignore:not_after), RV(ignore:fingerprint_sha256), RV(ignore:days_remaining) and
      RV(ignore:chain), as RV(certfleet.collectssl.collectssl_certificate#module:certificate) has them. The chain is
      empty.
  type: dict
"""

import datetime
import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import first_of_pem


def certificate_info(content: t.Any) -> dict[str, t.Any]:
    """The ``certificate`` dictionary for PEM text; raises ``AnsibleFilterError`` with one sentence."""
    if not isinstance(content, str):
        raise AnsibleFilterError(f"certificate_info needs PEM text, not a value of type {type(content).__name__}.")
    now = datetime.datetime.now(datetime.timezone.utc)
    try:
        return first_of_pem(str(content), now)
    except CollectError as error:
        raise AnsibleFilterError(f"certificate_info: {error}") from error


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"certificate_info": certificate_info}
