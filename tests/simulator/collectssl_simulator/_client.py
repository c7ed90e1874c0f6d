# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control commands: a small client of the control interface for shells and people."""

from __future__ import annotations

import argparse
import http.client
import json
import pathlib
import ssl
import sys
import time
import typing as t
import urllib.parse

import yaml

from ._files import READY_FILE


class ClientError(Exception):
    """A command failed; the text is one sentence."""


def ask(directory: pathlib.Path, method: str, name: str, value: t.Mapping[str, t.Any] | None = None) -> t.Any:
    """Ask the simulator of a directory METHOD /control/NAME and return its answer; raises ClientError."""
    ready = _ready(directory)
    url = urllib.parse.urlsplit(ready["control_url"])
    context = ssl.create_default_context(cafile=ready["ca_path"])
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, timeout=30, context=context)
    try:
        body = None if value is None else json.dumps(value)
        connection.request(method, f"{url.path}/{name}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise ClientError(f"The simulator of {directory} does not answer: {exc}.") from None
    finally:
        connection.close()
    if response.status != 200:
        raise ClientError(str(answer.get("error", f"HTTP status {response.status}.")))
    return answer


def _ready(directory: pathlib.Path) -> dict[str, t.Any]:
    path = directory / READY_FILE
    try:
        return t.cast(dict[str, t.Any], json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise ClientError(f"No simulator is running on the directory {directory} (there is no {READY_FILE}).") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulator control", description="Look at and change a running simulator. Answers are JSON."
    )
    parser.add_argument("directory", type=pathlib.Path, help="the directory that the simulator was started with")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wait = commands.add_parser("wait", help="wait until the simulator answers")
    wait.add_argument("--seconds", type=float, default=30.0, help="how long to wait (default: %(default)s)")
    commands.add_parser("status", help="orders, calls, peak in flight, faults")
    commands.add_parser("calls", help="every call since the last reset")
    commands.add_parser("faults", help="the faults there are, with their parameters")
    reset = commands.add_parser("reset", help="forget the calls and their counts")
    reset.add_argument("--lives", action="store_true", help="also put every order back to its first phase")
    reset.add_argument("--faults", action="store_true", help="also clear the posted faults and the delay")
    advance = commands.add_parser("advance", help="move an order to the next phase of its life")
    advance.add_argument("order_number")
    orders = commands.add_parser("orders", help="add or replace orders from a file like the orders file")
    orders.add_argument("file", type=pathlib.Path)
    fault = commands.add_parser("fault", help="misbehave: NAME of a fault, or 'clear'")
    fault.add_argument("name", metavar="NAME")
    fault.add_argument("--order", help="only calls about this order (default: any call)")
    fault.add_argument("--calls", type=int, help="for so many calls (default: until cleared)")
    fault.add_argument("--set", action="append", default=[], metavar="PARAMETER=VALUE", help="a parameter of the fault")
    delay = commands.add_parser("delay", help="take so many seconds longer over each answer")
    delay.add_argument("seconds", type=float)
    plain = commands.add_parser("ask", help="what a program asks: GET /control/NAME, or POST it a value")
    plain.add_argument("name", metavar="NAME")
    plain.add_argument("value", metavar="VALUE", nargs="?", type=json.loads, help="a JSON object")
    return parser


def main(arguments: t.Sequence[str]) -> int:
    """Run one control command and print its answer; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = _run(options)
    except ClientError as exc:
        print(exc, file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def _run(options: argparse.Namespace) -> t.Any:
    directory: pathlib.Path = options.directory
    if options.command == "wait":
        return _wait(directory, options.seconds)
    if options.command == "ask":
        return ask(directory, "GET" if options.value is None else "POST", options.name, options.value)
    if options.command in ("status", "calls", "faults"):
        return ask(directory, "GET", options.command)
    if options.command == "reset":
        return ask(directory, "POST", "reset", {"restart_lives": options.lives, "clear_faults": options.faults})
    if options.command == "advance":
        return ask(directory, "POST", "advance", {"order_number": options.order_number})
    if options.command == "orders":
        return ask(directory, "POST", "orders", _orders_of(options.file))
    if options.command == "delay":
        return ask(directory, "POST", "delay", {"seconds": options.seconds})
    if options.name == "clear":
        return ask(directory, "POST", "faults", {"clear": True})
    value = {"fault": options.name, "order_number": options.order, "calls": options.calls}
    value.update(_parameter(text) for text in options.set)
    return ask(directory, "POST", "faults", value)


def _parameter(text: str) -> tuple[str, t.Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ClientError(f"--set takes PARAMETER=VALUE, not '{text}'.")
    return name, yaml.safe_load(value)


def _wait(directory: pathlib.Path, seconds: float) -> t.Any:
    end = time.monotonic() + seconds
    while True:
        try:
            ask(directory, "GET", "status")
            return _ready(directory)
        except ClientError:
            if time.monotonic() >= end:
                raise
        time.sleep(0.05)


def _orders_of(path: pathlib.Path) -> dict[str, t.Any]:
    """Return the content of an orders file with the paths of keys made absolute: they are relative to that file."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ClientError(f"Can't read {path}: {exc.strerror}.") from None
    except (yaml.YAMLError, ValueError) as exc:
        raise ClientError(f"{path} is not YAML: {' '.join(str(exc).split())}.") from None
    base = path.resolve().parent

    def absolute(item: t.Any) -> t.Any:
        if isinstance(item, dict) and isinstance(item.get("key"), str) and item["key"] != "generate":
            item["key"] = str(base / pathlib.Path(item["key"]).expanduser())
        return item

    if not isinstance(value, dict):
        raise ClientError(f"{path} must hold a mapping with 'orders'.")
    for order in value.get("orders") or []:
        absolute(order)
        for phase in (order.get("life") or []) if isinstance(order, dict) else []:
            absolute(phase)
    return json.loads(json.dumps(value, default=str))
