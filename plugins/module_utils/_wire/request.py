# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request of the CollectSSL interface: the rules of section 1 of its specification, and its wire form.

CollectCCC takes an account with an order number, or a collection code alone, and a list of arguments of its own, which
is shorter: it answers a name that it does not know with -2. Two that it lists are never sent, ``responseMimeType``,
since nothing here hangs on what an answer says it is, and ``callbackFunctionName``, which is for browsers.
This module util is private to the collection. It can have breaking changes at any time.
"""

import dataclasses
import re
from typing import Any, Collection, Dict, FrozenSet, List, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import COLLECTION_CODE, IDENTIFIERS
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import OptionError

#: Values of ``queryType``.
QUERY_STATUS = 0
QUERY_ALL = 1
QUERY_CERTIFICATE = 2
QUERY_CHAIN = 3

PRODUCT_URLS = {
    "ssl": "https://secure.trust-provider.com/products/download/CollectSSL",
    "ccc": "https://secure.trust-provider.com/products/download/CollectCCC",
}

#: What an answer can be asked to tell besides its status, with the variable of the request that asks for it.
SHOW = {
    "validity_period": "showValidityPeriod",
    "fqdn": "showFQDN",
    "ext_status": "showExtStatus",
    "mdc_domain_details": "showMDCDomainDetails",
    "mdc_domain_details2": "showMDCDomainDetails2",
    "status_details": "showStatusDetails",
}

_IDENTIFIER_VARIABLES = dict(zip(IDENTIFIERS, ("orderNumber", "certificateID", "baseOrderNumber")))
_RESPONSE_TYPES = {"zip": 0, "netscape": 1, "pkcs7": 2, "individual": 3}
_RESPONSE_ENCODINGS = {"base64": 0, "binary": 1}
_RESPONSE_FORMATS = {"lines": 0, "urlencoded": 1}
_MAX_ORDER_NUMBER = 128
_MAX_CERTIFICATE_ID = 16
_WHOLE_NUMBER = re.compile(r"^[0-9]+\Z")
_CCC_SHOW = frozenset(["validity_period"])
_SECTION = "section 1 of the CollectSSL specification"


@dataclasses.dataclass(frozen=True)
class CollectRequest:
    """One question about one order. Frozen, hashable, without credentials, and right by construction.

    ``identifier_kind`` is one of ``order_number``, ``certificate_id``, ``base_order_number``, or ``collection_code``,
    where the credentials name the order too and ``identifier`` is empty; ``query_type`` one of the ``QUERY_``
    constants; ``response_type``, ``response_encoding`` and ``response_format`` are spelled as the options are, and the
    last is ``lines`` for CollectCCC, which knows no other, whatever was given; ``show`` holds keys of ``SHOW``, and is
    a frozenset whatever was given. Raises ``OptionError`` with the rule for what section 1 of the specification
    forbids.
    """

    identifier_kind: str
    identifier: str
    product: str = "ssl"
    query_type: int = QUERY_ALL
    response_type: str = "individual"
    response_encoding: str = "base64"
    response_format: str = "urlencoded"
    show: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        # The way round a frozen dataclass that its documentation shows.
        object.__setattr__(self, "identifier", self.identifier.strip())
        object.__setattr__(self, "show", frozenset(self.show))
        self._check_values()
        if self.product == "ccc":
            object.__setattr__(self, "response_format", "lines")
        self._check_identifier()
        self._check_combinations()

    def _check_values(self) -> None:
        for option, value, allowed in (
            ("product", self.product, PRODUCT_URLS),
            ("identifier", self.identifier_kind, (*_IDENTIFIER_VARIABLES, COLLECTION_CODE)),
            ("response_type", self.response_type, _RESPONSE_TYPES),
            ("response_encoding", self.response_encoding, _RESPONSE_ENCODINGS),
            ("response_format", self.response_format, _RESPONSE_FORMATS),
        ):
            if value not in allowed:
                raise OptionError("{} must be one of {}, not {!r}.".format(option, ", ".join(allowed), value))
        if self.query_type not in (QUERY_STATUS, QUERY_ALL, QUERY_CERTIFICATE, QUERY_CHAIN):
            raise OptionError(f"The query type must be 0, 1, 2 or 3 ({_SECTION}), not {self.query_type!r}.")
        unknown = set(self.show).difference(SHOW)
        if unknown:
            raise OptionError("Nothing to show is called {}.".format(", ".join(sorted(unknown))))

    def _check_identifier(self) -> None:
        kind, value = self.identifier_kind, self.identifier
        if self.product == "ccc" and kind not in ("order_number", COLLECTION_CODE):
            raise OptionError(
                f"{kind} is for product ssl alone: CollectCCC is asked by order_number, or by a collection_code alone."
            )
        if kind == COLLECTION_CODE:
            if value or self.product != "ccc":
                raise OptionError("A collection_code is for product ccc alone, and names the order by itself.")
            return
        if not value:
            raise OptionError(f"{kind} is empty.")
        if kind == "order_number":
            if len(value) > _MAX_ORDER_NUMBER or not value.isprintable():
                raise OptionError(
                    f"order_number must be at most {_MAX_ORDER_NUMBER} printable characters ({_SECTION})."
                )
            if self.product == "ccc" and not _WHOLE_NUMBER.match(value):
                raise OptionError(f"order_number must be a whole number for product ccc, not {value[:40]!r}.")
        elif not _WHOLE_NUMBER.match(value):
            raise OptionError(f"{kind} must be a whole number ({_SECTION}), not {value[:40]!r}.")
        elif kind == "certificate_id" and len(value) > _MAX_CERTIFICATE_ID:
            raise OptionError(f"certificate_id has at most {_MAX_CERTIFICATE_ID} digits ({_SECTION}).")

    def _check_combinations(self) -> None:
        if self.response_type != "individual" and self.query_type != QUERY_ALL:
            raise OptionError(
                f"response_type {self.response_type} is for the certificate together with its chain (query type 1) "
                f"alone; this asks with query type {self.query_type}, which takes individual ({_SECTION})."
            )
        if self.response_encoding == "binary" and self.response_type not in ("zip", "pkcs7"):
            raise OptionError(
                f"response_encoding binary needs response_type zip or pkcs7, not {self.response_type} ({_SECTION})."
            )
        if self.product == "ccc" and self.response_type == "zip":
            raise OptionError("response_type zip is for product ssl alone: CollectCCC sends no ZIP archive.")
        strange = [variable for name, variable in SHOW.items() if name in self.show and name not in _CCC_SHOW]
        if self.product == "ccc" and strange:
            raise OptionError(
                f"{strange[0]} can be asked of product ssl alone: CollectCCC tells the status and the validity."
            )

    @property
    def binary(self) -> bool:
        """Whether an issued certificate comes as a bare ZIP archive or PKCS#7 structure."""
        return self.response_encoding == "binary"

    def label(self) -> str:
        """The order as sentences name it, such as ``order number 12345``; a collection code is never shown."""
        if self.identifier_kind == COLLECTION_CODE:
            return "the order of the collection code"
        kind = self.identifier_kind.replace("_id", " ID").replace("_", " ")
        return f"{kind} {self.identifier}"

    def variables(self) -> List[Tuple[str, str]]:
        """The variables of the request and their values, in the order of section 1, without credentials."""
        pairs = [
            ("queryType", str(self.query_type)),
            ("responseType", str(_RESPONSE_TYPES[self.response_type])),
            ("responseEncoding", str(_RESPONSE_ENCODINGS[self.response_encoding])),
        ]
        if self.identifier_kind in _IDENTIFIER_VARIABLES:
            pairs.insert(0, (_IDENTIFIER_VARIABLES[self.identifier_kind], self.identifier))
        pairs.extend((variable, "Y") for name, variable in SHOW.items() if name in self.show)
        if not self.binary and self.product != "ccc":
            pairs.append(("responseFormat", str(_RESPONSE_FORMATS[self.response_format])))
        return pairs

    def covers(self, other: "CollectRequest") -> bool:
        """Whether an answer to this request tells all that ``other`` asks, whatever form either comes in."""
        if (self.product, self.identifier_kind, self.identifier) != (
            other.product,
            other.identifier_kind,
            other.identifier,
        ):
            return False
        if self.query_type not in (QUERY_ALL, other.query_type):
            return False
        # A bare structure tells nothing else, and nobody who asks for one wants more.
        told = set() if self.binary else set(self.show)
        return other.binary or told.issuperset(other.show)

    def as_record(self) -> Dict[str, Any]:
        """A dictionary of plain values from which ``CollectRequest(**record)`` makes this request again."""
        return {**dataclasses.asdict(self), "show": sorted(self.show)}


def show_everything(product: str) -> FrozenSet[str]:
    """All that an answer for ``product`` can be asked to tell."""
    return frozenset(SHOW) if product == "ssl" else _CCC_SHOW
