# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services, as the host's own manager has them: whether one runs, and how it takes new files.

What managers say is not believed without need: init scripts call a service running that has died, by the number of a
process that is somebody else's by now, and would send that one a signal. So a service runs where its manager says so
*and* a process of it is there, wherever that can be seen.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import glob
import os
import re
import sys
from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._commands import Ended
from ansible_collections.certfleet.collectssl.plugins.module_utils._deploy.engine import LEFT_STOPPED
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError

#: What a service may be called: no path, and nothing that a manager takes for an option.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9@._:+\\-]*\Z")

#: What processes are called whose service has another name.
_CALLED = {
    "apache2": ("apache2", "httpd"),
    "httpd": ("httpd", "apache2"),
    "postfix": ("master",),
    "ssh": ("sshd",),
    "openldap": ("slapd",),
    "mariadb": ("mariadbd", "mysqld"),
    "mysql": ("mysqld", "mariadbd"),
    "postgresql": ("postgres", "postmaster"),
    "cyrus-imapd": ("cyrmaster", "master"),
    "exim4": ("exim4", "exim"),
}

#: As much of the name of a program as the kernel keeps.
_COMM = 15

#: By how much the beginning of a process may seem later than it was (seconds).
_ROUNDED = 2.0

#: Runs a command, in words.
Runner = Callable[[List[str]], Ended]


#: What has been done to a service that did not run and was meant to, as results say it.
STARTED = "started"


class Service(NamedTuple):
    """A service and how it takes new files: ``restarted``, or else reloaded; or by a command, in words."""

    name: str
    restarted: bool = False
    command: Optional[List[str]] = None

    @property
    def verb(self) -> str:
        """What is done to it."""
        return "restart" if self.restarted else "reload"

    @property
    def done(self) -> str:
        """What has been done to it, as results say it."""
        if self.command is not None:
            return "command"
        return "restarted" if self.restarted else "reloaded"


class Manager:
    """What starts and stops the services of this host; ``run`` runs a command."""

    #: What it is called in messages.
    title: str

    def __init__(self, run: Runner, root: str) -> None:
        self._run = run
        self._root = root

    def knows(self, name: str) -> bool:
        """Whether there is a service of that name."""
        raise NotImplementedError

    def runs(self, name: str) -> bool:
        """Whether it runs."""
        raise NotImplementedError

    def is_missed(self, name: str) -> bool:
        """Whether one that does not run is meant to: it failed, or it is one that starts with the host."""
        raise NotImplementedError

    def command(self, name: str, verb: str) -> List[str]:
        """What makes it ``reload`` or ``restart``."""
        raise NotImplementedError

    def _path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def _succeeds(self, *command: str) -> bool:
        return self._run(list(command)).well


class Systemd(Manager):
    """systemd, where the host was booted with it."""

    title = "systemd"

    def _shown(self, name: str) -> Dict[str, str]:
        ended = self._run(["systemctl", "show", "--property=LoadState,ActiveState,CanReload", "--", name])
        lines = (line.partition("=") for line in ended.stdout.splitlines())
        return {key: value for key, dummy, value in lines}

    def knows(self, name: str) -> bool:
        return self._shown(name).get("LoadState") in ("loaded", "merged")

    def runs(self, name: str) -> bool:
        return self._shown(name).get("ActiveState") in ("active", "reloading", "refreshing")

    def is_missed(self, name: str) -> bool:
        return self._shown(name).get("ActiveState") == "failed"

    def command(self, name: str, verb: str) -> List[str]:
        if verb == "reload" and self._shown(name).get("CanReload") == "no":
            raise InstallError(
                f"The service {name} knows no reload. Give services: {{{name}: {{state: restarted}}}}, or a command "
                "that makes it read its files again."
            )
        return ["systemctl", verb, "--", name]


class _Scripted(Manager):
    """Managers whose services are scripts in a folder, and whose answers say nothing of which process was meant."""

    folders: Tuple[str, ...] = ()

    #: Where the ones are found that start with the host; {} stands for the name.
    starting = ""

    def is_missed(self, name: str) -> bool:
        return any(glob.iglob(self._path(self.starting.format(glob.escape(name)))))

    def knows(self, name: str) -> bool:
        return any(os.access(self._path(os.path.join(folder, name)), os.X_OK) for folder in self.folders)

    def runs(self, name: str) -> bool:
        return self._succeeds(*self.command(name, "status")) and self._is_seen(name)

    def _is_seen(self, name: str) -> bool:
        """Whether a process of the service is there; where nothing can be seen of it, the manager is believed."""
        found = self._numbers(name)
        if found:
            return any(self._is_called(number, name) or self._is_older(number, at, name) for number, at in found)
        if name not in _CALLED or not os.path.isdir(self._path("/proc/self")):
            return True
        everything = [entry for entry in os.listdir(self._path("/proc")) if entry.isdigit()]
        return any(self._is_called(int(number), name) for number in everything)

    def _numbers(self, name: str) -> List[Tuple[int, float]]:
        """The processes that the files of the service speak of, and when each file was written."""
        program = _CALLED.get(name, (name,))[0]
        patterns = [f"/run/{one}{rest}" for one in dict.fromkeys((name, program)) for rest in (".pid", "/*.pid")]
        patterns += [f"/var/spool/{name}/pid/{program}.pid"]
        numbers = []
        for pattern in patterns:
            for path in glob.glob(self._path(pattern)):
                with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
                    numbers.append((int(file.read(32)), os.fstat(file.fileno()).st_mtime))
        return numbers

    def _is_called(self, number: int, name: str) -> bool:
        try:
            with open(self._path(f"/proc/{number}/comm"), "rb") as file:
                comm = file.read(64).decode("utf-8", "replace").rstrip("\n")
        except OSError:
            # Without such a file it can only be said whether there is a process.
            return not os.path.isdir(self._path("/proc/self")) and _exists(number)
        return any(comm == called[:_COMM] for called in _CALLED.get(name, (name,)))

    def _is_older(self, number: int, at: float, name: str) -> bool:
        """Whether a process, of which nobody knows what it would be called, is older than the file that speaks of it.

        One that has taken the number of another, which has died, is younger.
        """
        if name in _CALLED:
            return False
        try:
            with open(self._path(f"/proc/{number}/stat"), "rb") as file:
                # Behind its name, in which there may be anything.
                ticks = int(file.read(4096).rpartition(b")")[2].split()[19])
            with open(self._path("/proc/stat"), "rb") as file:
                booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
        except (OSError, ValueError, IndexError, StopIteration):
            return False
        return booted + ticks / os.sysconf("SC_CLK_TCK") <= at + _ROUNDED


def _exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


class SysV(_Scripted):
    """Init scripts."""

    title = "the init scripts"
    folders = ("/etc/init.d",)
    starting = "/etc/rc[2-5].d/S[0-9][0-9]{}"

    def command(self, name: str, verb: str) -> List[str]:
        return ["service", name, verb]


class OpenRC(_Scripted):
    """OpenRC."""

    title = "OpenRC"
    folders = ("/etc/init.d",)
    starting = "/etc/runlevels/*/{}"

    def command(self, name: str, verb: str) -> List[str]:
        return ["rc-service", name, verb]


class BSD(_Scripted):
    """The rc scripts of the BSDs."""

    title = "the rc scripts"
    folders = ("/etc/rc.d", "/usr/local/etc/rc.d")

    def is_missed(self, name: str) -> bool:
        return self._succeeds("service", name, "enabled")

    def command(self, name: str, verb: str) -> List[str]:
        return ["service", name, verb]


def manager(run: Runner, root: str = "/", platform: str = sys.platform) -> Manager:
    """The manager of this host; ``root`` and ``platform`` are for tests."""
    if os.path.isdir(os.path.join(root, "run/systemd/system")):
        return Systemd(run, root)
    if any(os.path.exists(os.path.join(root, path)) for path in ("run/openrc", "sbin/openrc-run")):
        return OpenRC(run, root)
    if "bsd" in platform or platform.startswith("dragonfly"):
        return BSD(run, root)
    return SysV(run, root)


def require_name(name: str) -> None:
    """Raise ``InstallError`` for what no service is called."""
    if not _NAME.match(name):
        raise InstallError(f"services: {name!r} is not the name of a service.")


def foresee(service: Service, host: Manager, ran: bool = False) -> str:
    """What ``take_new_files`` would do; nothing is done."""
    require_name(service.name)
    if not host.knows(service.name) or host.runs(service.name):
        return service.done
    return STARTED if ran and host.is_missed(service.name) else LEFT_STOPPED


def require_known(service: Service, host: Manager) -> None:
    """Raise ``InstallError`` for one that ``take_new_files`` could do nothing about."""
    require_name(service.name)
    if service.command is None and not host.knows(service.name):
        raise _unknown(service, host)


def running(names: Iterable[str], host: Manager) -> FrozenSet[str]:
    """Those of some services that run, as far as they are of this manager."""
    return frozenset(name for name in names if _NAME.match(name) and host.knows(name) and host.runs(name))


def take_new_files(service: Service, host: Manager, run: Runner, ended: bool = False, ran: bool = False) -> str:
    """Have a service read its files anew; what was done, as results say it.

    One that does not run is left stopped, but for two. ``ended`` says that it ran until it was had to read others: then
    these are what ended it. ``ran`` says that it did so until a run was interrupted that changed its files: a host that
    came back with half of them could not start it. Both are started again. Raises ``InstallError`` where it refuses, or
    where there is no such service.
    """
    require_name(service.name)
    known = host.knows(service.name)
    if known and not host.runs(service.name):
        if not (ended or (ran and host.is_missed(service.name))):
            return LEFT_STOPPED
        # Whatever may be left of it.
        _carried_out(service, host.command(service.name, "restart"), run)
        return STARTED
    if service.command is not None:
        return _carried_out(service, service.command, run)
    if not known:
        raise _unknown(service, host)
    return _carried_out(service, host.command(service.name, service.verb), run)


def _unknown(service: Service, host: Manager) -> InstallError:
    return InstallError(
        f"There is no service {service.name} here, by {host.title}. Mend its name, or give services: "
        f"{{{service.name}: {{command: ...}}}} for one that is looked after in another way."
    )


def _carried_out(service: Service, command: List[str], run: Runner) -> str:
    try:
        ended = run(command)
    except OSError as exc:
        raise InstallError(f"{command[0]}, for the service {service.name}, could not be run: {exc.strerror}.") from exc
    if ended.well:
        return service.done
    raise InstallError(
        f"The service {service.name} did not take the new files: {command[0]} {ended.how}.", ended.details
    )
