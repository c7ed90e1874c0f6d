# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ZIP archives as the product sends them, and the bad ones that a client must survive."""

from __future__ import annotations

import io
import typing as t
import zipfile

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

_WHEN = (2026, 1, 1, 0, 0, 0)


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _WHEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


def stem(certificate: x509.Certificate) -> str:
    """Return the stem of a certificate's file: AAACertificateServices, www_example_com, STAR_example_com."""
    common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common_names[0].value) if common_names else "certificate"
    try:
        is_ca = certificate.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS)
        if t.cast(x509.BasicConstraints, is_ca.value).ca:
            return "".join(character for character in name if character.isalnum())
    except x509.ExtensionNotFound:
        pass
    return name.replace("*", "STAR").replace(".", "_").replace(":", "_").replace("/", "_").replace(" ", "")


def make(certificates: t.Sequence[bytes], leaf: int | None, leaf_name: str | None) -> bytes:
    """Return a ZIP archive of DER certificates: one PEM file each, named after the authority or the domain."""
    output = io.BytesIO()
    used: dict[str, int] = {}
    position = None if leaf is None else leaf % max(len(certificates), 1)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, der in enumerate(certificates):
            certificate = x509.load_der_x509_certificate(der)
            name = leaf_name if index == position and leaf_name is not None else stem(certificate)
            used[name] = used.get(name, 0) + 1
            if used[name] > 1:
                name = f"{name}_{used[name]}"
            archive.writestr(_entry(f"{name}.crt"), certificate.public_bytes(Encoding.PEM))
    return output.getvalue()


def bomb(certificates: t.Sequence[bytes], megabytes: int) -> bytes:
    """Return an archive with the certificates and one small entry that unpacks to so many megabytes."""
    output = io.BytesIO(make(certificates, None, None))
    block = bytes(1 << 20)
    with (
        zipfile.ZipFile(output, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open(_entry("readme.crt"), "w") as entry,
    ):
        for _unused in range(megabytes):
            entry.write(block)
    return output.getvalue()


def many_entries(certificates: t.Sequence[bytes], entries: int) -> bytes:
    """Return an archive with the certificates and so many further small entries."""
    output = io.BytesIO(make(certificates, None, None))
    with zipfile.ZipFile(output, "a", zipfile.ZIP_STORED) as archive:
        for number in range(entries):
            archive.writestr(_entry(f"extra_{number}.crt"), b"")
    return output.getvalue()


class _Nameless(zipfile.ZipInfo):
    """An entry without a name, which the library takes for a folder or stumbles over, by version."""

    def is_dir(self) -> bool:
        return False


def nameless(certificates: t.Sequence[bytes]) -> bytes:
    """Return an archive with the certificates and an entry that has no name."""
    output = io.BytesIO(make(certificates, None, None))
    with zipfile.ZipFile(output, "a") as archive:
        archive.writestr(_Nameless("", _WHEN), b"nothing")
    return output.getvalue()


def far_away(certificates: t.Sequence[bytes]) -> bytes:
    """Return an archive whose last entry is said to lie farther away than files are long."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, der in enumerate(certificates):
            pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
            archive.writestr(_entry(f"{index}.crt"), pem)
        archive.infolist()[-1].header_offset = 1 << 63
    return output.getvalue()


def climbing_names(certificates: t.Sequence[bytes]) -> bytes:
    """Return an archive whose entries would leave the folder that a careless client unpacks them to."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, der in enumerate(certificates):
            pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
            archive.writestr(_entry(f"../../simulator_{index}.crt"), pem)
    return output.getvalue()
