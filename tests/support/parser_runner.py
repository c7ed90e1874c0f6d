# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the parser on cases from standard input, under any Python that may import it.

In: a JSON list of ``{"request": {...}}``, what a request is made of, or ``{"request": {...}, "body": base64}``.
Out: a JSON list with what became of each. Written for Python 3.8, without anything that is not in its library.
"""

import base64
import json
import sys

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError, ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import parse


def _outcome(case):  # type: ignore[no-untyped-def]
    try:
        request = CollectRequest(**case["request"])
        if "body" not in case:
            return [request.variables(), request.label(), request.as_record()]
        response = parse(base64.b64decode(case["body"]), "text/plain", request)
    except (OptionError, ProtocolError) as error:
        # What is told of an answer's text ends where Unicode does, which grows with each version of Python.
        return [type(error).__name__, str(error).partition("It begins")[0]]
    certificates = [base64.b64encode(der).decode("ascii") for der in response.certificates]
    container = response.container and [response.container[0], base64.b64encode(response.container[1]).decode("ascii")]
    return [response.order(request), response.error_item, certificates, container]


def outcomes(cases):  # type: ignore[no-untyped-def]
    """What becomes of each case, as plain values that JSON leaves as they are."""
    return json.loads(json.dumps([_outcome(case) for case in cases]))


if __name__ == "__main__":
    json.dump(outcomes(json.load(sys.stdin)), sys.stdout)
