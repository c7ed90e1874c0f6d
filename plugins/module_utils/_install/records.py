# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been proven of files with private keys, so that the next run need not look into them.

That a private key belongs to a certificate only the TLS library can say, and to load it costs more than all else that a
run with nothing to do has to do. Once it has been said, a record says of which file: its digest and its path, in the
form that ``sha256sum -c`` reads. As long as the file has that digest, it is the file that was looked into. The name of
the record says what was proven: the path, and for which certificates.

A record that somebody else could have written proves nothing, so they lie in a folder in which only the user who runs
this may write. A missing one costs time and nothing else, so none is worth a failure.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import hashlib
import os
import pwd
from typing import List, NamedTuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, folders
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Places, in_folder

#: Where root's are, and below which folder in the home of another user theirs.
FOLDER, IN_HOME = "/var/lib/certfleet-collectssl/proven", ".cache/certfleet-collectssl/proven"


class Proof(NamedTuple):
    """A file was looked into: ``data`` is what it holds, ``text`` the PEM text of the certificates it goes with."""

    path: str
    text: str
    data: bytes

    @property
    def name(self) -> str:
        """What the record is called."""
        return name_of(self.path, self.text)

    @property
    def record(self) -> bytes:
        """What it says."""
        return f"{hashlib.sha256(self.data).hexdigest()}  {self.path}\n".encode("utf-8", "surrogateescape")


def name_of(path: str, text: str) -> str:
    """The name of the record that proves the file at a path to go with certificates; for a path all begin alike."""
    return f"{_digest(path)[:32]}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def leave(places: Places, proofs: List[Proof]) -> None:
    """Write down what has been proven, in place of what was proven of the same paths before, as far as that can be."""
    if not proofs:
        return
    with contextlib.suppress(InstallError, OSError, KeyError):
        where = _made(places, _folder())
        for proof in proofs:
            _leave(where, proof)


def _folder() -> str:
    if os.geteuid() == 0:
        return FOLDER
    return os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, IN_HOME)


def _made(places: Places, path: str) -> Folder:
    """The folder, made if it is not there; raises ``OSError`` for one in which others may write."""
    found = folders.made(places, "records", path, [0o755, 0o700], [])
    if not found.settled:
        raise OSError(f"Others may write in {path}")
    return found


def _leave(where: Folder, proof: Proof) -> None:
    place = in_folder(where, proof.name)
    if disk.read(place) == proof.record:
        return
    draft = in_folder(where, os.urandom(16).hex())
    disk.write_new(draft, proof.record)
    disk.rename(draft, place)
    of_path = proof.name.partition("-")[0] + "-"
    disk.remove(*(in_folder(where, name) for name in where.names() if name.startswith(of_path) and name != proof.name))
