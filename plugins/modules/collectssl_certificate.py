# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: collectssl_certificate
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Collect the certificate of a CollectSSL order and install it with its chain
version_added: 0.1.0
description:
  - Collects the certificate of one order, with its chain, from Sectigo's CollectSSL or CollectCCC interface, and
    installs it on the target in the files that are asked for.
  - The controller asks the provider, checks every signature of the chain, the names and the validity, and hands the
    target nothing but certificates. The account never reaches a target.
  - On the target, all files change as one transaction. If any step fails, O(validate) included, every file is put back
    as it was. A run that was killed is put right by the next one.
  - Nothing is installed that does not belong together. A pending, rejected or revoked order, a chain that does not link
    up, a certificate without one of the expected names or for another private key fails the task, and the files stay as
    they are.
extends_documentation_fragment:
  - ansible.builtin.files
  - certfleet.collectssl._attributes
  - certfleet.collectssl._attributes.files
  - certfleet.collectssl._attributes.actiongroup
  - certfleet.collectssl._collectssl
  - certfleet.collectssl._collectssl.waiting
attributes:
  check_mode:
    support: full
    details:
      - The order is asked about, since without the certificate nothing could be predicted. The command in O(validate)
        is not run.
      - A private key or a directory that is not there yet is taken for one that an earlier task of the play would have
        made, with a warning. Outside check mode it fails the task.
  diff_mode:
    support: full
    details:
      - Shows subject, serial number, validity and fingerprint of the certificates in each file, the kind of every
        other block that stays or goes, and the attributes that are put right. A private key is never shown.
  idempotent:
    support: full
    details:
      - The provider may issue another certificate for the same order. That one is then installed.
  safe_file_operations:
    support: full
    details:
      - Every file is written beside its destination, gets its attributes there, and takes its place in one step.
        With O(in_place=true) it is written into instead.
  action:
    support: full
  async:
    support: none
    details:
      - Part of the work is done on the controller.
  platform:
    platforms: posix
options:
  content:
    description:
      - Certificates to install instead of collecting them. No call is made.
      - It holds the end-entity certificate and its intermediates, in any order, and the root where O(root_path) or
        O(include_root) wants one. It is checked like a collected chain, for signatures, path lengths, issuers that may
        sign certificates, name constraints and critical extensions. That it is for servers is checked where
        O(expected_names) has a domain name or an IP address.
      - Taken are PEM blocks of certificates and of PKCS#7, with any text before, between and behind them, such as what
        C(openssl s_client -showcerts) prints; PKCS#7, or one certificate, in DER as base64; and a file of any of these
        in base64, as M(ansible.builtin.slurp) returns it. It is 1048576 characters long at most.
      - Blocks of other kinds, a private key too, are passed over, and nothing of them reaches the target. A block that
        was cut off or is damaged fails the task. So does a certificate that is self-signed, which is a placeholder.
    type: str
  path:
    description:
      - The file on the target for the end-entity certificate alone.
      - At least one of O(path), O(chain_path), O(fullchain_path), O(root_path) and O(combined_path) is given. Each is
        an absolute path of a file, in a directory that exists, and no two of them name the same file.
      - Where one is a symbolic link, or leads through one, the link stays and the file it points to is replaced, if
        nobody but root and the user who runs the task could have put the link there. Any other link is refused, and so
        are those in O(privatekey_path) and O(pending_privatekey_path). See
        R(the guide,ansible_collections.certfleet.collectssl.docsite.guide_files) for what that means.
    type: path
  chain_path:
    description:
      - The file for the intermediates, in server order. It is an error if the chain has none and O(include_root) is
        not set.
      - A cross-signed certificate at the top of the chain is left out once it has expired, as clients have that
        authority as a root.
    type: path
  fullchain_path:
    description:
      - The file for the end-entity certificate followed by the intermediates, in server order. Most servers read this
        one.
    type: path
  root_path:
    description:
      - The file for the root certificate. It is an error if the chain came without one.
    type: path
  combined_path:
    description:
      - The file for the private key from O(privatekey_path) followed by the full chain, as HAProxy reads it. An
        encrypted private key stays encrypted.
      - Blocks of other kinds that stand in it, such as DH parameters, stay in it, behind the chain.
      - Its mode is V(0600) unless O(mode) says otherwise.
    type: path
  include_root:
    description:
      - Whether the root follows the intermediates in O(chain_path), O(fullchain_path) and O(combined_path). A server
        need not send it.
    type: bool
    default: false
  privatekey_path:
    description:
      - The private key on the target, in PEM format. The certificate must belong to it, which is checked before any
        file changes, and in every run.
      - Leave it out where the key cannot be read, as in a hardware security module.
    type: path
  privatekey_passphrase:
    description:
      - The passphrase of the private key in O(privatekey_path) and O(pending_privatekey_path), 1024 bytes at most.
        One that is not needed does no harm.
      - With pipelining it goes to the target with the other options, over the standard input of Python, and lies in no
        file. With E(ANSIBLE_DEBUG), however, ansible-core itself prints what every module is given.
      - Without pipelining, which E(ANSIBLE_KEEP_REMOTE_FILES) switches off, the options of a module lie in a file on
        the target. So the passphrase goes in one of its own, which the module removes before it does anything else.
        Only its user may read it, who is the one of the connection; one that is become and is not root may read it
        too, and then the controller removes it after the module.
      - Such a file is all that can be left of it, where the run is killed between sending it and the beginning of the
        module, in the temporary folder of the connection's user on the target (E(ANSIBLE_REMOTE_TMP)); or, where it is
        killed while sending, in the run's own temporary folder on the controller (E(ANSIBLE_LOCAL_TEMP)).
      - No result and no log shows it.
    type: str
  pending_privatekey_path:
    description:
      - A private key on the target that was made for a certificate still on order.
      - When the certificate belongs to this key and not to the one in O(privatekey_path), the key moves to
        O(privatekey_path), with the owner and the mode it has, in the same transaction as the certificate. There need
        not be a key in O(privatekey_path) before. If the transaction fails, both keys are where they were.
      - Where there is one, whoever could not read or write it can't do so with the new one either. If that makes the
        mode stricter than that of the pending key, a warning says so.
      - When the certificate belongs to the key in O(privatekey_path), this one is left alone. When it belongs to
        neither, the task fails.
    type: path
  expected_names:
    description:
      - Domain names, IP addresses or e-mail addresses, each of which the certificate must cover. A wildcard covers one
        label.
      - Only subject alternative names count. Where a domain name or an IP address is expected, the chain must also be
        one for servers, as that of every order of O(product=ssl) must be.
      - Names and addresses are written as O(certfleet.collectssl.tls_endpoint_info#module:host) and
        O(certfleet.collectssl.tls_endpoint_info#module:server_name) take them. Upper and lower case are the same, a dot
        at the end counts for nothing, an international name may stand as it is read or in its C(xn--) form, an IPv6
        address in any of its forms, in brackets or not.
    type: list
    elements: str
    default: []
  min_validity_days:
    description:
      - The days for which the certificate must still be valid. With V(0) it must not be expired.
    type: int
    default: 0
  validate:
    description:
      - A command to run on the target once the new files are in place, such as C(nginx -t). It is not run when nothing
        changed.
      - If its exit status is not 0, every file is put back as it was, and the task fails with its output.
      - No shell is used. The words are separated as a shell would do, quotes included, but variables and C(~) stay as
        they are.
      - It inherits the environment of the module less the variables that begin with C(COLLECTSSL_) and proxies with a
        password in their address, which the environment of the controller has where the connection is C(local).
      - Unlike in M(ansible.builtin.copy), the command gets no path, since it is run for all files together, when they
        are in place. One with C(%s) in it is refused.
    type: str
  backup:
    description:
      - Keep each file whose content is replaced, a private key too, beside it, with the time in its name.
      - A backup that holds a private key is open to nobody to whom the file that took its place is not.
    type: bool
    default: false
  in_place:
    description:
      - Whether to always write into a file that exists, which stays the very same file; for one that is bind-mounted by
        itself, as into a container.
      - Whoever reads the file meanwhile, or after a run that was killed, may find it half written; the next run puts
        that right. With O(unsafe_writes=true) that is so only where the file cannot be replaced.
      - What the file held is kept beside it meanwhile, so the folder has to be one that may be written in.
      - A file that does not exist yet is made as usual. A private key in O(pending_privatekey_path) still moves away
        from there.
    type: bool
    default: false
  allow_pending:
    description:
      - What to do about an order that is pending, after the wait for it. With V(false) the task fails; with V(true) it
        returns RV(issued) as false, with a RV(msg) that says what it waits for, and touches nothing.
      - With V(true) the run shows a line that names the order and what it waits for, once for all hosts, lest a
        scheduled job leave an order pending in silence.
    type: bool
    default: false
  return_content:
    description:
      - Whether to return the full chain as RV(content).
    type: bool
    default: false
notes:
  - The target needs Python 3.6 or newer and its standard library only; without its module C(ssl), as in small builds
    of Python, no task that checks a private key.
  - Users who are not root, and may write in the folders, can neither give files away nor give them to a group they are
    not in. So they do not replace a file of another owner or group, and the task fails, unless O(owner) or O(group)
    says that the file may be their own. Access control lists and SELinux labels stay as they are, or the task fails.
  - Write O(mode) in quotes. Without them C(644) is decimal to YAML, which as a mode is C(1204); a number with such
    permissions is warned about, and set.
  - The files of a transaction change one after the other, in the order root, chain, private key, combined file, full
    chain, certificate. A service that reads a single file, of O(fullchain_path) or O(combined_path), never sees a
    mixed state.
  - Where everything is as it is to be, the module is not sent at all. One command of a POSIX shell sees that, with the
    tools of GNU coreutils or busybox (C(stat), C(sha256sum), C(timeout)), and costs a fraction of it; the results are
    the same. It reads no private key. Once the module has found that a private key belongs to a certificate, root keeps
    a record of that in C(/var/lib/certfleet-collectssl/proven), for as long as the file is the same; so with
    O(privatekey_path) this is for tasks that run as root. Nor does it serve tasks with O(privatekey_passphrase),
    O(attributes), SELinux options or a O(mode) of letters, and paths with C(~), variables, symbolic links or
    characters that a shell takes for its own. These, and whatever differs, go to the module.
  - Until the transaction is over, a folder C(.collectssl) that nobody else may enter stands beside the destinations,
    with the new and the old files. Programs that read whole folders, such as HAProxy, do not find them. It remains
    only where a run was killed, and the next run for the same files removes it.
    R(The guide,ansible_collections.certfleet.collectssl.docsite.guide_files) tells more.
seealso:
  - plugin: certfleet.collectssl.collectssl_order_info
    plugin_type: module
  - plugin: certfleet.collectssl.collectssl_certificate
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Install a certificate with its chain for nginx
  certfleet.collectssl.collectssl_certificate:
    login_name: example
    login_password: "{{ vault_collectssl_password }}"
    order_number: "12345678"
    fullchain_path: /etc/nginx/tls/www.example.com.pem
    privatekey_path: /etc/nginx/tls/www.example.com.key
    expected_names:
      - www.example.com
      - example.com
    owner: root
    group: root
    mode: "0644"
    validate: nginx -t
    backup: true
  notify: Reload nginx

- name: Renew with a fresh key that waits beside the one in use
  certfleet.collectssl.collectssl_certificate:
    order_number: "12345679"
    path: /etc/ssl/certs/mail.example.com.pem
    chain_path: /etc/ssl/certs/mail.example.com.chain.pem
    privatekey_path: /etc/ssl/private/mail.example.com.key
    pending_privatekey_path: /etc/ssl/private/mail.example.com.next.key
    validate: postfix check
  notify: Reload postfix

- name: Install key and chain in one file for HAProxy
  certfleet.collectssl.collectssl_certificate:
    order_number: "12345678"
    combined_path: /etc/haproxy/tls/www.example.com.pem
    privatekey_path: /etc/ssl/private/www.example.com.key
    owner: haproxy
    validate: haproxy -c -f /etc/haproxy/haproxy.cfg
  notify: Reload haproxy

- name: Write into the file that is mounted into a container
  certfleet.collectssl.collectssl_certificate:
    order_number: "12345678"
    combined_path: /srv/proxy/www.example.com.pem
    privatekey_path: /srv/proxy/www.example.com.key
    in_place: true

- name: Wait an hour for an order, and go on without it if it takes longer
  certfleet.collectssl.collectssl_certificate:
    order_number: "12345680"
    path: /etc/ssl/certs/new.example.com.pem
    wait_timeout: 3600
    poll_interval: 1800
    allow_pending: true
  register: new_certificate

- name: Say what the order still waits for
  ansible.builtin.debug:
    var: new_certificate.order.details
  when: not new_certificate.issued

- name: Poll for the reissue of an order, every five minutes for an hour
  certfleet.collectssl.collectssl_certificate:
    order_number: "12345678"
    fullchain_path: /etc/nginx/tls/www.example.com.pem
    privatekey_path: /etc/nginx/tls/www.example.com.key
  register: reissued
  until: reissued.certificate.serial_number | default(serial_number_to_replace) != serial_number_to_replace
  retries: 12
  delay: 300

- name: Read a PKCS#7 file that the authority sent
  ansible.builtin.slurp:
    src: /srv/certificates/www.example.com.p7b
  register: sent
  delegate_to: localhost

- name: Install what is in it
  certfleet.collectssl.collectssl_certificate:
    content: "{{ sent.content }}"
    fullchain_path: /etc/nginx/tls/www.example.com.pem
    mode: "0644"

- name: Install a bundle that is at hand already, without asking the provider
  certfleet.collectssl.collectssl_certificate:
    content: "{{ lookup('ansible.builtin.file', 'www.example.com.bundle.pem') }}"
    fullchain_path: /etc/nginx/tls/www.example.com.pem
    root_path: /etc/nginx/tls/root.pem
    mode: "0644"
"""

RETURN = r"""
msg:
  description:
    - Why the task failed, what a pending order waits for, or which certificate is installed.
    - It is what is shown where C(until) or C(failed_when) makes the task fail.
  type: str
  returned: always
  sample: The certificate is CN=www.example.com, serial number 2673918472604987, valid until 2026-12-17T23:59:59Z.
issued:
  description: Whether there is a certificate. False only for a pending order with O(allow_pending=true).
  type: bool
  returned: success
  sample: true
order:
  description:
    - What the provider says of the order, with the same keys as an order in
      RV(certfleet.collectssl.collectssl_order_info#module:orders); null if O(content) was given.
    - Where the target refuses an issued certificate, only its message is returned; C(-v) shows this and
      RV(certificate) then.
  type: dict
  returned: success, and when the order is not issued
certificate:
  description: The certificate that was installed, or was in place; null if none is issued.
  type: dict
  returned: success
  contains:
    subject:
      description: The subject, as in RFC 4514.
      type: str
      returned: always
      sample: CN=www.example.com
    issuer:
      description: The issuer, as in RFC 4514.
      type: str
      returned: always
      sample: CN=Example Issuing CA,O=Example,C=GB
    serial_number:
      description: The serial number, as a decimal string, since it is too long for a number in JSON.
      type: str
      returned: always
      sample: "267391847260498713554802334891268374512"
    subject_alt_names:
      description:
        - The names the certificate covers, each with its kind before it; C(DNS:), C(IP:), C(email:) or C(URI:). Other
          kinds are left out.
      type: list
      elements: str
      returned: always
      sample: ["DNS:www.example.com", "DNS:example.com", "IP:192.0.2.1"]
    not_before:
      description: From when on it is valid, ISO 8601 in UTC.
      type: str
      returned: always
      sample: "2026-06-01T00:00:00Z"
    not_after:
      description: Until when it is valid, ISO 8601 in UTC.
      type: str
      returned: always
      sample: "2026-12-17T23:59:59Z"
    fingerprint_sha256:
      description: The SHA-256 fingerprint, in hexadecimal with colons.
      type: str
      returned: always
      sample: "5c:1e:0d:5b:93:0b:5c:22:af:0e:37:4c:3f:0a:9e:41:7f:66:4b:0a:d7:2b:15:c8:9c:0e:5e:4e:57:5a:61:b3"
    public_key_sha256:
      description:
        - The SHA-256 digest of its public key (the SubjectPublicKeyInfo), in hexadecimal. It stays the same where a
          certificate is renewed with the same key.
      type: str
      returned: always
      sample: 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3
    tlsa:
      description:
        - The data of the TLSA record (DANE) for it, that by which a mail server that publishes one is recognised,
          C(3 1 1) and RV(certificate.public_key_sha256).
      type: str
      returned: always
      sample: 3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3
    days_remaining:
      description: The whole days for which it is still valid.
      type: int
      returned: always
      sample: 187
    chain:
      description: The subjects of the certificates that follow it, in server order.
      type: list
      elements: str
      returned: always
      sample: ["CN=Example Issuing CA,O=Example,C=GB"]
files:
  description: Every file that the task manages, changed or not.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The file, as the option names it.
      type: str
      returned: always
    role:
      description:
        - V(certificate), V(chain), V(fullchain), V(root), V(combined), or V(privatekey) for a pending private key
          that moved to O(privatekey_path).
      type: str
      returned: always
    changed:
      description: Whether its content, owner, group, mode or another attribute changed.
      type: bool
      returned: always
    backup_file:
      description: The backup of what it held before; null if none was made. In check mode no backup has a name yet.
      type: str
      returned: always
  sample:
    - path: /etc/nginx/tls/www.example.com.pem
      role: fullchain
      changed: true
      backup_file: /etc/nginx/tls/www.example.com.pem.4711.2026-06-01@10:00:00~
content:
  description: The full chain as PEM text, with the root if O(include_root) is set.
  type: str
  returned: success, if O(return_content=true)
rc:
  description: The exit status of the command in O(validate).
  type: int
  returned: when that command refused the new files
stdout:
  description: What that command wrote to its standard output.
  type: str
  returned: when that command refused the new files
stderr:
  description: What that command wrote to its standard error.
  type: str
  returned: when that command refused the new files
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import certificate_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._install.install import install
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
    """Install what the action plugin of the same name collected."""
    forget_account(os.environ)
    module = _Module(add_file_common_args=True, supports_check_mode=True, **certificate_spec().kwargs())
    try:
        take_passphrase(module, module.params)
    except InstallError as exc:
        module.fail_json(msg=decodable(f"{exc} No file was changed."))
    if not module.params["content"]:
        module.fail_json(
            msg="No certificate reached this host. The controller collects it, in an action plugin that was bypassed; "
            "call the module by its full name, certfleet.collectssl.collectssl_certificate. No file was touched."
        )
    try:
        result = install(module)
    except InstallError as exc:
        module.fail_json(msg=decodable(str(exc)), **exc.details)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
