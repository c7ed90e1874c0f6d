# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a TLS endpoint serves, and whether a usual client would trust it: reported, whatever it is.

A socket of the standard library tells nothing of a certificate that it refuses. So a certificate that cannot be
verified is looked at over a second connection, one that trusts anything; and as the server may have changed its
certificate between the two, the reason counts only if a third connection gives it again.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import queue
import re
import socket
import ssl
import threading
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from ansible_collections.certfleet.collectssl.plugins.module_utils import _names
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint import tls_context
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.deadline import Deadline
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.faults import Fault, fault_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.starttls import GOODBYE, start_tls
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.tls_context import (
    check_identity,
    is_address,
    wrap,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError, OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour, fingerprint

#: How often to look before a server that changes all the time is taken as it was last seen.
_LOOKS = 3
#: Seconds and bytes for the end of a connection, which nothing depends on.
_PARTING_SECONDS = 0.5
_PARTING_BYTES = 64 * 1024
#: Ports that speak TLS from the start, for messages.
_IMPLICIT_TLS = {"smtp": 465, "imap": 993, "pop3": 995}
_NAME_LENGTH = 254
_NO_NAME = re.compile(r"[\s/@\x00-\x1f\x7f]")

_Address = Tuple[int, Any]


class Endpoint(NamedTuple):
    """Where to look, what for, and with whose trust; ``timeout`` in seconds for everything together."""

    host: str
    port: int
    identity: str
    starttls: Optional[str]
    timeout: int
    ca_path: Optional[str]

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


class _Served(NamedTuple):
    """What one handshake showed."""

    der: bytes
    protocol: str
    cipher: str


def endpoint_of(options: Mapping[str, Any]) -> Endpoint:
    """The endpoint that the options of ``tls_endpoint_info`` name.

    :raises OptionError: where an option breaks a rule that the argument spec does not know.
    """
    host = _name("host", options["host"])
    server_name = options.get("server_name")
    identity = host if server_name is None else _name("server_name", server_name)
    if not 1 <= options["port"] <= 65535:
        raise OptionError(f"port must be between 1 and 65535, not {options['port']}.")
    if options["timeout"] < 1:
        raise OptionError("timeout must be 1 second or more.")
    # In certificates and in SNI names have no dot at the end, which for resolvers has a meaning.
    return Endpoint(
        host, options["port"], _names.identity(identity), options["starttls"], options["timeout"], options["ca_path"]
    )


def _name(option: str, value: Any) -> str:
    name = _names.unbracketed(str(value))
    if not is_address(name.partition("%")[0]):
        try:
            encoded = name.encode("idna")
        except UnicodeError:
            encoded = b""
        if not 0 < len(encoded) <= _NAME_LENGTH or name[0] == "." or ":" in name or _NO_NAME.search(name):
            raise OptionError(f"{option} must be a host name or an IP address, not {name!r}.")
    return name


def probe(endpoint: Endpoint) -> Dict[str, Any]:
    """What is served there, as ``tls_endpoint_info`` returns it.

    :raises EndpointError: where no certificate could be got.
    :raises OptionError: where ``ca_path`` holds nothing to trust.
    """
    look = _Look(endpoint)
    seen = look.verified()
    looks = 0
    while isinstance(seen, Fault):
        fault, served = seen, look.unverified(seen)
        looks += 1
        try:
            seen = look.verified()
        except EndpointError:
            # What is served is known by now, which is more than a failure says.
            seen = fault
        if seen == fault or (isinstance(seen, Fault) and looks == _LOOKS):
            return _described(served, fault)
    return _described(seen, None)


def _described(served: _Served, fault: Optional[Fault]) -> Dict[str, Any]:
    return {
        "fingerprint_sha256": fingerprint(served.der),
        "certificate": armour(served.der),
        "protocol": served.protocol,
        "cipher": served.cipher,
        "verified": fault is None,
        "verify_error": None if fault is None else fault.verify_error(),
    }


class _Look:
    """Connections to one endpoint, all to the same address of it and all within one timeout."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context = tls_context.verified(endpoint.ca_path)
        self._deadline = Deadline(endpoint.timeout)
        self._addresses = self._resolved()

    def verified(self) -> Union[_Served, Fault]:
        """What is served to a client with the trust store and the usual settings of this host, or why that failed."""
        return self._handshake(self._context)

    def unverified(self, fault: Fault) -> _Served:
        """What is served to a client that trusts anything; ``fault`` is what a usual client met."""
        # Where only trust was missing, protocol and cipher are to be those that a usual client gets.
        seen = self._handshake(tls_context.unverified(lenient=not fault.verification))
        if isinstance(seen, Fault):
            raise EndpointError(f"The TLS handshake with {self._where()} failed: {seen.reason}. {seen.advice}")
        return seen

    def _handshake(self, context: ssl.SSLContext) -> Union[_Served, Fault]:
        identity, starttls = self._endpoint.identity, self._endpoint.starttls
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(self._connected())
            if starttls:
                self._start_tls(sock, starttls)
            try:
                sock.settimeout(self._deadline.left())
                tls = stack.enter_context(wrap(context, sock, identity))
                tls.do_handshake()
                if context.verify_mode != ssl.CERT_NONE:
                    check_identity(tls, identity)
            # Two classes before Python 3.10.
            except (socket.timeout, TimeoutError) as exc:
                raise self._late("TLS handshake with") from exc
            # Before Python 3.7 CertificateError is a ValueError.
            except (OSError, ssl.CertificateError) as exc:
                return fault_of(exc, identity, bool(starttls))
            served = self._served(tls)
            _part(tls, starttls)
            return served

    def _served(self, tls: ssl.SSLSocket) -> _Served:
        der = tls.getpeercert(binary_form=True)
        cipher = tls.cipher()
        if not der or not cipher:
            raise EndpointError(f"{self._where()} speaks TLS without a certificate. Give the server one.")
        return _Served(der, str(tls.version()), cipher[0])

    def _start_tls(self, sock: socket.socket, protocol: str) -> None:
        try:
            start_tls(sock, protocol, self._deadline)
        except EndpointError as exc:
            raise EndpointError(
                f"No TLS with {self._where()} by STARTTLS for {protocol.upper()}: {exc}. Check that the port speaks "
                f"{protocol.upper()} and offers STARTTLS; one that speaks TLS from the start, such as "
                f"{_IMPLICIT_TLS[protocol]}, is probed without starttls."
            ) from exc

    def _resolved(self) -> List[_Address]:
        """The addresses of the host, in the order of the resolver."""
        answers: queue.Queue[Any] = queue.Queue()
        # A resolver waits as long as it is configured to, and only another thread can be left alone with that.
        # Named in ASCII, as Python's own way there is another one than that of the name in SNI and certificate.
        host = _names.ascii_name(self._endpoint.host)
        threading.Thread(target=_resolve, args=(host, self._endpoint.port, answers), daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline.left())
        except queue.Empty as exc:
            raise self._late("name resolution for") from exc
        if isinstance(answer, Exception):
            reason = getattr(answer, "strerror", None) or answer
            raise EndpointError(
                f"{self._endpoint.host} could not be resolved ({reason}). Check host, and the resolver of the machine "
                "that connects."
            ) from answer
        return list(dict.fromkeys((family, address) for family, _type, _protocol, _name, address in answer))

    def _connected(self) -> socket.socket:
        """A connection to the first address that answers, to which all later ones go too."""
        failures = []
        for number, (family, address) in enumerate(self._addresses):
            sock = None
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.settimeout(self._deadline.left(len(self._addresses) - number))
                sock.connect(address)
            except OSError as exc:
                if sock is not None:
                    sock.close()
                failures.append(f"{address[0]} ({_connect_error(exc)})")
                continue
            self._addresses = [(family, address)]
            return sock
        raise EndpointError(
            f"{self._endpoint} could not be connected to: {', '.join(failures)}. Check that the service runs, "
            "listens there, and that no firewall is in between."
        )

    def _where(self) -> str:
        """The endpoint, with the address that was reached where that says more."""
        _family, (address, *_rest) = self._addresses[0]
        return str(self._endpoint) if address == self._endpoint.host else f"{self._endpoint} (address {address})"

    def _late(self, step: str) -> EndpointError:
        return EndpointError(
            f"The {step} {self._endpoint} was not over within the timeout of {self._endpoint.timeout} seconds. "
            "Check what holds it up, or give it a longer timeout."
        )


def _resolve(host: str, port: int, answers: Any) -> None:
    try:
        answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, ValueError) as exc:
        answers.put(exc)


def _connect_error(exc: OSError) -> str:
    if isinstance(exc, (socket.timeout, TimeoutError)):
        return "no answer within the timeout"
    return str(exc.strerror or exc).lower()


def _part(tls: ssl.SSLSocket, starttls: Optional[str]) -> None:
    """Leave as the protocol has it, so that a server's log does not take a probe for a fault; nothing depends on it."""
    deadline = Deadline(_PARTING_SECONDS)
    with contextlib.suppress(OSError, ValueError):
        tls.settimeout(deadline.left())
        if starttls:
            tls.sendall(GOODBYE[starttls])
            received = 0
            while received < _PARTING_BYTES:
                tls.settimeout(deadline.left())
                data = tls.recv(4096)
                if not data:
                    break
                received += len(data)
        tls.unwrap().close()
