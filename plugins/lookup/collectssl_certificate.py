# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: collectssl_certificate
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Look up the certificate chain, or the status, of a CollectSSL order
version_added: 0.1.0
description:
  - Asks Sectigo's CollectSSL or CollectCCC interface about an order, and gives the part of the answer that is wanted.
  - Within one run of Ansible, an order is asked about once, however many hosts, tasks and lookups want it. The lookup
    asks for no more than it needs, unless this run already holds the whole answer.
  - The chain is put into server order, and every signature in it is verified. Names and validity are not checked; use
    M(certfleet.collectssl.collectssl_certificate) to install a certificate.
extends_documentation_fragment:
  - certfleet.collectssl._collectssl
  - certfleet.collectssl._collectssl.waiting
  - certfleet.collectssl._collectssl.plugin
options:
  _terms:
    description:
      - Order numbers, in quotes as O(order_number) tells. Leave them out to name one order by O(certificate_id),
        O(base_order_number), or with O(product=ccc) by its O(collection_code).
    type: list
    elements: str
  part:
    description:
      - What to give for each order. Everything but V(order) needs the certificate to be issued.
    type: str
    default: fullchain
    choices:
      fullchain: The end-entity certificate and its intermediates, in server order, as PEM.
      certificate: The end-entity certificate, as PEM.
      chain: The intermediates, in server order, as PEM.
      root: The root certificate, as PEM. It is an error if the provider sent none.
      order: The dictionary that describes the order; see RV(certfleet.collectssl.collectssl_order_info#module:orders).
notes:
  - The call is made by the controller, with the controller's environment. The C(environment) of a task does not reach
    lookups; use O(proxy), or the variables C(https_proxy) and C(no_proxy) of the controller.
seealso:
  - plugin: certfleet.collectssl.collectssl_certificate
    plugin_type: module
  - plugin: certfleet.collectssl.collectssl_order_info
    plugin_type: module
"""

EXAMPLES = r"""
- name: Show what an order waits for
  ansible.builtin.debug:
    msg: "{{ lookup('certfleet.collectssl.collectssl_certificate', '12345', part='order') }}"

- name: Ask every five minutes, for an hour at most, until an order is issued
  ansible.builtin.debug:
    msg: Order 12345 is issued
  until: >-
    lookup('certfleet.collectssl.collectssl_certificate', '12345', part='order', poll_interval=300).state == 'issued'
  retries: 12
  delay: 300

- name: Put a full chain where another module wants it
  ansible.builtin.copy:
    content: "{{ lookup('certfleet.collectssl.collectssl_certificate', '12345') }}"
    dest: /srv/appliance/fullchain.pem
    mode: "0644"

- name: Hand two certificates to a template
  ansible.builtin.template:
    src: trusted.pem.j2
    dest: /etc/app/trusted.pem
    mode: "0644"
  vars:
    certificates: "{{ query('certfleet.collectssl.collectssl_certificate', '12345', '12346', part='certificate') }}"
"""

RETURN = r"""
_raw:
  description:
    - One element for each order, PEM text or, for O(part=order), a dictionary.
  type: list
  elements: raw
"""

import os
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import (
    ENVIRONMENT,
    IDENTIFIERS,
    ArgumentSpec,
    lookup_spec,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError, OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CERTIFICATE,
    QUERY_CHAIN,
    QUERY_STATUS,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._broker.broker import Broker
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._identifiers import identifier_as_text
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._options import provider_of, request_of, waiting_of
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._outcome import Outcome
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._provider import without_rivals
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._validation import validated

_QUERY_TYPES = {
    "fullchain": QUERY_ALL,
    "certificate": QUERY_CERTIFICATE,
    "chain": QUERY_CHAIN,
    "root": QUERY_CHAIN,
    "order": QUERY_STATUS,
}


class LookupModule(LookupBase):
    """Gives a part of what the provider says of an order."""

    def run(self, terms: t.Any, variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[t.Any]:
        """Called by Ansible, on the controller."""
        try:
            return self._look_up(terms, variables, kwargs)
        except CollectError as error:
            # Newer series of ansible-core would say the cause once more, behind the whole sentence.
            raise AnsibleLookupError(f"{error} Nothing was changed.") from None

    def _look_up(self, terms: t.Any, variables: dict[str, t.Any] | None, given: dict[str, t.Any]) -> list[t.Any]:
        spec = lookup_spec()
        identifiers = {name: value for name, value in given.items() if name in IDENTIFIERS}
        others = {name: value for name, value in given.items() if name not in IDENTIFIERS}
        # Before Ansible reads them, which names neither an unknown option nor the rule that a wrong value breaks.
        validated(others, spec)
        self.set_options(var_options=variables, direct=others)
        # Identifiers go past Ansible, which would make text of whatever they are.
        found = {**{name: self.get_option(name) for name in spec.argument_spec}, **identifiers}
        # That an account and a code from elsewhere are rivals is said by who knows where they may come from.
        whole = ArgumentSpec(spec.argument_spec, mutually_exclusive=(IDENTIFIERS,))
        options = validated(without_rivals(found, *_near(given, variables or {})), whole)
        # What with_ gives may be one alone, and a dictionary must not be taken for the list of its keys.
        given_terms = terms if isinstance(terms, (list, tuple, type(None))) else [terms]
        if given_terms and any(options[name] is not None for name in IDENTIFIERS):
            raise OptionError(f"Give either order numbers as terms, or one of {', '.join(IDENTIFIERS)}, not both.")
        numbers = [
            identifier_as_text(f"Term {place} of the lookup", term, "order_number", options["product"])
            for place, term in enumerate(self._flatten(given_terms or ()), 1)
        ]
        orders = [{**options, "order_number": number} for number in numbers] if given_terms else [options]
        display = Display()
        broker = Broker(provider_of(options, os.environ), display.display, detail=display.vvv)
        requests = [request_of(order, _QUERY_TYPES[options["part"]]) for order in orders]
        return [_part(options["part"], broker.collect(request, waiting_of(options))) for request in requests]


def _near(given: dict[str, t.Any], variables: dict[str, t.Any]) -> tuple[set[str], ...]:
    """The names of the credentials that each source gives, the nearest first; what is left comes from a file."""
    return (
        {name for name, value in given.items() if value is not None},
        {name for name in ENVIRONMENT if variables.get(f"collectssl_{name}") is not None},
        {name for name, variable in ENVIRONMENT.items() if os.environ.get(variable)},
    )


def _part(part: str, outcome: Outcome) -> t.Any:
    if part == "order" and outcome.order["state"] != "error":
        return outcome.order
    bundle = outcome.require_issued()
    if part == "root":
        return bundle.require_root()
    if part == "certificate":
        return bundle.certificate
    return "".join(bundle.intermediates) if part == "chain" else bundle.full_chain()
