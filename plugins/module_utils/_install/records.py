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
A file with a private key and its chain holds what the private key file held: its record speaks of both.
This module util is private to the collection. It can have breaking changes at any time.
"""

import contextlib
import hashlib
import os
import pwd
import time
from typing import List, NamedTuple, Tuple

from ansible_collections.certfleet.collectssl.plugins.module_utils._errors import InstallError
from ansible_collections.certfleet.collectssl.plugins.module_utils._files import disk, folders
from ansible_collections.certfleet.collectssl.plugins.module_utils._files.places import Folder, Places, in_folder

#: Where root's are, and below which folder in the home of another user theirs.
FOLDER, IN_HOME = "/var/lib/certfleet-collectssl/proven", ".cache/certfleet-collectssl/proven"

#: How many certificates of one private key file have a record: those in service, and some that were.
_MOST = 16

_SIZE = 32

#: After how long a draft is nobody's any more (seconds).
_WHILE = 600


class Proof(NamedTuple):
    """A file was looked into: ``data`` is what it holds, ``text`` the PEM text of the certificates it goes with.

    ``source`` is path and content of the private key file, where the private key in this one is from there.
    """

    path: str
    text: str
    data: bytes
    source: Tuple[Tuple[str, bytes], ...] = ()

    @property
    def name(self) -> str:
        """What the record is called."""
        return name_of(self.path, self.text)

    @property
    def record(self) -> bytes:
        """What it says."""
        files = ((self.path, self.data), *self.source)
        lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files]
        return "".join(lines).encode("utf-8", "surrogateescape")


def name_of(path: str, text: str) -> str:
    """The name of the record that proves the file at a path to go with certificates; for a path all begin alike."""
    return f"{_digest(path)}-{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_SIZE]


def leave(places: Places, proofs: List[Proof]) -> None:
    """Write down what has been proven, in place of what those files are not any more, as far as that can be."""
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
    names = [name for name in where.names() if name != proof.name]
    others = [in_folder(where, name) for name in names if name.startswith(of_path)]
    # Several certificates may go with one private key.
    right = [one for one in others if disk.read(one) == proof.record]
    stale = [one for one in others if one not in right or len(right) >= _MOST]
    disk.remove(*stale, *(in_folder(where, name) for name in names if "-" not in name and _is_left(where, name)))


def _is_left(where: Folder, name: str) -> bool:
    """Whether this is a draft of a run that was killed: whoever writes one renames it at once."""
    status = where.status(name)
    return status is not None and abs(time.time() - status.st_mtime) > _WHILE
