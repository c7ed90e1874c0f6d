# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the fleet: names, addresses, services and releases. Pure; everything else is made from it."""

from __future__ import annotations

import typing as t

DOMAIN = "fleet.test"
RELEASES = ("bullseye", "bookworm", "trixie")
SERVICES = ("nginx", "apache", "haproxy", "postfix")
UNITS = {"nginx": "nginx", "apache": "apache2", "haproxy": "haproxy", "postfix": "postfix"}
"""What the init script of each service is called."""

MOST_HOSTS = 200
PREFIX, PREFIX6 = 16, 64
CONTROLLER, CONTROLLER6 = "10.77.0.1", "fd77::1"


class Endpoint(t.NamedTuple):
    """A port that speaks TLS, at once or after STARTTLS (starttls is smtp, or None)."""

    host: str
    port: int
    starttls: str | None = None


class Plan(t.NamedTuple):
    """A host to be."""

    number: int
    """Counts from 1 through the fleet."""
    name: str
    service: str
    release: str
    systemd: bool
    """Whether systemd runs it, and not init scripts alone."""

    @property
    def fqdn(self) -> str:
        """Its name for TLS."""
        return f"{self.name}.{DOMAIN}"

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return f"10.77.1.{self.number}"

    @property
    def address6(self) -> str:
        """Its IPv6 address."""
        return f"fd77::1:{self.number:x}"

    @property
    def mac(self) -> str:
        """The hardware address of its network card."""
        return f"02:77:00:00:00:{self.number:02x}"

    @property
    def unit(self) -> str:
        """What `service UNIT reload` takes, with systemd and without."""
        return UNITS[self.service]

    @property
    def link(self) -> str:
        """The name of the network interface at the controller's end."""
        return f"host{self.number}"

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where it speaks TLS."""
        if self.service == "postfix":
            return [Endpoint(self.name, 25, "smtp"), Endpoint(self.name, 587, "smtp")]
        return [Endpoint(self.name, 443)]


def plan(count: int, releases: t.Sequence[str], systemd: bool) -> list[Plan]:
    """Spread services and releases evenly over so many hosts: each service gets every release in turn.

    Where there can be hosts with systemd, every second service has it, until all releases have had their turn; then
    the others have it.
    """
    if not 1 <= count <= MOST_HOSTS:
        raise ValueError(f"A fleet has from 1 to {MOST_HOSTS} hosts, not {count}.")
    plans = []
    for index in range(count):
        lap, position = divmod(index, len(SERVICES))
        service = SERVICES[position]
        with_systemd = systemd and (lap // len(releases) + position) % 2 == 1
        plans.append(Plan(index + 1, f"{service}{lap + 1}", service, releases[lap % len(releases)], with_systemd))
    return plans
