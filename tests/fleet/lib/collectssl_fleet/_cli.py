# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: python3 tests/fleet COMMAND."""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import signal
import sys
import time
import typing as t

from . import _directory, _namespaces, _processes
from ._errors import CannotRun, FleetError
from ._fleet import Fleet
from ._places import FLEET
from ._plan import MOST_HOSTS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet", description="A fleet of hosts on this machine; README.md has more.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--directory", type=pathlib.Path, default=_directory.DEFAULT, help="of the fleet (default: %(default)s)"
        )
        return command

    up = add("up", "bring a fleet up")
    up.add_argument("--hosts", type=int, default=24, help=f"how many, up to {MOST_HOSTS} (default: %(default)s)")
    up.add_argument("--wait", action="store_true", help="stay until Ctrl-C, and take it down then")
    down = add("down", "take a fleet down, whatever is left of it")
    down.add_argument("--all", action="store_true", help="every fleet on this machine, running or left behind")
    add("status", "tell which hosts there are and which run")
    run = add("exec-controller", "run a command in the controller namespace")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD", help="the command")
    inside = add("host", "run a command as root in a host")
    inside.add_argument("name", help="of the host")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD", help="the command (default: a shell)")
    add("kill", "let a host go away").add_argument("name", help="of the host")
    add("restore", "let a host come back").add_argument("name", help="of the host")
    add("reset", "put every host back to what it was at the start")
    return parser


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 where this machine can't, 1 where something failed."""
    options = _parser().parse_args(arguments)
    try:
        return _COMMANDS[options.command](options)
    except CannotRun as exc:
        print(exc, file=sys.stderr)
        return 2
    except (FleetError, ValueError) as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _say(text: str) -> None:
    print(text, flush=True)


def _up(options: argparse.Namespace) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    fleet = Fleet(options.directory, options.hosts, _say)
    started = time.monotonic()
    fleet.up(owned=options.wait)
    _say(f"{len(fleet.hosts)} hosts are up after {time.monotonic() - started:.1f} s.")
    _say(_help(fleet, options.directory, options.wait))
    if options.wait:
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        fleet.down()
        _say("\nThe fleet is down.")
    return 0


def _help(fleet: Fleet, directory: pathlib.Path, wait: bool) -> str:
    tool = f"{sys.executable} {FLEET}"
    place = "" if directory == _directory.DEFAULT else f" --directory {directory}"
    first = next(iter(fleet.hosts.values()))
    endpoint = first.endpoints[0]
    client = f"openssl s_client -connect {endpoint.host}:{endpoint.port} -servername www.fleet.test"
    client += f" -CAfile {fleet.initial.root_path} -brief"
    end = "Ctrl-C ends it." if wait else f"To end it:\n  {tool} down{place}"
    return f"""
In another terminal, as root:

  # every host over ssh, and what runs where
  {tool} exec-controller{place} ansible all -m ansible.builtin.ping
  {tool} exec-controller{place} ansible-inventory --graph

  # what a host serves; a shell on it
  {tool} exec-controller{place} {client}
  {tool} host{place} {first.name}

  # a host goes away, comes back, and all are put back to the start
  {tool} kill{place} {first.name}
  {tool} restore{place} {first.name}
  {tool} reset{place}

{end}"""


def _down(options: argparse.Namespace) -> int:
    directories = _directory.everywhere() if options.all else [options.directory.resolve()]
    ended = [directory for directory in directories if _directory.end(directory)]
    for directory in ended:
        _say(f"The fleet in {directory} is down.")
    if not ended:
        _say("There is no fleet.")
    return 0


def _status(options: argparse.Namespace) -> int:
    fleet = Fleet.attach(options.directory)
    running = _processes.of(fleet.directory)
    for host in fleet.hosts.values():
        ports = ", ".join(str(endpoint.port) for endpoint in host.endpoints)
        state = "up" if host.name in running else "gone"
        _say(f"{host.name:<12}{state:<6}{host.release:<10}{host.address:<14}{host.service} on {ports}")
    for release, reason in fleet.missing.items():
        _say(f"{release} is left out: {reason}")
    return 0


def _exec_controller(options: argparse.Namespace) -> int:
    fleet = Fleet.attach(options.directory)
    command = fleet.controller_command(options.words or [os.environ.get("SHELL", "/bin/sh")], pathlib.Path.cwd())
    surrounding = {name: value for name, value in os.environ.items() if name.startswith("COLLECTSSL_")}
    os.execvpe(command[0], command, {**fleet.controller_environment(), **surrounding})  # noqa: S606 - no shell wanted


def _host(options: argparse.Namespace) -> int:
    fleet = Fleet.attach(options.directory)
    init = fleet.init_of(_known(fleet, options.name))
    if init is None:
        raise FleetError(f"{options.name} is not running.")
    command = _namespaces.in_host(init, options.words or ["bash"])
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


def _kill(options: argparse.Namespace) -> int:
    fleet = Fleet.attach(options.directory)
    fleet.hosts[_known(fleet, options.name)].kill()
    return 0


def _restore(options: argparse.Namespace) -> int:
    fleet = Fleet.attach(options.directory)
    fleet.hosts[_known(fleet, options.name)].start()
    fleet.wait_until_ready([options.name])
    return 0


def _reset(options: argparse.Namespace) -> int:
    Fleet.attach(options.directory).reset()
    return 0


def _known(fleet: Fleet, name: str) -> str:
    if name not in fleet.hosts:
        raise FleetError(f"No host is called {name}; there are {', '.join(fleet.hosts)}.")
    return name


_COMMANDS: dict[str, t.Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "exec-controller": _exec_controller,
    "host": _host,
    "kill": _kill,
    "restore": _restore,
    "reset": _reset,
}
