# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a private key is the one of a certificate, found out by the TLS library of the target.

This module util is private to the collection. It can have breaking changes at any time.
"""

from typing import List, Optional, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils import _pem
from ansible_collections.certfleet.collectssl.plugins.module_utils._argspec import LONGEST_PASSPHRASE
from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.permissions import advice, cause
from ansible_collections.certfleet.collectssl.plugins.module_utils._python import without_ssl

#: What OpenSSL says to a key that is another one; the last two when it is of another type.
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")

#: How reasons end that speak of the policy of the host: the key may be the right one, yet nothing here would use it.
_POLICY = ("_TOO_SMALL", "_TOO_WEAK")


def key_blocks(data: bytes) -> str:
    """The PEM blocks of a key file that hold a private key, encrypted or not; empty where there are none."""
    return "".join(_pem.blocks(data.decode("latin-1"), "PRIVATE KEY"))


def load(option: str, path: str, descriptor: int) -> Tuple[bytes, str]:
    """What the key file that ``option`` names, and which is open, holds, and the private key blocks of it.

    Raises ``InstallError`` for a file that holds no PEM private key, and ``OSError`` for one that cannot be read.
    """
    data = disk.read_from(descriptor)
    blocks = key_blocks(data)
    if not blocks:
        raise InstallError(f"{option}: {path} is not a private key in PEM format.")
    return data, blocks


def matches(option: str, path: str, source: str, certificate_file: str, passphrase: Optional[str]) -> bool:
    """Whether the private key in ``source`` is the one of the first certificate in ``certificate_file``.

    ``option`` and ``path`` are what errors call the key. Raises ``InstallError`` where that cannot be found out: no
    passphrase or a wrong one for an encrypted key, a damaged key, a key or certificate the policy of the host refuses.
    """
    try:
        import ssl  # costly, and without a private key not needed
    except ImportError as exc:
        raise InstallError(
            f"{option}: {without_ssl()}, so it cannot be checked whether the certificate belongs to {path}. Install "
            "the package with it, let ansible_python_interpreter be a Python that has it, or leave the options of "
            "private keys out."
        ) from exc

    secret = (passphrase or "").encode("utf-8", "surrogateescape")
    if len(secret) > LONGEST_PASSPHRASE:
        raise InstallError(f"privatekey_passphrase is longer than the TLS library takes ({LONGEST_PASSPHRASE} bytes).")
    asked: List[bool] = []

    def answer() -> bytes:
        # It must not raise: OpenSSL 3 asks again after a refusal, which Python 3.6 does not survive.
        asked.append(True)
        return secret

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a function to ask, OpenSSL would prompt on the terminal.
        context.load_cert_chain(certificate_file, source, password=answer)
        return True
    except ssl.SSLError as exc:
        reason = exc.reason or ""
        if reason in _MISMATCH:
            return False
        if reason.endswith(_POLICY):
            raise InstallError(
                f"{option}: the TLS policy of this host refuses the certificate or {path} ({reason}), "
                "so no service here could use them."
            ) from exc
        if asked and passphrase is None:
            raise InstallError(f"{option}: {path} is encrypted; give its passphrase as privatekey_passphrase.") from exc
        if asked:
            raise InstallError(f"{option}: privatekey_passphrase does not open {path}.") from exc
        raise InstallError(
            f"{option}: {path} could not be loaded as a private key ({reason or 'not a PEM key'})."
        ) from exc
    except OSError as exc:
        raise InstallError(f"{option}: {path} could not be read: {cause(exc)}.{advice(exc)}") from exc
