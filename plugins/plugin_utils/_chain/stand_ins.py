# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verifier of ``cryptography``, asked about rules alone.

That verifier judges much that is not asked here and that nobody can tell it to leave out: which algorithms and sizes of
keys the public web takes, the length of serial numbers, the version, the time, identifiers of keys. So it never sees
the chain that came. It sees stand-ins, made for the question: certificates of one throw-away key, each issued by the
next, below an anchor that limits nothing, in which only the extensions under question are those that came. Names are
made up, so that no certificate has two issuers and nobody walks in circles. What it is asked that way, every version
since 42 answers alike.
This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import typing as t

# Where it is missing, ``certificate.require_cryptography`` has said so before anything here is called.
with contextlib.suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509 import verification

_BEGIN = datetime.datetime.fromisoformat("2020-01-01T00:00:00+00:00")
_NOON = datetime.datetime.fromisoformat("2030-01-01T00:00:00+00:00")
_END = datetime.datetime.fromisoformat("2040-01-01T00:00:00+00:00")
# What a server's certificate stands for where its own names are not under question.
_HOST = "stand-in.invalid"
_MAX_DEPTH = 64
# How many answers are kept.
_KEPT = 256
_PURPOSES = "2.5.29.37"
# An authority's usage where none is given: keyCertSign.
_SIGNS = ("2.5.29.15", b"\x03\x02\x02\x04")


class StandIn(t.NamedTuple):
    """What of one certificate is under question.

    ``extensions`` pairs dotted identifiers with values in DER, all critical but for the purposes (EKU);
    ``constraints`` and ``names`` are of DNS and IP alone; ``path_length`` counts every authority below.
    """

    extensions: tuple[tuple[str, bytes], ...] = ()
    path_length: int | None = None
    constraints: x509.NameConstraints | None = None
    names: tuple[x509.GeneralName, ...] = ()


def verifies(steps: t.Sequence[StandIn]) -> bool:
    """Whether the verifier takes such a chain, end-entity certificate first, for a server's."""
    return _verifies(tuple(steps))


# Chains of one authority are alike in this, and a run may have many.
@functools.lru_cache(maxsize=_KEPT)
def _verifies(steps: tuple[StandIn, ...]) -> bool:
    leaf, *authorities = [_made(number, step, is_leaf=number == 0) for number, step in enumerate(steps)]
    anchor = _made(len(steps), StandIn(), is_leaf=False)
    names = steps[0].names or (x509.DNSName(_HOST),)
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([anchor]))
        .time(_NOON)
        .max_chain_depth(_MAX_DEPTH)
        .build_server_verifier(t.cast("t.Any", names[0]))
    )
    try:
        verifier.verify(leaf, authorities)
    except Exception:
        # Whatever it is that the library makes of them, it does not take them.
        return False
    return True


@functools.lru_cache(maxsize=_KEPT)
def read(dotted: str, value: bytes) -> t.Any:
    """The value of one extension as the library reads it, by itself; raises what the library raises."""
    made = _signed(_builder(0).add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value), False))
    return made.extensions.get_extension_for_oid(x509.ObjectIdentifier(dotted)).value


@functools.cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(number: int) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"stand-in {number}")])


def _builder(number: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(number))
        .issuer_name(_name(number + 1))
        .public_key(_key().public_key())
        .serial_number(number + 1)
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
    )


def _signed(builder: x509.CertificateBuilder) -> x509.Certificate:
    return builder.sign(_key(), hashes.SHA256())


def _made(number: int, step: StandIn, *, is_leaf: bool) -> x509.Certificate:
    public_key = _key().public_key()
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), False),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
    ]
    if is_leaf:
        extensions.append((x509.SubjectAlternativeName(step.names or (x509.DNSName(_HOST),)), False))
    else:
        extensions.append((x509.BasicConstraints(ca=True, path_length=step.path_length), True))
    if step.constraints is not None:
        extensions.append((step.constraints, True))
    for dotted, value in dict([*([] if is_leaf else [_SIGNS]), *step.extensions]).items():
        given = x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), value)
        extensions.append((given, dotted != _PURPOSES))
    builder = _builder(number)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return _signed(builder)
