# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what an answer carries, or a user hands in, to an ordered chain whose every signature was verified.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import typing as t

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.request import (
    QUERY_ALL,
    QUERY_CHAIN,
    CollectRequest,
)
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.response import CollectResponse
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import (
    building,
    certificate,
    containers,
    content,
    rules,
)
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain.bundle import Bundle

# More than any chain in the world has.
_MAX_CERTIFICATES = 32

# As much as a diff shows of a subject, which may hold anything (characters).
_SUBJECT_SIZE = 600


def bundle_of_answer(response: CollectResponse, request: CollectRequest, now: datetime.datetime) -> Bundle:
    """The verified chain that an answer carries.

    :arg now: with a time zone; among several chains, one without expired certificates is taken.
    :raises ChainError: where there is none, or it is not one chain.
    """
    ders = list(response.certificates)
    if response.container:
        certificate.require_cryptography()
        ders.extend(containers.unpack(*response.container))
    if not ders:
        raise ChainError("The provider says that the certificate is issued, and sent none.")
    return _bundle(
        ders,
        now,
        has_leaf=request.query_type != QUERY_CHAIN,
        has_issuers=request.query_type in (QUERY_ALL, QUERY_CHAIN),
        for_server=request.product == "ssl",
    )


def bundle_of_content(text: str, now: datetime.datetime) -> Bundle:
    """The verified chain of what a user handed in as ``content``; a certificate alone is a chain too.

    :arg text: PEM with anything around its blocks; or PEM, PKCS#7 or a certificate in base64.
    :raises ChainError: where there is none, or it is not one chain.
    """
    certificate.require_cryptography()
    with _in_words("content cannot be read"):
        ders = content.certificates(text)
    return _bundle(ders, now, has_leaf=True, has_issuers=len(ders) > 1)


def describe_pem(text: str) -> str:
    """A text for a diff: each PEM certificate gives way to its subject, serial number, validity and fingerprint."""
    certificate.require_cryptography()
    return _pem.replaced(text, _description)


def first_of_pem(text: str, now: datetime.datetime) -> dict[str, t.Any]:
    """The ``certificate`` dictionary of the first certificate in PEM text, whatever that is for; its chain is empty.

    :raises ChainError: where there is none, or it cannot be read.
    """
    certificate.require_cryptography()
    ders = _pem.certificates(text)
    if not ders:
        raise ChainError("there is no whole certificate in PEM form.")
    with _in_words("the certificate cannot be read"):
        facts = certificate.facts(certificate.load(ders[0]), ())
        return t.cast("dict[str, t.Any]", Bundle(None, (), None, facts).described(now))


def _description(block: str) -> str:
    try:
        with _in_words("a certificate cannot be read"):
            facts = certificate.facts(certificate.load(_pem.dearmour(block) or b""), ())
    except ChainError:
        return "a certificate that cannot be read\n"
    return (
        f"subject: {excerpt(facts['subject'], _SUBJECT_SIZE)}\nserial number: {facts['serial_number']}\n"
        f"valid: {facts['not_before']} to {facts['not_after']}\nSHA-256 fingerprint: {facts['fingerprint_sha256']}\n"
    )


def _bundle(
    ders: list[bytes], now: datetime.datetime, *, has_leaf: bool, has_issuers: bool, for_server: bool = False
) -> Bundle:
    certificate.require_cryptography()
    unique = list(dict.fromkeys(ders))
    if len(unique) > _MAX_CERTIFICATES:
        raise ChainError(f"{len(unique)} certificates came, more than any chain has ({_MAX_CERTIFICATES} are read).")
    with _in_words("A certificate of the chain cannot be read"):
        return _checked(unique, now, has_leaf, has_issuers, for_server)


@contextlib.contextmanager
def _in_words(beginning: str) -> t.Iterator[None]:
    """Whatever a library makes of what others wrote is a fault of what they wrote, and never of the run."""
    try:
        yield
    except ChainError:
        raise
    except Exception as exc:
        raise ChainError(f"{beginning}: {excerpt(str(exc)).rstrip('. ') or type(exc).__name__}.") from exc


def _checked(ders: list[bytes], now: datetime.datetime, has_leaf: bool, has_issuers: bool, for_server: bool) -> Bundle:
    pool = [certificate.load(der) for der in ders]
    path = building.best_path(pool, now, has_leaf=has_leaf, has_issuers=has_issuers, for_server=for_server)
    steps = list(path.steps)
    leaf = steps.pop(0) if has_leaf else None
    root = steps.pop() if steps and path.complete else None
    facts = None
    if leaf is not None:
        facts = {**certificate.facts(leaf, steps), "server_fault": None if for_server else _server_fault(path)}
    return Bundle(
        certificate=certificate.pem(leaf) if leaf else None,
        intermediates=tuple(certificate.pem(step) for step in steps),
        root=certificate.pem(root) if root else None,
        facts=facts,
    )


def _server_fault(path: building.ChainPath) -> str | None:
    """Kept for those tasks that expect names of hosts, where the chain itself does not tell what it is for."""
    try:
        return rules.server_fault(path.steps, has_leaf=True)
    except ChainError as unchecked:
        return str(unchecked)
