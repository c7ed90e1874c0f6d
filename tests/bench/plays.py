# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run on the hosts: the collection's work, what it is compared with, and what people do without it."""

from __future__ import annotations

import typing as t

from ansible_collections.certfleet.collectssl.tests.bench import asking
from ansible_collections.certfleet.collectssl.tests.bench.fleets import Contender, Fleet
from ansible_collections.certfleet.collectssl.tests.support.lab import MODULE

_BLOCK = "-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----"
_ROLE = "certfleet.collectssl.collectssl_deploy"


_OF_PROVIDER = ("wait_timeout", "poll_interval")
_PREFIXES = {True: "collectssl_", False: "collectssl_deploy_"}


def start_up(fleet: Fleet) -> Contender:
    """What every run has in common: starting, reading the inventory, and ending."""
    return fleet.contender("start-up", [{"tasks": []}])


def ping(fleet: Fleet) -> Contender:
    """The least that a module can do."""
    return fleet.contender("ping", [{"tasks": [{"ansible.builtin.ping": {}}]}])


def command(fleet: Fleet) -> Contender:
    """The least that a host can be asked: a shell that does nothing. No look at it costs less."""
    return fleet.contender("command", [{"tasks": [{"ansible.builtin.raw": "true"}]}])


def certificate(fleet: Fleet) -> Contender:
    """The module that installs one certificate."""
    site = fleet.sites[0]
    paths = {option: f"{{{{ dir }}}}/{option}.pem" for option in ("path", "chain_path", "fullchain_path")}
    options: dict[str, t.Any] = {
        **paths,
        "order_number": fleet.orders[site],
        "privatekey_path": f"{{{{ dir }}}}/tls/{site}.key",
    }
    options["expected_names"] = [f"{site}.example.com"]
    return fleet.contender("collectssl_certificate", [{"tasks": [{MODULE: options}]}])


def role(fleet: Fleet, included: bool, endpoints: bool = True, **options: t.Any) -> Contender:
    """The role, by ``include_role`` or under ``roles:``.

    :arg options: others of its variables, without what they begin with.
    """
    play: dict[str, t.Any] = {
        "vars": {
            "collectssl_deploy_certificates": fleet.certificates(endpoints),
            "collectssl_deploy_layouts": fleet.layouts(),
            "collectssl_deploy_services": fleet.services(),
            # A command for a reload comes back when it is done.
            "collectssl_deploy_probe_retries": 3,
            "collectssl_deploy_probe_delay": 1,
            **{f"{_PREFIXES[name in _OF_PROVIDER]}{name}": value for name, value in options.items()},
        }
    }
    if included:
        play["tasks"] = [{"ansible.builtin.include_role": {"name": _ROLE}}]
    else:
        play["roles"] = [_ROLE]
    name = f"role {'included' if included else 'of the play'}{'' if endpoints else ' without endpoints'}"
    return fleet.contender(name, [play])


def by_hand(fleet: Fleet) -> Contender:
    """What people do today: each host asks, takes the answer apart, writes three files, and looks at what it has."""
    site = fleet.sites[0]
    simulator = fleet.lab.simulator.environment
    form = {**asking.CHAIN, "orderNumber": fleet.orders[site]}
    form.update({f"login{name}": simulator[f"COLLECTSSL_LOGIN_{name.upper()}"] for name in ("Name", "Password")})
    contents = {"cert": "[:1]", "chain": "[1:]", "fullchain": ""}
    tasks: list[dict[str, t.Any]] = [
        {
            "ansible.builtin.uri": {
                "url": simulator["COLLECTSSL_API_URL"],
                "method": "POST",
                "body_format": "form-urlencoded",
                "body": form,
                "ca_path": simulator["COLLECTSSL_CA_PATH"],
                "return_content": True,
            },
            "register": "answer",
            "no_log": True,
        },
        *(
            {
                "ansible.builtin.copy": {
                    "content": f"{{{{ (answer.content | regex_findall('{_BLOCK}'))[::-1]{part} | join('\n') }}}}\n",
                    "dest": f"{{{{ dir }}}}/{name}.pem",
                    "mode": "0644",
                },
                "notify": "reload",
            }
            for name, part in contents.items()
        ),
        {
            "ansible.builtin.command": {
                "argv": ["openssl", "x509", "-noout", "-checkend", "0", "-in", "{{ dir }}/cert.pem"]
            },
            "changed_when": False,
        },
    ]
    handlers = [{"name": "reload", "ansible.builtin.command": {"argv": ["true"]}}]
    return fleet.contender("by hand", [{"tasks": tasks, "handlers": handlers}])
