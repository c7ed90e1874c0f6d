# Copyright (c) 2026, certfleet.collectssl contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the tarball of the collection, the same bytes whoever builds it, when and where.

    build.py FOLDER

``ansible-galaxy collection build`` stamps the time, and takes files in the order in which the file system has them.
What it made is packed once more: sorted, with one time, that of the commit or SOURCE_DATE_EPOCH, and not compressed,
since each library that a Python may have for that (zlib, zlib-ng) makes other bytes of the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile
import typing as t
import zlib

import tree

MANIFEST, FILES = "MANIFEST.json", "FILES.json"

# Of what is not compressed, one block holds no more (octets).
_BLOCK = 0xFFFF


def build(collection: pathlib.Path, output: pathlib.Path, moment: int) -> pathlib.Path:
    """Build what is in a folder into another one, with the ansible-galaxy of this Python.

    :arg collection: the collection, with nothing beside it that is not to be looked at.
    :arg moment: the time that all files get, in seconds since 1970.
    :returns: the tarball.
    """
    program = pathlib.Path(sys.executable).with_name("ansible-galaxy")
    with tempfile.TemporaryDirectory(prefix="collectssl-build-") as scratch:
        command = [str(program), "collection", "build", "--output-path", scratch, str(collection)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (made,) = pathlib.Path(scratch).glob("*.tar.gz")
        packed = packed_anew(made.read_bytes(), moment)
        output.mkdir(parents=True, exist_ok=True)
        (output / made.name).write_bytes(packed)
        return output / made.name


def packed_anew(tarball: bytes, moment: int) -> bytes:
    """Pack a tarball as ansible-galaxy makes it so that nothing but its content makes a difference."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        members = {member.name: member for member in archive}
        contents = {name: archive.extractfile(name).read() for name, member in members.items() if member.isfile()}  # type: ignore[union-attr]
    manifest, files = json.loads(contents[MANIFEST]), json.loads(contents[FILES])
    files["files"].sort(key=lambda entry: str(entry["name"]))
    contents[FILES] = _json(files)
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(contents[FILES]).hexdigest()
    contents[MANIFEST] = _json(manifest)
    # The two that describe the others come first, since they are read first.
    order = [MANIFEST, FILES, *sorted(members.keys() - {MANIFEST, FILES})]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in order:
            content = contents.get(name, b"")
            archive.addfile(_described(members[name], len(content), moment), io.BytesIO(content))
    return gzipped(packed.getvalue(), moment)


def gzipped(content: bytes, moment: int) -> bytes:
    """Wrap a content as gzip does (RFC 1952), without a name, in blocks that are not compressed (RFC 1951)."""
    head = struct.pack("<2sBBLBB", b"\x1f\x8b", 8, 0, moment, 0, 255)
    starts = range(0, max(len(content), 1), _BLOCK)
    blocks = []
    for start in starts:
        block = content[start : start + _BLOCK]
        blocks.append(struct.pack("<BHH", start == starts[-1], len(block), len(block) ^ 0xFFFF) + block)
    return b"".join([head, *blocks, struct.pack("<LL", zlib.crc32(content), len(content))])


def _json(value: t.Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode("ascii")


def _described(member: tarfile.TarInfo, size: int, moment: int) -> tarfile.TarInfo:
    """The head of a member, with its name, its kind, and whether it can be run or entered, as before."""
    if not member.isfile() and not member.isdir():
        raise SystemExit(f"{member.name} is neither a file nor a folder, which is all that belongs into the tarball.")
    head = tarfile.TarInfo(member.name)
    head.type, head.size, head.mtime = member.type, size, moment
    head.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return head


def moment_of_commit() -> int:
    """SOURCE_DATE_EPOCH, or else when the checkout's commit was made, in seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    git = ["git", "-C", str(tree.CHECKOUT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(git, capture_output=True, check=True).stdout)


def main() -> None:
    """Build the checkout, and say from which commit, and what came of it."""
    with tree.copy() as collection:
        tarball = build(collection, pathlib.Path(sys.argv[1]), moment_of_commit())
    sys.stdout.write(f"built from {tree.commit(tree.CHECKOUT / tarball.name)}\n")
    sys.stdout.write(f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}  {tarball}\n")


if __name__ == "__main__":
    main()
