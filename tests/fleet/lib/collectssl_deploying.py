# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the role share: a fleet with orders, runs of the playbook deploy, and what became of the hosts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import typing as t

from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import (
    SERVER_NAME,
    Fleet,
    Host,
    _processes,
)
from ansible_collections.certfleet.collectssl.tests.support.authority import new_key, private_pem
from ansible_collections.certfleet.collectssl.tests.support.certificates import public_key
from ansible_collections.certfleet.collectssl.tests.support.simulator import SimulatorProcess

FOLDER = "/etc/ssl/fleet"
REISSUED = "4711"
"""The order for the key that all hosts have, reissued as often as it is advanced."""
PENDING = "4712"
"""An order that is being processed for ever."""
RENEWED = tuple(str(number) for number in range(5001, 5010))
"""Orders with a key of their own each."""
APART = {"one.fleet.test": "6001", "two.fleet.test": "6002"}
"""Orders for other names, with a key of their own each."""

_ACCOUNT = {"login_name": "fleet@example.com", "login_password": "a + & % = ü password"}
_FILES = {
    "path": f"{FOLDER}/cert.pem",
    "chain_path": f"{FOLDER}/chain.pem",
    "fullchain_path": f"{FOLDER}/fullchain.pem",
    "root_path": f"{FOLDER}/root.pem",
    "combined_path": f"{FOLDER}/combined.pem",
    "privatekey_path": f"{FOLDER}/privkey.pem",
    "pending_privatekey_path": f"{FOLDER}/next.pem",
}
_VALIDATE = {
    "nginx": "nginx -t",
    "apache": "apache2ctl configtest",
    "haproxy": "haproxy -c -f /etc/haproxy/haproxy.cfg",
    "postfix": "postfix check",
}
SERVICES = tuple(_VALIDATE)
_HELD, _ENDED = "/run/reload-held", "/run/reload-ended"


class FleetRun(t.NamedTuple):
    """What came of a run."""

    code: int
    text: str

    @property
    def words(self) -> str:
        """The text without its line breaks."""
        return " ".join(self.text.split())

    def failure(self, host: str) -> str:
        """What the last task that failed on a host said."""
        (*_earlier, last) = re.findall(rf"^(?:fatal|failed): \[{host}\].*? => (.*)$", self.text, re.MULTILINE)
        return str(json.loads(last)["msg"])

    def result(self, host: str) -> dict[str, t.Any]:
        """What the action returned for a host, the last time that it did."""
        found = re.findall(rf"^(?:ok|changed|fatal): \[{host}\].*? => ({{.+}})$", self.text, re.MULTILINE)
        results = [json.loads(text) for text in found]
        return next(result for result in reversed(results) if "certificates" in result)

    def states(self, host: str) -> dict[str, str]:
        """How each certificate of a host ended."""
        return {one["name"]: one["state"] for one in self.result(host)["certificates"]}

    def recap(self) -> dict[str, dict[str, int]]:
        """The last lines: counts by host."""
        lines = re.findall(r"^(\S+)\s+: (ok=.*)$", self.text, re.MULTILINE)
        return {
            host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in lines
        }


class Stage:
    """A fleet with orders, and runs of the collection's playbooks on it."""

    def __init__(self, fleet: Fleet, simulator: SimulatorProcess, keys: t.Mapping[str, str]) -> None:
        self.fleet = fleet
        self.simulator = simulator
        self.trust = [fleet.initial.root, simulator.root]
        self.keys = keys
        """The private key of each order."""
        self._variables = fleet.directory / "deploy.json"
        self.certificate: dict[str, t.Any] = {
            **_FILES,
            "name": "www",
            "order_number": "{{ fleet_order }}",
            "expected_names": [SERVER_NAME],
            "allow_pending": True,
            "validate": "{{ fleet_validate[fleet_service] }}",
            "services": ["{{ fleet_unit }}"],
            "endpoints": "{{ fleet_endpoints }}",
        }
        self._settings: dict[str, t.Any] = {
            "collectssl_deploy_certificates": [self.certificate],
            "collectssl_deploy_probe_delay": 1,
            "collectssl_deploy_probe_retries": 8,
            "fleet_order": REISSUED,
            "fleet_validate": _VALIDATE,
        }
        self.settings()

    def settings(self, **changed: t.Any) -> None:
        """Change variables of the runs from here on."""
        self._settings.update(changed)
        self._variables.write_text(json.dumps(self._settings))

    def command(self, hosts: t.Sequence[str] = (), *arguments: str, playbook: str = "deploy") -> list[str]:
        """The command line of a run."""
        limit = ["-l", ",".join(hosts)] if hosts else []
        name = f"certfleet.collectssl.{playbook}"
        return ["ansible-playbook", "-v", name, "-e", f"@{self._variables}", *limit, *arguments]

    def run(
        self, hosts: t.Sequence[str] = (), *arguments: str, playbook: str = "deploy", **environment: str
    ) -> FleetRun:
        """Run it to its end."""
        command = self.command(hosts, *arguments, playbook=playbook)
        done = self.fleet.run_in_controller(command, env={**self.simulator.environment, **environment}, timeout=600)
        return FleetRun(done.returncode, done.stdout + done.stderr)

    def start(
        self,
        hosts: t.Sequence[str],
        *arguments: str,
        output: int | t.IO[str] = subprocess.DEVNULL,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Run it, and don't wait; output is a file for what it says."""
        return self.fleet.popen_in_controller(
            self.command(hosts, *arguments),
            env={**self.simulator.environment, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def reissue(self) -> None:
        """From here on the order for the key that all hosts have has another certificate."""
        self.simulator.advance(REISSUED)

    def renew(self, order: str, hosts: t.Sequence[str]) -> None:
        """From here on an order with a key of its own is deployed; the key waits on these hosts."""
        self.settings(fleet_order=order)
        self.put_keys(order, hosts)

    def put_keys(self, order: str, hosts: t.Sequence[str]) -> None:
        """Let the key of an order wait on these hosts."""
        for name in hosts:
            self.fleet.hosts[name].write(_FILES["pending_privatekey_path"], self.keys[order], 0o600)

    def served(self, *hosts: str) -> dict[str, set[str]]:
        """The fingerprints that the endpoints of each host serve."""
        with self.probing(hosts) as prober:
            prober.wait_for(1)
            assert not prober.failures()
            return {host: set(prober.fingerprints(host)) for host in hosts}

    def probing(self, hosts: t.Sequence[str] = (), interval: float = 0.1) -> t.Any:
        """Connect to the hosts (all by default) in a loop, and verify against both roots; see Fleet.probing()."""
        endpoints = [one for name in hosts or self.fleet.hosts for one in self.fleet.hosts[name].endpoints]
        return self.fleet.probing(endpoints, trust=self.trust, interval=interval)

    def state(self, host: str) -> dict[str, str]:
        """All that a run may change on a host: files and hidden files with owner, mode and content."""
        script = f"find {FOLDER} -printf '%p %y %U %G %m\\n'; find {FOLDER} -type f -exec md5sum {{}} +"
        found: dict[str, str] = {}
        for line in self.fleet.hosts[host].run(["sh", "-c", script]).stdout.splitlines():
            path, what = line.split(" ", 1) if line.startswith("/") else line.split(maxsplit=1)[::-1]
            found[path] = f"{found.get(path, path)} {what}"
        return found

    def left(self, host: str) -> list[str]:
        """What a run has left on a host that it keeps there only while it works."""
        script = f"find {FOLDER} -name '.*'; find /tmp -name 'ansible-certfleet-*'"
        return self.fleet.hosts[host].run(["sh", "-c", script], check=False).stdout.splitlines()

    def reloads(self, names: t.Iterable[str]) -> dict[str, int]:
        """How often the service of each host was reloaded."""
        return {name: self.fleet.hosts[name].reloads for name in names}


@contextlib.contextmanager
def stage(fleet: Fleet) -> t.Iterator[Stage]:
    """All hosts as they were at the start, and a simulator with the orders."""
    fleet.reset()
    for host in fleet.hosts.values():
        host.count_reloads()
    keys = {order: private_pem(new_key()) for order in (*RENEWED, *APART.values())}
    forever = [*({"state": "issued", "seconds": 10**6} for _number in range(40)), {"state": "issued"}]
    names = {order: name for name, order in APART.items()}
    orders = []
    for order, key in {REISSUED: fleet.initial.key, **keys}.items():
        file = fleet.directory / f"ordered-{order}.pem"
        file.write_text(public_key(key), encoding="ascii")
        orders.append(
            {
                "order_number": order,
                "account": _ACCOUNT["login_name"],
                "names": [names.get(order, SERVER_NAME)],
                "key": str(file),
                "life": forever,
            }
        )
    pending = {"order_number": PENDING, "account": _ACCOUNT["login_name"], "names": [SERVER_NAME]}
    orders.append({**pending, "key": orders[0]["key"], "life": [{"state": "pending"}]})
    with fleet.simulator({"accounts": [_ACCOUNT], "orders": orders}) as simulator:
        yield Stage(fleet, simulator, keys)


def kill_modules(host: Host) -> None:
    """SIGKILL to everything of Python that runs on a host: the module, and the process of it that does the work."""
    stopped: set[int] = set()
    # All stand still before the first is killed: whoever waits for that one would start another in its place.
    while found := {pid for pid, line in host.processes().items() if _is_python(line)} - stopped:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= found
    for pid in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in stopped:
        assert _processes.wait_gone(pid)


def _is_python(line: str) -> bool:
    return line.split()[0].rpartition("/")[2].startswith("python3")


@contextlib.contextmanager
def held_reload(hosts: t.Sequence[Host]) -> t.Iterator[None]:
    """Within the context, a reload of the service of these hosts never comes to its work, and ends with them killed."""
    # With systemd a reload may go on with another unit when that of the first was killed.
    with contextlib.ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host.replaced_reload(f"[ ! -e {_ENDED} ] || exit 1; echo $$ >>{_HELD}; exec sleep 600"))
            stack.callback(host.run, ["sh", "-c", f"touch {_ENDED}; kill -9 $(cat {_HELD}); rm {_HELD}"])
        yield
    for host in hosts:
        host.run(["rm", _ENDED])


def wait_for_held_reload(host: Host) -> None:
    """Return when somebody has it reload."""
    host.run(["sh", "-c", f"until [ -s {_HELD} ]; do sleep 0.1; done"])
