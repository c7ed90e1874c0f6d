# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on loopback that lets root in by a key, with nothing of this machine's own configuration."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import typing as t

_SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")

_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
# The temporary folder that it all lies in may be written in by anybody.
StrictModes no
MaxStartups 200
MaxSessions 100
Subsystem sftp internal-sftp
"""


def missing() -> str | None:
    """Why there can be no such server here, or None."""
    if os.geteuid() != 0:
        return "only root can run an sshd that lets root in"
    if _SSHD is None or not shutil.which("ssh"):
        return "openssh-server or openssh-client is not installed"
    return None


@contextlib.contextmanager
def ssh_server(folder: pathlib.Path) -> t.Iterator[dict[str, t.Any]]:
    """A server for as long as the context lasts; the variables of an inventory by which a host is reached over it."""
    folder.mkdir(mode=0o700)
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    configuration = folder / "sshd_config"
    configuration.write_text(_CONFIGURATION.format(port=port, folder=folder), encoding="utf-8")
    pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([str(_SSHD), "-D", "-e", "-f", str(configuration)], stderr=log)
    try:
        _wait(port, server, folder / "log")
        host_key = (folder / "host_key.pub").read_text(encoding="ascii").split()
        known = f"[127.0.0.1]:{port} {host_key[0]} {host_key[1]}\n"
        (folder / "known_hosts").write_text(known, encoding="ascii")
        yield {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(folder / "user_key"),
            "ansible_ssh_common_args": (
                f"-F /dev/null -o UserKnownHostsFile={folder}/known_hosts -o GlobalKnownHostsFile=/dev/null "
                "-o IdentitiesOnly=yes -o BatchMode=yes"
            ),
            # A socket has to have a short name; and nothing of the connection is to outlive the test.
            "ansible_ssh_args": "-o ControlMaster=no",
        }
    finally:
        server.terminate()
        server.wait()


def _wait(port: int, server: subprocess.Popen[bytes], log: pathlib.Path) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
            # Whoever listens there has to be this one.
            if sock.recv(4) == b"SSH-":
                return
        assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")
