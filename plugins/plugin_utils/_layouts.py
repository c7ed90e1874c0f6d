# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layouts: what a certificate begins as, by the program that serves it.

The six characters ``{name}`` in a text of a layout stand for the name of the certificate, and nothing else is replaced.
A layout says where files are and who reads them, never which certificate that is: no identifier, no ``content``, no
secret.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt

Layout = t.Mapping[str, t.Any]

_NAME = "{name}"

#: What says which certificate it is, or is a secret.
_NOT_IN_LAYOUTS = (*IDENTIFIERS, "content", "name", "layout", "privatekey_passphrase")

_ROOT = {"owner": "root", "group": "root"}

#: Those that come with the collection. Their comments are what a configuration says that goes with them.
LAYOUTS: dict[str, Layout] = {
    # ssl_certificate      /etc/nginx/tls/NAME.pem;
    # ssl_certificate_key  /etc/nginx/tls/NAME.key;
    "nginx": {
        "directory": "/etc/nginx/tls",
        "fullchain_path": "/etc/nginx/tls/{name}.pem",
        "privatekey_path": "/etc/nginx/tls/{name}.key",
        "mode": "0644",
        "validate": "nginx -t",
        "services": ["nginx"],
        **_ROOT,
    },
    # SSLCertificateFile     /etc/ssl/apache/NAME.pem
    # SSLCertificateKeyFile  /etc/ssl/apache/NAME.key
    "apache": {
        "directory": "/etc/ssl/apache",
        "fullchain_path": "/etc/ssl/apache/{name}.pem",
        "privatekey_path": "/etc/ssl/apache/{name}.key",
        "mode": "0644",
        "validate": "apachectl configtest",
        # httpd on Red Hat and its kin.
        "services": ["apache2"],
        **_ROOT,
    },
    # bind :443 ssl crt /etc/haproxy/tls/
    # The private key is kept elsewhere, as HAProxy takes every file of that folder for key and chain in one.
    "haproxy": {
        "directory": "/etc/haproxy/tls",
        "combined_path": "/etc/haproxy/tls/{name}.pem",
        "privatekey_path": "/etc/ssl/private/{name}.key",
        "mode": "0600",
        "validate": "haproxy -c -f /etc/haproxy/haproxy.cfg",
        "services": ["haproxy"],
        **_ROOT,
    },
    # smtpd_tls_chain_files = /etc/postfix/tls/NAME.pem
    # Each new smtpd process reads it, reload or not, so key and chain have to change in one step: as one file.
    "postfix": {
        "directory": "/etc/postfix/tls",
        "combined_path": "/etc/postfix/tls/{name}.pem",
        "privatekey_path": "/etc/ssl/private/{name}.key",
        "mode": "0600",
        "validate": "postfix check",
        "services": ["postfix"],
        **_ROOT,
    },
    # ssl_cert = </etc/dovecot/tls/NAME.pem
    # ssl_key  = </etc/dovecot/tls/NAME.key
    "dovecot": {
        "directory": "/etc/dovecot/tls",
        "fullchain_path": "/etc/dovecot/tls/{name}.pem",
        "privatekey_path": "/etc/dovecot/tls/{name}.key",
        "mode": "0644",
        "validate": "doveconf -n",
        "services": ["dovecot"],
        **_ROOT,
    },
}


def all_layouts(own: t.Mapping[str, t.Any]) -> dict[str, Layout]:
    """The shipped layouts and a task's own, which take the place of one of the same name.

    :raises OptionError: for one that is no dictionary, or that says what a layout does not say.
    """
    for name, layout in own.items():
        if not isinstance(layout, dict):
            raise OptionError(f"The layout {excerpt(str(name))} in layouts must be a dictionary of options.")
        wrong = [key for key in _NOT_IN_LAYOUTS if key in layout]
        if wrong:
            raise OptionError(
                f"The layout {excerpt(str(name))} in layouts has {' and '.join(wrong)}. A layout says where files are "
                "and who reads them; what is of one certificate stands with that certificate."
            )
    return {**LAYOUTS, **{str(name): layout for name, layout in own.items()}}


def laid_out(given: t.Mapping[str, t.Any], layouts: t.Mapping[str, Layout]) -> dict[str, t.Any]:
    """What a certificate gives, on top of the layout that it names; a key that it gives counts instead of the layout's.

    :arg given: with a ``name``; a value that is None counts as not given, as a task can't leave out a key by itself.
    :raises OptionError: for a layout that there is not.
    """
    said = {key: value for key, value in given.items() if value is not None}
    layout = said.pop("layout", None)
    if layout is None:
        return said
    if str(layout) not in layouts:
        like = difflib.get_close_matches(str(layout).lower(), list(layouts), 1)
        hint = f" Is {like[0]} meant?" if like else ""
        raise OptionError(f"There is no layout {excerpt(str(layout))}.{hint} There are {', '.join(sorted(layouts))}.")
    return {**_named(layouts[str(layout)], str(said["name"])), **said}


def _named(value: t.Any, name: str) -> t.Any:
    if isinstance(value, str):
        return value.replace(_NAME, name)
    if isinstance(value, dict):
        return {key: _named(part, name) for key, part in value.items() if part is not None}
    if isinstance(value, (list, tuple)):
        return [_named(part, name) for part in value]
    return value
