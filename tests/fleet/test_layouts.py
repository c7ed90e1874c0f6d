# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ready layouts, with the servers configured as the role's documentation says; several certificates a host."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import APART, SERVICES, Stage
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Endpoint, Host

_ONE, _TWO = APART

_NGINX = """
    server {{
        listen 443 ssl;
        listen 8443 ssl;
        server_name {name};
        ssl_certificate /etc/nginx/tls/{name}.pem;
        ssl_certificate_key /etc/nginx/tls/{name}.key;
        return 200 "{name}";
    }}
"""
_APACHE = """
<VirtualHost *:443 *:8443>
    ServerName {name}
    SSLEngine on
    SSLCertificateFile /etc/ssl/apache/{name}.pem
    SSLCertificateKeyFile /etc/ssl/apache/{name}.key
</VirtualHost>
"""


def _nginx(host: Host) -> None:
    old = host.read("/etc/nginx/nginx.conf").decode()
    servers = "".join(_NGINX.format(name=name) for name in APART)
    host.write("/etc/nginx/nginx.conf", old[: old.index("    server {")] + servers + "}\n")


def _apache(host: Host) -> None:
    path = "/etc/apache2/sites-enabled/fleet.conf"
    old = host.read(path).decode()
    servers = "".join(_APACHE.format(name=name) for name in APART)
    host.write(path, "Listen 8443\n" + old[: old.index("<VirtualHost")] + servers)


def _haproxy(host: Host) -> None:
    path = "/etc/haproxy/haproxy.cfg"
    bind = "    bind {address} ssl crt /etc/haproxy/tls/"
    old = host.read(path).decode().splitlines()
    new = [
        "\n".join(bind.format(address=address) for address in (":443", ":8443")) if "bind" in line else line
        for line in old
    ]
    host.write(path, "\n".join(new) + "\n")


def _postfix(host: Host) -> None:
    old = host.read("/etc/postfix/main.cf").decode()
    host.write("/etc/postfix/main.cf", old.replace("/etc/ssl/fleet/combined.pem", f"/etc/postfix/tls/{_ONE}.pem"))


class _Layout(t.NamedTuple):
    configure: t.Callable[[Host], None]
    folder: str
    keys: str
    names: tuple[str, ...]
    endpoints: list[dict[str, t.Any]]


_TWO_PORTS: list[dict[str, t.Any]] = [{}, {"port": 8443}]
_LAYOUTS = {
    "nginx": _Layout(_nginx, "/etc/nginx/tls", "/etc/nginx/tls/{}.key", (_ONE, _TWO), _TWO_PORTS),
    "apache": _Layout(_apache, "/etc/ssl/apache", "/etc/ssl/apache/{}.key", (_ONE, _TWO), _TWO_PORTS),
    "haproxy": _Layout(_haproxy, "/etc/haproxy/tls", "/etc/ssl/private/{}.key", (_ONE, _TWO), _TWO_PORTS),
    "postfix": _Layout(
        _postfix,
        "/etc/postfix/tls",
        "/etc/ssl/private/{}.key",
        (_ONE,),
        [{"port": 25, "starttls": "smtp"}, {"host": "::1", "port": 587, "starttls": "smtp"}],
    ),
}


@pytest.fixture
def hosts(stage: Stage) -> dict[str, Host]:
    """A host a service whose server is told to use the files of the layout, which are not there yet."""
    found = {service: stage.fleet.of(service)[-1] for service in SERVICES}
    for service, host in found.items():
        _LAYOUTS[service].configure(host)
    certificates = {
        service: [
            {
                "name": name,
                "layout": service,
                "order_number": APART[name],
                "expected_names": [name],
                "endpoints": layout.endpoints,
            }
            for name in layout.names
        ]
        for service, layout in _LAYOUTS.items()
    }
    stage.settings(
        collectssl_deploy_certificates="{{ fleet_certificates[fleet_service] }}",
        fleet_certificates=certificates,
        collectssl_deploy_probe_from="target",
        collectssl_deploy_serial=["100%"],
    )
    return found


def _masters(host: Host) -> set[int]:
    """The processes that every other one of Postfix comes from."""
    found = {pid for pid, line in host.processes().items() if "/sbin/master" in line}
    assert found, host.processes()
    return found


def test_layouts(stage: Stage, hosts: dict[str, Host]) -> None:
    """From nothing at all: a run in check mode, then keys, then two certificates a server and one reload for both."""
    names = [host.name for host in hosts.values()]
    predicted = stage.run(names, "--check")
    assert predicted.code == 0, predicted.text
    for service, host in hosts.items():
        assert predicted.states(host.name) == dict.fromkeys(_LAYOUTS[service].names, "in_service")
        assert predicted.result(host.name)["services"] == [{"name": host.unit, "action": "reloaded"}]
        assert host.run(["test", "-e", _LAYOUTS[service].folder], check=False).returncode != 0
        assert (
            f"{_ONE}: privatekey_path: there is no file {_LAYOUTS[service].keys.format(_ONE)} yet. Check mode takes it "
            "that an earlier task of the play would have made it"
        ) in predicted.words

    for service, host in hosts.items():
        for name in _LAYOUTS[service].names:
            path = _LAYOUTS[service].keys.format(name)
            host.run(["mkdir", "-p", path.rpartition("/")[0]])
            host.write(path, stage.keys[APART[name]], 0o600)
    first = stage.run(names)
    assert first.code == 0, first.text
    assert stage.reloads(names) == dict.fromkeys(names, 1)
    assert f"Changed: {_ONE}, {_TWO}" in first.words

    for service, host in hosts.items():
        for name in _LAYOUTS[service].names:
            ports = (25, 587) if service == "postfix" else (443, 8443)
            starttls = "smtp" if service == "postfix" else None
            endpoints = [Endpoint(host.name, port, starttls) for port in ports]
            with stage.fleet.probing(endpoints, trust=stage.trust, server_name=name) as prober:
                prober.wait_for(1)
                assert prober.failures() == [], (service, name)

    second = stage.run(names)
    assert second.code == 0, second.text
    assert {counts["changed"] for counts in second.recap().values()} == {0}
    assert stage.reloads(names) == dict.fromkeys(names, 1)
    assert "Changed: " not in second.text

    stage.simulator.advance(APART[_TWO])
    third = stage.run(names)
    assert third.code == 0, third.text
    shared = [host.name for service, host in hosts.items() if service != "postfix"]
    assert stage.reloads(shared) == dict.fromkeys(shared, 2)
    assert hosts["postfix"].reloads == 1
    assert f'"Changed: {_TWO}"' in third.words
    assert f"Changed: {_ONE}" not in third.words

    mail = hosts["postfix"]
    masters = _masters(mail)
    stage.settings(collectssl_deploy_services={"postfix": {"state": "restarted"}})
    stage.simulator.advance(APART[_ONE])
    restarted = stage.run([mail.name])
    assert restarted.code == 0, restarted.text
    assert f"Changed: {_ONE}" in restarted.words
    assert mail.reloads == 1
    assert not masters & _masters(mail)
