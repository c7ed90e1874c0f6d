# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments that are held at one of their steps, until a test lets them go on."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_deploying import FOLDER
from ansible_collections.certfleet.collectssl.tests.fleet.lib.collectssl_fleet import FleetError, Host, Trap
from ansible_collections.certfleet.collectssl.tests.support import places

STEPS = ("run_before", "switch", "validate", "reload", "look", "back", "run_after")
"""At ``switch`` some of the files are new; at ``look`` the service has not read them yet; at ``back`` the old ones are
there again, and the service has not been told."""

SCRIPT = places.COLLECTION / "tests/support/gate.sh"
PROGRAM, PLACE, AFTER = "/usr/local/sbin/gate", "/run/gate", "/var/log/after"


def commands(validate: str, reload: str, program: str = f"{PROGRAM} {PLACE}", after: str = AFTER) -> dict[str, t.Any]:
    """What a certificate is deployed with so that it can be held; ``reload`` is for its service."""
    noted = f"sh -c 'echo $CERTFLEET_FINGERPRINT >{after}'"
    return {
        "run_before": [f"{program} run_before true"],
        "validate": f"{program} validate {validate}",
        "reload": f"{program} reload {reload}",
        "run_after": [f"{program} run_after {noted}"],
    }


class Gate:
    """Holds a deployment on a host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._trap = Trap(host, FOLDER)

    def close(self, step: str) -> None:
        """From here on, what comes to this step is held there."""
        self.open_for_good()
        self.host.write(PROGRAM, SCRIPT.read_text(encoding="utf-8"), 0o755)
        self.host.run(["sh", "-c", f"mkdir -p {PLACE}; rm -f {AFTER}"])
        if step == "switch":
            self._trap.hold_before(f"{FOLDER}/fullchain.pem")
        else:
            self.host.write(f"{PLACE}/stop", step)

    def wait_until_reached(self, timeout: float = 120) -> None:
        """Return when something is held; raises FleetError where nothing is in time."""
        until = time.monotonic() + timeout
        while self.host.run(["sh", "-c", f"cat {PLACE}/reached"], check=False).returncode and not self._trap.reached:
            if time.monotonic() > until:
                raise FleetError(f"{self.host.name}: nothing came to the gate.")
            time.sleep(0.1)

    def let_go(self) -> None:
        """Let it go on."""
        self.host.run(["sh", "-c", f"touch {PLACE}/go; [ ! -d /run/collectssl-trap ] || touch /run/collectssl-trap/go"])

    def kill(self) -> None:
        """SIGKILL to what is held."""
        self.host.run(["pkill", "-9", "-f", PROGRAM], check=False)

    def open_for_good(self) -> None:
        """Hold nothing any more."""
        self.host.run(["rm", "-rf", PLACE])
        self._trap.disarm()

    def wait_until_over(self) -> None:
        """Return when no module is at work on the host."""
        self.host.run(["sh", "-c", "while pgrep -x 'python3(\\.[0-9]*)?' >/dev/null; do sleep 0.1; done"], timeout=300)

    @property
    def after(self) -> str:
        """The fingerprint that the last ``run_after`` was told; empty where none ran."""
        return self.host.run(["cat", AFTER], check=False).stdout.strip()
