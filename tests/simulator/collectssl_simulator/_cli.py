# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
import threading
import typing as t

from . import _client


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


_port.__name__ = "port"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator",
        description="A CollectSSL and CollectCCC service on this machine, for rehearsals and tests.",
        epilog="'simulator control DIRECTORY COMMAND' looks at and changes a running simulator; see its --help.",
    )
    parser.add_argument("--orders", type=pathlib.Path, required=True, help="YAML file with accounts and orders")
    parser.add_argument(
        "--directory",
        type=pathlib.Path,
        required=True,
        help="where authorities, keys, the record of calls and simulator.json go",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to bind (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="port for https; 0 takes a free one (default)")
    parser.add_argument("--http-port", type=_port, help="also serve plain http, which answers -1 to every call")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every answer takes longer")
    parser.add_argument("--log", action="store_true", help="print a line for every call")
    return parser


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run the simulator until SIGTERM or SIGINT, or one control command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["control"]:
        return _client.main(given[1:])
    options = _parser().parse_args(given)
    # Here and not above: a control command does without them, and starts in a fraction of the time.
    from ._simulator import SetupError, Simulator

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        simulator = Simulator(
            options.orders,
            options.directory,
            options.host,
            options.port,
            options.http_port,
            options.delay,
            (lambda line: print(line, flush=True)) if options.log else None,
        )
        simulator.start()
    except SetupError as exc:
        print(exc, file=sys.stderr)
        return 2
    print(f"CollectSSL simulator: {simulator.ready['api_url_ssl']}", flush=True)
    print(f"trust anchor of its TLS: {simulator.ready['ca_path']}", flush=True)
    stop.wait()
    simulator.stop()
    return 0
