# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real servers of this machine on loopback, each in a folder of its own, as a user who may do nothing else.

Each is configured here and reads nothing of what the machine has for it. It is up once it answers.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import glob
import grp
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t

from . import files
from .identity import Identity

_SECONDS = 120
_TICK = 0.02
_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
#: Who may do nothing, for all that root is not needed for.
_NOBODY = "nobody"


def free_port() -> int:
    """A port on loopback that nobody has, outside the range from which the kernel takes those of clients."""
    while True:
        port = random.randrange(15000, 32000)  # noqa: S311 - nobody has to be kept from guessing it
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def folder() -> t.Iterator[pathlib.Path]:
    """A temporary folder that other users may enter, since servers run as one."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="servers-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


_Self = t.TypeVar("_Self", bound="Server")


class Server:
    """A server that serves nothing but TLS, or no TLS where it has no identity; it listens on ``ports``.

    :arg by_caller: whether it runs as who runs the tests, since others write its files, and not as nobody.
    """

    #: Programs on PATH, or files.
    needs: tuple[str, ...] = ()
    #: Whether it speaks first.
    greets = False
    #: What has it end.
    ending = signal.SIGTERM

    def __init__(
        self,
        where: pathlib.Path,
        identity: Identity | None = None,
        ports: t.Sequence[int] = (),
        by_caller: bool = False,
    ) -> None:
        self.folder = where
        self.identity = identity
        self.ports = tuple(ports) or (free_port(),)
        self._is_dropped = os.geteuid() == 0 and not by_caller
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The first of its ports."""
        return self.ports[0]

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def missing(self) -> str | None:
        """Why this machine cannot run it, or None."""
        lacking = [name for name in self.needs if _found(name) is None]
        return f"this machine has no {', '.join(lacking)}" if lacking else None

    def configure(self) -> list[str]:
        """Write what it reads; the command that runs it in the foreground."""
        raise NotImplementedError

    def start(self) -> None:
        """Come back when it answers."""
        self.folder.mkdir()
        self._give(self.folder)
        command = self.configure()
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._as_whom()
            )
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"{command[0]} ended: {self._log()}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer: {self._log()}"
            time.sleep(_TICK)

    def end(self) -> None:
        """End it, and whatever it started."""
        if self._process is None:
            return
        self._process.send_signal(self.ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self: _Self) -> _Self:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end()

    # For those who configure one

    def program(self, name: str) -> str:
        """The path of a program that it needs."""
        found = _found(name)
        assert found is not None, name
        return found

    @property
    def user(self) -> str:
        """The name of the user that it runs as."""
        return _NOBODY if self._is_dropped else pwd.getpwuid(os.geteuid()).pw_name

    @property
    def group(self) -> str:
        """The name of that one's group."""
        return _group_of(self.user)

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> pathlib.Path:
        """Write a file of its own."""
        path = files.write(self.folder / name, content, mode)
        self._give(path)
        return path

    def make(self, name: str) -> pathlib.Path:
        """Make a folder of its own."""
        path = self.folder / name
        path.mkdir()
        self._give(path)
        return path

    def run(self, *command: str) -> None:
        """Run a command to its end, as the user that it runs as."""
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
            **self._as_whom(),
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout.decode(errors='replace')}"

    def own_identity(self) -> tuple[str, str]:
        """The files of its certificate and its key, which nobody else may read."""
        assert self.identity is not None
        certificate = self.write("server.pem", self.identity.certificate.read_bytes())
        return str(certificate), str(self.write("server.key", self.identity.key.read_bytes(), 0o600))

    # Its own

    def _give(self, path: pathlib.Path) -> None:
        if self._is_dropped:
            user = pwd.getpwnam(_NOBODY)
            os.chown(path, user.pw_uid, user.pw_gid)

    def _as_whom(self) -> dict[str, t.Any]:
        surroundings = {"PATH": _PATH, "HOME": str(self.folder), "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8"}
        dropped: dict[str, t.Any] = {}
        if self._is_dropped:
            user = pwd.getpwnam(_NOBODY)
            dropped = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return {"cwd": self.folder, "env": surroundings, **dropped}

    def _answers(self) -> bool:
        for port in self.ports:
            try:
                with socket.create_connection(("127.0.0.1", port), _SECONDS) as sock:
                    if self.greets and not sock.recv(1):
                        return False
            except OSError:
                return False
        return True

    def _log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-3000:]


@contextlib.contextmanager
def running(servers: t.Iterable[Server]) -> t.Iterator[None]:
    """Have servers run that were started side by side, less those that this machine lacks."""
    here = [server for server in servers if server.missing is None]
    with contextlib.ExitStack() as stack:
        for server in here:
            stack.callback(server.end)
        with concurrent.futures.ThreadPoolExecutor(len(here) or 1) as pool:
            for started in [pool.submit(server.start) for server in here]:
                started.result()
        yield


def _group_of(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _found(name: str) -> str | None:
    if name.startswith("/"):
        return name if os.path.exists(name) else None
    # Debian keeps each version of PostgreSQL apart, and none of them on PATH.
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return shutil.which(name, path=_PATH) or next(reversed(versions), None)


# Servers in which TLS starts on a connection that began in clear


class Slapd(Server):
    """The LDAP server of OpenLDAP, with nothing in it."""

    needs = ("slapd",)

    def configure(self) -> list[str]:
        lines = [f"pidfile {self.folder}/pid"]
        if self.identity:
            certificate, key = self.own_identity()
            lines += [f"TLSCertificateFile {certificate}", f"TLSCertificateKeyFile {key}"]
        configuration = self.write("slapd.conf", "\n".join([*lines, ""]))
        # With a level of debugging, be it none, it stays in the foreground.
        return [self.program("slapd"), "-h", f"ldap://127.0.0.1:{self.port}/", "-f", str(configuration), "-d", "0"]


class MariaDB(Server):
    """MariaDB with the tables of a new one."""

    needs = ("mariadbd", "mariadb-install-db", "my_print_defaults")
    greets = True
    # Its data are of no use to anybody, so that there is nothing to wait for.
    ending = signal.SIGKILL

    def configure(self) -> list[str]:
        data = self.make("data")
        self.run(
            *(self.program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--skip-name-resolve"),
        )
        tls = ["--skip-ssl"]
        if self.identity:
            certificate, key = self.own_identity()
            tls = [f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        return [
            *(self.program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={self.folder}/socket"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder}/pid", *tls),
        ]


class PostgreSQL(Server):
    """PostgreSQL with a new cluster."""

    needs = ("initdb", "postgres")
    # It waits for nobody then.
    ending = signal.SIGQUIT

    def configure(self) -> list[str]:
        data = self.make("data")
        data.chmod(0o700)
        self.run(self.program("initdb"), "-D", str(data), "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        if self.identity:
            certificate, key = self.own_identity()
            settings.update({"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key})
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self.program("postgres"), "-D", str(data), *options]


class Vsftpd(Server):
    """vsftpd for anonymous users."""

    needs = ("vsftpd",)
    greets = True

    def configure(self) -> list[str]:
        empty = self.make("empty")
        lines = [
            "listen=YES",
            "listen_address=127.0.0.1",
            f"listen_port={self.port}",
            "background=NO",
            "run_as_launching_user=YES",
            "seccomp_sandbox=NO",
            "anonymous_enable=YES",
            "local_enable=NO",
            f"ftp_username={self.user}",
            f"nopriv_user={self.user}",
            f"anon_root={empty}",
            f"secure_chroot_dir={empty}",
            f"vsftpd_log_file={self.folder}/transfers",
        ]
        if self.identity:
            certificate, key = self.own_identity()
            lines += ["ssl_enable=YES", "allow_anon_ssl=YES", "ssl_ciphers=HIGH"]
            lines += [f"rsa_cert_file={certificate}", f"rsa_private_key_file={key}"]
        configuration = self.write("vsftpd.conf", "\n".join([*lines, ""]), 0o600)
        return [self.program("vsftpd"), str(configuration)]


_DOVECOT = """\
base_dir = {folder}/run
log_path = /dev/stderr
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
protocols = sieve
listen = 127.0.0.1
passdb {{
  driver = static
  args = password=none
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}
}}
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
{tls}
"""


class Dovecot(Server):
    """Dovecot with ManageSieve alone."""

    needs = ("dovecot", "/usr/lib/dovecot/managesieve-login")
    greets = True

    @property
    def missing(self) -> str | None:
        """Version 2.4 has another configuration, which nobody has tried here."""
        lacking = super().missing
        if lacking is not None:
            return lacking
        told = subprocess.run([self.program("dovecot"), "--version"], capture_output=True, text=True, check=False)
        return None if told.stdout.startswith("2.3.") else f"Dovecot {told.stdout.split()[0]} is not 2.3"

    def configure(self) -> list[str]:
        tls = "ssl = no\ndisable_plaintext_auth = no"
        if self.identity:
            certificate, key = self.own_identity()
            tls = f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}"
        text = _DOVECOT.format(folder=self.folder, user=self.user, group=self.group, port=self.port, tls=tls)
        return [self.program("dovecot"), "-F", "-c", str(self.write("dovecot.conf", text))]


# Servers of the web; what they serve, and where, whoever runs them says


class Web(Server):
    """A server whose sites are a text of its configuration."""

    def __init__(self, where: pathlib.Path, sites: str, ports: t.Sequence[int], by_caller: bool = False) -> None:
        super().__init__(where, None, ports, by_caller)
        self.sites = sites

    @property
    def reload(self) -> str:
        """The command by which it takes new files, while it runs."""
        raise NotImplementedError


_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{
    worker_connections 128;
}}
http {{
    access_log off;
    client_body_temp_path {folder}/1;
    proxy_temp_path {folder}/2;
    fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4;
    scgi_temp_path {folder}/5;
{sites}
}}
"""


class Nginx(Web):
    """nginx; its sites are ``server`` blocks."""

    needs = ("nginx",)

    def configure(self) -> list[str]:
        configuration = self.write("nginx.conf", _NGINX.format(folder=self.folder, sites=self.sites))
        return [self.program("nginx"), "-p", str(self.folder), "-c", str(configuration)]

    @property
    def reload(self) -> str:
        """As Web has it."""
        return f"{self.program('nginx')} -p {self.folder} -c {self.folder}/nginx.conf -s reload"


_HAPROXY = """\
global
    maxconn 100
    nbthread 1
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
{sites}
"""


class HAProxy(Web):
    """HAProxy; its sites are ``frontend`` sections."""

    needs = ("haproxy",)

    def configure(self) -> list[str]:
        configuration = self.write("haproxy.cfg", _HAPROXY.format(sites=self.sites))
        return [self.program("haproxy"), "-W", "-db", "-f", str(configuration)]

    @property
    def reload(self) -> str:
        """As Web has it."""
        return f"sh -c 'kill -USR2 {self.pid}'"


_APACHE = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
DefaultRuntimeDir {folder}
Mutex file:{folder}
ErrorLog {folder}/errors
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
User {nobody}
Group {group}
StartServers 1
ServerLimit 2
ThreadsPerChild 25
MaxRequestWorkers 50
MinSpareThreads 5
MaxSpareThreads 25
{sites}
"""


class Apache(Web):
    """Apache; its sites are ``Listen`` and ``VirtualHost``."""

    needs = ("apache2", "/usr/lib/apache2/modules/mod_ssl.so")

    def configure(self) -> list[str]:
        # Who is not root stays who he is, whatever that says.
        text = _APACHE.format(folder=self.folder, sites=self.sites, nobody=_NOBODY, group=_group_of(_NOBODY))
        configuration = self.write("apache.conf", text)
        return [self.program("apache2"), "-D", "FOREGROUND", "-f", str(configuration)]

    @property
    def reload(self) -> str:
        """As Web has it."""
        return f"{self.program('apache2')} -f {self.folder}/apache.conf -k graceful"
