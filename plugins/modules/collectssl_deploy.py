# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: collectssl_deploy
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Bring certificates of CollectSSL orders into service on a host, and go back where that fails
version_added: 0.1.0
description:
  - Collects the certificates of any number of orders, installs their files, has the services take them, looks at the
    endpoints until each serves what is wanted, and goes back where a service does not take them.
  - The controller asks the provider, and hands the host nothing but certificates, as
    M(certfleet.collectssl.collectssl_certificate) does. All else is one piece of work on the host, which needs the
    controller no longer once it has begun. If the controller dies in the middle, the host ends with the new certificate
    in service, or with the old one in service. If the host dies too, the next run ends what was begun.
  - What is served counts, and not only what changed. A service that shows another certificate than the one that is
    installed takes its files anew.
  - One bad certificate never holds back a good one. Certificates that share a service, a O(certificates[].validate)
    command or a file form a unit. What names one certificate, such as its order, its key or its own endpoint, takes
    that one out of its unit. What can't be told apart, such as a service that refuses the new files, takes the whole
    unit back. Units never touch each other.
  - If anything failed, the task fails at its end, truthfully changed as well, and names each certificate with its
    cause. Before that it shows a table with a line for each certificate.
extends_documentation_fragment:
  - certfleet.collectssl._attributes
  - certfleet.collectssl._attributes.files
  - certfleet.collectssl._attributes.actiongroup
  - certfleet.collectssl._collectssl
  - certfleet.collectssl._collectssl.waiting
attributes:
  check_mode:
    support: full
    details:
      - The orders are asked about, and waited for as O(wait_timeout) says, since without the certificates nothing could
        be predicted. Endpoints are looked at. No command is run, and no service takes files.
      - RV(certificates[].state) and C(changed) are what a real run comes to if all goes well.
  diff_mode:
    support: full
    details:
      - Shows what that of M(certfleet.collectssl.collectssl_certificate) shows, for the files of all certificates.
  idempotent:
    support: full
    details:
      - The provider may issue another certificate for the same order. That one is then brought into service.
  safe_file_operations:
    support: full
    details:
      - Every file is written beside its destination, gets its attributes there, and takes its place in one step.
        With O(certificates[].in_place=true) it is written into instead.
  action:
    support: full
  async:
    support: none
    details:
      - Part of the work is done on the controller.
  platform:
    platforms: posix
options:
  certificates:
    description:
      - The certificates of the host, at least one.
      - An option that the layout of a certificate has, and the certificate too, counts as the certificate says.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What the certificate is called here, in messages and in results.
          - It has letters, digits and C(. _ @ + -) only, begins with a letter or a digit, is 150 characters long at
            most, and stands once in a call.
        type: str
        required: true
      state:
        description:
          - With V(present) the certificate is installed and in service. With V(absent) the files that it names are
            removed, and its services take note of that. A private key is never removed.
        type: str
        default: present
        choices: [present, absent]
      layout:
        description:
          - The set of options that the certificate begins as, one of O(layouts) or a shipped one; V(nginx), V(apache),
            V(haproxy), V(postfix) or V(dovecot).
        type: str
      order_number:
        description:
          - The number of the order, in quotes; see O(order_number). One option that names an order, or
            O(certificates[].content), is given, unless O(collection_code) stands for the order, or the certificate is
            to be V(absent).
        type: str
      certificate_id:
        description: The provider's internal ID of the certificate; see O(certificate_id).
        type: str
      base_order_number:
        description: The base order number; see O(base_order_number).
        type: str
      content:
        description:
          - Certificates to install instead of collecting them, as
            O(certfleet.collectssl.collectssl_certificate#module:content) takes them.
        type: str
      directory:
        description:
          - A folder that is made if it is not there, its parents too, with mode V(0755) whatever the umask is. One that
            is there stays as it is.
        type: path
      path:
        description:
          - The file for the end-entity certificate alone, as
            O(certfleet.collectssl.collectssl_certificate#module:path).
          - At least one of O(certificates[].path), O(certificates[].chain_path), O(certificates[].fullchain_path),
            O(certificates[].root_path) and O(certificates[].combined_path) is given, and one that has the end-entity
            certificate in it where there are O(certificates[].endpoints).
        type: path
      chain_path:
        description:
          - The file for the intermediates, as O(certfleet.collectssl.collectssl_certificate#module:chain_path).
        type: path
      fullchain_path:
        description:
          - The file for certificate and intermediates, as
            O(certfleet.collectssl.collectssl_certificate#module:fullchain_path).
        type: path
      root_path:
        description: The file for the root, as O(certfleet.collectssl.collectssl_certificate#module:root_path).
        type: path
      combined_path:
        description:
          - The file for private key and full chain, as
            O(certfleet.collectssl.collectssl_certificate#module:combined_path).
        type: path
      include_root:
        description:
          - Whether the root follows the intermediates, as
            O(certfleet.collectssl.collectssl_certificate#module:include_root).
        type: bool
        default: false
      privatekey_path:
        description:
          - The private key on the host, which the certificate must belong to, as
            O(certfleet.collectssl.collectssl_certificate#module:privatekey_path).
        type: path
      privatekey_passphrase:
        description:
          - The passphrase of the private key, which goes to the host as
            O(certfleet.collectssl.collectssl_certificate#module:privatekey_passphrase) does, each in a file of its own
            where it takes one.
        type: str
      pending_privatekey_path:
        description:
          - The private key that was made for a certificate still on order, as
            O(certfleet.collectssl.collectssl_certificate#module:pending_privatekey_path).
        type: path
      expected_names:
        description:
          - The names that the certificate must cover, as
            O(certfleet.collectssl.collectssl_certificate#module:expected_names).
          - The first one without a wildcard is the name that endpoints are asked for, unless they have one of their
            own.
        type: list
        elements: str
        default: []
      min_validity_days:
        description:
          - The days for which the certificate must still be valid, as
            O(certfleet.collectssl.collectssl_certificate#module:min_validity_days).
        type: int
        default: 0
      validate:
        description:
          - A command to run once the new files are in place, before any service takes them, such as C(nginx -t). If it
            fails, the files of its unit are put back.
          - It is run once, however many certificates have the same one, and not when nothing changed.
          - It is split as O(certfleet.collectssl.collectssl_certificate#module:validate), and run as all
            commands; see O(command_timeout).
        type: str
      backup:
        description:
          - Whether to keep each file that is replaced beside it, as
            O(certfleet.collectssl.collectssl_certificate#module:backup).
        type: bool
        default: false
      in_place:
        description:
          - Whether to always write into a file that exists, as
            O(certfleet.collectssl.collectssl_certificate#module:in_place).
        type: bool
        default: false
      allow_pending:
        description:
          - Whether a pending order, after the wait for it, is no failure. The certificate that is installed stays, and
            is kept in service.
        type: bool
        default: false
      return_content:
        description: Whether to return the full chain as RV(certificates[].content).
        type: bool
        default: false
      owner:
        description: The owner of the certificate files, as that of M(certfleet.collectssl.collectssl_certificate).
        type: str
      group:
        description: The group of the certificate files, as that of M(certfleet.collectssl.collectssl_certificate).
        type: str
      mode:
        description:
          - The mode of the certificate files, as that of M(certfleet.collectssl.collectssl_certificate). Write it in
            quotes.
        type: raw
      attributes:
        description:
          - The attributes of the certificate files, as C(chattr) sets them and
            M(certfleet.collectssl.collectssl_certificate) does.
        type: str
      seuser:
        description: The user part of the SELinux label of the certificate files.
        type: str
      serole:
        description: The role part of the SELinux label of the certificate files.
        type: str
      setype:
        description: The type part of the SELinux label of the certificate files.
        type: str
      selevel:
        description: The level part of the SELinux label of the certificate files.
        type: str
      unsafe_writes:
        description:
          - Whether to write into a file that cannot be replaced in one step, as that of
            M(certfleet.collectssl.collectssl_certificate).
        type: bool
        default: false
      services:
        description:
          - The services that read the files, as the service manager of the host calls them. Each is reloaded once,
            however many certificates it has, unless O(services) says otherwise.
          - The service manager is systemd, OpenRC, the init scripts, or the C(service) of the BSDs. A service that does
            not run is left stopped, and said to be. One that the new files ended is started again with the old ones.
        type: list
        elements: str
        default: []
      endpoints:
        description:
          - Where the certificate is served. Each endpoint has to show it before the old files are let go.
          - A server may have a certificate with an RSA key and one with an ECDSA key at the same address. It is asked
            for the one whose key is of the same kind as that of the certificate, as
            O(certfleet.collectssl.tls_endpoint_info#module:key_type) says. Where that can't be asked for, or where two
            certificates with the same kind of key name the same address, it is undetermined whether a certificate is
            served, which is said, and no failure.
          - Where an endpoint can't be looked at for a reason that lies in the looking, such as a client certificate
            that it demands and that is not given, the certificate is V(unproven), and its files stay.
        type: list
        elements: dict
        default: []
        suboptions:
          host:
            description:
              - The name or the address to connect to, as the machine that connects sees it.
              - If not given, it is V(127.0.0.1) from the target, and from the controller the address by which Ansible
                reaches the host.
            type: str
          port:
            description: The TCP port.
            type: int
            default: 443
          server_name:
            description:
              - The name to ask for, as O(certfleet.collectssl.tls_endpoint_info#module:server_name).
              - If not given, it is the first of O(certificates[].expected_names) without a wildcard, and else
                O(certificates[].endpoints[].host).
            type: str
          starttls:
            description:
              - The protocol that is spoken in clear before TLS starts, as
                O(certfleet.collectssl.tls_endpoint_info#module:starttls).
            type: str
            choices: [smtp, imap, pop3, ldap, mysql, postgres, ftp, sieve]
          proxy_protocol:
            description:
              - Whether the server wants the PROXY protocol before anything else, as
                O(certfleet.collectssl.tls_endpoint_info#module:proxy_protocol).
            type: bool
            default: false
          client_certificate:
            description:
              - A client certificate for a server that demands one, as
                O(certfleet.collectssl.tls_endpoint_info#module:client_certificate), on the machine that connects.
            type: path
          client_key:
            description:
              - Its private key, as O(certfleet.collectssl.tls_endpoint_info#module:client_key).
            type: path
          connect_from:
            description:
              - From where to connect, if not as O(probe_from) says.
            type: str
            choices: [target, controller]
          ca_path:
            description:
              - What to trust in place of the system's certificates, on the machine that connects. It decides
                RV(endpoints[].verified), and nothing else.
            type: path
      run_before:
        description:
          - Commands to run before files of the certificate change. If one fails, they stay as they are.
        type: list
        elements: str
        default: []
      run_after:
        description:
          - Commands to run once the changed certificate is proven to be in service. What is due is written down on the
            host, and run by the next run if this one does not come to it.
          - If one fails, the task fails, and nothing is taken back.
        type: list
        elements: str
        default: []
  layouts:
    description:
      - Sets of options for certificates, by name, beside the shipped ones. One of the same name takes the place of the
        shipped one.
      - The six characters C({name}) in them stand for O(certificates[].name), and nothing else is replaced.
      - A layout has no option that names an order, no O(certificates[].content) and no passphrase.
    type: dict
    default: {}
  services:
    description:
      - How services take new files where a reload is not right, by the name of the service.
      - Each is a dictionary with C(state), V(reloaded) or V(restarted), or with C(command), which is run instead.
    type: dict
    default: {}
  probe_from:
    description:
      - From where endpoints are looked at, if they do not say.
      - V(target) shows what is behind a load balancer, or listens on the loopback interface alone, and needs the
        controller no more.
      - V(controller) shows what the outside gets. It costs one module run more where something changes, and if the
        controller dies just before it, the new files stay in service with the old ones kept until the next run.
    type: str
    default: target
    choices: [target, controller]
  probe_timeout:
    description: Seconds that one look at an endpoint may take.
    type: int
    default: 10
  probe_retries:
    description: How often to look again at an endpoint that does not show the certificate yet.
    type: int
    default: 15
  probe_delay:
    description: Seconds between two looks.
    type: int
    default: 2
  command_timeout:
    description:
      - Seconds that each command may take; O(certificates[].validate), what has a service take files,
        O(certificates[].run_before) and O(certificates[].run_after). Then it is ended with all that it started, and has
        failed.
      - Commands are run without a shell, their standard input is closed, and their environment is small. It tells the
        certificate in C(CERTFLEET_NAME), C(CERTFLEET_PATH), C(CERTFLEET_FINGERPRINT), C(CERTFLEET_TLSA) and
        C(CERTFLEET_TLSA_BEFORE), and never the account.
    type: int
    default: 60
  from_variables:
    description:
      - Whether an option for which the host has a variable is taken from there, whatever the task says of it. It is how
        the role P(certfleet.collectssl.collectssl_deploy#role) has them, without a template for each.
      - The variables are those of the role, C(collectssl_deploy_layouts) and the like, and for the options that reach
        the provider those of the lookup, C(collectssl_ca_path) and the like. None of them names an order, and
        O(certificates) is given by the task.
      - A variable that is nearly called as one of these, which the host does not have, is an error.
    type: bool
    default: false
  order_number:
    description:
      - It names no certificate here, and is taken so that a default for the action group breaks nothing. Give it in
        O(certificates).
      - Where one of O(certificates) names no order by itself, it is an error.
  certificate_id:
    description: As O(order_number).
  base_order_number:
    description: As O(order_number).
  _shown:
    description:
      - What the controller saw of certificates that are switched and not yet proven. It goes from the action plugin to
        the module, and a task that gives it is refused.
    type: dict
  wait_timeout:
    description:
      - Seconds to wait for orders that are pending, from the beginning of the task and for all of them together. What
        is issued is brought into service before, and the rest by another module run once the wait is over.
      - V(0) asks once.
notes:
  - A host costs one module run; one more where the controller looks at something that changed, and one more where an
    order comes while it is waited for.
  - While an endpoint is waited for, a line says which one and for how much longer; of a host that looks at its own
    endpoints and has worked for ten seconds, a line says what it may be waiting for. More lines follow each minute.
  - The target needs Python 3.6 or newer and its standard library only.
  - Files that are replaced are kept, in a folder C(.collectssl) beside the destinations that nobody else may enter,
    until the new ones are proven to be in service.
  - Where an endpoint could not be seen before a change, and can't be seen after it, going back would restore nothing.
    The new files stay then, and the certificate is V(unproven).
  - What is looked at from the controller is not looked at before a change. So what goes wrong there is gone back from.
seealso:
  - module: certfleet.collectssl.collectssl_certificate
  - module: certfleet.collectssl.tls_endpoint_info
  - plugin: certfleet.collectssl.deploy_table
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Bring a certificate into service with nginx
  certfleet.collectssl.collectssl_deploy:
    certificates:
      - name: www.example.com
        layout: nginx
        order_number: "12345678"
        expected_names: [www.example.com, example.com]
        endpoints:
          - port: 443

- name: Bring in two certificates, one of which may still be pending, and tell a service of its own
  certfleet.collectssl.collectssl_deploy:
    certificates:
      - name: shop
        order_number: "12345679"
        directory: /srv/shop/tls
        fullchain_path: /srv/shop/tls/chain.pem
        privatekey_path: /srv/shop/tls/key.pem
        services: [shop]
        endpoints:
          - port: 8443
            server_name: shop.example.com
        run_after:
          - /usr/local/bin/tell-the-standby
      - name: mail
        layout: postfix
        order_number: "12345680"
        allow_pending: true
        endpoints:
          - port: 25
            server_name: mail.example.com
            starttls: smtp
    services:
      shop:
        command: /srv/shop/bin/read-certificates

- name: Give many certificates a layout of your own
  certfleet.collectssl.collectssl_deploy:
    certificates: "{{ certificates }}"
    layouts:
      gateway:
        directory: /etc/gateway/tls
        combined_path: /etc/gateway/tls/{name}.pem
        privatekey_path: /etc/gateway/keys/{name}.key
        validate: gateway --check
        services: [gateway]

- name: Look from the controller, past the load balancer
  certfleet.collectssl.collectssl_deploy:
    certificates:
      - name: api
        layout: haproxy
        order_number: "12345681"
        expected_names: [api.example.com]
        endpoints:
          - host: "{{ ansible_host }}"
    probe_from: controller

- name: Take a certificate out of service
  certfleet.collectssl.collectssl_deploy:
    certificates:
      - name: old.example.com
        layout: nginx
        state: absent

- name: See what is installed, what is wanted and what is served, and change nothing
  certfleet.collectssl.collectssl_deploy:
    certificates: "{{ certificates }}"
  check_mode: true
  register: seen
"""

RETURN = r"""
msg:
  description: What became of each certificate, with its cause where it is not as it is wanted.
  type: str
  returned: always
  sample: www.example.com is in service, valid until 2026-12-17T23:59:59Z.
certificates:
  description: The certificates, in the order of the option.
  type: list
  elements: dict
  returned: unless an option was wrong
  contains:
    name:
      description: Its name.
      type: str
      returned: always
      sample: www.example.com
    state:
      description:
        - V(in_service) where the endpoints show it, V(installed) where there is nothing to look at, its services do
          not run, or no endpoint can be asked for it, V(absent) where it is removed.
        - V(pending), V(not_collected) or V(refused) where nothing was to be installed, and what is installed stays;
          the order is still processed, could not be collected, or is one that must not be installed.
        - V(unproven) where the files are in place, and the endpoints do not show them, or can't be looked at;
          V(rolled_back) where the old
          files were put back; V(failed) where something else went wrong.
      type: str
      returned: always
      sample: in_service
    msg:
      description: How it came to that, in sentences.
      type: str
      returned: always
    changed:
      description: Whether its files changed, or services took them anew.
      type: bool
      returned: always
    order:
      description:
        - What the provider says of its order, with the same keys as an order in
          RV(certfleet.collectssl.collectssl_order_info#module:orders); null where none was asked about.
      type: dict
      returned: always
    certificate:
      description:
        - The certificate that is wanted, with the same keys as
          RV(certfleet.collectssl.collectssl_certificate#module:certificate); null where none came.
      type: dict
      returned: always
    installed:
      description: The certificate that is installed at the end, with the same keys; null if there is none.
      type: dict
      returned: always
    before:
      description:
        - The certificate that was installed when the run came, with the same keys; null if there was none.
        - It is null, too, where an earlier run that was cut off had switched it already.
      type: dict
      returned: always
    pending_tlsa:
      description:
        - In check mode, the value of a TLSA record for the private key in O(certificates[].pending_privatekey_path), as
          DNS has to know it before the certificate comes; null in any other case, and where the host has no C(openssl)
          or the key has a passphrase.
      type: str
      returned: always
    held:
      description:
        - Whether the old files are still held that a run put aside which did not come to its end. The new ones are in
          place, and the next run that is not in check mode ends that first.
      type: bool
      returned: always
    files:
      description:
        - Every file that the certificate manages, with the same keys as
          RV(certfleet.collectssl.collectssl_certificate#module:files).
      type: list
      elements: dict
      returned: always
    services:
      description: The services that read its files.
      type: list
      elements: str
      returned: always
    content:
      description: The full chain as PEM text; null if none was to be installed.
      type: str
      returned: if O(certificates[].return_content=true), and the task did not fail
services:
  description: What was done to services.
  type: list
  elements: dict
  returned: unless an option was wrong
  contains:
    name:
      description: The service.
      type: str
      returned: always
    action:
      description:
        - V(reloaded), V(restarted), or V(command) where its own command was run; V(left_stopped) where it does not run.
        - V(started) where it does not run, and did so before its files changed. That is so where the new ones ended it,
          as a restart that fails does, and where a host came back in the middle of a change, with a certificate that
          does not go with its key.
      type: str
      returned: always
  sample:
    - name: nginx
      action: reloaded
endpoints:
  description: What the endpoints showed in the end.
  type: list
  elements: dict
  returned: unless an option was wrong
  contains:
    certificate:
      description: The name of the certificate.
      type: str
      returned: always
    host:
      description: Where it was connected to.
      type: str
      returned: always
    port:
      description: The TCP port.
      type: int
      returned: always
    server_name:
      description: The name that was asked for; null for that of the host.
      type: str
      returned: always
    starttls:
      description: The protocol that was spoken before TLS, if any.
      type: str
      returned: always
    connect_from:
      description: V(target) or V(controller).
      type: str
      returned: always
    fingerprint_sha256:
      description: The fingerprint of the certificate that it showed; null if it showed none.
      type: str
      returned: always
    served:
      description:
        - The certificate that it showed, with the same keys as
          RV(certfleet.collectssl.collectssl_certificate#module:certificate); null if it showed none.
      type: dict
      returned: always
    verified:
      description:
        - Whether a usual client would trust that; null if it showed none, and where one command saw that it serves what
          it has to.
      type: bool
      returned: always
    verify_error:
      description: Why it would not.
      type: str
      returned: always
    serves:
      description:
        - Whether it is the certificate that it has to show; null where that is undetermined.
      type: bool
      returned: always
    reason:
      description: Why no certificate was seen, or not the one that was looked for, or why that is undetermined.
      type: str
      returned: always
rolled_back:
  description: The names of the certificates whose old files were put back.
  type: list
  elements: str
  returned: unless an option was wrong
changed_certificates:
  description:
    - The names of the certificates whose files are others than when the run came, or than before an earlier run that
      was interrupted. One whose old files were put back is not among them, nor one that a service took anew as it was.
  type: list
  elements: str
  returned: unless an option was wrong
stops_rollout:
  description:
    - Whether this run changed something that it could not prove to be in service, or had to take back, so that other
      hosts had better wait. What was wrong before, and is left as it was, does not count.
  type: bool
  returned: always
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import ArgumentSpec, deploy_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.deploy import deploy
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.secrets import (
    forget_account,
    take_passphrase,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable


class _Module(AnsibleModule):
    def warn(self, warning: str, **kwargs: Any) -> None:
        """As a failure is told: files, and what others wrote into them, may have any name."""
        super().warn(decodable(warning), **kwargs)


def main() -> None:
    """Bring into service what the action plugin of the same name collected."""
    forget_account(os.environ)
    # What the controller saw goes from the action to this module alone.
    spec = deploy_spec() + ArgumentSpec({"_shown": {"type": "dict"}})
    module = _Module(supports_check_mode=True, **spec.kwargs())
    if module.params["_shown"] is None:
        module.fail_json(
            msg="No certificate reached this host. The controller collects it, in an action plugin that was bypassed; "
            "call the module by its full name, certfleet.collectssl.collectssl_deploy. Nothing was changed."
        )
    try:
        for certificate in module.params["certificates"]:
            take_passphrase(module, certificate)
        result = deploy(module)
    except InstallError as exc:
        module.fail_json(msg=decodable(str(exc)), **exc.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
