# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as metrics for Prometheus, in its text format.

Names and labels are kept, since alarms and dashboards of others name them.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import math
import typing as t

from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import moment

Row = t.Mapping[str, t.Any]
_Sample = tuple[dict[str, t.Any], float]

# What an endpoint has that is neither right nor wrong: no comparison with it is true.
_UNDETERMINED = float("nan")

_CERTIFICATE = ("host", "certificate")
_ENDPOINT = ("host", "certificate", "address", "port", "server_name", "starttls", "connect_from")
_ORDER = ("identifier", "number")

_HELP = {
    "certfleet_report_timestamp_seconds": "When the report was made, in seconds since the epoch.",
    "certfleet_host_reachable": "Whether a host could be reached: 1 or 0.",
    "certfleet_certificate_not_after_timestamp_seconds": "When the certificate that is installed on a host expires.",
    "certfleet_certificate_state": "1 for the state of a certificate on a host, which is a label.",
    "certfleet_certificate_held": "Whether a run that did not end left the old files of a certificate: 1 or 0.",
    "certfleet_endpoint_not_after_timestamp_seconds": "When the certificate that an endpoint serves expires.",
    "certfleet_endpoint_serves": "Whether an endpoint serves its certificate: 1 or 0, NaN if that is undetermined.",
    "certfleet_endpoint_seen_timestamp_seconds": "When an endpoint that showed a certificate was looked at.",
    "certfleet_order_not_after_timestamp_seconds": "When the certificate of an order expires.",
    "certfleet_order_state": "1 for the state of an order, which is a label.",
}


def metrics(report: t.Mapping[str, t.Any]) -> str:
    """The text of a file for the exporter of node metrics."""
    seen_at = _seconds(report["now"])
    down = [row["host"] for row in report["hosts"]]
    hosts = dict.fromkeys([*down, *(row["host"] for row in report["certificates"])])
    answered = [row for row in report["endpoints"] if row["served"] is not None]
    found: dict[str, list[_Sample]] = {
        "certfleet_report_timestamp_seconds": [({}, seen_at)],
        "certfleet_host_reachable": [({"host": host}, float(host not in down)) for host in hosts],
        "certfleet_certificate_not_after_timestamp_seconds": _ends(report["certificates"], _CERTIFICATE),
        "certfleet_certificate_state": _states(report["certificates"], _CERTIFICATE),
        "certfleet_certificate_held": [(_of(row, _CERTIFICATE), float(row["held"])) for row in report["certificates"]],
        "certfleet_endpoint_not_after_timestamp_seconds": _ends(report["endpoints"], _ENDPOINT),
        "certfleet_endpoint_serves": [(_of(row, _ENDPOINT), _serves(row, down)) for row in report["endpoints"]],
        "certfleet_endpoint_seen_timestamp_seconds": [(_of(row, _ENDPOINT), seen_at) for row in answered],
        "certfleet_order_not_after_timestamp_seconds": _ends(report["orders"], _ORDER),
        "certfleet_order_state": _states(report["orders"], _ORDER),
    }
    return "".join(line for name, samples in found.items() if samples for line in _lines(name, samples))


def _of(row: Row, names: t.Sequence[str]) -> dict[str, t.Any]:
    return {name: row[name] for name in names}


def _ends(rows: t.Iterable[Row], names: t.Sequence[str]) -> list[_Sample]:
    return [(_of(row, names), _seconds(row["not_after"])) for row in rows if row["not_after"]]


def _states(rows: t.Iterable[Row], names: t.Sequence[str]) -> list[_Sample]:
    return [({**_of(row, names), "state": row["state"]}, 1.0) for row in rows]


def _serves(row: Row, down: t.Container[str]) -> float:
    # Of a host that is down, it is not known what an endpoint has to serve.
    unknown = row["serves"] is None or (row["host"] in down and row["served"] is not None)
    return _UNDETERMINED if unknown else float(bool(row["serves"]))


def _seconds(text: str) -> float:
    return moment(text).timestamp()


def _lines(name: str, samples: t.Iterable[_Sample]) -> t.Iterator[str]:
    yield f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        said = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{f'{{{said}}}' if said else ''} {'NaN' if math.isnan(value) else format(value, '.0f')}\n"


def _escaped(value: t.Any) -> str:
    text = "" if value is None else str(value)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
