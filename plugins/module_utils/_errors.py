# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of this collection: one small hierarchy, without Ansible imports, mapped once at each edge.

    CollectError                     every error that is raised on purpose; itself where this controller lacks something
    ├── OptionError                  an option is wrong; nobody was asked
    ├── TransportError               the provider could not be asked
    ├── ProtocolError                what it sent is no answer of the interface
    ├── ChainError                   what it sent, or a user handed in, is no chain to install
    ├── OrderError                   it answered, and not with an issued certificate
    │   ├── PendingError             still being processed: 0, -26
    │   ├── RejectedError            rejected: -20
    │   ├── RevokedError             revoked: -21
    │   ├── AwaitingPaymentError     not paid: -22
    │   └── RefusedError             any other negative status
    ├── InstallError                 a file or a command on the target failed
    └── EndpointError                an endpoint served no certificate, or not the one that it was asked for

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import Any, Dict, Optional


class CollectError(Exception):
    """Base of every error this collection raises on purpose.

    ``str(error)`` is a sentence for users: what happened, to which order or file, and what to do next.
    It never holds a secret.
    """


class OptionError(CollectError):
    """An option, or a combination of options, that breaks a rule; found before any call is made."""


class TransportError(CollectError):
    """The provider could not be asked: network, TLS, proxy, or a status that says "not now"."""


class ProtocolError(CollectError):
    """What came back is not an answer of the interface (an HTML page, an empty or a cut-off body, …)."""


class ChainError(CollectError):
    """What came back, or was handed in, is not a certificate chain that may be installed."""


class OrderError(CollectError):
    """The provider answered, and the answer is not an issued certificate.

    ``order`` is the order dictionary as users see it.
    """

    def __init__(self, message: str, order: Dict[str, Any]) -> None:
        super().__init__(message)
        self.order = order


class PendingError(OrderError):
    """The order is still being processed (status 0 or -26)."""


class RejectedError(OrderError):
    """The request was rejected (status -20)."""


class RevokedError(OrderError):
    """The certificate was revoked (status -21)."""


class AwaitingPaymentError(OrderError):
    """The order is not paid (status -22)."""


class RefusedError(OrderError):
    """The provider refused to answer: any other negative status."""


class InstallError(CollectError):
    """A file on the target could not be read, checked, written or validated.

    ``details`` holds what else the task's result should say, such as ``rc``, ``stdout`` and ``stderr`` of a command.
    ``settled`` says that the message tells how the files are now; otherwise whoever knows adds it.
    """

    def __init__(self, message: str, details: Optional[Dict[str, Any]] = None, settled: bool = False) -> None:
        super().__init__(message)
        self.details = details or {}
        self.settled = settled


class EndpointError(CollectError):
    """A TLS endpoint that could not be reached, or did not serve the certificate that it was asked for.

    ``shown`` is what it showed to a look that asked for none in particular, as ``tls_endpoint_info`` returns it.
    ``undetermined`` says that the reason lies in the looking, so that nothing is known of what the endpoint has.
    """

    def __init__(self, message: str, shown: Optional[Dict[str, Any]] = None, undetermined: bool = False) -> None:
        super().__init__(message)
        self.shown = shown
        self.undetermined = undetermined


_BY_STATE = {
    "pending": PendingError,
    "awaiting_payment": AwaitingPaymentError,
    "rejected": RejectedError,
    "revoked": RevokedError,
}


def error_for_order(message: str, order: Dict[str, Any]) -> OrderError:
    """The error class that belongs to ``order["state"]``, which is not ``issued``."""
    return _BY_STATE.get(order["state"], RefusedError)(message, order)
