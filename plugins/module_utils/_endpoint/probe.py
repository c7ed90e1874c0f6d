# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a TLS endpoint serves, and whether a usual client would trust it: reported, whatever it is.

A socket of the standard library tells nothing of a certificate that it refuses. So a certificate that cannot be
verified is looked at over a second connection, one that trusts anything; and as the server may have changed its
certificate between the two, the reason counts only if a third connection gives it again.
Of a server with several certificates a usual client sees one. Where that has not the kind of key that is looked for, it
is asked for that (``key_types``).
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import queue
import re
import socket
import ssl
import threading
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from ansible_collections.certfleet.collectssl.plugins.module_utils import _names
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint import (
    openssl,
    proxy_protocol,
    tls_context,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.deadline import Deadline
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.faults import Fault, fault_of
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.key_types import called
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.starttls import PROTOCOLS, start_tls
from ansible_collections.certfleet.collectssl.plugins.module_utils._endpoint.tls_context import (
    check_identity,
    is_address,
    wrap,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import EndpointError, OptionError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import armour, fingerprint, key_type

#: How often to look before a server that changes all the time is taken as it was last seen.
_LOOKS = 3
#: Seconds and bytes for the end of a connection, which nothing depends on.
_PARTING_SECONDS = 0.5
_PARTING_BYTES = 64 * 1024
_NAME_LENGTH = 254
_NO_NAME = re.compile(r"[\s/@\x00-\x1f\x7f]")

_Address = Tuple[int, Any]


class Endpoint(NamedTuple):
    """Where to look, how, what for, and with whose trust; ``timeout`` in seconds for everything together."""

    host: str
    port: int
    identity: str
    starttls: Optional[str]
    timeout: int
    ca_path: Optional[str]
    proxy_protocol: bool = False
    client_certificate: Optional[str] = None
    client_key: Optional[str] = None
    #: Of a server with several certificates, the one with this kind of key.
    key_type: Optional[str] = None

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
        host,
        options["port"],
        _names.identity(identity),
        options["starttls"],
        options["timeout"],
        options["ca_path"],
        bool(options.get("proxy_protocol")),
        options.get("client_certificate"),
        options.get("client_key"),
        options.get("key_type"),
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

    :raises EndpointError: where no certificate could be got, or none with the kind of key that is looked for.
    :raises OptionError: where ``ca_path`` holds nothing to trust, or a client certificate cannot be used.
    """
    look = _Look(endpoint)
    shown = look.shown()
    if isinstance(shown, Fault):
        raise EndpointError(
            f"The TLS handshake with {look.where()} failed: {shown.reason}. {shown.advice}",
            undetermined=shown.of_the_look,
        )
    if endpoint.key_type in (None, shown["key_type"]):
        return shown
    return _asked_for(look, str(endpoint.key_type), shown)


def _asked_for(look: "_Look", kind: str, shown: Dict[str, Any]) -> Dict[str, Any]:
    """What is served to a client that takes one kind of key alone; ``shown`` is what a usual one was."""
    found = look.shown(kind)
    if isinstance(found, Fault) and shown["protocol"] == "TLSv1.3":
        by_openssl = look.shown_by_openssl(kind)
        if by_openssl is None and isinstance(look.without_tls_1_3(), Fault):
            raise EndpointError(
                f"{look.where()} speaks TLS 1.3 alone, in which openssl can ask for a certificate with {called(kind)}, "
                "and Python cannot; there is no such openssl on the machine that looks. So it is undetermined which "
                f"one it has. To others it serves one with {called(shown['key_type'])}.",
                shown,
                undetermined=True,
            )
        found = by_openssl or found
    if isinstance(found, Fault) and found.of_the_look:
        raise EndpointError(
            f"Whether {look.where()} serves a certificate with {called(kind)} is undetermined: {found.reason}. To "
            f"others it serves one with {called(shown['key_type'])}.",
            shown,
            undetermined=True,
        )
    if isinstance(found, Fault) or found["key_type"] != kind:
        raise EndpointError(
            f"{look.where()} serves no certificate with {called(kind)}, but one with {called(shown['key_type'])}. "
            "Give the server both, or ask for that.",
            shown,
        )
    return found


def _described(der: bytes, protocol: str, cipher: str, verify_error: Optional[str]) -> Dict[str, Any]:
    return {
        "fingerprint_sha256": fingerprint(der),
        "certificate": armour(der),
        "key_type": key_type(der),
        "protocol": protocol,
        "cipher": cipher,
        "verified": verify_error is None,
        "verify_error": verify_error,
    }


class _Look:
    """Connections to one endpoint, all to the same address of it and all within one timeout."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        # What can't be used is said before anything is waited for.
        self._context = self._verified(None)
        self._deadline = Deadline(endpoint.timeout)
        self._addresses = self._resolved()

    def shown(self, kind: Optional[str] = None) -> Union[Dict[str, Any], Fault]:
        """What is served to a client as there are many, or one that takes one kind of key alone; else why nothing."""
        try:
            return self._shown(self._context if kind is None else self._verified(kind), kind)
        except tls_context.NoCipherError as exc:
            return Fault(str(exc), "", False, True)

    def _shown(self, trusting: ssl.SSLContext, kind: Optional[str]) -> Union[Dict[str, Any], Fault]:
        seen = self._handshake(trusting)
        looks = 0
        while isinstance(seen, Fault):
            fault, served = seen, self._unverified(seen, kind)
            if isinstance(served, Fault):
                return served
            looks += 1
            try:
                seen = self._handshake(trusting)
            except EndpointError:
                # What is served is known by now, which is more than a failure says.
                seen = fault
            if seen == fault or (isinstance(seen, Fault) and looks == _LOOKS):
                return _described(*served, verify_error=fault.verify_error())
        return _described(*seen, verify_error=None)

    def _verified(self, kind: Optional[str]) -> ssl.SSLContext:
        """For a client with the trust store and the usual settings of this host."""
        endpoint = self._endpoint
        if kind is None and endpoint.client_certificate is None:
            return tls_context.usual(endpoint.ca_path)
        context = self._presenting(tls_context.verified(endpoint.ca_path))
        if kind is not None:
            tls_context.ask_for(context, kind, lenient=False)
        return context

    def _unverified(self, fault: Fault, kind: Optional[str]) -> Union[_Served, Fault]:
        """What is served to a client that trusts anything; ``fault`` is what a usual client met."""
        # Where only trust was missing, protocol and cipher are to be those that a usual client gets.
        lenient = not fault.verification
        context = self._presenting(tls_context.unverified(lenient))
        if kind is not None:
            tls_context.ask_for(context, kind, lenient)
        return self._handshake(context)

    def without_tls_1_3(self) -> Union[_Served, Fault]:
        """What is served to a client that speaks TLS 1.2 at the most."""
        context = self._presenting(tls_context.unverified(lenient=True))
        tls_context.without_tls_1_3(context)
        return self._handshake(context)

    def _presenting(self, context: ssl.SSLContext) -> ssl.SSLContext:
        endpoint = self._endpoint
        if endpoint.client_certificate is not None:
            tls_context.present(context, endpoint.client_certificate, endpoint.client_key)
        return context

    def shown_by_openssl(self, kind: str) -> Union[Dict[str, Any], Fault, None]:
        """As ``shown``, whatever version of TLS is spoken; None where no ``openssl`` on this host can ask."""
        endpoint = self._endpoint
        manner = openssl.Manner(
            endpoint.identity, kind, endpoint.ca_path, endpoint.client_certificate, endpoint.client_key
        )
        with self._in_clear() as sock:
            try:
                answer = openssl.look(manner, sock, self._deadline.left())
            except TimeoutError as exc:
                raise self._late("TLS handshake with") from exc
        if answer is None:
            return None
        if answer.der is None:
            return Fault("the server refused it", "", False)
        return _described(answer.der, answer.protocol, answer.cipher, answer.verify_error)

    @contextlib.contextmanager
    def _in_clear(self) -> Iterator[socket.socket]:
        """A connection that is at the point where TLS begins."""
        with self._connected() as sock:
            if self._endpoint.starttls:
                self._start_tls(sock, self._endpoint.starttls)
            yield sock

    def _handshake(self, context: ssl.SSLContext) -> Union[_Served, Fault]:
        endpoint, tls = self._endpoint, None
        identity, starttls = endpoint.identity, endpoint.starttls
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(self._in_clear())
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
                agreed = tls is not None and tls.cipher() is not None
                return fault_of(
                    exc, identity, bool(starttls), agreed, presented=endpoint.client_certificate is not None
                )
            served = self._served(tls)
            _part(tls, starttls)
            return served

    def _served(self, tls: ssl.SSLSocket) -> _Served:
        der = tls.getpeercert(binary_form=True)
        cipher = tls.cipher()
        if not der or not cipher:
            raise EndpointError(f"{self.where()} speaks TLS without a certificate. Give the server one.")
        return _Served(der, str(tls.version()), cipher[0])

    def _start_tls(self, sock: socket.socket, protocol: str) -> None:
        try:
            start_tls(sock, protocol, self._deadline)
        except EndpointError as exc:
            known = PROTOCOLS[protocol]
            such = "" if known.implicit is None else f", such as {known.implicit},"
            raise EndpointError(
                f"No TLS with {self.where()} by STARTTLS for {known.called}: {exc}. Check that the port speaks "
                f"{known.called} and offers STARTTLS; one that speaks TLS from the start{such} is probed without "
                "starttls."
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
                if self._endpoint.proxy_protocol:
                    sock.sendall(proxy_protocol.header(sock))
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

    def where(self) -> str:
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
            tls.sendall(PROTOCOLS[starttls].goodbye)
            received = 0
            while received < _PARTING_BYTES and PROTOCOLS[starttls].goodbye:
                tls.settimeout(deadline.left())
                data = tls.recv(4096)
                if not data:
                    break
                received += len(data)
        tls.unwrap().close()
