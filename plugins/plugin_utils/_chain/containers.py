# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates out of the structures that carry several: ZIP archive, PKCS#7, Netscape certificate sequence.

This plugin util is private to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import io
import typing as t
import warnings
import zipfile

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import ChainError
from ansible_collections.certfleet.collectssl.plugins.module_utils._pem import certificates
from ansible_collections.certfleet.collectssl.plugins.module_utils._text import excerpt
from ansible_collections.certfleet.collectssl.plugins.module_utils._wire.structures import is_certificate
from ansible_collections.certfleet.collectssl.plugins.plugin_utils._chain import netscape

_ZIP_MAX_ENTRIES = 32
_ZIP_MAX_SIZE = 1024 * 1024
_ZIP_MAX_RATIO = 100
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CERTIFICATE_SUFFIXES = (".crt", ".cer", ".pem", ".der")


def unpack(container_type: str, data: bytes) -> list[bytes]:
    """The DER of every certificate in a structure, in the order in which they stand there.

    :arg container_type: ``zip``, ``pkcs7`` or ``netscape``.
    :raises ChainError: where it cannot be read, or is larger than any chain.
    """
    what, reader = _READERS[container_type]
    try:
        return reader(data)
    except ChainError:
        raise
    except Exception as exc:
        # What the libraries raise for what somebody made up on purpose is not in their documentation.
        raise ChainError(f"The {what} cannot be read: {excerpt(str(exc)) or type(exc).__name__}") from exc


def _from_zip(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    room = _ZIP_MAX_SIZE
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # Not entry.is_dir(), which fails for a name of no letters before Python 3.12.
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
        if len(entries) > _ZIP_MAX_ENTRIES:
            raise ChainError(f"The ZIP archive has {len(entries)} entries; {_ZIP_MAX_ENTRIES} at most are read.")
        for entry in entries:
            content = _content(archive, entry, room)
            room -= len(content)
            found.extend(_certificates_in_file(entry.filename, content))
    return found


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    if entry.compress_type not in _ZIP_METHODS:
        raise ChainError(f"The ZIP archive uses compression method {entry.compress_type}; deflate alone is read.")
    # Read through a bound, since the sizes that an archive states need not be true.
    with archive.open(entry) as stream:
        content = stream.read(room + 1)
    if len(content) > min(room, _ZIP_MAX_RATIO * max(entry.compress_size, 1)):
        raise ChainError("The ZIP archive unpacks to more than any chain takes; it was not unpacked further.")
    if len(content) != entry.file_size:
        raise ChainError(f"The file {excerpt(entry.filename, 80)} of the ZIP archive is cut off.")
    return content


def _certificates_in_file(name: str, content: bytes) -> list[bytes]:
    if is_certificate(content):
        return [content]
    ders = certificates(content.decode("utf-8", "replace"))
    if ders is None or (not ders and name.lower().endswith(_CERTIFICATE_SUFFIXES)):
        raise ChainError(f"The file {excerpt(name, 80)} of the ZIP archive holds no whole certificate.")
    return ders


def _from_pkcs7(data: bytes) -> list[bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    with warnings.catch_warnings():
        # DER wants a SET sorted, services put the certificates in chain order, and the library complains.
        warnings.simplefilter("ignore")
        return [cert.public_bytes(Encoding.DER) for cert in pkcs7.load_der_pkcs7_certificates(data)]


def _from_netscape(data: bytes) -> list[bytes]:
    return netscape.certificates(data)


_READERS: dict[str, tuple[str, t.Callable[[bytes], list[bytes]]]] = {
    "zip": ("ZIP archive", _from_zip),
    "pkcs7": ("PKCS#7 structure", _from_pkcs7),
    "netscape": ("Netscape certificate sequence", _from_netscape),
}
