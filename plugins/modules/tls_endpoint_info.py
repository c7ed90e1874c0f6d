# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: tls_endpoint_info
author:
  - certfleet.collectssl contributors (@certfleet)
short_description: Tell which certificate a TLS endpoint serves
version_added: 0.1.0
description:
  - Connects to a TLS endpoint, and returns the certificate that it serves, with protocol and cipher, and whether a
    usual client would trust it.
  - A certificate that is expired, self-signed, for other names or of an unknown authority is a result, not a failure.
    RV(verified) and RV(verify_error) tell of it.
  - The task fails if no certificate could be got. The name does not resolve, nobody listens there, the server does not
    speak TLS, refuses STARTTLS, or does not answer in time. The message says how far it came.
  - Nothing but the handshake takes place. No request is made, and no redirect, MX or SRV record is followed.
extends_documentation_fragment:
  - certfleet.collectssl._attributes
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
      - Nothing is ever changed. What is returned is what the endpoint serves, which changes over time.
  action:
    support: full
  async:
    support: none
    details:
      - Part of the work may be done on the controller.
  platform:
    platforms: posix
options:
  host:
    description:
      - The name or the IP address to connect to, as the machine that connects sees it. With O(connect_from=target),
        V(localhost) or V(127.0.0.1) is the target itself.
      - Where a name has several addresses, they are tried in the order of the resolver until one takes the connection.
        An IPv6 address may stand in brackets.
    type: str
    required: true
  port:
    description:
      - The TCP port.
    type: int
    default: 443
  server_name:
    description:
      - The name that the certificate has to be for, which is also sent as server name indication (SNI), as most servers
        choose the certificate by it.
      - The default is O(host).
      - Where it is an IP address, the certificate has to be for that, and no server name indication is sent.
    type: str
  starttls:
    description:
      - The protocol that is spoken in clear before TLS starts; C(STARTTLS) of SMTP, IMAP, LDAP and ManageSieve
        (V(sieve)), C(STLS) of POP3, C(AUTH TLS) of FTP, and what MySQL, MariaDB and PostgreSQL have in its place.
      - Leave it out for a port that speaks TLS from the start, which is so for HTTPS, for mail on ports 465, 993 and
        995, and for LDAP on port 636.
    type: str
    choices:
      - smtp
      - imap
      - pop3
      - ldap
      - mysql
      - postgres
      - ftp
      - sieve
  key_type:
    description:
      - Which one to tell of a server that has a certificate with an RSA key and one with an ECDSA key. By default it is
        the one that a usual client is served.
      - It is asked for by the ciphers of TLS 1.2, and where the server speaks TLS 1.3 alone by C(openssl s_client) on
        the machine that connects. Where that is not there, the task fails, and says that it is undetermined.
      - The task fails, too, if the server has no such certificate.
    type: str
    choices:
      - rsa
      - ecdsa
  proxy_protocol:
    description:
      - Whether the server wants the PROXY protocol before anything else, as nginx does with C(listen … proxy_protocol)
        and HAProxy with C(accept-proxy). It is told that the machine that connects is the client.
    type: bool
    default: false
  client_certificate:
    description:
      - A PEM file with a client certificate, and the chain that belongs to it, for a server that demands one. It is on
        the machine that connects.
      - A server with TLS 1.2 or older that demands one ends the handshake without, so that nothing can be told of what
        it serves. The message says so then.
    type: path
  client_key:
    description:
      - A PEM file with the private key of O(client_certificate), without a passphrase. The default is the one in the
        same file.
    type: path
  timeout:
    description:
      - How many seconds everything together may take; resolving the name, connecting, STARTTLS and handshakes.
    type: int
    default: 10
  connect_from:
    description:
      - V(target) connects from the target of the task. This shows what is behind a load balancer, or listens on the
        loopback interface alone.
      - V(controller) connects from the controller, without a module run and without any connection to the target. This
        shows what the outside gets, and is faster where there are many endpoints.
    type: str
    default: target
    choices:
      - target
      - controller
  ca_path:
    description:
      - A PEM file, or a folder as C(openssl rehash) makes it, with the certificates to trust in place of the
        system's. It is on the machine that connects.
    type: path
notes:
  - RV(verified) is what a client with the trust store, the OpenSSL and the settings of the machine that connects
    makes of it. The common name of a certificate does not count as one of its names.
  - Where a server can only speak what such a client refuses, such as TLS 1.0, the certificate is looked at all the
    same, as far as the OpenSSL of that machine can speak it. RV(verified) is V(false) then.
  - A certificate that is not trusted costs three connections instead of one, as the standard library of Python does not
    show a certificate that it refuses. The server's log may show two of them as broken off.
  - MySQL and MariaDB take a connection that ends before a login for an error of the machine that connects, and after
    a hundred of them in a row (C(max_connect_errors)) refuse it until one logs in. They do not count those from the
    loopback interface.
  - The connection is direct; proxies and the environment of the task have no influence on it.
seealso:
  - module: certfleet.collectssl.collectssl_certificate
"""

EXAMPLES = r"""
- name: See what the web server on this host serves, past the load balancer
  certfleet.collectssl.tls_endpoint_info:
    host: 127.0.0.1
    server_name: www.example.com
  register: endpoint

- name: Compare it with what was installed
  ansible.builtin.assert:
    that: endpoint.fingerprint_sha256 == installed.certificate.fingerprint_sha256
    fail_msg: "The web server still serves another certificate; reload it."

- name: Wait until the mail server serves the new certificate
  certfleet.collectssl.tls_endpoint_info:
    host: "{{ ansible_host }}"
    port: 25
    server_name: mail.example.com
    starttls: smtp
    connect_from: controller
  register: mail
  until: mail is succeeded and mail.fingerprint_sha256 == installed.certificate.fingerprint_sha256
  retries: 10
  delay: 2

- name: See that a server has a certificate for clients without ECDSA, too
  certfleet.collectssl.tls_endpoint_info:
    host: www.example.com
    key_type: rsa

- name: See what a server shows that is reached through a proxy alone, and wants to know its clients
  certfleet.collectssl.tls_endpoint_info:
    host: 127.0.0.1
    port: 8443
    server_name: api.example.com
    proxy_protocol: true
    client_certificate: /etc/monitoring/client.pem
    client_key: /etc/monitoring/client.key

- name: Check from the controller what an internal service serves, with the certificates of a private authority
  certfleet.collectssl.tls_endpoint_info:
    host: ldap.example.com
    port: 636
    ca_path: /etc/pki/internal-ca.pem
    connect_from: controller
  register: directory
  failed_when: directory is failed or not directory.verified
"""

RETURN = r"""
fingerprint_sha256:
  description:
    - The SHA-256 fingerprint of the end-entity certificate, in hexadecimal with colons, as
      RV(certfleet.collectssl.collectssl_certificate#module:certificate.fingerprint_sha256) has it.
  type: str
  returned: success
  sample: "5f:0c:5a:39:c5:b8:1e:2a:03:4d:c8:51:a7:ce:09:4b:aa:b8:2b:9e:33:2a:9b:7e:6f:1d:5c:4b:8a:90:7f:12"
certificate:
  description: The end-entity certificate, in PEM format.
  type: str
  returned: success
key_type:
  description: The kind of its public key, V(rsa) or V(ecdsa); null for any other.
  type: str
  returned: success
  sample: ecdsa
undetermined:
  description:
    - Whether the reason lies in the looking, so that nothing is known of what the endpoint serves. So it is where a
      client certificate is demanded that was not given, and where O(key_type) could not be asked for.
  type: bool
  returned: failure
  sample: false
protocol:
  description: The version of the protocol that was agreed on.
  type: str
  returned: success
  sample: TLSv1.3
cipher:
  description: The cipher that was agreed on, as OpenSSL calls it.
  type: str
  returned: success
  sample: TLS_AES_256_GCM_SHA384
verified:
  description:
    - Whether the certificate is valid now, links up to a trusted one, and is for the name that was asked for.
  type: bool
  returned: success
  sample: false
verify_error:
  description:
    - Why RV(verified) is V(false), in the words of OpenSSL; null if it is V(true).
    - Python 3.6 does not tell why a chain was not trusted.
  type: str
  returned: success
  sample: certificate has expired
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import endpoint_spec
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import CollectError
from ansible_collections.certfleet.collectssl.plugins.module_utils._python import is_ssl, without_ssl
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import decodable

try:
    from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.probe import endpoint_of, probe

    HAS_SSL = True
except ImportError as exc:
    if not is_ssl(exc):
        raise
    HAS_SSL = False


def main() -> None:
    """Look from the host that this runs on; what connect_from says is the action plugin's to heed."""
    module = AnsibleModule(supports_check_mode=True, **endpoint_spec().kwargs())
    if not HAS_SSL:
        module.fail_json(
            msg=f"From this host no TLS endpoint can be looked at: {without_ssl()}. Install the package with it, let "
            "ansible_python_interpreter be a Python that has it, or look with connect_from: controller."
        )
    try:
        result = probe(endpoint_of(module.params))
    except CollectError as exc:
        module.fail_json(msg=decodable(str(exc)), undetermined=getattr(exc, "undetermined", False))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
