# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host costs, counted: commands and modules. Everything that ``make bench`` times is run here once, in small."""

from __future__ import annotations

import pytest
from ansible_collections.certfleet.collectssl.tests.bench import asking, counting, fleets, looking, plays
from ansible_collections.certfleet.collectssl.tests.bench.counting import Sent
from ansible_collections.certfleet.collectssl.tests.bench.fleets import Contender, Fleet
from ansible_collections.certfleet.collectssl.tests.support.lab import INFO, Lab

_NOTHING_TO_DO, _ONE_CHANGE, _ONE_MORE = Sent(1, 0), Sent(1, 1), Sent(1, 2)
# With an order that is pending, no one command could see that there is nothing to do.
_WHILE_WAITING = Sent(0, 2)

_WAYS = pytest.mark.parametrize("over_ssh", [False, True], ids=["local", "ssh"])


def _fleet(lab: Lab, hosts: int = 1, sites: int = 1, over_ssh: bool = False, with_services: bool = False) -> Fleet:
    missing = fleets.missing(over_ssh)
    if missing:
        pytest.skip(missing)
    return Fleet(lab, hosts, sites, over_ssh, with_services)


def _costs(contender: Contender, expected: Sent) -> None:
    output = contender.run("-vvv")
    assert counting.sent(output) == dict.fromkeys(contender.fleet.names, expected), output[-6000:]


def test_nothing_to_do_is_one_command_however_many_certificates(lab: Lab) -> None:
    with _fleet(lab, sites=3) as fleet:
        certificate, role = plays.certificate(fleet), plays.role(fleet, included=False)
        fleets.settle(certificate, role)
        for contender in (certificate, role, plays.role(fleet, included=True, endpoints=False)):
            _costs(contender, _NOTHING_TO_DO)
        assert all(seen.fingerprint for seen in looking.looked_at(list(fleet.service.ports.values())))


@_WAYS
def test_a_change_is_one_module_more(lab: Lab, over_ssh: bool) -> None:
    """However many steps it takes: compare, switch, validate, reload, look."""
    with _fleet(lab, hosts=2, over_ssh=over_ssh, with_services=True) as fleet:
        role = plays.role(fleet, included=True)
        fleets.settle(role)
        reloads = fleet.service.reloads
        fleet.reissue()
        _costs(role, _ONE_CHANGE)
        assert fleet.service.reloads == reloads + len(fleet.names)
        _costs(plays.certificate(fleet), _ONE_CHANGE)


def test_a_look_from_the_controller_is_one_module_more(lab: Lab) -> None:
    with _fleet(lab, with_services=True) as fleet:
        role = plays.role(fleet, included=False, probe_from="controller")
        fleets.settle(role)
        _costs(role, _NOTHING_TO_DO)
        fleet.reissue()
        _costs(role, _ONE_MORE)


def test_an_order_that_comes_while_waiting_is_one_module_more(lab: Lab) -> None:
    """What is issued is brought in at once, and all that is waited for together."""
    with _fleet(lab, sites=3) as fleet:
        for site in fleet.sites[1:]:
            fleet.reissue_after(site, seconds=2)
        _costs(plays.role(fleet, included=False, endpoints=False, wait_timeout=60, poll_interval=1), _WHILE_WAITING)


def test_what_it_is_compared_with_works(lab: Lab) -> None:
    """What people do without the collection, a bare module, and the loop over one connection."""
    with _fleet(lab) as fleet:
        start_up, by_hand = plays.start_up(fleet), plays.by_hand(fleet)
        start_up.run()
        assert "changed=4 " in by_hand.run()
        _costs(plays.ping(fleet), Sent(0, 1))
        order = fleet.orders[fleet.sites[0]]
        info = fleet.contender("statuses", [{"tasks": [{INFO: {"order_numbers": [order] * 3}}]}])
        assert "ok=1 " in info.run()
        assert len(asking.statuses(lab.simulator.environment, int(order), 1)) == 1
        costs = [*start_up.costs, *by_hand.costs, *info.costs]
        assert all(cost.seconds > 0 and cost.processors > 0 and cost.memory > 0 for cost in costs)
