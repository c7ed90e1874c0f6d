# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that reach the provider, in words; the argument spec in module_utils says the same.

This doc fragment is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by the modules and the lookup."""

    DOCUMENTATION = r"""
options:
  product:
    description:
      - The interface to ask.
      - CollectCCC hands out Custom Client Certificates and S/MIME certificates, and no code signing certificates. The
        provider calls it deprecated, and will remove it once the last of those certificates has expired.
      - CollectCCC is asked by account and O(order_number), or by a O(collection_code) alone. It tells status, validity
        and certificates, and neither domain names nor how far a validation is, and knows no ZIP archives.
    type: str
    default: ssl
    choices:
      ssl: CollectSSL, for TLS certificates.
      ccc: CollectCCC, for client and S/MIME certificates.
  api_url:
    description:
      - The full address of the interface, in place of the one that O(product) chooses. Only C(https) is spoken.
      - If not given, the environment variable E(COLLECTSSL_API_URL) of the controller is used.
    type: str
  login_name:
    description:
      - The name of the account, 64 characters at most. Upper and lower case differ.
      - If neither this nor O(collection_code) is given, the environment variable E(COLLECTSSL_LOGIN_NAME) of the
        controller is used.
    type: str
  login_password:
    description:
      - The password of the account, 128 characters at most. It never leaves the controller but for the provider.
      - It is sent as it is, with a line feed at its end, too, as files and vaults may have one. Where the provider
        refuses the account then, the message says so.
      - If neither this nor O(collection_code) is given, the environment variable E(COLLECTSSL_LOGIN_PASSWORD) of the
        controller is used. In ad-hoc commands use that, or vault, since ansible-core shows the arguments of an ad-hoc
        task that fails.
    type: str
  collection_code:
    description:
      - With O(product=ccc) alone, the code from the provider's e-mail about the collection, 16 characters at most. It
        stands for the account B(and) for the order, so neither the one nor the other is given with it, and the result
        names no order.
      - If no account is given, the environment variable E(COLLECTSSL_COLLECTION_CODE) of the controller is used.
    type: str
  order_number:
    description:
      - The number of the order, as it was returned when the order was placed; 128 characters at most.
      - Write it in quotes. Without them YAML may make another number of it; C(0012345) is octal, and becomes 5349. So a
        number of less than eight digits is refused, and so is a negative one, a fraction, a truth value or a date, in
        lists and in the terms of the lookup as well. What a template made text of before can't be noticed. With
        O(product=ccc) an order number is a whole number, and is taken as one.
      - Exactly one of the options that name an order is given, and none of them with O(collection_code).
    type: str
  certificate_id:
    description:
      - The provider's internal ID of the certificate, of 16 digits at most. Not with O(product=ccc).
    type: str
  base_order_number:
    description:
      - The base order number, a whole number. Orders that replace or renew one another share it. Not with
        O(product=ccc).
    type: str
  response_type:
    description:
      - In which structure the provider sends the chain. Each gives the same result.
      - All but V(individual) go with the full chain alone (C(queryType=1), section 1 of the specification). It is the
        full chain, then, that is asked for where a part of it is wanted.
      - A question that no certificate answers, that for the status of an order, ignores this option. So a default for
        many tasks breaks none of them.
    type: str
    default: individual
    choices:
      individual: One field for each certificate.
      pkcs7: One PKCS#7 structure.
      netscape: One Netscape certificate sequence.
      zip: One ZIP archive. Not with O(product=ccc).
  response_encoding:
    description:
      - Whether the structure comes as text or as it is. V(binary) goes with O(response_type=zip) and
        O(response_type=pkcs7) alone, and tells nothing about the order beside the certificate.
      - A question for the status of an order ignores this option.
    type: str
    default: base64
    choices: [base64, binary]
  response_format:
    description:
      - How a text answer is written, V(urlencoded) (section 3 of the specification) or V(lines) (section 2).
      - With O(product=ccc) it is V(lines), whatever is said here; CollectCCC knows no other, and must not be asked.
    type: str
    default: urlencoded
    choices: [urlencoded, lines]
  validate_certs:
    description:
      - Whether the provider's own TLS certificate must be trusted. Switch it off for rehearsals alone.
    type: bool
    default: true
  ca_path:
    description:
      - A file, or a folder as C(openssl rehash) makes it, on the controller with the certificates to trust instead of
        the system's.
      - If not given, the environment variable E(COLLECTSSL_CA_PATH) of the controller is used.
    type: path
  proxy:
    description:
      - The address of an HTTP proxy, such as C(http://proxy.example.com:3128), or V(none) for a direct connection
        whatever the environment says; 2048 characters at most. It may hold a user and a password.
      - If not given, the environment variable E(COLLECTSSL_PROXY) of the controller is used, and then C(https_proxy),
        C(all_proxy) and C(no_proxy).
      - C(no_proxy) is a list, with commas or blanks, of names, each of which stands for all names below it as well, of
        addresses, and of networks such as C(10.0.0.0/8) or C(2001:db8::/32). The latter two are for an O(api_url) with
        an address in it; no name is resolved for them. Names and addresses may have a port, and C(*) stands for
        everything.
    type: str
  request_timeout:
    description:
      - Seconds for a whole call, from looking up the name over proxy, TLS and sending to the end of the answer. It is
        over then, however busily the other side goes on.
    type: int
    default: 30
  retries:
    description:
      - How often a call is repeated after a connection error, the HTTP statuses 429, 502, 503 and 504, or the
        provider's word that the limit of calls is reached; each time after a longer pause, or after the one the
        provider asks for.
      - A certificate that is not trusted, a proxy that refuses, and a server without TLS 1.2 are not asked again.
    type: int
    default: 3
requirements:
  - requests 2.31 or newer (on the controller)
  - urllib3 1.26 or newer, which requests brings along (on the controller)
  - cryptography 42 or newer (on the controller)
notes:
  - The controller asks the provider, and targets never do. What is learnt about an order is shared by all hosts,
    loops and tasks of a run, and calls for one account are made one at a time by all runs of one user on one
    controller.
  - Who waits for another call of the account says so after five seconds, and then each minute, with the process that
    makes it. A process that keeps its turn for longer than C(request_timeout) for each try and a minute more is given
    up, with an error for the order. Where others have a say in the folder of the locks, C(collectssl) in
    C(ANSIBLE_HOME), no call is made.
  - Where C(ansible-playbook) is killed, its workers end within a second, or with the call that is under way. They make
    no other call, and send nothing more to a host.
  - Where each job runs in a container of its own, as with AWX, jobs share neither. Then let one job at a time ask.
  - A pending order, and a failure, is not asked about again within O(ignore:poll_interval) seconds, 300 unless said
    otherwise. The provider wants hours between two calls for an order.
  - A task that polls by itself (C(until), or C(retries) alone) is answered anew each time. Each attempt after the first
    asks again, about an issued order too, and costs one call for all hosts of the task; a host that comes to its
    attempt after another takes what that one was told, if it is younger than O(ignore:poll_interval). No attempt is
    told less than the attempt of the same number was on any other host.
  - A lookup in an C(until) cannot know that it is asked again. Give it O(ignore:poll_interval), no longer than the
    C(delay).
  - Only HTTP status 200 brings an answer. Whatever comes with another one is none, also where it reads like one; the
    message names the status, and has the beginning of the page. No more of it is read, and at most 4 MiB of an answer;
    nothing is unpacked.
  - What strangers say (messages and pages of the provider, names in certificates, output of commands) is shown, and
    returned, with all signs written out that a terminal obeys or nobody sees, such as C(\x1b) for an escape. Letters
    of any script stay.
  - Variables that begin with C(COLLECTSSL_), and proxies with a password in their address, go to no target, also where
    the C(environment) of a task has them. There they count for the call of the controller alone.
  - With C(-vvv), a line for each call tells the address, the order, the HTTP status, the status code, the bytes and
    the seconds.
"""

    WAITING = r"""
options:
  wait_timeout:
    description:
      - Seconds to wait for an order that is pending. V(0) asks once. All hosts of a run that wait for an order share
        one wait, which shows a line at every poll.
      - Where the output of Ansible goes to a pipe or a file, as in most job runners, the lines are seen as they come
        only with E(PYTHONUNBUFFERED=1); ansible-core leaves it to Python when they are written.
      - An order that awaits payment, was rejected or was revoked ends a wait at once. A call that fails within a wait
        does not end it, and where the provider says that an unknown error occurred (-14), or that the limit of calls
        is reached (-42), it is asked again.
    type: int
    default: 0
  poll_interval:
    description:
      - Seconds between two calls for a pending order, and how long a pending order or a failure is taken as known in
        a run.
    type: int
    default: 300
"""

    PLUGIN = r"""
options:
  product:
    ini:
      - section: collectssl
        key: product
    vars:
      - name: collectssl_product
  api_url:
    env:
      - name: COLLECTSSL_API_URL
    ini:
      - section: collectssl
        key: api_url
    vars:
      - name: collectssl_api_url
  login_name:
    env:
      - name: COLLECTSSL_LOGIN_NAME
    ini:
      - section: collectssl
        key: login_name
    vars:
      - name: collectssl_login_name
  login_password:
    env:
      - name: COLLECTSSL_LOGIN_PASSWORD
    ini:
      - section: collectssl
        key: login_password
    vars:
      - name: collectssl_login_password
  collection_code:
    env:
      - name: COLLECTSSL_COLLECTION_CODE
    ini:
      - section: collectssl
        key: collection_code
    vars:
      - name: collectssl_collection_code
  response_type:
    ini:
      - section: collectssl
        key: response_type
    vars:
      - name: collectssl_response_type
  response_encoding:
    ini:
      - section: collectssl
        key: response_encoding
    vars:
      - name: collectssl_response_encoding
  response_format:
    ini:
      - section: collectssl
        key: response_format
    vars:
      - name: collectssl_response_format
  validate_certs:
    ini:
      - section: collectssl
        key: validate_certs
    vars:
      - name: collectssl_validate_certs
  ca_path:
    env:
      - name: COLLECTSSL_CA_PATH
    ini:
      - section: collectssl
        key: ca_path
    vars:
      - name: collectssl_ca_path
  proxy:
    env:
      - name: COLLECTSSL_PROXY
    ini:
      - section: collectssl
        key: proxy
    vars:
      - name: collectssl_proxy
  request_timeout:
    ini:
      - section: collectssl
        key: request_timeout
    vars:
      - name: collectssl_request_timeout
  retries:
    ini:
      - section: collectssl
        key: retries
    vars:
      - name: collectssl_retries
  wait_timeout:
    ini:
      - section: collectssl
        key: wait_timeout
    vars:
      - name: collectssl_wait_timeout
  poll_interval:
    ini:
      - section: collectssl
        key: poll_interval
    vars:
      - name: collectssl_poll_interval
"""
