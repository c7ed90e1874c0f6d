# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that read a whole folder, while an installation there has not come to its end, or was killed.

They are real, and find nothing but what was there before or what is there afterwards: none takes up what lies in the
folder for the time of an installation. ``openssl``, ``update-ca-certificates``, HAProxy, nginx and Apache are asked.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import typing as t

import pytest
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import transaction
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.attributes import FileAttributes
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Places
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.step import Step
from ansible_collections.certfleet.collectssl.tests.support import certificates, files
from ansible_collections.certfleet.collectssl.tests.support.attackers import Points, as_root, machine, tried
from ansible_collections.certfleet.collectssl.tests.support.installation import SmallHost, bundle, key_pem, leaf

_NAME = "www1.example.com"
_OLD, _NEW = leaf("ec-key", 0), leaf("ec-key", 1)


class Folder(t.NamedTuple):
    """A folder that programs read, with a certificate and its key in one file, in a moment of an installation.

    ``state`` is what the journal says, or nothing; ``hidden`` are the files that are there for a time.
    """

    path: pathlib.Path
    state: str
    hidden: tuple[str, ...]

    @property
    def combined(self) -> pathlib.Path:
        """The certificate with its key, as HAProxy and nginx read it here."""
        return self.path / f"{_NAME}.crt"

    def text(self) -> str:
        """The certificate in that file."""
        return certificates_in(self.combined.read_text())[0]


def certificates_in(text: str) -> list[str]:
    """The PEM blocks of certificates."""
    head = "-----BEGIN CERTIFICATE-----"
    return [head + part for part in text.split(head)[1:]]


def _host(folder: pathlib.Path) -> SmallHost:
    host = SmallHost(folder)
    host.write_key("ec-key")
    files.write(host.certs / f"{_NAME}.crt", key_pem("ec-key").decode() + bundle("ec-key", 0, with_root=False), 0o600)
    files.write(host.certs / "site.pem", _OLD)
    files.write(host.certs / "site.conf", "# nothing\n")
    return host


def _install(host: SmallHost, **more: t.Any) -> dict[str, t.Any]:
    return host.install(
        content=bundle("ec-key", 1),
        path=str(host.certs / "site.pem"),
        combined_path=str(host.certs / f"{_NAME}.crt"),
        privatekey_path=str(host.key),
        backup=True,
        **more,
    )


def _hidden(folder: pathlib.Path) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "/.collectssl" in str(path)))


def _state(folder: pathlib.Path) -> str:
    for journal in folder.rglob(".collectssl/journal*"):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads(journal.read_text())["state"])
    return ""


@pytest.fixture(name="moments", scope="module")
def fixture_moments() -> t.Iterator[list[Folder]]:
    """An installation killed at every point, as far as that makes a difference to who looks at the folder."""
    with machine() as base:
        found: dict[t.Any, Folder] = {}
        for number in itertools.count(1):
            host = _host(base / str(number))

            def kill(point: int, number: int = number) -> None:
                if point == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            outcome = as_root(functools.partial(_install, host), Points(kill).install)
            moment = Folder(host.certs, _state(host.certs), _hidden(host.certs))
            looks = (moment.state, len(moment.hidden), moment.text() == _NEW, (host.certs / "site.pem").read_text())
            found.setdefault(looks, moment)
            if outcome.kind != "killed":
                outcome.must_install()
                break
        yield list(found.values())


def _needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of these is not here; many are in /usr/sbin."""
    missing = [name for name in programs if not _program(name)]
    return pytest.mark.skipif(bool(missing), reason=f"this machine has no {', '.join(missing)}")


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def _run(*command: t.Any, **more: t.Any) -> subprocess.CompletedProcess[str]:
    program = _program(str(command[0])) or str(command[0])
    return subprocess.run(
        [program, *map(str, command[1:])],
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
        **more,
    )


def _until(there: t.Callable[[], t.Any], process: subprocess.Popen[bytes]) -> t.Any:
    """What ``there`` returns once it is something; the process that it depends on is alive meanwhile."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            found = there()
            if found:
                return found
        assert time.monotonic() < deadline, f"{process.args!r} does not come to it"
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        time.sleep(0.01)


def test_the_moments_are_all_there(moments: list[Folder]) -> None:
    """Before and after the switch, with all that lies in the folder meanwhile."""
    assert {moment.state for moment in moments} >= {"", "switching"}
    assert {moment.text() for moment in moments} == {_OLD, _NEW}
    for moment in moments:
        for name in moment.hidden:
            assert not name.endswith((".pem", ".crt", ".cer", ".crl", ".conf", ".key")), name


# --- HAProxy ---------------------------------------------------------------------------------------------------------

_HAPROXY = """
global
    stats socket unix@{folder}/stats mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend tls
    bind unix@{folder}/tls ssl crt {crt}/
"""


@contextlib.contextmanager
def _haproxy(folder: pathlib.Path, crt: pathlib.Path) -> t.Iterator[subprocess.Popen[bytes]]:
    """HAProxy with a folder of its own, that loads all of a folder of certificates."""
    folder.mkdir()
    config = files.write(folder / "haproxy.cfg", _HAPROXY.format(folder=folder, crt=crt))
    with open(folder / "log", "wb") as log:
        command = [str(_program("haproxy")), "-W", "-db", "-S", str(folder / "master"), "-f", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until(lambda: _asked(folder, "show info"), process)
        # A signal that comes before the master listens is lost.
        _until(lambda: _asked(folder, "show proc", "master"), process)
        yield process
    finally:
        process.kill()
        process.wait()
        for worker in _workers(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def _asked(folder: pathlib.Path, question: str, whom: str = "stats") -> str:
    with socket.socket(socket.AF_UNIX) as stats:
        stats.settimeout(60)
        stats.connect(str(folder / whom))
        stats.sendall(question.encode() + b"\n")
        stats.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: stats.recv(65536), b"")).decode()


def _worker(folder: pathlib.Path) -> int:
    told = dict(line.split(": ", 1) for line in _asked(folder, "show info").splitlines() if ": " in line)
    return int(told["Pid"])


def _is_another(folder: pathlib.Path, before: int) -> bool:
    return _worker(folder) != before


def _workers(folder: pathlib.Path) -> list[int]:
    config = str(folder / "haproxy.cfg").encode()
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if config in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return found


def _served(folder: pathlib.Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(60)
        plain.connect(str(folder / "tls"))
        with context.wrap_socket(plain, server_hostname=_NAME) as secure:
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


def _loaded(folder: pathlib.Path) -> list[str]:
    return [line for line in _asked(folder, "show ssl cert").splitlines() if line.startswith("/")]


def _only_its_own(moment: Folder, where: pathlib.Path) -> pathlib.Path:
    """A folder as HAProxy wants it, with certificates that have their keys beside them, and whatever is hidden."""
    shutil.copytree(moment.path, where, symlinks=True)
    for path in where.iterdir():
        if not path.name.startswith(".") and path.name != moment.combined.name:
            path.unlink()
    return where


@_needs("haproxy")
def test_haproxy(
    moments: list[Folder], tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]
) -> None:
    """It checks, starts and reloads in each moment, and has loaded the one certificate that is not hidden."""
    crt = tmp_path / "crt"
    crt.mkdir()
    shutil.copy(moments[0].combined, crt)
    with machine() as folder, _haproxy(folder / "own", crt) as process:
        own = folder / "own"
        for number, moment in enumerate(moments):
            here = _only_its_own(moment, tmp_path / str(number))
            shutil.rmtree(crt)
            here.rename(crt)
            checked = _run("haproxy", "-c", "-f", own / "haproxy.cfg")
            assert checked.returncode == 0, (moment.state, moment.hidden, checked.stderr)
            assert _reloaded(own, process) == moment.text().split(), (moment.state, moment.hidden)
            assert _loaded(own) == [str(crt / moment.combined.name)], (moment.state, moment.hidden)
    tried(record_property, "HAProxy loads its folder meanwhile", len(moments))


@_needs("haproxy")
@pytest.mark.parametrize("end", ["let go", "undone"])
def test_haproxy_while_old_files_are_held(
    end: str, tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]
) -> None:
    """As the one who brings certificates into service does it: hold, reload, look, and then let go or undo, reload."""
    with machine() as folder:
        host = _host(folder / "host")
        for path in host.certs.iterdir():
            if path.name != f"{_NAME}.crt":
                path.unlink()
        combined = host.certs / f"{_NAME}.crt"
        new = key_pem("ec-key") + bundle("ec-key", 1, with_root=False).encode()
        module = host.module(content="-", combined_path=str(combined), privatekey_path=str(host.key))
        own = folder / "own"
        with _haproxy(own, host.certs) as process, Places() as known:
            assert _reloaded(own, process) == _OLD.split()
            place = known.find("combined_path", str(combined))
            with transaction.locked_for_change(known, [place]) as locked:
                step = Step(place, existed=True, content=new, secret=True)
                held = transaction.hold(
                    module, transaction.switch(module, locked, (step,), FileAttributes(module), "it")
                )
                assert _state(host.certs) == "held"
                assert _run("haproxy", "-c", "-f", own / "haproxy.cfg").returncode == 0
                assert _reloaded(own, process) == _NEW.split()
                assert _loaded(own) == [str(combined)]
                if end == "undone":
                    transaction.undo(module, held)
                else:
                    transaction.let_go(module, held)
            assert _hidden(host.certs) == ()
            assert _reloaded(own, process) == (_OLD if end == "undone" else _NEW).split()
    tried(record_property, "HAProxy loads its folder while old files are held", 2)


def _reloaded(folder: pathlib.Path, process: subprocess.Popen[bytes]) -> list[str]:
    """The words of the certificate that is served after a reload."""
    before = _worker(folder)
    process.send_signal(signal.SIGUSR2)
    _until(functools.partial(_is_another, folder, before), process)
    _until(functools.partial(_asked, folder, "show proc", "master"), process)
    return _served(folder).split()


# --- nginx -----------------------------------------------------------------------------------------------------------

_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1;
    proxy_temp_path {folder}/2;
    fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4;
    scgi_temp_path {folder}/5;
    server {{
        listen unix:{folder}/tls ssl;
        server_name _;
        ssl_certificate {crt}/$ssl_server_name.crt;
        ssl_certificate_key {crt}/$ssl_server_name.crt;
    }}
}}
"""


def _shows_certificate(where: pathlib.Path, name: str) -> bool:
    told = _run("openssl", "s_client", "-unix", where, "-servername", name, "-no-CAfile", "-no-CApath")
    return "BEGIN CERTIFICATE" in told.stdout


@_needs("nginx", "openssl")
def test_nginx(moments: list[Folder], record_property: t.Callable[[str, object], None]) -> None:
    """Whoever asks it for a name that leads to something hidden is served nothing."""
    moment = max(moments, key=lambda one: len(one.hidden))
    assert moment.hidden
    with machine() as folder:
        config = files.write(folder / "nginx.conf", _NGINX.format(folder=folder, crt=moment.path))
        with open(folder / "started", "wb") as log:
            process = subprocess.Popen([str(_program("nginx")), "-p", str(folder), "-c", str(config)], stderr=log)
        try:
            _until((folder / "tls").is_socket, process)
            assert _shows_certificate(folder / "tls", _NAME), (folder / "log").read_text()
            for hidden in moment.hidden:
                for name in (hidden, pathlib.Path(hidden).name, str(pathlib.Path(hidden).with_suffix(""))):
                    assert not _shows_certificate(folder / "tls", name), name
        finally:
            process.kill()
            process.wait()
    tried(record_property, "nginx is asked for what is hidden", 3 * len(moment.hidden))


# --- Apache ----------------------------------------------------------------------------------------------------------

_APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/log
Listen 127.0.0.1:1
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
{include}
"""


@_needs("apache2")
@pytest.mark.parametrize("include", ["IncludeOptional {crt}/*.conf", "Include {crt}/*.conf", "Include {crt}/s*"])
def test_apache(
    include: str, moments: list[Folder], tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]
) -> None:
    """A folder with configuration in it, and with what is hidden."""
    for number, moment in enumerate(moments):
        here = tmp_path / str(number)
        shutil.copytree(moment.path, here, symlinks=True)
        for path in here.iterdir():
            if path.suffix in (".crt", ".pem") or path.name.endswith("~"):
                path.unlink()
        text = _APACHE.format(folder=tmp_path, include=include.format(crt=here))
        config = files.write(tmp_path / f"{number}.conf", text)
        checked = _run("apache2", "-t", "-f", config)
        assert checked.returncode == 0, (moment.hidden, checked.stderr)
    tried(record_property, "Apache includes its folder meanwhile", len(moments))


# --- OpenSSL and the system's own -------------------------------------------------------------------------------------


@_needs("openssl")
def test_openssl_rehash(moments: list[Folder], tmp_path: pathlib.Path, record_property: t.Callable[..., None]) -> None:
    for number, moment in enumerate(moments):
        here = tmp_path / str(number)
        shutil.copytree(moment.path, here, symlinks=True)
        told = _run("openssl", "rehash", here)
        assert told.returncode == 0, told.stderr
        linked = {os.readlink(path) for path in here.rglob("*") if path.is_symlink() and path.name.count(".") == 1}
        assert {name for name in linked if ".collectssl" in name} == set()
        assert moment.combined.name in linked or "site.pem" in linked
        for folder in here.glob(".collectssl"):
            assert sorted(f".collectssl/{path.name}" for path in folder.iterdir()) == [
                name for name in moment.hidden if name.startswith(".collectssl/")
            ]
    tried(record_property, "openssl rehash meanwhile", len(moments))


@_needs("update-ca-certificates", "openssl")
def test_update_ca_certificates(
    moments: list[Folder], tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]
) -> None:
    """It takes every ``.crt`` below its folder; of this one, those that are not hidden."""
    for number, moment in enumerate(moments):
        own = tmp_path / str(number)
        for name in ("etc", "share", "hooks"):
            (own / name).mkdir(parents=True)
        files.write(own / "conf", "")
        places = ["--etccertsdir", own / "etc", "--certsdir", own / "share", "--hooksdir", own / "hooks"]
        command = [*places, "--certsconf", own / "conf", "--localcertsdir", moment.path]
        told = _run("update-ca-certificates", *command)
        assert told.returncode == 0, told.stderr
        taken = {os.path.realpath(path) for path in (own / "etc").iterdir() if path.is_symlink()}
        inside = {path for path in taken if path.startswith(f"{moment.path}/")}
        assert inside == {str(moment.combined)}, moment.hidden
        told_of = certificates.common_names((own / "etc" / "ca-certificates.crt").read_text())
        assert len(told_of) == len(certificates_in(moment.combined.read_text()))
    tried(record_property, "update-ca-certificates meanwhile", len(moments))
