# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer of the CollectSSL interface, in any of its forms, as one frozen value.

``parse`` is pure and total: any bytes give a ``CollectResponse`` or raise ``ProtocolError``, never another exception.
This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
from typing import Any, Dict, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ProtocolError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt, printable
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire import lines, urlencoded
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.fields import Fields
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import CollectRequest
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import (
    is_pkcs7,
    is_zip,
    structure_length,
)

STATUS_NAMES = {
    2: "certificates_attached",
    1: "certificates_available",
    0: "being_processed",
    -1: "not_https",
    -2: "unrecognised_argument",
    -3: "missing_argument",
    -4: "invalid_argument",
    -14: "unknown_error",
    -16: "permission_denied",
    -17: "not_post",
    -20: "rejected",
    -21: "revoked",
    -22: "awaiting_payment",
}

#: "Call limit reached": not in the specification, seen in later documentation; worth another try after a pause.
CALL_LIMIT_REACHED = -42

_CURRENTLY_BEING_ISSUED = -26

_STATES = {
    2: "issued",
    1: "issued",
    0: "pending",
    _CURRENTLY_BEING_ISSUED: "pending",
    -20: "rejected",
    -21: "revoked",
    -22: "awaiting_payment",
}


@dataclasses.dataclass(frozen=True)
class CollectResponse(Fields):
    """What the provider said, and what it means."""

    @property
    def status_name(self) -> str:
        """The name of the status code, ``unlisted`` for one that the specification does not list."""
        return STATUS_NAMES.get(self.status_code, "unlisted")

    @property
    def state(self) -> str:
        """``issued``, ``pending``, ``awaiting_payment``, ``rejected``, ``revoked`` or ``error``."""
        state = _STATES.get(self.status_code, "error")
        # The certificate of a revoked order may still be handed out; its status line is then the only word of it.
        if state == "issued" and (self.certificate_status or "").lower() == "revoked":
            return "revoked"
        return state

    def order(self, request: CollectRequest) -> Dict[str, Any]:
        """The order dictionary that users see."""
        # A collection code is a secret, and its order has no other name.
        named = {request.identifier_kind: request.identifier} if request.identifier else {}
        order: Dict[str, Any] = {
            **named,
            "state": self.state,
            "status": {"code": self.status_code, "name": self.status_name, "message": self.message or None},
        }
        for name in ("fqdn", "not_before", "not_after", "certificate_status", "validation_status", "caa_status"):
            order[name] = getattr(self, name)
        order["mdc_domains"] = [{"name": name, "status": status} for name, status in self.mdc_domains]
        order["details"] = dict(self.details)
        order["extra"] = {name: value if isinstance(value, str) else list(value) for name, value in self.extra}
        if self.error_item:
            order["extra"]["errorItem"] = self.error_item
        return order


def order_not_asked(request: CollectRequest, message: str) -> Dict[str, Any]:
    """The order dictionary of an order that could not be asked, with the reason."""
    order = CollectResponse(status_code=0).order(request)
    order.update({"state": "error", "status": {"code": None, "name": "not_asked", "message": message}})
    return order


def parse(body: bytes, content_type: Optional[str], request: CollectRequest) -> CollectResponse:
    """Read an answer in format 0, format 1 or binary (sections 2 and 3 of the specification).

    :arg body: the bytes of the answer, whole.
    :arg content_type: what the answer says it is; only told in errors, since the service is not exact about it.
    :arg request: what was asked; where the form leaves something open, it decides.
    :raises ProtocolError: where it is not an answer of the interface, or is cut off.

    All text in the value is printable: whatever is done with it, no sign in it is obeyed by a terminal.
    """
    container = _bare_container(body) if request.binary else None
    if container:
        return CollectResponse(status_code=2, container=container)
    text = body.decode("utf-8", "replace").lstrip("\ufeff")
    for reader in (lines.read, urlencoded.read):
        fields = reader(text, request)
        if fields is not None:
            return CollectResponse(**{name: _readable(value) for name, value in vars(fields).items()})
    raise ProtocolError(_not_an_answer(text, content_type))


def _readable(value: Any) -> Any:
    """The value of a field with all text in it made printable; certificates are octets and stay what they are."""
    if isinstance(value, tuple):
        return tuple(_readable(part) for part in value)
    return printable(value) if isinstance(value, str) else value


def _bare_container(body: bytes) -> Optional[Tuple[str, bytes]]:
    """The bare ZIP archive or PKCS#7 structure that an answer consists of; None where it is text."""
    if is_zip(body):
        return ("zip", body)
    if not is_pkcs7(body):
        return None
    length = structure_length(body)
    if length is None or length > len(body):
        raise ProtocolError("The answer's PKCS#7 structure is cut off.")
    return ("pkcs7", body[:length])


def _not_an_answer(text: str, content_type: Optional[str]) -> str:
    kind = f" (content type {excerpt(content_type, 60)})" if content_type else ""
    if not text.strip():
        return f"The answer is empty{kind}; it is not one of the CollectSSL interface."
    what = "is an HTML page" if "<html" in text[:2000].lower() else "has neither a status line nor an errorCode"
    return f"The answer {what}{kind}; it is not one of the CollectSSL interface. It begins: {excerpt(text)}"
