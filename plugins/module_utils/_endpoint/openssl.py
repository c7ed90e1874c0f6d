# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look by ``openssl s_client``, which can ask for a kind of key where only TLS 1.3 is spoken.

Only TLS is its work: it speaks over a socket in a folder of its own to a connection that is at hand, whatever was said
on that before.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import os
import re
import selectors
import socket
import tempfile
import threading
from typing import Dict, Iterator, List, NamedTuple, Optional

from ansible_collections.certfleet.collectssl.plugins.module_utils import _commands, _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint import faults
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.key_types import ASKING
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.tls_context import is_address

_AGREED = re.compile(r"^New, (?P<protocol>\S+), Cipher is (?P<cipher>\S+)", re.MULTILINE)
_VERIFIED = re.compile(r"^ *Verify return code: (?P<code>[0-9]+) \((?P<words>.*)\)", re.MULTILINE)
#: It goes on when something is wrong, and says in the end what was so last; a usual client stops at the first.
_FIRST_WRONG = re.compile(r"^verify error:num=(?P<code>[0-9]+):(?P<words>.*)$", re.MULTILINE)
_NOTHING_AGREED = "(NONE)"
_CHUNK = 16 * 1024


class Manner(NamedTuple):
    """Who is asked for which certificate, with whose trust, and as whom."""

    identity: str
    key_type: str
    ca_path: Optional[str]
    client_certificate: Optional[str]
    client_key: Optional[str]

    @property
    def words(self) -> List[str]:
        """The command, less where it connects to."""
        if is_address(self.identity):
            words = ["-noservername", "-verify_ip", self.identity]
        else:
            words = ["-servername", self.identity, "-verify_hostname", self.identity]
        words += ["-sigalgs", ASKING[self.key_type].signatures]
        if self.ca_path is not None:
            which, other = ("path", "file") if os.path.isdir(self.ca_path) else ("file", "path")
            words += [f"-CA{which}", self.ca_path, f"-no-CA{other}"]
        if self.client_certificate is not None:
            # With a passphrase asked for, it would be on the terminal.
            words += ["-cert", self.client_certificate, "-pass", "pass:"]
            words += ["-key", self.client_key] if self.client_key is not None else []
        return ["openssl", "s_client", *words]


class Answer(NamedTuple):
    """What a server showed: the certificate, None where it showed none, and what a usual client makes of it."""

    der: Optional[bytes]
    protocol: str
    cipher: str
    verify_error: Optional[str]


def look(manner: Manner, sock: socket.socket, seconds: float) -> Optional[Answer]:
    """What a server shows over a connected socket; None where this host has no ``openssl`` that can ask so.

    Raises ``TimeoutError`` where that is not over in so many seconds.
    """
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(_relayed(sock, seconds))
            surroundings: Dict[str, str] = _commands.environment({"LC_ALL": "C"}, os.environ)
            ended = _commands.run([*manner.words, "-unix", path], seconds, surroundings)
        except OSError:
            return None
    agreed = _AGREED.search(ended.stdout)
    if ended.rc is None:
        raise TimeoutError
    if agreed is None:
        # An option that it does not know: it did not come to connecting.
        return None
    blocks = _pem.blocks(ended.stdout)
    der = _pem.dearmour(blocks[0]) if blocks and agreed.group("cipher") != _NOTHING_AGREED else None
    verified = _FIRST_WRONG.search(ended.stderr) or _VERIFIED.search(ended.stdout)
    error: Optional[str] = "openssl did not say whether it is trusted"
    if verified is not None:
        code = int(verified.group("code"))
        error = faults.verify_error(code, verified.group("words"), manner.identity) if code else None
    return Answer(der, agreed.group("protocol"), agreed.group("cipher"), error)


@contextlib.contextmanager
def _relayed(sock: socket.socket, seconds: float) -> Iterator[str]:
    """The path of a socket that leads to a connection, for the first who comes."""
    with tempfile.TemporaryDirectory(prefix="collectssl-") as folder:
        path = os.path.join(folder, "tls")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(seconds)
            worker = threading.Thread(target=_relay, args=(listener, sock, seconds), daemon=True)
            worker.start()
            try:
                yield path
            finally:
                # Whoever waits for the server, or for somebody to come, is not waited for.
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nobody:
                    nobody.settimeout(0)
                    nobody.connect(path)
                worker.join()


def _relay(listener: socket.socket, server: socket.socket, seconds: float) -> None:
    with contextlib.suppress(OSError):
        client, _address = listener.accept()
        with client, selectors.DefaultSelector() as selector:
            for one, other in ((client, server), (server, client)):
                one.settimeout(seconds)
                selector.register(one, selectors.EVENT_READ, other)
            while True:
                ready = selector.select(seconds)
                if not ready:
                    return
                for key, _events in ready:
                    data = key.fileobj.recv(_CHUNK)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)
