# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts cost, in what a bare ``ping`` of them costs."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.tests.bench import fleets, plays
from ansible_collections.certfleet.collectssl.tests.bench.conftest import Bench
from ansible_collections.certfleet.collectssl.tests.support.lab import Lab

_WAYS = pytest.mark.parametrize("over_ssh", [False, True], ids=["local", "ssh"])


def _way(over_ssh: bool) -> str:
    missing = fleets.missing(over_ssh)
    if missing:
        pytest.skip(missing)
    return "ssh" if over_ssh else "local"


@_WAYS
def test_one_certificate(lab: Lab, bench: Bench, over_ssh: bool) -> None:
    way = f"{_way(over_ssh)}, {bench.hosts} hosts"
    with fleets.Fleet(lab, bench.hosts, over_ssh=over_ssh) as fleet:
        start_up, ping, by_hand = plays.start_up(fleet), plays.ping(fleet), plays.by_hand(fleet)
        command, certificate = plays.command(fleet), plays.certificate(fleet)
        roles = {included: plays.role(fleet, included) for included in (False, True)}
        fleets.settle(certificate, roles[False])
        by_hand.run(counts=False)
        bench.take_turns([start_up, ping, command, certificate, *roles.values(), by_hand], rarely=[by_hand.name])
    bench.compare(f"{way}: a command that does nothing ÷ ping, which is the floor", command, ping, start_up, None)
    what = "collectssl_certificate, nothing to do ÷ ping"
    bench.compare(f"{way}: {what}", certificate, ping, start_up, 0.40)
    what = "the role, one certificate, one endpoint, nothing to do ÷ ping"
    bench.compare(f"{way}: {what}, under roles:", roles[False], ping, start_up, 0.40)
    bench.compare(f"{way}: {what}, by include_role", roles[True], ping, start_up, 0.50)
    bench.compare(f"{way}: what people do today, nothing to do ÷ ping", by_hand, ping, start_up, None)
    bench.compare(f"{way}: … ÷ the role under roles:", by_hand, roles[False], start_up, None)


@_WAYS
def test_fifty_certificates(lab: Lab, bench: Bench, over_ssh: bool) -> None:
    hosts, sites = min(bench.hosts, 10), 50
    way = f"{_way(over_ssh)}, {hosts} hosts"
    with fleets.Fleet(lab, hosts, sites=sites, over_ssh=over_ssh) as fleet:
        start_up, ping = plays.start_up(fleet), plays.ping(fleet)
        plain, looking = (plays.role(fleet, True, endpoints) for endpoints in (False, True))
        fleets.settle(looking)
        bench.take_turns([start_up, ping, plain, looking])
    what = f"the role by include_role, {sites} certificates"
    bench.compare(f"{way}: {what}, nothing to do ÷ ping", plain, ping, start_up, 0.70)
    bench.compare(f"{way}: {what} and {sites} endpoints, nothing to do ÷ ping", looking, ping, start_up, None)


@_WAYS
def test_a_reissue(lab: Lab, bench: Bench, over_ssh: bool) -> None:
    way = f"{_way(over_ssh)}, {bench.hosts} hosts"
    with fleets.Fleet(lab, bench.hosts, over_ssh=over_ssh, with_services=True) as fleet:
        start_up, ping, role = plays.start_up(fleet), plays.ping(fleet), plays.role(fleet, False)
        fleets.settle(role)
        bench.take_turns([start_up, ping, role], {role.name: fleet.reissue})
    what = "the role, a reissue: switch, validate, reload, look ÷ ping"
    bench.compare(f"{way}: {what}", role, ping, start_up, 2.0)
