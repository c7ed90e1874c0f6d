# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers as the simulator renders them, and what the parser has to make of them.

The rendering was written from the specification without a look at the parser; what is expected here comes from what
was to be told, not from what was rendered.
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    SHOW,
    CollectRequest,
    show_everything,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.containers import unpack
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator import _arguments, _render
from ansible_collections.certfleet.collectssl.tests.simulator.collectssl_simulator._answer import (
    PLAIN,
    Answer,
    Domain,
    Style,
    error,
)
from ansible_collections.certfleet.collectssl.tests.support import authority

DETAIL_OPTIONS = {
    "csr": "csrStatus",
    "dcv": "dcvStatus",
    "ov_callback": "ovCallBackStatus",
    "organization_validation": "organizationValidationStatus",
    "free_dv_upgrade": "freeDVUPStatus",
    "ev_click_through": "evClickThroughStatus",
    "brand_validation": "brandValStatus",
}
#: Those that version 1.22 of the interface adds.
LATER_DETAIL_OPTIONS = {
    "ma": "maStatus",
    "ev_assumed_name": "evAssumedName",
    "ev_physical_existence": "evPhysicalExistence",
    "ev_operational_existence": "evOperationalExistence",
    "ev_signer_approver_requester": "evSignerApproverRequester",
    "ev_signer_second_approval": "evSignerSecondApproval",
}
ALL_DETAIL_OPTIONS = {**DETAIL_OPTIONS, **LATER_DETAIL_OPTIONS}
MEANINGS: dict[int | None, str | None] = {
    -1: "not_required",
    0: "not_completed",
    1: "completed",
    2: "in_progress",
    None: None,
}
DOMAIN_STATUSES = {"VALIDATED": "validated", "NOTVALIDATED": "not_validated", "AWAITINGBRAND": "awaiting_brand"}
DOMAINS = (
    Domain("domain1.example", "VALIDATED"),
    Domain("*.domain2.example", "NOTVALIDATED"),
    Domain("domain3.example", "AWAITINGBRAND"),
)
DETAILS: dict[str, int | None] = dict(zip(DETAIL_OPTIONS.values(), (1, 2, 0, -1, -1, 1, 2), strict=True))

#: Response type, encoding and query type: every combination that section 1 allows.
SHAPES = (
    *(("individual", "base64", query_type) for query_type in range(4)),
    *((kind, "base64", QUERY_ALL) for kind in ("pkcs7", "netscape", "zip")),
    *((kind, "binary", QUERY_ALL) for kind in ("pkcs7", "zip")),
)
ISSUED = 2
#: Every status code of section 2.1 but "issued", those of the wire notes, and some that nobody knows.
OTHER_CODES = (0, -1, -2, -3, -4, -14, -16, -17, -20, -21, -22, -26, -42, -90, -1234)


def shapes(product: str) -> list[tuple[str, str, int]]:
    """Those of ``SHAPES`` that a product has: CollectCCC has no ZIP archive."""
    return [shape for shape in SHAPES if product == "ssl" or shape[0] != "zip"]


def kinds(product: str) -> list[str]:
    """The kinds of identifiers by which a product can be asked."""
    return ["order_number", *(["certificate_id", "base_order_number"] if product == "ssl" else ["collection_code"])]


def shows(product: str = "ssl") -> list[frozenset[str]]:
    """Every set of show flags."""
    sets: list[frozenset[str]] = [frozenset()]
    for flag in SHOW:
        if flag in show_everything(product):
            sets += [flags | {flag} for flags in sets]
    return sets


def answer_for(code: int, **changes: t.Any) -> Answer:
    """An answer with something to tell in every part that its status allows."""
    chain = authority.chain()
    common: dict[str, t.Any] = {
        "certificate_status": "Issued" if code > 0 else "Awaiting Validation",
        "validation_status": "Complete" if code > 0 else "Awaiting Brand Validation",
        "domains": DOMAINS,
        "details": DETAILS,
        "caa_status": "Authorized" if code > 0 else "Awaiting Completion",
    }
    if code > 0:
        common.update(validity=authority.LEAF_VALIDITY, fqdn="www.example.com", certificates=chain.served, leaf=-1)
    base = error(code, "orderNumber" if code in (-3, -4) else None) if code < 0 else Answer(code=code)
    return dataclasses.replace(base, **{**common, **changes})


def rendered(answer: Answer, request: CollectRequest, style: Style = PLAIN) -> tuple[str, bytes]:
    """Content type and body of an answer to a request, which takes its way over the wire."""
    secret = "+&%= space ü"
    account = [("loginName", "someone"), ("loginPassword", secret)]
    asker = [("collectionCode", secret)] if request.identifier_kind == "collection_code" else account
    wire = urllib.parse.urlencode([*asker, *request.variables()]).encode("ascii")
    arguments = _arguments.check(_arguments.read_pairs(wire), request.product)
    assert secret in (arguments.login_password, arguments.collection_code)
    return _render.render(answer, arguments, style)


def expected(answer: Answer, request: CollectRequest, style: Style = PLAIN) -> dict[str, t.Any]:
    """The fields of the response, as ``observed`` gives them."""
    ready = answer.code > 0
    if ready and request.binary:
        return _nothing(2, certificates=sorted(answer.certificates))
    urlencoded = request.response_format == "urlencoded" and not request.binary
    fields = _nothing((1 if request.query_type == 0 else 2) if ready else answer.code)
    fields["message"] = (answer.message or "") if answer.code < 0 else ""
    fields["error_item"] = answer.error_item if urlencoded else None
    fields["caa_status"] = answer.caa_status if request.product == "ssl" else None
    if ready and "validity_period" in request.show and answer.validity:
        fields["not_before"], fields["not_after"] = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in answer.validity)
    if ready and "fqdn" in request.show:
        fields["fqdn"] = answer.fqdn
    if ready:
        fields["certificates"] = _expected_certificates(answer, request)
    if answer.code >= 0 or style.status_on_error:
        if "ext_status" in request.show:
            fields["certificate_status"] = answer.certificate_status
            fields["validation_status"] = answer.validation_status
        if "status_details" in request.show and answer.details is not None:
            given = {name: answer.details.get(variable) for name, variable in ALL_DETAIL_OPTIONS.items()}
            fields["details"] = {name: MEANINGS[value] for name, value in given.items()}
    if answer.code == 0:
        fields["mdc_domains"] = _expected_domains(answer, request)
    if urlencoded:
        fields["extra"] = dict(style.extra_fields)
    return fields


def _nothing(code: int, certificates: t.Sequence[bytes] = ()) -> dict[str, t.Any]:
    texts = ("error_item", "not_before", "not_after", "fqdn", "certificate_status", "validation_status", "caa_status")
    return {
        "status_code": code,
        "message": "",
        **dict.fromkeys(texts),
        "mdc_domains": [],
        "details": dict.fromkeys(ALL_DETAIL_OPTIONS),
        "extra": {},
        "certificates": list(certificates),
    }


def _expected_certificates(answer: Answer, request: CollectRequest) -> list[bytes]:
    authorities, leaf = list(answer.certificates[:-1]), list(answer.certificates[-1:])
    wanted = {0: [], 1: authorities + leaf, 2: leaf, 3: authorities}[request.query_type]
    return wanted if request.response_type == "individual" else sorted(wanted)


def _expected_domains(answer: Answer, request: CollectRequest) -> list[tuple[str, str]]:
    if "mdc_domain_details2" in request.show:
        return [(domain.name, DOMAIN_STATUSES[domain.status]) for domain in answer.domains]
    if "mdc_domain_details" in request.show:
        return [
            (domain.name, "validated" if domain.status == "VALIDATED" else "not_validated") for domain in answer.domains
        ]
    return []


def observed(response: CollectResponse) -> dict[str, t.Any]:
    """The fields of a response; certificates out of a structure are sorted, since a PKCS#7 has no order."""
    fields = dataclasses.asdict(response)
    container = fields.pop("container")
    if container:
        assert not response.certificates
        fields["certificates"] = sorted(unpack(*container))
    else:
        fields["certificates"] = list(response.certificates)
    fields["mdc_domains"] = list(response.mdc_domains)
    fields["details"] = dict(response.details)
    fields["extra"] = dict(response.extra)
    return fields
