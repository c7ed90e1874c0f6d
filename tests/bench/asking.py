# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the provider without the collection, as anybody can: one session of requests, which keeps its connection.

As a program it asks about the status of so many orders, and reads nothing of what comes:

    python asking.py FIRST_ORDER_NUMBER COUNT

Whom it asks, and as whom, is in the environment, where the collection has it, too.
"""

from __future__ import annotations

import os
import re
import sys
import typing as t

import requests

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\s*", re.DOTALL)

#: All that a status can tell.
_STATUS = {
    "queryType": "0",
    "responseType": "3",
    "responseFormat": "1",
    **dict.fromkeys(("showValidityPeriod", "showFQDN", "showExtStatus", "showMDCDomainDetails"), "Y"),
    **dict.fromkeys(("showMDCDomainDetails2", "showStatusDetails"), "Y"),
}

#: Certificate and chain, a line of status before them.
CHAIN = {"queryType": "1", "responseType": "3", "responseFormat": "0"}


def chain(environment: t.Mapping[str, str], order: str) -> str:
    """The certificate of an order and what comes above it, in server order, which is not the one in which it comes."""
    found = _CERTIFICATE.findall(_post(requests.Session(), environment, {**CHAIN, "orderNumber": order}))
    return "".join(reversed(found))


def _post(session: requests.Session, environment: t.Mapping[str, str], form: t.Mapping[str, str]) -> str:
    account = {f"login{name}": environment[f"COLLECTSSL_LOGIN_{name.upper()}"] for name in ("Name", "Password")}
    answer = session.post(
        environment["COLLECTSSL_API_URL"],
        {**account, **form},
        verify=environment["COLLECTSSL_CA_PATH"],
        timeout=30,
    )
    answer.raise_for_status()
    return answer.text


def statuses(environment: t.Mapping[str, str], first: int, count: int) -> list[str]:
    """What the provider says of so many orders, from a number on."""
    with requests.Session() as session:
        return [
            _post(session, environment, {**_STATUS, "orderNumber": str(number)})
            for number in range(first, first + count)
        ]


if __name__ == "__main__":
    statuses(os.environ, int(sys.argv[1]), int(sys.argv[2]))
