# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate with a fault, one beside it that shares its server, and one of another server on the same host.

Every host has one fault. What the faulty one shares with the second may take that along; the third is never touched.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import FleetRun, Stage
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import Endpoint, Host
from ansible_collections.certfleet.collectssl.tests.support.authority import new_key, private_pem
from ansible_collections.certfleet.collectssl.tests.support.certificates import public_key

_NAMES = _ONE, _TWO, _THREE = "one.fleet.test", "two.fleet.test", "three.fleet.test"
_ORDERS = {_ONE: "8100", _TWO: "8200", _THREE: "8300"}
_REVOKED, _REJECTED, _OTHER_KEY = "8101", "8102", "8103"
_PORTS = {_ONE: 443, _TWO: 443, _THREE: 8443}
_STALE, _FADING = 10443, 11443
_TLS, _SECOND, _FULL = "/etc/nginx/tls", "/etc/nginx/second.conf", "/srv/full"
_FIRST, _FADE = "/etc/nginx/first.pem", "/usr/local/sbin/fade"
_HANGS = "sleep did not come to its end in time"


class _Fault(t.NamedTuple):
    """What befalls the first one: its state, whether its new files stay, that of the second, and words of the cause."""

    state: str
    is_new: bool
    second: str
    words: str


_FAULTS = {
    "revoked": _Fault("not_collected", False, "in_service", f"order number {_REVOKED} was revoked"),
    "rejected": _Fault("not_collected", False, "in_service", f"Order number {_REJECTED} was rejected"),
    "unreachable": _Fault("not_collected", False, "in_service", "127.0.0.1"),
    "key": _Fault("refused", False, "in_service", f"{_TLS}/{_ONE}.key"),
    "reload": _Fault("rolled_back", False, "rolled_back", "The service nginx did not take the new files"),
    "folder": _Fault("refused", False, "in_service", "/nowhere"),
    "disk": _Fault("refused", False, "in_service", "No space left on device"),
    "validate": _Fault(
        "rolled_back", False, "rolled_back", "validate: the command sh failed with exit status 3: no such"
    ),
    "silent": _Fault("unproven", True, "in_service", "127.0.0.1 port 9 "),
    "stale": _Fault("rolled_back", False, "in_service", f"127.0.0.1 port {_STALE} "),
    "before": _Fault("refused", False, "in_service", "run_before: the command false failed"),
    "after": _Fault("failed", True, "in_service", "run_after: the command false failed"),
    "before hangs": _Fault("refused", False, "in_service", f"run_before: the command {_HANGS}"),
    "validate hangs": _Fault("rolled_back", False, "rolled_back", f"validate: the command {_HANGS}"),
    "reload hangs": _Fault(
        "rolled_back", False, "rolled_back", f"The service nginx did not take the new files: {_HANGS}"
    ),
    "after hangs": _Fault("failed", True, "in_service", f"run_after: the command {_HANGS}"),
    "falls silent": _Fault("rolled_back", False, "in_service", f"127.0.0.1 port {_FADING} "),
}

# A server that ends where its certificate is not the first, and comes back with that.
_FADES = f"""\
#!/bin/sh
pkill -f 'accept {_FADING}'
while pgrep -f 'accept {_FADING}' >/dev/null; do sleep 0.05; done
cmp -s {_TLS}/{_ONE}.pem {_FIRST} || exit 0
setsid openssl s_server -accept {_FADING} -quiet -cert {_TLS}/{_ONE}.pem -key {_TLS}/{_ONE}.key \
    </dev/null >/dev/null 2>&1 &
until ss -tln | grep -q :{_FADING}; do sleep 0.05; done
"""

_SERVER = """
    server {{
        listen {port} ssl;
        server_name {name};
        ssl_certificate {folder}/{name}.pem;
        ssl_certificate_key {folder}/{name}.key;
        return 200 "{name}";
    }}
"""


def _configuration(old: str, names: t.Iterable[str]) -> str:
    servers = "".join(_SERVER.format(port=_PORTS[name], name=name, folder=_TLS) for name in names)
    return old[: old.index("    server {")] + servers + "}\n"


def _prepare(stage: Stage, keys: t.Mapping[str, str], hosts: t.Iterable[Host]) -> None:
    """Two nginx on each host, the second one under no service manager; what is there serves a certificate at first."""
    old = stage.fleet.of("nginx")[-1].read("/etc/nginx/nginx.conf").decode()
    for host in hosts:
        host.run(["service", host.unit, "stop"])
        host.run(["mkdir", "-p", _TLS])
        for name in _NAMES:
            host.write(f"{_TLS}/{name}.key", keys[name], 0o600)
        host.write("/etc/nginx/nginx.conf", _configuration(old, (_ONE, _TWO)))
        second = _configuration(old, (_THREE,)).replace("/run/nginx.pid", "/run/nginx-second.pid")
        host.write(_SECOND, second)


def _start(host: Host) -> None:
    host.run(["service", "nginx", "start"])
    host.run(["nginx", "-c", _SECOND])


def _orders(stage: Stage, keys: t.Mapping[str, str]) -> None:
    issued = {"state": "issued", "seconds": 10**6}
    common = {"account": stage.simulator.environment["COLLECTSSL_LOGIN_NAME"]}
    key = {name: stage.fleet.directory / f"unit-{name}.pem" for name in keys}
    for name, path in key.items():
        path.write_text(public_key(keys[name]), encoding="ascii")
    again = [issued, {"state": "issued"}]
    orders = [
        {"order_number": number, "names": [name], "key": str(key[name]), "life": again, **common}
        for name, number in _ORDERS.items()
    ]
    orders += [
        {"order_number": _REVOKED, "life": [issued, {"state": "revoked"}]},
        {"order_number": _REJECTED, "life": [issued, {"state": "rejected"}]},
        {"order_number": _OTHER_KEY, "key": str(key["other"])},
    ]
    orders[3:] = [{"names": [_ONE], "key": str(key[_ONE]), **common, **order} for order in orders[3:]]
    stage.simulator.control("orders", {"orders": orders})


def _certificates(fault: str = "") -> list[dict[str, t.Any]]:
    found: list[dict[str, t.Any]] = [
        {
            "name": name,
            "order_number": _ORDERS[name],
            "expected_names": [name],
            "fullchain_path": f"{_TLS}/{name}.pem",
            "privatekey_path": f"{_TLS}/{name}.key",
            "services": ["nginx" if _PORTS[name] == 443 else "second"],
            "endpoints": [{"port": _PORTS[name]}],
        }
        for name in _NAMES
    ]
    found[0].update(_OF_FAULT.get(fault, {}))
    if fault == "unreachable":
        # Nobody is asked about these.
        for one in found[1:]:
            number = one.pop("order_number")
            one["content"] = (
                f"{{{{ lookup('certfleet.collectssl.collectssl_certificate', '{number}', api_url=fleet_api_url) }}}}"
            )
    return found


_OF_FAULT: dict[str, dict[str, t.Any]] = {
    "revoked": {"order_number": _REVOKED},
    "rejected": {"order_number": _REJECTED},
    "key": {"order_number": _OTHER_KEY},
    "folder": {"path": "/nowhere/one.pem"},
    "disk": {"path": f"{_FULL}/one.pem"},
    "validate": {"validate": "sh -c 'echo no such directive >&2; exit 3'"},
    "silent": {"endpoints": [{"port": 9}]},
    "stale": {"endpoints": [{"port": _STALE}]},
    "before": {"run_before": ["false"]},
    "after": {"run_after": ["false"]},
    "before hangs": {"run_before": ["sleep 1000"]},
    "validate hangs": {"validate": "sleep 1000"},
    "after hangs": {"run_after": ["sleep 1000"]},
    "falls silent": {"services": ["nginx", "fading"], "endpoints": [{"port": _FADING}]},
}


def _settings(stage: Stage, hosts: t.Mapping[str, Host], faulty: bool) -> None:
    # Those of the provider need their orders from the beginning.
    certificates = {
        host.name: _certificates(fault if faulty or fault in ("revoked", "rejected") else "")
        for fault, host in hosts.items()
    }
    services = {"second": {"command": f"nginx -c {_SECOND} -s reload"}, "fading": {"command": _FADE}}
    hanging = {**services, "nginx": {"command": "sleep 1000"}} if faulty else services
    nowhere = "https://127.0.0.1:1/collect"
    unreachable = hosts["unreachable"].name if faulty else ""
    stage.settings(
        collectssl_deploy_certificates="{{ fleet_certificates[inventory_hostname] }}",
        collectssl_deploy_services="{{ fleet_services[inventory_hostname] }}",
        fleet_services={host.name: hanging if fault == "reload hangs" else services for fault, host in hosts.items()},
        collectssl_deploy_probe_retries=4,
        collectssl_deploy_command_timeout=5 if faulty else 60,
        collectssl_deploy_serial=["100%"],
        collectssl_retries=0,
        collectssl_api_url=f"{{{{ '{nowhere}' if inventory_hostname == '{unreachable}' else fleet_api_url }}}}",
        fleet_api_url=stage.simulator.environment["COLLECTSSL_API_URL"],
        fleet_certificates=certificates,
    )


@contextlib.contextmanager
def _faults(hosts: t.Mapping[str, Host]) -> t.Iterator[None]:
    """What of the faults is on the hosts."""
    serve = f"openssl s_server -accept {_STALE} -quiet -cert {_TLS}/{_ONE}.pem -key {_TLS}/{_ONE}.key"
    full = hosts["disk"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(hosts["reload"].replaced_reload("exit 1"))
        full.run(["mkdir", _FULL])
        stack.enter_context(full.small_disk(_FULL))
        full.run(["sh", "-c", f"dd if=/dev/zero of={_FULL}/filler bs=1k 2>/dev/null; ls {_FULL}"])
        fading = hosts["falls silent"]
        fading.run(["cp", f"{_TLS}/{_ONE}.pem", _FIRST])
        fading.write(_FADE, _FADES, 0o755)
        fading.run([_FADE])
        stale = hosts["stale"]
        stale.run(["sh", "-c", f"setsid {serve} </dev/null >/dev/null 2>&1 & "])
        stale.run(["sh", "-c", f"until ss -tln | grep -q :{_STALE}; do sleep 0.05; done"])
        yield


def _fingerprint(host: Host, name: str) -> str:
    der = _pem.dearmour(_pem.blocks(host.read(f"{_TLS}/{name}.pem").decode())[0])
    assert der is not None
    return _pem.fingerprint(der)


def _served(stage: Stage, hosts: t.Iterable[Host]) -> dict[tuple[str, str], set[str]]:
    """The fingerprints by host and name."""
    found: dict[tuple[str, str], set[str]] = {}
    for name in _NAMES:
        endpoints = [Endpoint(host.name, _PORTS[name]) for host in hosts]
        with stage.fleet.probing(endpoints, trust=stage.trust, server_name=name) as prober:
            prober.wait_for(1)
            assert prober.failures() == []
            found.update({(end.host, name): set(prober.fingerprints(end.host)) for end in endpoints})
    return found


def test_a_fault_takes_nobody_along_who_has_nothing_to_do_with_it(stage: Stage) -> None:
    """On the wire, on the disk and in the message, for every fault."""
    hosts = dict(zip(_FAULTS, stage.fleet.hosts.values(), strict=False))
    assert hosts["reload"].service == "nginx"
    names = [host.name for host in hosts.values()]
    keys = {name: private_pem(new_key()) for name in (*_NAMES, "other")}
    _prepare(stage, keys, hosts.values())
    _orders(stage, keys)
    _settings(stage, hosts, faulty=False)
    for host in hosts.values():
        # So that the servers can start.
        for name in _NAMES:
            host.write(f"{_TLS}/{name}.pem", stage.fleet.initial.fullchain)
            host.write(f"{_TLS}/{name}.key", stage.fleet.initial.key, 0o600)
        _start(host)
        for name in _NAMES:
            host.write(f"{_TLS}/{name}.key", keys[name], 0o600)
    settled = stage.run(names)
    assert settled.code == 0, settled.text
    before = {(host.name, name): _fingerprint(host, name) for host in hosts.values() for name in _NAMES}
    assert _served(stage, hosts.values()) == {key: {value} for key, value in before.items()}

    for order in (*_ORDERS.values(), _REVOKED, _REJECTED):
        stage.simulator.advance(order)
    _settings(stage, hosts, faulty=True)
    with _faults(hosts):
        outcome = stage.run(names)
        served = _served(stage, hosts.values())
    assert outcome.code != 0
    problems = []
    for fault, host in hosts.items():
        try:
            _check(fault, host, outcome, before, served)
        except AssertionError as exc:
            problems.append(f"{fault}: {exc}")
    assert not problems, "\n".join(problems)


def _check(
    fault: str,
    host: Host,
    outcome: FleetRun,
    before: t.Mapping[tuple[str, str], str],
    served: t.Mapping[tuple[str, str], set[str]],
) -> None:
    """See that what became of the certificates of a host is what the design says."""
    expected = _FAULTS[fault]
    well = {_ONE: False, _TWO: expected.second == "in_service", _THREE: True}
    is_new = {**well, _ONE: expected.is_new}
    told = {one["name"]: one for one in outcome.result(host.name)["certificates"]}
    states = {_ONE: expected.state, _TWO: expected.second, _THREE: "in_service"}
    assert {name: one["state"] for name, one in told.items()} == states, outcome.result(host.name)["msg"]
    for name in _NAMES:
        installed = _fingerprint(host, name)
        assert (installed != before[host.name, name]) == is_new[name], name
        assert served[host.name, name] == {installed}, name
        # The message is about those that are not in service, and no others.
        assert (f"{name}: " in outcome.failure(host.name)) == (not well[name]), outcome.failure(host.name)
        assert told[name]["msg"].startswith("It was brought into service") == well[name], told[name]["msg"]
    assert expected.words in told[_ONE]["msg"], told[_ONE]["msg"]
    # A hook is due until it has run.
    assert bool(host.run(["find", _TLS, "-name", ".collectssl"]).stdout) == (fault in ("after", "after hangs"))
    assert host.run(["pgrep", "-fx", "sleep 1000"], check=False).returncode == 1
    assert "does not show again" not in told[_ONE]["msg"]
