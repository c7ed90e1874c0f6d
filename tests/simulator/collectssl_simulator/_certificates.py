# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates under an order: issued once, kept in a folder, and spoilt on demand."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import pathlib
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding

from . import _archive, _pki
from ._faults import Fault
from ._files import write_atomically
from ._keys import file_stem, kept_private_key
from ._orders import Terms

Validity = tuple[datetime.datetime, datetime.datetime]
_DAY = datetime.timedelta(days=1)
_SECOND = datetime.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True)
class Issued:
    """A certificate under an order: the leaf, and the authorities it is served with, root first."""

    leaf: x509.Certificate
    authorities: tuple[x509.Certificate, ...]
    names: tuple[str, ...]
    issuer: str

    @property
    def validity(self) -> Validity:
        """The validity period, aware, in UTC."""
        return _pki.not_before(self.leaf), _pki.not_after(self.leaf)


@dataclasses.dataclass(frozen=True)
class Served:
    """DER certificates in the order served, the index of the leaf among them, and the validity that is told."""

    certificates: tuple[bytes, ...]
    leaf: int | None
    validity: Validity
    archive: bytes | None = None


def validity_of(terms: Terms, now: datetime.datetime) -> Validity:
    """Return a validity from 00:00:00 to 23:59:59 UTC, as section 2.2.2 has it, unless the terms say otherwise."""
    days = terms.valid_days * _DAY - _SECOND
    if terms.not_before is None and terms.not_after is not None:
        start = (terms.not_after - days).replace(hour=0, minute=0, second=0)
        return min(start, now.replace(hour=0, minute=0, second=0)), terms.not_after
    start = terms.not_before or now.replace(hour=0, minute=0, second=0)
    return start, terms.not_after or start.replace(hour=0, minute=0, second=0) + days


class Issuer:
    """Issues certificates for orders and remembers them in a folder, so that a restart does not reissue them."""

    def __init__(self, pki: _pki.Pki, directory: pathlib.Path) -> None:
        self.pki = pki
        self._keys = directory / "keys"
        self._issued = directory / "issued"
        for folder in (self._keys, self._issued):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._spoilt: dict[tuple[t.Any, ...], Served] = {}

    def public_key(self, order_number: str, terms: Terms, key_number: int) -> _pki.PublicKey:
        """Return the public key to certify; where the order brings none, a key made for it once."""
        if terms.key is not None:
            return terms.key
        stem = file_stem(order_number) + (f".{key_number}" if key_number > 1 else "")
        return kept_private_key(self._keys, stem, terms.key_type).public_key()

    def issue(self, order_number: str, terms: Terms, issue_number: int, key_number: int) -> Issued:
        """Return the certificate number issue_number of an order, from the folder if it is there and not expired."""
        public_key = self.public_key(order_number, terms, key_number)
        spki = public_key.public_bytes(Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        issuer = _pki.issuer_of(terms.chain)
        identity = repr(
            (
                terms.names,
                terms.valid_days,
                terms.not_before,
                terms.not_after,
                issuer,
                spki.hex(),
                self._issuer_id(issuer),
            )
        )
        digest = hashlib.sha256(identity.encode("utf-8")).hexdigest()[:16]
        path = self._issued / f"{file_stem(order_number)}.{issue_number}.{digest}.pem"
        leaf = x509.load_pem_x509_certificate(path.read_bytes()) if path.is_file() else None
        now = _pki.utc_now()
        if leaf is None or (terms.not_after is None and terms.not_before is None and _pki.not_after(leaf) < now):
            leaf = self.pki.issue(public_key, terms.names, validity_of(terms, now), issuer)
            write_atomically(path, leaf.public_bytes(Encoding.PEM))
        return Issued(leaf, tuple(self.pki.authorities(terms.chain)), terms.names, issuer)

    def _issuer_id(self, issuer: str) -> str:
        return f"{self.pki[issuer].certificate.serial_number:x}"

    def serve(self, issued: Issued, fault: Fault | None) -> Served:
        """Return the certificates to serve, spoilt by a fault of the kinds "chain" and "archive" if there is one.

        The same certificate with the same fault gives the same octets each time.
        """
        if fault is None or fault.kind not in ("chain", "archive"):
            chain = (*_ders(issued.authorities), _der(issued.leaf))
            return Served(chain, len(chain) - 1, issued.validity)
        key = (_der(issued.leaf), issued.authorities, fault.name, repr(sorted(fault.parameters.items())))
        if key not in self._spoilt:
            self._spoilt[key] = _SPOILERS[fault.name](self, issued, fault.parameters)
        return self._spoilt[key]

    def another_leaf(
        self,
        issued: Issued,
        validity: Validity | None = None,
        names: t.Sequence[str] | None = None,
        key: _pki.PublicKey | None = None,
        issuer: str | None = None,
    ) -> x509.Certificate:
        """Return a certificate like the issued one but for what is given."""
        return self.pki.issue(
            t.cast(_pki.PublicKey, issued.leaf.public_key()) if key is None else key,
            issued.names if names is None else names,
            issued.validity if validity is None else validity,
            issued.issuer if issuer is None else issuer,
        )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _ders(certificates: t.Iterable[x509.Certificate]) -> list[bytes]:
    return [_der(certificate) for certificate in certificates]


def _in_order(authorities: t.Sequence[bytes], leaf: bytes, validity: Validity) -> Served:
    return Served((*authorities, leaf), len(authorities), validity)


_Parameters = t.Mapping[str, t.Any]


def _scrambled(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    chain = [*_ders(issued.authorities), _der(issued.leaf)]
    # Neither the right order nor its reverse, and the leaf at neither end where there is room for that.
    order = list(range(1, len(chain), 2)) + list(range(0, len(chain), 2))
    if len(chain) > 2 and order[-1] == len(chain) - 1:
        order[-1], order[-2] = order[-2], order[-1]
    if len(chain) > 2 and order[0] == len(chain) - 1:
        order[0], order[1] = order[1], order[0]
    return Served(tuple(chain[index] for index in order), order.index(len(chain) - 1), issued.validity)


def _leaf_first(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return Served((_der(issued.leaf), *reversed(_ders(issued.authorities))), 0, issued.validity)


def _foreign_root(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    leaf = issuer.another_leaf(issued, issuer="foreign_issuing")
    return _in_order(_ders(issuer.pki.authorities("foreign")), _der(leaf), issued.validity)


def _foreign_intermediate(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    authorities = [*_ders(issued.authorities[:-1]), _der(issuer.pki["foreign_issuing"].certificate)]
    return _in_order(authorities, _der(issued.leaf), issued.validity)


def _missing_intermediate(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return _in_order(_ders(issued.authorities[:-1]), _der(issued.leaf), issued.validity)


def _broken_leaf(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    leaf = _pki.with_broken_signature(_der(issued.leaf))
    return _in_order(_ders(issued.authorities), leaf, issued.validity)


def _broken_intermediate(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    authorities = _ders(issued.authorities)
    authorities[-1] = _pki.with_broken_signature(authorities[-1])
    return _in_order(authorities, _der(issued.leaf), issued.validity)


def _moved(start_days: int, end_days: int) -> Validity:
    today = _pki.utc_now().replace(hour=0, minute=0, second=0)
    return today + start_days * _DAY, today + end_days * _DAY - _SECOND


def _expired_leaf(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    validity = _moved(-100, -9)
    return _in_order(_ders(issued.authorities), _der(issuer.another_leaf(issued, validity)), validity)


def _ancient_leaf(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    leaf = issuer.pki.with_start(issuer.another_leaf(issued), b"09500101000000Z", issued.issuer)
    return _in_order(_ders(issued.authorities), leaf, issued.validity)


def _not_yet_valid_leaf(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    validity = _moved(10, 100)
    return _in_order(_ders(issued.authorities), _der(issuer.another_leaf(issued, validity)), validity)


def _expired_intermediate(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    authorities = _ders(issued.authorities)
    authorities[-1] = _der(issuer.pki.authority_again(issued.issuer, _moved(-1000, -9)))
    return _in_order(authorities, _der(issued.leaf), issued.validity)


def _wrong_names(issuer: Issuer, issued: Issued, parameters: _Parameters) -> Served:
    leaf = issuer.another_leaf(issued, names=parameters["names"])
    return _in_order(_ders(issued.authorities), _der(leaf), issued.validity)


def _wrong_key(issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    leaf = issuer.another_leaf(issued, key=_pki.generate_key("ecdsa").public_key())
    return _in_order(_ders(issued.authorities), _der(leaf), issued.validity)


def _no_leaf(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return Served(tuple(_ders(issued.authorities)), None, issued.validity)


def _duplicates(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    chain = [*_ders(issued.authorities), _der(issued.leaf)]
    return Served(tuple(der for der in chain for _twice in (1, 2)), 2 * len(chain) - 1, issued.validity)


def _extras(issuer: Issuer, issued: Issued, parameters: _Parameters) -> Served:
    authorities = _ders(issued.authorities) + _ders(issuer.pki.authorities("foreign"))
    if parameters["leaf"]:
        key = _pki.generate_key("ecdsa").public_key()
        authorities.append(
            _der(issuer.another_leaf(issued, names=["unrelated.invalid"], key=key, issuer="foreign_issuing"))
        )
    return _in_order(authorities, _der(issued.leaf), issued.validity)


def _with_archive(issued: Issued, make: t.Callable[[t.Sequence[bytes]], bytes]) -> Served:
    served = _in_order(_ders(issued.authorities), _der(issued.leaf), issued.validity)
    return dataclasses.replace(served, archive=make(served.certificates))


def _zip_bomb(_issuer: Issuer, issued: Issued, parameters: _Parameters) -> Served:
    return _with_archive(issued, lambda chain: _archive.bomb(chain, parameters["megabytes"]))


def _zip_many_entries(_issuer: Issuer, issued: Issued, parameters: _Parameters) -> Served:
    return _with_archive(issued, lambda chain: _archive.many_entries(chain, parameters["entries"]))


def _zip_nameless(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return _with_archive(issued, _archive.nameless)


def _zip_far_away(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return _with_archive(issued, _archive.far_away)


def _zip_climbing_names(_issuer: Issuer, issued: Issued, _parameters: _Parameters) -> Served:
    return _with_archive(issued, _archive.climbing_names)


_SPOILERS: t.Mapping[str, t.Callable[[Issuer, Issued, _Parameters], Served]] = {
    "scrambled_chain": _scrambled,
    "leaf_first": _leaf_first,
    "foreign_root": _foreign_root,
    "foreign_intermediate": _foreign_intermediate,
    "missing_intermediate": _missing_intermediate,
    "broken_signature_leaf": _broken_leaf,
    "broken_signature_intermediate": _broken_intermediate,
    "ancient_leaf": _ancient_leaf,
    "expired_leaf": _expired_leaf,
    "expired_intermediate": _expired_intermediate,
    "not_yet_valid_leaf": _not_yet_valid_leaf,
    "wrong_names": _wrong_names,
    "wrong_key": _wrong_key,
    "no_leaf": _no_leaf,
    "duplicate_certificates": _duplicates,
    "extra_certificates": _extras,
    "zip_bomb": _zip_bomb,
    "zip_many_entries": _zip_many_entries,
    "zip_climbing_names": _zip_climbing_names,
    "zip_nameless": _zip_nameless,
    "zip_far_away": _zip_far_away,
}
